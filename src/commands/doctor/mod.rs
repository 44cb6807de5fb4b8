//! `iio-focus doctor`: goes the way of the data and says what is wrong, and the one thing to do next.
//!
//! It only looks, and holds no run up. Every wait has a limit, and a signal ends it at once. `facts` looks; the checks
//! judge what it saw, and look at nothing themselves.

mod arrival;
mod boot;
mod clock;
mod configuration;
mod cron;
mod delivery;
mod driver;
mod facts;
pub(super) mod for_setup;
mod last_run;
mod rights;
mod schedule;
mod store;
mod tries;

use std::env;
use std::io::{self, IsTerminal};

use serde::Serialize;

use self::facts::Facts;
use crate::cli;
use crate::error::{Error, Exit, Problem, plural};
use crate::output::clean;

/// Prints each finding as soon as it is there, or all of them as a JSON array. Returns [`Exit::Trouble`] if something
/// is wrong.
///
/// # Errors
/// What is wrong with the command line; what standard output said, but not that nobody reads it.
pub fn run(args: &cli::Args, doctor: &cli::Doctor) -> Result<Exit, Error> {
    let mut report = Report { json: doctor.json, coloured: wants_colours(), findings: Vec::new() };
    // In the data's order. What takes long is done when those before it were told.
    let (mut facts, sensors) = Facts::of_machine(args, doctor)?;
    report.add(&facts, "overlay file", boot::overlay_file)?;
    report.add(&facts, "config.txt", boot::overlay_lines)?;
    report.add(&facts, "driver", driver::available)?;
    report.add(&facts, "device", driver::bound)?;
    report.add(&facts, "sensor", driver::sensors)?;
    report.add(&facts, "second reader", driver::second_reader)?;
    for sensor in &sensors {
        facts.try_sensor(sensor);
        report.add(&facts, "tries", tries::tries)?;
        report.add(&facts, "kernel log", tries::kernel_log)?;
        report.add(&facts, "second reader", driver::reader_in_tries)?;
    }
    facts.look_at_focus();
    report.add(&facts, "focus", delivery::program)?;
    report.add(&facts, "configuration", configuration::configuration)?;
    report.add(&facts, "licence", configuration::licence)?;
    facts.connect();
    report.add(&facts, "server", delivery::server)?;
    facts.look_at_runs();
    report.add(&facts, "clock", clock::clock)?;
    report.add(&facts, "store", store::store)?;
    report.add(&facts, "backlog", store::backlog)?;
    report.add(&facts, "timer or cron", schedule::schedule)?;
    report.add(&facts, "rights", rights::rights)?;
    report.add(&facts, "last run", last_run::last_run)?;
    // Last, since from here on a signal ends the question, and not this process at once.
    facts.ask_whatap(args);
    report.add(&facts, "arrival", arrival::arrival)?;
    report.end()
}

/// What was found so far, and how it is told.
struct Report {
    json: bool,
    coloured: bool,
    findings: Vec<NamedFinding>,
}

/// A finding and the name of the check that made it.
#[derive(Serialize)]
struct NamedFinding {
    check: &'static str,
    #[serde(flatten)]
    finding: Finding,
}

impl Report {
    fn add(
        &mut self,
        facts: &Facts,
        check: &'static str,
        judge: fn(&Facts) -> Vec<Finding>,
    ) -> Result<(), Error> {
        for finding in judge(facts) {
            if !self.json {
                super::print(&finding.text(check, self.coloured))?;
            }
            self.findings.push(NamedFinding { check, finding });
        }
        Ok(())
    }

    fn end(self) -> Result<Exit, Error> {
        let wrong = self.findings.iter().filter(|named| named.finding.state == State::Wrong).count();
        super::print(&if self.json {
            // Strings under literal names: there is nothing that could fail.
            serde_json::to_string(&self.findings).unwrap_or_default() + "\n"
        } else {
            summary(wrong)
        })?;
        Ok(if wrong == 0 { Exit::Success } else { Exit::Trouble })
    }
}

fn summary(wrong: usize) -> String {
    match u32::try_from(wrong).unwrap_or(u32::MAX) {
        0 => "\nnothing is wrong\n".to_owned(),
        n => format!("\n{n} {} wrong; begin with the first\n", plural(n, "thing is", "things are")),
    }
}

