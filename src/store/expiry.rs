//! What is too old goes, a bounded number in each run.

use std::time::Duration;

use rusqlite::{Connection, params};

use crate::clock::{Moment, millis};

/// How many rows of a table are looked at in one run: the oldest, and as many that the run's number chooses. So no run
/// pays for many, and rows with a time in the future, which stay, do not hide those behind them.
const LOOKED_AT: i64 = 16;

/// For so many runs after a leap of the clock, nothing from before it goes: the new time may be the wrong one.
const RUNS_AFTER_LEAP: i64 = 1440;

/// Drops readings that were delivered and runs that took none, if they are older than `keep`. Readings of this boot are
/// as old as the boot clock says. `id` is the newest reading.
pub(super) fn expire(db: &Connection, id: i64, now: &Moment, keep: Duration) -> rusqlite::Result<()> {
    let keep_ms = millis(keep);
    let after_leap: i64 = db.query_row(
        "SELECT coalesce(max(after_id), -1) FROM leap WHERE after_id > ?1",
        [id - RUNS_AFTER_LEAP],
        |row| row.get(0),
    )?;
    let by_wall = now.wall_ms.saturating_sub(keep_ms);
    let by_boot = now.boot_ms.saturating_sub(keep_ms);
    for (table, ended_ms, number, delivered) in
        [("reading", "taken_ms", "id", "delivered_ms IS NOT NULL"), ("miss", "ended_ms", "after_id", "1")]
    {
        // The numbers are part of the text: SQLite prepares a statement again when a limit is bound to it.
        let text = format!(
            "WITH span (first, length) AS (SELECT min(id), max(id) - min(id) + 1 FROM {table}),
                  start (id) AS (SELECT first FROM span UNION SELECT first + (?1 * {LOOKED_AT}) % length FROM span)
             DELETE FROM {table} WHERE id IN (
                 SELECT {table}.id FROM start JOIN {table} ON {table}.id >= start.id AND {table}.id < start.id + {LOOKED_AT})
               AND {number} > ?2 AND {delivered}
               AND iif(boot_id = ?3 AND boot_id <> '', boot_ms < ?4, {ended_ms} < ?5)"
        );
        db.execute(&text, params![id, after_leap, now.boot_id, by_boot, by_wall])?;
    }
    Ok(())
}

/// Notes a leap of the wall clock that is longer than readings are kept: nothing from before it goes right after.
/// `newest` is the id of the newest reading before, and `taken` when that was taken.
pub(super) fn note_leap(
    db: &Connection,
    newest: i64,
    taken: &Moment,
    now: &Moment,
    keep: Duration,
) -> rusqlite::Result<()> {
    if now.wall_ms.saturating_sub(taken.wall_ms) > millis(keep) {
        db.execute("INSERT OR IGNORE INTO leap VALUES (?1)", [newest])?;
    }
    Ok(())
}
