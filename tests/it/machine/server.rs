//! WhaTap's server, as far as the stand-in for focus cares.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::{Record, eventually, temperature_mdegc};

/// What the server got. It takes one connection after the other, until the test program ends.
pub(crate) struct Server {
    address: SocketAddr,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Takes what arrives at this listener.
    pub(super) fn on(listener: &TcpListener) -> Server {
        let server = Server { address: listener.local_addr().unwrap(), lines: Arc::default() };
        let lines = Arc::clone(&server.lines);
        let listener = listener.try_clone().unwrap();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let mut text = String::new();
                let _ = BufReader::new(connection).read_to_string(&mut text);
                lines.lock().unwrap().extend(text.lines().map(str::to_owned));
            }
        });
        server
    }

    /// The temperatures that arrived, in m°C and in order.
    pub(crate) fn arrived(&self) -> Vec<i32> {
        let records = self.records();
        records.iter().map(|record| temperature_mdegc(&record.stdin)).collect()
    }

    /// What arrived, as the stand-in sent it.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.catch_up();
        self.lines.lock().unwrap().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Begins anew.
    pub(crate) fn forget(&self) {
        self.catch_up();
        self.lines.lock().unwrap().clear();
    }

    /// Connections are read in the order they were made: when one of our own is, all before it are.
    fn catch_up(&self) {
        const MARK: &str = "caught up";
        writeln!(TcpStream::connect(self.address).unwrap(), "{MARK}").unwrap();
        eventually("the server has read all", || {
            let mut lines = self.lines.lock().unwrap();
            let found = lines.iter().position(|line| line == MARK).map(|at| lines.remove(at));
            found.is_some()
        });
    }
}
