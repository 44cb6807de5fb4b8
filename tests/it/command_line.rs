//! The command line, standard output and the exit statuses.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;

use crate::machine::{LICENSE, Machine, Outcome, PROGRAM, replace_by_link};

const JSON: &str = "{\"temperature\":20.6,\"humidity\":24.4}\n";

fn run(words: &[&str]) -> Outcome {
    let machine = Machine::with_sensor();
    let mut all = vec![PROGRAM];
    all.extend(words);
    machine.outcome(&mut machine.bare(&all))
}

// ---- standard output

#[test]
fn a_dry_run_prints_the_json_and_delivers_nothing() {
    let mut machine = Machine::with_sensor();
    let outcome = machine.run(&["--dry-run"]);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (0, JSON));
    assert_eq!(
        outcome.stderr,
        "iio-focus: temperature=20.6 humidity=24.4 device=htu21 attempts=1 dry-run=1\n"
    );
    assert!(outcome.records.is_empty(), "{outcome:#?}");
    // It needs no focus, nor what focus needs.
    for key in ["license", "pcode", "server-host", "program"] {
        machine.unset(&format!("focus.{key}"));
    }
    assert_eq!(machine.run(&["--dry-run", "--verbose"]).stdout, JSON);
}

#[test]
fn a_delivery_prints_nothing() {
    let outcome = Machine::with_sensor().run(&["--verbose"]);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (0, ""));
}

#[test]
fn a_failed_dry_run_prints_nothing() {
    let machine = Machine::with_sensor();
    replace_by_link(&machine.path("sys/bus/iio/devices/iio:device0/in_temp_input"), "/proc/self/mem");
    let outcome = machine.run(&["--dry-run", "--attempts", "1"]);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (74, ""));
}

#[test]
fn a_reader_that_left_is_none_of_our_business() {
    let machine = Machine::with_sensor();
    let sysfs = machine.path("sys").display().to_string();
    for mut command in [
        machine.command(&["--dry-run"]),
        machine.bare(&[PROGRAM, "--help"]),
        machine.bare(&[PROGRAM, "list", "--json", "--sysfs", &sysfs]),
    ] {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(ours);
        let outcome = machine.outcome(command.stdout(OwnedFd::from(theirs)));
        assert_eq!(outcome.status, 0, "{command:?}: {outcome:#?}");
        assert!(!outcome.stderr.contains("error"), "{outcome:#?}");
    }
}

#[test]
fn a_full_disk_is_an_error_and_no_panic() {
    let machine = Machine::with_sensor();
    let sysfs = machine.path("sys").display().to_string();
    for mut command in [
        machine.command(&["--dry-run"]),
        machine.bare(&[PROGRAM, "--help"]),
        machine.bare(&[PROGRAM, "--version"]),
        machine.bare(&[PROGRAM, "list", "--sysfs", &sysfs]),
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let outcome = machine.outcome(command.stdout(full));
        outcome.fails(74, &["standard output: ENOSPC: No space left on device"]);
    }
}

