//! Opening what may not be what it should: nothing here waits for a file to be opened, or for ever to be read.

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::SigSet;
use nix::sys::time::TimeSpec;

/// How long a pipe may be silent, as the shell's `<(…)` is until its program has written.
const PATIENCE: Duration = Duration::from_secs(5);

/// The flags with which nothing is waited for, and no link is followed in the last part of the path.
#[must_use]
pub fn careful() -> OFlag {
    OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY
}

/// What it is, if it is no regular file: `a pipe`.
#[must_use]
pub fn odd_kind(kind: FileType) -> Option<&'static str> {
    let kinds = [
        (kind.is_symlink(), "a symbolic link"),
        (kind.is_dir(), "a folder"),
        (kind.is_fifo(), "a pipe"),
        (kind.is_socket(), "a socket"),
        (kind.is_block_device() || kind.is_char_device(), "a device"),
    ];
    kinds.into_iter().find_map(|(is, name)| is.then_some(name))
}

/// Opens it to be read, without waiting until a pipe is written to.
///
/// # Errors
/// It cannot be opened.
pub fn without_waiting(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)
}

/// Reads a file that a person wrote, or what stands in its place: a pipe that is written to, `/dev/null`. Returns at most
/// so many bytes.
///
/// # Errors
/// It cannot be opened or read, or it is a pipe that nobody writes to, or nothing comes for 5 s.
pub fn read(path: &Path, most: u64) -> io::Result<(Vec<u8>, Metadata)> {
    let mut file = without_waiting(path)?;
    let meta = file.metadata()?;
    let mut bytes = Vec::new();
    let until = Instant::now() + PATIENCE;
    loop {
        let left = most.saturating_sub(bytes.len() as u64);
        match (&file).take(left).read_to_end(&mut bytes) {
            Ok(_) if bytes.is_empty() && meta.file_type().is_fifo() => {
                return Err(io::Error::other("it is a pipe that nobody writes to"));
            }
            Ok(_) => return Ok((bytes, meta)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait(&mut file, until)?,
            Err(error) => return Err(error),
        }
    }
}

/// Waits until there is more to read. A signal that is blocked, as those are that end a run, ends the process here.
fn wait(file: &mut File, until: Instant) -> io::Result<()> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::Error::other("it is a pipe or a device, and nothing came from it for 5 s"));
    }
    let mut fds = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
    // EINTR, after SIGSTOP and SIGCONT, changes nothing.
    let _ = ppoll(&mut fds, Some(TimeSpec::from_duration(left)), Some(SigSet::empty()));
    Ok(())
}
