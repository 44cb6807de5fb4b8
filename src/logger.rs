//! Where log lines go: syslog, standard error, or both. A line that cannot be logged never ends a run.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};
use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr};
use syslog::{Facility, LogFormat, LoggerBackend, Severity};

use crate::error::Exit;
use crate::output::clean;

/// The choice of `--log`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// syslog, and standard error too if that is a terminal.
    #[default]
    Auto,
    /// syslog alone; standard error if there is none.
    Syslog,
    /// Standard error alone.
    Stderr,
}

type Syslog = syslog::Logger<LoggerBackend, Rfc3164>;

/// RFC 3164 without a timestamp: the syslog daemon then adds the time itself. The formatter of the `syslog` crate
/// writes the time in UTC, but daemons read a timestamp as local time.
#[derive(Clone)]
struct Rfc3164;

impl<T: Display> LogFormat<T> for Rfc3164 {
    fn format<W: Write>(&self, to: &mut W, severity: Severity, message: T) -> syslog::Result<()> {
        let priority = Facility::LOG_DAEMON as u8 | severity as u8;
        write!(to, "<{priority}>iio-focus[{}]: {message}", std::process::id()).map_err(syslog::Error::from)
    }
}

struct Logger {
    syslog: Option<Mutex<Syslog>>,
    stderr: bool,
}

/// Sets the destination of all `log` macros, once: a later call changes nothing. With `verbose`, debug lines are logged
/// too.
pub fn init(destination: Destination, verbose: bool) {
    if log::max_level() != LevelFilter::Off {
        return;
    }
    let syslog = if destination == Destination::Stderr { None } else { connect() };
    let on_terminal = destination == Destination::Auto && io::stderr().is_terminal();
    let stderr = destination == Destination::Stderr || on_terminal;
    log::set_max_level(if verbose { LevelFilter::Debug } else { LevelFilter::Info });
    // Fails only if a logger was set before.
    let _ = log::set_boxed_logger(Box::new(Logger { syslog: syslog.map(Mutex::new), stderr }));
}

/// Makes a panic write one line to the log and end the process with [`Exit::Bug`].
#[allow(clippy::exit, reason = "a panic has no caller to return to")]
pub fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        init(Destination::Stderr, false);
        log::error!("a bug in iio-focus {}, please report: {panic}", env!("CARGO_PKG_VERSION"));
        std::process::exit(Exit::Bug.status().into());
    }));
}

/// Connects to the log socket, if a syslog daemon listens there. Neither connecting nor writing waits, so that a daemon
/// that hangs cannot stop this program.
fn connect() -> Option<Syslog> {
    let backend = match open_socket(SockType::Datagram) {
        Ok(socket) => LoggerBackend::Unix(socket.into()),
        Err(Errno::EPROTOTYPE) => {
            LoggerBackend::UnixStream(BufWriter::new(open_socket(SockType::Stream).ok()?.into()))
        }
        Err(_) => return None,
    };
    Some(syslog::Logger::new(backend, Rfc3164))
}

fn open_socket(kind: SockType) -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket::socket(AddressFamily::Unix, kind, flags, None)?;
    socket::connect(socket.as_raw_fd(), &UnixAddr::new("/dev/log")?)?;
    Ok(socket)
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        // A record is logged as one line, but a file name or the output of a child may contain line breaks.
        let line = clean(&record.args().to_string(), ' ');
        let sent = self.syslog.as_ref().is_some_and(|syslog| {
            let mut syslog = syslog.lock().unwrap_or_else(PoisonError::into_inner);
            match record.level() {
                Level::Error => syslog.err(&line),
                Level::Warn => syslog.warning(&line),
                Level::Info => syslog.info(&line),
                Level::Debug | Level::Trace => syslog.debug(&line),
            }
            .is_ok()
        });
        if self.stderr || !sent {
            let level = match record.level() {
                Level::Error => "error: ",
                Level::Warn => "warning: ",
                _ => "",
            };
            // If standard error cannot be written either, there is no other place to report that.
            let _ = io::stderr().write_all(format!("iio-focus: {level}{line}\n").as_bytes());
        }
    }

    fn flush(&self) {}
}
