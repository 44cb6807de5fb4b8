//! `iio-focus chart`: the picture in the terminal, the one in SVG, and what cannot be drawn.

mod svg;

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::machine::{Machine, Outcome, PROGRAM};

/// 2026-11-01T17:00:00Z, and in Berlin 18:00.
const EVENING: i64 = 1_793_552_400_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

/// The night that `night` has in its store.
const NIGHT: [&str; 5] = ["chart", "--since", "2026-11-01T18:00", "--until", "2026-11-02T18:00"];

/// A day from one evening to the next, in readings 10 minutes apart: 21.6 °C and 44.2 %RH at its ends, 18 °C and 55 %RH
/// in its middle, and nothing from 04:00 to 06:10.
fn night() -> Machine {
    let machine = in_berlin();
    let minutes = (0..1440_i32).step_by(10).filter(|minute| !(610..730).contains(minute));
    machine.keep(minutes.map(|minute| {
        let far = (minute - 720).abs();
        let (temperature_mdegc, humidity_mpercent) = (18_000 + far * 5, 55_000 - far * 15);
        (EVENING + i64::from(minute) * MINUTE, "kitchen", temperature_mdegc, humidity_mpercent)
    }));
    machine
}

fn in_berlin() -> Machine {
    let mut machine = Machine::with_sensor();
    machine.env("TZ", BERLIN);
    machine.env("LANG", "C.UTF-8");
    machine
}

/// What is printed, when nothing is wrong.
#[track_caller]
fn chart(machine: &Machine, words: &[&str]) -> String {
    good(machine.run(words))
}

#[track_caller]
fn good(outcome: Outcome) -> String {
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{outcome:#?}");
    outcome.stdout
}

fn with<'a>(words: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [words, more].concat()
}

// ---- in the terminal

#[test]
fn a_night_is_drawn_in_braille() {
    let mut machine = night();
    machine.env("COLUMNS", "60");
    assert_eq!(
        chart(&machine, &NIGHT),
        r"kitchen, 2026-11-01 18:00 to 2026-11-02 18:00 CET
temperature in °C: min 18.1, mean 19.9, max 21.6
   │⠓⠦⣄                                                  ⣠⡴⠚
 21┤  ⠈⠙⠲⣄⡀                                          ⢀⣠⠶⠋⠁
   │      ⠉⠧⣄⡀                                    ⢀⣠⠴⠋
   │         ⠙⠲⢤⡀                              ⢀⣤⠖⠋⠁
 20┤            ⠉⠓⣆⡀                        ⢀⣠⠞⠉
   │               ⠉⠳⢤⣀                  ⣀⡤⠞⠉
 19┤                  ⠈⠓⠦⡄            ⢀⡴⠚⠁
   │                     ⠉⠓⠆       ⣀⡴⠚⠉
   │                            ⣠⠴⠋⠁
humidity in %RH: min 44.2, mean 49.2, max 54.9
 54┤                            ⠓⠦⣄
   │                     ⢀⣠⠄      ⠈⠙⠲⣄⡀
 52┤                  ⢀⡤⠖⠋            ⠉⠳⢤⡀
   │               ⣀⡴⠚⠉                  ⠉⠓⢦⣀
 50┤            ⣀⡤⠏⠁                        ⠈⠙⢦⣀
 48┤         ⣠⠴⠚⠁                              ⠈⠓⠦⣄⡀
   │      ⣀⡖⠋⠁                                    ⠈⠙⠲⣄
 46┤  ⢀⣠⠴⠋⠁                                          ⠈⠙⠶⣄⡀
   │⡤⠖⠋                                                  ⠙⠳⢤
   └┬─────────────┬─────────────┬─────────────┬────────────┬
  18:00         Nov 2         06:00         12:00      18:00
"
    );
}

