//! Which GPIOs an overlay of the firmware takes, as `overlays/README` of its repository says.

/// Overlays that take GPIOs although no parameter says so: by which parameters, and which GPIOs they are by default.
const DEFAULTS: &[(&str, &[(&str, u32)])] = &[
    ("dht11", &[("gpiopin", 4)]),
    ("iio-focus-dht22", &[("gpiopin", 4)]),
    ("w1-gpio", &[("gpiopin", 4)]),
    ("w1-gpio-pullup", &[("gpiopin", 4), ("extpullup", 5)]),
    ("w1-gpio-pi5", &[("gpiopin", 4)]),
    ("w1-gpio-pullup-pi5", &[("gpiopin", 4), ("extpullup", 5)]),
    ("gpio-charger", &[("gpio", 4)]),
    ("gpio-fan", &[("gpiopin", 12)]),
    ("gpio-hog", &[("gpio", 26)]),
    ("gpio-ir", &[("gpio_pin", 18)]),
    ("gpio-ir-tx", &[("gpio_pin", 18)]),
    ("gpio-key", &[("gpio", 3)]),
    ("gpio-led", &[("gpio", 19)]),
    ("gpio-poweroff", &[("gpiopin", 26)]),
    ("gpio-shutdown", &[("gpio_pin", 3)]),
    ("i2c-gpio", &[("i2c_gpio_sda", 23), ("i2c_gpio_scl", 24)]),
    ("pps-gpio", &[("gpiopin", 18)]),
    ("pwm", &[("pin", 18)]),
    ("pwm-2chan", &[("pin", 18), ("pin2", 19)]),
    ("pwm-ir-tx", &[("gpio_pin", 18)]),
    ("rotary-encoder", &[("pin_a", 4), ("pin_b", 17)]),
    // Of the Pi 4 and 5, on fixed GPIOs by default.
    ("uart2", &[("", 0), ("", 1)]),
    ("uart3", &[("", 4), ("", 5)]),
    ("uart4", &[("", 8), ("", 9)]),
    ("uart5", &[("", 12), ("", 13)]),
];

/// Parameters that are a GPIO, beside those with `gpio` or `pin` in their names.
const OTHER_PARAMETERS: [&str; 4] = ["extpullup", "interrupt", "sda", "scl"];

/// The parameter of such an overlay that names its first GPIO, and which one that is by default.
pub(super) fn default_pin(name: &str) -> Option<(&'static str, u32)> {
    DEFAULTS.iter().find(|(overlay, _)| *overlay == name).and_then(|(_, pins)| pins.first().copied())
}

pub(super) fn overlay_pins(name: &str, parameters: &[(String, String)]) -> Vec<u32> {
    let given = |wanted: &str| parameters.iter().any(|(name, _)| name == wanted);
    let defaults = DEFAULTS.iter().find(|(overlay, _)| *overlay == name).map_or(&[][..], |(_, pins)| pins);
    let defaults = defaults.iter().filter(|(parameter, _)| !given(parameter)).map(|(_, pin)| *pin);
    let is_pin =
        |name: &str| name.contains("gpio") || name.contains("pin") || OTHER_PARAMETERS.contains(&name);
    let named = parameters.iter().filter(|(name, _)| is_pin(name)).filter_map(|(_, value)| number(value));
    defaults.chain(named).collect()
}

/// Of a parameter of the board.
pub(super) fn parameter_pins(name: &str, value: &str) -> &'static [u32] {
    if ["off", "no", "false", "0"].contains(&value) {
        return &[];
    }
    match name {
        "i2c" | "i2c_arm" | "i2c1" => &[2, 3],
        "i2c_vc" | "i2c0" => &[0, 1],
        "spi" => &[7, 8, 9, 10, 11],
        "i2s" => &[18, 19, 20, 21],
        "uart0" => &[14, 15],
        _ => &[],
    }
}

/// A number as the firmware reads it.
pub(crate) fn number(text: &str) -> Option<u32> {
    text.strip_prefix("0x").map_or_else(|| text.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::board::Board;
    use super::super::config_txt::loads;

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
            let all = loads(&Board::default(), Path::new("config.txt"), &|_| Some(text.to_owned()));
            let used: Vec<u32> =
                (0..54).filter(|pin| all.iter().any(|load| load.pins().contains(pin))).collect();
            assert_eq!(used, pins, "{text:?}");
        }
    }
}
