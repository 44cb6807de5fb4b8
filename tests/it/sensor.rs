//! Finding the sensor and reading it.

mod dht11;
mod drivers;
mod hwmon;
mod names;

use std::fs;

use crate::machine::{DHT11, HTU21, Machine, Outcome, replace_by_link};

/// The pair that the JSON shows, from `--dry-run`.
fn reading_of(machine: &Machine) -> String {
    let outcome = machine.run(&["--dry-run"]);
    assert_eq!(outcome.status, 0, "{outcome:#?}");
    outcome.stdout
}

fn only(attributes: &[(&str, &str)]) -> Machine {
    let machine = Machine::new();
    machine.device(0, attributes);
    machine
}

// ---- finding it

#[test]
fn without_a_sensor_the_error_says_what_to_check() {
    let machine = Machine::new();
    let wanted =
        ["no temperature and humidity sensor in", "/bus/iio/devices", "dtoverlay=", "lsmod", "dmesg"];
    machine.run(&[]).fails(66, &wanted);
    fs::remove_dir_all(machine.path("sys")).unwrap();
    machine.run(&[]).fails(66, &wanted);
    machine.run(&["--device", "kitchen"]).fails(66, &wanted);
}

#[test]
fn several_sensors_are_listed_and_none_is_chosen() {
    let machine = Machine::with_sensor();
    machine.device(3, &[DHT11.as_slice(), &[("label", "kitchen\n")]].concat());
    let outcome = machine.run(&[]);
    outcome.fails(66, &["--device", "htu21 (x0, iio:device0); kitchen (dht11@4, x3, iio:device3)"]);
    assert!(outcome.records.is_empty(), "{outcome:#?}");
}

#[test]
fn the_number_of_the_device_does_not_matter() {
    for number in [3, 10, 4_294_967_295] {
        let machine = Machine::new();
        machine.device(number, &HTU21);
        assert_eq!(reading_of(&machine), "{\"temperature\":20.6,\"humidity\":24.4}\n");
    }
}

#[test]
fn a_device_with_one_channel_is_passed_over_and_refused_by_name() {
    let machine = Machine::new();
    machine.device(0, &[("name", "tmp117"), ("in_temp_raw", "1"), ("in_temp_scale", "7.8125")]);
    machine
        .run(&["--device", "tmp117"])
        .fails(66, &["tmp117 (x0, iio:device0) has no relative-humidity channel"]);
    machine.device(1, &[("name", "hih"), ("in_humidityrelative_input", "1")]);
    machine
        .run(&["--device", "iio:device1"])
        .fails(66, &["hih (x1, iio:device1) has no temperature channel"]);
    machine.run(&[]).fails(66, &["tmp117 (x0, iio:device0) has no", "hih (x1, iio:device1) has no"]);
    machine.device(2, &HTU21);
    assert_eq!(reading_of(&machine), "{\"temperature\":20.6,\"humidity\":24.4}\n");
}

#[test]
fn what_is_no_device_is_passed_over() {
    let machine = Machine::with_sensor();
    let devices = machine.path("sys/bus/iio/devices");
    for name in ["trigger0", "iio:devicex", "iio:device", "iio_sysfs_trigger"] {
        fs::create_dir(devices.join(name)).unwrap();
        fs::write(devices.join(name).join("in_temp_input"), "1").unwrap();
        fs::write(devices.join(name).join("in_humidityrelative_input"), "1").unwrap();
    }
    fs::write(devices.join("iio:device5"), "a file").unwrap();
    replace_by_link(&devices.join("iio:device6"), "nowhere");
    assert_eq!(reading_of(&machine), "{\"temperature\":20.6,\"humidity\":24.4}\n");
}

#[test]
fn a_bus_that_cannot_be_listed_is_an_error_with_the_kernels_word() {
    let machine = Machine::new();
    let devices = machine.path("sys/bus/iio/devices");
    fs::remove_dir(&devices).unwrap();
    fs::write(&devices, "").unwrap();
    machine.run(&[]).fails(66, &["cannot list", "ENOTDIR"]);
}

