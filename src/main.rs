//! `iio-focus`: arguments, logger, run, exit status.

#![cfg_attr(all(target_env = "gnu", not(test)), no_main)]

#[cfg(all(target_env = "gnu", not(test)))]
mod start;

use std::env;

use iio_focus::cli::{self, Command, Parsed};
use iio_focus::commands;
use iio_focus::config;
use iio_focus::error::{Error, Exit};
use iio_focus::logger::{self, Destination};
use iio_focus::output;
use iio_focus::secret;
use iio_focus::signals;

#[cfg(any(not(target_env = "gnu"), test))]
fn main() -> std::process::ExitCode {
    program().into()
}

fn program() -> Exit {
    logger::report_panics();
    secret::keep_out_of_core_dumps();
    signals::ignore_file_size_limit();
    match cli::parse(env::args_os()).and_then(execute) {
        Ok(exit) => exit,
        Err(error) => {
            // A run has chosen its destination before, and this changes nothing then. A command has not: the person or
            // the script that started it reads standard error.
            logger::init(Destination::Stderr, false);
            log::error!("{error}");
            error.exit()
        }
    }
}

fn execute(parsed: Parsed) -> Result<Exit, Error> {
    let args = match parsed {
        Parsed::Text(text) => return output::print(&text).map(|()| Exit::Success),
        Parsed::Args(args) => args,
    };
    match &args.command {
        None => {
            logger::init(config::log_destination(args.log.as_deref())?, args.verbose);
            iio_focus::run(&args).map(|()| Exit::Success)
        }
        Some(Command::List(list)) => commands::list::run(&args, list).map(|()| Exit::Success),
        Some(Command::Doctor(doctor)) => commands::doctor::run(&args, doctor),
        Some(Command::Status(status)) => commands::status::run(&args, status),
        Some(Command::Chart(chart)) => commands::chart::run(&args, chart).map(|()| Exit::Success),
        Some(Command::Export(export)) => commands::export::run(&args, export).map(|()| Exit::Success),
        Some(Command::Verify(verify)) => commands::verify::run(&args, verify),
        Some(Command::Setup(setup)) => commands::setup::run(&args, setup),
    }
}
