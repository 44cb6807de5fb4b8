//! What focus said, as far as it matters.

use crate::focus::REDACTED;
use crate::output::clean;
use crate::secret::Secret;

/// What focus said, on either stream, as far as it matters: constant memory, whatever it prints.
#[derive(Debug)]
pub struct Transcript {
    license: Secret,
    lines: [Line; 2],
    connected: bool,
    /// The first line that tells of a fault.
    fault: Option<String>,
    /// The last line that holds something.
    last: Option<String>,
}

impl Transcript {
    /// An empty one. The licence is what must not be quoted.
    #[must_use]
    pub fn new(license: &Secret) -> Transcript {
        Transcript {
            license: license.clone(),
            lines: [Line::default(), Line::default()],
            connected: false,
            fault: None,
            last: None,
        }
    }

    /// Takes what came on a stream: 0 is standard output, 1 standard error.
    pub fn feed(&mut self, stream: usize, bytes: &[u8]) {
        for &byte in bytes {
            match self.lines[stream].push(byte) {
                Pushed::Text => {}
                Pushed::EndOfLine => self.judge(stream, false),
                Pushed::Full => self.judge(stream, true),
            }
        }
    }

    /// Judges what came without an end of line.
    pub fn finish(&mut self) {
        for stream in 0..self.lines.len() {
            self.judge(stream, false);
        }
    }

    /// Whether it said that it was connected.
    #[must_use]
    pub fn has_connected(&self) -> bool {
        self.connected
    }

    /// Whether it told of a fault.
    #[must_use]
    pub fn has_fault(&self) -> bool {
        self.fault.is_some()
    }

    /// The line to quote: the first that tells of a fault, else the last that holds something.
    #[must_use]
    pub fn words(&self) -> Option<&str> {
        self.fault.as_deref().or(self.last.as_deref())
    }

    /// Whether the reading counts as delivered by what was said alone.
    #[must_use]
    pub fn tells_of_success(&self) -> bool {
        self.connected && self.fault.is_none()
    }

    fn judge(&mut self, stream: usize, goes_on: bool) {
        let line = &mut self.lines[stream];
        let text = String::from_utf8_lossy(&line.text);
        let faulty = text.contains("[error]") || text.contains("Connect error");
        self.connected |= text.contains("[TCP] Connected");
        // The rest of an endless line is judged but not quoted: its start may be the licence's end.
        if !line.continued && !text.trim().is_empty() {
            let words = quote(&text, &self.license);
            log::debug!("focus: {words}");
            if faulty && self.fault.is_none() {
                self.fault = Some(words.clone());
            }
            self.last = Some(words);
        } else if faulty && self.fault.is_none() {
            self.fault = Some("an error, in a line too long to quote".to_owned());
        }
        let keep = if goes_on { Line::OVERLAP } else { 0 };
        line.text.drain(..line.text.len() - keep);
        line.continued = goes_on;
    }
}

/// A line as it may be shown: without the licence, without control characters, and short.
fn quote(text: &str, license: &Secret) -> String {
    const LONGEST: usize = 200;
    let text = text.trim_ascii().replace(license.expose(), REDACTED);
    let short: String = text.chars().take(LONGEST).collect();
    let rest = if text.chars().nth(LONGEST).is_some() { "..." } else { "" };
    clean(&short, ' ') + rest
}

/// A line while it comes in, without its escape codes (ECMA-48: CSI, OSC, and the short ones).
#[derive(Debug, Default)]
struct Line {
    text: Vec<u8>,
    escape: Escape,
    /// The beginning was judged before, as the line was too long to keep.
    continued: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum Escape {
    #[default]
    None,
    Started,
    Intermediate,
    Control,
    OperatingSystem,
}

enum Pushed {
    Text,
    EndOfLine,
    Full,
}

impl Line {
    const LONGEST: usize = 8192;
    /// More than the longest text that is looked for, less one.
    const OVERLAP: usize = 32;

