//! The answer of the Open API. Whatever is no array of rows says nothing: it is never taken for "no samples".

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::error::Problem;
use crate::output::clean;
use crate::reading::{Field, SentValues};

/// The longest message of the server that is quoted, in characters.
const LONGEST_MESSAGE: usize = 200;

/// One sample that WhaTap has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Its time, in ms since the epoch.
    pub time_ms: i64,
    /// The project it is of, if the row says so.
    pub pcode: Option<u64>,
    /// The number of the oname, if the row says so.
    pub oid: Option<i64>,
    /// The oname, if the row says so.
    pub oname: Option<String>,
    /// The values of the fields that were asked for.
    pub values: SentValues,
}

/// The rows of an answer, in the order of their times.
///
/// # Errors
/// A [`Problem`] if the answer is anything but an array of rows.
pub fn rows(body: &[u8], fields: &[Field]) -> Result<Vec<Row>, Problem> {
    let begins = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if begins != Some(&b'[') {
        return Err(match message(body) {
            _ if begins.is_none() => Problem::new("the answer is empty"),
            Some(message) => Problem::new(format!("WhaTap answers: {message}")),
            None => Problem::new("the answer is no array of rows"),
        }
        .advise("try again later, or correct url in [verify]"));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let rows = Rows(fields).deserialize(&mut json).and_then(|rows| json.end().map(|()| rows));
    let mut rows = rows.map_err(|error| {
        Problem::new(format!("the answer cannot be read: {}", clean(&error.to_string(), ' ')))
            .advise("try again later")
    })?;
    rows.sort_by_key(|row| row.time_ms);
    Ok(rows)
}

/// What an object that is no answer says: its `error`, `message` or `msg`.
#[must_use]
pub fn message(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Refusal {
        error: Option<Value>,
        message: Option<Value>,
        msg: Option<Value>,
    }
    let Refusal { error, message, msg } = serde_json::from_slice(body).ok()?;
    let said = [message, msg, error].into_iter().flatten().find(|value| !value.is_null())?;
    let text = said.as_str().map_or_else(|| said.to_string(), str::to_owned);
    Some(clean(&text, ' ').chars().take(LONGEST_MESSAGE).collect())
}

/// An array of rows with these fields.
struct Rows<'a>(&'a [Field]);

impl<'de> DeserializeSeed<'de> for Rows<'_> {
    type Value = Vec<Row>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Row>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = Vec<Row>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Vec<Row>, A::Error> {
        let mut rows = Vec::new();
        while let Some(row) = array.next_element_seed(OneRow(self.0))? {
            rows.push(row);
        }
        Ok(rows)
    }
}

/// One row, an object with its keys in any order.
struct OneRow<'a>(&'a [Field]);

impl<'de> DeserializeSeed<'de> for OneRow<'_> {
    type Value = Row;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Row, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneRow<'_> {
    type Value = Row;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let mut row = Row::default();
        let mut time = None;
        while let Some(key) = map.next_key::<String>()? {
            let place = self.0.iter().position(|field| field.name() == key);
            match (key.as_str(), place) {
                ("time", _) => time = whole(&map.next_value()?),
                ("pcode", _) => row.pcode = map.next_value::<Value>()?.as_u64(),
                ("oid", _) => row.oid = whole(&map.next_value()?),
                ("oname", _) => row.oname = map.next_value::<Value>()?.as_str().map(str::to_owned),
                (_, Some(place)) => {
                    if let Some(value) = map.next_value::<Value>()?.as_f64() {
                        row.values.set(place, value);
                    }
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        row.time_ms = time.ok_or_else(|| A::Error::custom("a row without a time"))?;
        Ok(row)
    }
}

/// A whole number, also one that is written as 1.7e12.
#[allow(clippy::cast_possible_truncation, reason = "a float beyond the range becomes its limit")]
fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().map(|number| number.round() as i64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reading::Reading;

    #[test]
    fn rows_are_read_whatever_the_order_of_their_keys_and_their_own() {
        let body =
            br#" [{"time":1739227983000,"humidity":37,"temperature":27.1,"oid":778846145,"x":{"y":[1]}},
            {"oname":"pi2w","pcode":7000,"temperature":-0.1,"time":1739227982000,"humidity":null}]"#;
        let rows = rows(body, &Field::DEFAULT).unwrap();
        let reading = Reading { temperature_mdegc: 27_100, humidity_mpercent: 37_000 };
        assert_eq!(rows[1].values, SentValues::of(reading, &Field::DEFAULT));
        assert_eq!(
            (rows[1].time_ms, rows[1].oid, rows[1].pcode),
            (1_739_227_983_000, Some(778_846_145), None)
        );
        assert_eq!((rows[0].oname.as_deref(), rows[0].pcode), (Some("pi2w"), Some(7000)));
        assert_ne!(rows[0].values, rows[1].values);
    }

    proptest! {
        #[test]
        fn no_answer_is_taken_for_another(body in r#"\PC*|[ \[\]{}:,"a-z0-9.e-]{0,40}|\[\{"time":[0-9]{1,19}(\.[0-9]{1,4})?(,"oid":"?-?[0-9]{1,30}"?)?\}\]"#) {
            if let Ok(rows) = rows(body.as_bytes(), &Field::DEFAULT) {
                let array: Vec<serde_json::Map<String, Value>> = serde_json::from_str(&body).unwrap();
                prop_assert_eq!(array.len(), rows.len());
                prop_assert!(array.iter().all(|row| row["time"].is_number()));
            }
            let message = message(body.as_bytes()).unwrap_or_default();
            prop_assert!(message.chars().count() <= LONGEST_MESSAGE && !message.contains(char::is_control));
        }
    }

    #[test]
    fn what_is_no_array_of_rows_is_not_known() {
        for (body, wanted) in [
            ("", "the answer is empty"),
            (" \n", "the answer is empty"),
            (r#"{"msg":"no \u001b data"}"#, "WhaTap answers: no   data"),
            (r#"{"error":{"code":5}}"#, r#"WhaTap answers: {"code":5}"#),
            (r#"{"error":null,"message":"quota"}"#, "WhaTap answers: quota"),
            ("{}", "the answer is no array of rows"),
            ("<html>", "the answer is no array of rows"),
            ("null", "the answer is no array of rows"),
            ("[{\"time\":1}", "the answer cannot be read: "),
            ("[1]", "the answer cannot be read: "),
            ("[{}]", "the answer cannot be read: a row without a time"),
            ("[] []", "the answer cannot be read: "),
        ] {
            let problem = rows(body.as_bytes(), &Field::DEFAULT).unwrap_err();
            assert!(problem.what.starts_with(wanted), "{body:?}: {problem}");
        }
        assert_eq!(rows(b"[]", &Field::DEFAULT), Ok(Vec::new()));
    }
}
