//! `iio-focus verify` against a stand-in for WhaTap's Open API: what arrived, what is missing and why, and what it does when
//! the answer says nothing.

mod open_api;
mod token;

use std::net::TcpListener;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::machine::{Machine, PROGRAM, eventually};
use open_api::{
    MINUTE, OpenApi, Past, asking, assert_no_token, configure, jiff_now_ms, minutes, remember, verified,
    verify,
};

/// A machine with this history, and the stand-in that has what it sent.
fn with_history(all: &[Past]) -> (Machine, OpenApi) {
    let mut machine = asking("https://127.0.0.1:1");
    remember(&machine, all);
    let api = OpenApi::of(&machine);
    configure(&mut machine, &api.url());
    (machine, api)
}

/// Counts of a verification: taken, arrived, waiting, missing, arrived twice, not ours.
fn counts(said: &Value) -> [i64; 6] {
    ["taken", "arrived", "waiting", "missing", "arrived_twice", "not_ours"]
        .map(|name| said[name].as_i64().unwrap())
}

fn backlog(machine: &Machine) -> Vec<i64> {
    let db = Connection::open(machine.store()).unwrap();
    let mut ids = db.prepare("SELECT id FROM backlog ORDER BY id").unwrap();
    ids.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

// ---- all is well, and what was dropped is found and sent again

#[test]
fn dropped_readings_are_named_put_back_and_brought_by_the_next_runs() {
    let mut all = minutes(1000);
    // An outage of 100 minutes, delivered a second apart after it.
    let end_ms = all[400].taken_ms;
    for (past, after_s) in all[300..400].iter_mut().zip(0..) {
        past.late_ms = Some(end_ms + after_s * 1000);
    }
    let (machine, api) = with_history(&all);
    let server = machine.serve();
    api.play("drop-tenth 1000");
    let dropped: Vec<i64> = (1..=1000).filter(|id| id % 10 == 0).collect();

    let said = verified(&machine, &[], 1);
    assert_eq!((said["verdict"].as_str(), counts(&said)), (Some("missing"), [1000, 900, 0, 100, 0, 0]));
    let first: Vec<String> = said["first_missing"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["time"].as_str().unwrap().to_owned())
        .collect();
    let named: Vec<String> = dropped[..10]
        .iter()
        .map(|id| all[usize::try_from(*id).unwrap() - 1].taken_ms)
        .map(|ms| jiff::Timestamp::from_millisecond(ms).map(|time| format!("{time:.3}")).unwrap())
        .collect();
    assert_eq!(first, named);
    assert_eq!(backlog(&machine), [0_i64; 0]);

    let said = verified(&machine, &["--requeue"], 1);
    assert_eq!(said["requeued"], 100);
    assert_eq!(backlog(&machine), dropped);
    let said = verified(&machine, &[], 1);
    assert_eq!((said["verdict"].as_str(), counts(&said)), (Some("waiting"), [1000, 900, 100, 0, 0, 0]));

    while !backlog(&machine).is_empty() {
        assert_eq!(machine.run(&[]).status, 0);
    }
    let mut sent_again: Vec<i64> = server.records().iter().filter_map(|record| record.now).collect();
    // Of four that are sent at the same time, any may be the first.
    sent_again.sort_unstable();
    let wanted: Vec<i64> =
        dropped.iter().map(|id| all[usize::try_from(*id).unwrap() - 1].taken_ms / 1000).collect();
    assert_eq!(sent_again, wanted);
    let said = verified(&machine, &[], 0);
    assert_eq!((said["verdict"].as_str(), counts(&said)), (Some("ok"), [1000, 1000, 0, 0, 0, 0]));
    assert!(api.requests().len() > 4);
}

#[test]
fn the_text_has_the_verdict_first_and_what_to_do_last() {
    let (machine, api) = with_history(&minutes(30));
    let good = verify(&machine, &[]);
    assert_eq!(good.status, 0, "{good:#?}");
    assert!(good.stdout.starts_with("ok: all of 30 readings arrived\n\nperiod "), "{good:#?}");
    for line in [
        "taken           30",
        "arrived         30",
        "missing         0",
        "arrived twice   0",
        "not ours        0",
    ] {
        assert!(good.stdout.lines().any(|said| said == line), "{line}: {}", good.stdout);
    }
    assert!(!good.stdout.contains("next:"), "{}", good.stdout);

    api.play("drop 5 5\ntwice");
    let bad = verify(&machine, &[]);
    assert_eq!(bad.status, 1);
    assert!(bad.stdout.starts_with("missing: 1 of 30 readings is missing\n"), "{}", bad.stdout);
    assert!(bad.stdout.contains("\narrived twice   29\n"), "{}", bad.stdout);
    assert!(
        bad.stdout.contains("\nfirst missing   2") && bad.stdout.contains("  3.5 °C, 40.0 %RH, delivered 2"),
        "{}",
        bad.stdout
    );
    let last = bad.stdout.lines().last().unwrap();
    assert_eq!(last, "next: iio-focus verify --requeue, for the same period, sends them again");
}

#[test]
fn a_reading_is_put_back_twice_and_no_more() {
    let (machine, api) = with_history(&minutes(30));
    // Whatever is delivered again is dropped, too.
    api.play("drop 29 1000");
    let _server = machine.serve();
    for _ in 0..2 {
        assert_eq!(verified(&machine, &["--requeue"], 1)["requeued"], 1);
        assert_eq!(backlog(&machine), [30]);
        assert_eq!(machine.run(&[]).status, 0);
    }
    let said = verified(&machine, &["--requeue"], 1);
    assert_eq!((said["requeued"].as_i64(), said["missing"].as_i64()), (Some(0), Some(1)));
    assert!(said["next"].as_str().unwrap().contains("2 times"), "{said}");
    assert_eq!(backlog(&machine), [0_i64; 0]);
}

#[test]
fn no_more_is_put_back_than_the_backlog_holds() {
    let (mut machine, api) = with_history(&minutes(30));
    api.play("drop 2 20");
    machine.set("store.backlog", "10");
    let said = verified(&machine, &["--requeue"], 1);
    assert_eq!(said["requeued"], 9);
    // The oldest first.
    assert_eq!(backlog(&machine), (3..12).collect::<Vec<i64>>());
    let _server = machine.serve();
    machine.run(&[]);
    let db = Connection::open(machine.store()).unwrap();
    let kept: i64 = db.query_row("SELECT count(*) FROM reading", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 31);
}

// ---- what is asked for

#[test]
fn windows_have_six_hours_at_most_and_full_answers_are_asked_for_again_in_halves() {
    let (machine, api) = with_history(&minutes(1000));
    verified(&machine, &["--since", "23h"], 0);
    let requests = api.requests();
    assert_eq!(requests.len(), 4, "{requests:?}");
    let mut ends: Vec<i64> = Vec::new();
    for (_, body) in &requests {
        let (from, until) = (body["stime"].as_i64().unwrap(), body["etime"].as_i64().unwrap());
        assert!(until - from <= 6 * 60 * MINUTE + 2 * MINUTE, "{body}");
        // A minute wider on both sides.
        assert!(ends.last().is_none_or(|end| end - from == 2 * MINUTE), "{body}");
        ends.push(until);
        assert_eq!(
            body["mql"],
            "CATEGORY sensor\nOID 778846145\nTAGLOAD\nSELECT [time, oid, pcode, oname, temperature, humidity]"
        );
    }
    // A limit of the server's own that nobody knows.
    for limit in [50, 123, 359] {
        api.play(&format!("limit {limit}"));
        assert_eq!(counts(&verified(&machine, &[], 0)), [1000, 1000, 0, 0, 0, 0], "{limit}");
    }
    api.play("order");
    assert_eq!(counts(&verified(&machine, &[], 0)), [1000, 1000, 0, 0, 0, 0]);
}

#[test]
fn more_samples_than_an_answer_holds_are_asked_for_in_halves() {
    let start = jiff_now_ms() - 3 * 60 * MINUTE;
    let fast: Vec<Past> =
        (0..6000).map(|number| Past::at_once(start + i64::from(number) * 1500, number)).collect();
    let (machine, api) = with_history(&fast);
    assert_eq!(counts(&verified(&machine, &[], 0)), [6000, 6000, 0, 0, 0, 0]);
    assert_eq!(api.requests().len(), 3);
}

#[test]
fn two_requests_are_a_pause_apart() {
    let (mut machine, api) = with_history(&minutes(700));
    machine.set("verify.pause", "\"300ms\"");
    verified(&machine, &[], 0);
    let requests = api.requests();
    assert!(requests.len() > 1);
    assert!(requests.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 0.3), "{requests:?}");
}

