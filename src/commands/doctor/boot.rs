//! The boot partition of a Raspberry Pi: the overlay's file, and its line in `config.txt`.

use super::Finding;
use super::facts::Facts;
use super::facts::board::Board;
use super::facts::boot::Boot;
use super::facts::config_txt::{DEFAULT_PIN, OUR_OVERLAY, Overlay, When, gpio_of_header_pin};

/// Is the overlay's file where the firmware looks for it?
pub(super) fn overlay_file(facts: &Facts) -> Vec<Finding> {
    let Some(boot) = &facts.boot else { return vec![no_boot_partition(facts)] };
    let path = boot.overlay_file.display();
    let is_loaded =
        boot.overlays.as_ref().is_ok_and(|all| all.iter().any(|one| one.is_ours() && one.is_loaded()));
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
    if facts.kernel.board.model.is_some() {
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
    let mut findings = Vec::new();
    for (index, overlay) in overlays.iter().enumerate() {
        // Those before it, and those behind it that are not for a sensor: of these, no line tells.
        let others =
            overlays[..index].iter().chain(overlays[index..].iter().filter(|other| !other.is_for_sensor()));
        if overlay.is_for_sensor() {
            findings.push(overlay_line(overlay, others, &facts.kernel.board));
            findings.extend(header_pin(overlay));
        }
    }
    let is_loaded = overlays.iter().any(|overlay| overlay.is_for_sensor() && overlay.is_loaded());
    findings.extend(unread(boot, !is_loaded && facts.sensors.is_empty()));
    if findings.is_empty() {
        let found = format!("{} has no dtoverlay={OUR_OVERLAY}", boot.config_file.display());
        let advice = format!("add the line dtoverlay={OUR_OVERLAY},gpiopin={DEFAULT_PIN} and restart");
        return vec![Finding::note(found).wrong_if(facts.sensors.is_empty(), advice)];
    }
    if !is_loaded && facts.sensors.is_empty() && boot.unread.is_empty() {
        let found = format!("no line of {} is for this board", boot.config_file.display());
        findings.push(Finding::wrong(found, "put [all] before the line, and restart"));
    }
    findings
}

/// Lines of a file that the firmware does not read.
fn unread(boot: &Boot, is_needed: bool) -> Vec<Finding> {
    let read = boot.config_file.display();
    let each = boot.unread.iter().map(|overlay| {
        let found = format!("{} has {}, but the firmware reads {read}", overlay.place(), overlay.name);
        Finding::note(found).wrong_if(is_needed, format!("move that line to {read}, and restart"))
    });
    each.collect()
}

/// One line, and others that may take its pin.
fn overlay_line<'a>(
    overlay: &Overlay,
    mut others: impl Iterator<Item = &'a Overlay>,
    board: &Board,
) -> Finding {
    let place = overlay.place();
    let Some(pin) = overlay.pin else {
        return Finding::wrong(
            format!("{place}: gpiopin of {} is not a number", overlay.name),
            "write the pin's GPIO number, such as gpiopin=4",
        );
    };
    let found = format!("{place}: {} on GPIO {pin}{}", overlay.name, only(&overlay.when, board));
    if !overlay.is_loaded() {
        return Finding::note(found);
    }
    if pin > board.last_pin() {
        let meant = gpio_of_header_pin(pin).map_or_else(
            || "write the pin's GPIO number, such as gpiopin=4".to_owned(),
            |gpio| format!("if pin {pin} of the header is meant, write gpiopin={gpio}"),
        );
        return Finding::wrong(format!("{found}, which no header has"), meant);
    }
    if let Some(other) = others.find(|other| other.pins.contains(&pin) && other.may_meet(overlay)) {
        let found = format!("{found}, which {} of {} has already", other.name, other.place());
        let superfluous = if overlay.is_ours() { other } else { overlay };
        let advice = if other.is_for_sensor() {
            format!("delete {}, and restart", superfluous.place())
        } else {
            format!(
                "connect the sensor to another pin, and name it with gpiopin; or delete {}; and restart",
                other.place()
            )
        };
        return Finding::wrong(found, advice);
    }
    if overlay.is_ours() {
        return Finding::ok(found);
    }
    let firmware = ": the firmware's own overlay, whose newer versions bring a second reader";
    Finding::note(found + firmware)
}

