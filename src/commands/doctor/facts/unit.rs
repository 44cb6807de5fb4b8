//! systemd's unit files with their drop-ins, as `systemd.unit(5)` and `systemd.syntax(7)` have them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::names_in;
use super::way::{End, Way};
use crate::error::Problem;

/// Where units are, the first before the others.
pub(crate) const FOLDERS: [&str; 8] = [
    "etc/systemd/system.control",
    "run/systemd/system.control",
    "run/systemd/transient",
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
];

/// What systemd has under a unit's name.
#[derive(Debug)]
pub(crate) enum Load {
    Absent,
    /// This link leads to `/dev/null`, or this file is empty.
    Masked(PathBuf),
    Unreadable(Problem),
    Loaded(Unit),
}

/// The settings of a unit, in the order in which systemd reads them.
#[derive(Debug, Default)]
pub(crate) struct Unit {
    /// Section, key, value.
    settings: Vec<(String, String, String)>,
}

impl Load {
    pub(crate) fn look(root: &Path, name: &str) -> Load {
        let template = template_of(name);
        let names = [Some(name), template.as_deref()];
        let candidates =
            names.into_iter().flatten().flat_map(|name| FOLDERS.map(|dir| root.join(dir).join(name)));
        let Some(file) = candidates.into_iter().find(|path| path.symlink_metadata().is_ok()) else {
            return Load::Absent;
        };
        let mut unit = Unit::default();
        match text(root, &file) {
            Ok(None) => return Load::Masked(file),
            Ok(Some(text)) => unit.read(&text),
            Err(problem) => return Load::Unreadable(problem),
        }
        for file in drop_ins(root, name).into_values() {
            // One that leads to /dev/null or is empty says nothing.
            unit.read(&text(root, &file).ok().flatten().unwrap_or_default());
        }
        unit.name_instance(name);
        Load::Loaded(unit)
    }

    pub(crate) fn unit(&self) -> Option<&Unit> {
        match self {
            Load::Loaded(unit) => Some(unit),
            _ => None,
        }
    }
}

/// What a unit's file holds. None: it says that there shall be no such unit.
fn text(root: &Path, file: &Path) -> Result<Option<String>, Problem> {
    let way = Way::look(root, file);
    let is_null = match way.steps.last() {
        Some(last) if way.found().is_some() => last.path == Path::new("/dev/null"),
        // The system that is looked at may be one that does not run, with an empty /dev.
        _ => matches!(&way.end, End::Missing(path) if path.starts_with("/dev")),
    };
    if is_null {
        return Ok(None);
    }
    let found = way.found().unwrap_or(file);
    let bytes = fs::read(found).map_err(|error| Problem::file("read", file, &error))?;
    Ok((!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned()))
}

/// `iio-focus@.service` for `iio-focus@kitchen.service`.
fn template_of(name: &str) -> Option<String> {
    let (stem, kind) = name.rsplit_once('.')?;
    let (prefix, instance) = stem.split_once('@')?;
    (!instance.is_empty()).then(|| format!("{prefix}@.{kind}"))
}

/// The drop-ins by their names, in whose order they are read. Of those with the same name, one folder's hides the others'.
fn drop_ins(root: &Path, name: &str) -> BTreeMap<String, PathBuf> {
    let kind = name.rsplit_once('.').map_or("", |(_, kind)| kind);
    let stem = name.split(['@', '.']).next().unwrap_or_default();
    let dashes = stem.match_indices('-').map(|(at, _)| format!("{}.{kind}", &stem[..=at]));
    let mut of: Vec<String> = vec![kind.to_owned()];
    of.extend(dashes);
    of.extend(template_of(name));
    of.push(name.to_owned());
    let mut found = BTreeMap::new();
    // What is for this unit alone comes before what is for more, and /etc before /usr.
    for dir in of
        .iter()
        .flat_map(|of| FOLDERS.iter().rev().map(move |folder| root.join(folder).join(format!("{of}.d"))))
    {
        for file in names_in(&dir).unwrap_or_default().into_iter().filter(|file| file.ends_with(".conf")) {
            let path = dir.join(&file);
            found.insert(file, path);
        }
    }
    found
}

