//! The boot partition of a Raspberry Pi: the overlay's file, and its line in `config.txt`.
//!
//! The format is that of <https://www.raspberrypi.com/documentation/computers/config_txt.html>; which parameters
//! the firmware's own `dht11` overlay has is in `overlays/README` of its repository.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{Finding, System};
use crate::error::cannot;

const FILE: &str = "overlay file";
const LINES: &str = "config.txt";

const OURS: &str = "iio-focus-dht22";
const FIRMWARES: &str = "dht11";

/// The pin of both overlays, unless a parameter says otherwise.
const DEFAULT_PIN: u32 = 4;

/// Is the overlay's file where the firmware looks for it?
pub(super) fn overlay_file(system: &System) -> Vec<Finding> {
    let Some(dir) = boot_dir(system) else {
        let found = format!(
            "no config.txt in {} or {}",
            system.path("boot/firmware").display(),
            system.path("boot").display()
        );
        return vec![if is_pi(system) {
            Finding::wrong(FILE, found, "mount the Pi's boot partition")
        } else {
            Finding::note(
                FILE,
                found + ": this is no Raspberry Pi, and whatever loads its drivers is its own affair",
            )
        }];
    };
    let path = dir.join("overlays").join(format!("{OURS}.dtbo"));
    let wanted = !system.has_sensor() || overlays(&dir).is_ok_and(|all| all.iter().any(Overlay::is_ours));
    let again = "run `sudo make install` in the project's folder, which puts it there";
    vec![match is_device_tree(&path) {
        Ok(true) => Finding::ok(FILE, path.display().to_string()),
        Ok(false) => Finding::wrong(FILE, format!("{} is not a device tree", path.display()), again),
        Err(error) => Finding::note(FILE, cannot("read", &path, &error)).wrong_if(wanted, again),
    }]
}

/// Does `config.txt` load it, and nothing else on the same pin?
pub(super) fn overlay_lines(system: &System) -> Vec<Finding> {
    let Some(dir) = boot_dir(system) else { return Vec::new() };
    let file = dir.join("config.txt");
    let all = match overlays(&dir) {
        Ok(all) => all,
        Err(error) => return vec![Finding::closed(LINES, &file, &error)],
    };
    let mut findings = Vec::new();
    for (at, overlay) in all.iter().enumerate() {
        let here = format!("{} line {}", file.display(), overlay.line);
        let Some(pin) = overlay.pin else {
            findings.push(Finding::wrong(
                LINES,
                format!("{here}: gpiopin of {} is not a number", overlay.name),
                "write the pin's GPIO number, such as gpiopin=4",
            ));
            continue;
        };
        let only = overlay.filter.as_ref().map_or(String::new(), |filter| format!(", only under [{filter}]"));
        let what = format!("{here}: {} on GPIO {pin}{only}", overlay.name);
        match all[..at].iter().find(|before| before.pin == Some(pin) && before.may_meet(overlay)) {
            Some(before) => findings.push(Finding::wrong(
                LINES,
                format!("{what}, which {} of line {} has already", before.name, before.line),
                format!(
                    "delete line {} and restart",
                    if overlay.is_ours() { before.line } else { overlay.line }
                ),
            )),
            None if overlay.is_ours() => findings.push(Finding::ok(LINES, what)),
            None => findings.push(Finding::note(
                LINES,
                what + ": the firmware's own overlay, whose newer versions bring a second reader",
            )),
        }
    }
    if findings.is_empty() {
        let found = format!("{} has no dtoverlay={OURS}", file.display());
        let advice = format!("add the line dtoverlay={OURS},gpiopin={DEFAULT_PIN} and restart");
        findings.push(Finding::note(LINES, found).wrong_if(!system.has_sensor(), advice));
    }
    findings
}

/// The pins on which `config.txt` asks for a sensor, whatever the model of the Pi.
pub(super) fn pins(system: &System) -> Vec<u32> {
    let all = boot_dir(system).and_then(|dir| overlays(&dir).ok()).unwrap_or_default();
    all.iter().filter(|overlay| overlay.filter.is_none()).filter_map(|overlay| overlay.pin).collect()
}

/// Where the firmware reads: since Bookworm it is mounted on `/boot/firmware`, and before on `/boot`.
fn boot_dir(system: &System) -> Option<PathBuf> {
    ["boot/firmware", "boot"]
        .map(|dir| system.path(dir))
        .into_iter()
        .find(|dir| dir.join("config.txt").exists())
}

