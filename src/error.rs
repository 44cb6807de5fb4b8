//! What can go wrong: its text, whether another try helps, and the exit status it ends with.

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
    /// 1: doctor or status found something wrong, and said what.
    Trouble,
    /// 64: the command line is wrong.
    Usage,
    /// 66: no sensor or no reading, not the one named, or several and none named.
    NoSensor,
    /// 69: the reading was taken, but focus could not deliver it.
    NotDelivered,
    /// 70: a bug in this program.
    Bug,
    /// 74: the sensor gave no good reading in all its tries, or the system failed us.
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

/// Why a run, or a command, failed.
#[derive(Debug)]
pub enum Error {
    /// The command line: which option, and what would be right.
    Usage(String),
    /// The configuration: file, line and key, and what would be right.
    Config(String),
    /// No usable sensor, not the one named, or several.
    NoSensor(String),
    /// No reading is kept that was asked for; what there is instead.
    NotKept(String),
    /// The sensor of this name gave no good reading.
    NoReading(String, GaveUp),
    /// The reading was taken but not delivered. Holds the line about the reading and the reason.
    NotDelivered(String),
    /// The store cannot be read.
    Store(String),
    /// Another run has this lock.
    Busy(PathBuf),
    /// A signal asked the run to end; what was under way then.
    Signal(Signal, String),
    /// The system refused something the run cannot do without.
    Io(PathBuf, io::Error),
}

impl Error {
    /// The exit status for this error.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Error::Usage(_) => Exit::Usage,
            Error::Config(_) => Exit::Config,
            Error::NoSensor(_) | Error::NotKept(_) => Exit::NoSensor,
            Error::NoReading(..) | Error::Store(_) | Error::Io(..) => Exit::NoReading,
            Error::NotDelivered(_) => Exit::NotDelivered,
            Error::Busy(_) => Exit::Busy,
            Error::Signal(signal, _) => Exit::Signal(*signal),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Usage(text)
            | Error::Config(text)
            | Error::NoSensor(text)
            | Error::NotKept(text)
            | Error::NotDelivered(text)
            | Error::Store(text) => f.write_str(text),
            Error::NoReading(device, tries) => write!(f, "no good reading from {device} {tries}"),
            Error::Busy(lock) => write!(f, "another run is under way: it holds {}", lock.display()),
            Error::Signal(signal, under_way) => write!(f, "ended by {signal} {under_way}"),
            Error::Io(path, source) => write!(f, "{}: {}", path.display(), describe(source)),
        }
    }
}

impl std::error::Error for Error {}

/// Why one try of the sensor did not count.
#[derive(Debug)]
pub enum Failure {
    /// The kernel said no.
    Io(PathBuf, io::Error),
    /// The attribute does not hold a number that could be a measurement; what it holds instead.
    Value(PathBuf, &'static str),
    /// The values are outside what the configuration allows.
    OutOfRange(String),
    /// The values are too far from the last kept ones, and no other try agreed with them yet.
    Jump(String),
    /// The values did not come from the bus in this try.
    Stale(&'static str),
}

impl Failure {
    /// The short name that failures are counted by: the kernel's own for an errno.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Failure::Io(_, source) => {
                errno(source).map_or_else(|| source.kind().to_string(), |errno| format!("{errno:?}"))
            }
            Failure::Value(..) => "bad value".to_owned(),
            Failure::OutOfRange(_) => "out of range".to_owned(),
            Failure::Jump(_) => "jump".to_owned(),
            Failure::Stale(_) => "not fresh".to_owned(),
        }
    }

    /// Whether another try cannot end differently, so that the run ends at once.
    ///
    /// EAGAIN is the dht11 driver's word for a kernel clock coarser than its pulses
    /// (`DHT11_MIN_TIMERES`, `drivers/iio/humidity/dht11.c`): no pause mends that.
    #[must_use]
    pub fn is_futile(&self) -> bool {
        let Failure::Io(_, source) = self else {
            return false;
        };
        matches!(
            errno(source),
            Some(
                Errno::ENOENT
                    | Errno::ENODEV
                    | Errno::ENOTDIR
                    | Errno::EISDIR
                    | Errno::ELOOP
                    | Errno::EACCES
                    | Errno::EPERM
                    | Errno::EAGAIN
            )
        )
    }

    /// What the person at the Pi should do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Failure::Io(_, source) => match errno(source) {
                Some(Errno::EIO) => {
                    "the signal was disturbed: check the wire's length, the pull-up (4.7 to 10 kOhm) and the supply, and see dmesg"
                }
                Some(Errno::ETIMEDOUT) => {
                    "the sensor did not answer: check wiring, power and gpiopin, see dmesg, and cut the sensor's power if it hangs"
                }
                Some(Errno::ENOENT | Errno::ENODEV | Errno::ENOTDIR) => {
                    "the device went away: see dmesg for who unbound its driver"
                }
                Some(Errno::EACCES | Errno::EPERM) => {
                    "let this user read the attribute: on a Pi they are readable by all"
                }
                Some(Errno::EAGAIN) => {
                    "the kernel's clock is too coarse for this driver: it needs high resolution timers"
                }
                _ => "see dmesg for what the driver says",
            },
            Failure::Value(..) => "the driver gave no usable number: see dmesg, and compare with cat",
            Failure::OutOfRange(_) => "check the sensor, or widen temperature-range and humidity-range",
            Failure::Jump(_) => {
                "no two tries agreed: check the wiring, or raise temperature-jump and humidity-jump"
            }
            Failure::Stale(_) => "another program reads the same sensor, iio-hwmon perhaps: stop it",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Io(path, source) => write!(f, "{}: {}", path.display(), describe(source)),
            Failure::Value(path, what) => write!(f, "{}: {what}", path.display()),
            Failure::OutOfRange(what) | Failure::Jump(what) => f.write_str(what),
            Failure::Stale(what) => f.write_str(what),
        }
    }
}

