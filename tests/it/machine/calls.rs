//! The system calls of a run, at each of which it can be killed or failed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// One system call: its name, and how many of this name there were up to it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) ordinal: usize,
}

/// These neither change what a file, another process or a later run sees, nor wait for one of them. Killed at one of them, a
/// run leaves just what it leaves at the next other call, so that it is enough to kill it there.
const UNSEEN: [&str; 37] = [
    "access",
    "arch_prctl",
    "brk",
    "faccessat2",
    "fstat",
    "fstatfs",
    "getcwd",
    "getdents64",
    "getegid",
    "geteuid",
    "getgid",
    "getpid",
    "getppid",
    "getrandom",
    "getuid",
    "lseek",
    "lstat",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
    "newfstatat",
    "pread64",
    "prlimit64",
    "readlink",
    "readlinkat",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "sched_getaffinity",
    "set_robust_list",
    "set_tid_address",
    "sigaltstack",
    "stat",
    "statfs",
    "statx",
    "uname",
];

impl Call {
    pub(crate) fn is_seen(&self) -> bool {
        !UNSEEN.contains(&self.name.as_str())
    }

    /// What lets strace kill the process here.
    pub(crate) fn killed(&self) -> String {
        format!("inject={}:signal=KILL:when={}", self.name, self.ordinal)
    }
}

/// The calls that strace wrote down, without the first: that is the execve which makes the process this program.
pub(crate) fn calls_in(trace: &str) -> Vec<Call> {
    let is_name =
        |name: &&str| name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_');
    let names = trace.lines().filter_map(|line| Some(line.split_once('(')?.0)).filter(is_name);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut calls = Vec::new();
    for name in names {
        let ordinal = counts.entry(name).or_default();
        *ordinal += 1;
        calls.push(Call { name: name.to_owned(), ordinal: *ordinal });
    }
    assert!(calls.len() > 200, "a whole run has more calls than {}", calls.len());
    calls.split_off(1)
}

/// Does the job on every item, on as many sites as there are processors.
pub(crate) fn on_all<S, T: Sync>(site: impl Fn() -> S + Sync, items: &[T], job: impl Fn(&S, &T) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                let site = site();
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    job(&site, item);
                }
            });
        }
    });
}
