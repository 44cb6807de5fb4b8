//! `iio-focus chart`.

use crate::cli;
use crate::error::Error;

/// Not there yet.
///
/// # Errors
/// Always.
pub fn run(_: &cli::Args, _: &cli::Chart) -> Result<(), Error> {
    Err(Error::Usage("chart is not there yet".to_owned()))
}