fn only(when: &When, board: &Board) -> String {
    match when {
        When::Always => String::new(),
        When::Perhaps(filter) => format!(", only under [{filter}]"),
        When::Never(filter) => {
            let model = board.model.as_deref().unwrap_or("board");
            format!(", only under [{filter}], which is not for this {model}")
        }
    }
}

/// Most sensors are at pin 7 of the header, and that is GPIO 4.
fn header_pin(overlay: &Overlay) -> Option<Finding> {
    let is_suspect = overlay.is_loaded() && overlay.pin == Some(7);
    let found = "gpiopin=7 is GPIO 7, at pin 26 of the header; pin 7 of the header is GPIO 4";
    is_suspect
        .then(|| Finding::note(found).advise("if the data wire is at pin 7, write gpiopin=4, and restart"))
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::super::State::{Note, Ok as Good, Wrong};
    use super::super::facts::config_txt::parse_text as parse;
    use super::super::tests::{Case, Wanted, cannot_read, expect_each};
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
                        facts.kernel.board = Board::default();
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
                    |facts| config_txt(facts, "[pi4]\ndtoverlay=dht11\n[pi02]\ndtoverlay=iio-focus-dht22"),
                    &[
                        (
                            Note,
                            "on GPIO 4, only under [pi4], which is not for this Raspberry Pi Zero 2 W",
                            "",
                        ),
                        (Good, "line 4: iio-focus-dht22 on GPIO 4", ""),
                    ],
                ),
                (
                    |facts| {
                        config_txt(facts, "[pi4]\ndtoverlay=iio-focus-dht22");
                        facts.sensors.clear();
                    },
                    &[(Note, "only under [pi4]", ""), (Wrong, "no line of /pi", "put [all] before the line")],
                ),
                (
                    |facts| config_txt(facts, "[gpio5=1]\ndtoverlay=iio-focus-dht22"),
                    &[(Good, "GPIO 4, only under [gpio5=1]", "")],
                ),
                (
                    |facts| config_txt(facts, "dtoverlay=iio-focus-dht22,gpiopin=D4"),
                    &[(Wrong, "line 1: gpiopin of iio-focus-dht22 is not a number", "gpiopin=4")],
                ),
            ],
        );
    }

    const CLASHES: &[Case<'static>] = &[
        (
            |facts| config_txt(facts, "dtoverlay=dht11\ndtoverlay=iio-focus-dht22"),
            &[
                FIRMWARE,
                (
                    Wrong,
                    "iio-focus-dht22 on GPIO 4, which dht11 of /pi/boot/firmware/config.txt line 1 has",
                    "config.txt line 1, and restart",
                ),
            ],
        ),
        (
            |facts| config_txt(facts, "dtoverlay=iio-focus-dht22\ndtoverlay=dht11\ndtparam=gpiopin=4"),
            &[
                OURS,
                (
                    Wrong,
                    "dht11 on GPIO 4, which iio-focus-dht22 of /pi/boot/firmware/config.txt line 1 has",
                    "config.txt line 2, and restart",
                ),
            ],
        ),
        (
            |facts| config_txt(facts, "dtoverlay=iio-focus-dht22\ndtoverlay=iio-focus-dht22,label=again"),
            &[
                OURS,
                (
                    Wrong,
                    "line 2: iio-focus-dht22 on GPIO 4, which iio-focus-dht22 of /pi/boot/firmware/config.txt line 1 has already",
                    "config.txt line 1, and restart",
                ),
            ],
        ),
        (
            |facts| config_txt(facts, "[EDID=X]\ndtoverlay=dht11\n[all]\ndtoverlay=iio-focus-dht22"),
            &[
                (Note, "only under [EDID=X]", ""),
                (Wrong, "line 4: iio-focus-dht22", "config.txt line 2, and restart"),
            ],
        ),
        (
            |facts| config_txt(facts, "dtoverlay=iio-focus-dht22\n[pi5]\ndtoverlay=iio-focus-dht22"),
            &[OURS, (Note, "only under [pi5], which is not for this", "")],
        ),
    ];

    #[test]
    fn two_overlays_on_the_same_pin_are_a_clash() {
        expect_each(overlay_lines, CLASHES);
    }

    #[test]
    fn another_overlay_on_the_same_pin_is_a_clash() {
        expect_each(
            overlay_lines,
            &[
                (
                    |facts| config_txt(facts, "dtoverlay=w1-gpio\ndtoverlay=iio-focus-dht22"),
                    &[(
                        Wrong,
                        "GPIO 4, which w1-gpio of /pi/boot/firmware/config.txt line 1",
                        "to another pin",
                    )],
                ),
                (
                    |facts| config_txt(facts, "dtoverlay=iio-focus-dht22\ndtoverlay=gpio-fan,gpiopin=4"),
                    &[(Wrong, "GPIO 4, which gpio-fan of /pi/boot/firmware/config.txt line 2", "delete /pi")],
                ),
                (|facts| config_txt(facts, "dtoverlay=iio-focus-dht22\ndtoverlay=gpio-fan"), &[OURS]),
            ],
        );
    }

    #[test]
    fn a_pin_that_no_header_has_is_wrong_and_the_headers_pin_7_is_suspected() {
        expect_each(
            overlay_lines,
            &[
                (
                    |facts| config_txt(facts, "dtoverlay=iio-focus-dht22,gpiopin=37"),
                    &[(Wrong, "on GPIO 37, which no header has", "write gpiopin=26")],
                ),
                (
                    |facts| config_txt(facts, "dtoverlay=iio-focus-dht22,gpiopin=28"),
                    &[(Wrong, "on GPIO 28, which no header has", "such as gpiopin=4")],
                ),
                (
                    |facts| {
                        config_txt(facts, "dtoverlay=iio-focus-dht22,gpiopin=28");
                        facts.kernel.board = Board::of("Raspberry Pi Compute Module 4 Rev 1.0");
                    },
                    &[(Good, "on GPIO 28", "")],
                ),
                (
                    |facts| config_txt(facts, "dtoverlay=iio-focus-dht22,gpiopin=27"),
                    &[(Good, "on GPIO 27", "")],
                ),
                (
                    |facts| config_txt(facts, "dtoverlay=iio-focus-dht22,gpiopin=7"),
                    &[(Good, "on GPIO 7", ""), (Note, "pin 7 of the header is GPIO 4", "write gpiopin=4")],
                ),
            ],
        );
    }

    #[test]
    fn a_line_where_the_firmware_does_not_look_is_told() {
        fn elsewhere(facts: &mut Facts) {
            let mut other = parse("dtoverlay=iio-focus-dht22").remove(0);
            other.file = "/pi/boot/config.txt".into();
            boot(facts).unread = vec![other];
        }
        expect_each(
            overlay_lines,
            &[
                (
                    elsewhere,
                    &[
                        OURS,
                        (
                            Note,
                            "/pi/boot/config.txt line 1 has iio-focus-dht22, but the firmware reads /pi/boot/firmware/config.txt",
                            "",
                        ),
                    ],
                ),
                (
                    |facts| {
                        elsewhere(facts);
                        config_txt(facts, "");
                        facts.sensors.clear();
                    },
                    &[(Wrong, "but the firmware reads /pi/boot/firmware/config.txt", "move that line to")],
                ),
            ],
        );
    }
}