#[test]
fn young_readings_are_not_judged() {
    let now = jiff_now_ms();
    let all: Vec<Past> =
        (0..20).map(|n| Past::at_once(now - (20 - i64::from(n)) * MINUTE + 30_000, n)).collect();
    let (machine, api) = with_history(&all);
    api.play("drop 10 19");
    assert_eq!(counts(&verified(&machine, &[], 0)), [10, 10, 0, 0, 0, 0]);
    // Those before the period, and those after it, are no other's.
    let said = verified(&machine, &["--since", "18m", "--until", "14m"], 0);
    assert_eq!(counts(&said), [4, 4, 0, 0, 0, 0]);
    verify(&machine, &["--since", "5m"]).fails(64, &["--since", "10 minutes"]);
    let outcome = verify(&machine, &["--since", "2001-01-01", "--until", "2001-01-02"]);
    outcome.fails(66, &["no reading in that period"]);
}

// ---- what is wrong, and the one thing to do next

#[test]
fn what_is_wrong_is_told_from_what_is_missing() {
    for (faults, verdict, parts) in [
        ("other-oname", "wrong", ["nothing of the oname pi2w", "but of somebody"].as_slice()),
        ("drop 0 999", "wrong", &["nothing at all in the category sensor of the project 7000"]),
        ("other-project", "wrong", &["samples of the project 7001", "pcode is 7000"]),
        ("shift 30", "wrong", &["30s later"]),
        ("shift -7", "wrong", &["7s earlier"]),
        (
            "drop 10 39",
            "missing",
            &["30 of 100 readings are missing, 30 of them in a row from", "ended well"],
        ),
        ("drop 70 99", "missing", &["30 of them in a row"]),
        ("drop-tenth 100", "missing", &["10 of 100 readings are missing"]),
    ] {
        let (machine, api) = with_history(&minutes(100));
        api.play(faults);
        let said = verified(&machine, &["--requeue"], 1);
        assert_eq!(said["verdict"], verdict, "{faults}: {said}");
        for part in parts {
            assert!(said["why"].as_str().unwrap().contains(part), "{faults}: {part}: {said}");
        }
        // Sending them again would not help.
        assert_eq!(verdict == "wrong", said["requeued"] == 0, "{faults}: {said}");
        assert_eq!(verdict == "wrong", backlog(&machine).is_empty(), "{faults}");
        let is_refused = said["next"].as_str().unwrap().ends_with("; nothing was put back into the backlog");
        assert_eq!(verdict == "wrong", is_refused, "{faults}: {said}");
        api.requests();
    }
}

