//! Whether a reading is plausible: within the accepted range, not too far from the last one, or confirmed by other tries.

use crate::failure::Failure;
use crate::reading::{
    Calibration, Jump, Limits, NEARLY_THE_SAME, Quantity, Reading, change, is_possible_in_air,
};

/// The largest step between two tries of a steady change, where the configuration switches the check of jumps off.
const STEP: Jump = Jump { temperature_mdegc: 5_000, humidity_mpercent: 20_000 };

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
    /// Whether a reading needs another try that confirms it if there is no last one.
    pub confirms_first: bool,
    /// The readings of the two latest tries that were within the range, the latest first.
    pub earlier: [Option<Reading>; 2],
}

impl Plausibility<'_> {
    /// Checks the reading of one try, and returns it calibrated. `None`: it is the first of two that have to agree.
    ///
    /// # Errors
    /// [`Failure::OutOfRange`] or [`Failure::NotInAir`] if the reading is outside the accepted range; [`Failure::Jump`]
    /// if it is too far from the last stored reading, [`Failure::Unconfirmed`] if there is none, and the tries before did
    /// not confirm it.
    pub fn judge(&mut self, measured: Reading) -> Result<Option<Reading>, Failure> {
        within(self.limits, measured)?;
        let reading = measured.calibrated(self.calibration);
        let [previous, before] = self.earlier;
        self.earlier = [Some(reading), previous];
        let doubt = match self.last {
            Some(last) => self.jump.between(last, reading).map(Failure::Jump),
            None if !self.confirms_first => None,
            None => match previous {
                None => return Ok(None),
                Some(previous) => Some(Failure::Unconfirmed(difference(previous, reading))),
            },
        };
        let confirmed = previous.is_some_and(|previous| {
            previous.agrees_with(reading)
                || before.is_some_and(|before| self.goes_one_way(before, previous, reading))
        });
        doubt.filter(|_| !confirmed).map_or(Ok(Some(reading)), Err)
    }

    /// Whether three tries in a row show a steady change: at least one quantity goes one way, none goes to and fro by more
    /// than two tries that agree, and no step is larger than a jump.
    fn goes_one_way(&self, first: Reading, second: Reading, third: Reading) -> bool {
        let kinds = Quantity::ALL.map(|quantity| {
            let of = |reading| i64::from(quantity.of(reading));
            let steps = [of(second) - of(first), of(third) - of(second)];
            let limit = match *self.jump.of(quantity) {
                0 => *STEP.of(quantity),
                jump => jump,
            };
            let all_within = |limit: i64| steps.iter().all(|step| step.abs() <= limit);
            if !all_within(limit.into()) {
                return Change::Wild;
            }
            match steps[0].signum() * steps[1].signum() {
                1 => Change::OneWay,
                _ if all_within((*NEARLY_THE_SAME.of(quantity)).into()) => Change::Small,
                _ => Change::Wild,
            }
        });
        kinds.contains(&Change::OneWay) && !kinds.contains(&Change::Wild)
    }
}

/// How a quantity changed over three tries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    OneWay,
    Small,
    Wild,
}

/// Checks whether a reading is within the accepted range.
///
/// # Errors
/// [`Failure::OutOfRange`], or [`Failure::NotInAir`] if no air has such a value.
pub fn within(limits: &Limits, reading: Reading) -> Result<(), Failure> {
    match limits.exceeded_by(reading) {
        None => Ok(()),
        Some(what) if is_possible_in_air(reading) => Err(Failure::OutOfRange(what)),
        Some(what) => Err(Failure::NotInAir(what)),
    }
}

