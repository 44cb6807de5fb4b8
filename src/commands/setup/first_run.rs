//! The fifth step: one run as the service, and whether its reading arrives.

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::overlay::Sensors;
use super::system::{Ran, System, find, run};
use super::talk::Talk;
use crate::error::Error;

const STEP: &str = "first run";

/// A run ends by itself after 50 s, and systemd ends it after 60 s.
const LIMIT: Duration = Duration::from_secs(90);

/// What has to be there for a run to deliver.
pub(super) struct Ready {
    pub(super) sensors: Sensors,
    pub(super) has_reading: bool,
    pub(super) has_focus: bool,
    pub(super) has_token: bool,
    /// Runs are started already, and this call has changed nothing of what they need.
    pub(super) runs_already: bool,
}

/// Starts the service once and shows its log line.
///
/// # Errors
/// What standard output says.
pub(super) fn carry_out(system: &System, ready: &Ready, talk: &mut Talk) -> Result<(), Error> {
    if !system.is_live {
        return Ok(());
    }
    if ready.runs_already {
        return talk.found(STEP, "not needed: the timer starts runs already; iio-focus status shows them");
    }
    if ready.sensors == Sensors::AfterRestart {
        return talk.found(STEP, "after the restart");
    }
    let Some(systemctl) = find("systemctl").filter(|_| system.has_systemd) else {
        return talk.left(STEP, "none: systemd does not run here; see packaging/iio-focus.cron for cron");
    };
    if !ready.has_reading || !ready.has_focus {
        let lacks = if ready.has_focus { "a reading" } else { "focus" };
        return talk.left(STEP, &format!("none without {lacks}; call setup again when it is there"));
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let ran = run(Command::new(&systemctl).args(["start", "iio-focus.service"]), LIMIT);
    let line = log_line(since).unwrap_or_default();
    match ran {
        Ok(ran) if ran.is_good() => {
            talk.did(STEP, if line.is_empty() { "went well" } else { &line })?;
            arrival(ready.has_token, talk)
        }
        ran => {
            let said = ran.map(|ran| ran.last_line().to_owned()).unwrap_or_default();
            talk.left(STEP, &format!("failed: {}", if line.is_empty() { &said } else { &line }))?;
            talk.more("sudo iio-focus doctor says what to do")
        }
    }
}

/// The last line that the run wrote to the log.
fn log_line(since: u64) -> Option<String> {
    let journalctl = find("journalctl")?;
    // What was just logged may still be on its way.
    let _ = run(Command::new(&journalctl).arg("--sync"), Duration::from_secs(5));
    let since = format!("--since=@{since}");
    let words = ["--quiet", "--no-pager", "-o", "cat", "-t", "iio-focus", "-n", "1", &since];
    let ran: Ran = run(Command::new(journalctl).args(words), Duration::from_secs(5)).ok()?;
    Some(ran.last_line().to_owned()).filter(|line| ran.is_good() && !line.is_empty())
}

/// Whether WhaTap has the reading, and where to look for it.
fn arrival(_has_token: bool, talk: &Talk) -> Result<(), Error> {
    talk.more("in WhaTap: Analysis > Metrics, category sensor or the one in the configuration")
}
