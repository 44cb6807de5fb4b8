//! What `config.txt` loads (<https://www.raspberrypi.com/documentation/computers/config_txt.html>), with the files that it
//! includes.

use std::path::{Path, PathBuf};

use super::board::Board;
use super::pins::{default_pin, number, overlay_pins, parameter_pins};

pub(crate) const OUR_OVERLAY: &str = "iio-focus-dht22";
const FIRMWARE_OVERLAY: &str = "dht11";

/// The pin of both overlays, unless a parameter says otherwise.
pub(crate) const DEFAULT_PIN: u32 = 4;

/// The name of a [`Load`] that sets a parameter of the board.
pub(crate) const DTPARAM: &str = "dtparam";

/// A line that loads an overlay or sets a parameter of the board, with the `dtparam` lines that belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    /// Of the overlay, or [`DTPARAM`].
    pub(crate) name: String,
    pub(crate) parameters: Vec<(String, String)>,
    /// In which file each line is, and its number from 1.
    pub(crate) lines: Vec<(PathBuf, usize)>,
    pub(crate) when: When,
}

impl Load {
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        // The last one counts.
        self.parameters.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The GPIOs that it takes.
    pub(crate) fn pins(&self) -> Vec<u32> {
        if self.name == DTPARAM {
            return self
                .parameters
                .iter()
                .flat_map(|(name, value)| parameter_pins(name, value))
                .copied()
                .collect();
        }
        overlay_pins(&self.name, &self.parameters)
    }
}

/// One line that loads an overlay which takes GPIO lines for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Overlay {
    pub(crate) name: String,
    /// The one of its first parameter. None: what stands there is not a number.
    pub(crate) pin: Option<u32>,
    /// All of them.
    pub(crate) pins: Vec<u32>,
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
    pub(crate) when: When,
}

/// Whether the firmware takes a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Always,
    /// Not on this board, because of this filter.
    Never(String),
    /// Depending on what cannot be seen from here.
    Perhaps(String),
}

impl Overlay {
    fn of(load: Load) -> Option<Overlay> {
        let (parameter, default) = default_pin(&load.name)?;
        let pin = load.value(parameter).map_or(Some(default), number);
        let (pins, when) = (load.pins(), load.when);
        let (file, line) = load.lines.into_iter().next()?;
        Some(Overlay { name: load.name, pin, pins, file, line, when })
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.name == OUR_OVERLAY
    }

    /// Whether it is for a DHT22 or DHT11.
    pub(crate) fn is_for_sensor(&self) -> bool {
        self.is_ours() || self.name == FIRMWARE_OVERLAY
    }

    pub(crate) fn is_loaded(&self) -> bool {
        !matches!(self.when, When::Never(_))
    }

    /// Whether both can be loaded at once.
    pub(crate) fn may_meet(&self, other: &Overlay) -> bool {
        let [one, another] = [self, other].map(|overlay| overlay.when != When::Always);
        self.is_loaded() && other.is_loaded() && (!one || !another || self.when == other.when)
    }

    /// Where the line is.
    pub(crate) fn place(&self) -> String {
        format!("{} line {}", self.file.display(), self.line)
    }
}

/// As the firmware has it.
const DEEPEST_INCLUDE: usize = 8;

/// Reads files as the firmware of this board does.
struct Reader<'a> {
    board: &'a Board,
    /// Gives the text of a file of the boot partition.
    read: &'a dyn Fn(&Path) -> Option<String>,
    /// The filters that are in force, by their kinds.
    filters: Vec<(&'static str, String)>,
    /// Whether the next `dtparam` is for the last overlay found.
    is_open: bool,
    depth: usize,
    found: Vec<Load>,
}

/// All lines that load an overlay which takes a GPIO line, those of a sensor and of others.
pub(crate) fn parse(board: &Board, file: &Path, read: &dyn Fn(&Path) -> Option<String>) -> Vec<Overlay> {
    loads(board, file, read).into_iter().filter_map(Overlay::of).collect()
}

/// All lines that load an overlay or set a parameter of the board.
pub(crate) fn loads(board: &Board, file: &Path, read: &dyn Fn(&Path) -> Option<String>) -> Vec<Load> {
    let mut reader = Reader { board, read, filters: Vec::new(), is_open: false, depth: 0, found: Vec::new() };
    reader.take(file);
    reader.found
}

