//! Command line over environment over file over default, and what is wrong with each.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::machine::{DHT11, LICENSE, Machine, Outcome, PROGRAM, replace_by_link};
use iio_focus::cli::Args;
use iio_focus::config::Config;
use iio_focus::error::Exit;
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

// ---- what is right for each key

/// One key: values that are right for it, values that are not, and what the error says then.
struct Key {
    name: &'static str,
    right: &'static [&'static str],
    wrong: &'static [&'static str],
    must_be: &'static str,
}

/// Wrong for every key, whatever its type.
const NEVER: [&str; 7] = [
    "true",
    "1979-05-27",
    "1979-05-27T07:32:00Z",
    "[]",
    "[1, 2, 3]",
    "[[1, 2]]",
    "{ a = \"b\", c = { d = 1 } }",
];

const NO_TEXT: &[&str] = &["5", "-1.5", "\"\"", r#""a\u0007b""#, r#""a\nb""#, r#""\u007f""#, "[1.0, 2.0]"];
const TEXT: &str = "must be text in quotes, not empty and without control characters";

const NO_WHOLE_NUMBER: &[&str] = &["0", "-1", "1.0", "\"5\"", "\"\"", "nan", "[1, 2]"];
const NO_DURATION: &[&str] =
    &["5", "1.5", "\"\"", "\"5\"", "\"fast\"", "\"-1s\"", "\"1 s 2\"", "\"1000years\"", "[1, 2]"];
const NO_RANGE: &[&str] = &[
    "5",
    "\"-40..80\"",
    "[1]",
    "[2, 1]",
    "[1, 1]",
    "[nan, 1]",
    "[1, nan]",
    "[-inf, inf]",
    "[-1001, 0]",
    "[0, 1000.1]",
    "[\"-40\", \"80\"]",
    "[-99999999999, 0]",
];
const NO_NUMBER: &[&str] =
    &["\"5\"", "\"\"", "nan", "inf", "-inf", "1000.1", "-1001", "99999999999", "[1, 2]"];

const KEYS: [Key; 27] = [
    Key { name: "sensor.device", right: &["\"htu21\"", "'iio:device0'"], wrong: NO_TEXT, must_be: TEXT },
    Key {
        name: "sensor.attempts",
        right: &["1", "1000", "0x10"],
        wrong: &["0", "-1", "1001", "1.0", "\"5\"", "\"\"", "nan", "[1, 2]", "4294967297"],
        must_be: "must be a whole number from 1 to 1000",
    },
    Key {
        name: "sensor.retry-delay",
        right: &["\"0s\"", "\"2100ms\"", "\"10m\"", "\"1m 30s\""],
        wrong: NO_DURATION,
        must_be: "must be a duration in quotes, from 0s to 10m, such as \"2100ms\"",
    },
    Key {
        name: "sensor.temperature-range",
        right: &["[-40.0, 80.0]", "[-1000, 1000]", "[20, 20.7]"],
        wrong: NO_RANGE,
        must_be: "must be two numbers from -1000 to 1000, the lower one first, such as [-40.0, 80.0]",
    },
    Key {
        name: "sensor.humidity-range",
        right: &["[0.0, 100.0]", "[24, 25]"],
        wrong: NO_RANGE,
        must_be: "must be two numbers from -1000 to 1000, the lower one first, such as [-40.0, 80.0]",
    },
    Key {
        name: "sensor.temperature-jump",
        right: &["0", "0.0", "5.0", "1000"],
        wrong: &["-0.1", "\"5\"", "nan", "inf", "1000.1", "[1, 2]"],
        must_be: "must be a number from 0 (off) to 1000, such as 5.0",
    },
    Key {
        name: "sensor.humidity-jump",
        right: &["0", "20.0"],
        wrong: &["-1", "\"5\"", "nan", "-inf", "1001", "[1, 2]"],
        must_be: "must be a number from 0 (off) to 1000, such as 5.0",
    },
    Key {
        name: "sensor.temperature-offset",
        right: &["0", "-0.5", "1000", "-1000.0"],
        wrong: NO_NUMBER,
        must_be: "must be a number from -1000 to 1000, such as -0.5",
    },
    Key {
        name: "sensor.humidity-offset",
        right: &["0", "2.5"],
        wrong: NO_NUMBER,
        must_be: "must be a number from -1000 to 1000, such as -0.5",
    },
    Key { name: "focus.program", right: &["\"focus\"", "\"/a b/focus\""], wrong: NO_TEXT, must_be: TEXT },
    Key {
        name: "focus.license",
        right: &["\"x1111-test-1111\""],
        wrong: &["123", "1.5", "\"\"", "\"two words\"", "\"x1111-test-1111\\n\"", "\"ü\"", "[1, 2]"],
        must_be: "must be a licence in quotes: letters, digits and -, such as \"x0000-test-0000\"",
    },
    Key {
        name: "focus.license-file",
        right: &["\"/no/such/file\""],
        wrong: &["5", "-1.5", "\"\"", "\"license\"", "\"./license\"", r#""/a\nb""#, "[1.0, 2.0]"],
        must_be: "must be an absolute path in quotes",
    },
    Key {
        name: "focus.pcode",
        right: &["1", "7000", "9223372036854775807"],
        wrong: NO_WHOLE_NUMBER,
        must_be: "must be the project's code, a whole number above 0",
    },
    Key { name: "focus.server-host", right: &["\"127.0.0.1\""], wrong: NO_TEXT, must_be: TEXT },
    Key {
        name: "focus.server-port",
        right: &["1", "65535"],
        wrong: &["0", "-1", "65536", "6600.0", "\"6600\"", "[1, 2]", "4294967297"],
        must_be: "must be a port number from 1 to 65535",
    },
    Key { name: "focus.category", right: &["\"sensor\""], wrong: NO_TEXT, must_be: TEXT },
    Key { name: "focus.oname", right: &["\"pi2w\"", "\"küche\""], wrong: NO_TEXT, must_be: TEXT },
    Key { name: "focus.okind", right: &["\"a b\""], wrong: NO_TEXT, must_be: TEXT },
    Key { name: "focus.onode", right: &["\"a\""], wrong: NO_TEXT, must_be: TEXT },
    Key { name: "focus.pk", right: &["\"a\""], wrong: NO_TEXT, must_be: TEXT },
    Key {
        name: "focus.timeout",
        right: &["\"10ms\"", "\"15s\"", "\"1h\""],
        wrong: &["15", "\"\"", "\"0s\"", "\"9ms\"", "\"61m\"", "\"-1s\"", "\"15\"", "[1, 2]"],
        must_be: "must be a duration in quotes, from 10ms to 1h, such as \"15s\"",
    },
    Key {
        name: "focus.fields",
        right: &[
            "[\"temperature\", \"humidity\"]",
            "[\"humidity\"]",
            "[\"vpd\", \"heatindex\", \"absolutehumidity\", \"dewpoint\", \"humidity\", \"temperature\"]",
        ],
        wrong: &[
            "5",
            "\"temperature\"",
            "[\"\"]",
            "[\"temperature\", 1]",
            "[\"Temperature\"]",
            "[\"temperature\", \"dew-point\"]",
            "[\"temperature\", \"humidity\", \"temperature\"]",
            // Both can be absent.
            "[\"dewpoint\", \"heatindex\"]",
        ],
        must_be: "must be a list of temperature, humidity, dewpoint, absolutehumidity, heatindex and vpd, each at most once and \
                  one of the first two among them, such as [\"temperature\", \"dewpoint\"]",
    },
    Key {
        name: "focus.confirm",
        right: &["\"connected\"", "\"exit-status\""],
        wrong: &["1", "\"\"", "\"Connected\"", "\"exit_status\"", "[1, 2]"],
        must_be: "must be \"connected\" or \"exit-status\"",
    },
    Key {
        name: "focus.alert-after",
        right: &["0", "1", "1000"],
        wrong: &["-1", "1001", "1.0", "\"5\"", "nan", "[1, 2]"],
        must_be: "must be a whole number from 0 (never) to 1000",
    },
    Key { name: "store.path", right: &["\"/a/readings.db\""], wrong: NO_TEXT, must_be: TEXT },
    Key {
        name: "store.keep",
        right: &["\"30d\"", "\"1h\"", "\"100years\""],
        wrong: &["30", "\"\"", "\"59m\"", "\"101years\"", "\"30\"", "[1, 2]"],
        must_be: "must be a duration in quotes, from 1h to 100years, such as \"30d\"",
    },
    Key {
        name: "store.backlog",
        right: &["1", "10080", "10000000"],
        wrong: NO_WHOLE_NUMBER,
        must_be: "must be a whole number from 1 to 10000000",
    },
];

#[test]
fn every_key_takes_what_is_right_for_it() {
    let machine = Machine::with_sensor();
    for Key { name, right, .. } in &KEYS {
        for value in *right {
            let file = machine.private_file("my.toml", format!("{name} = {value}\n"));
            let outcome = machine.outcome(&mut with_file(&machine, file.to_str().unwrap(), &["--dry-run"]));
            assert_eq!(outcome.status, 0, "{name} = {value}: {outcome:#?}");
        }
    }
    let (_, outcome) = run_text("focus.tags = { room = \"kitchen\", B_2 = \"$(x) ü\" }", &["--dry-run"]);
    assert_eq!(outcome.status, 0, "{outcome:#?}");
    assert_eq!(run_text("focus.tags = {}", &["--dry-run"]).1.status, 0);
}

#[test]
fn every_key_says_where_it_is_wrong_and_what_would_be_right() {
    let machine = Machine::with_sensor();
    for Key { name, wrong, must_be, .. } in &KEYS {
        let (section, key) = name.split_once('.').unwrap();
        for value in NEVER.iter().chain(*wrong) {
            let text = format!("# Ort: Küche\n\n[{section}]\n{key} = {value}\r\n\n");
            let file = machine.private_file("my.toml", &text);
            let outcome = machine.outcome(&mut with_file(&machine, file.to_str().unwrap(), &[]));
            assert_eq!(outcome.error(78), format!("{}:4: {name}: {must_be}", file.display()), "{text}");
            assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:#?}");
        }
    }
}

#[test]
fn a_tag_says_where_it_is_wrong_and_what_would_be_right() {
    for (value, wanted) in [
        (r#"{ "room 1" = "a" }"#, "focus.tags: must be a tag's name: letters, digits and _"),
        (r#"{ "" = "a" }"#, "focus.tags: must be a tag's name: letters, digits and _"),
        (r#"{ "küche" = "a" }"#, "focus.tags: must be a tag's name: letters, digits and _"),
        (r#"{ "a-b" = "a" }"#, "focus.tags: must be a tag's name: letters, digits and _"),
        (r#"{ room = 1 }"#, &format!("focus.tags.room: {TEXT}")),
        (r#"{ room = "" }"#, &format!("focus.tags.room: {TEXT}")),
        (r#"{ room = "a\nb" }"#, &format!("focus.tags.room: {TEXT}")),
        (r#"{ room = { a = "b" } }"#, &format!("focus.tags.room: {TEXT}")),
    ] {
        let (file, outcome) = run_text(format!("[focus]\ntags = {value}\n"), &[]);
        assert_eq!(outcome.error(78), format!("{}:2: {wanted}", file.display()), "{value}");
    }
}

#[test]
fn unknown_keys_and_sections_are_errors_that_list_the_known_ones() {
    for (text, line, wanted) in [
        (
            "[sensor]\nretry_delay = \"3s\"\n",
            2,
            "sensor: unknown key `retry_delay`, expected one of `device`",
        ),
        (
            "[focus]\n\nlicence = \"a\"\n",
            3,
            "focus: unknown key `licence`, expected one of `program`, `license`",
        ),
        ("[store]\nsize = 1\n", 2, "store: unknown key `size`, expected one of `path`, `keep`, `backlog`"),
        ("[sensors]\n", 1, "unknown key `sensors`, expected one of `sensor`, `focus`, `store`"),
        ("attempts = 3\n", 1, "unknown key `attempts`, expected one of `sensor`, `focus`, `store`"),
        ("[sensor.more]\n", 1, "sensor: unknown key `more`"),
        ("[sensor]\nDevice = \"a\"\n", 2, "sensor: unknown key `Device`"),
    ] {
        let (file, outcome) = run_text(text, &["--dry-run"]);
        outcome.fails(78, &[&format!("{}:{line}: {wanted}", file.display())]);
    }
}

#[test]
fn what_is_no_toml_is_an_error_with_its_line() {
    for (text, line) in [
        ("[sensor\n", 1),
        ("[sensor]\ndevice\n", 2),
        ("[sensor]\ndevice = kitchen\n", 2),
        ("[sensor]\n\ndevice = \"kitchen\n", 3),
        ("[sensor]\nattempts = 1\nattempts = 2\n", 3),
        ("[sensor]\n[focus]\n[sensor]\n", 3),
        ("[sensor]\ndevice = \"a\" \"b\"\n", 2),
        ("[sensor]\ndevice = \"\\q\"\n", 2),
        ("=\n", 1),
        ("[sensor]\nattempts =", 2),
        ("[sensor]\nattempts = 1\0\n", 2),
    ] {
        let (file, outcome) = run_text(text, &["--dry-run"]);
        outcome.fails(78, &[&format!("{}:{line}: ", file.display())]);
    }
    let (file, outcome) = run_text(b"[sensor]\n# K\xfcche\n", &["--dry-run"]);
    outcome.fails(78, &[&format!("{}:2: is not UTF-8 text", file.display())]);
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

// ---- the licence

#[test]
fn the_licence_comes_from_the_environment_the_credential_or_a_file_in_this_order() {
    let mut machine = Machine::with_fault("silent");
    machine.set("focus.confirm", "\"exit-status\"");
    let license = |machine: &Machine| {
        let _ = fs::remove_file(machine.path("record"));
        let outcome = machine.run(&[]);
        outcome.delivered();
        assert_eq!(outcome.stderr.lines().count(), 1, "no warning: {outcome:#?}");
        argument(&outcome, "-license")
    };
    assert_eq!(license(&machine), LICENSE);

    machine.unset("focus.license");
    let file = machine.private_file("license.txt", "x0000-from-file\n");
    machine.set("focus.license-file", &format!("{:?}", file.display().to_string()));
    assert_eq!(license(&machine), "x0000-from-file");

    fs::create_dir(machine.path("credentials")).unwrap();
    machine.env("CREDENTIALS_DIRECTORY", &machine.path("credentials").display().to_string());
    assert_eq!(license(&machine), "x0000-from-file", "a folder without this credential");
    machine.private_file("credentials/license", " x0000-credential \n");
    assert_eq!(license(&machine), "x0000-credential");

    machine.env("WHATAP_LICENSE", "x0000-from-env");
    assert_eq!(license(&machine), "x0000-from-env");
}

#[test]
fn two_licences_in_the_file_are_one_too_many() {
    let mut machine = Machine::with_sensor();
    machine.set("focus.license-file", "\"/no/such/file\"");
    machine.run(&[]).fails(78, &["both license and license-file", "keep one"]);
}

#[test]
fn a_licence_file_that_holds_no_licence_is_told_without_its_content() {
    let mut machine = Machine::with_sensor();
    machine.unset("focus.license");
    let file = machine.path("license.txt");
    machine.set("focus.license-file", &format!("{:?}", file.display().to_string()));
    machine.run(&[]).fails(78, &[&format!("cannot read {}: ENOENT", file.display())]);
    for content in
        ["", "\n", "x0000-test-0042\nx0000-test-0042\n", "license = x0000-test-0042", "x0000-test-0042\0"]
    {
        machine.private_file("license.txt", content);
        machine.run(&[]).fails(78, &[&format!("{}: must hold a licence", file.display()), "nothing else"]);
    }
    machine.private_file("license.txt", b"x0000-test-0042\xff");
    machine.run(&[]).fails(78, &[&format!("{}:1: is not UTF-8", file.display())]);
    machine.private_file("license.txt", vec![b'x'; (1 << 20) + 1]);
    machine.run(&[]).fails(78, &["is larger than 1 MiB"]);
}

#[test]
fn a_licence_that_everybody_can_read_is_warned_about() {
    let machine = Machine::with_sensor();
    for (mode, warned) in [(0o600, false), (0o640, false), (0o644, true), (0o604, true), (0o606, true)] {
        let file = machine.private_file("public.toml", machine.config_text());
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let file = file.to_str().unwrap();
        let outcome = machine.outcome(&mut with_file(&machine, file, &[]));
        outcome.delivered();
        let warning = format!("iio-focus: warning: {file} holds the licence");
        assert_eq!(outcome.stderr.contains(&warning), warned, "{mode:o}: {outcome:#?}");
        assert_eq!(outcome.stderr.contains(&format!("chmod o= {file}\n")), warned, "{mode:o}");
    }
    // Without a licence in it, everybody may.
    let mut machine = Machine::with_sensor();
    machine.unset("focus.license");
    let license = machine.private_file("license.txt", LICENSE);
    fs::set_permissions(&license, fs::Permissions::from_mode(0o644)).unwrap();
    machine.set("focus.license-file", &format!("{:?}", license.display().to_string()));
    let file = machine.private_file("public.toml", machine.config_text());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let outcome = machine.outcome(&mut with_file(&machine, file.to_str().unwrap(), &[]));
    outcome.delivered();
    assert_eq!(outcome.stderr.matches("warning").count(), 1, "{outcome:#?}");
    assert!(outcome.stderr.contains(&format!("warning: {} holds the licence", license.display())));
}

#[test]
fn a_licence_in_the_wrong_place_is_not_shown() {
    let forms = [
        r#""x0000-test-0042""#,
        "x0000-test-0042",
        r#"["x0000-test-0042"]"#,
        r#"{ a = "x0000-test-0042" }"#,
        r#""x0000-test-0042"#,
        r#""x0000-test-0042" x0000-test-0042"#,
        r#""x0000-test-0042\q""#,
        r#""x0000-test-0042\u0007""#,
        "\"\"\"\nx0000-test-0042\n\"\"\"",
        "'x0000-test-0042' = 1",
    ];
    let unknown =
        ["focus.licence", "focus.server", "sensor.license", "license", "licence", "focus.license.key"];
    // The values of the others are told: what is not found must be named.
    let told = ["sensor.device", "focus.program"];
    let keys = KEYS.iter().map(|key| key.name).filter(|name| !told.contains(name)).chain(unknown);
    let machine = Machine::with_sensor();
    for key in keys {
        for form in forms {
            // `fails` and `run` look for the licence in all that is printed.
            let text = format!("{key} = {form}\n");
            let file = machine.private_file("my.toml", &text);
            let outcome = machine.outcome(&mut with_file(&machine, file.to_str().unwrap(), &[]));
            assert_eq!(outcome.status, 78, "{text}{outcome:#?}");
        }
    }
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
fn a_licence_is_letters_digits_and_dashes() {
    for license in ["a\"b", "a\\b", "a_b", "a/b", "a$b"] {
        let mut machine = Machine::with_sensor();
        machine.env("WHATAP_LICENSE", license);
        machine.run(&[]).fails(78, &["environment variable WHATAP_LICENSE: must be a licence"]);
    }
}

#[test]
fn a_licence_in_place_of_its_file_is_not_shown() {
    let mut machine = Machine::with_sensor();
    machine.unset("focus.license");
    machine.set("focus.license-file", &format!("{LICENSE:?}"));
    machine.run(&[]).fails(78, &["license-file"]);
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
