//! What is kept until it is delivered, and the history: one SQLite file.
//!
//! A run commits twice: the reading before focus is started, and how it went at the end. On a card, what costs is
//! waiting for it (`fsync(2)`) and what is written to it. Measured per run, with `strace` (fsyncs, bytes to the
//! file, its log and its journal) and the kernel's accounting of all that goes to storage (mean of 64 runs):
//!
//! | journal | fsyncs | bytes | to storage |
//! | --- | --- | --- | --- |
//! | rollback, as SQLite comes | 8 | 50,248 | 65,664 |
//! | write-ahead log, copied back when the file is closed | 6 | 24,704 | 70,016 |
//! | write-ahead log, copied back after 64 pages | 3 | 16,480 | 54,912 |
//!
//! The last is what is done here: the log stays when a run closes the file, and is copied back about every 16th
//! run. Each commit is one fsync of the log (`synchronous = FULL`: a power cut after it takes nothing), and the third is
//! the folder's, which SQLite syncs when it has opened the log. And in this mode readers never hold a writer up.
//!
//! Nothing here ends a run. A store in trouble is logged in one line and the run goes on without.

use std::cmp::Ordering;
use std::fs::{self, File, OpenOptions};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::Signal;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, TransactionBehavior, params};

use crate::clock::Moment;
use crate::error::{Error, Exit, Problem, describe};
use crate::failure::Tally;
use crate::reading::Reading;

/// After how many pages the write-ahead log is copied back into the file.
const WAL_PAGES: u32 = 64;

/// How long another program's write may hold us up.
pub(crate) const BUSY: Duration = Duration::from_secs(1);

/// How many delivered readings that are too old go at most in one run, so that no run pays for many.
const EXPIRED_AT_ONCE: u32 = 16;

/// How many readings are taken from the backlog at once: to ask for one takes as long as to deliver it takes us.
const WAITING_AT_ONCE: u32 = 64;

/// What makes version n + 1 of the schema from version n; `user_version` counts them.
const MIGRATIONS: [&str; 2] = [
    "
    CREATE TABLE reading (
        id                INTEGER PRIMARY KEY,  -- in the order they were taken
        taken_ms          INTEGER NOT NULL,     -- wall clock, ms since the epoch; mended when delivered
        boot_ms           INTEGER NOT NULL,     -- boot clock, ms since boot
        boot_id           TEXT    NOT NULL,     -- /proc/sys/kernel/random/boot_id
        sensor            TEXT    NOT NULL,     -- label or IIO name
        temperature_mdegc INTEGER NOT NULL,     -- 0.001 degC
        humidity_mpercent INTEGER NOT NULL,     -- 0.001 %RH
        attempts          INTEGER NOT NULL,     -- how many tries of the sensor it took
        delivered_ms      INTEGER,              -- wall clock; null: not yet, then its id is in backlog
        reason            TEXT                  -- why the last delivery failed
    ) STRICT;
    -- A table, not an index: SQLite counts one without looking at its rows.
    CREATE TABLE backlog (id INTEGER PRIMARY KEY REFERENCES reading ON DELETE CASCADE) STRICT;
",
    "
    ALTER TABLE reading ADD COLUMN failures TEXT;   -- its failed tries, as {\"EIO\":2}; null: none
    ALTER TABLE reading ADD COLUMN status INTEGER;  -- exit status of its run; null: it did not come to its end
    -- The runs that took no reading. A good run writes to no table but the two above.
    CREATE TABLE miss (
        id        INTEGER PRIMARY KEY,
        ended_ms  INTEGER NOT NULL,     -- wall clock, ms since the epoch
        boot_ms   INTEGER NOT NULL,     -- boot clock, ms since boot
        boot_id   TEXT    NOT NULL,
        after_id  INTEGER NOT NULL,     -- the newest reading then
        attempts  INTEGER NOT NULL,     -- how many tries of the sensor there were
        failures  TEXT,                 -- as above
        status    INTEGER NOT NULL,     -- exit status
        error     TEXT    NOT NULL      -- what the log said
    ) STRICT;
    CREATE TABLE alert (raised_ms INTEGER NOT NULL) STRICT;     -- a row: raised, and not yet called off
    CREATE VIEW run AS
        SELECT taken_ms AS ended_ms, boot_ms, boot_id, attempts, failures, status, reason AS error FROM reading
        UNION ALL SELECT ended_ms, boot_ms, boot_id, attempts, failures, status, error FROM miss;
",
];

/// `iiof`, in the file's header: whose file it is (`PRAGMA application_id`).
const APPLICATION_ID: i32 = 0x6969_6f66;

/// `[store]`
#[derive(Clone, Debug)]
pub struct Settings {
    /// The SQLite file.
    pub path: PathBuf,
    /// How long delivered readings stay.
    pub keep: Duration,
    /// How many undelivered readings stay at most.
    pub backlog: u32,
}

/// The right to be the only run on a store, until this process ends: however it does, the kernel takes it back.
#[derive(Debug)]
pub struct Lock {
    // Not unlocked by hand: `Flock` panics if that fails.
    _file: Option<ManuallyDrop<Flock<File>>>,
}

impl Lock {
    /// Takes the lock beside the store's file. Where no lock can be made, no store can be either, and the
    /// run needs none.
    ///
    /// # Errors
    /// [`Error::Busy`] if another run has it.
    pub fn acquire(store: &Path) -> Result<Lock, Error> {
        if let Some(dir) = store.parent() {
            let _ = fs::create_dir_all(dir);
        }
        let path = with_suffix(store, ".lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        // On a read-only file system, a lock that is there can still be taken.
        let Ok(file) = file.or_else(|_| File::open(&path)) else {
            return Ok(Lock { _file: None });
        };
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => Ok(Lock { _file: Some(ManuallyDrop::new(locked)) }),
            Err((_, Errno::EWOULDBLOCK)) => Err(Error::Busy(path)),
            Err(_) => Ok(Lock { _file: None }),
        }
    }
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
    /// The tries before the one that took it.
    pub failures: Tally,
}

impl Kept {
    /// How many tries it took.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.failures.total().saturating_add(1)
    }
}

