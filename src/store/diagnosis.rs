//! Why a store cannot be used, in words, and what to do about it. SQLite says "disk I/O error" or "unable to open database
//! file" for most of it, so the file system is asked.

use std::fs;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::statvfs::{FsFlags, Statvfs, statvfs};
use nix::unistd::{AccessFlags, access};
use rusqlite::ErrorCode;

use super::schema::Trouble;
use crate::error::{Problem, errno};

/// With fewer bytes than this, a file system counts as full: a run may write so much, its log's index included.
const LITTLE_SPACE: u64 = 128 << 10;

/// Why the store at `path` cannot be used, and what to do about it.
pub(super) fn diagnose(trouble: &Trouble, path: &Path) -> Problem {
    let folder = path.ancestors().skip(1).find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    if !folder.is_dir() || path.is_dir() {
        let (what, kind) =
            if path.is_dir() { (path, "a folder, not a file") } else { (folder, "a file, not a folder") };
        return Problem::new(format!("{} is {kind}", what.display())).advise("set path in [store]");
    }
    let disk = statvfs(folder).ok();
    let (code, errno) = match trouble {
        Trouble::Sqlite(error) => (error.sqlite_error_code(), None),
        Trouble::Files(error) => (None, errno(error)),
        Trouble::CutOff => (Some(ErrorCode::SystemIoFailure), None),
        _ => return Problem::new(trouble.to_string()),
    };
    // What the system says to this file, where SQLite has no word for it.
    let refusal = errno.or_else(|| match code {
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            refusal(path, folder)
        }
        _ => None,
    });
    match (code, refusal) {
        (_, Some(Errno::EDQUOT)) => Problem::new("its user's disk quota is used up").advise("see quota(1)"),
        (_, Some(Errno::EROFS)) => Problem::new("its file system is read-only").advise(
            "the kernel makes it so after an error on the card: see dmesg, and mount it again for writing",
        ),
        (_, Some(Errno::EACCES | Errno::EPERM)) => {
            Problem::new("this user may not write to it or to its folder")
                .advise("give both to the user that runs iio-focus: sudo chown, or see iio-focus doctor")
        }
        (Some(ErrorCode::DiskFull), _) | (_, Some(Errno::ENOSPC)) => no_space(disk.as_ref(), folder),
        (Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen), None) if is_full(disk.as_ref()) => {
            no_space(disk.as_ref(), folder)
        }
        (Some(ErrorCode::SystemIoFailure), None) if file_size_is_limited() => too_large(trouble),
        (_, Some(Errno::EFBIG)) => too_large(trouble),
        (Some(ErrorCode::SystemIoFailure), None) | (_, Some(Errno::EIO)) => {
            Problem::new(trouble.to_string()).advise("the card may be failing: see dmesg")
        }
        (Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked), _) => {
            Problem::new(trouble.to_string()).advise("another program writes to it: fuser -v shows which")
        }
        _ => Problem::new(trouble.to_string()),
    }
}

/// What the system would say to a program that opens the file, or makes it.
fn refusal(path: &Path, folder: &Path) -> Option<Errno> {
    let asked = if path.exists() { path } else { folder };
    let flags = AccessFlags::R_OK | AccessFlags::W_OK;
    access(asked, flags).and_then(|()| access(folder, flags | AccessFlags::X_OK)).err()
}

fn is_full(disk: Option<&Statvfs>) -> bool {
    disk.is_some_and(|disk| {
        let read_only = disk.flags().contains(FsFlags::ST_RDONLY);
        !read_only && (free_bytes(disk) < LITTLE_SPACE || has_no_inodes(disk))
    })
}

// On some machines these are 32 bits wide.
#[allow(clippy::useless_conversion, reason = "their type depends on the machine")]
fn free_bytes(disk: &Statvfs) -> u64 {
    u64::from(disk.blocks_available()).saturating_mul(u64::from(disk.fragment_size()))
}

/// A file system that counts no inodes (vfat, btrfs) says 0 of 0.
fn has_no_inodes(disk: &Statvfs) -> bool {
    disk.files() > 0 && disk.files_available() == 0
}

fn no_space(disk: Option<&Statvfs>, folder: &Path) -> Problem {
    let folder = folder.display();
    match disk {
        // F2FS says that no inode can be made when it has no block for one.
        Some(disk) if has_no_inodes(disk) && free_bytes(disk) >= LITTLE_SPACE => {
            Problem::new("no space is left on its file system: all inodes are in use")
                .advise(format!("delete small files there: df -i {folder}"))
        }
        disk => {
            let free = disk.map_or(0, free_bytes) / 1024;
            Problem::new(format!("no space is left on its file system ({free} KiB are free)"))
                .advise(format!("delete what is not needed there: df {folder}"))
        }
    }
}

fn too_large(trouble: &Trouble) -> Problem {
    Problem::new(trouble.to_string())
        .advise("the size of files is limited for this process (ulimit -f, LimitFSIZE=): lift that")
}

/// `RLIMIT_FSIZE`.
fn file_size_is_limited() -> bool {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    limits.lines().any(|line| line.starts_with("Max file size") && !line.contains("unlimited "))
}
