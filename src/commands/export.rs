//! `iio-focus export`.

use crate::cli;
use crate::error::Error;

/// Not there yet.
///
/// # Errors
/// Always.
pub fn run(_: &cli::Args, _: &cli::Export) -> Result<(), Error> {
    Err(Error::Usage("export is not there yet".to_owned()))
}
