//! What can go wrong, what to do about it, and the exit status that a run ends with.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::errno::Errno;
use nix::sys::signal::Signal;

/// How a run ended, as the exit statuses of `sysexits.h` that the README documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: the reading was taken and delivered, or printed.
    Success,
    /// 1: doctor, status or verify found something wrong, and said what.
    Trouble,
    /// 64: the command line is wrong.
    Usage,
    /// 66: there is no sensor or no reading, or not the one that was named, or several and none was named.
    NoSensor,
    /// 69: the reading was taken, but focus could not deliver it; or WhaTap could not be asked what arrived.
    NotDelivered,
    /// 70: a bug in this program.
    Bug,
    /// 74: the sensor gave no good reading in all its tries, or the system refused something that the program needs.
    NoReading,
    /// 75: another run is under way.
    Busy,
    /// 78: the configuration is wrong.
    Config,
    /// 128 + n: ended by signal n.
    Signal(Signal),
}

impl Exit {
    /// The status as the parent process sees it.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Trouble => 1,
            Exit::Usage => 64,
            Exit::NoSensor => 66,
            Exit::NotDelivered => 69,
            Exit::Bug => 70,
            Exit::NoReading => 74,
            Exit::Busy => 75,
            Exit::Config => 78,
            Exit::Signal(signal) => 128 + u8::try_from(signal as i32).unwrap_or(0),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.status())
    }
}

/// What happened, and what to do about it. They are joined to one sentence only when they are printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What happened, and where.
    pub what: String,
    /// What to do about it, if there is more to say than what happened.
    pub advice: Option<String>,
    /// Whether the system refused it because of missing permissions.
    pub denied: bool,
}

impl Problem {
    /// A problem without advice: what happened also says what would be right.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Problem {
        Problem { what: what.into(), advice: None, denied: false }
    }

    /// A problem with a file, with the error of the system: `cannot read PATH: EACCES: Permission denied`.
    #[must_use]
    pub fn file(verb: &str, path: &Path, source: &io::Error) -> Problem {
        let denied = source.kind() == io::ErrorKind::PermissionDenied;
        Problem { denied, ..Problem::new(cannot(verb, path, source)) }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn advise(self, advice: impl Into<String>) -> Problem {
        Problem { advice: Some(advice.into()), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.advice {
            Some(advice) => write!(f, "{}; {advice}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// Why a run, or a command, failed.
#[derive(Debug)]
pub enum Error {
    /// The command line: which option, and what would be right.
    Usage(Problem),
    /// The configuration: file, line and key, and what would be right.
    Config(Problem),
    /// There is no usable sensor, or not the one that was named, or several and none was named.
    NoSensor(Problem),
    /// The store has none of the requested readings; the problem says which ones it has.
    NotKept(Problem),
    /// The sensor gave no good reading.
    NoReading(Problem),
    /// The reading was taken but not delivered: the line about the reading, and why.
    NotDelivered(String, Problem),
    /// WhaTap could not be asked, or its answer says nothing: what arrived is not known.
    NotAsked(Problem),
    /// The store cannot be read.
    Store(Problem),
    /// Another run has this lock.
    Busy(PathBuf),
    /// A signal asked the run to end; what was under way then.
    Signal(Signal, String),
    /// A file could not be written.
    Io(PathBuf, io::Error),
    /// The system refused something that the program needs and that is no file: what it was, and the system's error.
    System(&'static str, io::Error),
}

impl Error {
    /// The problem that this error holds, if it holds one.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Error::Usage(problem)
            | Error::Config(problem)
            | Error::NoSensor(problem)
            | Error::NotKept(problem)
            | Error::NoReading(problem)
            | Error::NotDelivered(_, problem)
            | Error::NotAsked(problem)
            | Error::Store(problem) => Some(problem),
            _ => None,
        }
    }

    /// What happened, without the advice.
    #[must_use]
    pub fn what(&self) -> String {
        self.problem().map_or_else(|| self.to_string(), |problem| problem.what.clone())
    }

    /// Whether the system refused something because of missing permissions.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.problem().is_some_and(|problem| problem.denied)
    }

    /// The exit status for this error.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Error::Usage(_) => Exit::Usage,
            Error::Config(_) => Exit::Config,
            Error::NoSensor(_) | Error::NotKept(_) => Exit::NoSensor,
            Error::NoReading(..) | Error::Store(_) | Error::Io(..) | Error::System(..) => Exit::NoReading,
            Error::NotDelivered(..) | Error::NotAsked(_) => Exit::NotDelivered,
            Error::Busy(_) => Exit::Busy,
            Error::Signal(signal, _) => Exit::Signal(*signal),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Error::NotDelivered(reading, _) = self {
            write!(f, "{reading}: ")?;
        }
        match (self.problem(), self) {
            (Some(problem), _) => problem.fmt(f),
            (_, Error::Busy(lock)) => write!(f, "another run is under way: it holds {}", lock.display()),
            (_, Error::Signal(signal, under_way)) => write!(f, "ended by {signal} {under_way}"),
            (_, Error::Io(path, source)) => write!(f, "{}: {}", path.display(), describe(source)),
            (_, Error::System(what, source)) => write!(f, "{what}: {}", describe(source)),
            (None, _) => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// The singular `one` if `n` is 1, else the plural `many`.
#[must_use]
pub fn plural(n: u32, one: &'static str, many: &'static str) -> &'static str {
    if n == 1 { one } else { many }
}

/// The error with its name in the kernel, such as `EIO: I/O error`.
#[must_use]
pub fn describe(source: &io::Error) -> String {
    match errno(source) {
        Some(errno) => format!("{errno:?}: {}", errno.desc()),
        None => source.to_string(),
    }
}

/// The start of a message: `cannot read PATH: EACCES: Permission denied`.
#[must_use]
pub fn cannot(verb: &str, path: &Path, source: &io::Error) -> String {
    format!("cannot {verb} {}: {}", path.display(), describe(source))
}

pub(crate) fn errno(source: &io::Error) -> Option<Errno> {
    source.raw_os_error().map(Errno::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_status_is_the_documented_one() {
        for (exit, status) in [
            (Exit::Success, 0),
            (Exit::Trouble, 1),
            (Exit::Usage, 64),
            (Exit::NoSensor, 66),
            (Exit::NotDelivered, 69),
            (Exit::Bug, 70),
            (Exit::NoReading, 74),
            (Exit::Busy, 75),
            (Exit::Config, 78),
            (Exit::Signal(Signal::SIGINT), 130),
            (Exit::Signal(Signal::SIGTERM), 143),
        ] {
            assert_eq!(exit.status(), status, "{exit:?}");
        }
    }
}