impl Reader<'_> {
    fn take(&mut self, file: &Path) {
        let Some(text) = (self.read)(file) else { return };
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if let Some(filter) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                self.filter(filter);
            } else if let Some(name) = line.strip_prefix("include ") {
                if self.depth < DEEPEST_INCLUDE
                    && self.when().is_none_or(|when| !matches!(when, When::Never(_)))
                {
                    self.depth += 1;
                    self.take(&file.with_file_name(name.trim()));
                    self.depth -= 1;
                }
            } else if let Some((key, value)) = line.split_once('=') {
                self.setting(key.trim(), value.trim(), file, index + 1);
            }
        }
    }

    /// One of the same kind takes the place of the one before; others add up.
    fn filter(&mut self, filter: &str) {
        let kind = match filter.to_ascii_lowercase() {
            all if all == "all" => {
                self.filters.clear();
                return;
            }
            other if other.starts_with("0x") => "serial",
            other if other.starts_with("gpio") => "gpio",
            other if other.starts_with("edid=") => "edid",
            other if other.starts_with("hdmi:") => "hdmi",
            other if other.contains("partition=") => "partition",
            other if other == "tryboot" => "tryboot",
            _ => "model",
        };
        self.filters.retain(|(other, _)| *other != kind);
        self.filters.push((kind, filter.to_owned()));
    }

    /// How it is with a line here; none: no filter is in force.
    fn when(&self) -> Option<When> {
        let named = |filter: &String| filter.clone();
        let with = |wanted| {
            self.filters.iter().map(|(_, filter)| filter).find(|filter| self.board.passes(filter) == wanted)
        };
        let never = with(Some(false)).map(named).map(When::Never);
        never.or_else(|| with(None).map(named).map(When::Perhaps))
    }

    fn setting(&mut self, key: &str, value: &str, file: &Path, line: usize) {
        let (name, parameters) = match key {
            // A colon in place of the first comma is what older firmware wanted.
            "dtoverlay" => value.split_once([',', ':']).unwrap_or((value, "")),
            DTPARAM => (DTPARAM, value),
            _ => return,
        };
        let place = (file.to_owned(), line);
        let parameters = pairs(parameters);
        match self.found.last_mut().filter(|_| key == DTPARAM && self.is_open) {
            Some(overlay) => {
                overlay.parameters.extend(parameters);
                overlay.lines.push(place);
            }
            None => {
                self.is_open = key != DTPARAM && !name.is_empty();
                if !name.is_empty() {
                    let when = self.when().unwrap_or(When::Always);
                    self.found.push(Load { name: name.to_owned(), parameters, lines: vec![place], when });
                }
            }
        }
    }
}

fn pairs(parameters: &str) -> Vec<(String, String)> {
    let each = parameters.split(',').map(str::trim).filter(|one| !one.is_empty());
    // A parameter without a value is switched on.
    let each = each.map(|one| one.split_once('=').unwrap_or((one, "on")));
    each.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
}

/// The GPIO that is at this pin of the 40-pin header, if one is.
pub(crate) fn gpio_of_header_pin(pin: u32) -> Option<u32> {
    const PINS: [(u32, u32); 26] = [
        (3, 2),
        (5, 3),
        (7, 4),
        (8, 14),
        (10, 15),
        (11, 17),
        (12, 18),
        (13, 27),
        (15, 22),
        (16, 23),
        (18, 24),
        (19, 10),
        (21, 9),
        (22, 25),
        (23, 11),
        (24, 8),
        (26, 7),
        (29, 5),
        (31, 6),
        (32, 12),
        (33, 13),
        (35, 19),
        (36, 16),
        (37, 26),
        (38, 20),
        (40, 21),
    ];
    PINS.iter().find(|(at, _)| *at == pin).map(|(_, gpio)| *gpio)
}

