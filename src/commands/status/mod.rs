//! `iio-focus status`: what the last runs did, for people, for programs and for Prometheus.

mod metrics;

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write;

use serde::Serialize;

use super::times;
use crate::cli;
use crate::clock::{DAY_MS, HOUR_MS, Moment, WEEK_MS, millis};
use crate::config::{self, Config};
use crate::error::{Error, Exit, Problem, plural};
use crate::output::{clean, print};
use crate::reading::to_units;
use crate::store::{History, PastRun, Sample, Selection};

/// The periods that are summarized: name, and length in ms.
const PERIODS: [(&str, i64); 3] = [("hour", HOUR_MS), ("day", DAY_MS), ("week", WEEK_MS)];

/// Prints what the last runs did. Returns [`Exit::Trouble`] if readings do not arrive as they should.
///
/// # Errors
/// [`Error::Usage`] or [`Error::Config`] if the command line or the configuration is wrong; [`Error::Store`] if the
/// store cannot be read; [`Error::System`] if standard output cannot be written. A closed pipe is no error.
pub fn run(args: &cli::Args, status: &cli::Status) -> Result<Exit, Error> {
    if status.json && status.prometheus {
        return Err(Error::Usage(Problem::new("--json and --prometheus: only one of them at a time")));
    }
    let max_age = config::max_age(status.max_age.as_deref())?;
    let config = Config::load(args, &|name| env::var_os(name))?;
    let now = Moment::now();
    let history = History::open(&config.store.path, &now)?;
    let summary = Summary::of(&history, now.wall_ms, millis(max_age))?;
    print(&if status.json {
        // This cannot fail: the keys are strings, the values strings and finite numbers.
        serde_json::to_string(&summary).unwrap_or_default() + "\n"
    } else if status.prometheus {
        metrics::text(&summary)
    } else {
        summary.text(now.wall_ms)
    })?;
    Ok(if summary.verdict == Verdict::Ok { Exit::Success } else { Exit::Trouble })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    /// The last run failed.
    Failing,
    /// The last reading is too old although no run has failed since: nothing starts the runs.
    Stale,
}

/// All that the command prints. Times are in ms since the epoch here, and in RFC 3339 in the JSON.
#[derive(Debug, Serialize)]
struct Summary {
    verdict: Verdict,
    why: String,
    last_reading: Option<LastReading>,
    #[serde(serialize_with = "time")]
    last_delivery: Option<i64>,
    backlog: u32,
    longest_gap: Option<Gap>,
    last_failure: Option<LastFailure>,
    periods: BTreeMap<&'static str, Period>,
}

#[derive(Debug, Serialize)]
struct LastReading {
    #[serde(serialize_with = "time")]
    time: Option<i64>,
    age_seconds: i64,
    sensor: String,
    temperature_celsius: f64,
    humidity_percent: f64,
}

/// The longest time without a reading.
#[derive(Debug, Serialize)]
struct Gap {
    seconds: i64,
    #[serde(serialize_with = "time")]
    from: Option<i64>,
}

#[derive(Debug, Serialize)]
struct LastFailure {
    #[serde(serialize_with = "time")]
    time: Option<i64>,
    status: Option<u8>,
    error: Option<String>,
}

/// The runs of a period, and their tries of the sensor.
#[derive(Debug, Default, Serialize)]
struct Period {
    runs: u32,
    good_runs: u32,
    tries: u32,
    good_tries: u32,
    errors: BTreeMap<String, u32>,
}

fn time<S: serde::Serializer>(ms: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    ms.map(times::rfc3339).serialize(serializer)
}

impl Summary {
    fn of(history: &History, now_ms: i64, max_age_ms: i64) -> Result<Summary, Error> {
        let runs = history.runs(now_ms - WEEK_MS)?;
        let newest = history.newest()?;
        let (verdict, why) = verdict(&runs, newest.as_ref(), now_ms, max_age_ms);
        Ok(Summary {
            verdict,
            why,
            last_delivery: history.last_delivery_ms()?,
            backlog: history.backlog()?,
            longest_gap: longest_gap(history, now_ms)?,
            last_failure: runs.iter().rfind(|run| !run.is_good()).map(|run| LastFailure {
                time: Some(run.at_ms),
                status: run.status,
                error: run.error.clone(),
            }),
            periods: PERIODS
                .iter()
                .map(|(name, length)| {
                    (*name, Period::of(runs.iter().filter(|run| run.at_ms >= now_ms - length)))
                })
                .collect(),
            last_reading: newest.map(|newest| LastReading {
                time: Some(newest.at_ms),
                age_seconds: (now_ms - newest.at_ms) / 1000,
                temperature_celsius: to_units(newest.reading.temperature_mdegc),
                humidity_percent: to_units(newest.reading.humidity_mpercent),
                sensor: newest.sensor,
            }),
        })
    }
}

