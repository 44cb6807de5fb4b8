//! The third step: focus, which comes from WhaTap.

use std::path::{Path, PathBuf};

use nix::sys::utsname::uname;

use super::project::Project;
use super::system::System;
use super::talk::Talk;
use crate::commands::doctor::for_setup::{self, FocusState};
use crate::commands::program::{focus_version, shown};
use crate::config;
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
    let (state, words) = for_setup::focus(&system.root, &program, system.is_live);
    match state {
        FocusState::Good => {
            let version = version(system, &program).map(|version| format!(", version {version}"));
            return talk.found(STEP, &(words + &version.unwrap_or_default())).map(|()| true);
        }
        FocusState::Mendable => return talk.left(STEP, &words).map(|()| false),
        FocusState::ToFetch => talk.left(STEP, &words)?,
    }
    let place = if program.is_absolute() { &program } else { Path::new(PLACE) };
    let place = config::under(&system.root, place.to_owned());
    let place = place.display();
    let machine = uname().map(|uname| uname.machine().to_string_lossy().into_owned()).unwrap_or_default();
    match folder(&machine).filter(|_| system.is_live) {
        Some(folder) => {
            talk.more("fetch it with these two commands, and call setup again:")?;
            talk.more(&format!("sudo wget -O {place} {ADDRESS}/{folder}/focus"))?;
            talk.more(&format!("sudo chmod 755 {place}"))?;
        }
        None => talk.more(&format!("get it from {PAGE}, put it into {place} and call setup again"))?,
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
