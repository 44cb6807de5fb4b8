//! What became of the last verifications, and readings that go back into the backlog.

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use super::history::{History, unreadable};
use super::{Store, backlog};
use crate::error::Error;

/// How many verifications are kept.
const KEPT: i64 = 100;

/// What a verification came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All readings arrived.
    Ok,
    /// Those that were sent arrived, and others wait.
    Waiting,
    /// Some are missing.
    Missing,
    /// Something is wrong that sending them again does not mend.
    Wrong,
    /// WhaTap could not be asked.
    Unknown,
}

impl Verdict {
    /// All of them.
    const ALL: [Verdict; 5] =
        [Verdict::Ok, Verdict::Waiting, Verdict::Missing, Verdict::Wrong, Verdict::Unknown];

    /// As it is printed and kept.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Waiting => "waiting",
            Verdict::Missing => "missing",
            Verdict::Wrong => "wrong",
            Verdict::Unknown => "unknown",
        }
    }
}

/// One verification. Times are in ms since the epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// When WhaTap was asked.
    pub at_ms: i64,
    /// From when on readings were judged.
    pub since_ms: i64,
    /// Until when.
    pub until_ms: i64,
    /// What came of it.
    pub verdict: Verdict,
    /// Readings of the period.
    pub taken: u32,
    /// Those that WhaTap has.
    pub arrived: u32,
    /// Those that were not sent yet.
    pub waiting: u32,
    /// Those that were sent and that it does not have.
    pub missing: u32,
    /// Samples that are a second one of a reading.
    pub twice: u32,
    /// Samples that are no reading of this store.
    pub not_ours: u32,
    /// Readings that went back into the backlog.
    pub requeued: u32,
    /// What was printed in one line.
    pub why: String,
    /// An alert about it is raised and not called off.
    pub alerted: bool,
}

impl History {
    /// The last verification, if there was one.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub fn last_verification(&self) -> Result<Option<Verification>, Error> {
        let text =
            "SELECT at_ms, since_ms, until_ms, verdict, taken, arrived, waiting, missing, twice, not_ours,
                           requeued, why, alerted FROM verification ORDER BY id DESC LIMIT 1";
        self.db.query_row(text, [], verification).optional().map_err(unreadable)
    }
}

impl Store {
    /// Keeps what a verification came to.
    pub fn note_verification(&mut self, new: &Verification) {
        self.work(|db| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute(
                "INSERT INTO verification (at_ms, since_ms, until_ms, verdict, taken, arrived, waiting, missing,
                                           twice, not_ours, requeued, why, alerted)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
                params![
                    new.at_ms,
                    new.since_ms,
                    new.until_ms,
                    new.verdict.name(),
                    new.taken,
                    new.arrived,
                    new.waiting,
                    new.missing,
                    new.twice,
                    new.not_ours,
                    new.requeued,
                    new.why,
                    new.alerted
                ],
            )?;
            transaction.execute("DELETE FROM requeued WHERE id NOT IN (SELECT id FROM reading)", [])?;
            transaction.execute(
                "DELETE FROM verification WHERE id <= (SELECT max(id) FROM verification) - ?1",
                [KEPT],
            )?;
            transaction.commit()
        });
    }

    /// Puts delivered readings back into the backlog, the first ones first, each at most `most` times in its life, and
    /// only so many that nothing else is dropped from the backlog. Returns how many.
    pub fn requeue(&mut self, ids: &[i64], most: u32) -> Option<u32> {
        let limit = self.settings.backlog;
        self.work(|db| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // The next run's own reading needs a place, too.
            let room = limit.saturating_sub(backlog::count(&transaction)?).saturating_sub(1);
            let done = put_back(&transaction, ids, most, room)?;
            transaction.commit()?;
            Ok(done)
        })
    }
}

/// Puts at most `room` of these readings back, each at most `most` times in its life.
fn put_back(db: &Connection, ids: &[i64], most: u32, room: u32) -> rusqlite::Result<u32> {
    let mut leave = db.prepare(
        "UPDATE reading SET delivered_ms = NULL, reason = 'WhaTap does not have it'
         WHERE id = ?1 AND delivered_ms IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM requeued WHERE requeued.id = ?1 AND times >= ?2)",
    )?;
    let mut count = db.prepare(
        "INSERT INTO requeued (id, times) VALUES (?1, 1) ON CONFLICT (id) DO UPDATE SET times = times + 1",
    )?;
    let mut wait = db.prepare("INSERT OR IGNORE INTO backlog (id) VALUES (?1)")?;
    let mut done = 0;
    for id in ids {
        if done == room {
            break;
        }
        // A run can have changed it since it was looked at.
        if leave.execute(params![id, most])? > 0 {
            wait.execute([id])?;
            count.execute([id])?;
            done += 1;
        }
    }
    Ok(done)
}

fn verification(row: &Row<'_>) -> rusqlite::Result<Verification> {
    let verdict: String = row.get(3)?;
    let verdict = Verdict::ALL.into_iter().find(|known| known.name() == verdict);
    Ok(Verification {
        at_ms: row.get(0)?,
        since_ms: row.get(1)?,
        until_ms: row.get(2)?,
        verdict: verdict.unwrap_or(Verdict::Unknown),
        taken: row.get(4)?,
        arrived: row.get(5)?,
        waiting: row.get(6)?,
        missing: row.get(7)?,
        twice: row.get(8)?,
        not_ours: row.get(9)?,
        requeued: row.get(10)?,
        why: row.get(11)?,
        alerted: row.get(12)?,
    })
}
