//! Where the log lines go: to a syslog daemon, which this test plays, or to standard error.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use crate::machine::{LICENSE, Machine, Outcome, PROGRAM, replace_by_link};

const LINE: &str = "temperature=20.6 humidity=24.4 device=dht11@4 attempts=1 delivered=1 backlog=0";

/// A device that is called as on the Pi, with a driver that answers at once.
fn machine() -> Machine {
    let machine = Machine::new();
    machine.device(
        0,
        &[("name", "dht11@4\n"), ("in_temp_input", "20600"), ("in_humidityrelative_input", "24400")],
    );
    machine
}

/// The folder that stands at `/dev`, with a socket at `log`.
fn syslog_of(machine: &Machine) -> (PathBuf, UnixDatagram) {
    let dev = empty_dev(machine);
    let socket = UnixDatagram::bind(dev.join("log")).unwrap();
    socket.set_nonblocking(true).unwrap();
    (dev, socket)
}

fn empty_dev(machine: &Machine) -> PathBuf {
    let dev = machine.path("dev");
    std::fs::create_dir(&dev).unwrap();
    replace_by_link(&dev.join("null"), "/proc/self/fd/0");
    dev
}

/// The words that start this program with that folder at `/dev`.
fn words(machine: &Machine, dev: &std::path::Path, arguments: &[&str]) -> Vec<String> {
    let mut words = Machine::namespace(&[(dev, "/dev")]);
    let config = machine.private_file("config.toml", machine.config_text()).display().to_string();
    let sysfs = machine.path("sys").display().to_string();
    words.extend([PROGRAM, "--config", &config, "--sysfs", &sysfs].map(str::to_owned));
    words.extend(arguments.iter().map(|word| (*word).to_owned()));
    words
}

/// Runs with that folder at `/dev`; standard error is not a terminal.
fn run(machine: &Machine, dev: &std::path::Path, arguments: &[&str]) -> Outcome {
    machine.outcome(&mut machine.bare(&words(machine, dev, arguments)))
}

/// What the daemon got: priority and message, the process id checked and cut out.
#[track_caller]
fn received(socket: &UnixDatagram) -> Vec<(u32, String)> {
    let mut buffer = [0; 65_536];
    let mut all = Vec::new();
    while let Ok(length) = socket.recv(&mut buffer) {
        let datagram = std::str::from_utf8(&buffer[..length]).unwrap();
        let (priority, rest) = datagram.strip_prefix('<').and_then(|rest| rest.split_once('>')).unwrap();
        let (pid, message) =
            rest.strip_prefix("iio-focus[").and_then(|rest| rest.split_once("]: ")).expect(datagram);
        assert!(pid.parse::<u32>().is_ok_and(|pid| pid > 1), "{datagram}");
        assert!(!message.contains(|c: char| c.is_control()), "{datagram:?}");
        assert!(!message.contains(LICENSE), "{datagram:?}");
        all.push((priority.parse().unwrap(), message.to_owned()));
    }
    all
}

const DEBUG: u32 = 3 * 8 + 7;
const INFO: u32 = 3 * 8 + 6;
const WARNING: u32 = 3 * 8 + 4;
const ERR: u32 = 3 * 8 + 3;

#[test]
fn a_good_run_is_one_line_at_info() {
    let machine = machine();
    let (dev, socket) = syslog_of(&machine);
    for arguments in [[].as_slice(), &["--log", "auto"], &["--log", "syslog"], &["--log=syslog"]] {
        let outcome = run(&machine, &dev, arguments);
        assert_eq!(outcome.status, 0, "{outcome:#?}");
        assert_eq!(received(&socket), [(INFO, LINE.to_owned())], "{arguments:?}");
        assert_eq!(outcome.stderr, "", "{arguments:?}: standard error is no terminal");
    }
}

