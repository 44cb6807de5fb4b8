//! What other users see of focus's arguments.

use std::fs;

use nix::sys::signal::{Signal, kill};

use crate::machine::{LICENSE, Machine, pid_of, stand_in};

/// The command lines of all processes of this machine.
fn command_lines(machine: &Machine) -> Vec<String> {
    let read = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    machine.leftovers().iter().map(read).map(|line| line.replace('\0', " ")).collect()
}

#[test]
fn the_licence_is_in_no_command_line_and_focus_has_it() {
    let machine = Machine::with_fault("hang");
    let child = machine.start_until_focus_hangs(&mut machine.command(&[]));
    let lines = command_lines(&machine);
    assert!(lines.iter().any(|line| line.contains(" -license hidden -pcode 7000 ")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains(LICENSE)), "{lines:?}");
    kill(pid_of(&child), Signal::SIGTERM).unwrap();
    let outcome = machine.finish(child);
    assert_eq!(outcome.records[0].argv[1..3], ["-license", LICENSE], "{outcome:#?}");
}

#[test]
fn a_script_in_place_of_focus_has_the_licence_too() {
    let mut machine = Machine::with_sensor();
    let script = format!("#!/bin/sh\nexec '{}' \"$@\"\n", stand_in().display());
    let script = machine.executable("bin/script", script);
    machine.set("focus.program", &format!("{:?}", script.display().to_string()));
    let outcome = machine.run(&[]);
    assert_eq!(outcome.status, 0, "{outcome:#?}");
    assert_eq!(outcome.records[0].argv[1..3], ["-license", LICENSE], "{outcome:#?}");
}

#[test]
fn where_nothing_may_be_traced_focus_is_started_all_the_same() {
    let machine = Machine::with_sensor();
    // A process that is traced cannot ask to be traced.
    let outcome = machine.run_traced(&["-f", "-e", "trace=ptrace"], &["--verbose"]);
    assert_eq!(outcome.status, 0, "{outcome:#?}");
    assert_eq!(outcome.records[0].argv[1..3], ["-license", LICENSE], "{outcome:#?}");
    assert!(outcome.stderr.contains("every user can see all arguments of "), "{outcome:#?}");
}
