//! Which of the stored readings WhaTap really has: the samples of both are matched, window by window, and what is missing
//! is explained. Nothing here asks or stores anything.

mod diagnosis;
mod matching;

use crate::reading::{Reading, SentValues};

pub use diagnosis::{Diagnosis, Others, diagnose};
use matching::pair;

/// focus's clock and ours are read at different times, and WhaTap has whole seconds.
const TOLERANCE_MS: i64 = 2_000;

/// How many missing readings are remembered one by one: the first.
const SHOWN: usize = 10;

/// How many missing readings of the backlog are looked for at the time of their delivery, and how many shifts of the
/// clock are noted.
const SAMPLED: usize = 1_000;

/// How often a reading may be put back into the backlog.
pub const MOST_REQUEUED: u32 = 2;

/// How many readings are put back at once at most.
pub const MOST_AT_ONCE: usize = 100_000;

/// How a reading was sent, as far as the store knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// By its own run: it carries focus's own clock. When it was marked, in ms since the epoch.
    AtOnce {
        /// When it was marked as delivered.
        delivered_ms: i64,
    },
    /// By a later run, with `-now`: it carries the second in which it was taken.
    FromBacklog {
        /// When it was marked as delivered.
        delivered_ms: i64,
        /// Its own run did not come to its end, so it may have sent it too.
        own_run_too: bool,
    },
    /// Not yet; or nobody knows, because its run was ended.
    Waiting,
}

/// A reading that WhaTap should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Where it is kept.
    pub id: i64,
    /// When it was taken, as it was marked, in ms since the epoch.
    pub taken_ms: i64,
    /// How it was sent.
    pub sent: Sent,
    /// What the sensor gave.
    pub reading: Reading,
    /// What focus was given of it.
    pub values: SentValues,
    /// How often it was put back into the backlog.
    pub requeued: u32,
    /// It is in the period that is judged. Else it is only there to explain samples near the ends of the period.
    pub judged: bool,
}

/// A sample that WhaTap has: its time in ms since the epoch, and its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// In ms since the epoch.
    pub time_ms: i64,
    /// The values of the fields that focus was given.
    pub values: SentValues,
}

/// Readings in a row that are missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// How many.
    pub readings: u32,
    /// When the first was taken, in ms since the epoch.
    pub first_ms: i64,
    /// When the last was taken, in ms since the epoch.
    pub last_ms: i64,
    /// Where the first is kept.
    pub first_id: i64,
    /// Where the last is kept.
    pub last_id: i64,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Readings in the period.
    pub taken: u32,
    /// Those that WhaTap has.
    pub arrived: u32,
    /// Those that were not sent yet and that it does not have.
    pub waiting: u32,
    /// Those that were sent and that it does not have.
    pub missing: u32,
    /// Samples that are a second one of a reading.
    pub twice: u32,
    /// Samples of our oname that are no reading of this store.
    pub not_ours: u32,
    /// The first missing readings.
    pub first_missing: Vec<Expected>,
    /// Where missing readings are kept that may be put back, the oldest first.
    pub can_requeue: Vec<i64>,
    /// Missing readings that were put back too often.
    pub given_up: u32,
    /// The longest row of missing readings.
    pub longest_block: Block,
    /// Readings from the backlog that have the time when they were taken.
    backlog_arrived: u32,
    /// Readings from the backlog that do not, among the first ones.
    backlog_missing: u32,
    /// Those of them that have the time of their delivery.
    backlog_at_delivery: u32,
    /// By how much samples are off that else look like missing readings, in ms.
    shifts: Vec<i64>,
}

/// Matches readings and samples, window by window in the order of time.
#[derive(Debug)]
pub struct Matcher {
    /// The longest that a run may take, in ms.
    longest_run_ms: i64,
    /// What is judged, in ms since the epoch.
    period: std::ops::Range<i64>,
    /// Readings whose sample may be in the next window.
    open: Vec<Expected>,
    /// Samples whose reading may be in the next window.
    left: Vec<Sample>,
    /// Readings that arrived near the end of the last window: a second sample of them may follow.
    recent: Vec<Expected>,
    /// Missing readings of the backlog: values, and when they were delivered.
    pending: Vec<(SentValues, i64)>,
    block: Block,
    found: Findings,
}

