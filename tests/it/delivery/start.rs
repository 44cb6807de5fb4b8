//! A focus that cannot be started.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::reason;
use crate::machine::{Machine, stand_in};

fn with_program(program: &str) -> Machine {
    let mut machine = Machine::with_sensor();
    machine.set("focus.program", &format!("{program:?}"));
    machine
}

#[test]
fn a_program_that_is_not_in_path_is_told_with_the_path() {
    let mut machine = with_program("no-such-focus");
    machine.env("PATH", "/usr/bin:/bin");
    let outcome = machine.run(&[]);
    let reason_ = reason(&outcome);
    assert!(reason_.starts_with("cannot start no-such-focus: there is no program"), "{reason_}");
    assert!(reason_.contains("PATH=/usr/bin:/bin;") && reason_.contains("program in [focus]"), "{reason_}");
    machine.unset_env("PATH");
    assert!(reason(&machine.run(&[])).contains("in PATH=;"));
}

#[test]
fn a_program_that_is_not_there_is_told() {
    let outcome = with_program("/no/such/focus").run(&[]);
    assert!(reason(&outcome).starts_with("cannot start /no/such/focus: ENOENT: "), "{outcome:#?}");
    let outcome = with_program("/etc/passwd/focus").run(&[]);
    assert!(reason(&outcome).starts_with("cannot start /etc/passwd/focus: ENOTDIR: "), "{outcome:#?}");
}

#[test]
fn a_program_that_may_not_be_executed_is_told() {
    let mut machine = Machine::with_sensor();
    let file = machine.private_file("plain", "#!/bin/sh\ntouch x\n");
    machine.set("focus.program", &format!("{:?}", file.display().to_string()));
    let outcome = machine.run(&[]);
    assert!(reason(&outcome).contains("EACCES: Permission denied"), "{outcome:#?}");
    machine.set("focus.program", "\"/usr\"");
    let outcome = machine.run(&[]);
    assert!(reason(&outcome).starts_with("cannot start /usr: EACCES: "), "{outcome:#?}");
}

#[test]
fn a_file_that_the_kernel_cannot_execute_is_not_handed_to_a_shell() {
    let mut elf_of_another_machine = fs::read(stand_in()).unwrap();
    elf_of_another_machine.truncate(4096);
    // e_machine
    elf_of_another_machine[18..20].copy_from_slice(&[0xfe, 0xff]);
    for content in [b"touch x\necho '[TCP] Connected'\n".as_slice(), &elf_of_another_machine, b"", b"\0\0"] {
        let mut machine = Machine::with_sensor();
        let file = machine.executable("bin/text", content);
        machine.set("focus.program", &format!("{:?}", file.display().to_string()));
        let outcome = machine.run(&[]);
        let reason = reason(&outcome);
        assert!(reason.contains("ENOEXEC: "), "{reason}");
        assert!(reason.contains("not a program for this machine's processor"), "{reason}");
        assert!(!machine.path("x").exists(), "a shell ran it");
    }
}

#[test]
fn a_script_whose_interpreter_is_missing_is_told() {
    let mut machine = Machine::with_sensor();
    let file = machine.executable("bin/script", "#!/no/such/interpreter\n");
    machine.set("focus.program", &format!("{:?}", file.display().to_string()));
    let outcome = machine.run(&[]);
    assert!(reason(&outcome).contains("ENOENT: No such file"), "{outcome:#?}");
    assert!(reason(&outcome).contains("the interpreter it asks for"), "{outcome:#?}");
}

#[test]
fn a_script_is_a_program_as_well() {
    let mut machine = Machine::with_sensor();
    let script = format!("#!/bin/sh\nexec '{}' \"$@\"\n", machine.focus.display());
    let file = machine.executable("bin/script", script);
    machine.set("focus.program", &format!("{:?}", file.display().to_string()));
    machine.run(&[]).delivered();
}

#[test]
fn the_executable_bit_that_root_lacks_too_is_the_one_that_counts() {
    let mut machine = Machine::with_sensor();
    let file = machine.private_file("bin/file", "#!/bin/sh\ntouch x\n");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o111, 0);
    machine.env("PATH", &machine.path("bin").display().to_string());
    machine.set("focus.program", "\"file\"");
    assert!(reason(&machine.run(&[])).starts_with("cannot start file: there is no program file in PATH="));
}
