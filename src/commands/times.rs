//! Times as text: local times for people, RFC 3339 in UTC for programs.

use std::env;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

use crate::clock::CLOCK_SET_MS;
use crate::error::{Error, Problem};

/// Reads the value of an option that is a time. Returns ms since the epoch.
///
/// # Errors
/// [`Error::Usage`] if the value is not a time.
pub(super) fn parse(option: &str, text: &str, now_ms: i64) -> Result<i64, Error> {
    let before =
        humantime::parse_duration(text).ok().and_then(|before| i64::try_from(before.as_millis()).ok());
    let local = || system_zone().to_timestamp(text.parse::<DateTime>().ok()?).ok();
    before
        .map(|before| timestamp(now_ms.saturating_sub(before)).as_millisecond())
        .or_else(|| text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond))
        .or_else(|| local().map(Timestamp::as_millisecond))
        .ok_or_else(|| {
            Error::Usage(Problem::new(format!(
                "{option}: must be a duration before now such as 24h, a date such as 2026-11-01, or a date and time \
                 such as 2026-11-01T08:00 or 2026-11-01T08:00:00Z"
            )))
        })
}

/// The zone of this machine, or of the environment variable `TZ`. UTC if `TZ` names what is no zone file: reading a device
/// or a pipe would not end.
pub(super) fn system_zone() -> TimeZone {
    /// Far more than any zone file.
    const LARGEST: u64 = 1 << 20;
    let is_zone_file = |meta: &Metadata| meta.is_file() && meta.len() <= LARGEST;
    let named = env::var_os("TZ").unwrap_or_default();
    let path = named.as_bytes().strip_prefix(b":").unwrap_or(named.as_bytes());
    match Path::new(OsStr::from_bytes(path)).metadata() {
        Ok(meta) if !is_zone_file(&meta) => TimeZone::UTC,
        _ => TimeZone::system(),
    }
}

/// In UTC, with milliseconds: `2026-11-01T08:00:00.000Z`.
pub(super) fn rfc3339(ms: i64) -> String {
    format!("{:.3}", timestamp(ms))
}

/// The date and the time of day in this time zone.
pub(super) fn in_zone(ms: i64, zone: &TimeZone) -> ZonedDateTime {
    timestamp(ms).to_zoned_datetime(zone.clone())
}

/// This date and time of day as if they were in UTC, in ms since the epoch: there each day has 24 hours.
pub(super) fn as_if_utc(shown: &ZonedDateTime) -> i64 {
    TimeZone::UTC.to_timestamp(shown.datetime()).map_or(0, Timestamp::as_millisecond)
}

/// To the second, in the zone of this machine: `2026-11-01 09:00:00`.
pub(super) fn local_text(ms: i64) -> String {
    in_zone(ms, &system_zone()).strftime("%F %T").to_string()
}

/// A duration, rounded down to at most two units: `40s`, `2h 5m`, `40days`.
pub(super) fn length(ms: i64) -> String {
    // A year as `humantime` has it.
    const UNITS: [(&str, &str, u64); 5] = [
        ("year", "years", 31_557_600),
        ("day", "days", 86_400),
        ("h", "h", 3600),
        ("m", "m", 60),
        ("s", "s", 1),
    ];
    let seconds = ms.unsigned_abs() / 1000;
    let first = UNITS.iter().position(|(.., unit)| seconds >= *unit).unwrap_or(UNITS.len() - 1);
    let mut left = seconds;
    let mut parts = Vec::new();
    for (one, many, unit) in UNITS.iter().skip(first).take(2) {
        let number = left / unit;
        left %= unit;
        if number > 0 || parts.is_empty() {
            parts.push(format!("{number}{}", if number == 1 { one } else { many }));
        }
    }
    parts.join(" ")
}

/// How long ago it was: `40s ago`. A time of the future is called one.
pub(super) fn ago(ms: i64, now_ms: i64) -> String {
    if is_future(ms, now_ms) {
        format!("dated {} in the future: the clock was wrong then", length(ms.saturating_sub(now_ms)))
    } else {
        format!("{} ago", length(now_ms.saturating_sub(ms).max(0)))
    }
}

/// Whether the clock must have been wrong when it showed this time, or is wrong now.
pub(super) fn is_future(ms: i64, now_ms: i64) -> bool {
    ms > now_ms && ms.abs_diff(now_ms) >= CLOCK_SET_MS
}

/// This time as a `Timestamp`. A wrong clock can show a time that is outside the years −9999 to 9999 of `jiff`: then
/// this is the first or the last time of that range.
fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_793_520_000_000; // 2026-11-01T08:00:00Z

    #[test]
    fn a_time_is_a_duration_before_now_a_date_or_a_date_and_time() {
        for (text, ms) in [
            ("24h", NOW - 86_400_000),
            ("1d 30s", NOW - 86_430_000),
            ("0s", NOW),
            ("2026-11-01T08:00:00Z", NOW),
            ("2026-11-01T09:00:00+01:00", NOW),
            ("1970-01-01T00:00:00.5Z", 500),
            ("290000000years", Timestamp::MIN.as_millisecond()),
        ] {
            assert_eq!(parse("--since", text, NOW).unwrap(), ms, "{text}");
        }
        // In whatever zone the test runs.
        let midnight = parse("--since", "2026-11-01", NOW).unwrap();
        assert_eq!(parse("--since", "2026-11-01T00:00:00", NOW).unwrap(), midnight);
        assert_eq!(parse("--since", "2026-11-01 06:30", NOW).unwrap(), midnight + 6 * 3_600_000 + 1_800_000);
        assert!((NOW - midnight).abs() < 24 * 3_600_000);
        for text in ["", "yesterday", "24", "-1h", "2026-13-01", "2026-11-01T25:00", "99999999999999999999y"]
        {
            match parse("--since", text, NOW) {
                Err(Error::Usage(problem)) => {
                    assert!(problem.what.starts_with("--since: must be "), "{problem}")
                }
                other => panic!("{text:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_length_has_at_most_two_units() {
        for (seconds, text) in [
            (0, "0s"),
            (40, "40s"),
            (125, "2m 5s"),
            (7_531, "2h 5m"),
            (86_400, "1day"),
            (200_000, "2days 7h"),
            (40 * 86_400, "40days"),
            (40 * 86_400 + 3_599, "40days"),
            (9 * 31_557_600 + 200_000, "9years 2days"),
        ] {
            assert_eq!(length(seconds * 1000 + 999), text);
        }
    }

    #[test]
    fn a_time_of_the_future_is_called_one() {
        for (ahead_ms, text) in [
            (-40_000, "40s ago"),
            (0, "0s ago"),
            // The clocks are read one after the other.
            (999, "0s ago"),
            (1_000, "dated 1s in the future: the clock was wrong then"),
            (9 * 3_600_000, "dated 9h in the future: the clock was wrong then"),
            (9 * 31_557_600_000, "dated 9years in the future: the clock was wrong then"),
        ] {
            assert_eq!(ago(NOW + ahead_ms, NOW), text);
        }
        assert!(ago(i64::MAX, NOW).contains("in the future") && ago(i64::MIN, NOW).ends_with(" ago"));
    }

    #[test]
    fn programs_read_utc() {
        assert_eq!(rfc3339(NOW + 5), "2026-11-01T08:00:00.005Z");
        assert_eq!(rfc3339(i64::MAX).len(), "9999-12-30T22:00:00.999Z".len());
        assert!(rfc3339(i64::MIN).starts_with('-'));
    }
}
