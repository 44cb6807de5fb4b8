//! Command line over environment over file over default, and what is wrong with each.

mod keys;
mod licence;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::machine::{DHT11, LICENSE, Machine, Outcome, PROGRAM, replace_by_link};
use iio_focus::cli::Args;
use iio_focus::config::Config;
use iio_focus::error::Exit;
use keys::KEYS;
use proptest::prelude::*;

/// Runs with this text as the configuration.
fn run_text(text: impl AsRef<[u8]>, arguments: &[&str]) -> (PathBuf, Outcome) {
    let machine = Machine::with_sensor();
    let file = machine.private_file("my.toml", text);
    let outcome = machine.outcome(&mut with_file(&machine, file.to_str().unwrap(), arguments));
    (file, outcome)
}

/// The command with this configuration file instead of the usual one.
fn with_file(machine: &Machine, file: &str, arguments: &[&str]) -> std::process::Command {
    let sysfs = machine.path("sys").display().to_string();
    let mut words = vec![PROGRAM, "--config", file, "--sysfs", &sysfs, "--log", "stderr"];
    words.extend(arguments);
    machine.bare(&words)
}

/// What follows this option in focus's arguments.
#[track_caller]
fn argument(outcome: &Outcome, option: &str) -> String {
    assert_eq!(outcome.records.len(), 1, "{outcome:#?}");
    let argv = &outcome.records[0].argv;
    let at = argv.iter().position(|word| word == option).unwrap_or_else(|| panic!("{option}: {outcome:#?}"));
    argv[at + 1].clone()
}

// ---- the file

#[test]
fn a_named_file_must_be_there_and_be_one() {
    let mut machine = Machine::with_sensor();
    for (file, what) in [
        ("/no/such.toml", "cannot read /no/such.toml: ENOENT: No such file or directory"),
        ("/etc", "cannot read /etc: EISDIR: Is a directory"),
        ("/dev/zero", "/dev/zero: is larger than 1 MiB"),
        ("", "cannot read : ENOENT"),
    ] {
        machine.outcome(&mut with_file(&machine, file, &["--dry-run"])).fails(78, &[what]);
    }
    let bare = [PROGRAM, "--log", "stderr", "--dry-run"];
    machine.env("IIO_FOCUS_CONFIG", "/no/such.toml");
    machine.outcome(&mut machine.bare(&bare)).fails(78, &["cannot read /no/such.toml: ENOENT"]);
}

#[test]
fn a_file_of_1_mib_is_read_and_a_larger_one_is_not() {
    let mut text = "#\n".repeat(1 << 19);
    assert_eq!(run_text(&text, &["--dry-run"]).1.status, 0);
    text.push('#');
    run_text(&text, &["--dry-run"]).1.fails(78, &["is larger than 1 MiB"]);
}

#[test]
fn the_default_file_is_read_where_it_is_and_may_be_absent() {
    let machine = Machine::with_sensor();
    let etc = machine.path("etc");
    fs::create_dir(&etc).unwrap();
    let sysfs = machine.path("sys").display().to_string();
    let mut words = Machine::namespace(&[(&etc, "/etc")]);
    words.extend([PROGRAM, "--sysfs", &sysfs, "--log", "stderr"].map(str::to_owned));
    machine.outcome(&mut machine.bare(&words)).fails(78, &["/etc/iio-focus.toml", "license", "--dry-run"]);
    let mut dry = words.clone();
    dry.push("--dry-run".to_owned());
    assert_eq!(machine.outcome(&mut machine.bare(&dry)).status, 0);
    machine.private_file("etc/iio-focus.toml", machine.config_text());
    machine.outcome(&mut machine.bare(&words)).delivered();
}

