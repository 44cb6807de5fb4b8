//! Finds a sensor, an IIO or a hwmon device with a temperature and a relative humidity, and reads it.
//!
//! What the attributes hold is laid down in the kernel's `Documentation/ABI/testing/sysfs-bus-iio` and
//! `Documentation/hwmon/sysfs-interface.rst`, in thousandths of °C or %RH:
//!
//! | attribute | the value is |
//! | --- | --- |
//! | `in_…_input` | what it holds |
//! | `in_…_raw` | (raw + `in_…_offset`) × `in_…_scale`; an absent offset is 0, an absent scale 1 |
//! | `temp1_input`, `humidity1_input` | what it holds |
//!
//! Where a driver does otherwise, or has more to be known of, it stands in the table of `drivers`.

mod attempt;
mod channel;
mod device;
mod drivers;
mod number;
mod sub_zero;

use std::path::Path;
use std::time::Duration;

use sysfs_class::SysClass;

use self::channel::Channel;
use self::device::{Device, Kind};
use self::drivers::Driver;
pub use self::number::parse_number;
use crate::error::{Error, Problem};
use crate::failure::Bus;
use crate::reading::Quantity;

/// What to do when there is no sensor at all.
const NO_SENSOR_ADVICE: &str = "check that config.txt has the overlay of the sensor, for a DHT22 \
                                dtoverlay=iio-focus-dht22, for a chip on I2C such as dtoverlay=i2c-sensor,bme280, that the \
                                Pi was restarted since, that lsmod shows its driver, for a DHT22 dht11, and what \
                                dmesg | grep -i dht11 says";

/// A usable sensor: a device with both channels.
#[derive(Debug)]
pub struct Sensor {
    device: Device,
    name: Option<String>,
    label: Option<String>,
    temperature: Channel,
    humidity: Channel,
    driver: &'static Driver,
    name_that_stays: Option<String>,
}

/// A device that is no sensor for this program.
#[derive(Debug)]
struct Unusable {
    device: Device,
    /// Why, after its names.
    why: &'static str,
}

impl Sensor {
    /// All usable sensors under this sysfs: those of IIO, then those of hwmon, each by number.
    ///
    /// # Errors
    /// [`Error::NoSensor`] if the list of devices cannot be read.
    pub fn all(sysfs: &Path) -> Result<Vec<Sensor>, Error> {
        Ok(devices(sysfs)?.0)
    }

    /// The sensor with this label, IIO or hwmon name, place or id; or the only one there is.
    ///
    /// # Errors
    /// [`Error::NoSensor`] for none, several, or not that one, with what there is and what to check.
    pub fn find(sysfs: &Path, wanted: Option<&str>) -> Result<Sensor, Error> {
        if let Some(sensor) = wanted.map_or(Ok(None), |wanted| only_one_called(sysfs, wanted))? {
            return Ok(sensor);
        }
        let (usable, unusable) = devices(sysfs)?;
        let unusable_one =
            unusable.iter().find(|one| wanted.is_some_and(|name| is_called(&one.device, name)));
        let (mut fitting, others): (Vec<_>, Vec<_>) =
            usable.into_iter().partition(|sensor| wanted.is_none_or(|name| is_called(&sensor.device, name)));
        Err(Error::NoSensor(match (fitting.len(), unusable_one, wanted) {
            (1, _, wanted) => {
                let mut sensor = fitting.remove(0);
                if wanted == Some(sensor.id()) {
                    sensor.name_that_stays = sensor.unique_name(&others);
                }
                return Ok(sensor);
            }
            (0, Some(one), _) => {
                Problem::new(format!("{} {}: it cannot be used", title(&one.device), one.why))
            }
            (0, None, Some(name)) if !others.is_empty() => {
                Problem::new(format!("no sensor is called {name:?}; there is {}", list(&others)))
            }
            (0, ..) => none_found(sysfs, &unusable),
            (_, _, None) => {
                Problem::new(format!("several sensors, name one with --device: {}", list(&fitting)))
            }
            (_, _, Some(name)) => Problem::new(format!(
                "several sensors are called {name:?}, name one by where it hangs: {}",
                list(&fitting)
            )),
        }))
    }

    /// The sensor of this device, or why there is none.
    fn new(device: Device) -> Result<Sensor, Unusable> {
        // First what nearly all of the many hwmon devices lack.
        let humidity = Channel::find(&device, Quantity::Humidity);
        let Some(temperature) = Channel::find(&device, Quantity::Temperature) else {
            return Err(Unusable { device, why: "has no temperature channel" });
        };
        let Some(humidity) = humidity else {
            return Err(Unusable { device, why: "has no relative-humidity channel" });
        };
        let (name, label) = (device.text("name"), device.text("label"));
        if device.is_bridge(name.as_deref()) {
            return Err(Unusable { device, why: "is a second view of an IIO device" });
        }
        let driver = Driver::of(&device, name.as_deref());
        Ok(Sensor { device, name, label, temperature, humidity, driver, name_that_stays: None })
    }

    /// What a person calls it: its label, else its IIO or hwmon name, else its id.
    #[must_use]
    pub fn title(&self) -> &str {
        self.label.as_deref().or(self.name.as_deref()).unwrap_or_else(|| self.id())
    }

    /// All that it can be called: `kitchen (bme280, 1-0076, iio:device0)`, as far as it has them.
    #[must_use]
    pub fn names(&self) -> String {
        title(&self.device)
    }

    /// The kernel's id for it, such as `iio:device0` or `hwmon1`. It counts the devices whose probe went well, so it can
    /// be another one's after a restart.
    #[must_use]
    pub fn id(&self) -> &str {
        self.device.id()
    }

