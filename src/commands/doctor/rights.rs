//! Whether what starts the runs lets them use their files.

use std::path::Path;

use super::Finding;
use super::facts::Facts;
use super::facts::delivery::Program;
use super::facts::rights::{Needed, Role, Starter};
use super::facts::users::{User, Users};
use super::facts::way::{End, Step, Want, Way};
use super::schedule;

/// Can a run use each of its files, as the user and in the sandbox that it has?
pub(super) fn rights(facts: &Facts) -> Vec<Finding> {
    // What never starts is told already.
    let starts = |starter: &&Starter| schedule::starts(facts, &starter.by);
    facts.starters.iter().filter(starts).flat_map(|starter| of_starter(starter, facts)).collect()
}

fn of_starter(starter: &Starter, facts: &Facts) -> Vec<Finding> {
    let Starter { name, user_name, user, .. } = starter;
    let Some(user) = user else {
        let found = format!("{name} runs as {user_name}, and there is no such user");
        return vec![Finding::wrong(found, "sudo systemd-sysusers, or name another with User=")];
    };
    let mut findings: Vec<Finding> = Vec::new();
    // Of a focus that nobody can start, its own check tells.
    let is_focus_good = matches!(facts.program, Some(Program::File(_, mode, _)) if mode & 0o111 != 0);
    for needed in starter.files.iter().filter(|needed| is_focus_good || needed.role != Role::Focus) {
        // One command mends all files of the store.
        let is_told =
            needed.role == Role::Store && findings.iter().any(|finding| finding.found.contains("the store"));
        findings.extend(judge(starter, user, needed, &facts.users).filter(|_| !is_told));
    }
    if starter.search.split(':').any(str::is_empty) {
        findings.push(
            empty_part(&format!("the PATH of {name}")).wrong_if(true, "take the empty part out of PATH"),
        );
    }
    if findings.is_empty() {
        findings
            .push(Finding::ok(format!("{name} runs as {user_name}, who can use all files that a run needs")));
    }
    findings
}

/// An empty part of PATH is the folder in which the process is.
pub(super) fn empty_part(path: &str) -> Finding {
    Finding::note(format!("{path} has an empty part, which means whatever folder a run is in"))
}

/// What keeps a run from using this file.
fn judge(starter: &Starter, user: &User, needed: &Needed, users: &Users) -> Option<Finding> {
    let Needed { role, path, way, want } = needed;
    let who = format!("{} of {}", starter.user_name, starter.name);
    let name = format!("{} {}", role.name(), path.display());
    let sandbox = &starter.sandbox;
    if let Some(setting) = way.paths().find_map(|path| sandbox.hides(path)) {
        return Some(Finding::wrong(
            format!("{} cannot see {name}: {setting} hides it", starter.name),
            role.move_it(path),
        ));
    }
    let is_made = sandbox.state.iter().any(|state| path.starts_with(state));
    match (&way.end, role) {
        (End::Missing(_), Role::Focus) if path.components().count() == 1 => {
            let found = format!("{} has no {} in its PATH={}", starter.name, path.display(), starter.search);
            return Some(Finding::wrong(found, "set program in [focus] to its full path"));
        }
        (End::Unknown(problem), _) => {
            return Some(Finding::note(format!("{name}: {}", problem.what)).advise("run this with sudo"));
        }
        // What is not there is for other checks to tell; systemd makes its own folders.
        (End::Missing(_), Role::StoreFolder) if !is_made => {}
        (End::Missing(_), _) => return None,
        (End::There(_), _) => {}
    }
    let changes = matches!(want, Want::ReadAndWrite | Want::ChangeFolder);
    let unchanged = way.paths().last().filter(|_| changes).and_then(|path| sandbox.keeps_unchanged(path));
    if let Some(setting) = unchanged {
        let found = format!("{} cannot change {name}: {setting} forbids it", starter.name);
        return Some(Finding::wrong(found, role.move_it(path)));
    }
    let overrides = user.uid == 0 && !sandbox.lacks_override;
    let step = refusing(way, user, overrides, *want)?;
    if starter.gets(user, path, way) {
        return None;
    }
    let (owner, mode) = (users.names(step.uid, step.gid), step.mode & 0o7777);
    let at = step.path.display();
    let found = format!("{who} cannot {} {name}: {at} has mode {mode:o} and belongs to {owner}", want.verb());
    let is_missing = matches!(way.end, End::Missing(_));
    Some(Finding::wrong(found, role.mend(user, step, (path, is_missing), users)))
}

/// The step that refuses; of a folder that is still to be made, also the last one that is there.
fn refusing<'a>(way: &'a Way, user: &User, overrides: bool, want: Want) -> Option<&'a Step> {
    let refused = way.refuses(user, overrides, want);
    let last = way.steps.last().filter(|_| matches!(way.end, End::Missing(_)));
    refused.or_else(|| last.filter(|step| !step.lets(user, overrides, Want::ChangeFolder as u32)))
}

