//! The boot partition of a Raspberry Pi: the overlay's file, and its line in `config.txt`.

use super::Finding;
use super::facts::Facts;
use super::facts::boot::{Boot, DEFAULT_PIN, OUR_OVERLAY, Overlay};

/// Is the overlay's file where the firmware looks for it?
pub(super) fn overlay_file(facts: &Facts) -> Vec<Finding> {
    let Some(boot) = &facts.boot else { return vec![no_boot_partition(facts)] };
    let path = boot.overlay_file.display();
    let is_loaded = boot.overlays.as_ref().is_ok_and(|all| all.iter().any(Overlay::is_ours));
    let is_needed = is_loaded || facts.sensors.is_empty();
    let install = "run `sudo make install` in the project's folder, which puts it there";
    vec![match &boot.is_device_tree {
        Ok(true) => Finding::ok(path.to_string()),
        Ok(false) => Finding::wrong(format!("{path} is not a device tree"), install),
        Err(problem) => Finding::note(&problem.what).wrong_if(is_needed, install),
    }]
}

fn no_boot_partition(facts: &Facts) -> Finding {
    let [firmware, boot] = ["boot/firmware", "boot"].map(|dir| facts.root.join(dir));
    let found = format!("no config.txt in {} or {}", firmware.display(), boot.display());
    if facts.kernel.is_raspberry_pi {
        Finding::wrong(found, "mount the Pi's boot partition")
    } else {
        let other = ": this is no Raspberry Pi, and whatever loads its drivers is its own affair";
        Finding::note(found + other)
    }
}

/// Does `config.txt` load it, and nothing else on the same pin?
pub(super) fn overlay_lines(facts: &Facts) -> Vec<Finding> {
    let Some(boot) = &facts.boot else { return Vec::new() };
    let overlays = match &boot.overlays {
        Ok(overlays) => overlays,
        Err(problem) => return vec![Finding::unusable_file(problem)],
    };
    if overlays.is_empty() {
        let found = format!("{} has no dtoverlay={OUR_OVERLAY}", boot.config_file.display());
        let advice = format!("add the line dtoverlay={OUR_OVERLAY},gpiopin={DEFAULT_PIN} and restart");
        return vec![Finding::note(found).wrong_if(facts.sensors.is_empty(), advice)];
    }
    let each = overlays.iter().enumerate();
    each.map(|(index, overlay)| overlay_line(boot, overlay, &overlays[..index])).collect()
}

