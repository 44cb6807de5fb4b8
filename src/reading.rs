//! Temperature and relative humidity: their limits, their calibration, and the JSON that focus gets.

use std::ops::RangeInclusive;

use serde::{Serialize, Serializer};

use crate::psychrometrics::{
    absolute_humidity_mg_per_m3, dew_point_mdegc, heat_index_mdegc, vapour_pressure_deficit_pa,
};

/// One sample of both quantities, in the units of the IIO ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Air temperature in m°C (0.001 °C).
    pub temperature_mdegc: i32,
    /// Relative humidity in m%RH (0.001 %).
    pub humidity_mpercent: i32,
}

/// The values of a reading as focus is given them, in the order of the configured fields, in hundredths of their unit.
/// WhaTap shows 37.0 as 37, so they are compared as numbers. A field that a reading does not have stays empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SentValues([Option<i32>; Field::ALL.len()]);

impl SentValues {
    /// What focus is given of this reading.
    #[must_use]
    pub fn of(reading: Reading, fields: &[Field]) -> SentValues {
        let mut sent = SentValues::default();
        for (place, field) in fields.iter().enumerate() {
            if let Some(value) = field.of(reading) {
                sent.set(place, value);
            }
        }
        sent
    }

    /// Sets the value of the field at this place of the configured ones.
    #[allow(clippy::cast_possible_truncation, reason = "a float beyond the range becomes its limit")]
    pub fn set(&mut self, place: usize, value: f64) {
        if let Some(slot) = self.0.get_mut(place) {
            *slot = Some((value * 100.0).round() as i32);
        }
    }
}

/// One quantity that focus can get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// °C
    Temperature,
    /// %RH
    Humidity,
    /// °C
    DewPoint,
    /// g/m³
    AbsoluteHumidity,
    /// °C
    HeatIndex,
    /// Vapour pressure deficit, kPa.
    Vpd,
}

impl Field {
    /// All fields.
    pub const ALL: [Field; 6] = [
        Field::Temperature,
        Field::Humidity,
        Field::DewPoint,
        Field::AbsoluteHumidity,
        Field::HeatIndex,
        Field::Vpd,
    ];

    /// The fields that focus gets if the configuration names none.
    pub const DEFAULT: [Field; 2] = [Field::Temperature, Field::Humidity];

    /// Its key in the JSON: only letters, because WhaTap's screens require quotes around any other name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Field::Temperature => Quantity::Temperature.name(),
            Field::Humidity => Quantity::Humidity.name(),
            Field::DewPoint => "dewpoint",
            Field::AbsoluteHumidity => "absolutehumidity",
            Field::HeatIndex => "heatindex",
            Field::Vpd => "vpd",
        }
    }

    /// Whether it is measured, so that every reading has it. The others are calculated, and are absent outside the
    /// range of their formula.
    #[must_use]
    pub fn is_measured(self) -> bool {
        matches!(self, Field::Temperature | Field::Humidity)
    }

    /// Its value, if the reading has one, rounded to one decimal, or to two for kPa.
    fn of(self, Reading { temperature_mdegc: t, humidity_mpercent: h }: Reading) -> Option<f64> {
        match self {
            Field::Temperature => Some(one_decimal(t)),
            Field::Humidity => Some(one_decimal(h)),
            Field::DewPoint => dew_point_mdegc(t, h).map(one_decimal),
            Field::AbsoluteHumidity => absolute_humidity_mg_per_m3(t, h).map(one_decimal),
            Field::HeatIndex => heat_index_mdegc(t, h).map(one_decimal),
            Field::Vpd => vapour_pressure_deficit_pa(t, h).map(two_decimals),
        }
    }
}

/// A reading, and the fields of it that the JSON contains.
struct Payload<'a>(Reading, &'a [Field]);

impl Serialize for Payload<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Payload(reading, fields) = *self;
        serializer.collect_map(fields.iter().filter_map(|field| Some((field.name(), field.of(reading)?))))
    }
}

