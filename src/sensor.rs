//! Finds an IIO device and reads its temperature and its relative humidity.
//!
//! What the attributes hold is laid down in the kernel's `Documentation/ABI/testing/sysfs-bus-iio`, in thousandths
//! of °C or %RH:
//!
//! | attribute | the value is |
//! | --- | --- |
//! | `in_…_input` | what it holds |
//! | `in_…_raw` | (raw + `in_…_offset`) × `in_…_scale`; an absent offset is 0, an absent scale 1 |
//!
//! Where a driver does otherwise, or has more to be known of, it stands in the table `DRIVERS`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use sysfs_class::SysClass;

use crate::clock::Clock;
use crate::error::{Error, Problem};
use crate::failure::Failure;
use crate::reading::{Reading, mend_twos_complement};

/// The longest that one read of the dht11 driver was seen to take is 1.10 s; other drivers answer in
/// milliseconds, bme680 in 184. Rounded up.
pub const LONGEST_TRY: Duration = Duration::from_millis(1200);

/// What is to be known of a driver beyond the ABI.
#[derive(Debug)]
struct Driver {
    /// How to tell it: by one of the device tree's strings, or by the IIO name where that does not
    /// change with the pin.
    compatible: &'static [&'static str],
    names: &'static [&'static str],
    /// What one unit of `in_humidityrelative_input` is, in m%RH.
    humidity_input_mpercent: f64,
    cache: Option<Cache>,
    /// Whether some of its sensors send sub-zero temperatures as two's complement.
    twos_complement: bool,
    /// What it says when an answer came with a wrong checksum, if that is a word which otherwise means that
    /// the device is gone.
    bad_checksum: Option<Errno>,
}

/// Both values come from one transaction on the bus, and are kept.
#[derive(Debug)]
struct Cache {
    /// For so long.
    lasts: Duration,
    /// No transaction is shorter.
    transaction: Duration,
}

/// A driver that does as the ABI says, like si7020 and hdc100x.
const ABI: Driver = Driver {
    compatible: &[],
    names: &[],
    humidity_input_mpercent: 1.0,
    cache: None,
    twos_complement: false,
    bad_checksum: None,
};

static DRIVERS: [Driver; 3] = [
    // `DHT11_DATA_VALID_TIME` and `DHT11_START_TRANSMISSION_MIN` in `drivers/iio/humidity/dht11.c`
    Driver {
        compatible: &["dht11"],
        cache: Some(Cache { lasts: Duration::from_secs(2), transaction: Duration::from_millis(18) }),
        twos_complement: true,
        ..ABI
    },
    // `ms_sensors_ht_read_temperature()` in `drivers/iio/common/ms_sensors/ms_sensors_i2c.c`
    Driver { compatible: &["meas,htu21"], names: &["htu21"], bad_checksum: Some(Errno::ENODEV), ..ABI },
    // Whole percent, against the ABI: `bme680_read_humid()` in `drivers/iio/chemical/bme680_core.c`
    Driver { compatible: &["bosch,bme680"], names: &["bme680"], humidity_input_mpercent: 1000.0, ..ABI },
];

impl Driver {
    fn of(device: &IioDevice, name: Option<&str>) -> &'static Driver {
        let compatible = device.compatible();
        let is = |driver: &&Driver| {
            driver.compatible.iter().any(|one| compatible.iter().any(|other| other == one))
                || name.is_some_and(|name| driver.names.contains(&name))
        };
        DRIVERS.iter().find(is).unwrap_or(&ABI)
    }

    /// What the failure of one read means in this driver's words.
    fn explain(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Io(path, source)
                if self.bad_checksum.is_some_and(|errno| source.raw_os_error() == Some(errno as i32)) =>
            {
                Failure::Value(path, "came with a wrong checksum")
            }
            other => other,
        }
    }
}

/// What to do when there is no sensor at all.
const NO_SENSOR_ADVICE: &str = "check that config.txt has dtoverlay=iio-focus-dht22, that the Pi was restarted since, \
                                that lsmod shows dht11, and what dmesg | grep -i dht11 says";

/// One `iio:deviceN` folder.
#[derive(Debug)]
struct IioDevice {
    path: PathBuf,
}

