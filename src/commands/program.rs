//! Programs of the system that the commands ask, each for a limited time.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::focus::transcript::version_in_banner;

/// Below this version, the JSON input of focus is known to be broken.
pub(crate) const FIRST_GOOD_FOCUS: [u32; 3] = [1, 1, 3];

/// The version that focus names in its banner, which it prints when it is called without anything. `user` and group are whose
/// rights it gets: it may belong to somebody who is not to be trusted with root's.
pub(crate) fn focus_version(program: &Path, user: Option<(u32, u32)>) -> Option<[u32; 3]> {
    let mut command = Command::new(program);
    command.current_dir("/");
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    let ran = run(&mut command, Duration::from_secs(3)).ok()?;
    version_in_banner(&ran.stdout).or_else(|| version_in_banner(&ran.stderr))
}

/// As it is written: `1.1.5`.
pub(crate) fn shown([major, minor, patch]: [u32; 3]) -> String {
    format!("{major}.{minor}.{patch}")
}

/// What came of a program.
pub(crate) struct Ran {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn is_good(&self) -> bool {
        self.status == Some(0)
    }

    /// The last line that it printed.
    pub(crate) fn last_line(&self) -> &str {
        let last = |text: &'_ str| text.lines().rfind(|line| !line.trim().is_empty()).map(str::len);
        let text = if last(&self.stderr).is_some() { &self.stderr } else { &self.stdout };
        text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim()
    }
}

/// Runs a program to its end, or kills it then.
pub(crate) fn run(command: &mut Command, limit: Duration) -> io::Result<Ran> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let [stdout, stderr] = [child.stdout.take().map(collect), child.stderr.take().map(collect)];
    let until = Instant::now() + limit;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status.code(),
            None if Instant::now() > until => {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            None => thread::sleep(Duration::from_millis(10)),
        }
    };
    let [stdout, stderr] =
        [stdout, stderr].map(|output| output.and_then(|output| output.recv_timeout(limit).ok()));
    Ok(Ran { status, stdout: stdout.unwrap_or_default(), stderr: stderr.unwrap_or_default() })
}

/// Reads what a program prints, and no more than is worth keeping.
fn collect(stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (to, output) = mpsc::channel();
    thread::spawn(move || {
        let mut stream = stream;
        let mut bytes = Vec::new();
        let _ = stream.by_ref().take(1 << 16).read_to_end(&mut bytes);
        let _ = to.send(String::from_utf8_lossy(&bytes).into_owned());
        let _ = io::copy(&mut stream, &mut io::sink());
    });
    output
}
