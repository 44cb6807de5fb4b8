//! What can be read of a damaged store: the readings that wait, and what gives them their times.
//!
//! Each page of the file and of its write-ahead log is looked at by itself, as the file format describes it
//! (<https://www.sqlite.org/fileformat2.html>): a row counts if its page is whole enough to hold it and all its values are
//! plausible. There may be several versions of a row. If one of them says that the reading was delivered, it was.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;

use super::boot::BootClock;
use super::files::with_suffix;
use super::schema;
use crate::reading::Reading;

/// So many bytes of the file and of the log are looked at, at most: more than a million readings.
const MOST: u64 = 128 << 20;

const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const LEAF_OF_TABLE: u8 = 13;

/// The sizes of pages that stores have: of those that this version makes, and of those of earlier ones.
const PAGE_SIZES: [usize; 2] = [schema::PAGE as usize, 4096];

/// A reading as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) taken_ms: i64,
    pub(super) boot_ms: i64,
    pub(super) boot_id: String,
    pub(super) sensor: String,
    pub(super) reading: Reading,
    pub(super) attempts: u32,
    pub(super) status: Option<u8>,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The readings that wait, by their ids.
    pub(super) waiting: BTreeMap<i64, Row>,
    /// By the boots' ids. The number is the order in which they were seen.
    pub(super) boots: BTreeMap<String, (i64, BootClock)>,
    /// Whose the store was.
    pub(super) machine: Option<String>,
    /// Those that were delivered, or that another machine took.
    done: Vec<i64>,
}

/// Reads what can be read of the store at `path`, without SQLite. Of the readings that wait, the newest count, so many.
pub(super) fn read(path: &Path, limit: u32) -> Found {
    let mut found = Found::default();
    let file = open(path);
    let mut header = [0; 100];
    let has_header = file.as_ref().is_some_and(|(file, _)| file.read_exact_at(&mut header, 0).is_ok());
    let log = open(&with_suffix(path, "-wal")).and_then(|(log, length)| {
        let mut bytes = vec![0; usize::try_from(length).ok()?];
        log.read_exact_at(&mut bytes, 0).ok().map(|()| bytes)
    });
    let log = log.unwrap_or_default();
    let of_header = has_header.then(|| u64::from(header[16]) << 8 | u64::from(header[17]));
    let size = of_header.and_then(page_size).or_else(|| page_size(number_at(&log, 8)));
    // A page that is looked at with the wrong size shows nothing, or what it holds.
    for size in size.map_or(PAGE_SIZES.to_vec(), |size| vec![size]) {
        if let Some((file, length)) = &file {
            found.file(file, *length, &header, size);
        }
        found.log(&log, size);
    }
    found.close(limit);
    found
}

/// The file and how much of it is looked at.
fn open(path: &Path) -> Option<(File, u64)> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path).ok()?;
    let meta = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    Some((file, meta.len().min(MOST)))
}

/// The size of pages that this number in a header means (`fileformat2.html`).
fn page_size(number: u64) -> Option<usize> {
    let size = if number == 1 { 65536 } else { usize::try_from(number).ok()? };
    (size.is_power_of_two() && (512..=65536).contains(&size)).then_some(size)
}

/// The numbers of the pages that hold nothing any more, in order: what they held before is still in them.
fn unused_pages(file: &File, header: &[u8], page_size: usize) -> Vec<u64> {
    let mut unused = Vec::new();
    let mut page = vec![0; page_size];
    let mut trunk = number_at(header, 32);
    // Each part of the list has to be another page.
    while trunk > 0 && (unused.len() as u64) < MOST / page_size as u64 {
        unused.push(trunk);
        if file.read_exact_at(&mut page, (trunk - 1).saturating_mul(page_size as u64)).is_err() {
            break;
        }
        let leaves = usize::try_from(number_at(&page, 4)).unwrap_or(0).min(page_size / 4 - 2);
        unused.extend((0..leaves).map(|leaf| number_at(&page, 8 + 4 * leaf)));
        trunk = number_at(&page, 0);
    }
    unused.sort_unstable();
    unused
}

