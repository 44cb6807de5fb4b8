//! What `setup` asks of the doctor: where things are, and what is wrong in the doctor's own words.

use std::path::{Path, PathBuf};

use super::facts::Facts;
pub(crate) use super::facts::board::Board;
pub(crate) use super::facts::boot::LONGEST as LONGEST_CONFIG_TXT;
use super::facts::boot::{self, Boot};
use super::facts::config_txt;
pub(crate) use super::facts::config_txt::{DEFAULT_PIN, DTPARAM, Load, OUR_OVERLAY, When};
use super::facts::delivery::Program;
use super::facts::kernel::Kernel;
pub(crate) use super::facts::pins::number;
use super::facts::schedule::Schedule;
use super::facts::users::Users;
use super::{Finding, State, delivery, driver, schedule};
use crate::cli;
use crate::config;
use crate::error::Error;

/// Where the boot partition's files are.
pub(crate) struct BootFiles {
    /// The `config.txt` that the firmware reads.
    pub(crate) config_file: PathBuf,
    /// The place of our overlay.
    pub(crate) overlay_file: PathBuf,
    /// A device tree is there.
    pub(crate) has_overlay: bool,
}

pub(crate) fn boot_files(root: &Path, board: &Board) -> Option<BootFiles> {
    Boot::look(root, board).map(|boot| BootFiles {
        config_file: boot.config_file,
        overlay_file: boot.overlay_file,
        has_overlay: boot.is_device_tree == Ok(true),
    })
}

/// What a `config.txt` with this text loads, and what it includes.
pub(crate) fn loads(board: &Board, config_file: &Path, text: &str) -> Vec<Load> {
    let read = |file: &Path| if file == config_file { Some(text.to_owned()) } else { boot::text(file) };
    config_txt::loads(board, config_file, &read)
}

/// Whether the running kernel has a device for a sensor on this GPIO.
pub(crate) fn has_device(pin: u32) -> bool {
    let kernel = Kernel::look(Path::new("/"), Path::new("/sys"));
    kernel.devices.iter().any(|device| device.pin == Some(pin))
}

/// Why there is no sensor: the first thing that is wrong on its way, and what to do about it.
pub(crate) fn why_no_sensor(args: &cli::Args) -> Result<Vec<String>, Error> {
    let doctor = cli::Doctor { config: None, device: None, sysfs: None, root: None, json: false };
    let (facts, _) = Facts::of_machine(args, &doctor)?;
    let checks: [fn(&Facts) -> Vec<Finding>; 3] = [driver::available, driver::bound, driver::sensors];
    let findings = checks.iter().flat_map(|check| check(&facts));
    let wrong = findings.filter(|finding| finding.state == State::Wrong);
    Ok(wrong.map(|finding| words(&finding)).collect())
}

/// How it is with the program focus.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FocusState {
    Good,
    /// It is there, and something about it has to be changed.
    Mendable,
    /// It is not there, or another one is needed.
    ToFetch,
}

/// The doctor's words about the program focus on the system in this folder.
pub(crate) fn focus(root: &Path, program: &Path, is_live: bool) -> (FocusState, String) {
    let machine = if is_live { Kernel::look(root, Path::new("/sys")).machine } else { machine_of(root) };
    let program = Program::at(root, &config::under(root, program.to_owned()));
    let finding = delivery::judge(&program, &machine);
    match program {
        _ if finding.state != State::Wrong => (FocusState::Good, words(&finding)),
        Program::NotInPath(_) => (FocusState::ToFetch, "not there".to_owned()),
        Program::Absent(_) => (FocusState::ToFetch, finding.found),
        Program::File(_, mode, Ok(_)) if mode & 0o111 != 0 => (FocusState::ToFetch, finding.found),
        _ => (FocusState::Mendable, words(&finding)),
    }
}

/// The machine that a card is for, as `uname -m` names it: the one that its programs are for. Empty: not known.
fn machine_of(root: &Path) -> String {
    match Program::at(root, &root.join("usr/bin/env")) {
        Program::File(_, _, Ok(head)) => delivery::machine_for(&head).to_owned(),
        _ => String::new(),
    }
}

/// What starts runs already: the timers, and cron's lines.
pub(crate) fn schedules(root: &Path) -> (Vec<String>, Vec<String>) {
    let found = Schedule::look(root, &Users::look(root));
    let lines = schedule::good_lines_of(&found).map(|(path, line)| format!("{} line {line}", path.display()));
    let lines = lines.collect();
    (found.timers.into_iter().map(|timer| timer.name).collect(), lines)
}

fn words(finding: &Finding) -> String {
    match &finding.advice {
        Some(advice) => format!("{} -> {advice}", finding.found),
        None => finding.found.clone(),
    }
}
