//! Who starts the runs, and the way to each file that a run of his needs.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::configuration::{Configuration, Credential};
use super::sandbox::Sandbox;
use super::schedule::{CronFile, Place, SYSTEMD_PATH, Schedule, Timer, is_program, program_of};
use super::unit::Unit;
use super::users::{User, Users};
use super::way::{Want, Way};
use crate::config;

/// Cron's own, unless the table says otherwise (`crontab(5)`).
const CRON_PATH: &str = "/usr/bin:/bin";

/// What starts runs, with the user and the sandbox that they have.
pub(crate) struct Starter {
    /// The timer, or cron's table.
    pub(crate) by: String,
    /// The service, or the line of cron's table.
    pub(crate) name: String,
    pub(crate) user_name: String,
    /// None: there is no such user.
    pub(crate) user: Option<User>,
    pub(crate) sandbox: Sandbox,
    /// Where its runs look for programs.
    pub(crate) search: String,
    pub(crate) files: Vec<Needed>,
}

/// A file that a run needs.
pub(crate) struct Needed {
    pub(crate) role: Role,
    /// Where it is in the system that is looked at.
    pub(crate) path: PathBuf,
    pub(crate) way: Way,
    pub(crate) want: Want,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Configuration,
    Licence,
    Focus,
    /// iio-focus itself.
    Itself,
    StoreFolder,
    Store,
}

/// The system that is looked at.
pub(super) struct System<'a> {
    pub(super) root: &'a Path,
    pub(super) users: &'a Users,
    pub(super) configuration: &'a Configuration,
    pub(super) credential: Option<&'a Credential>,
}

