//! The fourth step: the WhaTap project, in the configuration and in files for the secrets.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Table, TableLike, value};

use super::replace::Owner;
use super::system::System;
use super::talk::Talk;
use super::wishes::Wishes;
use crate::config::{self, answer};
use crate::error::{Error, Problem};
use crate::secret::Secret;

const STEP: &str = "project";

/// `LoadCredential=` of the units finds both there.
const CREDENTIALS: &str = "/etc/credstore";
const LICENSE_FILE: &str = "iio-focus.license";
const TOKEN_FILE: &str = "iio-focus.api-token";

/// What a new configuration begins with.
const NEW: &str =
    "# Written by iio-focus setup. All keys and their defaults: iio-focus.toml(5).\n\n[focus]\n";

const ROOT: Owner = Owner { uid: 0, gid: 0 };

/// What is there.
pub(super) struct Project {
    file: PathBuf,
    /// None: there is no file yet.
    text: Option<String>,
    document: DocumentMut,
    /// The configuration's file has its mode and owner.
    is_owned: bool,
    service: Owner,
    /// Where the licence is already.
    license_place: Option<String>,
    /// The licence in its own file, if it is there.
    credential: Option<Secret>,
}

/// Looks, and changes nothing.
///
/// # Errors
/// What is wrong with the configuration that is there; what it has otherwise than the command line.
pub(super) fn look(system: &System, wishes: &Wishes) -> Result<Project, Error> {
    let file = system.path(config::DEFAULT_FILE);
    system.refuse_links(&file)?;
    let service = system.service()?;
    let (text, is_owned) = match fs::read(&file) {
        Err(error) if error.kind() == ErrorKind::NotFound => (None, false),
        Err(error) => return Err(Error::Config(Problem::file("read", &file, &error))),
        Ok(bytes) => {
            let no_text = |_| Error::Config(Problem::new(format!("{}: is not UTF-8 text", file.display())));
            (Some(String::from_utf8(bytes).map_err(no_text)?), is_owned(&file, service))
        }
    };
    let written = text.as_deref().unwrap_or(NEW);
    answer::check_keys(&file, written)?;
    // The text is right by now; what this parser does not like all the same is told in its own words.
    let not_toml = |error: toml_edit::TomlError| {
        Error::Config(Problem::new(format!("{}: {}", file.display(), error.message())))
    };
    let document: DocumentMut = written.parse().map_err(not_toml)?;
    let mut project =
        Project { document, text, is_owned, service, license_place: None, credential: None, file };
    project.find_license(system)?;
    project.compare(wishes)?;
    Ok(project)
}

fn is_owned(file: &Path, service: Owner) -> bool {
    file.metadata()
        .is_ok_and(|meta| meta.uid() == 0 && meta.gid() == service.gid && meta.mode() & 0o7777 == 0o640)
}

impl Project {
    fn focus(&self) -> Option<&dyn TableLike> {
        self.document.get("focus").and_then(Item::as_table_like)
    }

    fn has(&self, key: &str) -> bool {
        self.focus().is_some_and(|focus| focus.contains_key(key))
    }

    /// The text that the configuration has for this key of `[focus]`.
    pub(super) fn text_of(&self, key: &str) -> Option<&str> {
        self.focus()?.get(key)?.as_str()
    }

    fn find_license(&mut self, system: &System) -> Result<(), Error> {
        let credential = system.path(CREDENTIALS).join(LICENSE_FILE);
        match fs::read_to_string(&credential) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Error::Config(Problem::file("read", &credential, &error))),
            Ok(text) => {
                let wrong = |wrong| Error::Config(Problem::new(format!("{}: {wrong}", credential.display())));
                self.credential = Some(answer::license(&text).map_err(wrong)?);
                self.license_place = Some(credential.display().to_string());
            }
        }
        let key = ["license", "license-file"].into_iter().find(|key| self.has(key));
        self.license_place =
            self.license_place.take().or_else(|| key.map(|_| self.file.display().to_string()));
        Ok(())
    }

    /// What is there is kept, so the command line must not say otherwise.
    fn compare(&self, wishes: &Wishes) -> Result<(), Error> {
        let texts =
            [("server-host", &wishes.server_host), ("category", &wishes.category), ("oname", &wishes.oname)];
        let differs = |(key, wish): &(&str, &Option<String>)| {
            wish.is_some() && self.has(key) && self.text_of(key) != wish.as_deref()
        };
        let mut other = texts.iter().find(|text| differs(text)).map(|(key, _)| *key);
        let pcode = self.focus().and_then(|focus| focus.get("pcode")?.as_integer());
        if wishes.pcode.is_some_and(|wish| pcode.is_some_and(|pcode| i64::try_from(wish) != Ok(pcode))) {
            other = Some("pcode");
        }
        if let Some(key) = other {
            let what = format!("{} has another {key} than --{key} says", self.file.display());
            let advice = "change it there, or leave the option out: setup keeps what is there";
            return Err(Error::Config(Problem::new(what).advise(advice)));
        }
        let (Some(wish), Some(place)) = (&wishes.license, &self.license_place) else { return Ok(()) };
        let there = self.credential.as_ref().map(Secret::expose).or_else(|| self.text_of("license"));
        if there == Some(wish.expose()) {
            return Ok(());
        }
        let what = format!("{place} has another licence than --license-file");
        let advice = "take it out there, or leave the option out: setup keeps what is there";
        Err(Error::Config(Problem::new(what).advise(advice)))
    }

    /// The options for what is neither there nor said.
    pub(super) fn missing(&self, wishes: &Wishes) -> Vec<&'static str> {
        let all = [
            ("--license-file", self.license_place.is_some() || wishes.license.is_some()),
            ("--pcode", self.has("pcode") || wishes.pcode.is_some()),
            ("--server-host", self.has("server-host") || wishes.server_host.is_some()),
        ];
        all.into_iter().filter(|(_, is_there)| !is_there).map(|(option, _)| option).collect()
    }
}

