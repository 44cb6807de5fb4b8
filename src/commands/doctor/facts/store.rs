//! The store.

use std::io::ErrorKind;
use std::path::Path;

use super::problem_of;
use crate::clock::Moment;
use crate::error::{Error, Problem};
use crate::open;
use crate::store::{History, PastRun};

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
            Ok(history) => Store::Open(Content {
                damage: history.integrity().map_err(|error| problem_of(&error)),
                waiting: history.backlog().ok(),
                runs: runs(&history, now.wall_ms - WEEK_MS).ok(),
            }),
        }
    }
}

fn runs(history: &History, since_ms: i64) -> Result<(Vec<PastRun>, Option<i64>), Error> {
    Ok((history.runs(since_ms)?, history.newest()?.map(|newest| newest.at_ms)))
}
