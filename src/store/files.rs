//! The files of the store: the database, its write-ahead log, the log's index, the lock.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use nix::unistd::Uid;

use super::schema::Trouble;
use crate::open::{careful, odd_kind};

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
    let file = match open_regular(&index, true) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let store = fs::symlink_metadata(path)?;
            make(&index, &Owner::of(&store), store.mode() & 0o666)?
        }
        opened => opened?,
    };
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

/// Whose a file in the store's folder is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) user: u32,
    pub(super) group: u32,
}

impl Owner {
    fn of(meta: &Metadata) -> Owner {
        Owner { user: meta.uid(), group: meta.gid() }
    }

    /// The store's owner, or that of its folder if there is no store yet: root's run must leave files that the service
    /// can use. None: there is no such folder.
    pub(super) fn of_store(path: &Path) -> Option<Owner> {
        let folder = || fs::metadata(path.parent()?).ok();
        let store = fs::symlink_metadata(path).ok().filter(Metadata::is_file);
        store.or_else(folder).map(|meta| Owner::of(&meta))
    }

    /// Gives the file to this owner, if it has another one and this process is root. A file system without owners keeps its
    /// own.
    pub(super) fn adopt(self, file: &File, meta: &Metadata) {
        if self != Owner::of(meta) && Uid::effective().is_root() {
            let _ = fchown(file, Some(self.user), Some(self.group));
        }
    }
}

/// Opens a regular file that is there, without following a link or waiting.
pub(super) fn open_regular(path: &Path, write: bool) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(write).custom_flags(careful().bits()).open(path)?;
    match odd_kind(file.metadata()?.file_type()) {
        None => Ok(file),
        Some(kind) => Err(io::Error::other(format!("it is {kind}"))),
    }
}

/// Makes a file that is not there yet, with this owner and mode, whatever the umask.
pub(super) fn make(path: &Path, owner: &Owner, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create_new(true)
        .mode(mode)
        .custom_flags(careful().bits())
        .open(path)?;
    let meta = file.metadata()?;
    owner.adopt(&file, &meta);
    if meta.mode() & 0o777 != mode {
        // A file system without modes (vfat) says no.
        let _ = file.set_permissions(Permissions::from_mode(mode));
    }
    Ok(file)
}

/// Makes the store's folder if it is not there, for its owner to write and its group to read.
pub(super) fn make_folder(store: &Path) {
    const MODE: u32 = 0o750;
    let Some(folder) = store.parent().filter(|folder| !folder.exists()) else { return };
    if let Some(parent) = folder.parent() {
        let _ = fs::create_dir_all(parent);
    }
    if DirBuilder::new().mode(MODE).create(folder).is_ok() {
        let _ = fs::set_permissions(folder, Permissions::from_mode(MODE));
    }
}

/// Makes an empty store if there is none, as far as that is possible: what it cannot do, SQLite will say.
pub(super) fn make_store(path: &Path) {
    if path.symlink_metadata().is_ok() {
        return;
    }
    let umask = nix::sys::stat::umask(nix::sys::stat::Mode::empty());
    nix::sys::stat::umask(umask);
    if let Some(owner) = Owner::of_store(path) {
        let _ = make(path, &owner, 0o640 & !umask.bits() | 0o600);
    }
}

/// Whether this is a file as a store is one.
pub(super) fn check_kind(meta: &Metadata) -> Result<(), Trouble> {
    odd_kind(meta.file_type()).map_or(Ok(()), |kind| Err(Trouble::Kind(kind)))
}

/// The path with this behind its name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
