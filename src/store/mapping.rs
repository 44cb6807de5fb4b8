//! The index of the write-ahead log is a file that SQLite maps into memory. Where a mapped page cannot be read or written,
//! because the card is full or bad, there is no error: the kernel sends SIGBUS, which ends the process.
//!
//! So blocks are reserved before a part is mapped. SQLite writes one byte in each 4096, which leaves holes where blocks are
//! smaller. That is not enough on a file system that cannot reserve (ext3) or that writes each block anew to another place (btrfs), nor
//! if another program cuts the file. So SIGBUS is handled, too: all that is mapped becomes private to this process, as it is, and nothing that SQLite writes from then on reaches a file. To every other process this looks as if this
//! one had been killed at that moment, which SQLite is made for, and this one goes on without the store.

#![allow(unsafe_code, reason = "memory maps and a signal handler")]

use std::ffi::{CStr, c_int, c_void};
use std::mem;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU32, AtomicUsize, Ordering::SeqCst};

use nix::errno::Errno;
use nix::libc::{self, off64_t, siginfo_t, size_t, ssize_t};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use rusqlite::ffi;

/// One part of the index in memory. A length of 0: unused.
struct Mapping {
    address: AtomicUsize,
    length: AtomicUsize,
    file: AtomicI32,
    offset: AtomicI64,
}

impl Mapping {
    const fn unused() -> Mapping {
        Mapping {
            address: AtomicUsize::new(0),
            length: AtomicUsize::new(0),
            file: AtomicI32::new(-1),
            offset: AtomicI64::new(0),
        }
    }

    fn holds(&self, address: usize) -> bool {
        let (begin, length) = (self.address.load(SeqCst), self.length.load(SeqCst));
        (begin..begin.saturating_add(length)).contains(&address)
    }

    /// Puts other memory in its place.
    ///
    /// # Safety
    /// Only SQLite uses this memory, and what it finds there is as if another process had written it.
    unsafe fn replace(&self, flags: c_int, file: c_int) -> bool {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let address = self.address.load(SeqCst) as *mut c_void;
        let flags = flags | libc::MAP_PRIVATE | libc::MAP_FIXED;
        // SAFETY: this range was mapped for SQLite and not unmapped since.
        let mapped = unsafe {
            libc::mmap64(address, self.length.load(SeqCst), protection, flags, file, self.offset.load(SeqCst))
        };
        mapped != libc::MAP_FAILED
    }
}

/// Enough for a log of a GiB. A part that does not find its place here is not protected.
static MAPPINGS: [Mapping; 64] = [const { Mapping::unused() }; 64];

/// How often a mapped page could not be read or written.
static FAULTS: AtomicU32 = AtomicU32::new(0);

/// Whether nothing that SQLite writes reaches a file any more, for the rest of this process.
pub(super) fn is_cut_off() -> bool {
    FAULTS.load(SeqCst) > 0
}

/// From now on, SIGBUS in the index of a log does not end this process.
pub(super) fn protect() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: these functions have the types that `os_unix.c` gives to the system calls of these names.
        unsafe {
            intercept(c"mmap", mem::transmute::<Mmap, unsafe extern "C" fn()>(map));
            intercept(c"munmap", mem::transmute::<Munmap, unsafe extern "C" fn()>(unmap));
            intercept(c"ftruncate", mem::transmute::<Ftruncate, unsafe extern "C" fn()>(truncate));
            intercept(c"pwrite", mem::transmute::<Pwrite, unsafe extern "C" fn()>(pwrite));
            intercept(c"pwrite64", mem::transmute::<Pwrite, unsafe extern "C" fn()>(pwrite));
        }
        let action = SigAction::new(SigHandler::SigAction(on_fault), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler only uses atomics and system calls.
        let _ = unsafe { sigaction(Signal::SIGBUS, &action) };
    });
}

type Mmap = unsafe extern "C" fn(*mut c_void, size_t, c_int, c_int, c_int, off64_t) -> *mut c_void;
type Munmap = unsafe extern "C" fn(*mut c_void, size_t) -> c_int;
type Ftruncate = unsafe extern "C" fn(c_int, off64_t) -> c_int;
type Pwrite = unsafe extern "C" fn(c_int, *const c_void, size_t, off64_t) -> ssize_t;

