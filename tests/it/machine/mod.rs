//! A machine in a folder, for one test of the real program: a fake sysfs, a configuration, a store, a focus and a server
//! that are stand-ins, the runs on it and what came of them.
//!
//! Every run is also held to what is true of all of them: it ends in time, the licence is nowhere in
//! its output, each log line is one line, and no process of it is left.

mod calls;
mod outcome;
mod run;
mod server;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::prctl;
use nix::sys::signal::{SigHandler, Signal};
use rusqlite::Connection;
use tempfile::TempDir;

pub(crate) use calls::{Call, calls_in, on_all};
pub(crate) use outcome::{Outcome, Record, temperature_mdegc};
pub(crate) use run::{eventually, pid_of};
pub(crate) use server::Server;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_iio-focus");

/// What must never be seen outside focus's arguments. Not the one that errors give as an example.
pub(crate) const LICENSE: &str = "x0000-test-0042";

/// Where the tools are that tests use.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

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

/// The machine. All that a run sees of it is under one temporary folder.
pub(crate) struct Machine {
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

impl Machine {
    /// No device yet; a configuration that delivers through the stand-in and never pauses.
    pub(crate) fn new() -> Machine {
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
        let mut machine = Machine {
            dir,
            server,
            focus,
            settings: BTreeMap::new(),
            env: BTreeMap::new(),
            reaps: Cell::new(false),
        };
        machine.set("sensor.retry-delay", "\"0s\"");
        machine.set("focus.program", &format!("{:?}", machine.focus.display().to_string()));
        machine.set("focus.license", &format!("{LICENSE:?}"));
        machine.set("focus.pcode", "7000");
        machine.set("focus.server-host", "\"127.0.0.1\"");
        machine.set("focus.server-port", &port.to_string());
        machine.set("store.path", &format!("{:?}", machine.store().display().to_string()));
        // Whether the clock of the machine that runs the tests is synchronised must not matter.
        machine.set("store.wait-for-clock", "\"0s\"");
        machine.env("PATH", PATH);
        machine.env("FOCUS_RECORD", machine.path("record").to_str().unwrap());
        machine
    }

    /// With one good device.
    pub(crate) fn with_sensor() -> Machine {
        let machine = Machine::new();
        machine.device(0, &HTU21);
        machine
    }

    /// With one good device, and a stand-in that plays this fault.
    pub(crate) fn with_fault(fault: &str) -> Machine {
        let mut machine = Machine::with_sensor();
        machine.env("FOCUS_FAULT", fault);
        machine
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
        Server::on(&self.server)
    }

    /// The port that `server-port` is set to.
    pub(crate) fn port(&self) -> u16 {
        self.server.local_addr().unwrap().port()
    }

    /// Makes `iio:device<number>`, linked from the bus as sysfs does it. Returns its real folder.
    pub(crate) fn device(&self, number: u32, attributes: &[(&str, &str)]) -> PathBuf {
        self.device_in(&format!("platform/x{number}"), number, attributes)
    }

    /// The same, for a device that hangs in this folder under `devices`.
    pub(crate) fn device_in(&self, folder: &str, number: u32, attributes: &[(&str, &str)]) -> PathBuf {
        let real = self.path(&format!("sys/devices/{folder}/iio:device{number}"));
        fs::create_dir_all(&real).unwrap();
        let link = self.path(&format!("sys/bus/iio/devices/iio:device{number}"));
        symlink(format!("../../../devices/{folder}/iio:device{number}"), link).unwrap();
        write_attributes(&real, attributes);
        real
    }

    /// Makes `hwmon<number>` of the device in this folder under `devices`, linked as sysfs does it. Returns its real
    /// folder.
    pub(crate) fn hwmon(&self, folder: &str, number: u32, attributes: &[(&str, &str)]) -> PathBuf {
        let device = self.path(&format!("sys/devices/{folder}"));
        let real = device.join(format!("hwmon/hwmon{number}"));
        fs::create_dir_all(&real).unwrap();
        fs::create_dir_all(self.path("sys/class/hwmon")).unwrap();
        let link = self.path(&format!("sys/class/hwmon/hwmon{number}"));
        symlink(format!("../../devices/{folder}/hwmon/hwmon{number}"), link).unwrap();
        let name = device.file_name().unwrap().to_str().unwrap();
        symlink(format!("../../../{name}"), real.join("device")).unwrap();
        write_attributes(&real, attributes);
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
}

fn write_attributes(device: &Path, attributes: &[(&str, &str)]) {
    for (name, value) in attributes {
        fs::create_dir_all(device.join(name).parent().unwrap()).unwrap();
        fs::write(device.join(name), value).unwrap();
    }
}

#[allow(unsafe_code, reason = "the default action runs no code of this process")]
fn default_action(signal: Signal) {
    // SAFETY: as above.
    unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) }.unwrap();
}

/// The example program that plays focus; cargo builds it before it runs the tests.
pub(crate) fn stand_in() -> PathBuf {
    let test = env::current_exe().unwrap();
    let built = test.ancestors().nth(2).unwrap().join("examples/focus-stand-in");
    assert!(built.exists(), "{} is not there: cargo build --examples", built.display());
    built
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

/// Whether a test can mount file systems here, and has this program. If not, it says what it leaves out, and fails where everything
/// has to be tested.
#[allow(clippy::print_stderr, reason = "what is left out must be seen")]
pub(crate) fn is_root_with(program: &str, what: &str) -> bool {
    let found = PATH.split(':').any(|folder| Path::new(folder).join(program).exists());
    let able = fs::metadata("/proc/self").unwrap().uid() == 0 && Path::new("/dev/loop-control").exists();
    if !found || !able {
        eprintln!("left out: {what}, which needs root, loop devices and {program}");
        assert!(env::var_os("CI").is_none(), "{what} is left out, and CI is set");
    }
    found && able
}
