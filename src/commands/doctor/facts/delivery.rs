//! The way to WhaTap: the program `focus`, and the server.

use std::env;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::schedule::is_program;
use super::way::Way;
use crate::child::find_program;
use crate::config;
use crate::error::{Problem, describe};
use crate::focus::Focus;

/// For the name and the connection together: as long as focus waits for a connection.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(5);

/// What is where the configuration says that focus is.
pub(crate) enum Program {
    NotInPath(Problem),
    Absent(PathBuf),
    Unusable(Problem),
    NotAFile(PathBuf),
    /// A file with this mode, and its first 20 bytes as far as it has them.
    File(PathBuf, u32, Result<Vec<u8>, Problem>),
}

impl Program {
    pub(super) fn look(root: &Path, focus: &Focus) -> Program {
        Program::at(root, &focus.program)
    }

    /// A path, or a name that is looked up in `PATH`.
    pub(crate) fn at(root: &Path, program: &Path) -> Program {
        let program = match find(root, program) {
            Err(problem) => return Program::NotInPath(problem),
            Ok(program) => program,
        };
        let way = Way::look(root, &program);
        let file = way.found().unwrap_or(&program).to_owned();
        let mode = match file.metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Program::Absent(program),
            Err(error) => return Program::Unusable(Problem::file("read", &program, &error)),
            Ok(meta) if !meta.is_file() => return Program::NotAFile(program),
            Ok(meta) => meta.permissions().mode(),
        };
        let mut head = Vec::new();
        let read = File::open(&file).and_then(|file| file.take(20).read_to_end(&mut head));
        let head = read.map(|_| head).map_err(|error| Problem::file("read", &program, &error));
        Program::File(program, mode, head)
    }
}

pub(super) fn path_has_empty_part() -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|dir| dir.as_os_str().is_empty()))
}

/// The program where it is below the root folder. A name is looked up in the PATH of this process.
fn find(root: &Path, program: &Path) -> Result<PathBuf, Problem> {
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = || env::split_paths(&path).map(|dir| config::under(root, dir));
    let mut candidates = dirs().map(|dir| dir.join(program));
    let is_name = program.components().count() == 1;
    match candidates.find(|candidate| is_name && is_program(root, candidate)) {
        Some(found) => Ok(found),
        // Only a folder's name with a colon cannot be joined, and those were just split at colons.
        None => find_program(program, Some(&env::join_paths(dirs()).unwrap_or_default())),
    }
}

/// Why there is no connection to the server.
pub(crate) enum NoAnswer {
    /// Not within [`TIME_LIMIT`].
    Late,
    NoAddress(String),
    Refused(String),
}

pub(super) fn connect(focus: &Focus) -> Result<(), NoAnswer> {
    let (host, port) = (focus.server_host.clone(), focus.server_port);
    let (to, answer) = mpsc::channel();
    // Looking up a name has no time limit of its own. The thread ends with the process.
    thread::spawn(move || to.send(connect_to(&host, port)));
    answer.recv_timeout(TIME_LIMIT).unwrap_or(Err(NoAnswer::Late))
}

fn connect_to(host: &str, port: u16) -> Result<(), NoAnswer> {
    let addresses = (host, port).to_socket_addrs().map_err(|error| NoAnswer::NoAddress(describe(&error)))?;
    let mut last = NoAnswer::NoAddress("the name has no address".to_owned());
    for address in addresses {
        match TcpStream::connect_timeout(&address, TIME_LIMIT) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::TimedOut => last = NoAnswer::Late,
            Err(error) => last = NoAnswer::Refused(describe(&error)),
        }
    }
    Err(last)
}
