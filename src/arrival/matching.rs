//! One reading to one sample, the nearest first.

use super::{Expected, Sample};

/// How many steps a pair is looked for by moving others.
const LONGEST_CHAIN: u32 = 64;

/// The place of the sample of each reading, if it has one. Both are in the order of time. Pairs that are nearest are made
/// first; where that leaves a reading without a sample although another choice would not, that choice is made.
pub(super) fn pair(readings: &[Expected], samples: &[Sample], longest_run_ms: i64) -> Vec<Option<usize>> {
    let mut pairing = Pairing {
        readings,
        samples,
        longest_run_ms,
        sample_of: vec![None; readings.len()],
        reading_of: vec![None; samples.len()],
    };
    let mut all: Vec<(u64, usize, usize)> = Vec::new();
    for reading in 0..readings.len() {
        all.extend(pairing.candidates(reading).map(|(distance, sample)| (distance, reading, sample)));
    }
    all.sort_unstable();
    for (_, reading, sample) in all {
        if pairing.sample_of[reading].is_none() && pairing.reading_of[sample].is_none() {
            pairing.set(reading, sample);
        }
    }
    for reading in 0..readings.len() {
        if pairing.sample_of[reading].is_none() {
            pairing.find(reading, &mut Vec::new(), LONGEST_CHAIN);
        }
    }
    pairing.sample_of
}

struct Pairing<'a> {
    readings: &'a [Expected],
    samples: &'a [Sample],
    longest_run_ms: i64,
    sample_of: Vec<Option<usize>>,
    reading_of: Vec<Option<usize>>,
}

impl<'a> Pairing<'a> {
    /// The samples that fit a reading: how well, and which.
    fn candidates(&self, reading: usize) -> impl Iterator<Item = (u64, usize)> + use<'a> {
        let (reading, longest_run_ms) = (&self.readings[reading], self.longest_run_ms);
        let (from, until) = reading.span(longest_run_ms);
        let first = self.samples.partition_point(|sample| sample.time_ms < from);
        let near = self.samples.iter().enumerate().skip(first);
        near.take_while(move |(_, sample)| sample.time_ms <= until)
            .filter(move |(_, sample)| sample.values == reading.values)
            .filter_map(move |(at, sample)| Some((reading.distance(sample.time_ms, longest_run_ms)?, at)))
    }

    fn set(&mut self, reading: usize, sample: usize) {
        self.sample_of[reading] = Some(sample);
        self.reading_of[sample] = Some(reading);
    }

    /// Finds a sample for a reading by giving others another one (an augmenting path).
    fn find(&mut self, reading: usize, tried: &mut Vec<usize>, steps: u32) -> bool {
        if steps == 0 {
            return false;
        }
        for (_, sample) in self.candidates(reading) {
            if tried.contains(&sample) {
                continue;
            }
            tried.push(sample);
            let is_free = match self.reading_of[sample] {
                None => true,
                Some(other) => self.find(other, tried, steps - 1),
            };
            if is_free {
                self.set(reading, sample);
                return true;
            }
        }
        false
    }
}