    fn push(&mut self, byte: u8) -> Pushed {
        if byte == b'\n' {
            self.escape = Escape::None;
            return Pushed::EndOfLine;
        }
        self.escape = match (self.escape, byte) {
            (_, 0x1b) => Escape::Started,
            (Escape::None, _) => {
                // Without the space before it, what is quoted is far from where a line is cut.
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

    fn heard(chunks: &[(usize, &[u8])]) -> Transcript {
        let mut transcript = transcript();
        for (stream, bytes) in chunks {
            transcript.feed(*stream, bytes);
        }
        transcript.finish();
        transcript
    }

    /// All that is kept of what was said.
    fn kept(transcript: &Transcript) -> (bool, Option<String>, Option<String>) {
        (transcript.connected, transcript.fault.clone(), transcript.last.clone())
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
            ("[TCP] \x1b[32mConnected\x1b[0m\n", "", true),
            ("[TCP] Con", "nected\n", false),
            ("[TCP]\nConnected\n", "", false),
            ("[tcp] connected\n", "", false),
            ("[TCP] Closed 13.124.0.1:6600\n", "", false),
        ] {
            let transcript = heard(&[(0, out.as_bytes()), (1, err.as_bytes())]);
            assert_eq!(transcript.tells_of_success(), success, "{out:?} {err:?}");
        }
    }

    #[test]
    fn a_word_is_found_wherever_it_stands_in_an_endless_line() {
        for before in (0..70).chain(8150..8230).chain([16_300, 16_384, 100_000]) {
            let mut line = vec![b'.'; before];
            line.extend(b"[TCP] Connected");
            line.extend([b'.'; 9000]);
            assert!(heard(&[(0, &line)]).connected, "after {before} bytes");
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
        assert!(heard(&[(0, b"[TCP] \x1b(BConnected\n")]).connected);
        let license = LICENSE.replace("-test", "\x1b(B-test");
        assert_eq!(heard(&[(0, license.as_bytes())]).last.as_deref(), Some("[license]"));
    }

    #[test]
    fn a_licence_is_not_quoted_in_part() {
        let line = " ".repeat(Line::LONGEST - 10) + LICENSE;
        let last = heard(&[(0, line.as_bytes())]).last.unwrap_or_default();
        assert!(!last.contains("x0000"), "{last}");
    }

    /// Words that matter, words that do not, and any bytes.
    fn words() -> impl Strategy<Value = Vec<u8>> {
        const KNOWN: [&str; 6] =
            ["[TCP] Connected 1.2.3.4:6600", "[error] x", "[TCP] Connect error.", "\n", " ", LICENSE];
        prop_oneof![
            proptest::sample::select(&KNOWN[..]).prop_map(|word| word.as_bytes().to_vec()),
            proptest::sample::select(&CODES[..]).prop_map(|code| code.as_bytes().to_vec()),
            proptest::collection::vec(any::<u8>(), 0..20),
            (0..9000_usize).prop_map(|length| vec![b'.'; length]),
        ]
    }

    fn speech() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(words(), 0..12).prop_map(|words| words.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn how_the_bytes_arrive_does_not_matter(
            speech in speech(),
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..8),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(speech.len() + 1)).collect();
            cuts.extend([0, speech.len()]);
            cuts.sort_unstable();
            let chunks: Vec<_> = cuts.windows(2).map(|cut| (0, &speech[cut[0]..cut[1]])).collect();
            prop_assert_eq!(kept(&heard(&chunks)), kept(&heard(&[(0, &speech)])));
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
            prop_assert_eq!(kept(&heard(&[(0, coloured.as_bytes())])), kept(&heard(&[(0, plain)])));
        }

        #[test]
        fn the_licence_is_never_kept_to_be_quoted(speeches in proptest::collection::vec((0..2_usize, speech()), 0..4)) {
            let chunks: Vec<_> = speeches.iter().map(|(stream, speech)| (*stream, &speech[..])).collect();
            let (_, fault, last) = kept(&heard(&chunks));
            for words in [fault, last].into_iter().flatten() {
                prop_assert!(!words.contains(LICENSE), "{words:?}");
                prop_assert!(!words.contains(char::is_control), "{words:?}");
                prop_assert!(words.chars().count() <= 203, "{words:?}");
            }
        }

        #[test]
        fn memory_stays_constant(speech in speech()) {
            let mut transcript = transcript();
            for byte in speech {
                transcript.feed(1, &[byte]);
                prop_assert!(transcript.lines[1].text.len() < Line::LONGEST);
            }
        }
    }
}
