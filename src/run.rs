//! One run: it finds the sensor, takes a reading, keeps it, delivers it and the backlog, and reports.

use std::time::Duration;

use crate::child::GRACE;
use crate::clock::{Clock, Deadline, millis};
use crate::config::Config;
use crate::error::{Error, Exit, Problem, plural};
use crate::failure::Tally;
use crate::focus::{Focus, Notice};
use crate::output::print;
use crate::plausibility::Plausibility;
use crate::reading::Reading;
use crate::retry::{self, Policy, Stop, Taken};
use crate::sensor::Sensor;
use crate::signals::SystemClock;
use crate::store::{AT_ONCE, Delivered, Kept, Lock, RunEnd, Store, Undelivered, Waiting};

/// A reading older than this says nothing about the next one.
const JUMP_AGE: Duration = Duration::from_secs(600);

/// In one of so many runs the oldest of the backlog goes first.
const OLDEST_FIRST: i64 = 8;

/// So many readings of the backlog may be refused in one run before the rest of it has to wait.
const REFUSED_AT_ONCE: usize = 3;

/// So many of a long backlog are delivered at the same time. Focus takes 30 MB and mostly waits for the network: four fit
/// into what a Pi with 512 MB has left, and a backlog of days is gone in a quarter of the time. A backlog that is shorter
/// than what is read of it at once is delivered one by one.
const FOCUS_AT_ONCE: usize = 4;

/// A run that delivers, while it is the only one on its store.
#[derive(Debug)]
pub struct Run<'a> {
    config: &'a Config,
    focus: &'a Focus,
    deadline: Deadline,
    clock: &'a SystemClock,
    store: Store,
    lock: Lock,
}

/// How the deliveries of one run went.
#[derive(Debug, Default)]
pub struct Delivery {
    /// How many readings focus delivered.
    number: usize,
    /// Those of them that are not marked in the store yet.
    unmarked: Vec<Delivered>,
    /// Those of the backlog that it did not deliver.
    undelivered: Vec<Undelivered>,
    /// Why this run's own reading was not delivered, if it was tried.
    own_failure: Option<Problem>,
    /// The longest time that one delivery took.
    longest: Duration,
    /// Why the backlog was left before its end, if it was.
    backlog_waits: Option<Problem>,
    /// Nothing is sent yet: the clock is not synchronised.
    waits_for_clock: bool,
    /// It should have waited for the clock, but could not be kept, and was sent with a time that may be wrong.
    could_not_wait: bool,
}

impl Delivery {
    fn refused(&self) -> usize {
        self.undelivered.iter().filter(|undelivered| undelivered.refused).count()
    }

