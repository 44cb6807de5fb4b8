//! Arguments, environment and file become one validated [`Config`]; every default stands here.
//!
//! What the file may hold, with its defaults, is in `file`; what is right for each kind of setting, in `kind`. Values
//! are never quoted in an error: one of them is the licence.

pub(crate) mod answer;
mod file;
mod kind;
mod project;
mod secret;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::Args;
use crate::error::{Error, Problem};
use crate::focus::Focus;
use crate::logger::Destination;
use crate::reading::{Calibration, Field, Jump, Limits};
use crate::store;

use file::{FocusTable, Tables};
use kind::{AGE, ATTEMPTS, DESTINATION, Kind, PAUSE, PCODE, PORT, SPAN, TEXT, Value};
pub use project::HOW_TO_GET_A_TOKEN;
pub(crate) use secret::{LICENSE, TOKEN, bare_secret};

/// The configuration file that may be absent.
pub const DEFAULT_FILE: &str = "/etc/iio-focus.toml";

/// Where readings are kept, unless the configuration says otherwise.
pub const DEFAULT_STORE: &str = "/var/lib/iio-focus/readings.db";

/// Everything a run needs to know, checked.
#[derive(Debug)]
pub struct Config {
    /// Where sysfs is mounted.
    pub sysfs: PathBuf,
    /// The sensor's label, IIO name or id, if one was named.
    pub device: Option<String>,
    /// How many times to try the sensor.
    pub attempts: u32,
    /// The pause after a failed try.
    pub retry_delay: Duration,
    /// From the start to the end of the run.
    pub deadline: Duration,
    /// What counts as a reading.
    pub limits: Limits,
    /// What is added to it.
    pub calibration: Calibration,
    /// How far it may be from the last one without being doubted.
    pub jump: Jump,
    /// What is told of it.
    pub fields: Vec<Field>,
    /// Who gets it; nobody in a dry run or a command.
    pub focus: Option<Focus>,
    /// The file that was read, or would have been.
    pub file: PathBuf,
    /// The file that it names for the licence.
    pub license_file: Option<PathBuf>,
    /// Where it is kept.
    pub store: store::Settings,
    /// What is not wrong but should be told.
    pub warnings: Vec<Problem>,
}

impl Config {
    /// Puts the configuration together: command line over environment over file over default.
    ///
    /// # Errors
    /// [`Error::Usage`] for a value on the command line, [`Error::Config`] for all else: each names
    /// where the value stands and what would be right.
    pub fn load(args: &Args, env: &dyn Fn(&str) -> Option<OsString>) -> Result<Config, Error> {
        let delivers = !args.dry_run && args.command.is_none();
        Config::load_under(Path::new("/"), args, env, delivers)
    }

    /// The same for the system whose root folder this is, and as it is for a run that delivers, or for all else. A path
    /// on the command line or in the environment is taken as it stands.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_under(
        root: &Path,
        args: &Args,
        env: &dyn Fn(&str) -> Option<OsString>,
        delivers: bool,
    ) -> Result<Config, Error> {
        let mut sources = Sources { root, env, warnings: Vec::new() };
        let tables = sources.read_file(args)?;
        Config::new(args, tables, sources, delivers)
    }

    /// The same without what the file says, for one that cannot be used: what goes for the sensor and the store.
    ///
    /// # Errors
    /// [`Error::Usage`] for a value on the command line.
    pub fn without_file(
        root: &Path,
        args: &Args,
        env: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Config, Error> {
        Config::new(args, Tables::default(), Sources { root, env, warnings: Vec::new() }, false)
    }

    fn new(args: &Args, tables: Tables, mut sources: Sources<'_>, delivers: bool) -> Result<Config, Error> {
        let Tables { sensor, focus, store, .. } = tables;
        let deadline = option("--deadline", args.deadline.as_deref(), &SPAN)?;
        let attempts = option("--attempts", args.attempts.as_deref(), &ATTEMPTS)?;
        let retry_delay = option("--retry-delay", args.retry_delay.as_deref(), &PAUSE)?;
        let file = sources.file(args).0;
        let fields = focus.fields.clone();
        let license_file = focus.license_file.clone().map(|path| under(sources.root, path));
        let focus = if delivers { Some(sources.focus(focus, &file)?) } else { None };
        Ok(Config {
            sysfs: sysfs(args.sysfs.as_deref()),
            device: args.device.clone().or(sensor.device),
            attempts: attempts.unwrap_or(sensor.attempts),
            retry_delay: retry_delay.unwrap_or(sensor.retry_delay),
            deadline: deadline.unwrap_or(Duration::from_secs(50)),
            limits: Limits {
                temperature_mdegc: sensor.temperature_range,
                humidity_mpercent: sensor.humidity_range,
            },
            calibration: Calibration {
                temperature_mdegc: sensor.temperature_offset,
                humidity_mpercent: sensor.humidity_offset,
            },
            jump: Jump {
                temperature_mdegc: sensor.temperature_jump,
                humidity_mpercent: sensor.humidity_jump,
            },
            fields,
            focus,
            file,
            license_file,
            store: store::Settings {
                path: under(sources.root, store.path),
                keep: store.keep,
                backlog: store.backlog,
                wait_for_clock: store.wait_for_clock,
            },
            warnings: sources.warnings,
        })
    }
}

/// An absolute path as it is found under a root folder.
#[must_use]
pub fn under(root: &Path, path: PathBuf) -> PathBuf {
    path.strip_prefix("/").map_or_else(|_| path.clone(), |path| root.join(path))
}