// ---- units and numbers

#[test]
fn raw_values_are_scaled_and_shifted_as_far_as_the_driver_says() {
    // temperature and humidity, each as raw, offset and scale
    for (temperature, humidity, json) in [
        (("20600", None, None), ("24400", None, None), "{\"temperature\":20.6,\"humidity\":24.4}\n"),
        (
            // si7020
            ("7000", Some("-4368"), Some("10.725")),
            ("6000", Some("-786"), Some("7.629394")),
            "{\"temperature\":28.2,\"humidity\":39.8}\n",
        ),
        (("100", None, Some("-25.5")), ("10", Some("5"), None), "{\"temperature\":-2.6,\"humidity\":0.0}\n"),
    ] {
        let machine = Machine::new();
        let device = machine.device(0, &[("name", "si7020\n")]);
        for (channel, (raw, offset, scale)) in [("in_temp", temperature), ("in_humidityrelative", humidity)] {
            fs::write(device.join(format!("{channel}_raw")), format!("{raw}\n")).unwrap();
            for (what, value) in [("offset", offset), ("scale", scale)] {
                if let Some(value) = value {
                    fs::write(device.join(format!("{channel}_{what}")), format!("{value} \n")).unwrap();
                }
            }
        }
        assert_eq!(reading_of(&machine), json);
    }
}

#[test]
fn a_processed_value_goes_before_a_raw_one() {
    let machine = only(&HTU21);
    let device = machine.path("sys/bus/iio/devices/iio:device0");
    for name in ["in_temp_raw", "in_humidityrelative_raw", "in_temp_scale", "in_humidityrelative_scale"] {
        fs::write(device.join(name), "1\n").unwrap();
    }
    assert_eq!(reading_of(&machine), "{\"temperature\":20.6,\"humidity\":24.4}\n");
}

#[test]
fn a_value_that_is_no_measurement_is_a_failed_try() {
    let long = "0".repeat(5000);
    let cases: [(&[u8], &str); 12] = [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"warm\n", "is not a number"),
        (b"nan\n", "is not a number"),
        (b"inf\n", "is not a number"),
        (b"-inf\n", "is not a number"),
        (b"1e3\n", "is not a number"),
        (b"20600 24400\n", "is not a number"),
        (b"20\x00600", "is not a number"),
        (b"\xff\xfe\n", "is not UTF-8"),
        (b"99999999999\n", "is too large for a measurement"),
        (long.as_bytes(), "is too long for a number"),
    ];
    for attribute in ["in_temp_input", "in_humidityrelative_input"] {
        let mut machine = Machine::with_sensor();
        machine.set("sensor.attempts", "3");
        let path = machine.path("sys/bus/iio/devices/iio:device0").join(attribute);
        for (value, what) in cases {
            fs::write(&path, value).unwrap();
            let outcome = machine.run(&[]);
            let last = format!("(last: {}: {what})", path.display());
            outcome.fails(74, &["no good reading from htu21 in 3 tries: bad value 3 times", &last]);
            assert!(outcome.records.is_empty(), "nothing is sent in its place: {outcome:#?}");
        }
    }
}

#[test]
fn a_product_that_is_no_measurement_is_a_failed_try() {
    let machine = only(&[
        ("in_temp_raw", "2147483647"),
        ("in_temp_scale", "2147483647"),
        ("in_humidityrelative_input", "1"),
    ]);
    machine.run(&["--attempts", "1"]).fails(74, &["in_temp_raw: is too large for a measurement"]);
}

