//! What Prometheus gets: checked with promtool, and with the real node_exporter.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use super::{database, status, with_good_runs};
use crate::machine::{Machine, PATH, eventually};

#[track_caller]
fn has(text: &str, line: &str) {
    assert!(text.lines().any(|one| one == line), "{line} is not in {text}");
}

#[test]
fn node_exporter_gets_metrics_that_promtool_finds_good() {
    let machine = with_good_runs(3);
    database(&machine)
        .execute("UPDATE reading SET sensor = 'the \"attic\"\\', humidity_mpercent = 45400", [])
        .unwrap();
    let said = status(&machine, &["--prometheus"]);
    assert_eq!(said.status, 0);
    for (name, labels, value) in [
        ("up", "", "1"),
        ("run_under_way", "", "0"),
        ("temperature_celsius", "", "20.6"),
        ("humidity_ratio", "", "0.454"),
        ("backlog_readings", "", "0"),
        ("oldest_waiting_age_seconds", "", "0"),
        ("passed_over_readings", r#",why="refused""#, "0"),
        ("passed_over_readings", r#",why="foreign""#, "0"),
        ("set_aside_stores", "", "0"),
        ("runs", r#",period="hour",result="good""#, "3"),
        ("runs", r#",period="week",result="failed""#, "0"),
        ("tries", r#",period="day",result="failed""#, "1"),
        ("failed_tries", r#",period="hour",error="EIO""#, "1"),
    ] {
        has(&said.stdout, &format!("iio_focus_{name}{{sensor=\"the \\\"attic\\\"\\\\\"{labels}}} {value}"));
    }
    has(&said.stdout, "# TYPE iio_focus_last_reading_timestamp_seconds gauge");
    let series = said.stdout.lines().filter(|line| !line.starts_with('#'));
    for line in series {
        assert!(line.contains("{sensor=\"the \\\"attic\\\"\\\\\""), "{line}");
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

/// What node_exporter serves of the files in this folder.
fn scraped(machine: &Machine, folder: &str) -> String {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut exporter = Command::new("prometheus-node-exporter")
        .args(["--collector.disable-defaults", "--collector.textfile"])
        .arg(format!("--collector.textfile.directory={}", machine.path(folder).display()))
        .arg(format!("--web.listen-address={address}"))
        .env("PATH", PATH)
        .stderr(Stdio::null())
        .spawn()
        .expect("Debian's package prometheus-node-exporter");
    let mut answer = String::new();
    eventually("node_exporter answers", || {
        answer.clear();
        let Ok(mut stream) = TcpStream::connect(address) else { return false };
        let _ = stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n");
        stream.read_to_string(&mut answer).is_ok_and(|_| answer.contains("node_textfile_scrape_error"))
    });
    exporter.kill().unwrap();
    exporter.wait().unwrap();
    answer
}

#[test]
fn two_sensors_stand_side_by_side_in_the_real_node_exporter() {
    let good = with_good_runs(3);
    let failing = with_good_runs(3);
    database(&failing).execute("UPDATE reading SET sensor = 'attic', status = 69", []).unwrap();
    // One of them as the reference has it: a link leads to a folder where the service can write.
    for folder in ["prom", "cache"] {
        fs::create_dir(good.path(folder)).unwrap();
    }
    symlink("../cache/status.prom", good.path("prom/b-failing.prom")).unwrap();
    let files = ["prom/a-good.prom", "cache/status.prom"].map(|name| good.path(name).display().to_string());
    assert_eq!(status(&good, &["--prometheus", "--output", &files[0]]).status, 0);
    assert_eq!(status(&failing, &["--prometheus", "--output", &files[1]]).status, 1);
    let served = scraped(&good, "prom");
    for line in [
        "node_textfile_scrape_error 0",
        r#"iio_focus_up{sensor="kitchen"} 1"#,
        r#"iio_focus_up{sensor="attic"} 0"#,
        r#"iio_focus_runs{period="hour",result="failed",sensor="kitchen"} 0"#,
        r#"iio_focus_runs{period="hour",result="failed",sensor="attic"} 3"#,
        r#"iio_focus_backlog_readings{sensor="kitchen"} 0"#,
        r#"iio_focus_backlog_readings{sensor="attic"} 0"#,
    ] {
        has(&served, line);
    }
    // The one whose store went is down too, and the other goes on.
    fs::write(failing.store(), "not a database, but long enough to be looked at").unwrap();
    assert_eq!(status(&failing, &["--prometheus", "--output", &files[1]]).status, 74);
    let served = scraped(&good, "prom");
    has(&served, "node_textfile_scrape_error 0");
    has(&served, r#"iio_focus_up{sensor="kitchen"} 1"#);
    has(&served, &format!(r#"iio_focus_up{{sensor="{}"}} 0"#, failing.store().display()));
    assert!(!served.contains("attic"), "{served}");
}

#[test]
fn a_store_or_a_configuration_that_cannot_be_read_is_down_and_the_file_is_never_empty() {
    let mut machine = Machine::with_sensor();
    machine.set("sensor.device", "\"kitchen\"");
    let output = machine.path("kitchen.prom");
    let words = ["--prometheus", "--output", output.to_str().unwrap()];
    let up = |sensor: &str, value: u8| {
        format!(
            "# HELP iio_focus_up Whether readings are taken and arrive.\n# TYPE iio_focus_up gauge\n\
             iio_focus_up{{sensor=\"{sensor}\"}} {value}\n"
        )
    };
    let said = status(&machine, &words);
    assert_eq!((said.status, said.stdout.as_str()), (74, ""));
    assert!(said.stderr.contains("it is not there, so no run has kept anything yet"), "{}", said.stderr);
    assert_eq!(fs::read_to_string(&output).unwrap(), up("kitchen", 0));
    // Also on standard output.
    let said = status(&machine, &["--prometheus"]);
    assert_eq!((said.status, said.stdout), (74, up("kitchen", 0)));
    machine.unset("sensor.device");
    let said = status(&machine, &["--prometheus", "--output=-"]);
    assert_eq!((said.status, said.stdout), (74, up(&machine.store().display().to_string(), 0)));
    machine.set("store.keep", "7");
    let said = status(&machine, &words);
    assert_eq!(said.status, 78, "{}", said.stderr);
    let file = machine.path("config.toml").display().to_string();
    assert_eq!(fs::read_to_string(&output).unwrap(), up(&file, 0));
}

#[test]
fn a_file_is_written_in_every_form_and_kept_if_it_cannot_be_replaced() {
    let machine = with_good_runs(3);
    let output = machine.path("status");
    let file = output.to_str().unwrap();
    for form in [None, Some("--json"), Some("--prometheus")] {
        let words: Vec<&str> = form.into_iter().chain(["--output", file]).collect();
        let said = status(&machine, &words);
        assert_eq!((said.status, said.stdout.as_str()), (0, ""));
        let begins = ["ok: ", "{\"verdict\":\"ok\"", "# HELP"];
        assert!(begins.iter().any(|begin| fs::read_to_string(&output).unwrap().starts_with(begin)));
    }
    let before = fs::read(&output).unwrap();
    machine
        .run_traced(
            &["-e", "trace=fsync", "-e", "inject=fsync:error=ENOSPC"],
            &["status", "--prometheus", "--output", file],
        )
        .fails(74, &["status: ENOSPC: No space left on device"]);
    assert_eq!(fs::read(&output).unwrap(), before);
    let left = fs::read_dir(machine.path("")).unwrap().flatten();
    assert!(
        left.map(|entry| entry.file_name()).all(|name| !name.to_string_lossy().starts_with(".iio-focus"))
    );
}
