//! The boot partition of a Raspberry Pi.
//!
//! The format is that of <https://www.raspberrypi.com/documentation/computers/config_txt.html>; which parameters
//! the firmware's own `dht11` overlay has is in `overlays/README` of its repository.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::Problem;

pub(crate) const OUR_OVERLAY: &str = "iio-focus-dht22";
const FIRMWARE_OVERLAY: &str = "dht11";

/// The pin of both overlays, unless a parameter says otherwise.
pub(crate) const DEFAULT_PIN: u32 = 4;

pub(crate) struct Boot {
    pub(crate) config_file: PathBuf,
    /// The overlays for a DHT22 or DHT11 that `config.txt` loads.
    pub(crate) overlays: Result<Vec<Overlay>, Problem>,
    /// Where our overlay's file belongs.
    pub(crate) overlay_file: PathBuf,
    /// Whether it begins as a flattened device tree does.
    pub(crate) is_device_tree: Result<bool, Problem>,
}

impl Boot {
    /// Where the firmware reads: since Bookworm it is mounted on `/boot/firmware`, and before on `/boot`.
    pub(crate) fn look(root: &Path) -> Option<Boot> {
        let dirs = ["boot/firmware", "boot"].map(|dir| root.join(dir));
        let dir = dirs.into_iter().find(|dir| dir.join("config.txt").exists())?;
        let config_file = dir.join("config.txt");
        let text = fs::read(&config_file).map_err(|error| Problem::file("read", &config_file, &error));
        let overlay_file = dir.join("overlays").join(format!("{OUR_OVERLAY}.dtbo"));
        Some(Boot {
            overlays: text.map(|bytes| parse(&String::from_utf8_lossy(&bytes))),
            config_file,
            is_device_tree: is_device_tree(&overlay_file),
            overlay_file,
        })
    }
}

fn is_device_tree(path: &Path) -> Result<bool, Problem> {
    let mut magic = Vec::new();
    let read = File::open(path).and_then(|file| file.take(4).read_to_end(&mut magic));
    read.map_err(|error| Problem::file("read", path, &error))?;
    Ok(magic == [0xd0, 0x0d, 0xfe, 0xed])
}

/// One line that loads an overlay for a DHT22 or DHT11.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overlay {
    pub(crate) name: String,
    /// None: what stands there is not a number.
    pub(crate) pin: Option<u32>,
    pub(crate) line: usize,
    /// Only on some models or at some times, such as `pi4`.
    pub(crate) filter: Option<String>,
}

impl Overlay {
    pub(crate) fn is_ours(&self) -> bool {
        self.name == OUR_OVERLAY
    }

    /// Whether there is a Pi that loads both.
    pub(crate) fn may_meet(&self, other: &Overlay) -> bool {
        self.filter.is_none() || other.filter.is_none() || self.filter == other.filter
    }
}

pub(crate) fn parse(text: &str) -> Vec<Overlay> {
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
                open = [OUR_OVERLAY, FIRMWARE_OVERLAY].contains(&name) && filter.as_deref() != Some("none");
                if open {
                    let (name, filter) = (name.to_owned(), filter.clone());
                    all.push(Overlay { name, pin: Some(DEFAULT_PIN), line: index + 1, filter });
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
            ("dtoverlay=iio-focus-dht22", vec![(OUR_OVERLAY, Some(4), 1, None)]),
            (
                "\n  dtoverlay = iio-focus-dht22,label=x,gpiopin=17 \r\n",
                vec![(OUR_OVERLAY, Some(17), 2, None)],
            ),
            ("dtoverlay=dht11:gpiopin=0x11", vec![(FIRMWARE_OVERLAY, Some(17), 1, None)]),
            ("dtoverlay=dht11\ndtparam=gpiopin=22", vec![(FIRMWARE_OVERLAY, Some(22), 1, None)]),
            ("dtoverlay=dht11\ndtoverlay=\ndtparam=gpiopin=22", vec![(FIRMWARE_OVERLAY, Some(4), 1, None)]),
            (
                "dtoverlay=dht11\ndtoverlay=i2c-sensor\ndtparam=gpiopin=2",
                vec![(FIRMWARE_OVERLAY, Some(4), 1, None)],
            ),
            ("# dtoverlay=dht11\n#dtoverlay=iio-focus-dht22\ndtoverlay=dht22", vec![]),
            ("dtoverlay=iio-focus-dht22,gpiopin=D4", vec![(OUR_OVERLAY, None, 1, None)]),
            (
                "[none]\ndtoverlay=dht11\ndtparam=gpiopin=5\n[all]\ndtoverlay=dht11",
                vec![(FIRMWARE_OVERLAY, Some(4), 5, None)],
            ),
            (
                "[pi4]\ndtoverlay=dht11\n[all]\ndtoverlay=iio-focus-dht22",
                vec![(FIRMWARE_OVERLAY, Some(4), 2, Some("pi4")), (OUR_OVERLAY, Some(4), 4, None)],
            ),
        ] {
            let parsed = parse(text);
            let parsed: Vec<_> =
                parsed.iter().map(|o| (o.name.as_str(), o.pin, o.line, o.filter.as_deref())).collect();
            assert_eq!(parsed, wanted, "{text:?}");
        }
    }
}
