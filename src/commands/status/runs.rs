//! What the runs of the last week come to, one run after the other: in the order they were made, whatever the clock
//! said.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::clock::{DAY_MS, HOUR_MS, WEEK_MS};
use crate::commands::times::is_future;
use crate::store::PastRun;

/// The periods that are summarized: name, and length in ms.
pub(super) const PERIODS: [(&str, i64); 3] = [("hour", HOUR_MS), ("day", DAY_MS), ("week", WEEK_MS)];

/// The runs of a period, and their tries of the sensor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Period {
    pub(super) runs: u32,
    pub(super) good_runs: u32,
    pub(super) tries: u32,
    pub(super) good_tries: u32,
    pub(super) errors: BTreeMap<String, u32>,
}

impl Period {
    fn add(&mut self, run: &PastRun) {
        self.runs += 1;
        self.good_runs += u32::from(run.is_good());
        self.tries = self.tries.saturating_add(run.attempts);
        let good_tries = run.attempts.saturating_sub(run.failures.total());
        self.good_tries = self.good_tries.saturating_add(good_tries);
        for (name, times) in run.failures.iter() {
            let error = self.errors.entry(name.to_owned()).or_default();
            *error = error.saturating_add(times);
        }
    }

    fn add_all(&mut self, other: &Period) {
        self.runs += other.runs;
        self.good_runs += other.good_runs;
        self.tries = self.tries.saturating_add(other.tries);
        self.good_tries = self.good_tries.saturating_add(other.good_tries);
        for (name, times) in &other.errors {
            let error = self.errors.entry(name.clone()).or_default();
            *error = error.saturating_add(*times);
        }
    }
}

/// The last runs, of which each failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FailedRuns {
    pub(super) in_a_row: u32,
    /// When the first of them was, in ms since the epoch.
    pub(super) since_ms: i64,
}

/// A run that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) run: PastRun,
    /// The latest that it can have been, in ms since the epoch; none if its time is of the future and no run since has
    /// another.
    latest_ms: Option<i64>,
}

/// What is known after each run.
#[derive(Debug, Default)]
pub(super) struct Runs {
    now_ms: i64,
    /// As many as [`PERIODS`], in that order.
    pub(super) periods: [Period; PERIODS.len()],
    /// Those with a time of the future since the last one that has none. They were before the next one that has none.
    of_future: Period,
    pub(super) failed: Option<FailedRuns>,
    pub(super) last_failure: Option<Failure>,
    /// When the last run was, in ms since the epoch.
    pub(super) last_ms: Option<i64>,
    /// The times of the readings of the last week, in ms since the epoch, without those of the future.
    taken_ms: Vec<i64>,
    /// The last time of a reading before that week.
    taken_before_ms: Option<i64>,
}

impl Runs {
    pub(super) fn until(now_ms: i64) -> Runs {
        Runs { now_ms, ..Runs::default() }
    }

    /// The next run.
    pub(super) fn add(&mut self, run: PastRun, took_reading: bool) {
        if took_reading {
            self.add_reading(run.at_ms);
        }
        self.last_ms = Some(run.at_ms);
        self.count(&run);
        if run.is_good() {
            self.failed = None;
            return;
        }
        let failed = self.failed.get_or_insert(FailedRuns { in_a_row: 0, since_ms: run.at_ms });
        failed.in_a_row = failed.in_a_row.saturating_add(1);
        let latest_ms = (!is_future(run.at_ms, self.now_ms)).then_some(run.at_ms);
        self.last_failure = Some(Failure { run, latest_ms });
    }

    fn count(&mut self, run: &PastRun) {
        if is_future(run.at_ms, self.now_ms) {
            self.of_future.add(run);
            return;
        }
        let of_future = std::mem::take(&mut self.of_future);
        for (period, (_, length_ms)) in self.periods.iter_mut().zip(PERIODS) {
            if run.at_ms >= self.now_ms.saturating_sub(length_ms) {
                period.add_all(&of_future);
                period.add(run);
            }
        }
        if let Some(failure) = &mut self.last_failure {
            failure.latest_ms.get_or_insert(run.at_ms);
        }
    }

    /// A reading was taken, in a run that is not counted yet.
    pub(super) fn add_reading(&mut self, at_ms: i64) {
        if at_ms < self.now_ms.saturating_sub(WEEK_MS) {
            self.taken_before_ms = self.taken_before_ms.max(Some(at_ms));
        } else if !is_future(at_ms, self.now_ms) {
            self.taken_ms.push(at_ms);
        }
    }

    /// The last run of the last week that failed.
    pub(super) fn last_failure_of_week(&self) -> Option<&PastRun> {
        let week = self.now_ms.saturating_sub(WEEK_MS);
        let failure = self.last_failure.as_ref()?;
        failure.latest_ms.is_none_or(|latest| latest >= week).then_some(&failure.run)
    }