impl System<'_> {
    /// All that start runs, be they enabled well or not.
    pub(super) fn starters(&self, schedule: &Schedule) -> Vec<Starter> {
        let services = schedule.timers.iter().filter_map(|timer| self.of_service(timer));
        services.chain(schedule.cron.iter().filter_map(|file| self.of_line(file))).collect()
    }

    fn of_service(&self, timer: &Timer) -> Option<Starter> {
        let service = &timer.service;
        let unit = service.load.unit()?;
        let user_name = unit.last("Service", "User").unwrap_or("root");
        let mut user = self.users.find(user_name);
        if let Some(user) = &mut user {
            let group = unit.last("Service", "Group").and_then(|group| self.users.group(group));
            user.gid = group.unwrap_or(user.gid);
            let more = unit.words("Service", "SupplementaryGroups");
            user.groups.extend(more.into_iter().filter_map(|group| self.users.group(group)));
        }
        let config = option(unit, "--config").or_else(|| variable(unit, "IIO_FOCUS_CONFIG"));
        let mut starter = Starter {
            by: timer.name.clone(),
            name: service.name.clone(),
            user_name: user_name.to_owned(),
            user,
            sandbox: Sandbox::of(unit),
            search: variable(unit, "PATH").unwrap_or_else(|| SYSTEMD_PATH.to_owned()),
            files: Vec::new(),
        };
        // systemd itself reads the credential, as root.
        let takes_credential = unit.has("Service", "LoadCredential") && self.credential.is_some();
        starter.files = self.files(&starter, config, takes_credential);
        let folders = unit.last("Service", "ExecSearchPath").unwrap_or(SYSTEMD_PATH);
        starter.files.extend(program_of(unit).map(|program| self.program(Role::Itself, &program, folders)));
        // Its user is made when it starts, and owns what systemd makes for it: nothing of that can be looked at now.
        (unit.switch("Service", "DynamicUser") == Ok(false)).then_some(starter)
    }

    fn of_line(&self, file: &CronFile) -> Option<Starter> {
        let job = file.table.as_ref().ok()?.job.as_ref().filter(|job| !job.changes_user)?;
        let owner = (file.place == Place::Users).then(|| file.path.file_name()).flatten();
        let user_name = job.user.clone().or_else(|| Some(owner?.to_str()?.to_owned()))?;
        let mut starter = Starter {
            by: file.path.display().to_string(),
            name: format!("{} line {}", file.path.display(), job.line),
            // Those who are not there are a matter of the table.
            user: Some(self.users.find(&user_name)?),
            user_name,
            sandbox: Sandbox::default(),
            search: job.path.clone().unwrap_or_else(|| CRON_PATH.to_owned()),
            files: Vec::new(),
        };
        starter.files = self.files(&starter, job.config.clone(), false);
        let program =
            job.program.as_ref().map(|program| self.program(Role::Itself, program, &starter.search));
        starter.files.extend(program);
        Some(starter)
    }

    /// The files that its runs need; only the configuration, if that is not the one that was read.
    fn files(&self, starter: &Starter, config: Option<String>, takes_credential: bool) -> Vec<Needed> {
        let Configuration { config: read, is_file_usable, .. } = self.configuration;
        let file = config::under(self.root, config.unwrap_or_else(|| config::DEFAULT_FILE.to_owned()).into());
        let mut files = vec![self.needed(Role::Configuration, &file, Want::Read)];
        if file != read.file || !is_file_usable {
            return files;
        }
        if let Some(license) = read.license_file.as_ref().filter(|_| !takes_credential) {
            files.push(self.needed(Role::Licence, license, Want::Read));
        }
        let store = &read.store.path;
        if let Some(folder) = store.parent() {
            files.push(self.needed(Role::StoreFolder, folder, Want::ChangeFolder));
        }
        for suffix in ["", "-wal", "-shm", ".lock"] {
            let mut name = store.clone().into_os_string();
            name.push(suffix);
            files.push(self.needed(Role::Store, Path::new(&name), Want::ReadAndWrite));
        }
        // Its path is one below the root folder already.
        let focus = read.focus.as_ref().map(|focus| {
            focus
                .program
                .strip_prefix(self.root)
                .map_or_else(|_| focus.program.clone(), |inside| Path::new("/").join(inside))
        });
        let focus = focus.as_deref().and_then(Path::to_str);
        files.extend(focus.map(|program| self.program(Role::Focus, program, &starter.search)));
        files
    }

    /// A program as the starter finds it.
    fn program(&self, role: Role, program: &str, search: &str) -> Needed {
        let inside = |path: &str| config::under(self.root, path.into());
        let folders = search.split(':').filter(|dir| !dir.is_empty());
        let path = if program.contains('/') {
            inside(program)
        } else {
            let mut candidates = folders.map(|dir| inside(&format!("{dir}/{program}")));
            candidates.find(|path| is_program(self.root, path)).unwrap_or_else(|| program.into())
        };
        let mut needed = self.needed(role, &path, Want::Execute);
        let mut head = Vec::new();
        let file = needed.way.found().filter(|file| file.is_file()).and_then(|file| File::open(file).ok());
        let is_read = file.is_some_and(|file| file.take(2).read_to_end(&mut head).is_ok());
        if is_read && head == *b"#!" {
            needed.want = Want::ReadAndExecute;
        }
        needed
    }

    fn needed(&self, role: Role, path: &Path, want: Want) -> Needed {
        let way = Way::look(self.root, path);
        let inside = path.strip_prefix(self.root).map(|inside| Path::new("/").join(inside));
        Needed { role, path: inside.unwrap_or_else(|_| path.to_owned()), way, want }
    }
}

/// What follows this option in the unit's command.
fn option(unit: &Unit, wanted: &str) -> Option<String> {
    let command = unit.all("Service", "ExecStart");
    let mut words = command.first()?.split_whitespace();
    let found = words.find_map(|word| {
        (word == wanted).then_some("").or_else(|| word.strip_prefix(wanted)?.strip_prefix('='))
    })?;
    if found.is_empty() { words.next().map(str::to_owned) } else { Some(found.to_owned()) }
}

/// A variable that the unit sets.
fn variable(unit: &Unit, name: &str) -> Option<String> {
    let words = unit.words("Service", "Environment");
    let value = |word: &&str| {
        let assigned = word.trim_matches(['"', '\'']);
        Some(assigned.strip_prefix(name)?.strip_prefix('=')?.to_owned())
    };
    words.iter().rev().find_map(value)
}
