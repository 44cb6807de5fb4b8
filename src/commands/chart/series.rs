//! The readings of a period, which is divided into as many equal parts as a picture has columns.

use crate::reading::{Quantity, Reading};

/// The time between two readings is a gap if it is longer than 5/2 of the usual time. So two missed readings in a row
/// are a gap, and a single one is not.
const GAP: (i64, i64) = (5, 2);

/// Values of one quantity, in thousandths of its unit, and when its least and its greatest value were first read, in ms
/// since the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Values {
    count: i64,
    sum: i64,
    pub(super) least: i32,
    pub(super) least_ms: i64,
    pub(super) most: i32,
    pub(super) most_ms: i64,
}

impl Values {
    fn add(&mut self, value: i32, at_ms: i64) {
        if self.count == 0 || value < self.least {
            (self.least, self.least_ms) = (value, at_ms);
        }
        if self.count == 0 || value > self.most {
            (self.most, self.most_ms) = (value, at_ms);
        }
        self.count += 1;
        self.sum += i64::from(value);
    }

    /// The mean of the readings. The time between them does not matter. Without readings it is 0.
    pub(super) fn mean(&self) -> i32 {
        let count = self.count.max(1);
        let half = if self.sum < 0 { -count / 2 } else { count / 2 };
        // This cannot fail: the mean is between the least and the greatest value.
        i32::try_from((self.sum + half) / count).unwrap_or_default()
    }
}

/// What was read in one part of the period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Bucket {
    first_ms: i64,
    last_ms: i64,
    values: [Values; 2],
}

/// The readings of a period.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) since_ms: i64,
    pub(super) until_ms: i64,
    buckets: Vec<Bucket>,
    values: [Values; 2],
    spacings: Spacings,
    last_ms: Option<i64>,
}

impl Series {
    /// A series without readings, of a period that is not empty, in this many parts.
    pub(super) fn new(since_ms: i64, until_ms: i64, parts: usize) -> Series {
        Series {
            since_ms,
            until_ms,
            buckets: vec![Bucket::default(); parts.max(1)],
            values: Default::default(),
            spacings: Spacings::default(),
            last_ms: None,
        }
    }

    /// Adds a reading of this period. Its time may be before that of the last one, if the clock was set back.
    pub(super) fn add(&mut self, at_ms: i64, reading: Reading) {
        if let Some(last_ms) = self.last_ms.replace(at_ms) {
            self.spacings.add(at_ms - last_ms);
        }
        let part = self.part(at_ms, self.buckets.len());
        let bucket = &mut self.buckets[part];
        let first = bucket.values[0].count == 0;
        bucket.first_ms = if first { at_ms } else { bucket.first_ms.min(at_ms) };
        bucket.last_ms = if first { at_ms } else { bucket.last_ms.max(at_ms) };
        for quantity in Quantity::ALL {
            let value = quantity.of(reading);
            bucket.values[quantity as usize].add(value, at_ms);
            self.values[quantity as usize].add(value, at_ms);
        }
    }

    /// In which part a time is, if the period is divided into this many equal parts.
    pub(super) fn part(&self, at_ms: i64, parts: usize) -> usize {
        let (period, parts) = (i128::from(self.until_ms - self.since_ms), parts.max(1));
        let part = i128::from(at_ms - self.since_ms) * parts as i128 / period.max(1);
        usize::try_from(part).unwrap_or(0).min(parts - 1)
    }

    /// In which column a part is, if a picture has this many columns. There must not be more columns than parts.
    pub(super) fn column(&self, part: usize, columns: usize) -> usize {
        part * columns / self.buckets.len()
    }

    /// All values of a quantity.
    pub(super) fn values(&self, quantity: Quantity) -> &Values {
        &self.values[quantity as usize]
    }

