//! What the store knows of the clock in each boot, and of the machine: which readings have which time, and whose they
//! are.
//!
//! A Pi has no battery clock. Until its clock is synchronised, it shows about when the Pi was last shut down, or worse.
//! The boot clock is right all the time, so the difference of the two, noted once the clock is synchronised, gives
//! every reading of that boot its right time, also after the next restart.

use rusqlite::{Connection, OptionalExtension, params};

use super::rows::moment_of;
use crate::clock::{CLOCK_SET_MS, Moment};

/// What is known of the clock in one boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootClock {
    /// Wall clock less boot clock, in ms.
    pub offset_ms: i64,
    /// The clock was synchronised; else the offset is the best guess.
    pub certain: bool,
}

impl BootClock {
    /// When something was in that boot, in ms since the epoch. `wall_ms` is what the wall clock showed then.
    #[must_use]
    pub fn wall_ms_of(self, wall_ms: i64, boot_ms: i64) -> i64 {
        let mended = self.offset_ms.saturating_add(boot_ms);
        if mended.abs_diff(wall_ms) < CLOCK_SET_MS { wall_ms } else { mended }
    }
}

/// What the store knows before a run: read at once, since each statement costs more to prepare than to run.
#[derive(Debug)]
pub(super) struct Known {
    /// The newest reading.
    pub(super) newest: Newest,
    /// Of this boot.
    clock: Option<BootClock>,
    /// Whose the last run was.
    machine: Option<String>,
    /// How many readings wait to be delivered.
    pub(super) waiting: u32,
}

/// A reading's id, and when it was taken.
pub(super) type Newest = Option<(i64, Moment)>;

impl Known {
    /// `newest` is the newest reading, if that was looked up already.
    pub(super) fn read(db: &Connection, now: &Moment, newest: Option<Newest>) -> rusqlite::Result<Known> {
        let look_up = || {
            db.prepare("SELECT id, taken_ms, boot_ms, boot_id FROM reading ORDER BY id DESC LIMIT 1")?
                .query_row([], |row| Ok((row.get(0)?, moment_of(row)?)))
                .optional()
        };
        let newest = newest.map_or_else(look_up, Ok)?;
        db.query_row(
            "SELECT offset_ms, certain, (SELECT id FROM machine),
                    (SELECT count(*) FROM backlog) + (SELECT count(*) FROM parked)
             FROM (SELECT 1) LEFT JOIN boot ON boot_id = ?1",
            [&now.boot_id],
            |row| {
                let offset_ms: Option<i64> = row.get(0)?;
                let certain: Option<bool> = row.get(1)?;
                let clock =
                    offset_ms.zip(certain).map(|(offset_ms, certain)| BootClock { offset_ms, certain });
                Ok(Known { newest, clock, machine: row.get(2)?, waiting: row.get(3)? })
            },
        )
    }

    /// The id of the newest reading, 0 if there is none.
    pub(super) fn newest_id(&self) -> i64 {
        self.newest.as_ref().map_or(0, |(id, _)| *id)
    }
}

/// Notes what this moment tells of the clock in this boot. Writes only what is new: at the first run of a boot, when the
/// clock is synchronised, and when it is set.
pub(super) fn note_clock(db: &Connection, known: &Known, now: &Moment) -> rusqlite::Result<()> {
    let offset_ms = now.wall_ms.saturating_sub(now.boot_ms);
    let news = match known.clock {
        Some(known) if now.synchronised => {
            !known.certain || known.offset_ms.abs_diff(offset_ms) >= CLOCK_SET_MS
        }
        Some(_) => false,
        None => true,
    };
    if !news || now.boot_id.is_empty() {
        return Ok(());
    }
    let newest = known.newest.as_ref().map(|(_, taken)| taken);
    let earlier = newest.filter(|newest| newest.boot_id != now.boot_id);
    // A clock that is not synchronised and shows a time before the last reading is behind at least by that.
    let behind = earlier.filter(|_| !now.synchronised).map_or(0, |last| (last.wall_ms - now.wall_ms).max(0));
    db.execute(
        "INSERT INTO boot (boot_id, offset_ms, certain) VALUES (?1, ?2, ?3)
         ON CONFLICT (boot_id) DO UPDATE SET offset_ms = excluded.offset_ms, certain = excluded.certain",
        params![now.boot_id, offset_ms + behind, now.synchronised],
    )?;
    if now.synchronised {
        // A boot whose clock never was synchronised ended before this one began.
        db.execute(
            "UPDATE boot SET offset_ms = min(offset_ms, ?1 - (
                 SELECT boot_ms FROM reading WHERE reading.boot_id = boot.boot_id ORDER BY reading.id DESC LIMIT 1))
             WHERE certain = 0 AND boot_id = (
                 SELECT boot_id FROM reading WHERE boot_id <> ?2 ORDER BY id DESC LIMIT 1)",
            params![offset_ms, now.boot_id],
        )?;
    }
    Ok(())
}

/// Notes whose run this is. When it is another machine's than the last one, as on a copied card, the readings that wait
/// are that machine's: they are passed over, and those of this machine wait again. Returns how many are passed over.
pub(super) fn note_machine(db: &Connection, known: &Known, machine: &str) -> rusqlite::Result<usize> {
    let last = match &known.machine {
        _ if machine.is_empty() => return Ok(0),
        Some(last) if last == machine => return Ok(0),
        None => {
            db.execute("INSERT INTO machine VALUES (?1)", [machine])?;
            return Ok(0);
        }
        Some(last) => last,
    };
    db.execute("UPDATE machine SET id = ?1", [machine])?;
    let passed_over = db.execute(
        "INSERT OR REPLACE INTO parked (id, due_id, refusals, machine)
         SELECT id, 9223372036854775807, refusals, ?1 FROM backlog",
        [last],
    )?;
    db.execute("DELETE FROM backlog", [])?;
    db.execute(
        "INSERT INTO backlog (id, refusals) SELECT id, refusals FROM parked WHERE machine = ?1",
        [machine],
    )?;
    db.execute("DELETE FROM parked WHERE machine = ?1", [machine])?;
    Ok(passed_over)
}
