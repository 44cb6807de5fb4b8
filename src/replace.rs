//! Writing a file that other programs read, in a folder where other users may write too.
//!
//! A file is replaced as a whole: a reader sees either the old content or the whole new one. Nothing that another user
//! put there is written to: not the target of that user's link, and not a file under a guessed temporary name.

use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::hash::BuildHasher;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, readlinkat, renameat};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstatat};
use nix::unistd::{Uid, UnlinkatFlags, unlinkat};

/// So many links may stand in a path, as in the kernel's own (`MAXSYMLINKS`).
const LINKS: u32 = 40;

/// How long a pipe may have no reader, or a reader that does not read.
const PATIENCE: Duration = Duration::from_secs(2);

/// Replaces the file at `path`, or makes it with this mode less the umask. The mode of a file that was there is kept if
/// it belongs to the caller or to root. A link is followed if it belongs to the caller or to root; another user's link
/// is replaced. A pipe or a device is written to.
///
/// # Errors
/// What the system said: there is no such folder, the disk is full, nobody reads the pipe within 2 s. The old file then
/// stays, and no other is left.
pub fn replace(path: &Path, content: &[u8], new_mode: u32) -> io::Result<()> {
    let place = Place::of(path)?;
    let old = match fstatat(&place.folder, place.name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
        Err(Errno::ENOENT) => None,
        old => Some(old?),
    };
    match old {
        Some(old) if !matches!(kind(&old), SFlag::S_IFREG | SFlag::S_IFLNK) => place.write_to(content, false),
        _ if place.leads_elsewhere => place.write_to(content, true),
        old => place.put(content, old.filter(|old| kind(old) == SFlag::S_IFREG && is_ours(old)), new_mode),
    }
}

/// Part of a name that nobody can guess: its 64 bits are from the system's random numbers.
pub(crate) fn unguessable() -> String {
    format!("{:016x}", RandomState::new().hash_one(()))
}

/// A folder that stays the same whatever is renamed meanwhile, and a name in it.
struct Place {
    folder: OwnedFd,
    name: OsString,
    /// The name is a trusted link to something that is no file, such as `/proc/self/fd/1`.
    leads_elsewhere: bool,
}

impl Place {
    /// Goes along the path, and along the links in it that belong to the caller or to root. Another user's link that is
    /// not its last part is refused.
    fn of(path: &Path) -> io::Result<Place> {
        let mut rest = parts(path);
        let mut folder = open_folder(AT_FDCWD, OsStr::new("."))?;
        let mut links = 0;
        loop {
            let part = rest.pop_front().ok_or(if path.as_os_str().is_empty() {
                Errno::ENOENT
            } else {
                Errno::EISDIR
            })?;
            let is_last = rest.is_empty();
            let found = match fstatat(&folder, part.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
                Err(Errno::ENOENT) if is_last => None,
                found => Some(found?),
            };
            let is_link = found.is_some_and(|found| kind(&found) == SFlag::S_IFLNK);
            let trusted = found.is_some_and(|found| is_ours(&found));
            if is_link && trusted {
                links += 1;
                if links > LINKS {
                    return Err(Errno::ELOOP.into());
                }
                let leads_elsewhere = is_last && leads_to_no_file(&folder, &part);
                if leads_elsewhere {
                    return Ok(Place { folder, name: part, leads_elsewhere });
                }
                let target = readlinkat(&folder, part.as_os_str())?;
                parts(Path::new(&target)).into_iter().rev().for_each(|part| rest.push_front(part));
            } else if is_last {
                return Ok(Place { folder, name: part, leads_elsewhere: false });
            } else if is_link {
                let part = part.to_string_lossy();
                return Err(io::Error::other(format!(
                    "{part} in this path is a link of another user and is not followed"
                )));
            } else {
                folder = open_folder(&folder, &part)?;
            }
        }
    }

    /// Writes a new file beside the old one, and renames it over the name itself.
    fn put(&self, content: &[u8], old: Option<FileStat>, new_mode: u32) -> io::Result<()> {
        let (new, mut file) = self.new_file(new_mode)?;
        let written = (|| {
            if let Some(old) = old {
                fchmod(&file, Mode::from_bits_truncate(old.st_mode & 0o777))?;
            }
            file.write_all(content)?;
            file.sync_all()?;
            Ok(renameat(&self.folder, new.as_os_str(), &self.folder, self.name.as_os_str())?)
        })();
        if written.is_err() {
            let _ = unlinkat(&self.folder, new.as_os_str(), UnlinkatFlags::NoRemoveDir);
        }
        written
    }

    /// A file with a name that nobody can guess.
    fn new_file(&self, mode: u32) -> io::Result<(OsString, File)> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let name = OsString::from(format!(".iio-focus-{}", unguessable()));
        let file = openat(&self.folder, name.as_os_str(), flags, Mode::from_bits_truncate(mode))?;
        Ok((name, file.into()))
    }

    /// Writes to a pipe or a device. Neither a pipe that nobody reads nor a slow one is waited for longer than
    /// [`PATIENCE`].
    fn write_to(&self, mut content: &[u8], follow: bool) -> io::Result<()> {
        let no_follow = if follow { OFlag::empty() } else { OFlag::O_NOFOLLOW };
        let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | no_follow;
        let until = Instant::now() + PATIENCE;
        let mut file = loop {
            match openat(&self.folder, self.name.as_os_str(), flags, Mode::empty()) {
                // Nobody reads this pipe yet.
                Err(Errno::ENXIO) if Instant::now() < until => thread::sleep(Duration::from_millis(10)),
                file => break File::from(file?),
            }
        };
        while !content.is_empty() {
            match file.write(content) {
                Ok(written) => content = content.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait_for_reader(&file)?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn wait_for_reader(file: &File) -> io::Result<()> {
    let mut events = [PollFd::new(file.as_fd(), PollFlags::POLLOUT)];
    let patience = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::ZERO);
    match poll(&mut events, patience) {
        Ok(0) => Err(Errno::ETIMEDOUT.into()),
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// The names on a path; `/` stands for the root.
fn parts(path: &Path) -> VecDeque<OsString> {
    let names = path.components().filter(|part| *part != Component::CurDir);
    names.map(|part| part.as_os_str().to_owned()).collect()
}

fn open_folder(at: impl AsFd, name: &OsStr) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(at, name, flags, Mode::empty())
}

/// Whether the link leads to a pipe or a device, also where its text is no path (`proc(5)`, `/proc/pid/fd`).
fn leads_to_no_file(folder: &OwnedFd, link: &OsStr) -> bool {
    fstatat(folder, link, AtFlags::empty())
        .is_ok_and(|target| !matches!(kind(&target), SFlag::S_IFREG | SFlag::S_IFDIR))
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())
}

/// It belongs to the caller or to root.
fn is_ours(stat: &FileStat) -> bool {
    [0, Uid::effective().as_raw()].contains(&stat.st_uid)
}
