//! What the tests of the real program share: a fake sysfs, a configuration, a run, and what came of it.
//!
//! Every run is also held to what is true of all of them: it ends in time, the licence is nowhere in
//! its output, each log line is one line, and no process of it is left.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl;
use nix::sys::signal::{SigHandler, Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use rusqlite::Connection;
use serde::Deserialize;
use tempfile::TempDir;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_iio-focus");

/// What must never be seen outside focus's arguments. Not the one that errors give as an example.
pub(crate) const LICENSE: &str = "x0000-test-0042";

/// Where the tools are that tests use.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A run that takes longer hangs. Far more than any needs on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A good device: what the attributes of a htu21 say.
pub(crate) const HTU21: [(&str, &str); 3] =
    [("name", "htu21\n"), ("in_temp_input", "20600\n"), ("in_humidityrelative_input", "24400\n")];

/// The same as a DHT22 on GPIO 4, at the dht11 driver.
pub(crate) const DHT11: [(&str, &str); 4] = [
    ("name", "dht11@4\n"),
    ("in_temp_input", "20600\n"),
    ("in_humidityrelative_input", "24400\n"),
    ("of_node/compatible", "dht11\0"),
];

/// The surroundings of a run, all under one temporary folder.
pub(crate) struct Bench {
    dir: TempDir,
    /// WhaTap's server, as far as focus's stand-in cares: it accepts connections.
    server: TcpListener,
    /// The stand-in, under a name that no other test uses.
    pub(crate) focus: PathBuf,
    /// Section, key, and the value as TOML writes it.
    settings: BTreeMap<(String, String), String>,
    env: BTreeMap<String, String>,
    /// A run was killed. It reaped nobody: its focus, killed with it, is this process's to reap, sooner or later.
    reaps: Cell<bool>,
}

impl Bench {
    /// No device yet; a configuration that delivers through the stand-in and never pauses.
    pub(crate) fn new() -> Bench {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Whatever a run leaves behind becomes a child of this process, and is found by `leftovers`.
        prctl::set_child_subreaper(true).unwrap();
        // A shell ignores SIGINT and SIGQUIT for what it starts in the background, and that is inherited.
        for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM] {
            default_action(signal);
        }
        let dir = tempfile::tempdir().unwrap();
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        fs::create_dir_all(dir.path().join("sys/bus/iio/devices")).unwrap();
        fs::create_dir(dir.path().join("bin")).unwrap();
        let focus = dir.path().join(format!("bin/focus-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        symlink(stand_in(), &focus).unwrap();
        let mut bench = Bench {
            dir,
            server,
            focus,
            settings: BTreeMap::new(),
            env: BTreeMap::new(),
            reaps: Cell::new(false),
        };
        bench.set("sensor.retry-delay", "\"0s\"");
        bench.set("focus.program", &format!("{:?}", bench.focus.display().to_string()));
        bench.set("focus.license", &format!("{LICENSE:?}"));
        bench.set("focus.pcode", "7000");
        bench.set("focus.server-host", "\"127.0.0.1\"");
        bench.set("focus.server-port", &port.to_string());
        bench.set("store.path", &format!("{:?}", bench.store().display().to_string()));
        bench.env("PATH", PATH);
        bench.env("FOCUS_RECORD", bench.path("record").to_str().unwrap());
        bench
    }

    /// With one good device.
    pub(crate) fn with_sensor() -> Bench {
        let bench = Bench::new();
        bench.device(0, &HTU21);
        bench
    }

    /// With one good device, and a stand-in that plays this fault.
    pub(crate) fn with_fault(fault: &str) -> Bench {
        let mut bench = Bench::with_sensor();
        bench.env("FOCUS_FAULT", fault);
        bench
    }

    /// A path in the temporary folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The folder that holds the store and nothing else.
    pub(crate) fn store_dir(&self) -> PathBuf {
        self.path("store")
    }

    /// The store's file.
    pub(crate) fn store(&self) -> PathBuf {
        self.store_dir().join("readings.db")
    }

    /// Fills the store, which a run makes, with these readings of another boot and no others: when (ms since the epoch), whose, m°C
    /// and m%RH. They were delivered 500 ms later.
    pub(crate) fn keep(&self, readings: impl IntoIterator<Item = (i64, &'static str, i32, i32)>) {
        self.run(&[]).delivered();
        let mut db = Connection::open(self.store()).unwrap();
        let all = db.transaction().unwrap();
        all.execute("DELETE FROM reading", []).unwrap();
        for (at_ms, sensor, temperature_mdegc, humidity_mpercent) in readings {
            all.execute(
                "INSERT INTO reading (taken_ms, boot_ms, boot_id, sensor, temperature_mdegc, humidity_mpercent, attempts,
                                      delivered_ms, status)
                 VALUES (?1, 0, 'another boot', ?2, ?3, ?4, 1, ?1 + 500, 0)",
                (at_ms, sensor, temperature_mdegc, humidity_mpercent),
            )
            .unwrap();
        }
        all.commit().unwrap();
    }

    /// Lets the server take what arrives, instead of only accepting connections.
    pub(crate) fn serve(&self) -> Server {
        let server = Server { address: self.server.local_addr().unwrap(), lines: Arc::default() };
        let lines = Arc::clone(&server.lines);
        let listener = self.server.try_clone().unwrap();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let mut text = String::new();
                let _ = BufReader::new(connection).read_to_string(&mut text);
                lines.lock().unwrap().extend(text.lines().map(str::to_owned));
            }
        });
        server
    }

    /// The port that `server-port` is set to.
    pub(crate) fn port(&self) -> u16 {
        self.server.local_addr().unwrap().port()
    }

    /// Makes `iio:device<number>`, linked from the bus as sysfs does it. Returns its real folder.
    pub(crate) fn device(&self, number: u32, attributes: &[(&str, &str)]) -> PathBuf {
        let real = self.path(&format!("sys/devices/platform/x{number}/iio:device{number}"));
        fs::create_dir_all(&real).unwrap();
        let link = self.path(&format!("sys/bus/iio/devices/iio:device{number}"));
        symlink(format!("../../../devices/platform/x{number}/iio:device{number}"), link).unwrap();
        for (name, value) in attributes {
            fs::create_dir_all(real.join(name).parent().unwrap()).unwrap();
            fs::write(real.join(name), value).unwrap();
        }
        real
    }

    /// Sets `section.key` to a value as TOML writes it.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        let (section, key) = key.split_once('.').unwrap();
        self.settings.insert((section.to_owned(), key.to_owned()), value.to_owned());
    }

    /// Leaves `section.key` out.
    pub(crate) fn unset(&mut self, key: &str) {
        let (section, key) = key.split_once('.').unwrap();
        self.settings.remove(&(section.to_owned(), key.to_owned())).unwrap();
    }

    /// Sets an environment variable for the run.
    pub(crate) fn env(&mut self, name: &str, value: &str) {
        self.env.insert(name.to_owned(), value.to_owned());
    }

    /// Takes an environment variable away.
    pub(crate) fn unset_env(&mut self, name: &str) {
        self.env.remove(name).unwrap();
    }

    /// The configuration as a file.
    pub(crate) fn config_text(&self) -> String {
        let mut sections: BTreeMap<&str, String> = BTreeMap::new();
        for ((section, key), value) in &self.settings {
            *sections.entry(section).or_default() += &format!("{key} = {value}\n");
        }
        sections.iter().map(|(name, lines)| format!("[{name}]\n{lines}")).collect()
    }

    /// Writes a file that only its owner can read.
    pub(crate) fn private_file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// Writes a program. Another process does it: one that this process had open for writing could not
    /// be executed while another test's fork still holds it (ETXTBSY).
    pub(crate) fn executable(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let source = self.private_file(&format!("{}.source", name.replace('/', "_")), content);
        let target = self.path(name);
        let status = Command::new("install").args(["-m", "755"]).arg(source).arg(&target).status().unwrap();
        assert!(status.success());
        target
    }

    /// A program that writes what `/proc` says of it to the file `signals`, and then plays focus. It starts
    /// no other, as a shell blocks signals for that.
    pub(crate) fn signal_probe(&self) -> PathBuf {
        let signals = self.path("signals").display().to_string();
        let script = format!(
            "#!/bin/sh\nwhile read -r line; do echo \"$line\"; done < /proc/$$/status > '{signals}'\nexec '{}' \"$@\"\n",
            self.focus.display()
        );
        self.executable("bin/probe", script)
    }

    /// The command for a run, with the configuration, the fake sysfs and the log on standard error.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_under(&[], arguments)
    }

    /// The same, started by another program, such as `["strace", "-f"]`.
    pub(crate) fn command_under(&self, wrapper: &[&str], arguments: &[&str]) -> Command {
        let config = self.private_file("config.toml", self.config_text());
        let sysfs = self.path("sys");
        let mut all = wrapper.to_vec();
        all.extend([PROGRAM, "--config", config.to_str().unwrap()]);
        if !matches!(arguments.first(), Some(&"chart" | &"export" | &"status")) {
            all.extend(["--sysfs", sysfs.to_str().unwrap()]);
        }
        if !arguments.contains(&"--log") && arguments.first().is_none_or(|first| first.starts_with("--")) {
            all.extend(["--log", "stderr"]);
        }
        all.extend(arguments);
        self.bare(&all)
    }

    /// A command with the run's environment and nothing else.
    pub(crate) fn bare(&self, words: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_clear().envs(&self.env).current_dir(self.dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Takes one reading and tells what came of it.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.outcome(&mut self.command(arguments))
    }

    /// The same under another program.
    pub(crate) fn run_under(&self, wrapper: &[&str], arguments: &[&str]) -> Outcome {
        self.outcome(&mut self.command_under(wrapper, arguments))
    }

    /// The same under `strace` with these options.
    pub(crate) fn run_traced(&self, options: &[&str], arguments: &[&str]) -> Outcome {
        let trace = self.path("trace").display().to_string();
        let mut wrapper = vec!["strace", "-qq", "-o", &trace];
        wrapper.extend(options);
        self.run_under(&wrapper, arguments)
    }

    /// The words that start a program in a private mount namespace, with these folders in place of those.
    pub(crate) fn namespace(binds: &[(&Path, &str)]) -> Vec<String> {
        let flags = if fs::metadata("/proc/self").unwrap().uid() == 0 { "-m" } else { "-rm" };
        let tried = Command::new("unshare").args([flags, "true"]).output().unwrap();
        assert!(
            tried.status.success(),
            "unshare {flags} must work here, as these tests put folders over /dev and /etc: {tried:?}"
        );
        let mut script = "set -e; ".to_owned();
        for (source, target) in binds {
            script += &format!("mount --rbind '{}' {target}; ", source.display());
        }
        script += "exec \"$@\"";
        ["unshare", flags, "sh", "-c", &script, "sh"].map(str::to_owned).to_vec()
    }

    /// Runs to the end.
    pub(crate) fn outcome(&self, command: &mut Command) -> Outcome {
        self.finish(command.spawn().unwrap())
    }

    /// What came of a run that was started.
    pub(crate) fn finish(&self, mut child: Child) -> Outcome {
        let started = Instant::now();
        let pid = pid_of(&child);
        let (done, waited) = mpsc::channel();
        let watchdog = thread::spawn(move || {
            let hangs = waited.recv_timeout(PATIENCE).is_err();
            if hangs {
                let _ = kill(pid, Signal::SIGKILL);
            }
            hangs
        });
        let stderr = child.stderr.take();
        let errors = thread::spawn(move || read_all(stderr));
        let stdout = read_all(child.stdout.take());
        let stderr = errors.join().unwrap();
        // strace tells so of a path that holds a link.
        let stderr: String =
            stderr.split_inclusive('\n').filter(|line| !line.starts_with("strace: Requested path")).collect();
        let status = child.wait().unwrap();
        let _ = done.send(());
        assert!(!watchdog.join().unwrap(), "still running after {PATIENCE:?}: {stderr}");
        let status = status.code().or(status.signal().map(|signal| 1000 + signal)).unwrap();
        if status == 1000 + Signal::SIGKILL as i32 {
            self.reaps.set(true);
        }
        let outcome = Outcome { status, stdout, stderr, took: started.elapsed(), records: self.records() };
        outcome.check();
        // What went wrong before focus was to be started leaves nothing to look for.
        if !outcome.records.is_empty() || ![64, 66, 78].contains(&outcome.status) {
            self.assert_no_leftovers();
        }
        outcome
    }

    /// What the stand-in wrote down, one for each time it was started.
    pub(crate) fn records(&self) -> Vec<Record> {
        let text = fs::read_to_string(self.path("record")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Starts a run and waits until the stand-in has read its input.
    pub(crate) fn start_until_focus_hangs(&self, command: &mut Command) -> Child {
        let mut child = command.spawn().unwrap();
        eventually("focus has its input", || {
            assert!(child.try_wait().unwrap().is_none(), "the run ended before focus had its input");
            !fs::read(self.path("record")).unwrap_or_default().is_empty()
        });
        child
    }

    fn assert_no_leftovers(&self) {
        // What was sent SIGKILL is gone soon, but not at once.
        let until = Instant::now() + Duration::from_secs(3);
        while !self.leftovers().is_empty() {
            if self.reaps.get() {
                for pid in self.leftovers() {
                    let _ = waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG));
                }
            }
            if Instant::now() > until {
                let stat = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                panic!("left of the run: {:?}", self.leftovers().iter().map(stat).collect::<Vec<_>>());
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Processes that belong to this test: alive with its folder in their environment, or not reaped by
    /// whoever started the stand-in.
    pub(crate) fn leftovers(&self) -> Vec<i32> {
        let dir = self.dir.path().to_str().unwrap();
        let name = self.focus.file_name().unwrap().to_str().unwrap();
        let processes = fs::read_dir("/proc").unwrap().flatten();
        processes
            .filter_map(|process| {
                let pid: i32 = process.file_name().to_str()?.parse().ok()?;
                let environment = fs::read(process.path().join("environ")).unwrap_or_default();
                let alive = environment.windows(dir.len()).any(|window| window == dir.as_bytes());
                let stat = fs::read_to_string(process.path().join("stat")).unwrap_or_default();
                let unreaped = stat.contains(&format!("({name}) Z {}", std::process::id()));
                (alive || unreaped).then_some(pid)
            })
            .collect()
    }
}

#[allow(unsafe_code, reason = "the default action runs no code of this process")]
fn default_action(signal: Signal) {
    // SAFETY: as above.
    unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) }.unwrap();
}

/// A test that failed leaves nothing behind either.
impl Drop for Bench {
    fn drop(&mut self) {
        for pid in self.leftovers() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// What the server got. It takes one connection after the other, until the test program ends.
pub(crate) struct Server {
    address: SocketAddr,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// The temperatures that arrived, in m°C and in order.
    pub(crate) fn arrived(&self) -> Vec<i32> {
        let records = self.records();
        records.iter().map(|record| temperature_mdegc(&record.stdin)).collect()
    }

    /// What arrived, as the stand-in sent it.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.catch_up();
        self.lines.lock().unwrap().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Begins anew.
    pub(crate) fn forget(&self) {
        self.catch_up();
        self.lines.lock().unwrap().clear();
    }

    /// Connections are read in the order they were made: when one of our own is, all before it are.
    fn catch_up(&self) {
        const MARK: &str = "caught up";
        writeln!(TcpStream::connect(self.address).unwrap(), "{MARK}").unwrap();
        eventually("the server has read all", || {
            let mut lines = self.lines.lock().unwrap();
            let found = lines.iter().position(|line| line == MARK).map(|at| lines.remove(at));
            found.is_some()
        });
    }
}

/// The temperature in a line that focus was given.
pub(crate) fn temperature_mdegc(json: &str) -> i32 {
    let line: BTreeMap<String, f64> = serde_json::from_str(json).unwrap();
    let tenths = (line["temperature"] * 10.0).round();
    format!("{tenths}00").parse().unwrap()
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The exit status; 1000 + n if signal n killed it.
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
    pub(crate) records: Vec<Record>,
}

/// What the stand-in wrote down.
#[derive(Debug, Deserialize)]
pub(crate) struct Record {
    pub(crate) argv: Vec<String>,
    pub(crate) stdin: String,
    pub(crate) now: Option<i64>,
    pub(crate) fds: Vec<u32>,
}

impl Outcome {
    /// What is true of every run.
    fn check(&self) {
        assert!(!self.stdout.contains(LICENSE), "the licence is on standard output: {self:#?}");
        assert!(!self.stderr.contains(LICENSE), "the licence is in the log: {self:#?}");
        for line in self.stderr.lines() {
            assert!(line.starts_with("iio-focus: "), "not a line of the log: {line:?} of {self:#?}");
            assert!(!line.contains(|c: char| c.is_control()), "{line:?}");
            assert!(!line.contains("panicked") || self.status == 70, "{self:#?}");
        }
    }

    /// The run ended so, and this one line at err says why; it is returned without its prefix.
    #[track_caller]
    pub(crate) fn error(&self, status: i32) -> &str {
        assert_eq!(self.status, status, "{self:#?}");
        let errors: Vec<&str> =
            self.stderr.lines().filter_map(|line| line.strip_prefix("iio-focus: error: ")).collect();
        match errors[..] {
            [error] => error,
            _ => panic!("not one line at err: {self:#?}"),
        }
    }

    /// The run ended so and said nothing but this one line at err, which holds all of these.
    #[track_caller]
    pub(crate) fn fails(&self, status: i32, parts: &[&str]) {
        let error = self.error(status);
        assert_eq!(self.stderr.lines().count(), 1, "{self:#?}");
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in {error:?}");
        }
    }

    /// The run took a reading and delivered it.
    #[track_caller]
    pub(crate) fn delivered(&self) {
        assert_eq!(self.status, 0, "{self:#?}");
        assert!(self.stderr.ends_with(" delivered=1 backlog=0\n"), "{self:#?}");
        assert_eq!(self.stdout, "", "{self:#?}");
    }
}

/// The example program that plays focus; cargo builds it before it runs the tests.
pub(crate) fn stand_in() -> PathBuf {
    let test = env::current_exe().unwrap();
    let built = test.ancestors().nth(2).unwrap().join("examples/focus-stand-in");
    assert!(built.exists(), "{} is not there: cargo build --examples", built.display());
    built
}

pub(crate) fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(child.id().try_into().unwrap())
}

/// Waits until it is so, and fails when it takes too long.
#[track_caller]
pub(crate) fn eventually(what: &str, is_so: impl FnMut() -> bool) {
    within(PATIENCE, what, is_so);
}

#[track_caller]
fn within(limit: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + limit;
    while !is_so() {
        assert!(Instant::now() < until, "not within {limit:?}: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn read_all(stream: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        stream.read_to_end(&mut bytes).unwrap();
    }
    String::from_utf8(bytes).expect("what the program prints is UTF-8")
}

/// Makes a named pipe.
pub(crate) fn fifo(path: &Path) {
    let _ = fs::remove_file(path);
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
}

/// Puts this link in place of the file.
pub(crate) fn replace_by_link(path: &Path, target: &str) {
    let _ = fs::remove_file(path);
    symlink(target, path).unwrap();
}
