//! What WhaTap has of the last hour.

use crate::config::Config;
use crate::error::Error;
use crate::open_api::Project;
use crate::signals::SystemClock;
use crate::store::{History, Verdict};

use crate::clock::Moment;
use crate::commands::verify;

/// What came of the question which readings of the last hour arrived.
pub(crate) enum Arrival {
    /// No API token is configured, so that WhaTap cannot be asked.
    NoToken,
    /// It could not be asked, or the store cannot be read: what happened, and what to do about it.
    Unknown(String, Option<String>),
    /// The store has no reading of the last hour that is old enough to be judged.
    NoReading,
    /// The verdict, in words, and the one thing to do next.
    Asked { verdict: Verdict, why: String, next: Option<String> },
}

impl Arrival {
    pub(super) fn ask(project: Result<Option<Project>, Error>, config: &Config) -> Arrival {
        let asked = || -> Result<Option<verify::Report>, Error> {
            let Some(project) = project? else { return Ok(None) };
            let clock = SystemClock::new().map_err(|errno| Error::System("signalfd", errno.into()))?;
            let history = History::open(&config.store.path, &Moment::now())?;
            verify::last_hour(&project, &history, config.deadline, &clock).map(Some)
        };
        match asked() {
            Ok(None) => Arrival::NoToken,
            Ok(Some(report)) => {
                Arrival::Asked { verdict: report.verdict(), why: report.why, next: report.next }
            }
            Err(Error::NotKept(_)) => Arrival::NoReading,
            Err(error) => {
                let advice = error.problem().and_then(|problem| problem.advice.clone());
                Arrival::Unknown(error.what(), advice)
            }
        }
    }
}
