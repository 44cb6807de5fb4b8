//! The fourth step: the WhaTap project, in the configuration and in files for the secrets.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Table, TableLike, value};

use super::config_txt::line_end;
use super::replace::Owner;
use super::secrets::{Found, Kind, LICENSE, TOKEN};
use super::system::System;
use super::talk::Talk;
use super::wishes::Wishes;
use crate::config::{self, answer};
use crate::error::{Error, Problem};
use crate::secret::Secret;

const STEP: &str = "project";

/// What a new configuration begins with.
const NEW: &str =
    "# Written by iio-focus setup. All keys and their defaults: iio-focus.toml(5).\n\n[focus]\n";

const BYTE_ORDER_MARK: &str = "\u{FEFF}";

/// What is there.
pub(super) struct Project {
    file: PathBuf,
    /// None: there is no file yet.
    text: Option<String>,
    document: DocumentMut,
    /// The configuration's file has its mode and owner.
    is_owned: bool,
    service: Owner,
    license: Option<Found>,
    token: Option<Found>,
}

/// Looks, and changes nothing.
///
/// # Errors
/// What is wrong with the configuration that is there; what it has otherwise than the command line.
pub(super) fn look(system: &System, wishes: &Wishes) -> Result<Project, Error> {
    let file = system.path(config::DEFAULT_FILE);
    system.refuse_links(&file)?;
    let service = system.service()?;
    let text = answer::text_in(&file)?;
    let is_owned = text.is_some() && is_owned(&file, service);
    let written = text.as_deref().unwrap_or(NEW);
    answer::check_keys(&file, written)?;
    // The text is right by now; what this parser does not like all the same is told in its own words.
    let not_toml = |error: toml_edit::TomlError| {
        Error::Config(Problem::new(format!("{}: {}", file.display(), error.message())))
    };
    let document: DocumentMut = written.parse().map_err(not_toml)?;
    let license = LICENSE.find(system, &file, &document)?;
    let token = TOKEN.find(system, &file, &document)?;
    let project = Project { document, text, is_owned, service, license, token, file };
    project.compare(wishes)?;
    project.try_out(system, wishes)?;
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
        LICENSE.compare(self.license.as_ref(), wishes.license.as_ref())?;
        TOKEN.compare(self.token.as_ref(), wishes.token.as_ref())
    }

    /// Whether a run would take the configuration as it will be, whatever is answered to the questions.
    fn try_out(&self, system: &System, wishes: &Wishes) -> Result<(), Error> {
        let mut document = self.document.clone();
        add(&mut document, wishes);
        let answered =
            Wishes { pcode: Some(1), server_host: Some("answered".to_owned()), ..Wishes::default() };
        add(&mut document, &answered);
        let answered = Secret::new("x0000");
        let license = wishes.license.as_ref().unwrap_or(&answered);
        self.check(system, &document, self.license.is_none().then_some(license))
    }

    /// Whether a run would take this configuration, with this licence if neither it nor a credential has one.
    fn check(&self, system: &System, document: &DocumentMut, license: Option<&Secret>) -> Result<(), Error> {
        let credential = self.license.as_ref().filter(|found| found.is_credential);
        let license = credential.map(|found| &found.secret).or(license);
        answer::check_file(&system.root, &self.file, &document.to_string(), license)
    }

    /// The options for what is neither there nor said.
    pub(super) fn missing(&self, wishes: &Wishes) -> Vec<&'static str> {
        let all = [
            (LICENSE.option, self.license.is_some() || wishes.license.is_some()),
            ("--pcode", self.has("pcode") || wishes.pcode.is_some()),
            ("--server-host", self.has("server-host") || wishes.server_host.is_some()),
        ];
        all.into_iter().filter(|(_, is_there)| !is_there).map(|(option, _)| option).collect()
    }

    /// The document, with the byte order mark and the line ends of the text that was there.
    fn new_text(&self) -> String {
        let former = self.text.as_deref().unwrap_or_default();
        let bare = self.document.to_string().replace("\r\n", "\n").replace('\n', line_end(former));
        let mark = if former.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK } else { "" };
        format!("{mark}{bare}")
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
    ask(&project, wishes, talk)?;
    let mut added = add(&mut project.document, wishes);
    if project.text.is_none() && added.is_empty() {
        added.push("[focus]");
    }
    let new_license = Kind::to_write(&project.license, &wishes.license);
    let new_token = Kind::to_write(&project.token, &wishes.token);
    project.check(system, &project.document, new_license)?;
    let mut did = Vec::new();
    if let Some(license) = new_license {
        did.push(LICENSE.write(system, license)?);
    }
    if let Some(token) = new_token {
        did.push(TOKEN.write(system, token)?);
    }
    if !added.is_empty() || !project.is_owned {
        let owner = Owner { uid: 0, gid: project.service.gid };
        system.replace(&project.file, project.new_text().as_bytes(), 0o640, Some(owner))?;
        let what = if added.is_empty() { "mode 0640, root:iio-focus".to_owned() } else { added.join(", ") };
        did.insert(0, format!("{}: {what}", project.file.display()));
    }
    if did.is_empty() {
        return talk.found(STEP, &format!("{} has all that it needs", project.file.display()));
    }
    talk.did(STEP, &format!("wrote {}", did.join("; ")))
}

/// Asks for what is missing.
fn ask(project: &Project, wishes: &mut Wishes, talk: &Talk) -> Result<(), Error> {
    if !talk.is_terminal {
        return Ok(());
    }
    let missing = project.missing(wishes);
    for option in &missing {
        match *option {
            "--pcode" => wishes.pcode = Some(talk.ask("Code of the project", None, answer::pcode)?),
            "--server-host" => {
                wishes.server_host = Some(talk.ask("Server of the project", None, answer::text)?);
            }
            _ => wishes.license = Some(talk.ask_secret("Licence of the WhaTap project", LICENSE.parse)?),
        }
    }
    let has_token = project.token.is_some() || wishes.token.is_some();
    if (wishes.asks_token || missing.contains(&LICENSE.option)) && !has_token {
        let token = |text: &str| if text.is_empty() { Ok(None) } else { (TOKEN.parse)(text).map(Some) };
        let question = "API token of the project, to see readings arrive; Enter for none";
        wishes.token = talk.ask_secret(question, token)?;
    }
    Ok(())
}

/// Adds the keys that are wished for and not there. Returns what was added.
fn add(document: &mut DocumentMut, wishes: &Wishes) -> Vec<&'static str> {
    let pcode = wishes.pcode.and_then(|pcode| i64::try_from(pcode).ok());
    let values = [
        ("pcode", pcode.map(value)),
        ("server-host", wishes.server_host.as_deref().map(value)),
        ("category", wishes.category.as_deref().map(value)),
        ("oname", wishes.oname.as_deref().map(value)),
    ];
    let focus = document.entry("focus").or_insert_with(|| Item::Table(Table::new()));
    let Some(focus) = focus.as_table_like_mut() else { return Vec::new() };
    let mut added = Vec::new();
    for (key, value) in values {
        if let (Some(value), false) = (value, focus.contains_key(key)) {
            focus.insert(key, value);
            added.push(key);
        }
    }
    added
}
