//! The command line: which options and commands there are. The values are checked in `config`.

use std::ffi::OsString;

use argh::{EarlyExit, FromArgs};

use crate::error::{Error, Problem};

/// Take one reading from a humidity sensor in IIO sysfs and hand it to WhaTap's focus.
#[derive(Debug, Default, FromArgs)]
#[argh(
    help_triggers("-h", "--help"),
    note = "Started once per reading, by a systemd timer or cron. Durations are written as 2100ms, 3s or 1m.\n\n\
            Environment: WHATAP_LICENSE, WHATAP_PCODE, WHATAP_HOST (or WHATAP_SERVER_HOST), WHATAP_SERVER_PORT,\n\
            WHATAP_API_TOKEN and IIO_FOCUS_CONFIG go before the file and behind the command line.",
    error_code(0, "the reading was taken and delivered (or printed)"),
    error_code(64, "the command line is wrong"),
    error_code(66, "no sensor, not the one named, or several and none named"),
    error_code(69, "the reading was taken, but focus could not deliver it"),
    error_code(70, "a bug: please report"),
    error_code(74, "the sensor gave no good reading in all its tries"),
    error_code(75, "another run is under way"),
    error_code(78, "the configuration is wrong"),
    error_code(128, "and n more: ended by signal n")
)]
pub struct Args {
    /// configuration, a TOML file that must exist if it is named (default: /etc/iio-focus.toml)
    #[argh(option, arg_name = "file")]
    pub config: Option<String>,

    /// which sensor: its label, its IIO name or its id (default: the only one there is)
    #[argh(option, arg_name = "name")]
    pub device: Option<String>,

    /// where sysfs is mounted (default: /sys)
    #[argh(option, arg_name = "dir")]
    pub sysfs: Option<String>,

    /// how many times to try the sensor (default: 10)
    #[argh(option, arg_name = "n")]
    pub attempts: Option<String>,

    /// pause after a failed try (default: 2100ms)
    #[argh(option, arg_name = "d")]
    pub retry_delay: Option<String>,

    /// the whole run ends by then (default: 50s)
    #[argh(option, arg_name = "d")]
    pub deadline: Option<String>,

    /// print the JSON on standard output instead of delivering or storing it
    #[argh(switch)]
    pub dry_run: bool,

    /// syslog, stderr, or auto: syslog, and standard error too on a terminal (default: auto)
    #[argh(option, arg_name = "where")]
    pub log: Option<String>,

    /// log each try and each line that focus printed
    #[argh(switch)]
    pub verbose: bool,

    /// print the version
    #[argh(switch)]
    pub version: bool,

    /// another job than taking a reading
    #[argh(subcommand)]
    pub command: Option<Command>,
}

/// The commands. Without one, the program takes a reading.
#[derive(Debug, FromArgs)]
#[argh(subcommand)]
pub enum Command {
    /// `iio-focus list`
    List(List),
    /// `iio-focus doctor`
    Doctor(Doctor),
    /// `iio-focus status`
    Status(Status),
    /// `iio-focus chart`
    Chart(Chart),
    /// `iio-focus export`
    Export(Export),
    /// `iio-focus verify`
    Verify(Verify),
    /// `iio-focus setup`
    Setup(Setup),
}

impl Args {
    /// `--config`, `--device` and `--sysfs` may stand before the name of the command or after it. Moves those after the
    /// name into `self`, where they replace those before it. Returns the options before the name that the command does
    /// not have.
    fn take_from_command(&mut self) -> Vec<&'static str> {
        let (config, device, sysfs) = match &mut self.command {
            None => return Vec::new(),
            Some(Command::List(list)) => (None, None, Some(&mut list.sysfs)),
            Some(Command::Doctor(doctor)) => {
                (Some(&mut doctor.config), Some(&mut doctor.device), Some(&mut doctor.sysfs))
            }
            Some(Command::Status(status)) => (Some(&mut status.config), None, None),
            Some(Command::Chart(chart)) => (Some(&mut chart.config), Some(&mut chart.device), None),
            Some(Command::Export(export)) => (Some(&mut export.config), Some(&mut export.device), None),
            Some(Command::Verify(verify)) => {
                verify.log = verify.log.take().or(self.log.take());
                (Some(&mut verify.config), None, None)
            }
            Some(Command::Setup(_)) => (None, None, None),
        };
        let mut unsupported = vec![
            ("--attempts", self.attempts.is_some()),
            ("--retry-delay", self.retry_delay.is_some()),
            ("--deadline", self.deadline.is_some()),
            ("--dry-run", self.dry_run),
            ("--log", self.log.is_some()),
            ("--verbose", self.verbose),
        ];
        for (name, before, after) in [
            ("--config", &mut self.config, config),
            ("--device", &mut self.device, device),
            ("--sysfs", &mut self.sysfs, sysfs),
        ] {
            match after {
                Some(after) => *before = after.take().or(before.take()),
                None => unsupported.push((name, before.is_some())),
            }
        }
        unsupported.retain(|(_, given)| *given);
        unsupported.into_iter().map(|(name, _)| name).collect()
    }
}

