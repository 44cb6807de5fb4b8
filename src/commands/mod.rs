//! The commands beside taking a reading.

use std::io::{self, Write};

use crate::error::Error;

pub mod chart;
pub mod doctor;
pub mod export;
pub mod list;
pub mod status;
mod times;

/// Writes to standard output; a reader that left early is none of our business.
///
/// # Errors
/// [`Error::Io`] for anything else, such as a full disk.
pub fn print(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::Io("standard output".into(), error))
        }
        _ => Ok(()),
    }
}
