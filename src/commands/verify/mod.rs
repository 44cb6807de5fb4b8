//! `iio-focus verify`: asks WhaTap which of the stored readings it has.

mod ask;
mod report;
mod words;

use std::env;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use super::selection;
use crate::arrival::{self, Expected, MOST_REQUEUED, Matcher, Others, Sample, Sent};
use crate::child::GRACE;
use crate::cli;
use crate::clock::{Clock, DAY_MS, Deadline, HOUR_MS, millis};
use crate::config::{self, Config};
use crate::error::{Error, Exit, Problem};
use crate::focus::Notice;
use crate::logger::{self, Destination};
use crate::open_api::Project;
use crate::output::{clean, print};
use crate::reading::SentValues;
use crate::signals::SystemClock;
use crate::store::{History, SentIndex, SentReading, Store, Verdict, Verification};
use ask::Asker;
pub use report::Report;

/// The longest window that is asked for.
const WINDOW_MS: i64 = 6 * HOUR_MS;

/// Readings that are younger are not judged: they may be on their way.
const TOO_YOUNG_MS: i64 = 600_000;

/// How many onames of others are named.
const NAMED: usize = 5;

/// Prints which readings of a period arrived, or logs it in one line. Returns [`Exit::Trouble`] if not all did.
///
/// # Errors
/// [`Error::Usage`] or [`Error::Config`] if the command line or the configuration is wrong; [`Error::NotAsked`] if WhaTap
/// cannot be asked; [`Error::Store`] or [`Error::NotKept`] if the store cannot be read or has no such reading.
pub fn run(args: &cli::Args, verify: &cli::Verify) -> Result<Exit, Error> {
    if verify.json && verify.log.is_some() {
        return Err(Error::Usage(Problem::new("--json and --log: only one of them at a time")));
    }
    let destination = match &verify.log {
        Some(log) => config::log_destination(Some(log))?,
        None => Destination::Stderr,
    };
    logger::init(destination, false);
    let clock = SystemClock::new().map_err(|errno| Error::System("signalfd", errno.into()))?;
    let env = |name: &str| env::var_os(name);
    let config = Config::load(args, &env)?;
    let (project, warnings) = Config::project(Path::new("/"), args, &env)?;
    for warning in config.warnings.iter().chain(&warnings) {
        log::warn!("{warning}");
    }
    let project = project.ok_or_else(|| lacks_token(&config))?;
    let now = clock.moment();
    let period = period(verify, now.wall_ms)?;
    let history = History::open(&config.store.path, &now)?;
    let command = Command { args, verify, config: &config, history: &history, clock: &clock };
    match check(&project, &history, period.clone(), config.deadline, &clock) {
        Ok(report) => command.report(report),
        Err(error) => {
            if let Error::NotAsked(problem) = &error {
                command.note_unknown(period, problem);
            }
            Err(error)
        }
    }
}

/// Asks WhaTap for the readings of a period, in ms since the epoch. A run takes at most `longest_run`.
///
/// # Errors
/// As [`run`].
pub fn check(
    project: &Project,
    history: &History,
    period: Range<i64>,
    longest_run: Duration,
    clock: &SystemClock,
) -> Result<Report, Error> {
    let index = history.sent_index()?;
    let since_ms = index.oldest_ms().map_or(period.start, |oldest_ms| period.start.max(oldest_ms));
    let period = since_ms..period.end;
    if !history.has_readings(period.start, period.end)? {
        return Err(Error::NotKept(Problem::new(
            "there is no reading in that period that is older than 10 minutes, so there is nothing to verify",
        )));
    }
    let mut check = Check {
        project,
        history,
        index,
        period,
        longest_run_ms: millis(longest_run),
        asker: Asker::new(project, clock),
    };
    check.run()
}

/// Asks WhaTap for the readings of the last hour, as far as they are old enough to be judged.
///
/// # Errors
/// As [`run`].
pub fn last_hour(
    project: &Project,
    history: &History,
    longest_run: Duration,
    clock: &SystemClock,
) -> Result<Report, Error> {
    let now_ms = clock.moment().wall_ms;
    check(project, history, now_ms - HOUR_MS..now_ms - TOO_YOUNG_MS, longest_run, clock)
}

