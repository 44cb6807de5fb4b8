//! Which stored readings `chart` and `export` show, and the error message if there are none.

use std::env;

use super::times;
use crate::cli;
use crate::clock::Moment;
use crate::config::Config;
use crate::error::{Error, Problem, plural};
use crate::store::{History, Sample, Selection};

/// Times before and after every time that a clock can show.
const BEGINNING: i64 = i64::MIN;
const END: i64 = i64::MAX;

/// The readings that a command line asks for.
#[derive(Debug)]
pub(super) struct SelectedReadings {
    /// The first ms of the period, since the epoch.
    pub(super) since_ms: i64,
    /// The first ms after the period, since the epoch.
    pub(super) until_ms: i64,
    sensor: Option<String>,
    history: History,
}

impl SelectedReadings {
    /// Selects the readings from `since` until `until`. Without one of them, the period is the last `last_ms` until
    /// now or, without `last_ms`, has no limit there. If `args` names a sensor, only its readings are selected. The
    /// sensor in the configuration is not used, because the store may have another name for it.
    ///
    /// # Errors
    /// [`Error::Usage`] or [`Error::Config`] if the command line or the configuration is wrong; [`Error::Store`] if the
    /// store cannot be read.
    pub(super) fn new(
        args: &cli::Args,
        since: Option<&str>,
        until: Option<&str>,
        last_ms: Option<i64>,
    ) -> Result<SelectedReadings, Error> {
        let now = Moment::now();
        let (since_ms, until_ms) = period(since, until, last_ms, now.wall_ms)?;
        let config = Config::load(args, &|name| env::var_os(name))?;
        Ok(SelectedReadings {
            since_ms,
            until_ms,
            sensor: args.device.clone(),
            history: History::open(&config.store.path, &now)?,
        })
    }

    /// Calls `action` for each reading, in the order in which they were taken.
    ///
    /// # Errors
    /// [`Error::NotKept`] if there are none; [`Error::Store`] if the store cannot be read; an error of `action`.
    pub(super) fn for_each(&self, mut action: impl FnMut(Sample) -> Result<(), Error>) -> Result<(), Error> {
        let mut is_empty = true;
        let selection = Selection {
            since_ms: Some(self.since_ms),
            until_ms: Some(self.until_ms),
            sensor: self.sensor.as_deref(),
        };
        self.history.samples(&selection, |sample| {
            is_empty = false;
            action(sample)
        })?;
        if is_empty { Err(Error::NotKept(Problem::new(self.not_found()?))) } else { Ok(()) }
    }

    /// The message that there are no such readings. It also says which readings the store has.
    fn not_found(&self) -> Result<String, Error> {
        let (mut count, mut first_ms, mut last_ms) = (0_u32, i64::MAX, i64::MIN);
        let mut sensors: Vec<String> = Vec::new();
        self.history.samples(&Selection::default(), |sample| {
            count = count.saturating_add(1);
            first_ms = first_ms.min(sample.at_ms);
            last_ms = last_ms.max(sample.at_ms);
            if !sensors.contains(&sample.sensor) {
                sensors.push(sample.sensor);
            }
            Ok(())
        })?;
        if count == 0 {
            return Ok("there is no reading yet".to_owned());
        }
        let mut text = "there is no reading".to_owned();
        if let Some(sensor) = &self.sensor {
            text += &format!(" of {sensor}");
        }
        if self.since_ms > BEGINNING {
            text += &format!(" since {}", times::local_text(self.since_ms));
        }
        if self.until_ms < END {
            text += &format!(" until {}", times::local_text(self.until_ms));
        }
        Ok(format!(
            "{text}; the store has {count} {} of {}, the first of {}, the last of {}",
            plural(count, "reading", "readings"),
            sensors.join(", "),
            times::local_text(first_ms),
            times::local_text(last_ms)
        ))
    }
}

/// The period from `since` until `until`, in ms since the epoch. Without one of them, it is the last `last_ms` until now
/// or, without `last_ms`, has no limit there.
///
/// # Errors
/// [`Error::Usage`] if one is no time, or the period is empty.
pub(super) fn period(
    since: Option<&str>,
    until: Option<&str>,
    last_ms: Option<i64>,
    now_ms: i64,
) -> Result<(i64, i64), Error> {
    let time = |option: &str, text: Option<&str>, default: i64| {
        text.map_or(Ok(default), |text| times::parse(option, text, now_ms))
    };
    let until_ms = time("--until", until, last_ms.map_or(END, |_| now_ms))?;
    let since_ms = time("--since", since, last_ms.map_or(BEGINNING, |last_ms| until_ms - last_ms))?;
    if since_ms >= until_ms.min(now_ms) {
        let end = if until_ms < now_ms {
            format!("--until {}", times::local_text(until_ms))
        } else {
            "now".to_owned()
        };
        let since = times::local_text(since_ms);
        return Err(Error::Usage(Problem::new(format!("--since: must be before {end}, and {since} is not"))));
    }
    Ok((since_ms, until_ms))
}
