//! One reading: from the sensor through focus to syslog.

pub mod arrival;
pub mod child;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod error;
pub mod failure;
pub mod focus;
pub mod logger;
pub mod open;
pub mod open_api;
pub mod output;
pub mod plausibility;
pub mod psychrometrics;
pub mod reading;
pub mod replace;
pub mod retry;
pub mod run;
pub mod secret;
pub mod sensor;
pub mod signals;
pub mod store;

use std::env;

use clock::{Clock, Deadline};
use config::Config;
use error::Error;
use run::Run;
use signals::SystemClock;

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
    let deadline = Deadline(started + config.deadline);
    let Some(focus) = &config.focus else { return run::dry_run(&config, deadline, &clock) };

    let mut run = Run::begin(&config, focus, deadline, &clock)?;
    let sensor = run.find()?;
    let reading = run.take(&sensor)?;
    let id = run.keep(&reading);
    let delivery = run.deliver(&reading, id);
    let end = run.settle(id, &delivery);
    run::report(&reading, delivery, &end)
}
