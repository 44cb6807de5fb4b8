//! The kinds of setting. Each has one sentence of what is right for it, wherever the value comes from.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::{DeArray, DeValue};

use crate::focus::Confirm;
use crate::logger::Destination;
use crate::reading::Field;
use crate::secret::Secret;

/// One kind of setting.
pub(crate) struct Kind<T> {
    /// What would be right, as it ends the sentence "must be …".
    pub(super) right: &'static str,
    read: fn(Value<'_>) -> Option<T>,
}

impl<T> Kind<T> {
    /// The setting that this value stands for; else what would be right. The value is never quoted: it may be a
    /// secret in a wrong place.
    pub(super) fn of(&self, value: Value<'_>) -> Result<T, String> {
        (self.read)(value).ok_or_else(|| format!("must be {}", self.right))
    }
}

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const YEAR: Duration = Duration::from_secs(31_557_600);

macro_rules! kinds {
    ($($(#[$doc:meta])* $NAME:ident: $type:ty = $right:literal, $read:expr;)*) => {$(
        $(#[$doc])*
        pub(super) const $NAME: Kind<$type> = Kind { right: $right, read: $read };
    )*};
}

kinds! {
    TEXT: String = "text in quotes, not empty and without control characters",
        |value| value.text(is_printed);
    /// Not relative: a run by hand and one by a timer start in different folders. (And no secret looks like one.)
    ABSOLUTE_PATH: PathBuf = "an absolute path in quotes",
        |value| value.text(is_printed).filter(|path| path.starts_with('/')).map(PathBuf::from);
    /// The NAME of `-tag.NAME`.
    TAG_NAME: String = "a tag's name: letters, digits and _",
        |value| value.text(|c| c.is_ascii_alphanumeric() || c == '_');
    LICENSE: Secret = "a licence in quotes: letters, digits and -, such as \"x0000-test-0000\"",
        |value| value.text(in_license).map(Secret::new);
    TOKEN: Secret = "an API token in quotes: letters, digits and signs of ASCII, without spaces, quotation marks and \\",
        |value| value.text(in_token).map(Secret::new);
    /// Of a server: what is asked for is added to it.
    URL: String = "a URL in quotes that begins with https:// (or http://), without spaces, @, ? and #, such as \
                   \"https://api.whatap.io\"",
        |value| value.text(in_url).filter(|url| has_host(url));
    ATTEMPTS: u32 = "a whole number from 1 to 1000",
        |value| value.integer(1..=1000);
    PCODE: u64 = "the project's code, a whole number above 0",
        |value| value.integer(1..=u64::MAX);
    PORT: u16 = "a port number from 1 to 65535",
        |value| value.integer(1..=u16::MAX);
    BACKLOG: u32 = "a whole number from 1 to 10000000",
        |value| value.integer(1..=10_000_000);
    /// Runs; 0 is never.
    ALERT_AFTER: u32 = "a whole number from 0 (never) to 1000",
        |value| value.integer(0..=1000);
    /// A wait that may be none.
    PAUSE: Duration = "a duration in quotes, from 0s to 10m, such as \"2100ms\"",
        |value| value.duration(Duration::ZERO..=600 * SECOND);
    /// For something that comes later than all else, or never.
    WAIT: Duration = "a duration in quotes, from 0s to 1day, such as \"10m\"",
        |value| value.duration(Duration::ZERO..=24 * HOUR);
    /// A time limit.
    SPAN: Duration = "a duration in quotes, from 10ms to 1h, such as \"15s\"",
        |value| value.duration(10 * MILLISECOND..=HOUR);
    KEEP: Duration = "a duration in quotes, from 1h to 100years, such as \"30d\"",
        |value| value.duration(HOUR..=100 * YEAR);
    /// How old something may be.
    AGE: Duration = "a duration in quotes, from 1s to 1year, such as \"5m\"",
        |value| value.duration(SECOND..=YEAR);
    // °C or %RH at the source, thousandths inside.
    RANGE: RangeInclusive<i32> = "two numbers from -1000 to 1000, the lower one first, such as [-40.0, 80.0]",
        |value| match &value.list()?[..] {
            [low, high] => Some((number(low.get_ref())?, number(high.get_ref())?)),
            _ => None,
        }
        .filter(|(low, high)| low < high)
        .and_then(|(low, high)| Some(thousandths(low)?..=thousandths(high)?));
    DISTANCE: i32 = "a number from 0 (off) to 1000, such as 5.0",
        |value| thousandths(number(value.toml()?)?).filter(|distance| *distance >= 0);
    OFFSET: i32 = "a number from -1000 to 1000, such as -0.5",
        |value| thousandths(number(value.toml()?)?);
    /// What focus is given, in this order. The others can all be absent, and nothing is no reading.
    FIELDS: Vec<Field> = "a list of temperature, humidity, dewpoint, absolutehumidity, heatindex and vpd, each at most once \
                          and one of the first two among them, such as [\"temperature\", \"dewpoint\"]",
        |value| {
            let names = value.list()?.iter().map(|name| name.get_ref().as_str());
            let fields: Vec<Field> = names.map(|name| field(name?)).collect::<Option<_>>()?;
            let is_twice = (1..fields.len()).any(|n| fields[..n].contains(&fields[n]));
            (!is_twice && fields.iter().any(|field| field.is_measured())).then_some(fields)
        };
    CONFIRM: Confirm = "\"connected\" or \"exit-status\"",
        |value| value.one_of(&[("connected", Confirm::Connected), ("exit-status", Confirm::ExitStatus)]);
    DESTINATION: Destination = "auto, syslog or stderr",
        |value| value.one_of(&[
            ("auto", Destination::Auto), ("syslog", Destination::Syslog), ("stderr", Destination::Stderr)
        ]);
}

/// A character that a licence may have.
pub(super) fn in_license(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

/// A character that an API token may have: any that can stand in a header and in curl's quotation marks as it is.
pub(super) fn in_token(c: char) -> bool {
    c.is_ascii_graphic() && !"\"'`\\".contains(c)
}

/// Not the signs that would make the rest of a URL mean something else: a user, a query, a fragment.
fn in_url(c: char) -> bool {
    in_token(c) && !"@?#{}<>".contains(c)
}

fn has_host(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.starts_with(['/', ':']) && !rest.is_empty())
}

fn is_printed(c: char) -> bool {
    !c.is_control()
}

fn field(name: &str) -> Option<Field> {
    Field::ALL.into_iter().find(|field| field.name() == name)
}

/// A value as it stands at its source.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    /// A word of the command line or the environment, which may stand for text, a whole number or a duration.
    Word(&'a str),
    /// A value of the file, which has a type.
    Toml(&'a DeValue<'a>),
}

impl<'a> Value<'a> {
    fn toml(self) -> Option<&'a DeValue<'a>> {
        match self {
            Value::Word(_) => None,
            Value::Toml(value) => Some(value),
        }
    }

    fn list(self) -> Option<&'a DeArray<'a>> {
        self.toml()?.as_array()
    }

    fn word(self) -> Option<&'a str> {
        match self {
            Value::Word(text) => Some(text),
            Value::Toml(value) => value.as_str(),
        }
    }

    fn text(self, right: fn(char) -> bool) -> Option<String> {
        self.word().filter(|text| !text.is_empty() && text.chars().all(right)).map(str::to_owned)
    }

    fn one_of<T: Copy>(self, all: &[(&str, T)]) -> Option<T> {
        let word = self.word()?;
        all.iter().find(|(name, _)| *name == word).map(|(_, choice)| *choice)
    }

    fn duration(self, within: RangeInclusive<Duration>) -> Option<Duration> {
        humantime::parse_duration(self.word()?).ok().filter(|duration| within.contains(duration))
    }

    fn integer<T: TryFrom<i64> + PartialOrd>(self, within: RangeInclusive<T>) -> Option<T> {
        let integer = match self {
            Value::Word(text) => text.parse().ok()?,
            Value::Toml(value) => integer(value)?,
        };
        T::try_from(integer).ok().filter(|integer| within.contains(integer))
    }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Float(number) => number.as_str().parse().ok(),
        _ => Some(f64::from(i32::try_from(integer(value)?).ok()?)),
    }
}

/// Nothing beyond ±1000 is meant.
#[allow(clippy::cast_possible_truncation, reason = "the range was checked")]
fn thousandths(value: f64) -> Option<i32> {
    (value.abs() <= 1000.0).then(|| (value * 1000.0).round() as i32)
}
