//! Single settings, as a person answers them: checked as the configuration checks them.

use std::io::ErrorKind;
use std::path::Path;

use super::kind::{PCODE, TEXT, Value};
use super::secret::{LICENSE, TOKEN};
use super::{Args, Config, Sources, Tables, file};
use crate::error::Error;
use crate::secret::Secret;

/// What is right as `pcode`.
pub(crate) fn pcode(text: &str) -> Result<u64, String> {
    PCODE.of(Value::Word(text))
}

/// What is right as `server-host`, `category` or `oname`.
pub(crate) fn text(text: &str) -> Result<String, String> {
    TEXT.of(Value::Word(text))
}

/// What is right as a licence, without what editors put around it.
pub(crate) fn license(text: &str) -> Result<Secret, String> {
    LICENSE.parse(text)
}

/// What is right as a token for the Open API, likewise.
pub(crate) fn token(text: &str) -> Result<Secret, String> {
    TOKEN.parse(text)
}

/// The text of a file that a person wrote. None: nothing is there.
///
/// # Errors
/// What is there cannot be read, or is no text.
pub(crate) fn text_in(path: &Path) -> Result<Option<String>, Error> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        _ => file::read_text(path).map(|(text, _)| Some(text)),
    }
}

/// Whether a run would take this text as its configuration, with this licence if the file has none.
///
/// # Errors
/// As [`Config::load`].
pub(crate) fn check_file(
    root: &Path,
    path: &Path,
    text: &str,
    license: Option<&Secret>,
) -> Result<(), Error> {
    let tables = file::read_tables(path, text)?;
    let env = |name: &str| license.filter(|_| name == LICENSE.variable).map(|secret| secret.expose().into());
    Config::new(&Args::default(), tables, Sources { root, env: &env, warnings: Vec::new() }, true).map(drop)
}

/// Whether there is nothing wrong in what this text of a configuration says, whatever it lacks.
///
/// # Errors
/// As [`Config::load`].
pub(crate) fn check_keys(path: &Path, text: &str) -> Result<(), Error> {
    let _: Tables = file::read_tables(path, text)?;
    Ok(())
}
