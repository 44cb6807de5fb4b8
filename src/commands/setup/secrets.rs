//! The licence and the API token: where they are already, and the files of their own that they get.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, TableLike};

use super::replace::Owner;
use super::system::System;
use crate::config::{self, answer};
use crate::error::{Error, Problem};
use crate::secret::Secret;

/// `LoadCredential=` of the units finds both there.
const CREDENTIALS: &str = "/etc/credstore";

const ROOT: Owner = Owner { uid: 0, gid: 0 };

/// One of the two.
pub(super) struct Kind {
    /// What messages call it.
    name: &'static str,
    /// Its file among the credentials.
    file: &'static str,
    /// Where the configuration can have it. The key of the file that holds it has `-file` behind.
    table: &'static str,
    key: &'static str,
    pub(super) option: &'static str,
    pub(super) parse: fn(&str) -> Result<Secret, String>,
}

pub(super) const LICENSE: Kind = Kind {
    name: "licence",
    file: "iio-focus.license",
    table: "focus",
    key: "license",
    option: "--license-file",
    parse: answer::license,
};

pub(super) const TOKEN: Kind = Kind {
    name: "token",
    file: "iio-focus.api-token",
    table: "verify",
    key: "token",
    option: "--api-token-file",
    parse: answer::token,
};

/// A secret that is there already.
pub(super) struct Found {
    pub(super) secret: Secret,
    /// The file that holds it.
    place: String,
    /// It is not in the configuration, nor in a file that the configuration names.
    pub(super) is_credential: bool,
    /// Others than root can read its own file.
    is_public: bool,
}

impl Kind {
    /// The file of its own.
    pub(super) fn credential(&self, system: &System) -> PathBuf {
        system.path(CREDENTIALS).join(self.file)
    }

    /// Where the service finds it.
    ///
    /// # Errors
    /// What is there cannot be read, or is no such secret.
    pub(super) fn find(
        &self,
        system: &System,
        config_file: &Path,
        document: &DocumentMut,
    ) -> Result<Option<Found>, Error> {
        let credential = self.credential(system);
        system.refuse_links(&credential)?;
        if let Some(text) = answer::text_in(&credential)? {
            let is_public =
                credential.metadata().is_ok_and(|meta| meta.uid() != 0 || meta.mode() & 0o077 != 0);
            return self.found(&text, &credential, true).map(|found| Some(Found { is_public, ..found }));
        }
        let table = document.get(self.table).and_then(Item::as_table_like);
        let text_of = |key: &str| table.and_then(|table: &dyn TableLike| table.get(key)?.as_str());
        if let Some(text) = text_of(self.key) {
            return self.found(text, config_file, false).map(Some);
        }
        let Some(named) = text_of(&format!("{}-file", self.key)) else { return Ok(None) };
        let named = config::under(&system.root, named.into());
        // The owner of this system may link to where the secret is.
        if !system.is_live {
            system.refuse_links(&named)?;
        }
        match answer::text_in(&named)? {
            Some(text) => self.found(&text, &named, false).map(Some),
            None => {
                let what =
                    format!("{} is not there, and {} names it", named.display(), config_file.display());
                Err(Error::Config(Problem::new(what).advise(format!("put the {} into it", self.name))))
            }
        }
    }

    fn found(&self, text: &str, file: &Path, is_credential: bool) -> Result<Found, Error> {
        let place = file.display().to_string();
        let wrong = |wrong| {
            let advice = "correct it, or delete it and call setup again";
            Error::Config(Problem::new(format!("{place}: {wrong}")).advise(advice))
        };
        let secret = (self.parse)(text).map_err(wrong)?;
        Ok(Found { secret, place, is_credential, is_public: false })
    }

    /// What is there is kept, so the command line must not say otherwise.
    ///
    /// # Errors
    /// It does.
    pub(super) fn compare(&self, found: Option<&Found>, wish: Option<&Secret>) -> Result<(), Error> {
        match (found, wish) {
            (Some(found), Some(wish)) if found.secret != *wish => {
                let what = format!("{} has another {} than {}", found.place, self.name, self.option);
                let advice = "take it out there, or leave the option out: setup keeps what is there";
                Err(Error::Config(Problem::new(what).advise(advice)))
            }
            _ => Ok(()),
        }
    }

    /// What has to be written: what is wished for and not there, or what is there for others to read.
    pub(super) fn to_write<'a>(found: &'a Option<Found>, wish: &'a Option<Secret>) -> Option<&'a Secret> {
        match found {
            Some(found) => Some(&found.secret).filter(|_| found.is_public),
            None => wish.as_ref(),
        }
    }

    /// Writes it into a file of its own that only root can read. Returns what was done.
    ///
    /// # Errors
    /// What cannot be written.
    pub(super) fn write(&self, system: &System, secret: &Secret) -> Result<String, Error> {
        system.make_folder(&system.path(CREDENTIALS), 0o700)?;
        let file = self.credential(system);
        system.replace(&file, format!("{}\n", secret.expose()).as_bytes(), 0o600, Some(ROOT))?;
        Ok(format!("{} into {}", self.name, file.display()))
    }
}
