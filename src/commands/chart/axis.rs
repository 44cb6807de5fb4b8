//! The positions and labels of the ticks of an axis.

use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::series::Values;
use crate::clock::{DAY_MS, HOUR_MS};
use crate::commands::times;
use crate::reading::Quantity;

/// An axis shows at least this range, in thousandths of °C or %RH. Otherwise the noise in the last digit of a sensor
/// would fill the whole picture.
const LEAST_RANGE: i64 = 1000;

/// The range of possible humidities, in m%RH.
const HUMIDITY_RANGE: (i64, i64) = (0, 100_000);

/// An axis of values, in thousandths of the unit, with a tick at each multiple of its step.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Axis {
    low: i64,
    high: i64,
    step: i64,
}

impl Axis {
    /// An axis from the least value to the greatest. Its step is 1, 2 or 5 times a power of ten, and there are at most
    /// `most_steps` steps.
    pub(super) fn tight(quantity: Quantity, values: &Values, most_steps: i64) -> Axis {
        let (low, high) = range(quantity, values);
        let fits = |axis: &Axis| high - low <= axis.step * most_steps;
        // The largest of the steps is more than the range of any two values, so that one always fits.
        steps().map(|step| Axis { low, high, step }).find(fits).unwrap_or(Axis {
            low,
            high,
            step: high - low,
        })
    }

    /// Like [`Axis::tight`], but the axis begins and ends with a tick.
    pub(super) fn round(quantity: Quantity, values: &Values, most_steps: i64) -> Axis {
        let (low, high) = range(quantity, values);
        let fits = |axis: &Axis| axis.high - axis.low <= axis.step * most_steps;
        let round = |step: i64| Axis {
            low: low.div_euclid(step) * step,
            high: -(-high).div_euclid(step) * step,
            step,
        };
        steps().map(round).find(fits).unwrap_or(Axis { low, high, step: high - low })
    }

    /// Value and label of each tick, the highest first.
    pub(super) fn ticks(&self) -> impl Iterator<Item = (i64, String)> {
        let highest = self.high.div_euclid(self.step);
        let ticks =
            (0..).map(move |below| (highest - below) * self.step).take_while(|value| *value >= self.low);
        let whole = self.step % 1000 == 0;
        ticks.map(move |value| (value, if whole { (value / 1000).to_string() } else { one_decimal(value) }))
    }

    /// How far a value is below the top of the axis, if the axis has this height.
    pub(super) fn below_top(&self, value: i64, height: i64) -> i64 {
        let range = self.high - self.low;
        ((self.high - value) * height + range / 2) / range
    }
}

/// The least and the greatest value that an axis shows. They are at least [`LEAST_RANGE`] apart. If all humidities are
/// possible ones, the axis shows only possible ones too.
fn range(quantity: Quantity, values: &Values) -> (i64, i64) {
    let (least, most) = (i64::from(values.least), i64::from(values.most));
    let wider = (LEAST_RANGE - (most - least)).max(0);
    // Rounded to a tenth of the unit, so that a range that is a little too long does not need one more step.
    let rounded = |value: i64| (value + 50).div_euclid(100) * 100;
    let (low, high) = (least.min(rounded(least - wider / 2)), most.max(rounded(most + wider - wider / 2)));
    let (lowest, highest) = HUMIDITY_RANGE;
    if quantity == Quantity::Humidity && lowest <= least && most <= highest {
        let shift = (lowest - low).max(0) - (high - highest).max(0);
        return (low + shift, high + shift);
    }
    (low, high)
}

/// The steps 0.1, 0.2, 0.5, 1, 2, 5, 10 and so on, in thousandths.
fn steps() -> impl Iterator<Item = i64> {
    (2..=12).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_i64.pow(power)))
}

/// Thousandths of a unit as text, rounded to one decimal: `20.6`. Never `-0.0`.
pub(super) fn one_decimal(milli: i64) -> String {
    let tenths = (milli.abs() + 50) / 100;
    let sign = if milli < 0 && tenths > 0 { "-" } else { "" };
    format!("{sign}{}.{}", tenths / 10, tenths % 10)
}

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;

/// The time between two ticks.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// This many ms, less than a day.
    Time(i64),
    /// This many days of the calendar.
    Days(i64),
    /// This many months of the calendar.
    Months(i64),
}

