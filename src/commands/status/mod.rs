//! `iio-focus status`: what the last runs did, for people, for programs and for Prometheus.

mod metrics;
mod runs;
mod space;
mod text;
mod verdict;

use std::collections::BTreeMap;
use std::env;
use std::path::Path;

use serde::{Serialize, Serializer};

use self::runs::{PERIODS, Period, Runs};
use self::verdict::{Evidence, Limits, Verdict, judge};
use super::times;
use crate::cli;
use crate::clock::{Moment, millis};
use crate::config::{self, Config};
use crate::error::{Error, Exit, Problem};
use crate::output::print_to;
use crate::reading::to_units;
use crate::store::{History, Holder, PassedOver, PastRun, Verification, damaged_copies};

/// Prints what the last runs did. Returns [`Exit::Trouble`] if readings do not arrive as they should.
///
/// # Errors
/// [`Error::Usage`] or [`Error::Config`] if the command line or the configuration is wrong; [`Error::Store`] if the
/// store cannot be read: for Prometheus it is then told that nothing is known; [`Error::Io`] or [`Error::System`] if the
/// file or standard output cannot be written. A closed pipe is no error.
pub fn run(args: &cli::Args, status: &cli::Status) -> Result<Exit, Error> {
    if status.json && status.prometheus {
        return Err(Error::Usage(Problem::new("--json and --prometheus: only one of them at a time")));
    }
    let max_age = config::max_age(status.max_age.as_deref())?;
    let failures = config::failures(status.failures.as_deref())?;
    let env = |name: &str| env::var_os(name);
    let config = match Config::load(args, &env) {
        Ok(config) => config,
        Err(error) => {
            let file = Config::without_file(Path::new("/"), args, &env)?.file;
            return unknown(status, &file.display().to_string(), error);
        }
    };
    let store = config.store.path.display().to_string();
    let now = Moment::now();
    let limits = Limits { now_ms: now.wall_ms, max_age_ms: millis(max_age), failures };
    let summary = match Summary::of(&config.store.path, &now, &limits) {
        Ok(summary) => summary,
        Err(error) => return unknown(status, &config.device.unwrap_or(store), error),
    };
    let text = if status.json {
        // This cannot fail: the keys are strings, the values strings and finite numbers.
        serde_json::to_string(&summary).unwrap_or_default() + "\n"
    } else if status.prometheus {
        metrics::text(&summary, &config.device.unwrap_or(store))
    } else {
        text::text(&summary, now.wall_ms)
    };
    print_to(status.output.as_deref(), &text)?;
    Ok(if summary.verdict == Verdict::Ok { Exit::Success } else { Exit::Trouble })
}

/// Nothing is known of this sensor's runs. Prometheus must not go on with what it was told before.
fn unknown(status: &cli::Status, sensor: &str, error: Error) -> Result<Exit, Error> {
    if status.prometheus {
        print_to(status.output.as_deref(), &metrics::unknown(sensor))?;
    }
    Err(error)
}

/// All that the command prints. Times are in ms since the epoch here, and in RFC 3339 in the JSON.
#[derive(Debug, Serialize)]
struct Summary {
    verdict: Verdict,
    why: String,
    run_under_way: bool,
    last_reading: Option<LastReading>,
    #[serde(serialize_with = "time_if_known")]
    last_delivery: Option<i64>,
    backlog: u32,
    oldest_waiting: Option<OldestWaiting>,
    passed_over: PassedOver,
    /// The damaged stores beside this one.
    set_aside: Vec<String>,
    last_verification: Option<LastVerification>,
    longest_gap: Option<Gap>,
    last_failure: Option<LastFailure>,
    periods: BTreeMap<&'static str, Period>,
}

#[derive(Debug, Serialize)]
struct LastReading {
    #[serde(rename = "time", serialize_with = "time")]
    at_ms: i64,
    age_seconds: i64,
    sensor: String,
    #[serde(rename = "temperature_celsius", serialize_with = "units")]
    temperature_mdegc: i32,
    #[serde(rename = "humidity_percent", serialize_with = "units")]
    humidity_mpercent: i32,
}

#[derive(Debug, Serialize)]
struct OldestWaiting {
    #[serde(rename = "time", serialize_with = "time")]
    at_ms: i64,
    age_seconds: i64,
}

/// What WhaTap was last asked, and what came of it.
#[derive(Debug, Serialize)]
struct LastVerification {
    #[serde(rename = "time", serialize_with = "time")]
    at_ms: i64,
    age_seconds: i64,
    verdict: &'static str,
    why: String,
    taken: u32,
    arrived: u32,
    missing: u32,
}

impl LastVerification {
    fn of(last: Verification, now_ms: i64) -> LastVerification {
        LastVerification {
            at_ms: last.at_ms,
            age_seconds: now_ms.saturating_sub(last.at_ms) / 1000,
            verdict: last.verdict.name(),
            why: last.why,
            taken: last.taken,
            arrived: last.arrived,
            missing: last.missing,
        }
    }
}

