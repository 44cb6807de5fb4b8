//! The files of the store: the database and its write-ahead log.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::unistd::Uid;

use super::schema::Trouble;
use crate::open::{careful, odd_kind};

/// Whether there is nothing in the file at `path`, or no such file.
pub(super) fn is_empty(path: &Path) -> bool {
    fs::metadata(path).map_or(0, |meta| meta.len()) == 0
}

/// Whether something is in its log: a header and a page. SQLite removes the log of an empty file.
pub(super) fn has_log(path: &Path) -> bool {
    fs::metadata(with_suffix(path, "-wal")).is_ok_and(|meta| meta.len() > 512)
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

/// Makes it last that this file has got its name. FAT writes the name down on its own, and it leads to an empty file until
/// the file is synced, too.
pub(super) fn sync_renamed(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
    open_regular(path, false)?.sync_all()
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
