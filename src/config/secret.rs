//! Where a secret comes from: the environment, else systemd's credential, else the file or the file that it names.

use std::path::{Path, PathBuf};

use super::kind::{self, Kind, Value};
use super::{Sources, file, under};
use crate::error::{Error, Problem};
use crate::secret::Secret;

/// One secret, by all of its names.
pub(crate) struct Known {
    /// What messages call it.
    name: &'static str,
    /// The environment variable that holds it.
    pub(super) variable: &'static str,
    /// The systemd credential that holds it.
    credential: &'static str,
    /// Its table in the file.
    table: &'static str,
    /// Its key there. That of the file which holds it has `-file` behind.
    key: &'static str,
    kind: Kind<Secret>,
    /// A character that it may have.
    may_have: fn(char) -> bool,
}

/// The licence of the WhaTap project.
pub(crate) const LICENSE: Known = Known {
    name: "licence",
    variable: "WHATAP_LICENSE",
    credential: "license",
    table: "focus",
    key: "license",
    kind: kind::LICENSE,
    may_have: kind::in_license,
};

/// The API token of the WhaTap project.
pub(crate) const TOKEN: Known = Known {
    name: "API token",
    variable: "WHATAP_API_TOKEN",
    credential: "api-token",
    table: "verify",
    key: "token",
    kind: kind::TOKEN,
    may_have: kind::in_token,
};

impl Known {
    /// The secret, if there is one. In the configuration's file `config`, it is `written` itself, or a file is `named`
    /// that holds it.
    pub(super) fn find(
        &self,
        config: &Path,
        written: Option<Secret>,
        named: Option<PathBuf>,
        sources: &mut Sources<'_>,
    ) -> Result<Option<Secret>, Error> {
        if let Some(secret) = sources.variable(self.variable, &self.kind)? {
            return Ok(Some(secret));
        }
        let credential = sources.path("CREDENTIALS_DIRECTORY").map(|dir| dir.join(self.credential));
        if let Some(credential) = credential.filter(|path| path.exists()) {
            return self.read(&credential, &mut sources.warnings).map(Some);
        }
        match (written, named) {
            (Some(_), Some(_)) => {
                let (config, table, key) = (config.display(), self.table, self.key);
                let what = format!("{config}: [{table}] has both {key} and {key}-file: keep one of them");
                Err(Error::Config(Problem::new(what)))
            }
            (None, Some(path)) => self.read(&under(sources.root, path), &mut sources.warnings).map(Some),
            (written, None) => Ok(written),
        }
    }

    /// The secret in a file that holds nothing else.
    fn read(&self, path: &Path, warnings: &mut Vec<Problem>) -> Result<Secret, Error> {
        let (text, mode) = file::read_text(path)?;
        self.warn_if_public(path, mode, warnings);
        let in_file = |wrong: String| Error::Config(Problem::new(format!("{}: {wrong}", path.display())));
        self.parse(&text).map_err(in_file)
    }

    /// The error tells of the first character that is wrong where it stands and what it is: some cannot be seen.
    pub(super) fn parse(&self, text: &str) -> Result<Secret, String> {
        let bare = bare_secret(text);
        // Quotation marks are for the configuration.
        let right = self.kind.right.replace(" in quotes", "");
        let must = format!("must hold {right}, and nothing else");
        if let Some((at, wrong)) = bare.char_indices().find(|(_, c)| !(self.may_have)(*c)) {
            let before = bare.as_ptr() as usize - text.as_ptr() as usize + at;
            let position = text[..before].chars().count() + 1;
            return Err(format!(
                "character {position} is U+{:04X}, {}: {must}",
                u32::from(wrong),
                what_is(wrong)
            ));
        }
        self.kind.of(Value::Word(bare)).map_err(|_| must)
    }

    /// Warns of a file of this mode that holds the secret.
    pub(crate) fn warn_if_public(&self, path: &Path, mode: u32, warnings: &mut Vec<Problem>) {
        if mode & 0o004 != 0 {
            let (path, name) = (path.display(), self.name);
            warnings.push(
                Problem::new(format!("{path} holds the {name} and everybody can read it"))
                    .advise(format!("chmod o= {path}")),
            );
        }
    }
}

/// What is left of a file's text without what editors and pages put around it: a byte order mark, space of any kind,
/// and a pair of quotation marks.
pub(crate) fn bare_secret(text: &str) -> &str {
    const QUOTES: [(char, char); 4] =
        [('"', '"'), ('\'', '\''), ('\u{201C}', '\u{201D}'), ('\u{2018}', '\u{2019}')];
    let around = |c: char| c.is_whitespace() || is_invisible(c);
    let text = text.trim_matches(around);
    let inside = |(open, close)| text.strip_prefix(open)?.strip_suffix(close);
    QUOTES.into_iter().find_map(inside).unwrap_or(text).trim_matches(around)
}

/// Zero width, or a byte order mark.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}')
}

/// The kind of a character that is wrong.
fn what_is(c: char) -> &'static str {
    match c {
        '\n' | '\r' => "a line break",
        _ if c.is_whitespace() => "a space",
        _ if c.is_control() => "a control character",
        _ if is_invisible(c) => "a character that is not shown",
        '"' | '\'' | '`' | '\u{2018}'..='\u{201F}' => "a quotation mark",
        '\u{2010}'..='\u{2015}' | '\u{2212}' => "a dash, but not -",
        _ if c.is_alphanumeric() => "a letter or digit beyond ASCII",
        _ => "a sign",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_a_licence_or_its_first_wrong_character_is_told(text in "[\\s\"'\u{FEFF}]{0,3}(\\PC|[a-z0-9\\s-]){0,12}") {
            match LICENSE.parse(&text) {
                Ok(secret) => prop_assert!(text.contains(secret.expose()) && secret.expose().chars().all(kind::in_license)),
                Err(wrong) => {
                    let told = wrong.strip_prefix("character ").and_then(|rest| rest.split_once(" is U+"));
                    let Some((position, rest)) = told else {
                        prop_assert!(wrong.starts_with("must hold ") && bare_secret(&text).is_empty(), "{wrong}");
                        return Ok(());
                    };
                    let code = u32::from_str_radix(&rest[..rest.find(',').unwrap()], 16).unwrap();
                    let there = text.chars().nth(position.parse::<usize>().unwrap() - 1).unwrap();
                    prop_assert_eq!(u32::from(there), code, "{}", wrong);
                    prop_assert!(!kind::in_license(there), "{}", wrong);
                }
            }
        }
    }
}
