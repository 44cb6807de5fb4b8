//! `iio-focus doctor`: a machine on which all is well, and every way in which it is not.

mod boot;
mod rights;
mod schedule;
mod store;

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::machine::{HTU21, LICENSE, Machine, Outcome, PATH, PROGRAM, fifo, pid_of, replace_by_link};
use nix::sys::signal::{Signal, kill};
use nix::sys::utsname::uname;
use rusqlite::Connection;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Finding {
    check: String,
    state: String,
    found: String,
    advice: Option<String>,
}

/// A whole Pi: a root folder beside the fake sysfs.
struct Pi {
    bench: Machine,
}

const GPIO_4: [u8; 12] = [0, 0, 0, 9, 0, 0, 0, 4, 0, 0, 0, 0];

impl Pi {
    /// All is well, and a reading was taken and delivered.
    fn new() -> Pi {
        let mut pi = Pi { bench: Machine::new() };
        pi.bench.device_in(
            "platform/dht11@4",
            0,
            &[
                ("name", "dht11@4\n"),
                ("label", "kitchen\n"),
                ("in_temp_input", "20600\n"),
                ("in_humidityrelative_input", "24400\n"),
                // Without `compatible`, it is not held to the dht11 driver's times.
                ("of_node/phandle", "\0\0\0\x2a"),
                ("of_node/#io-channel-cells", "\0\0\0\x01"),
            ],
        );
        pi.dht11("dht11@4", &GPIO_4);
        pi.sysfs("firmware/devicetree/base/model", "Raspberry Pi Zero 2 W Rev 1.0\0");
        pi.config_txt("[pi4]\narm_boost=1\n[all]\ndtoverlay=iio-focus-dht22,label=kitchen\n");
        pi.file("boot/firmware/overlays/iio-focus-dht22.dtbo", b"\xd0\x0d\xfe\xed and so on");
        pi.file("dev/kmsg", "6,1,1,-;dht11 dht11@4: Only 0 signal edges detected\n");
        pi.link(
            "etc/systemd/system/timers.target.wants/iio-focus.timer",
            "/lib/systemd/system/iio-focus.timer",
        );
        for unit in ["iio-focus.service", "iio-focus.timer", "iio-focus@.service", "iio-focus@.timer"] {
            let text = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(unit)).unwrap();
            pi.file(&format!("usr/lib/systemd/system/{unit}"), text);
        }
        // The files are those of the user who runs the test, whom the doctor sees as root.
        pi.file("etc/passwd", "root:x:0:0::/root:/bin/sh\niio-focus:x:0:0::/:/bin/sh\npi:x:0:0::/:/bin/sh\n");
        pi.file("etc/group", "root:x:0:\niio-focus:x:0:\n");
        pi.program("usr/bin/iio-focus", "#!/bin/sh");
        pi.program("usr/sbin/cron", "#!/bin/sh");
        pi.link(
            "etc/systemd/system/multi-user.target.wants/cron.service",
            "/lib/systemd/system/cron.service",
        );
        pi.file("usr/lib/systemd/system/cron.service", "[Service]\nExecStart=/usr/sbin/cron -f\n");
        fs::create_dir_all(pi.root("usr/local/bin")).unwrap();
        fs::copy(&pi.bench.focus, pi.root("usr/local/bin/focus")).unwrap();
        pi.reads(0);
        pi.bench.set("focus.program", "\"focus\"");
        pi.bench.env("PATH", &format!("/usr/local/bin:{}", PATH));
        pi
    }

    fn root(&self, name: &str) -> PathBuf {
        self.bench.path("root").join(name)
    }

    fn store(&self) -> PathBuf {
        self.root("var/lib/iio-focus/readings.db")
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.root(name).parent().unwrap()).unwrap();
        fs::write(self.root(name), content).unwrap();
    }

    fn program(&self, name: &str, content: &str) {
        self.file(name, content);
        self.mode(name, 0o755);
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.root(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn link(&self, name: &str, target: &str) {
        fs::create_dir_all(self.root(name).parent().unwrap()).unwrap();
        symlink(target, self.root(name)).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.root(name)).unwrap();
    }

    fn sysfs(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.bench.path("sys").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn config_txt(&self, text: &str) {
        self.file("boot/firmware/config.txt", text);
    }

    /// A platform device that the driver has.
    fn dht11(&self, name: &str, gpios: &[u8]) {
        let devices = "bus/platform/devices";
        self.sysfs(&format!("{devices}/{name}/of_node/compatible"), "dht11\0");
        self.sysfs(&format!("{devices}/{name}/of_node/gpios"), gpios);
        fs::create_dir_all(self.bench.path("sys/bus/platform/drivers/dht11")).unwrap();
        symlink("../../drivers/dht11", self.bench.path("sys").join(devices).join(name).join("driver"))
            .unwrap();
    }

    /// A device that reads these channels.
    fn hwmon(&self, io_channels: &[u8]) {
        self.sysfs("bus/platform/drivers/iio_hwmon/iio-hwmon@4/of_node/io-channels", io_channels);
    }

    fn no_sensor(&self) {
        fs::remove_file(self.bench.path("sys/bus/iio/devices/iio:device0")).unwrap();
        fs::remove_dir_all(self.bench.path("sys/bus/platform")).unwrap();
    }

    /// A run that ends so, with the store where the doctor looks for it.
    fn reads(&mut self, status: i32) {
        let store = format!("{:?}", self.store().display().to_string());
        self.bench.set("store.path", &store);
        let program = format!("{:?}", self.bench.focus.display().to_string());
        self.bench.set("focus.program", &program);
        let outcome = self.bench.run(&[]);
        assert_eq!(outcome.status, status, "{outcome:#?}");
        self.bench.set("focus.program", "\"focus\"");
        self.bench.unset("store.path");
        // As the unit has them.
        self.mode("var/lib/iio-focus", 0o750);
        self.mode("var/lib/iio-focus/readings.db.lock", 0o600);
    }

    /// Takes away that the last run was just now.
    fn age_runs(&self, seconds: i64) {
        let db = Connection::open(self.store()).unwrap();
        db.execute_batch(&format!(
            "UPDATE reading SET boot_id = 'another', taken_ms = taken_ms - {seconds} * 1000,
                delivered_ms = delivered_ms - {seconds} * 1000"
        ))
        .unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let config = self.root("etc/iio-focus.toml");
        if !config.exists() {
            self.file("etc/iio-focus.toml", self.bench.config_text());
            fs::set_permissions(config, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let (root, sysfs) = (self.root(""), self.bench.path("sys"));
        let mut words =
            vec![PROGRAM, "doctor", "--root", root.to_str().unwrap(), "--sysfs", sysfs.to_str().unwrap()];
        words.extend(arguments);
        if !is_root() {
            words.splice(..0, ["unshare", "-r"]);
        }
        self.bench.bare(&words)
    }

    fn doctor(&self, arguments: &[&str]) -> Outcome {
        self.bench.outcome(&mut self.command(arguments))
    }

    fn findings(&self, arguments: &[&str]) -> Vec<Finding> {
        let outcome = self.doctor(&[&["--json"], arguments].concat());
        assert_eq!(outcome.stderr, "", "{outcome:#?}");
        let findings: Vec<Finding> = serde_json::from_str(&outcome.stdout).unwrap();
        let wrong = findings.iter().any(|finding| finding.state == "wrong");
        assert_eq!(outcome.status, i32::from(wrong), "{findings:#?}");
        for finding in &findings {
            assert!(["ok", "note", "wrong"].contains(&finding.state.as_str()), "{finding:?}");
            assert!(finding.state != "wrong" || finding.advice.is_some(), "{finding:?}");
            assert!(!format!("{finding:?}").contains("\\n"), "{finding:?}");
        }
        findings
    }

    /// Exactly these are wrong, with these words in what was found and in the advice.
    #[track_caller]
    fn has(&self, wrong: &[(&str, &str, &str)]) -> Vec<Finding> {
        let findings = self.findings(&[]);
        let found: Vec<&Finding> = findings.iter().filter(|finding| finding.state == "wrong").collect();
        let checks: Vec<&str> = found.iter().map(|finding| finding.check.as_str()).collect();
        assert_eq!(checks, wrong.iter().map(|(check, ..)| *check).collect::<Vec<_>>(), "{findings:#?}");
        for (finding, (_, words, advice)) in found.iter().zip(wrong) {
            assert!(finding.found.contains(words), "{words:?} is not in {finding:#?}");
            assert!(finding.advice.as_ref().unwrap().contains(advice), "{advice:?} is not in {finding:#?}");
        }
        findings
    }

    /// Nothing is wrong, and this check says so.
    #[track_caller]
    fn says(&self, check: &str, state: &str, words: &str) {
        let findings = self.has(&[]);
        expect(&findings, check, state, words);
    }
}

/// Whether a test can run here. Where all tests have to, it must.
#[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
fn can_run(is_possible: bool, needs: &str) -> bool {
    assert!(is_possible || std::env::var_os("CI").is_none(), "this test needs {needs}");
    if !is_possible {
        eprintln!("skipped: it needs {needs}");
    }
    is_possible
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

#[track_caller]
fn expect(findings: &[Finding], check: &str, state: &str, words: &str) {
    assert!(
        findings.iter().any(|f| f.check == check && f.state == state && f.found.contains(words)),
        "no {check} is {state} with {words:?}: {findings:#?}"
    );
}

/// The first 20 bytes of a program for this processor, and no more.
fn elf(machine: u8) -> Vec<u8> {
    [&b"\x7fELF\x02\x01\x01"[..], &[0; 9], &[2, 0, machine, 0]].concat()
}

// ---- all is well

/// All checks, in the order of the data.
const CHECKS: &[&str] = &[
    "overlay file",
    "config.txt",
    "driver",
    "device",
    "sensor",
    "second reader",
    "tries",
    "kernel log",
    "focus",
    "configuration",
    "licence",
    "server",
    "clock",
    "store",
    "backlog",
    "timer or cron",
    "rights",
    "last run",
    "arrival",
];

#[test]
fn on_a_healthy_machine_nothing_is_wrong() {
    let pi = Pi::new();
    let findings = pi.has(&[]);
    let checks: Vec<&str> = findings.iter().map(|finding| finding.check.as_str()).collect();
    assert_eq!(checks, CHECKS);
    for (check, words) in [
        ("overlay file", "/boot/firmware/overlays/iio-focus-dht22.dtbo"),
        ("config.txt", "config.txt line 4: iio-focus-dht22 on GPIO 4"),
        ("driver", "dht11 is loaded"),
        ("device", "dht11@4 on GPIO 4 is bound to its driver"),
        ("sensor", "kitchen (dht11@4, iio:device0)"),
        ("second reader", "none"),
        ("tries", "kitchen: 5 good of 5 (ok, ok, ok, ok, ok), temperature=20.6 humidity=24.4"),
        ("kernel log", "nothing about kitchen"),
        ("focus", "/root/usr/local/bin/focus, for "),
        ("configuration", "/root/etc/iio-focus.toml"),
        ("licence", "only its owner"),
        ("server", &format!("127.0.0.1:{} answers", pi.bench.port())),
        ("store", "/readings.db is whole"),
        ("backlog", "empty"),
        ("timer or cron", "iio-focus.timer enabled"),
        ("rights", "iio-focus.service runs as iio-focus, who can use all files that a run needs"),
        ("last run", "s ago: a reading was delivered"),
    ] {
        expect(&findings, check, "ok", words);
    }
}

#[test]
fn each_line_has_a_mark_what_was_found_and_what_to_do_if_it_is_wrong() {
    let pi = Pi::new();
    let outcome = pi.doctor(&[]);
    assert_eq!(outcome.status, 0, "{outcome:#?}");
    let (lines, end) = outcome.stdout.split_once("\n\n").unwrap();
    assert_eq!(end, "nothing is wrong\n");
    // Whether this machine's clock is synchronised must not matter, and there is no API token to ask WhaTap with.
    let good = lines.lines().filter(|line| line.starts_with("ok     ") && !line.contains("  clock  "));
    assert_eq!(good.count(), CHECKS.len() - 2, "{lines}");
    assert!(lines.contains("\nok     sensor         kitchen (dht11@4, iio:device0)\n"), "{lines}");

    pi.remove("usr/local/bin/focus");
    pi.bench.device(1, &[]);
    let outcome = pi.doctor(&[]);
    assert_eq!(outcome.status, 1, "{outcome:#?}");
    assert!(outcome.stdout.ends_with("\n\n1 thing is wrong; begin with the first\n"), "{outcome:#?}");
    let mut lines = outcome.stdout.lines().skip_while(|line| !line.starts_with("WRONG  focus          "));
    assert!(lines.next().unwrap().contains("there is no program focus in PATH"), "{outcome:#?}");
    assert_eq!(
        lines.next(),
        Some("                      -> set program in [focus] to its full path"),
        "{outcome:#?}"
    );
}

#[test]
fn colour_is_for_a_terminal_that_wants_it() {
    let mut pi = Pi::new();
    assert!(!pi.doctor(&[]).stdout.contains('\x1b'));
    let on_a_terminal = |pi: &Pi| {
        let command = pi.command(&[]);
        let words: Vec<String> =
            [command.get_program()].into_iter().chain(command.get_args()).map(|w| format!("{w:?}")).collect();
        pi.bench.outcome(&mut pi.bench.bare(&["script", "-qec", &words.join(" "), "/dev/null"]))
    };
    let outcome = on_a_terminal(&pi);
    assert!(outcome.stdout.contains("\x1b[32mok   \x1b[0m  sensor"), "{outcome:#?}");
    pi.bench.env("NO_COLOR", "");
    assert!(on_a_terminal(&pi).stdout.contains('\x1b'));
    pi.bench.env("NO_COLOR", "1");
    let outcome = on_a_terminal(&pi);
    assert!(outcome.stdout.contains("ok     sensor") && !outcome.stdout.contains('\x1b'), "{outcome:#?}");
}

#[test]
fn a_wrong_command_line_is_no_finding() {
    let pi = Pi::new();
    let mut command =
        pi.bench.bare(&[PROGRAM, "--attempts", "0", "doctor", "--root", pi.root("").to_str().unwrap()]);
    pi.bench.outcome(&mut command).fails(64, &["--attempts"]);
}

// ---- driver

fn release() -> String {
    uname().unwrap().release().to_str().unwrap().to_owned()
}

#[test]
fn a_kernel_without_the_driver_or_without_its_modules_is_found() {
    let pi = Pi::new();
    pi.no_sensor();
    fs::remove_dir_all(pi.root("boot")).unwrap();
    fs::remove_file(pi.bench.path("sys/firmware/devicetree/base/model")).unwrap();
    let sensor = ("sensor", "no temperature and humidity sensor", "wrong above");
    pi.has(&[("driver", "has no modules in", "restart: the kernel was updated"), sensor]);
    let modules = format!("lib/modules/{}", release());
    pi.file(&format!("{modules}/modules.dep"), "kernel/drivers/iio/humidity/dht11x.ko:\n");
    pi.has(&[("driver", "has no dht11", "CONFIG_DHT11"), sensor]);
    pi.file(&format!("{modules}/modules.builtin"), "kernel/drivers/iio/humidity/dht11.ko\n");
    expect(&pi.has(&[sensor]), "driver", "note", "dht11 is there, but not loaded");
}

#[test]
fn a_device_without_its_driver_is_found() {
    let pi = Pi::new();
    fs::remove_file(pi.bench.path("sys/bus/platform/devices/dht11@4/driver")).unwrap();
    pi.has(&[("device", "dht11@4 on GPIO 4 has no driver", "echo dht11@4 | sudo tee ")]);
    pi.config_txt("dtoverlay=dht11,gpiopin=17\n");
    pi.dht11("dht11@11", &[0, 0, 0, 9, 0, 0, 0, 17, 0, 0, 0, 0]);
    let findings = pi.findings(&[]);
    expect(&findings, "device", "ok", "dht11@11 on GPIO 17 is bound");
}

// ---- sensor

#[test]
fn a_sensor_that_is_not_there_is_found_and_nothing_is_tried() {
    let pi = Pi::new();
    let findings = pi.findings(&["--device", "cellar"]);
    expect(
        &findings,
        "sensor",
        "wrong",
        "no sensor is called \"cellar\"; there is kitchen (dht11@4, iio:device0)",
    );
    pi.bench.device(1, &[("name", "bmp280\n"), ("in_temp_input", "1\n")]);
    fs::remove_file(pi.bench.path("sys/bus/iio/devices/iio:device0")).unwrap();
    let findings =
        pi.has(&[("sensor", "bmp280 (x1, iio:device1) has no relative-humidity channel", "dmesg")]);
    assert!(findings.iter().all(|finding| finding.check != "tries"), "{findings:#?}");
    assert!(findings.iter().all(|finding| !finding.found.contains("lsmod")), "{findings:#?}");
}

#[test]
fn several_sensors_are_all_shown_and_all_tried_until_one_is_chosen() {
    let pi = Pi::new();
    pi.bench.device(3, &HTU21);
    let findings = pi.has(&[(
        "sensor",
        "kitchen (dht11@4, iio:device0); htu21 (x3, iio:device3)",
        "device in [sensor]",
    )]);
    expect(&findings, "tries", "ok", "kitchen: 5 good of 5");
    expect(&findings, "tries", "ok", "htu21: 5 good of 5");
    let findings = pi.findings(&["--device", "htu21"]);
    expect(&findings, "sensor", "ok", "kitchen (dht11@4, iio:device0), not the one that is read");
    expect(&findings, "sensor", "ok", "htu21 (x3, iio:device3), without a label");
    assert_eq!(findings.iter().filter(|finding| finding.check == "tries").count(), 1, "{findings:#?}");
}

#[test]
fn a_second_reader_is_found_when_it_reads_this_sensor() {
    let pi = Pi::new();
    // Another's first channel, and its channel number 42.
    pi.hwmon(&[0, 0, 0, 7, 0, 0, 0, 42]);
    pi.says("second reader", "ok", "none");
    pi.hwmon(&[0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 42, 0, 0, 0, 1]);
    pi.says("second reader", "note", "iio-hwmon@4 (iio-hwmon) reads kitchen too");
}

// ---- tries

fn temperature(pi: &Pi) -> PathBuf {
    pi.bench.path("sys/bus/iio/devices/iio:device0/in_temp_input")
}

/// Answers the tries in turn; before each answer the kernel logs this.
fn answer(pi: &Pi, answers: &'static [&str], log: &'static str) -> thread::JoinHandle<()> {
    let (path, kmsg) = (temperature(pi), pi.root("dev/kmsg"));
    let next = path.with_extension("next");
    fifo(&path);
    thread::spawn(move || {
        for answer in answers {
            // Opens when the program does; whose next try finds another pipe.
            let mut attribute = File::options().write(true).open(&path).unwrap();
            fifo(&next);
            fs::rename(&next, &path).unwrap();
            OpenOptions::new().append(true).open(&kmsg).unwrap().write_all(log.as_bytes()).unwrap();
            attribute.write_all(answer.as_bytes()).unwrap();
        }
    })
}

#[test]
fn five_tries_are_made_unless_one_is_futile() {
    let pi = Pi::new();
    fs::write(temperature(&pi), "99000\n").unwrap();
    let findings = pi.has(&[("tries", "0 good of 5 (out of range, ", "temperature-range")]);
    expect(&findings, "tries", "wrong", "; last: temperature 99 ");
    replace_by_link(&temperature(&pi), "/proc/self/mem");
    pi.has(&[("tries", "kitchen: 0 good of 5 (EIO, EIO, EIO, EIO, EIO)", "pull-up")]);
    replace_by_link(&temperature(&pi), "/proc");
    pi.has(&[("tries", "kitchen: 0 good of 1 (EISDIR)", "dmesg")]);
}

#[test]
fn the_kernels_own_words_are_added_to_the_tries() {
    let pi = Pi::new();
    let player = answer(
        &pi,
        &["x", "20600\n", "x", "21000\n", ""],
        "3,9,9,-;dht11 dht11@4: Only 0 signal edges detected\n3,9,9,-;dht11 dht11@41: another\n",
    );
    let findings = pi.has(&[]);
    player.join().unwrap();
    let tries = "2 good of 5 (bad value, ok, bad value, ok, bad value), temperature=21.0";
    expect(&findings, "tries", "note", tries);
    expect(&findings, "kernel log", "note", "Only 0 signal edges detected 5 times");
    assert!(findings.iter().all(|finding| !finding.found.contains("another")), "{findings:#?}");
}

#[test]
fn a_pause_that_is_too_short_for_the_driver_is_found() {
    let pi = Pi::new();
    fs::write(pi.bench.path("sys/bus/iio/devices/iio:device0/of_node/compatible"), "dht11\0").unwrap();
    // A try that ends it all (EISDIR), so that nothing is waited for: what the pause does is for the rig to show, where it takes no time.
    replace_by_link(&pi.bench.path("sys/bus/iio/devices/iio:device0/in_temp_input"), "/");
    let outcome = pi.doctor(&["--json"]);
    let findings: Vec<Finding> = serde_json::from_str(&outcome.stdout).unwrap();
    expect(&findings, "configuration", "wrong", "sensor.retry-delay");
}

#[test]
fn a_signal_ends_it_at_once() {
    let pi = Pi::new();
    fs::write(pi.bench.path("sys/bus/iio/devices/iio:device0/of_node/compatible"), "dht11\0").unwrap();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        fifo(&temperature(&pi));
        let child = pi.command(&[]).spawn().unwrap();
        // It has the attribute open: the first try is under way.
        let held = File::options().write(true).open(temperature(&pi)).unwrap();
        kill(pid_of(&child), signal).unwrap();
        let outcome = pi.bench.finish(child);
        drop(held);
        assert_eq!(outcome.status, 1000 + signal as i32, "{outcome:#?}");
        assert!(outcome.stdout.contains("sensor"), "what was found before is there: {outcome:#?}");
    }
}

#[test]
fn what_the_kernel_says_of_a_chip_on_i2c_is_quoted_too() {
    let pi = Pi::new();
    fs::remove_file(pi.bench.path("sys/bus/iio/devices/iio:device0")).unwrap();
    let device = "devices/i2c-1/1-0076/iio:device0";
    for (name, text) in
        [("name", "bme280\n"), ("in_temp_input", "20600\n"), ("in_humidityrelative_input", "x\n")]
    {
        pi.sysfs(&format!("{device}/{name}"), text);
    }
    symlink(pi.bench.path("sys").join(device), pi.bench.path("sys/bus/iio/devices/iio:device0")).unwrap();
    let humidity = pi.bench.path("sys").join(device).join("in_humidityrelative_input");
    let kmsg = pi.root("dev/kmsg");
    fifo(&humidity);
    let player = thread::spawn(move || {
        let mut attribute = File::options().write(true).open(&humidity).unwrap();
        // The next tries find a file that says the same.
        fs::remove_file(&humidity).unwrap();
        fs::write(&humidity, "x\n").unwrap();
        let said = "3,9,9,-;bmp280 1-0076: reading humidity skipped\n3,9,9,-;bmp280 1-0077: another\n";
        OpenOptions::new().append(true).open(&kmsg).unwrap().write_all(said.as_bytes()).unwrap();
        attribute.write_all(b"x").unwrap();
    });
    let findings = pi.findings(&["--device", "iio:device0"]);
    player.join().unwrap();
    expect(&findings, "kernel log", "note", "reading humidity skipped 1 time");
    expect(&findings, "sensor", "note", "by its id, which can be another sensor's");
    assert!(
        findings.iter().any(|finding| finding.advice.as_deref() == Some("device = \"1-0076\" in [sensor]"))
    );
}

// ---- focus

#[test]
fn focus_is_looked_at_where_the_configuration_says() {
    let mut pi = Pi::new();
    pi.remove("usr/local/bin/focus");
    pi.has(&[("focus", "there is no program focus in PATH=", "full path")]);
    pi.remove("etc/iio-focus.toml");
    pi.bench.set("focus.program", "\"/opt/focus\"");
    pi.has(&[("focus", "/root/opt/focus is not there", "set program in [focus]")]);
    fs::create_dir_all(pi.root("opt/focus")).unwrap();
    pi.has(&[("focus", "/root/opt/focus is no file", "set program in [focus]")]);
    fs::remove_dir(pi.root("opt/focus")).unwrap();
    pi.link("opt/focus", "focus");
    pi.has(&[("focus", "/root/opt/focus: ELOOP", "put a file there")]);
    pi.remove("opt/focus");
    let other = if ARCH == "aarch64" { 62 } else { 183 };
    pi.file("opt/focus", elf(other));
    pi.has(&[("focus", "/root/opt/focus is not executable", "chmod 755")]);
    fs::set_permissions(pi.root("opt/focus"), fs::Permissions::from_mode(0o755)).unwrap();
    pi.bench.env("PATH", &format!("{PATH}:"));
    let findings = pi.findings(&[]);
    expect(&findings, "focus", "note", "PATH has an empty part");
    pi.bench.env("PATH", PATH);
    let here = format!("and this machine is {ARCH}");
    pi.has(&[("focus", &here, &format!("install the focus for {ARCH}"))]);
}

// ---- configuration

#[test]
fn a_wrong_configuration_is_found_and_what_does_not_need_it_is_looked_at() {
    let mut pi = Pi::new();
    pi.bench.set("focus.pcode", "\"x\"");
    let findings = pi.has(&[("configuration", "iio-focus.toml:", "correct that")]);
    expect(&findings, "configuration", "wrong", "pcode: must be");
    expect(&findings, "tries", "ok", "5 good of 5");
    for check in ["focus", "server", "store", "licence"] {
        expect(&findings, check, "note", "the configuration comes first");
    }
    expect(&findings, "timer or cron", "ok", "iio-focus.timer enabled");
    expect(&pi.findings(&["--device", "cellar"]), "sensor", "wrong", "no sensor is called \"cellar\"");
}

#[test]
fn a_configuration_that_lacks_something_is_found() {
    let mut pi = Pi::new();
    pi.bench.unset("focus.license");
    let findings = pi.has(&[("configuration", "[focus] lacks license", "correct that")]);
    expect(&findings, "store", "ok", "is whole");
}

#[test]
fn without_a_configuration_the_files_for_several_sensors_are_pointed_to() {
    let pi = Pi::new();
    let command = pi.command(&["--json"]);
    pi.remove("etc/iio-focus.toml");
    let advice = |mut command: Command| {
        let outcome = pi.bench.outcome(&mut command);
        let findings: Vec<Finding> = serde_json::from_str(&outcome.stdout).unwrap();
        findings.into_iter().find(|f| f.check == "configuration").unwrap().advice.unwrap()
    };
    let advised = advice(command);
    assert!(advised.contains("write ") && advised.contains("/etc/iio-focus.toml"), "{advised}");
    let command = pi.command(&["--json"]);
    pi.remove("etc/iio-focus.toml");
    pi.file("etc/iio-focus/kitchen.toml", "");
    let advised = advice(command);
    assert!(
        advised.contains("doctor --config ") && advised.ends_with("/etc/iio-focus/kitchen.toml"),
        "{advised}"
    );
}

#[test]
fn a_licence_that_everybody_can_read_is_found_wherever_it_is() {
    let mut pi = Pi::new();
    let _ = pi.command(&[]);
    let open_to_all =
        |name: &str| fs::set_permissions(pi.root(name), fs::Permissions::from_mode(0o644)).unwrap();
    open_to_all("etc/iio-focus.toml");
    pi.has(&[("licence", "iio-focus.toml holds the licence and everybody can read it", "sudo chmod o= /")]);
    pi.remove("etc/iio-focus.toml");
    pi.file("etc/license", LICENSE);
    open_to_all("etc/license");
    pi.bench.unset("focus.license");
    pi.bench.set("focus.license-file", "\"/etc/license\"");
    pi.has(&[("licence", "/root/etc/license holds the licence", "sudo chmod o= /")]);
    pi.remove("etc/iio-focus.toml");
    pi.bench.unset("focus.license-file");
    pi.file("etc/credstore/iio-focus.license", format!("\u{feff}\"{}\"\n", LICENSE));
    let file = pi.root("etc/credstore/iio-focus.license");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    pi.has(&[("licence", "credstore/iio-focus.license holds the licence", "sudo chmod o= /")]);
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    pi.says("licence", "ok", "");
}

// ---- server

#[test]
fn a_server_that_does_not_answer_is_found() {
    let mut pi = Pi::new();
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    pi.bench.set("focus.server-port", &closed.to_string());
    pi.has(&[("server", &format!("127.0.0.1:{closed}: ECONNREFUSED"), "server-port")]);
    pi.remove("etc/iio-focus.toml");
    pi.bench.set("focus.server-host", "\"no.such.name.invalid\"");
    pi.has(&[("server", "no.such.name.invalid:", "server-host in [focus], and the network")]);
}

#[test]
fn a_server_that_says_nothing_is_given_up_in_time() {
    let mut pi = Pi::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Nobody accepts them: when the kernel's queue is full, the next one waits for ever.
    let mut queue = Vec::new();
    while let Ok(connection) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        queue.push(connection);
    }
    pi.bench.set("focus.server-port", &address.port().to_string());
    pi.has(&[("server", "did not answer within 5s", "firewall")]);
}

#[test]
fn a_name_that_is_never_found_is_given_up_in_time() {
    let mut pi = Pi::new();
    pi.bench.set("focus.server-host", "\"no.such.name.invalid\"");
    let command = pi.command(&["--json"]);
    // Nobody ever writes into it: who looks a name up there waits for ever.
    let hosts = pi.bench.path("hosts");
    fifo(&hosts);
    let mut words: Vec<OsString> =
        Machine::namespace(&[(&hosts, "/etc/hosts")]).into_iter().map(OsString::from).collect();
    words.push(command.get_program().to_owned());
    words.extend(command.get_args().map(OsString::from));
    let outcome = pi.bench.outcome(&mut pi.bench.bare(&words));
    let findings: Vec<Finding> = serde_json::from_str(&outcome.stdout).unwrap();
    expect(&findings, "server", "wrong", "no.such.name.invalid:");
    expect(&findings, "server", "wrong", "did not answer within 5s");
}

// ---- without the rights

#[test]
fn who_may_not_look_is_told_to_use_sudo() {
    let mut pi = Pi::new();
    pi.bench.set("focus.program", "\"/opt/focus\"");
    pi.file("opt/focus", elf(62));
    pi.file("etc/crontab", "");
    fs::create_dir_all(pi.root("var/spool/cron/crontabs")).unwrap();
    pi.remove("etc/systemd/system/timers.target.wants/iio-focus.timer");
    let _ = pi.command(&[]);
    // Readable as far as the doctor needs to come, but for these.
    let mode = |path: PathBuf, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let program = pi.bench.path("iio-focus");
    assert!(Command::new("install").args(["-m", "755", PROGRAM]).arg(&program).status().unwrap().success());
    mode(pi.bench.path(""), 0o755);
    mode(pi.root("opt/focus"), 0o711);
    for closed in ["boot/firmware/config.txt", "dev/kmsg", "var/lib/iio-focus/readings.db", "etc/crontab"] {
        mode(pi.root(closed), 0);
    }
    mode(pi.root("var/spool/cron/crontabs"), 0);
    let look = || {
        let (root, sysfs) = (pi.root(""), pi.bench.path("sys"));
        let mut words = vec![program.to_str().unwrap(), "doctor", "--json", "--root", root.to_str().unwrap()];
        words.extend(["--sysfs", sysfs.to_str().unwrap()]);
        if is_root() {
            words.splice(..0, ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        }
        let outcome = pi.bench.outcome(&mut pi.bench.bare(&words));
        assert_eq!((outcome.status, outcome.stderr.as_str()), (1, ""), "{outcome:#?}");
        serde_json::from_str::<Vec<Finding>>(&outcome.stdout).unwrap()
    };
    let advised = |findings: &[Finding], check: &str| {
        let finding =
            findings.iter().find(|finding| finding.check == check && finding.found.contains("EACCES"));
        let advice = finding.and_then(|finding| finding.advice.as_ref());
        assert!(
            advice.is_some_and(|advice| advice.starts_with("run this with sudo")),
            "{check}: {findings:#?}"
        );
    };
    let findings = look();
    advised(&findings, "configuration");
    mode(pi.root("etc/iio-focus.toml"), 0o644);
    let findings = look();
    for check in ["config.txt", "kernel log", "focus", "store", "timer or cron"] {
        advised(&findings, check);
    }
    // So that it can be taken away.
    mode(pi.root("var/spool/cron/crontabs"), 0o700);
}

// ---- timer or cron, and the last run

#[test]
fn no_run_and_runs_that_stopped_are_found() {
    let pi = Pi::new();
    let why = "see journalctl -t iio-focus";
    pi.age_runs(3600);
    pi.has(&[("last run", "1h ago: they have stopped", why)]);
    pi.age_runs(8 * 86_400);
    pi.has(&[("last run", "none in a week; the last reading is of 20", why)]);
    fs::remove_dir_all(pi.root("var/lib/iio-focus")).unwrap();
    let findings = pi.has(&[("last run", "none yet", why)]);
    expect(&findings, "store", "note", "is not there: no run has kept anything yet");
}

#[test]
fn the_doctor_changes_nothing() {
    let pi = Pi::new();
    let _ = pi.command(&[]);
    let before = tree(&pi.root(""));
    pi.has(&[]);
    let after = tree(&pi.root(""));
    assert!(before.keys().eq(after.keys()), "{:?} {:?}", before.keys(), after.keys());
    let changed: Vec<_> =
        before.iter().filter(|(path, bytes)| after[*path] != **bytes).map(|(path, _)| path).collect();
    assert!(changed.is_empty(), "{changed:?}");
}

/// Every file with what it holds; but not what those who have the store open hold in common.
fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            all.extend(tree(&path));
        } else if !path.ends_with("readings.db-shm") {
            all.insert(path.clone(), fs::read(&path).unwrap_or_default());
        }
    }
    all
}
