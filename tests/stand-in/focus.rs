//! A stand-in for WhaTap's `focus` 1.1.5, which cannot be had in tests.
//!
//! Known, from its usage text, its documentation and a published transcript:
//! the options, the four that must be there, the transcript of a good run and
//! its banner in green even when not on a terminal, the `[error]` line with the
//! usage text, 5 s to connect and `Connect error` in red every 5 s for ever,
//! one flat JSON object of at most 65,536 bytes.
//!
//! Guessed, always in the way that is hardest for the caller: the status after
//! `[error]` (0), that dated lines go to standard error (they have the look of
//! Go's `log`) and the others to standard output, that an option given twice,
//! unknown or without its value is an error, and that an alert takes no input but its end. Invented: what goes over the wire,
//! which is one JSON line that says how the stand-in was called.
//!
//! `FOCUS_RECORD=FILE` appends that same line to FILE as soon as the input was
//! read. `FOCUS_FAULT` chooses one of [`ACTS`], or several separated by commas,
//! one for each run: the lines in FILE say which run this is, and the last act
//! stays. `FOCUS_REFUSES_BEFORE=SECONDS` finds fault with each `-now` that is earlier.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::io::{self, BufRead, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::process::{self, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use serde_json::{Map, Value, json};

const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const PLAIN: &str = "\x1b[0m";

const BANNER: &str = r"
 __      ___        _____
 \ \    / / |_  __ |_   _|_ _ _ __
  \ \/\/ /| ' \/ _` || |/ _` | '_ \
   \_/\_/ |_||_\__,_||_|\__,_| .__/
   focus 1.1.5 (stand-in)    |_|
";

const USAGE: &str = "
usage: focus   -pcode <pcode>  -license <license>  -category <category>  -server.host <server-address>
               -oname <oname>  -okind <okind>  -onode <onode>  -server.port 6600
               -tag.<tagname>  <tagvalue>  -pk <fieldname>  -debug  -onetime
";

/// Options that must be there, and what the error calls them.
const REQUIRED: [(&str, &str); 4] = [
    ("-pcode", "project code"),
    ("-license", "license"),
    ("-category", "category"),
    ("-server.host", "server host"),
];
const OPTIONAL: [&str; 9] =
    ["-oname", "-okind", "-onode", "-server.port", "-pk", "-now", "-level", "-title", "-message"];
const SWITCHES: [&str; 3] = ["-debug", "-onetime", "-alert"];

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RECONNECT_DELAY: Duration = Duration::from_secs(5);
const MAX_LINE: usize = 65_536;

/// What a run does once its arguments are found good.
type Act = fn(&Run) -> Result<ExitCode, String>;

/// The word for `FOCUS_FAULT`, and the act.
const ACTS: [(&str, Act); 16] = [
    ("good", good),
    ("refuse", refuse),
    ("hang", hang),
    ("hang-deaf", hang_deaf),
    ("silent", silent),
    ("exit-1", exit_1),
    ("signal", signal),
    ("close-input", close_input),
    ("noise", noise),
    ("noise-endless", noise_endless),
    ("error", error),
    ("echo-license", echo_license),
    ("orphan", orphan),
    ("slow", slow),
    ("slow-and-sure", slow_and_sure),
    ("slow-input", slow_input),
];

fn main() -> ExitCode {
    let fds = open_fds();
    let argv: Vec<String> = env::args_os().map(|a| a.to_string_lossy().into_owned()).collect();
    let outcome = match parse(argv.get(1..).unwrap_or_default()) {
        Ok(options) => act().and_then(|act| act(&Run { argv, options, fds })),
        Err(problem) => {
            banner();
            log(&format!("[error] {problem}"));
            say(USAGE);
            return ExitCode::SUCCESS;
        }
    };
    outcome.unwrap_or_else(|problem| {
        log(&format!("[error] {problem}"));
        ExitCode::SUCCESS
    })
}

