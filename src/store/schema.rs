//! The tables of the store, how its file is opened, and which files are not ours to use.

use std::cmp::Ordering;
use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::files::{check_kind, has_log, is_empty, make_store};
use super::guard::{PROCESSOR_TIME, bound, open_carefully};
use super::{mapping, renewal};
use crate::error::describe;

/// After how many pages the write-ahead log is copied back into the file.
const WAL_PAGES: u32 = 64;

/// A commit changes a row in each of two pages, and writes these pages: they are smaller than SQLite's default of 4096.
pub(super) const PAGE: u32 = 1024;

/// How long another program's write may hold us up.
pub(super) const BUSY: Duration = Duration::from_secs(1);

/// What makes version n + 1 of the schema from version n; `user_version` counts them.
const MIGRATIONS: [&str; 6] = [
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
    "
    -- What is known of the clock in each boot, in the order the boots were seen. A reading of a boot that is not here is
    -- of an earlier version, and its time is taken as it is.
    CREATE TABLE boot (
        id        INTEGER PRIMARY KEY,
        boot_id   TEXT    NOT NULL UNIQUE,
        offset_ms INTEGER NOT NULL,     -- wall clock less boot clock
        certain   INTEGER NOT NULL      -- 1: while the clock was synchronised; 0: it never was in that boot
    ) STRICT;
    CREATE TABLE machine (id TEXT NOT NULL) STRICT;     -- /etc/machine-id of whose run was last: at most one row
    ALTER TABLE backlog ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;     -- how often focus refused it
    -- Undelivered readings that are passed over for now.
    CREATE TABLE parked (
        id       INTEGER PRIMARY KEY,
        due_id   INTEGER NOT NULL,      -- the run that takes this reading, or a later one, tries it again
        refusals INTEGER NOT NULL,      -- how often focus refused it
        machine  TEXT                   -- the other machine that took it; null: this one
    ) STRICT;
    -- The wall clock leapt forward by more than readings are kept, after this reading.
    CREATE TABLE leap (after_id INTEGER PRIMARY KEY) STRICT;
    DROP VIEW run;
    -- Runs, ordered by after_id, miss_id: one without a reading comes after the newest reading that it saw.
    CREATE VIEW run AS
        SELECT id AS after_id, 0 AS miss_id, taken_ms AS ended_ms, boot_ms, boot_id, attempts, failures, status,
               reason AS error FROM reading
        UNION ALL
        SELECT after_id, id, ended_ms, boot_ms, boot_id, attempts, failures, status, error FROM miss;
",
    "
    -- Readings that verify put back into the backlog, and how often. It references nothing, so that a run that drops old
    -- readings need not look here; verify drops the rows whose reading is gone.
    CREATE TABLE IF NOT EXISTS requeued (id INTEGER PRIMARY KEY, times INTEGER NOT NULL) STRICT;
    -- What WhaTap was asked, the last times: when, for which period, and what came of it.
    CREATE TABLE IF NOT EXISTS verification (
        id        INTEGER PRIMARY KEY,
        at_ms     INTEGER NOT NULL,
        since_ms  INTEGER NOT NULL,
        until_ms  INTEGER NOT NULL,
        verdict   TEXT    NOT NULL,     -- ok, waiting, missing, wrong, or unknown: it could not be asked
        taken     INTEGER NOT NULL,
        arrived   INTEGER NOT NULL,
        waiting   INTEGER NOT NULL,
        missing   INTEGER NOT NULL,
        twice     INTEGER NOT NULL,
        not_ours  INTEGER NOT NULL,
        requeued  INTEGER NOT NULL,
        why       TEXT    NOT NULL,     -- what was printed
        alerted   INTEGER NOT NULL      -- 1: an alert is raised and not yet called off
    ) STRICT;
",
    "
    ALTER TABLE reading ADD COLUMN place TEXT;      -- where the sensor hangs, as 1-0076; null: sensor says enough
",
    // Every run reads the whole schema: the view was a quarter of that, the columns of verification were a sixth.
    "
    DROP VIEW run;
    ALTER TABLE verification RENAME TO earlier;
    -- What WhaTap was asked, the last times.
    CREATE TABLE verification (
        id    INTEGER PRIMARY KEY,
        found TEXT NOT NULL     -- a JSON object: when it was asked, for which period, and what came of it
    ) STRICT;
    INSERT INTO verification SELECT id, json_object(
        'at_ms', at_ms, 'since_ms', since_ms, 'until_ms', until_ms, 'verdict', verdict, 'taken', taken,
        'arrived', arrived, 'waiting', waiting, 'missing', missing, 'twice', twice, 'not_ours', not_ours,
        'requeued', requeued, 'why', why, 'alerted', json(iif(alerted, 'true', 'false'))) FROM earlier;
    DROP TABLE earlier;
",
];

/// `iiof`, in the file's header: whose file it is (`PRAGMA application_id`).
const APPLICATION_ID: i32 = 0x6969_6f66;

