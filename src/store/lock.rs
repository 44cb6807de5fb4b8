//! One run at a time: the lock beside the store.

use std::fs::{self, File, OpenOptions};
use std::mem::ManuallyDrop;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::files::with_suffix;
use crate::error::Error;

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
