//! The commands beside taking a reading.

pub mod chart;
pub mod doctor;
pub mod export;
pub mod list;
mod selection;
pub mod status;
mod times;

use crate::output::print;
