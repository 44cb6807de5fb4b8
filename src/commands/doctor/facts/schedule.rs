//! What starts the runs.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::names_in;
use crate::error::Problem;

#[derive(Default)]
pub(crate) struct Schedule {
    /// The units of enabled timers.
    pub(crate) timers: Vec<String>,
    /// Cron's files, and its folders that cannot be read.
    pub(crate) cron: Vec<CronFile>,
}

/// A file with lines for cron.
pub(crate) struct CronFile {
    pub(crate) path: PathBuf,
    /// Whether cron reads it only if it likes its name, as in `/etc/cron.d`.
    pub(crate) is_read_by_name: bool,
    /// The number of the first line that starts a run, if there is one. Not the line: it may set the licence.
    pub(crate) line: Result<Option<usize>, Problem>,
}

impl Schedule {
    pub(crate) fn look(root: &Path) -> Schedule {
        let mut schedule = Schedule::default();
        for dir in ["etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system"] {
            let names = names_in(&root.join(dir).join("timers.target.wants")).unwrap_or_default();
            schedule.timers.extend(names.into_iter().filter(|name| is_our_timer(name)));
        }
        schedule.timers.sort_unstable();
        schedule.timers.dedup();
        schedule.look_at(root.join("etc/crontab"), false);
        for (dir, is_read_by_name) in [("etc/cron.d", true), ("var/spool/cron/crontabs", false)] {
            let path = root.join(dir);
            match names_in(&path) {
                Ok(names) => {
                    for name in names {
                        schedule.look_at(path.join(name), is_read_by_name);
                    }
                }
                Err(problem) => {
                    schedule.cron.push(CronFile { path, is_read_by_name: false, line: Err(problem) });
                }
            }
        }
        schedule
    }

    fn look_at(&mut self, path: PathBuf, is_read_by_name: bool) {
        let line = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            text => text.map(|text| run_line(&text)).map_err(|error| Problem::file("read", &path, &error)),
        };
        self.cron.push(CronFile { path, is_read_by_name, line });
    }
}

fn is_our_timer(name: &str) -> bool {
    let rest = name.strip_prefix("iio-focus").and_then(|rest| rest.strip_suffix(".timer"));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
}

/// What takes no reading.
const COMMANDS: [&str; 6] = ["list", "doctor", "status", "chart", "export", "setup"];

/// The number of the first line that starts a run.
fn run_line(text: &str) -> Option<usize> {
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
    fn a_timer_is_ours_by_its_name() {
        for (name, is_ours) in [
            ("iio-focus.timer", true),
            ("iio-focus@kitchen.timer", true),
            ("iio-focus-backup.timer", false),
            ("iio-focus.service", false),
            ("apt-daily.timer", false),
        ] {
            assert_eq!(is_our_timer(name), is_ours, "{name}");
        }
    }

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
            assert_eq!(run_line(text), line, "{text:?}");
        }
    }
}
