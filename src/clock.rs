//! Time since boot, and the signals that cut a wait short.

use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{self, SigHandler, SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::time::{ClockId, clock_gettime};

/// What asks a run to end.
const ENDING: [Signal; 4] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];

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

/// The kernel's boot clock, and this process's signals.
///
/// The signals that end a run, and SIGCHLD, stay blocked and arrive through a `signalfd(2)`: every
/// wait of a run is a `poll(2)` that also watches them, so none comes too early or too late.
/// A child inherits the blocked signals: whoever starts one has to unblock them there.
#[derive(Debug)]
pub struct SystemClock {
    signals: SignalFd,
    ending: Cell<Option<Signal>>,
}

impl SystemClock {
    /// Blocks the signals and opens the descriptor they arrive through.
    ///
    /// # Errors
    /// As `signalfd(2)`: no descriptor or memory left.
    #[allow(unsafe_code, reason = "changing what a signal does is unsafe when it runs code: this does not")]
    pub fn new() -> nix::Result<SystemClock> {
        // Whoever started this program may have set it to be ignored, which is inherited: then there
        // is neither a SIGCHLD nor an exit status to wait for.
        // SAFETY: the default action runs no code of this process.
        unsafe { signal::signal(Signal::SIGCHLD, SigHandler::SigDfl)? };
        let mut mask = SigSet::from_iter(ENDING);
        mask.add(Signal::SIGCHLD);
        mask.thread_block()?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(SystemClock { signals: SignalFd::with_flags(&mask, flags)?, ending: Cell::new(None) })
    }

    /// The signal that asked this run to end, if one did.
    pub fn ending(&self) -> Option<Signal> {
        while let Ok(Some(info)) = self.signals.read_signal() {
            let signal = i32::try_from(info.ssi_signo).ok().and_then(|n| Signal::try_from(n).ok());
            if self.ending.get().is_none() {
                self.ending.set(signal.filter(|signal| ENDING.contains(signal)));
            }
        }
        self.ending.get()
    }

    /// Waits until one of `fds` is ready, a signal came, or `until` (since boot) is there.
    pub(crate) fn wait(&self, fds: &mut Vec<PollFd<'_>>, until: Option<Duration>) {
        let timeout = until.map_or(PollTimeout::NONE, |until| {
            // Rounded up, so that the time really is over when poll returns.
            let left = until.saturating_sub(self.now()) + Duration::from_micros(999);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        // EINTR after SIGSTOP and SIGCONT, or no memory: the caller looks at time and state anyway.
        let _: Result<_, Errno> = poll(fds, timeout);
    }
}

impl AsFd for SystemClock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        // CLOCK_BOOTTIME is in every kernel since 2.6.39: the call has no way to fail.
        clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
    }

    fn pause(&self, time: Duration) -> Result<(), Signal> {
        let until = self.now() + time;
        loop {
            if let Some(signal) = self.ending() {
                return Err(signal);
            }
            if self.now() >= until {
                return Ok(());
            }
            self.wait(&mut vec![PollFd::new(self.as_fd(), PollFlags::POLLIN)], Some(until));
        }
    }
}
