//! What must hold for any input, one function for each fuzz target; `tests/it/corpus.rs` runs the same functions
//! on the inputs that are kept. A function panics when something does not hold.

use std::cell::RefCell;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use iio_focus::cli::Args;
use iio_focus::clock::Moment;
use iio_focus::config::Config;
use iio_focus::error::Error;
use iio_focus::failure::Tally;
use iio_focus::focus::transcript::Transcript;
use iio_focus::output::clean;
use iio_focus::reading::Reading;
use iio_focus::secret::Secret;
use iio_focus::sensor::parse_number;
use iio_focus::store::{Delivered, Kept, RunEnd, Settings, Store, Undelivered};
use tempfile::TempDir;

/// The configuration file. The input is its text, or whatever else stands in the file's place.
pub fn configuration(input: &[u8]) {
    let scratch = scratch();
    let path = scratch.path().join("iio-focus.toml");
    let load = |text: &[u8], dry_run| {
        fs::write(&path, text).expect("the file is written");
        let config = Some(path.display().to_string());
        Config::load(&Args { config, dry_run, ..Args::default() }, &|_| None)
    };
    let loaded = load(input, false);
    match &loaded {
        Ok(config) => within_limits(config),
        Err(error) => one_line_with_a_place(error, &path, input),
    }
    if let Err(error) = load(input, true) {
        assert_eq!(
            error.to_string(),
            loaded.as_ref().map_or_else(ToString::to_string, |_| String::new()),
            "an error of the file alone shows in every run"
        );
    }
    if let (Err(error), false) = (&loaded, input.starts_with(b"\xef\xbb\xbf")) {
        let moved = load(&[b"# one line more\n", input].concat(), false);
        let moved = moved.expect_err("a comment changes nothing").to_string();
        let (line, what) = place(&error.to_string(), &path);
        assert_eq!(place(&moved, &path), (line.map(|line| line + 1), what), "the line's number");
    }
    // What is shown must not depend on the licence.
    for span in licenses(input) {
        let mut other = input.to_owned();
        other[span].iter_mut().for_each(|byte| *byte = another(*byte));
        assert_eq!(
            format!("{:?}", load(&other, false)),
            format!("{loaded:?}"),
            "another licence changed what is shown"
        );
    }
}

fn within_limits(config: &Config) {
    let ms = Duration::from_millis;
    assert!((1..=1000).contains(&config.attempts));
    assert!(config.retry_delay <= ms(600_000));
    for range in [&config.limits.temperature_mdegc, &config.limits.humidity_mpercent] {
        assert!(-1_000_000 <= *range.start() && range.start() <= range.end() && *range.end() <= 1_000_000);
    }
    for offset in [config.calibration.temperature_mdegc, config.calibration.humidity_mpercent] {
        assert!((-1_000_000..=1_000_000).contains(&offset));
    }
    for jump in [config.jump.temperature_mdegc, config.jump.humidity_mpercent] {
        assert!((0..=1_000_000).contains(&jump));
    }
    assert!((ms(3_600_000)..=ms(100 * 31_557_600_000)).contains(&config.store.keep));
    assert!((1..=10_000_000).contains(&config.store.backlog));
    let focus = config.focus.as_ref().expect("this is no dry run");
    assert!(
        !focus.license.expose().is_empty()
            && focus.license.expose().bytes().all(|byte| byte.is_ascii_graphic())
    );
    assert!(focus.pcode > 0 && focus.server_port > 0);
    assert!((ms(10)..=ms(3_600_000)).contains(&focus.timeout));
    let words = [&focus.server_host, &focus.category].into_iter();
    let words = words.chain(focus.optional.iter().map(|(_, value)| value));
    for word in words.chain(focus.tags.iter().flat_map(|(name, value)| [name, value])) {
        assert!(!word.is_empty() && !word.contains(char::is_control), "an argument of focus: {word:?}");
    }
}

