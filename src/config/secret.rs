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
    variable: &'static str,
    /// The systemd credential that holds it.
    credential: &'static str,
    /// Its table in the file.
    table: &'static str,
    /// Its key there. That of the file which holds it has `-file` behind.
    key: &'static str,
    kind: Kind<Secret>,
}

/// The licence of the WhaTap project.
pub(crate) const LICENSE: Known = Known {
    name: "licence",
    variable: "WHATAP_LICENSE",
    credential: "license",
    table: "focus",
    key: "license",
    kind: kind::LICENSE,
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
        self.kind.of(Value::Word(text.trim())).map_err(|_| {
            let right = self.kind.right;
            Error::Config(Problem::new(format!("{}: must hold {right} and nothing else", path.display())))
        })
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
