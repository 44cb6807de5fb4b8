//! An argument that nobody else can see.
//!
//! Every user can read the arguments of every process: in `/proc/PID/cmdline`, with `ps`, and of a unit's processes with
//! `systemctl status`. What stands there is the memory that the kernel filled at `execve(2)`. The program itself finds its
//! arguments through pointers on its stack. So the argument is handed over in the environment, which only the same user
//! and root can read (`proc_pid_environ(5)`), in its place stands a word that says nothing, and before the program's first
//! instruction the pointer to that word is replaced by one to the environment. For that the child is traced
//! (`PTRACE_TRACEME`) until it has called `execve`; a parent needs no privilege for this.

use std::env;
use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Child;

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::error::describe;

/// What everybody sees instead.
const SHOWN: &str = "hidden";

/// The variable that holds the argument.
const VARIABLE: &str = "IIO_FOCUS_ARGUMENT=";

/// Far more pointers than there are to the arguments and to the environment.
const MOST: usize = 1 << 13;

/// Starts a program, and hides the argument at this index. None: the system refuses it, and nothing is left of the child.
/// A sandbox may forbid to trace, and so may `kernel.yama.ptrace_scope`.
pub(super) fn start(program: &Path, arguments: &[String], at: usize) -> Option<Child> {
    let refused = |error| {
        log::debug!("every user can see all arguments of {}: {}", program.display(), describe(&error))
    };
    try_to_start(program, arguments, at).map_err(refused).ok()
}

fn try_to_start(program: &Path, arguments: &[String], at: usize) -> io::Result<Child> {
    let mut shown = arguments.to_vec();
    let secret =
        shown.get_mut(at).map(|secret| std::mem::replace(secret, SHOWN.to_owned())).unwrap_or_default();
    let mut environment = vec![CString::new(format!("{VARIABLE}{secret}"))?];
    for (name, value) in env::vars_os() {
        environment.push(CString::new([name.into_vec(), value.into_vec()].join(&b'='))?);
    }
    let mut child = super::spawn(program, &shown, Some(environment))?;
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
    let replaced = replace(pid).and_then(|()| Ok(ptrace::detach(pid, None)?));
    if replaced.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    replaced.map(|()| child)
}

/// Lets the pointer to what is shown point to the secret.
fn replace(pid: Pid) -> io::Result<()> {
    wait_for_exec(pid)?;
    let process = Path::new("/proc").join(pid.to_string());
    let stack = Stack::of(&process)?;
    let environment =
        stack.pointers.iter().position(|pointer| *pointer == 0).map(|end| stack.pointers[end + 1..].iter());
    let secret =
        environment.and_then(|mut all| all.find(|pointer| stack.has(**pointer, VARIABLE.as_bytes())));
    let shown = [SHOWN.as_bytes(), b"\0"].concat();
    let place = stack
        .pointers
        .iter()
        .take_while(|pointer| **pointer != 0)
        .position(|pointer| stack.has(*pointer, &shown));
    match (place, secret) {
        (Some(place), Some(secret)) => stack.put(place, secret + VARIABLE.len() as u64),
        _ => Err(ErrorKind::NotFound.into()),
    }
}

/// Waits until the child stops behind its `execve`.
fn wait_for_exec(pid: Pid) -> io::Result<()> {
    loop {
        match waitpid(pid, None) {
            Err(Errno::EINTR) => {}
            Ok(WaitStatus::Stopped(_, Signal::SIGTRAP)) => return Ok(()),
            Ok(_) => return Err(ErrorKind::Other.into()),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// The start of a program's stack: the number of arguments, the pointers to them, 0, the pointers to the environment, 0.
struct Stack {
    memory: File,
    /// Where the first of the pointers is.
    start: u64,
    /// Of the program that was started, which may have 32 bits.
    pointer_size: usize,
    pointers: Vec<u64>,
}

impl Stack {
    fn of(process: &Path) -> io::Result<Stack> {
        let memory = OpenOptions::new().read(true).write(true).open(process.join("mem"))?;
        let mut class = [0; 5];
        File::open(process.join("exe"))?.read_exact_at(&mut class, 0)?;
        // ELFCLASS32 is 1, ELFCLASS64 is 2 (`elf(5)`).
        let pointer_size = if class[4] == 1 { 4 } else { 8 };
        let stat = fs::read_to_string(process.join("stat"))?;
        // The 28th field, `startstack` (`proc_pid_stat(5)`). The name in the second one can hold anything.
        let fields = stat.rsplit_once(") ").map(|(_, rest)| rest.split(' '));
        let start = fields.and_then(|mut fields| fields.nth(28 - 3)?.parse::<u64>().ok());
        let start =
            start.filter(|start| *start != 0).ok_or(ErrorKind::PermissionDenied)? + pointer_size as u64;
        let mut pointers: Vec<u64> = Vec::new();
        let mut part = [0; 1024];
        let end = |pointers: &[u64]| {
            let mut zeros = (0..pointers.len()).filter(|at| pointers[*at] == 0);
            zeros.nth(1)
        };
        while end(&pointers).is_none() && pointers.len() < MOST {
            // The stack may end before.
            let length = memory.read_at(&mut part, start + (pointers.len() * pointer_size) as u64)?;
            let each = part[..length].chunks_exact(pointer_size);
            if each.len() == 0 {
                break;
            }
            pointers.extend(
                each.map(|bytes| bytes.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte))),
            );
        }
        pointers.truncate(end(&pointers).unwrap_or(pointers.len()));
        Ok(Stack { start, pointer_size, pointers, memory })
    }

    /// Whether the text that a pointer leads to begins so.
    fn has(&self, pointer: u64, text: &[u8]) -> bool {
        let mut bytes = vec![0; text.len()];
        self.memory.read_exact_at(&mut bytes, pointer).is_ok() && bytes == text
    }

    fn put(&self, place: usize, pointer: u64) -> io::Result<()> {
        let bytes = pointer.to_le_bytes();
        self.memory.write_all_at(&bytes[..self.pointer_size], self.start + (place * self.pointer_size) as u64)
    }
}