fn one_line_with_a_place(error: &Error, path: &Path, input: &[u8]) {
    let Error::Config(problem) = error else { panic!("not an error of the configuration: {error:?}") };
    let text = problem.to_string();
    assert!(!text.contains('\n'), "{text:?}");
    match place(&text, path) {
        (Some(line), what) => {
            let lines = input.iter().filter(|byte| **byte == b'\n').count() + 1;
            assert!((1..=lines).contains(&line) && !what.is_empty(), "{text:?}");
        }
        // Of the file as a whole, or of the file that holds the licence.
        (None, _) => assert!(
            text.starts_with(&format!("{}: [focus] ", path.display()))
                || license_file(input).is_some_and(|named| text.contains(&named)),
            "{text:?} names no line"
        ),
    }
}

/// The line that an error names, and the rest of it.
fn place(text: &str, path: &Path) -> (Option<usize>, String) {
    text.strip_prefix(&format!("{}:", path.display()))
        .and_then(|rest| rest.split_once(": "))
        .and_then(|(line, what)| Some((Some(line.parse().ok()?), what.to_owned())))
        .unwrap_or((None, text.to_owned()))
}

#[derive(serde::Deserialize)]
struct Probe {
    focus: ProbeFocus,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ProbeFocus {
    license: Option<toml::Spanned<String>>,
    license_file: Option<String>,
}

fn probe(input: &[u8]) -> Option<ProbeFocus> {
    Some(toml::from_str::<Probe>(std::str::from_utf8(input).ok()?).ok()?.focus)
}

fn license_file(input: &[u8]) -> Option<String> {
    probe(input)?.license_file
}

/// Where licences stand in a file: in one that can be read, and on lines that look like it in one that cannot.
fn licenses(input: &[u8]) -> Vec<Range<usize>> {
    let parsed = probe(input).and_then(|focus| focus.license).map(|license| license.span().start);
    let mut start = 0;
    let on_lines = input.split(|byte| *byte == b'\n').filter_map(|line| {
        start += line.len() + 1;
        let value = line.trim_ascii_start();
        let value = value.strip_prefix(b"focus.").unwrap_or(value);
        let value = value.strip_prefix(b"license")?.trim_ascii_start().strip_prefix(b"=")?;
        Some(start - 1 - value.trim_ascii_start().len())
    });
    on_lines.chain(parsed).filter_map(|start| text_or_digits(input, start)).collect()
}

/// The inside of the quotes that open here, without escapes; or the number of a few digits that begins here.
fn text_or_digits(input: &[u8], start: usize) -> Option<Range<usize>> {
    let first = *input.get(start)?;
    if first.is_ascii_digit() {
        let line = input[start..].split(|byte| *byte == b'\n').next()?.trim_ascii_end();
        return (line.len() < 18 && line.iter().all(u8::is_ascii_digit)).then(|| start..start + line.len());
    }
    let length = input[start + 1..].iter().position(|byte| *byte == first)?;
    let inside = start + 1..start + 1 + length;
    let plain = !input[inside.clone()].iter().any(|byte| [b'\\', b'\n'].contains(byte));
    ([b'"', b'\''].contains(&first) && plain).then_some(inside)
}

/// Another letter or digit; a number's first digit does not become 0, and nothing else changes.
fn another(byte: u8) -> u8 {
    match byte {
        b'0' => b'0',
        b'9' => b'1',
        b'z' => b'a',
        b'Z' => b'A',
        _ if byte.is_ascii_alphanumeric() => byte + 1,
        _ => byte,
    }
}

/// The value of a sysfs attribute. The input is the attribute's text.
pub fn number(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let parsed = parse_number(text);
    let Some((negative, digits, decimals)) = fixed_point(text) else {
        assert!(parsed.is_err(), "{text:?} is no number, not {parsed:?}");
        return;
    };
    // Both are exact up to 2^53 and 10^22; the division is then the only one that rounds.
    let expected = digits as f64 / 10_f64.powi(decimals);
    let expected = if negative { -expected } else { expected };
    let limit = f64::from(i32::MAX);
    let close = |one: f64, other: f64| (one - other).abs() <= 4.0 * f64::EPSILON * other.abs();
    match parsed {
        Ok(number) => {
            assert!(number.is_finite() && number.abs() <= limit, "{text:?} became {number}");
            assert!(close(number, expected), "{text:?} became {number}, not {expected}");
            if digits < 1 << 53 && decimals <= 22 {
                assert_eq!(number.to_bits(), expected.to_bits(), "{text:?} became {number}, not {expected}");
            }
        }
        Err(why) => assert!(expected.abs() >= limit, "{text:?} is {expected}, but: {why}"),
    }
}

/// An optional sign, digits, perhaps a point and more digits, at most 32 characters, space around it:
/// its sign, all digits as a number, and how many of them are behind the point.
fn fixed_point(text: &str) -> Option<(bool, u128, i32)> {
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\x0c']);
    let unsigned = text.trim_start_matches(['+', '-']);
    if text.len() > 32 || text.len() - unsigned.len() > 1 {
        return None;
    }
    let (mut digits, mut decimals, mut before, mut point) = (0, 0, 0, false);
    for character in unsigned.chars() {
        match character {
            '0'..='9' => {
                digits = digits * 10 + u128::from(character.to_digit(10)?);
                if point { decimals += 1 } else { before += 1 }
            }
            '.' if !point => point = true,
            _ => return None,
        }
    }
    (before > 0 && point == (decimals > 0)).then_some((text.starts_with('-'), digits, decimals))
}

/// What focus prints. The input is a licence's length and letters, and then pieces: a byte that says which
/// stream (bit 0), what (bits 1 and 2) and how much (bits 3 to 7) comes, and the bytes, if it is bytes that come.
pub fn transcript(input: &[u8]) {
    let Some((length, rest)) = input.split_first() else { return };
    let (letters, pieces) = rest.split_at(usize::from(6 + length % 32).min(rest.len()));
    // Long enough, and with a digit, that nothing which is printed anyway can be taken for it.
    let mut license = "x0".to_owned();
    license.extend(letters.iter().map(|byte| {
        char::from(
            b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789--"[usize::from(byte % 64)],
        )
    }));
    if license.len() < 8 {
        return;
    }
    let chunks = chunks(pieces, license.as_bytes());
    let license = Secret::new(license);
    let heard = hear(&license, chunks.iter().map(|(stream, bytes)| (*stream, &bytes[..])));
    let ((shown, success), words) = &heard;
    for text in words.iter().chain([shown]) {
        let seen: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let found = seen.to_ascii_lowercase().contains(&license.expose().to_ascii_lowercase());
        assert!(!found, "the licence {:?} is quoted: {text:?}", license.expose());
    }

    let bytes = chunks.iter().flat_map(|(stream, bytes)| bytes.chunks(1).map(|byte| (*stream, byte)));
    assert_eq!(hear(&license, bytes), heard, "byte by byte");
    let merged: Vec<(usize, Vec<u8>)> = chunks
        .chunk_by(|one, next| one.0 == next.0)
        .map(|of_one| (of_one[0].0, of_one.iter().flat_map(|(_, bytes)| bytes.clone()).collect()))
        .collect();
    let merged = merged.iter().map(|(stream, bytes)| (*stream, &bytes[..]));
    assert_eq!(hear(&license, merged), heard, "in larger chunks");

    let mut short = true;
    for stream in [0, 1] {
        let all: Vec<u8> =
            chunks.iter().filter(|(of, _)| *of == stream).flat_map(|(_, b)| b.clone()).collect();
        let lines: Vec<Vec<u8>> = all.split(|byte| *byte == b'\n').map(plain).collect();
        as_quoted(&hear(&license, [(stream, &all[..])].into_iter()).1, &lines, &license);
        short &= lines.iter().all(|line| line.len() < 8000);
    }
    if short {
        assert_eq!(*success, is_success(&in_order(&chunks)), "what was said, looked at line by line");
    }
}

/// The lines of both streams without codes, in the order in which they ended.
fn in_order(chunks: &[(usize, Vec<u8>)]) -> Vec<String> {
    let mut begun = [Vec::new(), Vec::new()];
    let mut lines = Vec::new();
    for (stream, bytes) in chunks {
        for byte in bytes {
            if *byte == b'\n' {
                lines.push(std::mem::take(&mut begun[*stream]))
            } else {
                begun[*stream].push(*byte)
            }
        }
    }
    lines.extend(begun);
    lines.iter().map(|line| String::from_utf8_lossy(plain(line).trim_ascii_start()).into_owned()).collect()
}

/// The last word about the connection is that it stands, and no line tells of an error.
fn is_success(lines: &[String]) -> bool {
    let mut connected = false;
    for line in lines {
        let behind_time = line.trim_start_matches(|c: char| c.is_ascii_digit() || "/:. -".contains(c));
        let failed_write = behind_time.strip_prefix("TCP ").is_some_and(|reason| !reason.trim().is_empty());
        if line.contains("[error]") {
            return false;
        } else if line.contains("Connect error") || failed_write || line.contains("All data was not sent") {
            connected = false;
        } else if line.contains("[TCP] Connected") {
            connected = true;
        }
    }
    connected
}

/// What a transcript is in the end, whether it tells of success, and the lines that it logged.
fn hear<'a>(
    license: &Secret,
    chunks: impl Iterator<Item = (usize, &'a [u8])>,
) -> ((String, bool), Vec<String>) {
    logged(|| {
        let mut transcript = Transcript::new(license);
        let mut most = 0;
        for (stream, bytes) in chunks {
            transcript.feed(stream, bytes);
            most = most.max(bytes.len());
        }
        // Only that of the large chunks: it takes longer than all else.
        let kept = if most > 4096 { format!("{transcript:?}").matches(", ").count() } else { 0 };
        assert!(kept < 2 * 8192 + 300, "what is kept grows: about {kept} bytes");
        transcript.finish();
        (format!("{transcript:?}"), transcript.tells_of_success())
    })
}

fn chunks(mut pieces: &[u8], license: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let mut chunks: Vec<(usize, Vec<u8>)> = Vec::new();
    let mut total = 0;
    while let Some((&head, rest)) = pieces.split_first() {
        let amount = usize::from(head >> 3);
        let (taken, chunk) = match (head >> 1) & 3 {
            // The licence, or its beginning.
            2 if amount == 0 => (0, license.to_vec()),
            2 => (0, license[..amount.min(license.len())].to_vec()),
            // One byte, many times: up to more than one line may keep.
            3 => (1.min(rest.len()), rest.first().map_or(Vec::new(), |byte| vec![*byte; (amount + 1) * 273])),
            _ => (amount.min(rest.len()), rest[..amount.min(rest.len())].to_vec()),
        };
        pieces = &rest[taken..];
        total += chunk.len();
        if total > 25_000 {
            break;
        }
        chunks.push((usize::from(head & 1), chunk));
    }
    chunks
}

/// A line without its escape codes: `ESC [` to its final byte, `ESC ]` to BEL or the next ESC, or `ESC`, perhaps
/// intermediate bytes, and one byte.
fn plain(line: &[u8]) -> Vec<u8> {
    let mut parts = line.split(|byte| *byte == 0x1b);
    let mut plain = parts.next().unwrap_or_default().to_vec();
    for part in parts {
        plain.extend(match part.split_first() {
            Some((b'[', code)) => {
                let end = code.iter().position(|byte| !(0x20..=0x3f).contains(byte));
                end.map_or(&[][..], |end| &code[end + 1..])
            }
            Some((b']', code)) => {
                code.iter().position(|byte| *byte == 7).map_or(&[][..], |end| &code[end + 1..])
            }
            Some((0x20..=0x2f, code)) => {
                let end = code.iter().position(|byte| !(0x20..=0x2f).contains(byte));
                end.map_or(&[][..], |end| &code[end + 1..])
            }
            Some((_, text)) => text,
            None => &[],
        });
    }
    plain
}

/// The words are these lines: trimmed, without the licence, and short. Of a line that is too long to keep, they are
/// its beginning, as if all of it had been looked at.
fn as_quoted(words: &[String], lines: &[Vec<u8>], license: &Secret) {
    const KEPT: usize = 8192;
    let mut words = words.iter().map(|line| line.strip_prefix("focus: ").expect("one of its lines"));
    for line in lines.iter().map(|line| line.trim_ascii_start()) {
        let begin = String::from_utf8_lossy(&line[..line.len().min(KEPT)]);
        if begin.trim().is_empty() {
            continue;
        }
        let whole = clean(&license.hide_in(begin.trim_ascii(), "[license]"), ' ');
        let word = words.next().expect("each line that holds something is quoted");
        let rest = if whole.chars().count() > 200 { "..." } else { "" };
        assert_eq!(word, whole.chars().take(200).collect::<String>() + rest);
    }
    assert_eq!(words.next(), None, "nothing else is quoted");
}

/// A file in the store's place. The input is a byte that says what lies beside it (bits 0 and 1: nothing, a write-ahead
/// log, one whose checksums are put right first, a rollback journal) and how large the backlog may be (bit 2), the
/// length of what lies beside it (two bytes, the high one first), that, and then the file.
pub fn store(input: &[u8]) {
    let [flags, high, low, rest @ ..] = input else { return };
    let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
    let (beside, file) = if flags & 3 == 0 { (&[][..], rest) } else { rest.split_at(length) };
    let mut beside = beside.to_vec();
    let suffix = match flags & 3 {
        0 => None,
        1 => Some("-wal"),
        2 => {
            mend_checksums(&mut beside);
            Some("-wal")
        }
        _ => Some("-journal"),
    };
    let scratch = scratch();
    let settings = Settings {
        path: scratch.path().join("readings.db"),
        keep: Duration::from_secs(86_400),
        backlog: if flags & 4 == 0 { 100 } else { 1 },
        wait_for_clock: Duration::ZERO,
    };
    fs::write(&settings.path, file).expect("the file is written");
    if let Some(suffix) = suffix {
        fs::write(scratch.path().join(format!("readings.db{suffix}")), &beside)
            .expect("the other one is written");
    }

    let (run, lines) = logged(|| one_run(&settings));
    let asides = set_aside(scratch.path());
    assert!(asides.len() <= 1, "set aside more than once: {asides:?}");
    assert!(run.works || !lines.is_empty(), "a run without a store says so");
    let Some(aside) = asides.first() else {
        let is_empty = settings.path.metadata().expect("the file is there").len() == 0;
        assert!(file.is_empty() || !is_empty, "the file is empty");
        return;
    };
    is_set_aside_whole(aside, file, suffix, &lines);
    // The store that was begun may have been begun after this run's reading was kept: so one more run, and another.
    for first in [true, false] {
        let (run, lines) = logged(|| one_run(&settings));
        let right = run.works && run.finds_its_own && (first || run.knows_the_last);
        let silent = !lines.iter().any(|line| line.contains("cannot be used"));
        assert!(right && silent, "the store that was begun does not work: {lines:?}");
    }
    assert_eq!(set_aside(scratch.path()), asides, "the store that was begun is damaged too");
}

/// All that was there is set aside, and the log says so.
fn is_set_aside_whole(aside: &Path, file: &[u8], suffix: Option<&str>, lines: &[String]) {
    let name = aside.file_name().and_then(|name| name.to_str()).expect("a name that is text");
    let told = lines.iter().any(|line| line.contains(name));
    assert!(told, "{name} was set aside and nothing said so: {lines:?}");
    // SQLite writes to what it takes for a database, and only then.
    if !file.starts_with(b"SQLite format 3\0") && suffix.is_none() {
        assert_eq!(fs::read(aside).ok().as_deref(), Some(file), "what was set aside is not what was there");
    } else {
        assert!(file.is_empty() || aside.metadata().is_ok_and(|meta| meta.len() > 0), "{name} is empty");
    }
    // It would be taken for the new file's.
    if suffix == Some("-wal") && !file.is_empty() {
        let log = aside.with_file_name(format!("{name}-wal"));
        assert!(log.exists(), "{name} was set aside without its write-ahead log");
    }
}

/// How a run went with its store.
struct Run {
    works: bool,
    knows_the_last: bool,
    finds_its_own: bool,
}

/// What a run does with its store.
fn one_run(settings: &Settings) -> Run {
    let now = Moment {
        wall_ms: 1_700_000_000_000,
        boot_ms: 5_000_000,
        boot_id: "this boot".to_owned(),
        synchronised: true,
    };
    let reading = Reading { temperature_mdegc: 20_600, humidity_mpercent: 24_400 };
    let (sensor, failures) = ("kitchen".to_owned(), Tally::default());
    let new = Kept { reading, taken: now.clone(), sensor, place: None, failures, attempts: 1 };
    let mut store = Store::new(settings);
    let newest = store.newest((&new.sensor, None), &now, Duration::from_secs(600));
    let id = store.keep(&new);
    let mut delivered = vec![Delivered { id, taken_ms: now.wall_ms }];
    let mut undelivered = None;
    let (mut after, mut found) = (0, false);
    // What was taken over from a damaged store goes before this run's own reading.
    for _ in 0..=settings.backlog {
        let Some(waiting) = store.oldest_after(after, id.unwrap_or(0)).into_iter().next() else {
            // Nothing is asked for when its own is the only one.
            found |= after == 0;
            break;
        };
        assert!(waiting.id > after, "a reading comes twice, and so for ever");
        found |= Some(waiting.id) == id
            && (waiting.reading, waiting.taken.wall_ms) == (reading, new.taken.wall_ms);
        if Some(waiting.id) != id {
            delivered.push(Delivered { id: Some(waiting.id), taken_ms: waiting.taken_ms(&now) });
        }
        after = waiting.id;
    }
    if after % 2 == 1 {
        let reason = "focus exited with 1".to_owned();
        undelivered = delivered.pop().map(|last| Undelivered { id: last.id, reason, refused: true });
    }
    let failed = store.failed_runs(69);
    let end = RunEnd { at: now, status: 0, alert_raised: Some(true) };
    let left = store.settle(id, &delivered, undelivered.as_slice(), &end);
    Run {
        works: id.is_some() && left.is_some() && failed.is_some(),
        knows_the_last: newest == Some(reading),
        finds_its_own: found,
    }
}

fn set_aside(dir: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(dir).expect("the folder is there").filter_map(|entry| Some(entry.ok()?.path()));
    let part =
        |path: &PathBuf| path.to_string_lossy().ends_with("-wal") || path.to_string_lossy().ends_with("-shm");
    entries.filter(|path| path.to_string_lossy().contains(".damaged-") && !part(path)).collect()
}

/// Makes the checksums of a write-ahead log right, as <https://sqlite.org/fileformat2.html#walformat> has it, so
/// that not every change of a byte ends at them.
fn mend_checksums(wal: &mut [u8]) {
    const HEADER: usize = 32;
    const FRAME: usize = 24;
    if wal.len() < HEADER {
        return;
    }
    let number = |bytes: &[u8]| bytes.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    let big_endian = wal[3] & 1 == 1;
    let page = usize::try_from(number(&wal[8..12])).unwrap_or(usize::MAX);
    if !(512..=65_536).contains(&page) {
        return;
    }
    let mut sum = [0_u32; 2];
    let add = |bytes: &[u8], sum: &mut [u32; 2]| {
        for pair in bytes.chunks_exact(8) {
            let words = [&pair[..4], &pair[4..]].map(number);
            let [one, two] = if big_endian { words } else { words.map(u32::swap_bytes) };
            sum[0] = sum[0].wrapping_add(one).wrapping_add(sum[1]);
            sum[1] = sum[1].wrapping_add(two).wrapping_add(sum[0]);
        }
    };
    let put = |to: &mut [u8], sum: [u32; 2]| {
        to[..4].copy_from_slice(&sum[0].to_be_bytes());
        to[4..].copy_from_slice(&sum[1].to_be_bytes());
    };
    add(&wal[..24], &mut sum);
    put(&mut wal[24..32], sum);
    let (header, frames) = wal.split_at_mut(HEADER);
    for frame in frames.chunks_exact_mut(FRAME + page) {
        frame[8..16].copy_from_slice(&header[16..24]);
        add(&frame[..8], &mut sum);
        add(&frame[FRAME..], &mut sum);
        put(&mut frame[16..24], sum);
    }
}

/// A folder in memory where there is one: SQLite waits for the disk.
fn scratch() -> TempDir {
    let named = tempfile::Builder::new().prefix("iio-focus-").tempdir_in("/dev/shm");
    named.or_else(|_| tempfile::tempdir()).expect("a folder is made")
}

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct Listener;

impl log::Log for Listener {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        LINES.with_borrow_mut(|lines| lines.push(record.args().to_string()));
    }

    fn flush(&self) {}
}

/// Does something and returns what it logged, too.
fn logged<T>(work: impl FnOnce() -> T) -> (T, Vec<String>) {
    static LISTEN: Once = Once::new();
    LISTEN.call_once(|| {
        let _ = log::set_logger(&Listener);
        log::set_max_level(log::LevelFilter::Debug);
    });
    LINES.take();
    (work(), LINES.take())
}
