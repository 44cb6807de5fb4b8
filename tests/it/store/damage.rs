//! What waits in a damaged store is taken over into the new one, and sent once.

use std::fs;
use std::path::Path;

use super::trouble::set_aside;
use super::{count, database, measure, with_backlog};
use crate::machine::Machine;

/// Of a store, in bytes.
pub(super) const PAGE: usize = 1024;

const WAITING: [i32; 5] = [1_000, 2_000, 3_000, 4_000, 5_000];

/// A store with five readings that wait and two that were delivered; what is in its log or in its file.
fn store(in_log: bool) -> Machine {
    let machine = with_backlog(&WAITING);
    let db = database(&machine);
    db.execute_batch(
        "INSERT INTO reading (id, taken_ms, boot_ms, boot_id, sensor, temperature_mdegc, humidity_mpercent, attempts, delivered_ms)
             VALUES (6, 1, 1, 'another boot', 'htu21', 6000, 0, 1, 7), (7, 1, 1, 'another boot', 'htu21', 7000, 0, 1, 7)",
    )
    .unwrap();
    if in_log {
        db.execute_batch("UPDATE reading SET sensor = sensor; UPDATE machine SET id = id").unwrap();
    } else {
        db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    }
    // Closed by a program that leaves the log as it is.
    db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    machine
}

fn change(path: &Path, how: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    how(&mut bytes);
    fs::write(path, bytes).unwrap();
}

type Damage = fn(&Machine);

#[test]
fn what_waits_in_whole_pages_is_sent_by_the_next_run_once() {
    let cases: [(&str, bool, Damage); 9] = [
        ("first sector", false, |machine| change(&machine.store(), |bytes| bytes[..512].fill(0x5a))),
        ("header", false, |machine| change(&machine.store(), |bytes| bytes[..16].fill(0))),
        ("schema", false, |machine| change(&machine.store(), |bytes| bytes[100..PAGE].fill(0x5a))),
        ("backlog", false, |machine| change(&machine.store(), |bytes| bytes[2 * PAGE..3 * PAGE].fill(0x5a))),
        ("cut", false, |machine| change(&machine.store(), |bytes| bytes.truncate(3 * PAGE))),
        ("newer", false, |machine| database(machine).execute_batch("PRAGMA user_version = 99").unwrap()),
        ("empty, with its log", true, |machine| fs::write(machine.store(), "").unwrap()),
        ("its log alone", true, |machine| fs::remove_file(machine.store()).unwrap()),
        ("header, in the log", true, |machine| change(&machine.store(), |bytes| bytes[..16].fill(0))),
    ];
    for (name, in_log, damage) in cases {
        let machine = store(in_log);
        damage(&machine);
        if name != "newer" {
            let _ = fs::remove_file(machine.store_dir().join("readings.db-shm"));
        }
        let server = machine.serve();
        let outcome = machine.run(&[]);
        assert!(
            outcome.stderr.contains("; undelivered readings taken over from it: 5\n"),
            "{name}: {outcome:#?}"
        );
        assert!(outcome.stderr.ends_with(" delivered=6 backlog=0\n"), "{name}: {outcome:#?}");
        assert_eq!(server.arrived(), [&[20_600], &WAITING[..]].concat(), "{name}");
        assert!(machine.run(&[]).stderr.ends_with(" delivered=1 backlog=0\n"), "{name}");
        assert_eq!(
            set_aside(&machine).iter().filter(|path| path.to_str().unwrap().ends_with('Z')).count(),
            1
        );
        assert_eq!(count(&database(&machine), "reading"), 7, "{name}");
    }
}

#[test]
fn a_card_that_damages_the_store_at_each_run_is_not_filled_with_copies() {
    let mut machine = store(false);
    machine.env("FOCUS_FAULT", "silent");
    for run in 0..9 {
        fs::write(machine.store_dir().join(format!("readings.db.damaged-2020010{run}T000000Z")), "old")
            .unwrap();
        database(&machine).execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        change(&machine.store(), |bytes| bytes[..16].fill(0));
        let _ = fs::remove_file(machine.store_dir().join("readings.db-shm"));
        let outcome = machine.run(&[]);
        let taken_over = format!("taken over from it: {}", 5 + run);
        assert!(outcome.stderr.contains(&taken_over), "{outcome:#?}");
        assert!(outcome.stderr.contains(&format!(" backlog={}", 6 + run)), "{outcome:#?}");
        let logs = |name: &&std::path::PathBuf| !name.to_str().unwrap().ends_with("-wal");
        let aside: Vec<_> = set_aside(&machine).iter().filter(logs).cloned().collect();
        assert!(aside.len() <= 5, "{aside:?}");
        let newest = aside.iter().max().unwrap();
        assert!(outcome.stderr.contains(newest.to_str().unwrap()) || run > 1, "{newest:?}: {outcome:#?}");
    }
    measure(&machine, 30_000);
}

#[test]
fn a_new_store_that_was_not_put_in_its_place_is_found() {
    let machine = store(false);
    let new = machine.store_dir().join("readings.db.new");
    fs::rename(machine.store(), &new).unwrap();
    fs::write(machine.store_dir().join("readings.db.damaged-20261125T000000Z"), "damaged").unwrap();
    fs::write(machine.store_dir().join("readings.db-wal"), [0x5a; 9000]).unwrap();
    let server = machine.serve();
    assert!(machine.run(&[]).stderr.ends_with(" delivered=6 backlog=0\n"));
    assert_eq!(server.arrived().len(), 6);
    assert!(!new.exists() && machine.store_dir().join("readings.db.damaged-20261125T000000Z-wal").exists());
}
