//! What is printed: no escape code, no hidden licence, no formula, no endless line.

use std::fs;
use std::os::unix::fs::symlink;

use rusqlite::Connection;

use crate::machine::{HTU21, LICENSE, Machine, Outcome, PROGRAM};

/// Characters that a terminal or a reader takes for something else than text.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{AD}' | '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{E0000}'..='\u{E007F}')
}

fn list(machine: &Machine, options: &[&str]) -> Outcome {
    let sysfs = machine.path("sys").display().to_string();
    let mut words = vec![PROGRAM, "list", "--sysfs", &sysfs];
    words.extend(options);
    machine.outcome(&mut machine.bare(&words))
}

#[test]
fn a_hostile_label_reaches_no_terminal() {
    let machine = Machine::new();
    let label = "kit\x1b[2Jchen\x1b]0;x\x07\nsecond\tline\u{202e}gnp\u{200b}\u{2066}\u{9b}31m\u{2028}end";
    let device = machine.device(0, &HTU21);
    fs::write(device.join("label"), label).unwrap();
    let outcome = machine.run(&[]);
    assert_eq!(outcome.status, 0, "{outcome:#?}");
    assert!(!outcome.stderr.trim_end().contains(is_hostile), "{outcome:#?}");
    for command in [
        ["list"].as_slice(),
        &["status"],
        &["export"],
        &["chart", "--ascii"],
        &["doctor"],
        &["export", "--since", "1h"],
    ] {
        let outcome = if command == ["list"] { list(&machine, &[]) } else { machine.run(command) };
        let text = &outcome.stdout;
        assert!(text.contains("kit"), "{command:?}: {outcome:#?}");
        for line in text.lines() {
            let bare = if command == ["list"] { line.replacen('\t', "", 3) } else { line.to_owned() };
            assert!(!bare.contains(is_hostile), "{command:?}: {line:?}");
        }
    }
    assert_eq!(list(&machine, &[]).stdout.lines().count(), 1);
    assert_eq!(machine.run(&["export"]).stdout.lines().count(), 2);
    let found: serde_json::Value = serde_json::from_str(&list(&machine, &["--json"]).stdout).unwrap();
    assert_eq!(found[0]["label"], label.trim(), "programs get the label as it is");
}

#[test]
fn a_hostile_error_text_in_the_store_reaches_no_terminal() {
    let machine = Machine::with_sensor();
    machine.run(&[]).delivered();
    let db = Connection::open(machine.store()).unwrap();
    db.execute(
        "UPDATE reading SET status = 69, reason = 'a' || char(27) || '[31m' || char(10) || char(8238) || 'b'",
        [],
    )
    .unwrap();
    let text = machine.run(&["status"]).stdout;
    assert!(text.contains("failing"), "{text}");
    assert!(!text.lines().any(|line| line.contains(is_hostile)), "{text:?}");
}

#[test]
fn a_label_is_no_formula() {
    for label in ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\u{ff1d}1+1", " =1+1"] {
        let machine = Machine::new();
        machine.device(0, &HTU21);
        fs::write(machine.path("sys/bus/iio/devices/iio:device0/label"), "x").unwrap();
        machine.run(&[]).delivered();
        let db = Connection::open(machine.store()).unwrap();
        db.execute("UPDATE reading SET sensor = ?1, temperature_mdegc = -50", [label]).unwrap();
        drop(db);
        let csv = machine.run(&["export"]).stdout;
        let line = csv.lines().nth(1).unwrap();
        let field = line.split_once(',').unwrap().1;
        assert!(field.trim_start_matches('"').starts_with('\''), "{label}: {line}");
        assert!(line.contains(",-0.05,"), "a number stays a number: {line}");
        let json = machine.run(&["export", "--json"]).stdout;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["sensor"], label, "programs get it as it is");
    }
}

/// The licence, as a focus may print it that wants it to be read.
fn disguises() -> Vec<String> {
    let (head, tail) = LICENSE.split_at(7);
    let spaced: Vec<String> = LICENSE.chars().map(String::from).collect();
    vec![
        LICENSE.to_owned(),
        LICENSE.to_uppercase(),
        format!("X0000-Test-0042 and {head}\x08{tail}"),
        format!("{head}\0{tail}"),
        format!("{head}\r{tail}"),
        format!("{head} {tail}"),
        format!("{head}\t  {tail}"),
        spaced.join(" "),
        spaced.join("\u{200b}"),
        spaced.join("\u{ad}"),
        spaced.join("\u{a0}"),
        format!("{head}\u{2060}\u{feff}{tail}"),
        format!("{head}\n{tail}"),
        format!("{head}\r\n   {tail}"),
        format!("{head}\x1b[31m\n\x1b[0m{tail}"),
        format!("x0000\n-test\n-0042"),
    ]
}

/// What is left of a text when all is gone that a reader does not see.
fn squeezed(text: &str) -> String {
    let seen = text.chars().filter(|c| !is_hostile(*c) && !c.is_whitespace());
    seen.collect::<String>().to_lowercase()
}

#[test]
fn a_disguised_licence_is_not_shown() {
    for (number, disguise) in disguises().into_iter().enumerate() {
        for streams in [(1, 1), (2, 2), (1, 2)] {
            let mut machine = Machine::with_sensor();
            fs::write(machine.path("words"), &disguise).unwrap();
            let (first, second) = disguise.split_once('\n').unwrap_or((&disguise, ""));
            fs::write(machine.path("first"), format!("[error] {first}\n")).unwrap();
            fs::write(machine.path("second"), format!("{second}\n")).unwrap();
            let script = format!(
                "#!/bin/sh\ncat >/dev/null\ncat first >&{}\ncat second >&{}\nexit 1\n",
                streams.0, streams.1
            );
            let focus = machine.executable("bin/says", script);
            machine.set("focus.program", &format!("{:?}", focus.display().to_string()));
            let outcome = machine.run(&["--verbose"]);
            assert_eq!(outcome.status, 69, "{outcome:#?}");
            let said: String = outcome
                .stderr
                .lines()
                .filter_map(|line| line.split_once("focus: "))
                .map(|(_, said)| squeezed(said))
                .collect();
            assert!(!said.contains(&LICENSE.to_lowercase()), "{number} {disguise:?}: {}", outcome.stderr);
            for text in [&outcome.stderr, &machine.run(&["status"]).stdout] {
                assert!(!squeezed(text).contains(&LICENSE.to_lowercase()), "{number} {disguise:?}: {text}");
                assert!(!text.to_lowercase().contains("-test"), "{number} {disguise:?}: {text}");
            }
        }
    }
}

#[test]
fn ten_thousand_devices_are_listed_in_part_with_their_number() {
    let machine = Machine::new();
    let real = machine.device(0, &HTU21);
    for number in 1..10_000 {
        symlink(&real, machine.path(&format!("sys/bus/iio/devices/iio:device{number}"))).unwrap();
    }
    for arguments in [[].as_slice(), &["--device", "nobody"]] {
        let outcome = machine.run(arguments);
        let error = outcome.error(66);
        assert!(error.len() < 2000, "{} bytes", error.len());
        assert!(error.contains("10000"), "{error}");
    }
}
