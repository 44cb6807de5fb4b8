//! The folder of the store: the space in it, who can get at it, and what was set aside there.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

use super::names_in;

/// None of it is there where it cannot be looked at.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) mode: Option<u32>,
    /// Whether there is nothing in it but the store.
    pub(crate) is_own: bool,
    pub(crate) space: Option<Space>,
    pub(crate) lock_mode: Option<u32>,
    /// Damaged stores that a run set aside, the oldest first.
    pub(crate) set_aside: Vec<PathBuf>,
}

/// What is free for all but root, in the file system of the folder or of the next one above that is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Space {
    pub(crate) free_bytes: u64,
    pub(crate) all_bytes: u64,
    /// Files that can still be made. None: the file system has no limit of its own.
    pub(crate) free_files: Option<u64>,
    pub(crate) is_read_only: bool,
}

impl Folder {
    pub(super) fn look(store: &Path) -> Folder {
        let path = store.parent().unwrap_or(Path::new("/")).to_owned();
        let name = store.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let names = names_in(&path).unwrap_or_default();
        let aside = format!("{name}.damaged-");
        let is_part = |name: &String| ["-wal", "-shm"].iter().any(|part| name.ends_with(part));
        let set_aside = names.iter().filter(|name| name.starts_with(&aside) && !is_part(name));
        let mode = |path: &Path| fs::symlink_metadata(path).ok().map(|meta| meta.mode() & 0o7777);
        Folder {
            mode: mode(&path),
            is_own: names.iter().all(|one| one.starts_with(&name)),
            space: path.ancestors().find(|dir| dir.is_dir()).and_then(Space::look),
            lock_mode: mode(&path.join(format!("{name}.lock"))),
            set_aside: set_aside.map(|name| path.join(name)).collect(),
            path,
        }
    }
}

impl Space {
    #[allow(clippy::useless_conversion, reason = "these numbers have other types on 32-bit machines")]
    fn look(dir: &Path) -> Option<Space> {
        let found = statvfs(dir).ok()?;
        let block = u64::from(found.fragment_size());
        Some(Space {
            free_bytes: u64::from(found.blocks_available()).saturating_mul(block),
            all_bytes: u64::from(found.blocks()).saturating_mul(block),
            free_files: (u64::from(found.files()) > 0).then(|| u64::from(found.files_available())),
            is_read_only: found.flags().contains(nix::sys::statvfs::FsFlags::ST_RDONLY),
        })
    }
}

/// Whether a run is under way: it has the lock. Not asked by taking the lock, which would keep a run from starting.
pub(super) fn is_locked(store: &Path) -> bool {
    let mut lock = store.as_os_str().to_owned();
    lock.push(".lock");
    let Ok(meta) = fs::metadata(Path::new(&lock)) else { return false };
    // `1: FLOCK  ADVISORY  WRITE 4711 08:02:1234 0 EOF` (`proc_locks(5)`); the device is not that of `stat` everywhere.
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let inode = format!(":{}", meta.ino());
    locks.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        matches!(words[..], [_, "FLOCK", _, "WRITE", _, file, ..] if file.ends_with(&inode))
    })
}
