//! What starts the runs: systemd's timers, and cron's tables.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::crontab::{self, Table};
use super::names_in;
use super::unit::{self, Load, Unit};
use super::users::Users;
use super::way::{End, Way};
use crate::error::Problem;

#[derive(Default)]
pub(crate) struct Schedule {
    /// The timers that are enabled.
    pub(crate) timers: Vec<Timer>,
    /// Cron's tables, and its folders that cannot be read.
    pub(crate) cron: Vec<CronFile>,
    pub(crate) daemon: Daemon,
}

/// A timer that is enabled, and what it starts.
pub(crate) struct Timer {
    pub(crate) name: String,
    pub(crate) load: Load,
    pub(crate) unmet: Vec<String>,
    /// As `systemctl show` has it, such as `active`. None: systemd is not asked, or does not answer.
    pub(crate) state: Option<String>,
    pub(crate) service: Service,
}

/// A service that a timer starts.
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) load: Load,
    pub(crate) unmet: Vec<String>,
    /// The program that it would start, if that is not there.
    pub(crate) missing_program: Option<String>,
}

/// How it is with cron itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Daemon {
    #[default]
    Enabled,
    /// It is installed, and no target of systemd starts it.
    Disabled,
    Absent,
}

/// Which of cron's tables a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `/etc/crontab`
    System,
    /// `/etc/cron.d`
    Folder,
    /// `/var/spool/cron/crontabs`, where the files have their users' names.
    Users,
}

/// A table of cron's.
pub(crate) struct CronFile {
    pub(crate) path: PathBuf,
    pub(crate) place: Place,
    pub(crate) node: Node,
    /// The number of the user of the file's name, if there is one.
    pub(crate) owner: Option<u32>,
    pub(crate) table: Result<Table, Problem>,
    /// The program of its run, if it is not where cron looks for it.
    pub(crate) missing_program: Option<String>,
}

/// What the file system says of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) uid: u32,
    pub(crate) mode: u32,
    pub(crate) links: u64,
    /// Whose symbolic link leads there, if one does.
    pub(crate) link_uid: Option<u32>,
}

impl Schedule {
    pub(crate) fn look(root: &Path, users: &Users) -> Schedule {
        let mut schedule = Schedule { timers: timers(root), cron: Vec::new(), daemon: Daemon::look(root) };
        schedule.look_at(root, users, root.join("etc/crontab"), Place::System);
        for (dir, place) in [("etc/cron.d", Place::Folder), ("var/spool/cron/crontabs", Place::Users)] {
            let path = root.join(dir);
            match names_in(&path) {
                Ok(names) => {
                    for name in names {
                        schedule.look_at(root, users, path.join(name), place);
                    }
                }
                Err(problem) => schedule.cron.push(CronFile::unreadable(path, place, problem)),
            }
        }
        schedule
    }

