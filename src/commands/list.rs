//! `iio-focus list`: the usable sensors.

use serde::Serialize;

use crate::cli;
use crate::config;
use crate::error::Error;
use crate::output::{clean, print};
use crate::sensor::Sensor;

/// One sensor, as `--json` shows it.
#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    name: Option<&'a str>,
    label: Option<&'a str>,
    path: String,
}

/// Prints the usable sensors, one per line (id, IIO name, label; `-` for none), or as a JSON array.
///
/// # Errors
/// [`Error::NoSensor`] if there is no usable sensor; [`Error::System`] if standard output cannot be written. A closed
/// pipe is no error.
pub fn run(args: &cli::Args, list: &cli::List) -> Result<(), Error> {
    let sysfs = config::sysfs(args.sysfs.as_deref());
    let sensors = Sensor::all(&sysfs)?;
    let entries: Vec<Entry<'_>> = sensors
        .iter()
        .map(|sensor| Entry {
            id: sensor.id(),
            name: sensor.name(),
            label: sensor.label(),
            path: sensor.path().display().to_string(),
        })
        .collect();
    let text = if list.json {
        // This cannot fail: all keys and values are strings.
        serde_json::to_string(&entries).unwrap_or_default() + "\n"
    } else {
        let line = |entry: &Entry<'_>| {
            let [id, name, label] = [entry.id, entry.name.unwrap_or("-"), entry.label.unwrap_or("-")]
                .map(|text| clean(text, ' '));
            format!("{id}\t{name}\t{label}\n")
        };
        entries.iter().map(line).collect()
    };
    print(&text)?;
    // `find` has the error message for no sensor.
    if sensors.is_empty() { Sensor::find(&sysfs, None).map(drop) } else { Ok(()) }
}
