//! One reading: from the sensor through focus to syslog.

pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod error;
pub mod failure;
pub mod focus;
pub mod history;
pub mod logger;
pub mod psychrometrics;
pub mod reading;
pub mod retry;
pub mod sensor;
pub mod store;

use std::env;
use std::time::Duration;

use clock::{Clock, SystemClock};
use config::Config;
use error::{Error, Exit, Problem, plural};
use failure::{Failure, Tally};
use focus::Focus;
use reading::Reading;
use retry::{Policy, Stop};
use sensor::Sensor;
use store::{Alert, Kept, Lock, Miss, Outcome, Store};

/// A reading older than this says nothing about the next one.
const JUMP_AGE: Duration = Duration::from_secs(600);

/// Takes one reading, keeps it, and delivers it and what is left of earlier runs.
///
/// # Errors
/// Whatever kept the reading from being taken or delivered.
pub fn run(args: &cli::Args) -> Result<(), Error> {
    let clock = SystemClock::new().map_err(|errno| Error::System("signalfd", errno.into()))?;
    let started = clock.now();
    let config = Config::load(args, &|name| env::var_os(name))?;
    for warning in &config.warnings {
        log::warn!("{warning}");
    }
    let Some(focus) = &config.focus else { return dry_run(&config, started, &clock) };

    let _lock = Lock::acquire(&config.store.path)?;
    let mut store = Store::new(&config.store);
    let until = started + config.deadline;
    let kept = match take_from_sensor(&config, &mut store, started, &clock) {
        Ok(kept) => kept,
        Err(error) => return Err(missed(error, focus, &mut store, until, &clock)),
    };
    let id = store.keep(&kept);
    let outcome = deliver(focus, &kept, id, &mut store, until, &clock);
    let exit = outcome.exit(clock.ending());
    let failed = outcome.failed.as_ref().map(|(_, reason)| reason.to_string()).unwrap_or_default();
    let alert = alert(focus, exit, &failed, &mut store, until, &clock);
    let left = store.settle(id, &outcome, exit, alert, &clock.moment());
    report(&kept, outcome, exit, left)
}

/// Finds the sensor and takes a reading that can be believed after the last one.
fn take_from_sensor(
    config: &Config,
    store: &mut Store,
    started: Duration,
    clock: &SystemClock,
) -> Result<Kept, Error> {
    let sensor = Sensor::find(&config.sysfs, config.device.as_deref())?;
    let last = store.newest(sensor.title(), &clock.moment(), JUMP_AGE);
    let (reading, failures) = take(config, &sensor, last, started, clock)?;
    Ok(Kept { reading, taken: clock.moment(), sensor: sensor.title().to_owned(), failures })
}

/// Keeps it in mind that the sensor gave nothing. What a signal ended, or never began, is no failure of it.
fn missed(error: Error, focus: &Focus, store: &mut Store, until: Duration, clock: &SystemClock) -> Error {
    let none = Tally::default();
    let failures = match &error {
        Error::NoReading(_, gave_up) => &gave_up.failures,
        Error::NoSensor(_) => &none,
        _ => return error,
    };
    let (exit, text) = (error.exit(), error.to_string());
    let alert = alert(focus, exit, &text, store, until, clock);
    store.miss(&Miss { ended: clock.moment(), failures, exit, error: &text }, alert);
    error
}

/// Tells WhaTap once when too many runs in a row failed, and once when it works again.
fn alert(
    focus: &Focus,
    exit: Exit,
    why: &str,
    store: &mut Store,
    until: Duration,
    clock: &SystemClock,
) -> Option<Alert> {
    let after = focus.alert_after?;
    let streak = store.streak()?;
    let failed = streak.failed.saturating_add(1);
    let (alert, level, title, message) = match exit {
        Exit::Success if streak.alerted => {
            (Alert::CalledOff, "info", "readings arrive again".to_owned(), "the last run went well")
        }
        Exit::NoSensor | Exit::NoReading | Exit::NotDelivered if !streak.alerted && failed >= after => (
            Alert::Raised,
            "warn",
            format!("{failed} {} in a row failed", plural(failed, "run", "runs")),
            why,
        ),
        _ => return None,
    };
    match focus.alert(level, &format!("iio-focus: {title}"), message, until, clock) {
        Ok(()) => Some(alert),
        Err(reason) => {
            log::warn!("the alert has to wait: {reason}");
            None
        }
    }
}

/// Takes one reading and prints it: nothing is kept or delivered.
fn dry_run(config: &Config, started: Duration, clock: &SystemClock) -> Result<(), Error> {
    let sensor = Sensor::find(&config.sysfs, config.device.as_deref())?;
    let (reading, failures) = take(config, &sensor, None, started, clock)?;
    commands::print(&(reading.json(&config.fields) + "\n"))?;
    let attempts = failures.total() + 1;
    log::info!("{} device={} attempts={attempts} dry-run=1", reading.fields(), sensor.title());
    Ok(())
}

