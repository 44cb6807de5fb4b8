//! The first step: the overlay's line in `config.txt`, and the overlay in the kernel.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::config_txt::{LONGEST_LINE, bytes_of, text_of, with_line, without_lines};
use super::system::{System, find};
use super::talk::Talk;
use super::wishes::{self, Wishes};
use crate::commands::doctor::for_setup::{
    self, BootFiles, DEFAULT_PIN, DTPARAM, LONGEST_CONFIG_TXT, Load, OUR_OVERLAY as NAME, When, number,
};
use crate::commands::program::run;
use crate::error::{Error, Problem};
use crate::open;
use crate::sensor::Sensor;

const STEP: &str = "overlay";

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
    files: BootFiles,
    text: String,
    /// What the text loads.
    loads: Vec<Load>,
    wanted: Wanted,
    /// No GPIO was given, and a person may want to name another one.
    may_ask_for_pin: bool,
}

type Parameters = Vec<(String, String)>;

/// The line that is wanted, and what `config.txt` has of it.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Found { pin: u32, load: Load },
    Missing { pin: u32, parameters: Parameters, in_the_way: Vec<Load> },
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
    let Some(files) = for_setup::boot_files(&system.root, &system.board) else {
        return no_boot(system, wishes);
    };
    system.refuse_links(&files.config_file)?;
    let (bytes, _) = open::read(&files.config_file, LONGEST_CONFIG_TXT)
        .map_err(|error| Error::Config(Problem::file("read", &files.config_file, &error)))?;
    let text = text_of(&bytes);
    let loads = for_setup::loads(&system.board, &files.config_file, &text);
    let wanted = wanted(&loads, wishes, wishes.gpiopin)?;
    let is_missing = matches!(wanted, Wanted::Missing { .. });
    let is_asked_for = wishes.gpiopin.is_some() || wishes.label.is_some() || wishes.pull.is_some();
    if system.is_live && !is_asked_for && is_missing {
        if let Some(sensor) = Sensor::all(Path::new("/sys"))?.first() {
            return Ok(Plan::Leave(format!("not needed: {} is there", sensor.title())));
        }
    }
    system.refuse_links(&system.path(SOURCE))?;
    if !files.has_overlay && !system.path(SOURCE).exists() {
        let lacks = if files.overlay_file.exists() { "no device tree" } else { "not there" };
        let what = format!("{} is {lacks}", files.overlay_file.display());
        return Err(Error::Config(Problem::new(what).advise("install the package, or run make install")));
    }
    let may_ask_for_pin = wishes.gpiopin.is_none() && is_missing;
    Ok(Plan::Boot(Boot { files, text, loads, wanted, may_ask_for_pin }))
}

fn no_boot(system: &System, wishes: &Wishes) -> Result<Plan, Error> {
    if system.board.model.is_some() || !system.is_live || wishes.gpiopin.is_some() {
        let what = format!("no config.txt in {} or below it in firmware", system.path("/boot").display());
        let advice = "mount the Pi's boot partition there, or leave it alone with --no-overlay";
        return Err(Error::Config(Problem::new(what).advise(advice)));
    }
    Ok(Plan::Leave("not needed: no config.txt, so this is no Raspberry Pi".to_owned()))
}

/// What `config.txt` lacks, for this GPIO if one is wished for.
fn wanted(loads: &[Load], wishes: &Wishes, pin: Option<u32>) -> Result<Wanted, Error> {
    let all = loads.iter().filter(|load| !matches!(load.when, When::Never(_)));
    let is_wanted = |load: &&Load| {
        let is = |name: &str, wish: &Option<String>| wish.is_none() || load.value(name) == wish.as_deref();
        load.name == NAME
            && load.when == When::Always
            && pin_of(load).is_some_and(|its| pin.is_none_or(|pin| pin == its))
            && is("label", &wishes.label)
            && is("pull", &wishes.pull)
    };
    if let Some(load) = all.clone().find(is_wanted) {
        return Ok(Wanted::Found { pin: pin_of(load).unwrap_or(DEFAULT_PIN), load: load.clone() });
    }
    let pin = pin.unwrap_or(DEFAULT_PIN);
    let mut parameters = vec![("gpiopin".to_owned(), pin.to_string())];
    for (name, value) in [("label", &wishes.label), ("pull", &wishes.pull)] {
        parameters.extend(value.as_ref().map(|value| (name.to_owned(), value.clone())));
    }
    if line_with(&parameters).len() > LONGEST_LINE {
        let what = format!("--label: the firmware reads only {LONGEST_LINE} characters of a line");
        return Err(Error::Usage(Problem::new(what).advise("take a shorter one")));
    }
    // Ours on another GPIO would be a second sensor, of which the runs could not choose one.
    let in_the_way = all.filter(|load| load.pins().contains(&pin) || load.name == NAME).cloned().collect();
    Ok(Wanted::Missing { pin, parameters, in_the_way })
}

fn line_with(parameters: &[(String, String)]) -> String {
    parameters
        .iter()
        .fold(format!("dtoverlay={NAME}"), |line, (name, value)| format!("{line},{name}={value}"))
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
            Plan::Boot(Boot { wanted: Wanted::Missing { pin, in_the_way, .. }, .. }) => {
                match in_the_way.first() {
                    Some(load) => Err(Error::Config(in_the_way_problem(load, *pin))),
                    None => Ok((!talk.yes).then_some("--yes")),
                }
            }
            _ => Ok(None),
        }
    }
}