impl Reading {
    /// One line of JSON with these fields, in this order. A field that this reading does not have is left out.
    #[must_use]
    pub fn json(&self, fields: &[Field]) -> String {
        // This cannot fail: the keys are strings, and the values finite numbers.
        serde_json::to_string(&Payload(*self, fields)).unwrap_or_default()
    }

    /// The reading as the log line shows it: °C and %RH with one decimal.
    #[must_use]
    pub fn fields(&self) -> String {
        let [temperature, humidity] = Quantity::ALL
            .map(|quantity| format!("{}={:?}", quantity.name(), one_decimal(quantity.of(*self))));
        format!("{temperature} {humidity}")
    }

    /// Whether two readings are nearly the same: they differ by at most 1 °C and 5 %RH.
    #[must_use]
    pub fn agrees_with(self, other: Reading) -> bool {
        Quantity::ALL.into_iter().all(|quantity| {
            let distance = quantity.of(self).abs_diff(quantity.of(other));
            distance <= *NEARLY_THE_SAME.of(quantity)
        })
    }

    /// The reading with the calibration added; the humidity stays within 0 to 100 %RH.
    #[must_use]
    pub fn calibrated(self, by: &Calibration) -> Reading {
        Reading {
            temperature_mdegc: self.temperature_mdegc.saturating_add(by.temperature_mdegc),
            humidity_mpercent: self.humidity_mpercent.saturating_add(by.humidity_mpercent).clamp(0, 100_000),
        }
    }
}

/// Two tries agree if they differ by no more than this.
pub const NEARLY_THE_SAME: Pair<u32> = Pair { temperature_mdegc: 1_000, humidity_mpercent: 5_000 };

/// A measured quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Air temperature.
    Temperature,
    /// Relative humidity.
    Humidity,
}

impl Quantity {
    /// Both, in the order in which they are read.
    pub const ALL: [Quantity; 2] = [Quantity::Temperature, Quantity::Humidity];

    /// Its name in logs, in JSON and in charts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Quantity::Temperature => "temperature",
            Quantity::Humidity => "humidity",
        }
    }

    /// Its unit, as it is printed.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Quantity::Temperature => "°C",
            Quantity::Humidity => "%RH",
        }
    }

    /// Its value in a reading, in thousandths of the unit.
    #[must_use]
    pub fn of(self, reading: Reading) -> i32 {
        match self {
            Quantity::Temperature => reading.temperature_mdegc,
            Quantity::Humidity => reading.humidity_mpercent,
        }
    }
}

/// A setting for each quantity, in thousandths of its unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pair<T> {
    /// In m°C.
    pub temperature_mdegc: T,
    /// In m%RH.
    pub humidity_mpercent: T,
}

impl<T> Pair<T> {
    /// The setting of this quantity.
    #[must_use]
    pub fn of(&self, quantity: Quantity) -> &T {
        match quantity {
            Quantity::Temperature => &self.temperature_mdegc,
            Quantity::Humidity => &self.humidity_mpercent,
        }
    }
}

/// The range of values that is accepted, before calibration.
pub type Limits = Pair<RangeInclusive<i32>>;

/// How far a reading may be from the last one without another try that confirms it; 0 switches this check off.
pub type Jump = Pair<i32>;

/// What is added to every reading after its range was checked.
pub type Calibration = Pair<i32>;

impl Limits {
    /// A message with value and range, if the reading is outside the limits.
    #[must_use]
    pub fn exceeded_by(&self, reading: Reading) -> Option<String> {
        Quantity::ALL.into_iter().find_map(|quantity| {
            let (range, value) = (self.of(quantity), quantity.of(reading));
            (!range.contains(&value)).then(|| {
                format!(
                    "{} {} {} is outside {} to {}",
                    quantity.name(),
                    to_units(value),
                    quantity.unit(),
                    to_units(*range.start()),
                    to_units(*range.end())
                )
            })
        })
    }
}

