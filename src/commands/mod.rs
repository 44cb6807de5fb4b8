//! The commands, such as `iio-focus list`.

pub mod chart;
pub mod doctor;
pub mod export;
pub mod list;
mod program;
mod selection;
pub mod setup;
pub mod status;
mod times;
pub mod verify;

use crate::output::print;