/// A run that took no reading.
#[derive(Debug)]
pub struct Miss<'a> {
    /// When it ended.
    pub ended: Moment,
    /// Its tries of the sensor.
    pub failures: &'a Tally,
    /// Its exit status.
    pub exit: Exit,
    /// What the log says of it.
    pub error: &'a str,
}

/// What an alert depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streak {
    /// How many runs in a row failed, without the one under way.
    pub failed: u32,
    /// An alert was raised and not called off.
    pub alerted: bool,
}

/// How the deliveries of one run went.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Which ones arrived, and when they really were taken (ms since the epoch). One that could not be kept has no id.
    pub delivered: Vec<(Option<i64>, i64)>,
    /// Which one did not, and why.
    pub failed: Option<(Option<i64>, Problem)>,
}

impl Outcome {
    /// How a run ends that went so; `ending` is the signal that asked it to, if one did.
    #[must_use]
    pub fn exit(&self, ending: Option<Signal>) -> Exit {
        match ending {
            Some(signal) => Exit::Signal(signal),
            None if self.delivered.is_empty() => Exit::NotDelivered,
            None => Exit::Success,
        }
    }
}

/// An alert that was sent in this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alert {
    /// Too many runs in a row failed.
    Raised,
    /// It works again.
    CalledOff,
}

/// The store of a run, as long as it works.
#[derive(Debug)]
pub struct Store {
    settings: Settings,
    db: Option<Connection>,
    given_up: bool,
}

impl Store {
    /// The store with these settings. Its file is opened, or made, when it is first needed.
    #[must_use]
    pub fn new(settings: &Settings) -> Store {
        Store { settings: settings.clone(), db: None, given_up: false }
    }

    /// The newest reading of this sensor, if it is not older than `age`.
    pub fn newest(&mut self, sensor: &str, now: &Moment, age: Duration) -> Option<Reading> {
        let (reading, taken) = self.work(|db| {
            // Bounded: a new sensor in an old store must not cost a look at all of it.
            db.prepare(
                "SELECT * FROM reading WHERE sensor = ?1 AND id > (SELECT max(id) - 64 FROM reading)
                 ORDER BY id DESC LIMIT 1",
            )?
            .query_row([sensor], kept)
            .optional()
        })??;
        (0..=millis(age)).contains(&now.since(&taken)).then_some(reading)
    }

