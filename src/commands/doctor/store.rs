//! The store, and what waits in it.

use super::Finding;
use super::configuration::NEEDS_CONFIGURATION;
use super::facts::Facts;
use super::facts::folder::{Folder, Space};
use super::facts::store::{Content, ENOUGH_RUNS, Store};
use crate::error::plural;
use crate::store::PassedOver;

/// Is the store whole, and is there room for it?
pub(super) fn store(facts: &Facts) -> Vec<Finding> {
    if !facts.configuration.is_file_usable {
        return vec![Finding::note(NEEDS_CONFIGURATION)];
    }
    let free = facts.folder.space.map_or(String::new(), |space| format!(", {} free", size(space.free_bytes)));
    let mut findings = no_space(&facts.folder);
    findings.extend(whole(facts, &free));
    findings.extend(set_aside(&facts.folder));
    findings.extend(open_to_others(&facts.folder));
    findings
}

fn whole(facts: &Facts, free: &str) -> Option<Finding> {
    let path = facts.configuration.config.store.path.display();
    let content = match &facts.store {
        Store::Absent => {
            let found = format!("{path} is not there: no run has kept anything yet{free}");
            return Some(Finding::note(found));
        }
        Store::CannotOpen { problem, .. } => return Some(Finding::unusable_file(problem)),
        Store::CannotRead(problem) => Err(problem),
        Store::Open(content) => content.damage.as_ref(),
    };
    Some(match content {
        Ok(None) => Finding::ok(format!("{path} is whole{free}")),
        Ok(Some(damage)) => Finding::wrong(
            format!("{path} is damaged: {damage}"),
            "save what can be read with iio-focus export, and move the file away: the next run begins a new one",
        ),
        // It says so itself, and a run would not help.
        Err(_) if !no_space(&facts.folder).is_empty() => return None,
        Err(problem) => Finding::wrong(
            &problem.what,
            "let a run look at it, which brings an old one up to date and sets a damaged one aside",
        ),
    })
}

/// As much as a run may need at once: the log that SQLite writes before it is taken over, and its index.
const NEEDED_BYTES: u64 = 1 << 20;

/// The file system takes nothing more.
fn no_space(folder: &Folder) -> Vec<Finding> {
    let Some(space) = folder.space else { return Vec::new() };
    let Space { free_bytes, all_bytes, free_files, is_read_only } = space;
    let at = folder.path.display();
    let full = "so readings are delivered without being kept";
    let advice = format!("make room: sudo journalctl --vacuum-size=50M, sudo apt clean, and see df {at}");
    if is_read_only {
        let found = format!("the file system of {at} is read-only, {full}");
        let advice = "see dmesg for why, and restart; or set path in [store] to a file elsewhere";
        return vec![Finding::wrong(found, advice)];
    }
    if free_bytes < NEEDED_BYTES {
        let (free, all) = (size(free_bytes), size(all_bytes));
        let found = format!("the file system of {at} is full ({free} of {all} free), {full}");
        return vec![Finding::wrong(found, advice)];
    }
    if free_files.is_some_and(|files| files < 4) {
        let found = format!("the file system of {at} is full: it has no inode for another file, {full}");
        return vec![Finding::wrong(found, format!("delete small files, and see df -i {at}"))];
    }
    Vec::new()
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..0x10_0000 => format!("{} KiB", bytes >> 10),
        0x10_0000..0x2_8000_0000 => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}

fn set_aside(folder: &Folder) -> Option<Finding> {
    let newest = folder.set_aside.last()?.display();
    let found = match folder.set_aside.len() {
        1 => format!("a damaged store was set aside as {newest}"),
        n => format!("{n} damaged stores were set aside, the last one as {newest}"),
    };
    let advice = format!(
        "sqlite3 {newest} .recover shows what is left of it; then sudo rm it, and consider a new card"
    );
    Some(Finding::note(found).advise(advice))
}

/// Who else gets at the store.
fn open_to_others(folder: &Folder) -> Vec<Finding> {
    let at = folder.path.display();
    let (mode, lock) = (folder.mode.unwrap_or(0), folder.lock_mode.unwrap_or(0));
    let close = if folder.is_own {
        format!("sudo chmod o= {at}")
    } else {
        "set path in [store] to a file in a folder of its own, such as /var/lib/iio-focus".to_owned()
    };
    let lock_file = format!("{at}: its lock has mode {lock:o}");
    let mut findings = Vec::new();
    if mode & 0o002 != 0 {
        findings.push(Finding::wrong(format!("everybody can put files into {at} (mode {mode:o})"), close));
    } else if mode & 0o005 != 0 && folder.is_own {
        findings.push(Finding::note(format!("everybody can look into {at} (mode {mode:o})")).advise(close));
    }
    let shut = format!("sudo chmod 600 {at}/*.lock");
    if lock & 0o006 != 0 && mode & 0o001 != 0 {
        let found = format!("everybody can hold the runs up at {lock_file}");
        findings.push(Finding::wrong(found, shut));
    } else if lock & 0o066 != 0 {
        findings.push(
            Finding::note(format!("others than its owner could hold the runs up at {lock_file}"))
                .advise(shut),
        );
    }
    findings
}

