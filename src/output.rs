//! Standard output, on which a closed pipe is no error, and texts without control characters.

use std::io::{self, Write};

use crate::error::Error;

/// Writes to standard output.
///
/// # Errors
/// [`Error::System`] if standard output cannot be written, for example because the disk is full. A closed pipe is no
/// error.
pub fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout();
    unless_closed(out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(stdout_error))
}

/// The error for standard output that cannot be written.
pub(crate) fn stdout_error(error: io::Error) -> Error {
    Error::System("standard output", error)
}

/// Turns the error of a closed pipe into success: the program that reads it, such as `head`, has read all that it
/// needs.
pub(crate) fn unless_closed(written: Result<(), Error>) -> Result<(), Error> {
    match written {
        Err(Error::System(_, error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Replaces each control character, so that the text is one line and cannot control the terminal. Names from device
/// trees, output of child processes and paths may contain such characters.
#[must_use]
pub fn clean(text: &str, replacement: char) -> String {
    text.chars().map(|c| if c.is_control() { replacement } else { c }).collect()
}
