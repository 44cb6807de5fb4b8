//! `iio-focus chart`: the kept readings of a period as a picture.
//!
//! The readings are taken as SQLite gives them and counted into as many parts of the period as the picture has
//! columns, never held. A million of them, seconds of processor time and peak memory on one machine:
//!
//! | parts made by | time | memory |
//! | --- | --- | --- |
//! | this program, one reading after the other | 0.26 s | 6.3 MiB |
//! | `GROUP BY` in the `sqlite3` shell, which sorts them, in memory | 0.42 s | 67 MiB |
//! | the same, sorted in a file | 0.37 s | 8 MiB and the file |
//!
//! Nor would SQL say in one pass what the usual spacing is, which a gap is known by.

mod axis;
mod series;
mod svg;
mod terminal;

use std::env;
use std::io;

use jiff::tz::TimeZone;
use terminal_size::Width;

use self::axis::one_decimal;
use self::series::Series;
use self::terminal::Characters;
use super::selection::SelectedReadings;
use super::times;
use crate::cli;
use crate::clock::DAY_MS;
use crate::error::{Error, Problem};
use crate::output::print;
use crate::reading::Quantity;

/// How wide the picture is where nobody says how wide a line is.
const WIDTH: usize = 80;

const YEAR_MS: i64 = 365 * DAY_MS;

/// Draws the readings of a period on standard output, or as SVG into a file.
///
/// # Errors
/// What is wrong with the command line or the configuration, that the store cannot be read or has no such reading, or
/// those of several sensors; what the file or standard output said, but not that nobody reads it.
pub fn run(args: &cli::Args, chart: &cli::Chart) -> Result<(), Error> {
    let selected = SelectedReadings::new(args, chart.since.as_deref(), chart.until.as_deref(), Some(DAY_MS))?;
    let Some(file) = &chart.svg else {
        let width = width();
        let picture = Picture::of(&selected, terminal::parts(width))?;
        let characters = characters(chart.ascii, &|name| env::var(name).ok());
        return print(&terminal::draw(&picture, width, characters));
    };
    let picture = svg::draw(&Picture::of(&selected, svg::PARTS)?);
    if file == "-" { print(&picture) } else { svg::write(file.as_ref(), &picture) }
}

/// What is drawn, however it is.
struct Picture {
    sensor: String,
    series: Series,
    zone: TimeZone,
}

impl Picture {
    /// The readings that are asked for, in so many parts. They are of one sensor: two in one line would be none.
    fn of(selected: &SelectedReadings, parts: usize) -> Result<Picture, Error> {
        let mut series = Series::new(selected.since_ms, selected.until_ms, parts);
        let mut sensors: Vec<String> = Vec::new();
        selected.each(|sample| {
            series.add(sample.at_ms, sample.reading);
            if sensors.last() != Some(&sample.sensor) && !sensors.contains(&sample.sensor) {
                sensors.push(sample.sensor);
            }
            Ok(())
        })?;
        match sensors.len() {
            1 => Ok(Picture { sensor: sensors.remove(0), series, zone: TimeZone::system() }),
            _ => Err(Error::NotKept(Problem::new(format!(
                "these are readings of several sensors, and a chart is of one: choose with --device {}",
                sensors.join(" or --device ")
            )))),
        }
    }

    /// Whose readings, and of when: `kitchen, 2026-11-01 18:00 to 2026-11-02 18:00 CET`.
    fn title(&self) -> String {
        let time = |ms, format: &str| times::in_zone(ms, &self.zone).strftime(format).to_string();
        let Series { since_ms, until_ms, .. } = self.series;
        let zones = [since_ms, until_ms].map(|ms| time(ms, "%Z"));
        let since = if zones[0] == zones[1] { "%F %R" } else { "%F %R %Z" };
        format!("{}, {} to {}", self.sensor, time(since_ms, since), time(until_ms, "%F %R %Z"))
    }

    /// `min 17.9 at 06:42, mean 20.4, max 22.8 at 15:10`, with the date if the period is longer than a day.
    fn extremes(&self, quantity: Quantity, times: bool) -> String {
        let period_ms = self.series.until_ms - self.series.since_ms;
        let format = match times {
            false => "",
            true if period_ms <= DAY_MS => " at %R",
            true if period_ms <= YEAR_MS => " on %b %-d %R",
            true => " on %F",
        };
        let at = |ms| times::in_zone(ms, &self.zone).strftime(format).to_string();
        let values = self.series.values(quantity);
        format!(
            "min {}{}, mean {}, max {}{}",
            one_decimal(values.least.into()),
            at(values.least_ms),
            one_decimal(values.mean().into()),
            one_decimal(values.most.into()),
            at(values.most_ms)
        )
    }

    fn time_ticks(&self, most: i64) -> Vec<(i64, String)> {
        axis::time_ticks(self.series.since_ms, self.series.until_ms, most, &self.zone)
    }
}

/// How many columns a line has: the terminal knows, else the environment may.
fn width() -> usize {
    let terminal = terminal_size::terminal_size_of(io::stdout()).map(|(Width(columns), _)| columns.into());
    let environment = || env::var("COLUMNS").ok()?.trim().parse().ok();
    terminal.or_else(environment).filter(|columns| *columns > 0).unwrap_or(WIDTH)
}

/// Braille where it can be shown: the locale says UTF-8, and it is not the kernel's own console, whose fonts have none.
fn characters(ascii: bool, env: &dyn Fn(&str) -> Option<String>) -> Characters {
    let is_set = |value: &String| !value.is_empty();
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| env(name).filter(is_set));
    let utf8 = locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    });
    if ascii || !utf8 || env("TERM").as_deref() == Some("linux") {
        Characters::Ascii
    } else {
        Characters::Braille
    }
}
