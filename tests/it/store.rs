//! What is kept: order and times of the backlog, limits, trouble with the file, and one run at a time.

mod clocks;
mod damage;
mod drain;
mod full;
mod trouble;

use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use rusqlite::Connection;

use crate::machine::{Machine, Outcome, pid_of};

const DELIVERED: &str = "temperature=20.6 humidity=24.4 device=htu21 attempts=1 delivered=1 backlog=";

/// Makes of a store what the first version would have made.
pub(crate) const TO_FIRST_VERSION: &str = "
    DROP TABLE miss; DROP TABLE alert; DROP TABLE boot; DROP TABLE machine; DROP TABLE parked;
    DROP TABLE leap; DROP TABLE requeued; DROP TABLE verification; ALTER TABLE backlog DROP COLUMN refusals; ALTER TABLE reading DROP COLUMN failures;
    ALTER TABLE reading DROP COLUMN status; ALTER TABLE reading DROP COLUMN place;
    PRAGMA user_version = 1; PRAGMA wal_checkpoint(TRUNCATE)";

fn database(machine: &Machine) -> Connection {
    Connection::open(machine.store()).unwrap()
}

fn count(db: &Connection, rows: &str) -> i64 {
    db.query_row(&format!("SELECT count(*) FROM {rows}"), [], |row| row.get(0)).unwrap()
}

fn measure(machine: &Machine, temperature_mdegc: i32) {
    fs::write(machine.path("sys/bus/iio/devices/iio:device0/in_temp_input"), temperature_mdegc.to_string())
        .unwrap();
}

/// A machine whose store has these readings in its backlog, oldest first.
fn with_backlog(temperatures_mdegc: &[i32]) -> Machine {
    let mut machine = Machine::with_sensor();
    machine.set("sensor.temperature-jump", "0");
    machine.env("FOCUS_FAULT", "silent");
    for temperature_mdegc in temperatures_mdegc {
        measure(&machine, *temperature_mdegc);
        assert_eq!(machine.run(&[]).status, 69);
    }
    measure(&machine, 20_600);
    machine.unset_env("FOCUS_FAULT");
    fs::remove_file(machine.path("record")).unwrap();
    machine
}

#[track_caller]
fn says(outcome: &Outcome, status: i32, lines: &[&str]) {
    assert_eq!(outcome.status, status, "{outcome:#?}");
    assert_eq!(outcome.stderr.lines().count(), lines.len(), "{outcome:#?}");
    for (line, part) in outcome.stderr.lines().zip(lines) {
        assert!(line.contains(part), "{part:?} is not in {line:?}");
    }
}

// ---- keeping and delivering

#[test]
fn a_reading_is_in_the_store_before_focus_has_it() {
    let machine = Machine::with_fault("hang");
    let child = machine.start_until_focus_hangs(&mut machine.command(&[]));
    let db = database(&machine);
    assert_eq!(count(&db, "reading JOIN backlog USING (id) WHERE delivered_ms IS NULL"), 1);
    kill(pid_of(&child), Signal::SIGTERM).unwrap();
    assert_eq!(machine.finish(child).status, 143);
    let reason: String = db.query_row("SELECT reason FROM reading", [], |row| row.get(0)).unwrap();
    assert!(reason.starts_with("focus was ended: this program got SIGTERM"), "{reason}");
    assert_eq!(count(&db, "backlog"), 1);
}

#[test]
fn a_delivered_reading_stays_as_history() {
    let machine = Machine::with_sensor();
    machine.run(&[]).delivered();
    let db = database(&machine);
    let row = db.query_row(
        "SELECT sensor, temperature_mdegc, humidity_mpercent, attempts, reason, delivered_ms - taken_ms,
                boot_ms, boot_id FROM reading",
        [],
        |row| {
            Ok((
                row.get::<_, String>(0)?,
                (row.get::<_, i32>(1)?, row.get::<_, i32>(2)?, row.get::<_, u32>(3)?),
                row.get::<_, Option<String>>(4)?,
                row.get::<_, i64>(5)?,
                row.get::<_, i64>(6)?,
                row.get::<_, String>(7)?,
            ))
        },
    );
    let (sensor, values, reason, took_ms, boot_ms, boot_id) = row.unwrap();
    assert_eq!((sensor.as_str(), values, reason), ("htu21", (20_600, 24_400, 1), None));
    assert!((0..30_000).contains(&took_ms), "{took_ms}");
    assert!(boot_ms > 0);
    assert_eq!(boot_id, fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim());
    assert_eq!(count(&db, "backlog"), 0);
}