/// Reads its input, delivers it and ends with 0.
fn good(run: &Run) -> Result<ExitCode, String> {
    let input = run.collect()?;
    run.deliver(&input);
    if run.options.contains_key("-onetime") { Ok(ExitCode::SUCCESS) } else { for_ever() }
}

/// As if the server refused.
fn refuse(run: &Run) -> Result<ExitCode, String> {
    run.collect()?;
    loop {
        connect_error(&run.server());
        sleep(RECONNECT_DELAY);
    }
}

/// Reads its input and never says another word.
fn hang(run: &Run) -> Result<ExitCode, String> {
    run.collect()?;
    for_ever()
}

/// The same, and SIGTERM does not end it.
fn hang_deaf(run: &Run) -> Result<ExitCode, String> {
    SigSet::from(Signal::SIGTERM).thread_block().map_err(|e| e.to_string())?;
    hang(run)
}

/// Ends with 0 without a word.
fn silent(run: &Run) -> Result<ExitCode, String> {
    run.read()?;
    Ok(ExitCode::SUCCESS)
}

/// Delivers, and ends with 1.
fn exit_1(run: &Run) -> Result<ExitCode, String> {
    good(run).and(Ok(ExitCode::from(1)))
}

/// Delivers, and is ended by SIGABRT, without a core file.
fn signal(run: &Run) -> Result<ExitCode, String> {
    good(run)?;
    prctl::set_dumpable(false).map_err(|e| e.to_string())?;
    process::abort()
}

/// Delivers, but never read what it was given.
fn close_input(run: &Run) -> Result<ExitCode, String> {
    nix::unistd::close(0).map_err(|e| e.to_string())?;
    banner();
    run.record("")?;
    run.deliver("");
    Ok(ExitCode::SUCCESS)
}

/// Writes 1 MiB to each stream, then delivers.
fn noise(run: &Run) -> Result<ExitCode, String> {
    for _ in 0..1024 {
        write_noise().map_err(|e| e.to_string())?;
    }
    good(run)
}

/// Writes to both streams until they are closed.
fn noise_endless(run: &Run) -> Result<ExitCode, String> {
    run.collect()?;
    while write_noise().is_ok() {}
    Ok(ExitCode::SUCCESS)
}

/// Connects, and then finds fault.
fn error(run: &Run) -> Result<ExitCode, String> {
    good(run)?;
    Err("send fail".into())
}

/// Shows its command line, as it is and cut up by colours, and finds fault with it.
fn echo_license(run: &Run) -> Result<ExitCode, String> {
    run.collect()?;
    say(&run.argv.join(" "));
    for word in &run.argv {
        let middle = word.char_indices().nth(word.chars().count() / 2).map_or(0, |(at, _)| at);
        let (head, tail) = word.split_at(middle);
        say(&format!("{GREEN}{head}{RED}{tail}{PLAIN}"));
    }
    Err(format!("invalid arguments {:?}", run.argv))
}

/// Delivers, and leaves a process behind that holds both streams open. Its id
/// is in `$FOCUS_RECORD.orphan`.
fn orphan(run: &Run) -> Result<ExitCode, String> {
    let child = Command::new("sleep").arg("3600").stdin(Stdio::null()).spawn();
    let id = child.map_err(|e| format!("sleep: {e}"))?.id();
    if let Some(record) = record_file() {
        fs::write(format!("{record}.orphan"), format!("{id}\n")).map_err(|e| e.to_string())?;
    }
    good(run)
}

/// Takes 3 s between input and delivery, or `FOCUS_PAUSE_MS`.
fn slow(run: &Run) -> Result<ExitCode, String> {
    let input = run.collect()?;
    pause();
    run.deliver(&input);
    Ok(ExitCode::SUCCESS)
}

