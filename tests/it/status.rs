//! `iio-focus status`: the verdict, what it rests on, and the forms for programs.

mod clock;
mod monitoring;
mod under_way;

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::machine::{LICENSE, Machine, PROGRAM};
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
    // Forty days off, until an hour ago.
    age(&machine, 40 * 86_400_000 - 3_600_000);
    machine.run(&[]).delivered();
    let said = status(&machine, &[]);
    assert!(said.line("longest gap").starts_with("40days from "), "{}", said.stdout);
}

#[test]
fn so_many_failed_runs_in_a_row_as_are_named_are_failing() {
    let mut machine = with_good_runs(3);
    machine.env("FOCUS_FAULT", "silent");
    for in_a_row in 1..=3 {
        assert_eq!(machine.run(&[]).status, 69);
        for (failures, words) in [("1", "failing: "), ("2", "failing: "), ("3", "failing: "), ("4", "ok: ")] {
            let is_ok = failures > in_a_row.to_string().as_str();
            let said = status(&machine, &["--failures", failures]);
            said.verdict(i32::from(!is_ok), if is_ok { "ok: " } else { words });
            assert!(said.stdout.contains("focus exited with 0 but did not say that it was connected"));
            let up = status(&machine, &["--prometheus", "--failures", failures]);
            assert_eq!(up.status, i32::from(!is_ok));
            let line = format!("iio_focus_up{{sensor=\"htu21\"}} {}", u8::from(is_ok));
            assert!(up.stdout.lines().any(|one| one == line), "{}", up.stdout);
        }
    }
}

#[test]
fn what_waits_is_told_with_its_age_and_what_is_passed_over_with_its_reason() {
    let machine = with_good_runs(4);
    database(&machine)
        .execute_batch(
            "UPDATE reading SET delivered_ms = NULL, taken_ms = taken_ms - 3600000, reason = 'focus said: [error] old'
             WHERE id = 1000;
             UPDATE reading SET delivered_ms = NULL WHERE id IN (1001, 1002);
             INSERT INTO parked VALUES (1000, 2000, 3, NULL), (1001, 9223372036854775807, 0, 'another machine');
             INSERT INTO backlog (id) VALUES (1002);",
        )
        .unwrap();
    for name in ["readings.db.damaged-20261101T080000Z", "readings.db.damaged-20261102T080000Z"] {
        for part in ["", "-wal", "-shm"] {
            fs::write(machine.store_dir().join(format!("{name}{part}")), "x").unwrap();
        }
    }
    let said = status(&machine, &[]);
    said.verdict(0, "s old; 2 readings wait for up to 1h");
    assert_eq!(said.line("backlog"), "3");
    assert!(said.line("oldest waiting").contains(", 1h 3m ago"), "{}", said.stdout);
    assert_eq!(
        said.line("passed over"),
        "1 refused by focus, and tried again later (focus said: [error] old); 1 of another machine, and never sent"
    );
    let last = machine.store_dir().join("readings.db.damaged-20261102T080000Z").display().to_string();
    assert_eq!(said.line("set aside"), format!("{last}, and 1 before: a store that was damaged"));
    let json = status(&machine, &["--json"]).json();
    assert_eq!(
        json["passed_over"],
        serde_json::json!({"refused": 1, "reason": "focus said: [error] old", "foreign": 1})
    );
    assert!((3_780..3_900).contains(&json["oldest_waiting"]["age_seconds"].as_i64().unwrap()), "{json}");
    assert!(json["oldest_waiting"]["time"].as_str().unwrap().ends_with('Z'));
    assert_eq!(json["set_aside"].as_array().unwrap().len(), 2);
    assert_eq!(json["set_aside"][1], last);
    let metrics = status(&machine, &["--prometheus"]).stdout;
    for line in [
        r#"iio_focus_passed_over_readings{sensor="kitchen",why="refused"} 1"#,
        r#"iio_focus_passed_over_readings{sensor="kitchen",why="foreign"} 1"#,
        r#"iio_focus_set_aside_stores{sensor="kitchen"} 2"#,
        r#"iio_focus_backlog_readings{sensor="kitchen"} 3"#,
    ] {
        assert!(metrics.lines().any(|one| one == line), "{line} is not in {metrics}");
    }
}

/// Puts the store on a file system of its own, does this there, and then runs `status`.
fn status_on(machine: &Machine, script: &str) -> (i32, String) {
    let script = format!(
        "cp --sparse=never -r store saved; mount -t tmpfs -o size=1m none store; cp --sparse=never -r saved/. store; \
         {script}; exec \"$@\""
    );
    let mut words = Machine::namespace(&[]);
    words.extend(["sh".to_owned(), "-ec".to_owned(), script, "sh".to_owned()]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = machine.run_under(&words, &["status"]);
    fs::remove_dir_all(machine.path("saved")).unwrap();
    (outcome.status, outcome.stdout.lines().next().unwrap_or(&outcome.stderr).to_owned())
}

#[test]
fn a_full_file_system_is_called_so_and_not_the_timer() {
    let machine = with_good_runs(3);
    let fill = "dd if=/dev/zero of=store/fill bs=4k 2>/dev/null || true";
    let (code, line) = status_on(&machine, fill);
    assert_eq!((code, line.split(" is ").next()), (0, Some("ok: the last reading")), "{line}");
    age(&machine, 3_600_000);
    let (code, line) = status_on(&machine, fill);
    let folder = machine.store_dir().display().to_string();
    let words = format!(
        "failing: the store cannot be written: no space is left on the file system of {folder}; the last reading"
    );
    assert_eq!(code, 1);
    assert!(line.starts_with(&words) && !line.contains("timer"), "{line}");
    let (code, line) = status_on(&machine, "mount -o remount,ro store");
    let words = format!(
        "failing: the store cannot be written: nothing can be written to the file system of {folder}; "
    );
    assert!(code == 1 && line.starts_with(&words) && !line.contains("timer"), "{line}");
    let (code, line) = status_on(&machine, "true");
    assert!(code == 1 && line.ends_with("check the timer or cron"), "{line}");
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
        (&["--failures", "0"], "--failures: must be a whole number from 1 to 1000"),
        (&["--sysfs", "/sys"], "--sysfs"),
    ] {
        let said = status(&machine, arguments);
        assert_eq!(said.status, 64);
        assert!(said.stderr.contains(words) && said.stderr.lines().count() == 1, "{}", said.stderr);
    }
}
