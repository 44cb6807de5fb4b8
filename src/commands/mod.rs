//! The commands beside taking a reading.

mod asked;
pub mod chart;
pub mod doctor;
pub mod export;
pub mod list;
pub mod status;
mod times;

use crate::output::print;
