//! Which Raspberry Pi this is, and which filters of `config.txt` are for it.

use std::fs;
use std::path::Path;

/// What the device tree says of the board. None of it is known of a card in another machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board {
    /// Such as `Raspberry Pi Zero 2 W Rev 1.0`.
    pub(crate) model: Option<String>,
    serial: Option<u64>,
    /// The type in its revision code.
    kind: Option<u32>,
}

/// The beginnings of the models' names, the longer ones first, and the filters that are for them
/// (<https://www.raspberrypi.com/documentation/computers/config_txt.html#model-filters>).
const MODELS: [(&str, &[&str]); 22] = [
    ("Zero 2 W", &["pi0", "pi0w", "pi02"]),
    ("Zero W", &["pi0", "pi0w"]),
    ("Zero", &["pi0"]),
    ("Compute Module 5", &["pi5", "cm5"]),
    ("Compute Module 4S", &["pi4", "cm4s"]),
    ("Compute Module 4", &["pi4", "cm4"]),
    ("Compute Module 3 Plus", &["pi3", "cm3", "cm3+"]),
    ("Compute Module 3", &["pi3", "cm3"]),
    ("Compute Module 0", &["pi0", "cm0"]),
    ("Compute Module", &["pi1", "cm1"]),
    ("500", &["pi5", "pi500"]),
    ("5", &["pi5"]),
    ("400", &["pi4", "pi400"]),
    ("4", &["pi4"]),
    ("3 Model A Plus", &["pi3", "pi3+"]),
    ("3 Model B Plus", &["pi3", "pi3+"]),
    ("3", &["pi3"]),
    ("2", &["pi2"]),
    ("Model A", &["pi1"]),
    ("Model B", &["pi1"]),
    ("1", &["pi1"]),
    ("", &[]),
];

impl Board {
    pub(crate) fn look(sysfs: &Path) -> Board {
        let tree = sysfs.join("firmware/devicetree/base");
        let text = |name| fs::read_to_string(tree.join(name)).ok();
        let bare = |text: String| text.trim_matches(['\0', '\n']).to_owned();
        let model = text("model").map(bare).filter(|model| model.starts_with("Raspberry Pi"));
        let revision = fs::read(tree.join("system/linux,revision")).ok();
        let revision = revision.and_then(|bytes| Some(u32::from_be_bytes(bytes.try_into().ok()?)));
        Board {
            // What it says there is of use only if it is a Pi's.
            serial: model.as_ref().and_then(|_| u64::from_str_radix(&bare(text("serial-number")?), 16).ok()),
            kind: model.as_ref().and_then(|_| Some((revision? >> 4) & 0xff)),
            model,
        }
    }

    fn filters(&self) -> Option<&'static [&'static str]> {
        let name = self.model.as_deref()?.strip_prefix("Raspberry Pi")?.trim_start();
        MODELS.iter().find(|(start, _)| name.starts_with(start)).map(|(_, filters)| *filters)
    }

    /// Whether a filter lets the lines behind it pass. None: it depends on what cannot be seen from here.
    pub(super) fn passes(&self, filter: &str) -> Option<bool> {
        let filter = filter.to_ascii_lowercase();
        if filter == "none" {
            return Some(false);
        }
        if let Some(serial) = filter.strip_prefix("0x") {
            // The last eight digits, or all of them.
            let wanted = u64::from_str_radix(serial, 16).ok()?;
            let mask = if serial.len() > 8 { u64::MAX } else { u64::from(u32::MAX) };
            return Some(self.serial? & mask == wanted);
        }
        if let Some(kind) = filter.strip_prefix("board-type=") {
            let wanted = u32::from_str_radix(kind.strip_prefix("0x")?, 16).ok()?;
            return Some(self.kind? == wanted);
        }
        let is_model = MODELS.iter().any(|(_, filters)| filters.contains(&filter.as_str()));
        if is_model { Some(self.filters()?.contains(&filter.as_str())) } else { None }
    }

    /// The greatest number of a GPIO that its header has.
    pub(crate) fn last_pin(&self) -> u32 {
        // The board that a Compute Module is on may lead all of its first two banks out.
        if self.model.as_ref().is_some_and(|model| model.contains("Compute Module")) { 45 } else { 27 }
    }
}

#[cfg(test)]
impl Board {
    pub(crate) fn of(model: &str) -> Board {
        Board { model: Some(model.to_owned()), serial: Some(0x1000_0000_1234_5678), kind: Some(0x12) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_for_some_boards() {
        for (model, filter, passes) in [
            ("Raspberry Pi Zero 2 W Rev 1.0", "pi02", Some(true)),
            ("Raspberry Pi Zero 2 W Rev 1.0", "pi0", Some(true)),
            ("Raspberry Pi Zero W Rev 1.1", "pi02", Some(false)),
            ("Raspberry Pi 4 Model B Rev 1.5", "pi4", Some(true)),
            ("Raspberry Pi 4 Model B Rev 1.5", "PI4", Some(true)),
            ("Raspberry Pi 4 Model B Rev 1.5", "pi400", Some(false)),
            ("Raspberry Pi 400 Rev 1.0", "pi4", Some(true)),
            ("Raspberry Pi 5 Model B Rev 1.0", "pi5", Some(true)),
            ("Raspberry Pi 500 Rev 1.0", "pi500", Some(true)),
            ("Raspberry Pi 3 Model B Plus Rev 1.3", "pi3+", Some(true)),
            ("Raspberry Pi 3 Model B Rev 1.2", "pi3+", Some(false)),
            ("Raspberry Pi Model B Plus Rev 1.2", "pi1", Some(true)),
            ("Raspberry Pi Compute Module 4 Rev 1.0", "cm4s", Some(false)),
            ("Raspberry Pi Compute Module 4S Rev 1.0", "cm4s", Some(true)),
            ("Raspberry Pi 9 Model B", "pi4", Some(false)),
            ("Raspberry Pi 4 Model B", "none", Some(false)),
            ("Raspberry Pi 4 Model B", "0x12345678", Some(true)),
            ("Raspberry Pi 4 Model B", "0x1000000012345678", Some(true)),
            ("Raspberry Pi 4 Model B", "0x12345679", Some(false)),
            ("Raspberry Pi 4 Model B", "board-type=0x12", Some(true)),
            ("Raspberry Pi 4 Model B", "board-type=0x11", Some(false)),
            ("Raspberry Pi 4 Model B", "gpio4=1", None),
            ("Raspberry Pi 4 Model B", "EDID=VSC-TD2220", None),
            ("Raspberry Pi 4 Model B", "tryboot", None),
        ] {
            assert_eq!(Board::of(model).passes(filter), passes, "{model} [{filter}]");
        }
        assert_eq!(Board::default().passes("pi4"), None);
        assert_eq!(Board::default().passes("0x1"), None);
    }
}
