//! WhaTap's `focus`: its arguments, its input, and whether it delivered.
//!
//! What is known of focus 1.1.5: it reads one JSON object on a line of standard input and prints `[TCP] Connected` when
//! it has reached the server; if it cannot reach it, it tries for ever. Its exit statuses are undocumented, so its
//! output counts as much as its exit status.

pub mod transcript;

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use crate::child::{Child, Ending, GRACE, find_program, finish_all};
use crate::clock::Deadline;
use crate::error::Problem;
use crate::reading::{Field, Reading};
use crate::secret::Secret;
use crate::signals::SystemClock;
use transcript::Transcript;

/// What is shown in place of the licence.
pub(crate) const REDACTED: &str = "[license]";

/// What shows that focus has delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirm {
    /// It printed `[TCP] Connected`, and it exited with 0.
    Connected,
    /// It exited with 0: for a focus that prints nothing.
    ExitStatus,
}

/// What to do when focus is not found.
pub(crate) const SET_PROGRAM: &str = "set program in [focus] to its full path";

/// Which of focus's arguments is the licence.
const LICENSE_AT: usize = 1;

/// Why focus did not deliver.
#[derive(Debug)]
pub struct DeliveryFailure {
    /// What happened, in focus's own words where it said any.
    pub problem: Problem,
    /// Focus ended by itself and did not deliver. Else it was not started, did not end in time or was killed, which says
    /// nothing about this reading.
    pub refused: bool,
}

/// An alert that focus can send.
#[derive(Clone, Copy, Debug)]
pub struct Notice<'a> {
    /// `info`, `warn` or `fatal`.
    pub level: &'a str,
    /// What it is about.
    pub title: &'a str,
    /// What happened.
    pub message: &'a str,
}

/// What one start of focus gets.
struct Call {
    /// After those that are the same for all.
    arguments: Vec<String>,
    input: String,
}

/// How to call focus.
#[derive(Clone, Debug)]
pub struct Focus {
    /// A path, or a name looked up in `PATH`.
    pub program: PathBuf,
    /// `-license`
    pub license: Secret,
    /// `-pcode`
    pub pcode: u64,
    /// `-server.host`
    pub server_host: String,
    /// `-server.port`
    pub server_port: u16,
    /// `-category`
    pub category: String,
    /// `-oname`, `-okind`, `-onode`, `-pk`: option and value, as far as they are set.
    pub optional: Vec<(&'static str, String)>,
    /// `-tag.NAME VALUE`
    pub tags: Vec<(String, String)>,
    /// The quantities that focus gets.
    pub fields: Vec<Field>,
    /// The longest that one run of focus may take.
    pub timeout: Duration,
    /// What shows that focus has delivered.
    pub confirm: Confirm,
    /// After how many failed runs in a row an alert is raised, if ever.
    pub alert_after: Option<u32>,
}

impl Focus {
    /// Runs focus once for each of these readings, at the same time. An older one has its time, in seconds since the epoch.
    /// A focus that has not ended in time for `until` is killed. An error is why a reading does not count as delivered.
    pub fn deliver(
        &self,
        readings: &[(Reading, Option<i64>)],
        until: Deadline,
        clock: &SystemClock,
    ) -> Vec<Result<(), DeliveryFailure>> {
        let call = |(reading, taken): &(Reading, Option<i64>)| Call {
            arguments: taken.iter().flat_map(|taken| ["-now".to_owned(), taken.to_string()]).collect(),
            input: reading.json(&self.fields) + "\n",
        };
        let calls: Vec<Call> = readings.iter().map(call).collect();
        let judge = |run: Result<(Ending, Transcript), Problem>| {
            let (ending, transcript) = run.map_err(|problem| DeliveryFailure { problem, refused: false })?;
            let refused = matches!(ending, Ending::Exited(_));
            verdict(&ending, &transcript, self.confirm)
                .map_err(|problem| DeliveryFailure { problem, refused })
        };
        self.run(&calls, until, clock).into_iter().map(judge).collect()
    }

    /// Runs focus once to send an alert (`-alert`, which is in its documentation, but not in the usage text of
    /// 1.1.5).
    ///
    /// # Errors
    /// A [`Problem`] if the alert cannot have been sent. If focus was connected, it counts as sent even if focus failed
    /// after that: losing one alert is better than sending the same alert in each run.
    pub fn alert(&self, notice: &Notice<'_>, until: Deadline, clock: &SystemClock) -> Result<(), Problem> {
        let Notice { level, title, message } = notice;
        let alert = ["-alert", "-level", level, "-title", title, "-message", message].map(str::to_owned);
        let call = Call { arguments: alert.to_vec(), input: String::new() };
        self.run(&[call], until, clock).into_iter().try_for_each(|run| {
            let (ending, transcript) = run?;
            if transcript.tells_of_success() { Ok(()) } else { verdict(&ending, &transcript, self.confirm) }
        })
    }

    /// Runs focus once for each call, at the same time. All have ended when `until` is reached.
    fn run(
        &self,
        calls: &[Call],
        until: Deadline,
        clock: &SystemClock,
    ) -> Vec<Result<(Ending, Transcript), Problem>> {
        let (program, limit) = match self.before_start(until, clock) {
            Ok(ready) => ready,
            Err(problem) => return calls.iter().map(|_| Err(problem.clone())).collect(),
        };
        let mut children = Vec::new();
        let started: Vec<Result<(), Problem>> = calls
            .iter()
            .map(|call| {
                Child::start(
                    &program,
                    &self.arguments(&call.arguments),
                    Some(LICENSE_AT),
                    call.input.as_bytes(),
                )
            })
            .map(|child| child.map(|child| children.push(child)))
            .collect();
        let mut transcripts: Vec<_> = children.iter().map(|_| Transcript::new(&self.license)).collect();
        let endings = finish_all(children, limit, clock, &mut |child, stream, bytes| {
            transcripts[child].feed(stream, bytes);
            true
        });
        transcripts.iter_mut().for_each(Transcript::finish);
        let mut ended = endings.into_iter().zip(transcripts);
        started.into_iter().filter_map(|started| started.map(|()| ended.next()).transpose()).collect()
    }

