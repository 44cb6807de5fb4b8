//! Arguments, environment and file become one validated [`Config`]; every default stands here.
//!
//! Each kind of setting is a type with one description of what is right for it, wherever the value
//! comes from. Values are never quoted in an error: one of them is the licence.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::cli::Args;
use crate::error::{Error, Problem};
use crate::focus::{Confirm, Focus, License};
use crate::logger::Destination;
use crate::reading::{Calibration, Field, Jump, Limits};
use crate::store;

/// The configuration file that may be absent.
pub const DEFAULT_FILE: &str = "/etc/iio-focus.toml";

/// Where readings are kept, unless the configuration says otherwise.
pub const DEFAULT_STORE: &str = "/var/lib/iio-focus/readings.db";

/// Everything a run needs to know, checked.
#[derive(Debug)]
pub struct Config {
    /// Where sysfs is mounted.
    pub sysfs: PathBuf,
    /// The sensor's label, IIO name or id, if one was named.
    pub device: Option<String>,
    /// How many times to try the sensor.
    pub attempts: u32,
    /// The pause after a failed try.
    pub retry_delay: Duration,
    /// From the start to the end of the run.
    pub deadline: Duration,
    /// What counts as a reading.
    pub limits: Limits,
    /// What is added to it.
    pub calibration: Calibration,
    /// How far it may be from the last one without being doubted.
    pub jump: Jump,
    /// What is told of it.
    pub fields: Vec<Field>,
    /// Who gets it; nobody in a dry run or a command.
    pub focus: Option<Focus>,
    /// The file that was read, or would have been.
    pub file: PathBuf,
    /// Where it is kept.
    pub store: store::Settings,
    /// What is not wrong but should be told.
    pub warnings: Vec<Problem>,
}

impl Config {
    /// Puts the configuration together: command line over environment over file over default.
    ///
    /// # Errors
    /// [`Error::Usage`] for a value on the command line, [`Error::Config`] for all else: each names
    /// where the value stands and what would be right.
    pub fn load(args: &Args, env: &dyn Fn(&str) -> Option<OsString>) -> Result<Config, Error> {
        let delivers = !args.dry_run && args.command.is_none();
        Config::load_under(Path::new("/"), args, env, delivers)
    }

    /// The same for the system whose root folder this is, and as it is for a run that delivers, or for all else. A path
    /// on the command line or in the environment is taken as it stands.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_under(
        root: &Path,
        args: &Args,
        env: &dyn Fn(&str) -> Option<OsString>,
        delivers: bool,
    ) -> Result<Config, Error> {
        let mut warnings = Vec::new();
        let (file, FileContent { sensor, focus, store }) = read_file(root, args, env, &mut warnings)?;
        let deadline = option::<Span>("--deadline", args.deadline.as_deref())?;
        let attempts = option("--attempts", args.attempts.as_deref())?.or(sensor.attempts);
        let retry_delay = option("--retry-delay", args.retry_delay.as_deref())?.or(sensor.retry_delay);
        let fields = focus.fields.clone().map_or(Field::DEFAULT.to_vec(), |Fields(fields)| fields);
        let focus =
            if delivers { Some(focus.into_focus(root, &file, &fields, env, &mut warnings)?) } else { None };
        Ok(Config {
            sysfs: sysfs(args.sysfs.as_deref()),
            device: args.device.clone().or(sensor.device.map(|Word(name)| name)),
            attempts: attempts.map_or(10, |Attempts(n)| n),
            retry_delay: retry_delay.map_or(Duration::from_millis(2100), |Pause(pause)| pause),
            deadline: deadline.map_or(Duration::from_secs(50), |Span(span)| span),
            limits: Limits {
                temperature_mdegc: sensor.temperature_range.map_or(-40_000..=80_000, |Range(range)| range),
                humidity_mpercent: sensor.humidity_range.map_or(0..=100_000, |Range(range)| range),
            },
            calibration: Calibration {
                temperature_mdegc: sensor.temperature_offset.map_or(0, |Offset(offset)| offset),
                humidity_mpercent: sensor.humidity_offset.map_or(0, |Offset(offset)| offset),
            },
            jump: Jump {
                temperature_mdegc: sensor.temperature_jump.map_or(5_000, |Distance(jump)| jump),
                humidity_mpercent: sensor.humidity_jump.map_or(20_000, |Distance(jump)| jump),
            },
            fields,
            focus,
            file,
            store: store::Settings {
                path: under(root, store.path.map_or(DEFAULT_STORE.into(), |Word(path)| path.into())),
                keep: store.keep.map_or(Duration::from_secs(30 * 86_400), |Keep(keep)| keep),
                backlog: store.backlog.map_or(10_080, |Backlog(limit)| limit),
            },
            warnings,
        })
    }
}