/// Tries the sensor until a reading can be believed. Returns it, calibrated, and the tries before it.
fn take(
    config: &Config,
    sensor: &Sensor,
    last: Option<Reading>,
    started: Duration,
    clock: &SystemClock,
) -> Result<(Reading, Tally), Error> {
    let mut doubted: Option<Reading> = None;
    retry::run(&retry_policy(config, sensor, started)?, clock, || {
        let reading = sensor.read(clock)?;
        if let Some(what) = config.limits.exceeded_by(reading) {
            return Err(Failure::OutOfRange(what));
        }
        let reading = reading.calibrated(config.calibration);
        let jump = last.and_then(|last| config.jump.between(last, reading));
        let confirmed = doubted.replace(reading).is_some_and(|before| before.agrees_with(reading));
        jump.filter(|_| !confirmed).map_or(Ok(reading), |what| Err(Failure::Jump(what)))
    })
    .map_err(|stop| match stop {
        Stop::GaveUp(tries) => Error::NoReading(sensor.title().to_owned(), tries),
        Stop::Signal(signal) => Error::Signal(signal, "between two tries of the sensor".to_owned()),
    })
}

/// Delivers this reading, then the backlog, oldest first, until it is empty, one fails or the time left
/// would not fit another. `id` is where this reading is kept, if it could be.
fn deliver(
    focus: &Focus,
    kept: &Kept,
    id: Option<i64>,
    store: &mut Store,
    until: Duration,
    clock: &SystemClock,
) -> Outcome {
    let mut outcome = Outcome::default();
    let begun = clock.now();
    if let Err(reason) = focus.deliver(kept.reading, None, until, clock) {
        outcome.failed = Some((id, reason));
        return outcome;
    }
    outcome.delivered.push((id, kept.taken.wall_ms));
    let mut longest = clock.now() - begun;
    let mut batch = store.oldest_after(0).into_iter();
    while let Some((waiting, reading, taken)) = batch.next().filter(|(waiting, ..)| Some(*waiting) != id) {
        let begun = clock.now();
        if begun + longest + focus::GRACE > until || clock.ending().is_some() {
            break;
        }
        let taken_ms = clock.moment().wall_ms_of(&taken);
        if let Err(reason) = focus.deliver(reading, Some(taken_ms.div_euclid(1000)), until, clock) {
            outcome.failed = Some((Some(waiting), reason));
            break;
        }
        outcome.delivered.push((Some(waiting), taken_ms));
        longest = longest.max(clock.now() - begun);
        if batch.len() == 0 {
            batch = store.oldest_after(waiting).into_iter();
        }
    }
    outcome
}

/// One line for the run, and its result.
fn report(kept: &Kept, outcome: Outcome, exit: Exit, left: Option<u32>) -> Result<(), Error> {
    let line = format!(
        "{} device={} attempts={} delivered={} backlog={}",
        kept.reading.fields(),
        kept.sensor,
        kept.attempts(),
        outcome.delivered.len(),
        left.map_or("unknown".to_owned(), |left| left.to_string())
    );
    let failed = outcome.failed.map(|(_, reason)| reason);
    if outcome.delivered.is_empty() {
        let why = failed.unwrap_or_else(|| Problem::new("focus was not started"));
        return Err(match exit {
            Exit::Signal(signal) => Error::Signal(signal, format!("{line}: {why}")),
            _ => Error::NotDelivered(line, why),
        });
    }
    log::info!("{line}");
    if let Some(reason) = failed {
        log::warn!("the backlog has to wait: {reason}");
    }
    match exit {
        Exit::Signal(signal) => Err(Error::Signal(signal, "after the delivery".to_owned())),
        _ => Ok(()),
    }
}

/// The sensor has the time that focus can do without: at least half of the deadline.
pub(crate) fn retry_policy(config: &Config, sensor: &Sensor, started: Duration) -> Result<Policy, Error> {
    if let Some(cache) = sensor.cache().filter(|cache| config.retry_delay <= *cache) {
        return Err(Error::Config(Problem::new(format!(
            "{}: sensor.retry-delay (or --retry-delay): must be longer than {} for {}, whose driver answers from a \
             cache for that long",
            config.file.display(),
            humantime::format_duration(cache),
            sensor.title()
        ))));
    }
    let for_focus = config.focus.as_ref().map_or(Duration::ZERO, |focus| focus.timeout + focus::GRACE);
    Ok(Policy {
        attempts: config.attempts,
        delay: config.retry_delay,
        until: started + config.deadline - for_focus.min(config.deadline / 2),
        longest_try: sensor::LONGEST_TRY,
    })
}