#[test]
fn and_in_ascii() {
    let mut machine = night();
    machine.env("COLUMNS", "60");
    assert_eq!(
        chart(&machine, &with(&NIGHT, &["--ascii"])),
        r"kitchen, 2026-11-01 18:00 to 2026-11-02 18:00 CET
temperature in degC: min 18.1, mean 19.9, max 21.6
   |:..                                                  ..:
 21+  '':.                                            .:''
   |     '':.                                      ..:'
   |        '':..                              ..:''
 20+            '':.                        ..:'
   |               ':..                  ..:'
 19+                  '':.            .:''
   |                     '''      ..:''
   |                            .:'
humidity in %RH: min 44.2, mean 49.2, max 54.9
 54+                            :..
   |                     ...      '':..
 52+                  ..:'            ':..
   |               ..:'                  ':..
 50+            ..:'                        '':.
 48+         .:''                              '':..
   |     ..:''                                    ''':.
 46+  ..:'                                            ':..
   |:''                                                  '':
   ++-------------+-------------+-------------+------------+
  18:00         Nov 2         06:00         12:00      18:00
"
    );
}

#[test]
fn ascii_is_for_who_asks_for_it_and_where_nothing_else_can_be_shown() {
    let is_ascii = |env: &[(&str, &str)]| {
        let mut machine = night();
        machine.unset_env("LANG");
        for (name, value) in env {
            machine.env(name, value);
        }
        chart(&machine, &NIGHT).is_ascii()
    };
    assert!(is_ascii(&[]));
    assert!(is_ascii(&[("LANG", "C")]));
    assert!(is_ascii(&[("LANG", "de_DE@euro")]));
    assert!(is_ascii(&[("LC_ALL", "POSIX"), ("LC_CTYPE", "C.UTF-8"), ("LANG", "C.UTF-8")]));
    assert!(is_ascii(&[("LC_CTYPE", "C"), ("LANG", "C.UTF-8")]));
    // The kernel's own console has no such font.
    assert!(is_ascii(&[("LANG", "C.UTF-8"), ("TERM", "linux")]));
    assert!(!is_ascii(&[("LANG", "C.UTF-8"), ("TERM", "xterm")]));
    assert!(!is_ascii(&[("LC_ALL", ""), ("LC_CTYPE", ""), ("LANG", "ko_KR.utf8")]));
    assert!(!is_ascii(&[("LC_ALL", "C.UTF-8"), ("LANG", "C")]));
}

#[test]
fn it_fits_into_every_width_and_24_lines() {
    let mut machine = night();
    for ascii in [false, true] {
        for columns in [30, 31, 40, 79, 80, 81, 140, 500] {
            machine.env("COLUMNS", &columns.to_string());
            let picture = chart(&machine, &with(&NIGHT, if ascii { &["--ascii"] } else { &[] }));
            let widest = picture.lines().map(|line| line.chars().count()).max().unwrap();
            assert_eq!(widest, columns, "{picture}");
            assert!(columns < 60 || picture.lines().count() <= 23, "{picture}");
        }
    }
    for (columns, width) in
        [("0", 80), ("", 80), ("-5", 80), ("many", 80), ("7", 30), ("18446744073709551615", 1000)]
    {
        machine.env("COLUMNS", columns);
        let picture = chart(&machine, &NIGHT);
        assert_eq!(picture.lines().map(|line| line.chars().count()).max().unwrap(), width, "{columns}");
    }
}

#[test]
fn the_terminal_says_how_wide_it_is() {
    let mut machine = night();
    machine.env("COLUMNS", "100");
    let command = machine.command(&NIGHT);
    let words: Vec<String> = [command.get_program()]
        .into_iter()
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    for (columns, width) in [("61", 61), ("0", 100)] {
        let script = format!("stty rows 24 cols {columns}; {}", words.join(" "));
        let outcome = machine.bare(&["script", "-qec", &script, "/dev/null"]).output().unwrap();
        assert!(outcome.status.success(), "{outcome:?}");
        let picture = String::from_utf8(outcome.stdout).unwrap().replace('\r', "");
        assert_eq!(picture.lines().map(|line| line.chars().count()).max().unwrap(), width, "{picture}");
    }
}

#[test]
fn unless_asked_it_is_of_the_last_24_hours() {
    let machine = in_berlin();
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    machine.keep([
        (now - 25 * HOUR, "kitchen", 10_000, 90_000),
        (now - 23 * HOUR, "kitchen", 20_000, 50_000),
        (now - HOUR, "kitchen", 22_000, 40_000),
        (now + HOUR, "kitchen", 30_000, 10_000),
    ]);
    let picture = chart(&machine, &["chart"]);
    assert!(picture.contains("min 20.0 at ") && picture.contains("mean 21.0, max 22.0 at "), "{picture}");
    assert!(picture.contains("min 40.0 at ") && picture.contains("mean 45.0, max 50.0 at "), "{picture}");
    assert!(chart(&machine, &["chart", "--since", "30h"]).contains("min 10.0 on "));
    // Or of the 24 hours before another end.
    let picture = chart(&machine, &["chart", "--until", "2h"]);
    assert!(picture.contains("min 10.0 at ") && picture.contains("mean 15.0, max 20.0 at "), "{picture}");
}

