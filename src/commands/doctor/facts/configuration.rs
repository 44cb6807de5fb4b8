//! The configuration, as far as it can be used.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{names_in, problem_of};
use crate::cli;
use crate::config::{self, Config};
use crate::error::{Error, Problem};
use crate::open_api::Project;

pub(crate) struct Configuration {
    /// As a run would have it; without what it says of focus if there would be no run, and the defaults alone if the
    /// file cannot be used.
    pub(crate) config: Config,
    /// Why there would be no run.
    pub(crate) problem: Option<Problem>,
    /// Whether the file can be used: what it says of the store is known.
    pub(crate) is_file_usable: bool,
    /// Where it is unless another is named.
    pub(crate) default_file: PathBuf,
    pub(crate) has_default_file: bool,
    /// The first of the files that are there for several sensors.
    pub(crate) file_of_one_sensor: Option<PathBuf>,
}

impl Configuration {
    /// # Errors
    /// What is wrong with the command line.
    pub(super) fn load(
        root: &Path,
        args: &cli::Args,
        credential: Option<&Credential>,
    ) -> Result<Configuration, Error> {
        let env = |name: &str| variable(credential, name);
        let load = |delivers| Config::load_under(root, args, &env, delivers);
        let (config, problem, is_file_usable) = match load(true) {
            Ok(config) => (config, None, true),
            Err(usage @ Error::Usage(_)) => return Err(usage),
            Err(error) => match load(false) {
                Ok(config) => (config, Some(problem_of(&error)), true),
                Err(_) => (Config::without_file(root, args, &env)?, Some(problem_of(&error)), false),
            },
        };
        let default_file = config::under(root, config::DEFAULT_FILE.into());
        let dir = root.join("etc/iio-focus");
        let names = names_in(&dir).unwrap_or_default();
        Ok(Configuration {
            config,
            problem,
            is_file_usable,
            has_default_file: default_file.exists(),
            default_file,
            file_of_one_sensor: names.iter().find(|name| name.ends_with(".toml")).map(|name| dir.join(name)),
        })
    }
}

impl Configuration {
    /// The project that WhaTap can be asked about, if there is an API token.
    ///
    /// # Errors
    /// What is wrong with what is configured of it.
    pub(super) fn project(
        &self,
        root: &Path,
        args: &cli::Args,
        credential: Option<&Credential>,
    ) -> Result<Option<Project>, Error> {
        if !self.is_file_usable {
            return Ok(None);
        }
        Config::project(root, args, &|name: &str| variable(credential, name)).map(|(project, _)| project)
    }
}

/// The environment; and the licence as systemd would hand it to the service.
fn variable(credential: Option<&Credential>, name: &str) -> Option<OsString> {
    let handed = || credential?.license.clone();
    env::var_os(name).or_else(|| if name == "WHATAP_LICENSE" { handed() } else { None })
}

/// The file that the unit's `LoadCredential=` finds (`systemd.exec(5)`).
pub(crate) struct Credential {
    pub(crate) path: PathBuf,
    pub(crate) mode: u32,
    /// None: it cannot be read. Never printed.
    pub(super) license: Option<OsString>,
}

impl Credential {
    pub(super) fn find(root: &Path) -> Option<Credential> {
        let stores = ["etc/credstore", "run/credstore", "usr/lib/credstore"];
        let path = stores
            .map(|store| root.join(store).join("iio-focus.license"))
            .into_iter()
            .find(|path| path.exists())?;
        let mode = fs::metadata(&path).ok()?.permissions().mode();
        let license = fs::read_to_string(&path).ok().map(|text| config::bare_secret(&text).into());
        Some(Credential { path, mode, license })
    }
}
