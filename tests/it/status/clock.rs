//! Clocks that are wrong: the store is written by real runs whose wall clock alone is another one, in this boot or in
//! an earlier one.

use std::fs;
use std::path::PathBuf;

use super::{Said, status};
use crate::machine::Machine;

/// How far ahead the clock was, as libfaketime takes it: up to nine years.
const AHEAD: [&str; 4] = ["+10m", "+9h", "+300h", "+78894h"];

/// Debian's libfaketime.
fn faketime() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().flatten().map(|folder| folder.path());
    let mut found =
        folders.map(|folder| folder.join("faketime/libfaketime.so.1")).filter(|file| file.exists());
    found.next().expect("libfaketime, of Debian's package faketime")
}

/// Takes a reading while the wall clock is so far ahead. In an earlier boot: a year before this one, as its id says.
fn run_at(machine: &Machine, ahead: &str, in_earlier_boot: bool) -> i32 {
    let boot = machine.private_file("boot_id", "00000000-0000-4000-8000-000000000001\n");
    let binds = [(boot.as_path(), "/proc/sys/kernel/random/boot_id")];
    let mut words = Machine::namespace(if in_earlier_boot { &binds } else { &[] });
    words.extend([
        "env".to_owned(),
        format!("LD_PRELOAD={}", faketime().display()),
        format!("FAKETIME={ahead}"),
        "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
    ]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    machine.run_under(&words, &[]).status
}

fn breaks(machine: &Machine) {
    fs::remove_file(machine.path("sys/bus/iio/devices/iio:device0/in_temp_input")).unwrap();
}

fn mends(machine: &Machine) {
    fs::write(machine.path("sys/bus/iio/devices/iio:device0/in_temp_input"), "20600\n").unwrap();
}

fn is_up(machine: &Machine) -> bool {
    let Said { status, stdout, .. } = status(machine, &["--prometheus"]);
    let up = stdout.lines().find(|line| line.starts_with("iio_focus_up{")).unwrap();
    assert_eq!(up.ends_with(" 1"), status == 0, "{up}");
    status == 0
}

#[test]
fn failed_runs_after_a_good_one_of_the_future_are_failing() {
    for ahead in AHEAD {
        for in_earlier_boot in [false, true] {
            let machine = Machine::with_sensor();
            assert_eq!(run_at(&machine, ahead, in_earlier_boot), 0);
            breaks(&machine);
            assert_eq!((machine.run(&[]).status, machine.run(&[]).status), (66, 66));
            let said = status(&machine, &[]);
            said.verdict(1, ", 2 runs in a row: no temperature and humidity sensor");
            assert!(!said.stdout.contains("0s old"), "{}", said.stdout);
            assert!(!is_up(&machine));
        }
        // And those that took a reading.
        let mut machine = Machine::with_sensor();
        assert_eq!(run_at(&machine, ahead, true), 0);
        machine.env("FOCUS_FAULT", "silent");
        assert_eq!(machine.run(&[]).status, 69);
        status(&machine, &[]).verdict(1, ", 1 run in a row: focus exited with 0");
    }
}

#[test]
fn good_runs_after_a_failed_one_of_the_future_are_ok() {
    for ahead in AHEAD {
        let machine = Machine::with_sensor();
        machine.run(&[]).delivered();
        breaks(&machine);
        assert_eq!(run_at(&machine, ahead, true), 66);
        let said = status(&machine, &[]);
        said.verdict(1, "in the future: the clock was wrong then), 1 run in a row: no temperature");
        mends(&machine);
        machine.run(&[]).delivered();
        let said = status(&machine, &[]);
        said.verdict(0, "ok: the last reading is ");
        let last = said.line("last failure");
        assert!(last.contains("in the future: the clock was wrong then: no temperature"), "{last}");
        assert_eq!(said.line("last hour"), "good runs 66.6 % of 3, good tries 100.0 % of 2, errors none");
        assert!(is_up(&machine));
    }
}

#[test]
fn a_last_reading_of_the_future_is_called_one_and_is_stale() {
    for ahead in AHEAD {
        let machine = Machine::with_sensor();
        machine.run(&[]).delivered();
        assert_eq!(run_at(&machine, ahead, true), 0);
        let said = status(&machine, &[]);
        said.verdict(1, "stale: the last reading is dated ");
        said.verdict(1, " in the future: the clock was wrong then");
        for line in ["last reading", "last delivery"] {
            assert!(said.line(line).ends_with(" in the future: the clock was wrong then"), "{}", said.stdout);
        }
        // From the reading before it until now.
        let gap = said.line("longest gap").split_once("s from ").unwrap().0;
        assert!(gap.parse::<u32>().is_ok(), "{gap}");
        assert!(status(&machine, &["--json"]).json()["last_reading"]["age_seconds"].as_i64().unwrap() < -500);
        assert!(!is_up(&machine));
        // In this boot, the boot clock says when it was.
        let machine = Machine::with_sensor();
        assert_eq!(run_at(&machine, ahead, false), 0);
        status(&machine, &[]).verdict(0, "ok: the last reading is ");
    }
}

#[test]
fn a_clock_that_was_behind_hides_no_failed_run() {
    let machine = Machine::with_sensor();
    machine.run(&[]).delivered();
    breaks(&machine);
    assert_eq!(run_at(&machine, "-78894h", true), 66);
    status(&machine, &[]).verdict(1, ", 1 run in a row: no temperature and humidity sensor");
    mends(&machine);
    machine.run(&[]).delivered();
    status(&machine, &[]).verdict(0, "ok: the last reading is ");
}
