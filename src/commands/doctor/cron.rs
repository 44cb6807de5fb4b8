//! Why cron starts nothing although there is a table for it (`cron(8)`, `crontab(5)`).

use super::Finding;
use super::facts::crontab::Job;
use super::facts::schedule::{CronFile, Daemon, Node, Place};

/// The line that starts a run, unless nobody means cron to read the file.
pub(super) fn job(file: &CronFile) -> Option<&Job> {
    file.table.as_ref().ok()?.job.as_ref().filter(|_| !is_leftover(file))
}

/// Whether a package manager or an editor left the file, and nobody means cron to read it.
fn is_leftover(file: &CronFile) -> bool {
    let endings = [".dpkg-old", ".dpkg-dist", ".dpkg-new", ".dpkg-orig", "~", ".bak"];
    let name = file.name();
    file.place != Place::System
        && (name.starts_with('.') || endings.iter().any(|ending| name.ends_with(ending)))
}

/// Why cron starts nothing although there is a line for it.
pub(super) fn passed_over(file: &CronFile, daemon: Daemon) -> Option<Finding> {
    let is_meant = file.name().contains("iio-focus");
    let Some(job) = job(file) else {
        // Nobody can say what is behind a broken link or in a folder, so its name must do.
        return if is_meant && !is_leftover(file) && !is_a_file(file) { not_read(file) } else { None };
    };
    let place = format!("{} line {}", file.path.display(), job.line);
    let cannot_run =
        |why: &str, advice: &str| Some(Finding::wrong(format!("cron cannot run {place}{why}"), advice));
    if let Some(finding) = not_read(file) {
        return Some(finding);
    }
    if let Some(why) = job.broken {
        return cannot_run(&format!(", because {why}"), "correct that line");
    }
    if let Some(program) = &file.missing_program {
        let search = job.path.as_deref().unwrap_or("/usr/bin:/bin, which is cron's own");
        let searched = if program.contains('/') { String::new() } else { format!(" in PATH={search}") };
        let why = format!(", because there is no {program}{searched}");
        return cannot_run(&why, "write the full path of iio-focus in that line");
    }
    match daemon {
        Daemon::Enabled => None,
        Daemon::Disabled => cannot_run(": it is not enabled itself", "sudo systemctl enable --now cron"),
        Daemon::Absent => cannot_run(
            ": it is not installed",
            "sudo apt install cron, or use the timer: sudo systemctl enable --now iio-focus.timer",
        ),
    }
}

/// Why cron takes nothing of the file.
fn not_read(file: &CronFile) -> Option<Finding> {
    let refused = file.table.as_ref().ok().and_then(|table| table.refused.as_ref());
    let by_table = refused.map(|why| {
        (why.clone(), "correct that: one wrong line, and cron takes none of the others".to_owned())
    });
    let (why, advice) = by_place(file).or(by_table)?;
    Some(Finding::wrong(format!("cron does not read {}, because {why}", file.path.display()), advice))
}

fn is_a_file(file: &CronFile) -> bool {
    file.node.mode & nix::libc::S_IFMT == nix::libc::S_IFREG
}

/// What `cron(8)` asks of a file, depending on where it is: why it does not take it, and what to do.
fn by_place(file: &CronFile) -> Option<(String, String)> {
    if file.place == Place::Users { of_user(file) } else { of_system(file) }
}

/// The first of the rules that says that it is so.
fn first<const N: usize>(rules: [(bool, String, String); N]) -> Option<(String, String)> {
    rules.into_iter().find_map(|(is_so, why, advice)| is_so.then_some((why, advice)))
}

/// A table of a user's.
fn of_user(file: &CronFile) -> Option<(String, String)> {
    let (path, name) = (file.path.display(), file.name());
    let Node { uid, mode, link_uid, .. } = file.node;
    let rights = mode & 0o7777;
    let by_user = first([
        (file.owner.is_none(), format!("there is no user {name}"), format!("sudo rm {path}")),
        (
            link_uid.is_some(),
            "it is a symbolic link".to_owned(),
            format!("install it as a table: sudo crontab -u {name} FILE"),
        ),
        (
            uid != 0 && Some(uid) != file.owner,
            format!("it does not belong to {name}"),
            format!("sudo chown {name} {path}"),
        ),
        (rights != 0o600, format!("its mode is {rights:o}, not 600"), format!("sudo chmod 600 {path}")),
    ]);
    by_user.or_else(|| of_any(file))
}

/// `/etc/crontab`, or a table in `/etc/cron.d`.
fn of_system(file: &CronFile) -> Option<(String, String)> {
    let (path, name) = (file.path.display(), file.name());
    let Node { uid, mode, link_uid, .. } = file.node;
    let takes = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let by_name = first([
        (
            file.place == Place::Folder && !name.bytes().all(takes),
            "its name has more than letters, digits, - and _".to_owned(),
            "rename it".to_owned(),
        ),
        (
            link_uid.is_some_and(|uid| uid != 0),
            "the link does not belong to root".to_owned(),
            format!("sudo chown -h root: {path}"),
        ),
    ]);
    by_name.or_else(|| of_any(file)).or_else(|| {
        first([
            (uid != 0, "it does not belong to root".to_owned(), format!("sudo chown root: {path}")),
            (
                mode & 0o022 != 0,
                "others than root can write it".to_owned(),
                format!("sudo chmod go-w {path}"),
            ),
        ])
    })
}

