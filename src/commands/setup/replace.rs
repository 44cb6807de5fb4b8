//! A file is replaced as a whole: whoever looks, and whenever the power goes, it is the old one or the new one.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use crate::error::Error;
use crate::open::careful;
use crate::replace::unguessable;

/// The user and the group that a file gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    /// Number of the user.
    pub(super) uid: u32,
    /// Number of the group.
    pub(super) gid: u32,
}

/// Puts a file with this content in the place of `path`. It has its mode and owner before it has its name, and is on
/// the disk before it replaces the old one. Without an `owner` it belongs to whoever calls this, as on a FAT file system,
/// which has no owners.
///
/// FAT writes down on its own what happens to a name, to a file and to the blocks, so the order counts: first the name that
/// the new file had before is gone, then `path` leads to the new file, and only then the old one's blocks are free. A new
/// name leads to an empty file in between.
///
/// # Errors
/// [`Error::Io`]; the old file is still there then.
pub(super) fn file(path: &Path, bytes: &[u8], mode: u32, owner: Option<Owner>) -> Result<(), Error> {
    let failed = |error| Error::Io(path.to_owned(), error);
    remove_left_over(path).map_err(failed)?;
    let (new, mut file) = beside(path).map_err(failed)?;
    // Its blocks are not free as long as it is open.
    let old = OpenOptions::new().read(true).custom_flags(careful().bits()).open(path);
    let written = fill(&mut file, bytes, mode, owner).and_then(|()| fs::rename(&new, path));
    if let Err(error) = written {
        // The error that counts is the one before.
        let _ = fs::remove_file(&new);
        return Err(failed(error));
    }
    sync_folder(path).and_then(|()| file.sync_all()).map_err(failed)?;
    drop(old);
    Ok(())
}

/// What the name of a new file beside this one begins with.
fn prefix(path: &Path) -> OsString {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".setup-");
    name
}

/// Takes away what a setup left that was killed before it replaced this file.
fn remove_left_over(path: &Path) -> io::Result<()> {
    let prefix = prefix(path);
    for entry in fs::read_dir(folder_of(path))? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(prefix.as_encoded_bytes()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A new, empty file in the same folder, which nobody else can read yet.
fn beside(path: &Path) -> io::Result<(PathBuf, File)> {
    loop {
        let mut name = prefix(path);
        name.push(unguessable());
        let new = path.with_file_name(name);
        let flags = OFlag::O_NOFOLLOW.bits();
        match OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(flags).open(&new) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            opened => return opened.map(|file| (new, file)),
        }
    }
}

fn fill(file: &mut File, bytes: &[u8], mode: u32, owner: Option<Owner>) -> io::Result<()> {
    file.write_all(bytes)?;
    if let Some(Owner { uid, gid }) = owner {
        fchown(&*file, Some(uid), Some(gid))?;
    }
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

/// Makes the new name last.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}