#[test]
fn a_clock_that_is_off_by_less_than_two_seconds_is_no_trouble() {
    let (machine, api) = with_history(&minutes(100));
    for shift in ["-1", "1", "2"] {
        api.play(&format!("shift {shift}"));
        assert_eq!(counts(&verified(&machine, &[], 0)), [100, 100, 0, 0, 0, 0], "{shift}");
    }
}

#[test]
fn a_focus_that_does_not_heed_now_is_named_and_nothing_is_put_back() {
    let mut all = minutes(600);
    let end_ms = all[500].taken_ms;
    for (past, after_s) in all[20..60].iter_mut().zip(0..) {
        past.late_ms = Some(end_ms + after_s * 1000);
    }
    let (machine, api) = with_history(&all);
    verified(&machine, &[], 0);
    api.play("now-ignored");
    let said = verified(&machine, &["--requeue"], 1);
    assert_eq!((said["verdict"].as_str(), said["requeued"].as_i64()), (Some("wrong"), Some(0)), "{said}");
    assert!(said["why"].as_str().unwrap().contains("does not heed -now"), "{said}");
    assert_eq!(counts(&said), [600, 560, 0, 40, 0, 0]);
    assert_eq!(backlog(&machine), [0_i64; 0]);
}

#[test]
fn a_block_is_told_with_what_the_store_says_of_its_time() {
    let mut all = minutes(100);
    let end_ms = all[50].taken_ms;
    for past in &mut all[20..50] {
        past.late_ms = Some(end_ms + 1000);
    }
    let (machine, api) = with_history(&all);
    api.play("drop 20 49");
    let said = verified(&machine, &[], 1);
    assert!(said["why"].as_str().unwrap().ends_with("30 runs of that time ended with 69"), "{said}");
}

