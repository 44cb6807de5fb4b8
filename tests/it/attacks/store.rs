//! A store that the service's user made, against the commands that root starts, and against a run.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::{SERVICE, is_root, open_to_service, run_as, words_as};
use crate::machine::{Machine, Outcome, fifo};

const SOON: Duration = Duration::from_secs(10);

/// What root may start on it.
const COMMANDS: [&[&str]; 5] =
    [&["status"], &["chart", "--ascii"], &["export"], &["export", "--json"], &["doctor"]];

/// Every command ends soon, without a picture of it, and says what is wrong.
#[track_caller]
fn refused(machine: &Machine, name: &str, why: &str) {
    for command in COMMANDS {
        let outcome = limited(machine, command);
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!([1, 74].contains(&outcome.status), "{name}, {command:?}: {outcome:#?}");
        assert!(said.contains(why), "{name}, {command:?}: {why:?} is not in {said}");
        assert!(outcome.took < SOON, "{name}, {command:?}: {outcome:#?}");
    }
}

/// With 300 MB of address space.
fn limited(machine: &Machine, command: &[&str]) -> Outcome {
    machine.run_under(&["sh", "-c", "ulimit -v 300000; exec \"$@\"", "sh"], command)
}

fn change(machine: &Machine, sql: &str) {
    let db = Connection::open(machine.store()).unwrap();
    db.execute_batch("PRAGMA legacy_alter_table = ON; PRAGMA foreign_keys = OFF").unwrap();
    db.execute_batch(sql).unwrap();
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
}

#[test]
fn what_is_no_regular_file_is_neither_followed_nor_waited_for() {
    type Put = fn(&Machine);
    let puts: [(&str, Put, &str); 4] = [
        ("a pipe", |machine| fifo(&machine.store()), "a pipe"),
        ("a link", |machine| symlink(machine.path("whole.db"), machine.store()).unwrap(), "a symbolic link"),
        ("a link to a device", |machine| symlink("/dev/zero", machine.store()).unwrap(), "a symbolic link"),
        ("a folder", |machine| fs::create_dir(machine.store()).unwrap(), "a folder"),
    ];
    for (name, put, why) in puts {
        let machine = Machine::with_sensor();
        machine.run(&[]).delivered();
        fs::remove_file(machine.store_dir().join("readings.db-wal")).unwrap();
        fs::remove_file(machine.store_dir().join("readings.db-shm")).unwrap();
        fs::rename(machine.store(), machine.path("whole.db")).unwrap();
        put(&machine);
        refused(&machine, name, why);
        let outcome = machine.run(&[]);
        assert_eq!(outcome.status, 0, "{name}: {outcome:#?}");
        assert!(
            outcome.stderr.contains(why) && outcome.stderr.contains(" delivered=1 backlog=unknown\n"),
            "{outcome:#?}"
        );
    }
}

#[test]
fn pipes_and_links_beside_the_store_are_not_opened() {
    for part in ["-wal", "-shm", "-journal"] {
        for link in [false, true] {
            let machine = Machine::with_sensor();
            machine.run(&[]).delivered();
            let beside = machine.store_dir().join(format!("readings.db{part}"));
            let _ = fs::remove_file(&beside);
            fs::write(machine.path("precious"), vec![7; 40_000]).unwrap();
            if link {
                symlink(machine.path("precious"), &beside).unwrap()
            } else {
                fifo(&beside)
            }
            for command in COMMANDS {
                let outcome = limited(&machine, command);
                assert!(outcome.took < SOON, "{part} {command:?}: {outcome:#?}");
            }
            let outcome = machine.run(&[]);
            assert!(outcome.took < SOON && outcome.status == 0, "{part}: {outcome:#?}");
            assert_eq!(fs::read(machine.path("precious")).unwrap(), vec![7; 40_000], "{part}");
        }
    }
}

