//! The tries of the sensors, and what the kernel's log said to them.

use super::Finding;
use super::facts::Facts;
use super::facts::config_txt::{DEFAULT_PIN, gpio_of_header_pin};
use super::facts::kernel::Device;
use super::facts::tries::Tried;
use crate::failure::{Failure, Tally};

/// Does the sensor answer?
pub(super) fn tries(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = facts.tried.iter().map(outcome).collect();
    let is_silent = facts.tried.iter().any(|tried| tried.results.iter().all(Result::is_err));
    findings.extend(facts.kernel.devices.iter().filter(|_| is_silent).filter_map(perhaps_header_pin));
    findings
}

/// The number may be that of the header's pin; each of them is another GPIO.
fn perhaps_header_pin(device: &Device) -> Option<Finding> {
    let pin = device.pin.filter(|pin| *pin != DEFAULT_PIN)?;
    let gpio = gpio_of_header_pin(pin)?;
    let found = format!(
        "{} is at GPIO {pin}; if pin {pin} of the header was meant, that is GPIO {gpio}",
        device.name
    );
    Some(Finding::note(found).advise(format!("if so, write gpiopin={gpio} in config.txt, and restart")))
}

fn outcome(tried: &Tried) -> Finding {
    let results = &tried.results;
    let good = results.iter().flatten().count();
    let each: Vec<String> = results
        .iter()
        .map(|result| result.as_ref().map_or_else(Failure::name, |_| "ok".to_owned()))
        .collect();
    let mut found = format!("{}: {good} good of {} ({})", tried.title, results.len(), each.join(", "));
    if let Some(reading) = results.iter().flatten().last() {
        found += &format!(", {}", reading.fields());
    }
    let last = results.iter().rev().find_map(|result| result.as_ref().err());
    // Of an errno, its name says all.
    if let Some(failure) = last.filter(|failure| !matches!(failure, Failure::Io(..))) {
        found += &format!("; last: {failure}");
    }
    let lines = tried.kernel_log.as_ref().ok();
    let advice = last.map(|failure| {
        lines.and_then(|lines| explain(&failure.name(), lines)).unwrap_or(failure.advice_on(tried.bus))
    });
    match (good, advice) {
        (0, Some(advice)) => Finding::wrong(found, advice),
        // Ten tries, as a run has them, then fail together more often than once in two hundred runs.
        (1..3, Some(advice)) => Finding::note(found).advise(advice),
        _ => Finding::ok(found),
    }
}

/// What did the kernel log meanwhile?
pub(super) fn kernel_log(facts: &Facts) -> Vec<Finding> {
    let each = facts.tried.iter().map(|tried| match &tried.kernel_log {
        Ok(lines) if lines.total() == 0 => Finding::ok(format!("nothing about {} meanwhile", tried.title)),
        Ok(lines) => Finding::note(lines.to_string()),
        Err(problem) => Finding::note(&problem.what).advise("run this with sudo to see it"),
    });
    each.collect()
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

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::super::State::{Note, Ok as Good, Wrong};
    use super::super::tests::{cannot_read, expect_each};
    use super::*;
    use crate::reading::Reading;

    const GOOD: Reading = Reading { temperature_mdegc: 21_000, humidity_mpercent: 24_400 };

    fn bad() -> Result<Reading, Failure> {
        Err(Failure::Value("/sys/temp".into(), "is not a number"))
    }

    fn failed(errno: Errno) -> Result<Reading, Failure> {
        Err(Failure::Io("/sys/temp".into(), errno.into()))
    }

    fn tried<const N: usize>(facts: &mut Facts, results: [Result<Reading, Failure>; N]) {
        facts.tried.as_mut().unwrap().results = results.into();
    }

    fn logged(facts: &mut Facts, line: &str) {
        let mut lines = Tally::default();
        lines.add(line.to_owned(), 5);
        facts.tried.as_mut().unwrap().kernel_log = Ok(lines);
    }

    #[test]
    fn three_good_tries_of_five_are_enough_and_fewer_are_worth_a_word() {
        expect_each(
            tries,
            &[
                (
                    |_| (),
                    &[(
                        Good,
                        "kitchen: 5 good of 5 (ok, ok, ok, ok, ok), temperature=20.6 humidity=24.4",
                        "",
                    )],
                ),
                (
                    |facts| tried(facts, [bad(), Ok(GOOD), Ok(GOOD), Ok(GOOD), bad()]),
                    &[(
                        Good,
                        "3 good of 5 (bad value, ok, ok, ok, bad value), temperature=21.0 humidity=24.4; \
                         last: /sys/temp: is not a number",
                        "",
                    )],
                ),
                (
                    |facts| tried(facts, [bad(), Ok(GOOD), bad(), Ok(GOOD), bad()]),
                    &[(
                        Note,
                        "2 good of 5 (bad value, ok, bad value, ok, bad value), temperature=21.0",
                        "the driver gave no usable number",
                    )],
                ),
            ],
        );
    }

    #[test]
    fn no_good_try_is_wrong() {
        expect_each(
            tries,
            &[
                (
                    |facts| tried(facts, [Errno::EIO; 5].map(failed)),
                    &[(Wrong, "kitchen: 0 good of 5 (EIO, EIO, EIO, EIO, EIO)", "pull-up")],
                ),
                (|facts| tried(facts, [failed(Errno::EISDIR)]), &[(Wrong, "0 good of 1 (EISDIR)", "dmesg")]),
                (
                    |facts| tried(facts, [Err(Failure::OutOfRange("temperature 99".into()))]),
                    &[(Wrong, "0 good of 1 (out of range); last: temperature 99", "temperature-range")],
                ),
                (
                    |facts| {
                        tried(facts, [Errno::ETIMEDOUT; 5].map(failed));
                        logged(facts, "Only 0 signal edges detected");
                    },
                    &[(Wrong, "ETIMEDOUT", "nobody answers: check power")],
                ),
                (
                    |facts| {
                        tried(facts, [Errno::ETIMEDOUT; 5].map(failed));
                        facts.kernel.devices[0].pin = Some(22);
                    },
                    &[
                        (Wrong, "ETIMEDOUT", "check"),
                        (Note, "pin 22 of the header was meant, that is GPIO 25", "gpiopin=25"),
                    ],
                ),
                (|facts| facts.tried = None, &[]),
            ],
        );
    }

    #[test]
    fn what_the_kernel_logged_is_quoted() {
        expect_each(
            kernel_log,
            &[
                (|_| (), &[(Good, "nothing about kitchen meanwhile", "")]),
                (
                    |facts| logged(facts, "Only 0 signal edges detected"),
                    &[(Note, "Only 0 signal edges detected 5 times", "")],
                ),
                (
                    |facts| facts.tried.as_mut().unwrap().kernel_log = Err(cannot_read(Errno::EPERM)),
                    &[(Note, "cannot read /pi/file: EPERM", "run this with sudo to see it")],
                ),
                (|facts| facts.tried = None, &[]),
            ],
        );
    }

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
