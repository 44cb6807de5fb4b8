//! One run at a time, whoever ran before and whatever stands in the lock's place.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use super::{SERVICE, is_root, open_to_service, run_as, words_as};
use crate::machine::{Machine, fifo};

fn lock_of(machine: &Machine) -> PathBuf {
    machine.store_dir().join("readings.db.lock")
}

fn mode(path: &std::path::Path) -> u32 {
    path.symlink_metadata().unwrap().mode() & 0o7777
}

#[test]
fn a_run_of_root_leaves_a_store_that_the_service_can_use() {
    if !is_root("a run of root between runs of the service") {
        return;
    }
    for umask in ["077", "000", "022", "777"] {
        let mut machine = Machine::with_sensor();
        open_to_service(&mut machine);
        run_as(&machine, 0, umask).delivered();
        for file in fs::read_dir(machine.store_dir()).unwrap().flatten() {
            let meta = file.metadata().unwrap();
            assert_eq!((meta.uid(), meta.gid()), (SERVICE, SERVICE), "{umask}: {file:?}");
            assert_eq!(meta.mode() & 0o600, 0o600, "{umask}: {file:?}");
        }
        assert_eq!(mode(&lock_of(&machine)), 0o600, "umask {umask}");
        let outcome = run_as(&machine, SERVICE, "077");
        outcome.delivered();
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:#?}");
    }
}

#[test]
fn a_lock_that_an_earlier_version_left_is_mended_by_root() {
    if !is_root("a lock of root's in the service's folder") {
        return;
    }
    let mut machine = Machine::with_sensor();
    open_to_service(&mut machine);
    fs::write(lock_of(&machine), "").unwrap();
    fs::set_permissions(lock_of(&machine), fs::Permissions::from_mode(0o600)).unwrap();
    let outcome = run_as(&machine, SERVICE, "022");
    assert_eq!(outcome.status, 0, "{outcome:#?}");
    let chown = format!("chown {SERVICE}:{SERVICE} {}", lock_of(&machine).display());
    assert!(
        outcome.stderr.contains("cannot open the lock") && outcome.stderr.contains(&chown),
        "{outcome:#?}"
    );
    run_as(&machine, 0, "022").delivered();
    assert_eq!(lock_of(&machine).metadata().unwrap().uid(), SERVICE);
    run_as(&machine, SERVICE, "022").delivered();
}

#[test]
fn eight_runs_that_cannot_open_the_lock_are_one_at_a_time_all_the_same() {
    if !is_root("a lock of root's in the service's folder") {
        return;
    }
    let mut machine = Machine::with_sensor();
    open_to_service(&mut machine);
    let server = machine.serve();
    machine.env("FOCUS_FAULT", "exit-1");
    assert_eq!(run_as(&machine, SERVICE, "077").status, 69);
    fs::remove_file(lock_of(&machine)).unwrap();
    fs::write(lock_of(&machine), "").unwrap();
    fs::set_permissions(lock_of(&machine), fs::Permissions::from_mode(0o600)).unwrap();
    machine.env("FOCUS_FAULT", "slow");
    server.forget();
    let words = words_as(&machine, SERVICE, "077", &["--log", "stderr"]);
    let started: Vec<_> = (0..8).map(|_| machine.bare(&words).spawn().unwrap()).collect();
    let outcomes: Vec<_> = started.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    let mut statuses: Vec<_> = outcomes.iter().map(|outcome| outcome.status.code().unwrap()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [0, 75, 75, 75, 75, 75, 75, 75], "{outcomes:#?}");
    assert_eq!(server.arrived().len(), 2, "this run's reading and the one from before, once each");
}

#[test]
fn the_lock_is_its_owners_alone_and_the_folder_its_groups() {
    for umask in ["000", "022", "077", "777"] {
        let machine = Machine::with_sensor();
        let script = format!("umask {umask}; exec \"$@\"");
        for _ in 0..2 {
            machine.run_under(&["sh", "-c", &script, "sh"], &[]).delivered();
        }
        assert_eq!(mode(&lock_of(&machine)), 0o600, "umask {umask}");
        assert_eq!(mode(&machine.store_dir()), 0o750, "umask {umask}");
    }
    let machine = Machine::with_sensor();
    machine.run(&[]).delivered();
    fs::set_permissions(lock_of(&machine), fs::Permissions::from_mode(0o666)).unwrap();
    machine.run(&[]).delivered();
    assert_eq!(mode(&lock_of(&machine)), 0o600);
}

#[test]
fn what_stands_in_the_locks_place_is_neither_followed_nor_waited_for() {
    type Put = fn(&Machine);
    let puts: [(&str, Put); 4] = [
        ("a pipe", |machine| fifo(&lock_of(machine))),
        ("a link", |machine| symlink(machine.path("precious"), lock_of(machine)).unwrap()),
        ("a link to nowhere", |machine| symlink(machine.path("new"), lock_of(machine)).unwrap()),
        ("a folder", |machine| fs::create_dir(lock_of(machine)).unwrap()),
    ];
    for (name, put) in puts {
        let machine = Machine::with_sensor();
        fs::write(machine.path("precious"), "precious").unwrap();
        fs::set_permissions(machine.path("precious"), fs::Permissions::from_mode(0o644)).unwrap();
        fs::create_dir(machine.store_dir()).unwrap();
        put(&machine);
        for run in 0..2 {
            let outcome = machine.run(&[]);
            assert_eq!(outcome.status, 0, "{name}: {outcome:#?}");
            assert!(outcome.stderr.contains("cannot open the lock "), "{name}, run {run}: {outcome:#?}");
            assert!(outcome.stderr.ends_with(" delivered=1 backlog=0\n"), "{name}: {outcome:#?}");
        }
        assert_eq!(mode(&machine.path("precious")), 0o644, "{name}");
        assert!(!machine.path("new").exists(), "{name}");
    }
}

#[test]
fn without_any_lock_a_run_leaves_the_backlog_alone() {
    let mut machine = Machine::with_fault("exit-1");
    assert_eq!(machine.run(&[]).status, 69);
    machine.unset_env("FOCUS_FAULT");
    let outcome = machine.run_traced(&["-e", "inject=flock:error=ENOLCK"], &[]);
    assert_eq!(outcome.status, 0, "{outcome:#?}");
    assert!(outcome.stderr.contains("the backlog has to wait: "), "{outcome:#?}");
    assert!(outcome.stderr.contains(" delivered=1 backlog=1\n"), "{outcome:#?}");
    machine.run(&[]);
    assert!(machine.records().last().unwrap().now.is_some(), "the next one brings it");
}
