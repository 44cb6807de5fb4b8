//! Why readings are missing, and the one thing to do next.

use super::{Block, Findings, TOLERANCE_MS};

/// A row of so many missing readings is one event, if it is half of all that is missing.
const SHORTEST_BLOCK: u32 = 3;

/// What WhaTap has of others in our category, asked when it has nothing of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Others {
    /// Their onames.
    pub onames: Vec<String>,
    /// A project code other than ours that samples have.
    pub pcode: Option<u64>,
}

/// Why readings are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Diagnosis {
    /// None is missing.
    Nothing,
    /// None is missing, but some wait.
    Waiting,
    /// The samples are another project's.
    OtherProject(u64),
    /// There is nothing of our oname, but of these.
    OtherOnames(Vec<String>),
    /// There is nothing in our category.
    EmptyCategory,
    /// Readings from the backlog have the time of their delivery: this focus does not heed `-now`.
    NowIgnored,
    /// The samples are there, so many ms later.
    Shifted(i64),
    /// WhaTap has samples of our oname, and none is a reading of the store.
    AllDiffer,
    /// One block is missing.
    Block(Block),
    /// Single readings are missing.
    Scattered,
}

impl Diagnosis {
    /// Whether sending the missing ones again can help.
    #[must_use]
    pub fn can_requeue(&self) -> bool {
        matches!(self, Diagnosis::Block(_) | Diagnosis::Scattered)
    }
}

/// Why readings are missing. `others` is what WhaTap has beside ours, as far as it was asked.
#[must_use]
pub fn diagnose(found: &Findings, others: &Others) -> Diagnosis {
    if found.missing == 0 {
        return if found.waiting == 0 { Diagnosis::Nothing } else { Diagnosis::Waiting };
    }
    let half = |part: u32, all: u32| part > 0 && u64::from(part) * 2 >= u64::from(all);
    if found.backlog_arrived == 0 && half(found.backlog_at_delivery, found.backlog_missing) {
        return Diagnosis::NowIgnored;
    }
    if let Some(shift_ms) = shift(found) {
        return Diagnosis::Shifted(shift_ms);
    }
    if found.arrived == 0 {
        return match (others.pcode, &others.onames[..]) {
            (Some(pcode), _) => Diagnosis::OtherProject(pcode),
            _ if found.not_ours > 0 => Diagnosis::AllDiffer,
            (None, []) => Diagnosis::EmptyCategory,
            (None, onames) => Diagnosis::OtherOnames(onames.to_vec()),
        };
    }
    let block = found.longest_block;
    if block.readings >= SHORTEST_BLOCK && half(block.readings, found.missing) {
        Diagnosis::Block(block)
    } else {
        Diagnosis::Scattered
    }
}

/// By how much the clocks differ, if half of what is missing is there, off by the same time.
fn shift(found: &Findings) -> Option<i64> {
    let mut shifts = found.shifts.clone();
    shifts.sort_unstable();
    let median = *shifts.get(shifts.len() / 2)?;
    let near = shifts.iter().filter(|shift| shift.abs_diff(median) <= TOLERANCE_MS.unsigned_abs()).count();
    let missing = usize::try_from(found.missing).unwrap_or(usize::MAX).min(super::SAMPLED);
    (near >= SHORTEST_BLOCK as usize && near * 2 >= missing).then_some(median)
}