const STEPS: [Step; 19] = [
    Step::Time(SECOND),
    Step::Time(5 * SECOND),
    Step::Time(15 * SECOND),
    Step::Time(MINUTE),
    Step::Time(2 * MINUTE),
    Step::Time(5 * MINUTE),
    Step::Time(10 * MINUTE),
    Step::Time(15 * MINUTE),
    Step::Time(30 * MINUTE),
    Step::Time(HOUR_MS),
    Step::Time(2 * HOUR_MS),
    Step::Time(3 * HOUR_MS),
    Step::Time(6 * HOUR_MS),
    Step::Time(12 * HOUR_MS),
    Step::Days(1),
    Step::Days(2),
    Step::Days(7),
    Step::Months(1),
    Step::Months(3),
];

impl Step {
    /// The shortest step that puts at most about `most_ticks` ticks into a period.
    fn of(period_ms: i64, most_ticks: i64) -> Step {
        let years =
            (0..).flat_map(|power| [1, 2, 5].map(|digit| Step::Months(12 * digit * 10_i64.pow(power))));
        let mut steps = STEPS.into_iter().chain(years);
        let fits = |step: &Step| step.about_ms().saturating_mul(most_ticks.max(1)) >= period_ms;
        steps.find(fits).unwrap_or(Step::Days(1))
    }

    fn about_ms(self) -> i64 {
        match self {
            Step::Time(ms) => ms,
            Step::Days(days) => days * DAY_MS,
            Step::Months(months) => months * 30 * DAY_MS,
        }
    }

    fn label(self, ms: i64, zone: &TimeZone) -> String {
        let local = times::in_zone(ms, zone);
        let format = match self {
            Step::Time(_) if local.time() == Time::midnight() => "%b %-d",
            Step::Time(..MINUTE) => "%H:%M:%S",
            Step::Time(_) => "%H:%M",
            Step::Days(_) => "%b %-d",
            Step::Months(1..12) if local.month() > 1 => "%b",
            Step::Months(_) => "%Y",
        };
        local.strftime(format).to_string()
    }
}

/// Time and label of each tick in a period. There are at most about `most_ticks`, and they are at round local times.
pub(super) fn time_ticks(
    since_ms: i64,
    until_ms: i64,
    most_ticks: i64,
    zone: &TimeZone,
) -> Vec<(i64, String)> {
    let step = Step::of(until_ms - since_ms, most_ticks);
    let mut ticks: Vec<i64> = match step {
        Step::Time(ms) => times_of_day(since_ms, until_ms, ms, zone),
        Step::Days(days) => {
            // Weeks begin on Monday, and 1970-01-05, 4 days after the epoch, was a Monday.
            let offset = if days == 7 { 4 } else { 0 };
            let day = times::as_if_utc(&times::in_zone(since_ms, zone)).div_euclid(DAY_MS);
            let first = (day - offset).div_euclid(days) * days + offset;
            let days =
                (0..).map(|count| times::in_zone((first + count * days) * DAY_MS, &TimeZone::UTC).date());
            midnights(days, until_ms, zone)
        }
        Step::Months(months) => {
            let date = times::in_zone(since_ms, zone).date();
            let month = i64::from(date.year()) * 12 + i64::from(date.month()) - 1;
            let first = month.div_euclid(months) * months;
            let days = (0..).map_while(|count| {
                let month = first + count * months;
                let year = i16::try_from(month.div_euclid(12)).ok()?;
                Date::new(year, i8::try_from(month.rem_euclid(12) + 1).ok()?, 1).ok()
            });
            midnights(days, until_ms, zone)
        }
    };
    ticks.retain(|tick| (since_ms..=until_ms).contains(tick));
    ticks.sort_unstable();
    ticks.into_iter().map(|tick| (tick, step.label(tick, zone))).collect()
}