    /// Where focus is, and how long it may take.
    fn before_start(&self, until: Deadline, clock: &SystemClock) -> Result<(PathBuf, Duration), Problem> {
        if let Some(signal) = clock.ending() {
            return Err(Problem::new(format!("focus was not started: ended by {signal}")));
        }
        let left = u64::try_from(until.earlier_by(GRACE).left(clock).as_millis()).unwrap_or(u64::MAX);
        let limit = self.timeout.min(Duration::from_millis(left));
        if limit.is_zero() {
            return Err(Problem::new("focus was not started: no time was left before the deadline"));
        }
        let program = find_program(&self.program, env::var_os("PATH").as_deref())
            .map_err(|problem| problem.advise(SET_PROGRAM))?;
        Ok((program, limit))
    }

    fn arguments(&self, extra_arguments: &[String]) -> Vec<String> {
        let mut all = vec![
            "-license".to_owned(),
            self.license.expose().to_owned(),
            "-pcode".to_owned(),
            self.pcode.to_string(),
            "-server.host".to_owned(),
            self.server_host.clone(),
            "-server.port".to_owned(),
            self.server_port.to_string(),
            "-category".to_owned(),
            self.category.clone(),
            "-onetime".to_owned(),
        ];
        for (option, value) in &self.optional {
            all.extend([(*option).to_owned(), value.clone()]);
        }
        for (name, value) in &self.tags {
            all.extend([format!("-tag.{name}"), value.clone()]);
        }
        all.extend_from_slice(extra_arguments);
        all
    }
}

/// Whether the reading counts as delivered: an error says why not.
fn verdict(ending: &Ending, transcript: &Transcript, confirm: Confirm) -> Result<(), Problem> {
    let how = match ending {
        Ending::TimedOut(limit) => {
            format!("focus did not finish within {}", humantime::format_duration(*limit))
        }
        Ending::Interrupted(signal) => format!("focus was ended: this program got {signal}"),
        Ending::Killed(signal) => format!("focus was killed by {signal}"),
        Ending::Exited(0) => match confirm {
            _ if transcript.has_fault() => "focus could not deliver".to_owned(),
            Confirm::Connected if !transcript.has_connected() => {
                "focus exited with 0 but did not say that it was connected".to_owned()
            }
            _ => return Ok(()),
        },
        Ending::Exited(status) => format!("focus exited with {status}"),
    };
    Err(Problem::new(match transcript.line_to_quote() {
        Some(line) => format!("{how}; it said: {line}"),
        None => format!("{how}; it said nothing"),
    }))
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::Signal;

    use super::*;

    const LICENSE: &str = "x0000-test-0042";

    fn transcript_of(text: &str) -> Transcript {
        let mut transcript = Transcript::new(&Secret::new(LICENSE));
        transcript.feed(1, text.as_bytes());
        transcript.finish();
        transcript
    }

    #[test]
    fn the_verdict_is_the_ending_and_the_words_together() {
        let limit = Duration::from_secs(15);
        for (ending, text, confirm, wanted) in [
            (Ending::Exited(0), "[TCP] Connected", Confirm::Connected, Ok(())),
            (Ending::Exited(0), "", Confirm::ExitStatus, Ok(())),
            (
                Ending::Exited(0),
                "",
                Confirm::Connected,
                Err("focus exited with 0 but did not say that it was connected; it said nothing"),
            ),
            (
                Ending::Exited(0),
                "[TCP] Connected\n[error] send fail\n[TCP] Closed",
                Confirm::ExitStatus,
                Err("focus could not deliver; it said: [error] send fail"),
            ),
            (
                Ending::Exited(1),
                "[TCP] Connected\n\n  \n",
                Confirm::ExitStatus,
                Err("focus exited with 1; it said: [TCP] Connected"),
            ),
            (
                Ending::Killed(Signal::SIGSEGV),
                "[TCP] Connected",
                Confirm::Connected,
                Err("focus was killed by SIGSEGV; it said: [TCP] Connected"),
            ),
            (
                Ending::TimedOut(limit),
                "[TCP] Connected",
                Confirm::ExitStatus,
                Err("focus did not finish within 15s; it said: [TCP] Connected"),
            ),
            (
                Ending::Interrupted(Signal::SIGTERM),
                "",
                Confirm::Connected,
                Err("focus was ended: this program got SIGTERM; it said nothing"),
            ),
        ] {
            let found = verdict(&ending, &transcript_of(text), confirm);
            assert_eq!(found, wanted.map_err(Problem::new), "{ending:?}");
        }
    }

    #[test]
    fn tags_are_arguments_and_the_licence_is_not_shown() {
        let focus = Focus {
            program: "focus".into(),
            license: Secret::new(LICENSE),
            pcode: 7000,
            server_host: "h".to_owned(),
            server_port: 1,
            category: "sensor".to_owned(),
            optional: Vec::new(),
            tags: vec![("room".to_owned(), "kitchen".to_owned())],
            fields: Field::DEFAULT.to_vec(),
            timeout: Duration::from_secs(1),
            confirm: Confirm::Connected,
            alert_after: None,
        };
        assert_eq!(focus.arguments(&[])[11..], ["-tag.room", "kitchen"]);
        assert!(!format!("{focus:?}").contains(LICENSE));
    }
}