#[allow(
    unsafe_code,
    reason = "sysfs-class declares its constructor so; any path is safe here: reads of it may fail"
)]
impl SysClass for IioDevice {
    fn base() -> &'static str {
        "bus/iio"
    }

    fn class() -> &'static str {
        "devices"
    }

    unsafe fn from_path_unchecked(path: PathBuf) -> Self {
        IioDevice { path }
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

impl IioDevice {
    /// All devices under this sysfs, by number. An absent folder is no device.
    #[allow(unsafe_code, reason = "see the trait's constructor; SysClass::all() knows /sys only")]
    fn all(sysfs: &Path) -> Result<Vec<IioDevice>, Error> {
        let dir = sysfs.join(Self::base()).join(Self::class());
        let entries = match fs::read_dir(&dir) {
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(other) => return Err(Error::NoSensor(Problem::file("list", &dir, &other))),
            Ok(entries) => entries,
        };
        let mut numbered: Vec<(u32, IioDevice)> = entries
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                let number = path.file_name()?.to_str()?.strip_prefix("iio:device")?.parse().ok()?;
                // SAFETY: the caller's only duty is a path that is a device; one that is not fails to read.
                Some((number, unsafe { IioDevice::from_path_unchecked(path) }))
            })
            .collect();
        numbered.sort_unstable_by_key(|(number, _)| *number);
        Ok(numbered.into_iter().map(|(_, device)| device).collect())
    }

    /// A short text attribute, if it is there and holds something.
    fn text(&self, attribute: &str) -> Option<String> {
        self.trim_file(attribute).ok().filter(|text| !text.is_empty())
    }

    fn has(&self, attribute: &str) -> bool {
        self.path.join(attribute).exists()
    }

    /// The strings of the device tree's `compatible`, most specific first. No device tree: none.
    fn compatible(&self) -> Vec<String> {
        let list = self.read_file("of_node/compatible").unwrap_or_default();
        list.split('\0').filter(|one| !one.is_empty()).map(str::to_owned).collect()
    }

    fn number(&self, attribute: &str) -> Result<f64, Failure> {
        let path = || self.path.join(attribute);
        let text = self.read_file(attribute).map_err(|source| match source.kind() {
            io::ErrorKind::InvalidData => Failure::Value(path(), "is not UTF-8"),
            _ => Failure::Io(path(), source),
        })?;
        parse_number(&text).map_err(|what| Failure::Value(path(), what))
    }
}

/// How a channel gives its value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// `in_…_input`: processed.
    Processed,
    /// (`in_…_raw` + `in_…_offset`) × `in_…_scale`; offset and scale may be absent.
    Raw { offset: bool, scale: bool },
}

/// One channel of a device, such as `in_temp`.
#[derive(Clone, Debug)]
struct Channel {
    name: &'static str,
    form: Form,
    /// What one unit of `_input` is, in thousandths.
    input_unit: f64,
}

impl Channel {
    fn find(device: &IioDevice, name: &'static str, input_unit: f64) -> Option<Channel> {
        let has = |what| device.has(&format!("{name}_{what}"));
        let form = if has("input") {
            Form::Processed
        } else if has("raw") {
            Form::Raw { offset: has("offset"), scale: has("scale") }
        } else {
            return None;
        };
        Some(Channel { name, form, input_unit })
    }

    /// The value in thousandths of °C or %RH.
    fn read(&self, device: &IioDevice) -> Result<i32, Failure> {
        let number = |what| device.number(&format!("{}_{what}", self.name));
        let (what, value) = match self.form {
            Form::Processed => ("input", number("input")? * self.input_unit),
            Form::Raw { offset, scale } => {
                let raw = number("raw")?;
                let offset = if offset { number("offset")? } else { 0.0 };
                let scale = if scale { number("scale")? } else { 1.0 };
                ("raw", (raw + offset) * scale)
            }
        };
        to_thousandths(value).ok_or_else(|| {
            let attribute = format!("{}_{what}", self.name);
            Failure::Value(device.path.join(attribute), "is too large for a measurement")
        })
    }
}

/// A usable sensor: an IIO device with both channels.
#[derive(Debug)]
pub struct Sensor {
    device: IioDevice,
    name: Option<String>,
    label: Option<String>,
    temperature: Channel,
    humidity: Channel,
    driver: &'static Driver,
}

impl Sensor {
    /// All usable sensors under this sysfs, by number.
    ///
    /// # Errors
    /// [`Error::NoSensor`] if the list of devices cannot be read.
    pub fn all(sysfs: &Path) -> Result<Vec<Sensor>, Error> {
        let devices = IioDevice::all(sysfs)?;
        Ok(devices.into_iter().filter_map(|device| Sensor::new(device).ok()).collect())
    }

