//! The kernel's side: the `dht11` driver, the devices that it has, the sensors, and who else reads them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::utsname::{UtsName, uname};

use super::board::Board;
use super::{gpio, names_in, problem_of};
use crate::clock::Deadline;
use crate::config::Config;
use crate::error::Problem;
use crate::run::retry_policy;
use crate::sensor::Sensor;

pub(crate) struct Kernel {
    /// As `uname -r` names it.
    pub(crate) release: String,
    /// As `uname -m` names it.
    pub(crate) machine: String,
    pub(crate) board: Board,
    pub(crate) driver: Driver,
    /// What the device tree has for the driver.
    pub(crate) devices: Vec<Device>,
    /// Programs that are running and known to read sensors.
    pub(crate) known_readers: Vec<String>,
}

/// How it is with the `dht11` driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    Loaded,
    /// The running kernel has it.
    NotLoaded,
    /// The running kernel does not have it.
    Absent,
    /// Nothing is installed for the running kernel.
    NoModules,
}

/// A device that the device tree has for the driver.
pub(crate) struct Device {
    pub(crate) name: String,
    pub(crate) pin: Option<u32>,
    pub(crate) is_bound: bool,
    /// Who holds its GPIO line in place of its driver.
    pub(crate) holder: Option<String>,
}

impl Kernel {
    pub(crate) fn look(root: &Path, sysfs: &Path) -> Kernel {
        let uname = uname().ok();
        let text = |part: fn(&UtsName) -> &OsStr| {
            uname.as_ref().map(|uname| part(uname).to_string_lossy().into_owned()).unwrap_or_default()
        };
        let release = text(UtsName::release);
        Kernel {
            driver: Driver::look(sysfs, &root.join("lib/modules").join(&release)),
            release,
            machine: text(UtsName::machine),
            board: Board::look(sysfs),
            devices: devices(root, sysfs),
            known_readers: known_readers(&root.join("proc")),
        }
    }
}

/// As `/proc/PID/comm` has them, which is at most 15 characters.
const READERS: [&str; 9] = [
    "telegraf",
    "node_exporter",
    "prometheus-node",
    "collectd",
    "netdata",
    "zabbix_agentd",
    "zabbix_agent2",
    "munin-node",
    "sensord",
];

fn known_readers(proc: &Path) -> Vec<String> {
    let names = names_in(proc).unwrap_or_default().into_iter();
    let commands = names.filter_map(|pid| fs::read_to_string(proc.join(pid).join("comm")).ok());
    let mut known: Vec<String> = commands
        .map(|name| name.trim_end().to_owned())
        .filter(|name| READERS.contains(&name.as_str()))
        .collect();
    known.sort_unstable();
    known.dedup();
    known
}

impl Driver {
    fn look(sysfs: &Path, modules: &Path) -> Driver {
        if driver_dir(sysfs).is_dir() {
            return Driver::Loaded;
        }
        let lists = ["modules.builtin", "modules.dep"].map(|list| fs::read_to_string(modules.join(list)));
        if lists.iter().flatten().any(|list| list.contains("/dht11.ko")) {
            Driver::NotLoaded
        } else if lists.iter().any(Result::is_ok) {
            Driver::Absent
        } else {
            Driver::NoModules
        }
    }
}

/// The driver's folder in sysfs.
pub(crate) fn driver_dir(sysfs: &Path) -> PathBuf {
    sysfs.join("bus/platform/drivers/dht11")
}

fn devices(root: &Path, sysfs: &Path) -> Vec<Device> {
    let dir = sysfs.join("bus/platform/devices");
    let names = names_in(&dir).unwrap_or_default();
    let devices = names.into_iter().filter_map(|name| {
        let device = dir.join(&name);
        let compatible = fs::read(device.join("of_node/compatible")).unwrap_or_default();
        if !compatible.split(|byte| *byte == 0).any(|one| one == b"dht11") {
            return None;
        }
        // The controller, and its line.
        let gpios = cells(&device.join("of_node/gpios"));
        let is_bound = device.join("driver").exists();
        let holder = match gpios[..] {
            [phandle, line, ..] if !is_bound => gpio::holder(root, sysfs, phandle, line),
            _ => None,
        };
        Some(Device { name, pin: gpios.get(1).copied(), is_bound, holder })
    });
    devices.collect()
}

/// A sensor that can be used.
pub(crate) struct SensorFacts {
    /// What a person calls it.
    pub(crate) title: String,
    /// All that it can be called.
    pub(crate) names: String,
    pub(crate) has_label: bool,
    /// Whether it is tried: the one that a run would take, else all are.
    pub(crate) is_asked: bool,
    /// The device of the kernel's bridge to hwmon that reads it too.
    pub(crate) hwmon_bridge: Option<String>,
    /// Why a run would not even try it.
    pub(crate) retry_problem: Option<Problem>,
    /// If the configuration names it by its id: the name to use instead.
    pub(crate) name_that_stays: Option<String>,
}

