//! The configuration, and who can read the licence.

use super::Finding;
use super::facts::Facts;
use super::facts::configuration::Configuration;
use crate::config;
use crate::error::Problem;

/// What is found where the configuration would have to say what to look at.
pub(super) const NEEDS_CONFIGURATION: &str = "not looked at: the configuration comes first";

/// Is the configuration right?
pub(super) fn configuration(facts: &Facts) -> Vec<Finding> {
    let configuration = &facts.configuration;
    let mut findings = vec![match &configuration.problem {
        None => Finding::ok(configuration.config.file.display().to_string()),
        Some(problem) => Finding::wrong(problem.to_string(), advice(configuration, problem)),
    }];
    let asked = facts.sensors.iter().filter(|sensor| sensor.is_asked);
    findings.extend(
        asked
            .filter_map(|sensor| sensor.retry_problem.as_ref())
            .map(|problem| Finding::wrong(problem.to_string(), "leave it out: the default is right")),
    );
    findings
}

fn advice(configuration: &Configuration, problem: &Problem) -> String {
    let Configuration { config, default_file, has_default_file, .. } = configuration;
    match &configuration.file_of_one_sensor {
        _ if problem.denied => "run this with sudo".to_owned(),
        Some(file) if !has_default_file => {
            format!("look at one of several sensors: iio-focus doctor --config {}", file.display())
        }
        _ if !has_default_file && configuration.is_file_usable && config.file == *default_file => {
            format!("write {}: man iio-focus.toml shows one", default_file.display())
        }
        _ => "correct that: man iio-focus.toml has every key".to_owned(),
    }
}

/// Can only those read the licence who have to?
pub(super) fn licence(facts: &Facts) -> Vec<Finding> {
    let mut warnings = facts.configuration.config.warnings.clone();
    if let Some(credential) = &facts.credential {
        config::LICENSE.warn_if_public(&credential.path, credential.mode, &mut warnings);
    }
    if !warnings.is_empty() {
        let each = warnings.into_iter().map(|warning| {
            let advice = warning.advice.unwrap_or_else(|| "make it private".to_owned());
            Finding::wrong(warning.what, format!("sudo {advice}"))
        });
        return each.collect();
    }
    vec![match facts.configuration.problem {
        None => Finding::ok("only its owner and group can read it"),
        Some(_) => Finding::note(NEEDS_CONFIGURATION),
    }]
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use nix::errno::Errno;

    use super::super::State::{Note, Ok as Good, Wrong};
    use super::super::facts::configuration::Credential;
    use super::super::tests::{cannot_read, expect_each};
    use super::*;

    fn wrong_configuration(facts: &mut Facts) {
        facts.configuration.problem = Some(Problem::new("iio-focus.toml:2: pcode: must be a number"));
    }

    #[test]
    fn a_configuration_is_right_or_the_advice_says_what_to_do_about_it() {
        expect_each(
            configuration,
            &[
                (|_| (), &[(Good, "/pi/etc/iio-focus.toml", "")]),
                (
                    wrong_configuration,
                    &[(
                        Wrong,
                        "iio-focus.toml:2: pcode: must be a number",
                        "correct that: man iio-focus.toml",
                    )],
                ),
                (
                    |facts| facts.configuration.problem = Some(cannot_read(Errno::EACCES)),
                    &[(Wrong, "EACCES", "run this with sudo")],
                ),
            ],
        );
    }

    #[test]
    fn without_the_usual_configuration_one_is_pointed_to() {
        expect_each(
            configuration,
            &[
                (
                    |facts| {
                        wrong_configuration(facts);
                        facts.configuration.has_default_file = false;
                    },
                    &[(Wrong, "", "write /pi/etc/iio-focus.toml: man iio-focus.toml shows one")],
                ),
                (
                    |facts| {
                        wrong_configuration(facts);
                        facts.configuration.has_default_file = false;
                        facts.configuration.config.file = "/tmp/another.toml".into();
                    },
                    &[(Wrong, "", "correct that")],
                ),
                (
                    |facts| {
                        wrong_configuration(facts);
                        facts.configuration.has_default_file = false;
                        facts.configuration.file_of_one_sensor =
                            Some("/pi/etc/iio-focus/kitchen.toml".into());
                    },
                    &[(Wrong, "", "iio-focus doctor --config /pi/etc/iio-focus/kitchen.toml")],
                ),
                (
                    |facts| {
                        wrong_configuration(facts);
                        facts.configuration.file_of_one_sensor =
                            Some("/pi/etc/iio-focus/kitchen.toml".into());
                    },
                    &[(Wrong, "", "correct that")],
                ),
            ],
        );
    }

    #[test]
    fn a_pause_that_is_too_short_is_told_of_the_sensor_that_is_read() {
        expect_each(
            configuration,
            &[
                (
                    |facts| {
                        facts.sensors[0].retry_problem = Some(Problem::new("sensor.retry-delay: too short"))
                    },
                    &[
                        (Good, "/pi/etc/iio-focus.toml", ""),
                        (Wrong, "sensor.retry-delay: too short", "leave it out: the default is right"),
                    ],
                ),
                (
                    |facts| {
                        facts.sensors[0].retry_problem = Some(Problem::new("sensor.retry-delay: too short"));
                        facts.sensors[0].is_asked = false;
                    },
                    &[(Good, "/pi/etc/iio-focus.toml", "")],
                ),
            ],
        );
    }

    #[test]
    fn the_licence_is_for_its_owner_wherever_it_is() {
        fn credential(facts: &mut Facts, mode: u32) {
            facts.credential = Some(Credential::at("/pi/credstore/iio-focus.license", mode));
        }
        expect_each(
            licence,
            &[
                (|_| (), &[(Good, "only its owner and group can read it", "")]),
                (|facts| credential(facts, 0o600), &[(Good, "only its owner", "")]),
                (
                    |facts| credential(facts, 0o644),
                    &[(
                        Wrong,
                        "/pi/credstore/iio-focus.license holds the licence and everybody can read it",
                        "sudo chmod o= /pi/credstore/iio-focus.license",
                    )],
                ),
                (
                    |facts| {
                        let warnings = &mut facts.configuration.config.warnings;
                        config::LICENSE.warn_if_public(Path::new("/pi/iio-focus.toml"), 0o644, warnings);
                    },
                    &[(Wrong, "/pi/iio-focus.toml holds the licence", "sudo chmod o= /pi/iio-focus.toml")],
                ),
                (wrong_configuration, &[(Note, "the configuration comes first", "")]),
            ],
        );
    }
}