/// An absolute path as it is found under a root folder.
#[must_use]
pub fn under(root: &Path, path: PathBuf) -> PathBuf {
    path.strip_prefix("/").map_or_else(|_| path.clone(), |path| root.join(path))
}

/// Where sysfs is mounted.
#[must_use]
pub fn sysfs(named: Option<&str>) -> PathBuf {
    PathBuf::from(named.unwrap_or("/sys"))
}

/// The choice of `--log`.
///
/// # Errors
/// [`Error::Usage`] for another word.
pub fn log_destination(named: Option<&str>) -> Result<Destination, Error> {
    Ok(option("--log", named)?.unwrap_or_default())
}

/// How old the last reading may be for `status`.
///
/// # Errors
/// [`Error::Usage`] if it is no duration.
pub fn max_age(named: Option<&str>) -> Result<Duration, Error> {
    Ok(option("--max-age", named)?.map_or(Duration::from_secs(300), |Age(age)| age))
}

/// What the file may hold. A key that is not here is an error.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct FileContent {
    #[serde(deserialize_with = "table")]
    sensor: SensorSection,
    #[serde(deserialize_with = "table")]
    focus: FocusSection,
    #[serde(deserialize_with = "table")]
    store: StoreSection,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct SensorSection {
    device: Option<Word>,
    attempts: Option<Attempts>,
    retry_delay: Option<Pause>,
    temperature_range: Option<Range>,
    humidity_range: Option<Range>,
    temperature_jump: Option<Distance>,
    humidity_jump: Option<Distance>,
    temperature_offset: Option<Offset>,
    humidity_offset: Option<Offset>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct FocusSection {
    program: Option<Word>,
    license: Option<LicenseText>,
    license_file: Option<AbsolutePath>,
    pcode: Option<Pcode>,
    server_host: Option<Word>,
    server_port: Option<Port>,
    category: Option<Word>,
    oname: Option<Word>,
    okind: Option<Word>,
    onode: Option<Word>,
    pk: Option<Word>,
    #[serde(deserialize_with = "table")]
    tags: BTreeMap<TagName, Word>,
    fields: Option<Fields>,
    timeout: Option<Span>,
    confirm: Option<Confirm>,
    alert_after: Option<AlertAfter>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct StoreSection {
    path: Option<Word>,
    keep: Option<Keep>,
    backlog: Option<Backlog>,
}

/// A section from a table alone: serde would take an array as well, for the keys in their order.
fn table<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct TableVisitor<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for TableVisitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a table")
        }

        fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(entries))
        }
    }

    deserializer.deserialize_any(TableVisitor(PhantomData))
}

