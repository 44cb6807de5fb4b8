//! What each Linux driver of a temperature and humidity sensor does otherwise than the ABI says.
//!
//! Each was read in the kernel's sources of 6.1, 6.12 and 7.3; `docs/sensors.md` shows the same table to users, and says
//! which of them were tested.

use std::ops::RangeInclusive;
use std::time::Duration;

use nix::errno::Errno;

use super::device::Device;
use crate::failure::{Bus, Failure};

/// What is to be known of a driver beyond the ABI.
#[derive(Debug)]
pub(super) struct Driver {
    /// The driver's name in sysfs, and the chips by which to tell it: the device's `name`, or one of the device tree's
    /// `compatible` strings without the vendor.
    pub(super) names: &'static [&'static str],
    /// A whole string of `compatible`, where the device's `name` changes with the pin.
    compatible: Option<&'static str>,
    /// Whether it is in the table.
    pub(super) is_known: bool,
    pub(super) bus: Bus,
    /// What one unit of its values is, in m°C and m%RH.
    pub(super) units: (f64, f64),
    pub(super) cache: Option<Cache>,
    /// The sensor answers with what it measured when it was last asked, and needs this pause to measure anew.
    pub(super) answers_with_last: Option<Duration>,
    /// Whether temperatures below zero need mending: `sub_zero`.
    pub(super) mends_sub_zero: bool,
    /// What it shows when all bits of an answer are zero, in m°C and m%RH, if nothing else would notice.
    pub(super) zeros: &'static [(i32, i32)],
    /// The sensor's humidities in m%RH that are to be taken as 0 or 100 %RH, as the datasheet says.
    pub(super) clamped: Option<RangeInclusive<i32>>,
    /// Errors that do not mean what they mean elsewhere.
    errors: &'static [(Errno, &'static str)],
    /// How long a try may take.
    pub(super) longest_try: Duration,
}

/// Both values come from one transaction on the bus, and are kept.
#[derive(Debug)]
pub(super) struct Cache {
    /// For so long.
    pub(super) lasts: Duration,
    /// No transaction is shorter.
    pub(super) transaction: Duration,
}

const CHECKSUM: &str = "came with a wrong checksum";
const ARBITRATION: (Errno, &str) = (Errno::EAGAIN, "was not read: another master had the I2C bus");

/// A driver on I2C that does as the ABI says. EAGAIN is what some I2C controllers say when they lost the bus
/// (`drivers/i2c/busses/i2c-designware-common.c`).
const I2C: Driver = Driver {
    names: &[],
    compatible: None,
    is_known: true,
    bus: Bus::I2c,
    units: (1.0, 1.0),
    cache: None,
    answers_with_last: None,
    mends_sub_zero: false,
    zeros: &[],
    clamped: None,
    errors: &[ARBITRATION],
    longest_try: Duration::from_millis(1200),
};

/// A driver that is not in the table is read as the ABI says.
static UNKNOWN: Driver = Driver { is_known: false, bus: Bus::Unknown, errors: &[], ..I2C };