    fn look_at(&mut self, root: &Path, users: &Users, path: PathBuf, place: Place) {
        let Ok(node) = path.symlink_metadata() else { return };
        let way = Way::look(root, &path);
        let found = way.found().unwrap_or(&path).to_owned();
        // Not to be opened if it is a pipe: that would wait.
        let text = if found.metadata().is_ok_and(|meta| !meta.is_file()) {
            Ok(String::new())
        } else {
            fs::read(&found).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = match text {
            Err(error) if error.kind() == ErrorKind::NotFound && !node.is_symlink() => return,
            text => text.map_err(|error| Problem::file("read", &path, &error)),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let table = text.map(|text| crontab::parse(&text, place != Place::Users, users));
        let job = table.as_ref().ok().and_then(|table| table.job.as_ref());
        let search = job.and_then(|job| job.path.clone());
        let missing_program = job.and_then(|job| job.program.as_ref()).filter(|program| {
            !program.starts_with('.')
                && !has_program(root, program, search.as_deref().unwrap_or("/usr/bin:/bin"))
        });
        let behind = found.metadata().unwrap_or_else(|_| node.clone());
        self.cron.push(CronFile {
            missing_program: missing_program.cloned(),
            owner: users.find(&name).filter(|user| user.name == name).map(|user| user.uid),
            node: Node {
                uid: behind.uid(),
                mode: behind.mode(),
                links: behind.nlink(),
                link_uid: node.is_symlink().then_some(node.uid()),
            },
            path,
            place,
            table,
        });
    }
}

impl CronFile {
    fn unreadable(path: PathBuf, place: Place, problem: Problem) -> CronFile {
        let node = Node { uid: 0, mode: 0o100_600, links: 1, link_uid: None };
        CronFile { path, place, node, owner: None, table: Err(problem), missing_program: None }
    }
}

/// Whether a path of the system, or a name in one of these folders, is a program.
fn has_program(root: &Path, program: &str, folders: &str) -> bool {
    let is_one = |path: &str| is_program(root, &root.join(path.trim_start_matches('/')));
    if program.contains('/') {
        return is_one(program);
    }
    folders.split(':').any(|dir| is_one(&format!("{dir}/{program}")))
}

/// Whether this is a file that somebody can execute. What this process cannot see is for another check to tell.
pub(super) fn is_program(root: &Path, path: &Path) -> bool {
    let way = Way::look(root, path);
    match way.found().map(Path::metadata) {
        Some(Ok(meta)) => meta.is_file() && meta.mode() & 0o111 != 0,
        Some(Err(_)) => false,
        None => matches!(way.end, End::Unknown(_)),
    }
}

impl Daemon {
    fn look(root: &Path) -> Daemon {
        let programs = ["usr/sbin/cron", "usr/sbin/crond", "sbin/crond", "usr/bin/crond", "usr/bin/busybox"];
        let generator = "usr/lib/systemd/system-generators/systemd-crontab-generator";
        if !programs.into_iter().chain([generator]).any(|name| root.join(name).symlink_metadata().is_ok()) {
            return Daemon::Absent;
        }
        let is_cron = |name: &String| name.contains("cron");
        let enabled = wanted_units(root, is_cron);
        let starts = |name: &String| Load::look(root, name).unit().is_some();
        // Without systemd's folders, something else starts it.
        if !root.join("etc/systemd/system").is_dir() || enabled.iter().any(starts) {
            Daemon::Enabled
        } else {
            Daemon::Disabled
        }
    }
}

/// The units that a target wants, by name, of which it is so.
pub(super) fn wanted_units(root: &Path, is_one: impl Fn(&String) -> bool) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for folder in unit::FOLDERS.map(|dir| root.join(dir)) {
        let targets = names_in(&folder).unwrap_or_default().into_iter();
        for target in
            targets.filter(|name| name.ends_with(".target.wants") || name.ends_with(".target.requires"))
        {
            let names = names_in(&folder.join(target)).unwrap_or_default().into_iter();
            all.extend(names.filter(&is_one));
        }
    }
    all
}

fn timers(root: &Path) -> Vec<Timer> {
    let is_timer = |name: &String| name.ends_with(".timer");
    let timers = wanted_units(root, is_timer).into_iter().filter_map(|name| {
        let load = Load::look(root, &name);
        let usual = format!("{}.service", name.trim_end_matches(".timer"));
        let service = load.unit().and_then(|unit| unit.last("Timer", "Unit")).unwrap_or(&usual).to_owned();
        if ![&name, &service].into_iter().any(|name| is_ours(name)) {
            return None;
        }
        let unmet = load.unit().map_or(Vec::new(), |unit| unit.unmet(root));
        let state = state_of(root, &name);
        Some(Timer { service: Service::look(root, service), unmet, state, load, name })
    });
    timers.collect()
}

/// What systemd says of a unit of this system, if it answers in time.
fn state_of(root: &Path, name: &str) -> Option<String> {
    if root != Path::new("/") || !Path::new("/run/systemd/system").is_dir() {
        return None;
    }
    let mut command = Command::new("systemctl");
    command.args(["show", "-p", "ActiveState", "--value", name]).stdin(Stdio::null());
    let (to, answer) = mpsc::channel();
    // It waits for systemd, which may not answer. The thread ends with the process.
    thread::spawn(move || to.send(command.output()));
    let output = answer.recv_timeout(LONGEST_ANSWER).ok()?.ok()?;
    let state = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Some(state).filter(|state| output.status.success() && !state.is_empty())
}

const LONGEST_ANSWER: Duration = Duration::from_secs(3);

fn is_ours(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    stem.strip_prefix("iio-focus").is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
}

/// Where systemd looks a program up (`systemd.exec(5)`).
pub(crate) const SYSTEMD_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Service {
    fn look(root: &Path, name: String) -> Service {
        let load = Load::look(root, &name);
        let program = load.unit().and_then(program_of);
        let folders =
            load.unit().and_then(|unit| unit.last("Service", "ExecSearchPath")).unwrap_or(SYSTEMD_PATH);
        Service {
            missing_program: program.filter(|program| !has_program(root, program, folders)),
            unmet: load.unit().map_or(Vec::new(), |unit| unit.unmet(root)),
            load,
            name,
        }
    }
}

/// What a service executes, without the marks that can stand before it.
pub(super) fn program_of(unit: &Unit) -> Option<String> {
    let command = unit.all("Service", "ExecStart");
    let word = command.first()?.split_whitespace().next()?;
    Some(word.trim_start_matches(['-', '@', ':', '+', '!', '|']).trim_matches(['"', '\'']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_ours_by_its_name() {
        for (name, ours) in [
            ("iio-focus.timer", true),
            ("iio-focus@kitchen.timer", true),
            ("iio-focus.service", true),
            ("iio-focus-backup.timer", false),
            ("apt-daily.timer", false),
        ] {
            assert_eq!(is_ours(name), ours, "{name}");
        }
    }

    #[test]
    fn a_program_is_the_first_word_without_its_marks() {
        for (text, program) in [
            ("ExecStart=iio-focus --verbose", Some("iio-focus")),
            ("ExecStart=-+/opt/iio-focus", Some("/opt/iio-focus")),
            ("ExecStart=old\nExecStart=\nExecStart=\"/new\" x", Some("/new")),
            ("ExecStart=old\nExecStart=", None),
            ("", None),
        ] {
            let unit = Unit::of(&format!("[Service]\n{text}\n"));
            assert_eq!(program_of(&unit).as_deref(), program, "{text}");
        }
    }
}
