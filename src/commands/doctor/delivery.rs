//! The way to WhaTap: focus, the configuration, and the server.

use std::env;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::utsname::uname;

use super::{Finding, System, credential, names_in};
use crate::child::find_program;
use crate::clock::Deadline;
use crate::config;
use crate::error::{Error, cannot, describe};
use crate::focus::{Focus, SET_PROGRAM};
use crate::run::retry_policy;

const FOCUS: &str = "focus";
const CONFIG: &str = "configuration";
const SERVER: &str = "server";

/// For the name and the connection together: as long as focus waits for a connection.
const LIMIT: Duration = Duration::from_secs(5);

const LATER: &str = "not looked at: the configuration comes first";

fn focus(system: &System) -> Option<&Focus> {
    system.whole.as_ref().ok()?.focus.as_ref()
}

/// Is focus there, and can it run here?
pub(super) fn program(system: &System) -> Vec<Finding> {
    let Some(focus) = focus(system) else { return vec![Finding::note(FOCUS, LATER)] };
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = env::split_paths(&path).map(|dir| config::under(&system.root, dir));
    // Only a folder's name with a colon cannot be joined, and those were just split at colons.
    let path = env::join_paths(dirs).unwrap_or_default();
    vec![match find_program(&focus.program, Some(&path)) {
        Err(problem) => Finding::problem(FOCUS, problem, SET_PROGRAM),
        Ok(program) => look_at(&program),
    }]
}

fn look_at(program: &Path) -> Finding {
    let shown = program.display();
    let mode = match program.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Finding::wrong(
                FOCUS,
                format!("{shown} is not there"),
                "set program in [focus] to where focus is",
            );
        }
        Err(error) => return Finding::closed(FOCUS, program, &error),
        Ok(meta) if !meta.is_file() => {
            return Finding::wrong(
                FOCUS,
                format!("{shown} is no file"),
                "set program in [focus] to where focus is",
            );
        }
        Ok(meta) => meta.permissions().mode(),
    };
    if mode & 0o111 == 0 {
        return Finding::wrong(
            FOCUS,
            format!("{shown} is not executable"),
            format!("sudo chmod 755 {shown}"),
        );
    }
    let mut head = Vec::new();
    if let Err(error) = File::open(program).and_then(|file| file.take(20).read_to_end(&mut head)) {
        return Finding::note(FOCUS, format!("{shown}; {}", cannot("read", program, &error)))
            .advise("run this with sudo");
    }
    let here = uname().map(|uname| uname.machine().to_string_lossy().into_owned()).unwrap_or_default();
    match Kind::of(&head) {
        Kind::Script => Finding::ok(FOCUS, format!("{shown}, a script")),
        Kind::Elf(machine) => match runs(&here, machine) {
            Some(true) => Finding::ok(FOCUS, format!("{shown}, for {}", machine_name(machine))),
            Some(false) => Finding::wrong(
                FOCUS,
                format!("{shown} is for {}, and this machine is {here}", machine_name(machine)),
                format!("install the focus for {here}"),
            ),
            None => Finding::note(
                FOCUS,
                format!("{shown}, for {}; this machine is {here}", machine_name(machine)),
            ),
        },
        Kind::Other => {
            Finding::wrong(FOCUS, format!("{shown} is neither a program nor a script"), "install focus anew")
        }
    }
}

/// What the kernel would take a file for.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// `e_machine` (`elf(5)`).
    Elf(u16),
    Script,
    Other,
}

