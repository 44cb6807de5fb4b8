//! What the commands see of the store: they only read it.

use std::collections::HashMap;
use std::path::Path;

use nix::sys::statvfs::{FsFlags, statvfs};
use rusqlite::types::{FromSqlError, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row};

use super::backlog;
use super::boot::BootClock;
use super::files::{check_kind, with_suffix};
use super::mapping;
use super::rows::reading_of;
use super::schema::{self, Trouble};
use crate::clock::Moment;
use crate::error::{Error, Exit, Problem};
use crate::failure::Tally;
use crate::reading::Reading;

/// The store, open for reading.
///
/// Times are in ms since the epoch, as far as they are known now: what was kept before the clock was set, in this boot
/// or in an earlier one, has the time that the boot clock gives it.
#[derive(Debug)]
pub struct History {
    pub(super) db: Connection,
    now: Moment,
    boots: HashMap<String, BootClock>,
}

/// One kept reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it was taken, in ms since the epoch.
    pub at_ms: i64,
    /// Whether that time is known: the clock was synchronised in that boot, or an earlier version kept the reading.
    pub time_certain: bool,
    /// The values, calibrated.
    pub reading: Reading,
    /// The sensor's label, or its IIO or hwmon name.
    pub sensor: String,
    /// Where it hangs, if that was kept.
    pub place: Option<String>,
    /// How many tries it took.
    pub attempts: u32,
    /// When it was delivered, in ms since the epoch; none: it waits.
    pub delivered_ms: Option<i64>,
}

/// One run that came to its end, or was ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastRun {
    /// When, in ms since the epoch.
    pub at_ms: i64,
    /// How many tries of the sensor it made.
    pub attempts: u32,
    /// Those that failed.
    pub failures: Tally,
    /// Its exit status; none: it was killed, or the power went, or it is under way.
    pub status: Option<u8>,
    /// What was wrong, as the log said it.
    pub error: Option<String>,
}

impl PastRun {
    /// It took a reading and delivered it, or keeps it until the clock is synchronised.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.status == Some(Exit::Success.status())
    }
}

/// A run that took a reading and did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// The id of its reading.
    pub id: i64,
    /// When that was taken.
    pub taken: Moment,
}

