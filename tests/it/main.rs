//! The tests of the real program and of its modules together, as one program: linked once, not once a file.

mod attacks;
mod chart;
mod command_line;
mod configuration;
mod corpus;
mod delivery;
mod doctor;
mod documents;
mod export;
mod faults;
mod logging;
mod machine;
mod replace;
mod scripts;
mod sensor;
mod setup;
mod signals;
mod status;
mod store;
mod verify;
