//! A child process with a time limit: this module starts it, reads its output, ends it and reaps it. It works for any
//! program.

mod hidden;

use std::env;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags};
use nix::sys::prctl;
use nix::sys::ptrace;
use nix::sys::signal::{SigHandler, SigSet, Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, execv, execve, getpid, getppid};

use crate::clock::{Clock, Deadline};
use crate::error::{Problem, describe};
use crate::signals::{SystemClock, set_action};

/// How long a child has to end after SIGTERM, before it gets SIGKILL.
pub const GRACE: Duration = Duration::from_secs(2);

/// How a child ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ending {
    /// It exited with this status.
    Exited(i32),
    /// A signal killed it that this program did not send.
    Killed(Signal),
    /// This program ended it after this time.
    TimedOut(Duration),
    /// This program ended it because this signal ended the run.
    Interrupted(Signal),
}

/// Where a program is: a name without a slash is looked up in `path`, as a shell would.
///
/// # Errors
/// A [`Problem`] if no folder of `path` contains such a program.
pub fn find_program(program: &Path, path: Option<&OsStr>) -> Result<PathBuf, Problem> {
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
        },
    )
}

/// A child process in its own process group. Its standard input, output and error are pipes.
#[derive(Debug)]
pub struct Child {
    process: std::process::Child,
    pid: Pid,
    streams: Streams,
}

impl Child {
    /// Starts a program and hands it the input, which must be shorter than a pipe (64 KiB). No other user can see the
    /// argument at `secret_at`, if the system allows to hide it.
    ///
    /// # Errors
    /// A [`Problem`] if the system cannot start the program.
    pub fn start(
        program: &Path,
        arguments: &[String],
        secret_at: Option<usize>,
        input: &[u8],
    ) -> Result<Child, Problem> {
        let hidden = secret_at.and_then(|at| hidden::start(program, arguments, at));
        let started = hidden.map_or_else(|| spawn(program, arguments, None), Ok);
        let mut process = started.map_err(|source| {
            let hint = match source.raw_os_error().map(Errno::from_raw) {
                Some(Errno::ENOEXEC) => ": it is not a program for this machine's processor",
                Some(Errno::ENOENT) => ": it, or the interpreter it asks for, is not there",
                _ => "",
            };
            Problem::new(format!("cannot start {}: {}{hint}", program.display(), describe(&source)))
        })?;
        // EPIPE means that the child does not read its input. Its output and its exit status show what this means.
        let _ = process.stdin.take().map(|mut stdin| stdin.write_all(input));
        let streams = [process.stdout.take().map(OwnedFd::from), process.stderr.take().map(OwnedFd::from)];
        // This cannot fail: process ids are below 2^22.
        let pid = Pid::from_raw(i32::try_from(process.id()).unwrap_or(i32::MAX));
        Ok(Child { process, pid, streams: Streams::new(streams) })
    }

    /// Ends the processes that the child, which has ended, left behind, and reaps it.
    fn clear(&mut self) {
        // The child is not reaped yet, so that no other process group can have its id.
        self.signal(Signal::SIGKILL);
        let _ = self.process.wait();
        self.streams.0.clear();
    }

    fn signal(&self, signal: Signal) {
        // Both calls, because the child may have moved to another group. ESRCH and EPERM mean that there is no process
        // left to end.
        let _ = killpg(self.pid, signal);
        let _ = kill(self.pid, signal);
    }