static DRIVERS: [Driver; 24] = [
    // ---- IIO: drivers/iio
    // humidity/dht11.c: `DHT11_DATA_VALID_TIME`, `DHT11_START_TRANSMISSION_MIN`; the longest read that was seen took 1.10 s
    Driver {
        names: &["dht11"],
        compatible: Some("dht11"),
        bus: Bus::Gpio,
        cache: Some(Cache { lasts: Duration::from_secs(2), transaction: Duration::from_millis(18) }),
        answers_with_last: Some(Duration::from_secs(2)),
        mends_sub_zero: true,
        zeros: &[(0, 0)],
        errors: &[],
        ..I2C
    },
    // humidity/am2315.c: sign and magnitude, shown as a signed 16-bit number; it waits for each value by itself
    Driver {
        names: &["am2315"],
        answers_with_last: Some(Duration::from_secs(2)),
        mends_sub_zero: true,
        ..I2C
    },
    // humidity/hdc100x.c: no checksum; `hdc100x_read_raw()`
    Driver {
        names: &["hdc100x", "hdc1000", "hdc1008", "hdc1010", "hdc1050", "hdc1080"],
        zeros: &[(-40_000, 0)],
        ..I2C
    },
    // humidity/hdc2010.c: a chip that lost its power for a moment measures no more, and its registers stay 0
    Driver { names: &["hdc2010", "hdc2080"], zeros: &[(-40_000, 0)], ..I2C },
    // humidity/hdc3020.c: `hdc3020_read_bytes()`, `hdc3020_read_measurement()`
    Driver {
        names: &["hdc3020", "hdc3021", "hdc3022"],
        errors: &[(Errno::EINVAL, CHECKSUM), ARBITRATION],
        ..I2C
    },
    // humidity/ens210.c
    Driver { names: &["ens210", "ens210a", "ens211", "ens212", "ens213a", "ens215"], ..I2C },
    // humidity/hts221_core.c: `hts221_get_sensor_scale()` makes whole °C and %RH, against the ABI
    Driver { names: &["hts221", "hts221_i2c", "hts221_spi"], units: (1000.0, 1000.0), ..I2C },
    // humidity/htu21.c, common/ms_sensors/ms_sensors_i2c.c: `ms_sensors_ht_read_temperature()`
    Driver { names: &["htu21"], errors: &[(Errno::ENODEV, CHECKSUM), ARBITRATION], ..I2C },
    // humidity/si7005.c: a chip that stays busy is waited for up to 2 s for each value
    Driver { names: &["si7005", "th02"], longest_try: Duration::from_secs(4), ..I2C },
    // humidity/si7020.c
    Driver { names: &["si7020", "th06"], ..I2C },
    // pressure/bmp280-core.c
    Driver { names: &["bme280", "bmp280"], ..I2C },
    // chemical/bme680_core.c: `bme680_read_humid()` gives whole percent, against the ABI
    Driver { names: &["bme680", "bme680_i2c", "bme680_spi"], units: (1.0, 1000.0), ..I2C },
    // chemical/scd30_core.c: a read waits for the next measurement; temperature and humidity come from two of them
    Driver { names: &["scd30", "scd30_i2c", "scd30_serial"], longest_try: Duration::from_secs(5), ..I2C },
    // chemical/scd4x.c: likewise, and measures every 5 s
    Driver { names: &["scd4x", "scd40", "scd41"], longest_try: Duration::from_secs(12), ..I2C },
    // ---- hwmon: drivers/hwmon
    // aht10.c: in the first 2 s of the kernel's uptime nothing is measured, and both values are 0; aht10 has no checksum
    Driver { names: &["aht10", "aht20", "dht20"], zeros: &[(-50_000, 0), (0, 0)], ..I2C },
    // sht4x.c: the datasheet wants humidities outside 0 to 100 %RH to be taken as these
    Driver { names: &["sht4x"], clamped: Some(-6_000..=119_000), ..I2C },
    // sht3x.c: the checksum is not looked at
    Driver { names: &["sht3x", "sht85", "sht30"], zeros: &[(-45_000, 0)], ..I2C },
    // sht21.c: no checksum; humidity as sht4x
    Driver {
        names: &["sht21", "sht20", "sht25"],
        zeros: &[(-46_850, -6_000)],
        clamped: Some(-6_000..=119_000),
        ..I2C
    },
    // shtc1.c: the checksum is not looked at
    Driver { names: &["shtc1", "shtw1", "shtc3"], zeros: &[(-45_000, 0)], ..I2C },
    // htu31.c
    Driver { names: &["htu31"], ..I2C },
    // hs3001.c
    Driver { names: &["hs3001"], ..I2C },
    // chipcap2.c
    Driver {
        names: &["cc2d23", "cc2d23s", "cc2d25", "cc2d25s", "cc2d33", "cc2d33s", "cc2d35", "cc2d35s"],
        ..I2C
    },
    // hih6130.c: no checksum
    Driver { names: &["hih6130"], zeros: &[(-40_000, 0)], ..I2C },
    // sht15.c: `sht15_measurement()`; over 100 %RH when water condenses. Two GPIO lines, but not as a DHT22's
    Driver {
        names: &["sht15", "sht10", "sht11", "sht71", "sht75"],
        bus: Bus::Unknown,
        clamped: Some(-2_100..=122_000),
        errors: &[(Errno::EAGAIN, CHECKSUM)],
        ..I2C
    },
];

impl Driver {
    /// The driver of a device with this `name`.
    pub(super) fn of(device: &Device, name: Option<&str>) -> &'static Driver {
        let compatible = device.compatible();
        let is_chip = |driver: &Driver, chip: &str| driver.names.contains(&chip);
        let by_tree_or_name = |driver: &&Driver| {
            let by_tree = compatible.iter().any(|one| {
                driver.compatible == Some(one)
                    || one.split_once(',').is_some_and(|(_, chip)| {
                        // A DHT11's name alone is not enough: the driver knows it without a vendor.
                        driver.compatible.is_none() && is_chip(driver, chip)
                    })
            });
            by_tree || name.is_some_and(|name| is_chip(driver, name))
        };
        DRIVERS.iter().find(by_tree_or_name).unwrap_or_else(|| {
            let driver = device.driver();
            let bound = |known: &&Driver| driver.as_deref().is_some_and(|name| is_chip(known, name));
            DRIVERS.iter().find(bound).unwrap_or(&UNKNOWN)
        })
    }

    /// What the failure of one read means in this driver's words.
    pub(super) fn explain(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Io(path, source) => {
                let known =
                    self.errors.iter().find(|(errno, _)| source.raw_os_error() == Some(*errno as i32));
                match known {
                    Some((_, what)) => Failure::Value(path, what),
                    None => Failure::Io(path, source),
                }
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_name_stands_twice_and_each_is_in_both_pages() {
        let mut names = BTreeSet::new();
        for name in DRIVERS.iter().flat_map(|driver| driver.names) {
            assert!(names.insert(name), "{name}");
        }
        for page in [include_str!("../../docs/sensors.md"), include_str!("../../docs/ko/sensors.md")] {
            for driver in &DRIVERS {
                let row = format!("| `{}`", driver.names[0]);
                assert!(page.contains(&row), "no row that starts with {row}");
            }
        }
    }
}