fn of_any(file: &CronFile) -> Option<(String, String)> {
    let own = format!("sudo sed -i '' {}, which makes it a file of its own", file.path.display());
    first([
        (!is_a_file(file), "it is no regular file".to_owned(), "put a file in its place".to_owned()),
        (file.node.links > 1, "it has more than one name (hard link)".to_owned(), own),
    ])
}

impl CronFile {
    fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::facts::crontab::Table;
    use super::*;

    /// A table in `/etc/cron.d`, or one of a user, or the system's.
    pub(crate) fn table(path: &str, line: Option<usize>) -> CronFile {
        let place = if path.contains("/cron.d/") {
            Place::Folder
        } else if path.contains("/crontabs/") {
            Place::Users
        } else {
            Place::System
        };
        let mode = 0o100_000 | if place == Place::Users { 0o600 } else { 0o644 };
        let job = line.map(|line| Job { line, ..Job::default() });
        CronFile {
            path: path.into(),
            place,
            node: Node { uid: 0, mode, links: 1, link_uid: None },
            owner: Some(1000),
            table: Ok(Table { job, refused: None }),
            missing_program: None,
        }
    }

    /// The table in cron.d, or of the user pi, with this difference, and what is said of it.
    #[track_caller]
    fn is_passed_over(path: &str, change: fn(&mut CronFile), wanted: Option<(&str, &str)>) {
        let mut file = table(path, Some(1));
        change(&mut file);
        let finding = passed_over(&file, Daemon::Enabled);
        match (&finding, wanted) {
            (None, None) => {}
            (Some(finding), Some((found, advice)))
                if finding.found.contains(found) && finding.advice.as_deref().unwrap().contains(advice) => {}
            _ => panic!("{finding:?} is not {wanted:?}"),
        }
    }

    #[test]
    fn a_table_that_cron_does_not_trust_is_passed_over() {
        let system = |change, wanted| is_passed_over("/pi/cron.d/iio-focus", change, wanted);
        system(|_| (), None);
        system(
            |file| file.path = "/pi/cron.d/a.b".into(),
            Some(("/pi/cron.d/a.b, because its name", "rename it")),
        );
        system(
            |file| file.node.uid = 1000,
            Some(("does not belong to root", "sudo chown root: /pi/cron.d/iio-focus")),
        );
        system(|file| file.node.mode = 0o100_664, Some(("others than root", "sudo chmod go-w /pi")));
        system(|file| file.node.mode = 0o100_646, Some(("others than root", "sudo chmod go-w /pi")));
        system(|file| file.node.mode = 0o100_755, None);
        system(|file| file.node.mode = 0o040_755, Some(("no regular file", "put a file")));
        system(|file| file.node.links = 2, Some(("hard link", "sed -i")));
        system(|file| file.node.link_uid = Some(0), None);
        system(
            |file| file.node.link_uid = Some(1),
            Some(("the link does not belong to root", "chown -h root:")),
        );
        let users = |change, wanted| is_passed_over("/pi/crontabs/pi", change, wanted);
        users(|_| (), None);
        users(|file| file.node.uid = 1000, None);
        users(|file| file.node.uid = 1001, Some(("does not belong to pi", "sudo chown pi /pi/crontabs/pi")));
        users(|file| file.node.mode = 0o100_640, Some(("its mode is 640, not 600", "sudo chmod 600 /pi")));
        users(|file| file.owner = None, Some(("there is no user pi", "sudo rm /pi/crontabs/pi")));
        users(
            |file| file.node.link_uid = Some(0),
            Some(("it is a symbolic link", "sudo crontab -u pi FILE")),
        );
        users(|file| file.node.links = 2, Some(("hard link", "sed -i")));
    }

    #[test]
    fn a_line_that_starts_nothing_is_told() {
        fn job(file: &mut CronFile) -> &mut Job {
            file.table.as_mut().unwrap().job.as_mut().unwrap()
        }
        let system = |change, wanted| is_passed_over("/pi/cron.d/iio-focus", change, wanted);
        system(
            |file| file.table.as_mut().unwrap().refused = Some("line 3 has a bad minute".into()),
            Some(("cron does not read /pi/cron.d/iio-focus, because line 3 has a bad minute", "correct")),
        );
        system(
            |file| job(file).broken = Some("a % ends it"),
            Some(("cron cannot run /pi/cron.d/iio-focus line 1, because a % ends it", "correct that line")),
        );
        system(
            |file| file.missing_program = Some("iio-focus".into()),
            Some(("because there is no iio-focus in PATH=/usr/bin:/bin", "full path of iio-focus")),
        );
        system(
            |file| {
                file.missing_program = Some("/opt/iio-focus".into());
            },
            Some(("because there is no /opt/iio-focus", "full path")),
        );
        let file = table("/pi/cron.d/iio-focus", Some(1));
        for (daemon, words) in [(Daemon::Absent, "not installed"), (Daemon::Disabled, "not enabled")] {
            assert!(passed_over(&file, daemon).unwrap().found.contains(words));
        }
    }

    #[test]
    fn a_leftover_is_meant_for_nobody() {
        for name in ["x.dpkg-old", "x.dpkg-dist", "x.dpkg-new", "x~", "x.bak", ".x"] {
            is_passed_over("/pi/cron.d/x", |_| (), None);
            let file = table(&format!("/pi/cron.d/{name}"), Some(1));
            assert!(passed_over(&file, Daemon::Enabled).is_none() && super::job(&file).is_none(), "{name}");
        }
    }
}
