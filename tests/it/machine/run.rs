//! A run on the machine, from its command to what is left of it.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use super::{Machine, Outcome, PROGRAM, Record};

/// A run that takes longer hangs. Far more than any needs on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

impl Machine {
    /// The command for a run, with the configuration, the fake sysfs and the log on standard error.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_under(&[], arguments)
    }

    /// The same, started by another program, such as `["strace", "-f"]`.
    pub(crate) fn command_under(&self, wrapper: &[&str], arguments: &[&str]) -> Command {
        let config = self.private_file("config.toml", self.config_text());
        let sysfs = self.path("sys");
        let mut all = wrapper.to_vec();
        all.extend([PROGRAM, "--config", config.to_str().unwrap()]);
        if !matches!(arguments.first(), Some(&"chart" | &"export" | &"status" | &"verify")) {
            all.extend(["--sysfs", sysfs.to_str().unwrap()]);
        }
        if !arguments.contains(&"--log") && arguments.first().is_none_or(|first| first.starts_with("--")) {
            all.extend(["--log", "stderr"]);
        }
        all.extend(arguments);
        self.bare(&all)
    }

    /// A command with the run's environment and nothing else.
    pub(crate) fn bare(&self, words: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_clear().envs(&self.env).current_dir(self.dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Takes one reading and tells what came of it.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.outcome(&mut self.command(arguments))
    }

    /// The same under another program.
    pub(crate) fn run_under(&self, wrapper: &[&str], arguments: &[&str]) -> Outcome {
        self.outcome(&mut self.command_under(wrapper, arguments))
    }

    /// The same under `strace` with these options.
    pub(crate) fn run_traced(&self, options: &[&str], arguments: &[&str]) -> Outcome {
        let trace = self.path("trace").display().to_string();
        let mut wrapper = vec!["strace", "-qq", "-o", &trace];
        wrapper.extend(options);
        self.run_under(&wrapper, arguments)
    }

    /// The words that start a program in a private mount namespace, with these folders in place of those.
    pub(crate) fn namespace(binds: &[(&Path, &str)]) -> Vec<String> {
        let flags = if fs::metadata("/proc/self").unwrap().uid() == 0 { "-m" } else { "-rm" };
        let tried = Command::new("unshare").args([flags, "true"]).output().unwrap();
        assert!(
            tried.status.success(),
            "unshare {flags} must work here, as these tests put folders over /dev and /etc: {tried:?}"
        );
        let mut script = "set -e; ".to_owned();
        for (source, target) in binds {
            script += &format!("mount --rbind '{}' {target}; ", source.display());
        }
        script += "exec \"$@\"";
        ["unshare", flags, "sh", "-c", &script, "sh"].map(str::to_owned).to_vec()
    }

    /// Runs to the end.
    pub(crate) fn outcome(&self, command: &mut Command) -> Outcome {
        self.finish(command.spawn().unwrap())
    }

    /// What came of a run that was started.
    pub(crate) fn finish(&self, mut child: Child) -> Outcome {
        let started = Instant::now();
        let pid = pid_of(&child);
        let (done, waited) = mpsc::channel();
        let watchdog = thread::spawn(move || {
            let hangs = waited.recv_timeout(PATIENCE).is_err();
            if hangs {
                let _ = kill(pid, Signal::SIGKILL);
            }
            hangs
        });
        let stderr = child.stderr.take();
        let errors = thread::spawn(move || read_all(stderr));
        let stdout = read_all(child.stdout.take());
        let stderr = errors.join().unwrap();
        // strace tells so of a path that holds a link.
        let stderr: String =
            stderr.split_inclusive('\n').filter(|line| !line.starts_with("strace: Requested path")).collect();
        let status = child.wait().unwrap();
        let _ = done.send(());
        assert!(!watchdog.join().unwrap(), "still running after {PATIENCE:?}: {stderr}");
        let status = status.code().or(status.signal().map(|signal| 1000 + signal)).unwrap();
        if status == 1000 + Signal::SIGKILL as i32 {
            self.reaps.set(true);
        }
        let outcome = Outcome { status, stdout, stderr, took: started.elapsed(), records: self.records() };
        outcome.check();
        // What went wrong before focus was to be started leaves nothing to look for.
        if !outcome.records.is_empty() || ![64, 66, 78].contains(&outcome.status) {
            self.assert_no_leftovers();
        }
        outcome
    }

    /// What the stand-in wrote down, one for each time it was started.
    pub(crate) fn records(&self) -> Vec<Record> {
        let text = fs::read_to_string(self.path("record")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Starts a run and waits until the stand-in has read its input.
    pub(crate) fn start_until_focus_hangs(&self, command: &mut Command) -> Child {
        let mut child = command.spawn().unwrap();
        eventually("focus has its input", || {
            assert!(child.try_wait().unwrap().is_none(), "the run ended before focus had its input");
            !fs::read(self.path("record")).unwrap_or_default().is_empty()
        });
        child
    }

    fn assert_no_leftovers(&self) {
        // What was sent SIGKILL is gone soon, but not at once.
        let until = Instant::now() + Duration::from_secs(3);
        while !self.leftovers().is_empty() {
            if self.reaps.get() {
                for pid in self.leftovers() {
                    let _ = waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG));
                }
            }
            if Instant::now() > until {
                let stat = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                panic!("left of the run: {:?}", self.leftovers().iter().map(stat).collect::<Vec<_>>());
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Processes that belong to this test: alive with its folder in their environment, or not reaped by
    /// whoever started the stand-in.
    pub(crate) fn leftovers(&self) -> Vec<i32> {
        let dir = self.dir.path().to_str().unwrap();
        let name = self.focus.file_name().unwrap().to_str().unwrap();
        let processes = fs::read_dir("/proc").unwrap().flatten();
        processes
            .filter_map(|process| {
                let pid: i32 = process.file_name().to_str()?.parse().ok()?;
                let environment = fs::read(process.path().join("environ")).unwrap_or_default();
                let alive = environment.windows(dir.len()).any(|window| window == dir.as_bytes());
                let stat = fs::read_to_string(process.path().join("stat")).unwrap_or_default();
                let unreaped = stat.contains(&format!("({name}) Z {}", std::process::id()));
                (alive || unreaped).then_some(pid)
            })
            .collect()
    }
}

/// A test that failed leaves nothing behind either.
impl Drop for Machine {
    fn drop(&mut self) {
        for pid in self.leftovers() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

pub(crate) fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(child.id().try_into().unwrap())
}

/// Waits until it is so, and fails when it takes too long.
#[track_caller]
pub(crate) fn eventually(what: &str, is_so: impl FnMut() -> bool) {
    within(PATIENCE, what, is_so);
}

#[track_caller]
fn within(limit: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + limit;
    while !is_so() {
        assert!(Instant::now() < until, "not within {limit:?}: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn read_all(stream: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        stream.read_to_end(&mut bytes).unwrap();
    }
    String::from_utf8(bytes).expect("what the program prints is UTF-8")
}
