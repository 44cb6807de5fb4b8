//! WhaTap's `focus` as a child process: its arguments, its input, its time limit, and the verdict.
//!
//! What is known of focus 1.1.5: it takes one JSON object on a line of standard input, prints
//! `[TCP] Connected` when it reached the server, and tries for ever if it does not. Its exit statuses
//! are undocumented, so what it says counts as much as how it ends.

use std::cell::Cell;
use std::convert::Infallible;
use std::env;
use std::ffi::{CString, OsStr};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc::execve;
use nix::poll::{PollFd, PollFlags};
use nix::sched::{CloneFlags, clone};
use nix::sys::prctl;
use nix::sys::signal::{SigHandler, SigSet, Signal, kill, killpg, signal};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, getpid, getppid, pipe2, setpgid};

use crate::clock::{Clock, SystemClock};
use crate::error::{Problem, describe};
use crate::reading::{Field, Reading};

/// From SIGTERM to SIGKILL.
pub const GRACE: Duration = Duration::from_secs(2);

/// The WhaTap project licence. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct License(pub String);

impl fmt::Debug for License {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

const REDACTED: &str = "[license]";

/// What shows that focus delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirm {
    /// It said `[TCP] Connected`, and it exited with 0.
    Connected,
    /// It exited with 0: for a focus that prints nothing.
    ExitStatus,
}

/// How to call focus.
#[derive(Clone, Debug)]
pub struct Focus {
    /// A path, or a name looked up in `PATH`.
    pub program: PathBuf,
    /// `-license`
    pub license: License,
    /// `-pcode`
    pub pcode: u64,
    /// `-server.host`
    pub server_host: String,
    /// `-server.port`
    pub server_port: u16,
    /// `-category`
    pub category: String,
    /// `-oname`, `-okind`, `-onode`, `-pk`: option and value, as far as they are set.
    pub optional: Vec<(&'static str, String)>,
    /// `-tag.NAME VALUE`
    pub tags: Vec<(String, String)>,
    /// What it is told of a reading.
    pub fields: Vec<Field>,
    /// The longest that one run of focus may take.
    pub timeout: Duration,
    /// What shows that it delivered.
    pub confirm: Confirm,
    /// After how many failed runs in a row an alert is raised, if ever.
    pub alert_after: Option<u32>,
}

impl Focus {
    /// Runs focus once on this reading. `taken` is when it was taken, in seconds since the epoch, if it is
    /// not of this moment. All is over at `until` (since boot), by force if need be.
    ///
    /// # Errors
    /// Why the reading does not count as delivered, in focus's own words where it said any.
    pub fn deliver(
        &self,
        reading: Reading,
        taken: Option<i64>,
        until: Duration,
        clock: &SystemClock,
    ) -> Result<(), Problem> {
        let taken = taken.map(|seconds| ["-now".to_owned(), seconds.to_string()]);
        let input = reading.json(&self.fields) + "\n";
        let (ending, transcript) = self.run(taken.as_slice().as_flattened(), &input, until, clock)?;
        verdict(&ending, &transcript, self.confirm)
    }

    /// Runs focus once to raise an alert (`-alert`, which is in its documentation, but not in the usage text of
    /// 1.1.5). The level is `info`, `warn` or `fatal`.
    ///
    /// # Errors
    /// Why it cannot have been raised. If focus was connected it counts as raised, however focus ended: one alert
    /// too few is better than one in each run.
    pub fn alert(
        &self,
        level: &str,
        title: &str,
        message: &str,
        until: Duration,
        clock: &SystemClock,
    ) -> Result<(), Problem> {
        let alert = ["-alert", "-level", level, "-title", title, "-message", message].map(str::to_owned);
        let (ending, transcript) = self.run(&alert, "", until, clock)?;
        if transcript.tells_of_success() { Ok(()) } else { verdict(&ending, &transcript, self.confirm) }
    }

