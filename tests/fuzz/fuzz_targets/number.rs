#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| iio_focus_fuzz::number(data));
