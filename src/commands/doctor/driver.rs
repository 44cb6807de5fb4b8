//! The kernel's side: the `dht11` driver, the devices that it has, the sensors, and who else reads them.

use super::Finding;
use super::facts::Facts;
use super::facts::config_txt::When;
use super::facts::kernel::{Device, Driver, driver_dir};
use crate::failure::Failure;

/// Does the kernel have the driver?
pub(super) fn available(facts: &Facts) -> Vec<Finding> {
    // Else the driver of another sensor did its work.
    let is_needed = facts.sensors.is_empty();
    let release = &facts.kernel.release;
    vec![match facts.kernel.driver {
        Driver::Loaded => Finding::ok("dht11 is loaded"),
        Driver::NotLoaded => Finding::note("dht11 is there, but not loaded"),
        Driver::Absent => Finding::note(format!("the kernel {release} has no dht11"))
            .wrong_if(is_needed, "use a kernel with CONFIG_DHT11, as Raspberry Pi OS has it"),
        Driver::NoModules => {
            let dir = facts.root.join("lib/modules").join(release);
            let found = format!("the running kernel {release} has no modules in {}", dir.display());
            Finding::note(found).wrong_if(is_needed, "restart: the kernel was updated")
        }
    }]
}

/// Does the driver have a device, on the pin that config.txt says?
pub(super) fn bound(facts: &Facts) -> Vec<Finding> {
    let devices = &facts.kernel.devices;
    let mut findings: Vec<Finding> = devices.iter().map(|device| device_finding(facts, device)).collect();
    let overlays = facts.boot.as_ref().and_then(|boot| boot.overlays.as_deref().ok()).unwrap_or_default();
    // Those that are there whatever cannot be seen from here.
    let sure = overlays.iter().filter(|overlay| overlay.is_for_sensor() && overlay.when == When::Always);
    let pins = sure.filter_map(|overlay| overlay.pin);
    for pin in pins.filter(|pin| devices.iter().all(|device| device.pin != Some(*pin))) {
        findings.push(Finding::wrong(
            format!("config.txt asks for a sensor on GPIO {pin}, and there is none"),
            "restart: config.txt is read at boot; if that does not help, see sudo vclog --msg",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::note("no device for the dht11 driver"));
    }
    findings
}

fn device_finding(facts: &Facts, device: &Device) -> Finding {
    let name = &device.name;
    let pin = device.pin.map_or(String::new(), |pin| format!(" on GPIO {pin}"));
    if device.is_bound {
        return Finding::ok(format!("{name}{pin} is bound to its driver"));
    }
    if let Some(holder) = held_by(facts, device) {
        let found = format!("{name}{pin} has no driver, because {holder} holds that line");
        let advice = "connect the sensor to another pin and name it with gpiopin in config.txt, or take the other away; and restart";
        return Finding::wrong(found, advice);
    }
    let advice = if facts.kernel.driver == Driver::Loaded {
        let driver = driver_dir(&facts.configuration.config.sysfs);
        format!("echo {name} | sudo tee {}/bind; if that fails, see dmesg", driver.display())
    } else {
        "sudo modprobe dht11; if that fails, see dmesg".to_owned()
    };
    Finding::wrong(format!("{name}{pin} has no driver"), advice)
}

/// Who holds the device's line: as the kernel says, or as config.txt lets expect.
fn held_by(facts: &Facts, device: &Device) -> Option<String> {
    let overlays = facts.boot.as_ref().and_then(|boot| boot.overlays.as_deref().ok()).unwrap_or_default();
    let mut others = overlays.iter().filter(|overlay| !overlay.is_for_sensor() && overlay.is_loaded());
    let other = others.find(|overlay| device.pin.is_some_and(|pin| overlay.pins.contains(&pin)));
    let by_overlay = other.map(|overlay| format!("{} of {}", overlay.name, overlay.place()));
    match (&device.holder, by_overlay) {
        (Some(holder), Some(overlay)) => Some(format!("{holder} ({overlay})")),
        (holder, overlay) => holder.clone().or(overlay),
    }
}

/// Which sensors are there, and which one would a run take?
pub(super) fn sensors(facts: &Facts) -> Vec<Finding> {
    if let Some(problem) = &facts.sensor_problem {
        let advice = if facts.sensors.is_empty() {
            "mend what is wrong above; if nothing is, see dmesg | grep -i dht11"
        } else {
            "name one of them with device in [sensor], or with --device"
        };
        return vec![Finding::wrong(&problem.what, advice)];
    }
    let each = facts.sensors.iter().flat_map(|sensor| {
        let label = if sensor.has_label { "" } else { ", without a label" };
        let other = if sensor.is_asked { "" } else { ", not the one that is read" };
        let found = Finding::ok(format!("{}{label}{other}", sensor.names));
        let moves = sensor.name_that_stays.as_ref().map(|name| {
            let moves = "the configuration names it by its id, which can be another sensor's after a restart";
            Finding::note(moves).advise(format!("device = {name:?} in [sensor]"))
        });
        std::iter::once(found).chain(moves)
    });
    each.collect()
}

/// Does the kernel's bridge to hwmon read the same sensor?
pub(super) fn second_reader(facts: &Facts) -> Vec<Finding> {
    let each = facts.sensors.iter().filter_map(|sensor| {
        let bridge = sensor.hwmon_bridge.as_ref()?;
        // Not wrong: what it costs is a try now and then, and no reading is taken from what it left in the cache.
        let found =
            format!("{bridge} (iio-hwmon) reads {} too, which costs a try now and then", sensor.title);
        Some(Finding::note(found).advise(
            "unless something needs it: sudo rmmod iio_hwmon; and for good, dtoverlay=iio-focus-dht22 in place of the \
             firmware's dht11",
        ))
    });
    let findings: Vec<Finding> = each.collect();
    if findings.is_empty() { vec![Finding::ok("none")] } else { findings }
}

/// Did the tries show that somebody else reads the sensor?
pub(super) fn reader_in_tries(facts: &Facts) -> Vec<Finding> {
    let each = facts.tried.iter().filter_map(|tried| {
        let is_stale = |result: &&Result<_, Failure>| matches!(result, Err(Failure::Stale(_)));
        let stale = tried.results.iter().filter(is_stale).count();
        if stale == 0 {
            return None;
        }
        let (all, title) = (tried.results.len(), &tried.title);
        let found = format!("{stale} of {all} answers of {title} came from the driver's cache: another process had just read it");
        let advice = match &facts.kernel.known_readers[..] {
            [] => "find it with sudo fuser -v or strace, and let it read what iio-focus keeps: iio-focus export".to_owned(),
            known => format!("perhaps {}, which is running: let it read what iio-focus keeps, with iio-focus export", known.join(", ")),
        };
        Some(Finding::note(found).advise(advice))
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::super::State::{Note, Ok as Good, Wrong};
    use super::super::facts::config_txt::parse_text as parse;
    use super::super::facts::kernel::SensorFacts;
    use super::super::tests::{Case, Wanted, expect_each};
    use super::*;
    use crate::error::Problem;

    #[test]
    fn the_driver_is_needed_if_there_is_no_sensor() {
        fn without_sensor(facts: &mut Facts, driver: Driver) {
            facts.kernel.driver = driver;
            facts.sensors.clear();
        }
        expect_each(
            available,
            &[
                (|_| (), &[(Good, "dht11 is loaded", "")]),
                (
                    |facts| without_sensor(facts, Driver::NotLoaded),
                    &[(Note, "dht11 is there, but not loaded", "")],
                ),
                (
                    |facts| without_sensor(facts, Driver::Absent),
                    &[(Wrong, "the kernel 6.12.0 has no dht11", "CONFIG_DHT11")],
                ),
                (
                    |facts| without_sensor(facts, Driver::NoModules),
                    &[(Wrong, "no modules in /pi/lib/modules/6.12.0", "restart: the kernel was updated")],
                ),
                (|facts| facts.kernel.driver = Driver::Absent, &[(Note, "has no dht11", "")]),
                (|facts| facts.kernel.driver = Driver::NoModules, &[(Note, "has no modules in", "")]),
            ],
        );
    }

    const BOUND: Wanted = (Good, "dht11@4 on GPIO 4 is bound to its driver", "");

    fn config_txt(facts: &mut Facts, text: &str) {
        facts.boot.as_mut().unwrap().overlays = Ok(parse(text));
    }

    const BOUND_OR_NOT: &[Case<'static>] = &[
        (|_| (), &[BOUND]),
        (|facts| facts.boot = None, &[BOUND]),
        (
            |facts| facts.kernel.devices[0].pin = None,
            &[
                (Good, "dht11@4 is bound to its driver", ""),
                (Wrong, "asks for a sensor on GPIO 4, and there is none", "restart"),
            ],
        ),
        (
            |facts| facts.kernel.devices[0].is_bound = false,
            &[(
                Wrong,
                "dht11@4 on GPIO 4 has no driver",
                "echo dht11@4 | sudo tee /sys/bus/platform/drivers/dht11/bind",
            )],
        ),
        (
            |facts| {
                facts.kernel.devices[0].is_bound = false;
                facts.kernel.devices[0].holder = Some("onewire@4".into());
            },
            &[(Wrong, "dht11@4 on GPIO 4 has no driver, because onewire@4 holds that line", "another pin")],
        ),
        (
            |facts| {
                facts.kernel.devices[0].is_bound = false;
                config_txt(facts, "dtoverlay=w1-gpio\ndtoverlay=iio-focus-dht22");
            },
            &[(Wrong, "because w1-gpio of /pi/boot/firmware/config.txt line 1 holds", "another pin")],
        ),
        (
            |facts| {
                facts.kernel.devices[0].is_bound = false;
                facts.kernel.driver = Driver::NotLoaded;
            },
            &[(Wrong, "dht11@4 on GPIO 4 has no driver", "sudo modprobe dht11")],
        ),
        (
            |facts| {
                facts.kernel.devices.clear();
                config_txt(facts, "");
            },
            &[(Note, "no device for the dht11 driver", "")],
        ),
    ];

    #[test]
    fn a_device_has_its_driver() {
        expect_each(bound, BOUND_OR_NOT);
    }

    #[test]
    fn each_pin_of_config_txt_has_a_device() {
        expect_each(
            bound,
            &[
                (
                    |facts| config_txt(facts, "dtoverlay=dht11,gpiopin=17"),
                    &[
                        BOUND,
                        (Wrong, "config.txt asks for a sensor on GPIO 17, and there is none", "restart"),
                    ],
                ),
                // For another model of the Pi.
                (|facts| config_txt(facts, "[pi5]\ndtoverlay=dht11,gpiopin=17"), &[BOUND]),
            ],
        );
    }

    #[test]
    fn a_second_reader_is_told_if_the_tries_show_one() {
        fn stale(facts: &mut Facts) {
            facts.tried.as_mut().unwrap().results[1] = Err(Failure::Stale("cached"));
        }
        expect_each(
            reader_in_tries,
            &[
                (|_| (), &[]),
                (stale, &[(Note, "1 of 5 answers of kitchen came from the driver's cache", "find it with")]),
                (
                    |facts| {
                        stale(facts);
                        facts.kernel.known_readers = vec!["telegraf".into()];
                    },
                    &[(Note, "came from the driver's cache", "perhaps telegraf, which is running")],
                ),
                (|facts| facts.tried = None, &[]),
            ],
        );
    }

    fn add_htu21(facts: &mut Facts) {
        facts.sensors.push(SensorFacts {
            title: "htu21".into(),
            names: "htu21 (iio:device3)".into(),
            has_label: false,
            is_asked: true,
            hwmon_bridge: None,
            retry_problem: None,
            name_that_stays: None,
        });
    }

    #[test]
    fn every_sensor_is_shown_if_a_run_takes_one_of_them() {
        expect_each(
            sensors,
            &[
                (|_| (), &[(Good, "kitchen (dht11@4, iio:device0)", "")]),
                (
                    |facts| facts.sensors[0].name_that_stays = Some("1-0076".into()),
                    &[
                        (Good, "kitchen", ""),
                        (Note, "by its id, which can be another", "device = \"1-0076\" in [sensor]"),
                    ],
                ),
                (
                    |facts| {
                        add_htu21(facts);
                        facts.sensors[0].is_asked = false;
                    },
                    &[
                        (Good, "kitchen (dht11@4, iio:device0), not the one that is read", ""),
                        (Good, "htu21 (iio:device3), without a label", ""),
                    ],
                ),
                (
                    |facts| {
                        add_htu21(facts);
                        facts.sensor_problem = Some(Problem::new("several sensors").advise("not this"));
                    },
                    &[(Wrong, "several sensors", "device in [sensor]")],
                ),
                (
                    |facts| {
                        facts.sensors.clear();
                        facts.sensor_problem = Some(Problem::new("no sensor").advise("lsmod"));
                    },
                    &[(Wrong, "no sensor", "mend what is wrong above; if nothing is, see dmesg")],
                ),
            ],
        );
    }

    #[test]
    fn a_second_reader_of_any_sensor_is_told() {
        expect_each(
            second_reader,
            &[
                (|_| (), &[(Good, "none", "")]),
                (
                    |facts| {
                        add_htu21(facts);
                        facts.sensors[0].hwmon_bridge = Some("iio-hwmon@4".into());
                    },
                    &[(Note, "iio-hwmon@4 (iio-hwmon) reads kitchen too", "sudo rmmod iio_hwmon")],
                ),
            ],
        );
    }
}
