//! Which files a service of systemd sees and can change, whatever their modes say (`systemd.exec(5)`).

use std::path::{Path, PathBuf};

use super::unit::Unit;

/// What is different for a process of a unit; for one of cron's, nothing.
#[derive(Debug, Default)]
pub(crate) struct Sandbox {
    /// The longest path that fits counts; of the same path, the last.
    rules: Vec<Rule>,
    /// The folders that systemd makes for the unit, and gives to its user if they are another's.
    pub(crate) state: Vec<PathBuf>,
    /// Whether root has his rights over files.
    pub(crate) lacks_override: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Hidden,
    ReadOnly,
    Writable,
}

#[derive(Debug)]
struct Rule {
    path: PathBuf,
    access: Access,
    /// The setting that it comes from.
    setting: String,
}

use Access::{Hidden, ReadOnly, Writable};

/// Lists of paths.
const LISTS: [(&str, Access); 7] = [
    ("TemporaryFileSystem", Hidden),
    ("InaccessiblePaths", Hidden),
    ("ReadOnlyPaths", ReadOnly),
    ("ReadWritePaths", Writable),
    ("ExecPaths", Writable),
    ("BindReadOnlyPaths", ReadOnly),
    ("BindPaths", Writable),
];

/// The folders that a unit can be given, and where they are.
const OWN: [(&str, &str); 4] = [
    ("StateDirectory", "/var/lib"),
    ("CacheDirectory", "/var/cache"),
    ("LogsDirectory", "/var/log"),
    ("RuntimeDirectory", "/run"),
];

impl Sandbox {
    pub(crate) fn of(unit: &Unit) -> Sandbox {
        let mut sandbox = Sandbox::default();
        sandbox.protect_system(unit);
        sandbox.protect_home(unit);
        if unit.switch("Service", "PrivateTmp") != Ok(false) {
            sandbox.rule("PrivateTmp", unit, Hidden, &["/tmp", "/var/tmp"]);
        }
        for (key, access) in LISTS {
            for word in unit.words("Service", key) {
                // Where it is bound to, and without the marks and options.
                let word = word.trim_start_matches(['-', '+']);
                let parts: Vec<&str> = word.split(':').collect();
                let to = if key.starts_with("Bind") { *parts.get(1).unwrap_or(&parts[0]) } else { parts[0] };
                sandbox.rules.push(Rule { path: to.into(), access, setting: format!("{key}={word}") });
            }
        }
        for (key, dir) in OWN {
            for word in unit.words("Service", key) {
                let path = Path::new(dir).join(word.split(':').next().unwrap_or_default());
                sandbox.rules.push(Rule {
                    path: path.clone(),
                    access: Writable,
                    setting: format!("{key}={word}"),
                });
                sandbox.state.push(path);
            }
        }
        sandbox.lacks_override = lacks_override(unit);
        sandbox
    }

    fn rule(&mut self, key: &str, unit: &Unit, access: Access, paths: &[&str]) {
        let setting = format!("{key}={}", unit.last("Service", key).unwrap_or_default());
        self.rules.extend(paths.iter().map(|path| Rule {
            path: path.into(),
            access,
            setting: setting.clone(),
        }));
    }

    fn protect_system(&mut self, unit: &Unit) {
        let paths: &[&str] = match unit.switch("Service", "ProtectSystem") {
            Ok(false) => &[],
            Err("strict") => &["/"],
            Err("full") => &["/usr", "/boot", "/efi", "/etc"],
            _ => &["/usr", "/boot", "/efi"],
        };
        self.rule("ProtectSystem", unit, ReadOnly, paths);
    }

    fn protect_home(&mut self, unit: &Unit) {
        let access = match unit.switch("Service", "ProtectHome") {
            Ok(false) => return,
            Err("read-only") => ReadOnly,
            _ => Hidden,
        };
        self.rule("ProtectHome", unit, access, &["/home", "/root", "/run/user"]);
    }

    /// The setting that hides this path from the unit.
    pub(crate) fn hides(&self, path: &Path) -> Option<&str> {
        self.for_path(path)
            .filter(|rule| rule.access == Hidden && rule.path != path)
            .map(|rule| &*rule.setting)
    }