#[test]
fn a_reading_outside_its_range_is_a_failed_try() {
    for (temperature, humidity, what, widen) in [
        ("80001", "50000", "temperature 80.001 °C is outside -40 to 80", true),
        ("-40001", "50000", "temperature -40.001 °C is outside -40 to 80", true),
        ("150000", "50000", "temperature 150 °C is outside -40 to 80", true),
        ("-90000", "50000", "temperature -90 °C is outside -40 to 80", true),
        ("20000", "-1", "humidity -0.001 %RH is outside 0 to 100", true),
        // No air has these.
        ("150001", "50000", "temperature 150.001 °C is outside -40 to 80", false),
        ("-90001", "50000", "temperature -90.001 °C is outside -40 to 80", false),
        ("408800", "50000", "temperature 408.8 °C is outside -40 to 80", false),
        ("-3274500", "50000", "temperature -3274.5 °C is outside -40 to 80", false),
        ("20000", "100001", "humidity 100.001 %RH is outside 0 to 100", false),
    ] {
        let mut machine = only(&[("in_temp_input", temperature), ("in_humidityrelative_input", humidity)]);
        machine.set("sensor.attempts", "2");
        let outcome = machine.run(&[]);
        let advice = if widen { "widen temperature-range" } else { "no air has this value" };
        outcome.fails(74, &["in 2 tries: out of range 2 times", what, advice]);
        assert_eq!(outcome.stderr.contains("widen"), widen, "{outcome:#?}");
        assert!(outcome.records.is_empty(), "{outcome:#?}");
    }
    for (temperature, humidity) in [("80000", "100000"), ("-40000", "0")] {
        reading_of(&only(&[("in_temp_input", temperature), ("in_humidityrelative_input", humidity)]));
    }
}

#[test]
fn the_ranges_are_those_of_the_configuration_and_apply_before_calibration() {
    let mut machine = Machine::with_sensor();
    machine.set("sensor.attempts", "1");
    machine.set("sensor.temperature-range", "[20.7, 30]");
    machine.run(&[]).fails(74, &["temperature 20.6 °C is outside 20.7 to 30"]);
    machine.set("sensor.temperature-range", "[-40, 20.6]");
    machine.set("sensor.temperature-offset", "100.0");
    assert_eq!(reading_of(&machine), "{\"temperature\":120.6,\"humidity\":24.4}\n");
    machine.set("sensor.humidity-range", "[24.5, 100]");
    machine.run(&[]).fails(74, &["humidity 24.4 %RH is outside 24.5 to 100"]);
}

#[test]
fn calibration_is_added_last_and_humidity_stays_within_0_and_100() {
    for (temperature, humidity, json) in [
        ("-0.5", "2.5", "{\"temperature\":20.1,\"humidity\":26.9}\n"),
        ("5", "100", "{\"temperature\":25.6,\"humidity\":100.0}\n"),
        ("-30.0", "-50.0", "{\"temperature\":-9.4,\"humidity\":0.0}\n"),
    ] {
        let mut machine = Machine::with_sensor();
        machine.set("sensor.temperature-offset", temperature);
        machine.set("sensor.humidity-offset", humidity);
        assert_eq!(reading_of(&machine), json);
    }
}

// ---- what the kernel says

#[test]
fn eio_is_tried_again_and_counted() {
    let mut machine = Machine::with_sensor();
    let path = machine.path("sys/bus/iio/devices/iio:device0/in_temp_input");
    replace_by_link(&path, "/proc/self/mem");
    machine.set("sensor.attempts", "4");
    let outcome = machine.run(&[]);
    outcome.fails(74, &["in 4 tries: EIO 4 times", "EIO: I/O error", "SDA, SCL"]);
    assert!(outcome.records.is_empty(), "{outcome:#?}");
    machine.run(&["--attempts", "1"]).fails(74, &["in 1 try: EIO 1 time ("]);
}