    /// The IIO or hwmon name, such as `dht11@4`.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The label from the device tree.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// Where it hangs: the kernel's name for the device behind it, such as `1-0076` or `dht11@4`, which stays the same.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        self.device.place()
    }

    /// Where it hangs, if the title does not tell it from all other sensors.
    #[must_use]
    pub fn place_beside_title(&self) -> Option<String> {
        match &self.label {
            Some(_) => None,
            None => self.place().filter(|place| place != self.title()),
        }
    }

    /// If it was found by its id, the name to use instead.
    #[must_use]
    pub fn name_that_stays(&self) -> Option<&str> {
        self.name_that_stays.as_deref()
    }

    /// Its first name that no other sensor has and that stays the same.
    fn unique_name(&self, others: &[Sensor]) -> Option<String> {
        [self.label.clone(), self.place(), self.name.clone()]
            .into_iter()
            .flatten()
            .find(|name| !others.iter().any(|other| is_called(&other.device, name)))
    }

    /// Its folder in sysfs.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.device.path
    }

    /// What it is connected to. Of a driver that is not known, the name or the place may tell.
    #[must_use]
    pub fn bus(&self) -> Bus {
        let on_gpio = || self.name().is_some_and(|name| name.starts_with("dht11@"));
        match self.driver.bus {
            Bus::Unknown if on_gpio() => Bus::Gpio,
            Bus::Unknown if self.place().is_some_and(|place| is_i2c_address(&place)) => Bus::I2c,
            bus => bus,
        }
    }

    /// How long the driver answers from a cache, if it has one.
    #[must_use]
    pub fn cache(&self) -> Option<Duration> {
        self.driver.cache.as_ref().map(|cache| cache.lasts)
    }

    /// How long one try may take.
    #[must_use]
    pub fn longest_try(&self) -> Duration {
        self.driver.longest_try
    }

    /// Whether it answers with what it measured when it was last asked; then, how long after that it measures anew.
    #[must_use]
    pub fn answers_with_last(&self) -> Option<Duration> {
        self.driver.answers_with_last
    }
}

/// The sensor with this name, if it is the only one and not named by its id. Of the others only the names are read: there
/// can be many, and what they can do does not matter.
fn only_one_called(sysfs: &Path, wanted: &str) -> Result<Option<Sensor>, Error> {
    let mut found = None;
    for kind in Kind::ALL {
        for device in Device::all(sysfs, kind)?.into_iter().filter(|device| is_called(device, wanted)) {
            match Sensor::new(device) {
                Ok(sensor) if found.is_none() && sensor.id() != wanted => found = Some(sensor),
                Ok(_) => return Ok(None),
                Err(_) => {}
            }
        }
    }
    Ok(found)
}

/// All sensors, and all other devices.
fn devices(sysfs: &Path) -> Result<(Vec<Sensor>, Vec<Unusable>), Error> {
    let (mut usable, mut unusable) = (Vec::new(), Vec::new());
    for kind in Kind::ALL {
        for device in Device::all(sysfs, kind)? {
            match Sensor::new(device) {
                Ok(sensor) => usable.push(sensor),
                Err(one) => unusable.push(one),
            }
        }
    }
    Ok((usable, unusable))
}

fn is_called(device: &Device, wanted: &str) -> bool {
    let is_wanted = |name: Option<String>| name.is_some_and(|name| name == wanted);
    device.id() == wanted
        || is_wanted(device.text("name"))
        || is_wanted(device.text("label"))
        || is_wanted(device.place())
}

/// `kitchen (bme280, 1-0076, iio:device0)`, as far as it has them.
fn title(device: &Device) -> String {
    let mut names: Vec<String> = [device.text("label"), device.text("name")].into_iter().flatten().collect();
    names.extend(device.place().filter(|place| !names.contains(place)));
    names.push(device.id().to_owned());
    let first = names.remove(0);
    if names.is_empty() { first } else { format!("{first} ({})", names.join(", ")) }
}

/// Whether this is the kernel's name for a device on I2C, such as `1-0076`.
fn is_i2c_address(place: &str) -> bool {
    place.split_once('-').is_some_and(|(bus, address)| {
        !bus.is_empty()
            && bus.bytes().all(|byte| byte.is_ascii_digit())
            && address.len() == 4
            && address.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

fn list(sensors: &[Sensor]) -> String {
    shortened(sensors.iter().map(Sensor::names))
}

/// The first few of them, and how many there are: an error stays a line that can be read.
fn shortened(all: impl ExactSizeIterator<Item = String>) -> String {
    const SHOWN: usize = 8;
    let number = all.len();
    let rest = if number > SHOWN { format!("; and so on, {number} in all") } else { String::new() };
    all.take(SHOWN).collect::<Vec<_>>().join("; ") + &rest
}

fn none_found(sysfs: &Path, unusable: &[Unusable]) -> Problem {
    let [iio, hwmon] = Kind::ALL.map(|kind| kind.dir(sysfs).display().to_string());
    let mut text = format!("no temperature and humidity sensor in {iio} or {hwmon}");
    // Nearly every chip of a board has a hwmon device.
    let is_near = |one: &&Unusable| one.device.kind == Kind::Iio || one.device.has("humidity1_input");
    let lacking: Vec<String> = unusable
        .iter()
        .filter(is_near)
        .map(|Unusable { device, why }| format!("{} {why}", title(device)))
        .collect();
    if !lacking.is_empty() {
        text += &format!("; {}", shortened(lacking.into_iter()));
    }
    Problem::new(text).advise(NO_SENSOR_ADVICE)
}
