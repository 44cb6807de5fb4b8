//! The summary for people: the verdict in the first line, then the details.

use std::fmt::Write;

use super::runs::{PERIODS, Period};
use super::verdict::Verdict;
use super::{Gap, LastFailure, LastVerification, Summary};
use crate::commands::times;
use crate::output::clean;
use crate::reading::to_units;
use crate::store::PassedOver;

pub(super) fn text(summary: &Summary, now_ms: i64) -> String {
    let verdict = match summary.verdict {
        Verdict::Ok => "ok",
        Verdict::Failing => "failing",
        Verdict::Stale => "stale",
    };
    let mut text = format!("{verdict}: {}\n\n", clean(&summary.why, ' '));
    for (name, value) in readings(summary, now_ms).into_iter().chain(runs(summary, now_ms)) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<16}{}", clean(&value, ' '));
    }
    text
}

fn readings(summary: &Summary, now_ms: i64) -> Vec<(String, String)> {
    let time = |ms: i64| time_and_age(ms, now_ms);
    let mut lines = Vec::new();
    let mut line = |name: &str, value: String| lines.push((name.to_owned(), value));
    if let Some(last) = &summary.last_reading {
        let values = format!(
            "{:.1} °C, {:.1} %RH from {}",
            to_units(last.temperature_mdegc),
            to_units(last.humidity_mpercent),
            last.sensor
        );
        line("last reading", format!("{values}, {}", time(last.at_ms)));
    }
    line("last delivery", summary.last_delivery.map_or("none yet".to_owned(), time));
    if let Some(LastVerification { at_ms, verdict, why, .. }) = &summary.last_verification {
        line("verified", format!("{}: {verdict}: {why}", time(*at_ms)));
    }
    line("backlog", summary.backlog.to_string());
    if let Some(oldest) = &summary.oldest_waiting {
        line("oldest waiting", time(oldest.at_ms));
    }
    if let Some(value) = line_of_passed_over(&summary.passed_over) {
        line("passed over", value);
    }
    if let Some((last, earlier)) = summary.set_aside.split_last() {
        let more = if earlier.is_empty() { String::new() } else { format!(", and {} before", earlier.len()) };
        line("set aside", format!("{last}{more}: a store that was damaged"));
    }
    if let Some(Gap { length_ms, from_ms }) = &summary.longest_gap {
        line("longest gap", format!("{} from {}", times::length(*length_ms), times::local_text(*from_ms)));
    }
    lines
}

fn line_of_passed_over(passed_over: &PassedOver) -> Option<String> {
    let PassedOver { refused, reason, foreign } = passed_over;
    let refused = (*refused > 0).then(|| match reason {
        Some(reason) => format!("{refused} refused by focus, and tried again later ({reason})"),
        None => format!("{refused} refused by focus, and tried again later"),
    });
    let foreign = (*foreign > 0).then(|| format!("{foreign} of another machine, and never sent"));
    let both: Vec<String> = refused.into_iter().chain(foreign).collect();
    (!both.is_empty()).then(|| both.join("; "))
}

fn runs(summary: &Summary, now_ms: i64) -> Vec<(String, String)> {
    let of_period = |(name, _): (&str, i64)| {
        let period = &summary.periods[name];
        let runs = percentage(period.good_runs, period.runs);
        let tries = percentage(period.good_tries, period.tries);
        (format!("last {name}"), format!("good runs {runs}, good tries {tries}, errors {}", errors(period)))
    };
    let failure = summary.last_failure.as_ref().and_then(|LastFailure { at_ms, error, .. }| {
        Some(("last failure".to_owned(), format!("{}: {}", time_and_age(*at_ms, now_ms), error.as_ref()?)))
    });
    PERIODS.into_iter().map(of_period).chain(failure).collect()
}

fn time_and_age(ms: i64, now_ms: i64) -> String {
    format!("{}, {}", times::local_text(ms), times::ago(ms, now_ms))
}

fn errors(period: &Period) -> String {
    let mut errors: Vec<_> = period.errors.iter().collect();
    errors.sort_by_key(|(_, times)| std::cmp::Reverse(**times));
    let errors: Vec<String> = errors.iter().map(|(name, times)| format!("{name} {times}")).collect();
    if errors.is_empty() { "none".to_owned() } else { errors.join(", ") }
}

/// How many were good, as a percentage: `98.5 % of 1440`.
fn percentage(good: u32, all: u32) -> String {
    if all == 0 {
        return "none".to_owned();
    }
    // Rounded down, so that 100 % is printed only if all were good.
    let permille = u64::from(good) * 1000 / u64::from(all);
    format!("{}.{} % of {all}", permille / 10, permille % 10)
}
