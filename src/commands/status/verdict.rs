//! Whether readings arrive as they should. It rests on the order of the runs, never on an order of wall clocks.

use serde::Serialize;

use super::runs::FailedRuns;
use crate::commands::times;
use crate::error::plural;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Ok,
    /// The last runs failed, or the store cannot be written.
    Failing,
    /// The last reading is too old, or nothing is known of its age.
    Stale,
}

/// What a verdict rests on. Times are in ms since the epoch.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    /// The last runs, if they failed, without the one under way.
    pub(super) failed: Option<FailedRuns>,
    /// Why the last run failed, if it did.
    pub(super) why: String,
    /// When the last run was, without the one under way.
    pub(super) last_run_ms: Option<i64>,
    /// When the last reading was taken.
    pub(super) newest_ms: Option<i64>,
    pub(super) under_way: bool,
    /// How many readings wait that are this machine's, and since when.
    pub(super) waiting: Option<(u32, i64)>,
    /// Why no run can write to the store now, if that is so.
    pub(super) unwritable: Option<String>,
    /// Whether the clock is synchronised now.
    pub(super) synchronised: bool,
}

/// What is allowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) now_ms: i64,
    /// How old the last reading may be.
    pub(super) max_age_ms: i64,
    /// So many failed runs in a row are failing.
    pub(super) failures: u32,
}

/// The verdict, and the reason in one line.
pub(super) fn judge(evidence: &Evidence, limits: &Limits) -> (Verdict, String) {
    let (verdict, mut why) = match evidence.failed.filter(|failed| failed.in_a_row >= limits.failures) {
        Some(failed) => (Verdict::Failing, evidence.failing(failed, limits)),
        None => evidence.by_age(limits),
    };
    if evidence.under_way {
        why += ", and a run is under way";
    }
    (verdict, why)
}

impl Evidence {
    fn failing(&self, failed: FailedRuns, limits: &Limits) -> String {
        let since = times::local_text(failed.since_ms);
        let since = match times::is_future(failed.since_ms, limits.now_ms) {
            true => format!("{since} ({})", times::ago(failed.since_ms, limits.now_ms)),
            false => since,
        };
        let FailedRuns { in_a_row, .. } = failed;
        let mut why =
            format!("since {since}, {in_a_row} {} in a row: {}", plural(in_a_row, "run", "runs"), self.why);
        let last_age_ms = self.last_run_ms.map_or(0, |last| limits.now_ms.saturating_sub(last));
        if last_age_ms > limits.max_age_ms && !self.under_way {
            why += &format!("; no run for {}: check the timer or cron too", times::length(last_age_ms));
        }
        why
    }

    /// The verdict if it is not the last runs that it is about.
    fn by_age(&self, limits: &Limits) -> (Verdict, String) {
        let (is_fresh, mut why) = self.age(limits);
        if is_fresh {
            why += &self.last_runs().map_or(String::new(), |failed| format!(", and {failed}"));
            let old =
                |(_, since_ms): &(u32, i64)| limits.now_ms.saturating_sub(*since_ms) > limits.max_age_ms;
            if let Some((number, since_ms)) = self.waiting.filter(old) {
                let age = times::length(limits.now_ms.saturating_sub(since_ms));
                why += &format!(
                    "; {number} {} for up to {age}",
                    plural(number, "reading waits", "readings wait")
                );
            }
            return (Verdict::Ok, why);
        }
        if let Some(unwritable) = &self.unwritable {
            return (Verdict::Failing, format!("the store cannot be written: {unwritable}; {why}"));
        }
        why += &match self.last_runs() {
            Some(failed) => format!(", and {failed}"),
            None if self.newest_ms.is_none() || self.under_way => String::new(),
            None => ", and no run has failed since: check the timer or cron".to_owned(),
        };
        (Verdict::Stale, why)
    }

    /// Whether the last reading is fresh enough, and its age in words.
    fn age(&self, limits: &Limits) -> (bool, String) {
        let Some(newest_ms) = self.newest_ms else {
            return (false, "no reading was ever kept".to_owned());
        };
        if times::is_future(newest_ms, limits.now_ms) {
            let doubt = if self.synchronised { "" } else { ", or it is wrong now" };
            return (false, format!("the last reading is {}{doubt}", times::ago(newest_ms, limits.now_ms)));
        }
        let age_ms = limits.now_ms.saturating_sub(newest_ms).max(0);
        let mut age = format!("the last reading is {} old", times::length(age_ms));
        let is_fresh = age_ms <= limits.max_age_ms;
        if !is_fresh {
            age += &format!(", more than {}", times::length(limits.max_age_ms));
        }
        (is_fresh, age)
    }