#[cfg(test)]
pub(crate) fn parse_text(text: &str) -> Vec<Overlay> {
    let board = Board::of("Raspberry Pi Zero 2 W Rev 1.0");
    parse(&board, Path::new("/pi/boot/firmware/config.txt"), &|_| Some(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::When::{Always, Never, Perhaps};
    use super::*;

    fn never(filter: &str) -> When {
        Never(filter.to_owned())
    }

    fn perhaps(filter: &str) -> When {
        Perhaps(filter.to_owned())
    }

    #[test]
    fn what_config_txt_says_is_what_the_firmware_takes_it_for() {
        const FIRMWARE: &str = FIRMWARE_OVERLAY;
        for (text, wanted) in [
            ("", vec![]),
            ("dtoverlay=iio-focus-dht22", vec![(OUR_OVERLAY, Some(4), 1, Always)]),
            (
                "\n  dtoverlay = iio-focus-dht22,label=x,gpiopin=17 \r\n",
                vec![(OUR_OVERLAY, Some(17), 2, Always)],
            ),
            ("dtoverlay=dht11:gpiopin=0x11", vec![(FIRMWARE, Some(17), 1, Always)]),
            ("dtoverlay=dht11\ndtparam=gpiopin=22", vec![(FIRMWARE, Some(22), 1, Always)]),
            ("dtoverlay=dht11\ndtoverlay=\ndtparam=gpiopin=22", vec![(FIRMWARE, Some(4), 1, Always)]),
            (
                "dtoverlay=dht11\ndtoverlay=i2c-sensor\ndtparam=gpiopin=2",
                vec![(FIRMWARE, Some(4), 1, Always)],
            ),
            ("# dtoverlay=dht11\n#dtoverlay=iio-focus-dht22\ndtoverlay=dht22", vec![]),
            ("dtoverlay=iio-focus-dht22,gpiopin=D4", vec![(OUR_OVERLAY, None, 1, Always)]),
            ("dtoverlay=gpio-ir,gpio_pin=4,gpiopin=9", vec![("gpio-ir", Some(4), 1, Always)]),
        ] {
            assert_eq!(seen(text), wanted, "{text:?}");
        }
    }

    fn seen(text: &str) -> Vec<(&'static str, Option<u32>, usize, When)> {
        let name = |name: String| {
            [OUR_OVERLAY, FIRMWARE_OVERLAY, "gpio-ir"].into_iter().find(|known| *known == name)
        };
        parse_text(text).into_iter().map(|o| (name(o.name).unwrap(), o.pin, o.line, o.when)).collect()
    }

    /// For a Zero 2 W.
    #[test]
    fn filters_are_heeded_for_this_board() {
        for (text, wanted) in [
            ("[none]\ndtoverlay=dht11\n[all]", vec![never("none")]),
            ("[pi4]\ndtoverlay=dht11\n[all]\ndtoverlay=dht11", vec![never("pi4"), Always]),
            ("[pi0]\ndtoverlay=dht11\n[pi5]\ndtoverlay=dht11", vec![Always, never("pi5")]),
            // Of the same kind, the last one; of different kinds, all.
            ("[pi4]\n[pi02]\ndtoverlay=dht11", vec![Always]),
            ("[gpio4=1]\n[pi02]\ndtoverlay=dht11", vec![perhaps("gpio4=1")]),
            ("[gpio4=1]\n[pi5]\ndtoverlay=dht11", vec![never("pi5")]),
            ("[EDID=X]\n[all]\ndtoverlay=dht11", vec![Always]),
            ("[0x12345678]\ndtoverlay=dht11\n[0x1]\ndtoverlay=dht11", vec![Always, never("0x1")]),
            ("[board-type=0x12]\ndtoverlay=dht11", vec![Always]),
        ] {
            let whens: Vec<When> = parse_text(text).into_iter().map(|overlay| overlay.when).collect();
            assert_eq!(whens, wanted, "{text:?}");
        }
    }

    #[test]
    fn included_files_are_read_where_they_are_included() {
        let read = |path: &Path| {
            Some(
                match path.to_str().unwrap() {
                    "/boot/config.txt" => {
                        "include user.txt\ninclude none.txt\ndtoverlay=gpio-fan\n[pi4]\ninclude user.txt\n"
                    }
                    "/boot/user.txt" => "\ndtoverlay=iio-focus-dht22\n",
                    "/boot/loop.txt" => "include loop.txt\n",
                    _ => return None,
                }
                .to_owned(),
            )
        };
        let board = Board::of("Raspberry Pi Zero 2 W Rev 1.0");
        let places = |file: &str| {
            let found = parse(&board, Path::new(file), &read);
            found.iter().map(Overlay::place).collect::<Vec<_>>()
        };
        assert_eq!(places("/boot/config.txt"), ["/boot/user.txt line 2", "/boot/config.txt line 3"]);
        assert!(places("/boot/loop.txt").is_empty());
    }
}