/// Readings that are passed over for now.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PassedOver {
    /// How many focus refused several times.
    pub refused: u32,
    /// Why it refused the oldest of them.
    pub reason: Option<String>,
    /// How many another machine took.
    pub foreign: u32,
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
        if let Err(error) = path.symlink_metadata() {
            return Err(Error::Store(match error.kind() {
                std::io::ErrorKind::NotFound => cannot("it is not there, so no run has kept anything yet"),
                _ => Problem::file("read the store", path, &error),
            }));
        }
        open(path, now).map_err(|trouble| {
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
        let text =
            format!("SELECT {SAMPLE} FROM reading WHERE ?1 IS NULL OR ?1 IN (sensor, place) ORDER BY id");
        let (since, until) = (selection.since_ms.unwrap_or(i64::MIN), selection.until_ms.unwrap_or(i64::MAX));
        let mut statement = self.db.prepare(&text).map_err(unreadable)?;
        let mut rows = statement.query([selection.sensor]).map_err(unreadable)?;
        while let Some(row) = rows.next().map_err(unreadable)? {
            let time = self.time_of(row).map_err(unreadable)?;
            if (since..until).contains(&time.0) {
                each(sample(row, time).map_err(unreadable)?)?;
            }
        }
        Ok(())
    }

    /// The newest reading, if there is one: the last that was taken, whatever the clock said.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub fn newest(&self) -> Result<Option<Sample>, Error> {
        let newest = format!("SELECT {SAMPLE} FROM reading ORDER BY id DESC LIMIT 1");
        self.db.query_row(&newest, [], |row| sample(row, self.time_of(row)?)).optional().map_err(unreadable)
    }

    /// When the last delivery was, in ms since the epoch, if there was one.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub fn last_delivery_ms(&self) -> Result<Option<i64>, Error> {
        let last = "SELECT delivered_ms FROM reading WHERE delivered_ms IS NOT NULL ORDER BY id DESC LIMIT 1";
        self.db.query_row(last, [], |row| row.get(0)).optional().map_err(unreadable)
    }

    /// How many readings wait to be delivered, those that are passed over among them.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub fn backlog(&self) -> Result<u32, Error> {
        backlog::count(&self.db).map_err(unreadable)
    }

    /// Which readings of the backlog are passed over.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub fn passed_over(&self) -> Result<PassedOver, Error> {
        let text = "SELECT count(*) FILTER (WHERE machine IS NULL), count(*) FILTER (WHERE machine IS NOT NULL),
                           (SELECT reason FROM parked JOIN reading USING (id) WHERE machine IS NULL ORDER BY id LIMIT 1)
                    FROM parked";
        let passed_over = |row: &Row<'_>| {
            Ok(PassedOver { refused: row.get(0)?, foreign: row.get(1)?, reason: row.get(2)? })
        };
        self.db.query_row(text, [], passed_over).map_err(unreadable)
    }

    /// When the oldest reading was taken that waits for delivery, in ms since the epoch. Those of another machine do not
    /// count: they are never sent.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub fn oldest_waiting_ms(&self) -> Result<Option<i64>, Error> {
        let oldest = "SELECT taken_ms, boot_ms, boot_id FROM reading
                      WHERE id IN (SELECT min(id) FROM backlog
                                   UNION ALL SELECT min(id) FROM parked WHERE machine IS NULL)
                      ORDER BY id LIMIT 1";
        let at_ms = |row: &Row<'_>| Ok(self.time_of(row)?.0);
        self.db.query_row(oldest, [], at_ms).optional().map_err(unreadable)
    }

    /// The last run, if it took a reading and did not come to its end: it was killed, or it is under way.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub fn unfinished(&self) -> Result<Option<Unfinished>, Error> {
        let last = "SELECT * FROM reading
                    WHERE id = (SELECT max(id) FROM reading) AND status IS NULL
                      AND NOT EXISTS (SELECT 1 FROM miss WHERE after_id >= reading.id)";
        let unfinished = |row: &Row<'_>| Ok(Unfinished { id: row.get("id")?, taken: reading_of(row)?.1 });
        self.db.query_row(last, [], unfinished).optional().map_err(unreadable)
    }

    /// All runs since then (in ms since the epoch), in the order they were made.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub fn runs(&self, since_ms: i64) -> Result<Vec<PastRun>, Error> {
        let mut runs = Vec::new();
        self.for_each_run(|run, _| runs.extend(Some(run).filter(|run| run.at_ms >= since_ms)))?;
        Ok(runs)
    }

    /// Shows every run, in the order they were made, with the id of its reading if it took one.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub fn for_each_run(&self, mut each: impl FnMut(PastRun, Option<i64>)) -> Result<(), Error> {
        let mut all = || -> rusqlite::Result<()> {
            let mut misses = self.db.prepare(
                "SELECT ended_ms, boot_ms, boot_id, after_id, attempts, failures, status, error FROM miss
                 ORDER BY after_id, id",
            )?;
            let mut misses = misses.query([])?;
            let mut readings = self.db.prepare(
                "SELECT taken_ms, boot_ms, boot_id, id, attempts, failures, status, reason FROM reading ORDER BY id",
            )?;
            let mut readings = readings.query([])?;
            let mut miss = misses.next()?;
            while let Some(reading) = readings.next()? {
                let id = reading.get(3)?;
                // A run without a reading comes after the newest reading that it saw.
                while let Some(row) = miss {
                    if row.get::<_, i64>(3)? >= id {
                        break;
                    }
                    each(self.run(row)?, None);
                    miss = misses.next()?;
                }
                each(self.run(reading)?, Some(id));
            }
            while let Some(row) = miss {
                each(self.run(row)?, None);
                miss = misses.next()?;
            }
            Ok(())
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

    /// When something was that a row begins with: wall clock, boot clock, boot. And whether that is certain.
    fn time_of(&self, row: &Row<'_>) -> rusqlite::Result<(i64, bool)> {
        let (wall_ms, boot_ms) = (row.get(0)?, row.get(1)?);
        let boot_id = match row.get_ref(2)? {
            ValueRef::Text(text) => std::str::from_utf8(text).unwrap_or_default(),
            _ => return Err(FromSqlError::InvalidType.into()),
        };
        let known = self.boots.get(boot_id);
        let certain = known.is_none_or(|boot| boot.certain);
        if boot_id == self.now.boot_id && !boot_id.is_empty() {
            let now = BootClock { offset_ms: self.now.wall_ms.saturating_sub(self.now.boot_ms), certain };
            return Ok((now.wall_ms_of(wall_ms, boot_ms), certain || self.now.synchronised));
        }
        Ok((known.map_or(wall_ms, |boot| boot.wall_ms_of(wall_ms, boot_ms)), certain))
    }

    fn run(&self, row: &Row<'_>) -> rusqlite::Result<PastRun> {
        let failures: Option<String> = row.get(5)?;
        let failures: serde_json::Map<String, serde_json::Value> =
            failures.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let mut counted = Tally::default();
        for (name, times) in failures {
            counted.add(name, times.as_u64().and_then(|times| u32::try_from(times).ok()).unwrap_or(0));
        }
        Ok(PastRun {
            at_ms: self.time_of(row)?.0,
            attempts: row.get(4)?,
            failures: counted,
            status: row.get(6)?,
            error: row.get(7)?,
        })
    }
}

