//! Did the readings of the last hour arrive at WhaTap?

use super::Finding;
use super::facts::Facts;
use super::facts::arrival::Arrival;
use crate::config::HOW_TO_GET_A_TOKEN;
use crate::store::Verdict;

/// What WhaTap has of the last hour, if there is an API token to ask it with.
pub(super) fn arrival(facts: &Facts) -> Vec<Finding> {
    const ASK_AGAIN: &str = "iio-focus verify says more";
    vec![match &facts.arrival {
        Arrival::NoToken => {
            Finding::note("nobody knows: there is no API token to ask WhaTap with").advise(HOW_TO_GET_A_TOKEN)
        }
        Arrival::Unknown(what, advice) => {
            Finding::note(what.as_str()).advise(advice.as_deref().unwrap_or(ASK_AGAIN))
        }
        Arrival::NoReading => Finding::note("no reading of the last hour is old enough to be judged"),
        Arrival::Asked { verdict: Verdict::Ok, why, .. } => Finding::ok(format!("in the last hour, {why}")),
        Arrival::Asked { verdict: Verdict::Waiting | Verdict::Unknown, why, next } => {
            Finding::note(format!("in the last hour, {why}")).advise(next.as_deref().unwrap_or(ASK_AGAIN))
        }
        Arrival::Asked { verdict: Verdict::Missing | Verdict::Wrong, why, next } => {
            Finding::wrong(format!("in the last hour, {why}"), next.as_deref().unwrap_or(ASK_AGAIN))
        }
    }]
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::super::tests::{Case, expect_each};
    use super::*;

    fn asked(verdict: Verdict, why: &str, next: Option<&str>) -> Arrival {
        Arrival::Asked { verdict, why: why.to_owned(), next: next.map(str::to_owned) }
    }

    #[test]
    fn what_whatap_has_is_judged() {
        let cases: &[Case<'_>] = &[
            (|_| (), &[(State::Ok, "in the last hour, all of 50 readings arrived", "")]),
            (
                |facts| facts.arrival = Arrival::NoToken,
                &[(State::Note, "no API token", "token-file in [verify]")],
            ),
            (|facts| facts.arrival = Arrival::NoReading, &[(State::Note, "no reading of the last hour", "")]),
            (
                |facts| {
                    facts.arrival =
                        Arrival::Unknown("curl is not there".into(), Some("apt install curl".into()))
                },
                &[(State::Note, "curl is not there", "apt install curl")],
            ),
            (
                |facts| facts.arrival = asked(Verdict::Waiting, "5 of 50 readings wait", None),
                &[(State::Note, "5 of 50 readings wait", "iio-focus verify says more")],
            ),
            (
                |facts| {
                    facts.arrival = asked(Verdict::Missing, "1 of 50 readings is missing", Some("--requeue"))
                },
                &[(State::Wrong, "1 of 50 readings is missing", "--requeue")],
            ),
            (
                |facts| facts.arrival = asked(Verdict::Wrong, "WhaTap has nothing at all", None),
                &[(State::Wrong, "nothing at all", "iio-focus verify says more")],
            ),
        ];
        expect_each(arrival, cases);
    }
}