#[test]
fn a_failed_humidity_fails_the_pair() {
    let machine = Machine::with_sensor();
    let path = machine.path("sys/bus/iio/devices/iio:device0/in_humidityrelative_input");
    replace_by_link(&path, "/proc/self/mem");
    let outcome = machine.run(&["--attempts", "2"]);
    outcome.fails(74, &["EIO 2 times", "in_humidityrelative_input"]);
    assert!(outcome.records.is_empty(), "{outcome:#?}");
}

/// Runs with these reads of the temperature failing so, at a driver that is like any other.
fn run_with_injected(fault: &str, arguments: &[&str]) -> Outcome {
    run_named_with_injected("other", fault, arguments)
}

fn run_named_with_injected(name: &str, fault: &str, arguments: &[&str]) -> Outcome {
    let mut device = HTU21;
    device[0].1 = name;
    let machine = only(&device);
    let attribute = machine.path("sys/devices/platform/x0/iio:device0/in_temp_input").display().to_string();
    machine.run_traced(&["-P", &attribute, "-e", &format!("inject=read:{fault}")], arguments)
}

#[test]
fn eio_twice_and_then_a_value_is_a_reading_in_three_tries() {
    let outcome = run_with_injected("error=EIO:when=1..2", &[]);
    outcome.delivered();
    assert!(outcome.stderr.contains(" attempts=3 "), "{outcome:#?}");
    assert_eq!(outcome.records.len(), 1);
}

#[test]
fn each_failure_is_counted_by_the_kernels_name() {
    let outcome = run_with_injected("error=ETIMEDOUT", &["--attempts", "2"]);
    outcome.fails(74, &["ETIMEDOUT 2 times", "Connection timed out", "check wiring"]);
    let outcome = run_with_injected("error=EREMOTEIO", &["--attempts", "2"]);
    outcome.fails(74, &["EREMOTEIO 2 times"]);
}

#[test]
fn futile_failures_end_the_run_at_the_first_try() {
    for (errno, advice) in [
        ("ENODEV", "the device went away"),
        ("EACCES", "let this user read"),
        ("EAGAIN", "too coarse"),
        ("EPERM", "let this user read"),
    ] {
        run_with_injected(&format!("error={errno}"), &[]).fails(74, &["in 1 try: ", errno, advice]);
    }
}

#[test]
fn an_attribute_that_cannot_be_opened_ends_the_run_at_the_first_try() {
    for (errno, advice) in [("ENOENT", "the device went away"), ("EACCES", "let this user read")] {
        let machine = Machine::with_sensor();
        let attribute = machine.path("sys/bus/iio/devices/iio:device0/in_temp_input").display().to_string();
        let inject = format!("inject=openat:error={errno}");
        let outcome = machine.run_traced(&["-P", &attribute, "-e", &inject], &[]);
        outcome.fails(74, &["in 1 try: ", errno, advice, &attribute]);
    }
    let machine = Machine::with_sensor();
    let attribute = machine.path("sys/bus/iio/devices/iio:device0/in_temp_input");
    fs::remove_file(&attribute).unwrap();
    fs::create_dir(&attribute).unwrap();
    machine.run(&[]).fails(74, &["in 1 try: EISDIR 1 time"]);
}

#[test]
fn an_interrupted_read_is_repeated_without_counting() {
    let outcome = run_with_injected("error=EINTR:when=1", &["--attempts", "1"]);
    outcome.delivered();
    assert!(outcome.stderr.contains(" attempts=1 "), "{outcome:#?}");
}

#[test]
fn the_run_ends_by_its_deadline_when_the_sensor_does_not_answer() {
    let mut machine = Machine::with_sensor();
    replace_by_link(&machine.path("sys/bus/iio/devices/iio:device0/in_temp_input"), "/proc/self/mem");
    // Another try could take the 1.2 s that a read may take, and that is more than there is.
    machine.set("sensor.retry-delay", "\"1s\"");
    let outcome = machine.run(&["--deadline", "2s"]);
    outcome.fails(74, &["in 1 try before the deadline: EIO 1 time"]);
}
