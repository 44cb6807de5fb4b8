//! The clock: readings that are sent at a wrong time stay there.

use super::Finding;
use super::facts::Facts;
use super::facts::time::Time;
use crate::clock::millis;

/// Is the clock right, as far as this machine knows?
pub(super) fn clock(facts: &Facts) -> Vec<Finding> {
    let Some(Time { is_synchronised, since_boot_ms, services }) = &facts.time else { return Vec::new() };
    if *is_synchronised {
        return vec![Finding::ok("synchronised")];
    }
    if !facts.configuration.is_file_usable {
        return vec![Finding::note("not synchronised")];
    }
    let wait = facts.configuration.config.store.wait_for_clock;
    let found = "not synchronised";
    let left_ms = millis(wait).saturating_sub(*since_boot_ms);
    vec![if wait.is_zero() {
        Finding::note(format!("{found}, and wait-for-clock is 0s: readings are sent all the same"))
    } else if left_ms > 0 {
        let left = crate::commands::times::length(left_ms);
        Finding::note(format!("{found}: readings are kept, and sent when it is, or in {left} at the latest"))
    } else {
        let found = format!("{found}: readings are sent with what it shows, as wait-for-clock is over");
        Finding::wrong(found, advice(services))
    }]
}

fn advice(services: &[String]) -> String {
    let no_time = "; for a machine that never has the time, wait-for-clock = \"0s\" in [store]";
    match services {
        [] => format!("sudo apt install systemd-timesyncd, or chrony{no_time}"),
        [service, ..] => format!(
            "see timedatectl and systemctl status {service}, and whether the network lets NTP (UDP port 123) through{no_time}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::State::{Note, Ok as Good, Wrong};
    use super::super::tests::expect_each;
    use super::*;

    fn unsynchronised(facts: &mut Facts, minutes_since_boot: i64) -> &mut Time {
        let time = facts.time.as_mut().unwrap();
        time.is_synchronised = false;
        time.since_boot_ms = minutes_since_boot * 60_000;
        time
    }

    #[test]
    fn a_clock_that_is_not_synchronised_is_waited_for_and_then_wrong() {
        expect_each(
            clock,
            &[
                (|_| (), &[(Good, "synchronised", "")]),
                (
                    |facts| {
                        unsynchronised(facts, 11);
                        facts.configuration.is_file_usable = false;
                    },
                    &[(Note, "not synchronised", "")],
                ),
                (
                    |facts| {
                        unsynchronised(facts, 2);
                    },
                    &[(Note, "not synchronised: readings are kept, and sent when it is, or in 8m", "")],
                ),
                (
                    |facts| {
                        unsynchronised(facts, 11);
                    },
                    &[(Wrong, "sent with what it shows", "systemctl status systemd-timesyncd.service")],
                ),
                (
                    |facts| unsynchronised(facts, 11).services.clear(),
                    &[(Wrong, "not synchronised", "sudo apt install systemd-timesyncd, or chrony")],
                ),
                (
                    |facts| {
                        unsynchronised(facts, 11);
                        facts.configuration.config.store.wait_for_clock = Duration::ZERO;
                    },
                    &[(Note, "wait-for-clock is 0s", "")],
                ),
            ],
        );
    }
}
