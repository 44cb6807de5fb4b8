//! Why a try of the sensor failed, whether another try can help, and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::sys::signal::Signal;

use crate::error::{Problem, describe, errno, plural};
use crate::reading::{Reading, to_units};

/// What a sensor is connected to, which is where to look when it does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bus {
    /// A GPIO line of its own, as a DHT22.
    Gpio,
    /// I2C, or a bus like it that a chip with a Linux driver of its own is on.
    I2c,
    /// Its driver is not known.
    #[default]
    Unknown,
}

/// Why one try of the sensor failed.
#[derive(Debug)]
pub enum Failure {
    /// The kernel returned an error for this attribute.
    Io(PathBuf, io::Error),
    /// The attribute does not contain a number that could be a measurement; the text says what is wrong with it.
    Value(PathBuf, &'static str),
    /// The values are outside what the configuration allows.
    OutOfRange(String),
    /// The values are outside what the configuration allows, and no air has them.
    NotInAir(String),
    /// The driver shows what it shows when all bits of the answer are zero, as those of a stuck sensor are.
    Zeros(Reading),
    /// The values are so small that the driver of this name may have another unit.
    OtherUnit(String),
    /// The values are too far from the last stored ones, and no other try has confirmed them yet.
    Jump(String),
    /// There are no stored values to compare with, and no other try has confirmed the values yet.
    Unconfirmed(String),
    /// The driver did not measure the values in this try, but returned older ones.
    Stale(&'static str),
    /// This signal asked the run to end during the try, which is no failure of the sensor.
    Ended(Signal),
}

impl Failure {
    /// The short name under which this failure is counted. For an errno this is its name in the kernel, such as `EIO`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Failure::Io(_, source) => {
                errno(source).map_or_else(|| source.kind().to_string(), |errno| format!("{errno:?}"))
            }
            Failure::Value(..) => "bad value".to_owned(),
            Failure::OutOfRange(_) | Failure::NotInAir(_) => "out of range".to_owned(),
            Failure::Zeros(_) => "frame of zeros".to_owned(),
            Failure::OtherUnit(_) => "perhaps another unit".to_owned(),
            Failure::Jump(_) => "jump".to_owned(),
            Failure::Unconfirmed(_) => "unconfirmed".to_owned(),
            Failure::Stale(_) => "not fresh".to_owned(),
            Failure::Ended(signal) => signal.to_string(),
        }
    }

    /// Whether another try would fail in the same way. If so, the run ends at once.
    ///
    /// The dht11 driver returns EAGAIN if the kernel's clock is too coarse to measure its pulses
    /// (`DHT11_MIN_TIMERES`, `drivers/iio/humidity/dht11.c`): waiting does not change that. Where a driver means something
    /// else by it, it never comes here as EAGAIN.
    #[must_use]
    pub fn is_futile(&self) -> bool {
        let Failure::Io(_, source) = self else {
            return false;
        };
        matches!(
            errno(source),
            Some(
                Errno::ENOENT
                    | Errno::ENODEV
                    | Errno::ENOTDIR
                    | Errno::EISDIR
                    | Errno::ELOOP
                    | Errno::EACCES
                    | Errno::EPERM
                    | Errno::EAGAIN
            )
        )
    }

    /// What the user should do about it, for a sensor on this bus.
    #[must_use]
    pub fn advice_on(&self, bus: Bus) -> &'static str {
        match self {
            Failure::Io(_, source) => errno_advice(errno(source), bus),
            Failure::Value(..) => "the driver gave no usable number: see dmesg, and compare with cat",
            Failure::OutOfRange(_) => "check the sensor, or widen temperature-range and humidity-range",
            Failure::NotInAir(_) => match bus {
                Bus::Gpio => {
                    "no air has this value: check the wire, the pull-up and the supply, or take another sensor"
                }
                _ => {
                    "no air has this value: check the sensor, and see docs/sensors.md for what its driver gives"
                }
            },
            Failure::Zeros(_) => match bus {
                Bus::Gpio => {
                    "the sensor hangs or the data line is held low: cut the sensor's power, then check wiring and supply"
                }
                _ => "the chip measured nothing: cut its power, or bind its driver again",
            },
            Failure::OtherUnit(_) => {
                "this driver is not known here: compare with cat; if it is right, please report the driver's name"
            }
            Failure::Jump(_) => {
                "no two tries agreed: check the wiring, or raise temperature-jump and humidity-jump"
            }
            Failure::Unconfirmed(_) => {
                "no two tries agreed: check the wiring and the supply, and that the sensor is not in a draught"
            }
            Failure::Stale(_) => "another program reads the same sensor, iio-hwmon perhaps: stop it",
            Failure::Ended(_) => "start it again",
        }
    }
}