fn is_pi(system: &System) -> bool {
    let model = fs::read_to_string(system.config.sysfs.join("firmware/devicetree/base/model"));
    model.is_ok_and(|model| model.starts_with("Raspberry Pi"))
}

/// Whether a file begins as a flattened device tree does.
fn is_device_tree(path: &Path) -> io::Result<bool> {
    let mut magic = Vec::new();
    File::open(path)?.take(4).read_to_end(&mut magic)?;
    Ok(magic == [0xd0, 0x0d, 0xfe, 0xed])
}

/// One line that loads an overlay for a DHT22 or DHT11.
#[derive(Debug, PartialEq, Eq)]
struct Overlay {
    name: String,
    /// None: what stands there is not a number.
    pin: Option<u32>,
    line: usize,
    /// Only on some models or at some times, such as `pi4`.
    filter: Option<String>,
}

impl Overlay {
    fn is_ours(&self) -> bool {
        self.name == OURS
    }

    /// Whether there is a Pi that loads both.
    fn may_meet(&self, other: &Overlay) -> bool {
        self.filter.is_none() || other.filter.is_none() || self.filter == other.filter
    }
}

fn overlays(dir: &Path) -> io::Result<Vec<Overlay>> {
    let bytes = fs::read(dir.join("config.txt"))?;
    Ok(parse(&String::from_utf8_lossy(&bytes)))
}

fn parse(text: &str) -> Vec<Overlay> {
    let mut all: Vec<Overlay> = Vec::new();
    let mut filter = None;
    // What a `dtparam` line is for: the overlay of the last `dtoverlay` line, if it is one of those looked for.
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            filter = (!name.eq_ignore_ascii_case("all")).then(|| name.to_owned());
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let value = value.trim();
        let parameters = match key.trim() {
            // A colon in place of the first comma is what older firmware wanted.
            "dtoverlay" => {
                let (name, parameters) = value.split_once([',', ':']).unwrap_or((value, ""));
                open = [OURS, FIRMWARES].contains(&name) && filter.as_deref() != Some("none");
                if open {
                    all.push(Overlay {
                        name: name.to_owned(),
                        pin: Some(DEFAULT_PIN),
                        line: index + 1,
                        filter: filter.clone(),
                    });
                }
                parameters
            }
            "dtparam" => value,
            _ => continue,
        };
        let Some(overlay) = all.last_mut().filter(|_| open) else { continue };
        for (name, value) in parameters.split(',').filter_map(|parameter| parameter.split_once('=')) {
            if name.trim() == "gpiopin" {
                overlay.pin = number(value.trim());
            }
        }
    }
    all
}

fn number(text: &str) -> Option<u32> {
    text.strip_prefix("0x").map_or_else(|| text.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_config_txt_says_is_what_the_firmware_takes_it_for() {
        for (text, wanted) in [
            ("", vec![]),
            ("dtoverlay=iio-focus-dht22", vec![(OURS, Some(4), 1, None)]),
            ("\n  dtoverlay = iio-focus-dht22,label=x,gpiopin=17 \r\n", vec![(OURS, Some(17), 2, None)]),
            ("dtoverlay=dht11:gpiopin=0x11", vec![(FIRMWARES, Some(17), 1, None)]),
            ("dtoverlay=dht11\ndtparam=gpiopin=22", vec![(FIRMWARES, Some(22), 1, None)]),
            ("dtoverlay=dht11\ndtoverlay=\ndtparam=gpiopin=22", vec![(FIRMWARES, Some(4), 1, None)]),
            ("dtoverlay=dht11\ndtoverlay=i2c-sensor\ndtparam=gpiopin=2", vec![(FIRMWARES, Some(4), 1, None)]),
            ("# dtoverlay=dht11\n#dtoverlay=iio-focus-dht22\ndtoverlay=dht22", vec![]),
            ("dtoverlay=iio-focus-dht22,gpiopin=D4", vec![(OURS, None, 1, None)]),
            (
                "[none]\ndtoverlay=dht11\ndtparam=gpiopin=5\n[all]\ndtoverlay=dht11",
                vec![(FIRMWARES, Some(4), 5, None)],
            ),
            (
                "[pi4]\ndtoverlay=dht11\n[all]\ndtoverlay=iio-focus-dht22",
                vec![(FIRMWARES, Some(4), 2, Some("pi4")), (OURS, Some(4), 4, None)],
            ),
        ] {
            let parsed = parse(text);
            let parsed: Vec<_> =
                parsed.iter().map(|o| (o.name.as_str(), o.pin, o.line, o.filter.as_deref())).collect();
            assert_eq!(parsed, wanted, "{text:?}");
        }
    }
}
