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

use std::env;
use std::time::Duration;

use clock::{Clock, SystemClock};
use config::Config;
use error::{Error, Failure};
use retry::{Policy, Stop};
use sensor::Sensor;

/// Takes one reading and delivers it.
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

    let sensor = Sensor::find(&config.sysfs, config.device.as_deref())?;
    let policy = retry_policy(&config, &sensor, started)?;
    let (taken, attempts) = retry::run(&policy, &clock, || {
        let reading = sensor.read(&clock)?;
        match config.limits.exceeded_by(reading) {
            None => Ok(reading),
            Some(what) => Err(Failure::OutOfRange(what)),
        }
    })
    .map_err(|stop| match stop {
        Stop::GaveUp(tries) => Error::NoReading(sensor.title().to_owned(), tries),
        Stop::Signal(signal) => Error::Signal(signal, "between two tries of the sensor".to_owned()),
    })?;
    let reading = taken.calibrated(config.calibration);

    let line = format!("{} device={} attempts={attempts}", reading.fields(), sensor.title());
    let Some(focus) = &config.focus else {
        commands::print(&(reading.json() + "\n"))?;
        log::info!("{line} dry-run=1");
        return Ok(());
    };
    let delivered = focus.deliver(&reading.json(), None, started + config.deadline, &clock);
    if delivered.is_ok() {
        log::info!("{line} delivered=1 backlog=0");
    }
    match (clock.ending(), delivered) {
        (None, Ok(())) => Ok(()),
        (None, Err(reason)) => Err(Error::NotDelivered(format!("{line} delivered=0: {reason}"))),
        (Some(signal), Ok(())) => Err(Error::Signal(signal, "after the delivery".to_owned())),
        (Some(signal), Err(reason)) => Err(Error::Signal(signal, format!("{line} delivered=0: {reason}"))),
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
