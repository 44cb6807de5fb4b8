//! What a sensor can be called, what is listed of it, and which of its names stays the same.

use rusqlite::Connection;

use crate::machine::{DHT11, HTU21, Machine, PROGRAM};

#[test]
fn an_unknown_name_is_an_error_that_lists_what_there_is() {
    let machine = Machine::with_sensor();
    for name in ["kitchen", "", "htu2", "htu21 ", "device0", "0", "../iio:device0"] {
        machine
            .run(&["--device", name])
            .fails(66, &[&format!("{name:?}"), "there is htu21 (x0, iio:device0)"]);
    }
}

#[test]
fn a_sensor_is_named_by_label_iio_name_or_id() {
    let machine = Machine::with_sensor();
    machine.device(
        11,
        &[
            ("name", "dht20"),
            ("label", "kitchen\n"),
            ("in_temp_input", "1000"),
            ("in_humidityrelative_input", "2000"),
        ],
    );
    for name in ["kitchen", "dht20", "iio:device11"] {
        let outcome = machine.run(&["--dry-run", "--device", name]);
        assert_eq!(outcome.stdout, "{\"temperature\":1.0,\"humidity\":2.0}\n", "{outcome:#?}");
        assert!(outcome.stderr.contains(" device=kitchen "), "{outcome:#?}");
    }
    for name in ["htu21", "iio:device0"] {
        let outcome = machine.run(&["--dry-run", "--device", name]);
        assert_eq!(outcome.stdout, "{\"temperature\":20.6,\"humidity\":24.4}\n", "{outcome:#?}");
    }
}

#[test]
fn a_name_that_two_sensors_have_is_an_error_with_their_ids() {
    let machine = Machine::with_sensor();
    machine.device(1, &HTU21);
    machine
        .run(&["--device", "htu21"])
        .fails(66, &["several", "where it hangs: htu21 (x0, iio:device0); htu21 (x1, iio:device1)"]);
    assert_eq!(machine.run(&["--device", "x1", "--dry-run"]).status, 0);
}

#[test]
fn list_shows_the_usable_sensors_by_number() {
    let machine = Machine::new();
    machine.device(10, &HTU21);
    machine.device(2, &[DHT11.as_slice(), &[("label", "kitchen\n")]].concat());
    machine.device(3, &[("name", "tmp117"), ("in_temp_input", "1")]);
    machine.device(4, &[("in_temp_input", "1"), ("in_humidityrelative_input", "1")]);
    let sysfs = machine.path("sys");
    let sysfs = sysfs.to_str().unwrap();

    let outcome = machine.outcome(&mut machine.bare(&[PROGRAM, "list", "--sysfs", sysfs]));
    assert_eq!(outcome.status, 0, "{outcome:#?}");
    assert_eq!(
        outcome.stdout,
        "iio:device2\tdht11@4\tkitchen\tx2\niio:device4\t-\t-\tx4\niio:device10\thtu21\t-\tx10\n"
    );
    assert_eq!(outcome.stderr, "");

    let outcome = machine.outcome(&mut machine.bare(&[PROGRAM, "list", "--json", "--sysfs", sysfs]));
    assert_eq!(outcome.status, 0, "{outcome:#?}");
    let sensors: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let path = |number| format!("{sysfs}/bus/iio/devices/iio:device{number}");
    assert_eq!(
        sensors,
        serde_json::json!([
            {"id": "iio:device2", "name": "dht11@4", "label": "kitchen", "place": "x2", "path": path(2)},
            {"id": "iio:device4", "name": null, "label": null, "place": "x4", "path": path(4)},
            {"id": "iio:device10", "name": "htu21", "label": null, "place": "x10", "path": path(10)},
        ])
    );
    assert!(outcome.stdout.ends_with("]\n"));
}

#[test]
fn list_without_a_sensor_says_what_to_check() {
    let machine = Machine::new();
    let sysfs = machine.path("sys").display().to_string();
    let outcome = machine.outcome(&mut machine.bare(&[PROGRAM, "list", "--sysfs", &sysfs]));
    outcome.fails(66, &["no temperature and humidity sensor", "dtoverlay="]);
    assert_eq!(outcome.stdout, "");
    let outcome = machine.outcome(&mut machine.bare(&[PROGRAM, "list", "--json", "--sysfs", &sysfs]));
    outcome.fails(66, &["no temperature and humidity sensor"]);
    assert_eq!(outcome.stdout, "[]\n");
}

/// Two BME280 on one I2C bus, as a Pi shows them: one IIO name, no label.
fn with_two_bme280() -> Machine {
    let machine = Machine::new();
    for (number, place, temperature) in [(0, "1-0076", "20600\n"), (1, "1-0077", "-5300\n")] {
        let mut attributes = HTU21;
        (attributes[0].1, attributes[1].1) = ("bme280\n", temperature);
        let folder = format!("platform/soc/3f804000.i2c/i2c-1/{place}");
        machine.device_in(&folder, number, &attributes);
    }
    machine
}