    /// Commits a reading, and drops what is over the limits. Returns its id.
    pub fn keep(&mut self, new: &Kept) -> Option<i64> {
        let Settings { keep, backlog, .. } = self.settings;
        let (id, dropped) = self.work(|db| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute(
                "INSERT INTO reading
                     (taken_ms, boot_ms, boot_id, sensor, temperature_mdegc, humidity_mpercent, attempts, failures)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    new.taken.wall_ms,
                    new.taken.boot_ms,
                    new.taken.boot_id,
                    new.sensor,
                    new.reading.temperature_mdegc,
                    new.reading.humidity_mpercent,
                    new.attempts(),
                    json(&new.failures)
                ],
            )?;
            let id = transaction.last_insert_rowid();
            expire(&transaction, &new.taken, keep)?;
            transaction.execute("INSERT INTO backlog VALUES (?1)", [id])?;
            let over = undelivered(&transaction)?.saturating_sub(backlog);
            if over > 0 {
                transaction.execute(
                    "DELETE FROM reading WHERE id IN (SELECT id FROM backlog ORDER BY id LIMIT ?1)",
                    [over],
                )?;
            }
            transaction.commit()?;
            Ok((id, over))
        })?;
        if dropped > 0 {
            log::warn!(
                "dropped={dropped}: the backlog is full, its oldest readings are lost (limit {backlog})"
            );
        }
        Some(id)
    }

    /// The oldest undelivered readings after this id, at most 64.
    pub fn oldest_after(&mut self, id: i64) -> Vec<(i64, Reading, Moment)> {
        self.work(|db| {
            let mut waiting = db.prepare(&format!(
                "SELECT * FROM backlog JOIN reading USING (id) WHERE id > ?1 ORDER BY id LIMIT {WAITING_AT_ONCE}"
            ))?;
            let mut rows = waiting.query_map([id], |row| {
                let (reading, taken) = kept(row)?;
                Ok((row.get("id")?, reading, taken))
            })?;
            // What is damaged is a trouble when it is its turn.
            let first = rows.next().transpose()?;
            Ok(first.into_iter().chain(rows.map_while(Result::ok)).collect())
        })
        .unwrap_or_default()
    }

    /// Commits how the deliveries went and how the run ends, which took the reading with this id. Returns how many
    /// readings are left to deliver.
    pub fn settle(
        &mut self,
        id: Option<i64>,
        outcome: &Outcome,
        exit: Exit,
        alert: Option<Alert>,
        now: &Moment,
    ) -> Option<u32> {
        self.work(|db| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction
                .execute("UPDATE reading SET status = ?2 WHERE id = ?1", params![id, exit.status()])?;
            {
                let mut arrive = transaction.prepare(
                    "UPDATE reading SET delivered_ms = ?2, taken_ms = ?3, reason = NULL WHERE id = ?1",
                )?;
                let mut leave = transaction.prepare("DELETE FROM backlog WHERE id = ?1")?;
                for (id, taken_ms) in &outcome.delivered {
                    arrive.execute(params![id, now.wall_ms, taken_ms])?;
                    leave.execute([id])?;
                }
            }
            if let Some((id, reason)) = &outcome.failed {
                transaction.execute(
                    "UPDATE reading SET reason = ?2 WHERE id = ?1",
                    params![id, reason.to_string()],
                )?;
            }
            remember(&transaction, alert, now)?;
            let left = undelivered(&transaction)?;
            transaction.commit()?;
            Ok(left)
        })
    }

    /// Commits that a run took no reading.
    pub fn miss(&mut self, miss: &Miss<'_>, alert: Option<Alert>) {
        let keep = self.settings.keep;
        self.work(|db| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute(
                "INSERT INTO miss (ended_ms, boot_ms, boot_id, after_id, attempts, failures, status, error)
                 SELECT ?1, ?2, ?3, coalesce(max(id), 0), ?4, ?5, ?6, ?7 FROM reading",
                params![
                    miss.ended.wall_ms,
                    miss.ended.boot_ms,
                    miss.ended.boot_id,
                    miss.failures.total(),
                    json(miss.failures),
                    miss.exit.status(),
                    miss.error
                ],
            )?;
            expire(&transaction, &miss.ended, keep)?;
            remember(&transaction, alert, &miss.ended)?;
            transaction.commit()
        });
    }

    /// How many runs in a row failed before this one, and whether that was told.
    pub fn streak(&mut self) -> Option<Streak> {
        self.work(|db| {
            // Runs that a signal or a power cut ended are neither good nor bad.
            let good: Option<i64> = db
                .query_row("SELECT id FROM reading WHERE status = 0 ORDER BY id DESC LIMIT 1", [], |row| {
                    row.get(0)
                })
                .optional()?;
            db.query_row(
                "SELECT (SELECT count(*) FROM reading WHERE id > ?1 AND status = ?2)
                      + (SELECT count(*) FROM miss WHERE after_id >= ?1),
                        EXISTS (SELECT 1 FROM alert)",
                params![good.unwrap_or(0), Exit::NotDelivered.status()],
                |row| Ok(Streak { failed: row.get(0)?, alerted: row.get(1)? }),
            )
        })
    }

    /// Does something with the database. A file that is damaged, also when it is looked at again, is set aside and
    /// a new one begun. In any other trouble, the run goes on without a store.
    fn work<T>(&mut self, mut job: impl FnMut(&mut Connection) -> rusqlite::Result<T>) -> Option<T> {
        let mut damaged = 0;
        while !self.given_up {
            match self.connected().and_then(|db| job(db).map_err(Trouble::from)) {
                Ok(done) => return Some(done),
                Err(trouble) => {
                    self.db = None;
                    damaged += u32::from(trouble.is_damage());
                    match damaged {
                        // What could not be read once may be whole.
                        1 => {}
                        2 => self.set_aside(&trouble),
                        _ => self.give_up(&trouble.to_string()),
                    }
                }
            }
        }
        None
    }

    fn connected(&mut self) -> Result<&mut Connection, Trouble> {
        let db = match self.db.take() {
            Some(db) => db,
            None => connect(&self.settings.path)?,
        };
        Ok(self.db.insert(db))
    }

    fn set_aside(&mut self, trouble: &Trouble) {
        match set_aside(&self.settings.path) {
            Err(error) => {
                self.give_up(&format!("{trouble}, and it cannot be set aside: {}", describe(&error)));
            }
            Ok(aside) => log::warn!(
                "the store {} cannot be used: {trouble}; it was set aside as {} and a new one begun",
                self.settings.path.display(),
                aside.display()
            ),
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

/// Why a store cannot be used.
#[derive(Debug)]
pub(crate) enum Trouble {
    Sqlite(rusqlite::Error),
    /// Written by a later version of this program.
    Newer(i64),
    /// Written by an earlier version, and only looked at.
    Older(i64),
    /// Another program's database: not ours to touch.
    Foreign,
}

impl Trouble {
    fn is_damage(&self) -> bool {
        match self {
            // Tables, columns or values that this program did not make so.
            Trouble::Sqlite(
                rusqlite::Error::SqlInputError { .. }
                | rusqlite::Error::InvalidColumnName(_)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::FromSqlConversionFailure(..),
            ) => true,
            // Unknown is SQLITE_ERROR: what is asked for is not there.
            Trouble::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown)
            ),
            Trouble::Newer(_) => true,
            Trouble::Older(_) | Trouble::Foreign => false,
        }
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Trouble {
        Trouble::Sqlite(error)
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Sqlite(error) => error.fmt(f),
            Trouble::Newer(version) => {
                write!(f, "its schema {version} is newer than {}, which this version knows", MIGRATIONS.len())
            }
            Trouble::Older(version) => {
                write!(f, "its schema {version} is an earlier version's: the next run brings it up to date")
            }
            Trouble::Foreign => f.write_str("it is another program's database"),
        }
    }
}

