//! A store that is damaged, full, locked, or another program's.

use std::fs;
use std::path::PathBuf;

use super::damage::PAGE;
use super::{DELIVERED, count, database, says, with_backlog};
use crate::machine::{Machine, Outcome};

/// The files beside the store whose name says that they were set aside.
pub(super) fn set_aside(machine: &Machine) -> Vec<PathBuf> {
    let files = fs::read_dir(machine.store_dir()).unwrap().flatten().map(|file| file.path());
    files.filter(|path| path.to_str().unwrap().contains(".damaged-20")).collect()
}

#[test]
fn a_damaged_store_is_set_aside_and_a_new_one_begun() {
    let whole = {
        let machine = with_backlog(&[1_000]);
        let db = database(&machine);
        db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        drop(db);
        fs::read(machine.store()).unwrap()
    };
    let torn = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at..at + PAGE].fill(0x5a);
        bytes
    };
    let newer = {
        let machine = Machine::with_sensor();
        machine.run(&[]).delivered();
        database(&machine)
            .execute_batch("PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)")
            .unwrap();
        fs::read(machine.store()).unwrap()
    };
    let garbage = vec![b'x'; 5000];
    for (name, bytes, why) in [
        ("text", b"not a database, but long enough to be looked at".to_vec(), "file is not a database"),
        ("garbage", garbage, "file is not a database"),
        ("table torn", torn(PAGE), "malformed"),
        ("backlog torn", torn(2 * PAGE), "malformed"),
        ("cut", whole[..PAGE].to_vec(), "malformed"),
        ("newer", newer, "its schema 99 is newer than 6, which this version knows"),
    ] {
        let mut machine = Machine::with_sensor();
        machine.set("sensor.temperature-jump", "0");
        fs::create_dir(machine.store_dir()).unwrap();
        fs::write(machine.store(), &bytes).unwrap();
        let outcome = machine.run(&[]);
        // What waits is in a page of its own.
        let readings = if name == "backlog torn" { 2 } else { 1 };
        says(&outcome, 0, &[why, &format!("delivered={readings} backlog=0")]);
        assert!(outcome.stderr.contains("it was set aside as "), "{name}: {outcome:#?}");
        let aside = set_aside(&machine);
        let kept = aside.iter().find(|path| path.to_str().unwrap().ends_with('Z')).unwrap();
        assert_eq!(fs::read(kept).unwrap(), bytes, "{name}");
        assert_eq!(count(&database(&machine), "reading"), readings, "{name}");
    }
}

#[test]
fn what_was_set_aside_before_is_not_overwritten() {
    let machine = Machine::with_sensor();
    fs::create_dir(machine.store_dir()).unwrap();
    for _ in 0..3 {
        fs::write(machine.store(), "not a database, but long enough to be looked at").unwrap();
        let _ = fs::remove_file(machine.store_dir().join("readings.db-wal"));
        assert_eq!(machine.run(&[]).status, 0);
    }
    assert_eq!(
        set_aside(&machine).iter().filter(|path| fs::read(path).unwrap().starts_with(b"not")).count(),
        3
    );
}

/// The reading arrives, and one line says why it is not kept.
#[track_caller]
fn goes_on_without(outcome: &Outcome, why: &str) {
    says(outcome, 0, &[why, &format!("{DELIVERED}unknown")]);
    assert!(outcome.stderr.contains("; this run goes on without\n"), "{outcome:#?}");
    assert_eq!(outcome.records.len(), 1);
}

#[test]
fn a_store_that_cannot_be_made_stops_nothing() {
    let machine = Machine::with_sensor();
    fs::create_dir_all(machine.store()).unwrap();
    goes_on_without(&machine.run(&[]), "/readings.db is a folder, not a file; set path in [store]");

    let mut machine = Machine::with_sensor();
    machine
        .set("store.path", &format!("{:?}", machine.path("config.toml/readings.db").display().to_string()));
    goes_on_without(&machine.run(&[]), "/config.toml is a file, not a folder; set path in [store]");
}

#[test]
fn another_programs_database_is_not_touched() {
    let machine = Machine::with_sensor();
    fs::create_dir(machine.store_dir()).unwrap();
    for version in [0, 1, 7] {
        database(&machine)
            .execute_batch(&format!("CREATE TABLE mine_{version} (x); PRAGMA user_version = {version}"))
            .unwrap();
        let before = fs::read(machine.store()).unwrap();
        goes_on_without(&machine.run(&[]), "it is another program's database");
        assert_eq!(fs::read(machine.store()).unwrap(), before);
        assert_eq!(set_aside(&machine), [] as [PathBuf; 0]);
        fs::remove_file(machine.path("record")).unwrap();
    }
}

#[test]
fn tables_and_values_that_are_not_ours_are_damage_too() {
    for change in [
        "DROP TABLE backlog",
        "ALTER TABLE reading RENAME COLUMN sensor TO probe",
        "UPDATE reading SET temperature_mdegc = 1099511627776",
    ] {
        let machine = Machine::with_sensor();
        machine.run(&[]).delivered();
        fs::remove_file(machine.path("record")).unwrap();
        database(&machine).execute_batch(change).unwrap();
        let outcome = machine.run(&[]);
        says(&outcome, 0, &["it was set aside as ", &format!("{DELIVERED}0")]);
    }
}

/// The words that start a program with a file system of its own where the store is.
fn on_tmpfs(machine: &Machine, options: &str) -> Vec<String> {
    fs::create_dir_all(machine.store_dir()).unwrap();
    let mut words = Machine::namespace(&[]);
    let mount = format!("mount -t tmpfs -o {options} tmpfs '{}'; ", machine.store_dir().display());
    let script = words.iter_mut().find(|word| word.contains("exec")).unwrap();
    script.insert_str(0, &mount);
    words
}

fn run_on_tmpfs(options: &str) -> Outcome {
    let machine = Machine::with_sensor();
    let words = on_tmpfs(&machine, options);
    machine.run_under(&words.iter().map(String::as_str).collect::<Vec<_>>(), &[])
}

#[test]
fn a_full_disk_stops_nothing() {
    // Nothing fits; the header fits; the table but no reading; the reading but not that it arrived.
    for kib in [4, 12, 24] {
        let outcome = run_on_tmpfs(&format!("size={kib}k"));
        assert_eq!(outcome.status, 0, "{outcome:#?}");
        assert!(outcome.stderr.contains("no space is left on its file system"), "{kib}: {outcome:#?}");
        assert_eq!(outcome.stderr.lines().count(), 2, "{outcome:#?}");
        assert!(outcome.stderr.ends_with(&format!("{DELIVERED}unknown\n")), "{outcome:#?}");
    }
}

#[test]
fn a_read_only_file_system_stops_nothing() {
    goes_on_without(&run_on_tmpfs("ro"), "its file system is read-only; the kernel makes it so");
}

#[test]
fn a_program_that_writes_holds_a_run_up_for_a_second_at_most() {
    let machine = Machine::with_sensor();
    machine.run(&[]).delivered();
    let other = database(&machine);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    fs::remove_file(machine.path("record")).unwrap();
    goes_on_without(&machine.run(&[]), "database is locked");
}

#[test]
fn a_program_that_reads_holds_nothing_up() {
    let machine = Machine::with_sensor();
    machine.run(&[]).delivered();
    let other = database(&machine);
    other.execute_batch("BEGIN").unwrap();
    assert_eq!(count(&other, "reading"), 1);
    machine.run(&[]).delivered();
    assert_eq!(count(&other, "reading"), 1, "it sees what was there when it began");
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(count(&other, "reading"), 2);
}
