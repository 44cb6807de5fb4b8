//! What a verification found, for people, for programs and for the log.

use std::fmt::Write;
use std::ops::Range;

use serde::Serialize;

use super::super::times;
use super::words;
use crate::arrival::{Diagnosis, Expected, Findings, Sent};
use crate::error::plural;
use crate::open_api::Project;
use crate::reading::to_units;
use crate::store::{FailedRunsBetween, Verdict, Verification};

/// What was found, and what it means.
#[derive(Debug)]
pub struct Report {
    /// What was judged, in ms since the epoch.
    pub period: Range<i64>,
    /// What was found.
    pub found: Findings,
    /// Why readings are missing.
    pub diagnosis: Diagnosis,
    /// The verdict in one line, without its word.
    pub why: String,
    /// The one thing to do next, if something is wrong.
    pub next: Option<String>,
    /// How many readings went back into the backlog.
    pub requeued: u32,
}

/// As `--json` shows it.
#[derive(Serialize)]
struct Json<'a> {
    verdict: &'static str,
    why: &'a str,
    next: Option<&'a str>,
    since: String,
    until: String,
    taken: u32,
    arrived: u32,
    waiting: u32,
    missing: u32,
    arrived_twice: u32,
    not_ours: u32,
    requeued: u32,
    first_missing: Vec<Missing>,
}

#[derive(Serialize)]
struct Missing {
    time: String,
    temperature_celsius: f64,
    humidity_percent: f64,
    delivered: Option<String>,
}

impl Report {
    /// Puts into words what was found. `trouble` is what the store says of the time of a block.
    pub(super) fn new(
        period: Range<i64>,
        found: Findings,
        diagnosis: Diagnosis,
        trouble: Option<&FailedRunsBetween>,
        project: &Project,
    ) -> Report {
        let why = words::why(&found, &diagnosis, trouble, project);
        let next = words::next(&found, &diagnosis);
        Report { period, found, diagnosis, why, next, requeued: 0 }
    }

    /// The verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self.diagnosis {
            Diagnosis::Nothing => Verdict::Ok,
            Diagnosis::Waiting => Verdict::Waiting,
            Diagnosis::Block(_) | Diagnosis::Scattered => Verdict::Missing,
            _ => Verdict::Wrong,
        }
    }

    /// Notes that so many of the missing readings went back into the backlog.
    pub(super) fn note_requeued(&mut self, requeued: u32) {
        self.requeued = requeued;
        let left = self.found.missing - self.found.given_up - requeued.min(self.found.missing);
        self.next = match (requeued, left) {
            (0, 0) => self.next.take(),
            (0, _) => {
                Some("none was put back: the backlog has no room for them now, try again later".to_owned())
            }
            (_, 0) => Some(format!(
                "{requeued} {} put back: the next runs send them",
                plural(requeued, "was", "were")
            )),
            _ => Some(format!(
                "{requeued} {} put back, and {left} found no room: when the next runs have sent them, try again",
                plural(requeued, "was", "were")
            )),
        };
    }

    /// Notes that nothing is put back although it was asked for: it would help nothing.
    pub(super) fn note_refused(&mut self) {
        self.next = self.next.take().map(|next| format!("{next}; nothing was put back into the backlog"));
    }

    /// As the store keeps it.
    pub(super) fn verification(&self, at_ms: i64, alerted: bool) -> Verification {
        let found = &self.found;
        Verification {
            at_ms,
            since_ms: self.period.start,
            until_ms: self.period.end,
            verdict: self.verdict(),
            taken: found.taken,
            arrived: found.arrived,
            waiting: found.waiting,
            missing: found.missing,
            twice: found.twice,
            not_ours: found.not_ours,
            requeued: self.requeued,
            why: self.why.clone(),
            alerted,
        }
    }

    /// For people: the verdict in the first line, then the counts, then the first missing readings, then what to do.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}: {}\n\n", self.verdict().name(), self.why);
        let Range { start, end } = self.period;
        let period = format!("{} to {}", times::local_text(start), times::local_text(end));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<16}{period}", "period");
        for (name, count) in self.counts() {
            let _ = writeln!(text, "{name:<16}{count}");
        }
        for (at, reading) in self.found.first_missing.iter().enumerate() {
            let heading = if at == 0 { "first missing" } else { "" };
            let _ = writeln!(text, "{heading:<16}{}", missing_text(reading));
        }
        if let Some(next) = &self.next {
            let _ = writeln!(text, "\nnext: {next}");
        }
        text
    }

    fn counts(&self) -> [(&'static str, u32); 7] {
        let found = &self.found;
        [
            ("taken", found.taken),
            ("arrived", found.arrived),
            ("waiting", found.waiting),
            ("missing", found.missing),
            ("arrived twice", found.twice),
            ("not ours", found.not_ours),
            ("requeued", self.requeued),
        ]
    }

    /// For the log, in one line.
    pub(super) fn line(&self) -> String {
        let counts =
            self.counts().map(|(name, count)| format!(" {}={count}", name.replace(' ', "-"))).concat();
        let verdict = self.verdict();
        let mut line = format!("verified={}{counts}", verdict.name());
        if verdict != Verdict::Ok {
            line += &format!(": {}", self.why);
            line += &self.next.as_ref().map(|next| format!("; {next}")).unwrap_or_default();
        }
        line
    }

    /// For programs.
    pub(super) fn json(&self) -> String {
        let found = &self.found;
        let json = Json {
            verdict: self.verdict().name(),
            why: &self.why,
            next: self.next.as_deref(),
            since: times::rfc3339(self.period.start),
            until: times::rfc3339(self.period.end),
            taken: found.taken,
            arrived: found.arrived,
            waiting: found.waiting,
            missing: found.missing,
            arrived_twice: found.twice,
            not_ours: found.not_ours,
            requeued: self.requeued,
            first_missing: found.first_missing.iter().map(Missing::of).collect(),
        };
        // This cannot fail: the keys are strings, the values strings and finite numbers.
        serde_json::to_string(&json).unwrap_or_default() + "\n"
    }
}

impl Missing {
    fn of(reading: &Expected) -> Missing {
        Missing {
            time: times::rfc3339(reading.taken_ms),
            temperature_celsius: to_units(reading.reading.temperature_mdegc),
            humidity_percent: to_units(reading.reading.humidity_mpercent),
            delivered: delivered_ms(reading).map(times::rfc3339),
        }
    }
}

fn delivered_ms(reading: &Expected) -> Option<i64> {
    match reading.sent {
        Sent::AtOnce { delivered_ms } | Sent::FromBacklog { delivered_ms, .. } => Some(delivered_ms),
        Sent::Waiting => None,
    }
}

fn missing_text(reading: &Expected) -> String {
    let (taken, sent) = (times::local_text(reading.taken_ms), delivered_ms(reading).map(times::local_text));
    let how = match reading.sent {
        Sent::FromBacklog { .. } => "from the backlog ",
        _ => "",
    };
    format!(
        "{taken}  {:.1} °C, {:.1} %RH, delivered {how}{}",
        to_units(reading.reading.temperature_mdegc),
        to_units(reading.reading.humidity_mpercent),
        sent.unwrap_or_default()
    )
}
