//! The retry policy and its loop. It works for any operation, and the caller passes the clock.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::clock::{Clock, Deadline};
use crate::failure::{Failure, GaveUp, Tally};

/// How often to try, and when to stop.
#[derive(Clone, Debug)]
pub struct Policy {
    /// How many tries at most, at least 1.
    pub attempts: u32,
    /// The pause after a failed try.
    pub delay: Duration,
    /// The pause after the first of two tries that have to agree.
    pub confirm_delay: Duration,
    /// No try may end after this.
    pub until: Deadline,
    /// How long one try may take.
    pub longest_try: Duration,
}

/// Why no try gave a value.
#[derive(Debug)]
pub enum Stop {
    /// All tries failed, or no other try could help, or no time was left for another try.
    GaveUp(GaveUp),
    /// A signal asked the run to end.
    Signal(Signal),
}

/// A value, and what it took.
#[derive(Debug)]
pub struct Taken<T> {
    /// The value.
    pub value: T,
    /// The tries that failed before it.
    pub failures: Tally,
    /// All tries: those that failed, the first of two that agreed, if there had to be two, and the one that gave it.
    pub attempts: u32,
}

/// Calls `attempt` until it gives a value, fails in a way that another try cannot change, or the policy allows no other
/// try. Returns the value and the failures before it. The first try is always made. An attempt that gives `None` was
/// good, but another has to agree with it: it is no failed try unless none does.
///
/// # Errors
/// [`Stop::GaveUp`] with the failures if there is no value; [`Stop::Signal`] if a signal came during a pause.
pub fn run<T>(
    policy: &Policy,
    clock: &impl Clock,
    mut attempt: impl FnMut() -> Result<Option<T>, Failure>,
) -> Result<Taken<T>, Stop> {
    let mut failures = Tally::default();
    let mut attempts = 0;
    loop {
        attempts += 1;
        let failure = match attempt() {
            Ok(Some(value)) => return Ok(Taken { value, failures, attempts }),
            Ok(None) => None,
            Err(Failure::Ended(signal)) => return Err(Stop::Signal(signal)),
            Err(failure) => Some(failure),
        };
        let (pause, used_up) = match &failure {
            None => {
                log::debug!("a good try, and another has to agree");
                (policy.confirm_delay, false)
            }
            Some(last) => {
                failures.add(last.name(), 1);
                let failed = failures.total();
                log::debug!("try {failed} of {}: {last}", policy.attempts);
                (policy.delay, failed >= policy.attempts || last.is_futile())
            }
        };
        let out_of_time = !used_up && !policy.until.fits(pause + policy.longest_try, clock);
        if used_up || out_of_time {
            return Err(Stop::GaveUp(gave_up(failures, attempts, out_of_time, failure)));
        }
        clock.pause(pause).map_err(Stop::Signal)?;
    }
}