fn connect(path: &Path) -> Result<Connection, Trouble> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    db.execute_batch(&format!(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;
         PRAGMA wal_autocheckpoint = {WAL_PAGES};"
    ))?;
    match check(&db) {
        Err(Trouble::Older(_)) => migrate(&mut db)?,
        checked => checked?,
    }
    Ok(db)
}

/// Whether this is our store, of the version that is known here.
pub(crate) fn check(db: &Connection) -> Result<(), Trouble> {
    if !is_ours_or_new(db)? {
        return Err(Trouble::Foreign);
    }
    let version = version(db)?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    match version.cmp(&known) {
        Ordering::Less => Err(Trouble::Older(version)),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(Trouble::Newer(version)),
    }
}

fn migrate(db: &mut Connection) -> Result<(), Trouble> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version = version(&transaction)?;
    for migration in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX))?;
    transaction.commit()?;
    // Stays in the file. A file system that cannot do it keeps the rollback journal, which works as well.
    db.pragma_update(None, "journal_mode", "wal").map_err(Trouble::from)
}

fn is_ours_or_new(db: &Connection) -> rusqlite::Result<bool> {
    let owner: i32 = db.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let empty = || db.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0));
    if owner == APPLICATION_ID { Ok(true) } else { empty() }
}

fn version(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}

