//! What focus printed: whether it was connected, whether it reported an error, and which line to quote.

use crate::focus::REDACTED;
use crate::output::clean;
use crate::secret::Secret;

/// What is needed of the output of focus, from both streams. It takes constant memory, however much focus prints.
#[derive(Debug)]
pub struct Transcript {
    license: Secret,
    lines: [Line; 2],
    /// The last word about the connection is that it stands.
    connected: bool,
    /// The first line that reports an error which nothing mends.
    fault: Option<String>,
    /// The first line, after the last word that the connection stands, that reports trouble with it.
    broken: Option<String>,
    /// The last line that is not empty.
    last: Option<String>,
}

impl Transcript {
    /// Creates an empty one. The licence is removed from every line that is quoted.
    #[must_use]
    pub fn new(license: &Secret) -> Transcript {
        Transcript {
            license: license.clone(),
            lines: [Line::default(), Line::default()],
            connected: false,
            fault: None,
            broken: None,
            last: None,
        }
    }

    /// Adds bytes that focus wrote to a stream: 0 is standard output, 1 standard error.
    pub fn feed(&mut self, stream: usize, bytes: &[u8]) {
        for &byte in bytes {
            match self.lines[stream].push(byte) {
                Pushed::Text => {}
                Pushed::EndOfLine => self.evaluate_line(stream, false),
                Pushed::Full => self.evaluate_line(stream, true),
            }
        }
    }

    /// Evaluates the last line of each stream if it had no line end.
    pub fn finish(&mut self) {
        for stream in 0..self.lines.len() {
            self.evaluate_line(stream, false);
        }
    }

    /// Whether the last that focus printed of the connection is that it stands.
    #[must_use]
    pub fn has_connected(&self) -> bool {
        self.connected
    }

    /// Whether focus reported an error.
    #[must_use]
    pub fn has_fault(&self) -> bool {
        self.fault.is_some() || self.broken.is_some()
    }

    /// The first line that reports an error, else the last line that is not empty.
    #[must_use]
    pub fn line_to_quote(&self) -> Option<&str> {
        self.fault.as_deref().or(self.broken.as_deref()).or(self.last.as_deref())
    }

    /// Whether the output alone shows success: focus was connected and reported no error.
    #[must_use]
    pub fn tells_of_success(&self) -> bool {
        self.connected && !self.has_fault()
    }

    /// Looks for the known texts in the line of a stream, and removes it. `is_cut` says that the line has not ended but
    /// is too long to keep.
    fn evaluate_line(&mut self, stream: usize, is_cut: bool) {
        let line = &mut self.lines[stream];
        let text = String::from_utf8_lossy(&line.text);
        let word = Word::of(&text, self.connected, line.continued);
        // The rest of a line that was cut is searched but not quoted: it may begin with the end of the licence.
        let quoted = if line.continued {
            word.is_trouble().then(|| "an error, in a line too long to quote".to_owned())
        } else if text.trim().is_empty() {
            None
        } else {
            let quoted = quote(&text, &self.license);
            log::debug!("focus: {quoted}");
            self.last = Some(quoted.clone());
            Some(quoted)
        };
        match word {
            Word::Other => {}
            Word::Error if self.fault.is_none() => self.fault = quoted,
            Word::Error => {}
            Word::Connected => (self.connected, self.broken) = (true, None),
            Word::Broken => {
                self.connected = false;
                self.broken = self.broken.take().or(quoted);
            }
        }
        let keep = if is_cut { Line::OVERLAP } else { 0 };
        line.text.drain(..line.text.len() - keep);
        line.continued = is_cut;
    }
}

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// Nothing that counts.
    Other,
    /// An error that nothing mends.
    Error,
    /// The connection stands.
    Connected,
    /// It does not stand, or what was written to it did not get out.
    Broken,
}