/// The same, and ends no sooner than the server has closed, too: what it got is then written down there.
fn slow_and_sure(run: &Run) -> Result<ExitCode, String> {
    let input = run.collect()?;
    pause();
    let mut stream = run.send(&input);
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.read_to_end(&mut Vec::new());
    run.closed();
    Ok(ExitCode::SUCCESS)
}

/// Takes 3 s before it reads its input.
fn slow_input(run: &Run) -> Result<ExitCode, String> {
    sleep(Duration::from_secs(3));
    good(run)
}

fn pause() {
    let given = env::var("FOCUS_PAUSE_MS").ok().and_then(|text| text.parse().ok());
    sleep(Duration::from_millis(given.unwrap_or(3000)));
}

/// How the stand-in was called.
struct Run {
    argv: Vec<String>,
    options: BTreeMap<String, String>,
    fds: Vec<u32>,
}

impl Run {
    fn server(&self) -> String {
        let port = self.options.get("-server.port").map_or("6600", String::as_str);
        format!("{}:{port}", self.options["-server.host"])
    }

    fn collect(&self) -> Result<String, String> {
        banner();
        say(" Collecting stdin-json");
        self.read()
    }

    /// Takes and records the input, and says what is wrong with it.
    fn read(&self) -> Result<String, String> {
        let mut bytes = Vec::new();
        let mut stdin = io::stdin().lock().take(MAX_LINE as u64 + 1);
        let read = if self.options.contains_key("-onetime") {
            stdin.read_to_end(&mut bytes)
        } else {
            stdin.read_until(b'\n', &mut bytes)
        };
        read.map_err(|e| format!("stdin: {e}"))?;
        let input = String::from_utf8_lossy(&bytes).into_owned();
        self.record(&input)?;
        if self.options.contains_key("-alert") {
            return if input.is_empty() { Ok(input) } else { Err("stdin: not empty".into()) };
        }
        check(&bytes)?;
        let number = |text: &String| text.parse::<i64>().ok();
        let earliest = env::var("FOCUS_REFUSES_BEFORE").ok().as_ref().and_then(number);
        let taken = self.options.get("-now").and_then(number);
        if taken.zip(earliest).is_some_and(|(taken, earliest)| taken < earliest) {
            return Err("too old[-now]".into());
        }
        Ok(input)
    }

    /// Connects, hands over the record and closes.
    fn deliver(&self, input: &str) {
        drop(self.send(input));
        self.closed();
    }

    /// Connects, for as long as it takes, and hands over the record.
    fn send(&self, input: &str) -> TcpStream {
        let server = self.server();
        let mut stream = loop {
            match connect(&server) {
                Ok(stream) => break stream,
                Err(_) => connect_error(&server),
            }
            sleep(RECONNECT_DELAY);
        };
        log(&format!("[TCP] Connected {server}"));
        let _ = stream.write_all(self.record_line(input).as_bytes());
        stream
    }

    fn closed(&self) {
        log(&format!("[TCP] Closed {}", self.server()));
    }

    fn record(&self, input: &str) -> Result<(), String> {
        let Some(path) = record_file() else {
            return Ok(());
        };
        File::options()
            .append(true)
            .create(true)
            .open(&path)
            .and_then(|mut file| file.write_all(self.record_line(input).as_bytes()))
            .map_err(|e| format!("{path}: {e}"))
    }

    fn record_line(&self, input: &str) -> String {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_secs());
        let record = json!({
            "argv": self.argv,
            "stdin": input,
            "now": self.options.get("-now").and_then(|now| now.parse::<i64>().ok()),
            "time": time,
            "fds": self.fds,
        });
        format!("{record}\n")
    }
}

