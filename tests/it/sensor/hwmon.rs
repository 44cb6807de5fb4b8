//! Sensors that Linux shows under hwmon alone.

use std::fs;
use std::os::unix::fs::symlink;

use super::reading_of;
use crate::machine::{HTU21, Machine, PROGRAM};

const SHT4X: [(&str, &str); 3] =
    [("name", "sht4x\n"), ("temp1_input", "20600\n"), ("humidity1_input", "24400\n")];
const I2C: &str = "platform/soc/3f804000.i2c/i2c-1/1-0044";

/// A machine with the hwmon devices that each Pi has, and with this one.
fn with(attributes: &[(&str, &str)]) -> Machine {
    let machine = Machine::new();
    machine.hwmon(
        "virtual/thermal/thermal_zone0",
        0,
        &[("name", "cpu_thermal\n"), ("temp1_input", "48000\n")],
    );
    machine.hwmon(
        "platform/soc/soc:firmware/hwmon",
        1,
        &[("name", "rpi_volt\n"), ("in0_lcrit_alarm", "0\n")],
    );
    machine.hwmon(I2C, 2, attributes);
    machine
}

#[test]
fn a_hwmon_device_with_both_channels_is_a_sensor() {
    let machine = with(&SHT4X);
    assert_eq!(reading_of(&machine), "{\"temperature\":20.6,\"humidity\":24.4}\n");
    for name in ["sht4x", "1-0044"] {
        let outcome = machine.run(&["--device", name]);
        outcome.delivered();
        assert!(outcome.stderr.contains(" device=sht4x attempts=1 "), "{outcome:#?}");
    }
    let outcome = machine.run(&["--dry-run", "--device", "hwmon2"]);
    assert!(
        outcome.stderr.contains("hwmon2, which can be another sensor after a restart: use \"1-0044\""),
        "{outcome:#?}"
    );
}

#[test]
fn hwmon_sensors_are_listed_after_those_of_iio() {
    let machine = with(&[SHT4X.as_slice(), &[("label", "attic\n")]].concat());
    machine.device(7, &HTU21);
    let sysfs = machine.path("sys").display().to_string();
    let outcome = machine.outcome(&mut machine.bare(&[PROGRAM, "list", "--sysfs", &sysfs]));
    assert_eq!(outcome.stdout, "iio:device7\thtu21\t-\tx7\nhwmon2\tsht4x\tattic\t1-0044\n");
    machine.run(&[]).fails(66, &["htu21 (x7, iio:device7); attic (sht4x, 1-0044, hwmon2)"]);
    let outcome = machine.run(&["--device", "attic"]);
    outcome.delivered();
    assert!(outcome.stderr.contains(" device=attic "), "{outcome:#?}");
}

#[test]
fn the_bridge_to_iio_is_no_sensor_of_its_own() {
    let named = |name: &str| {
        let mut attributes = SHT4X.to_vec();
        attributes[0].1 = Box::leak(name.to_owned().into_boxed_str());
        let machine = with(&attributes);
        machine.device(0, &HTU21);
        machine
    };
    let others = |machine: &Machine| {
        let outcome = machine.run(&["--dry-run"]);
        assert_eq!(outcome.status, 0, "the IIO device is the only one: {outcome:#?}");
    };
    others(&named("iio_hwmon\n"));
    // Its name is that of its node in the device tree.
    let machine = named("humidity_bridge\n");
    let device = machine.path(&format!("sys/devices/{I2C}"));
    fs::create_dir(device.join("of_node")).unwrap();
    fs::write(device.join("of_node/compatible"), "iio-hwmon\0").unwrap();
    others(&machine);
    let machine = named("humidity_bridge\n");
    symlink("../../bus/platform/drivers/iio_hwmon", machine.path(&format!("sys/devices/{I2C}/driver")))
        .unwrap();
    others(&machine);
    machine.run(&["--device", "humidity_bridge"]).fails(66, &["is a second view of an IIO device"]);
}

#[test]
fn a_hwmon_device_without_both_is_none() {
    for (lacks, left) in [("relative-humidity", &SHT4X[..2]), ("temperature", &[SHT4X[0], SHT4X[2]])] {
        let machine = with(left);
        machine
            .run(&["--device", "sht4x"])
            .fails(66, &[&format!("sht4x (1-0044, hwmon2) has no {lacks} channel")]);
        let outcome = machine.run(&[]);
        outcome.fails(66, &["no temperature and humidity sensor in", "/class/hwmon", "i2c-sensor"]);
        assert!(!outcome.stderr.contains("cpu_thermal"), "{outcome:#?}");
        assert_eq!(outcome.stderr.contains("sht4x"), lacks == "temperature", "{outcome:#?}");
    }
}

#[test]
fn its_failures_are_those_of_any_sensor() {
    let machine = with(&SHT4X);
    let path = machine.path("sys/class/hwmon/hwmon2/humidity1_input");
    crate::machine::replace_by_link(&path, "/proc/self/mem");
    let outcome = machine.run(&["--attempts", "2"]);
    outcome.fails(74, &["in 2 tries: EIO 2 times", "humidity1_input", "SDA, SCL"]);
}