#[test]
fn what_delivery_cannot_do_without_is_asked_for_by_name() {
    for (missing, name, variable) in [
        ("focus.license", "license (or license-file, or WHATAP_LICENSE)", "WHATAP_LICENSE"),
        ("focus.pcode", "pcode (or WHATAP_PCODE)", "WHATAP_PCODE"),
        ("focus.server-host", "server-host (or WHATAP_HOST)", "WHATAP_HOST"),
    ] {
        let mut machine = Machine::with_sensor();
        machine.unset(missing);
        let lacks = format!(" lacks {name};");
        machine.run(&[]).fails(78, &[&lacks, "--dry-run"]);
        machine.env(variable, "");
        machine.run(&[]).fails(78, &[&lacks]);
        assert_eq!(machine.run(&["--dry-run"]).status, 0, "a dry run needs no {missing}");
    }
    let (_, outcome) = run_text("", &[]);
    outcome.fails(
        78,
        &["license (or license-file, or WHATAP_LICENSE), pcode (or WHATAP_PCODE), server-host (or"],
    );
}

#[test]
fn defaults_are_the_documented_ones() {
    let mut machine = Machine::with_fault("silent");
    machine.set("focus.confirm", "\"exit-status\"");
    machine.unset("focus.server-port");
    let outcome = machine.run(&[]);
    outcome.delivered();
    assert_eq!(argument(&outcome, "-server.port"), "6600");
    assert_eq!(argument(&outcome, "-category"), "sensor");

    let mut machine = Machine::with_sensor();
    replace_by_link(&machine.path("sys/bus/iio/devices/iio:device0/in_temp_input"), "/proc/self/mem");
    machine.run(&[]).fails(74, &["in 10 tries: EIO 10 times"]);
    machine.unset("sensor.retry-delay");
    // 2.1 s of pause and 1.2 s for the try fit into half of 6.5 s no more.
    machine.run(&["--deadline", "6500ms"]).fails(74, &["in 1 try before the deadline"]);

    let mut machine = Machine::with_sensor();
    machine.unset("focus.program");
    machine.run(&[]).fails(69, &["cannot start focus: there is no program focus in PATH"]);
}

// ---- who goes before whom

#[test]
fn the_command_line_goes_before_the_file() {
    let mut machine = Machine::with_sensor();
    machine.device(1, &[("name", "other"), ("in_temp_input", "1000"), ("in_humidityrelative_input", "2000")]);
    machine.set("sensor.device", "\"other\"");
    assert_eq!(machine.run(&["--dry-run"]).stdout, "{\"temperature\":1.0,\"humidity\":2.0}\n");
    let outcome = machine.run(&["--dry-run", "--device", "htu21"]);
    assert_eq!(outcome.stdout, "{\"temperature\":20.6,\"humidity\":24.4}\n");

    let mut machine = Machine::with_sensor();
    replace_by_link(&machine.path("sys/bus/iio/devices/iio:device0/in_temp_input"), "/proc/self/mem");
    machine.set("sensor.attempts", "3");
    machine.run(&[]).fails(74, &["in 3 tries"]);
    machine.run(&["--attempts", "5"]).fails(74, &["in 5 tries"]);

    let mut machine = Machine::new();
    machine.device(0, &DHT11);
    machine.set("sensor.attempts", "1");
    machine.set("sensor.retry-delay", "\"1s\"");
    assert_eq!(machine.run(&[]).status, 78);
    assert_ne!(machine.run(&["--retry-delay", "3s"]).status, 78);
    machine.set("sensor.retry-delay", "\"3s\"");
    assert_ne!(machine.run(&[]).status, 78);
    assert_eq!(machine.run(&["--retry-delay", "1s"]).status, 78);
}

#[test]
fn the_named_file_goes_before_the_one_in_the_environment() {
    let mut machine = Machine::with_sensor();
    let other = machine.private_file("other.toml", "[sensor]\ntemperature-offset = 1.0\n");
    machine.env("IIO_FOCUS_CONFIG", other.to_str().unwrap());
    let sysfs = machine.path("sys").display().to_string();
    let bare = [PROGRAM, "--sysfs", &sysfs, "--log", "stderr", "--dry-run"];
    let outcome = machine.outcome(&mut machine.bare(&bare));
    assert_eq!(outcome.stdout, "{\"temperature\":21.6,\"humidity\":24.4}\n", "{outcome:#?}");
    assert_eq!(machine.run(&["--dry-run"]).stdout, "{\"temperature\":20.6,\"humidity\":24.4}\n");
}

