//! Clocks that are not set yet, or wrong: what is sent when, with which time, and what is said of it.

use std::fs;

use super::{count, database, measure, with_backlog};
use crate::machine::{Machine, Outcome};

const UNSYNCHRONISED: &str = "inject=adjtimex,clock_adjtime:retval=5";
const SYNCHRONISED: &str = "inject=adjtimex,clock_adjtime:retval=0";

/// A machine that waits for its clock as by default. Its sensor may jump.
fn machine() -> Machine {
    let mut machine = Machine::with_sensor();
    machine.set("sensor.temperature-jump", "0");
    machine.set("store.wait-for-clock", "\"1day\"");
    machine
}

/// A run in a boot with this id, or in the real one, whose clock is as the injection says.
fn run_in(machine: &Machine, boot: Option<&str>, clock: &str) -> Outcome {
    run_under_in(machine, &[], boot, clock)
}

fn run_under_in(machine: &Machine, wrapper: &[&str], boot: Option<&str>, clock: &str) -> Outcome {
    let trace = machine.path("trace").display().to_string();
    let strace = ["strace", "-qq", "-o", &trace, "-e", clock];
    // Timesyncd's file, if there is one here, is hidden.
    let empty = machine.path("empty");
    fs::create_dir_all(&empty).unwrap();
    let mut binds: Vec<(&std::path::Path, &str)> = Vec::new();
    if std::path::Path::new("/run/systemd/timesync").exists() {
        binds.push((&empty, "/run/systemd/timesync"));
    }
    let id = machine.path("boot_id");
    if let Some(boot) = boot {
        fs::write(&id, boot).unwrap();
        binds.push((&id, "/proc/sys/kernel/random/boot_id"));
    }
    let namespace = Machine::namespace(&binds);
    let words: Vec<&str> =
        namespace.iter().map(String::as_str).chain(wrapper.iter().copied()).chain(strace).collect();
    machine.run_under(&words, &[])
}

#[track_caller]
fn is_kept(outcome: &Outcome, backlog: u32) {
    assert_eq!(outcome.status, 0, "{outcome:#?}");
    let end = format!(" delivered=0 backlog={backlog} clock=unsynchronised\n");
    assert!(outcome.stderr.ends_with(&end), "{outcome:#?}");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:#?}");
}

/// It is sent, since nobody will send it later, and the log says that its time may be wrong.
#[test]
fn a_reading_that_cannot_be_kept_does_not_wait_for_the_clock() {
    let mut machine = machine();
    machine
        .set("store.path", &format!("{:?}", machine.path("config.toml/readings.db").display().to_string()));
    let server = machine.serve();
    let outcome = run_in(&machine, None, UNSYNCHRONISED);
    assert_eq!(outcome.status, 0, "{outcome:#?}");
    assert!(outcome.stderr.ends_with(" delivered=1 backlog=unknown clock=unsynchronised\n"), "{outcome:#?}");
    assert_eq!(server.arrived().len(), 1);
}

#[test]
fn until_the_clock_is_synchronised_readings_are_kept_and_then_sent_with_their_times() {
    let machine = machine();
    let server = machine.serve();
    for (run, temperature) in [(1, 1_000), (2, 2_000)] {
        measure(&machine, temperature);
        is_kept(&run_in(&machine, None, UNSYNCHRONISED), run);
    }
    assert_eq!(server.arrived(), [] as [i32; 0]);
    // As if the clock had been behind by a month then.
    let db = database(&machine);
    db.execute_batch("UPDATE reading SET taken_ms = taken_ms - 2592000000").unwrap();
    let before = super::now();
    let outcome = run_in(&machine, None, SYNCHRONISED);
    assert!(outcome.stderr.ends_with(" delivered=3 backlog=0\n"), "{outcome:#?}");
    assert_eq!(server.arrived(), [2_000, 1_000, 2_000]);
    for record in &server.records()[1..] {
        assert!((before - 30..=before).contains(&record.now.unwrap()), "{record:?}");
    }
    assert_eq!(count(&db, "boot WHERE certain = 1"), 1);
}