    /// The sensor with this label, IIO name or id; or the only one there is.
    ///
    /// # Errors
    /// [`Error::NoSensor`] for none, several, or not that one, with what there is and what to check.
    pub fn find(sysfs: &Path, wanted: Option<&str>) -> Result<Sensor, Error> {
        let mut unusable = Vec::new();
        let mut usable = Vec::new();
        for device in IioDevice::all(sysfs)? {
            match Sensor::new(device) {
                Ok(sensor) => usable.push(sensor),
                Err((device, lacks)) => unusable.push((device, lacks)),
            }
        }
        let unusable_one =
            unusable.iter().find(|(device, _)| wanted.is_some_and(|name| is_called(device, name)));
        let (mut fitting, others): (Vec<_>, Vec<_>) =
            usable.into_iter().partition(|sensor| wanted.is_none_or(|name| sensor.is_called(name)));
        Err(Error::NoSensor(match (fitting.len(), unusable_one, wanted) {
            (_, Some((device, lacks)), _) => {
                Problem::new(format!("{} has no {lacks} channel: it cannot be used", title(device)))
            }
            (1, ..) => return Ok(fitting.remove(0)),
            (0, None, Some(name)) if !others.is_empty() => {
                Problem::new(format!("no sensor is called {name:?}; there is {}", list(&others)))
            }
            (0, ..) => none_found(sysfs, &unusable),
            (_, None, None) => {
                Problem::new(format!("several sensors, name one with --device: {}", list(&fitting)))
            }
            (_, None, Some(name)) => Problem::new(format!(
                "several sensors are called {name:?}, name one by its id: {}",
                list(&fitting)
            )),
        }))
    }

    /// The sensor of this device, or the device and the channel that it lacks.
    fn new(device: IioDevice) -> Result<Sensor, (IioDevice, &'static str)> {
        let (name, label) = (device.text("name"), device.text("label"));
        let driver = Driver::of(&device, name.as_deref());
        let Some(temperature) = Channel::find(&device, "in_temp", 1.0) else {
            return Err((device, "temperature"));
        };
        let Some(humidity) = Channel::find(&device, "in_humidityrelative", driver.humidity_input_mpercent)
        else {
            return Err((device, "relative-humidity"));
        };
        Ok(Sensor { device, name, label, temperature, humidity, driver })
    }

    /// What a person calls it: its label, else its IIO name, else its id.
    #[must_use]
    pub fn title(&self) -> &str {
        self.label.as_deref().or(self.name.as_deref()).unwrap_or_else(|| self.id())
    }

    /// All that it can be called: `kitchen (dht11@4, iio:device0)`, as far as it has them.
    #[must_use]
    pub fn names(&self) -> String {
        title(&self.device)
    }

    /// The kernel's id for it, such as `iio:device0`; not the same after every boot.
    #[must_use]
    pub fn id(&self) -> &str {
        self.device.id()
    }

    /// The IIO name, such as `dht11@4`.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The label from the device tree.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    fn is_called(&self, wanted: &str) -> bool {
        [Some(self.id()), self.name(), self.label()].contains(&Some(wanted))
    }

    /// Its folder in sysfs.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.device.path
    }

    /// How long the driver answers from a cache, if it has one.
    #[must_use]
    pub fn cache(&self) -> Option<Duration> {
        self.driver.cache.as_ref().map(|cache| cache.lasts)
    }

    /// One try: temperature, then humidity at once.
    ///
    /// # Errors
    /// What the kernel said, an attribute that holds no number, or a pair that the driver took from its cache or
    /// from two samples.
    pub fn read(&self, clock: &impl Clock) -> Result<Reading, Failure> {
        let read =
            |channel: &Channel| channel.read(&self.device).map_err(|failure| self.driver.explain(failure));
        let start = clock.now();
        let mut temperature_mdegc = read(&self.temperature)?;
        let between = clock.now();
        let humidity_mpercent = read(&self.humidity)?;
        if let Some(Cache { transaction, .. }) = self.driver.cache {
            if between.saturating_sub(start) < transaction {
                return Err(Failure::Stale("the driver answered from its cache, the sensor was not asked"));
            }
            if clock.now().saturating_sub(between) >= transaction {
                return Err(Failure::Stale("temperature and humidity come from two samples"));
            }
        }
        if self.driver.twos_complement {
            temperature_mdegc = mend_twos_complement(temperature_mdegc);
        }
        Ok(Reading { temperature_mdegc, humidity_mpercent })
    }
}

fn is_called(device: &IioDevice, wanted: &str) -> bool {
    device.id() == wanted
        || [device.text("name"), device.text("label")].iter().flatten().any(|one| one == wanted)
}