/// The longest time without a reading.
#[derive(Debug, Serialize)]
struct Gap {
    #[serde(rename = "seconds", serialize_with = "seconds")]
    length_ms: i64,
    #[serde(rename = "from", serialize_with = "time")]
    from_ms: i64,
}

#[derive(Debug, Serialize)]
struct LastFailure {
    #[serde(rename = "time", serialize_with = "time")]
    at_ms: i64,
    status: Option<u8>,
    error: Option<String>,
}

fn time<S: Serializer>(ms: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    times::rfc3339(*ms).serialize(serializer)
}

fn time_if_known<S: Serializer>(ms: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    ms.map(times::rfc3339).serialize(serializer)
}

fn seconds<S: Serializer>(ms: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    (ms / 1000).serialize(serializer)
}

fn units<S: Serializer>(thousandths: &i32, serializer: S) -> Result<S::Ok, S::Error> {
    to_units(*thousandths).serialize(serializer)
}

impl Summary {
    fn of(store: &Path, now: &Moment, limits: &Limits) -> Result<Summary, Error> {
        let history = History::open(store, now)?;
        let (runs, run_under_way) = runs_of(&history, store, now)?;
        let newest = history.newest()?;
        let (backlog, passed_over) = (history.backlog()?, history.passed_over()?);
        let oldest_ms = history.oldest_waiting_ms()?;
        let evidence = Evidence {
            failed: runs.failed,
            why: runs.last_failure.as_ref().map(|failure| why(&failure.run)).unwrap_or_default(),
            last_run_ms: runs.last_ms,
            newest_ms: newest.as_ref().map(|newest| newest.at_ms),
            under_way: run_under_way,
            waiting: oldest_ms.map(|oldest_ms| (backlog.saturating_sub(passed_over.foreign), oldest_ms)),
            unwritable: space::unwritable(store),
            synchronised: now.synchronised,
        };
        let (verdict, why) = judge(&evidence, limits);
        let age_seconds = |ms: i64| now.wall_ms.saturating_sub(ms) / 1000;
        Ok(Summary {
            verdict,
            why,
            run_under_way,
            last_reading: newest.map(|newest| LastReading {
                at_ms: newest.at_ms,
                age_seconds: age_seconds(newest.at_ms),
                temperature_mdegc: newest.reading.temperature_mdegc,
                humidity_mpercent: newest.reading.humidity_mpercent,
                sensor: newest.sensor,
            }),
            last_delivery: history.last_delivery_ms()?,
            backlog,
            oldest_waiting: oldest_ms.map(|at_ms| OldestWaiting { at_ms, age_seconds: age_seconds(at_ms) }),
            passed_over,
            set_aside: damaged_copies(store).iter().map(|copy| copy.display().to_string()).collect(),
            last_verification: history
                .last_verification()?
                .map(|last| LastVerification::of(last, now.wall_ms)),
            longest_gap: runs.longest_gap().map(|(length_ms, from_ms)| Gap { length_ms, from_ms }),
            last_failure: runs.last_failure_of_week().map(|run| LastFailure {
                at_ms: run.at_ms,
                status: run.status,
                error: run.error.clone(),
            }),
            periods: PERIODS.iter().map(|(name, _)| *name).zip(runs.periods).collect(),
        })
    }
}

/// What the runs come to, without the one under way, and whether there is one.
fn runs_of(history: &History, store: &Path, now: &Moment) -> Result<(Runs, bool), Error> {
    // In this order: a run that has no end yet was killed if nobody holds the lock after it was seen.
    let unfinished = history.unfinished()?;
    let holder = Holder::of(store);
    let is_under_way = |id: i64| match unfinished.as_ref().filter(|unfinished| unfinished.id == id) {
        Some(unfinished) => holder.is_some_and(|holder| holder.can_have_taken(&unfinished.taken, now)),
        // It began after that.
        None => true,
    };
    let mut runs = Runs::until(now.wall_ms);
    let mut last: Option<(PastRun, Option<i64>)> = None;
    history.for_each_run(|run, id| {
        if let Some((run, id)) = last.replace((run, id)) {
            runs.add(run, id.is_some());
        }
    })?;
    match last {
        Some((run, Some(id))) if run.status.is_none() && is_under_way(id) => {
            runs.add_reading(run.at_ms);
            return Ok((runs, true));
        }
        Some((run, id)) => runs.add(run, id.is_some()),
        None => {}
    }
    Ok((runs, holder.is_some()))
}

/// Why a run failed.
fn why(run: &PastRun) -> String {
    match (run.status, &run.error) {
        (_, Some(error)) => error.clone(),
        (Some(status), None) => format!("the run ended with status {status}"),
        (None, None) => "the run was killed, or the power went".to_owned(),
    }
}
