//! Where log lines go: syslog, standard error, or both. Logging never ends a run.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};
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

/// RFC 3164 without the timestamp, which every syslog daemon then takes from its own clock: the crate's own
/// formatter stamps in UTC, and daemons that believe a stamp take it for local time.
#[derive(Clone)]
struct Rfc3164;

impl<T: Display> LogFormat<T> for Rfc3164 {
    fn format<W: Write>(&self, to: &mut W, severity: Severity, message: T) -> syslog::Result<()> {
        let priority = Facility::LOG_DAEMON as u8 | severity as u8;
        write!(to, "<{priority}>iio-focus[{}]: {message}", std::process::id()).map_err(syslog::Error::Write)
    }
}

struct Logger {
    syslog: Option<Mutex<Syslog>>,
    stderr: bool,
}

/// Sets the destination of all `log` macros, once: a second call changes nothing. `verbose` lets debug
/// lines through.
pub fn init(to: Destination, verbose: bool) {
    if log::max_level() != LevelFilter::Off {
        return;
    }
    let syslog = if to == Destination::Stderr { None } else { connect() };
    let on_terminal = to == Destination::Auto && io::stderr().is_terminal();
    let stderr = to == Destination::Stderr || on_terminal;
    log::set_max_level(if verbose { LevelFilter::Debug } else { LevelFilter::Info });
    // Fails only if a logger was set before.
    let _ = log::set_boxed_logger(Box::new(Logger { syslog: syslog.map(Mutex::new), stderr }));
}

/// Makes a panic one line in the log and the exit status of a bug.
#[allow(clippy::exit, reason = "a panic has no caller to return to")]
pub fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        init(Destination::Stderr, false);
        log::error!("a bug in iio-focus {}, please report: {panic}", env!("CARGO_PKG_VERSION"));
        std::process::exit(Exit::Bug.status().into());
    }));
}

/// The log socket, if somebody listens there. It never blocks: a daemon that hangs must not hang us.
fn connect() -> Option<Syslog> {
    let syslog = syslog::unix(Rfc3164).ok()?;
    match &syslog.backend {
        LoggerBackend::Unix(socket) => socket.set_nonblocking(true).ok()?,
        LoggerBackend::UnixStream(socket) => socket.get_ref().set_nonblocking(true).ok()?,
        _ => return None,
    }
    Some(syslog)
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        // One record is one line, whatever a file name or a child brought into it.
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
            // Closed or full: there is nobody left to tell.
            let _ = io::stderr().write_all(format!("iio-focus: {level}{line}\n").as_bytes());
        }
    }

    fn flush(&self) {}
}
