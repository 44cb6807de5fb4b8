//! `iio-focus doctor`: goes the way of the data and says what is wrong, and the one thing to do next.
//!
//! It only looks, and holds no run up. Every wait has a limit, and a signal ends it at once.

mod boot;
mod delivery;
mod driver;
mod runs;
mod tries;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli;
use crate::config::{self, Config};
use crate::error::{Error, Exit, Problem, plural};
use crate::sensor::Sensor;

/// All that is looked at, in the data's order.
const CHECKS: [fn(&System) -> Vec<Finding>; 15] = [
    boot::overlay_file,
    boot::overlay_lines,
    driver::available,
    driver::bound,
    driver::sensors,
    driver::second_reader,
    tries::tries,
    delivery::program,
    delivery::configuration,
    delivery::private,
    delivery::server,
    runs::store,
    runs::backlog,
    runs::schedule,
    runs::last_run,
];

/// Prints each finding as soon as it is there, or all of them as a JSON array. Returns [`Exit::Trouble`] if something
/// is wrong.
///
/// # Errors
/// What is wrong with the command line; what standard output said, but not that nobody reads it.
pub fn run(args: &cli::Args, doctor: &cli::Doctor) -> Result<Exit, Error> {
    let system = System::new(args, doctor)?;
    let style = Style::for_stdout();
    let mut findings = Vec::new();
    for check in CHECKS {
        for finding in check(&system) {
            if !doctor.json {
                super::print(&finding.text(style))?;
            }
            findings.push(finding);
        }
    }
    let wrong = findings.iter().filter(|finding| finding.state == State::Wrong).count();
    super::print(&if doctor.json {
        // Strings under literal names: there is nothing that could fail.
        serde_json::to_string(&findings).unwrap_or_default() + "\n"
    } else {
        summary(wrong)
    })?;
    Ok(if wrong == 0 { Exit::Success } else { Exit::Trouble })
}

fn summary(wrong: usize) -> String {
    match u32::try_from(wrong).unwrap_or(u32::MAX) {
        0 => "\nnothing is wrong\n".to_owned(),
        n => format!("\n{n} {} wrong; begin with the first\n", plural(n, "thing is", "things are")),
    }
}

/// How it is with what was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    /// Neither right nor wrong, or it could not be looked at.
    Note,
    Wrong,
}

/// What was looked at, what was found, and what to do about it.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    state: State,
    found: String,
    advice: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Finding {
        Finding { check, state: State::Ok, found: one_line(found.into()), advice: None }
    }

    fn note(check: &'static str, found: impl Into<String>) -> Finding {
        Finding { state: State::Note, ..Finding::ok(check, found) }
    }

    /// With what the problem itself advises, else with this.
    fn problem(check: &'static str, problem: Problem, otherwise: &str) -> Finding {
        Finding::wrong(check, problem.what, problem.advice.as_deref().unwrap_or(otherwise))
    }

    fn wrong(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { state: State::Wrong, ..Finding::ok(check, found) }.advise(advice)
    }

    /// A file that is there cannot be used.
    fn closed(check: &'static str, path: &Path, error: &io::Error) -> Finding {
        let problem = Problem::file("read", path, error);
        let advice = if problem.denied { "run this with sudo" } else { "put a file there that can be read" };
        Finding::wrong(check, problem.what, advice)
    }

    fn advise(self, advice: impl Into<String>) -> Finding {
        Finding { advice: Some(one_line(advice.into())), ..self }
    }

    /// Wrong if the data cannot flow without it; else worth a word.
    fn wrong_if(self, wrong: bool, advice: impl Into<String>) -> Finding {
        if wrong { Finding { state: State::Wrong, ..self }.advise(advice) } else { self }
    }

    fn text(&self, style: Style) -> String {
        let mark = match self.state {
            State::Ok => style.paint("ok   ", "32"),
            State::Note => style.paint("--   ", "33"),
            State::Wrong => style.paint("WRONG", "1;31"),
        };
        let mut text = format!("{mark}  {:<15}{}\n", self.check, self.found);
        if let Some(advice) = &self.advice {
            text += &format!("{:22}-> {advice}\n", "");
        }
        text
    }
}

/// File names, labels and the kernel's words may hold anything.
fn one_line(text: String) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Whether marks have colours.
#[derive(Clone, Copy)]
struct Style {
    coloured: bool,
}

impl Style {
    /// On a terminal, unless `NO_COLOR` is set and not empty (<https://no-color.org>).
    fn for_stdout() -> Style {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Style { coloured: !unwanted && io::stdout().is_terminal() }
    }

    fn paint(self, text: &str, colour: &str) -> String {
        if self.coloured { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// What is looked at.
struct System {
    /// Where its files are.
    root: PathBuf,
    /// All of the configuration, as a run would have it, or why there would be no run.
    whole: Result<Config, Error>,
    /// What of it goes for the sensor and the store. Defaults, if the file cannot be used at all.
    config: Config,
    /// The file can be used: what it says of the store is known.
    is_known: bool,
    /// All usable sensors.
    sensors: Vec<Sensor>,
    /// The one that a run would take, or why it would not.
    chosen: Result<Sensor, Error>,
}

impl System {
    fn new(args: &cli::Args, doctor: &cli::Doctor) -> Result<System, Error> {
        let root = PathBuf::from(doctor.root.as_deref().unwrap_or("/"));
        let load = |args: &cli::Args, delivers: bool| {
            Config::load_under(&root, args, &|name| variable(&root, name), delivers)
        };
        let whole = match load(args, true) {
            Err(usage @ Error::Usage(_)) => return Err(usage),
            whole => whole,
        };
        let known = load(args, false);
        let is_known = known.is_ok();
        let config = known.or_else(|_| {
            let nothing = cli::Args {
                config: Some("/dev/null".to_owned()),
                device: args.device.clone(),
                sysfs: args.sysfs.clone(),
                ..cli::Args::default()
            };
            load(&nothing, false)
        })?;
        let sensors = Sensor::all(&config.sysfs).unwrap_or_default();
        let chosen = Sensor::find(&config.sysfs, config.device.as_deref());
        Ok(System { root, whole, config, is_known, sensors, chosen })
    }

    /// A file of the system.
    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Those that are tried: the one that a run would take, else all.
    fn tried(&self) -> Vec<&Sensor> {
        self.chosen.as_ref().map_or_else(|_| self.sensors.iter().collect(), |sensor| vec![sensor])
    }

    /// Something can be measured, wherever it came from.
    fn has_sensor(&self) -> bool {
        !self.sensors.is_empty()
    }
}

/// The environment; and the licence as systemd would hand it to the service.
fn variable(root: &Path, name: &str) -> Option<OsString> {
    let handed = || {
        let text = fs::read_to_string(credential(root)?).ok()?;
        Some(config::bare_secret(&text).into())
    };
    env::var_os(name).or_else(|| if name == "WHATAP_LICENSE" { handed() } else { None })
}

/// The file that the unit's `LoadCredential=` finds, if it is there (`systemd.exec(5)`).
fn credential(root: &Path) -> Option<PathBuf> {
    let stores = ["etc/credstore", "run/credstore", "usr/lib/credstore"];
    stores.map(|store| root.join(store).join("iio-focus.license")).into_iter().find(|file| file.exists())
}

/// The names in a folder, in order; none if it is not there.
///
/// # Errors
/// What else keeps it from being read.
fn names_in(dir: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    Ok(names)
}
