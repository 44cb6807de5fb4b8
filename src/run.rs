//! One run: it finds the sensor, takes a reading, keeps it, delivers it and the backlog, and reports.

use std::time::Duration;

use crate::child::GRACE;
use crate::clock::{Clock, Deadline};
use crate::config::Config;
use crate::error::{Error, Exit, Problem, plural};
use crate::failure::Tally;
use crate::focus::{Focus, Notice};
use crate::output::print;
use crate::plausibility::Plausibility;
use crate::reading::Reading;
use crate::retry::{self, Policy, Stop};
use crate::sensor::{LONGEST_TRY, Sensor};
use crate::signals::SystemClock;
use crate::store::{Delivered, Kept, Lock, RunEnd, Store, Undelivered};

/// A reading older than this says nothing about the next one.
const JUMP_AGE: Duration = Duration::from_secs(600);

/// A run that delivers, while it is the only one on its store.
#[derive(Debug)]
pub struct Run<'a> {
    config: &'a Config,
    focus: &'a Focus,
    deadline: Deadline,
    clock: &'a SystemClock,
    store: Store,
    _lock: Lock,
}

/// How the deliveries of one run went.
#[derive(Debug, Default)]
pub struct Delivery {
    /// Those that focus delivered, this run's own first.
    delivered: Vec<Delivered>,
    /// The one that it did not.
    undelivered: Option<(Option<i64>, Problem)>,
}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    exit: Exit,
    /// How many readings are left to deliver, if that is known.
    backlog: Option<u32>,
}

impl<'a> Run<'a> {
    /// Takes the lock of the store.
    ///
    /// # Errors
    /// [`Error::Busy`] if another run has it.
    pub fn begin(
        config: &'a Config,
        focus: &'a Focus,
        deadline: Deadline,
        clock: &'a SystemClock,
    ) -> Result<Run<'a>, Error> {
        let lock = Lock::acquire(&config.store.path)?;
        Ok(Run { config, focus, deadline, clock, store: Store::new(&config.store), _lock: lock })
    }

    /// Finds the sensor.
    ///
    /// # Errors
    /// [`Error::NoSensor`], which is kept as a missed reading.
    pub fn find(&mut self) -> Result<Sensor, Error> {
        let found = Sensor::find(&self.config.sysfs, self.config.device.as_deref());
        found.map_err(|error| self.missed(error))
    }

    /// Takes a reading that can be believed after the last one.
    ///
    /// # Errors
    /// [`Error::NoReading`], which is kept as a missed reading; [`Error::Signal`].
    pub fn take(&mut self, sensor: &Sensor) -> Result<Kept, Error> {
        let last = self.store.newest(sensor.title(), &self.clock.moment(), JUMP_AGE);
        let taken = take(self.config, sensor, last, self.deadline, self.clock);
        let (reading, failures) = taken.map_err(|error| self.missed(error))?;
        Ok(Kept { reading, taken: self.clock.moment(), sensor: sensor.title().to_owned(), failures })
    }

    /// Commits the reading. Returns where it is kept, if it could be.
    pub fn keep(&mut self, reading: &Kept) -> Option<i64> {
        self.store.keep(reading)
    }

    /// Delivers this reading, which is kept there, and then the backlog.
    pub fn deliver(&mut self, reading: &Kept, id: Option<i64>) -> Delivery {
        let mut delivery = Delivery::default();
        let begun = self.clock.now();
        match self.focus.deliver(reading.reading, None, self.deadline, self.clock) {
            Err(reason) => delivery.undelivered = Some((id, reason)),
            Ok(()) => {
                delivery.delivered.push(Delivered { id, taken_ms: reading.taken.wall_ms });
                self.drain(&mut delivery, id, self.clock.now() - begun);
            }
        }
        delivery
    }

    /// Delivers what earlier runs left, oldest first, until it is empty, one fails, or the time left would not fit
    /// another. `own` is this run's own reading, and `longest` how long its delivery took.
    fn drain(&mut self, delivery: &mut Delivery, own: Option<i64>, mut longest: Duration) {
        let mut batch = self.store.oldest_after(0).into_iter();
        while let Some(waiting) = batch.next().filter(|waiting| Some(waiting.id) != own) {
            let begun = self.clock.now();
            if !self.deadline.fits(longest + GRACE, self.clock) || self.clock.ending().is_some() {
                return;
            }
            let (id, taken_ms) = (Some(waiting.id), self.clock.moment().wall_ms_of(&waiting.taken));
            let taken_s = taken_ms.div_euclid(1000);
            if let Err(reason) = self.focus.deliver(waiting.reading, Some(taken_s), self.deadline, self.clock)
            {
                delivery.undelivered = Some((id, reason));
                return;
            }
            delivery.delivered.push(Delivered { id, taken_ms });
            longest = longest.max(self.clock.now() - begun);
            if batch.len() == 0 {
                batch = self.store.oldest_after(waiting.id).into_iter();
            }
        }
    }

    /// Commits what was delivered and how the run ended, and sends an alert if one is due.
    pub fn settle(&mut self, id: Option<i64>, delivery: &Delivery) -> Outcome {
        let exit = match self.clock.ending() {
            Some(signal) => Exit::Signal(signal),
            None if delivery.delivered.is_empty() => Exit::NotDelivered,
            None => Exit::Success,
        };
        let undelivered = delivery
            .undelivered
            .as_ref()
            .map(|(id, reason)| Undelivered { id: *id, reason: reason.to_string() });
        let alert_raised = self.alert(exit, undelivered.as_ref().map_or("", |failed| &failed.reason));
        let end = RunEnd { at: self.clock.moment(), status: exit.status(), alert_raised };
        let backlog = self.store.settle(id, &delivery.delivered, undelivered.as_ref(), &end);
        Outcome { exit, backlog }
    }

    /// Keeps it in the store that the sensor gave nothing. What a signal ended is no failure of the sensor, and what
    /// never began is none.
    fn missed(&mut self, error: Error) -> Error {
        let none = Tally::default();
        let failures = match &error {
            Error::NoReading(_, gave_up) => &gave_up.failures,
            Error::NoSensor(_) => &none,
            _ => return error,
        };
        let (exit, text) = (error.exit(), error.to_string());
        let alert_raised = self.alert(exit, &text);
        let end = RunEnd { at: self.clock.moment(), status: exit.status(), alert_raised };
        self.store.miss(&end, failures, &text);
        error
    }

    /// Tells WhaTap once when too many runs in a row failed, and once when it works again. Returns whether an alert is
    /// raised now, if that changed.
    fn alert(&mut self, exit: Exit, why: &str) -> Option<bool> {
        let after = self.focus.alert_after?;
        let before = self.store.failed_runs(Exit::NotDelivered.status())?;
        let failed = before.in_a_row.saturating_add(1);
        let (raised, level, title, message) = match exit {
            Exit::Success if before.alert_raised => {
                (false, "info", "iio-focus: readings arrive again".to_owned(), "the last run went well")
            }
            Exit::NoSensor | Exit::NoReading | Exit::NotDelivered
                if !before.alert_raised && failed >= after =>
            {
                let runs = plural(failed, "run", "runs");
                (true, "warn", format!("iio-focus: {failed} {runs} in a row failed"), why)
            }
            _ => return None,
        };
        match self.focus.alert(&Notice { level, title: &title, message }, self.deadline, self.clock) {
            Ok(()) => Some(raised),
            Err(reason) => {
                log::warn!("the alert has to wait: {reason}");
                None
            }
        }
    }
}