#[test]
fn the_environment_goes_before_the_file() {
    let mut machine = Machine::with_fault("silent");
    machine.set("focus.confirm", "\"exit-status\"");
    machine.env("WHATAP_LICENSE", "y1111-env-1111");
    machine.env("WHATAP_PCODE", "8001");
    machine.env("WHATAP_SERVER_HOST", "host-two");
    machine.env("WHATAP_SERVER_PORT", "6602");
    let outcome = machine.run(&[]);
    outcome.delivered();
    for (option, value) in [
        ("-license", "y1111-env-1111"),
        ("-pcode", "8001"),
        ("-server.host", "host-two"),
        ("-server.port", "6602"),
    ] {
        assert_eq!(argument(&outcome, option), value);
    }
    machine.env("WHATAP_HOST", "host-one");
    fs::remove_file(machine.path("record")).unwrap();
    assert_eq!(argument(&machine.run(&[]), "-server.host"), "host-one");
}

#[test]
fn an_empty_variable_is_as_good_as_none() {
    let mut machine = Machine::with_sensor();
    for name in ["LICENSE", "PCODE", "HOST", "SERVER_HOST", "SERVER_PORT"] {
        machine.env(&format!("WHATAP_{name}"), "");
    }
    let outcome = machine.run(&[]);
    outcome.delivered();
    assert_eq!(argument(&outcome, "-license"), LICENSE);
    assert_eq!(argument(&outcome, "-pcode"), "7000");
}

#[test]
fn a_wrong_variable_is_named_with_what_would_be_right() {
    for (name, value, what) in [
        ("WHATAP_PCODE", "abc", "a whole number above 0"),
        ("WHATAP_PCODE", "0", "a whole number above 0"),
        ("WHATAP_PCODE", LICENSE, "a whole number above 0"),
        ("WHATAP_PCODE", " 7000", "a whole number above 0"),
        ("WHATAP_SERVER_PORT", "65536", "a port number from 1 to 65535"),
        ("WHATAP_SERVER_PORT", LICENSE, "a port number from 1 to 65535"),
        ("WHATAP_HOST", "a\nb", "text in quotes, not empty"),
        ("WHATAP_SERVER_HOST", "a\tb", "text in quotes, not empty"),
        ("WHATAP_LICENSE", "x0000-test-0042 x", "a licence in quotes"),
        ("WHATAP_LICENSE", "x0000-test-0042\n", "a licence in quotes"),
    ] {
        let mut machine = Machine::with_sensor();
        machine.env(name, value);
        machine.run(&[]).fails(78, &[&format!("environment variable {name}: must be "), what]);
    }
    let machine = Machine::with_sensor();
    let mut command = machine.command(&[]);
    command.env("WHATAP_LICENSE", OsStr::from_bytes(b"x0000-test-0042\xff"));
    machine.outcome(&mut command).fails(78, &["environment variable WHATAP_LICENSE: must be "]);
}

// ---- what is not so yet

#[test]
fn a_value_of_the_wrong_type_is_never_quoted() {
    for (text, line) in [
        ("[focus]\ntags = \"x0000-test-0042\"\n", 2),
        ("focus = \"x0000-test-0042\"\n", 1),
        ("sensor = \"x0000-test-0042\"\n", 1),
        ("[focus]\nlicense = 12345678901234567890\n", 2),
        ("[focus]\npcode = 12345678901234567890\n", 2),
        ("[sensor]\nattempts = -99999999999999999999\n", 2),
    ] {
        let (file, outcome) = run_text(text, &[]);
        outcome.fails(78, &[&format!("{}:{line}: ", file.display())]);
        assert!(!outcome.stderr.contains("1234567890"), "{outcome:#?}");
        assert!(!outcome.stderr.contains("999999"), "{outcome:#?}");
        assert!(!outcome.stderr.contains("struct") && !outcome.stderr.contains("i128"), "{outcome:#?}");
        assert!(outcome.stderr.contains("must be "), "{outcome:#?}");
    }
}

#[test]
fn a_section_is_a_table_and_nothing_else() {
    for text in [
        "sensor = [\"htu21\"]\n",
        "focus = [\"focus\"]\n",
        "[[sensor]]\ndevice = \"htu21\"\n",
        "store = []\n",
    ] {
        let (file, outcome) = run_text(text, &["--dry-run"]);
        outcome.fails(78, &[&format!("{}:1: ", file.display())]);
        assert!(!outcome.stderr.contains(": must be text in quotes"), "{outcome:#?}");
    }
}

