//! Handing the reading to focus: what it is given, what counts as delivered, and that nothing is left.

mod alerts;
mod backlog;
mod hidden;
mod start;

use std::fs;
use std::time::Duration;

use crate::machine::{HTU21, LICENSE, Machine, Outcome, Record};
use nix::sys::signal::Signal::{SIGCHLD, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM};

fn run_with(fault: &str) -> Outcome {
    Machine::with_fault(fault).run(&[])
}

/// The line about the reading and why it was not delivered.
#[track_caller]
fn reason(outcome: &Outcome) -> &str {
    let line = "temperature=20.6 humidity=24.4 device=htu21 attempts=1 delivered=0 backlog=";
    assert_eq!(outcome.stdout, "");
    let rest = outcome.error(69).strip_prefix(line);
    rest.and_then(|rest| rest.split_once(": ")).unwrap_or_else(|| panic!("{outcome:#?}")).1
}

#[track_caller]
fn the_record(outcome: &Outcome) -> &Record {
    assert_eq!(outcome.records.len(), 1, "focus is started once: {outcome:#?}");
    &outcome.records[0]
}

// ---- what focus is given

#[test]
fn focus_is_given_one_line_of_json_and_then_the_end_of_file() {
    let outcome = run_with("good");
    outcome.delivered();
    assert_eq!(
        outcome.stderr,
        "iio-focus: temperature=20.6 humidity=24.4 device=htu21 attempts=1 delivered=1 backlog=0\n"
    );
    // The stand-in reads to the end, so this is all there was.
    assert_eq!(the_record(&outcome).stdin, "{\"temperature\":20.6,\"humidity\":24.4}\n");
}

