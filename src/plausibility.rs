//! Whether a reading is plausible: within the accepted range, and not too far from the last one.

use crate::failure::Failure;
use crate::reading::{Calibration, Jump, Limits, Reading};

/// What the reading of each try is compared with.
#[derive(Debug)]
pub struct Plausibility<'a> {
    /// The accepted range, before calibration.
    pub limits: &'a Limits,
    /// What is added to a reading within the range.
    pub calibration: &'a Calibration,
    /// How far a reading may be from the last one without another try that confirms it.
    pub jump: &'a Jump,
    /// The last stored reading of this sensor, if it is recent enough.
    pub last: Option<Reading>,
    /// The reading of the latest try that was within the range.
    pub previous: Option<Reading>,
}

impl Plausibility<'_> {
    /// Checks the reading of one try, and returns it calibrated.
    ///
    /// # Errors
    /// [`Failure::OutOfRange`] if the reading is outside the accepted range; [`Failure::Jump`] if it is too far from
    /// the last stored reading and the try before did not give nearly the same.
    pub fn judge(&mut self, measured: Reading) -> Result<Reading, Failure> {
        if let Some(what) = self.limits.exceeded_by(measured) {
            return Err(Failure::OutOfRange(what));
        }
        let reading = measured.calibrated(self.calibration);
        let previous = self.previous.replace(reading);
        let jump = self.last.and_then(|last| self.jump.between(last, reading));
        let confirmed = previous.is_some_and(|previous| previous.agrees_with(reading));
        jump.filter(|_| !confirmed).map_or(Ok(reading), |what| Err(Failure::Jump(what)))
    }
}
