//! What the sensor says when it is asked, and what the kernel's log says to that.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::{Finding, System};
use crate::clock::{Clock, PlainClock};
use crate::error::cannot;
use crate::failure::{Failure, Tally};
use crate::reading::Reading;
use crate::sensor::Sensor;

const TRIES: u32 = 5;

/// How much longer the pause is than the driver answers from its cache.
const BEYOND_CACHE: Duration = Duration::from_millis(100);

/// Asks each sensor five times, and looks at what the kernel logs meanwhile.
pub(super) fn tries(system: &System) -> Vec<Finding> {
    system.tried().into_iter().flat_map(|sensor| ask(system, sensor)).collect()
}

fn ask(system: &System, sensor: &Sensor) -> Vec<Finding> {
    const TRIED: &str = "tries";
    const LOG: &str = "kernel log";
    let log = KernelLog::open(system.path("dev/kmsg"));
    let delay =
        sensor.cache().map_or(Duration::ZERO, |time| system.config.retry_delay.max(time + BEYOND_CACHE));
    let mut results = Vec::new();
    while results.len() < TRIES as usize {
        if !results.is_empty() {
            // A signal does not end this pause, but the process.
            let _ = PlainClock.pause(delay);
        }
        let result = one_try(system, sensor);
        let is_futile = result.as_ref().is_err_and(Failure::is_futile);
        results.push(result);
        if is_futile {
            break;
        }
    }
    let said = log.and_then(|log| log.about(sensor));

    let good = results.iter().flatten().count();
    let each: Vec<String> = results
        .iter()
        .map(|result| result.as_ref().map_or_else(Failure::name, |_| "ok".to_owned()))
        .collect();
    let mut found = format!("{}: {good} good of {} ({})", sensor.title(), results.len(), each.join(", "));
    if let Some(reading) = results.iter().flatten().last() {
        found += &format!(", {}", reading.fields());
    }
    let last = results.iter().rev().find_map(|result| result.as_ref().err());
    // Of an errno, its name says all.
    if let Some(failure) = last.filter(|failure| !matches!(failure, Failure::Io(..))) {
        found += &format!("; last: {failure}");
    }
    let advice = last.map(|failure| {
        said.as_ref().ok().and_then(|lines| explain(&failure.name(), lines)).unwrap_or(failure.advice())
    });
    let tried = match (good, advice) {
        (0, Some(advice)) => Finding::wrong(TRIED, found, advice),
        // Ten tries, as a run has them, then fail together more often than once in two hundred runs.
        (1..3, Some(advice)) => Finding::note(TRIED, found).advise(advice),
        _ => Finding::ok(TRIED, found),
    };
    let log = match said {
        Ok(lines) if lines.total() == 0 => {
            Finding::ok(LOG, format!("nothing about {} meanwhile", sensor.title()))
        }
        Ok(lines) => Finding::note(LOG, lines.to_string()),
        Err(why) => Finding::note(LOG, why).advise("run this with sudo to see it"),
    };
    vec![tried, log]
}

fn one_try(system: &System, sensor: &Sensor) -> Result<Reading, Failure> {
    let reading = sensor.read(&PlainClock)?;
    match system.config.limits.exceeded_by(reading) {
        Some(what) => Err(Failure::OutOfRange(what)),
        None => Ok(reading.calibrated(&system.config.calibration)),
    }
}

/// What to do about a failure for which the driver has more words than an errno (`dht11_read_raw()` and
/// `dht11_decode()` in `drivers/iio/humidity/dht11.c`).
fn explain(failure: &str, lines: &Tally) -> Option<&'static str> {
    lines.iter().find_map(|(line, _)| match failure {
        "EIO" => line.starts_with("Don't know how to decode data").then_some(
            "it speaks neither as a DHT22 nor as a DHT11: take another sensor, or a kernel of 2025 or later for a DHT11 \
             with decimals",
        ),
        "ETIMEDOUT" => {
            let edges = line.strip_prefix("Only ")?.strip_suffix(" signal edges detected")?.parse::<u32>().ok()?;
            // Those of the start pulse are the Pi's own.
            Some(if edges <= 2 {
                "nobody answers: check power, data wire and gpiopin, and cut the sensor's power if it hangs"
            } else {
                "a part of the answer was lost: a shorter wire, a pull-up of 4.7 kOhm, or less load on this machine"
            })
        }
        _ => None,
    })
}

/// The kernel's log from now on (`Documentation/ABI/testing/dev-kmsg`).
struct KernelLog {
    path: PathBuf,
    file: File,
}

impl KernelLog {
    fn open(path: PathBuf) -> Result<KernelLog, String> {
        let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&path);
        let file = file.and_then(|mut file| file.seek(SeekFrom::End(0)).map(|_| file));
        file.map(|file| KernelLog { file, path: path.clone() }).map_err(|error| cannot("read", &path, &error))
    }

    /// What was said since about this sensor, and how often.
    fn about(mut self, sensor: &Sensor) -> Result<Tally, String> {
        let mut text = Vec::new();
        // More than the longest record; one read gives one of them.
        let mut record = [0; 8192];
        loop {
            match self.file.read(&mut record) {
                Ok(0) => break,
                Ok(n) => text.extend_from_slice(&record[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Records were overwritten before they were read: the next read goes on behind them.
                Err(error) if error.raw_os_error() == Some(Errno::EPIPE as i32) => {}
                Err(error) => return Err(cannot("read", &self.path, &error)),
            }
        }
        let mut lines = Tally::default();
        let name = sensor.name().unwrap_or_else(|| sensor.title());
        let text = String::from_utf8_lossy(&text);
        for line in text.lines() {
            // `<priority>,<number>,<time>,<flags>;dht11 dht11@4: <message>`
            let message =
                line.split_once(";dht11 ").and_then(|(_, rest)| rest.strip_prefix(name)?.strip_prefix(": "));
            if let Some(message) = message {
                lines.add(message.to_owned(), 1);
            }
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drivers_words_say_more_than_its_errno_of_that_errno_alone() {
        let silent = "Only 0 signal edges detected";
        let unknown = "Don't know how to decode data: 7 1 2 3";
        for (failure, line, wanted) in [
            ("ETIMEDOUT", silent, Some("nobody answers")),
            ("ETIMEDOUT", "Only 2 signal edges detected", Some("nobody answers")),
            ("ETIMEDOUT", "Only 40 signal edges detected", Some("a part of the answer was lost")),
            ("ETIMEDOUT", unknown, None),
            ("EIO", unknown, Some("it speaks neither")),
            ("EIO", silent, None),
            ("ENOENT", silent, None),
        ] {
            let mut lines = Tally::default();
            lines.add("something else".to_owned(), 1);
            lines.add(line.to_owned(), 1);
            let advice = explain(failure, &lines);
            match wanted {
                None => assert_eq!(advice, None, "{failure} {line}"),
                Some(wanted) => {
                    assert!(advice.is_some_and(|advice| advice.starts_with(wanted)), "{failure} {line}")
                }
            }
        }
    }
}
