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
    place: Option<String>,
    path: String,
}

/// Prints the usable sensors, one per line (id, IIO or hwmon name, label, where it hangs; `-` for none), or as a JSON array.
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
            place: sensor.place(),
            path: sensor.path().display().to_string(),
        })
        .collect();
    let text = if list.json {
        // This cannot fail: all keys and values are strings.
        serde_json::to_string(&entries).unwrap_or_default() + "\n"
    } else {
        let line = |entry: &Entry<'_>| {
            let [id, name, label, place] = [Some(entry.id), entry.name, entry.label, entry.place.as_deref()]
                .map(|text| clean(text.unwrap_or("-"), ' '));
            format!("{id}\t{name}\t{label}\t{place}\n")
        };
        entries.iter().map(line).collect()
    };
    print(&text)?;
    // `find` has the error message for no sensor.
    if sensors.is_empty() { Sensor::find(&sysfs, None).map(drop) } else { Ok(()) }
}