/// Asks for what is missing and writes it.
///
/// # Errors
/// What cannot be written.
pub(super) fn carry_out(
    mut project: Project,
    system: &System,
    wishes: &mut Wishes,
    talk: &mut Talk,
) -> Result<(), Error> {
    let token_file = system.path(CREDENTIALS).join(TOKEN_FILE);
    let token = ask(&project, wishes, talk)?.filter(|_| !token_file.exists());
    let mut did = Vec::new();
    if let (Some(license), None) = (&wishes.license, &project.license_place) {
        did.push(format!("licence into {}", write_secret(system, LICENSE_FILE, license)?));
    }
    if let Some(token) = &token {
        did.push(format!("token into {}", write_secret(system, TOKEN_FILE, token)?));
    }
    let added = project.add(wishes);
    let new = project.document.to_string();
    let license = wishes.license.as_ref().or(project.credential.as_ref());
    answer::check_file(&system.root, &project.file, &new, license)?;
    if !added.is_empty() || !project.is_owned {
        let owner = Owner { uid: 0, gid: project.service.gid };
        system.replace(&project.file, new.as_bytes(), 0o640, Some(owner))?;
        let what = if added.is_empty() { "mode 0640, root:iio-focus".to_owned() } else { added.join(", ") };
        did.insert(0, format!("{}: {what}", project.file.display()));
    }
    if did.is_empty() {
        return talk.found(STEP, &format!("{} has all that it needs", project.file.display()));
    }
    talk.did(STEP, &format!("wrote {}", did.join("; ")))
}

/// Asks for what is missing. Returns the token for the Open API, if there is to be one.
fn ask(project: &Project, wishes: &mut Wishes, talk: &Talk) -> Result<Option<Secret>, Error> {
    let missing = project.missing(wishes);
    if missing.is_empty() || !talk.is_terminal {
        return Ok(None);
    }
    for option in &missing {
        match *option {
            "--license-file" => {
                let license = talk.ask_secret("Licence of the WhaTap project", answer::license)?;
                wishes.license = Some(license);
            }
            "--pcode" => wishes.pcode = Some(talk.ask("Code of the project", None, answer::pcode)?),
            _ => wishes.server_host = Some(talk.ask("Server of the project", None, answer::text)?),
        }
    }
    if missing.contains(&"--license-file") {
        return talk.ask_secret("API token of the project, to see readings arrive; Enter for none", token);
    }
    Ok(None)
}

fn token(text: &str) -> Result<Option<Secret>, String> {
    if text.is_empty() { Ok(None) } else { answer::token(text).map(Some) }
}

/// Writes a secret into a file of its own that only root can read. Returns the file's name.
fn write_secret(system: &System, name: &str, secret: &Secret) -> Result<String, Error> {
    let dir = system.path(CREDENTIALS);
    system.refuse_links(&dir)?;
    match fs::DirBuilder::new().mode(0o700).create(&dir) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(Error::Io(dir, error)),
        _ => {}
    }
    let path = dir.join(name);
    let line = format!("{}\n", secret.expose());
    system.replace(&path, line.as_bytes(), 0o600, Some(ROOT))?;
    Ok(path.display().to_string())
}

impl Project {
    /// Adds the keys that are wished for and not there. Returns what was added.
    fn add(&mut self, wishes: &Wishes) -> Vec<String> {
        let pcode = wishes.pcode.and_then(|pcode| i64::try_from(pcode).ok());
        let values = [
            ("pcode", pcode.map(value)),
            ("server-host", wishes.server_host.as_deref().map(value)),
            ("category", wishes.category.as_deref().map(value)),
            ("oname", wishes.oname.as_deref().map(value)),
        ];
        let focus = self.document.entry("focus").or_insert_with(|| Item::Table(Table::new()));
        let Some(focus) = focus.as_table_like_mut() else { return Vec::new() };
        let mut added = Vec::new();
        for (key, value) in values {
            if let (Some(value), false) = (value, focus.contains_key(key)) {
                focus.insert(key, value);
                added.push(key.to_owned());
            }
        }
        if self.text.is_none() && added.is_empty() {
            added.push("[focus]".to_owned());
        }
        added
    }
}