/// Changes that SQLite takes and this program did not make.
const FOREIGN: [(&str, &str); 9] = [
    (
        "a view that never ends",
        "ALTER TABLE reading RENAME TO r;
         CREATE VIEW reading AS WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n)
             SELECT id, 0 AS taken_ms, 0 AS boot_ms, 'b' AS boot_id, 's' AS sensor, 1 AS temperature_mdegc,
                    1 AS humidity_mpercent, 1 AS attempts, 1 AS delivered_ms, 'r' AS reason, NULL AS failures, 0 AS status
             FROM n",
    ),
    (
        "a value of 600 MB",
        "DROP TABLE miss;
         CREATE TABLE miss (id INTEGER PRIMARY KEY, ended_ms, boot_ms, boot_id, after_id, attempts, failures, status,
             error TEXT AS (hex(zeroblob(300000000))));
         INSERT INTO miss VALUES (1, 1, 1, 'b', 0, 1, NULL, 74)",
    ),
    ("a trigger", "CREATE TRIGGER t AFTER INSERT ON reading BEGIN DELETE FROM backlog; END"),
    ("a trigger with a table's name", "CREATE TRIGGER \"leap\" AFTER DELETE ON leap BEGIN SELECT 1; END"),
    ("a view", "CREATE VIEW \"sqlite-like\" AS SELECT 1"),
    ("a table", "CREATE TABLE more (x)"),
    ("an index", "CREATE INDEX more ON reading (hex(zeroblob(id)))"),
    ("a column", "ALTER TABLE reading ADD COLUMN more TEXT AS (hex(zeroblob(100000000)))"),
    (
        "a virtual table",
        "PRAGMA writable_schema = ON;
         INSERT INTO sqlite_schema VALUES ('table', 'more', 'more', 0, 'CREATE VIRTUAL TABLE more USING fts5(x)')",
    ),
];

#[test]
fn a_schema_that_is_not_exactly_ours_is_not_looked_at() {
    for (name, sql) in FOREIGN {
        let machine = Machine::with_sensor();
        machine.run(&[]).delivered();
        change(&machine, sql);
        refused(&machine, name, "that this program did not make");
        let outcome = machine.run(&[]);
        assert_eq!(outcome.status, 0, "{name}: {outcome:#?}");
        assert!(outcome.stderr.contains("that this program did not make"), "{name}: {outcome:#?}");
        assert!(outcome.took < SOON, "{name}: {outcome:#?}");
        machine.run(&[]).delivered();
        assert_eq!(machine.run(&["status"]).status, 0, "{name}");
    }
}

#[test]
fn a_store_of_an_earlier_version_is_judged_as_strictly() {
    let machine = Machine::with_sensor();
    machine.run(&[]).delivered();
    change(
        &machine,
        "CREATE TRIGGER t AFTER INSERT ON reading BEGIN DELETE FROM backlog; END; PRAGMA user_version = 2",
    );
    let outcome = machine.run(&[]);
    assert!(outcome.stderr.contains("that this program did not make"), "{outcome:#?}");
}

#[test]
fn what_sqlite_itself_keeps_for_the_planner_is_no_change() {
    let machine = Machine::with_sensor();
    machine.run(&[]).delivered();
    change(&machine, "ANALYZE; VACUUM");
    machine.run(&[]).delivered();
    assert_eq!(machine.run(&["status"]).status, 0);
}

#[test]
fn a_text_of_twenty_megabytes_is_not_read() {
    let machine = Machine::with_sensor();
    machine.run(&[]).delivered();
    change(&machine, "UPDATE reading SET reason = hex(zeroblob(10000000)), sensor = hex(zeroblob(10000000))");
    for command in COMMANDS {
        let outcome = limited(&machine, command);
        assert!(command == ["doctor"] || outcome.stderr.contains("too big"), "{command:?}: {outcome:#?}");
        assert!(outcome.took < SOON, "{command:?}: {outcome:#?}");
    }
}

#[test]
fn a_command_of_root_leaves_nothing_of_root_in_the_services_folder() {
    if !is_root("a command of root in the service's folder") {
        return;
    }
    let mut machine = Machine::with_sensor();
    open_to_service(&mut machine);
    run_as(&machine, SERVICE, "077").delivered();
    fs::remove_file(machine.store_dir().join("readings.db-shm")).unwrap();
    for command in ["status", "export"] {
        let words = words_as(&machine, 0, "077", &[command]);
        assert_eq!(machine.outcome(&mut machine.bare(&words)).status, 0);
    }
    for file in fs::read_dir(machine.store_dir()).unwrap().flatten() {
        assert_eq!(file.metadata().unwrap().uid(), SERVICE, "{file:?}");
    }
    run_as(&machine, SERVICE, "077").delivered();
    assert!(Path::new(&machine.store()).exists());
}
