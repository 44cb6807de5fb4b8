//! A program on a real pseudo-terminal, with somebody who reads and types.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::pty::openpty;
use nix::sys::termios::{LocalFlags, tcgetattr};

use crate::machine::eventually;

pub(crate) struct Terminal {
    child: Child,
    keyboard: File,
    /// What stands on the screen.
    screen: Arc<Mutex<Vec<u8>>>,
    /// So much of it was read.
    read: usize,
    /// The program's side, to see how the terminal is set.
    line: OwnedFd,
}

impl Terminal {
    /// Starts the command. Its words begin with `setsid -c`, which makes this its terminal.
    pub(crate) fn start(mut command: Command) -> Terminal {
        let pty = openpty(None, None).unwrap();
        let end = || Stdio::from(pty.slave.try_clone().unwrap());
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        drop(command);
        let keyboard = File::from(pty.master);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut output, shown) = (keyboard.try_clone().unwrap(), Arc::clone(&screen));
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = output.read(&mut bytes) {
                shown.lock().unwrap().extend_from_slice(&bytes[..n]);
            }
        });
        Terminal { child, keyboard, screen, read: 0, line: pty.slave }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).replace("\r\n", "\n")
    }

    /// Waits until this is shown after what was waited for before.
    #[track_caller]
    pub(crate) fn expect(&mut self, wanted: &str) {
        // Not when the program has ended: what it wrote last may still be on its way to the screen.
        eventually(wanted, || {
            let found = self.text()[self.read..].find(wanted);
            self.read = found.map_or(self.read, |at| self.read + at + wanted.len());
            found.is_some()
        });
    }

    /// Waits for a question and answers it.
    #[track_caller]
    pub(crate) fn answer(&mut self, question: &str, keys: &str) {
        self.expect(question);
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the program has ended. Returns its status, 1000 + n for signal n, and all that was shown.
    pub(crate) fn end(mut self) -> (i32, String) {
        let status = self.child.wait().unwrap();
        let line = self.line;
        // Nobody holds the program's side any longer, so the screen is complete when it says so.
        let echoes = tcgetattr(&line).unwrap().local_flags.contains(LocalFlags::ECHO);
        assert!(echoes, "the terminal shows no longer what is typed");
        drop(line);
        eventually("the screen is complete", || Arc::strong_count(&self.screen) == 1);
        let text = String::from_utf8_lossy(&self.screen.lock().unwrap()).replace("\r\n", "\n");
        (status.code().or(status.signal().map(|signal| 1000 + signal)).unwrap(), text)
    }
}
