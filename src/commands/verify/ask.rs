//! All samples of a period, asked for window by window: an answer has a limit, and there is no mark of one that was cut.

use std::ops::Range;

use crate::clock::Clock;
use crate::error::{Error, Problem};
use crate::open_api::{MOST_ROWS, Project, Row, Whose};
use crate::signals::SystemClock;

/// So much more is asked for on both sides of a window, and left out here: whether the ends belong to it is not known.
const WIDER_MS: i64 = 60_000;

/// A time that is later than the newest sample by this much has no sample.
const NEAR_MS: i64 = 5_000;

/// Asks, with a pause between two requests.
#[derive(Debug)]
pub(super) struct Asker<'a> {
    project: &'a Project,
    clock: &'a SystemClock,
    has_asked: bool,
    /// A project code that is not ours, of a sample.
    pub(super) other_pcode: Option<u64>,
}

impl<'a> Asker<'a> {
    pub(super) fn new(project: &'a Project, clock: &'a SystemClock) -> Asker<'a> {
        Asker { project, clock, has_asked: false, other_pcode: None }
    }

    /// All samples of our project and oname in this window, in the order of time. `expected` is when the first and the
    /// last reading of it were sent.
    ///
    /// # Errors
    /// As [`Project::ask`].
    pub(super) fn samples(
        &mut self,
        window: Range<i64>,
        expected: Option<(i64, i64)>,
    ) -> Result<Vec<Row>, Error> {
        let mut rows = self.whole(window.clone())?;
        let Some((first_ms, last_ms)) = expected else { return Ok(rows) };
        // The server may cut answers at a limit of its own, which is not known: then one end is missing, and asking for
        // that end alone brings more.
        while let Some(newest_ms) = rows.last().map(|row| row.time_ms).filter(|ms| ms + NEAR_MS < last_ms) {
            let more = self.whole(newest_ms..window.end)?;
            if more.last().is_none_or(|row| row.time_ms <= newest_ms) {
                break;
            }
            rows.retain(|row| row.time_ms < newest_ms);
            rows.extend(more);
        }
        while let Some(oldest_ms) = rows.first().map(|row| row.time_ms).filter(|ms| ms - NEAR_MS > first_ms) {
            let more = self.whole(window.start..oldest_ms + 1)?;
            if more.first().is_none_or(|row| row.time_ms >= oldest_ms) {
                break;
            }
            rows.retain(|row| row.time_ms > oldest_ms);
            rows.splice(0..0, more);
        }
        Ok(rows)
    }

    /// The samples of this window. An answer that is full is asked for again in two halves.
    fn whole(&mut self, window: Range<i64>) -> Result<Vec<Row>, Error> {
        let mut rows = self.ask(&window, Whose::Ours)?;
        if rows.len() >= MOST_ROWS {
            let middle = window.start + (window.end - window.start) / 2;
            if middle - window.start < WIDER_MS {
                return Err(Error::NotAsked(Problem::new(format!(
                    "what arrived is not known: WhaTap has more than {MOST_ROWS} samples of a few minutes"
                ))));
            }
            let mut first = self.whole(window.start..middle)?;
            first.extend(self.whole(middle..window.end)?);
            return Ok(first);
        }
        rows.retain(|row| window.contains(&row.time_ms) && self.project.is_ours(row));
        let is_other = |row: &Row| row.pcode.is_some_and(|pcode| pcode != self.project.pcode);
        self.other_pcode =
            self.other_pcode.or(rows.iter().find(|row| is_other(row)).and_then(|row| row.pcode));
        rows.retain(|row| !is_other(row));
        Ok(rows)
    }

    /// The samples of all in our category in this window.
    ///
    /// # Errors
    /// As [`Project::ask`].
    pub(super) fn everyones(&mut self, window: &Range<i64>) -> Result<Vec<Row>, Error> {
        self.ask(window, Whose::Everyones)
    }

    fn ask(&mut self, window: &Range<i64>, whose: Whose) -> Result<Vec<Row>, Error> {
        if std::mem::replace(&mut self.has_asked, true) {
            let pause = self.clock.pause(self.project.pause);
            pause.map_err(|signal| Error::Signal(signal, "between two questions to WhaTap".to_owned()))?;
        }
        let (since_ms, until_ms) =
            (window.start.saturating_sub(WIDER_MS), window.end.saturating_add(WIDER_MS));
        self.project.ask(since_ms, until_ms, whose, self.clock)
    }
}
