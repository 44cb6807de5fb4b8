//! What is special about a driver: its unit, its zeros, its errors, and how it shows what is below zero.

use std::fs;
use std::os::unix::fs::symlink;

use super::{only, reading_of, run_named_with_injected};
use crate::machine::Machine;

#[test]
fn the_bme680_gives_percent() {
    let values = [("in_temp_input", "20600\n"), ("in_humidityrelative_input", "24.400000000 \n")];
    let json = "{\"temperature\":20.6,\"humidity\":24.4}\n";
    assert_eq!(reading_of(&only(&[values.as_slice(), &[("name", "bme680\n")]].concat())), json);
    let by_compatible = [("name", "x"), ("of_node/compatible", "vendor,x\0bosch,bme680\0")];
    assert_eq!(reading_of(&only(&[values.as_slice(), &by_compatible].concat())), json);
    // Every other driver gives thousandths, however small they are.
    let json = "{\"temperature\":20.6,\"humidity\":0.0}\n";
    assert_eq!(reading_of(&only(&[values.as_slice(), &[("name", "bme280\n")]].concat())), json);
}

/// A device with raw values and a scale of 1.
fn with_raw(names: &[(&str, &str)], temperature: &str, humidity: &str) -> Machine {
    only(&[names, &[("in_temp_raw", temperature), ("in_humidityrelative_raw", humidity)]].concat())
}

fn with_input(name: &str, temperature: &str, humidity: &str) -> Machine {
    only(&[("name", name), ("in_temp_input", temperature), ("in_humidityrelative_input", humidity)])
}

#[test]
fn the_hts221_gives_whole_degrees_and_percents() {
    let json = "{\"temperature\":20.5,\"humidity\":48.5}\n";
    for names in
        [[("name", "hts221\n"), ("x", "")], [("name", "other\n"), ("of_node/compatible", "st,hts221\0")]]
    {
        let machine = with_raw(&names, "20.5", "48.5");
        assert_eq!(reading_of(&machine), json);
    }
    // Bound to the device behind it, whatever that is called.
    let machine = with_raw(&[("name", "1-005f\n")], "20.5", "48.5");
    symlink("../../../bus/i2c/drivers/hts221_i2c", machine.path("sys/devices/platform/x0/driver")).unwrap();
    assert_eq!(reading_of(&machine), json);
    // Scale and offset are the driver's own, too.
    let device = machine.path("sys/devices/platform/x0/iio:device0");
    for (file, value) in [("in_temp_raw", "300"), ("in_temp_offset", "500"), ("in_temp_scale", "0.025")] {
        fs::write(device.join(file), value).unwrap();
    }
    assert_eq!(reading_of(&machine), "{\"temperature\":20.0,\"humidity\":48.5}\n");
}

#[test]
fn a_driver_that_is_not_known_may_have_another_unit() {
    for (temperature, humidity) in [("20.5", "48.5"), ("-12.3", "99"), ("99", "-99"), ("0", "0")] {
        let machine = with_input("new-chip\n", temperature, humidity);
        let outcome = machine.run(&["--attempts", "2"]);
        outcome.fails(74, &["in 2 tries: perhaps another unit 2 times", "driver new-chip"]);
        assert!(outcome.records.is_empty(), "{outcome:#?}");
        symlink("../../../bus/i2c/drivers/its_driver", machine.path("sys/devices/platform/x0/driver"))
            .unwrap();
        machine.run(&["--attempts", "1"]).fails(74, &["driver its_driver"]);
    }
    for (temperature, humidity) in [("100", "48.5"), ("-100", "0"), ("20.5", "100")] {
        reading_of(&with_input("new-chip\n", temperature, humidity));
    }
    // Of a driver that is known to do as the ABI says it is what it is.
    assert_eq!(reading_of(&with_input("htu21\n", "99", "49")), "{\"temperature\":0.1,\"humidity\":0.0}\n");
}

#[test]
fn an_answer_of_zeros_is_no_measurement() {
    for (name, temperature, humidity) in [
        ("hdc2010", "-39999.999", "0"),
        ("hdc1080", "-40000", "0"),
        ("aht20", "0", "0"),
        ("aht10", "-50000", "0"),
        ("sht3x", "-45000", "0"),
    ] {
        let mut machine = with_input(name, temperature, humidity);
        machine.set("sensor.temperature-range", "[-60, 80]");
        let outcome = machine.run(&["--attempts", "1"]);
        outcome.fails(74, &["frame of zeros 1 time", "when all bits of the answer are zero"]);
        fs::write(machine.path("sys/bus/iio/devices/iio:device0/in_humidityrelative_input"), "100").unwrap();
        reading_of(&machine);
    }
}

