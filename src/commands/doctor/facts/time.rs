//! The clock, and what sets it.

use std::path::Path;

use super::schedule::wanted_units;
use super::unit::Load;
use crate::clock::Moment;

#[derive(Clone, Debug)]
pub(crate) struct Time {
    pub(crate) is_synchronised: bool,
    /// How long ago the boot was, in ms.
    pub(crate) since_boot_ms: i64,
    /// The services that set the clock by the network and are enabled.
    pub(crate) services: Vec<String>,
}

const SERVICES: [&str; 6] = ["systemd-timesyncd", "chrony", "chronyd", "ntpsec", "ntp", "openntpd"];

impl Time {
    pub(super) fn look(root: &Path, now: &Moment) -> Time {
        let is_one = |name: &String| SERVICES.iter().any(|one| name.strip_suffix(".service") == Some(one));
        let enabled = wanted_units(root, is_one).into_iter();
        Time {
            is_synchronised: now.synchronised,
            since_boot_ms: now.boot_ms,
            services: enabled.filter(|name| Load::look(root, name).unit().is_some()).collect(),
        }
    }
}