impl Word {
    /// `connected`: the last word before was that the connection stands. A write that fails is reported after it, as
    /// `TCP <reason>` behind the time, or as `TCP All data was not sent. (tot=… left=…)`. `continued`: the line's beginning
    /// was looked at before.
    fn of(line: &str, connected: bool, continued: bool) -> Word {
        let is_failed_write = || {
            let time = |c: char| c.is_ascii_digit() || "/:. -".contains(c);
            let reason = line.trim_start_matches(time).strip_prefix("TCP ");
            let reported = !continued && reason.is_some_and(|reason| !reason.trim().is_empty());
            reported || line.contains("All data was not sent")
        };
        if line.contains("[error]") {
            Word::Error
        } else if line.contains("Connect error") || connected && is_failed_write() {
            Word::Broken
        } else if line.contains("[TCP] Connected") {
            Word::Connected
        } else {
            Word::Other
        }
    }

    fn is_trouble(self) -> bool {
        matches!(self, Word::Error | Word::Broken)
    }
}

/// The version that focus names in its banner: three numbers with dots between, in what it printed before it collects its
/// input. Below 1.1.3 its JSON input is known to be broken.
#[must_use]
pub fn version_in_banner(printed: &str) -> Option<[u32; 3]> {
    let banner = printed.split("Collecting").next().unwrap_or_default();
    let word = |c: char| c.is_whitespace() || c == 'v' || c == 'V' || c.is_control() || "()[],:=".contains(c);
    let number = |part: &str| {
        let is_number = !part.is_empty() && part.len() <= 6 && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| part.parse().ok()).flatten()
    };
    banner.split(word).find_map(|text| {
        let numbers: Vec<u32> = text.split('.').map(number).collect::<Option<_>>()?;
        numbers.try_into().ok()
    })
}

/// The line as it is quoted: without the licence, without control characters, and short.
fn quote(text: &str, license: &Secret) -> String {
    const LONGEST: usize = 200;
    // Twice as much is looked at, so that what begins within the quoted part is hidden as a whole.
    let begin: String = text.trim_ascii().chars().take(2 * LONGEST).collect();
    let text = license.hide_in(&begin, REDACTED);
    let short: String = text.chars().take(LONGEST).collect();
    let rest = if text.chars().nth(LONGEST).is_some() { "..." } else { "" };
    clean(&short, ' ') + rest
}

/// A line that is being received, without its escape sequences (ECMA-48: CSI, OSC, and the short ones).
#[derive(Debug, Default)]
struct Line {
    text: Vec<u8>,
    escape: Escape,
    /// Whether the beginning of the line was evaluated before, because the line is too long to keep.
    continued: bool,
}

/// In which part of an escape sequence the line is.
#[derive(Clone, Copy, Debug, Default)]
enum Escape {
    #[default]
    None,
    Started,
    Intermediate,
    Control,
    OperatingSystem,
}

/// What the line is after another byte.
enum Pushed {
    Text,
    EndOfLine,
    Full,
}

impl Line {
    const LONGEST: usize = 8192;
    /// How many bytes are kept when a line is cut. A text that is looked for may be cut too, so this is at least the
    /// length of the longest one minus 1.
    const OVERLAP: usize = 32;