#[test]
fn times_are_local_also_where_the_clock_is_set_back() {
    // 2026-10-25T01:00:00Z
    const SET_BACK: i64 = 1_792_890_000_000;
    let mut machine = in_berlin();
    machine.env("COLUMNS", "80");
    machine.keep(
        (-180..180)
            .step_by(5)
            .map(|minute: i32| (SET_BACK + i64::from(minute) * MINUTE, "kitchen", 20_000 + minute, 50_000)),
    );
    let picture = chart(&machine, &["chart", "--since=2026-10-24T22:00:00Z", "--until=2026-10-25T04:00:00Z"]);
    assert!(picture.starts_with("kitchen, 2026-10-25 00:00 CEST to 2026-10-25 05:00 CET\n"), "{picture}");
    assert!(picture.contains("min 19.8 at 00:00, mean 20.0, max 20.2 at 04:55\n"), "{picture}");
    let hours: Vec<&str> = picture.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(hours.join(" "), "Oct 25 01:00 02:00 02:00 03:00 04:00 05:00");
    // The last five minutes have none.
    assert!(dots_missing(&picture) <= 1, "{picture}");
}

/// How many columns of the first panel have no dot.
fn dots_missing(picture: &str) -> usize {
    let axis = |line: &&str| line.chars().any(|c| "┤│".contains(c));
    let rows: Vec<Vec<char>> = picture
        .lines()
        .skip_while(|line| !axis(line))
        .take_while(axis)
        .map(|line| line.chars().collect())
        .collect();
    let axis = rows[0].iter().position(|c| "┤│".contains(*c)).unwrap();
    let width = picture.lines().map(|line| line.chars().count()).max().unwrap();
    let empty = |column: &usize| rows.iter().all(|row| row.get(*column).is_none_or(|c| *c == ' '));
    (axis + 1..width).filter(empty).count()
}

#[test]
fn a_gap_is_one_however_wide_the_picture_is_and_no_other_is_shown() {
    let mut machine = in_berlin();
    // An hour of minutes, as tries and the timer's delay make them, and none from 30 to 39.
    machine.keep((0..60).filter(|minute| !(30..40).contains(minute)).map(|minute: i32| {
        (EVENING + i64::from(minute) * MINUTE + i64::from(minute * 7 % 25) * 1000, "kitchen", 20_000, 50_000)
    }));
    for columns in [30, 64, 80, 140, 300] {
        machine.env("COLUMNS", &columns.to_string());
        let picture = chart(&machine, &["chart", "--since=2026-11-01T18:00", "--until=2026-11-01T19:00"]);
        let (plot, missing) = (columns - 5, dots_missing(&picture));
        assert!(missing.abs_diff(plot * 11 / 60) <= plot / 60 + 2, "{missing} of {plot}: {picture}");
    }
}

#[test]
fn one_reading_is_one_dot() {
    let machine = in_berlin();
    machine.keep([(EVENING, "kitchen", -50, 100_000)]);
    let picture = chart(&machine, &["chart", "--since=2026-11-01T17:00", "--until=2026-11-01T19:00"]);
    let dots = picture.chars().filter(|c| ('\u{2801}'..='\u{28ff}').contains(c)).count();
    assert_eq!(dots, 2, "{picture}");
    assert!(
        picture.contains("temperature in °C: min -0.1 at 18:00, mean -0.1, max -0.1 at 18:00\n"),
        "{picture}"
    );
    assert!(
        picture.contains("humidity in %RH: min 100.0 at 18:00, mean 100.0, max 100.0 at 18:00\n"),
        "{picture}"
    );
}

#[test]
fn a_name_cannot_control_the_terminal() {
    let machine = in_berlin();
    machine.keep([(EVENING, "k\u{1b}[2Jü", 20_000, 50_000)]);
    let words = ["chart", "--since=2026-11-01T17:00", "--until=2026-11-01T19:00"];
    assert!(chart(&machine, &words).starts_with("k\u{fffd}[2Jü, 2026"));
    assert!(chart(&machine, &with(&words, &["--ascii"])).starts_with("k?[2J?, 2026"));
}