/// One line, and those before it.
fn overlay_line(boot: &Boot, overlay: &Overlay, before: &[Overlay]) -> Finding {
    let place = format!("{} line {}", boot.config_file.display(), overlay.line);
    let Some(pin) = overlay.pin else {
        return Finding::wrong(
            format!("{place}: gpiopin of {} is not a number", overlay.name),
            "write the pin's GPIO number, such as gpiopin=4",
        );
    };
    let only = overlay.filter.as_ref().map_or(String::new(), |filter| format!(", only under [{filter}]"));
    let found = format!("{place}: {} on GPIO {pin}{only}", overlay.name);
    if let Some(first) = before.iter().find(|before| before.pin == Some(pin) && before.may_meet(overlay)) {
        let superfluous = if overlay.is_ours() { first.line } else { overlay.line };
        return Finding::wrong(
            format!("{found}, which {} of line {} has already", first.name, first.line),
            format!("delete line {superfluous} and restart"),
        );
    }
    if overlay.is_ours() {
        return Finding::ok(found);
    }
    let firmware = ": the firmware's own overlay, whose newer versions bring a second reader";
    Finding::note(found + firmware)
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::super::State::{Note, Ok as Good, Wrong};
    use super::super::facts::boot::parse;
    use super::super::tests::{Wanted, cannot_read, expect_each};
    use super::*;

    fn boot(facts: &mut Facts) -> &mut Boot {
        facts.boot.as_mut().unwrap()
    }

    fn is_not_there(facts: &mut Facts) {
        boot(facts).is_device_tree = Err(cannot_read(Errno::ENOENT));
    }

    #[test]
    fn the_overlays_file_is_a_device_tree_if_it_is_needed() {
        expect_each(
            overlay_file,
            &[
                (|_| (), &[(Good, "/pi/boot/firmware/overlays/iio-focus-dht22.dtbo", "")]),
                (
                    |facts| boot(facts).is_device_tree = Ok(false),
                    &[(Wrong, "iio-focus-dht22.dtbo is not a device tree", "sudo make install")],
                ),
                (is_not_there, &[(Wrong, "cannot read /pi/file: ENOENT", "sudo make install")]),
                (
                    |facts| {
                        is_not_there(facts);
                        boot(facts).overlays = Ok(parse("dtoverlay=dht11"));
                    },
                    &[(Note, "ENOENT", "")],
                ),
                (
                    |facts| {
                        is_not_there(facts);
                        boot(facts).overlays = Ok(Vec::new());
                        facts.sensors.clear();
                    },
                    &[(Wrong, "ENOENT", "sudo make install")],
                ),
                (
                    |facts| facts.boot = None,
                    &[(
                        Wrong,
                        "no config.txt in /pi/boot/firmware or /pi/boot",
                        "mount the Pi's boot partition",
                    )],
                ),
                (
                    |facts| {
                        facts.boot = None;
                        facts.kernel.is_raspberry_pi = false;
                    },
                    &[(Note, "/pi/boot: this is no Raspberry Pi", "")],
                ),
            ],
        );
    }

    #[test]
    fn config_txt_that_is_not_there_or_cannot_be_read_has_no_lines() {
        expect_each(
            overlay_lines,
            &[
                (|facts| facts.boot = None, &[]),
                (
                    |facts| boot(facts).overlays = Err(cannot_read(Errno::EISDIR)),
                    &[(Wrong, "EISDIR", "put a file there that can be read")],
                ),
                (
                    |facts| boot(facts).overlays = Err(cannot_read(Errno::EACCES)),
                    &[(Wrong, "EACCES", "run this with sudo")],
                ),
                (
                    |facts| boot(facts).overlays = Ok(Vec::new()),
                    &[(Note, "has no dtoverlay=iio-focus-dht22", "")],
                ),
                (
                    |facts| {
                        boot(facts).overlays = Ok(Vec::new());
                        facts.sensors.clear();
                    },
                    &[(
                        Wrong,
                        "has no dtoverlay=",
                        "the line dtoverlay=iio-focus-dht22,gpiopin=4 and restart",
                    )],
                ),
            ],
        );
    }

    fn config_txt(facts: &mut Facts, text: &str) {
        boot(facts).overlays = Ok(parse(text));
    }

    const OURS: Wanted = (Good, "/config.txt line 1: iio-focus-dht22 on GPIO 4", "");
    const FIRMWARE: Wanted = (Note, "line 1: dht11 on GPIO 4: the firmware's own overlay", "");

    #[test]
    fn each_overlay_of_config_txt_is_told() {
        expect_each(
            overlay_lines,
            &[
                (|_| (), &[OURS]),
                (|facts| config_txt(facts, "dtoverlay=dht11"), &[FIRMWARE]),
                (
                    |facts| config_txt(facts, "dtoverlay=iio-focus-dht22\ndtoverlay=dht11,gpiopin=17"),
                    &[OURS, (Note, "line 2: dht11 on GPIO 17: the firmware's own overlay", "")],
                ),
                (
                    |facts| {
                        config_txt(facts, "[pi4]\ndtoverlay=dht11\n[pi3]\ndtoverlay=iio-focus-dht22");
                    },
                    &[
                        (Note, "dht11 on GPIO 4, only under [pi4]: the", ""),
                        (Good, "on GPIO 4, only under [pi3]", ""),
                    ],
                ),
                (
                    |facts| config_txt(facts, "dtoverlay=iio-focus-dht22,gpiopin=D4"),
                    &[(Wrong, "line 1: gpiopin of iio-focus-dht22 is not a number", "gpiopin=4")],
                ),
            ],
        );
    }

    #[test]
    fn two_overlays_on_the_same_pin_are_a_clash() {
        let second = "line 2: iio-focus-dht22 on GPIO 4, which iio-focus-dht22 of line 1 has already";
        expect_each(
            overlay_lines,
            &[
                (
                    |facts| config_txt(facts, "dtoverlay=dht11\ndtoverlay=iio-focus-dht22"),
                    &[
                        FIRMWARE,
                        (Wrong, "iio-focus-dht22 on GPIO 4, which dht11 of line 1 has", "delete line 1"),
                    ],
                ),
                (
                    |facts| {
                        config_txt(facts, "dtoverlay=iio-focus-dht22\ndtoverlay=dht11\ndtparam=gpiopin=4")
                    },
                    &[OURS, (Wrong, "dht11 on GPIO 4, which iio-focus-dht22 of line 1 has", "delete line 2")],
                ),
                (
                    |facts| {
                        config_txt(facts, "dtoverlay=iio-focus-dht22\ndtoverlay=iio-focus-dht22,label=again")
                    },
                    &[OURS, (Wrong, second, "delete line 1")],
                ),
                (
                    |facts| config_txt(facts, "[pi4]\ndtoverlay=dht11\n[all]\ndtoverlay=iio-focus-dht22"),
                    &[(Note, "only under [pi4]", ""), (Wrong, "line 4: iio-focus-dht22", "delete line 2")],
                ),
                (
                    |facts| config_txt(facts, "dtoverlay=iio-focus-dht22\n[pi5]\ndtoverlay=iio-focus-dht22"),
                    &[
                        OURS,
                        (Wrong, "only under [pi5], which iio-focus-dht22 of line 1 has", "delete line 1"),
                    ],
                ),
            ],
        );
    }
}