fn number_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 4).map_or(0, |four| four.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

impl Row {
    /// From the columns of `reading`, as far as they can be read.
    fn of(values: &[Value<'_>]) -> Option<Row> {
        let integer = |column: usize| match values.get(column) {
            Some(Value::Integer(number)) => Some(*number),
            _ => None,
        };
        let text = |column: usize| match values.get(column) {
            Some(Value::Text(text)) => Some((*text).to_owned()),
            _ => None,
        };
        Some(Row {
            taken_ms: integer(1)?,
            boot_ms: integer(2)?,
            boot_id: text(3)?,
            sensor: text(4)?,
            reading: Reading {
                temperature_mdegc: i32::try_from(integer(5)?).ok()?,
                humidity_mpercent: i32::try_from(integer(6)?).ok()?,
            },
            attempts: u32::try_from(integer(7)?).ok()?,
            status: integer(11).and_then(|status| u8::try_from(status).ok()),
        })
    }
}

impl Found {
    /// The pages of the database.
    fn file(&mut self, file: &File, length: u64, header: &[u8], page_size: usize) {
        let mut page = vec![0; page_size];
        let unused = unused_pages(file, header, page_size);
        for number in 0..length / page_size as u64 {
            let is_used = unused.binary_search(&(number + 1)).is_err();
            if is_used && file.read_exact_at(&mut page, number * page_size as u64).is_ok() {
                self.page(&page, if number == 0 { 100 } else { 0 });
            }
        }
    }

    /// The pages in a write-ahead log, of all its commits since it was begun anew, and of those that were not finished.
    fn log(&mut self, bytes: &[u8], page_size: usize) {
        let salts = |at: usize| bytes.get(at..at + 8);
        // In its header, or else in its first frame.
        let has_magic = number_at(bytes, 0) & !1 == 0x377f_0682;
        let current = salts(if has_magic { 16 } else { LOG_HEADER + 8 });
        let frames = bytes.get(LOG_HEADER..).unwrap_or_default().chunks_exact(FRAME_HEADER + page_size);
        for frame in frames.filter(|frame| frame.get(8..16) == current) {
            let header_at = if number_at(frame, 0) == 1 { 100 } else { 0 };
            self.page(&frame[FRAME_HEADER..], header_at);
        }
    }

    /// The rows of a page, if it is one of a table. Its header begins there.
    fn page(&mut self, page: &[u8], header_at: usize) {
        let Some([LEAF_OF_TABLE, _, _, high, low, ..]) = page.get(header_at..header_at + 8) else { return };
        let cells = (usize::from(*high) << 8 | usize::from(*low)).min(page.len() / 32);
        for cell in 0..cells {
            let at = header_at + 8 + 2 * cell;
            let Some([high, low]) = page.get(at..at + 2) else { return };
            if let Some((id, values)) = row(page, usize::from(*high) << 8 | usize::from(*low)) {
                self.row(id, &values);
            }
        }
    }

    /// Which table a row is of shows in its columns.
    fn row(&mut self, id: i64, values: &[Value<'_>]) {
        use Value::{Integer, Null, Text};
        match values {
            [Null, Integer(_), Integer(_), Text(_), Text(_), _, _, _, Integer(_), ..] => self.done.push(id),
            [Null, Integer(_), Integer(_), Text(_), Text(_), _, _, _, Null, ..] => {
                if let Some(row) = Row::of(values).filter(|row| is_plausible(id, row)) {
                    self.waiting.insert(id, row);
                }
            }
            [Null, Text(boot_id), Integer(offset_ms), Integer(certain @ 0..=1)] if is_word(boot_id) => {
                let clock = BootClock { offset_ms: *offset_ms, certain: *certain == 1 };
                self.boots.insert((*boot_id).to_owned(), (id, clock));
            }
            // Passed over, as another machine took it.
            [Null, Integer(_), Integer(_), Text(machine)] if is_word(machine) => self.done.push(id),
            [Text(machine)] if is_word(machine) => self.machine = Some((*machine).to_owned()),
            _ => {}
        }
    }

    fn close(&mut self, limit: u32) {
        for id in std::mem::take(&mut self.done) {
            self.waiting.remove(&id);
        }
        while self.waiting.len() > usize::try_from(limit).unwrap_or(usize::MAX) {
            self.waiting.pop_first();
        }
    }
}

/// What a run could have kept.
fn is_plausible(id: i64, row: &Row) -> bool {
    const YEAR_2200_MS: i64 = 7_258_118_400_000;
    (1..1 << 48).contains(&id)
        && (0..YEAR_2200_MS).contains(&row.taken_ms)
        && (0..YEAR_2200_MS).contains(&row.boot_ms)
        && (row.boot_id.is_empty() || is_word(&row.boot_id))
        && !row.sensor.is_empty()
        && row.sensor.len() < 256
        && !row.sensor.contains(|c: char| c.is_control())
        && (-273_150..1_000_000).contains(&row.reading.temperature_mdegc)
        && (0..=100_000).contains(&row.reading.humidity_mpercent)
        && (1..=100_000).contains(&row.attempts)
}

/// The id of a boot or of a machine.
fn is_word(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Value<'a> {
    Null,
    Integer(i64),
    Text(&'a str),
    Other,
}

/// The row in a cell of a table's page, as far as it is on this page.
fn row(page: &[u8], at: usize) -> Option<(i64, Vec<Value<'_>>)> {
    let cell = page.get(at..)?;
    let (length, used) = varint(cell)?;
    let (id, more) = varint(&cell[used..])?;
    let payload = cell.get(used + more..)?;
    let (length, usable) = (usize::try_from(length).ok()?, page.len());
    let local = match length {
        _ if length <= usable - 35 => length,
        _ => {
            let least = (usable - 12) * 32 / 255 - 23;
            let fits = least + (length - least) % (usable - 4);
            if fits <= usable - 35 { fits } else { least }
        }
    };
    Some((id, values(payload.get(..local)?)?))
}

/// The values of a record, up to the first that is not whole.
fn values(record: &[u8]) -> Option<Vec<Value<'_>>> {
    let (header, mut at) = varint(record)?;
    let header = record.get(..usize::try_from(header).ok()?)?;
    let mut body = &record[header.len()..];
    let mut values = Vec::new();
    while at < header.len() && values.len() < 16 {
        let (kind, used) = varint(&header[at..])?;
        at += used;
        let kind = usize::try_from(kind).ok()?;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            _ => (kind - 12) / 2,
        };
        let Some((bytes, rest)) = body.split_at_checked(length) else { break };
        body = rest;
        values.push(match kind {
            0 => Value::Null,
            8 => Value::Integer(0),
            9 => Value::Integer(1),
            1..=6 => {
                let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
                let start = if negative { -1 } else { 0 };
                Value::Integer(bytes.iter().fold(start, |number: i64, byte| number << 8 | i64::from(*byte)))
            }
            _ if kind >= 13 && kind % 2 == 1 => std::str::from_utf8(bytes).map_or(Value::Other, Value::Text),
            _ => Value::Other,
        });
    }
    Some(values)
}

/// A number of one to nine bytes, and how many they are.
fn varint(bytes: &[u8]) -> Option<(i64, usize)> {
    let mut number: u64 = 0;
    for (at, byte) in bytes.iter().take(9).enumerate() {
        if at == 8 {
            return Some(((number << 8 | u64::from(*byte)) as i64, 9));
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((number as i64, at + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::Connection;

    use super::*;
    use crate::store::schema;

    /// A store with readings that wait, some that were delivered, a long reason, and a boot.
    fn store(dir: &Path) -> Vec<u8> {
        let path = dir.join("readings.db");
        let rows = |db: &Connection| {
            db.execute_batch(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
                 INSERT INTO reading SELECT i, 1764000000000 + i, i, 'a boot', 'dht11@4', 20000 + i, 50000, 1,
                     iif(i % 4 = 0, 1764000000000, NULL), iif(i = 7, hex(zeroblob(9000)), NULL), NULL, 69, NULL FROM n;
                 INSERT INTO backlog (id) SELECT id FROM reading WHERE delivered_ms IS NULL;
                 INSERT INTO boot VALUES (1, 'a boot', 1764000000000, 1);
                 INSERT INTO machine VALUES ('0123456789abcdef0123456789abcdef');
                 INSERT INTO parked VALUES (5, 9, 0, 'another');",
            )
        };
        schema::create(&path, rows).unwrap();
        std::fs::read(path).unwrap()
    }

    #[test]
    fn all_that_waits_in_a_whole_file_is_found() {
        let dir = tempfile::tempdir().unwrap();
        store(dir.path());
        let found = read(&dir.path().join("readings.db"), 1000);
        let waiting: Vec<i64> = (1..=200).filter(|id| id % 4 != 0 && *id != 5).collect();
        assert_eq!(found.waiting.keys().copied().collect::<Vec<_>>(), waiting);
        let row = &found.waiting[&7];
        assert_eq!((row.taken_ms, row.boot_ms, row.boot_id.as_str()), (1_764_000_000_007, 7, "a boot"));
        assert_eq!((row.sensor.as_str(), row.attempts, row.status), ("dht11@4", 1, None));
        assert_eq!(found.waiting[&6].status, Some(69), "its reason fits into the page");
        assert_eq!(row.reading, Reading { temperature_mdegc: 20_007, humidity_mpercent: 50_000 });
        assert_eq!(found.boots["a boot"], (1, BootClock { offset_ms: 1_764_000_000_000, certain: true }));
        assert_eq!(found.machine.as_deref(), Some("0123456789abcdef0123456789abcdef"));
        let newest = read(&dir.path().join("readings.db"), 3).waiting;
        assert_eq!(newest.into_keys().collect::<Vec<_>>(), [197, 198, 199]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Whatever the bytes are, nothing is found that a run could not have kept.
        #[test]
        fn damage_makes_no_trouble(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..400),
            cut in any::<prop::sample::Index>(),
            noise in proptest::collection::vec(any::<u8>(), 0..9000),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let mut bytes = store(dir.path());
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(cut.index(bytes.len() * 2));
            let path = dir.path().join("readings.db");
            std::fs::write(&path, &bytes).unwrap();
            let log = [&noise[..], &bytes[..]].concat();
            std::fs::write(with_suffix(&path, "-wal"), log).unwrap();
            let found = read(&path, 1000);
            prop_assert!(found.waiting.iter().all(|(id, row)| is_plausible(*id, row)));
            let mut noisy = Found::default();
            noisy.page(&noise, 0);
            let _ = values(&noise);
        }
    }
}
