//! Files that a command writes, in a folder where another user can write too. Each test is an attack by `nobody` on a
//! run of root.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::machine::{Machine, fifo};

/// A user who owns nothing.
const NOBODY: u32 = 65_534;

/// A machine with one reading, and a folder that everybody can write to, with the sticky bit as `/tmp` has it or
/// without. `None` if this is not root, who alone can play two users.
#[allow(clippy::print_stderr, reason = "what is left out is said")]
fn attacked(mode: u32) -> Option<(Machine, PathBuf)> {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        assert!(std::env::var("CI").is_err(), "the attacks of another user need root");
        eprintln!("left out: the attacks of another user need root");
        return None;
    }
    let machine = Machine::with_sensor();
    machine.run(&[]).delivered();
    let folder = machine.path("everybody");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(machine.path(""), fs::Permissions::from_mode(0o711)).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
    fs::write(machine.path("victim"), "root's").unwrap();
    Some((machine, folder))
}

/// Does this as `nobody`, in the folder.
fn as_nobody(folder: &PathBuf, script: &str) {
    let nobody = NOBODY.to_string();
    let words = ["--reuid", &nobody, "--regid", &nobody, "--clear-groups", "sh", "-ec", script];
    let output = Command::new("setpriv").args(words).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{script}: {output:?}");
}

#[test]
fn another_users_link_is_replaced_and_its_target_stays() {
    for mode in [0o777, 0o1777] {
        let Some((machine, folder)) = attacked(mode) else { return };
        as_nobody(&folder, "ln -s ../victim kitchen.svg; ln -s ../not-there new.svg");
        for name in ["kitchen.svg", "new.svg"] {
            assert_eq!(machine.run(&["chart", "--svg", &format!("everybody/{name}")]).status, 0);
            let written = fs::symlink_metadata(folder.join(name)).unwrap();
            assert!(
                written.is_file() && written.uid() == 0 && written.mode() & 0o777 == 0o644,
                "{written:?}"
            );
            assert!(fs::read_to_string(folder.join(name)).unwrap().starts_with("<svg "));
        }
        assert_eq!(fs::read_to_string(machine.path("victim")).unwrap(), "root's");
        assert!(!machine.path("not-there").exists());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
    }
}

#[test]
fn the_temporary_name_cannot_be_guessed_and_is_not_followed() {
    let Some((machine, folder)) = attacked(0o777) else { return };
    let mut names = Vec::new();
    for _ in 0..2 {
        machine.run_traced(&["-e", "trace=openat,renameat"], &["chart", "--svg", "everybody/kitchen.svg"]);
        let trace = fs::read_to_string(machine.path("trace")).unwrap();
        let opened = trace.lines().find(|line| line.contains("O_EXCL")).unwrap().to_owned();
        for flag in ["O_CREAT", "O_NOFOLLOW", "O_CLOEXEC"] {
            assert!(opened.contains(flag), "{opened}");
        }
        let name = opened.split('"').nth(1).unwrap().to_owned();
        assert!(trace.lines().any(|line| line.starts_with("renameat(") && line.contains(&name)), "{trace}");
        names.push(name);
    }
    assert!(names[0] != names[1] && names[0].len() >= 16, "{names:?}");
    // Names as an earlier version chose them, for each process id that comes next.
    let pid: u32 = std::process::id();
    as_nobody(
        &folder,
        &format!("for n in $(seq {pid} $(({pid} + 2000))); do ln -s ../victim .kitchen.svg.$n; done"),
    );
    assert_eq!(machine.run(&["chart", "--svg", "everybody/kitchen.svg"]).status, 0);
    assert_eq!(fs::read_to_string(machine.path("victim")).unwrap(), "root's");
}

#[test]
fn another_users_file_is_replaced_and_its_mode_is_not_kept() {
    let Some((machine, folder)) = attacked(0o777) else { return };
    as_nobody(&folder, "echo mine > kitchen.svg; chmod 4777 kitchen.svg");
    assert_eq!(machine.run(&["chart", "--svg", "everybody/kitchen.svg"]).status, 0);
    let written = fs::metadata(folder.join("kitchen.svg")).unwrap();
    assert_eq!((written.uid(), written.mode() & 0o7777), (0, 0o644));
}

#[test]
fn another_users_link_within_the_path_is_refused_and_roots_is_followed() {
    let Some((machine, folder)) = attacked(0o777) else { return };
    let private = machine.path("private");
    fs::create_dir(&private).unwrap();
    as_nobody(&folder, "ln -s ../private www");
    machine
        .run(&["chart", "--svg", "everybody/www/kitchen.svg"])
        .fails(74, &["everybody/www/kitchen.svg: www in this path is a link of another user"]);
    assert_eq!(fs::read_dir(&private).unwrap().count(), 0);
    symlink("../private", folder.join("own")).unwrap();
    assert_eq!(machine.run(&["chart", "--svg", "everybody/own/kitchen.svg"]).status, 0);
    assert!(private.join("kitchen.svg").is_file());
    // A link of another user behind root's link is that user's all the same.
    symlink("www/kitchen.svg", folder.join("kitchen.svg")).unwrap();
    machine.run(&["chart", "--svg", "everybody/kitchen.svg"]).fails(74, &["a link of another user"]);
    symlink("loop", folder.join("loop")).unwrap();
    machine.run(&["chart", "--svg", "everybody/loop"]).fails(74, &["ELOOP"]);
}

#[test]
fn a_pipe_that_nobody_reads_holds_nothing_up() {
    let machine = Machine::with_sensor();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    machine.keep([(i64::try_from(now).unwrap() - 60_000, "kitchen", 20_000, 50_000)]);
    fifo(&machine.path("pipe"));
    let outcome = machine.run(&["chart", "--svg", "pipe"]);
    outcome.fails(74, &["pipe: ENXIO"]);
    assert!(outcome.took < Duration::from_secs(15), "{outcome:?}");
}