#[test]
fn this_reading_goes_first_and_then_the_oldest_each_with_its_time() {
    let machine = with_backlog(&[1_000, 2_000, 3_000]);
    let server = machine.serve();
    let db = database(&machine);
    // As if taken on other days; 2 is of this boot, whose clock was set since.
    db.execute_batch(
        "UPDATE reading SET boot_id = 'another boot', taken_ms = 1700000000999 WHERE id = 1;
         UPDATE reading SET taken_ms = 1999 WHERE id = 2;
         UPDATE reading SET boot_id = 'another boot', taken_ms = 999 WHERE id = 3;",
    )
    .unwrap();
    let before = now();
    says(
        &machine.run(&[]),
        0,
        &["temperature=20.6 humidity=24.4 device=htu21 attempts=1 delivered=4 backlog=0"],
    );
    assert_eq!(server.arrived(), [20_600, 1_000, 2_000, 3_000]);
    let times: Vec<Option<i64>> = server.records().iter().map(|record| record.now).collect();
    assert_eq!((times[0], times[1], times[3]), (None, Some(1_700_000_000), Some(0)));
    let mended = times[2].unwrap();
    assert!((before - 30..=now()).contains(&mended), "{mended}");
    // The history has the mended time too.
    let kept: i64 = db.query_row("SELECT taken_ms FROM reading WHERE id = 2", [], |row| row.get(0)).unwrap();
    assert_eq!(kept / 1000, mended);
}

#[test]
fn the_backlog_has_the_fields_that_are_asked_for_now() {
    let mut machine = with_backlog(&[30_000]);
    machine.set("focus.fields", r#"["dewpoint", "temperature"]"#);
    let server = machine.serve();
    machine.run(&[]);
    let lines: Vec<String> = server.records().into_iter().map(|record| record.stdin).collect();
    assert_eq!(
        lines,
        ["{\"dewpoint\":-0.5,\"temperature\":20.6}\n", "{\"dewpoint\":7.5,\"temperature\":30.0}\n"]
    );
}

fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}

#[test]
fn the_backlog_waits_from_the_first_that_fails() {
    let mut machine = with_backlog(&[1_000, 2_000, 3_000]);
    let server = machine.serve();
    machine.env("FOCUS_FAULT", "good,good,silent");
    says(
        &machine.run(&[]),
        0,
        &["delivered=2 backlog=2", "warning: the backlog has to wait: focus exited with 0 but did not say"],
    );
    assert_eq!(server.arrived(), [20_600, 1_000]);
    let db = database(&machine);
    assert_eq!(count(&db, "reading WHERE reason LIKE 'focus exited with 0 but%' AND id = 2"), 1);
}

#[test]
fn while_this_reading_fails_the_backlog_is_not_tried() {
    let mut machine = with_backlog(&[1_000]);
    machine.env("FOCUS_FAULT", "silent");
    let outcome = machine.run(&[]);
    assert_eq!((outcome.status, outcome.records.len()), (69, 1), "{outcome:#?}");
    assert!(outcome.error(69).contains(" delivered=0 backlog=2: focus exited with 0"));
}

#[test]
fn a_dry_run_keeps_nothing_and_needs_no_lock() {
    let machine = Machine::with_sensor();
    assert_eq!(machine.run(&["--dry-run"]).status, 0);
    assert!(!machine.store_dir().exists());
}

// ---- limits

#[test]
fn over_the_limit_the_oldest_are_dropped_and_counted() {
    let mut machine = with_backlog(&[1_000, 2_000, 3_000]);
    machine.set("store.backlog", "2");
    machine.env("FOCUS_FAULT", "silent");
    says(
        &machine.run(&[]),
        69,
        &[
            "warning: dropped=2: the backlog is full, its oldest readings are lost (limit 2)",
            "backlog=2: focus",
        ],
    );
    let db = database(&machine);
    assert_eq!(count(&db, "reading WHERE temperature_mdegc IN (3000, 20600)"), 2);
    assert_eq!((count(&db, "reading"), count(&db, "backlog")), (2, 2));
}