#[test]
fn after_wait_for_clock_readings_are_sent_all_the_same() {
    let mut machine = machine();
    machine.set("store.wait-for-clock", "\"1s\"");
    let outcome = run_in(&machine, None, UNSYNCHRONISED);
    assert!(outcome.stderr.ends_with(" delivered=1 backlog=0\n"), "{outcome:#?}");
    assert_eq!(count(&database(&machine), "boot WHERE certain = 0"), 1);
}

/// An earlier boot began with a clock that was behind by a month. What it kept is sent in this boot.
#[test]
fn what_an_earlier_boot_kept_gets_its_time_from_what_is_known_of_that_boot() {
    let month_ms = 2_592_000_000_i64;
    for was_set in [true, false] {
        let machine = machine();
        let server = machine.serve();
        measure(&machine, 1_000);
        is_kept(&run_in(&machine, Some("boot one"), UNSYNCHRONISED), 1);
        let db = database(&machine);
        db.execute("UPDATE reading SET taken_ms = taken_ms - ?1", [month_ms]).unwrap();
        db.execute("UPDATE boot SET offset_ms = offset_ms - ?1", [month_ms]).unwrap();
        let taken = super::now();
        if was_set {
            // Synchronised, but focus fails, so that both wait for the next boot.
            let failing =
                run_under_in(&machine, &["env", "FOCUS_FAULT=silent"], Some("boot one"), SYNCHRONISED);
            assert_eq!(failing.status, 69, "{failing:#?}");
            server.forget();
        }
        measure(&machine, 20_600);
        let outcome = run_in(&machine, Some("boot two"), SYNCHRONISED);
        assert!(outcome.stderr.contains(" backlog=0\n"), "{was_set}: {outcome:#?}");
        let old = server.records().into_iter().find(|record| record.stdin.contains(":1.0,")).unwrap();
        let late = taken - old.now.unwrap();
        if was_set {
            assert!((-1..30).contains(&late), "{late}");
        } else {
            assert!((month_ms / 1000 - 30..month_ms / 1000 + 30).contains(&late), "{late}");
        }
        let export = machine.run(&["export", "--json"]).stdout;
        let first = export.lines().next().unwrap();
        assert_eq!(first.contains("\"time_certain\":false"), !was_set, "{first}");
    }
}

#[test]
fn a_clock_that_is_behind_the_last_reading_is_taken_to_be_behind_by_that() {
    let machine = machine();
    is_kept(&run_in(&machine, Some("boot one"), UNSYNCHRONISED), 1);
    let db = database(&machine);
    // The last boot ended two days after what this one's clock shows.
    db.execute_batch("UPDATE reading SET taken_ms = taken_ms + 172800000").unwrap();
    is_kept(&run_in(&machine, Some("boot two"), UNSYNCHRONISED), 2);
    let ahead: i64 = db
        .query_row(
            "SELECT offset_ms - (SELECT taken_ms - boot_ms FROM reading WHERE id = 2) FROM boot WHERE boot_id = 'boot two'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert!((172_000_000..=172_800_000).contains(&ahead), "{ahead}");
}

#[test]
fn readings_that_another_machine_took_are_not_sent_and_one_line_says_so() {
    let machine = with_backlog(&[1_000, 2_000]);
    let server = machine.serve();
    let id = machine.path("machine-id");
    fs::write(&id, "0123456789abcdef0123456789abcdef\n").unwrap();
    let namespace = Machine::namespace(&[(&id, "/etc/machine-id")]);
    let words: Vec<&str> = namespace.iter().map(String::as_str).collect();
    let outcome = machine.run_under(&words, &[]);
    assert!(outcome.stderr.contains("2 undelivered readings in "), "{outcome:#?}");
    assert!(outcome.stderr.contains("are another machine's and are not sent"), "{outcome:#?}");
    assert!(outcome.stderr.ends_with(" delivered=1 backlog=2\n"), "{outcome:#?}");
    assert_eq!(machine.run_under(&words, &[]).stderr.lines().count(), 1, "it is said once");
    assert_eq!(server.arrived(), [20_600, 20_600]);
    // Back in the first machine, they are its own.
    assert!(machine.run(&[]).stderr.ends_with(" delivered=3 backlog=0\n"));
}