/// The configuration has no API token.
fn lacks_token(config: &Config) -> Error {
    let what =
        format!("{}: [verify] lacks token (or token-file, or WHATAP_API_TOKEN)", config.file.display());
    Error::Config(Problem::new(what).advise(config::HOW_TO_GET_A_TOKEN))
}

/// What is judged, in ms since the epoch.
fn period(verify: &cli::Verify, now_ms: i64) -> Result<Range<i64>, Error> {
    let (since, until) = (verify.since.as_deref(), verify.until.as_deref());
    let (since_ms, until_ms) = selection::period(since, until, Some(DAY_MS), now_ms)?;
    let until_ms = until_ms.min(now_ms - TOO_YOUNG_MS);
    if since_ms >= until_ms {
        let what = "--since: must be more than 10 minutes ago: younger readings are not judged";
        return Err(Error::Usage(Problem::new(what)));
    }
    Ok(since_ms..until_ms)
}

/// One verification under way.
struct Check<'a> {
    project: &'a Project,
    history: &'a History,
    index: SentIndex,
    period: Range<i64>,
    longest_run_ms: i64,
    asker: Asker<'a>,
}

impl Check<'_> {
    fn run(&mut self) -> Result<Report, Error> {
        let mut matcher = Matcher::new(self.period.clone(), self.longest_run_ms);
        // Readings right beside the period explain samples at its ends.
        let beside_ms = self.longest_run_ms.min(HOUR_MS) + TOO_YOUNG_MS / 10;
        let (mut from, end) = (self.period.start - beside_ms, self.period.end + beside_ms);
        let mut newest = from..end;
        while from < end {
            let window = from..end.min(from + WINDOW_MS);
            let readings = self.expected(&window)?;
            let judged = readings.iter().any(|reading| reading.judged);
            let sent = readings.iter().filter(|reading| reading.sent != Sent::Waiting);
            let times = sent.map(|reading| reading.taken_ms);
            let expected = times.clone().min().zip(times.max());
            let rows = self.asker.samples(window.clone(), expected)?;
            let samples = rows.iter().map(|row| Sample { time_ms: row.time_ms, values: row.values });
            matcher.window(readings, samples, window.end);
            if judged {
                newest = window.clone();
            }
            from = window.end;
        }
        let found = matcher.finish();
        let mut others = Others { pcode: self.asker.other_pcode, ..Others::default() };
        if found.missing > 0 && found.arrived == 0 && found.not_ours == 0 && others.pcode.is_none() {
            others = self.others(&newest)?;
        }
        let diagnosis = arrival::diagnose(&found, &others);
        let trouble = match diagnosis {
            arrival::Diagnosis::Block(block) => {
                self.history.failed_runs_between(block.first_id, block.last_id)?
            }
            _ => None,
        };
        Ok(Report::new(self.period.clone(), found, diagnosis, trouble.as_ref(), self.project))
    }

    fn expected(&self, window: &Range<i64>) -> Result<Vec<Expected>, Error> {
        let sent = self.history.sent(&self.index, window.start, window.end)?;
        Ok(sent.iter().map(|reading| self.expect(reading)).collect())
    }

    fn expect(&self, kept: &SentReading) -> Expected {
        Expected {
            id: kept.id,
            taken_ms: kept.taken_ms,
            sent: how_sent(kept),
            reading: kept.reading,
            values: SentValues::of(kept.reading, &self.project.fields),
            requeued: kept.requeued,
            judged: self.period.contains(&kept.taken_ms),
        }
    }

    /// What others have in our category.
    fn others(&mut self, window: &Range<i64>) -> Result<Others, Error> {
        let mut others = Others::default();
        for row in self.asker.everyones(window)? {
            others.pcode = others.pcode.or(row.pcode.filter(|pcode| *pcode != self.project.pcode));
            let is_new = |oname: &String| *oname != self.project.oname && !others.onames.contains(oname);
            let oname = row.oname.map(|oname| clean(&oname, ' '));
            if let Some(oname) = oname.filter(is_new).filter(|_| others.onames.len() < NAMED) {
                others.onames.push(oname);
            }
        }
        Ok(others)
    }
}