    fn add(&mut self, delivered: Delivered, took: Duration) {
        self.number += 1;
        self.unmarked.push(delivered);
        self.longest = self.longest.max(took);
    }
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
        Ok(Run { config, focus, deadline, clock, store: Store::new(&config.store), lock })
    }

    /// Finds the sensor.
    ///
    /// # Errors
    /// [`Error::NoSensor`], which is kept as a missed reading.
    pub fn find(&mut self) -> Result<Sensor, Error> {
        find(self.config).map_err(|error| self.missed(error.into()))
    }

    /// Takes a reading that can be believed after the last one.
    ///
    /// # Errors
    /// [`Error::NoReading`], which is kept as a missed reading; [`Error::Signal`].
    pub fn take(&mut self, sensor: &Sensor) -> Result<Kept, Error> {
        let (title, place) = (sensor.title(), sensor.place_beside_title());
        let last = self.store.newest((title, place.as_deref()), &self.clock.moment(), JUMP_AGE);
        let taken = take(self.config, sensor, last, self.deadline, self.clock);
        let Taken { value: reading, failures, attempts } = taken.map_err(|untaken| self.missed(untaken))?;
        let (taken, sensor) = (self.clock.moment(), title.to_owned());
        Ok(Kept { reading, taken, sensor, place, failures, attempts })
    }

    /// Commits the reading. Returns where it is kept, if it could be.
    pub fn keep(&mut self, reading: &Kept) -> Option<i64> {
        self.store.keep(reading)
    }

    /// Delivers this reading, which is kept there, and then the backlog, oldest first. In every eighth run the oldest of
    /// the backlog goes before it, so that the backlog gets shorter even if the deadline leaves time for one alone.
    pub fn deliver(&mut self, reading: &Kept, id: Option<i64>) -> Delivery {
        let mut delivery = Delivery::default();
        let waits = !self.clock.moment().synchronised && self.clock.now() < self.config.store.wait_for_clock;
        let Some(own) = id else {
            delivery.could_not_wait = waits;
            self.deliver_own(reading, None, &mut delivery);
            return delivery;
        };
        if waits {
            delivery.waits_for_clock = true;
            return delivery;
        }
        if !self.lock.is_held() {
            self.deliver_own(reading, id, &mut delivery);
            // Another run may be delivering it now.
            delivery.backlog_waits = Some(Problem::new("the store cannot be locked"));
            return delivery;
        }
        let first = if own % OLDEST_FIRST == 0 { self.store.oldest_after(0, own) } else { Vec::new() };
        let first = first.first().filter(|waiting| waiting.id != own);
        if let Some(oldest) = first {
            self.deliver_waiting(std::slice::from_ref(oldest), &mut delivery);
        }
        self.deliver_own(reading, id, &mut delivery);
        if delivery.own_failure.is_none() {
            self.drain(&mut delivery, first.map_or(0, |oldest| oldest.id), own);
        }
        delivery
    }

    fn deliver_own(&self, reading: &Kept, id: Option<i64>, delivery: &mut Delivery) {
        let begun = self.clock.now();
        for result in self.focus.deliver(&[(reading.reading, None)], self.deadline, self.clock) {
            match result {
                Err(failure) => delivery.own_failure = Some(failure.problem),
                Ok(()) => {
                    let delivered = Delivered { id, taken_ms: reading.taken.wall_ms };
                    delivery.add(delivered, self.clock.now() - begun);
                }
            }
        }
    }

    /// Delivers these at the same time. Returns whether focus delivered all.
    fn deliver_waiting(&self, group: &[Waiting], delivery: &mut Delivery) -> bool {
        let (begun, now) = (self.clock.now(), self.clock.moment());
        let taken_s = |waiting: &Waiting| waiting.taken_ms(&now).div_euclid(1000);
        let readings: Vec<_> =
            group.iter().map(|waiting| (waiting.reading, Some(taken_s(waiting)))).collect();
        let results = self.focus.deliver(&readings, self.deadline, self.clock);
        let took = self.clock.now() - begun;
        let undelivered = delivery.undelivered.len();
        for (waiting, result) in group.iter().zip(results) {
            let id = Some(waiting.id);
            match result {
                Ok(()) => delivery.add(Delivered { id, taken_ms: waiting.taken_ms(&now) }, took),
                Err(failure) => {
                    let reason = failure.problem.to_string();
                    let refused = failure.refused && delivery.refused() < REFUSED_AT_ONCE;
                    delivery.undelivered.push(Undelivered { id, reason, refused });
                    delivery.backlog_waits.get_or_insert(failure.problem);
                }
            }
        }
        delivery.undelivered.len() == undelivered
    }

    /// Delivers what earlier runs left, oldest first, until it is empty or the time left would not fit another. It ends
    /// when one is not delivered; but some that focus refuses are passed over. `own` is this run's own reading.
    fn drain(&mut self, delivery: &mut Delivery, mut after: i64, own: i64) {
        loop {
            let mut batch = self.store.oldest_after(after, own);
            let at_once = if batch.len() < AT_ONCE { 1 } else { FOCUS_AT_ONCE };
            batch.retain(|waiting| waiting.id != own);
            let Some(last) = batch.last() else { return };
            after = last.id;
            for group in batch.chunks(at_once) {
                if self.clock.ending().is_some() || !self.has_time_for_another(delivery) {
                    return;
                }
                if delivery.unmarked.len() + group.len() > AT_ONCE {
                    let delivered = std::mem::take(&mut delivery.unmarked);
                    // Else these and all that follow would be sent again.
                    if !self.store.mark(&delivered, &self.clock.moment()) {
                        return;
                    }
                }
                let delivered = self.deliver_waiting(group, delivery);
                let refused = delivery.refused();
                if !delivered && (refused != delivery.undelivered.len() || refused >= REFUSED_AT_ONCE) {
                    return;
                }
            }
        }
    }

    fn has_time_for_another(&self, delivery: &mut Delivery) -> bool {
        let fits = self.deadline.fits(delivery.longest + GRACE, self.clock);
        if !fits && delivery.number <= 1 {
            delivery.backlog_waits.get_or_insert_with(|| no_time_for_backlog(delivery.longest));
        }
        fits
    }

    /// Commits what was delivered and how the run ended, and sends an alert if one is due.
    pub fn settle(&mut self, id: Option<i64>, delivery: &Delivery) -> Outcome {
        let exit = match self.clock.ending() {
            Some(signal) => Exit::Signal(signal),
            None if delivery.own_failure.is_some() => Exit::NotDelivered,
            None => Exit::Success,
        };
        let reason = delivery.own_failure.as_ref().map(Problem::to_string);
        let alert_raised = match delivery.waits_for_clock {
            true => None,
            false => self.alert(exit, reason.as_deref().unwrap_or_default()),
        };
        let end = RunEnd { at: self.clock.moment(), status: exit.status(), alert_raised };
        let own = reason.map(|reason| Undelivered { id, reason, refused: false });
        // Only a focus that delivered another one refused this one.
        let judged =
            |one: &Undelivered| Undelivered { refused: one.refused && delivery.number > 0, ..one.clone() };
        let undelivered: Vec<_> = delivery.undelivered.iter().map(judged).chain(own).collect();
        let backlog = self.store.settle(id, &delivery.unmarked, &undelivered, &end);
        Outcome { exit, backlog }
    }

    /// Keeps it in the store that the sensor gave nothing. What a signal ended is no failure of the sensor, and what
    /// never began is none.
    fn missed(&mut self, Untaken { error, failures }: Untaken) -> Error {
        if !matches!(error, Error::NoReading(_) | Error::NoSensor(_)) {
            return error;
        }
        let (exit, text) = (error.exit(), error.to_string());
        let alert_raised = self.alert(exit, &text);
        let end = RunEnd { at: self.clock.moment(), status: exit.status(), alert_raised };
        self.store.miss(&end, &failures, &text);
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

/// What is said when the deadline leaves no time for the backlog.
fn no_time_for_backlog(longest: Duration) -> Problem {
    let longest = humantime::format_duration(Duration::from_millis(millis(longest).unsigned_abs()));
    Problem::new(format!("a delivery takes focus {longest}, and the deadline leaves no time for another"))
        .advise("raise --deadline, and start runs less often if they would meet")
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
        reading.attempts,
        delivery.number,
        outcome.backlog.map_or("unknown".to_owned(), |left| left.to_string())
    );
    if let Some(reason) = delivery.own_failure {
        return Err(match outcome.exit {
            Exit::Signal(signal) => Error::Signal(signal, format!("{line}: {reason}")),
            _ => Error::NotDelivered(line, reason),
        });
    }
    let clock =
        if delivery.waits_for_clock || delivery.could_not_wait { " clock=unsynchronised" } else { "" };
    log::info!("{line}{clock}");
    if let Some(reason) = delivery.backlog_waits.filter(|_| outcome.backlog != Some(0)) {
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
    let sensor = find(config)?;
    let taken = take(config, &sensor, None, deadline, clock);
    let Taken { value: reading, attempts, .. } = taken.map_err(|untaken| untaken.error)?;
    print(&(reading.json(&config.fields) + "\n"))?;
    log::info!("{} device={} attempts={attempts} dry-run=1", reading.fields(), sensor.title());
    Ok(())
}

/// Finds the sensor, and warns if it was named by an id that does not stay the same.
fn find(config: &Config) -> Result<Sensor, Error> {
    let sensor = Sensor::find(&config.sysfs, config.device.as_deref())?;
    if let Some(name) = sensor.name_that_stays() {
        log::warn!(
            "sensor.device (or --device) is {}, which can be another sensor after a restart: use {name:?}",
            sensor.id()
        );
    }
    Ok(sensor)
}

/// Why no reading was taken, and the tries that failed.
struct Untaken {
    error: Error,
    failures: Tally,
}

impl From<Error> for Untaken {
    fn from(error: Error) -> Untaken {
        Untaken { error, failures: Tally::default() }
    }
}

/// Tries the sensor until a reading can be believed. Returns it, calibrated, and the tries before it.
fn take(
    config: &Config,
    sensor: &Sensor,
    last: Option<Reading>,
    deadline: Deadline,
    clock: &SystemClock,
) -> Result<Taken<Reading>, Untaken> {
    let mut plausibility = Plausibility {
        limits: &config.limits,
        calibration: &config.calibration,
        jump: &config.jump,
        last,
        confirms_first: sensor.answers_with_last().is_some(),
        earlier: [None; 2],
    };
    let policy = retry_policy(config, sensor, deadline)?;
    let attempt = || plausibility.judge(sensor.measure(clock, policy.until)?);
    retry::run(&policy, clock, attempt).map_err(|stop| match stop {
        Stop::GaveUp(tries) => {
            let error = Error::NoReading(tries.problem(sensor.title(), sensor.bus()));
            Untaken { error, failures: tries.failures }
        }
        Stop::Signal(signal) => Error::Signal(signal, "between two tries of the sensor".to_owned()).into(),
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
        confirm_delay: sensor
            .answers_with_last()
            .map_or(config.retry_delay, |time| time.max(config.retry_delay)),
        until: deadline.earlier_by(for_focus.min(config.deadline / 2)),
        longest_try: sensor.longest_try(),
    })
}
