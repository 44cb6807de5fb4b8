//! The boot partition: `config.txt`, what it includes, and the GPIO lines that it gives away.

use std::fs;

use super::{Pi, expect};

#[test]
fn the_boot_partition_is_looked_at_in_both_of_its_places() {
    let pi = Pi::new();
    pi.file("boot/firmware/overlays/iio-focus-dht22.dtbo", "<html>");
    pi.has(&[("overlay file", "is not a device tree", "sudo make install")]);
    pi.remove("boot/firmware/overlays/iio-focus-dht22.dtbo");
    pi.has(&[("overlay file", "ENOENT", "sudo make install")]);
    pi.config_txt("dtoverlay=dht11\n");
    let findings = pi.has(&[]);
    expect(&findings, "config.txt", "note", "/boot/firmware/config.txt line 1: dht11 on GPIO 4");
    pi.remove("boot/firmware/config.txt");
    pi.file("boot/config.txt", "dtoverlay=dht11\n");
    pi.says("config.txt", "note", "/boot/config.txt line 1");
    pi.remove("boot/config.txt");
    fs::create_dir(pi.root("boot/config.txt")).unwrap();
    pi.has(&[("config.txt", "EISDIR", "put a file there")]);
    fs::remove_dir(pi.root("boot/config.txt")).unwrap();
    pi.has(&[("overlay file", "no config.txt in", "mount the Pi's boot partition")]);
    fs::remove_file(pi.bench.path("sys/firmware/devicetree/base/model")).unwrap();
    pi.says("overlay file", "note", "no Raspberry Pi");
}

#[test]
fn what_config_txt_includes_is_read_too() {
    let pi = Pi::new();
    pi.config_txt("include sensors.txt\n");
    pi.file("boot/firmware/sensors.txt", "\ndtoverlay=iio-focus-dht22\n");
    pi.says("config.txt", "ok", "/boot/firmware/sensors.txt line 2: iio-focus-dht22 on GPIO 4");
    pi.config_txt("include sensors.txt\ndtoverlay=iio-focus-dht22\n");
    pi.has(&[("config.txt", "config.txt line 2: iio-focus-dht22 on GPIO 4, which", "delete /")]);
}

#[test]
fn filters_are_heeded_for_the_board() {
    let pi = Pi::new();
    pi.config_txt("[pi4]\ndtoverlay=iio-focus-dht22,gpiopin=17\n[pi0]\ndtoverlay=iio-focus-dht22\n");
    let findings = pi.has(&[]);
    expect(
        &findings,
        "config.txt",
        "note",
        "GPIO 17, only under [pi4], which is not for this Raspberry Pi Zero 2 W",
    );
    expect(&findings, "config.txt", "ok", "line 4: iio-focus-dht22 on GPIO 4");
    pi.sysfs("firmware/devicetree/base/serial-number", "00000000abcdef12\0");
    pi.config_txt("[0xABCDEF12]\ndtoverlay=iio-focus-dht22\n[0x1]\ndtoverlay=iio-focus-dht22\n");
    let findings = pi.has(&[]);
    expect(&findings, "config.txt", "note", "only under [0x1], which is not for this");
    pi.sysfs("firmware/devicetree/base/system/linux,revision", [0, 0x90, 0x21, 0x20]);
    pi.config_txt("[board-type=0x12]\ndtoverlay=iio-focus-dht22\n[board-type=0x11]\ndtoverlay=dht11\n");
    let findings = pi.has(&[]);
    expect(&findings, "config.txt", "ok", "line 2: iio-focus-dht22 on GPIO 4");
    expect(&findings, "config.txt", "note", "only under [board-type=0x11], which is not");
}

#[test]
fn a_line_in_a_file_that_the_firmware_does_not_read_is_told() {
    let pi = Pi::new();
    pi.file("boot/config.txt", "dtoverlay=iio-focus-dht22\n");
    pi.says("config.txt", "note", "/boot/config.txt line 1 has iio-focus-dht22, but the firmware reads ");
    pi.config_txt("");
    pi.no_sensor();
    let findings = pi.findings(&[]);
    expect(
        &findings,
        "config.txt",
        "wrong",
        "/boot/config.txt line 1 has iio-focus-dht22, but the firmware reads ",
    );
    // The same file under both names.
    pi.remove("boot/config.txt");
    pi.link("boot/config.txt", "firmware/config.txt");
    let findings = pi.findings(&[]);
    assert!(
        findings.iter().all(|finding| !finding.found.contains("but the firmware reads")),
        "{findings:#?}"
    );
}

#[test]
fn a_pin_that_another_overlay_takes_is_told_and_bind_is_not_advised() {
    let pi = Pi::new();
    pi.config_txt("dtoverlay=w1-gpio\ndtoverlay=iio-focus-dht22\n");
    pi.has(&[("config.txt", "GPIO 4, which w1-gpio of ", "connect the sensor to another pin")]);
    fs::remove_file(pi.bench.path("sys/bus/platform/devices/dht11@4/driver")).unwrap();
    let findings = pi.has(&[
        ("config.txt", "GPIO 4, which w1-gpio of ", "another pin"),
        ("device", "dht11@4 on GPIO 4 has no driver, because w1-gpio of ", "another pin"),
    ]);
    assert!(!format!("{findings:?}").contains("bind"), "{findings:#?}");
    pi.config_txt("dtoverlay=iio-focus-dht22,gpiopin=38\n");
    pi.has(&[
        ("config.txt", "on GPIO 38, which no header has", "gpiopin=20"),
        ("device", "dht11@4 on GPIO 4 has no driver", "bind"),
        ("device", "asks for a sensor on GPIO 38", "restart"),
    ]);
}
