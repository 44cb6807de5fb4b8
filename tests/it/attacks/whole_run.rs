//! The whole run on what is drawn from one number: configuration, arguments, environment, sysfs, what stands beside the
//! store, and what focus says. `make fuzz` draws for a time; the test does so for a few numbers.

#![allow(clippy::print_stdout, reason = "the counts are the report")]

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::machine::{HTU21, LICENSE, Machine, Outcome, PROGRAM, fifo};

/// How many numbers the test takes, unless it is told how long.
const NUMBERS: u64 = 12;

/// SplitMix64: the same number always draws the same.
struct Draw(u64);

impl Draw {
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % end as u64).unwrap()
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.number().to_le_bytes()[0]).collect()
    }
}

/// Texts that are hard on who reads them.
const WORDS: [&str; 22] = [
    "",
    "-1",
    "0",
    "1e999",
    "NaN",
    "99999999999999999999",
    "\"",
    "'",
    "\\",
    "[",
    "]",
    "=",
    "#",
    "\n",
    "\r\n",
    "\0",
    "\u{202e}x",
    "\x1b[2J",
    "[[a]]",
    "a.b.c = 1",
    "inf",
    "\u{feff}",
];

/// What focus may say.
const SAID: [&str; 18] = [
    "\n2025/01/17 11:36:59 [TCP] Connected 127.0.0.1:6600\n",
    "\n[TCP] Connected 127.0.0.1:6600\n",
    "[TCP] Connected 127.0.0.1:6600",
    "[TCP] Connect error. h:1",
    "[error] no",
    "TCP All data was not sent. (tot=9 left=1)",
    "TCP EOF",
    "[TCP] Closed",
    " Collecting stdin-json",
    "\x1b[31m",
    "\x1b]0;",
    "\n",
    "\n\n",
    "\r",
    "\0",
    "\u{200b}",
    "2025/01/17 11:36:59 ",
    "\u{1b}[",
];

fn values(draw: &mut Draw) -> Vec<u8> {
    match draw.below(6) {
        0 => draw.bytes(40),
        1 => draw.of(&WORDS).as_bytes().to_vec(),
        2 => vec![b'9'; draw.below(9000)],
        3 => format!("-{}\n", draw.number() >> draw.below(60)).into_bytes(),
        _ => format!("{}\n", draw.below(60_000)).into_bytes(),
    }
}

fn sysfs(draw: &mut Draw, machine: &Machine) {
    let second = machine.path("sys/bus/iio/devices/iio:device1");
    if draw.one_in(12) && !second.exists() {
        machine.device(1, &HTU21);
    }
    let device = machine.path("sys/bus/iio/devices/iio:device0");
    let changes = if draw.one_in(3) { 1 + draw.below(3) } else { 0 };
    for _ in 0..changes {
        let attributes = ["in_temp_input", "in_humidityrelative_input", "name", "label", "in_temp_scale"];
        let attribute = device.join(draw.of(&attributes));
        let _ = fs::remove_file(&attribute).or_else(|_| fs::remove_dir(&attribute));
        match draw.below(5) {
            0 => {}
            1 => symlink("/proc/self/mem", &attribute).unwrap(),
            2 => drop(fs::create_dir(&attribute)),
            _ => drop(fs::write(&attribute, values(draw))),
        }
    }
}

/// The configuration, changed before the table of the store, which stays as it is.
fn configuration(draw: &mut Draw, machine: &Machine) -> Vec<u8> {
    let whole = machine.config_text();
    let (text, store) = whole.split_at(whole.find("[store]").unwrap());
    let mut text = text.as_bytes().to_vec();
    let changes = if draw.one_in(3) { 1 + draw.below(2) } else { 0 };
    for _ in 0..changes {
        let at = draw.below(text.len() + 1);
        match draw.below(4) {
            0 => drop(text.splice(at..(at + draw.below(9)).min(text.len()), [])),
            1 => drop(text.splice(at..at, draw.of(&WORDS).bytes())),
            2 => drop(text.splice(at..at, draw.bytes(9))),
            _ => {
                let lines: Vec<&str> = whole.lines().collect();
                let line = draw.of(&lines).to_owned() + "\n";
                text.extend(line.bytes());
            }
        }
    }
    text.extend(store.bytes());
    text
}

fn environment(draw: &mut Draw, machine: &Machine) -> BTreeMap<&'static str, OsString> {
    let mut all = BTreeMap::new();
    let names = [
        "TZ",
        "PATH",
        "HOME",
        "LANG",
        "RUST_BACKTRACE",
        "WHATAP_HOST",
        "WHATAP_PCODE",
        "WHATAP_SERVER_PORT",
        "CREDENTIALS_DIRECTORY",
        "SQLITE_TMPDIR",
        "TMPDIR",
    ];
    let changes = if draw.one_in(3) { 1 + draw.below(2) } else { 0 };
    for _ in 0..changes {
        let value = match draw.below(5) {
            0 => draw.bytes(30),
            1 => b":/dev/zero".to_vec(),
            2 => machine.store_dir().into_os_string().into_vec(),
            _ => draw.of(&WORDS).as_bytes().to_vec(),
        };
        let value: Vec<u8> = value.into_iter().filter(|byte| *byte != 0).collect();
        all.insert(draw.of(&names), OsString::from_vec(value));
    }
    all
}

/// Something beside the store that is not what it should be, and takes nothing from it.
fn beside_the_store(draw: &mut Draw, machine: &Machine) {
    let path =
        machine.store_dir().join(draw.of(&["readings.db.lock", "readings.db-shm", "readings.db-journal"]));
    let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
    match draw.below(5) {
        0 => fifo(&path),
        1 => symlink("/dev/zero", &path).unwrap(),
        2 => symlink("nowhere", &path).unwrap(),
        3 => drop(fs::create_dir(&path)),
        _ => fs::write(&path, draw.bytes(5000)).unwrap(),
    }
}

