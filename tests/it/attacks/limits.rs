//! The limits of the process: core dumps, and the size of files.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::{SERVICE, is_root, open_to_service, words_as};
use crate::machine::{Machine, pid_of};

#[test]
fn neither_the_program_nor_focus_leaves_a_core_dump() {
    if !is_root("a run of another user, which shows in /proc whether it can be dumped") {
        return;
    }
    let mut machine = Machine::with_sensor();
    open_to_service(&mut machine);
    machine.env("FOCUS_FAULT", "hang");
    let words = words_as(&machine, SERVICE, "077", &["--log", "stderr"]);
    let mut child = machine.start_until_focus_hangs(&mut machine.bare(&words));
    let pid = pid_of(&child);
    // The kernel gives the files of a process that cannot be dumped to root.
    assert_eq!(fs::metadata(format!("/proc/{pid}/environ")).unwrap().uid(), 0);
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    for process in [pid.to_string(), children.trim().to_owned()] {
        let limits = fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    }
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    child.wait().unwrap();
}

#[test]
fn a_limit_on_the_size_of_files_is_a_full_disk() {
    for blocks in [0, 8, 30] {
        let machine = Machine::with_sensor();
        // The stand-in's record is a file too.
        fs::write(machine.path("record"), "").unwrap();
        let script = format!("ulimit -f {blocks}; exec \"$@\"");
        let mut command = machine.command_under(&["sh", "-c", &script, "sh"], &[]);
        command.env_remove("FOCUS_RECORD");
        let outcome = machine.outcome(&mut command);
        assert_eq!(outcome.status, 0, "{blocks}: {outcome:#?}");
        assert!(outcome.stderr.contains(" delivered=1 "), "{blocks}: {outcome:#?}");
    }
}

#[test]
fn focus_gets_the_default_action_for_a_file_that_is_too_large() {
    let mut machine = Machine::with_sensor();
    let probe = machine.signal_probe();
    machine.set("focus.program", &format!("{:?}", probe.display().to_string()));
    machine.run(&[]).delivered();
    let signals = fs::read_to_string(machine.path("signals")).unwrap();
    let ignored = signals.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap().trim();
    let ignored = u64::from_str_radix(ignored, 16).unwrap();
    assert_eq!(ignored & (1 << (25 - 1)), 0, "SIGXFSZ is 25: {signals}");
}