#[test]
fn humidity_is_clamped_where_the_datasheet_says_so() {
    for (name, humidity, json) in [
        ("sht4x", "-6000", "0.0"),
        ("sht4x", "119000", "100.0"),
        ("sht21", "-100", "0.0"),
        ("sht15", "100500", "100.0"),
    ] {
        let machine = with_input(name, "20600", humidity);
        assert_eq!(reading_of(&machine), format!("{{\"temperature\":20.6,\"humidity\":{json}}}\n"));
    }
    for (name, humidity) in [("sht4x", "119001"), ("sht4x", "-6001"), ("htu21", "-1"), ("htu21", "100001")] {
        with_input(name, "20600", humidity).run(&["--attempts", "1"]).fails(74, &["out of range 1 time"]);
    }
}

#[test]
fn a_wrong_checksum_has_another_errno_in_some_drivers() {
    for (name, errno) in [("htu21", "ENODEV"), ("hdc3020", "EINVAL"), ("sht15", "EAGAIN")] {
        let outcome = run_named_with_injected(name, &format!("error={errno}:when=1..2"), &[]);
        outcome.delivered();
        assert!(outcome.stderr.contains(" attempts=3 "), "{outcome:#?}");
        let outcome = run_named_with_injected(name, &format!("error={errno}"), &["--attempts", "2"]);
        outcome.fails(74, &["in 2 tries: bad value 2 times", "in_temp_input: came with a wrong checksum"]);
    }
}

#[test]
fn an_i2c_bus_that_was_lost_is_worth_another_try() {
    for (name, status) in [("bme280", 0), ("other", 74)] {
        let outcome = run_named_with_injected(name, "error=EAGAIN:when=1", &[]);
        assert_eq!(outcome.status, status, "{outcome:#?}");
    }
}

#[test]
fn the_cure_is_one_for_its_bus() {
    for (name, errno, wanted) in [
        ("bme280", "EIO", "SDA, SCL"),
        ("bme280", "EREMOTEIO", "SDA, SCL"),
        ("si7020", "ETIMEDOUT", "SDA, SCL"),
        ("bme280", "EBUSY", "no new measurement"),
        ("other", "EIO", "check wiring"),
    ] {
        let outcome = run_named_with_injected(name, &format!("error={errno}"), &["--attempts", "1"]);
        outcome.fails(74, &[errno, wanted]);
        for wrong in ["pull-up", "gpiopin", "wire"] {
            assert!(!outcome.stderr.contains(wrong), "{wrong}: {outcome:#?}");
        }
    }
}

/// 2 s at an AM2315, which measures anew only then.
#[test]
fn a_sensor_that_answers_with_its_last_measurement_is_asked_twice_at_first() {
    let machine = with_raw(&[("name", "am2315\n"), ("in_temp_scale", "100")], "-32667", "45600");
    let attempts = |arguments: &[&str], attempts: u32| {
        let outcome = machine.run(arguments);
        assert_eq!(outcome.status, 0, "{outcome:#?}");
        let line = format!("temperature=-10.1 humidity=45.6 device=am2315 attempts={attempts} ");
        assert!(outcome.stderr.contains(&line), "{outcome:#?}");
    };
    attempts(&["--attempts", "1"], 2);
    attempts(&["--attempts", "1"], 1);
}

#[test]
fn an_am2315_shows_sign_and_magnitude() {
    let mut machine = with_raw(&[("name", "am2315\n"), ("in_temp_scale", "100")], "0", "45600");
    machine.set("sensor.temperature-jump", "0");
    machine.run(&[]).delivered();
    for (raw, temperature) in
        [("-32667", "-10.1"), ("-32768", "0.0"), ("-32767", "-0.1"), ("-101", "-10.1"), ("4088", "-0.8")]
    {
        fs::write(machine.path("sys/bus/iio/devices/iio:device0/in_temp_raw"), raw).unwrap();
        let outcome = machine.run(&[]);
        outcome.delivered();
        let line = format!("temperature={temperature} humidity=45.6 device=am2315 attempts=1 ");
        assert!(outcome.stderr.contains(&line), "{raw}: {outcome:#?}");
    }
}
