//! Readings that wait to be delivered: which come next, which were delivered, and which are passed over for now.

use rusqlite::{Connection, params};

use super::boot::BootClock;
use super::rows::reading_of;
use super::{Delivered, Undelivered, Waiting};
use crate::clock::Moment;

/// How many readings are taken from the backlog at once, and marked as delivered at once: after a crash, at most so
/// many are delivered again.
pub const AT_ONCE: usize = 64;

/// How often focus may refuse a reading, in runs that delivered another, before it is passed over.
const REFUSALS: u32 = 3;

/// A reading that is passed over is tried again at least once in so many runs.
const LONGEST_PAUSE_RUNS: i64 = 1440;

/// How many wait, those that are passed over among them.
pub(super) fn count(db: &Connection) -> rusqlite::Result<u32> {
    db.query_row("SELECT (SELECT count(*) FROM backlog) + (SELECT count(*) FROM parked)", [], |row| {
        row.get(0)
    })
}

/// The oldest undelivered readings after this id that are not passed over, at most [`AT_ONCE`].
pub(super) fn oldest_after(db: &Connection, id: i64) -> rusqlite::Result<Vec<Waiting>> {
    let mut waiting = db.prepare(&format!(
        "SELECT reading.*, offset_ms, certain FROM backlog JOIN reading USING (id) LEFT JOIN boot USING (boot_id)
         WHERE reading.id > ?1 ORDER BY backlog.id LIMIT {AT_ONCE}"
    ))?;
    let mut rows = waiting.query_map([id], |row| {
        let (reading, taken) = reading_of(row)?;
        let offset_ms: Option<i64> = row.get("offset_ms")?;
        let certain: Option<bool> = row.get("certain")?;
        let clock = offset_ms.map(|offset_ms| BootClock { offset_ms, certain: certain.unwrap_or(false) });
        Ok(Waiting { id: row.get("id")?, reading, taken, clock })
    })?;
    // A damaged row is an error when it comes first. Until then, those before it are delivered.
    let first = rows.next().transpose()?;
    Ok(first.into_iter().chain(rows.map_while(Result::ok)).collect())
}

/// Marks readings as delivered; and with `own`, a reading's id and status, what its run ended with, if it is one of them.
pub(super) fn mark(
    db: &Connection,
    delivered: &[Delivered],
    now: &Moment,
    own: Option<(i64, u8)>,
) -> rusqlite::Result<()> {
    let mut arrive = db.prepare(
        "UPDATE reading SET delivered_ms = ?2, taken_ms = ?3, reason = NULL, status = iif(id = ?4, ?5, status)
         WHERE id = ?1",
    )?;
    let mut leave = db.prepare("DELETE FROM backlog WHERE id = ?1")?;
    let (own, status) = own.unzip();
    for Delivered { id, taken_ms } in delivered {
        arrive.execute(params![id, now.wall_ms, taken_ms, own, status])?;
        leave.execute([id])?;
    }
    Ok(())
}

/// Notes why readings were not delivered. One that focus refused too often is passed over: it is tried again 8 runs
/// later, then 16, and so on. `run` is this run's own reading.
pub(super) fn note_undelivered(
    db: &Connection,
    run: i64,
    undelivered: &[Undelivered],
) -> rusqlite::Result<()> {
    for Undelivered { id, reason, refused } in undelivered {
        db.execute("UPDATE reading SET reason = ?2 WHERE id = ?1", params![id, reason])?;
        if !refused {
            continue;
        }
        let refusals: u32 = db.query_row(
            "UPDATE backlog SET refusals = refusals + 1 WHERE id = ?1 RETURNING refusals",
            [id],
            |row| row.get(0),
        )?;
        if refusals >= REFUSALS {
            let pause = 1_i64.checked_shl(refusals).unwrap_or(LONGEST_PAUSE_RUNS).min(LONGEST_PAUSE_RUNS);
            db.execute(
                "INSERT OR REPLACE INTO parked (id, due_id, refusals) VALUES (?1, ?2, ?3)",
                params![id, run + pause, refusals],
            )?;
            db.execute("DELETE FROM backlog WHERE id = ?1", [id])?;
        }
    }
    Ok(())
}

/// Drops the oldest of all that wait, with their readings.
pub(super) fn drop_oldest(db: &Connection, number: u32) -> rusqlite::Result<()> {
    let oldest: Option<i64> = db.query_row(
        "SELECT max(id) FROM (SELECT id FROM (SELECT id FROM backlog UNION ALL SELECT id FROM parked) ORDER BY id LIMIT ?1)",
        [number],
        |row| row.get(0),
    )?;
    // Not by the rows' foreign keys: while those are looked after, each statement that deletes costs more to prepare.
    for table in ["backlog", "parked"] {
        let waiting = format!("DELETE FROM reading WHERE id IN (SELECT id FROM {table} WHERE id <= ?1)");
        db.execute(&waiting, [oldest])?;
        db.execute(&format!("DELETE FROM {table} WHERE id <= ?1"), [oldest])?;
    }
    Ok(())
}

/// In one of so many runs, those that are passed over are looked at.
const RUNS_APART: i64 = 4;

/// Lets those wait again that were passed over long enough.
pub(super) fn unpark(db: &Connection, run: i64) -> rusqlite::Result<()> {
    if run % RUNS_APART != 0 {
        return Ok(());
    }
    let due = db.execute(
        "INSERT INTO backlog (id, refusals) SELECT id, refusals FROM parked WHERE due_id <= ?1",
        [run],
    )?;
    if due > 0 {
        db.execute("DELETE FROM parked WHERE due_id <= ?1", [run])?;
    }
    Ok(())
}
