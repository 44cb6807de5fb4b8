//! What is kept until it is delivered, and the history: one SQLite file.
//!
//! A run commits twice: the reading before focus is started, and how it went at the end. On a card, what costs is
//! waiting for it (`fsync(2)`) and what is written to it. Of a run, with `strace` (fsyncs, bytes to the file, its log and
//! its journal) and `tests/bench/wear.py` (bytes that reach a card with ext4, of a day of minutes):
//!
//! | journal | fsyncs | bytes | to the card |
//! | --- | --- | --- | --- |
//! | rollback, as SQLite comes | 8 | 50,248 | 226,816 |
//! | write-ahead log, copied back after 64 pages | 3 | 16,480 | 131,973 |
//! | the same with pages of 1 KiB, and the index of the log keeps its blocks | 3 | 4,192 | 49,616 |
//!
//! The last is what is done here: the log stays when a run closes the file, and is copied back about every 16th
//! run. Each commit is one fsync of the log (`synchronous = FULL`: a power cut after it takes nothing), and the third is
//! the folder's, which SQLite syncs when it has opened the log. And in this mode readers never hold a writer up.
//! `fdatasync(2)` leaves out the time of the last write. Of the rest, 18 KB are of ext4's own journal, 4 KiB its inode, and
//! the others the log and its index: a file in which 80 bytes are replaced and synced costs 20,480 bytes.
//!
//! Nothing here ends a run. A store in trouble is logged in one line and the run goes on without.

mod backlog;
mod boot;
mod diagnosis;
mod expiry;
mod files;
mod guard;
mod history;
mod holder;
mod lock;
mod mapping;
mod recover;
mod renewal;
mod rows;
mod schema;
mod sent;
mod verification;

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

pub use self::backlog::AT_ONCE;
pub use self::boot::BootClock;
use self::boot::{Known, Newest};
pub use self::history::{History, PassedOver, PastRun, Sample, Selection, Unfinished};
pub use self::holder::Holder;
pub use self::lock::Lock;
use self::renewal::Renewed;
pub use self::renewal::damaged_copies;
use self::rows::{insert, json, moment_of, note_alert};
use self::schema::Trouble;
pub use self::sent::{FailedRunsBetween, SentIndex, SentReading};
pub use self::verification::{Verdict, Verification};
use crate::clock::{Moment, millis};
use crate::failure::Tally;
use crate::reading::Reading;

/// `[store]`
#[derive(Clone, Debug)]
pub struct Settings {
    /// The SQLite file.
    pub path: PathBuf,
    /// How long delivered readings stay.
    pub keep: Duration,
    /// How many undelivered readings stay at most.
    pub backlog: u32,
    /// For so long after the boot, readings are kept and not sent while the clock is not synchronised.
    pub wait_for_clock: Duration,
}

/// A reading with all that is kept of it.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The values, calibrated.
    pub reading: Reading,
    /// When it was taken.
    pub taken: Moment,
    /// Label or IIO name.
    pub sensor: String,
    /// Where the sensor hangs, if `sensor` does not tell it from all others.
    pub place: Option<String>,
    /// The tries before it that failed.
    pub failures: Tally,
    /// How many tries it took.
    pub attempts: u32,
}

/// A reading that waits to be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Where it is kept.
    pub id: i64,
    /// The values, calibrated.
    pub reading: Reading,
    /// When it was taken.
    pub taken: Moment,
    /// What is known of the clock in the boot it was taken in, if that was another one than this.
    pub clock: Option<BootClock>,
}

impl Waiting {
    /// When it was taken, in ms since the epoch, as far as that is known `now`.
    #[must_use]
    pub fn taken_ms(&self, now: &Moment) -> i64 {
        match self.clock {
            Some(clock) if !now.is_of_the_boot_of(&self.taken) => {
                clock.wall_ms_of(self.taken.wall_ms, self.taken.boot_ms)
            }
            _ => now.wall_ms_of(&self.taken),
        }
    }
}

/// A reading that was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Where it is kept, if it could be.
    pub id: Option<i64>,
    /// When it really was taken, in ms since the epoch.
    pub taken_ms: i64,
}

/// A reading that could not be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// Where it is kept, if it could be.
    pub id: Option<i64>,
    /// Why.
    pub reason: String,
    /// Focus delivered another one in the same run, so that it is this one that it does not take.
    pub refused: bool,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct RunEnd {
    /// When.
    pub at: Moment,
    /// With which exit status.
    pub status: u8,
    /// Whether it raised the alert or called it off; none: it did neither.
    pub alert_raised: Option<bool>,
}

/// What an alert depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedRuns {
    /// How many runs in a row failed, without the one under way.
    pub in_a_row: u32,
    /// An alert was raised and not called off.
    pub alert_raised: bool,
}

/// The store of a run, as long as it works.
#[derive(Debug)]
pub struct Store {
    settings: Settings,
    /// Whose runs these are (`/etc/machine-id`); empty if that is not known.
    machine: String,
    db: Option<Connection>,
    /// The newest reading before this run's, once it was looked up.
    newest: Option<Newest>,
    /// How many readings wait, once this run's was kept.
    waiting: Option<u32>,
    given_up: bool,
}