fn focus(draw: &mut Draw, machine: &Machine) {
    let mut said = [Vec::new(), Vec::new()];
    for _ in 0..draw.below(12) {
        let stream = draw.below(2);
        match draw.below(5) {
            0 => said[stream].extend(draw.bytes(300)),
            1 => said[stream].extend(vec![b'.'; draw.below(20_000)]),
            _ => said[stream].extend(draw.of(&SAID).bytes()),
        }
    }
    for (name, text) in ["out", "err"].into_iter().zip(said) {
        fs::write(machine.path(name), text).unwrap();
    }
    let ends = [
        "exit 0",
        "exit 0",
        "exit 0",
        "exit 1",
        "kill -KILL $$",
        "sleep 30",
        "exec 1>&- 2>&-; exit 0",
        "trap '' TERM; sleep 3",
    ];
    let reads = draw.of(&["cat >/dev/null", "exec <&-", ":"]);
    let dir = machine.path("").display().to_string();
    let script = format!("#!/bin/sh\n{reads}\ncat '{dir}/out'\ncat '{dir}/err' >&2\n{}\n", draw.of(&ends));
    machine.executable("bin/drawn", script);
}

fn drawn_run(draw: &mut Draw, machine: &Machine) -> Outcome {
    focus(draw, machine);
    let config = machine.private_file("drawn.toml", configuration(draw, machine));
    let mut words = vec![PROGRAM.to_owned(), "--config".into(), config.display().to_string()];
    words.extend(["--sysfs".into(), machine.path("sys").display().to_string()]);
    words.extend(["--log", "stderr", "--deadline", "4s", "--attempts", "2"].map(str::to_owned));
    if draw.one_in(3) {
        words.push("--verbose".into());
    }
    if draw.one_in(6) {
        words.extend(["--device".into(), draw.of(&WORDS).replace('\0', "x")]);
    }
    let environment = environment(draw, machine);
    machine.outcome(machine.bare(&words).envs(environment))
}

/// What must hold for what this number draws. Returns the statuses of its runs.
fn holds(number: u64) -> Vec<i32> {
    let mut draw = Draw(number);
    let mut machine = Machine::with_fault("exit-1");
    machine.set("sensor.temperature-jump", "0");
    assert_eq!(machine.run(&[]).status, 69, "{number}");
    machine.unset_env("FOCUS_FAULT");
    let (good, drawn) = (machine.focus.clone(), machine.path("bin/drawn"));
    let program = |focus: &Path| format!("{:?}", focus.display().to_string());
    machine.set("focus.program", &program(&drawn));
    let mut kept = readings(&machine);
    let mut statuses = Vec::new();
    for _ in 0..2 {
        sysfs(&mut draw, &machine);
        if draw.one_in(3) {
            beside_the_store(&mut draw, &machine);
        }
        let outcome = drawn_run(&mut draw, &machine);
        assert!([0, 64, 66, 69, 74, 75, 78].contains(&outcome.status), "{number}: {outcome:#?}");
        assert!(outcome.took < Duration::from_secs(12), "{number}: {outcome:#?}");
        let then = readings(&machine);
        assert!(kept.iter().all(|id| then.contains(id)), "{number}: {kept:?} {then:?} {outcome:#?}");
        kept = then;
        statuses.push(outcome.status);
    }
    for part in ["lock", "shm", "journal"] {
        for path in [".", "-"].map(|sign| machine.store_dir().join(format!("readings.db{sign}{part}"))) {
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
        }
    }
    fs::remove_dir_all(machine.path("sys/bus/iio/devices")).unwrap();
    fs::remove_dir_all(machine.path("sys/devices")).unwrap();
    fs::create_dir_all(machine.path("sys/bus/iio/devices")).unwrap();
    machine.device(0, &HTU21);
    machine.set("focus.program", &program(&good));
    let outcome = machine.run(&[]);
    assert_eq!(outcome.status, 0, "{number}: {outcome:#?}");
    assert!(outcome.stderr.ends_with(" backlog=0\n"), "{number}: {outcome:#?}");
    let then = readings(&machine);
    assert!(
        kept.iter().all(|id| then.contains(id)) && then.len() == kept.len() + 1,
        "{number}: {kept:?} {then:?}"
    );
    statuses
}

/// The ids of the committed readings.
fn readings(machine: &Machine) -> Vec<i64> {
    let copy = machine.path("copy");
    let _ = fs::remove_dir_all(&copy);
    fs::create_dir(&copy).unwrap();
    // Not in place: the index beside the store may be what was drawn.
    for name in ["readings.db", "readings.db-wal"] {
        let _ = fs::copy(machine.store_dir().join(name), copy.join(name));
    }
    let db = Connection::open(copy.join("readings.db")).unwrap();
    let mut ids = db.prepare("SELECT id FROM reading ORDER BY id").unwrap();
    ids.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn whatever_is_drawn_a_run_ends_as_documented_and_loses_nothing() {
    assert!(!LICENSE.is_empty());
    let told = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (first, begun) = (told("DRAW_FIRST").unwrap_or(0), Instant::now());
    let time = told("DRAW_SECONDS").map(Duration::from_secs);
    let mut statuses: BTreeMap<i32, u32> = BTreeMap::new();
    for number in first.. {
        let goes_on = time.map_or(number < first + NUMBERS, |time| begun.elapsed() < time);
        if !goes_on {
            println!("{} numbers from {first}, runs by status: {statuses:?}", number - first);
            break;
        }
        for status in holds(number) {
            *statuses.entry(status).or_default() += 1;
        }
    }
    assert!(statuses.len() > 1, "{statuses:?}");
}