/// Whether readings arrive as they should, and the reason in one line.
fn verdict(runs: &[PastRun], newest: Option<&Sample>, now_ms: i64, max_age_ms: i64) -> (Verdict, String) {
    let failed = runs.iter().rev().take_while(|run| !run.is_good()).count();
    if let (Some(first), Some(last)) =
        (runs.len().checked_sub(failed).and_then(|at| runs.get(at)), runs.last())
    {
        let why = match (last.status, &last.error) {
            (_, Some(error)) => error.clone(),
            (Some(status), None) => format!("the run ended with status {status}"),
            (None, None) => "the run was killed, or the power went".to_owned(),
        };
        let failed = u32::try_from(failed).unwrap_or(u32::MAX);
        return (
            Verdict::Failing,
            format!(
                "since {}, {failed} {} in a row: {why}",
                times::local_text(first.at_ms),
                plural(failed, "run", "runs")
            ),
        );
    }
    let Some(newest) = newest else {
        return (Verdict::Stale, "no reading was ever kept".to_owned());
    };
    let age_ms = now_ms - newest.at_ms;
    let age = format!("the last reading is {} old", times::length(age_ms));
    if age_ms > max_age_ms {
        return (
            Verdict::Stale,
            format!(
                "{age}, more than {}, and no run has failed since: check the timer or cron",
                times::length(max_age_ms)
            ),
        );
    }
    (Verdict::Ok, age)
}

/// The longest time without a reading in the last week, up to now.
fn longest_gap(history: &History, now_ms: i64) -> Result<Option<Gap>, Error> {
    let since = Selection { since_ms: Some(now_ms - WEEK_MS), until_ms: Some(now_ms), sensor: None };
    let mut taken = Vec::new();
    history.samples(&since, |sample| {
        taken.push(sample.at_ms);
        Ok(())
    })?;
    // The store has the readings in the order in which they were taken. If the clock was set back, their times are not
    // in order.
    taken.sort_unstable();
    taken.push(now_ms);
    let gaps = taken.windows(2).map(|pair| (pair[1] - pair[0], pair[0]));
    Ok(gaps.max().map(|(length, from)| Gap { seconds: length / 1000, from: Some(from) }))
}

impl Period {
    fn of<'a>(runs: impl Iterator<Item = &'a PastRun>) -> Period {
        let mut period = Period::default();
        for run in runs {
            period.runs += 1;
            period.good_runs += u32::from(run.is_good());
            period.tries += run.attempts;
            period.good_tries += run.attempts.saturating_sub(run.failures.total());
            for (name, times) in run.failures.iter() {
                *period.errors.entry(name.to_owned()).or_default() += times;
            }
        }
        period
    }

    fn errors(&self) -> String {
        let mut errors: Vec<_> = self.errors.iter().collect();
        errors.sort_by_key(|(_, times)| std::cmp::Reverse(**times));
        let errors: Vec<String> = errors.iter().map(|(name, times)| format!("{name} {times}")).collect();
        if errors.is_empty() { "none".to_owned() } else { errors.join(", ") }
    }
}

/// How many were good, as a percentage: `98.5 % of 1440`.
fn percentage(good: u32, all: u32) -> String {
    if all == 0 {
        return "none".to_owned();
    }
    // Rounded down, so that 100 % is printed only if all were good.
    let permille = u64::from(good) * 1000 / u64::from(all);
    format!("{}.{} % of {all}", permille / 10, permille % 10)
}

impl Summary {
    /// The summary for people: the verdict in the first line, then the details.
    fn text(&self, now_ms: i64) -> String {
        let verdict = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Failing => "failing",
            Verdict::Stale => "stale",
        };
        let mut text = format!("{verdict}: {}\n\n", clean(&self.why, ' '));
        let mut line = |name: &str, value: String| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name:<16}{}", clean(&value, ' '));
        };
        let time_and_age = |ms: i64| format!("{}, {} ago", times::local_text(ms), times::length(now_ms - ms));
        if let Some(last) = &self.last_reading {
            let values = format!(
                "{:.1} °C, {:.1} %RH from {}",
                last.temperature_celsius, last.humidity_percent, last.sensor
            );
            line("last reading", format!("{values}, {}", time_and_age(last.time.unwrap_or_default())));
        }
        line("last delivery", self.last_delivery.map_or("none yet".to_owned(), time_and_age));
        line("backlog", self.backlog.to_string());
        if let Some(Gap { seconds, from: Some(from) }) = self.longest_gap {
            line(
                "longest gap",
                format!("{} from {}", times::length(seconds * 1000), times::local_text(from)),
            );
        }
        for (name, _) in PERIODS {
            let period = &self.periods[name];
            line(
                &format!("last {name}"),
                format!(
                    "good runs {}, good tries {}, errors {}",
                    percentage(period.good_runs, period.runs),
                    percentage(period.good_tries, period.tries),
                    period.errors()
                ),
            );
        }
        if let Some(LastFailure { time: Some(time), error: Some(error), .. }) = &self.last_failure {
            line("last failure", format!("{}: {error}", time_and_age(*time)));
        }
        text
    }
}