    /// The last runs, if they failed, but not so many that this is failing.
    fn last_runs(&self) -> Option<String> {
        let in_a_row = self.failed?.in_a_row;
        Some(match in_a_row {
            1 => format!("the last run failed: {}", self.why),
            _ => format!("the last {in_a_row} runs failed: {}", self.why),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_793_520_000_000;
    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;

    fn failed(in_a_row: u32, ago_ms: i64) -> Option<FailedRuns> {
        Some(FailedRuns { in_a_row, since_ms: NOW - ago_ms })
    }

    /// A machine on which all is well: a reading and a run each minute.
    fn good() -> Evidence {
        Evidence {
            why: "EIO".to_owned(),
            last_run_ms: Some(NOW - 30_000),
            newest_ms: Some(NOW - 30_000),
            synchronised: true,
            ..Evidence::default()
        }
    }

    #[track_caller]
    fn expect(evidence: &Evidence, failures: u32, verdict: Verdict, words: &str) {
        let limits = Limits { now_ms: NOW, max_age_ms: 5 * MINUTE, failures };
        let (found, why) = judge(evidence, &limits);
        assert_eq!(found, verdict, "{why}");
        let (begin, end) = words.split_once('*').unwrap_or((words, ""));
        let fits =
            if words.contains('*') { why.starts_with(begin) && why.ends_with(end) } else { why == words };
        assert!(fits, "{why:?} is not {words:?}");
    }

    #[test]
    fn readings_that_arrive_are_ok() {
        expect(&good(), 1, Verdict::Ok, "the last reading is 30s old");
        let just_now = Evidence { newest_ms: Some(NOW + 999), ..good() };
        expect(&just_now, 1, Verdict::Ok, "the last reading is 0s old");
        let waiting = |number, age_ms| Evidence { waiting: Some((number, NOW - age_ms)), ..good() };
        expect(
            &waiting(50, 3 * HOUR),
            1,
            Verdict::Ok,
            "the last reading is 30s old; 50 readings wait for up to 3h",
        );
        expect(
            &waiting(1, HOUR),
            1,
            Verdict::Ok,
            "the last reading is 30s old; 1 reading waits for up to 1h",
        );
        expect(&waiting(2, MINUTE), 1, Verdict::Ok, "the last reading is 30s old");
    }

    #[test]
    fn failed_runs_fail_from_the_number_on_that_is_named() {
        let evidence = Evidence { failed: failed(2, 2 * MINUTE), ..good() };
        expect(&evidence, 1, Verdict::Failing, "since *, 2 runs in a row: EIO");
        expect(&evidence, 2, Verdict::Failing, "since *, 2 runs in a row: EIO");
        expect(&evidence, 3, Verdict::Ok, "the last reading is 30s old, and the last 2 runs failed: EIO");
        let old = Evidence { newest_ms: Some(NOW - 6 * MINUTE), ..evidence };
        let words = "the last reading is 6m old, more than 5m, and the last 2 runs failed: EIO";
        expect(&old, 3, Verdict::Stale, words);
        let none = Evidence { newest_ms: None, failed: failed(1, 0), ..good() };
        expect(&none, 2, Verdict::Stale, "no reading was ever kept, and the last run failed: EIO");
    }

    #[test]
    fn failed_runs_with_none_after_them_are_told_too() {
        let evidence = Evidence { failed: failed(1, 2 * HOUR), last_run_ms: Some(NOW - 2 * HOUR), ..good() };
        let words = "since *, 1 run in a row: EIO; no run for 2h: check the timer or cron too";
        expect(&evidence, 1, Verdict::Failing, words);
        let under_way = Evidence { under_way: true, ..evidence };
        expect(&under_way, 1, Verdict::Failing, "since *, 1 run in a row: EIO, and a run is under way");
    }

    #[test]
    fn a_time_of_the_future_is_called_one_and_is_no_age() {
        for (ahead_ms, length) in [(HOUR / 6, "10m"), (9 * HOUR, "9h"), (9 * 8_766 * HOUR, "9years")] {
            let evidence =
                Evidence { newest_ms: Some(NOW + ahead_ms), last_run_ms: Some(NOW + ahead_ms), ..good() };
            let words = format!(
                "the last reading is dated {length} in the future: the clock was wrong then, and no run has failed since: \
                 check the timer or cron"
            );
            expect(&evidence, 1, Verdict::Stale, &words);
            let unknown = Evidence { synchronised: false, ..evidence.clone() };
            let words = format!(
                "the last reading is dated {length} in the future: the clock was wrong then, or it is wrong now*"
            );
            expect(&unknown, 1, Verdict::Stale, &words);
            let failing = Evidence { failed: failed(3, MINUTE), last_run_ms: Some(NOW), ..evidence.clone() };
            expect(&failing, 1, Verdict::Failing, "since *, 3 runs in a row: EIO");
            let then = Evidence { failed: failed(1, -ahead_ms), ..evidence };
            let words = format!(
                "since * (dated {length} in the future: the clock was wrong then), 1 run in a row: EIO"
            );
            expect(&then, 1, Verdict::Failing, &words);
        }
    }

    #[test]
    fn an_old_reading_is_stale_unless_no_run_could_write_it() {
        let old = Evidence { newest_ms: Some(NOW - HOUR), ..good() };
        let words =
            "the last reading is 1h old, more than 5m, and no run has failed since: check the timer or cron";
        expect(&old, 1, Verdict::Stale, words);
        let full = Evidence { unwritable: Some("no space is left on X".to_owned()), ..old.clone() };
        let words =
            "the store cannot be written: no space is left on X; the last reading is 1h old, more than 5m";
        expect(&full, 1, Verdict::Failing, words);
        // There is room in the write-ahead log, and runs still write.
        let fresh = Evidence { newest_ms: Some(NOW), ..full };
        expect(&fresh, 1, Verdict::Ok, "the last reading is 0s old");
        let none = Evidence { newest_ms: None, ..good() };
        expect(&none, 1, Verdict::Stale, "no reading was ever kept");
        let under_way = Evidence { under_way: true, ..old };
        let words = "the last reading is 1h old, more than 5m, and a run is under way";
        expect(&under_way, 1, Verdict::Stale, words);
    }
}
