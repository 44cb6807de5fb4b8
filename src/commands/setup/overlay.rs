//! The first step: the overlay's line in `config.txt`, and the overlay in the kernel.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::config_txt::{LONGEST_LINE, Load, hold, loads, with_line, without_lines};
use super::pins::number;
use super::system::{System, find};
use super::talk::Talk;
use super::wishes::{self, Wishes};
use crate::commands::doctor::for_setup;
use crate::commands::program::run;
use crate::error::{Error, Problem};
use crate::sensor::Sensor;

const STEP: &str = "overlay";
const NAME: &str = "iio-focus-dht22";
const DEFAULT_PIN: u32 = 4;

/// Where the package has the overlay.
const SOURCE: &str = "/usr/share/iio-focus/iio-focus-dht22.dtbo";

/// Beside `config.txt`: what it was before.
const OLD: &str = "config.txt.iio-focus-old";

/// What there is to do.
pub(super) enum Plan {
    /// Nothing, for this reason.
    Leave(String),
    Boot(Boot),
}

/// A boot partition on which the overlay is wanted.
pub(super) struct Boot {
    config_file: PathBuf,
    overlay_file: PathBuf,
    text: String,
    has_overlay_file: bool,
    wanted: Wanted,
    /// No GPIO was given, and a person may want to name another one.
    may_ask_for_pin: bool,
}

/// The line that is wanted, and what `config.txt` has of it.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Found { pin: u32, load: Load },
    Missing { pin: u32, line: String, in_the_way: Vec<Load> },
}

/// How it is with the sensor after this step.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sensors {
    /// They can be read now.
    Ready,
    AfterRestart,
}

/// Looks, and changes nothing.
///
/// # Errors
/// What keeps the overlay from being set up.
pub(super) fn plan(system: &System, wishes: &Wishes) -> Result<Plan, Error> {
    if !wishes.overlay {
        return Ok(Plan::Leave("left alone".to_owned()));
    }
    let Some((config_file, overlay_file)) = for_setup::boot_files(&system.root) else {
        return no_boot(system, wishes);
    };
    let text =
        fs::read(&config_file).map_err(|error| Error::Config(Problem::file("read", &config_file, &error)))?;
    // Bytes that are no UTF-8 would be lost when the file is written.
    let no_text = |_| Error::Config(Problem::new(format!("{} is not UTF-8 text", config_file.display())));
    let text = String::from_utf8(text).map_err(no_text)?;
    let wanted = wanted(&text, wishes, None, system.model.as_deref())?;
    let is_asked_for = wishes.gpiopin.is_some() || wishes.label.is_some() || wishes.pull.is_some();
    if system.is_live && !is_asked_for && matches!(wanted, Wanted::Missing { .. }) {
        if let Some(sensor) = Sensor::all(Path::new("/sys"))?.first() {
            return Ok(Plan::Leave(format!("not needed: {} is there", sensor.title())));
        }
    }
    // A setup that lost its power can leave an empty one on FAT.
    let has_overlay_file = fs::metadata(&overlay_file).is_ok_and(|meta| meta.len() > 0);
    if !has_overlay_file && !system.path(SOURCE).exists() {
        let what = format!("{} is not there", overlay_file.display());
        return Err(Error::Config(Problem::new(what).advise("install the package, or run make install")));
    }
    let may_ask_for_pin = wishes.gpiopin.is_none() && matches!(wanted, Wanted::Missing { .. });
    Ok(Plan::Boot(Boot { config_file, overlay_file, text, has_overlay_file, wanted, may_ask_for_pin }))
}

fn no_boot(system: &System, wishes: &Wishes) -> Result<Plan, Error> {
    let is_pi = system.model.as_ref().is_some_and(|model| model.starts_with("Raspberry Pi"));
    if is_pi || !system.is_live || wishes.gpiopin.is_some() {
        let what = format!("no config.txt in {} or below it in firmware", system.path("/boot").display());
        let advice = "mount the Pi's boot partition there, or leave it alone with --no-overlay";
        return Err(Error::Config(Problem::new(what).advise(advice)));
    }
    Ok(Plan::Leave("not needed: no config.txt, so this is no Raspberry Pi".to_owned()))
}