/// What to do about an error of the kernel.
fn errno_advice(errno: Option<Errno>, bus: Bus) -> &'static str {
    match (errno, bus) {
        (Some(Errno::EIO), Bus::Gpio) => {
            "the signal was disturbed, or the sensor speaks a format that the driver does not know: see dmesg, and check the \
             wire's length, the pull-up (4.7 to 10 kOhm) and the supply"
        }
        (Some(Errno::ETIMEDOUT), Bus::Gpio) => {
            "the sensor did not answer: check wiring, power and gpiopin, see dmesg, and cut the sensor's power if it hangs"
        }
        (Some(Errno::EAGAIN), Bus::Gpio | Bus::Unknown) => {
            "the kernel's clock is too coarse for this driver: it needs high resolution timers"
        }
        (Some(Errno::ENOENT | Errno::ENODEV | Errno::ENOTDIR), _) => {
            "the device went away: see dmesg for who unbound its driver"
        }
        (Some(Errno::EACCES | Errno::EPERM), _) => {
            "let this user read the attribute: on a Pi they are readable by all"
        }
        (Some(Errno::EIO | Errno::ETIMEDOUT | Errno::EREMOTEIO | Errno::ENXIO), Bus::I2c) => {
            "the chip did not answer as it should: see dmesg, check SDA, SCL, ground and supply, and with i2cdetect whether \
             its address is there"
        }
        (Some(Errno::EBUSY), Bus::I2c) => {
            "the chip had no new measurement, or another program reads it through its buffer: see dmesg"
        }
        (Some(Errno::EIO | Errno::ETIMEDOUT), Bus::Unknown) => {
            "the sensor did not answer as it should: check wiring and power, and see dmesg"
        }
        _ => "see dmesg for what the driver says",
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Io(path, source) => write!(f, "{}: {}", path.display(), describe(source)),
            Failure::Value(path, what) => write!(f, "{}: {what}", path.display()),
            Failure::OutOfRange(what)
            | Failure::NotInAir(what)
            | Failure::Jump(what)
            | Failure::Unconfirmed(what) => f.write_str(what),
            Failure::Zeros(shown) => write!(
                f,
                "{} °C and {} %RH is what the driver shows when all bits of the answer are zero",
                to_units(shown.temperature_mdegc),
                to_units(shown.humidity_mpercent)
            ),
            Failure::OtherUnit(driver) => write!(
                f,
                "the values of driver {driver} are below 0.1 °C and 0.1 %RH: it has perhaps another unit"
            ),
            Failure::Stale(what) => f.write_str(what),
            Failure::Ended(signal) => write!(f, "ended by {signal}"),
        }
    }
}

/// The failed tries of one run: how often each kind of failure occurred, in the order in which the kinds first
/// occurred.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(Vec<(String, u32)>);

impl Tally {
    /// Counts this many more failures of this name.
    pub fn add(&mut self, name: String, times: u32) {
        match self.0.iter_mut().find(|(counted, _)| *counted == name) {
            Some((_, before)) => *before = before.saturating_add(times),
            None => self.0.push((name, times)),
        }
    }

    /// How many tries failed.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.iter().fold(0, |total, (_, times)| total.saturating_add(*times))
    }

    /// Name and number of each kind, in the order in which they first occurred.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.0.iter().map(|(name, times)| (name.as_str(), *times))
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, times)) in self.iter().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            write!(f, "{separator}{name} {times} {}", plural(times, "time", "times"))?;
        }
        Ok(())
    }
}

/// The sensor was tried, and every try failed.
#[derive(Debug)]
pub struct GaveUp {
    /// All tries, counted by kind of failure.
    pub failures: Tally,
    /// Whether the deadline ended the tries, and not their number.
    pub out_of_time: bool,
    /// The last failure.
    pub last: Failure,
}

impl GaveUp {
    /// What happened with the sensor of this name, on this bus, and what to do about it.
    #[must_use]
    pub fn problem(&self, sensor: &str, bus: Bus) -> Problem {
        let attempts = self.failures.total();
        let tries = plural(attempts, "try", "tries");
        let before = if self.out_of_time { " before the deadline" } else { "" };
        let (failures, last) = (&self.failures, &self.last);
        Problem::new(format!(
            "no good reading from {sensor} in {attempts} {tries}{before}: {failures} (last: {last})"
        ))
        .advise(last.advice_on(bus))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn io_failure(errno: Errno) -> Failure {
        Failure::Io("/sys/x".into(), io::Error::from(errno))
    }

    #[test]
    fn errnos_are_futile_or_worth_another_try() {
        for errno in [Errno::EIO, Errno::ETIMEDOUT, Errno::EREMOTEIO, Errno::ENXIO, Errno::EBUSY] {
            assert!(!io_failure(errno).is_futile(), "{errno:?}");
        }
        for errno in [Errno::ENOENT, Errno::ENODEV, Errno::EACCES, Errno::EPERM, Errno::EAGAIN] {
            assert!(io_failure(errno).is_futile(), "{errno:?}");
        }
        assert!(!Failure::Stale("cached").is_futile());
        assert!(!Failure::OutOfRange(String::new()).is_futile());
        assert!(!Failure::Value("x".into(), "is empty").is_futile());
    }

    #[test]
    fn a_failed_run_is_one_line_with_names_counts_and_advice() {
        let tries = GaveUp {
            failures: Tally(vec![("EIO".into(), 9), ("ETIMEDOUT".into(), 1)]),
            out_of_time: false,
            last: io_failure(Errno::ETIMEDOUT),
        };
        assert_eq!(
            tries.problem("dht11@4", Bus::Gpio).to_string(),
            "no good reading from dht11@4 in 10 tries: EIO 9 times, ETIMEDOUT 1 time \
             (last: /sys/x: ETIMEDOUT: Connection timed out); the sensor did not answer: check wiring, \
             power and gpiopin, see dmesg, and cut the sensor's power if it hangs"
        );
    }
}
