//! `iio-focus setup`: goes the way of the data, as `doctor` does, and sets up what is not there yet.
//!
//! Each step looks first, without changing anything, so that what is wrong or missing is told before the first change.
//! Then each does its part and prints one line. A file is replaced as a whole, and what is there is kept.

mod config_txt;
mod first_run;
mod overlay;
mod program;
mod project;
mod reading;
mod replace;
mod secrets;
mod system;
mod talk;
mod timer;
mod wishes;

use first_run::Ready;
use overlay::Sensors;
use system::System;
use talk::Talk;
use wishes::Wishes;

use crate::cli;
use crate::commands::print;
use crate::error::{Error, Exit, Problem};

/// Sets up the overlay, the configuration and the timer, and takes a first reading.
///
/// # Errors
/// What is wrong with the command line or with what is there, and what cannot be written. Each file is the old one or
/// the new one then.
pub fn run(args: &cli::Args, setup: &cli::Setup) -> Result<Exit, Error> {
    let system = System::look(setup.root.as_deref())?;
    let mut wishes = Wishes::of(setup)?;
    let mut talk = Talk::new(setup.yes);
    let overlay = overlay::plan(&system, &wishes)?;
    let project = project::look(&system, &wishes)?;
    let timer = timer::plan(&system, wishes.timer)?;
    if !talk.is_terminal {
        let mut missing = project.missing(&wishes);
        missing.extend(overlay.missing(&talk)?);
        nothing_is(&missing)?;
    }

    let Some(sensors) = overlay::carry_out(overlay, &system, &wishes, &mut talk)? else { return stopped() };
    let no_reading = reading::carry_out(args, &system, sensors, &mut talk)?;
    if let Some(exit) = no_reading {
        return Ok(exit);
    }
    let has_reading = !talk.is_unfinished;
    let has_focus = program::carry_out(&system, &project, &mut talk)?;
    let category = wishes.category.clone().or(project.text_of("category").map(str::to_owned));
    project::carry_out(project, &system, &mut wishes, &mut talk)?;
    let runs_already = timer == timer::Plan::Found && !talk.has_changed;
    let cron_runs = matches!(timer, timer::Plan::Cron(_));
    let ready = Ready { sensors, has_reading, has_focus, runs_already, cron_runs, category };
    first_run::carry_out(args, &system, &ready, &mut talk)?;
    timer::carry_out(timer, &system, sensors, &mut talk)?;
    end(&talk, sensors)
}

/// Without a terminal nobody can be asked.
fn nothing_is(missing: &[&str]) -> Result<(), Error> {
    if missing.is_empty() {
        return Ok(());
    }
    let what = format!("missing, and there is no terminal to ask on: {}", missing.join(", "));
    Err(Error::Usage(Problem::new(what).advise("nothing was changed")))
}

fn stopped() -> Result<Exit, Error> {
    print(
        "stopped: config.txt is as it was. --gpiopin takes another GPIO, --no-overlay leaves config.txt alone\n",
    )?;
    Ok(Exit::Trouble)
}

fn end(talk: &Talk, sensors: Sensors) -> Result<Exit, Error> {
    print(match (talk.is_unfinished, talk.has_changed) {
        (true, _) => "\nnot all is set up: see above, and call setup again\n",
        (false, _) if sensors == Sensors::AfterRestart => {
            "\nall is set up; the sensor is there after a restart: sudo reboot\n"
        }
        (false, true) => "\nall is set up\n",
        (false, false) => "\nall was set up already: nothing was changed\n",
    })?;
    Ok(if talk.is_unfinished { Exit::Trouble } else { Exit::Success })
}
