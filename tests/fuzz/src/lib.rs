//! The checks, and what they need to be linked with an SQLite that is instrumented.

mod checks;
pub use checks::{configuration, number, store, transcript};

/// GCC's `-fsanitize-coverage=trace-cmp` also reports comparisons of floating-point numbers; libFuzzer has no use for them.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_trace_cmpd(_: f64, _: f64) {}

#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_trace_cmpf(_: f32, _: f32) {}
