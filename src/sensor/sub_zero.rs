//! Temperatures below zero that a driver shows otherwise than the sensor means them.

/// Corrects the temperature of a DHT22, or of an AM2315, that the driver shows wrongly below zero, in m°C.
///
/// These sensors send sign and magnitude in tenths of °C. Two things are shown otherwise than they are meant:
///
/// * Their clones send two's complement. Of one with 16 bits, −2.3 °C is `FF E9`, which the dht11 driver shows as
///   −3274.5 °C, −(2¹⁵ − 23) tenths (`dht11_decode()` in `drivers/iio/humidity/dht11.c`). Of one with 12 bits, −0.8 °C is
///   `0F F8`, shown as 408.8 °C.
/// * The am2315 driver shows sign and magnitude as a signed 16-bit number: −10.1 °C is `80 65`, shown as −3266.7 °C
///   (`am2315_read_raw()` in `drivers/iio/humidity/am2315.c`), which is the same formula as the first.
///
/// No sensor of this kind measures below −40 °C or above 125 °C, so nothing else can be meant.
#[must_use]
pub(super) fn mend_sub_zero(temperature_mdegc: i32) -> i32 {
    const TWO_TO_15_TENTHS: i32 = 32_768 * 100;
    const TWO_TO_12_TENTHS: i32 = 4_096 * 100;
    const COLDEST: i32 = -40_000;
    match temperature_mdegc {
        shown if (-TWO_TO_15_TENTHS..=-3_200_000).contains(&shown) => -(TWO_TO_15_TENTHS + shown),
        shown if (TWO_TO_12_TENTHS + COLDEST..TWO_TO_12_TENTHS).contains(&shown) => shown - TWO_TO_12_TENTHS,
        shown => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sub_zero_values_in_other_forms_are_mended_and_nothing_else_is() {
        for (shown, meant) in [
            (-3_274_500, -2_300),
            (-3_276_700, -100),
            (-3_276_800, 0),
            (-3_266_700, -10_100),
            (-3_236_800, -40_000),
            (408_800, -800),
            (409_500, -100),
            (369_600, -40_000),
            (369_500, 369_500),
            (409_600, 409_600),
            (-2_300, -2_300),
            (-40_000, -40_000),
            (0, 0),
            (80_000, 80_000),
            (125_000, 125_000),
            (3_276_700, 3_276_700),
        ] {
            assert_eq!(mend_sub_zero(shown), meant, "{shown}");
        }
    }
}
