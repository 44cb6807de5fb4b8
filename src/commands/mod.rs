//! The commands beside taking a reading.

use std::io::{self, Write};

use crate::error::Error;

mod asked;
pub mod chart;
pub mod doctor;
pub mod export;
pub mod list;
pub mod status;
mod times;

/// Writes to standard output; a reader that left early is none of our business.
///
/// # Errors
/// [`Error::System`] for anything else, such as a full disk.
pub fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout();
    unless_closed(out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(stdout))
}

/// What standard output said.
fn stdout(error: io::Error) -> Error {
    Error::System("standard output", error)
}

/// Whoever closed the pipe has seen enough.
fn unless_closed(written: Result<(), Error>) -> Result<(), Error> {
    match written {
        Err(Error::System(_, error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
