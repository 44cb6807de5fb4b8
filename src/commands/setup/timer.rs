//! The last step: the timer.

use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use super::overlay::Sensors;
use super::system::{System, find};
use super::talk::Talk;
use crate::commands::doctor::for_setup;
use crate::commands::program::run;
use crate::error::{Error, Problem};

const STEP: &str = "timer";
const TIMER: &str = "iio-focus.timer";

/// Where units can be (`systemd.unit(5)`).
const UNITS: [&str; 4] = [
    "/etc/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

const WANTS: &str = "/etc/systemd/system/timers.target.wants";

const LIMIT: Duration = Duration::from_secs(30);

/// What starts runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    Leave,
    /// This line of cron starts runs.
    Cron(String),
    /// It is enabled, and if the system is running, it is started.
    Found,
    /// The folder of the timer's unit; None: systemd knows.
    Enable(Option<&'static str>),
}

/// Looks, and changes nothing.
///
/// # Errors
/// The timer's unit is not installed.
pub(super) fn plan(system: &System, is_wanted: bool) -> Result<Plan, Error> {
    if !is_wanted {
        return Ok(Plan::Leave);
    }
    let (timers, cron) = for_setup::schedules(&system.root);
    if let Some(line) = cron.first() {
        return Ok(Plan::Cron(line.clone()));
    }
    if timers.iter().any(|timer| timer == TIMER) && (!system.has_systemd || is_active()) {
        return Ok(Plan::Found);
    }
    let unit = UNITS.into_iter().find(|dir| system.path(dir).join(TIMER).exists());
    if unit.is_none() {
        let what = format!("{TIMER} is not installed in {}", system.root.display());
        let advice = "install the package there, or leave the timer alone with --no-timer";
        return Err(Error::Config(Problem::new(what).advise(advice)));
    }
    if !system.has_systemd {
        system.refuse_links(&system.path(WANTS))?;
    }
    Ok(Plan::Enable(unit.filter(|_| !system.has_systemd)))
}

fn is_active() -> bool {
    systemctl(&["is-active", "--quiet", TIMER]).is_ok()
}

/// Enables it, and starts it if there is a sensor.
///
/// # Errors
/// What cannot be written.
pub(super) fn carry_out(plan: Plan, system: &System, sensors: Sensors, talk: &mut Talk) -> Result<(), Error> {
    match plan {
        Plan::Leave => talk.found(STEP, "left alone"),
        Plan::Cron(line) => talk.found(STEP, &format!("not needed: {line} starts runs")),
        Plan::Found => {
            let started = if system.has_systemd { " and started" } else { "" };
            talk.found(STEP, &format!("{TIMER} is enabled{started}"))
        }
        Plan::Enable(None) => {
            // Before the restart there would be a failed run each minute.
            let (now, said) = match sensors {
                Sensors::Ready => (&["--now"][..], "enabled and started"),
                Sensors::AfterRestart => (&[][..], "enabled, and starts with the restart"),
            };
            match systemctl(&[&["enable", "--quiet"], now, &[TIMER]].concat()) {
                Ok(()) => talk.did(STEP, &format!("{TIMER}: {said}")),
                Err(wrong) => talk.left(STEP, &format!("{TIMER} cannot be enabled: {wrong}")),
            }
        }
        Plan::Enable(Some(dir)) => {
            link(system, dir)?;
            talk.did(STEP, &format!("{TIMER}: enabled, and starts when the system does"))
        }
    }
}

/// What systemctl enable does, to a system that does not run.
fn link(system: &System, dir: &str) -> Result<(), Error> {
    let wants = system.path(WANTS);
    system.make_folder(&wants, 0o755)?;
    let link = wants.join(TIMER);
    match symlink(format!("{dir}/{TIMER}"), &link) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(Error::Io(link, error)),
        _ => Ok(()),
    }
}

fn systemctl(words: &[&str]) -> Result<(), String> {
    let program = find("systemctl").ok_or("there is no systemctl")?;
    match run(Command::new(program).args(words), LIMIT) {
        Ok(ran) if ran.is_good() => Ok(()),
        Ok(ran) => Err(ran.last_line().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
