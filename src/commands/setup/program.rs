//! The third step: focus, which comes from WhaTap.

use std::path::{Path, PathBuf};

use nix::sys::utsname::uname;

use super::project::Project;
use super::system::System;
use super::talk::Talk;
use crate::commands::doctor::for_setup;
use crate::commands::program::{focus_version, shown};
use crate::error::Error;

const STEP: &str = "focus";

/// Where it belongs: the service cannot see a home directory.
const PLACE: &str = "/usr/local/bin/focus";

/// WhaTap's own page, whose list of addresses these are from. For arm64 the page has that of amd64 by mistake; the right
/// one is that of WhaTap's own transcript on a Pi (January 2025).
const PAGE: &str = "https://docs.whatap.io/focus/install-focus";
const ADDRESS: &str = "https://repo.whatap.io/focus";

/// Says whether focus is there. Returns whether it can be used.
///
/// # Errors
/// What standard output says.
pub(super) fn carry_out(system: &System, project: &Project, talk: &mut Talk) -> Result<bool, Error> {
    let program = project.program().unwrap_or("focus".into());
    let (is_good, words) = for_setup::focus(&system.root, &program, system.is_live);
    if is_good {
        let version = version(system, &program).map(|version| format!(", version {version}"));
        return talk.found(STEP, &(words + &version.unwrap_or_default())).map(|()| true);
    }
    talk.left(STEP, &words)?;
    let machine = uname().map(|uname| uname.machine().to_string_lossy().into_owned()).unwrap_or_default();
    match folder(&machine).filter(|_| system.is_live) {
        Some(folder) => {
            talk.more(&format!("sudo wget -O {PLACE} {ADDRESS}/{folder}/focus"))?;
            talk.more(&format!("sudo chmod 755 {PLACE}"))?;
        }
        None => talk.more(&format!("get it from {PAGE} and put it into {}", system.path(PLACE).display()))?,
    }
    Ok(false)
}

/// The folder that WhaTap has for this machine, as `uname -m` names it.
fn folder(machine: &str) -> Option<&'static str> {
    Some(match machine {
        "aarch64" => "linux_arm64",
        "x86_64" => "linux_amd64",
        _ if machine.starts_with("armv7") || machine.starts_with("armv8") => "linux_arm_7",
        _ if machine.starts_with("armv6") => "linux_arm_6",
        _ if machine.starts_with("armv5") => "linux_arm_5",
        _ => return None,
    })
}

/// What focus says of its version when it is called without anything, as the service's user.
fn version(system: &System, program: &Path) -> Option<String> {
    let service = system.service().ok().filter(|_| system.is_live)?;
    focus_version(program, Some((service.uid, service.gid))).map(shown)
}

impl Project {
    /// The program that the configuration names.
    fn program(&self) -> Option<PathBuf> {
        self.text_of("program").map(PathBuf::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_machine_has_the_focus_that_whatap_has_for_it() {
        for (machine, wanted) in [
            ("aarch64", Some("linux_arm64")),
            ("armv7l", Some("linux_arm_7")),
            ("armv6l", Some("linux_arm_6")),
            ("x86_64", Some("linux_amd64")),
            ("riscv64", None),
        ] {
            assert_eq!(folder(machine), wanted, "{machine}");
        }
    }
}