/// What `config.txt` lacks, for this GPIO or the one that is wished for.
fn wanted(text: &str, wishes: &Wishes, pin: Option<u32>, model: Option<&str>) -> Result<Wanted, Error> {
    let all = loads(text).into_iter().filter(|load| hold(&load.filters, model) != Some(false));
    let mut all: Vec<Load> = all.collect();
    let pin = pin.or(wishes.gpiopin);
    let is_wanted = |load: &&Load| {
        let is = |name: &str, wish: &Option<String>| wish.is_none() || load.value(name) == wish.as_deref();
        load.name == NAME
            && hold(&load.filters, model) == Some(true)
            && pin.is_none_or(|pin| pin_of(load) == Some(pin))
            && is("label", &wishes.label)
            && is("pull", &wishes.pull)
    };
    if let Some(at) = all.iter().position(|load| is_wanted(&load)) {
        let load = all.swap_remove(at);
        return Ok(Wanted::Found { pin: pin_of(&load).unwrap_or(DEFAULT_PIN), load });
    }
    let pin = pin.unwrap_or(DEFAULT_PIN);
    let mut line = format!("dtoverlay={NAME},gpiopin={pin}");
    for (name, value) in [("label", &wishes.label), ("pull", &wishes.pull)] {
        line += &value.as_ref().map(|value| format!(",{name}={value}")).unwrap_or_default();
    }
    if line.len() > LONGEST_LINE {
        let what = format!("--label: the firmware reads only {LONGEST_LINE} characters of a line");
        return Err(Error::Usage(Problem::new(what).advise("take a shorter one")));
    }
    // Ours on another GPIO would be a second sensor, of which the runs could not choose one.
    let in_the_way = all.into_iter().filter(|load| load.uses(pin) || load.name == NAME).collect();
    Ok(Wanted::Missing { pin, line, in_the_way })
}

fn pin_of(load: &Load) -> Option<u32> {
    load.value("gpiopin").map_or(Some(DEFAULT_PIN), number)
}

impl Plan {
    /// What has to be said on the command line if nobody can be asked.
    ///
    /// # Errors
    /// [`Error::Config`] for what only a person can decide.
    pub(super) fn missing(&self, talk: &Talk) -> Result<Option<&'static str>, Error> {
        match self {
            Plan::Boot(Boot { wanted: Wanted::Missing { pin, in_the_way, .. }, config_file, .. }) => {
                match in_the_way.first() {
                    Some(load) => Err(Error::Config(in_the_way_problem(config_file, load, *pin))),
                    None => Ok((!talk.yes).then_some("--yes")),
                }
            }
            _ => Ok(None),
        }
    }
}

fn in_the_way_problem(config_file: &Path, load: &Load, pin: u32) -> Problem {
    Problem::new(describe(config_file, load, pin)).advise(
        "take that line out, or give another GPIO with --gpiopin, or use what is there with --no-overlay",
    )
}

fn describe(config_file: &Path, load: &Load, pin: u32) -> String {
    let place = format!("{} line {}", config_file.display(), load.lines[0]);
    let filters: String = load.filters.iter().map(|filter| format!(" below [{filter}]")).collect();
    let what = match load.name.as_str() {
        "dtparam" => "a parameter of the board",
        name => name,
    };
    if load.uses(pin) {
        format!("{place}{filters} has {what} on GPIO {pin} already")
    } else {
        let other = pin_of(load).map_or("another GPIO".to_owned(), |pin| format!("GPIO {pin}"));
        format!("{place}{filters} has {what} on {other}, and setup makes one sensor")
    }
}