pub(crate) fn undelivered(db: &Connection) -> rusqlite::Result<u32> {
    db.query_row("SELECT count(*) FROM backlog", [], |row| row.get(0))
}

fn kept(row: &Row<'_>) -> rusqlite::Result<(Reading, Moment)> {
    Ok((
        Reading {
            temperature_mdegc: row.get("temperature_mdegc")?,
            humidity_mpercent: row.get("humidity_mpercent")?,
        },
        Moment { wall_ms: row.get("taken_ms")?, boot_ms: row.get("boot_ms")?, boot_id: row.get("boot_id")? },
    ))
}

/// Drops what is older than `keep`, of readings that were delivered and of runs that took none.
fn expire(db: &Connection, now: &Moment, keep: Duration) -> rusqlite::Result<()> {
    let before = now.wall_ms.saturating_sub(millis(keep));
    // The limit is part of the text: SQLite prepares a statement again when a limit is bound to it.
    for oldest in [
        format!(
            "DELETE FROM reading
             WHERE id <= (SELECT max(id) FROM (SELECT id FROM reading ORDER BY id LIMIT {EXPIRED_AT_ONCE}))
               AND delivered_ms IS NOT NULL AND taken_ms < ?1"
        ),
        format!(
            "DELETE FROM miss
             WHERE id <= (SELECT max(id) FROM (SELECT id FROM miss ORDER BY id LIMIT {EXPIRED_AT_ONCE}))
               AND ended_ms < ?1"
        ),
    ] {
        db.execute(&oldest, [before])?;
    }
    Ok(())
}

/// Writes down that an alert was sent.
fn remember(db: &Connection, alert: Option<Alert>, now: &Moment) -> rusqlite::Result<()> {
    match alert {
        Some(Alert::Raised) => db.execute("INSERT INTO alert VALUES (?1)", [now.wall_ms])?,
        Some(Alert::CalledOff) => db.execute("DELETE FROM alert", [])?,
        None => 0,
    };
    Ok(())
}

/// As it is kept: a JSON object of names and numbers; nothing if no try failed.
fn json(failures: &Tally) -> Option<String> {
    let object: serde_json::Map<String, serde_json::Value> =
        failures.iter().map(|(name, times)| (name.to_owned(), times.into())).collect();
    (!object.is_empty()).then(|| serde_json::Value::from(object).to_string())
}

/// Renames the file and what belongs to it to a name with the date that is still free.
fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let date =
        humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string().replace([':', '-'], "");
    let names =
        (0..).map(|n| if n == 0 { format!(".damaged-{date}") } else { format!(".damaged-{date}.{n}") });
    let aside = names.map(|name| with_suffix(path, &name)).find(|name| !name.exists()).unwrap_or_default();
    fs::rename(path, &aside)?;
    for part in ["-wal", "-shm"] {
        // Absent after a checkpoint.
        let _ = fs::rename(with_suffix(path, part), with_suffix(&aside, part));
    }
    Ok(aside)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
