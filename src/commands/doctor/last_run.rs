//! The last run.

use super::Finding;
use super::facts::Facts;
use super::facts::store::{Content, Store};
use super::schedule::is_scheduled;
use crate::commands::times;
use crate::config;
use crate::store::PastRun;

const SEE_LOGS: &str = "see journalctl -t iio-focus, and systemctl status 'iio-focus*' or cron's log";

/// When was the last run, and how did it end?
pub(super) fn last_run(facts: &Facts) -> Vec<Finding> {
    let (runs, newest_ms) = match &facts.store {
        Store::Absent | Store::CannotOpen { exists: false, .. } => (&[][..], None),
        Store::Open(Content { runs: Some((of_week, newest_ms)), .. }) => (&of_week[..], *newest_ms),
        // The store's own finding tells of it.
        _ => return Vec::new(),
    };
    let is_scheduled = is_scheduled(facts);
    // The one that is under way is judged when it has ended.
    let under_way = facts.is_run_under_way && runs.last().is_some_and(|run| run.status.is_none());
    let ended = &runs[..runs.len() - usize::from(under_way)];
    if under_way && ended.is_empty() {
        return vec![Finding::note("the first one is under way")];
    }
    vec![match (ended.last(), newest_ms) {
        (Some(last), _) => {
            let age_ms = facts.now_ms.saturating_sub(last.at_ms);
            let when = format!("{}, {} ago", times::local_text(last.at_ms), times::length(age_ms));
            if is_scheduled && !under_way && age_ms > longest_age_ms(runs) {
                Finding::wrong(format!("{when}: they have stopped"), SEE_LOGS)
            } else {
                how_it_ended(last, &when)
            }
        }
        (None, Some(newest_ms)) => {
            let newest = times::local_text(newest_ms);
            Finding::note(format!("none in a week; the last reading is of {newest}"))
                .wrong_if(is_scheduled, SEE_LOGS)
        }
        (None, None) => Finding::note("none yet").wrong_if(is_scheduled, SEE_LOGS),
    }]
}

fn how_it_ended(run: &PastRun, when: &str) -> Finding {
    match (run.status, &run.error) {
        (Some(0), _) => Finding::ok(format!("{when}: a reading was delivered")),
        (Some(status), Some(error)) => {
            Finding::wrong(format!("{when}, ended with {status}: {error}"), "mend what it says")
        }
        (Some(status), None) => Finding::note(format!("{when}, ended with {status}")),
        (None, _) => Finding::note(format!("{when}: it was killed, or the power went")),
    }
}

/// As `status` has it, or twice the time between the last two runs: not everybody takes a reading each minute.
fn longest_age_ms(runs: &[PastRun]) -> i64 {
    let usual = config::max_age(None).map_or(0, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
    match runs {
        [.., before, last] => usual.max(last.at_ms.saturating_sub(before.at_ms).saturating_mul(2)),
        _ => usual,
    }
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::super::State::{Note, Ok as Good, Wrong};
    use super::super::cron::tests::table;
    use super::super::facts::healthy::runs_that_ended;
    use super::super::tests::{cannot_open, content, expect_each, is_no_database};
    use super::*;

    const LOGS: &str = "see journalctl -t iio-focus";

    fn runs(facts: &mut Facts, ended: &[(i64, Option<u8>, Option<&str>)]) {
        content(facts).runs = Some(runs_that_ended(ended));
    }

    #[test]
    fn the_last_run_is_told_with_how_it_ended() {
        expect_each(
            last_run,
            &[
                (|_| (), &[(Good, ", 10s ago: a reading was delivered", "")]),
                (
                    |facts| runs(facts, &[(10, Some(69), Some("focus exited with 0 but did not say"))]),
                    &[(
                        Wrong,
                        "10s ago, ended with 69: focus exited with 0 but did not say",
                        "mend what it says",
                    )],
                ),
                (|facts| runs(facts, &[(10, Some(143), None)]), &[(Note, "10s ago, ended with 143", "")]),
                (
                    |facts| runs(facts, &[(10, None, None)]),
                    &[(Note, "10s ago: it was killed, or the power went", "")],
                ),
                (
                    |facts| {
                        facts.is_run_under_way = true;
                        runs(facts, &[(70, Some(0), None), (10, None, None)]);
                    },
                    &[(Good, "1m 10s ago: a reading was delivered", "")],
                ),
                (
                    |facts| {
                        facts.is_run_under_way = true;
                        runs(facts, &[(10, None, None)]);
                    },
                    &[(Note, "the first one is under way", "")],
                ),
                // What the store's own finding tells of.
                (|facts| content(facts).runs = None, &[]),
                (is_no_database, &[]),
                (|facts| cannot_open(facts, Errno::EACCES, true), &[]),
            ],
        );
    }

    #[test]
    fn runs_have_stopped_if_something_starts_them_and_none_came_for_long() {
        expect_each(
            last_run,
            &[
                (|facts| runs(facts, &[(300, Some(0), None)]), &[(Good, "5m ago: a reading", "")]),
                (
                    |facts| runs(facts, &[(3600, Some(0), None)]),
                    &[(Wrong, "1h ago: they have stopped", LOGS)],
                ),
                (
                    |facts| runs(facts, &[(3660, Some(0), None), (3600, Some(0), None)]),
                    &[(Wrong, "1h ago: they have stopped", LOGS)],
                ),
                // One each hour.
                (
                    |facts| runs(facts, &[(7200, Some(0), None), (3600, Some(0), None)]),
                    &[(Good, "1h ago: a reading was delivered", "")],
                ),
                (
                    |facts| {
                        facts.schedule.timers.clear();
                        runs(facts, &[(3600, Some(0), None)]);
                    },
                    &[(Good, "1h ago: a reading was delivered", "")],
                ),
                (
                    |facts| {
                        facts.schedule.timers.clear();
                        facts.schedule.cron.push(table("/pi/crontab", Some(1)));
                        runs(facts, &[(3600, Some(0), None)]);
                    },
                    &[(Wrong, "1h ago: they have stopped", LOGS)],
                ),
            ],
        );
    }

    #[test]
    fn no_run_is_wrong_if_something_starts_them() {
        expect_each(
            last_run,
            &[
                (
                    |facts| {
                        content(facts).runs = Some((Vec::new(), Some(0)));
                    },
                    &[(Wrong, "none in a week; the last reading is of 19", LOGS)],
                ),
                (|facts| runs(facts, &[]), &[(Wrong, "none yet", LOGS)]),
                (|facts| facts.store = Store::Absent, &[(Wrong, "none yet", LOGS)]),
                (|facts| cannot_open(facts, Errno::ELOOP, false), &[(Wrong, "none yet", LOGS)]),
                (
                    |facts| {
                        facts.schedule.timers.clear();
                        facts.store = Store::Absent;
                    },
                    &[(Note, "none yet", "")],
                ),
            ],
        );
    }
}
