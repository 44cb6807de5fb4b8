//! The store, what starts the runs, and the last one.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::PathBuf;

use super::{Finding, System, names_in};
use crate::clock::Moment;
use crate::commands::times;
use crate::config;
use crate::error::{Error, cannot};
use crate::store::{History, PastRun};

const STORE: &str = "store";
const BACKLOG: &str = "backlog";
const SCHEDULE: &str = "timer or cron";
const LAST_RUN: &str = "last run";

const WEEK_MS: i64 = 7 * 86_400_000;

/// Is the store whole?
pub(super) fn store(system: &System) -> Vec<Finding> {
    let path = &system.config.store.path;
    if !system.is_known {
        return vec![Finding::note(STORE, "not looked at: the configuration comes first")];
    }
    vec![match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Finding::note(STORE, format!("{} is not there: no run has kept anything yet", path.display()))
        }
        Err(error) => Finding::closed(STORE, path, &error),
        Ok(_) => match open(system).and_then(|history| history.integrity()) {
            Ok(None) => Finding::ok(STORE, format!("{} is whole", path.display())),
            Ok(Some(damage)) => Finding::wrong(
                STORE,
                format!("{} is damaged: {damage}", path.display()),
                "save what can be read with iio-focus export, and move the file away: the next run begins a new one",
            ),
            Err(error) => Finding::wrong(
                STORE,
                error.what(),
                "let a run look at it, which brings an old one up to date and sets a damaged one aside",
            ),
        },
    }]
}

/// Does everything that was taken arrive?
pub(super) fn backlog(system: &System) -> Vec<Finding> {
    let Ok(waiting) = open(system).and_then(|history| history.backlog()) else { return Vec::new() };
    let limit = system.config.store.backlog;
    vec![match waiting {
        0 => Finding::ok(BACKLOG, "empty"),
        _ if waiting < limit => Finding::note(BACKLOG, format!("{waiting} of at most {limit} wait")),
        _ => Finding::wrong(
            BACKLOG,
            format!("{waiting} of at most {limit} wait: the oldest are being lost"),
            "mend the delivery, and raise backlog in [store] meanwhile",
        ),
    }]
}

/// Does something start the runs?
pub(super) fn schedule(system: &System) -> Vec<Finding> {
    let Schedule { timers, cron, ignored, unreadable } = Schedule::look(system);
    let mut findings: Vec<Finding> = ignored
        .iter()
        .map(|path| {
            Finding::wrong(
                SCHEDULE,
                format!(
                    "cron does not read {}, because its name has more than letters, digits, - and _",
                    path.display()
                ),
                "rename it",
            )
        })
        .collect();
    if !timers.is_empty() {
        findings.push(Finding::ok(SCHEDULE, format!("{} enabled", timers.join(", "))));
    }
    findings.extend(cron.iter().map(|line| {
        let finding = Finding::ok(SCHEDULE, line.as_str());
        if timers.is_empty() {
            finding
        } else {
            finding.wrong_if(true, "keep the timer or this line, not both")
        }
    }));
    if findings.is_empty() {
        findings.push(match unreadable.first() {
            Some(why) => {
                Finding::note(SCHEDULE, format!("none that can be read; {why}")).advise("run this with sudo")
            }
            None => Finding::wrong(
                SCHEDULE,
                "nothing starts iio-focus",
                "sudo systemctl enable --now iio-focus.timer",
            ),
        });
    }
    findings
}

/// When was the last run, and how did it end?
pub(super) fn last_run(system: &System) -> Vec<Finding> {
    let scheduled = Schedule::look(system).starts_runs();
    let now = Moment::now();
    let look = |history: History| Ok((history.runs(now.wall_ms - WEEK_MS)?, history.newest()?));
    let (runs, newest) = match open(system).and_then(look) {
        Ok(found) => found,
        // The store's own finding tells of it.
        Err(_) if system.config.store.path.exists() => return Vec::new(),
        Err(_) => (Vec::new(), None),
    };
    let Some(last) = runs.last() else {
        let found = match newest {
            Some(newest) => {
                format!("none in a week; the last reading is of {}", times::local_text(newest.at_ms))
            }
            None => "none yet".to_owned(),
        };
        return vec![Finding::note(LAST_RUN, found).wrong_if(scheduled, WHY)];
    };
    let age_ms = now.wall_ms - last.at_ms;
    let when = format!("{}, {} ago", times::local_text(last.at_ms), times::length(age_ms));
    vec![match (last.status, &last.error) {
        _ if scheduled && age_ms > longest_age_ms(&runs) => {
            Finding::wrong(LAST_RUN, format!("{when}: they have stopped"), WHY)
        }
        (Some(0), _) => Finding::ok(LAST_RUN, format!("{when}: a reading was delivered")),
        (Some(status), Some(error)) => {
            Finding::wrong(LAST_RUN, format!("{when}, ended with {status}: {error}"), "mend what it says")
        }
        (status, _) => Finding::note(
            LAST_RUN,
            match status {
                Some(status) => format!("{when}, ended with {status}"),
                None => format!("{when}: it was killed, or is under way"),
            },
        ),
    }]
}

