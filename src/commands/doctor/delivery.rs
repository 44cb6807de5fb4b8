//! The way to WhaTap: focus, and the server.

use std::path::Path;

use super::Finding;
use super::configuration::NEEDS_CONFIGURATION;
use super::facts::Facts;
use super::facts::delivery::{NoAnswer, Program, TIME_LIMIT};
use super::rights::empty_part;
use crate::commands::program::{FIRST_GOOD_FOCUS, shown};
use crate::focus::SET_PROGRAM;

/// Is focus there, and can it run here?
pub(super) fn program(facts: &Facts) -> Vec<Finding> {
    let needs_configuration = || Finding::note(NEEDS_CONFIGURATION);
    let machine = &facts.kernel.machine;
    let judged = facts.program.as_ref().map(|program| judge(program, machine));
    let mut findings = vec![judged.unwrap_or_else(needs_configuration)];
    if let Some(version) = facts.focus_version {
        findings.push(judge_version(version));
    }
    if facts.path_has_empty_part {
        findings
            .push(empty_part("PATH").advise("take it out: no :: in it, and no : at its beginning or end"));
    }
    findings
}

fn judge_version(version: [u32; 3]) -> Finding {
    let found = format!("version {}", shown(version));
    let is_broken = version < FIRST_GOOD_FOCUS;
    let found = if is_broken { found + ", whose JSON input is broken" } else { found };
    Finding::ok(found).wrong_if(is_broken, format!("install focus {} or later", shown(FIRST_GOOD_FOCUS)))
}

/// Can this program run on such a machine?
pub(super) fn judge(program: &Program, machine: &str) -> Finding {
    let set_program = "set program in [focus] to where focus is";
    match program {
        Program::NotInPath(problem) => Finding::wrong(&problem.what, SET_PROGRAM),
        Program::Absent(path) => Finding::wrong(format!("{} is not there", path.display()), set_program),
        Program::NotAFile(path) => Finding::wrong(format!("{} is no file", path.display()), set_program),
        Program::Unusable(problem) => Finding::unusable_file(problem),
        Program::File(path, mode, _) if mode & 0o111 == 0 => {
            let path = path.display();
            Finding::wrong(format!("{path} is not executable"), format!("sudo chmod 755 {path}"))
        }
        Program::File(path, _, Err(problem)) => {
            Finding::note(format!("{}; {}", path.display(), problem.what)).advise("run this with sudo")
        }
        Program::File(path, _, Ok(head)) => executable(path, head, machine),
    }
}