impl Store {
    /// The store with these settings. Its file is opened, or made, when it is first needed.
    #[must_use]
    pub fn new(settings: &Settings) -> Store {
        let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default().trim().to_owned();
        Store { settings: settings.clone(), machine, db: None, newest: None, waiting: None, given_up: false }
    }

    /// The newest reading of the sensor with this name and place, as it is kept, if it is not older than `age`.
    pub fn newest(
        &mut self,
        (sensor, place): (&str, Option<&str>),
        now: &Moment,
        age: Duration,
    ) -> Option<Reading> {
        let (newest, of_sensor) = self.work(|db| {
            // Bounded: a new sensor in an old store must not cost a look at all of it.
            let mut all = db.prepare(
                "SELECT id, taken_ms, boot_ms, boot_id, temperature_mdegc, humidity_mpercent, sensor, place
                 FROM reading ORDER BY id DESC LIMIT 64",
            )?;
            let mut rows = all.query([])?;
            let mut newest = None;
            while let Some(row) = rows.next()? {
                let taken = moment_of(row)?;
                if newest.is_none() {
                    newest = Some((row.get(0)?, taken.clone()));
                }
                let whose: (String, Option<String>) = (row.get(6)?, row.get(7)?);
                if (whose.0.as_str(), whose.1.as_deref()) == (sensor, place) {
                    let reading = Reading { temperature_mdegc: row.get(4)?, humidity_mpercent: row.get(5)? };
                    return Ok((newest, Some((reading, taken))));
                }
            }
            Ok((newest, None))
        })?;
        self.newest = Some(newest);
        let (reading, taken) = of_sensor?;
        (0..=millis(age)).contains(&now.since(&taken)).then_some(reading)
    }