const WHY: &str = "see journalctl -t iio-focus, and systemctl status 'iio-focus*' or cron's log";

/// As `status` has it, or twice the time between the last two runs: not everybody takes a reading each minute.
fn longest_age_ms(runs: &[PastRun]) -> i64 {
    let usual = config::max_age(None).map_or(0, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
    match runs {
        [.., before, last] => usual.max(2 * (last.at_ms - before.at_ms)),
        _ => usual,
    }
}

fn open(system: &System) -> Result<History, Error> {
    History::open(&system.config.store.path, &Moment::now())
}

/// What starts the runs.
#[derive(Default)]
struct Schedule {
    /// The units of enabled timers.
    timers: Vec<String>,
    /// Where cron's lines are. Not the lines: one may set the licence.
    cron: Vec<String>,
    /// Files that cron passes over.
    ignored: Vec<PathBuf>,
    /// What cannot be looked at, and why.
    unreadable: Vec<String>,
}

impl Schedule {
    fn look(system: &System) -> Schedule {
        let mut schedule = Schedule::default();
        for dir in ["etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system"] {
            let names = names_in(&system.path(dir).join("timers.target.wants")).unwrap_or_default();
            schedule.timers.extend(names.into_iter().filter(|name| {
                let rest = name.strip_prefix("iio-focus").and_then(|rest| rest.strip_suffix(".timer"));
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
            }));
        }
        schedule.timers.sort_unstable();
        schedule.timers.dedup();
        schedule.look_at(system.path("etc/crontab"));
        for (dir, by_name) in [("etc/cron.d", true), ("var/spool/cron/crontabs", false)] {
            let dir = system.path(dir);
            match names_in(&dir) {
                Err(error) => schedule.unreadable.push(cannot("read", &dir, &error)),
                Ok(names) => {
                    for name in names {
                        let is_read = !by_name || name.bytes().all(is_for_cron);
                        if is_read {
                            schedule.look_at(dir.join(name));
                        } else if has_line(&fs::read_to_string(dir.join(&name)).unwrap_or_default()).is_some()
                            // What a package manager or an editor left.
                            && ![".dpkg-old", ".dpkg-dist", ".dpkg-new", "~", ".bak"].iter().any(|end| name.ends_with(end))
                        {
                            schedule.ignored.push(dir.join(name));
                        }
                    }
                }
            }
        }
        schedule
    }

    fn look_at(&mut self, path: PathBuf) {
        match fs::read_to_string(&path) {
            Ok(text) => {
                self.cron.extend(has_line(&text).map(|line| format!("{} line {line}", path.display())))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => self.unreadable.push(cannot("read", &path, &error)),
        }
    }

    fn starts_runs(&self) -> bool {
        !self.timers.is_empty() || !self.cron.is_empty()
    }
}

/// `cron(8)` in Debian: names that `run-parts` would take.
fn is_for_cron(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// What takes no reading.
const COMMANDS: [&str; 5] = ["list", "doctor", "status", "chart", "export"];

/// The number of the first line that starts a run.
fn has_line(text: &str) -> Option<usize> {
    let starts = |line: &str| {
        let line = line.trim_start();
        // A time, not a comment or a variable.
        let is_job = line.starts_with(|c: char| c.is_ascii_digit() || c == '*' || c == '@');
        let has = |wanted: &str| line.split_whitespace().any(|word| word.rsplit('/').next() == Some(wanted));
        is_job && has("iio-focus") && !COMMANDS.into_iter().any(has)
    };
    text.lines().position(starts).map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cron_line_starts_a_run_when_it_has_a_time_and_the_program() {
        for (text, line) in [
            ("", None),
            ("* * * * * root iio-focus --log syslog", Some(1)),
            ("PATH=/opt/iio-focus/bin\n\n */5 * * * * root /usr/local/bin/iio-focus", Some(3)),
            ("@reboot iio-focus", Some(1)),
            ("# * * * * * root iio-focus", None),
            ("PATH=/opt/iio-focus/bin", None),
            ("*/5 * * * * root iio-focus status --prometheus >/run/metrics", None),
            ("* * * * * iio-focus sleep 20 && iio-focus", Some(1)),
            ("* * * * * root my-iio-focus-backup", None),
            ("0 3 * * * root backup /var/lib/iio-focus/readings.db", None),
        ] {
            assert_eq!(has_line(text), line, "{text:?}");
        }
    }
}