impl FocusSection {
    fn into_focus(
        self,
        root: &Path,
        file: &Path,
        fields: &[Field],
        env: &dyn Fn(&str) -> Option<OsString>,
        warnings: &mut Vec<Problem>,
    ) -> Result<Focus, Error> {
        let license = self.license(root, file, env, warnings)?;
        let pcode = variable::<Pcode>("WHATAP_PCODE", env)?.or(self.pcode);
        let host = match variable::<Word>("WHATAP_HOST", env)? {
            None => variable("WHATAP_SERVER_HOST", env)?,
            named => named,
        }
        .or(self.server_host);
        let port = variable::<Port>("WHATAP_SERVER_PORT", env)?.or(self.server_port);
        let (Some(LicenseText(license)), Some(Pcode(pcode)), Some(Word(server_host))) =
            (&license, &pcode, &host)
        else {
            let missing: Vec<&str> = [
                (license.is_none(), "license (or license-file, or WHATAP_LICENSE)"),
                (pcode.is_none(), "pcode (or WHATAP_PCODE)"),
                (host.is_none(), "server-host (or WHATAP_HOST)"),
            ]
            .iter()
            .filter_map(|(missing, name)| missing.then_some(*name))
            .collect();
            return Err(Error::Config(
                Problem::new(format!("{}: [focus] lacks {}", file.display(), missing.join(", ")))
                    .advise("to see a reading without delivering it, use --dry-run"),
            ));
        };
        let optional =
            [("-oname", self.oname), ("-okind", self.okind), ("-onode", self.onode), ("-pk", self.pk)];
        Ok(Focus {
            program: under(root, self.program.map_or("focus".into(), |Word(program)| program.into())),
            license: License(license.clone()),
            pcode: *pcode,
            server_host: server_host.clone(),
            server_port: port.map_or(6600, |Port(port)| port),
            category: self.category.map_or("sensor".to_owned(), |Word(category)| category),
            optional: optional
                .into_iter()
                .filter_map(|(option, value)| value.map(|Word(value)| (option, value)))
                .collect(),
            tags: self.tags.into_iter().map(|(TagName(name), Word(value))| (name, value)).collect(),
            fields: fields.to_vec(),
            timeout: self.timeout.map_or(Duration::from_secs(15), |Span(span)| span),
            confirm: self.confirm.unwrap_or(Confirm::Connected),
            alert_after: self.alert_after.map(|AlertAfter(runs)| runs).filter(|runs| *runs > 0),
        })
    }

    /// The licence: from the environment, else from systemd's credential, else from the file or the file it names.
    fn license(
        &self,
        root: &Path,
        file: &Path,
        env: &dyn Fn(&str) -> Option<OsString>,
        warnings: &mut Vec<Problem>,
    ) -> Result<Option<LicenseText>, Error> {
        if let Some(license) = variable("WHATAP_LICENSE", env)? {
            return Ok(Some(license));
        }
        let credential = path_variable("CREDENTIALS_DIRECTORY", env).map(|dir| dir.join("license"));
        if let Some(credential) = credential.filter(|path| path.exists()) {
            return license_in(&credential, warnings).map(Some);
        }
        match (&self.license, &self.license_file) {
            (Some(_), Some(_)) => Err(Error::Config(Problem::new(format!(
                "{}: [focus] has both license and license-file: keep one of them",
                file.display()
            )))),
            (Some(license), None) => Ok(Some(license.clone())),
            (None, Some(AbsolutePath(path))) => license_in(&under(root, path.clone()), warnings).map(Some),
            (None, None) => Ok(None),
        }
    }
}

fn license_in(path: &Path, warnings: &mut Vec<Problem>) -> Result<LicenseText, Error> {
    let (text, mode) = read_text(path)?;
    warn_if_public(path, mode, warnings);
    LicenseText::from_value(&Value::Word(text.trim())).ok_or_else(|| {
        let right = LicenseText::RIGHT;
        Error::Config(Problem::new(format!("{}: must hold {right} and nothing else", path.display())))
    })
}

pub(crate) fn warn_if_public(path: &Path, mode: u32, warnings: &mut Vec<Problem>) {
    if mode & 0o004 != 0 {
        let path = path.display();
        warnings.push(
            Problem::new(format!("{path} holds the licence and everybody can read it"))
                .advise(format!("chmod o= {path}")),
        );
    }
}