/// Options and their values; switches have an empty one.
fn parse(args: &[String]) -> Result<BTreeMap<String, String>, String> {
    let mut options = BTreeMap::new();
    let mut args = args.iter();
    while let Some(name) = args.next() {
        let value = if SWITCHES.contains(&name.as_str()) {
            String::new()
        } else if takes_value(name) {
            let value = args.next().filter(|value| !value.is_empty() && !value.starts_with('-'));
            value.ok_or(format!("no value[{name}]"))?.clone()
        } else {
            return Err(format!("unknown option[{name}]"));
        };
        if options.insert(name.clone(), value).is_some() {
            return Err(format!("given twice[{name}]"));
        }
    }
    for (name, what) in REQUIRED {
        if !options.contains_key(name) {
            return Err(format!("no {what}[{name}]"));
        }
    }
    for name in ["-pcode", "-server.port", "-now"] {
        if let Some(value) = options.get(name).filter(|value| value.parse::<u64>().is_err()) {
            return Err(format!("not a number[{name} {value}]"));
        }
    }
    Ok(options)
}

fn takes_value(name: &str) -> bool {
    let tag = name.strip_prefix("-tag.").is_some_and(|tag| !tag.is_empty());
    tag || OPTIONAL.contains(&name) || REQUIRED.iter().any(|(required, _)| *required == name)
}

/// One line with one flat object of numbers and strings, and nothing else.
fn check(bytes: &[u8]) -> Result<(), String> {
    let line = bytes.strip_suffix(b"\n").ok_or("stdin: no whole line")?;
    if line.len() > MAX_LINE || line.contains(&b'\n') {
        return Err(format!("stdin: not one line of at most {MAX_LINE} bytes"));
    }
    let object: Map<String, Value> = serde_json::from_slice(line).map_err(|e| format!("stdin: {e}"))?;
    match object.iter().find(|(_, value)| !value.is_number() && !value.is_string()) {
        Some((name, _)) => Err(format!("stdin: {name} is neither a number nor a string")),
        None => Ok(()),
    }
}

fn act() -> Result<Act, String> {
    let words = env::var("FOCUS_FAULT").unwrap_or_else(|_| "good".into());
    let runs = record_file()
        .and_then(|path| fs::read_to_string(path).ok())
        .map_or(0, |record| record.lines().count());
    let word = words.split(',').take(runs + 1).last().unwrap_or_default();
    let act = ACTS.iter().find(|(name, _)| *name == word);
    act.map(|(_, act)| *act).ok_or(format!("FOCUS_FAULT: no such act: {word}"))
}

fn record_file() -> Option<String> {
    env::var("FOCUS_RECORD").ok()
}

/// The descriptors this process was started with.
fn open_fds() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else {
        return Vec::new();
    };
    let listing = format!("/proc/{}/fd", process::id());
    let mut fds: Vec<u32> = entries
        .flatten()
        .filter(|entry| {
            fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() != listing.as_str())
        })
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    fds.sort_unstable();
    fds
}

fn connect(server: &str) -> io::Result<TcpStream> {
    let address = server.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
    TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)
}

fn connect_error(server: &str) {
    log(&format!("{RED}[TCP] Connect error. {server}{PLAIN}"));
}

fn banner() {
    say(&format!("{GREEN}{BANNER}{PLAIN}"));
}

// A stream that nobody reads any more must not end a run, so neither of these
// uses `println!`, which panics then.
fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

fn log(text: &str) {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let now = now.replace('-', "/").replace('T', " ");
    let _ = writeln!(io::stderr(), "{} {text}", now.trim_end_matches('Z'));
}

/// 1 KiB to each stream in turn: no UTF-8, colours, and a line break now and then.
fn write_noise() -> io::Result<()> {
    let mut block = [0xfe; 1024];
    block[100..105].copy_from_slice(b"\x1b[31m");
    block[1000..1004].copy_from_slice("🌡".as_bytes());
    io::stdout().write_all(&block)?;
    io::stdout().flush()?;
    block[512] = b'\n';
    io::stderr().write_all(&block)
}

fn for_ever() -> ! {
    loop {
        sleep(Duration::from_secs(3600));
    }
}
