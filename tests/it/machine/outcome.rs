//! What came of a run, and what is true of every run.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::LICENSE;

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The exit status; 1000 + n if signal n killed it.
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
    pub(crate) records: Vec<Record>,
}

/// What the stand-in wrote down.
#[derive(Debug, Deserialize)]
pub(crate) struct Record {
    pub(crate) argv: Vec<String>,
    pub(crate) stdin: String,
    pub(crate) now: Option<i64>,
    pub(crate) fds: Vec<u32>,
}

impl Outcome {
    /// What is true of every run.
    pub(super) fn check(&self) {
        assert!(!self.stdout.contains(LICENSE), "the licence is on standard output: {self:#?}");
        assert!(!self.stderr.contains(LICENSE), "the licence is in the log: {self:#?}");
        for line in self.stderr.lines() {
            assert!(line.starts_with("iio-focus: "), "not a line of the log: {line:?} of {self:#?}");
            assert!(!line.contains(|c: char| c.is_control()), "{line:?}");
            assert!(!line.contains("panicked") || self.status == 70, "{self:#?}");
        }
    }

    /// The run ended so, and this one line at err says why; it is returned without its prefix.
    #[track_caller]
    pub(crate) fn error(&self, status: i32) -> &str {
        assert_eq!(self.status, status, "{self:#?}");
        let errors: Vec<&str> =
            self.stderr.lines().filter_map(|line| line.strip_prefix("iio-focus: error: ")).collect();
        match errors[..] {
            [error] => error,
            _ => panic!("not one line at err: {self:#?}"),
        }
    }

    /// The run ended so and said nothing but this one line at err, which holds all of these.
    #[track_caller]
    pub(crate) fn fails(&self, status: i32, parts: &[&str]) {
        let error = self.error(status);
        assert_eq!(self.stderr.lines().count(), 1, "{self:#?}");
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in {error:?}");
        }
    }

    /// The run took a reading and delivered it.
    #[track_caller]
    pub(crate) fn delivered(&self) {
        assert_eq!(self.status, 0, "{self:#?}");
        assert!(self.stderr.ends_with(" delivered=1 backlog=0\n"), "{self:#?}");
        assert_eq!(self.stdout, "", "{self:#?}");
    }
}

/// The temperature in a line that focus was given.
pub(crate) fn temperature_mdegc(json: &str) -> i32 {
    let line: BTreeMap<String, f64> = serde_json::from_str(json).unwrap();
    let tenths = (line["temperature"] * 10.0).round();
    format!("{tenths}00").parse().unwrap()
}