/// The times at which a local clock shows a multiple of `step_ms`. A time that it shows twice, because summer time
/// ends, is returned twice. A time that it skips, because summer time begins, is not returned.
fn times_of_day(since_ms: i64, until_ms: i64, step_ms: i64, zone: &TimeZone) -> Vec<i64> {
    let local = |ms: i64| times::as_if_utc(&times::in_zone(ms, zone));
    // One hour more at both ends, because summer time may begin or end within the period.
    let (first, last) =
        ((local(since_ms) - HOUR_MS).div_euclid(step_ms), (local(until_ms) + HOUR_MS).div_euclid(step_ms));
    let shown = (first..=last)
        .map(|count| zone.to_ambiguous_timestamp(times::in_zone(count * step_ms, &TimeZone::UTC).datetime()));
    let both = shown.flat_map(|shown| match shown.offset() {
        AmbiguousOffset::Unambiguous { .. } => [shown.compatible().ok(), None],
        AmbiguousOffset::Fold { .. } => [shown.earlier().ok(), shown.later().ok()],
        AmbiguousOffset::Gap { .. } => [None, None],
    });
    both.flatten().map(|at| at.as_millisecond()).collect()
}

/// The beginnings of these days, in ms since the epoch, up to the end of the period.
fn midnights(days: impl Iterator<Item = Date>, until_ms: i64, zone: &TimeZone) -> Vec<i64> {
    days.map_while(|day| zone.to_timestamp(day.to_datetime(Time::midnight())).ok())
        .map(|begin| begin.as_millisecond())
        .take_while(|begin| *begin <= until_ms)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::series::Series;
    use super::*;
    use crate::reading::Reading;

    fn values(quantity: Quantity, least: i32, most: i32) -> Values {
        let mut series = Series::new(0, 1, 1);
        for value in [least, most] {
            series.add(0, Reading { temperature_mdegc: value, humidity_mpercent: value });
        }
        *series.values(quantity)
    }

    #[test]
    fn ticks_are_1_2_or_5_and_the_axis_holds_all_values() {
        for (quantity, least, most, tight, round) in [
            (Quantity::Temperature, 17_900, 22_800, "22 20 18", "24 22 20 18 16"),
            (Quantity::Temperature, 18_000, 22_000, "22 21 20 19 18", "22 21 20 19 18"),
            (Quantity::Temperature, 20_000, 20_000, "20.5 20.0 19.5", "20.5 20.0 19.5"),
            (Quantity::Temperature, 20_050, 20_950, "21.0 20.5 20.0", "21.0 20.5 20.0"),
            (Quantity::Temperature, 19_820, 20_175, "20.5 20.0 19.5", "20.5 20.0 19.5"),
            (Quantity::Temperature, 19_460, 20_440, "20.5 20.0 19.5", "20.5 20.0 19.5 19.0"),
            (Quantity::Temperature, -300, 400, "0.5 0.0", "1.0 0.5 0.0 -0.5"),
            (Quantity::Temperature, -40_000, 80_000, "50 0", "100 50 0 -50"),
            (Quantity::Temperature, -5_100, -4_900, "-4.5 -5.0 -5.5", "-4.5 -5.0 -5.5"),
            (Quantity::Humidity, 0, 100_000, "100 50 0", "100 50 0"),
            (Quantity::Humidity, 100_000, 100_000, "100.0 99.5 99.0", "100.0 99.5 99.0"),
            (Quantity::Humidity, 0, 100, "1.0 0.5 0.0", "1.0 0.5 0.0"),
            (Quantity::Humidity, 101_000, 101_000, "101.5 101.0 100.5", "101.5 101.0 100.5"),
            (Quantity::Humidity, 38_000, 51_000, "50 45 40", "55 50 45 40 35"),
            (
                Quantity::Temperature,
                i32::MIN,
                i32::MAX,
                "2000000 0 -2000000",
                "4000000 2000000 0 -2000000 -4000000",
            ),
        ] {
            let values = values(quantity, least, most);
            let tight = (Axis::tight(quantity, &values, 4), tight);
            let round = (Axis::round(quantity, &values, 4), round);
            for (axis, labels) in [tight, round] {
                assert!(axis.low <= i64::from(least) && i64::from(most) <= axis.high, "{axis:?}");
                let ticks: Vec<String> = axis.ticks().map(|(_, label)| label).collect();
                assert_eq!(ticks.join(" "), labels, "{least} {most}");
            }
        }
    }

    #[test]
    fn a_value_is_where_it_belongs() {
        let axis = Axis::round(Quantity::Temperature, &values(Quantity::Temperature, 18_000, 22_000), 4);
        for (value, below) in [(22_000, 0), (21_000, 8), (18_000, 32), (21_938, 0), (21_937, 1)] {
            assert_eq!(axis.below_top(value, 32), below, "{value}");
        }
    }

    #[test]
    fn one_decimal_is_rounded_half_away_from_zero() {
        for (milli, text) in
            [(20_649, "20.6"), (20_650, "20.7"), (-49, "0.0"), (-50, "-0.1"), (-20_650, "-20.7")]
        {
            assert_eq!(one_decimal(milli), text);
        }
    }

    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    fn ms(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    }

    fn labels(since: &str, until: &str, most: i64) -> String {
        let ticks = time_ticks(ms(since), ms(until), most, &berlin());
        assert!(ticks.is_sorted_by(|one, next| one.0 < next.0), "{ticks:?}");
        ticks.into_iter().map(|(_, label)| label).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ticks_are_at_round_local_times() {
        for (since, until, most, expected) in [
            (
                "2026-11-01T17:00:00Z",
                "2026-11-02T17:00:00Z",
                8,
                "18:00 21:00 Nov 2 03:00 06:00 09:00 12:00 15:00 18:00",
            ),
            ("2026-11-01T17:01:00Z", "2026-11-02T17:00:00Z", 4, "Nov 2 06:00 12:00 18:00"),
            ("2026-11-01T17:01:00Z", "2026-11-01T18:00:00Z", 6, "18:10 18:20 18:30 18:40 18:50 19:00"),
            ("2026-11-01T17:00:01Z", "2026-11-01T17:01:00Z", 4, "18:00:15 18:00:30 18:00:45 18:01:00"),
            ("2026-11-01T17:00:00.1Z", "2026-11-01T17:00:00.2Z", 4, ""),
            ("2026-10-30T00:00:00Z", "2026-11-03T00:00:00Z", 4, "Oct 31 Nov 1 Nov 2 Nov 3"),
            // Mondays.
            ("2026-10-30T00:00:00Z", "2026-11-30T00:00:00Z", 6, "Nov 2 Nov 9 Nov 16 Nov 23 Nov 30"),
            ("2026-10-30T00:00:00Z", "2027-03-03T00:00:00Z", 6, "Nov Dec 2027 Feb Mar"),
            ("2025-10-30T00:00:00Z", "2027-03-03T00:00:00Z", 6, "2026 Apr Jul Oct 2027"),
            ("1970-01-01T00:00:00Z", "2026-03-03T00:00:00Z", 6, "1980 1990 2000 2010 2020"),
        ] {
            assert_eq!(labels(since, until, most), expected, "{since} {until}");
        }
    }

    #[test]
    fn ticks_stay_on_the_clock_when_it_is_set() {
        // The clock is set back: 2026-10-25 03:00 CEST is 02:00 CET.
        let back = |most| labels("2026-10-24T22:00:00Z", "2026-10-25T04:00:00Z", most);
        assert_eq!(back(6), "Oct 25 01:00 02:00 02:00 03:00 04:00 05:00");
        assert_eq!(
            labels("2026-10-24T10:00:00Z", "2026-10-25T17:00:00Z", 6),
            "12:00 18:00 Oct 25 06:00 12:00 18:00"
        );
        assert_eq!(labels("2026-10-25T00:00:00Z", "2026-10-25T01:30:00Z", 3), "02:00 02:30 02:00 02:30");
        // The clock is set forward: 2026-03-29 02:00 CET is 03:00 CEST.
        assert_eq!(
            labels("2026-03-28T23:00:00Z", "2026-03-29T04:00:00Z", 6),
            "Mar 29 01:00 03:00 04:00 05:00 06:00"
        );
        // A day on which the clock is set back has 25 hours.
        let days = time_ticks(ms("2026-10-24T00:00:00Z"), ms("2026-10-27T00:00:00Z"), 3, &berlin());
        assert_eq!(
            days.iter().map(|(at, _)| at - days[0].0).collect::<Vec<_>>(),
            [0, 25 * HOUR_MS, 49 * HOUR_MS]
        );
    }

    #[test]
    fn every_period_has_few_ticks() {
        for (since, until) in
            [(0, 1), (i64::MIN / 4, i64::MAX / 4), (-62_000_000_000_000, 250_000_000_000_000)]
        {
            assert!(time_ticks(since, until, 8, &berlin()).len() <= 10);
        }
    }
}
