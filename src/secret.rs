//! Text that is used and never shown: the licence, or a token.

use std::fmt;

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};

use crate::output::is_unseen;

/// So many characters of a secret are hidden wherever they stand in a row.
const PIECE: usize = 6;

/// So many are hidden where a line begins or ends: the rest may be in the line before or after.
const PIECE_OF_LINES: usize = 4;

/// Keeps the memory of this process, and that of its children, out of core dumps: secrets are in it.
pub fn keep_out_of_core_dumps() {
    // Neither can fail: both only give something up.
    let _ = prctl::set_dumpable(false);
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
}

/// A secret. It has no `Display`, and `Debug` does not show it, so that it gets into no message by mistake.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes this text for a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for the one who has to be given it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A line with something in place of the secret, however it is written: in another case, with blanks in it, or with
    /// characters that are not seen. A long piece of it is hidden too, and a shorter one where the line begins or ends,
    /// as it may have been split.
    #[must_use]
    pub fn hide_in(&self, line: &str, instead: &str) -> String {
        let line_seen: Vec<(usize, char)> = seen(line).collect();
        let secret: Vec<char> = seen(&self.0).map(|(_, c)| c).collect();
        let text: Vec<char> = line_seen.iter().map(|(_, c)| *c).collect();
        let mut shown = String::new();
        let mut next = 0;
        let mut at = 0;
        while at < text.len() {
            let length = hidden_length(&text, at, &secret);
            if length == 0 {
                at += 1;
                continue;
            }
            let (first, last) = (line_seen[at].0, line_seen[at + length - 1]);
            shown += &line[next..first];
            shown += instead;
            next = last.0 + line[last.0..].chars().next().map_or(0, char::len_utf8);
            at += length;
        }
        shown + &line[next..]
    }
}

/// The characters that count, with their places: in lower case, without blanks and without what is not seen.
fn seen(text: &str) -> impl Iterator<Item = (usize, char)> {
    let counts = |(_, c): &(usize, char)| !c.is_whitespace() && !is_unseen(*c);
    text.char_indices().filter(counts).map(|(at, c)| (at, c.to_lowercase().next().unwrap_or(c)))
}

/// How many characters of the text from here on are the secret, or a piece of it that must not be shown.
fn hidden_length(text: &[char], at: usize, secret: &[char]) -> usize {
    let rest = &text[at..];
    let common =
        |from: usize| rest.iter().zip(&secret[from..]).take_while(|(one, other)| one == other).count();
    if secret.is_empty() {
        return 0;
    }
    if common(0) == secret.len() {
        return secret.len();
    }
    let longest = (0..secret.len()).map(common).max().unwrap_or(0);
    let is_at_edge = at == 0 || longest == rest.len();
    if longest >= PIECE || longest >= PIECE_OF_LINES && is_at_edge { longest } else { 0 }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_however_it_is_written() {
        let secret = Secret::new("x0000-Test-0042");
        let hidden = |line: &str| secret.hide_in(line, "*");
        assert_eq!(hidden("-license x0000-Test-0042 -pcode 1"), "-license * -pcode 1");
        assert_eq!(hidden("x0000-Test-0042x0000-Test-0042"), "**");
        assert_eq!(hidden("a X0000-TEST-0042, x 0 0 0 0 - test\t-\u{200b}0042."), "a *, *.");
        assert_eq!(hidden("a \u{202e}x00\x0800-te\u{ad}st-0042 b"), "a \u{202e}* b");
        // Pieces: the end of a line, its beginning, all of it, and a long one in it.
        assert_eq!(hidden("[error] bad x0000-te"), "[error] bad *");
        assert_eq!(hidden("st-0042 is bad"), "* is bad");
        assert_eq!(hidden("-test"), "*");
        assert_eq!(hidden("it is 000-test- and so on"), "it is * and so on");
        for line in ["", "test", "x000", "[TCP] Connected 10.0.0.42:6600 x"] {
            assert_eq!(hidden(&format!(". {line} .")), format!(". {line} ."));
        }
        assert_eq!(Secret::new("").hide_in("text", "*"), "text");
        assert_eq!(Secret::new("ab").hide_in("a b abc", "*"), "* *c");
    }

    #[test]
    fn a_secret_is_compared_and_handed_out_but_not_shown() {
        let secret = Secret::new("x0000-test-0000");
        assert_eq!(secret.expose(), "x0000-test-0000");
        assert_eq!(secret, secret.clone());
        assert_ne!(secret, Secret::new("x0000-test-0001"));
        assert_eq!(format!("{secret:?} {:#?}", Some(&secret)), "[secret] Some(\n    [secret],\n)");
    }
}