/// Does it, after asking. None: the person does not want it.
///
/// # Errors
/// What cannot be written.
pub(super) fn carry_out(
    plan: Plan,
    system: &System,
    wishes: &Wishes,
    talk: &mut Talk,
) -> Result<Option<Sensors>, Error> {
    let mut boot = match plan {
        Plan::Leave(why) => return talk.found(STEP, &why).map(|()| Some(Sensors::Ready)),
        Plan::Boot(boot) => boot,
    };
    if boot.may_ask_for_pin && talk.is_terminal && !talk.yes {
        let default = DEFAULT_PIN.to_string();
        let pin = talk.ask("GPIO of the sensor's data wire", Some(&default), wishes::gpiopin)?;
        boot.wanted = wanted(&boot.text, wishes, Some(pin), system.model.as_deref())?;
    }
    let is_file_new = boot.put_overlay_file(system)?;
    match &boot.wanted {
        Wanted::Found { pin, load } => {
            let line = load.lines[0];
            let mut said = format!("{} line {line}: {NAME} on GPIO {pin}", boot.config_file.display());
            if is_file_new {
                said += &format!("; put {} in its place", boot.overlay_file.display());
                talk.has_changed = true;
            }
            let sensors = load_now(system, *pin, load, &mut said, talk);
            talk.found(STEP, &said)?;
            Ok(Some(sensors))
        }
        Wanted::Missing { pin, line, in_the_way } => {
            if !boot.is_agreed(in_the_way, *pin, line, talk)? {
                return Ok(None);
            }
            let old = boot.write(system, line, in_the_way)?;
            let mut said = format!("{}: added {line}", boot.config_file.display());
            for load in in_the_way {
                said += &format!(", line {} is a comment now", load.lines[0]);
            }
            said += &format!(" (before: {old})");
            let sensors = match (&loads(line)[..], in_the_way.is_empty()) {
                ([load], true) => load_now(system, *pin, load, &mut said, talk),
                _ => restart(system, &mut said),
            };
            talk.did(STEP, &said)?;
            Ok(Some(sensors))
        }
    }
}

impl Boot {
    /// Whether the overlay's file had to be put there.
    fn put_overlay_file(&self, system: &System) -> Result<bool, Error> {
        if self.has_overlay_file {
            return Ok(false);
        }
        let source = system.path(SOURCE);
        let bytes = fs::read(&source).map_err(|error| Error::Io(source, error))?;
        system.replace(&self.overlay_file, &bytes, 0o644, None)?;
        Ok(true)
    }

    fn is_agreed(&self, in_the_way: &[Load], pin: u32, line: &str, talk: &Talk) -> Result<bool, Error> {
        for load in in_the_way {
            // Not answered by --yes: nobody but the owner knows what that line is for.
            if !talk.is_terminal {
                return Err(Error::Config(in_the_way_problem(&self.config_file, load, pin)));
            }
            let what = describe(&self.config_file, load, pin);
            if !talk.chooses(&format!("{what}. Make that line a comment?"))? {
                return Ok(false);
            }
        }
        talk.agrees(&format!("Add {line} to {}?", self.config_file.display()))
    }

    /// Replaces `config.txt`. Returns the name of what it was before.
    fn write(&self, system: &System, line: &str, in_the_way: &[Load]) -> Result<&'static str, Error> {
        system.replace(&self.config_file.with_file_name(OLD), self.text.as_bytes(), 0o644, None)?;
        let lines: Vec<usize> = in_the_way.iter().flat_map(|load| load.lines.clone()).collect();
        let new = with_line(&without_lines(&self.text, &lines), line);
        system.replace(&self.config_file, new.as_bytes(), 0o644, None)?;
        Ok(OLD)
    }
}

/// Loads the overlay with the firmware's own command, if the kernel does not have it yet.
fn load_now(system: &System, pin: u32, load: &Load, said: &mut String, talk: &mut Talk) -> Sensors {
    if !system.is_live || for_setup::has_device(pin) {
        return Sensors::Ready;
    }
    let Some(dtoverlay) = find("dtoverlay") else { return restart(system, said) };
    let mut command = Command::new(dtoverlay);
    command.arg(NAME).args(load.parameters.iter().map(|(name, value)| format!("{name}={value}")));
    match run(&mut command, Duration::from_secs(10)) {
        Ok(ran) if ran.is_good() => {
            *said += ", loaded";
            talk.has_changed = true;
            wait_for_sensor();
            Sensors::Ready
        }
        _ => restart(system, said),
    }
}

fn restart(system: &System, said: &mut String) -> Sensors {
    if !system.is_live {
        return Sensors::Ready;
    }
    *said += ", which the next restart loads";
    Sensors::AfterRestart
}

/// The kernel loads the driver when it sees the device, which takes a moment.
fn wait_for_sensor() {
    for _ in 0..50 {
        if Sensor::all(Path::new("/sys")).is_ok_and(|all| !all.is_empty()) {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
}