    fn push(&mut self, byte: u8) -> Pushed {
        if byte == b'\n' {
            self.escape = Escape::None;
            return Pushed::EndOfLine;
        }
        self.escape = match (self.escape, byte) {
            (_, 0x1b) => Escape::Started,
            (Escape::None, _) => {
                // White space at the start is dropped, so that a line is never cut within the part that is quoted.
                if !(self.text.is_empty() && byte.is_ascii_whitespace()) {
                    self.text.push(byte);
                }
                Escape::None
            }
            (Escape::Started, b'[') => Escape::Control,
            (Escape::Started, b']') => Escape::OperatingSystem,
            (Escape::Started | Escape::Intermediate, 0x20..=0x2f) => Escape::Intermediate,
            (Escape::Control, 0x20..=0x3f) => Escape::Control,
            (Escape::OperatingSystem, 0x07) => Escape::None,
            (Escape::OperatingSystem, _) => Escape::OperatingSystem,
            (Escape::Started | Escape::Intermediate | Escape::Control, _) => Escape::None,
        };
        if self.text.len() >= Self::LONGEST { Pushed::Full } else { Pushed::Text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LICENSE: &str = "x0000-test-0042";

    /// Codes that focus, or a terminal library in it, may put between any two characters.
    const CODES: [&str; 8] = [
        "\x1b[31m",
        "\x1b[0m",
        "\x1b[1;38;5;200m",
        "\x1b[K",
        "\x1b[?25l",
        "\x1b]0;[error] a title\x07",
        "\x1b]0;Connect error\x1b\\",
        "\x1bM",
    ];

    fn transcript() -> Transcript {
        Transcript::new(&Secret::new(LICENSE))
    }

    fn transcript_of(chunks: &[(usize, &[u8])]) -> Transcript {
        let mut transcript = transcript();
        for (stream, bytes) in chunks {
            transcript.feed(*stream, bytes);
        }
        transcript.finish();
        transcript
    }

    /// All that a transcript keeps of the output.
    fn kept(transcript: &Transcript) -> (bool, Option<String>, Option<String>) {
        (transcript.connected, transcript.line_to_quote().map(str::to_owned), transcript.last.clone())
    }

    #[test]
    fn success_is_the_word_that_it_connected_and_none_of_a_fault() {
        for (out, err, success) in [
            ("", "", false),
            (" Collecting stdin-json\n", "2025/01/17 11:36:59 [TCP] Connected 13.124.0.1:6600\n", true),
            ("[TCP] Connected 13.124.0.1:6600\n", "", true),
            ("", "[TCP] Connected", true),
            ("[TCP] Connected\n", "[error] no project code[-pcode]\n", false),
            ("[error] x\n[TCP] Connected\n", "", false),
            ("[TCP] Connected\n", "[TCP] Connect error. 127.0.0.1:6600", false),
            ("[TCP] Connect error. 127.0.0.1:6600\n[TCP] Connected\n", "", true),
            ("[TCP] Connected\n2025/01/17 11:36:59 TCP EOF\n", "", false),
            ("2025/01/17 11:36:59 TCP EOF\n[TCP] Connected\n", "", true),
            ("[TCP] Connected\nTCP All data was not sent. (tot=9 left=1)\n[TCP] Closed\n", "", false),
            ("[TCP] Connected\nTCP write: x\n[TCP] Connected\n", "", true),
            ("[TCP] Connected\n[TCP] Closed\nTCP \n over TCP now\n", "", true),
            ("[TCP] \x1b[32mConnected\x1b[0m\n", "", true),
            ("[TCP] Con", "nected\n", false),
            ("[TCP]\nConnected\n", "", false),
            ("[tcp] connected\n", "", false),
            ("[TCP] Closed 13.124.0.1:6600\n", "", false),
        ] {
            let transcript = transcript_of(&[(0, out.as_bytes()), (1, err.as_bytes())]);
            assert_eq!(transcript.tells_of_success(), success, "{out:?} {err:?}");
        }
    }

    #[test]
    fn the_banner_names_the_version() {
        for (printed, version) in [
            (
                "\u{1b}[32m\n __ _\n  focus 1.1.5 (stand-in)    |_|\n\u{1b}[0m\n Collecting stdin-json\n",
                Some([1, 1, 5]),
            ),
            ("WhaTap focus v1.1.2\n", Some([1, 1, 2])),
            ("focus version=1.10.0, 2023-03-01", Some([1, 10, 0])),
            ("focus (1.1.3)", Some([1, 1, 3])),
            ("", None),
            ("focus 1.1", None),
            ("2025/01/17 11:36:59 [TCP] Connected 13.124.0.1:6600", None),
            (" Collecting stdin-json 1.1.2", None),
            ("1.1.99999999999", None),
        ] {
            assert_eq!(version_in_banner(printed), version, "{printed:?}");
        }
    }

    #[test]
    fn a_word_is_found_wherever_it_stands_in_an_endless_line() {
        for before in (0..70).chain(8150..8230).chain([16_300, 16_384, 100_000]) {
            let mut line = vec![b'.'; before];
            line.extend(b"[TCP] Connected");
            line.extend([b'.'; 9000]);
            assert!(transcript_of(&[(0, &line)]).connected, "after {before} bytes");
        }
    }

    #[test]
    fn what_is_quoted_is_one_short_line() {
        let license = Secret::new(LICENSE);
        assert_eq!(quote(" a\tb\r\n", &license), "a b");
        assert_eq!(quote(&format!("-license={LICENSE}{LICENSE}"), &license), "-license=[license][license]");
        assert_eq!(quote(&"ü".repeat(200), &license), "ü".repeat(200));
        assert_eq!(quote(&"ü".repeat(201), &license), "ü".repeat(200) + "...");
    }

    #[test]
    fn a_code_that_chooses_a_character_set_is_cut_out() {
        assert!(transcript_of(&[(0, b"[TCP] \x1b(BConnected\n")]).connected);
        let license = LICENSE.replace("-test", "\x1b(B-test");
        assert_eq!(transcript_of(&[(0, license.as_bytes())]).last.as_deref(), Some("[license]"));
    }

    #[test]
    fn a_licence_is_not_quoted_in_part() {
        let line = " ".repeat(Line::LONGEST - 10) + LICENSE;
        let last = transcript_of(&[(0, line.as_bytes())]).last.unwrap_or_default();
        assert!(!last.contains("x0000"), "{last}");
    }

    /// A part of the output: a text that is looked for, the licence, an escape sequence, any bytes, or a long line.
    fn part_of_output() -> impl Strategy<Value = Vec<u8>> {
        const KNOWN: [&str; 6] =
            ["[TCP] Connected 1.2.3.4:6600", "[error] x", "[TCP] Connect error.", "\n", " ", LICENSE];
        prop_oneof![
            proptest::sample::select(&KNOWN[..]).prop_map(|text| text.as_bytes().to_vec()),
            proptest::sample::select(&CODES[..]).prop_map(|code| code.as_bytes().to_vec()),
            proptest::collection::vec(any::<u8>(), 0..20),
            (0..9000_usize).prop_map(|length| vec![b'.'; length]),
        ]
    }

    fn output() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(part_of_output(), 0..12).prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn how_the_bytes_arrive_does_not_matter(
            output in output(),
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..8),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(output.len() + 1)).collect();
            cuts.extend([0, output.len()]);
            cuts.sort_unstable();
            let chunks: Vec<_> = cuts.windows(2).map(|cut| (0, &output[cut[0]..cut[1]])).collect();
            prop_assert_eq!(kept(&transcript_of(&chunks)), kept(&transcript_of(&[(0, &output)])));
        }

