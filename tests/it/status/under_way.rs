//! A run that is under way, and one that was killed: seen by who holds the lock, which is not taken for that.

use std::process::Child;

use super::{database, status, with_good_runs};
use crate::machine::{Machine, eventually};
use iio_focus::store::Holder;

/// A run whose focus hangs. It has kept its reading.
fn hangs(machine: &mut Machine) -> Child {
    machine.env("FOCUS_FAULT", "hang");
    let child = machine.start_until_focus_hangs(&mut machine.command(&[]));
    machine.unset_env("FOCUS_FAULT");
    child
}

fn kill(machine: &Machine, mut run: Child) {
    run.kill().unwrap();
    assert_eq!(machine.finish(run).status, 1009);
}

#[test]
fn it_is_judged_by_the_run_before() {
    let mut machine = Machine::with_sensor();
    let run = hangs(&mut machine);
    let said = status(&machine, &[]);
    said.verdict(0, "s old, and a run is under way");
    assert_eq!(said.line("last hour"), "good runs none, good tries none, errors none");
    assert_eq!(status(&machine, &["--json"]).json()["run_under_way"], true);
    let metrics = status(&machine, &["--prometheus"]);
    for line in ["iio_focus_up{sensor=\"htu21\"} 1", "iio_focus_run_under_way{sensor=\"htu21\"} 1"] {
        assert!(metrics.stdout.lines().any(|one| one == line), "{line} is not in {}", metrics.stdout);
    }
    kill(&machine, run);
    let said = status(&machine, &[]);
    said.verdict(1, ", 1 run in a row: the run was killed, or the power went");
    assert_eq!(status(&machine, &["--json"]).json()["run_under_way"], false);
    // The one before was killed, and this one is under way.
    let _ = std::fs::remove_file(machine.path("record"));
    let run = hangs(&mut machine);
    let said = status(&machine, &[]);
    said.verdict(1, ", 1 run in a row: the run was killed, or the power went, and a run is under way");
    kill(&machine, run);
}

#[test]
fn a_run_that_has_no_reading_yet_does_not_excuse_the_killed_one_before() {
    let mut machine = with_good_runs(2);
    database(&machine)
        .execute("UPDATE reading SET status = NULL, boot_id = ?1, boot_ms = 0 WHERE id = 1001", [boot_id()])
        .unwrap();
    std::fs::write(machine.path("sys/bus/iio/devices/iio:device0/in_temp_input"), "999999\n").unwrap();
    machine.set("sensor.retry-delay", "\"5s\"");
    assert!(Holder::of(&machine.store()).is_none());
    let mut run = machine.command(&[]).spawn().unwrap();
    eventually("the run has the lock", || Holder::of(&machine.store()).is_some());
    let said = status(&machine, &["--max-age", "1year"]);
    said.verdict(1, ", 1 run in a row: the run was killed, or the power went, and a run is under way");
    // Nor does it make a failure of a good one.
    database(&machine).execute("UPDATE reading SET status = 0", []).unwrap();
    status(&machine, &["--max-age", "1year"]).verdict(0, " old, and a run is under way");
    run.kill().unwrap();
    machine.finish(run);
}

#[test]
fn healthy_runs_raise_no_alarm_whenever_they_are_looked_at() {
    let machine = with_good_runs(3);
    let forty = ["sh", "-c", "for n in $(seq 40); do \"$@\" || exit 1; done", "sh"];
    let mut look = machine.command(&["status"]);
    let mut runs = machine.command_under(&forty, &[]).spawn().unwrap();
    let mut seen_under_way = 0;
    while runs.try_wait().unwrap().is_none() {
        let said = look.output().unwrap();
        let text = String::from_utf8(said.stdout).unwrap();
        assert!(said.status.success() && text.starts_with("ok: the last reading is "), "{text}");
        seen_under_way += u32::from(text.contains("a run is under way"));
    }
    let runs = machine.finish(runs);
    assert_eq!(runs.status, 0, "{}", runs.stderr);
    assert!(seen_under_way > 0);
}

#[test]
fn the_lock_is_not_taken() {
    let machine = with_good_runs(3);
    machine.run_traced(&["-f", "-e", "trace=flock"], &["status"]);
    assert_eq!(std::fs::read_to_string(machine.path("trace")).unwrap(), "");
}

fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned()
}