/// Declares the arguments of a command: its options, each with the name of its value in the help, and its switches. The
/// doc comments are the help. Several commands have the same options, and argh cannot share fields between structs.
macro_rules! arguments {
    (
        $(#[$attribute:meta])*
        $name:ident as $command:tt { $($(#[$option_help:meta])* $option:ident: $value:tt,)* }
        switches { $($(#[$switch_help:meta])* $switch:ident,)* }
    ) => {
        #[derive(Debug, FromArgs)]
        $(#[$attribute])*
        #[argh(subcommand, name = $command, help_triggers("-h", "--help"))]
        pub struct $name {
            $($(#[$option_help])* #[argh(option, arg_name = $value)] pub $option: Option<String>,)*
            $($(#[$switch_help])* #[argh(switch)] pub $switch: bool,)*
        }
    };
}

arguments! {
    /// List the usable sensors, one per line: id, IIO name, label.
    List as "list" {
        /// where sysfs is mounted (default: /sys)
        sysfs: "dir",
    }
    switches {
        /// print JSON, for programs
        json,
    }
}

arguments! {
    /// Check overlay, driver, sensor, focus, configuration, store and timer, and say how to mend each.
    #[argh(
        error_code(0, "nothing is wrong"),
        error_code(1, "something is wrong, and it says what to do")
    )]
    Doctor as "doctor" {
        /// configuration, as for a reading
        config: "file",
        /// which sensor to try, as for a reading
        device: "name",
        /// where sysfs is mounted (default: /sys)
        sysfs: "dir",
        /// where to look for all other files of the system (default: /)
        root: "dir",
    }
    switches {
        /// print JSON, for programs
        json,
    }
}

arguments! {
    /// What the last runs did.
    #[argh(
        error_code(0, "readings are taken and arrive"),
        error_code(1, "the last reading is too old or of the future, or the last runs failed"),
        error_code(74, "the store cannot be read, or the file not written")
    )]
    Status as "status" {
        /// configuration, as for a reading
        config: "file",
        /// the last reading may be this old (default: 5m)
        max_age: "d",
        /// so many failed runs in a row are failing (default: 1)
        failures: "n",
        /// replace this file as a whole instead of printing; - is standard output
        output: "file",
    }
    switches {
        /// print JSON, for programs
        json,
        /// print metrics for node_exporter's textfile collector
        prometheus,
    }
}

arguments! {
    /// The stored readings as a picture, in the terminal or as SVG.
    #[argh(
        note = "A time is a duration before now (24h), a date (2026-11-01) or a date and time in RFC 3339.",
        error_code(0, "the picture is drawn"),
        error_code(66, "there is no such reading, or of several sensors and none is named")
    )]
    Chart as "chart" {
        /// configuration, as for a reading
        config: "file",
        /// which sensor, as the log names it (default: the only one there is)
        device: "name",
        /// from then on (default: 24h before the end)
        since: "time",
        /// up to then (default: now)
        until: "time",
        /// write an SVG picture to this file instead; - is standard output
        svg: "file",
    }
    switches {
        /// use nothing but ASCII in the terminal
        ascii,
    }
}

arguments! {
    /// The stored readings as CSV or JSON lines.
    #[argh(
        note = "A time is a duration before now (24h), a date (2026-11-01) or a date and time in RFC 3339.",
        error_code(0, "all is written, or nobody reads on"),
        error_code(66, "there is no such reading")
    )]
    Export as "export" {
        /// configuration, as for a reading
        config: "file",
        /// only readings of this sensor, as the log names it (default: all)
        device: "name",
        /// from then on (default: the oldest)
        since: "time",
        /// up to then (default: the newest)
        until: "time",
    }
    switches {
        /// print JSON lines instead of CSV
        json,
    }
}

arguments! {
    /// Ask WhaTap which of the stored readings it has.
    #[argh(
        note = "A time is a duration before now (24h), a date (2026-11-01) or a date and time in RFC 3339. The last 10 \
                minutes are not judged. Needs curl, and the project's API token as token or token-file in [verify].",
        error_code(0, "all arrived"),
        error_code(1, "some are missing or wait, or something is wrong, and it says what to do"),
        error_code(69, "WhaTap could not be asked"),
        error_code(78, "the configuration lacks what it needs")
    )]
    Verify as "verify" {
        /// configuration, as for a reading
        config: "file",
        /// from then on (default: 24h before the end)
        since: "time",
        /// up to then (default: now)
        until: "time",
        /// for a timer: one line to syslog, stderr or auto in place of the text, and an alert as for failed runs
        log: "where",
    }
    switches {
        /// print JSON, for programs
        json,
        /// put the missing ones back into the backlog, each at most twice
        requeue,
    }
}

arguments! {
    /// Set up overlay, configuration and timer, and take the first reading. Asks for what is not given.
    #[argh(
        note = "It asks only on a terminal. Without one it names what is missing and changes nothing.",
        error_code(0, "all is set up"),
        error_code(1, "something is left to do, and it says what"),
        error_code(64, "the command line is wrong, or something is missing and there is no terminal to ask on")
    )]
    Setup as "setup" {
        /// GPIO number of the sensor's data wire (default: 4)
        gpiopin: "n",
        /// name of the sensor, for the log
        label: "name",
        /// the Pi's own resistor: off, down or up (default: up)
        pull: "word",
        /// code of the WhaTap project
        pcode: "n",
        /// server of the WhaTap project
        server_host: "host",
        /// category of the readings (default: sensor)
        category: "name",
        /// name of this machine in WhaTap (default: focus's own)
        oname: "name",
        /// file that holds the licence; - is standard input
        license_file: "file",
        /// file that holds the project's API token; - is standard input
        api_token_file: "file",
        /// do it to the system in this folder, such as a card in a reader or an image
        root: "dir",
    }
    switches {
        /// leave config.txt alone
        no_overlay,
        /// leave the timer alone
        no_timer,
        /// answer yes to each question that can be answered so
        yes,
    }
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Parsed {
    /// A text to print: help or version.
    Text(String),
    /// The options, and the command to run.
    Args(Box<Args>),
}

/// Reads the command line; the first word is the program's name.
///
/// # Errors
/// [`Error::Usage`] if an option, a value or a command is wrong.
pub fn parse(words: impl Iterator<Item = OsString>) -> Result<Parsed, Error> {
    let usage = |what: &str| Error::Usage(Problem::new(what).advise("iio-focus --help lists what there is"));
    let mut all = Vec::new();
    for word in words.skip(1) {
        let word =
            word.into_string().map_err(|word| usage(&format!("{} is not UTF-8", word.to_string_lossy())))?;
        // argh wants `--attempts 5`; people also write `--attempts=5`.
        match word.split_once('=') {
            Some((option, value)) if option.starts_with("--") => {
                all.extend([option.to_owned(), value.to_owned()]);
            }
            _ => all.push(word),
        }
    }
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    match Args::from_args(&["iio-focus"], &all) {
        Ok(args) if args.version => {
            Ok(Parsed::Text(concat!("iio-focus ", env!("CARGO_PKG_VERSION"), "\n").to_owned()))
        }
        Ok(mut args) => match args.take_from_command()[..] {
            [] => Ok(Parsed::Args(Box::new(args))),
            [option, ..] => Err(usage(&format!("{option} does not go with this command"))),
        },
        Err(EarlyExit { output, status: Ok(()) }) => Ok(Parsed::Text(output)),
        Err(EarlyExit { output, status: Err(()) }) => {
            Err(usage(&output.split_whitespace().collect::<Vec<_>>().join(" ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Parsed, Error> {
        parse([&["iio-focus"], words].concat().iter().map(OsString::from))
    }

    fn args(words: &[&str]) -> Args {
        match parsed(words) {
            Ok(Parsed::Args(args)) => *args,
            other => panic!("{words:?}: {other:?}"),
        }
    }

    #[test]
    fn values_are_kept_as_they_are_typed() {
        let all = args(&[
            "--config=a=b",
            "--device",
            "c d",
            "--sysfs=",
            "--attempts",
            "x",
            "--retry-delay=3s",
            "--deadline",
            "1m",
            "--dry-run",
            "--log=syslog",
            "--verbose",
        ]);
        assert_eq!(all.config.as_deref(), Some("a=b"));
        assert_eq!(all.device.as_deref(), Some("c d"));
        assert_eq!(all.sysfs.as_deref(), Some(""));
        assert_eq!(all.attempts.as_deref(), Some("x"));
        assert_eq!(all.retry_delay.as_deref(), Some("3s"));
        assert_eq!(all.deadline.as_deref(), Some("1m"));
        assert_eq!(all.log.as_deref(), Some("syslog"));
        assert!(all.dry_run && all.verbose && all.command.is_none());
        let none = args(&[]);
        assert!(!none.dry_run && !none.verbose && none.config.is_none());
        assert!(matches!(args(&["list", "--json"]).command, Some(Command::List(List { json: true, .. }))));
    }

    #[test]
    fn an_error_is_one_line_and_says_where_to_look() {
        for words in
            [["--x"].as_slice(), &["--attempts"], &["y"], &["list", "--x"], &["--json"], &["--", "z"]]
        {
            match parsed(words) {
                Err(error @ Error::Usage(_)) => {
                    let text = error.to_string();
                    assert!(
                        text.lines().count() == 1 && text.ends_with("iio-focus --help lists what there is")
                    );
                }
                other => panic!("{words:?}: {other:?}"),
            }
        }
    }
}