#[test]
fn delivered_readings_go_when_they_are_old_and_undelivered_ones_stay() {
    let mut machine = with_backlog(&[1_000]);
    machine.set("store.keep", "\"1h\"");
    let day = 86_400_000;
    let db = database(&machine);
    db.execute_batch(&format!(
        "UPDATE reading SET taken_ms = taken_ms - {day}, boot_id = 'another boot';
         INSERT INTO reading SELECT id + 1, taken_ms, boot_ms, boot_id, sensor, 2000, 0, 1, taken_ms, NULL, NULL, 0, NULL
             FROM reading;
         INSERT INTO reading SELECT id + 2, taken_ms + {day}, boot_ms, boot_id, sensor, 3000, 0, 1, 0, NULL, NULL, 0, NULL
             FROM reading WHERE id = 1;
         INSERT INTO miss VALUES (1, 0, 0, '', 0, 1, NULL, 74, ''), (2, 9e15, 0, '', 0, 1, NULL, 74, '');"
    ))
    .unwrap();
    machine.env("FOCUS_FAULT", "silent");
    machine.run(&[]);
    assert_eq!(count(&db, "reading WHERE temperature_mdegc IN (1000, 3000, 20600)"), 3);
    assert_eq!(count(&db, "reading"), 3);
    // Runs without a reading are looked at in every 16th run.
    while count(&db, "reading WHERE id = 16") == 0 {
        machine.run(&[]);
    }
    assert_eq!((count(&db, "miss"), count(&db, "miss WHERE id = 2")), (1, 1));
}

// ---- the history of runs