#[test]
fn a_failed_run_is_one_line_at_err() {
    let mut machine = machine();
    machine.env("FOCUS_FAULT", "silent");
    let (dev, socket) = syslog_of(&machine);
    let outcome = run(&machine, &dev, &[]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (69, ""));
    let [(priority, message)] = &received(&socket)[..] else { panic!("not one line") };
    assert_eq!(*priority, ERR);
    assert!(message.starts_with(
        "temperature=20.6 humidity=24.4 device=dht11@4 attempts=1 delivered=0 backlog=1: focus "
    ));

    replace_by_link(&machine.path("sys/bus/iio/devices/iio:device0/in_temp_input"), "/proc/self/mem");
    let outcome = run(&machine, &dev, &["--attempts", "2"]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (74, ""));
    let [(priority, message)] = &received(&socket)[..] else { panic!("not one line") };
    assert_eq!(*priority, ERR);
    assert!(message.starts_with("no good reading from dht11@4 in 2 tries: EIO 2 times (last: "), "{message}");
}

#[test]
fn a_wrong_configuration_and_a_missing_sensor_are_logged_too() {
    let mut machine = Machine::new();
    let (dev, socket) = syslog_of(&machine);
    assert_eq!(run(&machine, &dev, &[]).status, 66);
    machine.set("focus.pcode", "\"x\"");
    assert_eq!(run(&machine, &dev, &[]).status, 78);
    let priorities: Vec<u32> = received(&socket).iter().map(|(priority, _)| *priority).collect();
    assert_eq!(priorities, [ERR, ERR]);
}

