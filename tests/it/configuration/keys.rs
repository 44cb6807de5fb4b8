//! What is right for each key, and what is told of what is wrong.

use super::{run_text, with_file};
use crate::machine::Machine;

/// One key: values that are right for it, values that are not, and what the error says then.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) right: &'static [&'static str],
    pub(super) wrong: &'static [&'static str],
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

pub(super) const KEYS: [Key; 32] = [
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
    Key {
        name: "store.wait-for-clock",
        right: &["\"0s\"", "\"10m\"", "\"1day\""],
        wrong: &["10", "\"\"", "\"-1s\"", "\"25h\"", "\"10\"", "[1, 2]"],
        must_be: "must be a duration in quotes, from 0s to 1day, such as \"10m\"",
    },
    Key {
        name: "verify.token",
        right: &["\"TOKEN0000test1111\"", "\"a-b_c.d/e+f=\""],
        wrong: &["123", "\"\"", "\"two words\"", "\"a\\nb\"", "'a\"b'", "'a\\b'", "\"ü\"", "[1, 2]"],
        must_be: "must be an API token in quotes: letters, digits and signs of ASCII, without spaces, quotation marks and \\",
    },
    Key {
        name: "verify.token-file",
        right: &["\"/no/such/file\""],
        wrong: &["5", "\"\"", "\"token\"", r#""/a\nb""#],
        must_be: "must be an absolute path in quotes",
    },
    Key {
        name: "verify.url",
        right: &["\"https://api.whatap.io\"", "\"http://127.0.0.1:8080/\"", "\"https://[::1]:1/x\""],
        wrong: &[
            "1",
            "\"\"",
            "\"api.whatap.io\"",
            "\"ftp://a\"",
            "\"https://\"",
            "\"https:///x\"",
            "\"https://:1\"",
            "\"https://a@b\"",
            "\"https://a?b\"",
            "\"https://a b\"",
            "\"HTTPS://a\"",
        ],
        must_be: "must be a URL in quotes that begins with https:// (or http://), without spaces, @, ? and #, such as \
                  \"https://api.whatap.io\"",
    },
    Key {
        name: "verify.pause",
        right: &["\"0s\"", "\"3s\"", "\"10m\""],
        wrong: NO_DURATION,
        must_be: "must be a duration in quotes, from 0s to 10m, such as \"2100ms\"",
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