fn in_the_way_problem(load: &Load, pin: u32) -> Problem {
    Problem::new(describe(load, pin)).advise(
        "take that line out, or give another GPIO with --gpiopin, or use what is there with --no-overlay",
    )
}

fn describe(load: &Load, pin: u32) -> String {
    let (file, line) = &load.lines[0];
    let place = format!("{} line {line}", file.display());
    let filter = match &load.when {
        When::Perhaps(filter) | When::Never(filter) => format!(" below [{filter}]"),
        When::Always => String::new(),
    };
    let what = if load.name == DTPARAM { "a parameter of the board" } else { &load.name };
    if load.pins().contains(&pin) {
        format!("{place}{filter} has {what} on GPIO {pin} already")
    } else {
        let other = pin_of(load).map_or("no GPIO that is a number".to_owned(), |pin| format!("GPIO {pin}"));
        format!("{place}{filter} has {what} on {other}, and setup makes one sensor")
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
        boot.wanted = wanted(&boot.loads, wishes, Some(pin))?;
    }
    let mut put = String::new();
    if boot.put_overlay_file(system)? {
        put = format!("; put {} in its place", boot.files.overlay_file.display());
        talk.has_changed = true;
    }
    match &boot.wanted {
        Wanted::Found { pin, load } => {
            let (file, line) = &load.lines[0];
            let mut said = format!("{} line {line}: {NAME} on GPIO {pin}{put}", file.display());
            let sensors = load_now(system, *pin, &load.parameters, &mut said, talk);
            talk.found(STEP, &said)?;
            Ok(Some(sensors))
        }
        Wanted::Missing { pin, parameters, in_the_way } => {
            let line = line_with(parameters);
            if !boot.is_agreed(in_the_way, *pin, &line, talk)? {
                return Ok(None);
            }
            let old = boot.write(system, &line, in_the_way)?;
            let mut said = format!("{}: added {line}", boot.files.config_file.display());
            for load in in_the_way {
                said += &format!(", line {} is a comment now", load.lines[0].1);
            }
            said += &format!(" (before: {old}){put}");
            let sensors = if in_the_way.is_empty() {
                load_now(system, *pin, parameters, &mut said, talk)
            } else {
                restart(system, &mut said)
            };
            talk.did(STEP, &said)?;
            Ok(Some(sensors))
        }
    }
}

impl Boot {
    /// Whether the overlay's file had to be put there.
    fn put_overlay_file(&self, system: &System) -> Result<bool, Error> {
        if self.files.has_overlay {
            return Ok(false);
        }
        let source = system.path(SOURCE);
        let bytes = fs::read(&source).map_err(|error| Error::Io(source, error))?;
        let place = &self.files.overlay_file;
        system.make_folder(place.parent().unwrap_or(place), 0o755)?;
        system.replace(place, &bytes, 0o644, None)?;
        Ok(true)
    }

    fn is_agreed(&self, in_the_way: &[Load], pin: u32, line: &str, talk: &Talk) -> Result<bool, Error> {
        let config_file = &self.files.config_file;
        for load in in_the_way {
            let is_elsewhere = load.lines.iter().any(|(file, _)| file != config_file);
            // Not answered by --yes: nobody but the owner knows what that line is for.
            if is_elsewhere || !talk.is_terminal {
                return Err(Error::Config(in_the_way_problem(load, pin)));
            }
            if !talk.chooses(&format!("{}. Make that line a comment?", describe(load, pin)))? {
                return Ok(false);
            }
        }
        talk.agrees(&format!("Add {line} to {}?", config_file.display()))
    }

    /// Replaces `config.txt`. Returns the name of what it was before.
    fn write(&self, system: &System, line: &str, in_the_way: &[Load]) -> Result<&'static str, Error> {
        let config_file = &self.files.config_file;
        system.replace(&config_file.with_file_name(OLD), &bytes_of(&self.text), 0o644, None)?;
        let lines: Vec<usize> =
            in_the_way.iter().flat_map(|load| &load.lines).map(|(_, line)| *line).collect();
        let new = with_line(&without_lines(&self.text, &lines), line);
        system.replace(config_file, &bytes_of(&new), 0o644, None)?;
        Ok(OLD)
    }
}

/// Loads the overlay with the firmware's own command, if the kernel does not have it yet.
fn load_now(
    system: &System,
    pin: u32,
    parameters: &[(String, String)],
    said: &mut String,
    talk: &mut Talk,
) -> Sensors {
    if !system.is_live || for_setup::has_device(pin) {
        return Sensors::Ready;
    }
    let Some(dtoverlay) = find("dtoverlay") else { return restart(system, said) };
    let mut command = Command::new(dtoverlay);
    command.arg(NAME).args(parameters.iter().map(|(name, value)| format!("{name}={value}")));
    match run(&mut command, Duration::from_secs(10)) {
        Ok(ran) if ran.is_good() => {
            *said += ", loaded";
            talk.has_changed = true;
            wait_for_sensor();
            Sensors::Ready
        }
        ran => {
            let why = ran.map_or_else(|error| error.to_string(), |ran| ran.last_line().to_owned());
            *said += &format!("; dtoverlay failed: {why}");
            restart(system, said)
        }
    }
}

fn restart(system: &System, said: &mut String) -> Sensors {
    if !system.is_live {
        return Sensors::Ready;
    }
    *said += "; a restart loads it";
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