    /// Commits a reading, and drops what is over the limits. Returns its id.
    pub fn keep(&mut self, new: &Kept) -> Option<i64> {
        let Settings { keep, backlog: limit, .. } = self.settings;
        let machine = &self.machine.clone();
        let mut newest = self.newest.take();
        let (id, dropped, foreign, waiting) = self.work(|db| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // Only the first time: then it may be another file.
            let known = note_time(&transaction, &new.taken, keep, newest.take())?;
            let foreign = boot::note_machine(&transaction, &known, machine)?;
            // Only a file that this program did not write has such a number.
            if known.newest_id() == i64::MAX {
                return Err(rusqlite::Error::IntegralValueOutOfRange(0, i64::MAX));
            }
            let id = insert(&transaction, new)?;
            expiry::expire(&transaction, id, &known, &new.taken, keep)?;
            transaction.execute("INSERT INTO backlog (id) VALUES (?1)", [id])?;
            let waiting = known.waiting.saturating_add(1);
            let over = waiting.saturating_sub(limit);
            if over > 0 {
                backlog::drop_oldest(&transaction, over)?;
            }
            transaction.commit()?;
            Ok((id, over, foreign, waiting - over))
        })?;
        self.waiting = Some(waiting);
        if dropped > 0 {
            log::warn!(
                "dropped={dropped}: the backlog is full, its oldest readings are lost (limit {limit})"
            );
        }
        if foreign > 0 {
            log::warn!(
                "{foreign} undelivered readings in {} are another machine's and are not sent: this store was copied; \
                 iio-focus export shows them",
                self.settings.path.display()
            );
        }
        Some(id)
    }

    /// The oldest undelivered readings after this id, at most 64. `run` is the reading of this run.
    pub fn oldest_after(&mut self, id: i64, run: i64) -> Vec<Waiting> {
        let first = id == 0;
        if first && self.waiting == Some(1) {
            return Vec::new();
        }
        self.work(|db| {
            if first {
                backlog::unpark(db, run)?;
            }
            backlog::oldest_after(db, id)
        })
        .unwrap_or_default()
    }

    /// Commits that these were delivered, before the run ends. Returns whether that could be done.
    pub fn mark(&mut self, delivered: &[Delivered], now: &Moment) -> bool {
        let marked = self.work(|db| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            backlog::mark(&transaction, delivered, now, None)?;
            transaction.commit()
        });
        self.waiting = marked.and_then(|()| left(self.waiting, delivered));
        marked.is_some()
    }

    /// Commits how the deliveries went that were not marked yet, and how the run ended, which took the reading with this
    /// id. Returns how many readings are left to deliver.
    pub fn settle(
        &mut self,
        id: Option<i64>,
        delivered: &[Delivered],
        undelivered: &[Undelivered],
        end: &RunEnd,
    ) -> Option<u32> {
        let left = left(self.waiting, delivered);
        self.work(|db| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if !delivered.is_empty() {
                backlog::mark(&transaction, delivered, &end.at, id.map(|id| (id, end.status)))?;
            }
            if delivered.iter().all(|one| one.id != id) {
                transaction
                    .execute("UPDATE reading SET status = ?2 WHERE id = ?1", params![id, end.status])?;
            }
            backlog::note_undelivered(&transaction, id.unwrap_or(0), undelivered)?;
            note_alert(&transaction, end)?;
            let left = left.map_or_else(|| backlog::count(&transaction), Ok)?;
            transaction.commit()?;
            Ok(left)
        })
    }

    /// Commits that a run took no reading: its tries of the sensor, and what the log says of it.
    pub fn miss(&mut self, end: &RunEnd, failures: &Tally, error: &str) {
        let keep = self.settings.keep;
        self.work(|db| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let known = note_time(&transaction, &end.at, keep, None)?;
            transaction.execute(
                "INSERT INTO miss (ended_ms, boot_ms, boot_id, after_id, attempts, failures, status, error)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    end.at.wall_ms,
                    end.at.boot_ms,
                    end.at.boot_id,
                    known.newest_id(),
                    failures.total(),
                    json(failures),
                    end.status,
                    error
                ],
            )?;
            expiry::expire(&transaction, transaction.last_insert_rowid(), &known, &end.at, keep)?;
            note_alert(&transaction, end)?;
            transaction.commit()
        });
    }

    /// How many runs in a row ended with this status, or took no reading, before this one, and whether that was told.
    /// Runs that a signal or a power cut ended are neither good nor bad.
    pub fn failed_runs(&mut self, not_delivered: u8) -> Option<FailedRuns> {
        self.work(|db| {
            let good: Option<i64> = db
                .query_row("SELECT id FROM reading WHERE status = 0 ORDER BY id DESC LIMIT 1", [], |row| {
                    row.get(0)
                })
                .optional()?;
            db.query_row(
                "SELECT (SELECT count(*) FROM reading WHERE id > ?1 AND status = ?2)
                      + (SELECT count(*) FROM miss WHERE after_id >= ?1),
                        EXISTS (SELECT 1 FROM alert)",
                params![good.unwrap_or(0), not_delivered],
                |row| Ok(FailedRuns { in_a_row: row.get(0)?, alert_raised: row.get(1)? }),
            )
        })
    }

    /// Does something with the database. A file that is damaged, also when it is looked at again, is set aside and
    /// a new one begun. In any other trouble, the run goes on without a store.
    fn work<T>(&mut self, mut job: impl FnMut(&mut Connection) -> rusqlite::Result<T>) -> Option<T> {
        let mut damaged = 0;
        while !self.given_up {
            let done = self.connected().and_then(|db| job(db).map_err(Trouble::from));
            match if mapping::is_cut_off() { Err(Trouble::CutOff) } else { done } {
                Ok(done) => return Some(done),
                Err(trouble) => {
                    (self.db, self.waiting) = (None, None);
                    damaged += u32::from(trouble.is_damage());
                    match damaged {
                        // What could not be read once may be whole.
                        1 => {}
                        2 => self.renew(&trouble),
                        _ => self.give_up(&diagnosis::diagnose(&trouble, &self.settings.path).to_string()),
                    }
                }
            }
        }
        None
    }

    fn connected(&mut self) -> Result<&mut Connection, Trouble> {
        let db = match self.db.take() {
            Some(db) => db,
            None => schema::connect(&self.settings.path)?,
        };
        Ok(self.db.insert(db))
    }

    /// Sets the damaged file aside and begins a new one with what can be read of its backlog.
    fn renew(&mut self, damage: &Trouble) {
        let path = &self.settings.path;
        match renewal::renew(path, self.settings.backlog) {
            Err(trouble) => {
                let why = diagnosis::diagnose(&trouble, path);
                self.give_up(&format!("{damage}, and no new one can be begun: {why}"));
            }
            Ok(Renewed { aside, taken_over, removed }) => {
                let older =
                    if removed > 0 { format!("; removed={removed} older ones") } else { String::new() };
                log::warn!(
                    "the store {} cannot be used: {damage}; it was set aside as {} and a new one begun; \
                     undelivered readings taken over from it: {taken_over}{older}",
                    path.display(),
                    aside.display()
                );
            }
        }
    }

    fn give_up(&mut self, why: &str) {
        self.given_up = true;
        log::warn!(
            "the store {} cannot be used: {why}; this run goes on without",
            self.settings.path.display()
        );
    }
}

/// Notes what this moment tells of the clock. Returns what was known before.
fn note_time(
    db: &Connection,
    now: &Moment,
    keep: Duration,
    newest: Option<Newest>,
) -> rusqlite::Result<Known> {
    let known = Known::read(db, now, newest)?;
    boot::note_clock(db, &known, now)?;
    expiry::note_leap(db, &known, now, keep)?;
    Ok(known)
}

/// How many wait when these were delivered, which all waited.
fn left(waiting: Option<u32>, delivered: &[Delivered]) -> Option<u32> {
    waiting.map(|waiting| waiting.saturating_sub(u32::try_from(delivered.len()).unwrap_or(u32::MAX)))
}
