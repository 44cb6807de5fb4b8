//! One channel of a device: in which attributes it gives its value, and what that is in thousandths.

use std::io;

use sysfs_class::SysClass;

use super::device::{Device, Kind};
use super::number::{parse_number, to_thousandths};
use crate::failure::Failure;
use crate::reading::Quantity;

/// How a channel gives its value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// `…_input`: processed.
    Processed,
    /// (`…_raw` + `…_offset`) × `…_scale`; an absent offset is 0, an absent scale 1.
    Raw { offset: bool, scale: bool },
}

/// One channel of a device, such as `in_temp`.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    name: &'static str,
    form: Form,
}

impl Channel {
    /// The channel of this quantity, if the device has it.
    pub(super) fn find(device: &Device, quantity: Quantity) -> Option<Channel> {
        let name = match (device.kind, quantity) {
            (Kind::Iio, Quantity::Temperature) => "in_temp",
            (Kind::Iio, Quantity::Humidity) => "in_humidityrelative",
            (Kind::Hwmon, Quantity::Temperature) => "temp1",
            (Kind::Hwmon, Quantity::Humidity) => "humidity1",
        };
        let has = |what| device.has(&format!("{name}_{what}"));
        let form = if has("input") {
            Form::Processed
        } else if device.kind == Kind::Iio && has("raw") {
            Form::Raw { offset: has("offset"), scale: has("scale") }
        } else {
            return None;
        };
        Some(Channel { name, form })
    }

    /// The value in thousandths of °C or %RH, where one unit of the driver is so many of them.
    pub(super) fn read(&self, device: &Device, unit: f64) -> Result<i32, Failure> {
        let number = |what| read_number(device, &format!("{}_{what}", self.name));
        let (what, value) = match self.form {
            Form::Processed => ("input", number("input")?),
            Form::Raw { offset, scale } => {
                let raw = number("raw")?;
                let offset = if offset { number("offset")? } else { 0.0 };
                let scale = if scale { number("scale")? } else { 1.0 };
                ("raw", (raw + offset) * scale)
            }
        };
        to_thousandths(value * unit).ok_or_else(|| {
            let attribute = format!("{}_{what}", self.name);
            Failure::Value(device.path.join(attribute), "is too large for a measurement")
        })
    }
}

fn read_number(device: &Device, attribute: &str) -> Result<f64, Failure> {
    let path = || device.path.join(attribute);
    let text = device.read_file(attribute).map_err(|source| match source.kind() {
        io::ErrorKind::InvalidData => Failure::Value(path(), "is not UTF-8"),
        _ => Failure::Io(path(), source),
    })?;
    parse_number(&text).map_err(|what| Failure::Value(path(), what))
}
