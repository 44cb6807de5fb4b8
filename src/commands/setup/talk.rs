//! What is said and asked: one line for each step, and questions if there is a terminal.

use std::io::{self, BufRead, IsTerminal, Write};
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

use crate::commands::print;
use crate::error::{Error, Problem};
use crate::output::clean;

pub(super) struct Talk {
    pub(super) is_terminal: bool,
    pub(super) yes: bool,
    /// Whether a step has changed something.
    pub(super) has_changed: bool,
    /// Whether a step left something to do.
    pub(super) is_unfinished: bool,
}

impl Talk {
    pub(super) fn new(yes: bool) -> Talk {
        let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        Talk { is_terminal, yes, has_changed: false, is_unfinished: false }
    }

    /// The line of a step that found everything as it should be.
    pub(super) fn found(&self, step: &str, what: &str) -> Result<(), Error> {
        print(&format!("{step:<10} {}\n", clean(what, ' ')))
    }

    /// The line of a step that changed something.
    pub(super) fn did(&mut self, step: &str, what: &str) -> Result<(), Error> {
        self.has_changed = true;
        self.found(step, what)
    }

    /// The line of a step that somebody has to go on with.
    pub(super) fn left(&mut self, step: &str, what: &str) -> Result<(), Error> {
        self.is_unfinished = true;
        self.found(step, what)
    }

    /// More about the line before.
    pub(super) fn more(&self, what: &str) -> Result<(), Error> {
        print(&format!("{:10} {}\n", "", clean(what, ' ')))
    }

    /// Asks for yes or no. Without a terminal, and with `--yes`, it is yes: what must not be taken for granted is missing
    /// before anything is changed.
    pub(super) fn agrees(&self, question: &str) -> Result<bool, Error> {
        if self.yes || !self.is_terminal {
            return Ok(true);
        }
        self.chooses(question)
    }

    /// Asks for yes or no what `--yes` does not answer.
    pub(super) fn chooses(&self, question: &str) -> Result<bool, Error> {
        loop {
            match self.line(&format!("{question} [y/n] "))?.to_ascii_lowercase().as_str() {
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => print("answer y or n\n")?,
            }
        }
    }

    /// Asks until the answer is right. An empty answer is the default, if there is one.
    pub(super) fn ask<T>(
        &self,
        prompt: &str,
        default: Option<&str>,
        check: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Error> {
        let shown = default.map_or(String::new(), |default| format!(" [{default}]"));
        loop {
            let answer = self.line(&format!("{prompt}{shown}: "))?;
            let answer = if answer.is_empty() { default.unwrap_or_default() } else { &answer };
            match check(answer) {
                Ok(value) => return Ok(value),
                Err(wrong) => print(&format!("{}\n", clean(&wrong, ' ')))?,
            }
        }
    }

    /// Asks until the answer is right, and does not show it.
    pub(super) fn ask_secret<T>(
        &self,
        prompt: &str,
        check: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Error> {
        loop {
            let hidden = Hidden::new().map_err(|error| Error::System("the terminal", error.into()))?;
            print(&format!("{prompt} (not shown): "))?;
            let answer = hidden.wait().and_then(|()| read_line());
            drop(hidden);
            print("\n")?;
            match check(&answer?) {
                Ok(value) => return Ok(value),
                Err(wrong) => print(&format!("{}\n", clean(&wrong, ' ')))?,
            }
        }
    }

    fn line(&self, prompt: &str) -> Result<String, Error> {
        print(prompt)?;
        read_line()
    }
}

fn read_line() -> Result<String, Error> {
    let _ = io::stdout().flush();
    let mut line = String::new();
    match io::stdin().lock().read_line(&mut line) {
        Ok(0) => Err(ended("standard input ended")),
        Ok(_) => Ok(line.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok("\u{FFFD}".to_owned()),
        Err(error) => Err(Error::System("standard input", error)),
    }
}

/// There is no more answer.
fn ended(why: &str) -> Error {
    Error::Usage(Problem::new(why).advise("call setup again to go on"))
}

/// While it lives, the terminal does not show what is typed, and a signal that would end the program waits, so that the
/// terminal shows again what is typed before the program ends.
struct Hidden {
    before: Termios,
    blocked: SigSet,
    signals: SignalFd,
}

impl Hidden {
    fn new() -> nix::Result<Hidden> {
        let signals = SigSet::from_iter([
            Signal::SIGHUP,
            Signal::SIGINT,
            Signal::SIGQUIT,
            Signal::SIGTERM,
            Signal::SIGTSTP,
        ]);
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_flags.remove(LocalFlags::ECHO);
        let fd = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC)?;
        signals.thread_block()?;
        let hidden_now = Hidden { before, blocked: signals, signals: fd };
        tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &hidden)?;
        Ok(hidden_now)
    }

    /// Waits for a line.
    fn wait(&self) -> Result<(), Error> {
        let stdin = io::stdin();
        loop {
            let mut fds =
                [&stdin.as_fd(), &self.signals.as_fd()].map(|fd| PollFd::new(*fd, PollFlags::POLLIN));
            let _ = poll(&mut fds, PollTimeout::NONE);
            match fds.map(|fd| fd.any().unwrap_or(false)) {
                // The signal is still there when it is let through.
                [_, true] => return Err(ended("a signal came")),
                [true, _] => return Ok(()),
                _ => {}
            }
        }
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &self.before);
        let _ = self.blocked.thread_unblock();
    }
}