#[test]
fn a_run_is_kept_with_its_failed_tries_and_its_exit_status() {
    let mut machine = Machine::with_sensor();
    machine.set("sensor.retry-delay", "\"1ms\"");
    machine.set("sensor.temperature-range", "[0.0, 30.0]");
    type Run = (u32, Option<String>, Option<u8>, Option<String>);
    let runs = |machine: &Machine| -> Vec<Run> {
        database(machine)
            .prepare(
                "SELECT attempts, failures, status, reason, taken_ms FROM reading
                 UNION ALL SELECT attempts, failures, status, error, ended_ms FROM miss ORDER BY 5",
            )
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect()
    };
    machine.run(&[]).delivered();
    machine.env("FOCUS_FAULT", "silent");
    assert_eq!(machine.run(&[]).status, 69);
    measure(&machine, 31_000);
    let missed = machine.run(&["--attempts", "2"]);
    let missed = missed.error(74);
    fs::remove_file(machine.path("sys/bus/iio/devices/iio:device0/in_temp_input")).unwrap();
    let none = machine.run(&[]);
    let none = none.error(66);
    let silent = "focus exited with 0 but did not say that it was connected; it said nothing";
    assert_eq!(
        runs(&machine),
        [
            (1, None, Some(0), None),
            (1, None, Some(69), Some(silent.to_owned())),
            (2, Some(r#"{"out of range":2}"#.to_owned()), Some(74), Some(missed.to_owned())),
            (0, None, Some(66), Some(none.to_owned())),
        ]
    );
}

#[test]
fn tries_that_failed_before_a_good_one_are_kept_too() {
    let machine = at_20_6();
    measure(&machine, 60_000);
    assert_eq!(machine.run(&["--retry-delay", "1ms"]).status, 0);
    let db = database(&machine);
    assert_eq!(count(&db, r#"reading WHERE failures = '{"jump":1}' AND attempts = 2 AND status = 0"#), 1);
}

#[test]
fn a_store_of_an_earlier_version_is_brought_up_to_date_with_all_it_holds() {
    let machine = with_backlog(&[1_000]);
    let db = database(&machine);
    db.execute_batch(TO_FIRST_VERSION).unwrap();
    let server = machine.serve();
    says(&machine.run(&[]), 0, &["delivered=2 backlog=0"]);
    assert_eq!(server.arrived(), [20_600, 1_000]);
    assert_eq!((count(&db, "miss"), count(&db, "reading WHERE status = 0")), (0, 1));
}

// ---- one at a time

#[test]
fn a_second_run_ends_at_once_and_touches_nothing() {
    let machine = Machine::with_fault("hang");
    let first = machine.start_until_focus_hangs(&mut machine.command(&[]));
    let second = machine.command(&[]).output().unwrap();
    assert_eq!(second.status.code(), Some(75));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(
        said.contains("error: another run is under way: it holds ") && said.contains("readings.db.lock"),
        "{said}"
    );
    assert_eq!((machine.records().len(), count(&database(&machine), "reading")), (1, 1));
    // A dry run does not wait for it.
    assert_eq!(machine.command(&["--dry-run"]).status().unwrap().code(), Some(0));

    kill(pid_of(&first), Signal::SIGKILL).unwrap();
    machine.finish(first);
    fs::remove_file(machine.path("record")).unwrap();
    let mut after = machine.command(&[]);
    says(&machine.outcome(after.env_remove("FOCUS_FAULT")), 0, &["delivered=2 backlog=0"]);
}

// ---- the jump rule

fn at_20_6() -> Machine {
    let machine = Machine::with_sensor();
    machine.run(&[]).delivered();
    machine
}

#[test]
fn a_jump_counts_only_when_the_next_try_agrees() {
    let machine = at_20_6();
    measure(&machine, 25_700);
    machine.run(&["--attempts", "1"]).fails(
        74,
        &["jump 1 time", "temperature went from 20.6 to 25.7 °C, more than 5", "no two tries agreed"],
    );
    let outcome = machine.run(&["--attempts", "2"]);
    says(&outcome, 0, &["temperature=25.7 humidity=24.4 device=htu21 attempts=2 delivered=1 backlog=0"]);
}

#[test]
fn a_jump_of_the_humidity_counts_too() {
    let machine = at_20_6();
    fs::write(machine.path("sys/bus/iio/devices/iio:device0/in_humidityrelative_input"), "44500").unwrap();
    machine.run(&["--attempts", "1"]).fails(74, &["humidity went from 24.4 to 44.5 %RH, more than 20"]);
}

#[test]
fn up_to_the_limit_nothing_is_doubted() {
    let machine = at_20_6();
    measure(&machine, 25_600);
    assert_eq!(machine.run(&["--attempts", "1"]).status, 0);
}

#[test]
fn a_jump_is_not_looked_for_when_it_is_off_or_the_last_reading_old_or_another_sensors() {
    let mut machine = at_20_6();
    machine.set("sensor.temperature-jump", "0.0");
    measure(&machine, 60_000);
    assert_eq!(machine.run(&["--attempts", "1"]).status, 0);

    for change in
        ["boot_ms = boot_ms - 600001", "boot_id = 'x', taken_ms = taken_ms - 600001", "sensor = 'attic'"]
    {
        let machine = at_20_6();
        database(&machine).execute_batch(&format!("UPDATE reading SET {change}")).unwrap();
        measure(&machine, 60_000);
        let outcome = machine.run(&["--attempts", "1"]);
        assert_eq!(outcome.status, 0, "{change}: {outcome:#?}");
    }
    for change in ["boot_ms = boot_ms - 500000", "boot_id = 'x', taken_ms = taken_ms - 500000"] {
        let machine = at_20_6();
        database(&machine).execute_batch(&format!("UPDATE reading SET {change}")).unwrap();
        measure(&machine, 60_000);
        assert_eq!(machine.run(&["--attempts", "1"]).status, 74, "{change}");
    }
}

#[test]
fn the_store_is_where_the_configuration_says() {
    let mut machine = Machine::with_sensor();
    let path = machine.path("some/where/else.db");
    machine.set("store.path", &format!("{:?}", path.display().to_string()));
    machine.run(&[]).delivered();
    assert!(path.exists() && Path::new(&format!("{}.lock", path.display())).exists());
    assert!(!machine.store_dir().exists());
}
