//! Nothing that is opened can hold a run up.

use std::fs::{self, OpenOptions};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};

use crate::machine::{LICENSE, Machine, PROGRAM, fifo, pid_of};

/// Far less than any of these took before, which was for ever.
const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_pipe_in_the_place_of_a_file_is_one_clear_error() {
    let mut machine = Machine::with_sensor();
    let pipe = machine.path("pipe");
    fifo(&pipe);
    let name = pipe.display().to_string();
    for command in [[].as_slice(), &["--dry-run"], &["status"], &["export"], &["chart"]] {
        let mut words = vec![PROGRAM, "--config", &name];
        words.extend(command);
        let outcome = machine.outcome(&mut machine.bare(&words));
        outcome.fails(78, &[&name, "pipe"]);
        assert!(outcome.took < SOON, "{outcome:#?}");
    }
    machine.unset("focus.license");
    machine.set("focus.license-file", &format!("{name:?}"));
    machine.run(&[]).fails(78, &[&name, "pipe"]);

    machine.unset("focus.license-file");
    fs::create_dir(machine.path("credentials")).unwrap();
    fifo(&machine.path("credentials/license"));
    machine.env("CREDENTIALS_DIRECTORY", machine.path("credentials").to_str().unwrap());
    machine.run(&[]).fails(78, &["credentials/license", "pipe"]);
}

#[test]
fn a_writer_that_never_writes_is_not_waited_for_for_ever_and_sigterm_ends_the_wait() {
    let machine = Machine::with_sensor();
    let pipe = machine.path("pipe");
    fifo(&pipe);
    let words = [PROGRAM, "--log", "stderr", "--config", pipe.to_str().unwrap()];
    let writer = OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    let outcome = machine.outcome(&mut machine.bare(&words));
    outcome.fails(78, &["pipe"]);
    assert!(outcome.took < SOON, "{outcome:#?}");

    let mut child = machine.bare(&words).spawn().unwrap();
    crate::machine::eventually("it has opened the pipe", || {
        let fds = fs::read_dir(format!("/proc/{}/fd", child.id())).into_iter().flatten().flatten();
        fds.filter_map(|fd| fs::read_link(fd.path()).ok()).any(|target| target == pipe)
    });
    kill(pid_of(&child), Signal::SIGTERM).unwrap();
    let begun = std::time::Instant::now();
    let status = child.wait().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(!status.success());
    drop(writer);
}

#[test]
fn what_is_no_file_but_can_be_read_still_can() {
    let mut machine = Machine::with_sensor();
    // A shell's `<(…)`, slower than a run.
    let config = machine.private_file("whole.toml", machine.config_text());
    let script = "\"$1\" --log stderr --sysfs \"$2\" --config <(sleep 0.3; cat \"$3\")";
    let (sysfs, config) = (machine.path("sys").display().to_string(), config.display().to_string());
    machine.outcome(&mut machine.bare(&["bash", "-c", script, "bash", PROGRAM, &sysfs, &config])).delivered();

    machine.env("WHATAP_LICENSE", LICENSE);
    let words = [PROGRAM, "--log", "stderr", "--sysfs", &sysfs, "--config", "/dev/null", "--dry-run"];
    assert_eq!(machine.outcome(&mut machine.bare(&words)).status, 0);
    let words = [PROGRAM, "--log", "stderr", "--sysfs", &sysfs, "--config", "/dev/stdin", "--dry-run"];
    let mut command = machine.bare(&words);
    assert_eq!(machine.outcome(command.stdin(fs::File::open(&config).unwrap())).status, 0);
    let endless = [PROGRAM, "--log", "stderr", "--sysfs", &sysfs, "--config", "/dev/zero", "--dry-run"];
    machine.outcome(&mut machine.bare(&endless)).fails(78, &["/dev/zero", "1 MiB"]);
}

#[test]
fn a_time_zone_that_never_ends_holds_no_command_up() {
    let mut machine = Machine::with_sensor();
    machine.run(&[]).delivered();
    fifo(&machine.path("zone"));
    let pipe = machine.path("zone").display().to_string();
    for zone in
        [":/dev/zero", "/dev/zero", &pipe, "../../../../../../dev/zero", "Europe/../../../../dev/zero"]
    {
        machine.env("TZ", zone);
        for command in [["chart", "--ascii"].as_slice(), &["export", "--since", "2020-01-01"], &["status"]] {
            let outcome = machine.run(command);
            assert_eq!(outcome.status, 0, "{zone}: {outcome:#?}");
            assert!(outcome.took < SOON, "{zone}: {outcome:#?}");
        }
    }
    for (zone, shown) in [("Asia/Seoul", "KST"), (":Asia/Seoul", "KST"), ("KST-9", "KST"), ("UTC", "UTC")] {
        machine.env("TZ", zone);
        let drawn = machine.run(&["chart", "--ascii"]).stdout;
        assert!(drawn.contains(shown), "{zone}: {drawn}");
    }
    assert!(Command::new("true").status().unwrap().success());
}
