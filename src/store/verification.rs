//! What became of the last verifications, and readings that go back into the backlog.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

use super::history::{History, unreadable};
use super::{Store, backlog};
use crate::error::Error;

/// How many verifications are kept.
const KEPT: i64 = 100;

/// What a verification came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
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
    /// As it is printed.
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
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
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
        let text = "SELECT found FROM verification ORDER BY id DESC LIMIT 1";
        let found: Option<String> =
            self.db.query_row(text, [], |row| row.get(0)).optional().map_err(unreadable)?;
        // One that cannot be read says as much as none.
        Ok(found.and_then(|found| serde_json::from_str(&found).ok()))
    }
}

impl Store {
    /// Keeps what a verification came to.
    pub fn note_verification(&mut self, new: &Verification) {
        let found = serde_json::to_string(new).unwrap_or_default();
        self.work(|db| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute("INSERT INTO verification (found) VALUES (?1)", [&found])?;
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
