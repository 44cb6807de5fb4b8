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

/// If one clock went forward by this many ms more than the other, the wall clock was set. A smaller difference comes
/// from reading the clocks one after the other, and from slewing.
pub const CLOCK_SET_MS: u64 = 1000;

/// A duration in whole ms, at most `i64::MAX`.
#[must_use]
pub fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// The clock of a run. Tests use a virtual one.
pub trait Clock {
    /// Time since boot, including the time in which the machine was suspended.
    fn now(&self) -> Duration;

    /// Waits for this time.
    ///
    /// # Errors
    /// The signal that asked the run to end. If it came before the pause, this returns at once.
    fn pause(&self, time: Duration) -> Result<(), Signal>;
}

/// The time by which everything must have ended, as time since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(pub Duration);

impl Deadline {
    /// How much time is left, zero if the deadline has passed.
    #[must_use]
    pub fn left(self, clock: &impl Clock) -> Duration {
        self.0.saturating_sub(clock.now())
    }

    /// Whether something that takes this time would end before the deadline.
    #[must_use]
    pub fn fits(self, time: Duration, clock: &impl Clock) -> bool {
        time <= self.left(clock)
    }

    /// The deadline that is earlier by this time.
    #[must_use]
    pub fn earlier_by(self, time: Duration) -> Deadline {
        Deadline(self.0.saturating_sub(time))
    }
}

/// A point in time on both clocks. A Raspberry Pi has no clock with a battery: its wall clock may be wrong by days
/// after boot and be set while a run is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Wall clock, in ms since the epoch.
    pub wall_ms: i64,
    /// Boot clock, in ms since boot.
    pub boot_ms: i64,
    /// Which boot (`/proc/sys/kernel/random/boot_id`); empty if not known.
    pub boot_id: String,
    /// Whether the wall clock is synchronised with others, as far as the kernel or systemd-timesyncd says so.
    pub synchronised: bool,
}

impl Moment {
    /// The current time.
    #[must_use]
    pub fn now() -> Moment {
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Moment::in_boot(boot_id.trim().to_owned(), is_synchronised())
    }

    pub(crate) fn in_boot(boot_id: String, synchronised: bool) -> Moment {
        Moment {
            wall_ms: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis),
            boot_ms: millis(since_boot()),
            boot_id,
            synchronised,
        }
    }

    /// How many ms this moment is after an earlier one. Within one boot, this is measured with the boot clock; else
    /// only the wall clock can be compared.
    #[must_use]
    pub fn since(&self, earlier: &Moment) -> i64 {
        if self.is_of_the_boot_of(earlier) {
            self.boot_ms.saturating_sub(earlier.boot_ms)
        } else {
            self.wall_ms.saturating_sub(earlier.wall_ms)
        }
    }

    /// The wall clock time of an earlier moment, in ms since the epoch. If the wall clock was set after that moment,
    /// the time is corrected to what the wall clock shows now.
    #[must_use]
    pub fn wall_ms_of(&self, earlier: &Moment) -> i64 {
        let corrected = self.wall_ms.saturating_sub(self.since(earlier));
        if corrected.abs_diff(earlier.wall_ms) < CLOCK_SET_MS { earlier.wall_ms } else { corrected }
    }

    /// Whether both are of the same boot.
    #[must_use]
    pub fn is_of_the_boot_of(&self, other: &Moment) -> bool {
        !self.boot_id.is_empty() && self.boot_id == other.boot_id
    }
}

/// The boot clock, without handling of signals: a signal ends the process at once. This is for the commands, which have
/// nothing to clean up.
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

/// Whether the wall clock is synchronised: `adjtimex(2)` knows it of chrony, ntpd and systemd-timesyncd. In a sandbox that
/// forbids this call, systemd-timesyncd's file says it (`systemd-timesyncd.service(8)`).
#[allow(unsafe_code, reason = "nix has no adjtimex")]
fn is_synchronised() -> bool {
    // SAFETY: all bytes zero is a valid timex, and with no modes set the call only fills it.
    let state = unsafe { nix::libc::adjtimex(&mut std::mem::zeroed()) };
    let by_kernel = state >= 0 && state != nix::libc::TIME_ERROR;
    by_kernel || std::path::Path::new("/run/systemd/timesync/synchronized").exists()
}

pub(crate) fn since_boot() -> Duration {
    // This cannot fail: every kernel since 2.6.39 has CLOCK_BOOTTIME.
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}