#[test]
fn version_and_help_go_to_standard_output() {
    let outcome = run(&["--version"]);
    assert_eq!(outcome.stdout, format!("iio-focus {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    for words in [["--help"].as_slice(), &["-h"], &["list", "--help"], &["--dry-run", "--help"]] {
        let outcome = run(words);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{words:?}");
        assert!(outcome.stdout.starts_with("Usage: iio-focus "), "{outcome:#?}");
        assert!(outcome.stdout.ends_with('\n'));
    }
}

#[test]
fn help_names_every_option_its_default_every_variable_and_every_status() {
    let mut machine = Machine::with_sensor();
    machine.env("WHATAP_LICENSE", LICENSE);
    let help = machine.outcome(&mut machine.bare(&[PROGRAM, "--help"])).stdout;
    for option in [
        "--config",
        "--device",
        "--sysfs",
        "--attempts",
        "--retry-delay",
        "--deadline",
        "--dry-run",
        "--log",
        "--verbose",
        "--version",
        "--help",
        "list",
    ] {
        assert!(
            help.lines()
                .any(|line| line.trim_start().starts_with(option) || line.contains(&format!(", {option} "))),
            "{option}: {help}"
        );
    }
    let words: String = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for default in ["/etc/iio-focus.toml", "the only one there is", "/sys", "10", "2100ms", "50s", "auto"] {
        assert!(words.contains(&format!("default: {default})")), "{default}: {help}");
    }
    for variable in [
        "WHATAP_LICENSE",
        "WHATAP_PCODE",
        "WHATAP_HOST",
        "WHATAP_SERVER_HOST",
        "WHATAP_SERVER_PORT",
        "IIO_FOCUS_CONFIG",
    ] {
        assert!(help.contains(variable), "{variable}: {help}");
    }
    for status in ["0", "64", "66", "69", "70", "74", "75", "78", "128"] {
        assert!(
            help.lines().any(|line| line.trim_start().starts_with(&format!("{status} "))),
            "{status}: {help}"
        );
    }
}

// ---- a wrong command line

#[test]
fn a_wrong_command_line_says_what_is_wrong_and_where_to_look() {
    for (words, what) in [
        (["--frobnicate"].as_slice(), "--frobnicate"),
        (&["frobnicate"], "frobnicate"),
        (&["list", "--frobnicate"], "--frobnicate"),
        (&["list", "more"], "more"),
        (&["--dry-run", "list"], "--dry-run does not go with this command"),
        (&["--device", "x", "list"], "--device does not go with this command"),
        (&["--sysfs", "/sys", "status"], "--sysfs does not go with this command"),
        (&["--verbose", "doctor"], "--verbose does not go with this command"),
        (&["-v"], "-v"),
        (&["--attempts"], "--attempts"),
        (&["--attempts", "1", "--attempts", "2"], "--attempts"),
        (&["--dry-run=yes"], "yes"),
        (&["--dryrun"], "--dryrun"),
    ] {
        run(words).fails(64, &[what, "iio-focus --help"]);
    }
    let machine = Machine::with_sensor();
    let words = [OsStr::new(PROGRAM), OsStr::new("--device"), OsStr::from_bytes(b"k\xfcche")];
    machine.outcome(&mut machine.bare(&words)).fails(64, &["k\u{fffd}che is not UTF-8"]);
}

#[test]
fn a_wrong_value_names_the_option_and_what_would_be_right() {
    let machine = Machine::with_sensor();
    for (option, values, right) in [
        (
            "--attempts",
            ["0", "-1", "1001", "ten", "", "1.0", "99999999999999999999"].as_slice(),
            "a whole number from 1 to 1000",
        ),
        ("--retry-delay", &["5", "fast", "", "-1s", "11m"], "a duration in quotes, from 0s to 10m"),
        ("--deadline", &["5", "", "0s", "9ms", "61m"], "a duration in quotes, from 10ms to 1h"),
    ] {
        for value in values {
            machine.run(&[option, value]).fails(64, &[&format!("{option}: must be {right}")]);
            machine.run(&[&format!("{option}={value}")]).fails(64, &[&format!("{option}: must be {right}")]);
        }
    }
    for value in ["", "stdout", "Syslog", "/dev/log"] {
        run(&["--log", value]).fails(64, &["--log: must be auto, syslog or stderr"]);
    }
}

#[test]
fn an_option_takes_its_value_after_a_space_or_an_equals_sign() {
    let machine = Machine::new();
    machine.device(0, &[("label", "a=b"), ("in_temp_input", "1000"), ("in_humidityrelative_input", "2000")]);
    for words in [["--device", "a=b"].as_slice(), &["--device=a=b"]] {
        let mut all = vec!["--dry-run"];
        all.extend(words);
        assert_eq!(machine.run(&all).stdout, "{\"temperature\":1.0,\"humidity\":2.0}\n");
    }
    machine.run(&["--attempts=5", "--device=a"]).fails(66, &["\"a\""]);
}

#[test]
fn list_does_not_pass_over_an_option_that_stands_before_it() {
    let machine = Machine::with_sensor();
    let sysfs = machine.path("sys").display().to_string();
    let outcome = machine.outcome(&mut machine.bare(&[PROGRAM, "--sysfs", &sysfs, "list"]));
    assert_eq!(outcome.stdout, "iio:device0\thtu21\t-\tx0\n", "{outcome:#?}");
}

// ---- exit statuses

/// 0, 64, 66, 69, 74 and 78, each from the one cause that the documentation gives; 129 and more are among
/// the signals.
#[test]
fn each_status_has_its_cause() {
    let mut machine = Machine::with_sensor();
    assert_eq!(machine.run(&[]).status, 0);
    assert_eq!(machine.run(&["--dry-run"]).status, 0);
    assert_eq!(machine.run(&["--attempts", "0"]).status, 64);
    assert_eq!(machine.run(&["--device", "none"]).status, 66);
    machine.set("focus.program", "\"/no/such/focus\"");
    assert_eq!(machine.run(&[]).status, 69);
    replace_by_link(&machine.path("sys/bus/iio/devices/iio:device0/in_temp_input"), "/proc/self/mem");
    assert_eq!(machine.run(&[]).status, 74);
    machine.set("sensor.attempts", "0");
    assert_eq!(machine.run(&[]).status, 78);
}

/// The standard library panics when a folder that it has listed cannot be closed: the one panic that can be brought
/// about in the real program.
#[test]
fn a_panic_is_status_70_and_one_line_that_asks_for_a_report() {
    let machine = Machine::with_fault("close-input");
    for arguments in [[].as_slice(), &["--verbose"]] {
        let devices = machine.path("sys/bus/iio/devices").display().to_string();
        let outcome = machine.run_traced(&["-P", &devices, "-e", "inject=close:error=EBADF"], arguments);
        let version = env!("CARGO_PKG_VERSION");
        outcome.fails(70, &[&format!("a bug in iio-focus {version}, please report: "), "panicked at "]);
        assert_eq!(outcome.stdout, "");
    }
}
