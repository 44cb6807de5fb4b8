//! WhaTap's Open API: which samples the project has.
//!
//! What is known of it (<https://docs.whatap.io/en/apidoc/openapi-mxql>, WhaTap's own client, and a published answer): one
//! POST request with a query in MXQL, times in ms, at most 31 days. The answer is a bare array of rows, empty if there are
//! none. `pageKey` is a constant; a wrong key in the body gives an empty answer and no error. `OID` is the CRC-32 of the
//! object's name, as a signed number; without a number it is ignored. There is no cursor and no mark of an answer that
//! was cut.

pub mod answer;
mod curl;

use std::time::Duration;

use serde::Serialize;

use crate::error::{Error, Problem};
use crate::reading::Field;
use crate::secret::Secret;
use crate::signals::SystemClock;
pub use answer::Row;

/// How many rows are asked for. With so many, an answer may have been cut.
pub const MOST_ROWS: usize = 5000;

/// Where the query goes, below the server's URL.
const PATH: &str = "/open/api/flush/mxql/text";

/// How to ask for the samples of this machine.
#[derive(Clone, Debug)]
pub struct Project {
    /// The server, without a slash at the end.
    pub url: String,
    /// The project's API token.
    pub token: Secret,
    /// The project's code.
    pub pcode: u64,
    /// `-category` of focus.
    pub category: String,
    /// `-oname` of focus, or the host name.
    pub oname: String,
    /// The quantities that focus gets.
    pub fields: Vec<Field>,
    /// How long to wait between two requests: WhaTap limits their number.
    pub pause: Duration,
}

/// Whose samples are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those of our oname.
    Ours,
    /// All of the category.
    Everyones,
}

/// The body of a request.
#[derive(Serialize)]
struct Body<'a> {
    stime: i64,
    etime: i64,
    mql: &'a str,
    limit: usize,
    #[serde(rename = "pageKey")]
    page_key: &'static str,
}

impl Project {
    /// Asks for the samples from `since_ms` until `until_ms`, at most [`MOST_ROWS`] of them.
    ///
    /// # Errors
    /// [`Error::NotAsked`] if there is no answer or one that says nothing; [`Error::Signal`] if a signal ended the wait.
    pub fn ask(
        &self,
        since_ms: i64,
        until_ms: i64,
        whose: Whose,
        clock: &SystemClock,
    ) -> Result<Vec<Row>, Error> {
        let mql = self.query(whose);
        let body = Body { stime: since_ms, etime: until_ms, mql: &mql, limit: MOST_ROWS, page_key: "mxql" };
        // This cannot fail: the keys are strings, the values strings and whole numbers.
        let body = serde_json::to_string(&body).unwrap_or_default();
        let url = format!("{}{PATH}", self.url);
        let headers = [
            format!("x-whatap-token: {}", self.token.expose()),
            format!("x-whatap-pcode: {}", self.pcode),
            "Content-Type: application/json".to_owned(),
        ];
        let reply = curl::post(&curl::Request { url: &url, headers: &headers, body: &body }, clock)?;
        reply.and_then(|reply| answer::rows(&reply, &self.fields)).map_err(|problem| {
            let what = self.token.hide_in(&problem.what, "[token]");
            Error::NotAsked(Problem {
                what: format!("what arrived is not known: {what}"),
                advice: problem.advice,
                denied: false,
            })
        })
    }

    fn query(&self, whose: Whose) -> String {
        let oid = match whose {
            Whose::Ours => format!("OID {}\n", self.oid()),
            Whose::Everyones => String::new(),
        };
        let names = self.fields.iter().fold(String::new(), |names, field| names + ", " + field.name());
        format!("CATEGORY {}\n{oid}TAGLOAD\nSELECT [time, oid, pcode, oname{names}]", self.category)
    }

    /// The number by which WhaTap knows our oname.
    #[must_use]
    pub fn oid(&self) -> i32 {
        i32::from_ne_bytes(crc32(self.oname.as_bytes()).to_ne_bytes())
    }

    /// Whether a row is of our oname, as far as it says so.
    #[must_use]
    pub fn is_ours(&self, row: &Row) -> bool {
        match (&row.oname, row.oid) {
            (Some(oname), _) => *oname == self.oname,
            (None, Some(oid)) => oid == i64::from(self.oid()),
            (None, None) => true,
        }
    }
}

/// CRC-32 of ISO 3309, as in zlib.
fn crc32(bytes: &[u8]) -> u32 {
    let shifted = |crc: u32| (0..8).fold(crc, |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)));
    !bytes.iter().fold(u32::MAX, |crc, byte| shifted(crc ^ u32::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(oname: &str) -> Project {
        Project {
            url: "https://h".to_owned(),
            token: Secret::new("t"),
            pcode: 7000,
            category: "sensor".to_owned(),
            oname: oname.to_owned(),
            fields: Field::DEFAULT.to_vec(),
            pause: Duration::ZERO,
        }
    }

    #[test]
    fn the_oid_is_the_signed_crc_of_the_oname() {
        for (oname, oid) in [("pi2w", 778_846_145), ("", 0), ("123456789", -873_187_034)] {
            assert_eq!(project(oname).oid(), oid, "{oname}");
        }
    }

    #[test]
    fn the_query_is_the_documented_one() {
        assert_eq!(
            project("pi2w").query(Whose::Ours),
            "CATEGORY sensor\nOID 778846145\nTAGLOAD\nSELECT [time, oid, pcode, oname, temperature, humidity]"
        );
        assert_eq!(
            project("pi2w").query(Whose::Everyones),
            "CATEGORY sensor\nTAGLOAD\nSELECT [time, oid, pcode, oname, temperature, humidity]"
        );
    }
}
