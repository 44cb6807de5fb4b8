//! What `verify` sees of the store: the readings of a period as they were sent, a window at a time.

use rusqlite::{OptionalExtension, Row, params};

use super::history::{History, unreadable};
use crate::error::Error;
use crate::reading::Reading;

/// How many rows are one entry of the index.
const ROWS: usize = 4096;

/// A reading as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentReading {
    /// Where it is kept.
    pub id: i64,
    /// When it was taken, in ms since the epoch: mended when it was delivered.
    pub taken_ms: i64,
    /// When it was delivered, in ms since the epoch; none: it waits.
    pub delivered_ms: Option<i64>,
    /// With which exit status its run ended; none: it did not come to its end.
    pub status: Option<u8>,
    /// When the next one was taken, in ms since the epoch.
    pub next_taken_ms: Option<i64>,
    /// The values, calibrated.
    pub reading: Reading,
    /// How often it was put back into the backlog.
    pub requeued: u32,
}

/// Where in the store which times are. The readings are in the order in which they were taken, and their times mostly are,
/// but the clock can be set; an index in the file would cost each run something.
#[derive(Debug)]
pub struct SentIndex(Vec<Part>);

#[derive(Debug)]
struct Part {
    first_id: i64,
    last_id: i64,
    oldest_ms: i64,
    newest_ms: i64,
}

/// What the store says went wrong between two readings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedRunsBetween {
    /// How many runs failed.
    pub runs: u32,
    /// With which exit status most of them ended; none: they were ended.
    pub status: Option<u8>,
    /// What was wrong in the last of these, if the store still says so.
    pub error: Option<String>,
}

impl SentIndex {
    /// When the oldest reading was taken, in ms since the epoch, if there is one.
    #[must_use]
    pub fn oldest_ms(&self) -> Option<i64> {
        self.0.iter().map(|part| part.oldest_ms).min()
    }
}

impl History {
    /// Looks at the times of all readings once.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub fn sent_index(&self) -> Result<SentIndex, Error> {
        let all = || -> rusqlite::Result<SentIndex> {
            let mut parts: Vec<Part> = Vec::new();
            let mut statement = self.db.prepare("SELECT id, taken_ms FROM reading ORDER BY id")?;
            let mut rows = statement.query([])?;
            let mut count = 0;
            while let Some(row) = rows.next()? {
                let (id, taken_ms) = (row.get(0)?, row.get(1)?);
                match parts.last_mut().filter(|_| count % ROWS != 0) {
                    None => {
                        parts.push(Part {
                            first_id: id,
                            last_id: id,
                            oldest_ms: taken_ms,
                            newest_ms: taken_ms,
                        });
                    }
                    Some(part) => {
                        part.last_id = id;
                        part.oldest_ms = part.oldest_ms.min(taken_ms);
                        part.newest_ms = part.newest_ms.max(taken_ms);
                    }
                }
                count += 1;
            }
            Ok(SentIndex(parts))
        };
        all().map_err(unreadable)
    }

    /// Whether a reading was taken from then until then, in ms since the epoch.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub fn has_readings(&self, since_ms: i64, until_ms: i64) -> Result<bool, Error> {
        let text = "SELECT EXISTS (SELECT 1 FROM reading WHERE taken_ms >= ?1 AND taken_ms < ?2)";
        self.db.query_row(text, [since_ms, until_ms], |row| row.get(0)).map_err(unreadable)
    }

    /// The readings that were taken from then until then, in ms since the epoch. Those that another machine took and did
    /// not deliver are left out: they are not sent.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub fn sent(&self, index: &SentIndex, since_ms: i64, until_ms: i64) -> Result<Vec<SentReading>, Error> {
        let all = || -> rusqlite::Result<Vec<SentReading>> {
            let mut statement = self.db.prepare(
                "SELECT id, taken_ms, delivered_ms, status, temperature_mdegc, humidity_mpercent,
                        (SELECT times FROM requeued WHERE requeued.id = this.id),
                        (SELECT taken_ms FROM reading next WHERE next.id > this.id ORDER BY next.id LIMIT 1)
                 FROM reading this
                 WHERE id BETWEEN ?1 AND ?2 AND taken_ms >= ?3 AND taken_ms < ?4
                   AND NOT (delivered_ms IS NULL
                            AND EXISTS (SELECT 1 FROM parked WHERE parked.id = this.id AND machine IS NOT NULL))",
            )?;
            let mut found = Vec::new();
            for part in index.0.iter().filter(|part| part.newest_ms >= since_ms && part.oldest_ms < until_ms)
            {
                let range = params![part.first_id, part.last_id, since_ms, until_ms];
                for reading in statement.query_map(range, sent_reading)? {
                    found.push(reading?);
                }
            }
            Ok(found)
        };
        all().map_err(unreadable)
    }

    /// Which runs failed from this reading until that one, if any did: what most of them ended with.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub fn failed_runs_between(
        &self,
        first_id: i64,
        last_id: i64,
    ) -> Result<Option<FailedRunsBetween>, Error> {
        let text = "SELECT count(*), status, max(error) FROM (
                        SELECT status, reason AS error FROM reading WHERE id BETWEEN ?1 AND ?2
                        UNION ALL SELECT status, error FROM miss WHERE after_id BETWEEN ?1 AND ?2)
                    WHERE status IS NOT 0 GROUP BY status ORDER BY count(*) DESC LIMIT 1";
        let failed = |row: &Row<'_>| {
            Ok(FailedRunsBetween { runs: row.get(0)?, status: row.get(1)?, error: row.get(2)? })
        };
        self.db.query_row(text, [first_id, last_id], failed).optional().map_err(unreadable)
    }
}

fn sent_reading(row: &Row<'_>) -> rusqlite::Result<SentReading> {
    Ok(SentReading {
        id: row.get(0)?,
        taken_ms: row.get(1)?,
        delivered_ms: row.get(2)?,
        status: row.get(3)?,
        reading: Reading { temperature_mdegc: row.get(4)?, humidity_mpercent: row.get(5)? },
        requeued: row.get::<_, Option<u32>>(6)?.unwrap_or(0),
        next_taken_ms: row.get(7)?,
    })
}