impl Unit {
    fn read(&mut self, text: &str) {
        let mut section = String::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let mut line = line.trim().to_owned();
            if line.starts_with(['#', ';']) {
                continue;
            }
            while let Some(continued) = line.strip_suffix('\\') {
                let next = lines.by_ref().map(str::trim).find(|next| !next.starts_with(['#', ';']));
                line = format!("{continued} {}", next.unwrap_or_default());
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                name.clone_into(&mut section);
            } else if let Some((key, value)) = line.split_once('=') {
                self.settings.push((section.clone(), key.trim().to_owned(), value.trim().to_owned()));
            }
        }
    }

    /// Puts the instance's name for `%i` and `%I`.
    fn name_instance(&mut self, name: &str) {
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let instance = stem.split_once('@').map_or("", |(_, instance)| instance);
        for (_, _, value) in &mut self.settings {
            *value = value.replace("%i", instance).replace("%I", instance);
        }
    }

    /// A setting of which the last one counts. None: it is not set, or empty.
    pub(crate) fn last(&self, section: &str, key: &str) -> Option<&str> {
        self.all(section, key).last().copied()
    }

    /// A setting that can be there several times; an empty one takes back those before it.
    pub(crate) fn all(&self, section: &str, key: &str) -> Vec<&str> {
        let mut all = Vec::new();
        for (in_section, name, value) in &self.settings {
            if in_section == section && name == key {
                if value.is_empty() {
                    all.clear();
                } else {
                    all.push(value.as_str());
                }
            }
        }
        all
    }

    /// The words of such a setting.
    pub(crate) fn words(&self, section: &str, key: &str) -> Vec<&str> {
        self.all(section, key).into_iter().flat_map(str::split_whitespace).collect()
    }

    /// Whether a setting is there at all, be it empty.
    pub(crate) fn has(&self, section: &str, key: &str) -> bool {
        self.settings.iter().any(|(in_section, name, _)| in_section == section && name == key)
    }

    /// Whether a setting is one of the words for yes; what stands there otherwise.
    pub(crate) fn switch(&self, section: &str, key: &str) -> Result<bool, &str> {
        match self.last(section, key).unwrap_or("no") {
            "1" | "yes" | "y" | "true" | "t" | "on" => Ok(true),
            "0" | "no" | "n" | "false" | "f" | "off" => Ok(false),
            other => Err(other),
        }
    }

    /// The conditions that are not met and can be looked at: those about files.
    pub(crate) fn unmet(&self, root: &Path) -> Vec<String> {
        let mut unmet = Vec::new();
        let mut triggers = Vec::new();
        for (key, test) in FILE_CONDITIONS {
            for kind in ["Condition", "Assert"] {
                let name = format!("{kind}{key}");
                for value in self.all("Unit", &name) {
                    let (is_trigger, rest) = split_mark(value, '|');
                    let (is_negated, path) = split_mark(rest, '!');
                    let is_met = test(&root.join(path.trim_start_matches('/'))) != is_negated;
                    if is_trigger {
                        triggers.push((is_met, format!("{name}={value}")));
                    } else if !is_met {
                        unmet.push(format!("{name}={value}"));
                    }
                }
            }
        }
        // Of those with a bar, one is enough.
        if !triggers.iter().any(|(is_met, _)| *is_met) {
            unmet.extend(triggers.into_iter().map(|(_, condition)| condition));
        }
        unmet
    }
}

fn split_mark(text: &str, mark: char) -> (bool, &str) {
    text.strip_prefix(mark).map_or((false, text), |rest| (true, rest.trim_start()))
}

type Test = fn(&Path) -> bool;

const FILE_CONDITIONS: [(&str, Test); 5] = [
    ("PathExists", |path| path.exists()),
    ("PathIsDirectory", |path| path.is_dir()),
    ("FileNotEmpty", |path| path.metadata().is_ok_and(|meta| meta.is_file() && meta.len() > 0)),
    ("DirectoryNotEmpty", |path| names_in(path).is_ok_and(|names| !names.is_empty())),
    ("PathIsSymbolicLink", |path| path.is_symlink()),
];

