//! The stand-in for WhaTap's Open API, over TLS with a CA of its own, and a machine that asks it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::machine::{LICENSE, Machine, Outcome, PATH, eventually};

/// What must be seen nowhere but in the request.
pub(super) const TOKEN: &str = "TOKEN0000test0042";

pub(super) const ONAME: &str = "pi2w";
pub(super) const MINUTE: i64 = 60_000;

/// A running stand-in.
pub(super) struct OpenApi {
    child: Child,
    dir: TempDir,
    port: String,
}

impl OpenApi {
    /// Answers with what this machine's focus recorded.
    pub(super) fn of(machine: &Machine) -> OpenApi {
        OpenApi::start(&machine.path("record"), &[])
    }

    pub(super) fn start(record: &Path, more: &[&str]) -> OpenApi {
        let dir = tempfile::tempdir().unwrap();
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stand-in/open-api.py");
        let file = |name: &str| dir.path().join(name);
        let mut command = Command::new("python3");
        command.arg(program).env_clear().env("PATH", PATH).stdin(Stdio::null());
        command.args(["--token", TOKEN, "--pcode", "7000", "--record"]).arg(record);
        command.arg("--faults").arg(file("faults")).arg("--log").arg(file("log"));
        command.arg("--port-file").arg(file("port")).arg("--certificate").arg(authority().join("server.pem"));
        let child = command.args(more).spawn().unwrap();
        let mut api = OpenApi { child, port: String::new(), dir };
        eventually("the stand-in listens", || {
            assert!(api.child.try_wait().unwrap().is_none(), "the stand-in has ended");
            api.port = fs::read_to_string(api.dir.path().join("port")).unwrap_or_default().trim().to_owned();
            !api.port.is_empty()
        });
        api
    }

    /// From now on it plays these faults, one a line.
    pub(super) fn play(&self, faults: &str) {
        let (new, file) = (self.dir.path().join("faults.new"), self.dir.path().join("faults"));
        fs::write(&new, faults).unwrap();
        fs::rename(new, file).unwrap();
    }

    pub(super) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// The bodies of all requests, and when they came, in s. Each was as it must be.
    #[track_caller]
    pub(super) fn requests(&self) -> Vec<(f64, Value)> {
        let log = self.log();
        assert!(!log.contains("violation"), "{log}");
        let requests = log.lines().filter_map(|line| line.strip_prefix("request ")?.split_once(' '));
        requests.map(|(at, body)| (at.parse().unwrap(), serde_json::from_str(body).unwrap())).collect()
    }
}

impl Drop for OpenApi {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with `ca.pem`, and `server.pem`, which that signed for 127.0.0.1.
pub(super) fn authority() -> &'static Path {
    static DIR: OnceLock<TempDir> = OnceLock::new();
    let dir = DIR.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let script = "set -e
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=ca \
                -keyout ca.key -out ca.pem
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=server -keyout server.key \
                -out server.csr
            echo subjectAltName=IP:127.0.0.1 >server.ext
            openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile server.ext \
                -out server.crt
            cat server.crt server.key >server.pem";
        let made = Command::new("sh").args(["-c", script]).current_dir(dir.path()).output().unwrap();
        assert!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
        dir
    });
    dir.path()
}

/// A machine with this oname, and with a token and the URL of this stand-in.
pub(super) fn asking(api_url: &str) -> Machine {
    let mut machine = Machine::with_sensor();
    machine.set("focus.oname", &format!("{ONAME:?}"));
    configure(&mut machine, api_url);
    machine
}

pub(super) fn configure(machine: &mut Machine, api_url: &str) {
    machine.set("verify.token", &format!("{TOKEN:?}"));
    machine.set("verify.url", &format!("{api_url:?}"));
    machine.set("verify.pause", "\"0s\"");
    machine.env("CURL_CA_BUNDLE", authority().join("ca.pem").to_str().unwrap());
}

/// One reading of a machine's history.
#[derive(Clone, Debug)]
pub(super) struct Past {
    pub(super) taken_ms: i64,
    /// m°C
    pub(super) temperature_mdegc: i32,
    /// When it was delivered from the backlog; none: at once.
    pub(super) late_ms: Option<i64>,
}

impl Past {
    pub(super) fn at_once(taken_ms: i64, number: i32) -> Past {
        Past { taken_ms, temperature_mdegc: number * 7 % 400 * 100, late_ms: None }
    }
}

/// So many readings, one a minute, from 20 h ago.
pub(super) fn minutes(count: i32) -> Vec<Past> {
    let start = jiff_now_ms() - 20 * 60 * MINUTE;
    (0..count).map(|number| Past::at_once(start + i64::from(number) * MINUTE, number)).collect()
}

pub(super) fn jiff_now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

/// Makes these the machine's readings, ids from 1, and what focus sent.
pub(super) fn remember(machine: &Machine, all: &[Past]) {
    machine.keep(all.iter().map(|past| (past.taken_ms, "htu21", past.temperature_mdegc, 40_000)));
    let mut db = Connection::open(machine.store()).unwrap();
    let changes = db.transaction().unwrap();
    for past in all.iter().filter(|past| past.late_ms.is_some()) {
        let late = "UPDATE reading SET delivered_ms = ?2, status = 69 WHERE taken_ms = ?1";
        changes.execute(late, (past.taken_ms, past.late_ms)).unwrap();
    }
    changes.commit().unwrap();
    let pcode = "7000";
    let record = |past: &Past| {
        let line = json!({
            "argv": ["focus", "-license", LICENSE, "-pcode", pcode, "-category", "sensor", "-oname", ONAME],
            "stdin": format!("{{\"temperature\":{:?},\"humidity\":40.0}}\n", f64::from(past.temperature_mdegc) / 1000.0),
            "now": past.late_ms.map(|_| past.taken_ms / 1000),
            "time": past.late_ms.unwrap_or(past.taken_ms) / 1000,
            "fds": [],
        });
        format!("{line}\n")
    };
    fs::write(machine.path("record"), all.iter().map(record).collect::<String>()).unwrap();
}

/// What `verify` says, after a look for the token.
#[track_caller]
pub(super) fn verify(machine: &Machine, arguments: &[&str]) -> Outcome {
    let outcome = machine.run(&[&["verify"], arguments].concat());
    assert_no_token(machine, &outcome);
    outcome
}

/// The token is in nothing that was printed, and in no file but the configuration.
#[track_caller]
pub(super) fn assert_no_token(machine: &Machine, outcome: &Outcome) {
    assert!(!outcome.stdout.contains(TOKEN) && !outcome.stderr.contains(TOKEN), "{outcome:#?}");
    let files: Vec<PathBuf> =
        fs::read_dir(machine.store_dir()).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    for file in files.iter().chain([&machine.path("record")]) {
        let bytes = fs::read(file).unwrap_or_default();
        assert!(!bytes.windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes()), "{}", file.display());
    }
}

/// The JSON of a verification that ended with this status.
#[track_caller]
pub(super) fn verified(machine: &Machine, arguments: &[&str], status: i32) -> Value {
    let outcome = verify(machine, &[&["--json"], arguments].concat());
    assert_eq!(outcome.status, status, "{outcome:#?}");
    serde_json::from_str(&outcome.stdout).unwrap()
}
