//! A whole delivery, killed at every one of its system calls that can be seen from outside, and failed by the system at every one of them.
//!
//! The run starts from a store with one reading in its backlog, so that it takes, keeps and delivers its own
//! reading and then the old one. After each interrupted run a clean one follows, and then nothing may be lost.

#![allow(clippy::print_stdout, reason = "the counts are the report")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::Connection;

use crate::machine::{Call, Machine, Server, calls_in, on_all};

/// The readings, in m°C: in the backlog from before, of the run that is interrupted, of the clean one after it.
const OLD: i32 = 10_000;
const INTERRUPTED: i32 = 20_600;
const CLEAN: i32 = 30_000;

/// A machine with a template of the state that every interrupted run starts from.
struct Site {
    machine: Machine,
    server: Server,
}

impl Site {
    fn new() -> Site {
        let mut machine = Machine::with_sensor();
        machine.set("sensor.temperature-jump", "0");
        let server = machine.serve();
        let site = Site { machine, server };
        site.measure(OLD);
        let mut first = site.machine.command(&[]);
        assert_eq!(site.machine.outcome(first.env("FOCUS_FAULT", "exit-1")).status, 69);
        fs::rename(site.machine.store_dir(), site.machine.path("template")).unwrap();
        site
    }

    /// The same, but the store is damaged: its reading is in whole pages, its header is not.
    fn damaged() -> Site {
        let site = Site::new();
        let (file, copy) = (site.machine.path("template/readings.db"), site.machine.store());
        fs::create_dir(site.machine.store_dir()).unwrap();
        fs::copy(&file, &copy).unwrap();
        let log = site.machine.path("template/readings.db-wal");
        fs::rename(&log, site.machine.store_dir().join("readings.db-wal")).unwrap();
        drop(Connection::open(&copy).map(|db| db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")).unwrap());
        let mut bytes = fs::read(&copy).unwrap();
        bytes[..16].fill(0);
        fs::write(&file, bytes).unwrap();
        let _ = fs::remove_file(site.machine.path("template/readings.db-shm"));
        site
    }

    /// The same, but the store is of the first version.
    fn first_version() -> Site {
        let site = Site::new();
        let db = Connection::open(site.machine.path("template/readings.db")).unwrap();
        db.execute_batch(crate::store::TO_FIRST_VERSION).unwrap();
        site
    }

    fn measure(&self, temperature_mdegc: i32) {
        let attribute = self.machine.path("sys/bus/iio/devices/iio:device0/in_temp_input");
        fs::write(attribute, format!("{temperature_mdegc}\n")).unwrap();
    }

    /// A run from the template's state, under strace with these options. Returns its exit status.
    fn interrupted(&self, options: &[&str]) -> i32 {
        let state = self.machine.store_dir();
        let _ = fs::remove_dir_all(&state);
        fs::create_dir(&state).unwrap();
        for file in fs::read_dir(self.machine.path("template")).unwrap().flatten() {
            fs::copy(file.path(), state.join(file.file_name())).unwrap();
        }
        let _ = fs::remove_file(self.machine.path("record"));
        self.server.forget();
        self.measure(INTERRUPTED);
        let outcome = self.machine.run_traced(options, &["--deadline", "20s"]);
        assert!(!outcome.stderr.contains("a bug in iio-focus"), "{options:?}: {outcome:#?}");
        outcome.status
    }

    /// What must hold after any interrupted run: a clean one brings everything that had been committed. Returns
    /// what that was.
    fn nothing_is_lost(&self, what: &str) -> BTreeSet<i32> {
        self.measure(CLEAN);
        let outcome = self.machine.run(&[]);
        assert_eq!(outcome.status, 0, "{what}: {outcome:#?}");
        assert!(outcome.stderr.trim_end().ends_with(" backlog=0"), "{what}: {outcome:#?}");

        let db = Connection::open(self.machine.store()).unwrap();
        let check: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok", "{what}");
        let kept = self.kept(&db);
        assert!(kept.values().all(|delivered| *delivered), "{what}: {kept:?}");
        for reading in [OLD, CLEAN] {
            assert!(kept.contains_key(&reading), "{what}: {reading} is not in the store: {kept:?}");
        }
        let arrived = self.server.arrived();
        for reading in kept.keys() {
            assert!(
                arrived.contains(reading),
                "{what}: {reading} was committed but did not arrive: {arrived:?}"
            );
        }
        assert!(
            arrived.iter().all(|reading| [OLD, INTERRUPTED, CLEAN].contains(reading)),
            "{what}: {arrived:?}"
        );
        let allowed = ["readings.db", "readings.db-shm", "readings.db-wal", "readings.db.lock"];
        for file in fs::read_dir(self.machine.store_dir()).unwrap().flatten() {
            let name = file.file_name().into_string().unwrap();
            let aside = name.starts_with("readings.db.damaged-");
            assert!(aside || allowed.contains(&name.as_str()), "{what}: {name} was left behind");
        }
        kept.into_keys().collect()
    }

    fn kept(&self, db: &Connection) -> BTreeMap<i32, bool> {
        db.prepare("SELECT temperature_mdegc, delivered_ms IS NOT NULL FROM reading")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect()
    }
}

/// The system calls of an undisturbed run, in order. How often focus's output is polled and read differs from
/// run to run: these are the ones that every run has.
fn calls(site: &Site) -> Vec<Call> {
    let runs: Vec<Vec<Call>> = (0..10).map(|_| traced(site)).collect();
    let count = |run: &[Call], name: &str| run.iter().filter(|call| call.name == name).count();
    let in_all = |call: &&Call| runs.iter().all(|run| count(run, &call.name) >= call.ordinal);
    runs[0].iter().filter(in_all).cloned().collect()
}

fn traced(site: &Site) -> Vec<Call> {
    assert_eq!(site.interrupted(&[]), 0);
    calls_in(&fs::read_to_string(site.machine.path("trace")).unwrap())
}

#[test]
fn killed_at_any_system_call_a_run_loses_nothing() {
    let mut calls = calls(&Site::new());
    calls.retain(Call::is_seen);
    let survived = Mutex::new(Vec::new());
    on_all(Site::new, &calls, |site, call| {
        let inject = call.killed();
        // The last ones of a kind may be missing in a run all the same.
        let killed = (0..20).any(|_| match site.interrupted(&["-e", &inject]) {
            1009 => true,
            status => {
                assert_eq!(status, 0, "{inject}");
                false
            }
        });
        if !killed {
            survived.lock().unwrap().push(inject.clone());
        }
        let committed = site.nothing_is_lost(&inject);
        let arrived = site.server.arrived();
        assert!(
            committed.contains(&INTERRUPTED) || !arrived.contains(&INTERRUPTED),
            "{inject}: focus had the reading before it was committed"
        );
    });
    let survived = survived.into_inner().unwrap();
    println!("killed at {} of {} system calls", calls.len() - survived.len(), calls.len());
    assert_eq!(survived, [] as [String; 0]);
}

#[test]
fn killed_while_a_damaged_store_is_replaced_a_run_loses_nothing() {
    killed_at_each_change_nothing_is_lost(Site::damaged, "rename");
}

#[test]
fn killed_while_a_store_is_brought_up_to_date_a_run_loses_nothing() {
    killed_at_each_change_nothing_is_lost(Site::first_version, "pwrite64");
}

/// Kills a run at each of its calls that change a file, of which there are several of this name.
fn killed_at_each_change_nothing_is_lost(site: fn() -> Site, several: &str) {
    let mut calls = calls(&site());
    let changes = ["rename", "unlink", "pwrite64", "fsync", "fdatasync", "ftruncate", "close", "fcntl"];
    calls.retain(|call| changes.contains(&call.name.as_str()));
    assert!(calls.iter().filter(|call| call.name == several).count() >= 3, "{calls:?}");
    on_all(site, &calls, |site, call| {
        let inject = call.killed();
        let status = site.interrupted(&["-e", &inject]);
        assert!([0, 1009].contains(&status), "{inject}: {status}");
        site.nothing_is_lost(&inject);
    });
}

/// What the kernel's manual pages say can go wrong with each call, as far as a run must live with it.
fn errnos(call: &str) -> &'static [&'static str] {
    match call {
        "openat" => &["EACCES", "EINTR", "EIO", "EMFILE", "ENOMEM", "ENOSPC"],
        "read" | "getdents64" => &["EIO"],
        "pread64" => &["EIO", "EINTR"],
        "pwrite64" => &["EIO", "ENOSPC", "EINTR"],
        "fsync" | "fdatasync" | "ftruncate" | "mkdir" => &["EIO", "ENOSPC"],
        "write" => &["EIO", "ENOSPC", "EINTR"],
        // Not brk: the kernel says no with the old end of the heap, and strace can inject only numbers.
        "mmap" => &["ENOMEM"],
        "clone" | "clone3" | "vfork" | "fork" => &["EAGAIN", "ENOMEM"],
        "pipe2" | "socketpair" | "signalfd4" | "socket" => &["EMFILE", "ENOMEM"],
        "poll" => &["EINTR", "ENOMEM"],
        "flock" => &["EINTR", "ENOMEM"],
        "newfstatat" | "statx" | "fstat" => &["EACCES", "EIO", "ENOMEM"],
        "connect" => &["EACCES"],
        "wait4" => &["EINTR"],
        _ => &[],
    }
}

#[test]
fn failing_at_any_system_call_a_run_loses_nothing() {
    let calls = calls(&Site::new());
    // What comes before is the dynamic loader's and the standard library's, which end the process their own way.
    let start = calls.iter().position(|call| call.name == "signalfd4").unwrap();
    let cases: Vec<(Call, &str)> = calls[start..]
        .iter()
        .flat_map(|call| errnos(&call.name).iter().map(|errno| (call.clone(), *errno)))
        .collect();
    let outcomes: Vec<AtomicUsize> = (0..=255).map(|_| AtomicUsize::new(0)).collect();
    on_all(Site::new, &cases, |site, (call, errno)| {
        let inject = format!("inject={}:error={errno}:when={}", call.name, call.ordinal);
        let status = site.interrupted(&["-e", &inject]);
        assert!([0, 66, 69, 74, 78].contains(&status), "{inject}: exit status {status}");
        outcomes[usize::try_from(status).unwrap()].fetch_add(1, Ordering::Relaxed);
        site.nothing_is_lost(&inject);
    });
    for (status, count) in outcomes.iter().enumerate() {
        let count = count.load(Ordering::Relaxed);
        if count > 0 {
            println!("{count} of {} injected errors ended with {status}", cases.len());
        }
    }
    assert!(cases.len() > 300, "{}", cases.len());
}

#[test]
fn the_template_is_what_a_run_starts_from() {
    let site = Site::new();
    assert_eq!(site.interrupted(&[]), 0);
    assert_eq!(site.server.arrived(), [INTERRUPTED, OLD]);
    site.nothing_is_lost("undisturbed");
    assert!(Path::new(&site.machine.store()).exists());
}