/// Puts this function in the place of one of the system calls of SQLite.
///
/// # Safety
/// It has the type of that system call.
pub(super) unsafe fn intercept(name: &CStr, function: unsafe extern "C" fn()) {
    // SAFETY: SQLite initialises itself here if it has to, and its list of file systems stays.
    unsafe {
        let files = ffi::sqlite3_vfs_find(ptr::null());
        if let Some(set) = files.as_ref().and_then(|files| files.xSetSystemCall) {
            set(files, name.as_ptr(), Some(function));
        }
    }
}

unsafe extern "C" fn map(
    address: *mut c_void,
    length: size_t,
    protection: c_int,
    flags: c_int,
    file: c_int,
    offset: off64_t,
) -> *mut c_void {
    if protection & libc::PROT_WRITE != 0 {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        // SAFETY: fallocate takes numbers only.
        let reserved = unsafe { libc::fallocate64(file, 0, offset, length) };
        // Other errors say that this file system cannot reserve.
        if reserved != 0 && matches!(Errno::last(), Errno::ENOSPC | Errno::EDQUOT) {
            return libc::MAP_FAILED;
        }
    }
    // SAFETY: as SQLite asks for it.
    let mapped = unsafe { libc::mmap64(address, length, protection, flags, file, offset) };
    let unused = MAPPINGS.iter().find(|mapping| mapping.length.load(SeqCst) == 0);
    if let Some(mapping) = unused.filter(|_| mapped != libc::MAP_FAILED) {
        mapping.address.store(mapped as usize, SeqCst);
        mapping.file.store(file, SeqCst);
        mapping.offset.store(offset, SeqCst);
        mapping.length.store(length, SeqCst);
    }
    mapped
}

unsafe extern "C" fn unmap(address: *mut c_void, length: size_t) -> c_int {
    if let Some(mapping) = MAPPINGS.iter().find(|mapping| mapping.holds(address as usize)) {
        mapping.length.store(0, SeqCst);
    }
    // SAFETY: as SQLite asks for it.
    unsafe { libc::munmap(address, length) }
}

/// SQLite cuts an index that nobody uses down to this length, to make it anew from the log.
const UNUSED_INDEX: off64_t = 3;

/// The header of an index: two copies of 48 bytes, and what is known of readers and of the copying back (`walformat.html`).
const INDEX_HEADER: [u8; 136] = [0; 136];

/// The smallest index.
const PART: off64_t = 32_768;

/// Cutting a file and letting it grow again frees its blocks and takes new ones: that was half of what a run wrote to a card. An
/// index without a header is made anew just the same, and keeps its blocks.
unsafe extern "C" fn truncate(file: c_int, length: off64_t) -> c_int {
    // SAFETY: lseek takes numbers only, and SQLite uses no file's position.
    if length == UNUSED_INDEX && unsafe { libc::lseek64(file, 0, libc::SEEK_END) } >= PART {
        // SAFETY: the header is as long as is said.
        let written = unsafe { pwrite(file, INDEX_HEADER.as_ptr().cast(), INDEX_HEADER.len(), 0) };
        if usize::try_from(written) == Ok(INDEX_HEADER.len()) {
            return 0;
        }
    }
    // SAFETY: as SQLite asks for it.
    unsafe { libc::ftruncate64(file, length) }
}

unsafe extern "C" fn pwrite(file: c_int, bytes: *const c_void, length: size_t, offset: off64_t) -> ssize_t {
    if is_cut_off() {
        Errno::ENOSPC.set();
        return -1;
    }
    // SAFETY: as SQLite asks for it.
    unsafe { libc::pwrite64(file, bytes, length, offset) }
}

/// Makes all parts of the index private. If one cannot be read even so, it becomes empty.
extern "C" fn on_fault(_: c_int, info: *mut siginfo_t, _: *mut c_void) {
    let errno = Errno::last_raw();
    // SAFETY: the kernel passes a siginfo_t, and for SIGBUS it has an address. See `replace` for the rest.
    let mended = unsafe {
        let address = (*info).si_addr() as usize;
        let hit = MAPPINGS.iter().find(|mapping| mapping.holds(address));
        hit.is_some_and(|hit| match FAULTS.fetch_add(1, SeqCst) {
            0 => MAPPINGS
                .iter()
                .filter(|mapping| mapping.length.load(SeqCst) > 0)
                .all(|mapping| mapping.replace(0, mapping.file.load(SeqCst))),
            _ => hit.replace(libc::MAP_ANONYMOUS, -1),
        })
    };
    if !mended {
        // It comes again, and then ends the process as if there was no handler.
        // SAFETY: the default action runs no code of this process.
        let _ = unsafe { nix::sys::signal::signal(Signal::SIGBUS, SigHandler::SigDfl) };
    }
    Errno::set_raw(errno);
}