#[cfg(test)]
impl Unit {
    /// One with this text.
    pub(crate) fn of(text: &str) -> Unit {
        let mut unit = Unit::default();
        unit.read(text);
        unit
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn settings_add_up_until_an_empty_one() {
        let unit = Unit::of(
            "[Service]\nUser = pi\n# User=root\nReadWritePaths=/a \\\n  # a comment\n  /b\nReadWritePaths=/c\nProtectHome=true\n\
             [Timer]\nOnCalendar=hourly\nOnCalendar=\n",
        );
        assert_eq!(unit.last("Service", "User"), Some("pi"));
        assert_eq!(unit.last("Unit", "User"), None);
        assert_eq!(unit.words("Service", "ReadWritePaths"), ["/a", "/b", "/c"]);
        assert_eq!(unit.last("Timer", "OnCalendar"), None);
        assert!(unit.has("Timer", "OnCalendar"));
        assert_eq!(unit.switch("Service", "ProtectHome"), Ok(true));
        assert_eq!(unit.switch("Service", "PrivateTmp"), Ok(false));
    }

    fn write(root: &Path, name: &str, text: &str) {
        fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        fs::write(root.join(name), text).unwrap();
    }

    fn user(root: &Path, name: &str) -> String {
        match Load::look(root, name) {
            Load::Loaded(unit) => unit.last("Service", "User").unwrap_or("none").to_owned(),
            Load::Masked(file) => format!("masked by {}", file.strip_prefix(root).unwrap().display()),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn drop_ins_are_read_in_the_order_of_their_names_from_all_folders() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        assert_eq!(user(root, "a-b.service"), "Absent");
        write(root, "usr/lib/systemd/system/a-b.service", "[Service]\nUser=vendor\n");
        assert_eq!(user(root, "a-b.service"), "vendor");
        for (file, wanted) in [
            ("usr/lib/systemd/system/service.d/20-x.conf", "1"),
            ("usr/lib/systemd/system/a-.service.d/30-x.conf", "2"),
            ("usr/lib/systemd/system/a-b.service.d/40-x.conf", "3"),
            ("run/systemd/system/a-b.service.d/40-x.conf", "4"),
            ("etc/systemd/system/a-b.service.d/40-x.conf", "5"),
            ("etc/systemd/system/a-b.service.d/override.conf", "6"),
        ] {
            write(root, file, &format!("[Service]\nUser={wanted}\n"));
            assert_eq!(user(root, "a-b.service"), wanted, "{file}");
        }
        write(root, "etc/systemd/system/a-b.service.d/10-x.conf", "[Service]\nUser=first\n");
        write(root, "etc/systemd/system/a-b.service.d/zz.ini", "[Service]\nUser=other\n");
        assert_eq!(user(root, "a-b.service"), "6");
    }

    #[test]
    fn a_unit_is_the_first_folders_and_a_template_gives_its_instances() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        write(root, "usr/lib/systemd/system/a@.service", "[Service]\nUser=for-%i\n");
        assert_eq!(user(root, "a@kitchen.service"), "for-kitchen");
        write(root, "run/systemd/system/a@kitchen.service", "[Service]\nUser=own\n");
        assert_eq!(user(root, "a@kitchen.service"), "own");
        write(root, "etc/systemd/system/a@kitchen.service", "");
        assert_eq!(user(root, "a@kitchen.service"), "masked by etc/systemd/system/a@kitchen.service");
        fs::remove_file(root.join("etc/systemd/system/a@kitchen.service")).unwrap();
        symlink("/dev/null", root.join("etc/systemd/system/a@kitchen.service")).unwrap();
        assert_eq!(user(root, "a@kitchen.service"), "masked by etc/systemd/system/a@kitchen.service");
    }

    #[test]
    fn conditions_about_files_are_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        write(root, "etc/there", "x");
        for (conditions, wanted) in [
            ("ConditionPathExists=/etc/there", ""),
            ("ConditionPathExists=/etc/none", "ConditionPathExists=/etc/none"),
            ("ConditionPathExists=!/etc/there", "ConditionPathExists=!/etc/there"),
            ("AssertPathExists=/etc/none", "AssertPathExists=/etc/none"),
            ("ConditionPathExists=|/etc/none\nConditionPathExists=|/etc/there", ""),
            ("ConditionPathExists=|/etc/none", "ConditionPathExists=|/etc/none"),
            ("ConditionPathExists=/etc/none\nConditionPathExists=", ""),
            ("ConditionFileNotEmpty=/etc/there", ""),
            ("ConditionDirectoryNotEmpty=/none", "ConditionDirectoryNotEmpty=/none"),
            ("ConditionVirtualization=no", ""),
        ] {
            let unit = Unit::of(&format!("[Unit]\n{conditions}\n"));
            assert_eq!(unit.unmet(root).join(" "), wanted, "{conditions}");
        }
    }
}
