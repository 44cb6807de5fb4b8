//! The words for what was found: the verdict in one line, and the one thing to do next.

use super::super::times;
use crate::arrival::{Block, Diagnosis, Findings, MOST_REQUEUED};
use crate::error::plural;
use crate::open_api::Project;
use crate::store::FailedRunsBetween;

/// What is so. `trouble` is what the store says of the time of a block.
pub(super) fn why(
    found: &Findings,
    diagnosis: &Diagnosis,
    trouble: Option<&FailedRunsBetween>,
    project: &Project,
) -> String {
    let Project { pcode, category, oname, .. } = project;
    let taken = format!("{} {}", found.taken, plural(found.taken, "reading", "readings"));
    let missing = format!("{} of {taken} {} missing", found.missing, plural(found.missing, "is", "are"));
    match diagnosis {
        Diagnosis::Nothing => format!("all of {taken} arrived"),
        Diagnosis::Waiting => {
            let wait = plural(found.waiting, "waits", "wait");
            format!("{} of {taken} {wait} in the backlog, and all others arrived", found.waiting)
        }
        Diagnosis::OtherProject(other) => {
            format!("WhaTap answers with samples of the project {other}, and pcode is {pcode}")
        }
        Diagnosis::OtherOnames(others) => {
            let others = others.join(", ");
            format!("WhaTap has nothing of the oname {oname} in the category {category}, but of {others}")
        }
        Diagnosis::EmptyCategory => {
            format!("WhaTap has nothing at all in the category {category} of the project {pcode}")
        }
        Diagnosis::NowIgnored => format!(
            "{missing}: those from the backlog have the time of their delivery, so this focus does not heed -now"
        ),
        Diagnosis::Shifted(ms) => {
            let (length, how) = (times::length(*ms), if *ms < 0 { "earlier" } else { "later" });
            format!("{missing}: their samples are there, but {length} {how}")
        }
        Diagnosis::AllDiffer => {
            format!("WhaTap has samples of the oname {oname}, but none that is a reading of this store")
        }
        Diagnosis::Block(block) => format!("{missing}, {}", block_text(block, trouble)),
        Diagnosis::Scattered => missing,
    }
}

/// What to do next, if something is wrong.
pub(super) fn next(found: &Findings, diagnosis: &Diagnosis) -> Option<String> {
    let text = match diagnosis {
        Diagnosis::Nothing => return None,
        Diagnosis::Waiting => "iio-focus status says why they wait",
        Diagnosis::OtherProject(_) => "correct pcode in [focus], or take the API token of our project",
        Diagnosis::OtherOnames(_) => {
            "if one of them is this machine, set oname in [focus] to it; else check the licence"
        }
        Diagnosis::EmptyCategory => {
            "compare license, pcode and category in [focus] with WhaTap's Management > Project Management"
        }
        Diagnosis::NowIgnored => {
            "get the newest focus from WhaTap, as this one would give them a wrong time again"
        }
        Diagnosis::Shifted(_) => "check the clock of this machine (timedatectl)",
        Diagnosis::AllDiffer => {
            "check whether another machine uses this oname, and whether fields in [focus] was changed"
        }
        Diagnosis::Block(_) | Diagnosis::Scattered if found.given_up == found.missing => {
            return Some(format!(
                "they were sent again {MOST_REQUEUED} times and are not sent once more: ask WhaTap's support"
            ));
        }
        Diagnosis::Block(_) | Diagnosis::Scattered => {
            "iio-focus verify --requeue, for the same period, sends them again"
        }
    };
    Some(text.to_owned())
}

fn block_text(block: &Block, trouble: Option<&FailedRunsBetween>) -> String {
    let (first, last) = (times::local_text(block.first_ms), times::local_text(block.last_ms));
    let said = match trouble {
        None => "all runs of that time ended well".to_owned(),
        Some(FailedRunsBetween { runs, status, error }) => {
            let how = status.map_or("were ended".to_owned(), |status| format!("ended with {status}"));
            let error = error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
            format!("{runs} {} of that time {how}{error}", plural(*runs, "run", "runs"))
        }
    };
    format!("{} of them in a row from {first} to {last}; {said}", block.readings)
}