/// A row, and what [`History::time_of`] says of it.
fn sample(row: &Row<'_>, (at_ms, time_certain): (i64, bool)) -> rusqlite::Result<Sample> {
    Ok(Sample {
        at_ms,
        time_certain,
        reading: Reading { temperature_mdegc: row.get(3)?, humidity_mpercent: row.get(4)? },
        sensor: row.get(5)?,
        place: row.get(8)?,
        attempts: row.get(6)?,
        delivered_ms: row.get(7)?,
    })
}

fn open(path: &Path, now: &Moment) -> Result<History, Trouble> {
    mapping::protect();
    check_kind(&path.symlink_metadata().map_err(Trouble::Files)?)?;
    let db = match connect(path, OpenFlags::empty()) {
        // The log's index cannot be made or written, as on a full disk or on one that is read-only.
        Err(Trouble::Sqlite(error)) if is_refusal(&error) => {
            connect(without_index(path).as_ref(), OpenFlags::SQLITE_OPEN_URI)?
        }
        opened => opened?,
    };
    let boots = db
        .prepare("SELECT boot_id, offset_ms, certain FROM boot")?
        .query_map([], |row| Ok((row.get(0)?, BootClock { offset_ms: row.get(1)?, certain: row.get(2)? })))?
        .collect::<Result<_, _>>()?;
    Ok(History { db, now: now.clone(), boots })
}

fn connect(path: &Path, more: OpenFlags) -> Result<Connection, Trouble> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let db = schema::open(path, flags)?;
    db.busy_timeout(schema::BUSY)?;
    schema::check(&db)?;
    Ok(db)
}

fn is_refusal(error: &rusqlite::Error) -> bool {
    use ErrorCode::{CannotOpen, DiskFull, ReadOnly, SystemIoFailure};
    matches!(error.sqlite_error_code(), Some(CannotOpen | DiskFull | ReadOnly | SystemIoFailure))
}

/// The address of the store for a reader that writes nothing, and makes the log's index in its memory if no run has it
/// open (`sqlite.org/walformat.html`, `sqlite.org/uri.html`). It is no way for every reader: while a run is under way, it
/// can show what was there a little earlier.
fn without_index(path: &Path) -> String {
    // Where nobody can write and there is no log, the file alone is the store.
    let read_only = statvfs(path).is_ok_and(|disk| disk.flags().contains(FsFlags::ST_RDONLY));
    let is_all = read_only && !with_suffix(path, "-wal").exists();
    let how = if is_all { "immutable=1" } else { "readonly_shm=1" };
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("file:{path}?{how}")
}

/// What SQLite said while the store was read.
pub(super) fn unreadable(error: rusqlite::Error) -> Error {
    Error::Store(Problem::new(format!("cannot read the store: {}", Trouble::from(error))))
}

/// What a sample is made of, by place: looking each up by its name costs as much as reading it.
const SAMPLE: &str =
    "taken_ms, boot_ms, boot_id, temperature_mdegc, humidity_mpercent, sensor, attempts, delivered_ms, place";
