//! Wall clock and boot clock: a moment on both, a deadline, and a clock that tests can replace.

use std::fs;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::signal::Signal;
use nix::time::{ClockId, clock_gettime};

/// One hour in ms.
pub const HOUR_MS: i64 = 3_600_000;
/// One day in ms.
pub const DAY_MS: i64 = 24 * HOUR_MS;
/// One week in ms.
pub const WEEK_MS: i64 = 7 * DAY_MS;

/// A difference of the two clocks from here on means that the wall clock was set. A smaller one comes from reading them
/// one after the other, and from slewing.
pub const CLOCK_SET_MS: u64 = 1000;

/// A length of time in ms.
#[must_use]
pub fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Time, as far as a run needs it. Tests bring their own.
pub trait Clock {
    /// Time since boot, suspend included.
    fn now(&self) -> Duration;

    /// Waits.
    ///
    /// # Errors
    /// The signal that asked the run to end; at once if it came before.
    fn pause(&self, time: Duration) -> Result<(), Signal>;
}

/// When all must be over, as time since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(pub Duration);

impl Deadline {
    /// How much time is left.
    #[must_use]
    pub fn left(self, clock: &impl Clock) -> Duration {
        self.0.saturating_sub(clock.now())
    }

    /// Whether something that takes so long would be over by then.
    #[must_use]
    pub fn fits(self, time: Duration, clock: &impl Clock) -> bool {
        time <= self.left(clock)
    }

    /// An earlier one, which leaves so much time after it.
    #[must_use]
    pub fn earlier_by(self, time: Duration) -> Deadline {
        Deadline(self.0.saturating_sub(time))
    }
}

/// A point in time on both clocks. A Pi has no battery clock: its wall clock may be set, by much, while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Wall clock, in ms since the epoch.
    pub wall_ms: i64,
    /// Boot clock, in ms since boot.
    pub boot_ms: i64,
    /// Which boot (`/proc/sys/kernel/random/boot_id`); empty if not known.
    pub boot_id: String,
}

impl Moment {
    /// This moment.
    #[must_use]
    pub fn now() -> Moment {
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Moment::in_boot(boot_id.trim().to_owned())
    }

    pub(crate) fn in_boot(boot_id: String) -> Moment {
        Moment {
            wall_ms: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis),
            boot_ms: millis(since_boot()),
            boot_id,
        }
    }

    /// How many ms this moment is after an earlier one: by the boot clock within one boot.
    #[must_use]
    pub fn since(&self, earlier: &Moment) -> i64 {
        if self.same_boot(earlier) {
            self.boot_ms.saturating_sub(earlier.boot_ms)
        } else {
            self.wall_ms.saturating_sub(earlier.wall_ms)
        }
    }

    /// When an earlier moment was, in ms since the epoch, by what the wall clock says now: it may have been set since.
    #[must_use]
    pub fn wall_ms_of(&self, earlier: &Moment) -> i64 {
        let mended = self.wall_ms.saturating_sub(self.since(earlier));
        if mended.abs_diff(earlier.wall_ms) < CLOCK_SET_MS { earlier.wall_ms } else { mended }
    }

    fn same_boot(&self, other: &Moment) -> bool {
        !self.boot_id.is_empty() && self.boot_id == other.boot_id
    }
}

/// The boot clock alone. A signal ends the process, as it does by itself: for commands, which leave nothing to tidy up.
#[derive(Clone, Copy, Debug)]
pub struct PlainClock;

impl Clock for PlainClock {
    fn now(&self) -> Duration {
        since_boot()
    }

    fn pause(&self, time: Duration) -> Result<(), Signal> {
        thread::sleep(time);
        Ok(())
    }
}

pub(crate) fn since_boot() -> Duration {
    // CLOCK_BOOTTIME is in every kernel since 2.6.39: the call has no way to fail.
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}
