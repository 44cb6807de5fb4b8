//! What is too old goes, a bounded number in each run.

use std::time::Duration;

use rusqlite::{Connection, params};

use super::boot::Known;
use crate::clock::{HOUR_MS, Moment, millis};

/// How many rows are looked at in each run while the oldest is too old by more than an hour: the oldest.
const OLDEST: i64 = 16;

/// In one of so many runs, more is looked at: the oldest of both tables, and as many that the run's number chooses. So rows with a
/// time in the future, which stay, do not hide those behind them.
const RUNS_APART: i64 = 16;

/// How many rows of a table are looked at then, twice.
const MORE: i64 = 64;

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
    let keep_ms = millis(keep);
    let newest = known.newest_id();
    let after_leap = known.leap.filter(|leap| newest.saturating_sub(*leap) < RUNS_AFTER_LEAP).unwrap_or(-1);
    let by_wall = now.wall_ms.saturating_sub(keep_ms);
    let by_boot = now.boot_ms.saturating_sub(keep_ms);
    let drop = |table: &str, chosen: &str| {
        let (ended_ms, number, delivered) = match table {
            "reading" => ("taken_ms", "id", "delivered_ms IS NOT NULL"),
            _ => ("ended_ms", "after_id", "1"),
        };
        let text = format!(
            "DELETE FROM {table} WHERE {chosen} AND {number} > ?1 AND {delivered}
               AND iif(boot_id = ?2 AND boot_id <> '', boot_ms < ?3, {ended_ms} < ?4)"
        );
        db.execute(&text, params![after_leap, now.boot_id, by_boot, by_wall])
    };
    if id % RUNS_APART != 0 {
        if known.oldest_ms.is_none_or(|oldest_ms| oldest_ms >= by_wall.saturating_sub(HOUR_MS)) {
            return Ok(());
        }
        drop("reading", &format!("id < (SELECT min(id) FROM reading) + {OLDEST}"))?;
        return Ok(());
    }
    let step = (id / RUNS_APART).saturating_mul(MORE);
    for table in ["reading", "miss"] {
        // The numbers are part of the text: SQLite prepares a statement again when a limit is bound to it.
        let chosen = format!(
            "id IN (
                 WITH span (first, length) AS (SELECT min(id), max(id) - min(id) + 1 FROM {table}),
                      start (id) AS (SELECT first FROM span
                                     UNION SELECT first + {step} % length FROM span)
                 SELECT {table}.id FROM start JOIN {table} ON {table}.id >= start.id AND {table}.id < start.id + {MORE})"
        );
        drop(table, &chosen)?;
    }
    Ok(())
}

/// Notes a leap of the wall clock that is longer than readings are kept: nothing from before it goes right after.
pub(super) fn note_leap(
    db: &Connection,
    known: &mut Known,
    now: &Moment,
    keep: Duration,
) -> rusqlite::Result<()> {
    let Some((newest, taken)) = &known.newest else { return Ok(()) };
    if now.wall_ms.saturating_sub(taken.wall_ms) > millis(keep) {
        db.execute("INSERT OR REPLACE INTO leap VALUES (?1)", [newest])?;
        known.leap = Some(*newest);
    }
    Ok(())
}
