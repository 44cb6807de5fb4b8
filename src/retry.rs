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

/// Calls `attempt` until it succeeds, fails in a way that another try cannot change, or the policy allows no other try.
/// Returns the value and the failures before it. The first try is always made.
///
/// # Errors
/// [`Stop::GaveUp`] with the failures if there is no value; [`Stop::Signal`] if a signal came during a pause.
pub fn run<T>(
    policy: &Policy,
    clock: &impl Clock,
    mut attempt: impl FnMut() -> Result<T, Failure>,
) -> Result<(T, Tally), Stop> {
    let mut failures = Tally::default();
    loop {
        let last = match attempt() {
            Ok(value) => return Ok((value, failures)),
            Err(failure) => failure,
        };
        failures.add(last.name(), 1);
        let attempts = failures.total();
        log::debug!("try {attempts} of {}: {last}", policy.attempts);
        let out_of_time = !policy.until.fits(policy.delay + policy.longest_try, clock);
        let used_up = attempts >= policy.attempts || last.is_futile();
        if used_up || out_of_time {
            let out_of_time = out_of_time && !used_up;
            return Err(Stop::GaveUp(GaveUp { failures, out_of_time, last }));
        }
        clock.pause(policy.delay).map_err(Stop::Signal)?;
    }
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
            let (value, failures) = run(&policy(), &clock, || {
                tries += 1;
                if tries == good { Ok(tries) } else { Err(failure(Errno::EIO)) }
            })
            .unwrap();
            assert_eq!((value, failures.total() + 1), (good, good));
            assert_eq!(*clock.pauses.borrow(), vec![DELAY; good as usize - 1]);
        }
    }

    #[test]
    fn all_failures_are_counted_by_name() {
        let clock = Virtual::default();
        let mut tries = 0;
        let gave_up = gave_up(
            run(&policy(), &clock, || -> Result<(), Failure> {
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
        let gave_up = gave_up(run(&policy(), &clock, || Err::<(), _>(failure(Errno::ENODEV))).unwrap_err());
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
                Err::<(), _>(failure(Errno::ETIMEDOUT))
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
        let stop = run(&policy(), &clock, || Err::<(), _>(failure(Errno::EIO))).unwrap_err();
        assert!(matches!(stop, Stop::Signal(Signal::SIGTERM)));
    }
}
