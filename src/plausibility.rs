//! Whether a reading can be believed: within its range, and not too far from the last one.

use crate::failure::Failure;
use crate::reading::{Calibration, Jump, Limits, Reading};

/// What a reading is held against, try after try.
#[derive(Debug)]
pub struct Plausibility<'a> {
    /// What counts as a reading at all.
    pub limits: &'a Limits,
    /// What is added to it.
    pub calibration: &'a Calibration,
    /// How far it may be from the last one.
    pub jump: &'a Jump,
    /// The last kept reading of this sensor, if it is young enough.
    pub last: Option<Reading>,
    /// What the try before this one gave, if that was within its range.
    pub previous: Option<Reading>,
}

impl Plausibility<'_> {
    /// Judges what a try gave. Returns it calibrated.
    ///
    /// # Errors
    /// Why it does not count: another try may.
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
