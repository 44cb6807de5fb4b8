//! What another user, a hostile focus, a hostile store, hostile hardware or a hostile environment can do: each attack that
//! once got through is a test here.

mod delivery;
mod limits;
mod lock;
mod open;
mod store;
mod whole_run;
mod words;

use std::env;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use crate::machine::{Machine, Outcome, PROGRAM, stand_in};

/// The user that the service runs as, in these tests.
const SERVICE: u32 = 64_242;

/// Whether this process is root. Else the test is left out, with a line that says so; never in CI.
fn is_root(test: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    assert!(root || env::var_os("CI").is_none(), "{test} needs root");
    if !root {
        #[allow(clippy::print_stderr, reason = "a test that is left out says so")]
        {
            eprintln!("left out, as it needs root: {test}");
        }
    }
    root
}

/// Lets the service's user reach all that a run needs: the program and focus move to the machine's folder.
fn open_to_service(machine: &mut Machine) {
    let all = fs::Permissions::from_mode(0o755);
    fs::set_permissions(machine.path(""), all.clone()).unwrap();
    for (source, name) in [(Path::new(PROGRAM), "bin/iio-focus"), (&stand_in(), "bin/focus-of-service")] {
        let target = machine.path(name);
        assert!(Command::new("install").arg("-m755").arg(source).arg(target).status().unwrap().success());
    }
    machine.focus = machine.path("bin/focus-of-service");
    machine.set("focus.program", &format!("{:?}", machine.focus.display().to_string()));
    fs::write(machine.path("record"), "").unwrap();
    fs::set_permissions(machine.path("record"), fs::Permissions::from_mode(0o666)).unwrap();
    fs::create_dir(machine.store_dir()).unwrap();
    chown(machine.store_dir(), Some(SERVICE), Some(SERVICE)).unwrap();
}

/// The words that run the program as this user, with this umask and these arguments.
fn words_as(machine: &Machine, uid: u32, umask: &str, arguments: &[&str]) -> Vec<String> {
    let config = machine.private_file("config.toml", machine.config_text());
    chown(&config, Some(uid), Some(uid)).unwrap();
    let change = format!("umask {umask}; exec setpriv --reuid={uid} --regid={uid} --clear-groups \"$@\"");
    let program = machine.path("bin/iio-focus").display().to_string();
    let (config, sysfs) = (config.display().to_string(), machine.path("sys").display().to_string());
    let mut words = vec!["sh", "-c", &change, "sh", &program, "--config", &config];
    if arguments.first().is_none_or(|first| first.starts_with("--")) {
        words.extend(["--sysfs", &sysfs]);
    }
    words.extend(arguments);
    words.into_iter().map(str::to_owned).collect()
}

fn run_as(machine: &Machine, uid: u32, umask: &str) -> Outcome {
    machine.outcome(&mut machine.bare(&words_as(machine, uid, umask, &["--log", "stderr"])))
}
