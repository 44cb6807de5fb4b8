//! One request through `curl`, which gets its whole configuration on standard input: what is on a command line, every user
//! can see.

use std::env;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use crate::child::{Child, Ending, find_program, finish_all};
use crate::error::{Error, Problem};
use crate::output::clean;
use crate::signals::SystemClock;

use super::answer;

/// How long one request may take; curl has this limit too, and a little less time.
const LIMIT: Duration = Duration::from_secs(35);
const MAX_TIME_S: u64 = 30;
const CONNECT_TIMEOUT_S: u64 = 10;

/// The longest answer: [`super::MOST_ROWS`] rows of 800 bytes.
const LONGEST: usize = 4 << 20;

/// How much is read of what curl says itself.
const LONGEST_WORDS: usize = 4096;

/// What curl is told before the request: nothing but what is here. It follows no redirect, because the token is for one
/// server alone.
const SETTINGS: &str = "silent\nshow-error\ngloboff\nrequest = \"POST\"\n";

/// A POST request.
pub(super) struct Request<'a> {
    pub(super) url: &'a str,
    pub(super) headers: &'a [String],
    pub(super) body: &'a str,
}

/// Sends the request. Returns the body of the answer, or why there is none that says anything.
///
/// # Errors
/// [`Error::Signal`] if a signal ended the wait.
pub(super) fn post(request: &Request<'_>, clock: &SystemClock) -> Result<Result<Vec<u8>, Problem>, Error> {
    let advice = "install curl (sudo apt install curl)";
    let path = env::var_os("PATH");
    let started = find_program(Path::new("curl"), path.as_deref()).map_err(|problem| problem.advise(advice));
    // `--disable`, which must be first: the configuration of a user or of this machine does not count.
    let arguments = ["--disable", "--config", "-"].map(str::to_owned);
    let config = request.config();
    let child = match started.and_then(|curl| Child::start(&curl, &arguments, None, config.as_bytes())) {
        Ok(child) => child,
        Err(problem) => return Ok(Err(problem)),
    };
    let (mut body, mut words, mut is_too_long) = (Vec::new(), Vec::new(), false);
    let endings = finish_all(vec![child], LIMIT, clock, &mut |_, stream, bytes| {
        if stream == 1 {
            let left = LONGEST_WORDS.saturating_sub(words.len());
            words.extend_from_slice(&bytes[..left.min(bytes.len())]);
            return true;
        }
        is_too_long = is_too_long || body.len() + bytes.len() > LONGEST;
        if !is_too_long {
            body.extend_from_slice(bytes);
        }
        !is_too_long
    });
    // One child, one ending.
    let ending = endings.into_iter().next().unwrap_or(Ending::TimedOut(LIMIT));
    if let Ending::Interrupted(signal) = ending {
        return Err(Error::Signal(signal, "while WhaTap was asked".to_owned()));
    }
    let words = Words::of(&String::from_utf8_lossy(&words));
    Ok(words.judge(&ending, is_too_long, &body).map_or(Ok(body), Err))
}

impl Request<'_> {
    fn config(&self) -> String {
        // A URL without TLS only if it was written so.
        let protocol = if self.url.starts_with("http://") { "http" } else { "https" };
        let mut text = SETTINGS.to_owned();
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "proto = \"={protocol}\"\nmax-time = {MAX_TIME_S}\nconnect-timeout = {CONNECT_TIMEOUT_S}\nmax-filesize = {LONGEST}\n"
        );
        for (key, value) in [
            ("url", self.url),
            ("data-raw", self.body),
            ("write-out", "%{stderr}\nhttp %{http_code} %{redirect_url}\n"),
        ] {
            let _ = writeln!(text, "{key} = {}", quoted(value));
        }
        for header in self.headers {
            let _ = writeln!(text, "header = {}", quoted(header));
        }
        text
    }
}

/// As curl reads it between quotation marks.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// What curl said on standard error.
#[derive(Debug, Default, PartialEq, Eq)]
struct Words {
    /// Why it failed.
    error: Option<String>,
    /// The status of the answer; 0 if there is none.
    status: u32,
    /// Where the answer leads to, if it is a redirect.
    redirect: String,
}

impl Words {
    fn of(text: &str) -> Words {
        let mut words = Words::default();
        for line in text.lines() {
            if let Some((status, redirect)) = line.strip_prefix("http ").and_then(|rest| rest.split_once(' '))
            {
                words.status = status.parse().unwrap_or(0);
                words.redirect = clean(redirect, ' ');
            } else if let Some(error) = line.strip_prefix("curl: ") {
                words.error = Some(clean(error, ' '));
            }
        }
        words
    }

    /// Why this is no answer that says anything, if it is none.
    fn judge(&self, ending: &Ending, is_too_long: bool, body: &[u8]) -> Option<Problem> {
        /// curl's own status for `max-filesize`.
        const TOO_LARGE: i32 = 63;
        let said = self.error.as_deref().unwrap_or("it said nothing");
        let too_long = || Problem::new(format!("the answer is longer than {} MiB", LONGEST >> 20));
        match ending {
            _ if is_too_long => Some(too_long()),
            Ending::Exited(TOO_LARGE) => Some(too_long()),
            Ending::Exited(0) => self.judge_status(body),
            Ending::Exited(status) => Some(Problem::new(format!("curl ended with {status}: {said}"))),
            other => Some(Problem::new(format!("curl did not end by itself: {other:?}"))),
        }
    }

    fn judge_status(&self, body: &[u8]) -> Option<Problem> {
        let said = answer::message(body).map(|message| format!(": {message}")).unwrap_or_default();
        let status = self.status;
        Some(match status {
            200 => return None,
            401 | 403 => Problem::new(format!("WhaTap refuses the API token ({status}{said})"))
                .advise("compare token in [verify] and pcode in [focus] with WhaTap's Management > Project Management"),
            429 => Problem::new(format!("WhaTap says that there are too many requests (429{said})"))
                .advise("wait some minutes, or set a longer pause in [verify]"),
            300..=399 => Problem::new(format!("the server sends the request on to {:?} ({status})", self.redirect))
                .advise("no redirect is followed, so that the token goes nowhere else: correct url in [verify]"),
            _ => Problem::new(format!("the server answers with status {status}{said}"))
                .advise("try again later, or correct url in [verify]"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_all_that_curl_is_told() {
        let headers = ["x-whatap-token: abc".to_owned()];
        let request = Request { url: "https://h/p", headers: &headers, body: "{\"mql\":\"a\\nb\"}" };
        let text = request.config();
        for line in [
            "url = \"https://h/p\"",
            "data-raw = \"{\\\"mql\\\":\\\"a\\\\nb\\\"}\"",
            "header = \"x-whatap-token: abc\"",
            "proto = \"=https\"",
            "max-time = 30",
        ] {
            assert!(text.lines().any(|written| written == line), "{line}: {text}");
        }
        assert!(!text.contains("location"), "{text}");
        let plain = Request { url: "http://h/p", headers: &headers, body: "" }.config();
        assert!(plain.contains("proto = \"=http\"\n"), "{plain}");
    }

    #[test]
    fn what_curl_says_is_told_from_what_it_was_asked_to_say() {
        let words = Words::of("curl: (6) Could not resolve host: h\n\nhttp 000 \n");
        assert_eq!(words.error.as_deref(), Some("(6) Could not resolve host: h"));
        assert_eq!((words.status, words.redirect.as_str()), (0, ""));
        let words = Words::of("\nhttp 302 https://evil/\n");
        assert_eq!((words.status, words.redirect.as_str(), words.error), (302, "https://evil/", None));
    }
}
