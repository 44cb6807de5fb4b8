//! The overlays that `config.txt` loads
//! (<https://www.raspberrypi.com/documentation/computers/config_txt.html>); which parameters the firmware's own overlays
//! have is in `boot/overlays/README` of its repository.

use std::path::{Path, PathBuf};

use super::board::Board;

pub(crate) const OUR_OVERLAY: &str = "iio-focus-dht22";
const FIRMWARE_OVERLAY: &str = "dht11";

/// The pin of both overlays, unless a parameter says otherwise.
pub(crate) const DEFAULT_PIN: u32 = 4;

/// Overlays that take a GPIO line for themselves: the parameters that name it, and which it is without them.
const TAKES_A_PIN: [(&str, &str, Option<u32>); 18] = [
    (OUR_OVERLAY, "gpiopin", Some(DEFAULT_PIN)),
    (FIRMWARE_OVERLAY, "gpiopin", Some(DEFAULT_PIN)),
    ("w1-gpio", "gpiopin", Some(4)),
    ("w1-gpio-pullup", "gpiopin", Some(4)),
    ("gpio-fan", "gpiopin", Some(12)),
    ("gpio-ir", "gpio_pin", Some(18)),
    ("gpio-ir-tx", "gpio_pin", Some(18)),
    ("gpio-shutdown", "gpio_pin", Some(3)),
    ("gpio-poweroff", "gpiopin", Some(26)),
    ("gpio-key", "gpio", None),
    ("gpio-led", "gpio", None),
    ("gpio-hog", "gpio", Some(26)),
    ("gpio-charger", "gpio", Some(4)),
    ("pps-gpio", "gpiopin", Some(18)),
    ("pwm", "pin", Some(18)),
    ("pwm-ir-tx", "gpio_pin", Some(18)),
    ("rotary-encoder", "pin_a", Some(4)),
    ("i2c-gpio", "i2c_gpio_sda", Some(23)),
];

/// One line that loads an overlay which takes a GPIO line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Overlay {
    pub(crate) name: String,
    /// None: what stands there is not a number.
    pub(crate) pin: Option<u32>,
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
pub(crate) struct Reader<'a> {
    board: &'a Board,
    /// Gives the text of a file of the boot partition.
    read: &'a dyn Fn(&Path) -> Option<String>,
    /// The filters that are in force, by their kinds.
    filters: Vec<(&'static str, String)>,
    /// Whether the next `dtparam` is for the last overlay found.
    is_open: bool,
    depth: usize,
    found: Vec<Overlay>,
}

/// All lines that load an overlay which takes a GPIO line, those of a sensor and of others.
pub(crate) fn parse(board: &Board, file: &Path, read: &dyn Fn(&Path) -> Option<String>) -> Vec<Overlay> {
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
        let parameters = match key {
            // A colon in place of the first comma is what older firmware wanted.
            "dtoverlay" => {
                let (name, parameters) = value.split_once([',', ':']).unwrap_or((value, ""));
                let known = TAKES_A_PIN.iter().find(|(known, ..)| *known == name);
                self.is_open = known.is_some();
                if let Some((name, _, pin)) = known {
                    let when = self.when().unwrap_or(When::Always);
                    let (name, file) = ((*name).to_owned(), file.to_owned());
                    self.found.push(Overlay { name, pin: *pin, file, line, when });
                }
                parameters
            }
            "dtparam" => value,
            _ => return,
        };
        let Some(overlay) = self.found.last_mut().filter(|_| self.is_open) else { return };
        let parameter =
            TAKES_A_PIN.iter().find(|(name, ..)| *name == overlay.name).map(|(_, parameter, _)| *parameter);
        for (name, value) in parameters.split(',').filter_map(|parameter| parameter.split_once('=')) {
            if Some(name.trim()) == parameter {
                overlay.pin = number(value.trim());
            }
        }
    }
}

fn number(text: &str) -> Option<u32> {
    text.strip_prefix("0x").map_or_else(|| text.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok())
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
        let name = |name: &str| TAKES_A_PIN.iter().find(|(known, ..)| *known == name).unwrap().0;
        parse_text(text).into_iter().map(|o| (name(&o.name), o.pin, o.line, o.when)).collect()
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
