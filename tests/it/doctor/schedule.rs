//! Timers and lines for cron that start runs, and those that never will.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{chown, lchown};
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Pi, can_run, is_root};

#[test]
fn every_timer_and_every_cron_line_is_seen() {
    let mut pi = Pi::new();
    pi.bench.set("focus.program", "\"/usr/local/bin/focus\"");
    pi.link("bin", "usr/bin");
    pi.program("usr/local/bin/iio-focus", "");
    for timer in
        ["run/*/iio-focus@kitchen.timer", "run/*/iio-focus.timer", "usr/lib/*/iio-focus@cellar.timer"]
    {
        pi.link(&timer.replace('*', "systemd/system/timers.target.wants"), "/x");
    }
    for sensor in ["kitchen", "cellar"] {
        pi.file(&format!("etc/iio-focus/{sensor}.toml"), "");
    }
    let findings = pi.has(&[]);
    let timers = findings.iter().find(|finding| finding.check == "timer or cron").unwrap();
    assert_eq!(timers.found, "iio-focus.timer, iio-focus@cellar.timer, iio-focus@kitchen.timer enabled");
    for dir in ["etc", "run", "usr/lib"] {
        fs::remove_dir_all(pi.root(dir).join("systemd/system/timers.target.wants")).unwrap();
    }
    pi.has(&[("timer or cron", "nothing starts iio-focus", "systemctl enable --now iio-focus.timer")]);
    for (file, text, found) in [
        ("etc/cron.d/iio-focus", "PATH=/bin\n* * * * * root iio-focus\n", "/etc/cron.d/iio-focus line 2"),
        ("etc/crontab", "*/5 * * * * root /usr/local/bin/iio-focus\n", "/etc/crontab line 1"),
        ("var/spool/cron/crontabs/pi", "\n@hourly iio-focus --log syslog\n", "/crontabs/pi line 2"),
    ] {
        pi.file(file, text);
        pi.mode(file, 0o600);
        pi.says("timer or cron", "ok", found);
        pi.remove(file);
    }
    pi.file("etc/cron.d/iio-focus.cron", "* * * * * root iio-focus\n");
    pi.has(&[("timer or cron", "cron does not read ", "rename it")]);
}

#[test]
fn a_timer_that_will_never_start_anything_is_found() {
    let check = "timer or cron";
    let units = "etc/systemd/system";
    let drop_in = format!("{units}/iio-focus.timer.d/10-x.conf");
    let pi = Pi::new();
    pi.link(&format!("{units}/iio-focus.service"), "/dev/null");
    pi.has(&[(
        check,
        "iio-focus.timer is enabled, but iio-focus.service is masked by /",
        "unmask iio-focus.service",
    )]);
    pi.remove(&format!("{units}/iio-focus.service"));
    pi.link(&format!("{units}/iio-focus.timer"), "/dev/null");
    pi.has(&[(check, "iio-focus.timer is masked by /", "unmask iio-focus.timer")]);
    pi.remove(&format!("{units}/iio-focus.timer"));
    pi.file(&drop_in, "[Timer]\nOnCalendar=\n");
    pi.has(&[(check, "it lacks OnCalendar=", "systemctl edit iio-focus.timer")]);
    pi.file(&drop_in, "[Timer]\nUnit=none.service\n");
    pi.has(&[(check, "there is no unit none.service", "")]);
    pi.file(&drop_in, "[Unit]\nConditionPathExists=/etc/ready\n");
    pi.has(&[(check, "this is not so: ConditionPathExists=/etc/ready", "put a file at /etc/ready")]);
    pi.file("etc/ready", "");
    pi.says(check, "ok", "iio-focus.timer enabled");
    pi.remove("usr/bin/iio-focus");
    pi.has(&[(check, "iio-focus.service starts iio-focus, which is not there", "install iio-focus again")]);
    for unit in ["iio-focus.service", "iio-focus.timer"] {
        pi.remove(&format!("usr/lib/systemd/system/{unit}"));
    }
    pi.has(&[(check, "there is no unit iio-focus.timer", "systemctl disable")]);
    pi.remove("etc/systemd/system/timers.target.wants/iio-focus.timer");
    pi.has(&[(check, "nothing starts iio-focus", "systemctl enable --now")]);
}

const LINE: &str = "* * * * * root /usr/bin/iio-focus\n";

/// A Pi without a timer.
fn with_cron() -> Pi {
    let mut pi = Pi::new();
    pi.bench.set("focus.program", "\"/usr/local/bin/focus\"");
    pi.remove("etc/systemd/system/timers.target.wants/iio-focus.timer");
    pi.mode("etc", 0o755);
    pi
}

