//! What starts the runs, and the last one.

use std::path::Path;

use super::Finding;
use super::cron::{job, passed_over};
use super::facts::Facts;
use super::facts::schedule::{Schedule, Timer};
use super::facts::unit::Load;

/// Does something start the runs?
pub(super) fn schedule(facts: &Facts) -> Vec<Finding> {
    let Schedule { timers, cron, .. } = &facts.schedule;
    let mut findings: Vec<Finding> = timers.iter().filter_map(never_starts).collect();
    findings.extend(cron.iter().filter_map(|file| passed_over(file, facts.schedule.daemon)));
    let good: Vec<&str> = good_timers(facts).map(|timer| timer.name.as_str()).collect();
    if !good.is_empty() {
        findings.push(Finding::ok(format!("{} enabled", good.join(", "))));
    }
    let not_both = "keep the timer or this line, not both";
    let lines = good_lines(facts).map(|(path, line)| format!("{} line {line}", path.display()));
    findings.extend(lines.map(|line| Finding::ok(line).wrong_if(!good.is_empty(), not_both)));
    if findings.is_empty() {
        let problem = cron.iter().find_map(|file| file.table.as_ref().err());
        findings.push(match problem {
            Some(problem) => {
                Finding::note(format!("none that can be read; {}", problem.what)).advise("run this with sudo")
            }
            None => Finding::wrong("nothing starts iio-focus", "sudo systemctl enable --now iio-focus.timer"),
        });
    }
    findings
}

/// The timers that start runs.
fn good_timers(facts: &Facts) -> impl Iterator<Item = &Timer> {
    facts.schedule.timers.iter().filter(|timer| never_starts(timer).is_none())
}

/// The lines of cron's tables that start runs.
fn good_lines(facts: &Facts) -> impl Iterator<Item = (&Path, usize)> {
    good_lines_of(&facts.schedule)
}

pub(super) fn good_lines_of(schedule: &Schedule) -> impl Iterator<Item = (&Path, usize)> {
    let good = schedule.cron.iter().filter(|file| passed_over(file, schedule.daemon).is_none());
    good.filter_map(|file| Some((file.path.as_path(), job(file)?.line)))
}

pub(super) fn is_scheduled(facts: &Facts) -> bool {
    good_timers(facts).next().is_some() || good_lines(facts).next().is_some()
}

/// Whether this timer or table of cron's starts runs.
pub(super) fn starts(facts: &Facts, by: &str) -> bool {
    good_timers(facts).any(|timer| timer.name == by)
        || good_lines(facts).any(|(path, _)| path.display().to_string() == by)
}

/// Why nothing starts although this timer is enabled.
fn never_starts(timer: &Timer) -> Option<Finding> {
    let name = &timer.name;
    let edit = |name: &str| format!("sudo systemctl edit {name}, and see systemctl cat {name}");
    if let Some(finding) = not_loaded(name, &timer.load, &timer.unmet) {
        return Some(finding);
    }
    let unit = timer.load.unit()?;
    if !STARTS.iter().any(|key| unit.last("Timer", key).is_some()) {
        let found = if AFTER_A_RUN.iter().any(|key| unit.last("Timer", key).is_some()) {
            "starts only after an earlier run, and nothing starts the first one"
        } else {
            "has no time at which it starts anything: it lacks OnCalendar="
        };
        return Some(Finding::wrong(format!("{name} {found}"), edit(name)));
    }
    if let Some(state) =
        timer.state.as_ref().filter(|state| !["active", "activating"].contains(&state.as_str()))
    {
        let advice =
            format!("sudo systemctl start {name}; if it does not stay active, see systemctl status {name}");
        return Some(Finding::wrong(format!("{name} is enabled, but {state}"), advice));
    }
    let service = &timer.service;
    let finding = not_loaded(&service.name, &service.load, &service.unmet);
    let has_command = service.load.unit().is_some_and(|unit| !unit.all("Service", "ExecStart").is_empty());
    let finding = finding.or_else(|| match &service.missing_program {
        Some(program) => Some(Finding::wrong(
            format!("{} starts {program}, which is not there", service.name),
            format!("install iio-focus again, or {}", edit(&service.name)),
        )),
        None if has_command => None,
        None => Some(Finding::wrong(format!("{} has no ExecStart=", service.name), edit(&service.name))),
    })?;
    Some(Finding { found: format!("{name} is enabled, but {}", finding.found), ..finding })
}