impl Jump {
    /// A message with both values, if the new reading is too far from the last one.
    #[must_use]
    pub fn between(&self, last: Reading, new: Reading) -> Option<String> {
        Quantity::ALL.into_iter().find_map(|quantity| {
            let (limit, last, new) = (*self.of(quantity), quantity.of(last), quantity.of(new));
            (limit > 0 && new.abs_diff(last) > limit.unsigned_abs()).then(|| {
                format!(
                    "{}, more than {}, and no other try agrees yet",
                    change(quantity, last, new),
                    to_units(limit)
                )
            })
        })
    }
}

/// Whether any air on earth could have these values: above the lowest temperature that was ever measured, −89.2 °C, below
/// that of an oven, and not above saturation. (World Meteorological Organization, World Weather & Climate Extremes Archive)
#[must_use]
pub fn is_possible_in_air(reading: Reading) -> bool {
    (-90_000..=150_000).contains(&reading.temperature_mdegc) && reading.humidity_mpercent <= 100_000
}

/// `temperature went from 20.1 to 25.6 °C`: a quantity's values in thousandths of its unit.
#[must_use]
pub fn change(quantity: Quantity, before: i32, after: i32) -> String {
    let (before, after) = (to_units(before), to_units(after));
    format!("{} went from {before} to {after} {}", quantity.name(), quantity.unit())
}

/// Converts thousandths of a unit to the unit.
#[must_use]
pub fn to_units(thousandths: i32) -> f64 {
    f64::from(thousandths) / 1000.0
}

/// Converts thousandths of a unit to the unit, rounded to one decimal. A half is rounded away from zero. Never −0.0.
fn one_decimal(milli: i32) -> f64 {
    let half = if milli < 0 { -50 } else { 50 };
    f64::from((milli.saturating_add(half)) / 100) / 10.0
}