/// `kitchen (dht11@4, iio:device0)`, as far as it has them.
fn title(device: &IioDevice) -> String {
    let mut names: Vec<String> = [device.text("label"), device.text("name")].into_iter().flatten().collect();
    names.push(device.id().to_owned());
    let first = names.remove(0);
    if names.is_empty() { first } else { format!("{first} ({})", names.join(", ")) }
}

fn list(sensors: &[Sensor]) -> String {
    shortened(sensors.iter().map(|sensor| title(&sensor.device)))
}

/// The first few of them, and how many there are: an error stays a line that can be read.
fn shortened(all: impl ExactSizeIterator<Item = String>) -> String {
    const SHOWN: usize = 8;
    let number = all.len();
    let rest = if number > SHOWN { format!("; and so on, {number} in all") } else { String::new() };
    all.take(SHOWN).collect::<Vec<_>>().join("; ") + &rest
}

fn none_found(sysfs: &Path, unusable: &[(IioDevice, &'static str)]) -> Problem {
    let mut text = format!(
        "no temperature and humidity sensor in {}",
        sysfs.join(IioDevice::base()).join(IioDevice::class()).display()
    );
    if !unusable.is_empty() {
        let lacking =
            |(device, lacks): &(IioDevice, &str)| format!("{} has no {lacks} channel", title(device));
        text += &format!("; {}", shortened(unusable.iter().map(lacking)));
    }
    Problem::new(text).advise(NO_SENSOR_ADVICE)
}

/// A number as the kernel prints it: an optional sign, digits, an optional fraction, and space around it.
///
/// # Errors
/// What the text holds instead.
pub fn parse_number(text: &str) -> Result<f64, &'static str> {
    /// Longer than any fixed-point number that IIO prints (a 32-bit integer and nine decimals).
    const LONGEST: usize = 32;
    let text = text.trim_ascii();
    if text.is_empty() {
        return Err("is empty");
    }
    if text.len() > LONGEST {
        return Err("is too long for a number");
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return Err("is not a number");
    }
    let number: f64 = text.parse().map_err(|_| "is not a number")?;
    if number.abs() > f64::from(i32::MAX) { Err("is too large for a measurement") } else { Ok(number) }
}

#[allow(clippy::cast_possible_truncation, reason = "the range was checked")]
fn to_thousandths(value: f64) -> Option<i32> {
    let rounded = value.round();
    (rounded.abs() <= f64::from(i32::MAX)).then_some(rounded as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_parsed_strictly() {
        for (text, number) in [
            ("20600\n", 20600.0),
            ("-3274500\n", -3_274_500.0),
            ("0.000010725 \n", 0.000_010_725),
            ("+12.5", 12.5),
            (" 7 ", 7.0),
            ("007", 7.0),
            ("2147483647", 2_147_483_647.0),
        ] {
            assert_eq!(parse_number(text).map(f64::to_bits), Ok(f64::to_bits(number)), "{text:?}");
        }
        for (text, what) in [
            ("", "is empty"),
            (" \n", "is empty"),
            ("nan", "is not a number"),
            ("inf", "is not a number"),
            ("-inf", "is not a number"),
            ("1e5", "is not a number"),
            ("0x10", "is not a number"),
            ("1 2", "is not a number"),
            ("--1", "is not a number"),
            ("-", "is not a number"),
            (".5", "is not a number"),
            ("5.", "is not a number"),
            ("1.2.3", "is not a number"),
            ("٣", "is not a number"),
            ("2147483648", "is too large for a measurement"),
            ("-99999999999", "is too large for a measurement"),
            ("000000000000000000000000000000001", "is too long for a number"),
        ] {
            assert_eq!(parse_number(text), Err(what), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_number_or_a_reason(text in "\\PC{0,40}") {
            if let Ok(number) = parse_number(&text) {
                prop_assert!(number.abs() <= f64::from(i32::MAX));
                prop_assert!(text.bytes().any(|byte| byte.is_ascii_digit()));
            }
        }

        #[test]
        fn what_the_kernel_prints_comes_back(whole in -2_147_483_647_i64..=2_147_483_647, micro in 0_u32..1_000_000) {
            let text = format!("{whole}.{micro:06}\n");
            let number = parse_number(&text);
            prop_assume!(whole.abs() < i64::from(i32::MAX));
            prop_assert_eq!(number, Ok(text.trim().parse::<f64>().unwrap()));
        }
    }
}