/// The failures of a run without a value. A good try that no other agreed with is one of them now.
fn gave_up(mut failures: Tally, attempts: u32, out_of_time: bool, last: Option<Failure>) -> GaveUp {
    let unconfirmed = Failure::Unconfirmed("a good try, but no time for another that agrees".to_owned());
    let alone = attempts.saturating_sub(failures.total());
    if alone > 0 {
        failures.add(unconfirmed.name(), alone);
    }
    GaveUp { failures, out_of_time, last: last.unwrap_or(unconfirmed) }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::io;

    use nix::errno::Errno;

    use super::*;

    /// Virtual time: a pause moves the clock forward and returns at once.
    #[derive(Default)]
    struct Virtual {
        now: Cell<Duration>,
        pauses: RefCell<Vec<Duration>>,
        signal_in_pause: Option<usize>,
    }

    impl Clock for Virtual {
        fn now(&self) -> Duration {
            self.now.get()
        }

        fn pause(&self, time: Duration) -> Result<(), Signal> {
            self.pauses.borrow_mut().push(time);
            if self.signal_in_pause == Some(self.pauses.borrow().len()) {
                return Err(Signal::SIGTERM);
            }
            self.now.set(self.now.get() + time);
            Ok(())
        }
    }

    const DELAY: Duration = Duration::from_millis(2100);

    fn policy() -> Policy {
        Policy {
            attempts: 10,
            delay: DELAY,
            confirm_delay: Duration::from_millis(2500),
            until: Deadline(Duration::from_secs(50)),
            longest_try: Duration::from_millis(1200),
        }
    }

    fn failure(errno: Errno) -> Failure {
        Failure::Io("/sys/x".into(), io::Error::from(errno))
    }

    fn gave_up(stop: Stop) -> GaveUp {
        match stop {
            Stop::GaveUp(gave_up) => gave_up,
            Stop::Signal(signal) => panic!("{signal}"),
        }
    }

    #[test]
    fn the_first_good_try_counts_and_nobody_waits_after_it() {
        for good in 1..=10 {
            let clock = Virtual::default();
            let mut tries = 0;
            let taken = run(&policy(), &clock, || {
                tries += 1;
                if tries == good { Ok(Some(tries)) } else { Err(failure(Errno::EIO)) }
            })
            .unwrap();
            assert_eq!((taken.value, taken.failures.total() + 1, taken.attempts), (good, good, good));
            assert_eq!(*clock.pauses.borrow(), vec![DELAY; good as usize - 1]);
        }
    }

    #[test]
    fn all_failures_are_counted_by_name() {
        let clock = Virtual::default();
        let mut tries = 0;
        let gave_up = gave_up(
            run(&policy(), &clock, || -> Result<Option<()>, Failure> {
                tries += 1;
                Err(failure(if tries % 3 == 0 { Errno::ETIMEDOUT } else { Errno::EIO }))
            })
            .unwrap_err(),
        );
        assert_eq!(gave_up.failures.total(), 10);
        assert_eq!(gave_up.failures.iter().collect::<Vec<_>>(), [("EIO", 7), ("ETIMEDOUT", 3)]);
        assert!(!gave_up.out_of_time);
        assert_eq!(clock.pauses.borrow().len(), 9);
    }

    #[test]
    fn a_futile_failure_ends_it_at_once() {
        let clock = Virtual::default();
        let gave_up =
            gave_up(run(&policy(), &clock, || Err::<Option<()>, _>(failure(Errno::ENODEV))).unwrap_err());
        assert_eq!((gave_up.failures.total(), gave_up.out_of_time), (1, false));
        assert!(clock.pauses.borrow().is_empty());
    }

    #[test]
    fn no_try_starts_that_could_end_after_the_deadline() {
        let clock = Virtual::default();
        let policy = Policy { until: Deadline(Duration::from_secs(10)), ..policy() };
        let gave_up = gave_up(
            run(&policy, &clock, || {
                clock.now.set(clock.now() + Duration::from_millis(1100));
                Err::<Option<()>, _>(failure(Errno::ETIMEDOUT))
            })
            .unwrap_err(),
        );
        // 1.1 s + 2 × (2.1 + 1.1) s = 7.5 s; one more would end at 10.7 s.
        assert_eq!((gave_up.failures.total(), gave_up.out_of_time), (3, true));
        assert!(clock.now() <= policy.until.0);
    }

    #[test]
    fn a_signal_ends_the_pause_and_the_run() {
        let clock = Virtual { signal_in_pause: Some(2), ..Virtual::default() };
        let stop = run(&policy(), &clock, || Err::<Option<()>, _>(failure(Errno::EIO))).unwrap_err();
        assert!(matches!(stop, Stop::Signal(Signal::SIGTERM)));
    }

    /// The tries of a script: `g` is good and believed, `f` good but another has to agree, `e` EIO, `u` unconfirmed.
    fn tries(policy: &Policy, clock: &Virtual, script: &str) -> Result<Taken<()>, Stop> {
        let mut script = script.chars();
        run(policy, clock, || match script.next() {
            Some('g') => Ok(Some(())),
            Some('f') => Ok(None),
            Some('u') => Err(Failure::Unconfirmed(String::new())),
            _ => Err(failure(Errno::EIO)),
        })
    }

    #[test]
    fn the_first_of_two_that_agree_is_no_failed_try() {
        for (attempts, script, wanted, failed) in
            [(1, "fg", 2, 0), (2, "efg", 3, 1), (2, "feg", 3, 1), (2, "fug", 3, 1), (10, "eefeug", 6, 4)]
        {
            let clock = Virtual::default();
            let taken = tries(&Policy { attempts, ..policy() }, &clock, script).unwrap();
            assert_eq!((taken.attempts, taken.failures.total()), (wanted, failed), "{script}");
            let long = clock.pauses.borrow().iter().filter(|pause| **pause > DELAY).count();
            assert_eq!(long, 1, "{script}: the pause after the first of the two");
        }
    }

    #[test]
    fn a_good_try_that_no_other_agrees_with_fails_in_the_end() {
        for (attempts, script, wanted) in [
            (1, "fe", vec![("EIO", 1), ("unconfirmed", 1)]),
            (3, "fuuu", vec![("unconfirmed", 4)]),
            (2, "fee", vec![("EIO", 2), ("unconfirmed", 1)]),
        ] {
            let policy = Policy { attempts, ..policy() };
            let gave_up = gave_up(tries(&policy, &Virtual::default(), script).unwrap_err());
            assert_eq!(gave_up.failures.iter().collect::<Vec<_>>(), wanted, "{script}");
        }
        let policy = Policy { until: Deadline(Duration::from_secs(3)), ..policy() };
        let gave_up = gave_up(tries(&policy, &Virtual::default(), "fg").unwrap_err());
        assert_eq!((gave_up.last.name().as_str(), gave_up.out_of_time), ("unconfirmed", true));
    }

    #[test]
    fn a_signal_during_a_try_ends_the_run() {
        let stop =
            run(&policy(), &Virtual::default(), || Err::<Option<()>, _>(Failure::Ended(Signal::SIGTERM)))
                .unwrap_err();
        assert!(matches!(stop, Stop::Signal(Signal::SIGTERM)));
    }
}