#[test]
fn a_name_that_stays_is_where_the_sensor_hangs() {
    let machine = with_two_bme280();
    for arguments in [&[][..], &["--device", "bme280"]] {
        machine.run(arguments).fails(66, &["bme280 (1-0076, iio:device0); bme280 (1-0077, iio:device1)"]);
    }
    for (place, json) in [("1-0076", "20.6"), ("1-0077", "-5.3")] {
        let outcome = machine.run(&["--dry-run", "--device", place]);
        assert_eq!(outcome.stdout, format!("{{\"temperature\":{json},\"humidity\":24.4}}\n"), "{outcome:#?}");
        assert!(!outcome.stderr.contains("restart"), "{outcome:#?}");
    }
}

#[test]
fn an_id_works_and_is_warned_about_with_the_name_to_use() {
    let machine = with_two_bme280();
    for (id, place) in [("iio:device0", "1-0076"), ("iio:device1", "1-0077")] {
        for dry in [&["--dry-run"][..], &[]] {
            let outcome = machine.run(&[dry, &["--device", id]].concat());
            assert_eq!(outcome.status, 0, "{outcome:#?}");
            let warning = format!("{id}, which can be another sensor after a restart: use {place:?}");
            assert!(outcome.stderr.contains(&warning), "{outcome:#?}");
        }
    }
    // A label is better, unless another sensor has it, too.
    let mut attributes = [DHT11.as_slice(), &[("label", "kitchen")]].concat();
    attributes.truncate(3);
    attributes.push(("label", "kitchen"));
    machine.device(2, &attributes);
    let warned = |name: &str| {
        let outcome = machine.run(&["--dry-run", "--device", "iio:device2"]);
        assert!(outcome.stderr.contains(&format!("use {name:?}")), "{outcome:#?}");
    };
    warned("kitchen");
    machine.device(3, &attributes);
    warned("x2");
}

#[test]
fn the_store_tells_two_sensors_of_one_name_apart() {
    let mut machine = with_two_bme280();
    machine.set("sensor.attempts", "1");
    for place in ["1-0076", "1-0077"] {
        // 26 °C from one to the other would be a jump.
        machine.run(&["--device", place]).delivered();
    }
    let db = Connection::open(machine.store()).unwrap();
    let kept: Vec<(String, String, i32)> = db
        .prepare("SELECT sensor, place, temperature_mdegc FROM reading ORDER BY id")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let of = |place: &str, temperature| ("bme280".to_owned(), place.to_owned(), temperature);
    assert_eq!(kept, [of("1-0076", 20_600), of("1-0077", -5_300)]);

    let config = machine.path("config.toml").display().to_string();
    let export = |place: &str| {
        let arguments = [PROGRAM, "export", "--device", place, "--config", &config];
        machine.outcome(&mut machine.bare(&arguments)).stdout
    };
    assert!(export("1-0077").contains(",bme280,-5.3,"), "{}", export("1-0077"));
    assert_eq!(export("1-0077").lines().count(), 2);
    let chart = |arguments: &[&str]| {
        let arguments = [&[PROGRAM, "chart", "--config", &config], arguments].concat();
        machine.outcome(&mut machine.bare(&arguments))
    };
    chart(&[]).fails(66, &["several sensors", "--device 1-0076 or --device 1-0077"]);
    assert_eq!(chart(&["--device", "1-0076"]).status, 0);
    assert_eq!(export("bme280").lines().count(), 3);
}

/// What is advised goes by where the sensor hangs, if its driver is not known.
#[test]
fn a_place_on_i2c_has_the_cure_of_i2c() {
    let machine = Machine::new();
    let attributes = [("name", "new-chip"), ("in_temp_input", "1"), ("in_humidityrelative_input", "1")];
    for (number, place, wanted) in [(0, "1-0044", "SDA, SCL"), (1, "spi0.0", "check wiring")] {
        let device = machine.device_in(place, number, &attributes);
        crate::machine::replace_by_link(&device.join("in_temp_input"), "/proc/self/mem");
        machine.run(&["--attempts", "1", "--device", place]).fails(74, &["EIO", wanted]);
    }
}

#[test]
fn a_place_is_not_kept_where_the_name_says_it() {
    let machine = Machine::new();
    let mut attributes = HTU21;
    attributes[0].1 = "1-0040\n";
    machine.device_in("i2c-1/1-0040", 0, &attributes);
    machine.run(&[]).delivered();
    machine.device_in("i2c-1/1-0041", 1, &[HTU21.as_slice(), &[("label", "attic")]].concat());
    machine.run(&["--device", "attic"]).delivered();
    let db = Connection::open(machine.store()).unwrap();
    let places: i64 = db.query_row("SELECT count(place) FROM reading", [], |row| row.get(0)).unwrap();
    assert_eq!(places, 0);
}
