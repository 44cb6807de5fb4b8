//! What the command line says, checked before anything is changed.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::pins::number;
use crate::cli;
use crate::config::answer;
use crate::error::{Error, Problem};
use crate::secret::Secret;

/// The GPIOs that a Pi or a compute module can have.
const LAST_GPIO: u32 = 53;

/// Far more than any licence.
const LONGEST_LICENSE: u64 = 1 << 16;

pub(super) struct Wishes {
    pub(super) gpiopin: Option<u32>,
    pub(super) label: Option<String>,
    pub(super) pull: Option<String>,
    pub(super) pcode: Option<u64>,
    pub(super) server_host: Option<String>,
    pub(super) category: Option<String>,
    pub(super) oname: Option<String>,
    pub(super) license: Option<Secret>,
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
        let text = |text: &str| answer::text(text);
        Ok(Wishes {
            gpiopin: value("--gpiopin", gpiopin, self::gpiopin)?,
            label: value("--label", label, self::label)?,
            pull: value("--pull", pull, self::pull)?,
            pcode: value("--pcode", &setup.pcode, answer::pcode)?,
            server_host: value("--server-host", &setup.server_host, text)?,
            category: value("--category", &setup.category, text)?,
            oname: value("--oname", &setup.oname, text)?,
            license: setup.license_file.as_deref().map(license).transpose()?,
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

/// The licence in this file; `-` is standard input.
fn license(file: &str) -> Result<Secret, Error> {
    let mut bytes = Vec::new();
    let read = if file == "-" {
        io::stdin().take(LONGEST_LICENSE).read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|file| file.take(LONGEST_LICENSE).read_to_end(&mut bytes))
    };
    read.map_err(|error| Error::Config(Problem::file("read", Path::new(file), &error)))?;
    // What is no UTF-8 is no licence either, and is told as a wrong character.
    let place = if file == "-" { "standard input" } else { file };
    let wrong = |wrong| Error::Config(Problem::new(format!("--license-file: {place}: {wrong}")));
    answer::license(&String::from_utf8_lossy(&bytes)).map_err(wrong)
}
