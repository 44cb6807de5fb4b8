//! `config.txt` as a text: how a line gets into it, and out of it.

/// The firmware reads no more of a line.
pub(super) const LONGEST_LINE: usize = 98;

/// Each byte as one character, so that bytes which are no UTF-8 are the same when the file is written again.
pub(super) fn text_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The bytes that [`text_of`] had.
pub(super) fn bytes_of(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(character).unwrap_or(b'?')).collect()
}

/// The text with this line at its end, below `[all]`, so that every Pi reads it.
pub(super) fn with_line(text: &str, line: &str) -> String {
    let end = line_end(text);
    let mut new = text.to_owned();
    if !new.is_empty() && !new.ends_with('\n') {
        new += end;
    }
    // A file that is included may end below a filter.
    let is_filter =
        |line: &&str| line.starts_with('[') && line.ends_with(']') || line.starts_with("include ");
    let last = text.lines().map(str::trim).rfind(is_filter);
    if last.is_some_and(|filter| !filter.eq_ignore_ascii_case("[all]")) {
        new += &format!("{end}[all]{end}");
    }
    new + line + end
}

/// The text with these lines as comments.
pub(super) fn without_lines(text: &str, lines: &[usize]) -> String {
    let each = text.split_inclusive('\n').enumerate();
    each.map(|(index, line)| if lines.contains(&(index + 1)) { format!("#{line}") } else { line.to_owned() })
        .collect()
}

/// How the lines of this text end.
pub(super) fn line_end(text: &str) -> &'static str {
    if text.split_inclusive('\n').next().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_read_by_every_pi_wherever_the_text_ends() {
        for (text, wanted) in [
            ("", "L\n"),
            ("a=1\n", "a=1\nL\n"),
            ("a=1", "a=1\nL\n"),
            ("a=1\r\nb=2\r\n", "a=1\r\nb=2\r\nL\r\n"),
            ("[pi4]\na=1\n", "[pi4]\na=1\n\n[all]\nL\n"),
            ("[pi4]\na=1\n[all]\n", "[pi4]\na=1\n[all]\nL\n"),
            ("[ALL]\n", "[ALL]\nL\n"),
            ("[pi4]\r\n", "[pi4]\r\n\r\n[all]\r\nL\r\n"),
            ("[all]\ninclude a.txt\n", "[all]\ninclude a.txt\n\n[all]\nL\n"),
            ("[pi4]\n#[all]", "[pi4]\n#[all]\n\n[all]\nL\n"),
        ] {
            assert_eq!(with_line(text, "L"), wanted, "{text:?}");
        }
    }

    #[test]
    fn lines_become_comments() {
        let text = "dtparam=audio=on\r\ndtoverlay=dht11\r\ndtparam=gpiopin=17\r\nenable_uart=1";
        let new = without_lines(text, &[2, 3]);
        assert_eq!(new, "dtparam=audio=on\r\n#dtoverlay=dht11\r\n#dtparam=gpiopin=17\r\nenable_uart=1");
    }

    #[test]
    fn bytes_of_any_encoding_stay_as_they_are() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(bytes_of(&text_of(&all)), all);
    }
}
