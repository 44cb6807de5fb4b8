//! `config.txt` as a text: which of its lines take a GPIO, and how a line gets into it.
//!
//! The format is that of <https://www.raspberrypi.com/documentation/computers/config_txt.html>.

use super::pins::{overlay_pins, parameter_pins};

/// The firmware reads no more of a line.
pub(super) const LONGEST_LINE: usize = 98;

/// A line that loads an overlay or sets a parameter of the board, with the `dtparam` lines that belong to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Load {
    /// Of the overlay; `dtparam` for a parameter of the board.
    pub(super) name: String,
    pub(super) parameters: Vec<(String, String)>,
    /// From 1.
    pub(super) lines: Vec<usize>,
    /// The filters it stands under.
    pub(super) filters: Vec<String>,
}

impl Load {
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        // The last one counts.
        self.parameters.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn uses(&self, pin: u32) -> bool {
        if self.name == "dtparam" {
            return self.parameters.iter().any(|(name, value)| parameter_pins(name, value).contains(&pin));
        }
        overlay_pins(&self.name, &self.parameters).contains(&pin)
    }
}

pub(super) fn loads(text: &str) -> Vec<Load> {
    let mut all: Vec<Load> = Vec::new();
    let mut filters: Vec<String> = Vec::new();
    // Whether a `dtparam` line is for the overlay before it, not for the board.
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(filter) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            add_filter(&mut filters, filter.trim());
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        match key.trim() {
            "dtoverlay" => {
                // A colon in place of the first comma is what older firmware wanted.
                let (name, rest) = value.trim().split_once([',', ':']).unwrap_or((value.trim(), ""));
                open = !name.is_empty();
                if open {
                    all.push(load(name, rest, index + 1, &filters));
                }
            }
            "dtparam" if open => {
                if let Some(last) = all.last_mut() {
                    last.parameters.extend(parameters(value));
                    last.lines.push(index + 1);
                }
            }
            "dtparam" => all.push(load("dtparam", value, index + 1, &filters)),
            _ => {}
        }
    }
    all
}

fn load(name: &str, rest: &str, line: usize, filters: &[String]) -> Load {
    Load { name: name.to_owned(), parameters: parameters(rest), lines: vec![line], filters: filters.to_vec() }
}

fn parameters(text: &str) -> Vec<(String, String)> {
    let each = text.split(',').map(str::trim).filter(|one| !one.is_empty());
    // A parameter without a value is switched on.
    let each = each.map(|one| one.split_once('=').unwrap_or((one, "on")));
    each.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
}

/// Filters of several kinds hold together; one of a kind takes the place of the one before.
fn add_filter(filters: &mut Vec<String>, filter: &str) {
    let filter = filter.to_ascii_lowercase();
    if filter == "all" {
        filters.clear();
        return;
    }
    let kind = kind_of(&filter);
    filters.retain(|other| kind_of(other) != kind);
    filters.push(filter);
}

fn kind_of(filter: &str) -> &str {
    match filter {
        "none" | "tryboot" => filter,
        _ if filter.starts_with("0x") => "serial",
        _ if filter.starts_with("gpio") => "gpio",
        _ if filter.starts_with("board-type") => "model",
        _ => filter.split_once(['=', ':']).map_or("model", |(kind, _)| kind),
    }
}

/// Whether these filters let a Pi of this model (`/proc/device-tree/model`) read what stands below them. None: that
/// cannot be known here.
pub(super) fn hold(filters: &[String], model: Option<&str>) -> Option<bool> {
    let mut all = Some(true);
    for filter in filters {
        match model.map_or(is_never(filter), |model| is_model(filter, model)) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => all = None,
        }
    }
    all
}

fn is_never(filter: &str) -> Option<bool> {
    (filter == "none").then_some(false)
}

fn is_model(filter: &str, model: &str) -> Option<bool> {
    let model = model.strip_prefix("Raspberry Pi ")?;
    let is_one_of = |names: &[&str]| {
        let is = |name: &&str| {
            model.strip_prefix(*name).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
        };
        names.iter().any(is)
    };
    Some(match filter {
        "none" => false,
        "pi1" => is_one_of(&["Model A", "Model B", "Compute Module Rev", "Compute Module 1"]),
        "pi2" => is_one_of(&["2"]),
        "pi3" => is_one_of(&["3", "Compute Module 3"]),
        "pi3+" => is_one_of(&["3 Model A Plus", "3 Model B Plus", "Compute Module 3 Plus"]),
        "pi4" => is_one_of(&["4", "400", "Compute Module 4", "Compute Module 4S"]),
        "pi400" => is_one_of(&["400"]),
        "cm4" => is_one_of(&["Compute Module 4"]),
        "cm4s" => is_one_of(&["Compute Module 4S"]),
        "pi5" => is_one_of(&["5", "500", "Compute Module 5"]),
        "pi500" => is_one_of(&["500"]),
        "cm5" => is_one_of(&["Compute Module 5"]),
        "pi0" => is_one_of(&["Zero"]),
        "pi0w" => is_one_of(&["Zero W", "Zero 2 W"]),
        "pi02" => is_one_of(&["Zero 2"]),
        _ => return None,
    })
}

/// The text with this line at its end, below `[all]`, so that every Pi reads it.
pub(super) fn with_line(text: &str, line: &str) -> String {
    let end = line_end(text);
    let mut new = text.to_owned();
    if !new.is_empty() && !new.ends_with('\n') {
        new += end;
    }
    let last = text.lines().map(str::trim).rfind(|line| line.starts_with('[') && line.ends_with(']'));
    if last.is_some_and(|filter| !filter.eq_ignore_ascii_case("[all]")) {
        new += &format!("{end}[all]{end}");
    }
    new + line + end
}

