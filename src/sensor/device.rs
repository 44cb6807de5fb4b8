//! The folders in which sysfs shows sensors: IIO devices, and hwmon devices.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sysfs_class::SysClass;

use crate::error::{Error, Problem};

/// What sysfs shows a device as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `bus/iio/devices/iio:deviceN` (`Documentation/ABI/testing/sysfs-bus-iio`).
    Iio,
    /// `class/hwmon/hwmonN` (`Documentation/hwmon/sysfs-interface.rst`).
    Hwmon,
}

impl Kind {
    /// Both, in the order in which sensors are listed.
    pub(super) const ALL: [Kind; 2] = [Kind::Iio, Kind::Hwmon];

    /// The folder of all devices under `sysfs`.
    pub(super) fn dir(self, sysfs: &Path) -> PathBuf {
        sysfs.join(match self {
            Kind::Iio => "bus/iio/devices",
            Kind::Hwmon => "class/hwmon",
        })
    }

    /// What a device's number stands behind.
    fn prefix(self) -> &'static str {
        match self {
            Kind::Iio => "iio:device",
            Kind::Hwmon => "hwmon",
        }
    }
}

/// One `iio:deviceN` or `hwmonN` folder.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
}

#[allow(
    unsafe_code,
    reason = "sysfs-class declares its constructor so; any path is safe here: reads of it may fail"
)]
impl SysClass for Device {
    fn base() -> &'static str {
        "bus/iio"
    }

    fn class() -> &'static str {
        "devices"
    }

    unsafe fn from_path_unchecked(path: PathBuf) -> Self {
        Device { path, kind: Kind::Iio }
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

impl Device {
    /// All devices of this kind under this sysfs, by number. An absent folder is no device.
    pub(super) fn all(sysfs: &Path, kind: Kind) -> Result<Vec<Device>, Error> {
        let dir = kind.dir(sysfs);
        let entries = match fs::read_dir(&dir) {
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(other) => return Err(Error::NoSensor(Problem::file("list", &dir, &other))),
            Ok(entries) => entries,
        };
        let mut numbered: Vec<(u32, Device)> = entries
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                let number = path.file_name()?.to_str()?.strip_prefix(kind.prefix())?.parse().ok()?;
                Some((number, Device { path, kind }))
            })
            .collect();
        numbered.sort_unstable_by_key(|(number, _)| *number);
        Ok(numbered.into_iter().map(|(_, device)| device).collect())
    }

    /// A short text attribute, if it is there and holds something.
    pub(super) fn text(&self, attribute: &str) -> Option<String> {
        self.trim_file(attribute).ok().filter(|text| !text.is_empty())
    }

    pub(super) fn has(&self, attribute: &str) -> bool {
        self.path.join(attribute).exists()
    }

    /// The strings of the device tree's `compatible`, most specific first. No device tree: none.
    pub(super) fn compatible(&self) -> Vec<String> {
        let read = |attribute| self.read_file(attribute).ok();
        let list = read("of_node/compatible").or_else(|| match self.kind {
            Kind::Iio => None,
            Kind::Hwmon => read("device/of_node/compatible"),
        });
        let list = list.unwrap_or_default();
        list.split('\0').filter(|one| !one.is_empty()).map(str::to_owned).collect()
    }

    /// Where it hangs: the kernel's name for the device that the driver is bound to, such as `dht11@4` on a GPIO line or
    /// `1-0076` at address 0x76 of I2C bus 1. It stays the same after a restart, because it comes from the wiring.
    pub(super) fn place(&self) -> Option<String> {
        let name = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
        match self.kind {
            Kind::Iio => name(fs::read_link(&self.path).ok()?.parent()?),
            Kind::Hwmon => name(&fs::read_link(self.path.join("device")).ok()?),
        }
    }

    /// The name of the driver that is bound to that device.
    pub(super) fn driver(&self) -> Option<String> {
        // The kernel follows the link to the device before it goes up.
        let link = match self.kind {
            Kind::Iio => "../driver",
            Kind::Hwmon => "device/driver",
        };
        Some(fs::read_link(self.path.join(link)).ok()?.file_name()?.to_str()?.to_owned())
    }

    /// Whether it is only a second view of an IIO device: the kernel's bridge `drivers/hwmon/iio_hwmon.c`. Its name is
    /// that of its node in the device tree.
    pub(super) fn is_bridge(&self, name: Option<&str>) -> bool {
        self.kind == Kind::Hwmon
            && (name == Some("iio_hwmon")
                || self.driver().as_deref() == Some("iio_hwmon")
                || self.compatible().iter().any(|one| one == "iio-hwmon"))
    }
}