/// Does everything that was taken arrive?
pub(super) fn backlog(facts: &Facts) -> Vec<Finding> {
    let Store::Open(content) = &facts.store else { return Vec::new() };
    let Some(waiting) = content.waiting else { return Vec::new() };
    let limit = facts.configuration.config.store.backlog;
    let mut findings = vec![match waiting {
        0 => Finding::ok("empty"),
        _ if waiting < limit => Finding::note(format!("{waiting} of at most {limit} wait")),
        _ => Finding::wrong(
            format!("{waiting} of at most {limit} wait: the oldest are being lost"),
            "mend the delivery, and raise backlog in [store] meanwhile",
        ),
    }];
    findings.extend(refused(content));
    let PassedOver { refused, foreign, .. } = content.passed_over;
    let sendable = waiting.saturating_sub(refused).saturating_sub(foreign);
    if sendable > 0 && content.shrinks == Some(false) {
        findings.push(Finding::wrong(
            format!("it does not shrink: the last {ENOUGH_RUNS} runs were good, and none delivered a reading that waited"),
            "give a run more time: --deadline, or a shorter timeout in [focus]; see journalctl -t iio-focus",
        ));
    }
    findings
}

/// Those that are passed over.
fn refused(content: &Content) -> Vec<Finding> {
    let PassedOver { refused, reason, foreign } = &content.passed_over;
    let mut findings = Vec::new();
    if *refused > 0 {
        let were = plural(*refused, "reading was", "readings were");
        let reason = reason.as_deref().unwrap_or("no reason is known");
        findings.push(Finding::wrong(
            format!("{refused} {were} refused several times: {reason}"),
            "mend what it says; they are tried again, rarer each time, and the others are sent meanwhile",
        ));
    }
    if *foreign > 0 {
        let were = plural(*foreign, "reading was", "readings were");
        let found =
            format!("{foreign} {were} taken by another machine, whose card was copied: they are not sent");
        findings.push(Finding::note(found));
    }
    findings
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::super::State::{Note, Ok as Good, Wrong};
    use super::super::tests::{Case, cannot_open, content, expect_each, is_no_database};
    use super::*;
    use crate::error::Problem;

    #[test]
    fn a_store_is_whole_or_not_there_yet() {
        expect_each(
            store,
            &[
                (|_| (), &[(Good, "/pi/var/lib/iio-focus/readings.db is whole, 20 GiB free", "")]),
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

    fn wait(facts: &mut Facts, readings: u32) {
        content(facts).waiting = Some(readings);
        content(facts).shrinks = Some(true);
    }

    #[test]
    fn a_full_backlog_is_wrong() {
        expect_each(
            backlog,
            &[
                (|_| (), &[(Good, "empty", "")]),
                (|facts| wait(facts, 1), &[(Note, "1 of at most 10080 wait", "")]),
                (|facts| wait(facts, 10_079), &[(Note, "10079 of at most 10080 wait", "")]),
                (
                    |facts| wait(facts, 10_080),
                    &[(Wrong, "10080 of at most 10080 wait: the oldest are being lost", "raise backlog")],
                ),
                // What the store's own finding tells of.
                (|facts| content(facts).waiting = None, &[]),
                (|facts| facts.store = Store::Absent, &[]),
                (is_no_database, &[]),
            ],
        );
    }

    fn space(facts: &mut Facts) -> &mut Space {
        facts.folder.space.as_mut().unwrap()
    }

    const NO_ROOM: &[Case<'static>] = &[
        (
            |facts| space(facts).free_bytes = 12 << 10,
            &[
                (
                    Wrong,
                    "the file system of /pi/var/lib/iio-focus is full (12 KiB of 28 GiB free)",
                    "make room",
                ),
                (Good, "is whole, 12 KiB free", ""),
            ],
        ),
        (|facts| space(facts).free_bytes = 1 << 20, &[(Good, "is whole, 1 MiB free", "")]),
        (
            |facts| space(facts).free_files = Some(0),
            &[(Wrong, "is full: it has no inode", "df -i"), (Good, "is whole", "")],
        ),
        (|facts| space(facts).free_files = None, &[(Good, "is whole", "")]),
        (
            |facts| space(facts).is_read_only = true,
            &[(Wrong, "is read-only", "see dmesg for why"), (Good, "is whole", "")],
        ),
        (
            |facts| {
                space(facts).free_bytes = 0;
                is_no_database(facts);
            },
            &[(Wrong, "is full (0 bytes of 28 GiB free)", "make room")],
        ),
        (|facts| facts.folder.space = None, &[(Good, "is whole", "")]),
    ];

    #[test]
    fn a_file_system_that_takes_nothing_more_is_called_so() {
        expect_each(store, NO_ROOM);
    }

    const OTHERS: &[Case<'static>] = &[
        (
            |facts| facts.folder.mode = Some(0o755),
            &[
                (Good, "", ""),
                (Note, "everybody can look into /pi/var/lib/iio-focus (mode 755)", "sudo chmod o= /pi"),
            ],
        ),
        (
            |facts| facts.folder.mode = Some(0o757),
            &[(Good, "", ""), (Wrong, "everybody can put files into", "sudo chmod o= /pi/var/lib/iio-focus")],
        ),
        (
            |facts| {
                facts.folder.mode = Some(0o1777);
                facts.folder.is_own = false;
            },
            &[(Good, "", ""), (Wrong, "everybody can put files into", "a folder of its own")],
        ),
        (
            |facts| {
                facts.folder.mode = Some(0o755);
                facts.folder.is_own = false;
            },
            &[(Good, "", "")],
        ),
        (
            |facts| {
                facts.folder.mode = Some(0o751);
                facts.folder.lock_mode = Some(0o644);
            },
            &[
                (Good, "", ""),
                (Note, "everybody can look into", "chmod o="),
                (
                    Wrong,
                    "everybody can hold the runs up at /pi/var/lib/iio-focus: its lock has mode 644",
                    "chmod 600",
                ),
            ],
        ),
        (
            |facts| facts.folder.lock_mode = Some(0o660),
            &[(Good, "", ""), (Note, "others than its owner could hold the runs up", "chmod 600")],
        ),
    ];

    #[test]
    fn who_else_gets_at_the_store_is_told() {
        expect_each(store, OTHERS);
    }

    #[test]
    fn what_was_set_aside_is_told() {
        expect_each(
            store,
            &[
                (
                    |facts| facts.folder.set_aside = vec!["/pi/readings.db.damaged-1".into()],
                    &[
                        (Good, "", ""),
                        (Note, "a damaged store was set aside as /pi/readings.db.damaged-1", "sqlite3"),
                    ],
                ),
                (
                    |facts| facts.folder.set_aside = vec!["/pi/a".into(), "/pi/b".into()],
                    &[
                        (Good, "", ""),
                        (Note, "2 damaged stores were set aside, the last one as /pi/b", "sqlite3"),
                    ],
                ),
            ],
        );
    }

    const PASSED_OVER: &[Case<'static>] = &[
        (
            |facts| {
                content(facts).waiting = Some(3);
                content(facts).passed_over.refused = 1;
                content(facts).passed_over.reason = Some("focus said: [error] too old".into());
                content(facts).shrinks = Some(true);
            },
            &[
                (Note, "3 of at most 10080 wait", ""),
                (
                    Wrong,
                    "1 reading was refused several times: focus said: [error] too old",
                    "mend what it says",
                ),
            ],
        ),
        (
            |facts| {
                content(facts).waiting = Some(2);
                content(facts).passed_over.foreign = 2;
            },
            &[(Note, "2 of at most", ""), (Note, "2 readings were taken by another machine", "")],
        ),
        (
            |facts| content(facts).waiting = Some(3),
            &[
                (Note, "3 of at most", ""),
                (Wrong, "it does not shrink: the last 10 runs were good", "--deadline"),
            ],
        ),
        (
            |facts| {
                content(facts).waiting = Some(3);
                content(facts).shrinks = None;
            },
            &[(Note, "3 of at most", "")],
        ),
    ];

    #[test]
    fn what_never_leaves_the_backlog_is_told() {
        expect_each(backlog, PASSED_OVER);
    }

    #[test]
    fn sizes_are_told_in_one_unit() {
        for (bytes, text) in
            [(0, "0 bytes"), (2048, "2 KiB"), (1 << 20, "1 MiB"), (3 << 30, "3072 MiB"), (20 << 30, "20 GiB")]
        {
            assert_eq!(size(bytes), text);
        }
    }
}
