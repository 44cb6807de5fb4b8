//! One reading: from the sensor through focus to syslog.

pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod error;
pub mod focus;
pub mod logger;
pub mod reading;
pub mod retry;
pub mod sensor;
pub mod store;

use std::env;
use std::time::Duration;

use clock::{Clock, SystemClock};
use config::Config;
use error::{Error, Failure};
use focus::Focus;
use reading::Reading;
use retry::{Policy, Stop};
use sensor::Sensor;
use store::{Kept, Lock, Outcome, Store};

/// A reading older than this says nothing about the next one.
const JUMP_AGE: Duration = Duration::from_secs(600);

/// Takes one reading, keeps it, and delivers it and what is left of earlier runs.
///
/// # Errors
/// Whatever kept the reading from being taken or delivered.
pub fn run(args: &cli::Args) -> Result<(), Error> {
    let clock = SystemClock::new().map_err(|errno| Error::Io("signalfd".into(), errno.into()))?;
    let started = clock.now();
    let config = Config::load(args, &|name| env::var_os(name))?;
    for warning in &config.warnings {
        log::warn!("{warning}");
    }
    let Some(focus) = &config.focus else { return dry_run(&config, started, &clock) };

    let _lock = Lock::acquire(&config.store.path)?;
    let sensor = Sensor::find(&config.sysfs, config.device.as_deref())?;
    let mut store = Store::new(&config.store);
    let last = store.newest(sensor.title(), &clock.moment(), JUMP_AGE);
    let (reading, attempts) = take(&config, &sensor, last, started, &clock)?;
    let kept = Kept { reading, taken: clock.moment(), sensor: sensor.title().to_owned(), attempts };
    let id = store.keep(&kept);
    let outcome = deliver(focus, &kept, id, &mut store, started + config.deadline, &clock);
    let left = store.settle(&outcome, &clock.moment());
    report(&kept, outcome, left, &clock)
}

/// Takes one reading and prints it: nothing is kept or delivered.
fn dry_run(config: &Config, started: Duration, clock: &SystemClock) -> Result<(), Error> {
    let sensor = Sensor::find(&config.sysfs, config.device.as_deref())?;
    let (reading, attempts) = take(config, &sensor, None, started, clock)?;
    commands::print(&(reading.json() + "\n"))?;
    log::info!("{} device={} attempts={attempts} dry-run=1", reading.fields(), sensor.title());
    Ok(())
}

/// Tries the sensor until a reading can be believed. Returns it, calibrated, and the number of tries.
fn take(
    config: &Config,
    sensor: &Sensor,
    last: Option<Reading>,
    started: Duration,
    clock: &SystemClock,
) -> Result<(Reading, u32), Error> {
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
    if let Err(reason) = focus.deliver(&kept.reading.json(), None, until, clock) {
        outcome.failed = Some((id, reason));
        return outcome;
    }
    outcome.delivered.push((id, kept.taken.wall_ms));
    let mut longest = clock.now() - begun;
    let mut after = 0;
    while let Some((waiting, old)) = store.oldest_after(after).filter(|(waiting, _)| Some(*waiting) != id) {
        let begun = clock.now();
        if begun + longest + focus::GRACE > until || clock.ending().is_some() {
            break;
        }
        let taken_ms = clock.moment().wall_ms_of(&old.taken);
        if let Err(reason) = focus.deliver(&old.reading.json(), Some(taken_ms.div_euclid(1000)), until, clock)
        {
            outcome.failed = Some((Some(waiting), reason));
            break;
        }
        outcome.delivered.push((Some(waiting), taken_ms));
        longest = longest.max(clock.now() - begun);
        after = waiting;
    }
    outcome
}

/// One line for the run, and its result.
fn report(kept: &Kept, outcome: Outcome, left: Option<u32>, clock: &SystemClock) -> Result<(), Error> {
    let line = format!(
        "{} device={} attempts={} delivered={} backlog={}",
        kept.reading.fields(),
        kept.sensor,
        kept.attempts,
        outcome.delivered.len(),
        left.map_or("unknown".to_owned(), |left| left.to_string())
    );
    let arrived = !outcome.delivered.is_empty();
    let failed = outcome.failed.map(|(_, reason)| reason);
    match (clock.ending(), failed) {
        (ending, failed) if arrived => {
            log::info!("{line}");
            if let Some(reason) = failed {
                log::warn!("the backlog has to wait: {reason}");
            }
            ending.map_or(Ok(()), |signal| Err(Error::Signal(signal, "after the delivery".to_owned())))
        }
        (ending, failed) => {
            let text = format!("{line}: {}", failed.unwrap_or_default());
            Err(ending.map_or(Error::NotDelivered(text.clone()), |signal| Error::Signal(signal, text)))
        }
    }
}

/// The sensor has the time that focus can do without: at least half of the deadline.
fn retry_policy(config: &Config, sensor: &Sensor, started: Duration) -> Result<Policy, Error> {
    if let Some(cache) = sensor.cache().filter(|cache| config.retry_delay <= *cache) {
        return Err(Error::Config(format!(
            "{}: sensor.retry-delay (or --retry-delay): must be longer than {} for {}, whose driver answers from a \
             cache for that long",
            config.file.display(),
            humantime::format_duration(cache),
            sensor.title()
        )));
    }
    let for_focus = config.focus.as_ref().map_or(Duration::ZERO, |focus| focus.timeout + focus::GRACE);
    Ok(Policy {
        attempts: config.attempts,
        delay: config.retry_delay,
        until: started + config.deadline - for_focus.min(config.deadline / 2),
        longest_try: sensor::LONGEST_TRY,
    })
}