/// All sensors that can be used, those of them to ask, and why a run would take none if that is so.
pub(super) fn sensors(config: &Config) -> (Vec<SensorFacts>, Vec<Sensor>, Option<Problem>) {
    let mut sensors = Sensor::all(&config.sysfs).unwrap_or_default();
    let chosen = Sensor::find(&config.sysfs, config.device.as_deref());
    let is_asked = |sensor: &Sensor| chosen.as_ref().map_or(true, |chosen| chosen.id() == sensor.id());
    let bridges = hwmon_bridges(&config.sysfs);
    let facts = sensors.iter().map(|sensor| SensorFacts {
        is_asked: is_asked(sensor),
        name_that_stays: name_that_stays(sensor, &sensors)
            .filter(|_| config.device.as_deref() == Some(sensor.id())),
        ..SensorFacts::of(sensor, config, &bridges)
    });
    let facts = facts.collect();
    sensors.retain(is_asked);
    (facts, sensors, chosen.err().map(|error| problem_of(&error)))
}

/// The sensor's label, or where it hangs, or its name: the first that no other sensor has.
fn name_that_stays(sensor: &Sensor, all: &[Sensor]) -> Option<String> {
    let names = |sensor: &Sensor| {
        let folder = fs::canonicalize(sensor.path()).ok();
        let behind = folder.as_deref().and_then(Path::parent).and_then(Path::file_name);
        let behind = behind.map(|name| name.to_string_lossy().into_owned());
        [sensor.label().map(str::to_owned), behind, sensor.name().map(str::to_owned)]
    };
    let is_others = |name: &String| {
        let mut others = all.iter().filter(|other| other.id() != sensor.id());
        others.any(|other| names(other).contains(&Some(name.clone())))
    };
    names(sensor).into_iter().flatten().find(|name| !is_others(name))
}

impl SensorFacts {
    fn of(sensor: &Sensor, config: &Config, bridges: &[(String, Vec<u32>)]) -> SensorFacts {
        let node = sensor.path().join("of_node");
        let [phandle, channel_cells] = ["phandle", "#io-channel-cells"].map(|name| cells(&node.join(name)));
        let bridge = bridges.iter().find(|(_, channels)| refer_to(channels, &phandle, &channel_cells));
        let retried = retry_policy(config, sensor, Deadline(Duration::ZERO));
        SensorFacts {
            title: sensor.title().to_owned(),
            names: sensor.names(),
            has_label: sensor.label().is_some(),
            is_asked: true,
            hwmon_bridge: bridge.map(|(name, _)| name.clone()),
            retry_problem: retried.err().map(|error| problem_of(&error)),
            name_that_stays: None,
        }
    }
}

/// The devices of the kernel's bridge to hwmon, and the IIO channels that they read.
fn hwmon_bridges(sysfs: &Path) -> Vec<(String, Vec<u32>)> {
    let dir = sysfs.join("bus/platform/drivers/iio_hwmon");
    let names = names_in(&dir).unwrap_or_default().into_iter();
    let bridges = names.map(|name| {
        let channels = cells(&dir.join(&name).join("of_node/io-channels"));
        (name, channels)
    });
    bridges.collect()
}

/// Whether one of these references to IIO channels is to the node with this phandle. A reference is a phandle and as
/// many cells as its node's `#io-channel-cells` says.
fn refer_to(channels: &[u32], phandle: &[u32], channel_cells: &[u32]) -> bool {
    let ([phandle], [channel_cells]) = (phandle, channel_cells) else { return false };
    let step = usize::try_from(*channel_cells).unwrap_or(0).saturating_add(1);
    channels.iter().step_by(step).any(|channel| channel == phandle)
}

/// A property of the device tree that is a list of numbers, which are big-endian; none if it is not there.
pub(super) fn cells(path: &Path) -> Vec<u32> {
    let bytes = fs::read(path).unwrap_or_default();
    bytes.chunks_exact(4).map(|cell| u32::from_be_bytes([cell[0], cell[1], cell[2], cell[3]])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_to_a_channel_begins_with_the_phandle() {
        for (channels, phandle, channel_cells, wanted) in [
            (&[42][..], &[42][..], &[0][..], true),
            (&[7, 0, 42, 1], &[42], &[1], true),
            // Another's channel number 42.
            (&[7, 42], &[42], &[1], false),
            (&[], &[42], &[1], false),
            (&[42, 0], &[], &[1], false),
            (&[42, 0], &[42], &[], false),
            (&[42, 0], &[42], &[u32::MAX], true),
        ] {
            assert_eq!(refer_to(channels, phandle, channel_cells), wanted, "{channels:?} {channel_cells:?}");
        }
    }
}
