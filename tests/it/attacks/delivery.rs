//! When a reading counts as delivered, whatever order focus says its words in.

use std::path::PathBuf;

use crate::machine::Machine;

/// A focus that reads its input and says these lines, standard output's with `1`, standard error's with `2` before them.
fn focus_that_says(machine: &Machine, lines: &[&str]) -> PathBuf {
    let says: String = lines
        .iter()
        .map(|line| {
            let (stream, text) = line.split_at(1);
            format!("printf '%s\\n' '2025/01/17 11:36:59 {text}' >&{stream}; sleep 0.05\n")
        })
        .collect();
    machine.executable("bin/says", format!("#!/bin/sh\ncat >/dev/null\n{says}exit 0\n"))
}

const CONNECTED: &str = "1[TCP] Connected 13.124.0.1:6600";
const CLOSED: &str = "1[TCP] Closed 13.124.0.1:6600";
const CONNECT_ERROR: &str = "2\x1b[31m[TCP] Connect error. 13.124.0.1:6600\x1b[0m";
const NOT_ALL: &str = "1TCP All data was not sent. (tot=128 left=64)";
const BROKEN: &str = "2TCP write tcp 10.0.0.2:4000->13.124.0.1:6600: write: broken pipe";

#[test]
fn the_last_word_about_the_connection_decides() {
    for (lines, delivered) in [
        (vec![CONNECTED, CLOSED], true),
        (vec![CONNECT_ERROR, CONNECTED, CLOSED], true),
        (vec![CONNECT_ERROR, CONNECT_ERROR, CONNECTED], true),
        (vec![CONNECTED, CONNECT_ERROR], false),
        (vec![CONNECTED, CONNECT_ERROR, CONNECTED], true),
        (vec![CONNECTED, NOT_ALL, CLOSED], false),
        (vec![CONNECTED, BROKEN, CLOSED], false),
        (vec![CONNECTED, "1TCP i/o timeout"], false),
        (vec![CONNECTED, "1\x1b[31mTCP\x1b[0m EOF"], false),
        (vec![CONNECTED, "2[error] send fail"], false),
        (vec!["2[error] send fail", CONNECTED], false),
        // No word of a write that failed.
        (vec![CONNECTED, "1TCP"], true),
        (vec![CONNECTED, "1keeps a TCP session"], true),
    ] {
        let mut machine = Machine::with_sensor();
        let focus = focus_that_says(&machine, &lines);
        machine.set("focus.program", &format!("{:?}", focus.display().to_string()));
        let outcome = machine.run(&[]);
        assert_eq!(outcome.status, if delivered { 0 } else { 69 }, "{lines:?}: {outcome:#?}");
        let word = if delivered { " delivered=1 backlog=0\n" } else { " delivered=0 backlog=1: " };
        assert!(outcome.stderr.contains(word), "{lines:?}: {outcome:#?}");
    }
}

#[test]
fn what_focus_said_of_the_failed_write_is_the_reason() {
    let mut machine = Machine::with_sensor();
    let focus = focus_that_says(&machine, &[CONNECTED, NOT_ALL, CLOSED]);
    machine.set("focus.program", &format!("{:?}", focus.display().to_string()));
    machine
        .run(&[])
        .fails(69, &["it said: 2025/01/17 11:36:59 TCP All data was not sent. (tot=128 left=64)"]);
}