#[test]
fn a_key_that_stands_twice_is_named() {
    let (file, outcome) = run_text("[sensor]\nattempts = 1\nattempts = 2\n", &[]);
    outcome.fails(78, &[&format!("{}:3: ", file.display()), "attempts"]);
}

#[test]
fn what_is_missing_or_twice_is_told_with_the_file_that_was_read() {
    let (file, outcome) = run_text("[focus]\npcode = 7000\n", &[]);
    outcome.fails(78, &[file.to_str().unwrap(), "lacks license"]);
    let (file, outcome) = run_text("[focus]\nlicense = \"a\"\nlicense-file = \"/b\"\n", &[]);
    outcome.fails(78, &[file.to_str().unwrap(), "keep one"]);
    let mut machine = Machine::new();
    machine.device(0, &DHT11);
    machine.set("sensor.retry-delay", "\"1s\"");
    machine.run(&[]).fails(78, &[machine.path("config.toml").to_str().unwrap(), "retry-delay"]);
}

#[test]
fn empty_variables_that_name_files_are_as_good_as_none() {
    let mut machine = Machine::with_sensor();
    machine.env("CREDENTIALS_DIRECTORY", "");
    machine.private_file("license", "x0000-wrong-one");
    let outcome = machine.run(&[]);
    outcome.delivered();
    assert_eq!(argument(&outcome, "-license"), LICENSE, "the working directory holds no credentials");
    machine.env("IIO_FOCUS_CONFIG", "");
    let sysfs = machine.path("sys").display().to_string();
    let outcome =
        machine.outcome(&mut machine.bare(&[PROGRAM, "--sysfs", &sysfs, "--log", "stderr", "--dry-run"]));
    assert_eq!(outcome.status, 0, "{outcome:#?}");
}

// ---- anything at all

/// Loads the text as a configuration; the error, if it is one.
fn error_of(text: &[u8]) -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("my.toml");
    fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let args = Args { config: Some(file.clone()), ..Args::default() };
    let error = Config::load(&args, &|_| None).err()?;
    assert_eq!(error.exit(), Exit::Config);
    Some(error.to_string().replace(&file, "FILE"))
}

/// Lines that are nearly a configuration.
fn nearly() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        proptest::sample::select(KEYS.iter().map(|key| key.name).collect::<Vec<_>>()).prop_map(str::to_owned),
        "[a-z.\"' =]{0,12}",
    ];
    let value = prop_oneof![
        proptest::sample::select(
            KEYS.iter().flat_map(|key| key.right.iter().chain(key.wrong)).collect::<Vec<_>>()
        )
        .prop_map(|value| (*value).to_owned()),
        "[0-9a-z.\"'\\[\\]{}, =+-]{0,16}",
        "\\PC{0,16}",
    ];
    proptest::collection::vec((name, value), 0..6).prop_map(|lines| {
        lines.iter().map(|(name, value)| format!("{name} = {value}\n")).collect::<Vec<_>>().concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_a_configuration_or_one_line_of_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Some(error) = error_of(&bytes) {
            prop_assert!(!error.is_empty() && error.lines().count() == 1, "{error:?}");
        }
    }

    #[test]
    fn nearly_right_text_is_a_configuration_or_one_line_with_its_place(text in nearly()) {
        if let Some(error) = error_of(text.as_bytes()) {
            prop_assert!(error.lines().count() == 1, "{error:?}");
            let place = error.strip_prefix("FILE:").and_then(|rest| rest.split_once(": ")).map(|(line, _)| line);
            let lines = text.lines().count().max(1);
            // What is missing, or named twice, has no line; nor has what stands in another file.
            let elsewhere = error.contains(" lacks ") || error.starts_with("[focus] has both")
                || error.starts_with("cannot read ");
            match place.and_then(|line| line.parse::<usize>().ok()) {
                Some(line) => prop_assert!((1..=lines + 1).contains(&line), "{error:?} of {lines} lines"),
                None => prop_assert!(elsewhere, "{error:?}"),
            }
        }
    }
}
