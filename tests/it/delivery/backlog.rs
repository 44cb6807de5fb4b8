//! A long backlog: four of it go out at the same time, in order, and all that is promised of one holds for four.

use std::fs;
use std::process::Child;

use nix::sys::signal::{Signal, kill};
use rusqlite::Connection;

use crate::machine::{Machine, eventually, pid_of, temperature_mdegc};

const WAITING: i32 = 80;

/// A machine whose backlog holds 1.0, 1.1, 1.2 °C and so on, oldest first. Focus does this with what it gets, one after the
/// other; the run's own reading is the first.
fn with_long_backlog(fault: &str) -> Machine {
    let mut machine = Machine::with_sensor();
    machine.set("sensor.temperature-jump", "0");
    machine.keep((0..WAITING).map(|n| (60_000 * i64::from(n), "htu21", temperature(n), 24_400)));
    Connection::open(machine.store())
        .unwrap()
        .execute_batch(
            "UPDATE reading SET delivered_ms = NULL, status = 69; INSERT INTO backlog (id) SELECT id FROM reading",
        )
        .unwrap();
    fs::remove_file(machine.path("record")).unwrap();
    machine.env("FOCUS_FAULT", fault);
    machine
}

fn temperature(number: i32) -> i32 {
    1_000 + 100 * number
}

/// The temperatures that focus was given, in the order it took them.
fn given(machine: &Machine) -> Vec<i32> {
    machine.records().iter().map(|record| temperature_mdegc(&record.stdin)).collect()
}

/// The run's own, and then so many of the backlog.
fn own_and_oldest(number: i32) -> Vec<i32> {
    [20_600].into_iter().chain((0..number).map(temperature)).collect()
}

/// Starts a run and waits until focus has taken so many.
fn start_until_given(machine: &Machine, number: usize) -> Child {
    let child = machine.command(&[]).spawn().unwrap();
    eventually("focus has them", || {
        let record = fs::read(machine.path("record")).unwrap_or_default();
        record.iter().filter(|byte| **byte == b'\n').count() >= number
    });
    child
}

fn number_of(machine: &Machine, rows: &str) -> i32 {
    let db = Connection::open(machine.store()).unwrap();
    db.query_row(&format!("SELECT count(*) FROM {rows}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn the_own_reading_goes_first_and_alone_and_then_the_oldest_in_groups_of_four() {
    let machine = with_long_backlog("good");
    let outcome = machine.run(&[]);
    assert!(outcome.stderr.ends_with(" delivered=81 backlog=0\n"), "{outcome:#?}");
    let mut given = given(&machine);
    // Those of a group are started at the same time. What is left when less than 64 wait goes one by one.
    given[1..65].chunks_mut(4).for_each(<[i32]>::sort_unstable);
    assert_eq!(given, own_and_oldest(WAITING));
}

#[test]
fn a_signal_ends_all_four() {
    let machine = with_long_backlog("good,hang");
    let child = start_until_given(&machine, 5);
    kill(pid_of(&child), Signal::SIGTERM).unwrap();
    let outcome = machine.finish(child);
    assert_eq!(outcome.status, 143, "{outcome:#?}");
    assert!(outcome.stderr.contains(" delivered=1 backlog=80"), "{outcome:#?}");
    let mut given = given(&machine);
    given[1..].sort_unstable();
    assert_eq!(given, own_and_oldest(4));
    assert_eq!(number_of(&machine, "reading WHERE reason LIKE '%this program got SIGTERM%'"), 4);
}

#[test]
fn sigkill_leaves_none_of_four_behind() {
    let machine = with_long_backlog("good,hang-deaf");
    let child = start_until_given(&machine, 5);
    assert!(machine.leftovers().len() >= 5, "this program and four of focus");
    kill(pid_of(&child), Signal::SIGKILL).unwrap();
    // That no process is left is checked of every run.
    assert_eq!(machine.finish(child).status, 1000 + Signal::SIGKILL as i32);
}

#[test]
fn all_four_are_ended_before_the_deadline() {
    let machine = with_long_backlog("good,hang");
    let outcome = machine.run(&["--deadline", "3s"]);
    assert_eq!((outcome.status, outcome.records.len()), (0, 5), "{outcome:#?}");
    assert!(outcome.took.as_millis() < 3000, "{outcome:#?}");
    assert!(outcome.stderr.contains(" delivered=1 backlog=80\n"), "{outcome:#?}");
    assert!(outcome.stderr.contains("the backlog has to wait: focus did not finish within"), "{outcome:#?}");
    assert_eq!(number_of(&machine, "reading WHERE reason LIKE 'focus did not finish%'"), 4);
}

#[test]
fn three_at_most_are_refused_in_a_run() {
    let machine = with_long_backlog("good,error");
    let outcome = machine.run(&[]);
    assert_eq!((outcome.status, outcome.records.len()), (0, 5), "{outcome:#?}");
    assert_eq!(number_of(&machine, "backlog WHERE refusals = 1 AND id <= 3"), 3);
    assert_eq!(number_of(&machine, "backlog WHERE refusals = 0"), WAITING - 3);
}

#[test]
fn at_most_64_are_delivered_twice_after_a_crash() {
    for given_before in [57, 61] {
        let machine = with_long_backlog(&("good,".repeat(given_before) + "hang"));
        let child = start_until_given(&machine, given_before + 4);
        kill(pid_of(&child), Signal::SIGKILL).unwrap();
        machine.finish(child);
        // What is still in the backlog goes out again.
        let db = Connection::open(machine.store()).unwrap();
        let mut waiting =
            db.prepare("SELECT temperature_mdegc FROM backlog JOIN reading USING (id)").unwrap();
        let waiting: Vec<i32> = waiting.query_map([], |row| row.get(0)).unwrap().flatten().collect();
        let again = given(&machine).iter().filter(|temperature| waiting.contains(temperature)).count();
        assert!((4..=64).contains(&again), "{again} of {given_before} and four");
    }
}