    /// Runs focus with these arguments behind the usual ones, and this input. All is over at `until`.
    fn run(
        &self,
        more: &[String],
        input: &str,
        until: Duration,
        clock: &SystemClock,
    ) -> Result<(Ending, Transcript), Problem> {
        if let Some(signal) = clock.ending() {
            return Err(Problem::new(format!("focus was not started: ended by {signal}")));
        }
        let left = until.saturating_sub(clock.now() + GRACE);
        let limit =
            self.timeout.min(Duration::from_millis(u64::try_from(left.as_millis()).unwrap_or(u64::MAX)));
        if limit.is_zero() {
            return Err(Problem::new("focus was not started: no time was left before the deadline"));
        }
        let (pid, streams) = self.spawn(more, input)?;
        let mut transcript = Transcript::new(&self.license);
        let ending = converse(pid, streams, limit, &mut transcript, clock);
        Ok((ending, transcript))
    }

    fn arguments(&self, more: &[String]) -> Vec<String> {
        let mut all = vec![
            "-license".to_owned(),
            self.license.0.clone(),
            "-pcode".to_owned(),
            self.pcode.to_string(),
            "-server.host".to_owned(),
            self.server_host.clone(),
            "-server.port".to_owned(),
            self.server_port.to_string(),
            "-category".to_owned(),
            self.category.clone(),
            "-onetime".to_owned(),
        ];
        for (option, value) in &self.optional {
            all.extend([(*option).to_owned(), value.clone()]);
        }
        for (name, value) in &self.tags {
            all.extend([format!("-tag.{name}"), value.clone()]);
        }
        all.extend_from_slice(more);
        all
    }