/// How it is with what was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    /// Neither right nor wrong, or it could not be looked at.
    Note,
    Wrong,
}

/// What was found, and what to do about it.
#[derive(Debug, Serialize)]
struct Finding {
    state: State,
    found: String,
    advice: Option<String>,
}

impl Finding {
    fn new(state: State, found: impl Into<String>) -> Finding {
        Finding { state, found: clean(&found.into(), ' '), advice: None }
    }

    fn ok(found: impl Into<String>) -> Finding {
        Finding::new(State::Ok, found)
    }

    fn note(found: impl Into<String>) -> Finding {
        Finding::new(State::Note, found)
    }

    fn wrong(found: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding::new(State::Wrong, found).advise(advice)
    }

    /// A file that is there cannot be used.
    fn unusable_file(problem: &Problem) -> Finding {
        let advice = if problem.denied { "run this with sudo" } else { "put a file there that can be read" };
        Finding::wrong(&problem.what, advice)
    }

    fn advise(self, advice: impl Into<String>) -> Finding {
        Finding { advice: Some(clean(&advice.into(), ' ')), ..self }
    }

    /// Wrong if the data cannot flow without it; else worth a word.
    fn wrong_if(self, wrong: bool, advice: impl Into<String>) -> Finding {
        if wrong { Finding { state: State::Wrong, ..self }.advise(advice) } else { self }
    }

    fn text(&self, check: &str, coloured: bool) -> String {
        let (mark, colour) = match self.state {
            State::Ok => ("ok   ", "32"),
            State::Note => ("--   ", "33"),
            State::Wrong => ("WRONG", "1;31"),
        };
        let mark = if coloured { format!("\x1b[{colour}m{mark}\x1b[0m") } else { mark.to_owned() };
        let mut text = format!("{mark}  {check:<15}{}\n", self.found);
        if let Some(advice) = &self.advice {
            text += &format!("{:22}-> {advice}\n", "");
        }
        text
    }
}

/// On a terminal, unless `NO_COLOR` is set and not empty (<https://no-color.org>).
fn wants_colours() -> bool {
    let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !unwanted && io::stdout().is_terminal()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use nix::errno::Errno;

    use super::facts::store::{Content, Store};
    use super::*;

    /// The state, words of what was found, and words of the advice, of which there is none if they are empty.
    pub(super) type Wanted = (State, &'static str, &'static str);
    /// What is different from a machine on which all is well, and the findings then.
    pub(super) type Case<'a> = (fn(&mut Facts), &'a [Wanted]);

    #[track_caller]
    pub(super) fn expect_each(check: fn(&Facts) -> Vec<Finding>, cases: &[Case<'_>]) {
        let fits = |finding: &Finding, (state, found, advice): &Wanted| {
            let advised = finding.advice.as_deref().unwrap_or_default();
            let has_words = finding.found.contains(found) && advised.contains(advice);
            finding.state == *state && has_words && advised.is_empty() == advice.is_empty()
        };
        for (change, wanted) in cases {
            let mut facts = Facts::healthy();
            change(&mut facts);
            let findings = check(&facts);
            let all_fit = findings.iter().zip(*wanted).all(|(finding, wanted)| fits(finding, wanted));
            assert!(findings.len() == wanted.len() && all_fit, "{findings:#?} is not {wanted:#?}");
        }
    }

    /// What the system says of a file.
    pub(super) fn cannot_read(errno: Errno) -> Problem {
        Problem::file("read", Path::new("/pi/file"), &errno.into())
    }

    pub(super) fn content(facts: &mut Facts) -> &mut Content {
        match &mut facts.store {
            Store::Open(content) => content,
            _ => panic!("the store of a healthy machine is open"),
        }
    }

    pub(super) fn cannot_open(facts: &mut Facts, errno: Errno, exists: bool) {
        facts.store = Store::CannotOpen { problem: cannot_read(errno), exists };
    }

    pub(super) fn is_no_database(facts: &mut Facts) {
        facts.store = Store::CannotRead(Problem::new("file is not a database").advise("not this"));
    }
}