/// Where sysfs is mounted.
#[must_use]
pub fn sysfs(named: Option<&str>) -> PathBuf {
    PathBuf::from(named.unwrap_or("/sys"))
}

/// The choice of `--log`.
///
/// # Errors
/// [`Error::Usage`] for another word.
pub fn log_destination(named: Option<&str>) -> Result<Destination, Error> {
    Ok(option("--log", named, &DESTINATION)?.unwrap_or_default())
}

/// How old the last reading may be for `status`.
///
/// # Errors
/// [`Error::Usage`] if it is no duration.
pub fn max_age(named: Option<&str>) -> Result<Duration, Error> {
    Ok(option("--max-age", named, &AGE)?.unwrap_or(Duration::from_secs(300)))
}

/// How many failed runs in a row `status` calls failing.
///
/// # Errors
/// [`Error::Usage`] if it is no such number.
pub fn failures(named: Option<&str>) -> Result<u32, Error> {
    Ok(option("--failures", named, &ATTEMPTS)?.unwrap_or(1))
}

/// A value from the command line, if it is there.
fn option<T>(name: &str, text: Option<&str>, kind: &Kind<T>) -> Result<Option<T>, Error> {
    text.map(|text| kind.of(Value::Word(text)))
        .transpose()
        .map_err(|wrong| Error::Usage(Problem::new(format!("{name}: {wrong}"))))
}

/// Where values come from, and what is not wrong with them but should be told.
struct Sources<'a> {
    root: &'a Path,
    env: &'a dyn Fn(&str) -> Option<OsString>,
    warnings: Vec<Problem>,
}

impl Sources<'_> {
    /// An environment variable, if it is there and not empty.
    fn word(&self, name: &str) -> Option<OsString> {
        (self.env)(name).filter(|value| !value.is_empty())
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.word(name).map(PathBuf::from)
    }

    /// A value from the environment, if it is there and not empty.
    fn variable<T>(&self, name: &str, kind: &Kind<T>) -> Result<Option<T>, Error> {
        // No text is right for a kind if it is not UTF-8, and nor is the empty one.
        self.word(name)
            .map(|value| kind.of(Value::Word(value.to_str().unwrap_or_default())))
            .transpose()
            .map_err(|wrong| Error::Config(Problem::new(format!("environment variable {name}: {wrong}"))))
    }

    /// The configuration's file, and whether it may be absent: the default one.
    fn file(&self, args: &Args) -> (PathBuf, bool) {
        let named = args.config.clone().map(PathBuf::from).or_else(|| self.path("IIO_FOCUS_CONFIG"));
        let may_be_absent = named.is_none();
        (named.unwrap_or_else(|| under(self.root, DEFAULT_FILE.into())), may_be_absent)
    }

    /// What the file holds.
    fn read_file(&mut self, args: &Args) -> Result<Tables, Error> {
        let (path, may_be_absent) = self.file(args);
        if may_be_absent && !path.exists() {
            return Ok(Tables::default());
        }
        let (tables, mode) = file::read(&path)?;
        if tables.focus.license.is_some() {
            LICENSE.warn_if_public(&path, mode, &mut self.warnings);
        }
        if tables.verify.token.is_some() {
            TOKEN.warn_if_public(&path, mode, &mut self.warnings);
        }
        Ok(tables)
    }

    /// How to call focus, by this table of the file and the environment.
    fn focus(&mut self, table: FocusTable, file: &Path) -> Result<Focus, Error> {
        let license = LICENSE.find(file, table.license, table.license_file, self)?;
        let pcode = self.variable("WHATAP_PCODE", &PCODE)?.or(table.pcode);
        let host = match self.variable("WHATAP_HOST", &TEXT)? {
            None => self.variable("WHATAP_SERVER_HOST", &TEXT)?,
            named => named,
        }
        .or(table.server_host);
        let port = self.variable("WHATAP_SERVER_PORT", &PORT)?;
        let missing = [
            (license.is_none(), "license (or license-file, or WHATAP_LICENSE)"),
            (pcode.is_none(), "pcode (or WHATAP_PCODE)"),
            (host.is_none(), "server-host (or WHATAP_HOST)"),
        ];
        let (Some(license), Some(pcode), Some(server_host)) = (license, pcode, host) else {
            return Err(lacks(file, &missing));
        };
        let optional =
            [("-oname", table.oname), ("-okind", table.okind), ("-onode", table.onode), ("-pk", table.pk)];
        Ok(Focus {
            program: under(self.root, table.program),
            license,
            pcode,
            server_host,
            server_port: port.unwrap_or(table.server_port),
            category: table.category,
            optional: optional.into_iter().filter_map(|(option, value)| Some((option, value?))).collect(),
            tags: table.tags,
            fields: table.fields,
            timeout: table.timeout,
            confirm: table.confirm,
            alert_after: Some(table.alert_after).filter(|runs| *runs > 0),
        })
    }
}

/// Delivery cannot do without what is missing.
fn lacks(file: &Path, what: &[(bool, &str)]) -> Error {
    let missing: Vec<&str> = what.iter().filter_map(|(missing, name)| missing.then_some(*name)).collect();
    Error::Config(
        Problem::new(format!("{}: [focus] lacks {}", file.display(), missing.join(", ")))
            .advise("to see a reading without delivering it, use --dry-run"),
    )
}
