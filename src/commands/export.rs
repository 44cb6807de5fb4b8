//! `iio-focus export`: the stored readings as CSV or JSON lines, not rounded.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::selection::SelectedReadings;
use super::times;
use crate::cli;
use crate::error::Error;
use crate::output::{clean, stdout_error, unless_closed};
use crate::reading::to_units;
use crate::store::Sample;

const HEADER: &str = "time,sensor,temperature_celsius,humidity_percent,attempts,delivered,time_certain\n";

/// How many bytes are written at once.
const BUFFER: usize = 64 * 1024;

/// One reading, as `--json` shows it.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    sensor: &'a str,
    temperature_celsius: f64,
    humidity_percent: f64,
    attempts: u32,
    delivered: Option<String>,
    time_certain: bool,
}

/// Prints the stored readings in the order in which they were taken, one per line, as CSV or JSON. Only a few of them
/// are in memory at a time.
///
/// # Errors
/// [`Error::Usage`] or [`Error::Config`] if the command line or the configuration is wrong; [`Error::Store`] if the
/// store cannot be read; [`Error::NotKept`] if it has no such reading; [`Error::System`] if standard output cannot be
/// written. A closed pipe is no error.
pub fn run(args: &cli::Args, export: &cli::Export) -> Result<(), Error> {
    let selected = SelectedReadings::new(args, export.since.as_deref(), export.until.as_deref(), None)?;
    let mut out = BufWriter::with_capacity(BUFFER, io::stdout().lock());
    let mut header = if export.json { "" } else { HEADER };
    let written = selected.for_each(|sample| {
        let line = Line::of(&sample);
        // This cannot fail: the keys are strings, the values strings and finite numbers.
        let text = if export.json { serde_json::to_string(&line).unwrap_or_default() } else { line.csv() };
        writeln!(out, "{}{text}", std::mem::take(&mut header)).map_err(stdout_error)
    });
    unless_closed(written.and_then(|()| out.flush().map_err(stdout_error)))
}

impl Line<'_> {
    fn of(sample: &Sample) -> Line<'_> {
        Line {
            time: times::rfc3339(sample.at_ms),
            sensor: &sample.sensor,
            temperature_celsius: to_units(sample.reading.temperature_mdegc),
            humidity_percent: to_units(sample.reading.humidity_mpercent),
            attempts: sample.attempts,
            delivered: sample.delivered_ms.map(times::rfc3339),
            time_certain: sample.time_certain,
        }
    }

    fn csv(&self) -> String {
        format!(
            "{},{},{:?},{:?},{},{},{}",
            self.time,
            csv_field(self.sensor),
            self.temperature_celsius,
            self.humidity_percent,
            self.attempts,
            self.delivered.as_deref().unwrap_or_default(),
            self.time_certain
        )
    }
}

/// A name as a CSV field (RFC 4180), in quotes only if it needs them. It is one line, and no formula: a spreadsheet would
/// run one, so that an apostrophe goes before what could be its beginning. Numbers need none of this.
fn csv_field(text: &str) -> String {
    const FORMULA: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
    let mut text = clean(text, ' ');
    if text.trim_start().starts_with(FORMULA) {
        text.insert(0, '\'');
    }
    if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Reading;

    #[test]
    fn values_are_exact() {
        for (milli, text) in [
            (0, "0.0"),
            (20_600, "20.6"),
            (-50, "-0.05"),
            (23_449, "23.449"),
            (-40_000, "-40.0"),
            (1, "0.001"),
            (i32::MAX, "2147483.647"),
            (i32::MIN, "-2147483.648"),
        ] {
            let reading = Reading { temperature_mdegc: milli, humidity_mpercent: milli };
            let sample = Sample {
                place: None,
                at_ms: 0,
                time_certain: true,
                reading,
                sensor: "x".to_owned(),
                attempts: 1,
                delivered_ms: Some(1_500),
            };
            assert_eq!(
                Line::of(&sample).csv(),
                format!("1970-01-01T00:00:00.000Z,x,{text},{text},1,1970-01-01T00:00:01.500Z,true")
            );
            assert_eq!(
                serde_json::to_string(&Line::of(&sample)).unwrap(),
                format!(
                    "{{\"time\":\"1970-01-01T00:00:00.000Z\",\"sensor\":\"x\",\"temperature_celsius\":{text},\
                     \"humidity_percent\":{text},\"attempts\":1,\"delivered\":\"1970-01-01T00:00:01.500Z\",\
                     \"time_certain\":true}}"
                )
            );
        }
    }

    #[test]
    fn a_name_is_quoted_when_it_must_be() {
        for (name, field) in [
            ("kitchen", "kitchen"),
            ("dht11@4", "dht11@4"),
            ("attic room", "attic room"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("the \"attic\"", "\"the \"\"attic\"\"\""),
            ("two\nlines", "two lines"),
            ("=1+1", "'=1+1"),
            ("-cmd|' /C calc'!A0, x", "\"'-cmd|' /C calc'!A0, x\""),
            ("\t@SUM(A1)", "' @SUM(A1)"),
            ("a=b", "a=b"),
        ] {
            assert_eq!(csv_field(name), field);
        }
    }
}
