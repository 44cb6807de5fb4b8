//! The files of the store: the database, its write-ahead log, the log's index, the lock.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, OFlag, fallocate};

/// SQLite maps the log's index into memory in parts of this many bytes (`WALINDEX_PGSZ` in `wal.c`). Each is for 4,062
/// pages of the log or more.
const INDEX_PART: i64 = 32 << 10;

/// How many bytes of the log a part of the index is for, at least: its pages have 4096 bytes and a header of 24.
const LOG_PER_PART: i64 = 4062 * 4120;

/// Gives the log's index all the blocks that it can need, or fails. A hole in a mapped file is filled by the kernel when
/// it is written to, and where the file system is full then, the process is killed (SIGBUS). SQLite writes one byte in
/// each 4096, which leaves holes where blocks are smaller.
///
/// # Errors
/// No space is left, or the file cannot be made.
pub(super) fn reserve_index(path: &Path) -> io::Result<()> {
    let log = fs::symlink_metadata(with_suffix(path, "-wal")).map_or(0, |meta| meta.len());
    let parts = i64::try_from(log).unwrap_or(i64::MAX) / LOG_PER_PART + 2;
    let size = parts.saturating_mul(INDEX_PART);
    let index = with_suffix(path, "-shm");
    if let Ok(meta) = fs::symlink_metadata(&index) {
        let has = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX) >= size;
        if has(meta.size()) && has(meta.blocks().saturating_mul(512)) {
            return Ok(());
        }
    }
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file =
        OpenOptions::new().write(true).create(true).custom_flags(flags.bits()).mode(0o600).open(&index)?;
    match fallocate(&file, FallocateFlags::empty(), 0, size) {
        // A file system that cannot reserve has no holes either (vfat), or fills them when it is extended.
        Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => fill(&file, size),
        reserved => reserved.map_err(io::Error::from),
    }
}

/// Whether there is nothing in the file at `path`, or no such file.
pub(super) fn is_empty(path: &Path) -> bool {
    fs::metadata(path).map_or(0, |meta| meta.len()) == 0
}

/// Whether something is in its log: a header and a page. SQLite removes the log of an empty file.
pub(super) fn has_log(path: &Path) -> bool {
    fs::metadata(with_suffix(path, "-wal")).is_ok_and(|meta| meta.len() > 512)
}

/// Writes zeros from the end of the file to this size.
fn fill(mut file: &fs::File, size: i64) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    let end = file.seek(SeekFrom::End(0))?;
    let missing = u64::try_from(size).unwrap_or(0).saturating_sub(end);
    file.write_all(&vec![0; usize::try_from(missing).unwrap_or(0)])
}

/// The path with this behind its name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