#[test]
fn a_line_that_cron_will_never_run_is_found() {
    let check = "timer or cron";
    let pi = with_cron();
    let file = "etc/cron.d/iio-focus";
    for (text, found, advice) in [
        ("* * * * * root iio-focus", "its last line has no newline", "correct that"),
        ("PATH=/opt\n* * * * * root iio-focus\n", "there is no iio-focus in PATH=/opt", "full path"),
        ("* * * * * root sleep $((1 % 2)); iio-focus\n", "a % ends the command", "correct that line"),
        ("* * * * * root iio-focus\r\n", "a carriage return", "correct that line"),
        ("* * * * * nobody iio-focus\n", "line 1 has a bad username", "correct that"),
    ] {
        pi.file(file, text);
        pi.has(&[(check, found, advice)]);
    }
    pi.file(file, LINE);
    pi.says(check, "ok", "/etc/cron.d/iio-focus line 1");
    pi.remove("etc/systemd/system/multi-user.target.wants/cron.service");
    pi.has(&[(check, "cron.d/iio-focus line 1: it is not enabled itself", "systemctl enable --now cron")]);
    pi.remove("usr/sbin/cron");
    pi.has(&[(check, "cron.d/iio-focus line 1: it is not installed", "apt install cron")]);
}

/// A file for cron, what is special about it, and whether the real cron takes it.
type Case = (&'static str, fn(&Pi, &str), bool);

fn with_mode(pi: &Pi, name: &str, mode: u32) {
    pi.file(name, if name.contains("/crontabs/") { "* * * * * /usr/bin/iio-focus\n" } else { LINE });
    pi.mode(name, mode);
}

fn with_text(pi: &Pi, name: &str, text: &str) {
    pi.file(name, text);
    pi.mode(name, 0o644);
}

fn owned_by_bin(pi: &Pi, name: &str) {
    chown(pi.root(name), Some(2), Some(2)).unwrap();
}

const CASES: [Case; 32] = [
    ("etc/cron.d/a", |pi, name| with_mode(pi, name, 0o644), true),
    ("etc/cron.d/a.b", |pi, name| with_mode(pi, name, 0o644), false),
    ("etc/cron.d/b", |pi, name| with_mode(pi, name, 0o664), false),
    ("etc/cron.d/c", |pi, name| with_mode(pi, name, 0o646), false),
    ("etc/cron.d/d", |pi, name| with_mode(pi, name, 0o755), true),
    ("etc/cron.d/e", |pi, name| with_mode(pi, name, 0o400), true),
    (
        "etc/cron.d/f",
        |pi, name| {
            with_mode(pi, name, 0o644);
            owned_by_bin(pi, name);
        },
        false,
    ),
    ("etc/cron.d/g", |pi, name| with_text(pi, name, LINE.trim_end()), false),
    ("etc/cron.d/h", |pi, name| with_text(pi, name, &format!("{LINE}# end")), true),
    ("etc/cron.d/i", |pi, name| with_text(pi, name, &format!("{LINE}A=b")), false),
    ("etc/cron.d/j", |pi, name| with_text(pi, name, &format!("99 * * * * root true\n{LINE}")), false),
    ("etc/cron.d/k", |pi, name| with_text(pi, name, "* * * * * nosuch /usr/bin/iio-focus\n"), false),
    ("etc/cron.d/l", |pi, name| with_text(pi, name, "* * * * * /usr/bin/iio-focus\n"), false),
    ("etc/cron.d/m", |pi, name| with_text(pi, name, "* * * 0 * root /usr/bin/iio-focus\n"), false),
    ("etc/cron.d/n", |pi, name| with_text(pi, name, "*/0 * * * * root /usr/bin/iio-focus\n"), false),
    ("etc/cron.d/o", |pi, name| with_text(pi, name, "*/7 * * jan-MAR mon,5 root /usr/bin/iio-focus\n"), true),
    ("etc/cron.d/p", |pi, name| with_text(pi, name, "@REBOOT root /usr/bin/iio-focus\n"), false),
    ("etc/cron.d/q", |pi, name| with_text(pi, name, "@hourly root /usr/bin/iio-focus\n"), true),
    ("etc/cron.d/r", |pi, name| with_text(pi, name, &format!("CRON_TZ=UTC\nA = 'b c'\n\t{LINE}")), true),
    ("etc/cron.d/s", |pi, name| with_text(pi, name, &format!("words that are no line\n{LINE}")), false),
    (
        "etc/cron.d/t",
        |pi, name| {
            with_mode(pi, "etc/t", 0o644);
            pi.link(name, "/etc/t");
        },
        true,
    ),
    (
        "etc/cron.d/u",
        |pi, name| {
            with_mode(pi, "etc/u", 0o664);
            pi.link(name, "/etc/u");
        },
        false,
    ),
    (
        "etc/cron.d/v",
        |pi, name| {
            with_mode(pi, "etc/v", 0o644);
            pi.link(name, "/etc/v");
            lchown(pi.root(name), Some(2), Some(2)).unwrap();
        },
        false,
    ),
    ("etc/cron.d/iio-focus", |pi, name| pi.link(name, "/etc/none"), false),
    (
        "etc/cron.d/w",
        |pi, name| {
            with_mode(pi, name, 0o644);
            fs::hard_link(pi.root(name), pi.root("etc/w")).unwrap();
        },
        false,
    ),
    ("etc/crontab", |pi, name| with_mode(pi, name, 0o644), true),
    ("var/spool/cron/crontabs/root", |pi, name| with_mode(pi, name, 0o600), true),
    ("var/spool/cron/crontabs/daemon", |pi, name| with_mode(pi, name, 0o640), false),
    (
        "var/spool/cron/crontabs/bin",
        |pi, name| {
            with_mode(pi, name, 0o600);
            owned_by_bin(pi, name);
        },
        true,
    ),
    (
        "var/spool/cron/crontabs/sys",
        |pi, name| {
            with_mode(pi, name, 0o600);
            owned_by_bin(pi, name);
        },
        false,
    ),
    ("var/spool/cron/crontabs/nosuch", |pi, name| with_mode(pi, name, 0o600), false),
    (
        "var/spool/cron/crontabs/games",
        |pi, name| {
            with_mode(pi, "var/spool/games", 0o600);
            pi.link(name, "/var/spool/games");
        },
        false,
    ),
];

/// The cron of this machine, started in a name space of its own in which its files are the Pi's. It reads all tables when it
/// starts, and logs those that it does not take.
fn words_of_cron(pi: &Pi) -> Vec<String> {
    let log = pi.bench.path("log");
    let socket = UnixDatagram::bind(&log).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let script = "set -e; root=$1; log=$2
        mkdir $root/merged; cp -r /etc/. $root/merged; rm -rf $root/merged/cron.d $root/merged/crontab
        cp -a $root/etc/. $root/merged; cp /etc/passwd /etc/group $root/merged
        mount --bind $root/merged /etc; mount --bind $root/var/spool /var/spool
        mount -t tmpfs run /run; mount -t tmpfs dev /dev
        mknod -m 666 /dev/null c 1 3; touch /dev/log; mount --bind $log /dev/log
        exec timeout 30 cron -f";
    let root = pi.root("");
    let mut cron = Command::new("unshare")
        .args(["-m", "-p", "-f", "--kill-child", "--propagation", "private", "sh", "-c", script, "sh"])
        .args([&root, &log])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match socket.recv(&mut buffer) {
            Ok(n) => lines.push(String::from_utf8_lossy(&buffer[..n]).into_owned()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
        // What it logs when it has read them all.
        if lines.last().is_some_and(|line| line.contains("@reboot jobs")) {
            break;
        }
    }
    cron.kill().unwrap();
    cron.wait().unwrap();
    lines
}

#[test]
fn the_real_cron_and_the_doctor_pass_the_same_files_over() {
    let has_cron = Command::new("sh").args(["-c", "command -v cron"]).stdout(Stdio::null()).status().unwrap();
    if !can_run(is_root() && has_cron.success(), "root and the package cron") {
        return;
    }
    let pi = with_cron();
    // The users that cron knows.
    for name in ["passwd", "group"] {
        pi.file(&format!("etc/{name}"), fs::read(format!("/etc/{name}")).unwrap());
    }
    for (name, make, _) in &CASES {
        make(&pi, name);
    }
    let mut findings = pi.findings(&[]);
    findings.retain(|finding| finding.check == "timer or cron");
    let words = words_of_cron(&pi);
    assert!(words.iter().any(|line| line.contains("@reboot jobs")), "{words:#?}");
    for (name, _, is_taken) in &CASES {
        let path = format!("/{name}");
        let is_told = |line: &String| {
            line.contains(&format!("{path})")) || line.ends_with(&path) || {
                let base = name.rsplit('/').next().unwrap();
                let of_user = name.contains("crontabs");
                line.contains(&if of_user { format!("({base})") } else { format!("(*system*{base})") })
            }
        };
        // Of a file with a wrong name it says nothing.
        let refused = words.iter().any(is_told) || name.contains("cron.d/a.b");
        assert_eq!(refused, !is_taken, "cron: {name}: {words:#?}");
        let is_good = findings
            .iter()
            .any(|finding| finding.state == "ok" && finding.found.contains(&format!("{name} line ")));
        assert_eq!(is_good, *is_taken, "doctor: {name}: {findings:#?}");
        let is_wrong = findings
            .iter()
            .any(|finding| finding.state == "wrong" && finding.found.contains(&format!("{name}, because")));
        assert_eq!(is_wrong, !is_taken, "doctor: {name}: {findings:#?}");
    }
}