/// What is said of two tries that do not agree.
fn difference(before: Reading, after: Reading) -> String {
    let too_far = |quantity: &Quantity| {
        quantity.of(before).abs_diff(quantity.of(after)) > *NEARLY_THE_SAME.of(*quantity)
    };
    let quantity = Quantity::ALL.into_iter().find(too_far).unwrap_or(Quantity::Temperature);
    let change = change(quantity, quantity.of(before), quantity.of(after));
    format!("{change} between two tries, and no other try agrees yet")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { temperature_mdegc: -40_000..=80_000, humidity_mpercent: 0..=100_000 };
    const NO_CALIBRATION: Calibration = Calibration { temperature_mdegc: 0, humidity_mpercent: 0 };
    const OFF: Jump = Jump { temperature_mdegc: 0, humidity_mpercent: 0 };

    fn tenths((t, h): (i32, i32)) -> Reading {
        Reading { temperature_mdegc: t * 100, humidity_mpercent: h * 100 }
    }

    /// What becomes of tries with these readings, in tenths: the failure's name, "first" or "good", which ends them.
    fn judged(jump: &Jump, last: Option<(i32, i32)>, tries: &[(i32, i32)]) -> Vec<String> {
        let mut plausibility = Plausibility {
            limits: &LIMITS,
            calibration: &NO_CALIBRATION,
            jump,
            last: last.map(tenths),
            confirms_first: true,
            earlier: [None; 2],
        };
        let mut verdicts = Vec::new();
        for one in tries {
            let verdict = match plausibility.judge(tenths(*one)) {
                Ok(None) => "first".to_owned(),
                Ok(Some(reading)) => {
                    assert_eq!(reading, tenths(*one), "the latest counts");
                    "good".to_owned()
                }
                Err(failure) => failure.name(),
            };
            verdicts.push(verdict);
            if verdicts.last().is_some_and(|verdict| verdict == "good") {
                break;
            }
        }
        verdicts
    }

    #[test]
    fn without_a_last_reading_two_tries_must_agree() {
        for (tries, verdicts) in [
            (vec![(256, 320), (256, 320)], vec!["first", "good"]),
            (vec![(256, 320), (266, 370)], vec!["first", "good"]),
            (vec![(256, 320), (267, 320), (267, 320)], vec!["first", "unconfirmed", "good"]),
            (vec![(512, 640), (256, 320), (256, 320)], vec!["first", "unconfirmed", "good"]),
            (
                vec![(256, 320), (512, 640), (256, 320), (257, 321)],
                vec!["first", "unconfirmed", "unconfirmed", "good"],
            ),
            (vec![(256, 320), (4000, 320), (256, 320)], vec!["first", "out of range", "good"]),
        ] {
            assert_eq!(judged(&STEP, None, &tries), verdicts, "{tries:?}");
            assert_eq!(judged(&OFF, None, &tries), verdicts, "{tries:?}, with the check of jumps off");
        }
    }

    #[test]
    fn with_a_last_reading_one_try_is_enough_within_the_jump() {
        for (try_, verdict) in [((250, 400), "good"), ((300, 600), "good"), ((301, 400), "jump")] {
            assert_eq!(judged(&STEP, Some((250, 400)), &[try_]), [verdict], "{try_:?}");
        }
        assert_eq!(judged(&OFF, Some((250, 400)), &[(700, 999)]), ["good"]);
    }

    #[test]
    fn three_tries_that_go_one_way_are_believed() {
        for tries in [
            [(300, 400), (325, 400), (350, 400)],
            [(300, 400), (350, 400), (400, 400)],
            [(150, 400), (125, 400), (100, 400)],
            // Humidity falls as the air warms; or it stays nearly the same, to and fro.
            [(300, 400), (325, 340), (350, 290)],
            [(300, 400), (325, 420), (350, 390)],
            [(250, 700), (250, 760), (251, 820)],
            // It was hot, and cools.
            [(600, 200), (575, 200), (550, 200)],
        ] {
            assert_eq!(judged(&STEP, Some((230, 400)), &tries), ["jump", "jump", "good"], "{tries:?}");
            let fresh = judged(&OFF, None, &tries);
            assert_eq!(fresh, ["first", "unconfirmed", "good"], "{tries:?}");
        }
    }

    #[test]
    fn wild_tries_are_not_believed() {
        for tries in [
            // To and fro; a step larger than a jump; humidity goes to and fro too far.
            [(325, 400), (300, 400), (325, 400)],
            [(300, 400), (351, 400), (375, 400)],
            [(300, 400), (325, 400), (376, 400)],
            [(700, 400), (600, 400), (500, 400)],
            [(300, 400), (325, 460), (350, 400)],
            [(300, 400), (325, 601), (350, 802)],
        ] {
            assert_eq!(judged(&STEP, Some((230, 400)), &tries), ["jump"; 3], "{tries:?}");
            let fresh = judged(&OFF, None, &tries);
            assert_eq!(fresh, ["first", "unconfirmed", "unconfirmed"], "{tries:?}");
        }
    }

    #[test]
    fn a_value_that_no_air_has_is_told_apart() {
        let wide = Limits { temperature_mdegc: -60_000..=60_000, humidity_mpercent: 10_000..=90_000 };
        for (reading, name) in [
            ((600, 500), None),
            ((1_500, 500), Some("widen")),
            ((-900, 500), Some("widen")),
            ((200, 1_000), Some("widen")),
            ((200, 99), Some("widen")),
            ((1_501, 500), Some("no air")),
            ((-901, 500), Some("no air")),
            ((200, 1_001), Some("no air")),
        ] {
            let failure = within(&wide, tenths(reading)).err();
            let advice = failure.as_ref().map(|failure| failure.advice_on(crate::failure::Bus::Gpio));
            assert_eq!(failure.map(|failure| failure.name()), name.map(|_| "out of range".to_owned()));
            assert_eq!(advice.map(|text| text.contains("widen")), name.map(|name| name == "widen"));
        }
    }
}
