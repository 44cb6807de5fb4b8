//! The kernel's side: the `dht11` driver, the devices that it has, and who else reads them.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::utsname::uname;

use super::{Finding, System, boot, names_in};
use crate::error::Error;
use crate::sensor::Sensor;

const DRIVER: &str = "driver";
const DEVICE: &str = "device";
const SENSOR: &str = "sensor";
const SECOND: &str = "second reader";

/// Does the kernel have the driver?
pub(super) fn available(system: &System) -> Vec<Finding> {
    if is_loaded(system) {
        return vec![Finding::ok(DRIVER, "dht11 is loaded")];
    }
    // The driver of another sensor did its work.
    let needed = !system.has_sensor();
    let release = uname().map(|uname| uname.release().to_string_lossy().into_owned()).unwrap_or_default();
    let dir = system.path("lib/modules").join(&release);
    let lists = ["modules.builtin", "modules.dep"].map(|list| fs::read_to_string(dir.join(list)));
    vec![if lists.iter().flatten().any(|list| list.contains("/dht11.ko")) {
        Finding::note(DRIVER, "dht11 is there, but not loaded")
    } else if lists.iter().any(Result::is_ok) {
        Finding::note(DRIVER, format!("the kernel {release} has no dht11"))
            .wrong_if(needed, "use a kernel with CONFIG_DHT11, as Raspberry Pi OS has it")
    } else {
        Finding::note(DRIVER, format!("the running kernel {release} has no modules in {}", dir.display()))
            .wrong_if(needed, "restart: the kernel was updated")
    }]
}

/// Does the driver have a device, on the pin that config.txt says?
pub(super) fn bound(system: &System) -> Vec<Finding> {
    let devices = dht11_devices(system);
    let mut findings: Vec<Finding> = devices
        .iter()
        .map(|device| {
            let what = match device.pin() {
                Some(pin) => format!("{} on GPIO {pin}", device.name),
                None => device.name.clone(),
            };
            if device.dir.join("driver").exists() {
                return Finding::ok(DEVICE, format!("{what} is bound to its driver"));
            }
            let advice = if is_loaded(system) {
                format!(
                    "echo {} | sudo tee {}/bind; if that fails, see dmesg",
                    device.name,
                    driver(system).display()
                )
            } else {
                "sudo modprobe dht11; if that fails, see dmesg".to_owned()
            };
            Finding::wrong(DEVICE, format!("{what} has no driver"), advice)
        })
        .collect();
    for pin in boot::pins(system) {
        if !devices.iter().any(|device| device.pin() == Some(pin)) {
            findings.push(Finding::wrong(
                DEVICE,
                format!("config.txt asks for a sensor on GPIO {pin}, and there is none"),
                "restart: config.txt is read at boot; if that does not help, see sudo vclog --msg",
            ));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::note(DEVICE, "no device for the dht11 driver"));
    }
    findings
}

/// Which sensors are there, and which one would a run take?
pub(super) fn sensors(system: &System) -> Vec<Finding> {
    match &system.chosen {
        Ok(chosen) => system
            .sensors
            .iter()
            .map(|sensor| {
                let label = if sensor.label().is_none() { ", without a label" } else { "" };
                let other = if sensor.id() == chosen.id() { "" } else { ", not the one that is read" };
                Finding::ok(SENSOR, format!("{}{label}{other}", sensor.names()))
            })
            .collect(),
        Err(error) => {
            let Error::NoSensor(problem) = error else { return Vec::new() };
            let advice = if system.has_sensor() {
                "name one of them with device in [sensor], or with --device"
            } else {
                "mend what is wrong above; if nothing is, see dmesg | grep -i dht11"
            };
            vec![Finding::wrong(SENSOR, &problem.what, advice)]
        }
    }
}

/// Does the kernel's bridge to hwmon read the same sensor?
pub(super) fn second_reader(system: &System) -> Vec<Finding> {
    let dir = system.config.sysfs.join("bus/platform/drivers/iio_hwmon");
    let readers: Vec<(String, Vec<u32>)> = names_in(&dir)
        .unwrap_or_default()
        .into_iter()
        .map(|name| (cells(&dir.join(&name).join("of_node/io-channels")), name))
        .map(|(channels, name)| (name, channels))
        .collect();
    let findings: Vec<Finding> = system
        .sensors
        .iter()
        .filter_map(|sensor| {
            let (reader, _) = readers.iter().find(|(_, channels)| reads(channels, sensor))?;
            // Not wrong: what it costs is a try now and then, and no reading is taken from what it left in the cache.
            let found = format!("{reader} (iio-hwmon) reads {} too, which costs a try now and then", sensor.title());
            Some(Finding::note(SECOND, found).advise(
                "unless something needs it: sudo rmmod iio_hwmon; and for good, dtoverlay=iio-focus-dht22 in place of the \
                 firmware's dht11",
            ))
        })
        .collect();
    if findings.is_empty() { vec![Finding::ok(SECOND, "none")] } else { findings }
}

/// Whether these references to channels (a phandle and as many cells as `#io-channel-cells` says) are to this sensor's.
fn reads(channels: &[u32], sensor: &Sensor) -> bool {
    let node = sensor.path().join("of_node");
    let [phandle, arguments] = ["phandle", "#io-channel-cells"].map(|name| cells(&node.join(name)));
    let ([phandle], [arguments]) = (&phandle[..], &arguments[..]) else { return false };
    let step = usize::try_from(*arguments).unwrap_or(0) + 1;
    channels.iter().step_by(step).any(|channel| channel == phandle)
}

fn driver(system: &System) -> PathBuf {
    system.config.sysfs.join("bus/platform/drivers/dht11")
}

fn is_loaded(system: &System) -> bool {
    driver(system).is_dir()
}

/// A device that the device tree has for the driver.
struct Device {
    name: String,
    dir: PathBuf,
}

impl Device {
    /// The line of its GPIO controller: the first cell after the phandle in `gpios`.
    fn pin(&self) -> Option<u32> {
        cells(&self.dir.join("of_node/gpios")).get(1).copied()
    }
}

fn dht11_devices(system: &System) -> Vec<Device> {
    let dir = system.config.sysfs.join("bus/platform/devices");
    let all =
        names_in(&dir).unwrap_or_default().into_iter().map(|name| Device { dir: dir.join(&name), name });
    all.filter(|device| {
        let compatible = fs::read(device.dir.join("of_node/compatible")).unwrap_or_default();
        compatible.split(|byte| *byte == 0).any(|one| one == b"dht11")
    })
    .collect()
}

/// A property of the device tree that is a list of numbers, which are big-endian; none if it is not there.
fn cells(path: &Path) -> Vec<u32> {
    let bytes = fs::read(path).unwrap_or_default();
    bytes.chunks_exact(4).map(|cell| u32::from_be_bytes([cell[0], cell[1], cell[2], cell[3]])).collect()
}