/// The tries of one run that failed: how often each kind of failure came, the first one first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failures(Vec<(String, u32)>);

impl Failures {
    /// One more of this name.
    pub fn add(&mut self, name: String, times: u32) {
        match self.0.iter_mut().find(|(counted, _)| *counted == name) {
            Some((_, before)) => *before = before.saturating_add(times),
            None => self.0.push((name, times)),
        }
    }

    /// How many tries failed.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.iter().fold(0, |total, (_, times)| total.saturating_add(*times))
    }

    /// Name and number, in the order they first came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.0.iter().map(|(name, times)| (name.as_str(), *times))
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, times)) in self.iter().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            write!(f, "{separator}{name} {times} {}", plural(times, "time", "times"))?;
        }
        Ok(())
    }
}

/// Tries of the sensor, none of them good.
#[derive(Debug)]
pub struct GaveUp {
    /// All tries that were made.
    pub failures: Failures,
    /// Whether time, not the number of tries, ran out.
    pub out_of_time: bool,
    /// The last failure.
    pub last: Failure,
}

impl fmt::Display for GaveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attempts = self.failures.total();
        write!(f, "in {attempts} {}", plural(attempts, "try", "tries"))?;
        if self.out_of_time {
            f.write_str(" before the deadline")?;
        }
        write!(f, ": {} (last: {}); {}", self.failures, self.last, self.last.advice())
    }
}

/// The word for one, or for any other number.
#[must_use]
pub fn plural(n: u32, one: &'static str, many: &'static str) -> &'static str {
    if n == 1 { one } else { many }
}

/// The error with the kernel's own name for it, such as `EIO: I/O error`.
#[must_use]
pub fn describe(source: &io::Error) -> String {
    match errno(source) {
        Some(errno) => format!("{errno:?}: {}", errno.desc()),
        None => source.to_string(),
    }
}

/// A path and why it cannot be used, as the start of a message.
#[must_use]
pub fn cannot(verb: &str, path: &Path, source: &io::Error) -> String {
    format!("cannot {verb} {}: {}", path.display(), describe(source))
}

fn errno(source: &io::Error) -> Option<Errno> {
    source.raw_os_error().map(Errno::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn io_failure(errno: Errno) -> Failure {
        Failure::Io("/sys/x".into(), io::Error::from(errno))
    }

    #[test]
    fn errnos_are_futile_or_worth_another_try() {
        for errno in [Errno::EIO, Errno::ETIMEDOUT, Errno::EREMOTEIO, Errno::ENXIO, Errno::EBUSY] {
            assert!(!io_failure(errno).is_futile(), "{errno:?}");
        }
        for errno in [Errno::ENOENT, Errno::ENODEV, Errno::EACCES, Errno::EPERM, Errno::EAGAIN] {
            assert!(io_failure(errno).is_futile(), "{errno:?}");
        }
        assert!(!Failure::Stale("cached").is_futile());
        assert!(!Failure::OutOfRange(String::new()).is_futile());
        assert!(!Failure::Value("x".into(), "is empty").is_futile());
    }

    #[test]
    fn a_failed_run_is_one_line_with_names_counts_and_advice() {
        let tries = GaveUp {
            failures: Failures(vec![("EIO".into(), 9), ("ETIMEDOUT".into(), 1)]),
            out_of_time: false,
            last: io_failure(Errno::ETIMEDOUT),
        };
        assert_eq!(
            Error::NoReading("dht11@4".into(), tries).to_string(),
            "no good reading from dht11@4 in 10 tries: EIO 9 times, ETIMEDOUT 1 time \
             (last: /sys/x: ETIMEDOUT: Connection timed out); the sensor did not answer: check wiring, \
             power and gpiopin, see dmesg, and cut the sensor's power if it hangs"
        );
    }

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