/// One line for the run, and its result.
///
/// # Errors
/// [`Error::NotDelivered`], or [`Error::Signal`] if one ended the run.
pub fn report(reading: &Kept, delivery: Delivery, outcome: &Outcome) -> Result<(), Error> {
    let line = format!(
        "{} device={} attempts={} delivered={} backlog={}",
        reading.reading.fields(),
        reading.sensor,
        reading.attempts(),
        delivery.delivered.len(),
        outcome.backlog.map_or("unknown".to_owned(), |left| left.to_string())
    );
    let reason = delivery.undelivered.map(|(_, reason)| reason);
    if delivery.delivered.is_empty() {
        let reason = reason.unwrap_or_else(|| Problem::new("focus was not started"));
        return Err(match outcome.exit {
            Exit::Signal(signal) => Error::Signal(signal, format!("{line}: {reason}")),
            _ => Error::NotDelivered(line, reason),
        });
    }
    log::info!("{line}");
    if let Some(reason) = reason {
        log::warn!("the backlog has to wait: {reason}");
    }
    match outcome.exit {
        Exit::Signal(signal) => Err(Error::Signal(signal, "after the delivery".to_owned())),
        _ => Ok(()),
    }
}

/// Takes one reading and prints it: nothing is kept or delivered.
///
/// # Errors
/// Whatever kept the reading from being taken or printed.
pub fn dry_run(config: &Config, deadline: Deadline, clock: &SystemClock) -> Result<(), Error> {
    let sensor = Sensor::find(&config.sysfs, config.device.as_deref())?;
    let (reading, failures) = take(config, &sensor, None, deadline, clock)?;
    print(&(reading.json(&config.fields) + "\n"))?;
    let attempts = failures.total() + 1;
    log::info!("{} device={} attempts={attempts} dry-run=1", reading.fields(), sensor.title());
    Ok(())
}

/// Tries the sensor until a reading can be believed. Returns it, calibrated, and the tries before it.
fn take(
    config: &Config,
    sensor: &Sensor,
    last: Option<Reading>,
    deadline: Deadline,
    clock: &SystemClock,
) -> Result<(Reading, Tally), Error> {
    let mut plausibility = Plausibility {
        limits: &config.limits,
        calibration: &config.calibration,
        jump: &config.jump,
        last,
        previous: None,
    };
    let policy = retry_policy(config, sensor, deadline)?;
    retry::run(&policy, clock, || plausibility.judge(sensor.read(clock)?)).map_err(|stop| match stop {
        Stop::GaveUp(tries) => Error::NoReading(sensor.title().to_owned(), tries),
        Stop::Signal(signal) => Error::Signal(signal, "between two tries of the sensor".to_owned()),
    })
}

/// How to try this sensor. It has the time that focus can do without: at least half of the deadline.
///
/// # Errors
/// [`Error::Config`] if the pause after a failed try is too short for the driver.
pub fn retry_policy(config: &Config, sensor: &Sensor, deadline: Deadline) -> Result<Policy, Error> {
    if let Some(cache) = sensor.cache().filter(|cache| config.retry_delay <= *cache) {
        return Err(Error::Config(Problem::new(format!(
            "{}: sensor.retry-delay (or --retry-delay): must be longer than {} for {}, whose driver answers from a \
             cache for that long",
            config.file.display(),
            humantime::format_duration(cache),
            sensor.title()
        ))));
    }
    let for_focus = config.focus.as_ref().map_or(Duration::ZERO, |focus| focus.timeout + GRACE);
    Ok(Policy {
        attempts: config.attempts,
        delay: config.retry_delay,
        until: deadline.earlier_by(for_focus.min(config.deadline / 2)),
        longest_try: LONGEST_TRY,
    })
}