impl Way {
    /// The places that it goes through, and the one that is not there.
    fn paths(&self) -> impl Iterator<Item = &Path> {
        let missing = match &self.end {
            End::Missing(path) => Some(path.as_path()),
            _ => None,
        };
        self.steps.iter().map(|step| step.path.as_path()).chain(missing)
    }
}

impl Starter {
    /// Whether systemd gives the file to the user before the run: all in a folder that it makes for the unit, if that
    /// folder itself is another's (`StateDirectory=` in `systemd.exec(5)`).
    fn gets(&self, user: &User, path: &Path, way: &Way) -> bool {
        self.sandbox.state.iter().filter(|state| path.starts_with(state)).any(|state| {
            let folder = way.steps.iter().find(|step| step.path == **state);
            folder.is_none_or(|folder| (folder.uid, folder.gid) != (user.uid, user.gid))
        })
    }
}

impl Want {
    fn verb(self) -> &'static str {
        match self {
            Want::Read => "read",
            Want::ReadAndWrite => "write",
            Want::Execute | Want::ReadAndExecute => "start",
            Want::ChangeFolder => "make files in",
        }
    }
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Role::Configuration => "the configuration",
            Role::Licence => "the licence",
            Role::Focus => "focus,",
            Role::Itself => "iio-focus,",
            Role::StoreFolder => "the store's folder",
            Role::Store => "the store",
        }
    }

    /// What to do about a place that cannot be used there.
    fn move_it(self, path: &Path) -> String {
        let path = path.display();
        match self {
            Role::Configuration => format!("sudo mv {path} /etc/iio-focus.toml"),
            Role::Licence => format!("sudo mv {path} /etc/, and name it there with license-file in [focus]"),
            Role::Focus => {
                format!("sudo install -m 755 {path} /usr/local/bin/focus, and set program in [focus] to that")
            }
            Role::Itself => {
                format!("sudo install -m 755 {path} /usr/local/bin/iio-focus, and start that one")
            }
            Role::StoreFolder | Role::Store => {
                "set path in [store] to a file in /var/lib/iio-focus".to_owned()
            }
        }
    }

    /// The command that lets this user pass the step on the way to the path, which may be missing.
    fn mend(self, user: &User, step: &Step, (path, is_missing): (&Path, bool), users: &Users) -> String {
        let (at, file) = (step.path.display(), path.display());
        let (name, group) = (&user.name, users.group_name(user.gid));
        let is_home = ["/home", "/root"].iter().any(|home| step.path.starts_with(home));
        let is_on_the_way = step.mode & nix::libc::S_IFMT == nix::libc::S_IFDIR && step.path != path;
        match self {
            Role::StoreFolder if is_missing => format!("sudo install -d -o {name} -g {group} -m 750 {file}"),
            Role::StoreFolder if !is_on_the_way => format!("sudo chown -R {name}:{group} {file}"),
            Role::Store if !is_on_the_way => {
                format!("sudo chown -R {name}:{group} {}", path.parent().unwrap_or(path).display())
            }
            _ if is_on_the_way && is_home => self.move_it(path),
            _ if is_on_the_way => format!("sudo chmod a+x {at}"),
            Role::Focus | Role::Itself => format!("sudo chmod 755 {at}"),
            _ => format!("sudo chown root:{group} {at} && sudo chmod 640 {at}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::State::{Ok as Good, Wrong};
    use super::super::facts::sandbox::Sandbox;
    use super::super::facts::unit::Unit;
    use super::super::tests::{Case, expect_each};
    use super::*;

    fn starter(facts: &mut Facts) -> &mut Starter {
        &mut facts.starters[0]
    }

    fn file(facts: &mut Facts, role: Role) -> &mut Needed {
        starter(facts).files.iter_mut().find(|needed| needed.role == role).unwrap()
    }

    /// The last step, with owner, group and mode.
    fn is(facts: &mut Facts, role: Role, (uid, gid, mode): (u32, u32, u32)) {
        let step = file(facts, role).way.steps.last_mut().unwrap();
        (step.uid, step.gid, step.mode) = (uid, gid, step.mode & !0o7777 | mode);
    }

    fn moved(facts: &mut Facts, role: Role, path: &str) {
        let needed = file(facts, role);
        *needed = Needed::at(role, path, needed.want, (994, 991, 0o755));
    }

    /// As a line of cron has it: no sandbox.
    fn bare(facts: &mut Facts) {
        starter(facts).sandbox = Sandbox::default();
    }

    const FOR_THE_USER: &[Case<'static>] = &[
        (|_| (), &[(Good, "iio-focus.service runs as iio-focus, who can use all files", "")]),
        (
            |facts| starter(facts).user = None,
            &[(Wrong, "runs as iio-focus, and there is no such user", "sudo systemd-sysusers")],
        ),
        (
            |facts| is(facts, Role::Configuration, (0, 0, 0o600)),
            &[(
                Wrong,
                "cannot read the configuration /etc/iio-focus.toml: /etc/iio-focus.toml has mode 600 and belongs to root:root",
                "sudo chown root:iio-focus /etc/iio-focus.toml && sudo chmod 640 /etc/iio-focus.toml",
            )],
        ),
        (
            |facts| is(facts, Role::Store, (0, 0, 0o644)),
            &[(Wrong, "cannot write the store", "sudo chown -R iio-focus:iio-focus /var/lib/iio-focus")],
        ),
        (
            |facts| is(facts, Role::Focus, (1000, 1000, 0o700)),
            &[(Wrong, "cannot start focus, /usr/local/bin/focus", "sudo chmod 755 /usr/local/bin/focus")],
        ),
        (
            |facts| file(facts, Role::Focus).way.steps[2].mode = 0o040_700,
            &[(Wrong, "/usr/local has mode 700 and belongs to root:root", "sudo chmod a+x /usr/local")],
        ),
        (
            |facts| {
                is(facts, Role::Focus, (0, 0, 0o711));
                file(facts, Role::Focus).want = Want::ReadAndExecute;
            },
            &[(Wrong, "cannot start focus", "sudo chmod 755")],
        ),
    ];

    #[test]
    fn files_are_judged_for_the_user_of_the_unit() {
        expect_each(rights, FOR_THE_USER);
    }

    const FOR_THE_SANDBOX: &[Case<'static>] = &[
        (
            |facts| moved(facts, Role::Focus, "/home/pi/focus"),
            &[(
                Wrong,
                "iio-focus.service cannot see focus, /home/pi/focus: ProtectHome=true hides it",
                "sudo install -m 755 /home/pi/focus /usr/local/bin/focus",
            )],
        ),
        (
            |facts| {
                moved(facts, Role::Focus, "/home/pi/focus");
                bare(facts);
            },
            &[(Good, "who can use all", "")],
        ),
        (
            |facts| {
                moved(facts, Role::StoreFolder, "/srv/db");
                moved(facts, Role::Store, "/srv/db/readings.db");
            },
            &[(
                Wrong,
                "cannot change the store's folder /srv/db: ProtectSystem=strict",
                "set path in [store]",
            )],
        ),
        (
            |facts| moved(facts, Role::Configuration, "/tmp/x.toml"),
            &[(Wrong, "cannot see the configuration /tmp/x.toml: PrivateTmp=true", "sudo mv /tmp/x.toml")],
        ),
        (
            |facts| {
                starter(facts).sandbox = Sandbox::of(&Unit::of("[Service]\nCapabilityBoundingSet=\n"));
                starter(facts).user = facts.users.find("root");
            },
            &[(
                Wrong,
                "cannot make files in the store's folder",
                "sudo chown -R root:root /var/lib/iio-focus",
            )],
        ),
        (
            |facts| {
                starter(facts).user = facts.users.find("root");
                bare(facts);
            },
            &[(Good, "who can use all", "")],
        ),
    ];

    #[test]
    fn files_are_judged_for_the_sandbox_of_the_unit() {
        expect_each(rights, FOR_THE_SANDBOX);
    }

    #[test]
    fn systemd_gives_the_whole_state_folder_to_the_user_if_the_folder_is_anothers() {
        fn by_hand(facts: &mut Facts) {
            is(facts, Role::StoreFolder, (0, 0, 0o755));
            is(facts, Role::Store, (0, 0, 0o644));
            file(facts, Role::Store).way.steps[3].uid = 0;
        }
        fn is_missing(facts: &mut Facts) {
            starter(facts).files.retain(|needed| needed.role != Role::Store);
            let needed = file(facts, Role::StoreFolder);
            needed.way.steps.pop();
            needed.way.end = End::Missing(needed.path.clone());
        }
        expect_each(
            rights,
            &[
                (by_hand, &[(Good, "who can use all", "")]),
                (
                    |facts| {
                        by_hand(facts);
                        bare(facts);
                    },
                    &[(
                        Wrong,
                        "cannot make files in the store's folder",
                        "sudo chown -R iio-focus:iio-focus /var/lib/iio-focus",
                    )],
                ),
                (is_missing, &[(Good, "who can use all", "")]),
                (
                    |facts| {
                        is_missing(facts);
                        bare(facts);
                    },
                    &[(
                        Wrong,
                        "/var/lib has mode 755 and belongs to root:root",
                        "sudo install -d -o iio-focus -g iio-focus -m 750 /var/lib/iio-focus",
                    )],
                ),
            ],
        );
    }

    #[test]
    fn programs_are_looked_up_where_the_run_looks() {
        expect_each(
            rights,
            &[
                (
                    |facts| {
                        let needed = file(facts, Role::Focus);
                        needed.path = "focus".into();
                        needed.way = Way { steps: Vec::new(), end: End::Missing("focus".into()) };
                    },
                    &[(Wrong, "iio-focus.service has no focus in its PATH=/usr/local/bin", "full path")],
                ),
                (
                    |facts| starter(facts).search = "/usr/local/bin:".into(),
                    &[(Wrong, "the PATH of iio-focus.service has an empty part", "take the empty part out")],
                ),
            ],
        );
    }
}
