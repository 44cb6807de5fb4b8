//! The start of the program with the GNU C library, in place of the standard library's.
//!
//! That one asks the C library where the stack ends, to tell of its overflow, and glibc finds out by reading
//! `/proc/self/maps`: 86,000 instructions of each run, a fifth of a dry one. What else it does is done here. An overflow of
//! the stack ends the program all the same. musl has no such search, and its programs start as usual.

use std::fs::OpenOptions;
use std::os::fd::IntoRawFd;
use std::process;

use nix::libc::{self, c_char, c_int};
use nix::sys::signal::{SigHandler, Signal, signal};

/// What the C library calls. The arguments come through `std::env`, which takes them before this.
#[allow(unsafe_code, reason = "the C library finds this function by its name")]
#[allow(
    clippy::exit,
    reason = "it is what returning from main is in C, and it writes out what is left to print"
)]
// SAFETY: nothing else has this name, as the standard library's main is switched off (`no_main`).
#[unsafe(no_mangle)]
extern "C" fn main(_count: c_int, _arguments: *const *const c_char) -> c_int {
    open_standard_streams();
    ignore_sigpipe();
    process::exit(super::program().status().into())
}

/// Opens those of descriptors 0 to 2 that are closed, on `/dev/null`: a log line must not be written into a file that got
/// such a number by being opened next.
#[allow(unsafe_code, reason = "a descriptor that may be closed has no safe type")]
fn open_standard_streams() {
    for fd in 0..=2 {
        // SAFETY: F_GETFD takes any number and no memory.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            match OpenOptions::new().read(true).write(true).open("/dev/null") {
                // The lowest number that is free, so this one. It stays open.
                Ok(null) => _ = null.into_raw_fd(),
                Err(_) => process::abort(),
            }
        }
    }
}

/// A reader that is gone is an error of the write (`EPIPE`), not the end of the program.
#[allow(unsafe_code, reason = "setting the action of a signal is unsafe, because it may be a handler")]
fn ignore_sigpipe() {
    // SAFETY: no code of this process runs when the signal is ignored.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) };
}
