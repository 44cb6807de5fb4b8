//! The summary for node_exporter's textfile collector, in the exposition format
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>). All metrics are gauges, not counters: the periods
//! end now, so that their numbers can fall.
//!
//! Every series has the label `sensor`: node_exporter reads the files of several sensors, and drops series that it has
//! already.

use std::fmt::{Display, Write};

use super::runs::{PERIODS, Period};
use super::verdict::Verdict;
use super::{LastReading, LastVerification, Summary};

const UP: &str = "Whether readings are taken and arrive.";

/// All metrics of a summary. `sensor` is what they are called if no reading says whose they are.
pub(super) fn text(summary: &Summary, sensor: &str) -> String {
    let sensor = summary.last_reading.as_ref().map_or(sensor, |last| &last.sensor);
    let mut metrics = Metrics::of(sensor);
    metrics.gauge("up", UP, u8::from(summary.verdict == Verdict::Ok));
    metrics.gauge("run_under_way", "Whether a run is under way.", u8::from(summary.run_under_way));
    if let Some(last) = &summary.last_reading {
        reading(&mut metrics, last);
    }
    if let Some(last_ms) = summary.last_delivery {
        let help = "When a reading was last delivered.";
        metrics.gauge("last_delivery_timestamp_seconds", help, Decimal(last_ms, 3));
    }
    if let Some(last) = &summary.last_verification {
        verification(&mut metrics, last);
    }
    backlog(&mut metrics, summary);
    if let Some(gap) = &summary.longest_gap {
        let help = "The longest time without a reading that reaches into the last week.";
        metrics.gauge("longest_gap_seconds", help, gap.length_ms / 1000);
    }
    metrics.gauge("set_aside_stores", "Damaged stores that were set aside.", summary.set_aside.len());
    periods(&mut metrics, summary);
    metrics.text
}

/// What is said if nothing is known.
pub(super) fn unknown(sensor: &str) -> String {
    let mut metrics = Metrics::of(sensor);
    metrics.gauge("up", UP, 0);
    metrics.text
}

fn reading(metrics: &mut Metrics, last: &LastReading) {
    metrics.gauge("temperature_celsius", "The last reading.", Decimal(last.temperature_mdegc.into(), 3));
    let help = "The last reading: relative humidity from 0 to 1.";
    metrics.gauge("humidity_ratio", help, Decimal(last.humidity_mpercent.into(), 5));
    metrics.gauge("last_reading_timestamp_seconds", "When it was taken.", Decimal(last.at_ms, 3));
}

fn verification(metrics: &mut Metrics, last: &LastVerification) {
    let help = "When WhaTap was last asked which readings arrived.";
    metrics.gauge("last_verification_timestamp_seconds", help, Decimal(last.at_ms, 3));
    let help = "Readings of the last verification, by what became of them.";
    let samples = [("taken", last.taken), ("arrived", last.arrived), ("missing", last.missing)];
    metrics.gauges("verified_readings", help, samples.map(|(what, n)| (format!(",what=\"{what}\""), n)));
}

fn backlog(metrics: &mut Metrics, summary: &Summary) {
    metrics.gauge("backlog_readings", "Readings that wait to be delivered.", summary.backlog);
    let age = summary.oldest_waiting.as_ref().map_or(0, |oldest| oldest.age_seconds.max(0));
    let help = "How long the oldest reading has waited to be delivered, 0 if none waits.";
    metrics.gauge("oldest_waiting_age_seconds", help, age);
    let passed_over = &summary.passed_over;
    let help = "Readings that are passed over: focus refused them, or another machine took them.";
    let samples = [("refused", passed_over.refused), ("foreign", passed_over.foreign)];
    metrics.gauges("passed_over_readings", help, samples.map(|(why, n)| (format!(",why=\"{why}\""), n)));
}

fn periods(metrics: &mut Metrics, summary: &Summary) {
    let results = |good: u32, all: u32| {
        vec![("result=\"good\"".to_owned(), good), ("result=\"failed\"".to_owned(), all.saturating_sub(good))]
    };
    let runs = |period: &Period| results(period.good_runs, period.runs);
    metrics.gauges("runs", "Runs in the last hour, day and week.", by_period(summary, runs));
    let tries = |period: &Period| results(period.good_tries, period.tries);
    metrics.gauges("tries", "Tries of the sensor in the last hour, day and week.", by_period(summary, tries));
    let errors = |period: &Period| {
        period.errors.iter().map(|(name, n)| (format!("error=\"{}\"", escaped(name)), *n)).collect()
    };
    let help = "Tries that failed in the last hour, day and week, by the kernel's name for the error.";
    metrics.gauges("failed_tries", help, by_period(summary, errors));
}

/// The labels and values of each period, the shortest first.
fn by_period(summary: &Summary, values: impl Fn(&Period) -> Vec<(String, u32)>) -> Vec<(String, u32)> {
    let of_period = |(name, _): &(&'static str, i64)| {
        let (name, values) = (*name, values(&summary.periods[name]));
        values.into_iter().map(move |(label, value)| (format!(",period=\"{name}\",{label}"), value))
    };
    PERIODS.iter().flat_map(of_period).collect()
}

struct Metrics {
    text: String,
    /// As it is written in a label.
    sensor: String,
}

impl Metrics {
    fn of(sensor: &str) -> Metrics {
        Metrics { text: String::new(), sensor: escaped(sensor) }
    }

    /// One gauge with no other label.
    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.gauges(name, help, [(String::new(), value)]);
    }

    /// One gauge with a value for each set of labels. If there are none, nothing is written.
    fn gauges<V: Display>(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = (String, V)>) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP iio_focus_{name} {help}\n# TYPE iio_focus_{name} gauge");
        for (labels, value) in samples {
            let _ = writeln!(self.text, "iio_focus_{name}{{sensor=\"{}\"{labels}}} {value}", self.sensor);
        }
    }
}

/// A number as it was measured, with so many decimals: no binary fraction comes near enough to all of them.
struct Decimal(i64, usize);

impl Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Decimal(number, places) = *self;
        let digits = format!("{:0width$}", number.unsigned_abs(), width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        let sign = if number < 0 { "-" } else { "" };
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{sign}{whole}"),
            fraction => write!(f, "{sign}{whole}.{fraction}"),
        }
    }
}

/// The value of a label, escaped for the exposition format.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_as_it_was_measured() {
        for (number, places, text) in [
            (45_400, 5, "0.454"),
            (45_399, 5, "0.45399"),
            (100_000, 5, "1"),
            (0, 5, "0"),
            (7, 5, "0.00007"),
            (20_600, 3, "20.6"),
            (-100, 3, "-0.1"),
            (-40_000, 3, "-40"),
            (1_793_520_000_005, 3, "1793520000.005"),
            (i64::MIN, 3, "-9223372036854775.808"),
        ] {
            assert_eq!(Decimal(number, places).to_string(), text);
        }
    }

    #[test]
    fn a_sensor_of_which_nothing_is_known_is_down() {
        let text = unknown("the \"attic\"\\\n");
        assert_eq!(text.lines().last(), Some(r#"iio_focus_up{sensor="the \"attic\"\\\n"} 0"#));
    }
}