impl Expected {
    /// The second in which it was taken, in ms since the epoch: what `-now` says.
    fn second_ms(&self) -> i64 {
        self.taken_ms.div_euclid(1000).saturating_mul(1000)
    }

    /// From when to when a sample of it can be, in ms since the epoch.
    fn span(&self, longest_run_ms: i64) -> (i64, i64) {
        let run_end = self.taken_ms.saturating_add(longest_run_ms);
        let until = match self.sent {
            // Else the clock was set in between.
            Sent::AtOnce { delivered_ms } if (self.taken_ms..=run_end).contains(&delivered_ms) => {
                delivered_ms
            }
            Sent::FromBacklog { own_run_too: false, .. } => return (self.second_ms(), self.second_ms()),
            _ => run_end,
        };
        (self.taken_ms.saturating_sub(TOLERANCE_MS), until.saturating_add(TOLERANCE_MS))
    }

    /// How well a sample at this time fits: 0 is best, none is not at all.
    fn distance(&self, time_ms: i64, longest_run_ms: i64) -> Option<u64> {
        /// Behind everything that fits better.
        const SECOND_BEST: u64 = 1 << 40;
        let (from, until) = self.span(longest_run_ms);
        if time_ms == self.second_ms() && !matches!(self.sent, Sent::AtOnce { .. }) {
            return Some(0);
        }
        let distance = time_ms.abs_diff(self.taken_ms);
        (from..=until).contains(&time_ms).then_some(match self.sent {
            Sent::FromBacklog { .. } => distance.saturating_add(SECOND_BEST),
            _ => distance,
        })
    }

    /// Whether this can be a second sample of it.
    fn can_be_twice(&self, sample: &Sample, longest_run_ms: i64) -> bool {
        let from = self.taken_ms.saturating_sub(TOLERANCE_MS);
        let until = self.taken_ms.saturating_add(longest_run_ms).saturating_add(TOLERANCE_MS);
        self.values == sample.values && (from..=until).contains(&sample.time_ms)
    }
}

impl Matcher {
    /// Begins to judge this period, in ms since the epoch. A run takes at most so many ms.
    #[must_use]
    pub fn new(period: std::ops::Range<i64>, longest_run_ms: i64) -> Matcher {
        Matcher {
            longest_run_ms,
            period,
            open: Vec::new(),
            left: Vec::new(),
            recent: Vec::new(),
            pending: Vec::new(),
            block: Block::default(),
            found: Findings::default(),
        }
    }

    /// Takes the readings and all samples of the window that ends before this time.
    pub fn window(
        &mut self,
        readings: impl IntoIterator<Item = Expected>,
        samples: impl IntoIterator<Item = Sample>,
        end_ms: i64,
    ) {
        self.open.extend(readings);
        self.open.sort_by_key(|reading| (reading.taken_ms, reading.id));
        self.left.extend(samples);
        self.left.sort_by_key(|sample| sample.time_ms);
        let pairs = pair(&self.open, &self.left, self.longest_run_ms);
        let mut is_claimed = vec![false; self.left.len()];
        for sample in pairs.iter().flatten() {
            is_claimed[*sample] = true;
        }
        let (mut arrived, mut missing, mut still_open) = (Vec::new(), Vec::new(), Vec::new());
        for (reading, sample) in std::mem::take(&mut self.open).into_iter().zip(pairs) {
            match sample {
                Some(at) => {
                    self.note_arrived(&reading, &self.left[at].clone());
                    arrived.push(reading);
                }
                None if reading.span(self.longest_run_ms).1 >= end_ms => still_open.push(reading),
                None => missing.extend(self.note_absent(reading)),
            }
        }
        self.open = still_open;
        let mut unclaimed = Vec::new();
        for (sample, is_claimed) in std::mem::take(&mut self.left).into_iter().zip(is_claimed) {
            if !is_claimed {
                unclaimed.push(sample);
            }
        }
        // A reading that was taken right after the end may have a sample right before it.
        let (now, later) = unclaimed.into_iter().partition(|sample| sample.time_ms < end_ms - TOLERANCE_MS);
        self.left = later;
        self.explain(now, &arrived, &missing);
        let longest_run_ms = self.longest_run_ms;
        arrived.retain(|reading| reading.taken_ms + longest_run_ms + TOLERANCE_MS >= end_ms - TOLERANCE_MS);
        self.recent = arrived;
    }