/// The text with these lines as comments.
pub(super) fn without_lines(text: &str, lines: &[usize]) -> String {
    let each = text.split_inclusive('\n').enumerate();
    each.map(|(index, line)| if lines.contains(&(index + 1)) { format!("#{line}") } else { line.to_owned() })
        .collect()
}

fn line_end(text: &str) -> &'static str {
    if text.lines().next().is_some()
        && text.split_inclusive('\n').next().is_some_and(|line| line.ends_with("\r\n"))
    {
        "\r\n"
    } else {
        "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_read_by_every_pi_wherever_the_text_ends() {
        for (text, wanted) in [
            ("", "L\n"),
            ("a=1\n", "a=1\nL\n"),
            ("a=1", "a=1\nL\n"),
            ("a=1\r\nb=2\r\n", "a=1\r\nb=2\r\nL\r\n"),
            ("[pi4]\na=1\n", "[pi4]\na=1\n\n[all]\nL\n"),
            ("[pi4]\na=1\n[all]\n", "[pi4]\na=1\n[all]\nL\n"),
            ("[ALL]\n", "[ALL]\nL\n"),
            ("[pi4]\r\n", "[pi4]\r\n\r\n[all]\r\nL\r\n"),
            ("[pi4]\n#[all]", "[pi4]\n#[all]\n\n[all]\nL\n"),
        ] {
            assert_eq!(with_line(text, "L"), wanted, "{text:?}");
            // Whatever stands there, the line is under no filter.
            let new = with_line(text, "dtoverlay=x");
            assert!(loads(&new).last().unwrap().filters.is_empty(), "{new:?}");
        }
    }

    #[test]
    fn lines_become_comments_with_the_parameters_that_belong_to_them() {
        let text = "dtparam=audio=on\r\ndtoverlay=dht11\r\ndtparam=gpiopin=17\r\nenable_uart=1";
        let all = loads(text);
        assert_eq!(all[1].lines, [2, 3]);
        assert!(all[1].uses(17) && !all[1].uses(4) && !all[0].uses(17));
        let new = without_lines(text, &all[1].lines);
        assert_eq!(new, "dtparam=audio=on\r\n#dtoverlay=dht11\r\n#dtparam=gpiopin=17\r\nenable_uart=1");
    }

    #[test]
    fn what_takes_a_pin_is_seen_whatever_it_is() {
        for (text, pins) in [
            ("dtoverlay=dht11", &[4][..]),
            ("dtoverlay=w1-gpio", &[4]),
            ("dtoverlay=w1-gpio,gpiopin=17", &[17]),
            ("dtoverlay=w1-gpio-pullup", &[4, 5]),
            ("dtoverlay=gpio-ir,gpio_pin=4", &[4]),
            ("dtoverlay=gpio-ir", &[18]),
            ("dtoverlay=rotary-encoder", &[4, 17]),
            ("dtoverlay=pwm-2chan,pin=12,func=4,pin2=13,func2=4", &[12, 13]),
            ("dtoverlay=i2c-gpio,i2c_gpio_sda=4,i2c_gpio_scl=5", &[4, 5]),
            ("dtoverlay=w1-gpio:gpiopin=0x4", &[4]),
            ("dtoverlay=uart3", &[4, 5]),
            ("dtoverlay=somebody-elses,interrupt=4", &[4]),
            ("dtparam=i2c_arm=on", &[2, 3]),
            ("dtparam=i2c_arm", &[2, 3]),
            ("dtparam=i2c_arm=off", &[]),
            ("dtparam=spi=on,audio=on", &[7, 8, 9, 10, 11]),
            ("#dtoverlay=w1-gpio", &[]),
            ("dtoverlay=vc4-kms-v3d", &[]),
        ] {
            let all = loads(text);
            let used: Vec<u32> = (0..54).filter(|pin| all.iter().any(|load| load.uses(*pin))).collect();
            assert_eq!(used, pins, "{text:?}");
        }
    }

    #[test]
    fn a_filter_holds_for_the_model_that_it_names() {
        let pi4 = Some("Raspberry Pi 4 Model B Rev 1.4");
        for (text, model, wanted) in [
            ("[pi4]", pi4, Some(true)),
            ("[pi5]", pi4, Some(false)),
            ("[pi4]\n[pi5]", pi4, Some(false)),
            ("[pi5]\n[pi4]", pi4, Some(true)),
            ("[pi5]\n[all]", pi4, Some(true)),
            ("[none]\n[pi4]", pi4, Some(false)),
            ("[cm4]", pi4, Some(false)),
            ("[pi4]\n[gpio4=1]", pi4, None),
            ("[pi5]\n[gpio4=1]", pi4, Some(false)),
            ("[0x12345678]", pi4, None),
            ("[pi4]", None, None),
            ("[none]", None, Some(false)),
            ("[pi0w]", Some("Raspberry Pi Zero 2 W Rev 1.0"), Some(true)),
            ("[pi02]", Some("Raspberry Pi Zero W Rev 1.1"), Some(false)),
            ("[pi3+]", Some("Raspberry Pi 3 Model B Rev 1.2"), Some(false)),
            ("[pi5]", Some("Raspberry Pi 500 Rev 1.0"), Some(true)),
            ("[pi1]", Some("Raspberry Pi Model B Plus Rev 1.2"), Some(true)),
            ("[pi4]", Some("Raspberry Pi 400 Rev 1.0"), Some(true)),
            ("[pi4]", Some("Raspberry Pi Compute Module 4S Rev 1.0"), Some(true)),
        ] {
            let all = loads(&format!("{text}\ndtoverlay=x"));
            assert_eq!(hold(&all[0].filters, model), wanted, "{text:?} {model:?}");
        }
    }
}
