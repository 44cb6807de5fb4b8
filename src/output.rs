//! What is printed for people and programs: cleaned, and a reader that left early is no error.

use std::io::{self, Write};

use crate::error::Error;

/// Writes to standard output.
///
/// # Errors
/// [`Error::System`] for anything, such as a full disk, but not that nobody reads on.
pub fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout();
    unless_closed(out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(stdout_error))
}

/// What standard output said.
pub(crate) fn stdout_error(error: io::Error) -> Error {
    Error::System("standard output", error)
}

/// Nobody reads on: whoever closed the pipe has seen enough.
pub(crate) fn unless_closed(written: Result<(), Error>) -> Result<(), Error> {
    match written {
        Err(Error::System(_, error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// The text in one line, in which no character controls the terminal: each such character is replaced. Names come
/// from device trees, texts from child processes, paths from anywhere.
#[must_use]
pub fn clean(text: &str, replacement: char) -> String {
    text.chars().map(|c| if c.is_control() { replacement } else { c }).collect()
}