/// How a reading was sent, as far as the store tells it.
fn how_sent(kept: &SentReading) -> Sent {
    let Some(delivered_ms) = kept.delivered_ms else { return Sent::Waiting };
    // A run takes its own reading before it delivers others: one that was delivered after the next was taken was delivered
    // by another run than its own.
    let was_later = kept.next_taken_ms.is_some_and(|next_ms| next_ms <= delivered_ms);
    let failed = kept.status == Some(Exit::NotDelivered.status());
    if was_later || failed {
        Sent::FromBacklog { delivered_ms, own_run_too: kept.status.is_none() }
    } else {
        Sent::AtOnce { delivered_ms }
    }
}

/// What is done with what was found.
struct Command<'a> {
    args: &'a cli::Args,
    verify: &'a cli::Verify,
    config: &'a Config,
    history: &'a History,
    clock: &'a SystemClock,
}

impl Command<'_> {
    fn report(&self, mut report: Report) -> Result<Exit, Error> {
        let mut store = Store::new(&self.config.store);
        match self.verify.requeue {
            true if report.diagnosis.can_requeue() => {
                let requeued = store.requeue(&report.found.can_requeue, MOST_REQUEUED);
                report.note_requeued(requeued.unwrap_or(0));
            }
            true if report.found.missing > 0 => report.note_refused(),
            _ => {}
        }
        let alerted = self.alert(report.verdict(), &report.why);
        store.note_verification(&report.verification(self.clock.moment().wall_ms, alerted));
        match (&self.verify.log, report.verdict()) {
            (Some(_), Verdict::Ok) => log::info!("{}", report.line()),
            (Some(_), _) => log::error!("{}", report.line()),
            (None, _) => print(&if self.verify.json { report.json() } else { report.text() })?,
        }
        Ok(if report.verdict() == Verdict::Ok { Exit::Success } else { Exit::Trouble })
    }

    /// Keeps it in the store that WhaTap could not be asked.
    fn note_unknown(&self, period: Range<i64>, problem: &Problem) {
        let why = problem.to_string();
        let alerted = self.alert(Verdict::Unknown, &why);
        Store::new(&self.config.store).note_verification(&Verification {
            at_ms: self.clock.moment().wall_ms,
            since_ms: period.start,
            until_ms: period.end,
            verdict: Verdict::Unknown,
            taken: 0,
            arrived: 0,
            waiting: 0,
            missing: 0,
            twice: 0,
            not_ours: 0,
            requeued: 0,
            why,
            alerted,
        });
    }

    /// Tells WhaTap once when something is missing or wrong, and once when it is well again, if a timer started this and
    /// alerts are configured. Returns whether an alert is raised now.
    fn alert(&self, verdict: Verdict, why: &str) -> bool {
        let last = self.history.last_verification().ok().flatten();
        let raised = last.is_some_and(|last| last.alerted);
        let (level, title) = match verdict {
            Verdict::Ok if raised => ("info", "iio-focus: all readings arrived"),
            Verdict::Missing | Verdict::Wrong | Verdict::Unknown if !raised => {
                ("warn", "iio-focus: not all readings arrived")
            }
            _ => return raised,
        };
        let sent = self.send_alert(&Notice { level, title, message: why });
        if sent { !raised } else { raised }
    }

    fn send_alert(&self, notice: &Notice<'_>) -> bool {
        if self.verify.log.is_none() {
            return false;
        }
        let loaded = Config::load_under(Path::new("/"), self.args, &|name| env::var_os(name), true);
        let focus = loaded.map(|config| config.focus.filter(|focus| focus.alert_after.is_some()));
        let sent = match focus {
            Ok(None) => return false,
            Err(error) => Err(Problem::new(error.to_string())),
            Ok(Some(focus)) => {
                let until = Deadline(self.clock.now() + focus.timeout + GRACE);
                focus.alert(notice, until, self.clock)
            }
        };
        if let Err(problem) = &sent {
            log::warn!("the alert has to wait: {problem}");
        }
        sent.is_ok()
    }
}
