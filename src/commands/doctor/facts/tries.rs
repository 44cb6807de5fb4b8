//! What the sensor says when it is asked, and what the kernel's log says to that.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use crate::clock::{Clock, PlainClock};
use crate::config::Config;
use crate::error::Problem;
use crate::failure::{Bus, Failure, Tally};
use crate::plausibility::within;
use crate::reading::Reading;
use crate::sensor::Sensor;

const TRIES: usize = 5;

/// How much longer the pause is than the driver answers from its cache.
const BEYOND_CACHE: Duration = Duration::from_millis(100);

/// The tries of one sensor.
pub(crate) struct Tried {
    /// What a person calls the sensor.
    pub(crate) title: String,
    /// What it is connected to.
    pub(crate) bus: Bus,
    /// In their order; a futile one is the last.
    pub(crate) results: Vec<Result<Reading, Failure>>,
    /// What the kernel wrote to its log about the device meanwhile, and how often.
    pub(crate) kernel_log: Result<Tally, Problem>,
}

impl Tried {
    /// Asks the sensor five times.
    pub(super) fn ask(sensor: &Sensor, config: &Config, kernel_log: &Path) -> Tried {
        let log = open_at_end(kernel_log);
        let delay = sensor.cache().map_or(Duration::ZERO, |time| config.retry_delay.max(time + BEYOND_CACHE));
        let mut results = Vec::new();
        while results.len() < TRIES {
            if !results.is_empty() {
                // A signal does not end this pause, but the process.
                let _ = PlainClock.pause(delay);
            }
            let result = one_try(sensor, config);
            let is_futile = result.as_ref().is_err_and(Failure::is_futile);
            results.push(result);
            if is_futile {
                break;
            }
        }
        let text = log.and_then(|log| read_on(log, kernel_log));
        let names = names_of(sensor);
        Tried {
            title: sensor.title().to_owned(),
            bus: sensor.bus(),
            results,
            kernel_log: text.map(|text| lines_about(&names, &text)),
        }
    }
}

fn one_try(sensor: &Sensor, config: &Config) -> Result<Reading, Failure> {
    let reading = sensor.read(&PlainClock)?;
    within(&config.limits, reading)?;
    Ok(reading.calibrated(&config.calibration))
}

/// The kernel's log from now on (`Documentation/ABI/testing/dev-kmsg`).
fn open_at_end(path: &Path) -> Result<File, Problem> {
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
    let file = file.and_then(|mut file| file.seek(SeekFrom::End(0)).map(|_| file));
    file.map_err(|error| Problem::file("read", path, &error))
}

fn read_on(mut log: File, path: &Path) -> Result<String, Problem> {
    let mut text = Vec::new();
    // More than the longest record; one read gives one of them.
    let mut record = [0; 8192];
    loop {
        match log.read(&mut record) {
            Ok(0) => break,
            Ok(n) => text.extend_from_slice(&record[..n]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Records were overwritten before they were read: the next read goes on behind them.
            Err(error) if error.raw_os_error() == Some(Errno::EPIPE as i32) => {}
            Err(error) => return Err(Problem::file("read", path, &error)),
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// What the kernel's log calls the device: by where it hangs (`1-0076`), by its name (`dht11@4`), or by its id.
fn names_of(sensor: &Sensor) -> Vec<String> {
    let folder = fs::canonicalize(sensor.path()).ok();
    let behind = folder.as_deref().and_then(Path::parent).and_then(Path::file_name);
    let mut names = vec![sensor.id().to_owned()];
    names.extend(sensor.name().map(str::to_owned));
    names.extend(behind.map(|name| name.to_string_lossy().into_owned()));
    names
}

/// What was said about the device of these names, by its driver or the bus that it is on.
fn lines_about(names: &[String], text: &str) -> Tally {
    let mut lines = Tally::default();
    for line in text.lines() {
        // `<priority>,<number>,<time>,<flags>;<driver> <device>: <message>` (`dev_printk()`); what follows a record begins
        // with a space.
        let said = line.split_once(';').and_then(|(head, said)| (!head.starts_with(' ')).then_some(said));
        let Some((who, message)) = said.and_then(|said| said.split_once(": ")) else { continue };
        let is_device = |(_, device): (&str, &str)| names.iter().any(|name| name == device);
        if who.split_once(' ').is_some_and(is_device) {
            lines.add(message.to_owned(), 1);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_driver_says_of_this_device_is_taken() {
        for (text, wanted) in [
            ("", ""),
            ("3,9,9,-;dht11 dht11@4: Only 0 signal edges detected\n", "Only 0 signal edges detected 1 time"),
            (
                "3,9,9,-;dht11 dht11@4: a\n3,10,10,-;dht11 dht11@4: b\n3,11,11,-;dht11 dht11@4: a\n",
                "a 2 times, b 1 time",
            ),
            ("3,9,9,-;dht11 dht11@41: Only 0 signal edges detected\n", ""),
            ("3,9,9,-;usb 1-1: dht11 dht11@4: fake\n", ""),
            (" SUBSYSTEM=platform\n DEVICE=+platform:dht11@4\n", ""),
            (" SOMETHING=;dht11 dht11@4: fake\n", ""),
            ("3,9,9,-;bmp280 1-0076: reading temperature skipped\n", "reading temperature skipped 1 time"),
            ("3,9,9,-;i2c 1-0076: a\n3,9,9,-;iio iio:device0: b\n", "a 1 time, b 1 time"),
            ("3,9,9,-;bmp280 1-0077: reading temperature skipped\n", ""),
            ("3,9,9,-;1-0076: no driver\n3,9,9,-;a b 1-0076: no device\n", ""),
        ] {
            let names = ["iio:device0", "dht11@4", "1-0076"].map(str::to_owned);
            assert_eq!(lines_about(&names, text).to_string(), wanted, "{text:?}");
        }
    }
}
