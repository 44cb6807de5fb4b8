//! A damaged store is set aside and a new one begun, with what can be read of its backlog.
//!
//! The new one is made under another name, and takes its place when it is whole. A run that is killed before loses nothing, as the
//! damaged one is still there; one that is killed in between is finished by the next one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::{Connection, params};

use super::files::{sync_renamed, with_suffix};
use super::recover::{self, Found};
use super::schema::{self, Trouble};

/// How many damaged stores stay, and how many bytes they may have together. The newest stays in any case.
const STAY: usize = 5;
const STAY_BYTES: u64 = 64 << 20;

const NEW: &str = ".new";

/// What became of a damaged store.
#[derive(Debug)]
pub(super) struct Renewed {
    /// Where it is now.
    pub(super) aside: PathBuf,
    /// How many readings of its backlog are in the new one.
    pub(super) taken_over: usize,
    /// How many older ones were removed.
    pub(super) removed: usize,
}

/// Begins a new store in place of the one at `path`, with the newest readings of its backlog, so many.
pub(super) fn renew(path: &Path, limit: u32) -> Result<Renewed, Trouble> {
    let found = recover::read(path, limit);
    let (part, new) = (with_suffix(path, ".part"), with_suffix(path, NEW));
    for stale in [&new, &part] {
        remove_with_parts(stale);
    }
    // Closed at the end of the statement: all that it holds is in the one file then.
    schema::create(&part, |db| take_over(db, &found))?;
    fs::rename(&part, &new).and_then(|()| sync_renamed(&new)).map_err(Trouble::Files)?;
    let aside = set_aside(path).map_err(Trouble::Files)?;
    // What it held has been taken over, so the run goes on if this fails.
    let _ = sync_renamed(&aside);
    finish(path).map_err(Trouble::Files)?;
    let removed = remove_old(path, &aside);
    Ok(Renewed { aside, taken_over: found.waiting.len(), removed })
}

/// Puts a new store in its place, if a run was killed before it had done that.
pub(super) fn finish(path: &Path) -> io::Result<()> {
    let new = with_suffix(path, NEW);
    if !new.exists() {
        return Ok(());
    }
    // The log that is still there is the damaged one's, whose readings are in the new one.
    let aside = damaged_copies(path).pop().unwrap_or_else(|| with_suffix(path, ".damaged"));
    move_parts(path, &aside);
    fs::rename(new, path)?;
    sync_renamed(path)
}

/// Writes what was found into a new store.
fn take_over(db: &Connection, found: &Found) -> rusqlite::Result<()> {
    for (boot_id, (id, clock)) in &found.boots {
        db.execute(
            "INSERT OR IGNORE INTO boot (id, boot_id, offset_ms, certain) VALUES (?1, ?2, ?3, ?4)",
            params![id, boot_id, clock.offset_ms, clock.certain],
        )?;
    }
    if let Some(machine) = &found.machine {
        db.execute("INSERT INTO machine VALUES (?1)", [machine])?;
    }
    let mut insert = db.prepare(
        "INSERT INTO reading (id, taken_ms, boot_ms, boot_id, sensor, temperature_mdegc, humidity_mpercent, attempts, status)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let mut wait = db.prepare("INSERT INTO backlog (id) VALUES (?1)")?;
    for (id, row) in &found.waiting {
        insert.execute(params![
            id,
            row.taken_ms,
            row.boot_ms,
            row.boot_id,
            row.sensor,
            row.reading.temperature_mdegc,
            row.reading.humidity_mpercent,
            row.attempts,
            row.status
        ])?;
        wait.execute([id])?;
    }
    Ok(())
}

/// Renames the file and what belongs to it to a name with the date that is still free.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let date = humantime::format_rfc3339_seconds(SystemTime::now()).to_string().replace([':', '-'], "");
    let names =
        (0..).map(|n| if n == 0 { format!(".damaged-{date}") } else { format!(".damaged-{date}.{n}") });
    let aside = names.map(|name| with_suffix(path, &name)).find(|name| !name.exists()).unwrap_or_default();
    match fs::rename(path, &aside) {
        // Its log alone is there.
        Err(error) if error.kind() == io::ErrorKind::NotFound => File::create_new(&aside).map(drop)?,
        renamed => renamed?,
    }
    move_parts(path, &aside);
    Ok(aside)
}

/// Renames what belongs to a store. It may be absent, after a checkpoint for example.
fn move_parts(path: &Path, aside: &Path) {
    let _ = fs::rename(with_suffix(path, "-wal"), with_suffix(aside, "-wal"));
    let _ = fs::remove_file(with_suffix(path, "-shm"));
}

fn remove_with_parts(path: &Path) {
    for part in ["", "-wal", "-shm", "-journal"] {
        let _ = fs::remove_file(with_suffix(path, part));
    }
}

/// The damaged stores that were set aside beside this one, oldest first as far as their names tell.
#[must_use]
pub fn damaged_copies(path: &Path) -> Vec<PathBuf> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let begin = with_suffix(path, ".damaged-");
    let begin = begin.file_name().unwrap_or_default().to_string_lossy();
    let is_one = |name: &str| name.starts_with(&*begin) && !name.ends_with("-wal") && !name.ends_with("-shm");
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<PathBuf> =
        files.filter(|file| file.file_name().to_str().is_some_and(is_one)).map(|file| file.path()).collect();
    names.sort();
    names
}

/// Removes the oldest of those that were set aside while there are too many of them. This one stays.
fn remove_old(path: &Path, newest: &Path) -> usize {
    let size = |path: &Path| -> u64 {
        let length = |part| fs::symlink_metadata(with_suffix(path, part)).map_or(0, |meta| meta.len());
        ["", "-wal"].map(length).iter().sum()
    };
    let (mut number, mut bytes, mut removed) = (1, size(newest), 0);
    for aside in damaged_copies(path).iter().rev().filter(|aside| *aside != newest) {
        number += 1;
        bytes = bytes.saturating_add(size(aside));
        if number > STAY || bytes > STAY_BYTES {
            remove_with_parts(aside);
            removed += 1;
        }
    }
    removed
}