// ---- what cannot be drawn

#[test]
fn several_sensors_are_not_one_line() {
    let machine = in_berlin();
    machine.keep((0..60).map(|minute| {
        let (sensor, temperature) = if minute % 2 == 0 { ("kitchen", 20_000) } else { ("attic", 5_000) };
        (EVENING + minute * MINUTE, sensor, temperature, 50_000)
    }));
    let hour = ["chart", "--since=2026-11-01T18:00", "--until=2026-11-01T19:00"];
    machine.run(&hour).fails(
        66,
        &["these are readings of several sensors, and a chart is of one: choose with --device kitchen or --device attic"],
    );
    let picture = chart(&machine, &with(&hour, &["--device", "attic"]));
    assert!(picture.starts_with("attic, ") && picture.contains("mean 5.0"), "{picture}");
    // Where there is one, nobody has to choose.
    assert!(
        chart(&machine, &["chart", "--since=2026-11-01T18:00", "--until=2026-11-01T18:01"])
            .starts_with("kitchen, ")
    );
}

#[test]
fn what_is_not_there_is_one_line_that_says_what_is() {
    let machine = night();
    let there = "the store has 132 readings of kitchen, the first of 2026-11-01 18:00:00, the last of 2026-11-02 17:50:00";
    machine
        .run(&["chart", "--since", "2026-11-03", "--until", "2026-11-04"])
        .fails(66, &["there is no reading since 2026-11-03 00:00:00 until 2026-11-04 00:00:00; ", there]);
    let outcome = machine.run(&with(&NIGHT, &["--device", "attic", "--svg", "attic.svg"]));
    outcome.fails(66, &["there is no reading of attic since ", there]);
    assert!(!machine.path("attic.svg").exists());
    Machine::with_sensor()
        .run(&["chart"])
        .fails(74, &["cannot read the store", "no run has kept anything yet"]);
}

#[test]
fn a_wrong_time_is_one_line_that_says_what_would_be_right() {
    for (options, line) in [
        (["--since", "yesterday"].as_slice(), "--since: must be a duration before now such as 24h, a date"),
        (&["--until", "13:00"], "--until: must be a duration before now such as 24h, a date"),
        (
            &["--until", "2026-10-01", "--since", "2026-10-02"],
            "--since: must be before --until 2026-10-01 00:00:00",
        ),
        (&["--since", "0s"], "--since: must be before now, and "),
    ] {
        night().run(&with(&["chart"], options)).fails(64, &[line]);
    }
}

#[test]
fn standard_output_may_be_closed_but_not_full() {
    let machine = night();
    for words in [NIGHT.to_vec(), with(&NIGHT, &["--svg", "-"])] {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(ours);
        good(machine.outcome(machine.command(&words).stdout(OwnedFd::from(theirs))));
        let full = File::options().write(true).open("/dev/full").unwrap();
        machine.outcome(machine.command(&words).stdout(full)).fails(74, &["standard output: ENOSPC"]);
    }
    // It needs nothing that a delivery needs.
    let help = good(machine.outcome(&mut machine.bare(&[PROGRAM, "chart", "--help"])));
    assert!(help.starts_with("Usage: iio-focus chart "), "{help}");
}

/// However far the times are from today.
#[test]
fn every_period_can_be_drawn() {
    let machine = night();
    for (since, until) in [
        ("0001-01-01", "9999-12-30"),
        ("290000000years", "2027-01-01"),
        ("-009999-01-03T00:00:00Z", "9999-12-30T00:00:00Z"),
        ("2026-11-01T18:00:00", "2026-11-01T18:00:00.001"),
        ("2026-11-01T17:59:59", "2026-11-01T18:00:01"),
        ("2000-01-01", "2027-01-01"),
    ] {
        for more in [["--ascii"].as_slice(), &[], &["--svg", "-"]] {
            let (since, until) = (format!("--since={since}"), format!("--until={until}"));
            let picture = chart(&machine, &with(&["chart", &since, &until], more));
            assert!(picture.contains("kitchen, "), "{picture}");
        }
    }
}
