//! `iio-focus doctor`.

use crate::cli;
use crate::error::{Error, Exit};

/// Not there yet.
///
/// # Errors
/// Always.
pub fn run(_: &cli::Args, _: &cli::Doctor) -> Result<Exit, Error> {
    Err(Error::Usage("doctor is not there yet".to_owned()))
}