    /// How the child ended, if it has ended. It stays a zombie, so that the kernel gives its id to no other process.
    fn ended(&self) -> Option<Ending> {
        match waitid(Id::Pid(self.pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT) {
            Ok(WaitStatus::Exited(_, status)) => Some(Ending::Exited(status)),
            Ok(WaitStatus::Signaled(_, signal, _)) => Some(Ending::Killed(signal)),
            _ => None,
        }
    }
}

/// Reads both streams of each child (0 is standard output, 1 standard error) until all have ended, and ends those that
/// still run when the limit is reached or a signal asks the run to end. When this returns, no process is left in their
/// groups. The children have the numbers of their places in the list. A stream is closed when `on_output` returns that no
/// more of it is wanted: a child that goes on writing to it gets SIGPIPE or EPIPE.
pub fn finish_all(
    children: Vec<Child>,
    limit: Duration,
    clock: &SystemClock,
    on_output: &mut dyn FnMut(usize, usize, &[u8]) -> bool,
) -> Vec<Ending> {
    let at_limit = Some((Deadline(clock.now() + limit), Signal::SIGTERM));
    let new = |child| Bounded { child, limit, next_signal: at_limit, forced: None, ended: None };
    let mut all: Vec<Bounded> = children.into_iter().map(new).collect();
    while all.iter().any(|one| one.ended.is_none()) {
        wait(&all, clock);
        for (number, one) in all.iter_mut().enumerate() {
            one.child.streams.read(&mut |stream, bytes| on_output(number, stream, bytes));
        }
        let interrupted = clock.ending();
        for (number, one) in all.iter_mut().enumerate().filter(|(_, one)| one.ended.is_none()) {
            one.look(interrupted, clock, &mut |stream, bytes| on_output(number, stream, bytes));
        }
    }
    all.into_iter().filter_map(|one| one.ended).collect()
}

/// Waits for output, a signal, or the time when one of them is to be ended.
fn wait(all: &[Bounded], clock: &SystemClock) {
    let streams = all.iter().flat_map(|one| &one.child.streams.0);
    let fds = [clock.as_fd()].into_iter().chain(streams.map(|(_, stream)| stream.as_fd()));
    let mut fds: Vec<_> = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
    let running = all.iter().filter(|one| one.ended.is_none());
    let until = running.filter_map(|one| one.next_signal).map(|(at, _)| at).min_by_key(|at| at.0);
    clock.wait(&mut fds, until);
}

/// A child and its time limit.
struct Bounded {
    child: Child,
    limit: Duration,
    /// The signal that it gets next, and when.
    next_signal: Option<(Deadline, Signal)>,
    /// Why it got the first.
    forced: Option<Ending>,
    ended: Option<Ending>,
}

impl Bounded {
    /// Notes whether it has ended, and ends it when it is time to.
    fn look(
        &mut self,
        interrupted: Option<Signal>,
        clock: &SystemClock,
        on_output: &mut dyn FnMut(usize, &[u8]) -> bool,
    ) {
        if let Some(ended) = self.child.ended() {
            self.child.streams.read(on_output);
            self.child.clear();
            let forced = self.forced.take().filter(|_| ended != Ending::Exited(0));
            self.ended = Some(forced.unwrap_or(ended));
            return;
        }
        match self.next_signal {
            Some((at, Signal::SIGTERM)) if interrupted.is_some() || at.left(clock).is_zero() => {
                self.forced = Some(interrupted.map_or(Ending::TimedOut(self.limit), Ending::Interrupted));
                self.child.signal(Signal::SIGTERM);
                self.next_signal = Some((Deadline(clock.now() + GRACE), Signal::SIGKILL));
            }
            Some((at, signal)) if at.left(clock).is_zero() => {
                self.child.signal(signal);
                self.next_signal = None;
            }
            _ => {}
        }
    }
}

/// Starts a program with its three streams on pipes, as the leader of a new process group. With an environment of its
/// own it is traced by this process, and stops before its first instruction.
///
/// The child calls `execv(2)` before the standard library can call `execvp(3)`, because the `execvp` of the GNU C
/// library runs a file that the kernel cannot execute in a shell. The child also asks the kernel to kill it when this
/// process dies, so that it does not run for ever if this process is ended with SIGKILL.
///
/// `clone(CLONE_VM)` with a separate stack would save 0.15 ms, because fork copies the page tables, but it needs 50
/// more lines of unsafe code. This is not worth it for a child that then waits for a network.
#[allow(unsafe_code, reason = "`pre_exec` is unsafe, because few calls are allowed between fork and exec")]
fn spawn(
    program: &Path,
    arguments: &[String],
    environment: Option<Vec<CString>>,
) -> io::Result<std::process::Child> {
    let path = CString::new(program.as_os_str().as_bytes())?;
    let mut argv = vec![path.clone()];
    for argument in arguments {
        argv.push(CString::new(argument.as_bytes())?);
    }
    let parent = getpid();
    let execute = move || {
        // A child inherits the blocked signals, and SIGTERM would not end it.
        SigSet::empty().thread_set_mask()?;
        // And the ignored ones.
        set_action(Signal::SIGXFSZ, SigHandler::SigDfl)?;
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // The parent died before the call above.
        if getppid() != parent {
            return Err(Errno::ESRCH.into());
        }
        let Some(environment) = &environment else { match execv(&path, &argv)? {} };
        ptrace::traceme()?;
        match execve(&path, &argv, environment)? {}
    };
    let mut command = Command::new(program);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    // SAFETY: this process has one thread, so that the child may allocate and make system calls.
    unsafe { command.pre_exec(execute) };
    command.spawn()
}

/// The child's standard output and standard error, until each is closed.
#[derive(Debug)]
struct Streams(Vec<(usize, File)>);

impl Streams {
    fn new(streams: [Option<OwnedFd>; 2]) -> Streams {
        let streams = streams.into_iter().enumerate();
        let streams: Vec<(usize, File)> =
            streams.filter_map(|(index, stream)| Some((index, stream?.into()))).collect();
        for (_, stream) in &streams {
            // This cannot fail for a pipe.
            let _ = fcntl(stream, FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
        }
        Streams(streams)
    }

    /// Reads what is there, at most 64 KiB (as much as a pipe holds) of each stream: the limit must be checked even if
    /// a child never stops writing.
    fn read(&mut self, on_output: &mut dyn FnMut(usize, &[u8]) -> bool) {
        let mut buffer = [0; 1024];
        self.0.retain_mut(|(index, stream)| {
            for _ in 0..64 {
                match stream.read(&mut buffer) {
                    Ok(0) => return false,
                    Ok(n) if on_output(*index, &buffer[..n]) => {}
                    Ok(_) => return false,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => return false,
                }
            }
            true
        });
    }
}
