//! One run at a time: the lock beside the store.

use std::fs::{File, Permissions};
use std::io::{self, ErrorKind};
use std::mem::ManuallyDrop;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::Uid;

use super::files::{Owner, make, make_folder, open_regular, with_suffix};
use crate::error::{Error, Problem};

/// The lock's owner alone can open it, so that nobody else can hold runs up.
const MODE: u32 = 0o600;

/// The right to be the only run on a store, until this process ends: however it does, the kernel takes it back.
///
/// The store's own file is locked too (`flock(2)`, which SQLite does not use on Linux): a run that cannot open the lock
/// is kept out by that.
#[derive(Debug)]
pub struct Lock {
    // Never closed: that could fail, for which `Flock` panics, and would drop SQLite's own locks of the store.
    files: Vec<ManuallyDrop<Flock<File>>>,
}

impl Lock {
    /// Takes the lock beside the store's file. One that cannot be taken is logged. Where no store can be either, there is
    /// nothing to lock.
    ///
    /// # Errors
    /// [`Error::Busy`] if another run has it.
    pub fn acquire(store: &Path) -> Result<Lock, Error> {
        make_folder(store);
        let path = with_suffix(store, ".lock");
        let mut lock = Lock { files: Vec::new() };
        let taken = match open(&path, store) {
            Ok(file) => lock.take(file, &path)?,
            Err(error) => Err(error),
        };
        if let Err(error) = taken {
            if !is_without_store(&error) {
                log::warn!("{}", problem(&path, store, &error));
            }
        }
        if let Ok(file) = open_regular(store, false) {
            // Without it, the lock above is enough, or the caller is told.
            let _ = lock.take(file, store)?;
        }
        Ok(lock)
    }

    /// Whether this run is the only one: else it must leave alone what another may deliver at the same time.
    #[must_use]
    pub fn is_held(&self) -> bool {
        !self.files.is_empty()
    }

    /// Locks this file, or says why it cannot be.
    fn take(&mut self, mut file: File, path: &Path) -> Result<io::Result<()>, Error> {
        loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(locked) => {
                    self.files.push(ManuallyDrop::new(locked));
                    return Ok(Ok(()));
                }
                Err((_, Errno::EWOULDBLOCK)) => return Err(Error::Busy(path.to_owned())),
                Err((unlocked, Errno::EINTR)) => file = unlocked,
                // It is closed here, which does no harm: SQLite has not opened the store yet.
                Err((_, errno)) => return Ok(Err(errno.into())),
            }
        }
    }
}

/// Opens the lock, or makes it. It is the store's owner's, with [`MODE`]; what is not so and can be mended is.
fn open(path: &Path, store: &Path) -> io::Result<File> {
    let owner = Owner::of_store(store).ok_or(ErrorKind::NotFound)?;
    let file = match open_regular(path, true) {
        Err(error) if error.kind() == ErrorKind::NotFound => match make(path, &owner, MODE) {
            // Another run made it.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => open_regular(path, true)?,
            made => return made,
        },
        // A lock that is there can be taken all the same.
        Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => return open_regular(path, false),
        opened => opened?,
    };
    let meta = file.metadata()?;
    // What has another name, or holds something, is no lock: root must not give it away.
    if meta.nlink() == 1 && meta.size() == 0 {
        owner.adopt(&file, &meta);
        if meta.mode() & 0o777 != MODE
            && (Uid::effective().is_root() || meta.uid() == Uid::effective().as_raw())
        {
            let _ = file.set_permissions(Permissions::from_mode(MODE));
        }
    }
    Ok(file)
}

/// Whether no store can be where this happened, which the store will say.
fn is_without_store(error: &io::Error) -> bool {
    use ErrorKind::{NotADirectory, NotFound, ReadOnlyFilesystem, StorageFull};
    [NotADirectory, NotFound, ReadOnlyFilesystem, StorageFull].contains(&error.kind())
}

fn problem(path: &Path, store: &Path, error: &io::Error) -> Problem {
    let problem = Problem::file("open the lock", path, error);
    let shown = path.display();
    let owner = Owner::of_store(store);
    match (owner, path.symlink_metadata()) {
        (Some(Owner { user, group }), Ok(meta)) if meta.is_file() && problem.denied => {
            problem.advise(format!("let it belong to the store's user: chown {user}:{group} {shown}"))
        }
        (_, Ok(meta)) if !meta.is_file() => problem.advise(format!("remove it: rm -r {shown}")),
        (_, Err(_)) if problem.denied => {
            let folder: PathBuf = path.parent().unwrap_or(path).to_owned();
            problem.advise(format!("let this user write in {}", folder.display()))
        }
        _ => problem,
    }
}
