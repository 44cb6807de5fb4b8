//! What starts the runs, and the last one.

use super::Finding;
use super::facts::Facts;
use super::facts::schedule::{CronFile, Schedule};
use super::facts::store::{Content, Store};
use crate::commands::times;
use crate::config;
use crate::store::PastRun;

/// Does something start the runs?
pub(super) fn schedule(facts: &Facts) -> Vec<Finding> {
    let Schedule { timers, cron } = &facts.schedule;
    let mut findings: Vec<Finding> =
        cron.iter().filter(|file| is_passed_over(file)).map(passed_over).collect();
    if !timers.is_empty() {
        findings.push(Finding::ok(format!("{} enabled", timers.join(", "))));
    }
    let not_both = "keep the timer or this line, not both";
    let lines = cron.iter().filter_map(run_line);
    findings.extend(lines.map(|line| Finding::ok(line).wrong_if(!timers.is_empty(), not_both)));
    if findings.is_empty() {
        let problem = cron.iter().filter(|file| is_read(file)).find_map(|file| file.line.as_ref().err());
        findings.push(match problem {
            Some(problem) => {
                Finding::note(format!("none that can be read; {}", problem.what)).advise("run this with sudo")
            }
            None => Finding::wrong("nothing starts iio-focus", "sudo systemctl enable --now iio-focus.timer"),
        });
    }
    findings
}

/// Where cron finds a line that starts a run.
pub(super) fn run_line(file: &CronFile) -> Option<String> {
    let line = file.line.as_ref().ok().copied().flatten().filter(|_| is_read(file))?;
    Some(format!("{} line {line}", file.path.display()))
}

/// Whether cron reads a file of this name: in Debian, those that `run-parts` would take (`cron(8)`).
fn is_read(file: &CronFile) -> bool {
    let takes = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    !file.is_read_by_name || name(file).bytes().all(takes)
}

/// Whether a person meant cron to read it, and not a package manager or an editor left it.
fn is_passed_over(file: &CronFile) -> bool {
    let leftovers = [".dpkg-old", ".dpkg-dist", ".dpkg-new", "~", ".bak"];
    !is_read(file)
        && matches!(file.line, Ok(Some(_)))
        && !leftovers.iter().any(|ending| name(file).ends_with(ending))
}

fn name(file: &CronFile) -> String {
    file.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn passed_over(file: &CronFile) -> Finding {
    let path = file.path.display();
    let why = "because its name has more than letters, digits, - and _";
    Finding::wrong(format!("cron does not read {path}, {why}"), "rename it")
}

const SEE_LOGS: &str = "see journalctl -t iio-focus, and systemctl status 'iio-focus*' or cron's log";

/// When was the last run, and how did it end?
pub(super) fn last_run(facts: &Facts) -> Vec<Finding> {
    let (runs, newest_ms) = match &facts.store {
        Store::Absent | Store::CannotOpen { exists: false, .. } => (&[][..], None),
        Store::Open(Content { runs: Some((of_week, newest_ms)), .. }) => (&of_week[..], *newest_ms),
        // The store's own finding tells of it.
        _ => return Vec::new(),
    };
    let Schedule { timers, cron } = &facts.schedule;
    let is_scheduled = !timers.is_empty() || cron.iter().any(|file| run_line(file).is_some());
    vec![match (runs.last(), newest_ms) {
        (Some(last), _) => {
            let age_ms = facts.now_ms.saturating_sub(last.at_ms);
            let when = format!("{}, {} ago", times::local_text(last.at_ms), times::length(age_ms));
            if is_scheduled && age_ms > longest_age_ms(runs) {
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
        (None, _) => Finding::note(format!("{when}: it was killed, or is under way")),
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
    use super::super::facts::healthy::runs_that_ended;
    use super::super::tests::{Wanted, cannot_open, cannot_read, content, expect_each, is_no_database};
    use super::*;
    use crate::error::Problem;

    fn cron(facts: &mut Facts, path: &str, line: Result<Option<usize>, Problem>) {
        let is_read_by_name = path.contains("/cron.d/");
        facts.schedule.cron.push(CronFile { path: path.into(), is_read_by_name, line });
    }

    fn cron_alone(facts: &mut Facts, path: &str, line: Result<Option<usize>, Problem>) {
        facts.schedule.timers.clear();
        cron(facts, path, line);
    }

    #[test]
    fn a_timer_or_a_line_for_cron_starts_the_runs() {
        const NOTHING: Wanted = (Wrong, "nothing starts iio-focus", "systemctl enable --now iio-focus.timer");
        expect_each(
            schedule,
            &[
                (|_| (), &[(Good, "iio-focus.timer enabled", "")]),
                (
                    |facts| facts.schedule.timers.push("iio-focus@kitchen.timer".into()),
                    &[(Good, "iio-focus.timer, iio-focus@kitchen.timer enabled", "")],
                ),
                (|facts| facts.schedule.timers.clear(), &[NOTHING]),
                (|facts| cron_alone(facts, "/pi/crontab", Ok(None)), &[NOTHING]),
                (|facts| cron_alone(facts, "/pi/crontab", Ok(Some(1))), &[(Good, "/pi/crontab line 1", "")]),
                (
                    |facts| cron_alone(facts, "/pi/cron.d/iio-focus", Ok(Some(2))),
                    &[(Good, "/pi/cron.d/iio-focus line 2", "")],
                ),
                (
                    |facts| cron_alone(facts, "/pi/crontabs/pi.user", Ok(Some(2))),
                    &[(Good, "/pi/crontabs/pi.user line 2", "")],
                ),
                (
                    |facts| cron(facts, "/pi/cron.d/iio-focus", Ok(Some(1))),
                    &[(Good, "enabled", ""), (Wrong, "/pi/cron.d/iio-focus line 1", "not both")],
                ),
                (
                    |facts| cron_alone(facts, "/pi/crontab", Err(cannot_read(Errno::EACCES))),
                    &[(Note, "none that can be read; cannot read /pi/file: EACCES", "run this with sudo")],
                ),
                (
                    |facts| cron(facts, "/pi/crontab", Err(cannot_read(Errno::EACCES))),
                    &[(Good, "enabled", "")],
                ),
            ],
        );
    }

    #[test]
    fn a_file_whose_name_cron_does_not_like_is_wrong_unless_it_is_a_leftover() {
        expect_each(
            schedule,
            &[
                (
                    |facts| cron(facts, "/pi/cron.d/iio-focus.cron", Ok(Some(1))),
                    &[
                        (
                            Wrong,
                            "cron does not read /pi/cron.d/iio-focus.cron, because its name",
                            "rename it",
                        ),
                        (Good, "enabled", ""),
                    ],
                ),
                (|facts| cron(facts, "/pi/cron.d/x.cron", Ok(None)), &[(Good, "enabled", "")]),
                (
                    |facts| {
                        for name in ["x.dpkg-old", "x.dpkg-dist", "x.dpkg-new", "x~", "x.bak"] {
                            cron(facts, &format!("/pi/cron.d/{name}"), Ok(Some(1)));
                        }
                    },
                    &[(Good, "enabled", "")],
                ),
                // Nobody reads it, so it does not matter that it cannot be read.
                (
                    |facts| cron_alone(facts, "/pi/cron.d/x.cron", Err(cannot_read(Errno::EACCES))),
                    &[(Wrong, "nothing starts iio-focus", "systemctl enable")],
                ),
            ],
        );
    }

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
                    &[(Note, "10s ago: it was killed, or is under way", "")],
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
                        cron_alone(facts, "/pi/crontab", Ok(Some(1)));
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
