//! Takes the place of WhaTap's server and of the syslog daemon in tests: writes
//! down what reaches them, until it is killed.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::thread;

use argh::FromArgs;

/// Write down the lines that come over TCP, and the datagrams of a log socket.
#[derive(FromArgs)]
struct Arguments {
    /// address to listen on, such as 127.0.0.1:0
    #[argh(option)]
    tcp: String,
    /// file that gets the lines
    #[argh(option)]
    tcp_log: PathBuf,
    /// datagram socket to listen on, such as /dev/log
    #[argh(option)]
    syslog: Option<PathBuf>,
    /// file that gets the datagrams, one a line
    #[argh(option)]
    syslog_log: Option<PathBuf>,
    /// file that gets the TCP port once everything listens; else standard output
    #[argh(option)]
    port_file: Option<PathBuf>,
}

fn main() -> io::Result<()> {
    let arguments: Arguments = argh::from_env();

    if let (Some(socket), Some(log)) = (&arguments.syslog, &arguments.syslog_log) {
        let _ = fs::remove_file(socket);
        let socket = UnixDatagram::bind(socket)?;
        let log = append(log)?;
        thread::spawn(move || record_datagrams(&socket, log));
    }

    let server = TcpListener::bind(&arguments.tcp)?;
    let log = append(&arguments.tcp_log)?;
    announce(server.local_addr()?.port(), arguments.port_file.as_deref())?;
    for connection in server.incoming() {
        let (connection, log) = (connection?, log.try_clone()?);
        // A client that says nothing must not keep the others waiting.
        thread::spawn(move || record_lines(BufReader::new(connection), log));
    }
    Ok(())
}

fn record_datagrams(socket: &UnixDatagram, mut log: File) -> io::Result<()> {
    let mut buffer = vec![0; 65_536];
    loop {
        let length = socket.recv(&mut buffer)?;
        // A line break inside a message stays one line, as rsyslog writes it.
        let message = String::from_utf8_lossy(&buffer[..length]).replace('\n', "#012");
        log.write_all(format!("{message}\n").as_bytes())?;
    }
}

fn record_lines(connection: impl BufRead, mut log: File) -> io::Result<()> {
    for line in connection.split(b'\n') {
        let mut line = line?;
        line.push(b'\n');
        log.write_all(&line)?;
    }
    Ok(())
}

/// A port file is there at once with its whole content, so that a script can
/// wait for it.
fn announce(port: u16, file: Option<&Path>) -> io::Result<()> {
    let Some(file) = file else {
        return writeln!(io::stdout(), "{port}");
    };
    let new = file.with_extension("new");
    fs::write(&new, format!("{port}\n"))?;
    fs::rename(new, file)
}

fn append(path: &Path) -> io::Result<File> {
    File::options().append(true).create(true).open(path)
}
