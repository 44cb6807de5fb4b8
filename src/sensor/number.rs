//! The numbers that the kernel prints.

/// A number as the kernel prints it: an optional sign, digits, an optional fraction, and space around it.
///
/// # Errors
/// What the text holds instead.
pub fn parse_number(text: &str) -> Result<f64, &'static str> {
    /// Longer than any fixed-point number that IIO prints (a 32-bit integer and nine decimals).
    const LONGEST: usize = 32;
    let text = text.trim_ascii();
    if text.is_empty() {
        return Err("is empty");
    }
    if text.len() > LONGEST {
        return Err("is too long for a number");
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return Err("is not a number");
    }
    let number: f64 = text.parse().map_err(|_| "is not a number")?;
    if number.abs() > f64::from(i32::MAX) { Err("is too large for a measurement") } else { Ok(number) }
}

/// A value in thousandths as a whole number, if it is not too large for one.
#[allow(clippy::cast_possible_truncation, reason = "the range was checked")]
pub(super) fn to_thousandths(value: f64) -> Option<i32> {
    let rounded = value.round();
    (rounded.abs() <= f64::from(i32::MAX)).then_some(rounded as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_parsed_strictly() {
        for (text, number) in [
            ("20600\n", 20600.0),
            ("-3274500\n", -3_274_500.0),
            ("0.000010725 \n", 0.000_010_725),
            ("+12.5", 12.5),
            (" 7 ", 7.0),
            ("007", 7.0),
            ("2147483647", 2_147_483_647.0),
        ] {
            assert_eq!(parse_number(text).map(f64::to_bits), Ok(f64::to_bits(number)), "{text:?}");
        }
        for (text, what) in [
            ("", "is empty"),
            (" \n", "is empty"),
            ("nan", "is not a number"),
            ("inf", "is not a number"),
            ("-inf", "is not a number"),
            ("1e5", "is not a number"),
            ("0x10", "is not a number"),
            ("1 2", "is not a number"),
            ("--1", "is not a number"),
            ("-", "is not a number"),
            (".5", "is not a number"),
            ("5.", "is not a number"),
            ("1.2.3", "is not a number"),
            ("٣", "is not a number"),
            ("2147483648", "is too large for a measurement"),
            ("-99999999999", "is too large for a measurement"),
            ("000000000000000000000000000000001", "is too long for a number"),
        ] {
            assert_eq!(parse_number(text), Err(what), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_number_or_a_reason(text in "\\PC{0,40}") {
            if let Ok(number) = parse_number(&text) {
                prop_assert!(number.abs() <= f64::from(i32::MAX));
                prop_assert!(text.bytes().any(|byte| byte.is_ascii_digit()));
            }
        }

        #[test]
        fn what_the_kernel_prints_comes_back(whole in -2_147_483_647_i64..=2_147_483_647, micro in 0_u32..1_000_000) {
            let text = format!("{whole}.{micro:06}\n");
            let number = parse_number(&text);
            prop_assume!(whole.abs() < i64::from(i32::MAX));
            prop_assert_eq!(number, Ok(text.trim().parse::<f64>().unwrap()));
        }
    }
}
