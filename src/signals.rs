//! The signals that end a run or a wait: they come through a `signalfd(2)`.

use std::cell::{Cell, OnceCell};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{self, SigHandler, SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::clock::{Clock, Deadline, Moment, since_boot};

/// What asks a run to end.
const ENDING: [Signal; 4] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];

/// The kernel's boot clock, and this process's signals.
///
/// The signals that end a run, and SIGCHLD, stay blocked and arrive through a `signalfd(2)`: every
/// wait of a run is a `poll(2)` that also watches them, so none comes too early or too late.
/// A child inherits the blocked signals: whoever starts one has to unblock them there.
#[derive(Debug)]
pub struct SystemClock {
    signals: SignalFd,
    ending: Cell<Option<Signal>>,
    boot_id: OnceCell<String>,
}

impl SystemClock {
    /// Blocks the signals and opens the descriptor they arrive through.
    ///
    /// # Errors
    /// As `signalfd(2)`: no descriptor or memory left.
    #[allow(unsafe_code, reason = "changing what a signal does is unsafe when it runs code: this does not")]
    pub fn new() -> nix::Result<SystemClock> {
        // SAFETY: neither the default action nor none runs code of this process.
        let set = |signal, action| unsafe { signal::signal(signal, action) };
        let mut mask = SigSet::from_iter(ENDING);
        mask.add(Signal::SIGCHLD);
        mask.thread_block()?;
        for signal in ENDING {
            // What the starter ignores, as nohup does with SIGHUP, stays ignored.
            if let SigHandler::SigIgn = set(signal, SigHandler::SigDfl)? {
                set(signal, SigHandler::SigIgn)?;
                mask.remove(signal);
            }
        }
        // Ignoring SIGCHLD is inherited too: then there is neither the signal nor an exit status to wait for.
        set(Signal::SIGCHLD, SigHandler::SigDfl)?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(SystemClock {
            signals: SignalFd::with_flags(&mask, flags)?,
            ending: Cell::new(None),
            boot_id: OnceCell::new(),
        })
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

    /// This moment on both clocks.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment::in_boot(self.boot_id.get_or_init(|| Moment::now().boot_id).clone())
    }

    /// Waits until one of `fds` is ready, a signal came, or the deadline is there.
    pub(crate) fn wait(&self, fds: &mut [PollFd<'_>], until: Option<Deadline>) {
        let timeout = until.map_or(PollTimeout::NONE, |until| {
            // Rounded up, so that the time really is over when poll returns.
            let left = until.left(self) + Duration::from_micros(999);
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
        since_boot()
    }

    fn pause(&self, time: Duration) -> Result<(), Signal> {
        let until = Deadline(self.now() + time);
        loop {
            if let Some(signal) = self.ending() {
                return Err(signal);
            }
            if until.left(self).is_zero() {
                return Ok(());
            }
            self.wait(&mut [PollFd::new(self.as_fd(), PollFlags::POLLIN)], Some(until));
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::raise;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    /// A clock for which no signal is ignored: a shell ignores SIGINT for what it starts in the background.
    #[allow(unsafe_code, reason = "the default action runs no code of this process")]
    fn clock() -> SystemClock {
        for signal in ENDING {
            // SAFETY: as above.
            unsafe { signal::signal(signal, SigHandler::SigDfl) }.unwrap();
        }
        SystemClock::new().unwrap()
    }

    // A test runs on a thread of its own, and `raise` is for the calling thread: no test sees another's.

    #[test]
    fn a_signal_that_came_before_the_pause_ends_it_at_once() {
        for signal in ENDING {
            let clock = clock();
            assert_eq!(clock.ending(), None);
            raise(signal).unwrap();
            assert_eq!(clock.pause(LONG), Err(signal));
            assert_eq!(clock.pause(LONG), Err(signal), "it is not forgotten");
            assert_eq!(clock.ending(), Some(signal));
        }
    }

    #[test]
    fn the_first_signal_is_the_one_that_counts() {
        let clock = clock();
        raise(Signal::SIGTERM).unwrap();
        assert_eq!(clock.ending(), Some(Signal::SIGTERM));
        raise(Signal::SIGINT).unwrap();
        assert_eq!(clock.ending(), Some(Signal::SIGTERM));
    }

    #[test]
    fn the_end_of_a_child_does_not_cut_a_pause_short() {
        let clock = clock();
        let (start, pause) = (clock.now(), Duration::from_millis(20));
        raise(Signal::SIGCHLD).unwrap();
        assert_eq!(clock.pause(pause), Ok(()));
        assert!(clock.now() - start >= pause);
        assert_eq!(clock.ending(), None);
    }

    #[test]
    fn time_goes_on_and_no_pause_is_no_wait() {
        let clock = clock();
        let before = clock.now();
        assert_eq!(clock.pause(Duration::ZERO), Ok(()));
        assert!(clock.now() >= before && before > Duration::ZERO);
    }
}