/// Why a store cannot be used.
#[derive(Debug)]
pub(crate) enum Trouble {
    Sqlite(rusqlite::Error),
    /// The files beside the database.
    Files(io::Error),
    /// Written by a later version of this program.
    Newer(i64),
    /// Written by an earlier version, and only looked at.
    Older(i64),
    /// Another program's database: not ours to touch.
    Foreign,
    /// There is nothing in the file, but something in its log.
    LogAlone,
    /// A page of the log's index could not be read or written: nothing that was done counts.
    CutOff,
    /// What stands in its place is of this kind.
    Kind(&'static str),
    /// The database has this, or lacks it, against the schema of its version.
    Altered(String),
}

impl Trouble {
    pub(super) fn is_damage(&self) -> bool {
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
            Trouble::Newer(_) | Trouble::LogAlone | Trouble::Altered(_) => true,
            Trouble::Files(_) | Trouble::Older(_) | Trouble::Foreign | Trouble::CutOff | Trouble::Kind(_) => {
                false
            }
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
            Trouble::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
                write!(f, "it takes more than {} s of processor time", PROCESSOR_TIME.as_secs())
            }
            Trouble::Sqlite(error) => error.fmt(f),
            Trouble::Files(error) => f.write_str(&describe(error)),
            Trouble::Newer(version) => {
                write!(f, "its schema {version} is newer than {}, which this version knows", MIGRATIONS.len())
            }
            Trouble::Older(version) => {
                write!(f, "its schema {version} is an earlier version's: the next run brings it up to date")
            }
            Trouble::Foreign => f.write_str("it is another program's database"),
            Trouble::LogAlone => f.write_str("it is empty, but there is a log of it"),
            Trouble::CutOff => f.write_str("the index of its log could not be read or written (SIGBUS)"),
            Trouble::Kind(kind) => write!(f, "it is {kind}, and must be a file: path in [store] says where"),
            Trouble::Altered(what) => f.write_str(what),
        }
    }
}

/// The store is made here and not by SQLite, which would follow a link that was put in its place meanwhile.
const WRITABLE: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

pub(super) fn connect(path: &Path) -> Result<Connection, Trouble> {
    mapping::protect();
    if let Ok(meta) = path.symlink_metadata() {
        check_kind(&meta)?;
    }
    if is_empty(path) {
        renewal::finish(path).map_err(Trouble::Files)?;
        if is_empty(path) && has_log(path) {
            return Err(Trouble::LogAlone);
        }
        make_store(path);
    }
    let mut db = open(path, WRITABLE)?;
    db.busy_timeout(BUSY)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    db.execute_batch(&format!("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = {WAL_PAGES};"))?;
    match check(&db) {
        Err(Trouble::Older(_)) => {
            migrate(&mut db, |_| Ok(()))?;
            use_log(&db)?;
        }
        checked => checked?,
    }
    Ok(db)
}

/// Opens a database that may be anybody's.
pub(super) fn open(path: &Path, flags: OpenFlags) -> Result<Connection, Trouble> {
    open_carefully();
    let db = Connection::open_with_flags(path, flags)?;
    bound(&db, PROCESSOR_TIME)?;
    Ok(db)
}

/// Whether this is our store, of the version that is known here, with exactly the tables that this program makes.
pub(crate) fn check(db: &Connection) -> Result<(), Trouble> {
    if !is_ours_or_new(db)? {
        return Err(Trouble::Foreign);
    }
    let version = version(db)?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if (1..=known).contains(&version) && !is_as_made(db)? {
        let migrations = usize::try_from(version).unwrap_or(0);
        if let Some(what) = difference(&objects(db)?, &made_by(migrations)?) {
            return Err(Trouble::Altered(what));
        }
    }
    match version.cmp(&known) {
        Ordering::Less => Err(Trouble::Older(version)),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(Trouble::Newer(version)),
    }
}

/// Makes a store with what `fill` writes into it.
pub(super) fn create(path: &Path, fill: impl Fn(&Connection) -> rusqlite::Result<()>) -> Result<(), Trouble> {
    mapping::protect();
    make_store(path);
    let mut db = open(path, WRITABLE)?;
    db.execute_batch("PRAGMA synchronous = FULL;")?;
    migrate(&mut db, fill)?;
    use_log(&db)?;
    db.close().map_err(|(_, error)| error.into())
}

/// Stays in the file. A file system that cannot do it keeps the rollback journal, which works as well.
fn use_log(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "journal_mode", "wal")
}

fn migrate(db: &mut Connection, fill: impl Fn(&Connection) -> rusqlite::Result<()>) -> Result<(), Trouble> {
    // Only an empty file takes it.
    db.pragma_update(None, "page_size", PAGE)?;
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version = version(&transaction)?;
    for migration in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or(0)) {
        transaction.execute_batch(&compact(migration))?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX))?;
    fill(&transaction)?;
    transaction.commit().map_err(Trouble::from)
}

/// The text without its comments. SQLite keeps it as it is, and every run reads all of it.
fn compact(text: &str) -> String {
    let words = text.lines().filter_map(|line| line.split("--").next()).flat_map(str::split_whitespace);
    words.collect::<Vec<_>>().join(" ")
}