/// The settings of a timer that start something by themselves (`systemd.timer(5)`).
const STARTS: [&str; 6] =
    ["OnCalendar", "OnBootSec", "OnActiveSec", "OnStartupSec", "OnClockChange", "OnTimezoneChange"];
const AFTER_A_RUN: [&str; 2] = ["OnUnitActiveSec", "OnUnitInactiveSec"];

/// Why systemd does not start this unit.
fn not_loaded(name: &str, load: &Load, unmet: &[String]) -> Option<Finding> {
    match load {
        Load::Absent => Some(Finding::wrong(
            format!("there is no unit {name}"),
            format!("install iio-focus again, or sudo systemctl disable {name}"),
        )),
        Load::Masked(file) => Some(Finding::wrong(
            format!("{name} is masked by {}", file.display()),
            format!("sudo systemctl unmask {name}"),
        )),
        Load::Unreadable(problem) => Some(Finding::unusable_file(problem)),
        Load::Loaded(_) => unmet.first().map(|condition| {
            let advice = match condition.split_once("PathExists=") {
                Some((_, path)) if !path.starts_with(['|', '!']) => {
                    format!("put a file at {path}, then sudo systemctl start {name}")
                }
                _ => format!("make it so, or take it out with sudo systemctl edit {name}"),
            };
            Finding::wrong(format!("{name} does not start, because this is not so: {condition}"), advice)
        }),
    }
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::super::State::{Note, Ok as Good, Wrong};
    use super::super::cron::tests::table;
    use super::super::facts::schedule::CronFile;
    use super::super::facts::unit::Unit;
    use super::super::tests::{Case, Wanted, cannot_read, expect_each};
    use super::*;

    fn cron(facts: &mut Facts, path: &str, line: Option<usize>) {
        facts.schedule.cron.push(table(path, line));
    }

    fn cron_alone(facts: &mut Facts, path: &str, line: Option<usize>) {
        facts.schedule.timers.clear();
        cron(facts, path, line);
    }

    fn unreadable(facts: &mut Facts, path: &str) {
        let table = CronFile { table: Err(cannot_read(Errno::EACCES)), ..table(path, None) };
        facts.schedule.cron.push(table);
    }

    #[test]
    fn a_timer_or_a_line_for_cron_starts_the_runs() {
        const NOTHING: Wanted = (Wrong, "nothing starts iio-focus", "systemctl enable --now iio-focus.timer");
        expect_each(
            schedule,
            &[
                (|_| (), &[(Good, "iio-focus.timer enabled", "")]),
                (
                    |facts| facts.schedule.timers.push(Timer::good("iio-focus@kitchen")),
                    &[(Good, "iio-focus.timer, iio-focus@kitchen.timer enabled", "")],
                ),
                (|facts| facts.schedule.timers.clear(), &[NOTHING]),
                (|facts| cron_alone(facts, "/pi/crontab", None), &[NOTHING]),
                (|facts| cron_alone(facts, "/pi/crontab", Some(1)), &[(Good, "/pi/crontab line 1", "")]),
                (
                    |facts| cron_alone(facts, "/pi/cron.d/iio-focus", Some(2)),
                    &[(Good, "/pi/cron.d/iio-focus line 2", "")],
                ),
                (
                    |facts| cron_alone(facts, "/pi/crontabs/pi.user", Some(2)),
                    &[(Good, "/pi/crontabs/pi.user line 2", "")],
                ),
                (
                    |facts| cron(facts, "/pi/cron.d/iio-focus", Some(1)),
                    &[(Good, "enabled", ""), (Wrong, "/pi/cron.d/iio-focus line 1", "not both")],
                ),
                (
                    |facts| {
                        facts.schedule.timers.clear();
                        unreadable(facts, "/pi/crontab");
                    },
                    &[(Note, "none that can be read; cannot read /pi/file: EACCES", "run this with sudo")],
                ),
                (|facts| unreadable(facts, "/pi/crontab"), &[(Good, "enabled", "")]),
            ],
        );
    }

    fn timer(facts: &mut Facts) -> &mut Timer {
        &mut facts.schedule.timers[0]
    }

    fn timer_says(facts: &mut Facts, text: &str) {
        timer(facts).load = Load::Loaded(Unit::of(&format!("[Timer]\n{text}\n")));
    }

    const STARTS_NOTHING: &[Case<'static>] = &[
        (
            |facts| timer(facts).state = Some("inactive".into()),
            &[(Wrong, "iio-focus.timer is enabled, but inactive", "sudo systemctl start iio-focus.timer")],
        ),
        (|facts| timer(facts).state = Some("active".into()), &[(Good, "enabled", "")]),
        (
            |facts| timer(facts).load = Load::Absent,
            &[(Wrong, "there is no unit iio-focus.timer", "systemctl disable iio-focus.timer")],
        ),
        (
            |facts| timer(facts).load = Load::Masked("/pi/x.timer".into()),
            &[(Wrong, "iio-focus.timer is masked by /pi/x.timer", "sudo systemctl unmask iio-focus.timer")],
        ),
        (
            |facts| timer(facts).unmet = vec!["ConditionPathExists=/etc/iio-focus.toml".into()],
            &[(
                Wrong,
                "this is not so: ConditionPathExists=/etc/iio-focus.toml",
                "put a file at /etc/iio-focus.toml",
            )],
        ),
        (
            |facts| timer(facts).unmet = vec!["ConditionPathExists=!/etc/off".into()],
            &[(Wrong, "ConditionPathExists=!/etc/off", "systemctl edit iio-focus.timer")],
        ),
        (
            |facts| timer_says(facts, "OnCalendar=minutely\nOnCalendar="),
            &[(Wrong, "iio-focus.timer has no time at which", "systemctl edit iio-focus.timer")],
        ),
        (
            |facts| timer_says(facts, "OnUnitActiveSec=60"),
            &[(Wrong, "nothing starts the first one", "systemctl edit")],
        ),
        (|facts| timer_says(facts, "OnBootSec=60\nOnUnitActiveSec=60"), &[(Good, "enabled", "")]),
        (
            |facts| timer(facts).service.load = Load::Masked("/pi/x.service".into()),
            &[(
                Wrong,
                "iio-focus.timer is enabled, but iio-focus.service is masked",
                "unmask iio-focus.service",
            )],
        ),
        (
            |facts| timer(facts).service.load = Load::Absent,
            &[(Wrong, "but there is no unit iio-focus.service", "install iio-focus again")],
        ),
        (
            |facts| {
                timer(facts).service.load = Load::Loaded(Unit::of("[Service]\nExecStart=a\nExecStart=\n"))
            },
            &[(Wrong, "but iio-focus.service has no ExecStart=", "systemctl edit iio-focus.service")],
        ),
        (
            |facts| timer(facts).service.missing_program = Some("iio-focus".into()),
            &[(Wrong, "iio-focus.service starts iio-focus, which is not there", "install iio-focus again")],
        ),
        (
            |facts| timer(facts).service.unmet = vec!["ConditionPathIsDirectory=/x".into()],
            &[(Wrong, "but iio-focus.service does not start", "systemctl edit iio-focus.service")],
        ),
        (
            |facts| {
                timer(facts).service.load = Load::Absent;
                cron(facts, "/pi/cron.d/iio-focus", Some(1));
            },
            &[(Wrong, "no unit", "install"), (Good, "/pi/cron.d/iio-focus line 1", "")],
        ),
    ];

    #[test]
    fn a_timer_that_is_enabled_may_start_nothing() {
        expect_each(schedule, STARTS_NOTHING);
    }

    #[test]
    fn a_leftover_is_meant_for_nobody() {
        expect_each(
            schedule,
            &[
                (|facts| cron(facts, "/pi/cron.d/x.cron", None), &[(Good, "enabled", "")]),
                (
                    |facts| {
                        facts.schedule.timers.clear();
                        cron(facts, "/pi/cron.d/x.bak", Some(1));
                    },
                    &[(Wrong, "nothing starts iio-focus", "systemctl enable")],
                ),
            ],
        );
    }
}
