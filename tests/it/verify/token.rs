//! The project's API token: where it comes from, and that it is seen nowhere.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Child;

use nix::sys::signal::{Signal, kill};

use super::open_api::{TOKEN, assert_no_token, minutes, verified, verify};
use super::with_history;
use crate::machine::{eventually, pid_of};

#[test]
fn the_token_is_taken_from_the_environment_a_credential_or_a_file() {
    let (mut machine, api) = with_history(&minutes(30));
    machine.unset("verify.token");
    verify(&machine, &[])
        .fails(78, &["[verify] lacks token (or token-file, or WHATAP_API_TOKEN)", "Project Management"]);
    let file = machine.private_file("token", format!("\u{feff}{TOKEN}\n"));
    machine.set("verify.token-file", &format!("{:?}", file.display().to_string()));
    verified(&machine, &[], 0);

    machine.private_file("token", "wrong\n");
    verify(&machine, &[]).fails(69, &["refuses the API token"]);
    fs::create_dir(machine.path("credentials")).unwrap();
    machine.private_file("credentials/api-token", TOKEN);
    machine.env("CREDENTIALS_DIRECTORY", machine.path("credentials").to_str().unwrap());
    verified(&machine, &[], 0);
    machine.private_file("credentials/api-token", "wrong");
    machine.env("WHATAP_API_TOKEN", TOKEN);
    verified(&machine, &[], 0);

    machine.env("WHATAP_API_TOKEN", "two words");
    verify(&machine, &[]).fails(78, &["environment variable WHATAP_API_TOKEN: must be an API token"]);
    api.requests();
}

#[test]
fn a_file_with_the_token_that_everybody_can_read_is_warned_about() {
    let (mut machine, _api) = with_history(&minutes(30));
    machine.unset("verify.token");
    let file = machine.private_file("token", TOKEN);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    machine.set("verify.token-file", &format!("{:?}", file.display().to_string()));
    let outcome = verify(&machine, &[]);
    assert_eq!(outcome.status, 0, "{outcome:#?}");
    let warning = format!("{} holds the API token and everybody can read it; chmod o= ", file.display());
    assert!(outcome.stderr.contains(&warning), "{outcome:#?}");
}

/// The command lines of all processes.
fn command_lines() -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).into_owned()).collect()
}

#[test]
fn the_token_is_on_no_command_line_while_whatap_is_asked_and_sigterm_ends_the_wait() {
    let (mut machine, api) = with_history(&minutes(30));
    // The stand-in has the token on its own command line.
    let own = |line: &String| line.contains("open-api.py");
    api.play("hang");
    // Only this test's curl has this option.
    let file = machine.private_file("token", TOKEN);
    machine.unset("verify.token");
    machine.set("verify.token-file", &format!("{:?}", file.display().to_string()));
    let mut child: Child = machine.command(&["verify"]).spawn().unwrap();
    eventually("WhaTap is asked", || {
        assert!(child.try_wait().unwrap().is_none(), "it ended before");
        !api.requests().is_empty()
    });
    let all = command_lines();
    assert!(all.iter().any(|line| line.contains("curl\0--disable\0--config\0-\0")), "{all:?}");
    assert!(!all.iter().any(|line| line.contains(TOKEN) && !own(line)), "{all:?}");
    kill(pid_of(&child), Signal::SIGTERM).unwrap();
    let outcome = machine.finish(child);
    assert_no_token(&machine, &outcome);
    assert!(outcome.error(143).contains("while WhaTap was asked"), "{outcome:#?}");
}
