//! What keeps a file that somebody else made from doing harm: how SQLite opens it, and what it may cost to read.
//!
//! The store's folder belongs to the service's user. Root's commands, and root's runs, open what is in it all the same,
//! so nothing there is trusted more than focus's output is.

use std::ffi::{CStr, c_char, c_int};
use std::mem;
use std::os::fd::IntoRawFd;
use std::sync::Once;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::time::{ClockId, clock_gettime};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;

use super::mapping::intercept;
use crate::open::careful;

/// No text that this program keeps is longer, in bytes.
const LONGEST_VALUE: i32 = 1 << 20;

/// How much memory SQLite may use, in bytes. A chart of a million readings needs 3 MiB of it.
const MEMORY: i64 = 64 << 20;

/// How much processor time a command or a run may spend before SQLite gives up. A chart of a million readings takes a
/// Pi Zero W about 10 s.
pub(super) const PROCESSOR_TIME: Duration = Duration::from_secs(60);

/// How many of SQLite's steps there are between two looks at the clock: about a millisecond of them.
const STEPS: c_int = 20_000;

/// Lets SQLite open files as [`careful`] does, and nothing else than regular files, folders and `/dev/urandom`: the
/// database, its journal, its log and the log's index. It looks at what it has opened, so that nothing can be put there in
/// between.
#[allow(unsafe_code, reason = "SQLite's way to open files can be replaced in C only")]
pub(super) fn open_carefully() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: this function has the type that `os_unix.c` gives to the system call of this name.
        unsafe { intercept(c"open", mem::transmute::<Open, unsafe extern "C" fn()>(open_regular)) }
    });
}

type Open = unsafe extern "C" fn(*const c_char, c_int, c_int) -> c_int;

#[allow(unsafe_code, reason = "called by SQLite with a C string")]
unsafe extern "C" fn open_regular(path: *const c_char, flags: c_int, mode: c_int) -> c_int {
    // SAFETY: SQLite gives a path that ends with a zero byte.
    let path = unsafe { CStr::from_ptr(path) };
    let flags = OFlag::from_bits_retain(flags) | careful();
    let mode = Mode::from_bits_truncate(mode.unsigned_abs());
    let opened = openat(AT_FDCWD, path, flags, mode).and_then(|file| {
        let kind = SFlag::from_bits_truncate(fstat(&file)?.st_mode) & SFlag::S_IFMT;
        match [SFlag::S_IFREG, SFlag::S_IFDIR].contains(&kind) || path == c"/dev/urandom" {
            true => Ok(file.into_raw_fd()),
            false => Err(Errno::ELOOP),
        }
    });
    opened.unwrap_or_else(|errno| {
        errno.set();
        -1
    })
}

/// Bounds what a connection may use, and lets the database run nothing: no trigger, no function in a schema.
#[allow(unsafe_code, reason = "the limit on memory can be set without a statement in C only")]
pub(super) fn bound(db: &Connection, time: Duration) -> rusqlite::Result<()> {
    db.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE)?;
    db.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    // SAFETY: it takes a number only. The same as `PRAGMA hard_heap_limit`, which costs each run twenty times as much.
    unsafe { rusqlite::ffi::sqlite3_hard_heap_limit64(MEMORY) };
    db.execute_batch("PRAGMA cell_size_check = ON")?;
    let until = processor_time() + time;
    db.progress_handler(STEPS, Some(move || processor_time() > until))
}

/// How much of it this process has used. Unlike the clock on the wall, it does not go on while the output is read.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_is_ended_and_what_is_too_long_is_not_made() {
        let db = Connection::open_in_memory().unwrap();
        bound(&db, Duration::from_millis(20)).unwrap();
        let one = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0));
        let endless =
            "WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT count(*) FROM n";
        let ended = one(endless).unwrap_err();
        assert_eq!(ended.sqlite_error_code(), Some(rusqlite::ErrorCode::OperationInterrupted), "{ended}");

        let db = Connection::open_in_memory().unwrap();
        bound(&db, PROCESSOR_TIME).unwrap();
        let long = |length: i32| {
            db.query_row(&format!("SELECT length(hex(zeroblob({length})))"), [], |row| row.get::<_, i64>(0))
        };
        assert_eq!(long(1000).unwrap(), 2000);
        let refused = long(LONGEST_VALUE).unwrap_err();
        assert_eq!(refused.sqlite_error_code(), Some(rusqlite::ErrorCode::TooBig), "{refused}");
    }
}
