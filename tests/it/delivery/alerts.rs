//! Alerts: raised once, called off once.

use std::fs;

use crate::machine::{Machine, Outcome};

/// What focus was given for alerts in this run, behind the usual arguments.
fn alerts(outcome: &Outcome) -> Vec<Vec<&str>> {
    let alerts = outcome.records.iter().map(|record| record.argv.iter().map(String::as_str));
    alerts.filter_map(|mut argv| argv.any(|word| word == "-alert").then(|| argv.collect())).collect()
}

/// One run of this machine alone.
fn another(machine: &Machine, fault: &str) -> Outcome {
    let _ = fs::remove_file(machine.path("record"));
    let mut command = machine.command(&["--attempts", "1"]);
    machine.outcome(command.env("FOCUS_FAULT", fault))
}

#[test]
fn an_alert_is_raised_once_after_so_many_failed_runs_and_called_off_once() {
    let mut machine = Machine::with_sensor();
    machine.set("focus.alert-after", "3");
    let attribute = machine.path("sys/bus/iio/devices/iio:device0/in_temp_input");
    assert_eq!(alerts(&another(&machine, "good")), [] as [Vec<&str>; 0]);
    // Two kinds of failure count together, and focus can be reached for neither of the first two.
    assert_eq!(alerts(&another(&machine, "silent")), [] as [Vec<&str>; 0]);
    fs::write(&attribute, "99000").unwrap();
    assert_eq!(alerts(&another(&machine, "good")), [] as [Vec<&str>; 0]);
    let third = another(&machine, "good");
    let why = third.error(74);
    assert_eq!(
        alerts(&third),
        [["-level", "warn", "-title", "iio-focus: 3 runs in a row failed", "-message", why]]
    );
    assert_eq!(alerts(&another(&machine, "good")), [] as [Vec<&str>; 0], "it is told once");
    fs::write(&attribute, "20600").unwrap();
    let good = another(&machine, "good");
    assert_eq!(
        alerts(&good),
        [[
            "-level",
            "info",
            "-title",
            "iio-focus: readings arrive again",
            "-message",
            "the last run went well"
        ]]
    );
    assert_eq!(good.status, 0);
    assert_eq!(alerts(&another(&machine, "good")), [] as [Vec<&str>; 0]);
    assert_eq!(another(&machine, "silent").records.len(), 1, "and it begins anew");
}

#[test]
fn an_alert_that_did_not_arrive_is_tried_again_and_one_that_may_have_is_not() {
    let mut machine = Machine::with_sensor();
    machine.set("focus.alert-after", "1");
    for (fault, again) in [("silent,silent", true), ("silent,exit-1", false)] {
        let outcome = another(&machine, fault);
        assert_eq!((outcome.status, alerts(&outcome).len()), (69, 1), "{outcome:#?}");
        assert_eq!(outcome.stderr.contains("warning: the alert has to wait: "), again, "{outcome:#?}");
    }
    assert_eq!(alerts(&another(&machine, "silent")), [] as [Vec<&str>; 0]);
}

#[test]
fn without_alert_after_there_is_no_alert() {
    let mut machine = Machine::with_sensor();
    for setting in [None, Some("0")] {
        if let Some(never) = setting {
            machine.set("focus.alert-after", never);
        }
        for _ in 0..3 {
            assert_eq!(another(&machine, "silent").records.len(), 1);
        }
    }
}