    /// The parts with readings, as strokes: there is a gap between two strokes.
    pub(super) fn strokes(&self, quantity: Quantity) -> Vec<Vec<(usize, &Values)>> {
        let longest = self.spacings.longest_ms();
        let mut strokes: Vec<Vec<(usize, &Values)>> = Vec::new();
        let mut last_ms = None;
        for (part, bucket) in self.parts_with_readings() {
            if last_ms.is_none_or(|last_ms| bucket.first_ms - last_ms > longest) {
                strokes.push(Vec::new());
            }
            last_ms = Some(bucket.last_ms);
            if let Some(stroke) = strokes.last_mut() {
                stroke.push((part, &bucket.values[quantity as usize]));
            }
        }
        strokes
    }

    /// The start and the end of each gap, also at the beginning and at the end of the period. A gap that is within one
    /// part cannot be seen in a picture, and is left out.
    pub(super) fn gaps(&self) -> Vec<(i64, i64)> {
        let mut last_ms = self.since_ms;
        let mut gaps = Vec::new();
        for (first, last) in self
            .parts_with_readings()
            .map(|(_, bucket)| (bucket.first_ms, bucket.last_ms))
            .chain([(self.until_ms, self.until_ms)])
        {
            if first - last_ms > self.spacings.longest_ms() {
                gaps.push((last_ms, first));
            }
            last_ms = last;
        }
        gaps
    }

    fn parts_with_readings(&self) -> impl Iterator<Item = (usize, &Bucket)> {
        self.buckets.iter().enumerate().filter(|(_, bucket)| bucket.values[0].count > 0)
    }
}

/// The times between two readings, counted by length. They give the median in constant memory, for any number of
/// readings.
#[derive(Debug)]
struct Spacings {
    /// One count for each sixteenth of the range from one power of two to the next.
    counts: [u32; 64 * 16],
}

impl Default for Spacings {
    fn default() -> Spacings {
        Spacings { counts: [0; 64 * 16] }
    }
}

impl Spacings {
    fn add(&mut self, ms: i64) {
        // 0 is two readings in the same ms, and less than 0 is a clock that was set back.
        if ms > 0 {
            let power = ms.max(16).ilog2();
            let sixteenths = usize::try_from(ms >> (power - 4)).unwrap_or(0) & 15;
            let count = &mut self.counts[power as usize * 16 + sixteenths];
            *count = count.saturating_add(1);
        }
    }

