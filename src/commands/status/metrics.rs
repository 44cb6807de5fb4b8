//! The summary for node_exporter's textfile collector, in the exposition format
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>). All metrics are gauges, not counters: the periods
//! end now, so that their numbers can fall.

use std::fmt::Write;

use super::{PERIODS, Period, Summary, Verdict};

/// All metrics of a summary.
pub(super) fn text(summary: &Summary) -> String {
    let mut metrics = Metrics(String::new());
    let up = f64::from(u8::from(summary.verdict == Verdict::Ok));
    metrics.gauge("up", "Whether readings are taken and arrive.", Some(up));
    readings(&mut metrics, summary);
    let waiting = Some(f64::from(summary.backlog));
    metrics.gauge("backlog_readings", "Readings that wait to be delivered.", waiting);
    let gap = summary.longest_gap.as_ref().map(|gap| to_f64(gap.seconds));
    metrics.gauge("longest_gap_seconds", "The longest time without a reading in the last week.", gap);
    periods(&mut metrics, summary);
    metrics.0
}

fn readings(metrics: &mut Metrics, summary: &Summary) {
    if let Some(last) = &summary.last_reading {
        let labels = format!("{{sensor=\"{}\"}}", escaped(&last.sensor));
        let temperature = [(labels.clone(), last.temperature_celsius)];
        metrics.gauges("temperature_celsius", "The last reading.", temperature);
        let humidity = [(labels, last.humidity_percent / 100.0)];
        metrics.gauges("humidity_ratio", "The last reading: relative humidity from 0 to 1.", humidity);
        metrics.gauge("last_reading_timestamp_seconds", "When it was taken.", last.time.map(seconds));
    }
    let last_delivery = summary.last_delivery.map(seconds);
    metrics.gauge("last_delivery_timestamp_seconds", "When a reading was last delivered.", last_delivery);
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
fn by_period(summary: &Summary, values: impl Fn(&Period) -> Vec<(String, u32)>) -> Vec<(String, f64)> {
    let of_period = |(name, _): &(&'static str, i64)| {
        let (name, values) = (*name, values(&summary.periods[name]));
        let labelled = move |(label, value)| (format!("{{period=\"{name}\",{label}}}"), f64::from(value));
        values.into_iter().map(labelled)
    };
    PERIODS.iter().flat_map(of_period).collect()
}

struct Metrics(String);

impl Metrics {
    /// One gauge without labels, if it has a value.
    fn gauge(&mut self, name: &str, help: &str, value: Option<f64>) {
        self.gauges(name, help, value.map(|value| (String::new(), value)));
    }

    /// One gauge with a value for each set of labels. If there are none, nothing is written.
    fn gauges(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = (String, f64)>) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP iio_focus_{name} {help}\n# TYPE iio_focus_{name} gauge");
        for (labels, value) in samples {
            let _ = writeln!(self.0, "iio_focus_{name}{labels} {value}");
        }
    }
}

fn seconds(ms: i64) -> f64 {
    to_f64(ms) / 1000.0
}

/// Converts a number of ms or of seconds.
#[allow(clippy::cast_precision_loss, reason = "an f64 is exact up to 2^53, and 2^53 ms are 285,000 years")]
fn to_f64(time: i64) -> f64 {
    time as f64
}

/// The value of a label, escaped for the exposition format.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