/// The file and what it holds. The default one may be absent.
fn read_file(
    root: &Path,
    args: &Args,
    env: &dyn Fn(&str) -> Option<OsString>,
    warnings: &mut Vec<Problem>,
) -> Result<(PathBuf, FileContent), Error> {
    let named = args.config.clone().map(PathBuf::from).or_else(|| path_variable("IIO_FOCUS_CONFIG", env));
    let may_be_absent = named.is_none();
    let path = named.unwrap_or_else(|| under(root, DEFAULT_FILE.into()));
    if may_be_absent && !path.exists() {
        return Ok((path, FileContent::default()));
    }
    let (text, mode) = read_text(&path)?;
    let content = parse(&text)
        .map_err(|(line, what)| Error::Config(Problem::new(format!("{}:{line}: {what}", path.display()))))?;
    if content.focus.license.is_some() {
        warn_if_public(&path, mode, warnings);
    }
    Ok((path, content))
}

fn path_variable(name: &str, env: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    env(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The text of a file that a person wrote, and the file's mode.
fn read_text(path: &Path) -> Result<(String, u32), Error> {
    /// Far more than any configuration; keeps `/dev/zero` from filling the memory.
    const LONGEST: u64 = 1 << 20;
    let read = || {
        let file = File::open(path)?;
        let mode = file.metadata()?.permissions().mode();
        let mut bytes = Vec::new();
        file.take(LONGEST + 1).read_to_end(&mut bytes)?;
        Ok((bytes, mode))
    };
    let (bytes, mode) = read().map_err(|source| Error::Config(Problem::file("read", path, &source)))?;
    if bytes.len() as u64 > LONGEST {
        let what = format!("{}: is larger than 1 MiB: not a file for this", path.display());
        return Err(Error::Config(Problem::new(what)));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = line_of(&String::from_utf8_lossy(&error.as_bytes()[..valid]), valid);
        Error::Config(Problem::new(format!("{}:{line}: is not UTF-8 text", path.display())))
    })?;
    Ok((text, mode))
}

/// Parses the file; an error is the line and what is wrong there, with the key and what would be right.
fn parse(text: &str) -> Result<FileContent, (usize, String)> {
    toml::from_str(text).map_err(|mut error: toml::de::Error| {
        let line = line_of(text, error.span().map_or(text.len(), |span| span.start));
        // Without its input, the error shows its message and then the key in a line of its own.
        error.set_input(None);
        let shown = error.to_string();
        let mut lines = shown.lines();
        let message = lines.next().unwrap_or("is not TOML");
        // serde quotes what it finds, which may be the licence in a wrong place.
        let message = if let Some(field) = message.strip_prefix("unknown field ") {
            format!("unknown key {field}")
        } else if message.starts_with("invalid type") {
            "must be a table of keys and values".to_owned()
        } else if message == "duplicate key" {
            let key = error.span().and_then(|span| text.get(span)).unwrap_or("a key");
            format!("{key}: stands twice, keep one of them")
        } else {
            message.to_owned()
        };
        let key = lines.next().and_then(|key| key.strip_prefix("in `")?.strip_suffix('`'));
        (line, key.map_or(message.clone(), |key| format!("{key}: {message}")))
    })
}

/// The number of the line that holds this byte, from 1.
fn line_of(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|&byte| byte == b'\n').count() + 1
}

/// A value from the command line, if it is there.
fn option<T: Setting>(name: &str, text: Option<&str>) -> Result<Option<T>, Error> {
    text.map(|text| {
        T::from_value(&Value::Word(text))
            .ok_or_else(|| Error::Usage(Problem::new(format!("{name}: {}", must_be::<T>()))))
    })
    .transpose()
}

/// A value from the environment, if it is there and not empty.
fn variable<T: Setting>(name: &str, env: &dyn Fn(&str) -> Option<OsString>) -> Result<Option<T>, Error> {
    env(name)
        .filter(|value| !value.is_empty())
        .map(|value| {
            value.to_str().and_then(|text| T::from_value(&Value::Word(text))).ok_or_else(|| {
                Error::Config(Problem::new(format!("environment variable {name}: {}", must_be::<T>())))
            })
        })
        .transpose()
}

/// A value as it stands at its source.
enum Value<'a> {
    /// A word of the command line or the environment, which may stand for anything.
    Word(&'a str),
    /// The types of TOML, as far as a setting may have them.
    Text(String),
    Integer(i64),
    Number(f64),
    Pair(f64, f64),
    Texts(Vec<String>),
    Other,
}