        #[test]
        fn codes_between_the_characters_do_not_matter(
            text in "(\\[TCP\\] Connected|\\[error\\]|Connect error|x0000-test-0042|[a-z ü]{0,9}|\n){0,6}",
            codes in proptest::collection::vec((any::<proptest::sample::Index>(), 0..CODES.len()), 0..12),
        ) {
            let mut coloured: Vec<String> = text.chars().map(String::from).collect();
            coloured.push(String::new());
            for (at, code) in codes {
                let at = at.index(coloured.len());
                coloured[at].insert_str(0, CODES[code]);
            }
            let (plain, coloured) = (text.as_bytes(), coloured.concat());
            prop_assert_eq!(kept(&transcript_of(&[(0, coloured.as_bytes())])), kept(&transcript_of(&[(0, plain)])));
        }

        #[test]
        fn the_licence_is_never_kept_to_be_quoted(outputs in proptest::collection::vec((0..2_usize, output()), 0..4)) {
            let chunks: Vec<_> = outputs.iter().map(|(stream, output)| (*stream, &output[..])).collect();
            let (_, fault, last) = kept(&transcript_of(&chunks));
            for line in [fault, last].into_iter().flatten() {
                prop_assert!(!line.contains(LICENSE), "{line:?}");
                prop_assert!(!line.contains(char::is_control), "{line:?}");
                prop_assert!(line.chars().count() <= 203, "{line:?}");
            }
        }

        #[test]
        fn memory_stays_constant(output in output()) {
            let mut transcript = transcript();
            for byte in output {
                transcript.feed(1, &[byte]);
                prop_assert!(transcript.lines[1].text.len() < Line::LONGEST);
            }
        }
    }
}
