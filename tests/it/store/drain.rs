//! How a backlog is drained: killed in the middle, past what focus refuses, by a focus that is slow; and what expires meanwhile.

use std::fs;

use nix::sys::signal::{Signal, kill};

use super::{count, database, says, with_backlog};
use crate::machine::{Machine, eventually, pid_of};

/// Fills the store of a machine with so many readings that wait, after those that do; one in a minute.
fn add_to_backlog(machine: &Machine, number: u32) {
    database(machine)
        .execute_batch(&format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number})
             INSERT INTO reading (taken_ms, boot_ms, boot_id, sensor, temperature_mdegc, humidity_mpercent, attempts, status)
                 SELECT 1000 * (1700000000 + 60 * i), 1, 'another boot', 'htu21', 100 * (i % 700), 50000, 1, 69 FROM n;
             INSERT OR IGNORE INTO backlog (id) SELECT id FROM reading WHERE delivered_ms IS NULL;"
        ))
        .unwrap();
}

#[test]
fn killed_while_a_backlog_drains_at_most_64_are_sent_again() {
    let machine = with_backlog(&[1_000]);
    add_to_backlog(&machine, 300);
    let server = machine.serve();
    for killed_after in [40, 100, 64, 1] {
        server.forget();
        let _ = fs::remove_file(machine.path("record"));
        let waiting = count(&database(&machine), "backlog");
        let child = machine.command(&[]).spawn().unwrap();
        eventually("so many are sent", || machine.records().len() > killed_after);
        kill(pid_of(&child), Signal::SIGKILL).unwrap();
        assert_eq!(machine.finish(child).status, 1009);
        let sent = i64::try_from(machine.records().len()).unwrap();
        let left = count(&database(&machine), "backlog");
        // Its own reading was not among those that waited.
        let again = sent - (waiting + 1 - left);
        assert!((0..=64).contains(&again), "{again} of {sent} would be sent again");
    }
    let _ = fs::remove_file(machine.path("record"));
    assert!(machine.run(&[]).stderr.ends_with(" backlog=0\n"));
}

/// As on a card that got full meanwhile.
#[test]
fn what_cannot_be_marked_while_a_backlog_drains_is_at_most_64_too() {
    let machine = with_backlog(&[1_000]);
    add_to_backlog(&machine, 300);
    let server = machine.serve();
    // Three syncs keep the run's own reading: of the new log, its folder, and the commit.
    let inject = "inject=fsync,fdatasync:error=ENOSPC:when=4+";
    let outcome = machine.run_under(&["strace", "-qq", "-o", "/dev/null", "-e", inject], &[]);
    assert_eq!(outcome.status, 0, "{outcome:#?}");
    // Its own, and fifteen times four at the same time: with four more it would be more than 64.
    assert_eq!(server.arrived().len(), 61, "{outcome:#?}");
    assert!(outcome.stderr.ends_with(" delivered=61 backlog=unknown\n"), "{outcome:#?}");
}

/// A focus that refuses what is older than 2023-11-15.
fn with_refused(good: u32) -> Machine {
    let mut machine = with_backlog(&[1_000]);
    database(&machine)
        .execute_batch("UPDATE reading SET taken_ms = 1600000000000, boot_id = 'another boot'")
        .unwrap();
    add_to_backlog(&machine, good);
    machine.env("FOCUS_REFUSES_BEFORE", "1690000000");
    machine
}

#[test]
fn a_reading_that_focus_refuses_does_not_block_those_behind_it_and_is_tried_again_rarer_each_time() {
    let machine = with_refused(50);
    let server = machine.serve();
    says(
        &machine.run(&[]),
        0,
        &["delivered=51 backlog=1", "warning: the backlog has to wait: focus could not deliver; it said: "],
    );
    assert_eq!(server.arrived().len(), 51);
    let mut tried_in = Vec::new();
    for run in 1..=60 {
        let _ = fs::remove_file(machine.path("record"));
        assert_eq!(machine.run(&[]).status, 0);
        if machine.records().iter().any(|record| record.now == Some(1_600_000_000)) {
            tried_in.push(run);
        }
    }
    let db = database(&machine);
    assert_eq!((count(&db, "parked"), count(&db, "backlog")), (1, 0));
    let pauses: Vec<i32> = tried_in.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(tried_in.len() <= 6 && pauses.is_sorted(), "{tried_in:?}");
    assert!(*pauses.last().unwrap() >= 16, "{tried_in:?}");
}

#[test]
fn a_focus_slower_than_the_deadline_leaves_time_for_is_told_of_and_the_backlog_gets_shorter_all_the_same() {
    let mut machine = with_backlog(&[1_000, 2_000, 3_000]);
    machine.env("FOCUS_FAULT", "slow");
    machine.set("focus.timeout", "\"5s\"");
    let server = machine.serve();
    says(
        &machine.run(&["--deadline", "7s"]),
        0,
        &[" delivered=1 backlog=3", "the backlog has to wait: a delivery takes focus 3s"],
    );
    // In every eighth run, the oldest goes first. This one takes the reading with the id 8.
    database(&machine)
        .execute_batch(
            "INSERT INTO reading SELECT 7, taken_ms, boot_ms, boot_id, sensor, 4000, 0, 1, 1, NULL, NULL, 0, NULL FROM reading
                 WHERE id = 1",
        )
        .unwrap();
    server.forget();
    let outcome = machine.run(&["--deadline", "9s"]);
    assert!(outcome.stderr.contains(" delivered=2 backlog=2"), "{outcome:#?}");
    assert_eq!(server.arrived(), [1_000, 20_600]);
}

#[test]
fn neither_rows_of_the_future_nor_a_clock_that_leaps_decide_what_goes() {
    let mut machine = Machine::with_sensor();
    machine.set("store.keep", "\"30d\"");
    let now = super::now() * 1000;
    let (minute, day) = (60_000, 86_400_000);
    // 16 of the future at the head, 100 that are too old, 500 good ones.
    let future = (0..16).map(|n| (now + 3650 * day + n, "htu21", 1_000, 0));
    let old = (0..100).map(|n| (now - 40 * day + n * minute, "htu21", 2_000, 0));
    let good = (0..500).map(|n| (now - day + n * minute, "htu21", 3_000, 0));
    let _server = machine.serve();
    machine.keep(future.chain(old).chain(good));
    let of = |temperature: i32| {
        count(&database(&machine), &format!("reading WHERE temperature_mdegc = {temperature}"))
    };
    let mut runs = 0;
    while of(2_000) > 0 && runs < 400 {
        machine.run(&[]).delivered();
        runs += 1;
    }
    assert_eq!((of(1_000), of(2_000), of(3_000)), (16, 0, 500));
    // As if the last reading had been taken nine years ago: that is what a clock that leaps looks like.
    let db = database(&machine);
    db.execute_batch(&format!(
        "UPDATE reading SET taken_ms = taken_ms - 9 * 365 * {day}, boot_id = 'another boot'"
    ))
    .unwrap();
    for _ in 0..60 {
        machine.run(&[]).delivered();
    }
    assert_eq!(of(3_000), 500);
}
