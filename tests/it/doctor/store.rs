//! The store, its folder and file system, what waits in it, and the clock.

use std::fs::{self, File};
use std::process::Command;

use nix::fcntl::{Flock, FlockArg};
use rusqlite::Connection;

use super::{Finding, Pi, expect, is_root};

#[test]
fn a_file_that_is_no_store_is_found() {
    let pi = Pi::new();
    fs::write(pi.store(), [b'x'; 8192]).unwrap();
    pi.has(&[("store", "file is not a database", "let a run look at it")]);
    fs::remove_dir_all(pi.root("var/lib/iio-focus")).unwrap();
    pi.link("var/lib/iio-focus/readings.db", "readings.db");
    pi.has(&[("store", "ELOOP", "put a file there"), ("last run", "none yet", "")]);
}

#[test]
fn a_store_that_is_damaged_within_is_found() {
    let pi = Pi::new();
    {
        let db = Connection::open(pi.store()).unwrap();
        db.execute_batch(
            "PRAGMA journal_mode = delete;
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
             INSERT INTO reading (taken_ms, boot_ms, boot_id, sensor, temperature_mdegc, humidity_mpercent, attempts)
             SELECT taken_ms, boot_ms, boot_id, sensor, temperature_mdegc, humidity_mpercent, attempts FROM reading, n;",
        )
        .unwrap();
    }
    let mut bytes = fs::read(pi.store()).unwrap();
    assert!(bytes.len() > 8 * 4096, "{}", bytes.len());
    let page = bytes.len() / 4096 - 2;
    bytes[page * 4096..][..4096].fill(0);
    fs::write(pi.store(), bytes).unwrap();
    let findings = pi.findings(&[]);
    expect(&findings, "store", "wrong", "is damaged");
}

#[test]
fn a_reading_that_waits_and_why_is_told() {
    let mut pi = Pi::new();
    pi.bench.env("FOCUS_FAULT", "silent");
    pi.reads(69);
    pi.bench.set("store.backlog", "1");
    pi.has(&[
        ("backlog", "1 of at most 1 wait: the oldest are being lost", "raise backlog"),
        ("last run", "ended with 69: focus exited with 0 but did not say", "mend what it says"),
    ]);
}

#[test]
fn readings_that_focus_refuses_are_told_with_the_reason() {
    let mut pi = Pi::new();
    pi.bench.env("FOCUS_FAULT", "silent");
    pi.reads(69);
    let db = Connection::open(pi.store()).unwrap();
    let park = "INSERT INTO parked SELECT id, id + 9, 3, NULL FROM reading WHERE delivered_ms IS NULL;
                DELETE FROM backlog";
    db.execute_batch(park).unwrap();
    drop(db);
    pi.has(&[
        (
            "backlog",
            "1 reading was refused several times: focus exited with 0 but did not say",
            "mend what it says",
        ),
        ("last run", "ended with 69", "mend what it says"),
    ]);
}

#[test]
fn a_backlog_that_does_not_shrink_is_told() {
    let mut pi = Pi::new();
    pi.bench.env("FOCUS_FAULT", "silent");
    pi.reads(69);
    pi.bench.env("FOCUS_FAULT", "good");
    // Ten runs that delivered their own reading alone.
    let db = Connection::open(pi.store()).unwrap();
    for second in 1..=10 {
        db.execute_batch(&format!(
            "INSERT INTO reading (taken_ms, boot_ms, boot_id, sensor, temperature_mdegc, humidity_mpercent, attempts,
                                  delivered_ms, reason, failures, status)
             SELECT taken_ms + {second} * 20, boot_ms + {second} * 20, boot_id, sensor, temperature_mdegc,
                    humidity_mpercent, attempts, taken_ms + {second} * 20, NULL, NULL, 0
             FROM reading WHERE id = 1"
        ))
        .unwrap();
    }
    let long_ago = "UPDATE reading SET boot_id = 'another', taken_ms = taken_ms - 3600000 WHERE id = 2";
    db.execute_batch(long_ago).unwrap();
    drop(db);
    pi.has(&[("backlog", "it does not shrink: the last 10 runs were good", "--deadline")]);
    // One of them delivered what had waited.
    let db = Connection::open(pi.store()).unwrap();
    db.execute_batch(
        "UPDATE reading SET delivered_ms = (SELECT max(taken_ms) FROM reading), reason = NULL, status = 0 WHERE id = 2;
         DELETE FROM backlog;
         INSERT INTO reading (taken_ms, boot_ms, boot_id, sensor, temperature_mdegc, humidity_mpercent, attempts, status)
         SELECT taken_ms, boot_ms, boot_id, sensor, temperature_mdegc, humidity_mpercent, attempts, 0
         FROM reading ORDER BY id DESC LIMIT 1;",
    )
    .unwrap();
    drop(db);
    pi.has(&[]);
}

