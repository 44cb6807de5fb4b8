//! Standard output, on which a closed pipe is no error, and texts without control characters.

use std::io::{self, Write};
use std::path::Path;

use crate::error::Error;
use crate::replace::replace;

/// Writes to standard output.
///
/// # Errors
/// [`Error::System`] if standard output cannot be written, for example because the disk is full. A closed pipe is no
/// error.
pub fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout();
    unless_closed(out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(stdout_error))
}

/// Replaces this file as a whole, or writes to standard output if none is named or its name is `-`.
///
/// # Errors
/// [`Error::Io`] if the file cannot be written; else as [`print()`].
pub fn print_to(file: Option<&str>, text: &str) -> Result<(), Error> {
    match file.filter(|file| *file != "-").map(Path::new) {
        Some(file) => replace(file, text.as_bytes(), 0o644).map_err(|error| Error::Io(file.into(), error)),
        None => print(text),
    }
}

/// The error for standard output that cannot be written.
pub(crate) fn stdout_error(error: io::Error) -> Error {
    Error::System("standard output", error)
}

/// Turns the error of a closed pipe into success: the program that reads it, such as `head`, has read all that it
/// needs.
pub(crate) fn unless_closed(written: Result<(), Error>) -> Result<(), Error> {
    match written {
        Err(Error::System(_, error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Replaces each character that a terminal or a reader could take for something else than text, so that the text is one
/// line and what it seems to be. Names from device trees, output of child processes, what a store holds and paths may
/// have such characters. All that is printed for people goes through here; what programs read (JSON) does not.
#[must_use]
pub fn clean(text: &str, replacement: char) -> String {
    text.chars().map(|c| if is_unseen(c) { replacement } else { c }).collect()
}

/// Whether it is a control character, a line break, or one that is not shown or changes how others are: Unicode's general
/// categories Cc, Cf, Zl and Zp, as far as they are not signs of their own.
#[must_use]
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFB}'
            | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_and_what_is_not_seen_goes() {
        for text in ["kitchen", "dht11@4", "attic room", "부엌", "küche", "°C %RH", "العربية", "\u{1F321}"]
        {
            assert_eq!(clean(text, '?'), text);
        }
        let hostile = "\0\x1b\n\r\t\u{7f}\u{9b}\u{85}\u{200b}\u{202e}\u{2066}\u{2028}\u{feff}\u{e0041}";
        assert_eq!(clean(hostile, '?'), "?".repeat(hostile.chars().count()));
    }
}
