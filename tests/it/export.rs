//! `iio-focus export`: CSV and JSON lines, which readings, and where they go.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use crate::machine::Machine;
use rusqlite::Connection;

/// 2026-11-01T08:00:00Z
const MORNING: i64 = 1_793_520_000_000;
const MINUTE: i64 = 60_000;

const HEADER: &str = "time,sensor,temperature_celsius,humidity_percent,attempts,delivered,time_certain\n";

/// Three readings, a minute apart; the last one waits to be delivered.
fn machine() -> Machine {
    let mut machine = Machine::with_sensor();
    machine.keep([
        (MORNING, "kitchen", 20_600, 24_400),
        (MORNING + MINUTE + 5, "kitchen", -50, 100_000),
        (MORNING + 2 * MINUTE, "attic, \"north\"", -23_449, 0),
    ]);
    database(&machine)
        .execute_batch("UPDATE reading SET delivered_ms = NULL, attempts = 3 WHERE sensor <> 'kitchen'")
        .unwrap();
    machine.env("TZ", "CET-1CEST,M3.5.0,M10.5.0/3");
    machine
}

fn database(machine: &Machine) -> Connection {
    Connection::open(machine.store()).unwrap()
}

/// What is printed, when nothing is wrong.
#[track_caller]
fn export(machine: &Machine, options: &[&str]) -> String {
    let outcome = machine.run(&[&["export"], options].concat());
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{outcome:#?}");
    outcome.stdout
}

#[test]
fn csv_has_a_header_with_units_and_every_value_as_it_is_kept() {
    assert_eq!(
        export(&machine(), &[]),
        HEADER.to_owned()
            + "2026-11-01T08:00:00.000Z,kitchen,20.6,24.4,1,2026-11-01T08:00:00.500Z,true\n\
               2026-11-01T08:01:00.005Z,kitchen,-0.05,100.0,1,2026-11-01T08:01:00.505Z,true\n\
               2026-11-01T08:02:00.000Z,\"attic, \"\"north\"\"\",-23.449,0.0,3,,true\n"
    );
}

#[test]
fn json_lines_say_the_same() {
    assert_eq!(
        export(&machine(), &["--json"]),
        r#"{"time":"2026-11-01T08:00:00.000Z","sensor":"kitchen","temperature_celsius":20.6,"humidity_percent":24.4,"attempts":1,"delivered":"2026-11-01T08:00:00.500Z","time_certain":true}
{"time":"2026-11-01T08:01:00.005Z","sensor":"kitchen","temperature_celsius":-0.05,"humidity_percent":100.0,"attempts":1,"delivered":"2026-11-01T08:01:00.505Z","time_certain":true}
{"time":"2026-11-01T08:02:00.000Z","sensor":"attic, \"north\"","temperature_celsius":-23.449,"humidity_percent":0.0,"attempts":3,"delivered":null,"time_certain":true}
"#
    );
}

#[test]
fn since_is_from_then_on_until_is_before_then_and_a_sensor_is_one_alone() {
    let machine = machine();
    let temperatures = |options: &[&str]| -> Vec<String> {
        let csv = export(&machine, options);
        csv.strip_prefix(HEADER)
            .unwrap()
            .lines()
            .map(|line| line.split(',').rev().nth(4).unwrap().to_owned())
            .collect()
    };
    assert_eq!(temperatures(&["--since", "2026-11-01T08:01:00.005Z"]), ["-0.05", "-23.449"]);
    assert_eq!(temperatures(&["--until", "2026-11-01T08:01:00.005Z"]), ["20.6"]);
    // Local time, without a zone.
    assert_eq!(temperatures(&["--since=2026-11-01 09:01", "--until=2026-11-01T09:02"]), ["-0.05"]);
    assert_eq!(temperatures(&["--since", "2026-11-01"]).len(), 3);
    assert_eq!(temperatures(&["--since", "100years"]).len(), 3);
    assert_eq!(temperatures(&["--device", "kitchen"]), ["20.6", "-0.05"]);
    assert_eq!(temperatures(&["--device", "attic, \"north\""]), ["-23.449"]);
}

#[test]
fn all_is_all_also_what_a_wrong_clock_put_into_the_future() {
    let machine = machine();
    database(&machine).execute_batch("UPDATE reading SET taken_ms = 4102444800000 WHERE id % 2").unwrap();
    assert!(export(&machine, &[]).contains("\n2100-01-01T00:00:00.000Z,"));
}

#[test]
fn a_reading_from_before_the_clock_was_set_has_the_right_time() {
    let machine = Machine::with_sensor();
    machine.run(&[]).delivered();
    database(&machine).execute_batch("UPDATE reading SET taken_ms = 1000").unwrap();
    let now = humantime::format_rfc3339_millis(std::time::SystemTime::now()).to_string();
    let csv = export(&machine, &[]);
    let taken = csv.strip_prefix(HEADER).unwrap().split(',').next().unwrap().to_owned();
    assert!(taken < now && *taken > *"2026", "{csv}");
}

#[test]
fn what_is_not_there_is_one_line_that_says_what_is() {
    let there = "3 readings of kitchen, attic, \"north\", the first of 2026-11-01 09:00:00, the last of 2026-11-01 09:02:00";
    for (options, what) in [
        (["--device", "cellar"].as_slice(), "there is no reading of cellar; "),
        (
            &["--since", "2026-10-31", "--until", "2026-11-01"],
            "there is no reading since 2026-10-31 00:00:00 until 2026-11-01 00:00:00; ",
        ),
        (
            &["--device", "kitchen", "--since", "2026-11-01T09:02"],
            "there is no reading of kitchen since 2026-11-01 09:02:00; ",
        ),
    ] {
        let outcome = machine().run(&[&["export"], options].concat());
        outcome.fails(66, &[&format!("{what}the store has {there}")]);
        assert_eq!(outcome.stdout, "");
    }
    let machine = machine();
    database(&machine).execute("DELETE FROM reading", []).unwrap();
    machine.run(&["export"]).fails(66, &["there is no reading yet"]);
    Machine::with_sensor()
        .run(&["export"])
        .fails(74, &["cannot read the store", "no run has kept anything yet"]);
}

#[test]
fn a_wrong_time_is_one_line_that_says_what_would_be_right() {
    for (options, line) in [
        (["--since", "yesterday"].as_slice(), "--since: must be a duration before now such as 24h, a date"),
        (&["--until", "13:00"], "--until: must be a duration before now such as 24h, a date"),
        (
            &["--since", "2026-11-02", "--until", "2026-11-01"],
            "--since: must be before --until 2026-11-01 00:00:00, and 2026-11-02 00:00:00 is not",
        ),
        (&["--since", "2026-11-02", "--until", "2026-11-02"], "--since: must be before --until"),
        (&["--since", "2100-01-01"], "--since: must be before now, and 2100-01-01 00:00:00 is not"),
    ] {
        machine().run(&[&["export"], options].concat()).fails(64, &[line]);
    }
}

/// A machine with more readings than any buffer on the way holds.
fn with_many() -> Machine {
    let machine = Machine::with_sensor();
    machine.keep((0..5000).map(|minute| (MORNING + minute * MINUTE, "kitchen", 20_600, 24_400)));
    machine
}

#[test]
fn a_reader_that_has_seen_enough_is_none_of_our_business() {
    let machine = with_many();
    for options in [["export"].as_slice(), &["export", "--json"]] {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(ours);
        let outcome = machine.outcome(machine.command(options).stdout(OwnedFd::from(theirs)));
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{outcome:#?}");
    }
    // As it is typed. bash knows the status of each part.
    let command = machine.command(&["export"]);
    let words: Vec<String> = [command.get_program()]
        .into_iter()
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let script = format!("{} | head -n 1; echo \"${{PIPESTATUS[@]}}\"", words.join(" "));
    let outcome = machine.outcome(&mut machine.bare(&["bash", "-c", &script]));
    assert_eq!((outcome.stdout, outcome.stderr.as_str()), (format!("{HEADER}0 0\n"), ""));
}

#[test]
fn a_full_disk_is_an_error() {
    for machine in [machine(), with_many()] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let outcome = machine.outcome(machine.command(&["export"]).stdout(full));
        outcome.fails(74, &["standard output: ENOSPC: No space left on device"]);
    }
}

#[test]
fn no_locale_changes_a_number() {
    let mut machine = machine();
    let csv = export(&machine, &[]);
    machine.env("LC_ALL", "de_DE.UTF-8");
    assert_eq!(export(&machine, &[]), csv);
}