impl Value<'_> {
    fn text(&self) -> Option<&str> {
        match self {
            Value::Word(text) => Some(text),
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn integer<T: TryFrom<i64> + PartialOrd>(&self, within: RangeInclusive<T>) -> Option<T> {
        let integer = match self {
            Value::Word(text) => text.parse().ok()?,
            Value::Integer(integer) => *integer,
            _ => return None,
        };
        T::try_from(integer).ok().filter(|integer| within.contains(integer))
    }

    /// °C or %RH in thousandths; nothing beyond ±1000 is meant.
    fn thousandths(&self) -> Option<i32> {
        match self {
            Value::Integer(integer) => thousandths(f64::from(i32::try_from(*integer).ok()?)),
            Value::Number(number) => thousandths(*number),
            _ => None,
        }
    }

    fn duration(&self, within: RangeInclusive<Duration>) -> Option<Duration> {
        humantime::parse_duration(self.text()?).ok().filter(|duration| within.contains(duration))
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the range was checked")]
fn thousandths(value: f64) -> Option<i32> {
    (value.abs() <= 1000.0).then(|| (value * 1000.0).round() as i32)
}

impl<'de> Deserialize<'de> for Value<'static> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'static>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number or a list")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_i64<E: de::Error>(self, integer: i64) -> Result<Self::Value, E> {
        Ok(Value::Integer(integer))
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_i128<E: de::Error>(self, _: i128) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_u128<E: de::Error>(self, _: u128) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Ok(Value::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut numbers = Vec::new();
        let mut texts = Vec::new();
        while let Some(item) = items.next_element::<Value<'static>>()? {
            numbers.push(match item {
                Value::Integer(integer) => i32::try_from(integer).map_or(f64::NAN, f64::from),
                Value::Number(number) => number,
                _ => f64::NAN,
            });
            if let Value::Text(text) = item {
                texts.push(text);
            }
        }
        match numbers[..] {
            _ if texts.len() == numbers.len() => Ok(Value::Texts(texts)),
            [low, high] => Ok(Value::Pair(low, high)),
            _ => Ok(Value::Other),
        }
    }
}

/// One kind of setting: what is right for it, wherever the value comes from.
trait Setting: Sized {
    /// What would be right, as it ends the sentence "must be …".
    const RIGHT: &'static str;

    fn from_value(value: &Value<'_>) -> Option<Self>;
}

macro_rules! settings {
    ($($setting:ty: $right:literal, $from_value:expr;)*) => {$(
        impl Setting for $setting {
            const RIGHT: &'static str = $right;

            fn from_value(value: &Value<'_>) -> Option<Self> {
                let from_value: fn(&Value<'_>) -> Option<Self> = $from_value;
                from_value(value)
            }
        }

        impl<'de> Deserialize<'de> for $setting {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::from_value(&Value::deserialize(deserializer)?).ok_or_else(|| de::Error::custom(must_be::<Self>()))
            }
        }
    )*};
}

fn must_be<T: Setting>() -> String {
    format!("must be {}", T::RIGHT)
}

/// Text that can be an argument of a program.
#[derive(Clone)]
struct Word(String);

/// Not relative: a run by hand and one by a timer start in different folders. (And no licence looks like one.)
struct AbsolutePath(PathBuf);

/// The NAME of `-tag.NAME`.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct TagName(String);

#[derive(Clone)]
struct LicenseText(String);

struct Attempts(u32);
struct Pcode(u64);
struct Port(u16);
struct Backlog(u32);

/// Runs; 0 is never.
struct AlertAfter(u32);

/// A wait that may be none.
struct Pause(Duration);

/// A time limit.
struct Span(Duration);

struct Keep(Duration);

/// How old something may be.
struct Age(Duration);

/// What focus is given, in this order.
#[derive(Clone)]
struct Fields(Vec<Field>);

// °C or %RH at the source, thousandths inside.
struct Range(RangeInclusive<i32>);
struct Distance(i32);
struct Offset(i32);

fn text_of(value: &Value<'_>, right: fn(char) -> bool) -> Option<String> {
    value.text().filter(|text| !text.is_empty() && text.chars().all(right)).map(str::to_owned)
}

/// The others can all be absent, and nothing is no reading.
fn fields_of(value: &Value<'_>) -> Option<Fields> {
    let Value::Texts(names) = value else { return None };
    let mut fields = Vec::new();
    for name in names {
        let field = Field::ALL.into_iter().find(|field| field.name() == name)?;
        if fields.contains(&field) {
            return None;
        }
        fields.push(field);
    }
    fields.iter().any(|field| field.is_measured()).then_some(Fields(fields))
}

settings! {
    Word: "text in quotes, not empty and without control characters",
        |value| text_of(value, |c| !c.is_control()).map(Word);
    AbsolutePath: "an absolute path in quotes",
        |value| text_of(value, |c| !c.is_control()).filter(|path| path.starts_with('/')).map(|path| AbsolutePath(path.into()));
    TagName: "a tag's name: letters, digits and _",
        |value| text_of(value, |c| c.is_ascii_alphanumeric() || c == '_').map(TagName);
    LicenseText: "a licence in quotes: letters, digits and -, such as \"x0000-test-0000\"",
        |value| text_of(value, |c| c.is_ascii_alphanumeric() || c == '-').map(LicenseText);
    Attempts: "a whole number from 1 to 1000",
        |value| value.integer(1..=1000).map(Attempts);
    Pcode: "the project's code, a whole number above 0",
        |value| value.integer(1..=u64::MAX).map(Pcode);
    Port: "a port number from 1 to 65535",
        |value| value.integer(1..=u16::MAX).map(Port);
    Backlog: "a whole number from 1 to 10000000",
        |value| value.integer(1..=10_000_000).map(Backlog);
    AlertAfter: "a whole number from 0 (never) to 1000",
        |value| value.integer(0..=1000).map(AlertAfter);
    Pause: "a duration in quotes, from 0s to 10m, such as \"2100ms\"",
        |value| value.duration(Duration::ZERO..=Duration::from_secs(600)).map(Pause);
    Span: "a duration in quotes, from 10ms to 1h, such as \"15s\"",
        |value| value.duration(Duration::from_millis(10)..=Duration::from_secs(3600)).map(Span);
    Keep: "a duration in quotes, from 1h to 100years, such as \"30d\"",
        |value| value.duration(Duration::from_secs(3600)..=Duration::from_secs(100 * 31_557_600)).map(Keep);
    Age: "a duration in quotes, from 1s to 1year, such as \"5m\"",
        |value| value.duration(Duration::from_secs(1)..=Duration::from_secs(31_557_600)).map(Age);
    Range: "two numbers from -1000 to 1000, the lower one first, such as [-40.0, 80.0]",
        |value| match *value {
            Value::Pair(low, high) if low < high => Some(Range(thousandths(low)?..=thousandths(high)?)),
            _ => None,
        };
    Distance: "a number from 0 (off) to 1000, such as 5.0",
        |value| value.thousandths().filter(|jump| *jump >= 0).map(Distance);
    Offset: "a number from -1000 to 1000, such as -0.5",
        |value| value.thousandths().map(Offset);
    Fields: "a list of temperature, humidity, dewpoint, absolutehumidity, heatindex and vpd, each at most once and one of the \
             first two among them, such as [\"temperature\", \"dewpoint\"]",
        fields_of;
    Confirm: "\"connected\" or \"exit-status\"",
        |value| match value.text()? {
            "connected" => Some(Confirm::Connected),
            "exit-status" => Some(Confirm::ExitStatus),
            _ => None,
        };
    Destination: "auto, syslog or stderr",
        |value| match value.text()? {
            "auto" => Some(Destination::Auto),
            "syslog" => Some(Destination::Syslog),
            "stderr" => Some(Destination::Stderr),
            _ => None,
        };
}
