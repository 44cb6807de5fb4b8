//! One try of a sensor: temperature, then humidity at once, and whether they can be of the air of now.

use std::time::Duration;

use super::Sensor;
use super::drivers::Cache;
use super::sub_zero::mend_sub_zero;
use crate::clock::{Clock, Deadline};
use crate::failure::Failure;
use crate::reading::Reading;

/// How soon to ask again when the driver answered from its cache, which it does in microseconds. Whoever asks first when
/// the cache has expired gets a measurement, so this is shorter than the pauses of other readers.
const ASK_AGAIN: Duration = Duration::from_millis(5);

/// A driver whose unit is not known, and that gives less than this of both, may count in whole °C and %RH: m°C, m%RH.
const OTHER_UNIT_BELOW: u32 = 100;

impl Sensor {
    /// One try that, if another program has just read the sensor, asks again until the driver asks the sensor itself; but
    /// not so late that a read could end after `until`.
    ///
    /// # Errors
    /// As [`Sensor::read`]; [`Failure::Ended`] if a signal came while it waited.
    pub fn measure(&self, clock: &impl Clock, until: Deadline) -> Result<Reading, Failure> {
        let Some(Cache { lasts, .. }) = self.driver.cache else { return self.read(clock) };
        let end = until.earlier_by(self.driver.longest_try).0.min(clock.now() + lasts);
        loop {
            let result = self.read(clock);
            if !matches!(result, Err(Failure::Stale(_))) || clock.now() >= end {
                return result;
            }
            clock.pause(ASK_AGAIN).map_err(Failure::Ended)?;
        }
    }

    /// Temperature, then humidity at once.
    ///
    /// # Errors
    /// What the kernel said; an attribute that holds no number; a pair that the driver took from its cache or from two
    /// samples; a pair that is no measurement.
    pub fn read(&self, clock: &impl Clock) -> Result<Reading, Failure> {
        let explain = |failure| self.driver.explain(failure);
        let (temperature_unit, humidity_unit) = self.driver.units;
        let start = clock.now();
        let temperature_mdegc = self.temperature.read(&self.device, temperature_unit).map_err(explain)?;
        let between = clock.now();
        if let Some(Cache { transaction, .. }) = self.driver.cache {
            if between.saturating_sub(start) < transaction {
                return Err(Failure::Stale("the driver answered from its cache, the sensor was not asked"));
            }
        }
        let humidity_mpercent = self.humidity.read(&self.device, humidity_unit).map_err(explain)?;
        if let Some(Cache { transaction, .. }) = self.driver.cache {
            if clock.now().saturating_sub(between) >= transaction {
                return Err(Failure::Stale("temperature and humidity come from two samples"));
            }
        }
        self.checked(Reading { temperature_mdegc, humidity_mpercent })
    }

    /// What the driver showed as what it means.
    fn checked(&self, shown: Reading) -> Result<Reading, Failure> {
        let Reading { temperature_mdegc, mut humidity_mpercent } = shown;
        if self.driver.zeros.contains(&(temperature_mdegc, humidity_mpercent)) {
            return Err(Failure::Zeros(shown));
        }
        let is_small = |value: i32| value.unsigned_abs() < OTHER_UNIT_BELOW;
        if !self.driver.is_known && is_small(temperature_mdegc) && is_small(humidity_mpercent) {
            return Err(Failure::OtherUnit(self.device.driver().unwrap_or_else(|| self.title().to_owned())));
        }
        if self.driver.clamped.as_ref().is_some_and(|range| range.contains(&humidity_mpercent)) {
            humidity_mpercent = humidity_mpercent.clamp(0, 100_000);
        }
        let temperature_mdegc =
            if self.driver.mends_sub_zero { mend_sub_zero(temperature_mdegc) } else { temperature_mdegc };
        Ok(Reading { temperature_mdegc, humidity_mpercent })
    }
}
