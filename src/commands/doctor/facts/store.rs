//! The store.

use std::io::ErrorKind;
use std::path::Path;

use super::problem_of;
use crate::clock::Moment;
use crate::error::{Error, Problem};
use crate::open;
use crate::store::{History, PassedOver, PastRun, Selection};

const WEEK_MS: i64 = 7 * 86_400_000;

pub(crate) enum Store {
    Absent,
    /// The file cannot be opened.
    CannotOpen {
        problem: Problem,
        /// Whether its path leads anywhere.
        exists: bool,
    },
    /// The file is not a store that can be read.
    CannotRead(Problem),
    Open(Content),
}

/// What a store holds.
pub(crate) struct Content {
    /// What is wrong with its pages, if that can be looked at.
    pub(crate) damage: Result<Option<String>, Problem>,
    /// How many readings wait to be delivered. None: it cannot be read.
    pub(crate) waiting: Option<u32>,
    /// Which of them are passed over for now.
    pub(crate) passed_over: PassedOver,
    /// Whether a reading that had waited was delivered by the last runs; none: too few of them were good to say.
    pub(crate) shrinks: Option<bool>,
    /// The runs of the last week, the oldest first, and when the newest reading of all was taken, in ms since the epoch.
    /// None: they cannot be read.
    pub(crate) runs: Option<(Vec<PastRun>, Option<i64>)>,
}

impl Store {
    pub(super) fn look(path: &Path, now: &Moment) -> Store {
        match open::without_waiting(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Store::Absent,
            Err(error) => {
                return Store::CannotOpen {
                    problem: Problem::file("read", path, &error),
                    exists: path.exists(),
                };
            }
            Ok(_) => {}
        }
        match History::open(path, now) {
            Err(error) => Store::CannotRead(problem_of(&error)),
            Ok(history) => Store::Open(Content::look(&history, now)),
        }
    }
}

/// So many good runs in a row would have delivered at least one reading of the backlog.
pub(crate) const ENOUGH_RUNS: usize = 10;

impl Content {
    fn look(history: &History, now: &Moment) -> Content {
        let runs = runs(history, now.wall_ms - WEEK_MS).ok();
        let last =
            runs.as_ref().and_then(|(runs, _)| runs.len().checked_sub(ENOUGH_RUNS).map(|at| &runs[at..]));
        Content {
            damage: history.integrity().map_err(|error| problem_of(&error)),
            waiting: history.backlog().ok(),
            passed_over: history.passed_over().unwrap_or_default(),
            shrinks: last
                .filter(|last| last.iter().all(PastRun::is_good))
                .and_then(|last| delivered_late(history, last[0].at_ms).ok()),
            runs,
        }
    }
}

/// Whether a reading of an earlier run was delivered after this time.
fn delivered_late(history: &History, since_ms: i64) -> Result<bool, Error> {
    let mut found = false;
    // A run may deliver its own reading a minute after it was taken.
    let before = Selection { until_ms: Some(since_ms.saturating_sub(60_000)), ..Selection::default() };
    history.samples(&before, |sample| {
        found |= sample.delivered_ms.is_some_and(|delivered_ms| delivered_ms >= since_ms);
        Ok(())
    })?;
    Ok(found)
}

fn runs(history: &History, since_ms: i64) -> Result<(Vec<PastRun>, Option<i64>), Error> {
    Ok((history.runs(since_ms)?, history.newest()?.map(|newest| newest.at_ms)))
}
