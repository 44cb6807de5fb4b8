//! `iio-focus chart`: the stored readings of a period as a picture.
//!
//! The period is divided into as many parts as the picture has columns. SQLite gives one reading after the other,
//! which is added to its part and not kept in memory. For a million readings, one machine needs this processor time
//! and memory:
//!
//! | parts made by | processor time | peak memory |
//! | --- | --- | --- |
//! | this program, one reading after the other | 0.26 s | 6.3 MiB |
//! | `GROUP BY` in the `sqlite3` shell, which sorts them, in memory | 0.42 s | 67 MiB |
//! | the same, sorted in a file | 0.37 s | 8 MiB and the file |
//!
//! One SQL query could also not find the usual time between two readings, which is needed to recognize a gap.

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
use crate::output::{print, print_to};
use crate::reading::Quantity;

/// The width of the picture in columns if neither the terminal nor `COLUMNS` tells it.
const WIDTH: usize = 80;

const YEAR_MS: i64 = 365 * DAY_MS;

/// Draws the readings of a period on standard output, or as SVG into a file.
///
/// # Errors
/// [`Error::Usage`] or [`Error::Config`] if the command line or the configuration is wrong; [`Error::Store`] if the
/// store cannot be read; [`Error::NotKept`] if it has no such reading, or those of several sensors; [`Error::Io`] or
/// [`Error::System`] if the file or standard output cannot be written. A closed pipe is no error.
pub fn run(args: &cli::Args, chart: &cli::Chart) -> Result<(), Error> {
    let selected = SelectedReadings::new(args, chart.since.as_deref(), chart.until.as_deref(), Some(DAY_MS))?;
    let Some(file) = &chart.svg else {
        let width = width();
        let picture = Picture::of(&selected, terminal::parts(width))?;
        let characters = characters(chart.ascii, &|name| env::var(name).ok());
        return print(&terminal::draw(&picture, width, characters));
    };
    let picture = svg::draw(&Picture::of(&selected, svg::PARTS)?);
    print_to(Some(file), &picture)
}

/// What is drawn, in the terminal or as SVG.
struct Picture {
    sensor: String,
    series: Series,
    zone: TimeZone,
}

impl Picture {
    /// Adds the selected readings to this many parts. If they are of several sensors, this is an error, because they
    /// would be connected to one line. Two that hang in different places are two, even with one name.
    fn of(selected: &SelectedReadings, parts: usize) -> Result<Picture, Error> {
        let mut series = Series::new(selected.since_ms, selected.until_ms, parts);
        let (mut sensors, mut places) = (Vec::new(), Vec::new());
        let note = |known: &mut Vec<String>, name: String| {
            if known.last() != Some(&name) && !known.contains(&name) {
                known.push(name);
            }
        };
        selected.for_each(|sample| {
            series.add(sample.at_ms, sample.reading);
            note(&mut sensors, sample.sensor);
            if let Some(place) = sample.place {
                note(&mut places, place);
            }
            Ok(())
        })?;
        if sensors.len() == 1 && places.len() > 1 {
            sensors = places;
        }
        match sensors.len() {
            1 => Ok(Picture { sensor: sensors.remove(0), series, zone: times::system_zone() }),
            _ => Err(Error::NotKept(Problem::new(format!(
                "these are readings of several sensors, and a chart is of one: choose with --device {}",
                sensors.join(" or --device ")
            )))),
        }
    }

    /// The sensor and the period: `kitchen, 2026-11-01 18:00 to 2026-11-02 18:00 CET`.
    fn title(&self) -> String {
        let time = |ms, format: &str| times::in_zone(ms, &self.zone).strftime(format).to_string();
        let Series { since_ms, until_ms, .. } = self.series;
        let zones = [since_ms, until_ms].map(|ms| time(ms, "%Z"));
        let since = if zones[0] == zones[1] { "%F %R" } else { "%F %R %Z" };
        format!("{}, {} to {}", self.sensor, time(since_ms, since), time(until_ms, "%F %R %Z"))
    }

    /// `min 17.9 at 06:42, mean 20.4, max 22.8 at 15:10`, with the date if the period is longer than a day.
    fn extremes(&self, quantity: Quantity, with_times: bool) -> String {
        let period_ms = self.series.until_ms - self.series.since_ms;
        let format = match with_times {
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

    fn time_ticks(&self, most_ticks: i64) -> Vec<(i64, String)> {
        axis::time_ticks(self.series.since_ms, self.series.until_ms, most_ticks, &self.zone)
    }
}

/// How many columns a line has: from the terminal, else from `COLUMNS`, else [`WIDTH`].
fn width() -> usize {
    let terminal = terminal_size::terminal_size_of(io::stdout()).map(|(Width(columns), _)| columns.into());
    let environment = || env::var("COLUMNS").ok()?.trim().parse().ok();
    terminal.or_else(environment).filter(|columns| *columns > 0).unwrap_or(WIDTH)
}

/// Braille if it can be shown: the locale must use UTF-8, and the terminal must not be the kernel's console (`linux`),
/// whose fonts have no Braille.
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