#[test]
fn another_machine_s_samples_under_our_oname_are_counted_apart() {
    let (machine, _api) = with_history(&minutes(30));
    let db = Connection::open(machine.store()).unwrap();
    db.execute("DELETE FROM reading WHERE id IN (11, 12)", []).unwrap();
    assert_eq!(counts(&verified(&machine, &[], 0)), [28, 28, 0, 0, 0, 2]);
}

// ---- an answer that says nothing

#[test]
fn whatever_is_no_array_of_rows_is_not_known() {
    let (machine, api) = with_history(&minutes(30));
    for (faults, parts) in [
        ("status 401", ["refuses the API token (401: no)", "token in [verify]"].as_slice()),
        ("status 403", &["refuses the API token (403: no)"]),
        ("status 429", &["too many requests", "pause in [verify]"]),
        ("status 500", &["status 500: no"]),
        ("object error", &["WhaTap answers: the quota is used up"]),
        ("object message", &["WhaTap answers: the quota is used up"]),
        ("object msg", &["WhaTap answers: the quota is used up"]),
        ("empty", &["the answer is empty"]),
        ("cut", &["curl ended with 18: (18)"]),
        ("cut-chunk", &["the answer cannot be read"]),
        ("huge", &["longer than 4 MiB"]),
        ("endless", &["longer than 4 MiB"]),
    ] {
        api.play(faults);
        let outcome = verify(&machine, &["--requeue"]);
        outcome.fails(69, &[&["what arrived is not known"], parts].concat());
        assert_eq!(outcome.stdout, "", "{faults}");
        assert_eq!(backlog(&machine), [0_i64; 0], "{faults}");
    }
    eventually("the answer that never ends has ended", || api.log().contains("the reader has gone"));
    api.requests();
}

#[test]
fn no_redirect_is_followed() {
    let (machine, api) = with_history(&minutes(30));
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    other.set_nonblocking(true).unwrap();
    api.play(&format!("redirect http://{}/x", other.local_addr().unwrap()));
    verify(&machine, &[]).fails(69, &["sends the request on to", "no redirect is followed", "(302)"]);
    assert!(other.accept().is_err(), "the redirect was followed");
}

#[test]
fn without_curl_a_server_or_a_certificate_that_is_right_it_is_one_line() {
    let (mut machine, api) = with_history(&minutes(30));
    machine.env("CURL_CA_BUNDLE", machine.private_file("empty", "").to_str().unwrap());
    verify(&machine, &[]).fails(69, &["curl ended with "]);
    // A server without TLS is asked only if the URL says so.
    machine.set("verify.url", &format!("{:?}", api.url().replace("https", "http")));
    verify(&machine, &[]).fails(69, &["what arrived is not known"]);
    machine.set("verify.url", "\"https://127.0.0.1:1\"");
    verify(&machine, &[]).fails(69, &["curl ended with 7: (7) Failed to connect"]);
    machine.env("PATH", "/nowhere");
    verify(&machine, &[]).fails(69, &["there is no program curl in PATH=/nowhere", "apt install curl"]);
}

// ---- for a timer

#[test]
fn with_log_it_is_one_line_and_an_alert_goes_out_once() {
    let (mut machine, api) = with_history(&minutes(30));
    machine.set("focus.alert-after", "3");
    let server = machine.serve();
    let alerts = || -> Vec<String> {
        let all = server.records();
        let titles = all
            .iter()
            .filter_map(|record| record.argv.iter().skip_while(|word| *word != "-title").nth(1).cloned());
        titles.collect()
    };
    let good = verify(&machine, &["--log", "stderr"]);
    let line = "iio-focus: verified=ok taken=30 arrived=30 waiting=0 missing=0 arrived-twice=0 not-ours=0 requeued=0\n";
    assert_eq!((good.status, good.stderr.as_str(), good.stdout.as_str()), (0, line, ""));
    assert_eq!(alerts(), [""; 0]);

    api.play("drop 3 3");
    for _ in 0..2 {
        let outcome = verify(&machine, &["--log", "stderr"]);
        outcome.fails(
            1,
            &[
                "verified=missing taken=30 arrived=29",
                ": 1 of 30 readings is missing; iio-focus verify --requeue",
            ],
        );
    }
    api.play("status 401");
    verify(&machine, &["--log", "stderr"]).fails(69, &["refuses the API token"]);
    assert_eq!(alerts(), ["iio-focus: not all readings arrived"]);
    api.play("");
    verify(&machine, &["--log", "stderr"]);
    verify(&machine, &["--log", "stderr"]);
    assert_eq!(alerts(), ["iio-focus: not all readings arrived", "iio-focus: all readings arrived"]);
}