#[test]
fn a_warning_has_its_own_priority() {
    let mut machine = machine();
    machine.unset("focus.license");
    let license = machine.path("license.txt");
    std::fs::write(&license, LICENSE).unwrap();
    std::fs::set_permissions(&license, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    machine.set("focus.license-file", &format!("{:?}", license.display().to_string()));
    let (dev, socket) = syslog_of(&machine);
    assert_eq!(run(&machine, &dev, &[]).status, 0);
    let got = received(&socket);
    assert_eq!(got.iter().map(|(priority, _)| *priority).collect::<Vec<_>>(), [WARNING, INFO], "{got:?}");
}

#[test]
fn verbose_adds_each_try_and_each_line_of_focus_at_debug() {
    let machine = machine();
    let (dev, socket) = syslog_of(&machine);
    assert_eq!(run(&machine, &dev, &["--verbose"]).status, 0);
    let got = received(&socket);
    assert!(got.contains(&(DEBUG, "focus: Collecting stdin-json".to_owned())), "{got:?}");
    let connected = format!("[TCP] Connected 127.0.0.1:{}", machine.port());
    let shown = |(priority, line): &(u32, String)| {
        *priority == DEBUG && line.starts_with("focus: ") && line.ends_with(&connected)
    };
    assert!(got.iter().any(shown), "{got:?}");
    assert_eq!(got.last(), Some(&(INFO, LINE.to_owned())));

    replace_by_link(&machine.path("sys/bus/iio/devices/iio:device0/in_temp_input"), "/proc/self/mem");
    assert_eq!(run(&machine, &dev, &["--verbose", "--attempts", "2"]).status, 74);
    let got = received(&socket);
    let tries: Vec<u32> = got.iter().filter(|(_, line)| line.starts_with("try ")).map(|one| one.0).collect();
    assert_eq!(tries, [DEBUG, DEBUG], "{got:?}");
    assert!(got[1].1.starts_with("try 2 of 2: ") && got[1].1.ends_with("EIO: I/O error"), "{got:?}");
}

#[test]
fn to_standard_error_alone_means_that() {
    let machine = machine();
    let (dev, socket) = syslog_of(&machine);
    let outcome = run(&machine, &dev, &["--log", "stderr"]);
    assert_eq!(outcome.stderr, format!("iio-focus: {LINE}\n"));
    assert_eq!(received(&socket), []);
}

#[test]
fn without_a_daemon_the_same_lines_go_to_standard_error() {
    for log in ["auto", "syslog"] {
        let mut machine = machine();
        let dev = empty_dev(&machine);
        let outcome = run(&machine, &dev, &["--log", log]);
        assert_eq!(outcome.status, 0, "{outcome:#?}");
        assert_eq!(outcome.stderr, format!("iio-focus: {LINE}\n"), "{log}");
        machine.env("FOCUS_FAULT", "silent");
        run(&machine, &dev, &["--log", log]).fails(69, &["delivered=0 backlog=1: focus exited with 0"]);
        // A socket that nobody holds any more.
        drop(UnixDatagram::bind(dev.join("log")).unwrap());
        run(&machine, &dev, &["--log", log]).fails(69, &["delivered=0 backlog=2: focus exited with 0"]);
    }
}

#[test]
fn a_daemon_that_does_not_read_neither_blocks_nor_ends_a_run() {
    let machine = machine();
    let (dev, socket) = syslog_of(&machine);
    // A sender's own buffer may be full before the daemon's queue is: a new one until it gets nowhere.
    let mut sent = 0;
    loop {
        let sender = UnixDatagram::unbound().unwrap();
        sender.set_nonblocking(true).unwrap();
        sender.connect(dev.join("log")).unwrap();
        let before = sent;
        while sender.send(b"filler").is_ok() {
            sent += 1;
        }
        if sent == before {
            break;
        }
    }
    for arguments in [[].as_slice(), &["--verbose"]] {
        let outcome = run(&machine, &dev, arguments);
        assert_eq!(outcome.status, 0, "{outcome:#?}");
        assert!(
            outcome.stderr.ends_with(&format!("iio-focus: {LINE}\n")),
            "the line is not lost: {outcome:#?}"
        );
    }
    let mut buffer = [0; 64];
    for _ in 0..sent {
        assert_eq!(socket.recv(&mut buffer).unwrap(), 6, "only what was there before");
    }
    assert!(socket.recv(&mut buffer).is_err());
}

#[test]
fn on_a_terminal_auto_means_both() {
    let machine = machine();
    let (dev, socket) = syslog_of(&machine);
    // script(1) runs its command on a terminal of its own and prints what appears there.
    let on_terminal = |arguments: &[&str]| {
        let quoted: Vec<String> = words(&machine, &dev, arguments)
            .iter()
            .map(|word| format!("'{}'", word.replace('\'', "'\\''")))
            .collect();
        let mut command = machine.bare(&["script", "-qec", &quoted.join(" "), "/dev/null"]);
        let outcome = command.output().unwrap();
        assert!(outcome.status.success(), "{outcome:?}");
        String::from_utf8(outcome.stdout).unwrap().replace('\r', "")
    };
    assert_eq!(on_terminal(&[]), format!("iio-focus: {LINE}\n"));
    assert_eq!(received(&socket), [(INFO, LINE.to_owned())]);
    assert_eq!(on_terminal(&["--log", "syslog"]), "");
    assert_eq!(received(&socket), [(INFO, LINE.to_owned())]);
    drop(socket);
    assert_eq!(on_terminal(&[]), format!("iio-focus: {LINE}\n"), "once, not twice");
}

#[test]
fn a_file_name_with_a_line_break_stays_one_line() {
    let machine = machine();
    let outcome = machine.run(&["--device", "kit\nchen\u{1b}[31m"]);
    outcome.fails(66, &["no sensor is called"]);
    let outcome =
        machine.outcome(&mut machine.bare(&[PROGRAM, "--log", "stderr", "--config", "/no/a\nb\rc"]));
    outcome.fails(78, &["cannot read /no/a b c: ENOENT"]);
}

#[test]
fn a_standard_error_that_is_full_or_closed_ends_no_run() {
    let machine = machine();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = machine.command(&["--verbose"]);
    assert_eq!(machine.outcome(command.stderr(full)).status, 0);
}