    /// Starts focus in a process group of its own and hands it the input.
    fn spawn(&self, more: &[String], input: &str) -> Result<(Pid, Streams), Problem> {
        let program = find_program(&self.program, env::var_os("PATH").as_deref())?;
        let cannot_start = |source: &io::Error| {
            let hint = match source.raw_os_error().map(Errno::from_raw) {
                Some(Errno::ENOEXEC) => ": it is not a program for this machine's processor",
                Some(Errno::ENOENT) => ": it, or the interpreter it asks for, is not there",
                _ => "",
            };
            Problem::new(format!("cannot start {}: {}{hint}", program.display(), describe(source)))
        };
        let Child { pid, mut stdin, stdout, stderr } =
            exec(&program, &self.arguments(more)).map_err(|source| cannot_start(&source))?;
        // Far below the pipe's capacity, so this never waits. EPIPE means that focus does not
        // read: what it says and how it ends decides.
        let _ = stdin.write_all(input.as_bytes());
        Ok((pid, Streams::new([stdout, stderr])))
    }
}

/// Where the program is: a name without a slash is looked up in `path`, as a shell would.
pub(crate) fn find_program(program: &Path, path: Option<&OsStr>) -> Result<PathBuf, Problem> {
    if program.as_os_str().as_bytes().contains(&b'/') {
        return Ok(program.to_owned());
    }
    let executable = |candidate: &PathBuf| {
        candidate.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    path.and_then(|path| env::split_paths(path).map(|dir| dir.join(program)).find(executable)).ok_or_else(
        || {
            let (program, path) = (program.display(), path.unwrap_or_default().to_string_lossy());
            Problem::new(format!("cannot start {program}: there is no program {program} in PATH={path}"))
                .advise("set program in [focus] to its full path")
        },
    )
}

/// A child, and our ends of its three streams.
struct Child {
    pid: Pid,
    stdin: File,
    stdout: File,
    stderr: File,
}

/// Starts a program with its three streams on pipes, as the leader of a new process group.
///
/// The standard library would `fork(2)`, since nothing else runs what a child needs here, and copying the tables of all
/// memory takes longer than all else that is done to start it. Until this child executes, it has our memory and a stack
/// of its own, and we wait. It calls `execve(2)` itself: the C library's `execvp(3)` hands a file that the kernel does
/// not know to a shell. It also asks the kernel to be killed when this process dies, so that even SIGKILL leaves no
/// focus behind that tries for ever.
#[allow(unsafe_code, reason = "there is no other way to run a system call between clone and exec")]
fn exec(program: &Path, arguments: &[String]) -> io::Result<Child> {
    /// A few system calls deep.
    const STACK: usize = 16 << 10;
    let path = CString::new(program.as_os_str().as_bytes())?;
    let mut argv = vec![path.clone()];
    for argument in arguments {
        argv.push(CString::new(argument.as_bytes())?);
    }
    let mut environment = Vec::new();
    for (name, value) in env::vars_os() {
        environment.push(CString::new([name.as_bytes(), b"=", value.as_bytes()].concat())?);
    }
    let pointers = |all: &[CString]| -> Vec<_> {
        all.iter().map(|one| one.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (argv_pointers, environment_pointers) = (pointers(&argv), pointers(&environment));
    let (input, stdin) = pipe2(OFlag::O_CLOEXEC)?;
    let (stdout, output) = pipe2(OFlag::O_CLOEXEC)?;
    let (stderr, errors) = pipe2(OFlag::O_CLOEXEC)?;
    let parent = getpid();
    let failed = Cell::new(None);
    let run = || -> nix::Result<Infallible> {
        setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
        dup2_stdin(&input)?;
        dup2_stdout(&output)?;
        dup2_stderr(&errors)?;
        // Ignored in every Rust program, and what is ignored or blocked stays so: focus would be deaf to SIGTERM.
        // SAFETY: the default action runs no code of this process.
        unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }?;
        SigSet::empty().thread_set_mask()?;
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        if getppid() != parent {
            return Err(Errno::ESRCH);
        }
        // SAFETY: a string and two lists of strings, each with its end, that live until this returns.
        unsafe { execve(path.as_ptr(), argv_pointers.as_ptr(), environment_pointers.as_ptr()) };
        Err(Errno::last())
    };
    let in_child = || {
        failed.set(run().err());
        127
    };
    let flags = CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK;
    // SAFETY: this process has one thread, which stands still until the child executes or exits. The child makes a few
    // system calls, allocates nothing, and writes to nothing but its stack, `errno` and `failed`.
    let pid = unsafe { clone(Box::new(in_child), &mut [0; STACK], flags, Some(Signal::SIGCHLD as i32)) }?;
    if let Some(errno) = failed.get() {
        reap(pid);
        return Err(errno.into());
    }
    Ok(Child { pid, stdin: stdin.into(), stdout: stdout.into(), stderr: stderr.into() })
}

fn reap(pid: Pid) {
    while waitpid(pid, None) == Err(Errno::EINTR) {}
}

/// How the child ended.
#[derive(Debug, PartialEq, Eq)]
enum Ending {
    Exited(i32),
    Killed(Signal),
    /// By us, after this time.
    TimedOut(Duration),
    /// By us, because this signal ended the run.
    Interrupted(Signal),
}

/// Reads both streams until the child is gone, and ends it when the time is up or a signal came. When this
/// returns, nothing is left of its process group.
fn converse(
    pid: Pid,
    mut streams: Streams,
    limit: Duration,
    transcript: &mut Transcript,
    clock: &SystemClock,
) -> Ending {
    let mut forced = None;
    let mut next = Some((clock.now() + limit, Signal::SIGTERM));
    let ended = loop {
        streams.wait(clock, next.map(|(at, _)| at));
        streams.read(transcript);
        let interrupted = clock.ending();
        if let Some(ended) = peek(pid) {
            break ended;
        }
        let now = clock.now();
        match next {
            Some((at, Signal::SIGTERM)) if interrupted.is_some() || now >= at => {
                forced = Some(interrupted.map_or(Ending::TimedOut(limit), Ending::Interrupted));
                signal_group(pid, Signal::SIGTERM);
                next = Some((now + GRACE, Signal::SIGKILL));
            }
            Some((at, signal)) if now >= at => {
                signal_group(pid, signal);
                next = None;
            }
            _ => {}
        }
    };
    streams.read(transcript);
    transcript.finish();
    // Not reaped yet, so the group's number still is ours: whatever it left behind goes with it.
    signal_group(pid, Signal::SIGKILL);
    reap(pid);
    match forced {
        Some(forced) if ended != Ending::Exited(0) => forced,
        _ => ended,
    }
}

fn signal_group(pid: Pid, signal: Signal) {
    // ESRCH or EPERM: nobody is left in it. The child itself may have moved to another group.
    let _ = killpg(pid, signal);
    let _ = kill(pid, signal);
}

/// How the child ended, if it did; it stays a zombie, so that its number is not given to another.
fn peek(pid: Pid) -> Option<Ending> {
    match waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT) {
        Ok(WaitStatus::Exited(_, status)) => Some(Ending::Exited(status)),
        Ok(WaitStatus::Signaled(_, signal, _)) => Some(Ending::Killed(signal)),
        _ => None,
    }
}

/// The child's standard output and standard error, until each is closed.
struct Streams(Vec<(usize, File)>);

impl Streams {
    fn new(streams: [File; 2]) -> Streams {
        for stream in &streams {
            // A pipe of our own: this cannot fail.
            let _ = fcntl(stream, FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
        }
        Streams(streams.into_iter().enumerate().collect())
    }

    fn wait(&self, clock: &SystemClock, until: Option<Duration>) {
        let fds = [clock.as_fd()].into_iter().chain(self.0.iter().map(|(_, stream)| stream.as_fd()));
        let mut fds: Vec<_> = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        clock.wait(&mut fds, until);
    }

    /// Takes what is there, at most a pipe's worth of each, so that one that never stops writing
    /// does not keep us from looking at the time.
    fn read(&mut self, transcript: &mut Transcript) {
        let mut buffer = [0; 1024];
        self.0.retain_mut(|(index, stream)| {
            for _ in 0..64 {
                match stream.read(&mut buffer) {
                    Ok(0) => return false,
                    Ok(n) => transcript.feed(*index, &buffer[..n]),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => return false,
                }
            }
            true
        });
    }
}

/// Whether the reading counts as delivered.
fn verdict(ending: &Ending, transcript: &Transcript, confirm: Confirm) -> Result<(), Problem> {
    let how = match ending {
        Ending::TimedOut(limit) => {
            format!("focus did not finish within {}", humantime::format_duration(*limit))
        }
        Ending::Interrupted(signal) => format!("focus was ended: this program got {signal}"),
        Ending::Killed(signal) => format!("focus was killed by {signal}"),
        Ending::Exited(0) => match confirm {
            _ if transcript.fault.is_some() => "focus could not deliver".to_owned(),
            Confirm::Connected if !transcript.connected => {
                "focus exited with 0 but did not say that it was connected".to_owned()
            }
            _ => return Ok(()),
        },
        Ending::Exited(status) => format!("focus exited with {status}"),
    };
    Err(Problem::new(match transcript.fault.as_ref().or(transcript.last.as_ref()) {
        Some(words) => format!("{how}; it said: {words}"),
        None => format!("{how}; it said nothing"),
    }))
}

/// What focus said, on either stream, as far as it matters: constant memory, whatever it prints.
#[derive(Debug)]
pub struct Transcript {
    license: License,
    lines: [Line; 2],
    connected: bool,
    /// The first line that tells of a fault.
    fault: Option<String>,
    /// The last line that holds something.
    last: Option<String>,
}

impl Transcript {
    /// An empty one. The licence is what must not be quoted.
    #[must_use]
    pub fn new(license: &License) -> Transcript {
        Transcript {
            license: license.clone(),
            lines: [Line::default(), Line::default()],
            connected: false,
            fault: None,
            last: None,
        }
    }

    /// Takes what came on a stream: 0 is standard output, 1 standard error.
    pub fn feed(&mut self, stream: usize, bytes: &[u8]) {
        for &byte in bytes {
            match self.lines[stream].push(byte) {
                Pushed::Text => {}
                Pushed::EndOfLine => self.judge(stream, false),
                Pushed::Full => self.judge(stream, true),
            }
        }
    }

    /// Judges what came without an end of line.
    pub fn finish(&mut self) {
        for stream in 0..self.lines.len() {
            self.judge(stream, false);
        }
    }

    /// Whether the reading counts as delivered by what was said alone.
    #[must_use]
    pub fn tells_of_success(&self) -> bool {
        self.connected && self.fault.is_none()
    }

    fn judge(&mut self, stream: usize, goes_on: bool) {
        let line = &mut self.lines[stream];
        let text = String::from_utf8_lossy(&line.text);
        let faulty = text.contains("[error]") || text.contains("Connect error");
        self.connected |= text.contains("[TCP] Connected");
        // The rest of an endless line is judged but not quoted: its start may be the licence's end.
        if !line.continued && !text.trim().is_empty() {
            let words = quote(&text, &self.license);
            log::debug!("focus: {words}");
            if faulty && self.fault.is_none() {
                self.fault = Some(words.clone());
            }
            self.last = Some(words);
        } else if faulty && self.fault.is_none() {
            self.fault = Some("an error, in a line too long to quote".to_owned());
        }
        let keep = if goes_on { Line::OVERLAP } else { 0 };
        line.text.drain(..line.text.len() - keep);
        line.continued = goes_on;
    }
}

/// A line as it may be shown: without the licence, without control characters, and short.
fn quote(text: &str, license: &License) -> String {
    const LONGEST: usize = 200;
    let text = text.trim_ascii().replace(&license.0, REDACTED);
    let mut short: String =
        text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push_str("...");
    }
    short
}

/// A line while it comes in, without its escape codes (ECMA-48: CSI, OSC, and the short ones).
#[derive(Debug, Default)]
struct Line {
    text: Vec<u8>,
    escape: Escape,
    /// The beginning was judged before, as the line was too long to keep.
    continued: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum Escape {
    #[default]
    None,
    Started,
    Intermediate,
    Control,
    OperatingSystem,
}

enum Pushed {
    Text,
    EndOfLine,
    Full,
}

impl Line {
    const LONGEST: usize = 8192;
    /// More than the longest text that is looked for, less one.
    const OVERLAP: usize = 32;

    fn push(&mut self, byte: u8) -> Pushed {
        if byte == b'\n' {
            self.escape = Escape::None;
            return Pushed::EndOfLine;
        }
        self.escape = match (self.escape, byte) {
            (_, 0x1b) => Escape::Started,
            (Escape::None, _) => {
                // Without the space before it, what is quoted is far from where a line is cut.
                if !(self.text.is_empty() && byte.is_ascii_whitespace()) {
                    self.text.push(byte);
                }
                Escape::None
            }
            (Escape::Started, b'[') => Escape::Control,
            (Escape::Started, b']') => Escape::OperatingSystem,
            (Escape::Started | Escape::Intermediate, 0x20..=0x2f) => Escape::Intermediate,
            (Escape::Control, 0x20..=0x3f) => Escape::Control,
            (Escape::OperatingSystem, 0x07) => Escape::None,
            (Escape::OperatingSystem, _) => Escape::OperatingSystem,
            (Escape::Started | Escape::Intermediate | Escape::Control, _) => Escape::None,
        };
        if self.text.len() >= Self::LONGEST { Pushed::Full } else { Pushed::Text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LICENSE: &str = "x0000-test-0042";

    /// Codes that focus, or a terminal library in it, may put between any two characters.
    const CODES: [&str; 8] = [
        "\x1b[31m",
        "\x1b[0m",
        "\x1b[1;38;5;200m",
        "\x1b[K",
        "\x1b[?25l",
        "\x1b]0;[error] a title\x07",
        "\x1b]0;Connect error\x1b\\",
        "\x1bM",
    ];

    fn transcript() -> Transcript {
        Transcript::new(&License(LICENSE.to_owned()))
    }

    fn heard(chunks: &[(usize, &[u8])]) -> Transcript {
        let mut transcript = transcript();
        for (stream, bytes) in chunks {
            transcript.feed(*stream, bytes);
        }
        transcript.finish();
        transcript
    }

    /// All that is kept of what was said.
    fn kept(transcript: &Transcript) -> (bool, Option<String>, Option<String>) {
        (transcript.connected, transcript.fault.clone(), transcript.last.clone())
    }

    #[test]
    fn success_is_the_word_that_it_connected_and_none_of_a_fault() {
        for (out, err, success) in [
            ("", "", false),
            (" Collecting stdin-json\n", "2025/01/17 11:36:59 [TCP] Connected 13.124.0.1:6600\n", true),
            ("[TCP] Connected 13.124.0.1:6600\n", "", true),
            ("", "[TCP] Connected", true),
            ("[TCP] Connected\n", "[error] no project code[-pcode]\n", false),
            ("[error] x\n[TCP] Connected\n", "", false),
            ("[TCP] Connected\n", "[TCP] Connect error. 127.0.0.1:6600", false),
            ("[TCP] \x1b[32mConnected\x1b[0m\n", "", true),
            ("[TCP] Con", "nected\n", false),
            ("[TCP]\nConnected\n", "", false),
            ("[tcp] connected\n", "", false),
            ("[TCP] Closed 13.124.0.1:6600\n", "", false),
        ] {
            let transcript = heard(&[(0, out.as_bytes()), (1, err.as_bytes())]);
            assert_eq!(transcript.tells_of_success(), success, "{out:?} {err:?}");
        }
    }

    #[test]
    fn a_word_is_found_wherever_it_stands_in_an_endless_line() {
        for before in (0..70).chain(8150..8230).chain([16_300, 16_384, 100_000]) {
            let mut line = vec![b'.'; before];
            line.extend(b"[TCP] Connected");
            line.extend([b'.'; 9000]);
            assert!(heard(&[(0, &line)]).connected, "after {before} bytes");
        }
    }

    #[test]
    fn the_verdict_is_the_ending_and_the_words_together() {
        let said = |text: &str| heard(&[(1, text.as_bytes())]);
        let limit = Duration::from_secs(15);
        for (ending, text, confirm, wanted) in [
            (Ending::Exited(0), "[TCP] Connected", Confirm::Connected, Ok(())),
            (Ending::Exited(0), "", Confirm::ExitStatus, Ok(())),
            (
                Ending::Exited(0),
                "",
                Confirm::Connected,
                Err("focus exited with 0 but did not say that it was connected; it said nothing"),
            ),
            (
                Ending::Exited(0),
                "[TCP] Connected\n[error] send fail\n[TCP] Closed",
                Confirm::ExitStatus,
                Err("focus could not deliver; it said: [error] send fail"),
            ),
            (
                Ending::Exited(1),
                "[TCP] Connected\n\n  \n",
                Confirm::ExitStatus,
                Err("focus exited with 1; it said: [TCP] Connected"),
            ),
            (
                Ending::Killed(Signal::SIGSEGV),
                "[TCP] Connected",
                Confirm::Connected,
                Err("focus was killed by SIGSEGV; it said: [TCP] Connected"),
            ),
            (
                Ending::TimedOut(limit),
                "[TCP] Connected",
                Confirm::ExitStatus,
                Err("focus did not finish within 15s; it said: [TCP] Connected"),
            ),
            (
                Ending::Interrupted(Signal::SIGTERM),
                "",
                Confirm::Connected,
                Err("focus was ended: this program got SIGTERM; it said nothing"),
            ),
        ] {
            assert_eq!(verdict(&ending, &said(text), confirm), wanted.map_err(Problem::new), "{ending:?}");
        }
    }

    #[test]
    fn tags_are_arguments_and_the_licence_is_not_shown() {
        let focus = Focus {
            program: "focus".into(),
            license: License(LICENSE.to_owned()),
            pcode: 7000,
            server_host: "h".to_owned(),
            server_port: 1,
            category: "sensor".to_owned(),
            optional: Vec::new(),
            tags: vec![("room".to_owned(), "kitchen".to_owned())],
            fields: Field::DEFAULT.to_vec(),
            timeout: Duration::from_secs(1),
            confirm: Confirm::Connected,
            alert_after: None,
        };
        assert_eq!(focus.arguments(&[])[11..], ["-tag.room", "kitchen"]);
        assert!(!format!("{focus:?}").contains(LICENSE));
    }

    #[test]
    fn what_is_quoted_is_one_short_line() {
        let license = License(LICENSE.to_owned());
        assert_eq!(quote(" a\tb\r\n", &license), "a b");
        assert_eq!(quote(&format!("-license={LICENSE}{LICENSE}"), &license), "-license=[license][license]");
        assert_eq!(quote(&"ü".repeat(200), &license), "ü".repeat(200));
        assert_eq!(quote(&"ü".repeat(201), &license), "ü".repeat(200) + "...");
    }

    #[test]
    fn a_code_that_chooses_a_character_set_is_cut_out() {
        assert!(heard(&[(0, b"[TCP] \x1b(BConnected\n")]).connected);
        let license = LICENSE.replace("-test", "\x1b(B-test");
        assert_eq!(heard(&[(0, license.as_bytes())]).last.as_deref(), Some("[license]"));
    }

    #[test]
    fn a_licence_is_not_quoted_in_part() {
        let line = " ".repeat(Line::LONGEST - 10) + LICENSE;
        let last = heard(&[(0, line.as_bytes())]).last.unwrap_or_default();
        assert!(!last.contains("x0000"), "{last}");
    }

    /// Words that matter, words that do not, and any bytes.
    fn words() -> impl Strategy<Value = Vec<u8>> {
        const KNOWN: [&str; 6] =
            ["[TCP] Connected 1.2.3.4:6600", "[error] x", "[TCP] Connect error.", "\n", " ", LICENSE];
        prop_oneof![
            proptest::sample::select(&KNOWN[..]).prop_map(|word| word.as_bytes().to_vec()),
            proptest::sample::select(&CODES[..]).prop_map(|code| code.as_bytes().to_vec()),
            proptest::collection::vec(any::<u8>(), 0..20),
            (0..9000_usize).prop_map(|length| vec![b'.'; length]),
        ]
    }

    fn speech() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(words(), 0..12).prop_map(|words| words.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn how_the_bytes_arrive_does_not_matter(
            speech in speech(),
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..8),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(speech.len() + 1)).collect();
            cuts.extend([0, speech.len()]);
            cuts.sort_unstable();
            let chunks: Vec<_> = cuts.windows(2).map(|cut| (0, &speech[cut[0]..cut[1]])).collect();
            prop_assert_eq!(kept(&heard(&chunks)), kept(&heard(&[(0, &speech)])));
        }

        #[test]
        fn codes_between_the_characters_do_not_matter(
            text in "(\\[TCP\\] Connected|\\[error\\]|Connect error|x0000-test-0042|[a-z ü]{0,9}|\n){0,6}",
            codes in proptest::collection::vec((any::<proptest::sample::Index>(), 0..CODES.len()), 0..12),
        ) {
            let mut coloured: Vec<String> = text.chars().map(String::from).collect();
            coloured.push(String::new());
            for (at, code) in codes {
                let at = at.index(coloured.len());
                coloured[at].insert_str(0, CODES[code]);
            }
            let (plain, coloured) = (text.as_bytes(), coloured.concat());
            prop_assert_eq!(kept(&heard(&[(0, coloured.as_bytes())])), kept(&heard(&[(0, plain)])));
        }

        #[test]
        fn the_licence_is_never_kept_to_be_quoted(speeches in proptest::collection::vec((0..2_usize, speech()), 0..4)) {
            let chunks: Vec<_> = speeches.iter().map(|(stream, speech)| (*stream, &speech[..])).collect();
            let (_, fault, last) = kept(&heard(&chunks));
            for words in [fault, last].into_iter().flatten() {
                prop_assert!(!words.contains(LICENSE), "{words:?}");
                prop_assert!(!words.contains(char::is_control), "{words:?}");
                prop_assert!(words.chars().count() <= 203, "{words:?}");
            }
        }

        #[test]
        fn memory_stays_constant(speech in speech()) {
            let mut transcript = transcript();
            for byte in speech {
                transcript.feed(1, &[byte]);
                prop_assert!(transcript.lines[1].text.len() < Line::LONGEST);
            }
        }
    }
}
