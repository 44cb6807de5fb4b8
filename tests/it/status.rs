//! `iio-focus status`: the verdict, what it rests on, and the forms for programs.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::machine::{LICENSE, Machine, PATH, PROGRAM};
use rusqlite::Connection;
use serde_json::Value;

struct Said {
    status: i32,
    stdout: String,
    stderr: String,
}

impl Said {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// The value of the line with this name.
    #[track_caller]
    fn line(&self, name: &str) -> &str {
        let line = self.stdout.lines().find(|line| line.starts_with(&format!("{name:<16}")));
        &line.unwrap_or_else(|| panic!("no {name} in {}", self.stdout))[16..]
    }

    #[track_caller]
    fn verdict(&self, status: i32, words: &str) {
        assert_eq!(self.status, status, "{}{}", self.stdout, self.stderr);
        let line = self.stdout.lines().next().unwrap();
        assert!(line.contains(words), "{words:?} is not in {line:?}");
        assert_eq!(self.stderr, "");
    }
}

fn status(machine: &Machine, arguments: &[&str]) -> Said {
    let config = machine.private_file("config.toml", machine.config_text());
    let mut all = vec![PROGRAM, "status", "--config", config.to_str().unwrap()];
    all.extend(arguments);
    let output = machine.bare(&all).env("TZ", "UTC0").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let said = Said {
        status: output.status.code().unwrap(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    assert!(!said.stdout.contains(LICENSE) && !said.stderr.contains(LICENSE));
    said
}

fn database(machine: &Machine) -> Connection {
    Connection::open(machine.store()).unwrap()
}

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A machine with so many good runs in its store, a minute apart, the last one half a minute ago.
fn with_good_runs(count: i64) -> Machine {
    let machine = Machine::with_sensor();
    machine.run(&[]).delivered();
    database(&machine)
        .execute(
            "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 - 1)
             INSERT INTO reading (id, taken_ms, boot_ms, boot_id, sensor, temperature_mdegc, humidity_mpercent,
                                  attempts, failures, delivered_ms, status)
             SELECT 1000 + i, ?2 - (?1 - 1 - i) * 60000, i, 'another boot', 'kitchen', 20600, 24400,
                    iif(i % 2, 2, 1), iif(i % 2, '{\"EIO\":1}', NULL), ?2 - (?1 - 1 - i) * 60000 + 500, 0
             FROM n",
            [count, now_ms() - 30_000],
        )
        .unwrap();
    database(&machine).execute("DELETE FROM reading WHERE id < 1000", []).unwrap();
    machine
}

/// As if all this had been so long ago.
fn age(machine: &Machine, ms: i64) {
    database(machine)
        .execute_batch(&format!(
            "UPDATE reading SET taken_ms = taken_ms - {ms}, delivered_ms = delivered_ms - {ms}, boot_id = 'another boot';
             UPDATE miss SET ended_ms = ended_ms - {ms}, boot_id = 'another boot'"
        ))
        .unwrap();
}

#[test]
fn when_all_is_well_it_says_so_first() {
    let said = status(&with_good_runs(180), &[]);
    said.verdict(0, "ok: the last reading is 3");
    assert!(said.line("last reading").starts_with("20.6 °C, 24.4 %RH from kitchen, 20"), "{}", said.stdout);
    assert!(said.line("last reading").ends_with("s ago"));
    assert!(said.line("last delivery").ends_with("s ago"));
    assert_eq!(said.line("backlog"), "0");
    assert!(said.line("longest gap").starts_with("1m from 20"), "{}", said.stdout);
    assert_eq!(said.line("last hour"), "good runs 100.0 % of 60, good tries 66.6 % of 90, errors EIO 30");
    assert_eq!(said.line("last day"), "good runs 100.0 % of 180, good tries 66.6 % of 270, errors EIO 90");
    assert_eq!(said.line("last week"), said.line("last day"));
}

#[test]
fn a_failed_run_is_told_with_since_when_and_why() {
    let mut machine = with_good_runs(3);
    machine.env("FOCUS_FAULT", "silent");
    assert_eq!(machine.run(&[]).status, 69);
    let failing = status(&machine, &[]);
    failing.verdict(1, ", 1 run in a row: focus exited with 0 but did not say that it was connected");
    assert_eq!(failing.line("backlog"), "1");
    age(&machine, 120_000);
    fs::remove_file(machine.path("sys/bus/iio/devices/iio:device0/in_temp_input")).unwrap();
    assert_eq!(machine.run(&[]).status, 66);
    let said = status(&machine, &[]);
    let first: i64 = database(&machine)
        .query_row("SELECT taken_ms FROM reading WHERE status = 69", [], |row| row.get(0))
        .unwrap();
    let since = humantime::format_rfc3339_seconds(
        UNIX_EPOCH + std::time::Duration::from_millis(first.try_into().unwrap()),
    );
    let since = since.to_string().replace('T', " ").replace('Z', "");
    said.verdict(
        1,
        &format!("failing: since {since}, 2 runs in a row: no temperature and humidity sensor in "),
    );
    assert!(said.line("last failure").contains("ago: no temperature and humidity sensor"), "{}", said.stdout);
    assert_eq!(said.line("last hour"), "good runs 60.0 % of 5, good tries 80.0 % of 5, errors EIO 1");
    // It works again: what was is still told.
    fs::write(machine.path("sys/bus/iio/devices/iio:device0/in_temp_input"), "20600").unwrap();
    machine.unset_env("FOCUS_FAULT");
    assert_eq!(machine.run(&[]).status, 0);
    let said = status(&machine, &[]);
    said.verdict(0, "ok: ");
    assert!(said.line("last failure").contains("no temperature and humidity sensor"));
}

#[test]
fn a_run_that_was_killed_counts_as_failed() {
    let machine = with_good_runs(2);
    database(&machine).execute("UPDATE reading SET status = NULL WHERE id = 1001", []).unwrap();
    status(&machine, &[]).verdict(1, "1 run in a row: the run was killed, or the power went");
}

#[test]
fn a_reading_that_is_too_old_is_stale() {
    let machine = with_good_runs(2);
    for (max_age, code, words) in [
        ("1h", 0, "ok: the last reading is 3"),
        ("1s", 1, "old, more than 1s, and no run has failed since: check the timer or cron"),
    ] {
        status(&machine, &["--max-age", max_age]).verdict(code, words);
    }
    age(&machine, 400_000);
    status(&machine, &[]).verdict(1, "stale: the last reading is 7m 1");
    // So old that none of its runs is looked at any more.
    age(&machine, 8 * 86_400_000);
    let said = status(&machine, &[]);
    said.verdict(1, "stale: the last reading is 8days");
    assert_eq!(said.line("last week"), "good runs none, good tries none, errors none");
}

#[test]
fn the_longest_gap_is_the_longest_of_the_week_up_to_now() {
    let machine = with_good_runs(60);
    database(&machine).execute("DELETE FROM reading WHERE id BETWEEN 1010 AND 1029", []).unwrap();
    assert!(status(&machine, &[]).line("longest gap").starts_with("21m from "));
    age(&machine, 3_600_000);
    assert!(status(&machine, &["--max-age", "1d"]).line("longest gap").starts_with("1h from "));
}

#[test]
fn times_of_this_boot_are_those_of_the_clock_as_it_is_set_now() {
    let machine = Machine::with_sensor();
    machine.run(&[]).delivered();
    database(&machine).execute("UPDATE reading SET taken_ms = 0", []).unwrap();
    status(&machine, &[]).verdict(0, "ok: the last reading is ");
}

#[test]
fn programs_get_json_with_the_same() {
    let mut machine = with_good_runs(3);
    machine.env("FOCUS_FAULT", "silent");
    machine.run(&[]);
    let said = status(&machine, &["--json"]);
    let json = said.json();
    assert_eq!(said.status, 1);
    assert_eq!(json["verdict"], "failing");
    assert!(json["why"].as_str().unwrap().starts_with("since 20"));
    assert_eq!(json["last_reading"]["temperature_celsius"], 20.6);
    assert_eq!(json["last_reading"]["humidity_percent"], 24.4);
    assert_eq!(json["last_reading"]["sensor"], "htu21");
    assert!(json["last_reading"]["age_seconds"].as_i64().unwrap() < 30);
    assert!(json["last_delivery"].as_str().unwrap().ends_with('Z'));
    assert_eq!(json["backlog"], 1);
    assert!((60..=100).contains(&json["longest_gap"]["seconds"].as_i64().unwrap()), "{json}");
    assert_eq!(json["last_failure"]["status"], 69);
    let hour = &json["periods"]["hour"];
    assert_eq!((&hour["runs"], &hour["good_runs"]), (&4.into(), &3.into()));
    assert_eq!((&hour["tries"], &hour["good_tries"]), (&5.into(), &4.into()));
    assert_eq!(hour["errors"], serde_json::json!({"EIO": 1}));
}

#[test]
fn node_exporter_gets_metrics_that_promtool_finds_good() {
    let machine = with_good_runs(3);
    database(&machine).execute("UPDATE reading SET sensor = 'the \"attic\"\\'", []).unwrap();
    let said = status(&machine, &["--prometheus"]);
    assert_eq!(said.status, 0);
    for line in [
        "iio_focus_up 1",
        r#"iio_focus_temperature_celsius{sensor="the \"attic\"\\"} 20.6"#,
        r#"iio_focus_humidity_ratio{sensor="the \"attic\"\\"} 0.244"#,
        "iio_focus_backlog_readings 0",
        r#"iio_focus_runs{period="hour",result="good"} 3"#,
        r#"iio_focus_runs{period="week",result="failed"} 0"#,
        r#"iio_focus_tries{period="day",result="failed"} 1"#,
        r#"iio_focus_failed_tries{period="hour",error="EIO"} 1"#,
        "# TYPE iio_focus_last_reading_timestamp_seconds gauge",
    ] {
        assert!(said.stdout.lines().any(|one| one == line), "{line} is not in {}", said.stdout);
    }
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .env("PATH", PATH)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, of Debian's package prometheus");
    promtool.stdin.take().unwrap().write_all(said.stdout.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn a_store_that_is_not_there_or_not_ours_is_one_clear_line() {
    let machine = Machine::with_sensor();
    let said = status(&machine, &[]);
    assert_eq!((said.status, said.stdout.as_str()), (74, ""));
    assert!(
        said.stderr.ends_with("readings.db: it is not there, so no run has kept anything yet\n"),
        "{}",
        said.stderr
    );
    fs::create_dir(machine.store_dir()).unwrap();
    for (content, why) in [
        ("not a database, but long enough to be looked at", "file is not a database"),
        ("", "an earlier version's"),
    ] {
        fs::write(machine.store(), content).unwrap();
        let said = status(&machine, &[]);
        assert_eq!(said.status, 74);
        assert!(said.stderr.contains(why) && said.stderr.lines().count() == 1, "{}", said.stderr);
        assert_eq!(fs::read(machine.store()).unwrap(), content.as_bytes());
    }
}

#[test]
fn nothing_is_written_to_the_store() {
    let machine = with_good_runs(3);
    database(&machine).execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let before = fs::read(machine.store()).unwrap();
    status(&machine, &[]);
    assert_eq!(fs::read(machine.store()).unwrap(), before);
}

#[test]
fn a_wrong_command_line_is_told() {
    let machine = with_good_runs(1);
    for (arguments, words) in [
        (["--max-age", "soon"].as_slice(), "--max-age: must be a duration in quotes, from 1s"),
        (&["--json", "--prometheus"], "--json and --prometheus: only one"),
        (&["--sysfs", "/sys"], "--sysfs"),
    ] {
        let said = status(&machine, arguments);
        assert_eq!(said.status, 64);
        assert!(said.stderr.contains(words) && said.stderr.lines().count() == 1, "{}", said.stderr);
    }
}