    /// The setting that keeps the unit from changing what is at this path.
    pub(crate) fn keeps_unchanged(&self, path: &Path) -> Option<&str> {
        self.for_path(path).filter(|rule| rule.access == ReadOnly).map(|rule| &*rule.setting)
    }

    fn for_path(&self, path: &Path) -> Option<&Rule> {
        let fitting = self.rules.iter().filter(|rule| path.starts_with(&rule.path));
        fitting.max_by_key(|rule| rule.path.components().count())
    }
}

/// Whether not even root may do what modes forbid (`capabilities(7)`).
fn lacks_override(unit: &Unit) -> bool {
    if !unit.has("Service", "CapabilityBoundingSet") {
        return false;
    }
    let words = unit.words("Service", "CapabilityBoundingSet");
    let is_named = words.iter().any(|word| word.trim_start_matches('~') == "CAP_DAC_OVERRIDE");
    let is_inverted = words.first().is_some_and(|word| word.starts_with('~'));
    is_named == is_inverted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_path_counts() {
        for (settings, path, hidden, unchanged) in [
            ("", "/home/pi/focus", None, None),
            ("ProtectHome=true", "/home/pi/focus", Some("ProtectHome=true"), None),
            ("ProtectHome=yes", "/root/focus", Some("ProtectHome=yes"), None),
            ("ProtectHome=true", "/homes/focus", None, None),
            ("ProtectHome=tmpfs", "/home/pi", Some("ProtectHome=tmpfs"), None),
            ("ProtectHome=read-only", "/home/pi", None, Some("ProtectHome=read-only")),
            ("ProtectHome=true\nProtectHome=no", "/home/pi", None, None),
            (
                "ProtectHome=true\nBindReadOnlyPaths=/home/pi/bin",
                "/home/pi/bin/focus",
                None,
                Some("BindReadOnlyPaths=/home/pi/bin"),
            ),
            ("ProtectHome=true\nBindPaths=/x:/home/pi", "/home/pi/focus", None, None),
            ("ProtectSystem=strict", "/srv/db", None, Some("ProtectSystem=strict")),
            ("ProtectSystem=strict\nReadWritePaths=-/srv", "/srv/db", None, None),
            ("ProtectSystem=full", "/etc/x", None, Some("ProtectSystem=full")),
            ("ProtectSystem=true", "/etc/x", None, None),
            ("ProtectSystem=true", "/usr/x", None, Some("ProtectSystem=true")),
            ("ProtectSystem=strict\nStateDirectory=iio-focus", "/var/lib/iio-focus/readings.db", None, None),
            (
                "ProtectSystem=strict\nStateDirectory=iio-focus",
                "/var/lib/iio",
                None,
                Some("ProtectSystem=strict"),
            ),
            ("PrivateTmp=true", "/tmp/readings.db", Some("PrivateTmp=true"), None),
            ("PrivateTmp=disconnected", "/var/tmp/x", Some("PrivateTmp=disconnected"), None),
            ("InaccessiblePaths=-/opt", "/opt/focus", Some("InaccessiblePaths=/opt"), None),
        ] {
            let sandbox = Sandbox::of(&Unit::of(&format!("[Service]\n{settings}\n")));
            let path = Path::new(path);
            assert_eq!(sandbox.hides(path), hidden, "{settings:?} {path:?}");
            assert_eq!(sandbox.keeps_unchanged(path), unchanged, "{settings:?} {path:?}");
        }
    }

    #[test]
    fn root_without_capabilities_is_held_to_the_modes() {
        for (settings, lacks) in [
            ("", false),
            ("CapabilityBoundingSet=", true),
            ("CapabilityBoundingSet=CAP_CHOWN", true),
            ("CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE", false),
            ("CapabilityBoundingSet=~CAP_SYS_ADMIN", false),
            ("CapabilityBoundingSet=~CAP_SYS_ADMIN CAP_DAC_OVERRIDE", true),
        ] {
            assert_eq!(
                Sandbox::of(&Unit::of(&format!("[Service]\n{settings}\n"))).lacks_override,
                lacks,
                "{settings}"
            );
        }
    }
}
