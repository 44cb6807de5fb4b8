//! The fifth step: one run as the service, and whether its reading arrives.

use std::ffi::OsString;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::overlay::Sensors;
use super::secrets::TOKEN;
use super::system::{System, find};
use super::talk::Talk;
use crate::cli;
use crate::clock::{Clock, Deadline};
use crate::commands::program::run;
use crate::config::{self, Config, answer};
use crate::error::Error;
use crate::open_api::{Project, Whose};
use crate::signals::SystemClock;

const STEP: &str = "first run";

/// The level of the line of a run that went well (`syslog(3)`).
const INFO: u8 = 6;

/// A run ends by itself after 50 s, and systemd ends it after 60 s.
const LIMIT: Duration = Duration::from_secs(90);

/// How long a reading may take to be seen at WhaTap, and the pause between two questions.
const ARRIVAL: Duration = Duration::from_secs(30);
const BETWEEN: Duration = Duration::from_secs(5);

/// The clocks here and there may differ by this much, in ms.
const NEAR_MS: i64 = 5_000;

/// What has to be there for a run to deliver.
pub(super) struct Ready {
    pub(super) sensors: Sensors,
    pub(super) has_reading: bool,
    pub(super) has_focus: bool,
    /// The timer starts runs already, and this call has changed nothing of what they need.
    pub(super) runs_already: bool,
    /// Cron starts runs already.
    pub(super) cron_runs: bool,
    /// Of the readings; None: the default.
    pub(super) category: Option<String>,
}

/// Starts the service once and shows its log line.
///
/// # Errors
/// What standard output says.
pub(super) fn carry_out(
    args: &cli::Args,
    system: &System,
    ready: &Ready,
    talk: &mut Talk,
) -> Result<(), Error> {
    if !system.is_live {
        return Ok(());
    }
    if ready.sensors == Sensors::AfterRestart {
        return talk.found(STEP, "after the restart");
    }
    let Some(systemctl) = find("systemctl").filter(|_| system.has_systemd) else {
        if ready.cron_runs {
            return talk.found(STEP, "left to cron; iio-focus status shows its runs");
        }
        let what = "none: systemd does not run here; iio-focus.cron, among the documents, is a line for cron";
        return talk.left(STEP, what);
    };
    if !ready.has_reading || !ready.has_focus {
        let lacks = if ready.has_focus { "no reading" } else { "no focus" };
        return talk.left(STEP, &format!("left out: there is {lacks} yet"));
    }
    if ready.runs_already && last_went_well() {
        return talk.found(STEP, "not needed: the last run went well; see iio-focus status");
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let ran = run(Command::new(&systemctl).args(["start", "iio-focus.service"]), LIMIT);
    let since_then = format!("--since=@{since}");
    let line = journal(&["-o", "cat", &since_then]).unwrap_or_default();
    match ran {
        Ok(ran) if ran.is_good() => {
            talk.did(STEP, if line.is_empty() { "went well" } else { &line })?;
            arrival(args, system, (since, ready.category.as_deref()), talk)
        }
        ran => {
            let said = ran.map(|ran| ran.last_line().to_owned()).unwrap_or_default();
            talk.left(STEP, &format!("failed: {}", if line.is_empty() { &said } else { &line }))?;
            talk.more("sudo iio-focus doctor says what to do")
        }
    }
}

/// Whether the last run since the restart went well. systemd forgets a service that nothing needs, so the log is asked.
fn last_went_well() -> bool {
    let last = journal(&["-b", "-o", "json"]).and_then(|line| serde_json::from_str::<Value>(&line).ok());
    let level = last.and_then(|last| last["PRIORITY"].as_str()?.parse::<u8>().ok());
    level.is_some_and(|level| level >= INFO)
}

/// The last line of the log that these options leave.
fn journal(options: &[&str]) -> Option<String> {
    let journalctl = find("journalctl")?;
    // What was just logged may still be on its way.
    let _ = run(Command::new(&journalctl).arg("--sync"), Duration::from_secs(5));
    let words = ["--quiet", "--no-pager", "-t", "iio-focus", "-n", "1"];
    let ran = run(Command::new(journalctl).args(words).args(options), Duration::from_secs(5)).ok()?;
    Some(ran.last_line().to_owned()).filter(|line| ran.is_good() && !line.is_empty())
}

/// Whether WhaTap has the reading that was taken since, in s since the epoch; and where to look for its category.
fn arrival(
    args: &cli::Args,
    system: &System,
    (since, category): (u64, Option<&str>),
    talk: &mut Talk,
) -> Result<(), Error> {
    let where_to_look = format!("in WhaTap: Analysis > Metrics, category {}", category.unwrap_or("sensor"));
    let token = answer::text_in(&TOKEN.credential(system))?;
    let token = token.as_deref().map(config::bare_secret).map(OsString::from);
    let env = |name: &str| token.clone().filter(|_| name == "WHATAP_API_TOKEN");
    let (project, _) = Config::project(&system.root, args, &env)?;
    let Some(project) = project else { return talk.more(&where_to_look) };
    match asked(&project, since)? {
        Ok(Some(seconds)) => talk.more(&format!("arrived at WhaTap after {seconds} s")),
        Ok(None) => {
            talk.is_unfinished = true;
            talk.more("not seen at WhaTap within 30 s: iio-focus verify says more in ten minutes")?;
            talk.more(&where_to_look)
        }
        Err(problem) => {
            talk.is_unfinished = true;
            talk.more(&problem)
        }
    }
}

/// Asks until the reading is there, and after how many seconds it is. None: not in time.
fn asked(project: &Project, since: u64) -> Result<Result<Option<u64>, String>, Error> {
    let clock = SystemClock::new().map_err(|errno| Error::System("signalfd", errno.into()))?;
    let until = Deadline(clock.now() + ARRIVAL);
    let begun = clock.now();
    let since_ms = i64::try_from(since).unwrap_or(0).saturating_mul(1000).saturating_sub(NEAR_MS);
    loop {
        match project.ask(since_ms, clock.moment().wall_ms + NEAR_MS, Whose::Ours, &clock) {
            Ok(rows) if rows.iter().any(|row| row.time_ms >= since_ms && project.is_ours(row)) => {
                return Ok(Ok(Some((clock.now() - begun).as_secs())));
            }
            Ok(_) if until.left(&clock) < BETWEEN => return Ok(Ok(None)),
            Ok(_) => {}
            Err(signal @ Error::Signal(..)) => return Err(signal),
            Err(error) => return Ok(Err(error.to_string())),
        }
        let pause = clock.pause(BETWEEN);
        pause.map_err(|signal| Error::Signal(signal, "between two questions to WhaTap".to_owned()))?;
    }
}
