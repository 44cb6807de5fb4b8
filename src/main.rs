//! `iio-focus`: arguments, logger, run, exit status.

use std::env;
use std::process::ExitCode;

use iio_focus::cli::{self, Args, Command, Parsed};
use iio_focus::commands;
use iio_focus::config;
use iio_focus::error::{Error, Exit};
use iio_focus::logger::{self, Destination};

fn main() -> ExitCode {
    logger::report_panics();
    match cli::parse(env::args_os()).and_then(start) {
        Ok(()) => Exit::Success.into(),
        Err(error) => {
            // Unless a run chose another: who types a command reads the answer where it was typed.
            logger::init(Destination::Stderr, false);
            log::error!("{error}");
            error.exit().into()
        }
    }
}

fn start(parsed: Parsed) -> Result<(), Error> {
    match parsed {
        Parsed::Text(text) => commands::print(&text),
        Parsed::Args(Args { command: Some(Command::List(list)), sysfs, .. }) => {
            commands::list::run(&list, sysfs.as_deref())
        }
        Parsed::Args(args) => {
            logger::init(config::log_destination(args.log.as_deref())?, args.verbose);
            iio_focus::run(&args)
        }
    }
}
