//! The second step: a reading that a run would take.

use std::env;
use std::process::Command;
use std::time::Duration;

use super::overlay::Sensors;
use super::system::System;
use super::talk::Talk;
use crate::cli;
use crate::commands::doctor::for_setup;
use crate::commands::program::run;
use crate::error::{Error, Exit};

const STEP: &str = "reading";

/// More than a dry run takes by itself.
const LIMIT: Duration = Duration::from_secs(70);

/// Shows a reading. Some exit status: there is none, and the person does not want to go on without.
///
/// # Errors
/// What keeps this program from being started.
pub(super) fn carry_out(
    args: &cli::Args,
    system: &System,
    sensors: Sensors,
    talk: &mut Talk,
) -> Result<Option<Exit>, Error> {
    if !system.is_live {
        return Ok(None);
    }
    if sensors == Sensors::AfterRestart {
        return talk.found(STEP, "after the restart").map(|()| None);
    }
    // The same program as in a run, so that setup believes what a run believes.
    let mut dry_run = own_program()?;
    dry_run.args(["--dry-run", "--log", "stderr", "--attempts", "5"]);
    let ran = run(&mut dry_run, LIMIT).map_err(|error| Error::System("a dry run", error))?;
    if ran.is_good() {
        let line = ran.last_line().trim_start_matches("iio-focus: ").trim_end_matches(" dry-run=1");
        return talk.found(STEP, line).map(|()| None);
    }
    let line = ran.last_line().trim_start_matches("iio-focus: ").trim_start_matches("error: ").to_owned();
    talk.left(STEP, &format!("none: {line}"))?;
    // That line says all of a sensor that was tried.
    if ran.status == Some(66) {
        for words in for_setup::why_no_sensor(args)? {
            talk.more(&words)?;
        }
    }
    let goes_on = (talk.is_terminal || talk.yes) && talk.agrees("Go on without a reading?")?;
    let exit = if ran.status == Some(66) { Exit::NoSensor } else { Exit::NoReading };
    Ok((!goes_on).then_some(exit))
}

/// This program, with the configuration of the service.
pub(super) fn own_program() -> Result<Command, Error> {
    let path = env::current_exe().map_err(|error| Error::System("this program's path", error))?;
    let mut command = Command::new(path);
    command.env_remove("IIO_FOCUS_CONFIG");
    Ok(command)
}
