//! What is too old goes, a bounded number in each run.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::boot::Known;
use crate::clock::{HOUR_MS, Moment, millis};

/// In one of so many runs, the oldest reading is looked at.
const LOOKS_APART: i64 = 4;

/// How many rows are looked at then, if it is too old by more than an hour: the oldest.
const OLDEST: i64 = 64;

/// In one of so many runs, more is looked at, in both tables.
const RUNS_APART: i64 = 16;

/// So many of the oldest rows are looked at then. Those with a time in the future stay and are passed over.
const OLDEST_THEN: i64 = 1024;

/// So many go then at most, and so many others are looked at, from a place that the run's number chooses: there may be more rows with a
/// time in the future.
const AT_ONCE: i64 = 64;

/// For so many runs after a leap of the clock, nothing from before it goes: the new time may be the wrong one.
const RUNS_AFTER_LEAP: i64 = 1440;

/// Drops readings that were delivered and runs that took none, if they are older than `keep`. Readings of this boot are
/// as old as the boot clock says. `id` is the newest reading, or the newest run without one.
pub(super) fn expire(
    db: &Connection,
    id: i64,
    known: &Known,
    now: &Moment,
    keep: Duration,
) -> rusqlite::Result<()> {
    if id % LOOKS_APART != 0 {
        return Ok(());
    }
    let keep_ms = millis(keep);
    let by_wall = now.wall_ms.saturating_sub(keep_ms);
    let by_boot = now.boot_ms.saturating_sub(keep_ms);
    let looks_at_more = id % RUNS_APART == 0;
    if !looks_at_more && !is_oldest_overdue(db, by_wall)? {
        return Ok(());
    }
    let after_leap =
        last_leap(db)?.filter(|leap| known.newest_id().saturating_sub(*leap) < RUNS_AFTER_LEAP).unwrap_or(-1);
    let drop = |table: &str, chosen: &str, most: i64| {
        let (ended_ms, number, delivered) = match table {
            "reading" => ("taken_ms", "id", "delivered_ms IS NOT NULL"),
            _ => ("ended_ms", "after_id", "1"),
        };
        // The numbers are part of the text: SQLite prepares a statement again when a limit is bound to it.
        let text = format!(
            "DELETE FROM {table} WHERE id IN (
                 SELECT id FROM {table} WHERE {chosen} AND {number} > ?1 AND {delivered}
                   AND iif(boot_id = ?2 AND boot_id <> '', boot_ms < ?3, {ended_ms} < ?4) LIMIT {most})"
        );
        db.execute(&text, params![after_leap, now.boot_id, by_boot, by_wall])
    };
    let oldest = |table: &str, number: i64| format!("id < (SELECT min(id) FROM {table}) + {number}");
    if !looks_at_more {
        return drop("reading", &oldest("reading", OLDEST), OLDEST).map(|_| ());
    }
    // Far apart from run to run, and not in step with the number of rows, which grows with the runs.
    let place = (id / RUNS_APART).wrapping_mul(0x9e37_79b9) & 0xffff_ffff;
    for table in ["reading", "miss"] {
        drop(table, &oldest(table, OLDEST_THEN), AT_ONCE)?;
        let first = format!("(SELECT min(id) FROM {table})");
        let start = format!("{first} + {place} % ((SELECT max(id) FROM {table}) - {first} + 1)");
        drop(table, &format!("id BETWEEN {start} AND {start} + {AT_ONCE}"), AT_ONCE)?;
    }
    Ok(())
}

/// Whether the oldest reading is too old by more than an hour.
fn is_oldest_overdue(db: &Connection, by_wall: i64) -> rusqlite::Result<bool> {
    let oldest_ms: Option<i64> =
        db.query_row("SELECT taken_ms FROM reading ORDER BY id LIMIT 1", [], |row| row.get(0)).optional()?;
    Ok(oldest_ms.is_some_and(|oldest_ms| oldest_ms < by_wall.saturating_sub(HOUR_MS)))
}

/// Notes a leap of the wall clock that is longer than readings are kept: nothing from before it goes right after.
pub(super) fn note_leap(
    db: &Connection,
    known: &Known,
    now: &Moment,
    keep: Duration,
) -> rusqlite::Result<()> {
    let Some((newest, taken)) = &known.newest else { return Ok(()) };
    if now.wall_ms.saturating_sub(taken.wall_ms) > millis(keep) {
        db.execute("INSERT OR REPLACE INTO leap VALUES (?1)", [newest])?;
    }
    Ok(())
}

/// After which reading the wall clock leapt last.
fn last_leap(db: &Connection) -> rusqlite::Result<Option<i64>> {
    db.query_row("SELECT max(after_id) FROM leap", [], |row| row.get(0))
}
