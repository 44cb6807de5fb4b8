//! The store, and what waits in it.

use super::Finding;
use super::configuration::NEEDS_CONFIGURATION;
use super::facts::Facts;
use super::facts::store::Store;

/// Is the store whole?
pub(super) fn store(facts: &Facts) -> Vec<Finding> {
    if !facts.configuration.is_file_usable {
        return vec![Finding::note(NEEDS_CONFIGURATION)];
    }
    let path = facts.configuration.config.store.path.display();
    let content = match &facts.store {
        Store::Absent => {
            return vec![Finding::note(format!("{path} is not there: no run has kept anything yet"))];
        }
        Store::CannotOpen { problem, .. } => return vec![Finding::unusable_file(problem)],
        Store::CannotRead(problem) => Err(problem),
        Store::Open(content) => content.damage.as_ref(),
    };
    vec![match content {
        Ok(None) => Finding::ok(format!("{path} is whole")),
        Ok(Some(damage)) => Finding::wrong(
            format!("{path} is damaged: {damage}"),
            "save what can be read with iio-focus export, and move the file away: the next run begins a new one",
        ),
        Err(problem) => Finding::wrong(
            &problem.what,
            "let a run look at it, which brings an old one up to date and sets a damaged one aside",
        ),
    }]
}

/// Does everything that was taken arrive?
pub(super) fn backlog(facts: &Facts) -> Vec<Finding> {
    let Store::Open(content) = &facts.store else { return Vec::new() };
    let Some(waiting) = content.waiting else { return Vec::new() };
    let limit = facts.configuration.config.store.backlog;
    vec![match waiting {
        0 => Finding::ok("empty"),
        _ if waiting < limit => Finding::note(format!("{waiting} of at most {limit} wait")),
        _ => Finding::wrong(
            format!("{waiting} of at most {limit} wait: the oldest are being lost"),
            "mend the delivery, and raise backlog in [store] meanwhile",
        ),
    }]
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::super::State::{Note, Ok as Good, Wrong};
    use super::super::tests::expect_each;
    use super::super::tests::{cannot_open, content, is_no_database};
    use super::*;
    use crate::error::Problem;

    #[test]
    fn a_store_is_whole_or_not_there_yet() {
        expect_each(
            store,
            &[
                (|_| (), &[(Good, "/pi/var/lib/iio-focus/readings.db is whole", "")]),
                (
                    |facts| facts.configuration.is_file_usable = false,
                    &[(Note, "the configuration comes first", "")],
                ),
                (
                    |facts| facts.store = Store::Absent,
                    &[(Note, "readings.db is not there: no run has kept anything yet", "")],
                ),
                (
                    |facts| cannot_open(facts, Errno::ELOOP, false),
                    &[(Wrong, "ELOOP", "put a file there that can be read")],
                ),
                (|facts| cannot_open(facts, Errno::EACCES, true), &[(Wrong, "EACCES", "run this with sudo")]),
                (is_no_database, &[(Wrong, "file is not a database", "let a run look at it")]),
                (
                    |facts| content(facts).damage = Err(Problem::new("disk I/O error")),
                    &[(Wrong, "disk I/O error", "let a run look at it")],
                ),
                (
                    |facts| content(facts).damage = Ok(Some("page 7".into())),
                    &[(Wrong, "readings.db is damaged: page 7", "iio-focus export")],
                ),
            ],
        );
    }

    #[test]
    fn a_full_backlog_is_wrong() {
        expect_each(
            backlog,
            &[
                (|_| (), &[(Good, "empty", "")]),
                (|facts| content(facts).waiting = Some(1), &[(Note, "1 of at most 10080 wait", "")]),
                (|facts| content(facts).waiting = Some(10_079), &[(Note, "10079 of at most 10080 wait", "")]),
                (
                    |facts| content(facts).waiting = Some(10_080),
                    &[(Wrong, "10080 of at most 10080 wait: the oldest are being lost", "raise backlog")],
                ),
                // What the store's own finding tells of.
                (|facts| content(facts).waiting = None, &[]),
                (|facts| facts.store = Store::Absent, &[]),
                (is_no_database, &[]),
            ],
        );
    }
}