#[test]
fn each_verification_is_kept_and_the_oldest_go() {
    let (machine, api) = with_history(&minutes(30));
    api.play("drop 3 3");
    verified(&machine, &["--requeue"], 1);
    api.play("status 429");
    verify(&machine, &[]);
    let db = Connection::open(machine.store()).unwrap();
    let rows: Vec<Value> = db
        .prepare("SELECT found FROM verification ORDER BY id")
        .unwrap()
        .query_map([], |row| row.get::<_, String>(0))
        .unwrap()
        .map(|found| {
            let found: Value = serde_json::from_str(&found.unwrap()).unwrap();
            let numbers = ["taken", "arrived", "missing", "requeued"].map(|name| &found[name]);
            json!([found["verdict"], numbers, found["why"].as_str().unwrap().contains("too many requests")])
        })
        .collect();
    assert_eq!(json!(rows), json!([["missing", [30, 29, 1, 1], false], ["unknown", [0, 0, 0, 0], true]]));
    let all = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 150)
               INSERT INTO verification SELECT NULL, '{}' FROM n";
    db.execute(all, []).unwrap();
    verify(&machine, &[]);
    let count: i64 = db.query_row("SELECT count(*) FROM verification", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 100);
}

// ---- what doctor and status say of it

/// What doctor says of arrival: the mark, and the rest.
fn doctor_says(machine: &Machine) -> String {
    let outcome = machine.run(&["doctor"]);
    assert_no_token(machine, &outcome);
    let lines = outcome.stdout.lines().skip_while(|line| !line.contains(" arrival "));
    lines.take(2).collect::<Vec<_>>().join("\n")
}

#[test]
fn doctor_and_status_tell_whether_readings_arrive() {
    let now_ms = jiff_now_ms();
    let all: Vec<Past> = (0..40).map(|i| Past::at_once(now_ms - (55 - i64::from(i)) * MINUTE, i)).collect();
    let (machine, api) = with_history(&all);
    assert!(doctor_says(&machine).starts_with("ok     arrival        in the last hour, all of "));
    api.play("drop-tenth 1000");
    let said = doctor_says(&machine);
    assert!(said.starts_with("WRONG  arrival        in the last hour, "), "{said}");
    assert!(said.contains("missing") && said.contains("--requeue"), "{said}");

    let status = |more: &[&str]| machine.run(&[&["status"], more].concat()).stdout;
    assert!(serde_json::from_str::<Value>(&status(&["--json"])).unwrap()["last_verification"].is_null());
    verify(&machine, &[]);
    let said: Value = serde_json::from_str(&status(&["--json"])).unwrap();
    let last = &said["last_verification"];
    assert_eq!((last["verdict"].as_str(), last["taken"].as_i64()), (Some("missing"), Some(40)));
    assert_eq!(last["missing"], 4);
    let text = status(&[]);
    let line = text.lines().find(|line| line.starts_with("verified ")).unwrap();
    assert!(line.contains(" ago: missing: 4 of 40 readings are missing"), "{line}");
    let metrics = status(&["--prometheus"]);
    assert!(metrics.contains("what=\"missing\"} 4\n"), "{metrics}");
    assert!(metrics.contains("iio_focus_last_verification_timestamp_seconds{"), "{metrics}");
}

#[test]
fn an_option_that_does_not_go_with_it_is_refused() {
    let machine = Machine::new();
    let outcome = machine.outcome(&mut machine.bare(&[PROGRAM, "--device", "x", "verify"]));
    outcome.fails(64, &["--device does not go with this command"]);
    let machine = asking("https://127.0.0.1:1");
    verify(&machine, &["--json", "--log", "stderr"]).fails(64, &["only one of them at a time"]);
    verify(&machine, &["--log", "paper"]).fails(64, &["--log: must be auto, syslog or stderr"]);
}
