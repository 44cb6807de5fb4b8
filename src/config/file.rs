//! The file: its keys, each with its kind and its default, and where what is wrong in it stands.

use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::DEFAULT_STORE;
use super::kind::{
    ABSOLUTE_PATH, ALERT_AFTER, ATTEMPTS, BACKLOG, CONFIRM, DISTANCE, FIELDS, KEEP, Kind, LICENSE, OFFSET,
    PAUSE, PCODE, PORT, RANGE, SPAN, TAG_NAME, TEXT, TOKEN, URL, Value, WAIT,
};
use crate::error::{Error, Problem};
use crate::focus::Confirm;
use crate::open;
use crate::reading::Field;
use crate::secret::Secret;

/// Makes a struct of each table: in a line the key, its kind, and the field with its type and default.
macro_rules! tables {
    ($($(#[$doc:meta])* $Table:ident { $($key:literal $kind:ident $field:ident: $type:ty = $default:expr;)* })*) => {$(
        $(#[$doc])*
        pub(super) struct $Table {
            $(pub(super) $field: $type,)*
        }

        impl Default for $Table {
            fn default() -> $Table {
                $Table { $($field: $default,)* }
            }
        }

        impl Table for $Table {
            fn set(&mut self, key: &str, value: &DeValue<'_>) -> Result<(), Wrong> {
                match key {
                    $($key => $kind.read(value, &mut self.$field).map_err(|wrong| wrong.below(key)),)*
                    _ => Err(Wrong::unknown(key, &[$($key),*])),
                }
            }
        }
    )*};
}

tables! {
    /// All of the file.
    Tables {
        "sensor"             TABLE          sensor: SensorTable = SensorTable::default();
        "focus"              TABLE          focus: FocusTable = FocusTable::default();
        "store"              TABLE          store: StoreTable = StoreTable::default();
        "verify"             TABLE          verify: VerifyTable = VerifyTable::default();
    }

    /// `[sensor]`, with °C and %RH in thousandths.
    SensorTable {
        "device"             TEXT           device: Option<String> = None;
        "attempts"           ATTEMPTS       attempts: u32 = 10;
        "retry-delay"        PAUSE          retry_delay: Duration = Duration::from_millis(2100);
        "temperature-range"  RANGE          temperature_range: RangeInclusive<i32> = -40_000..=80_000;
        "humidity-range"     RANGE          humidity_range: RangeInclusive<i32> = 0..=100_000;
        "temperature-jump"   DISTANCE       temperature_jump: i32 = 5_000;
        "humidity-jump"      DISTANCE       humidity_jump: i32 = 20_000;
        "temperature-offset" OFFSET         temperature_offset: i32 = 0;
        "humidity-offset"    OFFSET         humidity_offset: i32 = 0;
    }

    /// `[focus]`
    FocusTable {
        "program"            TEXT           program: PathBuf = "focus".into();
        "license"            LICENSE        license: Option<Secret> = None;
        "license-file"       ABSOLUTE_PATH  license_file: Option<PathBuf> = None;
        "pcode"              PCODE          pcode: Option<u64> = None;
        "server-host"        TEXT           server_host: Option<String> = None;
        "server-port"        PORT           server_port: u16 = 6600;
        "category"           TEXT           category: String = "sensor".to_owned();
        "oname"              TEXT           oname: Option<String> = None;
        "okind"              TEXT           okind: Option<String> = None;
        "onode"              TEXT           onode: Option<String> = None;
        "pk"                 TEXT           pk: Option<String> = None;
        "tags"               TABLE          tags: Tags = Tags::new();
        "fields"             FIELDS         fields: Vec<Field> = Field::DEFAULT.to_vec();
        "timeout"            SPAN           timeout: Duration = Duration::from_secs(15);
        "confirm"            CONFIRM        confirm: Confirm = Confirm::Connected;
        "alert-after"        ALERT_AFTER    alert_after: u32 = 0;
    }

    /// `[store]`
    StoreTable {
        "path"               TEXT           path: PathBuf = DEFAULT_STORE.into();
        "keep"               KEEP           keep: Duration = Duration::from_secs(30 * 86_400);
        "backlog"            BACKLOG        backlog: u32 = 10_080;
        "wait-for-clock"     WAIT           wait_for_clock: Duration = Duration::from_secs(600);
    }

    /// `[verify]`
    VerifyTable {
        "token"              TOKEN          token: Option<Secret> = None;
        "token-file"         ABSOLUTE_PATH  token_file: Option<PathBuf> = None;
        "url"                URL            url: String = "https://api.whatap.io".to_owned();
        "pause"              PAUSE          pause: Duration = Duration::from_secs(3);
    }
}

/// Names and values, in the order of the names.
pub(super) type Tags = Vec<(String, String)>;

impl Table for Tags {
    fn set(&mut self, key: &str, value: &DeValue<'_>) -> Result<(), Wrong> {
        let name = TAG_NAME.of(Value::Word(key)).map_err(Wrong::new)?;
        let value = TEXT.of(Value::Toml(value)).map_err(|what| Wrong::new(what).below(key))?;
        self.push((name, value));
        Ok(())
    }
}

/// A table of the file.
trait Table {
    /// Takes the value of one of its keys.
    fn set(&mut self, key: &str, value: &DeValue<'_>) -> Result<(), Wrong>;

    fn fill(&mut self, entries: &DeTable<'_>) -> Result<(), Wrong> {
        for (key, value) in entries {
            self.set(key.get_ref(), value.get_ref()).map_err(|wrong| wrong.at(key.span().start))?;
        }
        Ok(())
    }
}

impl<T> Kind<T> {
    fn read<F: From<T>>(&self, value: &DeValue<'_>, field: &mut F) -> Result<(), Wrong> {
        *field = self.of(Value::Toml(value)).map_err(Wrong::new)?.into();
        Ok(())
    }
}

/// The kind of a key that is a table itself.
struct SubTable;

const TABLE: SubTable = SubTable;

impl SubTable {
    #[allow(clippy::unused_self, reason = "called as the other kinds are")]
    fn read(&self, value: &DeValue<'_>, field: &mut impl Table) -> Result<(), Wrong> {
        match value {
            DeValue::Table(entries) => field.fill(entries),
            _ => Err(Wrong::new("must be a table of keys and values".to_owned())),
        }
    }
}

/// What is wrong, under which key, and at which byte of the file.
struct Wrong {
    what: String,
    /// From the outermost table inwards, as far as it is known by now.
    key: Option<String>,
    at: Option<usize>,
}

impl Wrong {
    fn new(what: String) -> Wrong {
        Wrong { what, key: None, at: None }
    }

    fn unknown(key: &str, known: &[&str]) -> Wrong {
        let shown = shown(key).map(|key| format!(" `{key}`")).unwrap_or_default();
        let known: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
        Wrong::new(format!("unknown key{shown}, expected one of {}", known.join(", ")))
    }

    fn below(self, key: &str) -> Wrong {
        let key = self.key.map_or(key.to_owned(), |inner| format!("{key}.{inner}"));
        Wrong { key: Some(key), ..self }
    }

    /// The innermost place counts.
    fn at(self, byte: usize) -> Wrong {
        Wrong { at: self.at.or(Some(byte)), ..self }
    }
}

/// A key as it may be shown: anything can stand in its place, a licence too. Ours have no digits.
fn shown(key: &str) -> Option<&str> {
    const LONGEST: usize = 32;
    let is_shown = key.len() <= LONGEST && key.chars().all(|c| c.is_ascii_alphabetic() || "-_".contains(c));
    (is_shown && !key.is_empty()).then_some(key)
}

/// Reads a file, and its mode.
///
/// # Errors
/// Why it cannot be read; or the first thing that is wrong in it, with the line and the key.
pub(super) fn read(path: &Path) -> Result<(Tables, u32), Error> {
    let (text, mode) = read_text(path)?;
    Ok((read_tables(path, &text)?, mode))
}

/// Reads the text of the file of this name.
///
/// # Errors
/// The first thing that is wrong in it, with the line and the key.
pub(super) fn read_tables(path: &Path, text: &str) -> Result<Tables, Error> {
    parse(text).map_err(|wrong| {
        let line = line_of(text, wrong.at.unwrap_or(text.len()));
        let key = wrong.key.map(|key| format!("{key}: ")).unwrap_or_default();
        Error::Config(Problem::new(format!("{}:{line}: {key}{}", path.display(), wrong.what)))
    })
}

fn parse(text: &str) -> Result<Tables, Wrong> {
    let mut tables = Tables::default();
    tables.fill(DeTable::parse(text).map_err(|error| not_toml(text, &error))?.get_ref())?;
    Ok(tables)
}

fn not_toml(text: &str, error: &toml::de::Error) -> Wrong {
    let what = match error.message() {
        "duplicate key" => {
            let key = error.span().and_then(|span| text.get(span));
            let key = key.and_then(|key| shown(key.trim_matches(['"', '\'']))).unwrap_or("a key");
            format!("{key}: stands twice, keep one of them")
        }
        message => message.to_owned(),
    };
    Wrong { at: error.span().map(|span| span.start), ..Wrong::new(what) }
}

/// The text of a file that a person wrote, and the file's mode.
pub(super) fn read_text(path: &Path) -> Result<(String, u32), Error> {
    /// Far more than any configuration; keeps `/dev/zero` from filling the memory.
    const LONGEST: u64 = 1 << 20;
    let (bytes, meta) = open::read(path, LONGEST + 1)
        .map_err(|source| Error::Config(Problem::file("read", path, &source)))?;
    if bytes.len() as u64 > LONGEST {
        let what = format!("{}: is larger than 1 MiB: not a file for this", path.display());
        return Err(Error::Config(Problem::new(what)));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = line_of(&String::from_utf8_lossy(&error.as_bytes()[..valid]), valid);
        Error::Config(Problem::new(format!("{}:{line}: is not UTF-8 text", path.display())))
    })?;
    Ok((text, meta.permissions().mode()))
}

/// The number of the line that holds this byte, from 1.
fn line_of(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|&byte| byte == b'\n').count() + 1
}