/// One object of a schema: type, name, table, and the text that made it.
type Object = (String, String, String, Option<String>);

/// Whether SQLite keeps this for its own planner (`ANALYZE`).
fn is_of_the_planner(name: &str) -> bool {
    ["sqlite_stat1", "sqlite_stat4"].contains(&name)
}

/// The objects of a database, without those of the planner.
fn objects(db: &Connection) -> rusqlite::Result<Vec<Object>> {
    let mut objects: Vec<Object> = db
        .prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema")?
        .query_map([], |row| {
            let text: Option<String> = row.get(3)?;
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, text.as_deref().map(bare)))
        })?
        .collect::<rusqlite::Result<_>>()?;
    objects.retain(|(_, name, ..)| !is_of_the_planner(name));
    Ok(objects)
}

/// The schema of a store that this version made, word for word: type, name, table and text of each object.
const AS_MADE: &str = include_str!("as_made.txt");

/// Whether it has just the schema that this version makes. Only what an earlier version made, or somebody changed, needs to be
/// compared with what the migrations make: that takes three times as long as all else that a run does.
fn is_as_made(db: &Connection) -> rusqlite::Result<bool> {
    Ok(schema_text(db)? == AS_MADE)
}

/// A line for each object. This is read in each run, and put together here for a third of what it would take SQLite.
fn schema_text(db: &Connection) -> rusqlite::Result<String> {
    let mut objects = db.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema")?;
    let mut rows = objects.query([])?;
    let mut text = String::with_capacity(AS_MADE.len());
    while let Some(row) = rows.next()? {
        if is_of_the_planner(row.get_ref(1)?.as_str()?) {
            continue;
        }
        for column in 0..4 {
            text.push_str(row.get_ref(column)?.as_str_or_null()?.unwrap_or_default());
            text.push(if column < 3 { ' ' } else { '\n' });
        }
    }
    Ok(text)
}

/// The objects that so many migrations make.
fn made_by(migrations: usize) -> rusqlite::Result<Vec<Object>> {
    let db = Connection::open_in_memory()?;
    for migration in &MIGRATIONS[..migrations] {
        db.execute_batch(&compact(migration))?;
    }
    objects(&db)
}

/// The text of an object without comments, and with blanks only where they are needed: each way that led to this version left
/// others. Ours have no quotation marks and no other kind of comment, so that a text which is equal to one of ours then
/// does what ours does.
fn bare(text: &str) -> String {
    let mut bare = compact(text);
    for sign in ["(", ")", ","] {
        bare = bare.split(sign).map(str::trim).collect::<Vec<_>>().join(sign);
    }
    bare
}

/// The first object that one of them has and the other has not.
fn difference(found: &[Object], wanted: &[Object]) -> Option<String> {
    let foreign = found.iter().find(|object| !wanted.contains(object));
    let missing = wanted.iter().find(|object| !found.contains(object));
    foreign
        .map(|(kind, name, ..)| format!("it has a {kind} that this program did not make: {name}"))
        .or_else(|| missing.map(|(kind, name, ..)| format!("it lacks the {kind} {name}")))
}

fn is_ours_or_new(db: &Connection) -> rusqlite::Result<bool> {
    let owner: i32 = db.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let empty = || db.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0));
    if owner == APPLICATION_ID { Ok(true) } else { empty() }
}

fn version(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_looks_like_ours_without_comments_is_ours() {
        for (.., text) in made_by(MIGRATIONS.len()).unwrap() {
            let code = text.unwrap_or_default();
            assert!(!code.contains(['\'', '"', '`', '[']) && !code.contains("/*"), "{code}");
        }
        assert_eq!(bare("CREATE TABLE a ( -- x\n  b --y\n, c)"), "CREATE TABLE a(b,c)");
        assert_ne!(bare("CREATE TABLE a (b DEFAULT '--\n')"), bare("CREATE TABLE a (b DEFAULT ')"));
    }

    #[test]
    fn a_store_that_an_earlier_version_made_with_its_comments_is_ours() {
        let db = Connection::open_in_memory().unwrap();
        for (number, migration) in MIGRATIONS.iter().enumerate() {
            db.execute_batch(migration).unwrap();
            assert_eq!(difference(&objects(&db).unwrap(), &made_by(number + 1).unwrap()), None);
        }
    }

    #[test]
    fn a_store_that_this_version_makes_is_known_at_once() {
        let db = Connection::open_in_memory().unwrap();
        for migration in MIGRATIONS {
            db.execute_batch(&compact(migration)).unwrap();
        }
        assert_eq!(schema_text(&db).unwrap(), AS_MADE);
        assert!(is_as_made(&db).unwrap());
        db.execute_batch("CREATE VIEW another AS SELECT 1").unwrap();
        assert!(!is_as_made(&db).unwrap());
    }

    #[test]
    fn every_version_is_told_from_every_other() {
        for one in 1..=MIGRATIONS.len() {
            for other in 1..=MIGRATIONS.len() {
                let found = difference(&made_by(one).unwrap(), &made_by(other).unwrap());
                assert_eq!(found.is_none(), one == other, "{found:?}");
            }
        }
    }
}
