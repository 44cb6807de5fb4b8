//! Signals: to this program while it works, and what its starter did to them.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileTypeExt;
use std::time::Duration;

use crate::machine::{Machine, eventually, fifo, pid_of, replace_by_link};
use nix::sys::signal::{Signal, kill};

#[test]
fn a_signal_while_focus_works_ends_both() {
    for (signal, status) in
        [(Signal::SIGTERM, 143), (Signal::SIGINT, 130), (Signal::SIGHUP, 129), (Signal::SIGQUIT, 131)]
    {
        let machine = Machine::with_fault("hang");
        let child = machine.start_until_focus_hangs(&mut machine.command(&[]));
        kill(pid_of(&child), signal).unwrap();
        let outcome = machine.finish(child);
        let line = format!(
            "ended by {signal} temperature=20.6 humidity=24.4 device=htu21 attempts=1 delivered=0 backlog=1: \
             focus was ended: this program got {signal}; it said: Collecting stdin-json"
        );
        assert_eq!(outcome.error(status), line);
        // SIGKILL would have come 2 s later.
        assert!(outcome.took < Duration::from_secs(2), "focus did not end by SIGTERM: {outcome:#?}");
        assert_eq!(outcome.records.len(), 1);
    }
}

#[test]
fn a_second_signal_changes_nothing() {
    let machine = Machine::with_fault("hang");
    let child = machine.start_until_focus_hangs(&mut machine.command(&[]));
    // Stopped, so that it finds both.
    kill(pid_of(&child), Signal::SIGSTOP).unwrap();
    for signal in [Signal::SIGTERM, Signal::SIGTERM, Signal::SIGCHLD] {
        kill(pid_of(&child), signal).unwrap();
    }
    kill(pid_of(&child), Signal::SIGCONT).unwrap();
    assert!(machine.finish(child).error(143).starts_with("ended by SIGTERM "));
}

#[test]
fn sigkill_leaves_no_focus_behind() {
    let machine = Machine::with_fault("hang-deaf");
    let child = machine.start_until_focus_hangs(&mut machine.command(&[]));
    assert!(machine.leftovers().len() >= 2, "this program and focus");
    kill(pid_of(&child), Signal::SIGKILL).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), None);
    // It is reaped by whoever adopts it, this test or init, and has no environment left by then.
    let name = machine.focus.display().to_string();
    eventually("focus is gone", || {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let mut alive = processes
            .filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
            .filter(|line| line.starts_with(name.as_bytes()));
        alive.next().is_none()
    });
}

#[test]
fn a_signal_during_the_read_ends_the_run_after_it_and_focus_is_not_started() {
    for (signal, status) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let machine = Machine::with_sensor();
        let attribute = machine.path("sys/bus/iio/devices/iio:device0/in_temp_input");
        fifo(&attribute);
        assert!(attribute.metadata().unwrap().file_type().is_fifo());
        let child = machine.command(&[]).spawn().unwrap();
        // Opening waits until the run opens the other end: its signals are in place since, and it reads.
        let mut answer = File::options().write(true).open(&attribute).unwrap();
        kill(pid_of(&child), signal).unwrap();
        answer.write_all(b"20600\n").unwrap();
        drop(answer);
        let outcome = machine.finish(child);
        assert!(outcome.error(status).starts_with(&format!("ended by {signal} ")), "{outcome:#?}");
        assert!(outcome.stderr.contains("focus was not started"), "{outcome:#?}");
        assert!(outcome.records.is_empty(), "{outcome:#?}");
    }
}

#[test]
fn a_signal_during_a_read_that_fails_ends_the_run_before_the_next_try() {
    let mut machine = Machine::with_sensor();
    machine.set("sensor.retry-delay", "\"10m\"");
    let attribute = machine.path("sys/bus/iio/devices/iio:device0/in_temp_input");
    fifo(&attribute);
    let child = machine.command(&["--deadline", "1h"]).spawn().unwrap();
    let mut answer = File::options().write(true).open(&attribute).unwrap();
    kill(pid_of(&child), Signal::SIGTERM).unwrap();
    answer.write_all(b"bad\n").unwrap();
    drop(answer);
    let outcome = machine.finish(child);
    assert_eq!(outcome.error(143), "ended by SIGTERM between two tries of the sensor");
    assert!(outcome.records.is_empty(), "{outcome:#?}");
}

#[test]
fn a_signal_during_the_pause_ends_it() {
    let mut machine = Machine::with_sensor();
    machine.set("sensor.retry-delay", "\"10m\"");
    replace_by_link(&machine.path("sys/bus/iio/devices/iio:device0/in_temp_input"), "/proc/self/mem");
    let mut command = machine.command(&["--deadline", "1h", "--verbose"]);
    let log = machine.path("log");
    let child = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
    // The line about the first try is written before the pause.
    eventually("the first try is over", || std::fs::read_to_string(&log).unwrap().contains("try 1 of 10"));
    kill(pid_of(&child), Signal::SIGHUP).unwrap();
    let outcome = machine.finish(child);
    assert_eq!(outcome.status, 129, "{outcome:#?}");
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.ends_with("iio-focus: error: ended by SIGHUP between two tries of the sensor\n"), "{log}");
}

#[test]
fn sigchld_that_the_starter_ignored_is_harmless() {
    // Not `trap '' CHLD`: some shells need that signal themselves and pass it on as usual.
    let ignoring = ["env", "--ignore-signal=CHLD"];
    let machine = Machine::with_sensor();
    let probe =
        machine.bare(&["env", "--ignore-signal=CHLD", "grep", "SigIgn", "/proc/self/status"]).output();
    let mask = String::from_utf8(probe.unwrap().stdout).unwrap();
    let mask = u64::from_str_radix(mask.trim_start_matches("SigIgn:").trim(), 16).unwrap();
    assert_eq!(mask >> (Signal::SIGCHLD as u32 - 1) & 1, 1, "the test itself: it is ignored");
    machine.run_under(&ignoring, &[]).delivered();
    let machine = Machine::with_fault("exit-1");
    machine.run_under(&ignoring, &[]).fails(69, &["focus exited with 1"]);
}

#[test]
fn sigpipe_and_sigterm_that_the_starter_ignored_are_as_usual() {
    let machine = Machine::with_sensor();
    let ignoring = ["env", "--ignore-signal=PIPE", "--ignore-signal=TERM"];
    machine.run_under(&ignoring, &[]).delivered();
}

#[test]
fn stopping_and_going_on_is_harmless() {
    let mut machine = Machine::with_fault("hang");
    machine.set("focus.timeout", "\"300ms\"");
    let child = machine.start_until_focus_hangs(&mut machine.command(&[]));
    kill(pid_of(&child), Signal::SIGSTOP).unwrap();
    kill(pid_of(&child), Signal::SIGCONT).unwrap();
    machine.finish(child).fails(69, &["focus did not finish within 300ms"]);
}

#[test]
fn a_signal_that_the_starter_ignores_as_nohup_does_stays_ignored() {
    let mut machine = Machine::with_fault("hang");
    machine.set("focus.timeout", "\"300ms\"");
    let ignoring = ["env", "--ignore-signal=HUP"];
    let child = machine.start_until_focus_hangs(&mut machine.command_under(&ignoring, &[]));
    kill(pid_of(&child), Signal::SIGHUP).unwrap();
    machine.finish(child).fails(69, &["focus did not finish within 300ms"]);
}
