//! The system that is set up: this one, or the one in a folder; and the programs of this one.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::replace::{self, Owner};
use crate::child::find_program;
use crate::commands::doctor::for_setup::Board;
use crate::config;
use crate::error::{Error, Problem};

/// The user and the group of the service.
const SERVICE: &str = "iio-focus";

pub(super) struct System {
    pub(super) root: PathBuf,
    /// It is the running one: something can be loaded, read and started.
    pub(super) is_live: bool,
    /// systemd runs it.
    pub(super) has_systemd: bool,
    /// Nothing is known of the board that a card is for.
    pub(super) board: Board,
}

impl System {
    /// # Errors
    /// [`Error::Usage`] if it cannot be set up from here.
    pub(super) fn look(root: Option<&str>) -> Result<System, Error> {
        let is_live = root.is_none();
        let root = PathBuf::from(root.unwrap_or("/"));
        if root.as_os_str().is_empty() || !root.join("etc").is_dir() {
            let what = format!("--root: {} is not the root folder of a system", root.display());
            let advice = "mount its root file system there, and its boot partition below it";
            return Err(Error::Usage(Problem::new(what).advise(advice)));
        }
        if !geteuid().is_root() {
            return Err(Error::Usage(
                Problem::new("setup changes files of root").advise("run this with sudo"),
            ));
        }
        Ok(System {
            has_systemd: is_live && Path::new("/run/systemd/system").is_dir(),
            board: if is_live { Board::look(Path::new("/sys")) } else { Board::default() },
            root,
            is_live,
        })
    }

    /// Where this path is found.
    pub(super) fn path(&self, absolute: &str) -> PathBuf {
        config::under(&self.root, absolute.into())
    }

    /// The service's user and group, by their numbers.
    pub(super) fn service(&self) -> Result<Owner, Error> {
        let id = |file: &str| {
            let text = fs::read_to_string(self.path(file)).unwrap_or_default();
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(SERVICE)?.strip_prefix(':').map(str::to_owned));
            line.and_then(|line| line.split(':').nth(1)?.parse::<u32>().ok())
        };
        match (id("/etc/passwd"), id("/etc/group")) {
            (Some(uid), Some(gid)) => Ok(Owner { uid, gid }),
            _ => {
                let what = format!("{} has no user and group {SERVICE}", self.root.display());
                let advice = if self.is_live {
                    "run sudo systemd-sysusers iio-focus.conf"
                } else {
                    "install the package there first"
                };
                Err(Error::Config(Problem::new(what).advise(advice)))
            }
        }
    }

    /// Replaces a file as a whole.
    pub(super) fn replace(
        &self,
        path: &Path,
        bytes: &[u8],
        mode: u32,
        owner: Option<Owner>,
    ) -> Result<(), Error> {
        self.refuse_links(path)?;
        replace::file(path, bytes, mode, owner)
    }

    /// Makes a folder, and those above it, unless they are there.
    pub(super) fn make_folder(&self, path: &Path, mode: u32) -> Result<(), Error> {
        self.refuse_links(path)?;
        let made = fs::DirBuilder::new().recursive(true).mode(mode).create(path);
        made.map_err(|error| Error::Io(path.to_owned(), error))
    }

    /// A link in a card's folders would lead to this system's files; and one in the place of a file would be replaced.
    pub(super) fn refuse_links(&self, path: &Path) -> Result<(), Error> {
        let inside = path.ancestors().take_while(|one| self.is_live || *one != self.root);
        let inside = inside.take(if self.is_live { 1 } else { usize::MAX });
        for one in inside {
            if one.symlink_metadata().is_ok_and(|meta| meta.is_symlink()) {
                let what = format!("{} is a symbolic link", one.display());
                return Err(Error::Config(Problem::new(what).advise("put what it leads to in its place")));
            }
        }
        Ok(())
    }
}

/// Where this system has a program of this name.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    // sudo and cron may leave the folders of root's programs out.
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/bin:/sbin:/bin";
    find_program(Path::new(name), Some(OsStr::new(&path))).ok()
}
