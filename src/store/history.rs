//! What the commands see of the store: they only read it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};

use super::schema::{self, Trouble};
use super::waiting;
use crate::clock::{CLOCK_SET_MS, Moment};
use crate::error::{Error, Exit, Problem};
use crate::failure::Tally;
use crate::reading::Reading;

/// The store, open for reading.
///
/// Times are what the wall clock says now, in ms since the epoch: one that was set later in this boot counts for what
/// was kept before, as it does for what is delivered.
#[derive(Debug)]
pub struct History {
    db: Connection,
}

/// One kept reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it was taken, in ms since the epoch.
    pub at_ms: i64,
    /// The values, calibrated.
    pub reading: Reading,
    /// The sensor's label or IIO name.
    pub sensor: String,
    /// How many tries it took.
    pub attempts: u32,
    /// When it was delivered, in ms since the epoch; none: it waits.
    pub delivered_ms: Option<i64>,
}

/// One run that came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastRun {
    /// When, in ms since the epoch.
    pub at_ms: i64,
    /// How many tries of the sensor it made.
    pub attempts: u32,
    /// Those that failed.
    pub failures: Tally,
    /// Its exit status; none: it was killed, or the power went.
    pub status: Option<u8>,
    /// What was wrong, as the log said it.
    pub error: Option<String>,
}

impl PastRun {
    /// It took a reading and delivered it.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.status == Some(Exit::Success.status())
    }
}

/// Which readings are asked for.
#[derive(Clone, Debug, Default)]
pub struct Selection<'a> {
    /// Not before, in ms since the epoch.
    pub since_ms: Option<i64>,
    /// Before, in ms since the epoch.
    pub until_ms: Option<i64>,
    /// Of this sensor alone.
    pub sensor: Option<&'a str>,
}

impl History {
    /// Opens the store at `path` for reading.
    ///
    /// # Errors
    /// [`Error::Store`] if there is none yet or it cannot be read, with what to do.
    pub fn open(path: &Path, now: &Moment) -> Result<History, Error> {
        let cannot = |why: &str| Problem::new(format!("cannot read the store {}: {why}", path.display()));
        if let Err(error) = path.metadata() {
            return Err(Error::Store(match error.kind() {
                std::io::ErrorKind::NotFound => cannot("it is not there, so no run has kept anything yet"),
                _ => Problem::file("read the store", path, &error),
            }));
        }
        let db = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        );
        db.map_err(Trouble::from)
            .and_then(|db| {
                db.busy_timeout(schema::BUSY)?;
                schema::check(&db)?;
                db.execute_batch(&views(now))?;
                Ok(History { db })
            })
            .map_err(|trouble| {
                let advice = "if it belongs to another user, try with sudo";
                Error::Store(cannot(&trouble.to_string()).advise(advice))
            })
    }

    /// Shows each reading of the selection, in the order they were taken, until `each` says no.
    ///
    /// # Errors
    /// [`Error::Store`], or what `each` said.
    pub fn samples(
        &self,
        selection: &Selection<'_>,
        mut each: impl FnMut(Sample) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let text = format!(
            "SELECT {SAMPLE} FROM sample
             WHERE at_ms >= ?1 AND at_ms < ?2 AND (?3 IS NULL OR sensor = ?3) ORDER BY id"
        );
        let (since, until) = (selection.since_ms.unwrap_or(i64::MIN), selection.until_ms.unwrap_or(i64::MAX));
        let mut statement = self.db.prepare(&text).map_err(unreadable)?;
        let mut rows = statement.query((since, until, selection.sensor)).map_err(unreadable)?;
        while let Some(row) = rows.next().map_err(unreadable)? {
            each(sample(row).map_err(unreadable)?)?;
        }
        Ok(())
    }

    /// The newest reading, if there is one.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub fn newest(&self) -> Result<Option<Sample>, Error> {
        let newest = format!("SELECT {SAMPLE} FROM sample ORDER BY id DESC LIMIT 1");
        self.db.query_row(&newest, [], sample).optional().map_err(unreadable)
    }

    /// When the last delivery was, in ms since the epoch, if there was one.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub fn last_delivery_ms(&self) -> Result<Option<i64>, Error> {
        self.db.query_row("SELECT max(delivered_ms) FROM reading", [], |row| row.get(0)).map_err(unreadable)
    }

    /// How many readings wait to be delivered.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub fn backlog(&self) -> Result<u32, Error> {
        waiting(&self.db).map_err(unreadable)
    }

    /// All runs since then (in ms since the epoch), the oldest first.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub fn runs(&self, since_ms: i64) -> Result<Vec<PastRun>, Error> {
        let all = || -> rusqlite::Result<Vec<PastRun>> {
            let mut statement = self.db.prepare("SELECT * FROM past WHERE at_ms >= ?1 ORDER BY at_ms")?;
            statement.query_map([since_ms], run)?.collect()
        };
        all().map_err(unreadable)
    }

    /// Whether every page of the file is what it should be; else what is wrong.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub fn integrity(&self) -> Result<Option<String>, Error> {
        let check = "PRAGMA integrity_check(1)";
        let verdict: String = self.db.query_row(check, [], |row| row.get(0)).map_err(unreadable)?;
        Ok((verdict != "ok").then_some(verdict))
    }
}

/// What SQLite said while the store was read.
fn unreadable(error: rusqlite::Error) -> Error {
    Error::Store(Problem::new(format!("cannot read the store: {error}")))
}

/// Readings and runs with the times that `now` makes of those of its own boot.
fn views(now: &Moment) -> String {
    let at = |wall: &str| {
        let mended = format!("(boot_ms + {})", now.wall_ms.saturating_sub(now.boot_ms));
        format!(
            "CASE WHEN boot_id = '{}' AND boot_id <> '' AND abs({mended} - {wall}) >= {CLOCK_SET_MS}
                  THEN {mended} ELSE {wall} END AS at_ms",
            now.boot_id.replace('\'', "''"),
        )
    };
    format!(
        "PRAGMA temp_store = MEMORY;
         CREATE TEMP VIEW sample AS
             SELECT id, {}, sensor, temperature_mdegc, humidity_mpercent, attempts, delivered_ms FROM reading;
         CREATE TEMP VIEW past AS SELECT {}, attempts, failures, status, error FROM run;",
        at("taken_ms"),
        at("ended_ms")
    )
}

/// What [`sample`] takes, by place: looking each up by its name costs as much as reading it.
const SAMPLE: &str = "at_ms, temperature_mdegc, humidity_mpercent, sensor, attempts, delivered_ms";

fn sample(row: &Row<'_>) -> rusqlite::Result<Sample> {
    Ok(Sample {
        at_ms: row.get(0)?,
        reading: Reading { temperature_mdegc: row.get(1)?, humidity_mpercent: row.get(2)? },
        sensor: row.get(3)?,
        attempts: row.get(4)?,
        delivered_ms: row.get(5)?,
    })
}

fn run(row: &Row<'_>) -> rusqlite::Result<PastRun> {
    let failures: Option<String> = row.get("failures")?;
    let failures: serde_json::Map<String, serde_json::Value> =
        failures.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let mut counted = Tally::default();
    for (name, times) in failures {
        counted.add(name, times.as_u64().and_then(|times| u32::try_from(times).ok()).unwrap_or(0));
    }
    Ok(PastRun {
        at_ms: row.get("at_ms")?,
        attempts: row.get("attempts")?,
        failures: counted,
        status: row.get("status")?,
        error: row.get("error")?,
    })
}