#[test]
fn damaged_stores_that_were_set_aside_are_told() {
    let pi = Pi::new();
    pi.file("var/lib/iio-focus/readings.db.damaged-20261101T080000Z", "");
    pi.file("var/lib/iio-focus/readings.db.damaged-20261101T080000Z-wal", "");
    pi.says("store", "note", "a damaged store was set aside as ");
}

#[test]
fn a_store_that_others_get_at_is_told() {
    let pi = Pi::new();
    pi.mode("var/lib/iio-focus", 0o755);
    pi.says("store", "note", "everybody can look into ");
    pi.mode("var/lib/iio-focus/readings.db.lock", 0o644);
    pi.has(&[("store", "its lock has mode 644", "sudo chmod 600 ")]);
    pi.mode("var/lib/iio-focus/readings.db.lock", 0o600);
    pi.mode("var/lib/iio-focus", 0o777);
    pi.has(&[("store", "everybody can put files into ", "sudo chmod o= ")]);
}

#[test]
fn a_run_that_is_under_way_is_not_called_failed() {
    let pi = Pi::new();
    let db = Connection::open(pi.store()).unwrap();
    db.execute_batch(
        "INSERT INTO reading (taken_ms, boot_ms, boot_id, sensor, temperature_mdegc, humidity_mpercent, attempts)
         SELECT taken_ms + 1, boot_ms + 1, boot_id, sensor, temperature_mdegc, humidity_mpercent, attempts FROM reading",
    )
    .unwrap();
    drop(db);
    pi.says("last run", "note", "it was killed, or the power went");
    let lock = File::open(pi.root("var/lib/iio-focus/readings.db.lock")).unwrap();
    let held = Flock::lock(lock, FlockArg::LockExclusive).unwrap();
    pi.says("last run", "ok", "a reading was delivered");
    drop(held);
    pi.says("last run", "note", "it was killed, or the power went");
}

/// What the doctor finds when the store is on a file system of this type and options, prepared by these commands.
fn on_file_system(pi: &Pi, mount: &str, prepare: &str) -> Vec<Finding> {
    let store = pi.root("var/lib/iio-focus");
    let flags = if is_root() { "-m" } else { "-rm" };
    let script = format!(
        "set -e; cp -a \"$1\" \"$1.copy\"; mount -t tmpfs -o {mount} tmpfs \"$1\"; cp -a \"$1.copy/.\" \"$1\"; cd \"$1\"
         {prepare}
         shift; exec \"$@\""
    );
    let doctor = pi.command(&["--json"]);
    let mut command: Command = pi.bench.bare(&["unshare", flags, "sh", "-c", &script, "sh"]);
    command.arg(store).arg(doctor.get_program()).args(doctor.get_args());
    let outcome = pi.bench.outcome(&mut command);
    fs::remove_dir_all(pi.root("var/lib/iio-focus.copy")).unwrap();
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{outcome:#?}"))
}

#[test]
fn a_full_file_system_is_called_full() {
    let pi = Pi::new();
    let findings = on_file_system(&pi, "mode=750,size=4m", "");
    expect(&findings, "store", "ok", "readings.db is whole, 3 MiB free");
    let findings = on_file_system(&pi, "mode=750,size=4m", "cat /dev/zero >fill 2>/dev/null || true");
    expect(
        &findings,
        "store",
        "wrong",
        " is full (0 bytes of 4 MiB free), so readings are delivered without",
    );
    let findings = on_file_system(&pi, "mode=750,size=4m,nr_inodes=8", "touch a b c d 2>/dev/null || true");
    expect(&findings, "store", "wrong", " is full: it has no inode");
    let findings = on_file_system(&pi, "mode=750,size=4m", "mount -o remount,ro \"$1\"");
    expect(&findings, "store", "wrong", " is read-only, so readings are delivered without");
}

// ---- clock

#[test]
fn the_clock_is_told() {
    let mut pi = Pi::new();
    let findings = pi.findings(&[]);
    let clock = findings.iter().find(|finding| finding.check == "clock").unwrap();
    let is_synchronised = clock.found == "synchronised";
    assert!(is_synchronised || clock.found.contains("wait-for-clock is 0s"), "{clock:?}");
    pi.remove("etc/iio-focus.toml");
    pi.bench.set("store.wait-for-clock", "\"1s\"");
    if !is_synchronised {
        pi.has(&[(
            "clock",
            "readings are sent with what it shows",
            "sudo apt install systemd-timesyncd, or chrony",
        )]);
        pi.file("usr/lib/systemd/system/chrony.service", "[Service]\n");
        pi.link(
            "etc/systemd/system/multi-user.target.wants/chrony.service",
            "/lib/systemd/system/chrony.service",
        );
        pi.has(&[("clock", "not synchronised", "systemctl status chrony.service")]);
    }
}