impl Kind {
    fn of(head: &[u8]) -> Kind {
        match head {
            [b'#', b'!', ..] => Kind::Script,
            [0x7f, b'E', b'L', b'F', _, order, .., low, high] if head.len() == 20 => {
                let bytes = [*low, *high];
                Kind::Elf(if *order == 2 { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
            }
            _ => Kind::Other,
        }
    }
}

const EM_386: u16 = 3;
const EM_ARM: u16 = 40;
const EM_X86_64: u16 = 62;
const EM_AARCH64: u16 = 183;

/// Whether a machine, as `uname -m` names it, runs such a program. None: not known.
fn runs(here: &str, machine: u16) -> Option<bool> {
    let runs: &[u16] = match here {
        // A 64-bit kernel runs the 32-bit programs too.
        "aarch64" => &[EM_AARCH64, EM_ARM],
        "x86_64" => &[EM_X86_64, EM_386],
        _ if here.starts_with("arm") => &[EM_ARM],
        "i386" | "i486" | "i586" | "i686" => &[EM_386],
        _ => return None,
    };
    Some(runs.contains(&machine))
}

fn machine_name(machine: u16) -> String {
    match machine {
        EM_386 => "32-bit x86".to_owned(),
        EM_ARM => "32-bit Arm".to_owned(),
        EM_X86_64 => "amd64 (x86_64)".to_owned(),
        EM_AARCH64 => "arm64 (aarch64)".to_owned(),
        other => format!("processor {other} of the ELF list"),
    }
}

/// Is the configuration right?
pub(super) fn configuration(system: &System) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &system.whole {
        Ok(config) => findings.push(Finding::ok(CONFIG, config.file.display().to_string())),
        Err(error) => findings.push(Finding::wrong(CONFIG, error.to_string(), advice(system, error))),
    }
    for sensor in system.tried() {
        if let Err(error) = retry_policy(&system.config, sensor, Deadline(Duration::ZERO)) {
            findings.push(Finding::wrong(CONFIG, error.to_string(), "leave it out: the default is right"));
        }
    }
    findings
}

fn advice(system: &System, error: &Error) -> String {
    if error.is_denied() {
        return "run this with sudo".to_owned();
    }
    let dir = system.path("etc/iio-focus");
    let default = config::under(&system.root, config::DEFAULT_FILE.into());
    let is_absent = !default.exists();
    match names_in(&dir).unwrap_or_default().iter().find(|name| name.ends_with(".toml")) {
        Some(one) if is_absent => {
            format!("look at one of several sensors: iio-focus doctor --config {}", dir.join(one).display())
        }
        _ if is_absent && system.config.file == default => {
            format!("write {}: man iio-focus.toml shows one", default.display())
        }
        _ => "correct that: man iio-focus.toml has every key".to_owned(),
    }
}

/// Can only those read the licence who have to?
pub(super) fn private(system: &System) -> Vec<Finding> {
    const PRIVATE: &str = "licence";
    let known = system.whole.as_ref().unwrap_or(&system.config);
    let mut warnings = known.warnings.clone();
    let credential = credential(&system.root).and_then(|file| Some((fs::metadata(&file).ok()?, file)));
    if let Some((meta, file)) = credential {
        config::LICENSE.warn_if_public(&file, meta.permissions().mode(), &mut warnings);
    }
    if warnings.is_empty() {
        return vec![if system.whole.is_ok() {
            Finding::ok(PRIVATE, "only its owner and group can read it")
        } else {
            Finding::note(PRIVATE, LATER)
        }];
    }
    let each = warnings.into_iter().map(|warning| {
        let advice = warning.advice.unwrap_or_else(|| "make it private".to_owned());
        Finding::wrong(PRIVATE, warning.what, format!("sudo {advice}"))
    });
    each.collect()
}

/// Does the server answer?
pub(super) fn server(system: &System) -> Vec<Finding> {
    let Some(focus) = focus(system) else { return vec![Finding::note(SERVER, LATER)] };
    let (host, port) = (focus.server_host.clone(), focus.server_port);
    let shown = format!("{host}:{port}");
    let (to, answer) = mpsc::channel();
    // Looking up a name has no time limit of its own. The thread ends with the process.
    thread::spawn(move || to.send(connect(&host, port)));
    vec![match answer.recv_timeout(LIMIT).unwrap_or(Err(NoAnswer::Late)) {
        Ok(()) => Finding::ok(SERVER, format!("{shown} answers")),
        Err(NoAnswer::Late) => Finding::wrong(
            SERVER,
            format!("{shown} did not answer within {}", humantime::format_duration(LIMIT)),
            "check the network, the firewall, and server-host and server-port in [focus]",
        ),
        Err(NoAnswer::NoAddress(why)) => Finding::wrong(
            SERVER,
            format!("{shown}: {why}"),
            "check server-host in [focus], and the network's name server",
        ),
        Err(NoAnswer::Refused(why)) => {
            Finding::wrong(SERVER, format!("{shown}: {why}"), "check server-host and server-port in [focus]")
        }
    }]
}

enum NoAnswer {
    Late,
    NoAddress(String),
    Refused(String),
}

fn connect(host: &str, port: u16) -> Result<(), NoAnswer> {
    let addresses = (host, port).to_socket_addrs().map_err(|error| NoAnswer::NoAddress(describe(&error)))?;
    let mut last = NoAnswer::NoAddress("the name has no address".to_owned());
    for address in addresses {
        match TcpStream::connect_timeout(&address, LIMIT) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::TimedOut => last = NoAnswer::Late,
            Err(error) => last = NoAnswer::Refused(describe(&error)),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_taken_for_what_the_kernel_takes_it_for() {
        let elf = |order: u8, machine: [u8; 2]| {
            let mut head = [&[0x7f][..], b"ELF", &[1, order], &[0; 12]].concat();
            head.extend(machine);
            head
        };
        assert_eq!(Kind::of(&elf(1, [183, 0])), Kind::Elf(EM_AARCH64));
        assert_eq!(Kind::of(&elf(2, [0, 40])), Kind::Elf(EM_ARM));
        assert_eq!(Kind::of(b"#!/bin/sh\nexec focus \"$@\""), Kind::Script);
        for other in [&b""[..], b"#", b"\x7fELF", &elf(1, [62, 0])[..19], b"<html>not found, as downloaded"] {
            assert_eq!(Kind::of(other), Kind::Other, "{other:?}");
        }
    }

    #[test]
    fn a_machine_runs_its_own_programs_and_the_narrower_ones_of_its_family() {
        for (here, machine, wanted) in [
            ("aarch64", EM_AARCH64, Some(true)),
            ("aarch64", EM_ARM, Some(true)),
            ("aarch64", EM_X86_64, Some(false)),
            ("armv7l", EM_ARM, Some(true)),
            ("armv6l", EM_AARCH64, Some(false)),
            ("x86_64", EM_X86_64, Some(true)),
            ("x86_64", EM_386, Some(true)),
            ("x86_64", EM_AARCH64, Some(false)),
            ("i686", EM_X86_64, Some(false)),
            ("riscv64", 243, None),
        ] {
            assert_eq!(runs(here, machine), wanted, "{here} {machine}");
        }
    }
}