    /// The longest time without a reading, up to now, that reaches into the last week: its length and its begin, in ms.
    pub(super) fn longest_gap(&self) -> Option<(i64, i64)> {
        let mut taken: Vec<i64> =
            self.taken_before_ms.into_iter().chain(self.taken_ms.iter().copied()).collect();
        // Where the clock was set back, times are not in order.
        taken.sort_unstable();
        taken.push(self.now_ms);
        taken.windows(2).map(|pair| (pair[1].saturating_sub(pair[0]).max(0), pair[0])).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Tally;

    const NOW: i64 = 1_793_520_000_000;
    const MINUTE: i64 = 60_000;

    /// Runs at these times before now, in minutes, each with its exit status.
    fn runs(all: &[(i64, u8)]) -> Runs {
        let mut runs = Runs::until(NOW);
        for (minutes, status) in all {
            let run = PastRun {
                at_ms: NOW - minutes * MINUTE,
                attempts: 1,
                failures: Tally::default(),
                status: Some(*status),
                error: None,
            };
            runs.add(run, [0, 69].contains(status));
        }
        runs
    }

    fn counts(all: &[(i64, u8)]) -> [(u32, u32); 3] {
        runs(all).periods.map(|period| (period.runs, period.good_runs))
    }

    const YEARS: i64 = -9 * 525_960;

    #[test]
    fn failed_runs_are_counted_in_the_order_of_runs() {
        for (all, failed) in [
            (&[][..], None),
            (&[(3, 0), (2, 0), (1, 0)], None),
            (&[(3, 0), (2, 69), (1, 74)], Some((2, 2))),
            (&[(3, 74), (2, 0), (1, 74)], Some((1, 1))),
            // A good run of the future, then failing ones, and the reverse.
            (&[(-540, 0), (2, 69), (1, 69)], Some((2, 2))),
            (&[(YEARS, 0), (1, 66)], Some((1, 1))),
            (&[(-540, 69), (2, 0), (1, 0)], None),
            (&[(YEARS, 74), (YEARS, 74), (1, 0)], None),
            (&[(1, 0), (YEARS, 74)], Some((1, YEARS))),
            // And a clock that was behind.
            (&[(2, 0), (29_000_000, 74)], Some((1, 29_000_000))),
        ] {
            let found = runs(all).failed.map(|failed| (failed.in_a_row, (NOW - failed.since_ms) / MINUTE));
            assert_eq!(found, failed, "{all:?}");
        }
    }

    #[test]
    fn a_run_of_the_future_counts_when_the_next_one_was() {
        assert_eq!(counts(&[(200, 0), (50, 69), (1, 0)]), [(2, 1), (3, 2), (3, 2)]);
        assert_eq!(counts(&[(-540, 69), (YEARS, 0), (1, 0)]), [(3, 2); 3]);
        assert_eq!(counts(&[(-540, 69), (200, 0)]), [(0, 0), (2, 1), (2, 1)]);
        assert_eq!(counts(&[(-540, 69), (20_000, 0), (1, 0)]), [(1, 1); 3]);
        // Nothing is known of when it was.
        assert_eq!(counts(&[(1, 0), (-540, 0)]), [(1, 1); 3]);
    }

    #[test]
    fn a_failure_is_of_the_last_week_if_it_can_have_been_then() {
        for (all, there) in [
            (&[(5, 74), (1, 0)][..], true),
            (&[(10_081, 74), (1, 0)], false),
            (&[(YEARS, 74), (1, 0)], true),
            (&[(YEARS, 74), (10_081, 0), (1, 0)], false),
            (&[(1, 0), (YEARS, 74)], true),
            (&[(1, 0)], false),
        ] {
            assert_eq!(runs(all).last_failure_of_week().is_some(), there, "{all:?}");
        }
    }

    #[test]
    fn the_longest_gap_reaches_into_the_week_and_knows_no_time_of_the_future() {
        for (all, gap) in [
            (&[][..], None),
            (&[(74, 74)], None),
            (&[(30, 0), (20, 69), (19, 74), (1, 0)], Some((19, 20))),
            (&[(30, 0)], Some((30, 30))),
            // Forty days off, and one month more before it that is not of the week.
            (&[(100_000, 0), (57_610, 0), (10, 0), (1, 0)], Some((57_600, 57_610))),
            (&[(30, 0), (-540, 0), (10, 0), (YEARS, 0)], Some((20, 30))),
            (&[(-540, 0)], None),
            // The clock was three hours ahead for two runs, and then was set back.
            (&[(240, 0), (60, 0), (59, 0), (237, 0), (235, 0)], Some((175, 235))),
        ] {
            let found =
                runs(all).longest_gap().map(|(length, from)| (length / MINUTE, (NOW - from) / MINUTE));
            assert_eq!(found, gap, "{all:?}");
        }
    }
}
