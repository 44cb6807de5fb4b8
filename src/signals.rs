//! The signals that end a run or a wait: they come through a `signalfd(2)`.

use std::cell::{Cell, OnceCell};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{self, SigHandler, SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::clock::{Clock, Deadline, Moment, since_boot};

/// The signals that ask a run to end.
const ENDING: [Signal; 4] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];

/// Lets a write beyond the limit on the size of files (`RLIMIT_FSIZE`) fail with EFBIG, as on a full disk, instead of ending
/// the process with SIGXFSZ.
pub fn ignore_file_size_limit() {
    // This cannot fail for a signal that can be ignored.
    let _ = set_action(Signal::SIGXFSZ, SigHandler::SigIgn);
}

/// Gives a signal its default action, or lets it be ignored. Returns what was before.
#[allow(unsafe_code, reason = "setting the action of a signal is unsafe, because it may be a handler")]
pub(crate) fn set_action(signal: Signal, action: SigHandler) -> nix::Result<SigHandler> {
    debug_assert!(matches!(action, SigHandler::SigDfl | SigHandler::SigIgn));
    // SAFETY: the callers give no handler: neither action runs code of this process.
    unsafe { signal::signal(signal, action) }
}

/// The kernel's boot clock, and this process's signals.
///
/// The signals that end a run, and SIGCHLD, stay blocked and arrive through a `signalfd(2)`. Every wait of a run is a
/// `poll(2)` that also watches this descriptor, so that a signal ends the wait, even one that came before it began.
/// A child inherits the blocked signals: the code that starts a child must unblock them in it.
#[derive(Debug)]
pub struct SystemClock {
    signals: SignalFd,
    ending: Cell<Option<Signal>>,
    /// The first moment that was asked for: what does not change in a run is looked up once.
    first: OnceCell<Moment>,
}

impl SystemClock {
    /// Blocks the signals and opens the descriptor they arrive through.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE` or `ENOMEM` if no file descriptor or no memory is left (`signalfd(2)`).
    pub fn new() -> nix::Result<SystemClock> {
        let mut mask = SigSet::from_iter(ENDING);
        mask.add(Signal::SIGCHLD);
        mask.thread_block()?;
        for signal in ENDING {
            // A signal that the parent process ignores stays ignored: nohup does this with SIGHUP.
            if let SigHandler::SigIgn = set_action(signal, SigHandler::SigDfl)? {
                set_action(signal, SigHandler::SigIgn)?;
                mask.remove(signal);
            }
        }
        // If the parent process ignores SIGCHLD, the kernel sends no SIGCHLD here and keeps no exit status of a child.
        set_action(Signal::SIGCHLD, SigHandler::SigDfl)?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(SystemClock {
            signals: SignalFd::with_flags(&mask, flags)?,
            ending: Cell::new(None),
            first: OnceCell::new(),
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

    /// The current time on both clocks.
    #[must_use]
    pub fn moment(&self) -> Moment {
        let first = self.first.get_or_init(Moment::now);
        Moment::in_boot(first.boot_id.clone(), first.synchronised)
    }

    /// Waits until one of `fds` is ready or the deadline is reached. A signal ends the wait if this clock is among
    /// `fds`.
    pub(crate) fn wait(&self, fds: &mut [PollFd<'_>], until: Option<Deadline>) {
        let timeout = until.map_or(PollTimeout::NONE, |until| {
            // `poll` waits for whole ms: rounded up, it does not return before the deadline.
            let left = until.left(self) + Duration::from_micros(999);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        // EINTR (after SIGSTOP and SIGCONT) and ENOMEM need no handling: the caller checks time and state in any case.
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

    /// A clock that ignores no signal. Without this, a test that a shell starts in the background would ignore SIGINT.
    #[allow(unsafe_code, reason = "the default action runs no code of this process")]
    fn clock() -> SystemClock {
        for signal in ENDING {
            // SAFETY: the default action runs no code of this process.
            unsafe { signal::signal(signal, SigHandler::SigDfl) }.unwrap();
        }
        SystemClock::new().unwrap()
    }

    // Each test runs on its own thread, and `raise` sends a signal to the calling thread only. So tests that run at the
    // same time do not get each other's signals.

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