    /// What was found, when all windows were taken.
    #[must_use]
    pub fn finish(mut self) -> Findings {
        self.window([], [], i64::MAX);
        self.end_block();
        self.found
    }

    fn note_arrived(&mut self, reading: &Expected, sample: &Sample) {
        if !reading.judged {
            return;
        }
        self.found.taken += 1;
        self.found.arrived += 1;
        if matches!(reading.sent, Sent::FromBacklog { .. }) && sample.time_ms == reading.second_ms() {
            self.found.backlog_arrived += 1;
        }
        self.end_block();
    }

    /// Returns the reading if it is missing, and not only waiting.
    fn note_absent(&mut self, reading: Expected) -> Option<Expected> {
        if !reading.judged {
            return None;
        }
        self.found.taken += 1;
        if let Sent::Waiting = reading.sent {
            self.found.waiting += 1;
            return None;
        }
        self.found.missing += 1;
        if self.found.first_missing.len() < SHOWN {
            self.found.first_missing.push(reading.clone());
        }
        if reading.requeued >= MOST_REQUEUED {
            self.found.given_up += 1;
        } else if self.found.can_requeue.len() < MOST_AT_ONCE {
            self.found.can_requeue.push(reading.id);
        }
        if let Sent::FromBacklog { delivered_ms, .. } = reading.sent {
            if self.pending.len() < SAMPLED {
                self.pending.push((reading.values, delivered_ms));
                self.found.backlog_missing += 1;
            }
        }
        if self.block.readings == 0 {
            self.block = Block { first_ms: reading.taken_ms, first_id: reading.id, ..Block::default() };
        }
        self.block.readings += 1;
        (self.block.last_ms, self.block.last_id) = (reading.taken_ms, reading.id);
        Some(reading)
    }

    fn end_block(&mut self) {
        let block = std::mem::take(&mut self.block);
        if block.readings > self.found.longest_block.readings {
            self.found.longest_block = block;
        }
    }

    /// A sample has whole seconds, and the period may begin within one.
    fn is_in_period(&self, sample: Sample) -> bool {
        let begins_ms = self.period.start.div_euclid(1000).saturating_mul(1000);
        (begins_ms..self.period.end).contains(&sample.time_ms)
    }

    /// Tells what these samples are that no reading claims.
    fn explain(&mut self, samples: Vec<Sample>, arrived: &[Expected], missing: &[Expected]) {
        /// How far a clock may be off for its shift to be seen.
        const LONGEST_SHIFT_MS: i64 = 600_000;
        let longest = self.longest_run_ms;
        let mut unknown: Vec<Sample> = Vec::new();
        for sample in samples {
            let delivered = |(values, at): &(SentValues, i64)| {
                let from = at.saturating_sub(longest + TOLERANCE_MS);
                *values == sample.values && (from..=at.saturating_add(TOLERANCE_MS)).contains(&sample.time_ms)
            };
            let is_twice = |reading: &Expected| reading.can_be_twice(&sample, longest);
            let first = arrived.partition_point(|reading| {
                reading.taken_ms.saturating_add(longest).saturating_add(TOLERANCE_MS) < sample.time_ms
            });
            let near = arrived[first..]
                .iter()
                .take_while(|reading| reading.taken_ms.saturating_sub(TOLERANCE_MS) <= sample.time_ms);
            if let Some(at) = self.pending.iter().position(delivered) {
                self.pending.swap_remove(at);
                self.found.backlog_at_delivery += 1;
            } else if near.chain(&self.recent).any(is_twice) {
                self.found.twice += u32::from(self.is_in_period(sample));
            } else {
                self.found.not_ours += u32::from(self.is_in_period(sample));
                unknown.push(sample);
            }
        }
        for reading in missing.iter().take(SAMPLED.saturating_sub(self.found.shifts.len())) {
            let from = unknown.partition_point(|sample| sample.time_ms < reading.taken_ms - LONGEST_SHIFT_MS);
            let near = unknown[from..]
                .iter()
                .take_while(|sample| sample.time_ms <= reading.taken_ms + LONGEST_SHIFT_MS)
                .filter(|sample| sample.values == reading.values)
                .map(|sample| sample.time_ms - reading.second_ms());
            self.found.shifts.extend(near.min_by_key(|shift| shift.abs()));
        }
    }
}

#[cfg(test)]
mod tests;
