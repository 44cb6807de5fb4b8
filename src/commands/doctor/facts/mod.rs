//! What the doctor sees, as plain data that a test can write down. Each thing is looked at once; the checks judge it.

mod acl;
pub(super) mod arrival;
pub(super) mod board;
pub(super) mod boot;
pub(super) mod config_txt;
pub(super) mod configuration;
pub(super) mod crontab;
pub(super) mod delivery;
pub(super) mod folder;
mod gpio;
#[cfg(test)]
pub(super) mod healthy;
pub(super) mod kernel;
pub(super) mod pins;
pub(super) mod rights;
pub(super) mod sandbox;
pub(super) mod schedule;
pub(super) mod store;
pub(super) mod time;
pub(super) mod tries;
pub(super) mod unit;
pub(super) mod users;
pub(super) mod way;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use self::arrival::Arrival;
use self::boot::Boot;
use self::configuration::{Configuration, Credential};
use self::delivery::{NoAnswer, Program};
use self::folder::Folder;
use self::kernel::{Kernel, SensorFacts};
use self::rights::{Starter, System};
use self::schedule::Schedule;
use self::store::Store;
use self::time::Time;
use self::tries::Tried;
use self::users::Users;
use crate::cli;
use crate::clock::Moment;
use crate::commands::program::focus_version;
use crate::error::{Error, Problem};
use crate::sensor::Sensor;

/// All facts. Those that are gathered later are empty until then.
pub(super) struct Facts {
    /// The root folder of the system that is looked at.
    pub(super) root: PathBuf,
    pub(super) configuration: Configuration,
    /// None: the licence is in no credential store.
    pub(super) credential: Option<Credential>,
    /// None: there is no `config.txt`.
    pub(super) boot: Option<Boot>,
    pub(super) kernel: Kernel,
    /// All that can be used.
    pub(super) sensors: Vec<SensorFacts>,
    /// Why a run would take none of them.
    pub(super) sensor_problem: Option<Problem>,
    /// The tries of one sensor, by [`Facts::try_sensor`].
    pub(super) tried: Option<Tried>,
    /// By [`Facts::look_at_focus`]. None: the configuration does not say which program.
    pub(super) program: Option<Program>,
    /// Of the program, if it says one. By [`Facts::look_at_focus`].
    pub(super) focus_version: Option<[u32; 3]>,
    /// Whether an empty part of PATH lets this process take programs from whatever folder it is in.
    pub(super) path_has_empty_part: bool,
    /// By [`Facts::connect`]. None: the configuration does not say which server.
    pub(super) server: Option<Result<(), NoAnswer>>,
    /// When the store was looked at, in ms since the epoch.
    pub(super) now_ms: i64,
    /// By [`Facts::look_at_runs`], like all below.
    pub(super) time: Option<Time>,
    pub(super) store: Store,
    pub(super) folder: Folder,
    /// Whether a run has the lock.
    pub(super) is_run_under_way: bool,
    pub(super) schedule: Schedule,
    pub(super) starters: Vec<Starter>,
    pub(super) users: Users,
    /// By [`Facts::ask_whatap`].
    pub(super) arrival: Arrival,
}

impl Facts {
    /// What is there to see without asking anybody, and the sensors to ask: the one that a run would take, else all.
    ///
    /// # Errors
    /// What is wrong with the command line.
    pub(super) fn of_machine(args: &cli::Args, doctor: &cli::Doctor) -> Result<(Facts, Vec<Sensor>), Error> {
        let root = PathBuf::from(doctor.root.as_deref().unwrap_or("/"));
        let credential = Credential::find(&root);
        let configuration = Configuration::load(&root, args, credential.as_ref())?;
        let config = &configuration.config;
        let (sensors, asked, sensor_problem) = kernel::sensors(config);
        let kernel = Kernel::look(&root, &config.sysfs);
        let facts = Facts {
            boot: Boot::look(&root, &kernel.board),
            kernel,
            configuration,
            credential,
            sensors,
            sensor_problem,
            tried: None,
            program: None,
            focus_version: None,
            path_has_empty_part: delivery::path_has_empty_part(),
            server: None,
            now_ms: 0,
            time: None,
            store: Store::Absent,
            folder: Folder::default(),
            is_run_under_way: false,
            schedule: Schedule::default(),
            starters: Vec::new(),
            users: Users::look(&root),
            arrival: Arrival::NoToken,
            root,
        };
        Ok((facts, asked))
    }

    /// Asks this sensor, which takes some seconds.
    pub(super) fn try_sensor(&mut self, sensor: &Sensor) {
        let kernel_log = self.root.join("dev/kmsg");
        self.tried = Some(Tried::ask(sensor, &self.configuration.config, &kernel_log));
    }

    pub(super) fn look_at_focus(&mut self) {
        let focus = self.configuration.config.focus.as_ref();
        self.program = focus.map(|focus| Program::look(&self.root, focus));
        // On this system alone: what is below another root folder is not for this machine.
        if let Some(Program::File(path, _, _)) = self.program.as_ref().filter(|_| self.root == Path::new("/"))
        {
            self.focus_version = self.version_of(path);
        }
    }

    /// What focus says of its version, called without root's rights.
    fn version_of(&self, focus: &Path) -> Option<[u32; 3]> {
        if !geteuid().is_root() {
            return focus_version(focus, None);
        }
        let user = ["iio-focus", "nobody"].iter().find_map(|name| self.users.find(name))?;
        focus_version(focus, Some((user.uid, user.gid)))
    }

    /// Asks WhaTap which readings of the last hour arrived, which takes some seconds, if there is an API token.
    pub(super) fn ask_whatap(&mut self, args: &cli::Args) {
        let project = self.configuration.project(&self.root, args, self.credential.as_ref());
        self.arrival = Arrival::ask(project, &self.configuration.config);
    }

    /// Asks the server for a connection; takes [`delivery::TIME_LIMIT`] at most.
    pub(super) fn connect(&mut self) {
        let focus = self.configuration.config.focus.as_ref();
        self.server = focus.map(delivery::connect);
    }

    pub(super) fn look_at_runs(&mut self) {
        let now = Moment::now();
        let store = &self.configuration.config.store.path;
        // Before the store is read: a run that ends meanwhile is in it.
        self.is_run_under_way = folder::is_locked(store);
        self.store = Store::look(store, &now);
        self.folder = Folder::look(store);
        self.time = Some(Time::look(&self.root, &now));
        self.schedule = Schedule::look(&self.root, &self.users);
        let Facts { root, users, configuration, .. } = &*self;
        let system = System { root, users, configuration, credential: self.credential.as_ref() };
        self.starters = system.starters(&self.schedule);
        self.now_ms = now.wall_ms;
    }
}

/// The names in a folder, in order; none if it is not there.
///
/// # Errors
/// What else keeps it from being read.
fn names_in(dir: &Path) -> Result<Vec<String>, Problem> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| Problem::file("read", dir, &error))?,
    };
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    Ok(names)
}

/// What an error says, for a finding to tell.
fn problem_of(error: &Error) -> Problem {
    error.problem().cloned().unwrap_or_else(|| Problem::new(error.to_string()))
}