/// Like [`one_decimal`], with two decimals.
fn two_decimals(milli: i32) -> f64 {
    let half = if milli < 0 { -5 } else { 5 };
    f64::from((milli.saturating_add(half)) / 10) / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(temperature_mdegc: i32, humidity_mpercent: i32) -> Reading {
        Reading { temperature_mdegc, humidity_mpercent }
    }

    #[test]
    fn json_has_one_decimal_of_each() {
        for (t, h, json) in [
            (20_600, 24_400, r#"{"temperature":20.6,"humidity":24.4}"#),
            (-40_000, 0, r#"{"temperature":-40.0,"humidity":0.0}"#),
            (80_000, 100_000, r#"{"temperature":80.0,"humidity":100.0}"#),
            (-100, 99_949, r#"{"temperature":-0.1,"humidity":99.9}"#),
            (-49, 49, r#"{"temperature":0.0,"humidity":0.0}"#),
            (-50, 50, r#"{"temperature":-0.1,"humidity":0.1}"#),
            (23_449, 23_450, r#"{"temperature":23.4,"humidity":23.5}"#),
        ] {
            assert_eq!(reading(t, h).json(&Field::DEFAULT), json);
        }
    }

    #[test]
    fn json_has_the_fields_asked_for_in_their_order() {
        assert_eq!(
            reading(30_000, 60_000).json(&Field::ALL),
            r#"{"temperature":30.0,"humidity":60.0,"dewpoint":21.4,"absolutehumidity":18.2,"heatindex":32.8,"vpd":1.69}"#
        );
        let fields = [Field::Vpd, Field::Humidity, Field::DewPoint];
        assert_eq!(reading(20_000, 50_000).json(&fields), r#"{"vpd":1.17,"humidity":50.0,"dewpoint":9.3}"#);
        assert_eq!(reading(0, 99_400).json(&fields), r#"{"vpd":0.0,"humidity":99.4,"dewpoint":-0.1}"#);
        assert_eq!(reading(0, 99_700).json(&fields), r#"{"vpd":0.0,"humidity":99.7,"dewpoint":0.0}"#);
    }

    #[test]
    fn json_leaves_out_what_a_reading_does_not_have() {
        assert_eq!(
            reading(26_600, 60_000).json(&Field::ALL),
            r#"{"temperature":26.6,"humidity":60.0,"dewpoint":18.2,"absolutehumidity":15.1,"vpd":1.39}"#
        );
        assert_eq!(
            reading(20_000, 0).json(&Field::ALL),
            r#"{"temperature":20.0,"humidity":0.0,"absolutehumidity":0.0,"vpd":2.33}"#
        );
        assert_eq!(reading(80_000, 20_000).json(&Field::ALL), reading(80_000, 20_000).json(&Field::DEFAULT));
    }

    #[test]
    fn kilopascals_have_two_decimals() {
        for (pa, kpa) in [(4, "0.0"), (5, "0.01"), (1_234, "1.23"), (1_235, "1.24"), (12_300, "12.3")] {
            assert_eq!(format!("{:?}", two_decimals(pa)), kpa);
        }
    }

    #[test]
    fn the_log_shows_what_is_sent() {
        assert_eq!(reading(-49, 100_000).fields(), "temperature=0.0 humidity=100.0");
        assert_eq!(reading(20_600, 24_400).fields(), "temperature=20.6 humidity=24.4");
    }

    #[test]
    fn limits_are_inclusive_and_say_what_is_outside() {
        let limits = Limits { temperature_mdegc: -40_000..=80_000, humidity_mpercent: 0..=100_000 };
        assert_eq!(limits.exceeded_by(reading(-40_000, 0)), None);
        assert_eq!(limits.exceeded_by(reading(80_000, 100_000)), None);
        assert_eq!(
            limits.exceeded_by(reading(80_001, 0)).unwrap(),
            "temperature 80.001 °C is outside -40 to 80"
        );
        assert_eq!(
            limits.exceeded_by(reading(0, 100_100)).unwrap(),
            "humidity 100.1 %RH is outside 0 to 100"
        );
    }

    #[test]
    fn a_jump_is_more_than_the_limit_and_0_is_no_limit() {
        let jump = Jump { temperature_mdegc: 5_000, humidity_mpercent: 20_000 };
        let last = reading(20_000, 50_000);
        for new in [reading(25_000, 70_000), reading(15_000, 30_000), last] {
            assert_eq!(jump.between(last, new), None);
        }
        assert_eq!(
            jump.between(last, reading(25_100, 50_000)).unwrap(),
            "temperature went from 20 to 25.1 °C, more than 5, and no other try agrees yet"
        );
        assert_eq!(
            jump.between(last, reading(20_000, 29_900)).unwrap(),
            "humidity went from 50 to 29.9 %RH, more than 20, and no other try agrees yet"
        );
        let off = Jump { temperature_mdegc: 0, humidity_mpercent: 0 };
        assert_eq!(off.between(last, reading(i32::MIN, i32::MAX)), None);
    }

    #[test]
    fn tries_agree_within_1_degree_and_5_percent() {
        let one = reading(20_000, 50_000);
        assert!(one.agrees_with(reading(21_000, 45_000)));
        assert!(!one.agrees_with(reading(21_001, 50_000)));
        assert!(!one.agrees_with(reading(20_000, 55_001)));
    }

    #[test]
    fn calibration_is_added_and_humidity_clamped() {
        let by = Calibration { temperature_mdegc: -500, humidity_mpercent: 2_500 };
        assert_eq!(reading(20_000, 50_000).calibrated(&by), reading(19_500, 52_500));
        assert_eq!(reading(20_000, 99_000).calibrated(&by), reading(19_500, 100_000));
        let by = Calibration { temperature_mdegc: 0, humidity_mpercent: -2_500 };
        assert_eq!(reading(i32::MIN, 1_000).calibrated(&by), reading(i32::MIN, 0));
    }
}
