//! How what a run kept is written into rows and read from them.

use rusqlite::{Connection, Row, params};

use super::{Kept, RunEnd};
use crate::clock::Moment;
use crate::failure::Tally;
use crate::reading::Reading;

/// Keeps a reading. Returns its id: the newest one's and 1.
pub(super) fn insert(db: &Connection, new: &Kept) -> rusqlite::Result<i64> {
    let Kept { reading, taken, sensor, place, failures, attempts } = new;
    db.execute(
        "INSERT INTO reading
             (taken_ms, boot_ms, boot_id, sensor, temperature_mdegc, humidity_mpercent, attempts, failures, place)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            taken.wall_ms,
            taken.boot_ms,
            taken.boot_id,
            sensor,
            reading.temperature_mdegc,
            reading.humidity_mpercent,
            attempts,
            json(failures),
            place
        ],
    )?;
    Ok(db.last_insert_rowid())
}

/// Values and time of a row of `reading`.
pub(super) fn reading_of(row: &Row<'_>) -> rusqlite::Result<(Reading, Moment)> {
    let (temperature_mdegc, humidity_mpercent) =
        (row.get("temperature_mdegc")?, row.get("humidity_mpercent")?);
    Ok((Reading { temperature_mdegc, humidity_mpercent }, moment_of(row)?))
}

/// When a row of `reading` was taken.
pub(super) fn moment_of(row: &Row<'_>) -> rusqlite::Result<Moment> {
    Ok(Moment {
        wall_ms: row.get("taken_ms")?,
        boot_ms: row.get("boot_ms")?,
        boot_id: row.get("boot_id")?,
        synchronised: false,
    })
}

/// Writes down whether an alert was sent.
pub(super) fn note_alert(db: &Connection, end: &RunEnd) -> rusqlite::Result<()> {
    match end.alert_raised {
        Some(true) => db.execute("INSERT INTO alert VALUES (?1)", [end.at.wall_ms])?,
        Some(false) => db.execute("DELETE FROM alert", [])?,
        None => 0,
    };
    Ok(())
}

/// As it is kept: a JSON object of names and numbers; nothing if no try failed.
pub(super) fn json(failures: &Tally) -> Option<String> {
    let object: serde_json::Map<String, serde_json::Value> =
        failures.iter().map(|(name, times)| (name.to_owned(), times.into())).collect();
    (!object.is_empty()).then(|| serde_json::Value::from(object).to_string())
}