/// A file that begins so, on this machine.
fn executable(path: &Path, head: &[u8], machine: &str) -> Finding {
    let path = path.display();
    match Kind::of(head) {
        Kind::Script => Finding::ok(format!("{path}, a script")),
        Kind::Elf(processor) => match runs(machine, processor) {
            Some(true) => Finding::ok(format!("{path}, for {}", processor_name(processor))),
            None if machine.is_empty() => Finding::ok(format!("{path}, for {}", processor_name(processor))),
            Some(false) => Finding::wrong(
                format!("{path} is for {}, and this machine is {machine}", processor_name(processor)),
                format!("install the focus for {machine}"),
            ),
            None => {
                Finding::note(format!("{path}, for {}; this machine is {machine}", processor_name(processor)))
            }
        },
        Kind::Other => {
            Finding::wrong(format!("{path} is neither a program nor a script"), "install focus anew")
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
fn runs(machine: &str, processor: u16) -> Option<bool> {
    let runs: &[u16] = match machine {
        // A 64-bit kernel runs the 32-bit programs too.
        "aarch64" => &[EM_AARCH64, EM_ARM],
        "x86_64" => &[EM_X86_64, EM_386],
        _ if machine.starts_with("arm") => &[EM_ARM],
        "i386" | "i486" | "i586" | "i686" => &[EM_386],
        _ => return None,
    };
    Some(runs.contains(&processor))
}

/// The machine, as `uname -m` names it, for which a program is that begins so. A Pi whose programs are 32-bit may have
/// a 64-bit kernel, which runs both. Empty: not known.
pub(super) fn machine_for(head: &[u8]) -> &'static str {
    match Kind::of(head) {
        Kind::Elf(EM_AARCH64 | EM_ARM) => "aarch64",
        Kind::Elf(EM_X86_64) => "x86_64",
        _ => "",
    }
}

fn processor_name(processor: u16) -> String {
    match processor {
        EM_386 => "32-bit x86".to_owned(),
        EM_ARM => "32-bit Arm".to_owned(),
        EM_X86_64 => "amd64 (x86_64)".to_owned(),
        EM_AARCH64 => "arm64 (aarch64)".to_owned(),
        other => format!("processor {other} of the ELF list"),
    }
}

/// Does the server answer?
pub(super) fn server(facts: &Facts) -> Vec<Finding> {
    let (Some(focus), Some(answer)) = (&facts.configuration.config.focus, &facts.server) else {
        return vec![Finding::note(NEEDS_CONFIGURATION)];
    };
    let shown = format!("{}:{}", focus.server_host, focus.server_port);
    vec![match answer {
        Ok(()) => Finding::ok(format!("{shown} answers")),
        Err(NoAnswer::Late) => Finding::wrong(
            format!("{shown} did not answer within {}", humantime::format_duration(TIME_LIMIT)),
            "check the network, the firewall, and server-host and server-port in [focus]",
        ),
        Err(NoAnswer::NoAddress(why)) => Finding::wrong(
            format!("{shown}: {why}"),
            "check server-host in [focus], and the network's name server",
        ),
        Err(NoAnswer::Refused(why)) => {
            Finding::wrong(format!("{shown}: {why}"), "check server-host and server-port in [focus]")
        }
    }]
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::super::State::{Note, Ok as Good, Wrong};
    use super::super::tests::{Case, cannot_read, expect_each};
    use super::*;
    use crate::error::Problem;

    fn file(facts: &mut Facts, mode: u32, head: Result<&[u8], Problem>) {
        facts.program = Some(Program::File("/pi/bin/focus".into(), mode, head.map(<[u8]>::to_vec)));
    }

    /// The first 20 bytes of a program for a processor.
    fn elf(processor: u8) -> Vec<u8> {
        [&b"\x7fELF\x02\x01\x01"[..], &[0; 9], &[2, 0, processor, 0]].concat()
    }

    #[test]
    fn a_focus_whose_json_input_is_broken_is_told() {
        let cases: &[Case<'_>] = &[
            (
                |facts| facts.focus_version = Some([1, 1, 5]),
                &[(Good, "a script", ""), (Good, "version 1.1.5", "")],
            ),
            (
                |facts| facts.focus_version = Some([1, 1, 2]),
                &[(Good, "a script", ""), (Wrong, "version 1.1.2, whose JSON", "focus 1.1.3 or later")],
            ),
        ];
        expect_each(program, cases);
    }

    #[test]
    fn focus_is_a_file_that_this_machine_can_run() {
        expect_each(
            program,
            &[
                (|_| (), &[(Good, "/pi/bin/focus, a script", "")]),
                (
                    |facts| facts.path_has_empty_part = true,
                    &[
                        (Good, "", ""),
                        (Note, "PATH has an empty part, which means whatever folder", "take it out"),
                    ],
                ),
                (|facts| facts.program = None, &[(Note, "the configuration comes first", "")]),
                (
                    |facts| {
                        facts.program = Some(Program::NotInPath(Problem::new("no program focus")));
                    },
                    &[(Wrong, "no program focus", "set program in [focus] to its full path")],
                ),
                (
                    |facts| facts.program = Some(Program::Absent("/pi/focus".into())),
                    &[(Wrong, "/pi/focus is not there", "set program in [focus]")],
                ),
                (
                    |facts| facts.program = Some(Program::NotAFile("/pi/focus".into())),
                    &[(Wrong, "/pi/focus is no file", "set program in [focus]")],
                ),
                (
                    |facts| facts.program = Some(Program::Unusable(cannot_read(Errno::ELOOP))),
                    &[(Wrong, "/pi/file: ELOOP", "put a file there")],
                ),
                (
                    |facts| facts.program = Some(Program::Unusable(cannot_read(Errno::EACCES))),
                    &[(Wrong, "/pi/file: EACCES", "run this with sudo")],
                ),
            ],
        );
    }

    #[test]
    fn focus_is_a_program_for_this_machine_or_a_script() {
        expect_each(
            program,
            &[
                (
                    |facts| file(facts, 0o644, Ok(&elf(183))),
                    &[(Wrong, "/pi/bin/focus is not executable", "sudo chmod 755 /pi/bin/focus")],
                ),
                (
                    |facts| file(facts, 0o711, Err(cannot_read(Errno::EACCES))),
                    &[(Note, "/pi/bin/focus; cannot read /pi/file: EACCES", "run this with sudo")],
                ),
                (|facts| file(facts, 0o755, Ok(&elf(183))), &[(Good, "focus, for arm64 (aarch64)", "")]),
                (
                    |facts| file(facts, 0o755, Ok(&elf(62))),
                    &[(
                        Wrong,
                        "/pi/bin/focus is for amd64 (x86_64), and this machine is aarch64",
                        "install the focus for aarch64",
                    )],
                ),
                (
                    |facts| {
                        file(facts, 0o755, Ok(&elf(243)));
                        facts.kernel.machine = "riscv64".into();
                    },
                    &[(Note, "for processor 243 of the ELF list; this machine is riscv64", "")],
                ),
                (
                    |facts| file(facts, 0o755, Ok(b"<html>")),
                    &[(Wrong, "neither a program nor a script", "install focus anew")],
                ),
            ],
        );
    }

    #[test]
    fn a_server_answers_or_the_advice_says_what_to_check() {
        expect_each(
            server,
            &[
                (|_| (), &[(Good, "whatap.example:6600 answers", "")]),
                (|facts| facts.server = None, &[(Note, "the configuration comes first", "")]),
                (
                    |facts| facts.server = Some(Err(NoAnswer::Late)),
                    &[(Wrong, "whatap.example:6600 did not answer within 5s", "firewall")],
                ),
                (
                    |facts| facts.server = Some(Err(NoAnswer::NoAddress("no such name".into()))),
                    &[(
                        Wrong,
                        "whatap.example:6600: no such name",
                        "server-host in [focus], and the network",
                    )],
                ),
                (
                    |facts| facts.server = Some(Err(NoAnswer::Refused("ECONNREFUSED".into()))),
                    &[(Wrong, "whatap.example:6600: ECONNREFUSED", "server-port")],
                ),
            ],
        );
    }

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