    /// The longest time between two readings that is no gap: [`GAP`] times the median, which is exact to a sixteenth.
    /// With fewer than two readings no time is a gap.
    fn longest_ms(&self) -> i64 {
        let half = self.counts.iter().map(|count| u64::from(*count)).sum::<u64>().div_ceil(2);
        let mut below = 0;
        for (power, counts) in self.counts.chunks(16).enumerate().skip(4) {
            for (end, count) in (17..).zip(counts) {
                below += u64::from(*count);
                if below >= half.max(1) {
                    return GAP.0.saturating_mul(end << (power - 4)) / GAP.1;
                }
            }
        }
        i64::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn series(minutes: i64, parts: usize, at: impl IntoIterator<Item = i64>) -> Series {
        let mut series = Series::new(0, minutes * MINUTE, parts);
        for at_ms in at {
            series.add(at_ms, Reading { temperature_mdegc: 20_000, humidity_mpercent: 50_000 });
        }
        series
    }

    /// The first and the last part of each stroke.
    fn strokes(series: &Series) -> Vec<(usize, usize)> {
        let strokes = series.strokes(Quantity::Humidity);
        strokes.iter().map(|stroke| (stroke[0].0, stroke[stroke.len() - 1].0)).collect()
    }

    #[test]
    fn a_reading_is_in_the_part_that_its_time_is_in() {
        let series = Series::new(1_000, 2_000, 4);
        for (at_ms, part) in [(1_000, 0), (1_249, 0), (1_250, 1), (1_999, 3), (2_000, 3), (0, 0)] {
            assert_eq!(series.part(at_ms, 4), part, "{at_ms}");
        }
        let forever = Series::new(i64::MIN / 2, i64::MAX / 2, 100);
        assert_eq!((forever.part(0, 100), forever.part(i64::MAX / 2, 100)), (50, 99));
    }

    #[test]
    fn least_most_and_mean_are_those_of_the_readings() {
        let mut series = Series::new(0, 100, 2);
        for (at_ms, temperature_mdegc) in [(0, -100), (10, -300), (20, -300), (60, 201), (70, 201)] {
            series.add(at_ms, Reading { temperature_mdegc, humidity_mpercent: 0 });
        }
        let all = series.values(Quantity::Temperature);
        assert_eq!((all.least, all.least_ms, all.most, all.most_ms, all.mean()), (-300, 10, 201, 60, -60));
        let strokes = series.strokes(Quantity::Temperature);
        let (_, first) = strokes[0][0];
        assert_eq!((first.least, first.most, first.mean()), (-300, -100, -233));
    }

    #[test]
    fn each_minute_is_no_gap_however_many_parts_there_are() {
        for parts in [1, 7, 60, 61, 140, 1000] {
            // Tries and the delay of the timer move each reading by up to 24 s.
            let series = series(60, parts, (0..60).map(|minute| minute * MINUTE + minute * 7 % 25 * 1000));
            assert_eq!(strokes(&series).len(), 1, "{parts} parts");
            assert_eq!(series.gaps(), [], "{parts} parts");
        }
    }

    #[test]
    fn two_readings_missed_in_a_row_are_a_gap_and_one_is_not() {
        let without = |missed: &'static [i64]| {
            series(60, 140, (0..60).filter(|at| !missed.contains(at)).map(|minute| minute * MINUTE))
        };
        assert_eq!(without(&[30]).gaps(), []);
        assert_eq!(without(&[20, 30, 40]).gaps(), []);
        assert_eq!(without(&[30, 31]).gaps(), [(29 * MINUTE, 32 * MINUTE)]);
        assert_eq!(strokes(&without(&[30, 31])), [(0, 67), (74, 137)]);
        // Gaps at both ends of the period.
        let ends = without(&[0, 1, 2, 57, 58, 59]);
        assert_eq!(ends.gaps(), [(0, 3 * MINUTE), (56 * MINUTE, 60 * MINUTE)]);
        assert_eq!(strokes(&ends).len(), 1);
    }

    #[test]
    fn in_parts_longer_than_the_spacing_a_gap_is_one_that_goes_over_an_end() {
        // A day in parts of 10 minutes.
        let without = |from: i64, to: i64| {
            series(1440, 144, (0..1440).filter(|at| !(from..to).contains(at)).map(|minute| minute * MINUTE))
        };
        assert_eq!(strokes(&without(601, 608)), [(0, 143)]);
        assert_eq!(strokes(&without(605, 615)), [(0, 60), (61, 143)]);
        assert_eq!(strokes(&without(600, 720)), [(0, 59), (72, 143)]);
        assert_eq!(without(600, 720).gaps(), [(599 * MINUTE, 720 * MINUTE)]);
    }

    #[test]
    fn what_is_usual_is_by_the_median_for_every_spacing() {
        assert_eq!(series(60, 60, []).gaps(), []);
        assert_eq!(series(60, 60, [MINUTE]).gaps(), []);
        for spacing in [1, 15, 16, 2_000, 60_000, 3_600_000, 86_400_000, i64::MAX / 8] {
            let mut spacings = Spacings::default();
            for ms in [spacing; 5].into_iter().chain([1, spacing.saturating_mul(100), 0, -spacing]) {
                spacings.add(ms);
            }
            let longest = spacings.longest_ms();
            assert!(longest / 5 * 2 >= spacing, "{spacing}: {longest}");
            assert!(spacing < 16 || longest / 5 * 2 <= spacing + spacing / 16 + 1, "{spacing}: {longest}");
        }
    }

    #[test]
    fn a_clock_that_was_set_back_does_no_harm() {
        let there = (0..30).map(|minute| (30 + minute) * MINUTE);
        let series = series(60, 60, there.chain((0..30).map(|minute| minute * MINUTE)));
        assert_eq!(strokes(&series), [(0, 59)]);
        assert_eq!(series.gaps(), []);
    }
}
