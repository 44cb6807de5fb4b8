//! What `verify` needs to know of the WhaTap project: `[verify]`, and what `[focus]` says of the samples.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::file::{FocusTable, Tables};
use super::kind::PCODE;
use super::secret::TOKEN;
use super::{Config, Sources};
use crate::cli::Args;
use crate::error::{Error, Problem};
use crate::open_api::Project;

/// How to get an API token.
pub const HOW_TO_GET_A_TOKEN: &str = "WhaTap shows the project's API token in Management > Project Management; write it into a \
                                             file and set token-file in [verify]";

impl Config {
    /// The project that is asked which readings arrived; none without an API token. And what is not wrong but should be
    /// told.
    ///
    /// # Errors
    /// [`Error::Config`] if what is configured is wrong, or the project code is missing.
    pub fn project(
        root: &Path,
        args: &Args,
        env: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<(Option<Project>, Vec<Problem>), Error> {
        let mut sources = Sources { root, env, warnings: Vec::new() };
        let file = sources.file(args).0;
        let Tables { focus, verify, .. } = sources.read_file(args)?;
        // The file was read before, and what is told of it then need not be told again.
        sources.warnings.clear();
        let Some(token) = TOKEN.find(&file, verify.token, verify.token_file, &mut sources)? else {
            return Ok((None, sources.warnings));
        };
        let FocusTable { category, oname, fields, .. } = focus;
        let pcode = sources.variable("WHATAP_PCODE", &PCODE)?.or(focus.pcode).ok_or_else(|| {
            let file = file.display();
            Error::Config(Problem::new(format!("{file}: [focus] lacks pcode (or WHATAP_PCODE)")))
        })?;
        let oname = oname.unwrap_or_else(host_name);
        let (url, pause) = (verify.url.trim_end_matches('/').to_owned(), verify.pause);
        let project = Project { url, token, pcode, category, oname, fields, pause };
        Ok((Some(project), sources.warnings))
    }
}

/// What focus takes for the name of this machine where it is given none.
fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}
