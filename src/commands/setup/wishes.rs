//! What the command line says, checked before anything is changed.

use std::io::{self, IsTerminal, Read};
use std::path::Path;

use nix::errno::Errno;

use super::secrets::{Kind, LICENSE, TOKEN};
use crate::cli;
use crate::commands::doctor::for_setup::number;
use crate::config::answer;
use crate::error::{Error, Problem};
use crate::secret::Secret;

/// The GPIOs that a Pi or a compute module can have.
const LAST_GPIO: u32 = 53;

/// Far more than any licence or token.
const LONGEST_SECRET: u64 = 1 << 16;

#[derive(Default)]
pub(super) struct Wishes {
    pub(super) gpiopin: Option<u32>,
    pub(super) label: Option<String>,
    pub(super) pull: Option<String>,
    pub(super) pcode: Option<u64>,
    pub(super) server_host: Option<String>,
    pub(super) category: Option<String>,
    pub(super) oname: Option<String>,
    pub(super) license: Option<Secret>,
    pub(super) token: Option<Secret>,
    /// The token is to be typed.
    pub(super) asks_token: bool,
    pub(super) overlay: bool,
    pub(super) timer: bool,
}

impl Wishes {
    /// # Errors
    /// [`Error::Usage`] for the first value that is wrong; [`Error::Config`] for a licence that is.
    pub(super) fn of(setup: &cli::Setup) -> Result<Wishes, Error> {
        let cli::Setup { gpiopin, label, pull, .. } = setup;
        if setup.no_overlay && (gpiopin.is_some() || label.is_some() || pull.is_some()) {
            let what = "--no-overlay goes with none of --gpiopin, --label and --pull";
            return Err(Error::Usage(Problem::new(what)));
        }
        let files = [&setup.license_file, &setup.api_token_file];
        if files.iter().all(|file| file.as_deref() == Some("-")) {
            let what = "--license-file and --api-token-file cannot both be standard input";
            return Err(Error::Usage(Problem::new(what)));
        }
        let text = |text: &str| answer::text(text);
        Ok(Wishes {
            gpiopin: value("--gpiopin", gpiopin, self::gpiopin)?,
            label: value("--label", label, self::label)?,
            pull: value("--pull", pull, self::pull)?,
            pcode: value("--pcode", &setup.pcode, answer::pcode)?,
            server_host: value("--server-host", &setup.server_host, text)?,
            category: value("--category", &setup.category, text)?,
            oname: value("--oname", &setup.oname, text)?,
            license: secret(&LICENSE, setup.license_file.as_deref())?,
            token: secret(&TOKEN, setup.api_token_file.as_deref())?,
            asks_token: setup.api_token_file.as_deref() == Some("-") && io::stdin().is_terminal(),
            overlay: !setup.no_overlay,
            timer: !setup.no_timer,
        })
    }
}

fn value<T>(
    option: &str,
    text: &Option<String>,
    check: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, Error> {
    let wrong = |wrong| Error::Usage(Problem::new(format!("{option}: {wrong}")));
    text.as_deref().map(check).transpose().map_err(wrong)
}

pub(super) fn gpiopin(text: &str) -> Result<u32, String> {
    let right = || format!("must be the number of a GPIO, from 0 to {LAST_GPIO}");
    number(text).filter(|pin| *pin <= LAST_GPIO).ok_or_else(right)
}

fn label(text: &str) -> Result<String, String> {
    let right = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    right.then(|| text.to_owned()).ok_or_else(|| "must be letters, digits and - _ .".to_owned())
}

fn pull(text: &str) -> Result<String, String> {
    let right = ["off", "down", "up"].contains(&text);
    right.then(|| text.to_owned()).ok_or_else(|| "must be off, down or up".to_owned())
}

/// The secret in this file; `-` is standard input. A terminal is asked later, where what is typed is not shown.
fn secret(kind: &Kind, file: Option<&str>) -> Result<Option<Secret>, Error> {
    let wrong = |what: String| Error::Config(Problem::new(format!("{}: {what}", kind.option)));
    let (place, text) = match file {
        None => return Ok(None),
        Some("") => {
            let what = format!("{}: must be the name of a file, or - for standard input", kind.option);
            return Err(Error::Usage(Problem::new(what)));
        }
        Some("-") if io::stdin().is_terminal() => return Ok(None),
        Some("-") => ("standard input", standard_input().map_err(|error| wrong(error.to_string()))?),
        Some(file) => match answer::text_in(Path::new(file))? {
            Some(text) => (file, text),
            None => return Err(Error::Config(Problem::file("read", Path::new(file), &Errno::ENOENT.into()))),
        },
    };
    (kind.parse)(&text).map(Some).map_err(|what| wrong(format!("{place}: {what}")))
}

/// What is no UTF-8 is no secret either, and is told as a wrong character.
fn standard_input() -> io::Result<String> {
    let mut bytes = Vec::new();
    io::stdin().take(LONGEST_SECRET).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