#[test]
fn focus_is_given_the_fields_asked_for_and_a_dry_run_prints_the_same() {
    let mut machine = Machine::new();
    machine.set("sensor.temperature-jump", "0");
    let device = machine.device(0, &HTU21);
    for (fields, temperature, json) in [
        (r#"["humidity"]"#, "20600", r#"{"humidity":24.4}"#),
        (
            r#"["vpd", "temperature", "dewpoint", "absolutehumidity"]"#,
            "20600",
            r#"{"vpd":1.83,"temperature":20.6,"dewpoint":-0.5,"absolutehumidity":4.4}"#,
        ),
        // In air this dry, there is no heat index.
        (r#"["heatindex", "temperature"]"#, "30000", r#"{"temperature":30.0}"#),
    ] {
        machine.set("focus.fields", fields);
        fs::write(device.join("in_temp_input"), temperature).unwrap();
        assert_eq!(machine.run(&["--dry-run"]).stdout, format!("{json}\n"), "{fields}");
        let outcome = machine.run(&[]);
        outcome.delivered();
        assert_eq!(outcome.records.last().unwrap().stdin, format!("{json}\n"), "{fields}");
        // The log line is for programs, too: it stays as it is.
        assert!(outcome.stderr.contains(" humidity=24.4 device=htu21 attempts=1 "), "{outcome:#?}");
    }
}

#[test]
fn focus_is_given_what_it_needs_and_nothing_else() {
    let machine = Machine::with_sensor();
    let outcome = machine.run(&[]);
    let port = machine.port().to_string();
    assert_eq!(
        the_record(&outcome).argv,
        [
            machine.focus.to_str().unwrap(),
            "-license",
            LICENSE,
            "-pcode",
            "7000",
            "-server.host",
            "127.0.0.1",
            "-server.port",
            &port,
            "-category",
            "sensor",
            "-onetime",
        ]
    );
    assert_eq!(the_record(&outcome).now, None, "the reading is of this moment");
}

#[test]
fn optional_arguments_follow_in_order_and_no_shell_looks_at_them() {
    let mut machine = Machine::with_sensor();
    machine.set("focus.category", r#""room's air""#);
    machine.set("focus.oname", r#""pi 2w""#);
    machine.set("focus.okind", r#""$(touch x); \"q\"""#);
    machine.set("focus.onode", r#""`touch x` | touch x""#);
    machine.set("focus.pk", r#""*""#);
    machine.set("focus.tags", r#"{ zone = "$HOME", room = "küche & > x", b_2 = "a'b\\" }"#);
    let outcome = machine.run(&[]);
    outcome.delivered();
    assert_eq!(
        the_record(&outcome).argv[9..],
        [
            "-category",
            "room's air",
            "-onetime",
            "-oname",
            "pi 2w",
            "-okind",
            "$(touch x); \"q\"",
            "-onode",
            "`touch x` | touch x",
            "-pk",
            "*",
            "-tag.b_2",
            "a'b\\",
            "-tag.room",
            "küche & > x",
            "-tag.zone",
            "$HOME",
        ]
    );
    assert!(!machine.path("x").exists());
}

#[test]
fn focus_inherits_no_descriptor_of_this_program() {
    let machine = Machine::with_sensor();
    // What the test program itself passes on, its starter's say, is not the matter here.
    let arguments = ["-license", "a", "-pcode", "1", "-category", "a", "-server.host", "127.0.0.1"];
    let mut words = vec![machine.focus.to_str().unwrap()];
    words.extend(arguments);
    let port = machine.port().to_string();
    words.extend(["-server.port", &port, "-onetime"]);
    assert!(machine.bare(&words).status().unwrap().success());
    let outcome = machine.run(&[]);
    outcome.delivered();
    let [inherited, given] = &outcome.records[..] else { panic!("{outcome:#?}") };
    assert_eq!(given.fds, inherited.fds);
    assert!(given.fds.starts_with(&[0, 1, 2]));
}

#[test]
fn focus_starts_with_no_signal_blocked_and_none_ignored() {
    let mut machine = Machine::with_sensor();
    let probe = machine.signal_probe();
    machine.set("focus.program", &format!("{:?}", probe.display().to_string()));
    machine.run(&[]).delivered();
    let signals = fs::read_to_string(machine.path("signals")).unwrap();
    let mask = |name: &str| {
        let line = signals.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    // What the test's own starter did to other signals is not the matter here.
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGCHLD] {
        assert_eq!(mask("SigBlk:") >> (signal as u32 - 1) & 1, 0, "{signal} is blocked: {signals}");
    }
    for signal in [SIGPIPE, SIGCHLD] {
        assert_eq!(mask("SigIgn:") >> (signal as u32 - 1) & 1, 0, "{signal} is ignored: {signals}");
    }
}

#[test]
fn focus_is_looked_up_in_path() {
    let mut machine = Machine::with_sensor();
    let name = machine.focus.file_name().unwrap().to_str().unwrap().to_owned();
    machine.set("focus.program", &format!("{name:?}"));
    // A folder and a file that cannot be executed are passed over, as a shell does.
    for dir in ["a", "b"] {
        fs::create_dir(machine.path(dir)).unwrap();
    }
    fs::create_dir(machine.path("a").join(&name)).unwrap();
    fs::write(machine.path("b").join(&name), "#!/bin/sh\ntouch x\n").unwrap();
    let path = ["a", "b", "bin"].map(|dir| machine.path(dir).display().to_string()).join(":");
    machine.env("PATH", &path);
    let outcome = machine.run(&[]);
    outcome.delivered();
    assert_eq!(the_record(&outcome).argv[0], machine.focus.to_str().unwrap());
}

#[test]
fn a_relative_path_is_taken_from_the_working_directory() {
    let mut machine = Machine::with_sensor();
    let name = machine.focus.file_name().unwrap().to_str().unwrap().to_owned();
    machine.set("focus.program", &format!("\"bin/{name}\""));
    machine.run(&[]).delivered();
}

// ---- what counts as delivered

#[test]
fn a_server_that_is_not_reached_is_told_in_focuss_own_words() {
    let mut machine = Machine::with_fault("refuse");
    machine.set("focus.timeout", "\"200ms\"");
    let outcome = machine.run(&[]);
    let said = format!("[TCP] Connect error. 127.0.0.1:{}", machine.port());
    let reason = reason(&outcome);
    assert!(reason.starts_with("focus did not finish within 200ms; it said: "), "{reason}");
    assert!(reason.ends_with(&said), "{reason}");
}

#[test]
fn a_port_where_nobody_listens_is_the_same() {
    let mut machine = Machine::with_sensor();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    machine.set("focus.server-port", &free.to_string());
    machine.set("focus.timeout", "\"200ms\"");
    let outcome = machine.run(&[]);
    let reason = reason(&outcome);
    assert!(reason.contains("it said: 2") && reason.contains("Connect error"), "{reason}");
}

#[test]
fn a_focus_that_hangs_is_ended_at_the_timeout_by_sigterm() {
    for fault in ["hang", "slow", "slow-input", "noise-endless"] {
        let mut machine = Machine::with_fault(fault);
        machine.set("focus.timeout", "\"200ms\"");
        let outcome = machine.run(&[]);
        assert!(reason(&outcome).starts_with("focus did not finish within 200ms; it said"), "{outcome:#?}");
        assert!(outcome.took >= Duration::from_millis(200), "{outcome:#?}");
        // SIGKILL would have come 2 s later.
        assert!(outcome.took < Duration::from_secs(2), "{fault} did not end by SIGTERM: {outcome:#?}");
    }
}

#[test]
fn the_deadline_cuts_the_timeout_short() {
    let machine = Machine::with_fault("hang");
    let outcome = machine.run(&["--deadline", "2300ms"]);
    let reason = reason(&outcome);
    // Less than 300 ms are left before the grace.
    assert!(reason.starts_with("focus did not finish within ") && !reason.contains("10s"), "{reason}");
    assert!(outcome.took < Duration::from_millis(2300), "{outcome:#?}");
}

#[test]
fn focus_is_not_started_when_no_time_is_left() {
    let outcome = Machine::with_sensor().run(&["--deadline", "1s"]);
    assert_eq!(reason(&outcome), "focus was not started: no time was left before the deadline");
    assert!(outcome.records.is_empty());
}

#[test]
fn exit_0_without_a_word_is_no_delivery() {
    let outcome = run_with("silent");
    let wanted = "focus exited with 0 but did not say that it was connected; it said nothing";
    assert_eq!(reason(&outcome), wanted);
}

#[test]
fn exit_0_without_a_word_is_one_where_the_status_alone_is_asked_for() {
    let mut machine = Machine::with_fault("silent");
    machine.set("focus.confirm", "\"exit-status\"");
    machine.run(&[]).delivered();
}

#[test]
fn the_status_alone_does_not_outweigh_what_was_said() {
    for (fault, how) in
        [("error", "focus could not deliver"), ("exit-1", "focus exited with 1"), ("signal", "SIGABRT")]
    {
        let mut machine = Machine::with_fault(fault);
        machine.set("focus.confirm", "\"exit-status\"");
        assert!(reason(&machine.run(&[])).contains(how), "{fault}");
    }
}

#[test]
fn another_status_than_0_is_no_delivery() {
    let machine = Machine::with_fault("exit-1");
    let outcome = machine.run(&[]);
    let reason = reason(&outcome);
    assert!(reason.starts_with("focus exited with 1; it said: "), "{reason}");
    assert!(reason.ends_with(&format!("[TCP] Closed 127.0.0.1:{}", machine.port())), "{reason}");
}

#[test]
fn death_by_a_signal_is_no_delivery() {
    let outcome = run_with("signal");
    assert!(reason(&outcome).starts_with("focus was killed by SIGABRT; it said: "), "{outcome:#?}");
}

#[test]
fn an_error_after_the_connection_is_no_delivery() {
    let outcome = run_with("error");
    let reason = reason(&outcome);
    assert!(reason.starts_with("focus could not deliver; it said: "), "{reason}");
    assert!(reason.ends_with("[error] send fail"), "{reason}");
}

#[test]
fn the_first_fault_is_told_not_the_last_line() {
    // Without its server, the stand-in says what it misses and then how it is used.
    let mut machine = Machine::with_sensor();
    machine.set("focus.server-host", "\"-x\"");
    let outcome = machine.run(&[]);
    assert!(reason(&outcome).ends_with("[error] no value[-server.host]"), "{outcome:#?}");
}

#[test]
fn a_focus_that_does_not_read_is_judged_by_what_it_says() {
    let outcome = run_with("close-input");
    outcome.delivered();
    assert_eq!(the_record(&outcome).stdin, "");
}

#[test]
fn a_mebibyte_of_noise_is_harmless() {
    run_with("noise").delivered();
}

#[test]
fn the_licence_is_cut_out_of_what_focus_says() {
    // That it is nowhere in the output is checked of every run.
    let machine = Machine::with_fault("echo-license");
    for arguments in [[].as_slice(), &["--verbose"]] {
        let outcome = machine.run(arguments);
        let reason = reason(&outcome);
        assert!(reason.contains("[error] invalid arguments ["), "{reason}");
        assert!(reason.contains("\"-license\", \"[license]\", \"-pcode\""), "{reason}");
    }
    let outcome = machine.run(&["--verbose"]);
    let shown = |line: &str| outcome.stderr.contains(&format!("iio-focus: focus: {line}\n"));
    assert!(shown("-license") && shown("[license]"), "a line in colours is cut too: {outcome:#?}");
}

#[test]
fn a_long_line_is_quoted_from_its_start() {
    let mut machine = Machine::with_fault("echo-license");
    machine.set("focus.oname", &format!("{:?}", "o".repeat(60_000)));
    let outcome = machine.run(&["--verbose"]);
    let reason = reason(&outcome);
    assert!(reason.contains("[error] invalid arguments") && reason.ends_with("..."), "{reason}");
    assert!(outcome.stderr.lines().all(|line| line.chars().count() < 400), "{outcome:#?}");
}

// ---- what is left

#[test]
fn what_focus_leaves_behind_goes_with_it() {
    // That nothing of it is left is checked of every run; here, that there was something.
    let machine = Machine::with_fault("orphan");
    let outcome = machine.run(&[]);
    outcome.delivered();
    assert!(outcome.took < Duration::from_secs(2), "nobody waits for its streams to close: {outcome:#?}");
    let orphan = fs::read_to_string(machine.path("record.orphan")).unwrap();
    let orphan: i32 = orphan.trim().parse().unwrap();
    let stat = fs::read_to_string(format!("/proc/{orphan}/stat")).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains("(sleep) Z "), "{stat}");
}

// ---- streams that are not as usual

#[test]
fn closed_standard_streams_are_harmless() {
    let machine = Machine::with_sensor();
    let mut closing = vec!["sh", "-c", "exec \"$@\" <&- >&- 2>&-", "sh"];
    let outcome = machine.run_under(&closing, &[]);
    assert_eq!(outcome.status, 0, "{outcome:#?}");
    let record = the_record(&outcome);
    assert_eq!(record.stdin, "{\"temperature\":20.6,\"humidity\":24.4}\n");
    closing[2] = "exec \"$@\" 2>&-";
    assert_eq!(
        machine.run_under(&closing, &["--dry-run"]).stdout,
        "{\"temperature\":20.6,\"humidity\":24.4}\n"
    );
}
