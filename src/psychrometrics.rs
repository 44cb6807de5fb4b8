//! Quantities that are calculated from temperature and relative humidity: dew point, absolute humidity, heat index and
//! vapour pressure deficit.
//!
//! Arguments and results are whole numbers, the arguments in m°C and m%RH. A
//! quantity is `None` outside the range for which its source gives the formula. All but the heat index use the
//! saturation vapour pressure over liquid water, because relative humidity is defined by it, below 0 °C too
//! (WMO-No. 8).

use std::ops::RangeInclusive;

/// The temperatures for which [`saturation_hpa`] is valid, in m°C.
const MAGNUS_RANGE_MDEGC: RangeInclusive<i32> = -45_000..=60_000;

/// The Magnus formula: 6.112 hPa × exp(17.62 t ∕ (243.12 °C + t)).
///
/// Sonntag 1990, Z. Meteorol. 70, 340–344; WMO-No. 8, Guide to Meteorological Instruments and Methods of
/// Observation (2008), annex 4.B; −45 to 60 °C. The enhancement factor of moist air is left out: it depends on the air
/// pressure, which is not measured, and adds only 0.5 % at sea level.
fn saturation_hpa(t_degc: f64) -> f64 {
    // The crate `libm` is used here and below, because `f64::exp` and `f64::ln` need the C library's `libm.so`, which
    // each run would have to load.
    MAGNUS_HPA * libm::exp(MAGNUS_SLOPE * t_degc / (MAGNUS_DEGC + t_degc))
}

const MAGNUS_HPA: f64 = 6.112;
const MAGNUS_SLOPE: f64 = 17.62;
const MAGNUS_DEGC: f64 = 243.12;

/// Temperature in °C and vapour pressure in hPa, if the Magnus formula is valid for this reading.
fn vapour_pressure(temperature_mdegc: i32, humidity_mpercent: i32) -> Option<(f64, f64)> {
    let is_valid =
        MAGNUS_RANGE_MDEGC.contains(&temperature_mdegc) && (0..=100_000).contains(&humidity_mpercent);
    let t_degc = f64::from(temperature_mdegc) / 1000.0;
    is_valid.then(|| (t_degc, saturation_hpa(t_degc) * f64::from(humidity_mpercent) / 100_000.0))
}

/// Dew point in m°C: the temperature at which this vapour would be saturated over liquid water.
///
/// The Magnus formula solved for t (WMO-No. 8, annex 4.B). Air and dew point from −45 to 60 °C. Air without any vapour
/// has no dew point.
#[must_use]
pub fn dew_point_mdegc(temperature_mdegc: i32, humidity_mpercent: i32) -> Option<i32> {
    let (_, hpa) = vapour_pressure(temperature_mdegc, humidity_mpercent).filter(|(_, hpa)| *hpa > 0.0)?;
    let ln = libm::log(hpa / MAGNUS_HPA);
    let dew_point = rounded(1000.0 * MAGNUS_DEGC * ln / (MAGNUS_SLOPE - ln));
    MAGNUS_RANGE_MDEGC.contains(&dew_point).then_some(dew_point)
}

/// Absolute humidity in mg/m³: the mass of water vapour in a volume of air.
///
/// The ideal gas law, e ∕ (R T), with R = 461.5 J/(kg K) for water vapour. Air from −45 to 60 °C.
#[must_use]
pub fn absolute_humidity_mg_per_m3(temperature_mdegc: i32, humidity_mpercent: i32) -> Option<i32> {
    const VAPOUR_J_PER_KG_K: f64 = 461.5;
    let (t_degc, hpa) = vapour_pressure(temperature_mdegc, humidity_mpercent)?;
    let kg_per_m3 = hpa * 100.0 / (VAPOUR_J_PER_KG_K * (t_degc + 273.15));
    Some(rounded(kg_per_m3 * 1e6))
}

/// Vapour pressure deficit in Pa: the saturation vapour pressure minus the vapour pressure.
///
/// es − ea (Allen et al. 1998, FAO Irrigation and Drainage Paper 56, chapter 3), with es from the Magnus formula.
/// Air from −45 to 60 °C.
#[must_use]
pub fn vapour_pressure_deficit_pa(temperature_mdegc: i32, humidity_mpercent: i32) -> Option<i32> {
    let (t_degc, hpa) = vapour_pressure(temperature_mdegc, humidity_mpercent)?;
    Some(rounded((saturation_hpa(t_degc) - hpa) * 100.0))
}

/// Heat index in m°C: how warm the air feels in the shade.
///
/// Rothfusz 1990, The Heat Index "Equation", NWS Technical Attachment SR 90-23, with the adjustment
/// for humid air that the NWS adds to it
/// (<https://www.wpc.ncep.noaa.gov/html/heatindex_equation.shtml>). It is valid where the chart of the NWS has
/// values: air from 80 to 110 °F (26.7 to 43.3 °C), 40 %RH or more, and an index up to 137 °F (58.3 °C). The
/// adjustment for air drier than 13 %RH is outside of this range, and is left out.
#[must_use]
pub fn heat_index_mdegc(temperature_mdegc: i32, humidity_mpercent: i32) -> Option<i32> {
    let t = f64::from(temperature_mdegc) / 1000.0 * 1.8 + 32.0;
    let rh = f64::from(humidity_mpercent) / 1000.0;
    if !(80.0..=110.0).contains(&t) || !(40.0..=100.0).contains(&rh) {
        return None;
    }
    let regression = -42.379 + 2.049_015_23 * t + 10.143_331_27 * rh
        - 0.224_755_41 * t * rh
        - 0.006_837_83 * t * t
        - 0.054_817_17 * rh * rh
        + 0.001_228_74 * t * t * rh
        + 0.000_852_82 * t * rh * rh
        - 0.000_001_99 * t * t * rh * rh;
    let humid_adjustment = if rh > 85.0 && t < 87.0 { (rh - 85.0) / 10.0 * (87.0 - t) / 5.0 } else { 0.0 };
    let index = regression + humid_adjustment;
    (index < 137.5).then(|| rounded((index - 32.0) / 1.8 * 1000.0))
}

/// The nearest whole number.
#[allow(
    clippy::cast_possible_truncation,
    reason = "all quantities are far within an i32 in their valid range"
)]
fn rounded(value: f64) -> i32 {
    value.round() as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// How far the Magnus formula may be from the tables below, as a part of the value.
    const RELATIVE_TOLERANCE: f64 = 0.006;

    #[track_caller]
    fn assert_near(what: &str, ours: Option<i32>, published: f64, tolerance: f64) {
        let ours = f64::from(ours.unwrap_or_else(|| panic!("{what}: absent"))) / 1000.0;
        assert!((ours - published).abs() <= tolerance, "{what}: {ours}, published {published}");
    }

    fn mdegc(fahrenheit: i32) -> i32 {
        rounded(f64::from(fahrenheit - 32) / 1.8 * 1000.0)
    }

    #[test]
    fn saturation_is_that_of_the_tables() {
        // Ho, Slobin & Gritton 2005 (JPL), p. 18, after the tables of Goff; in hPa.
        let goff = [(0, 6.108), (10, 12.27), (15, 17.04), (20, 23.37), (30, 42.43), (40, 73.78)];
        // Doorenbos & Pruitt 1977, FAO Irrigation and Drainage Paper 24, saturation vapour pressure; in hPa.
        let fao_24 =
            [(0, 6.1), (5, 8.7), (10, 12.3), (15, 17.0), (20, 23.4), (25, 31.7), (30, 42.4), (35, 56.2)];
        for (t, hpa) in goff.into_iter().chain(fao_24) {
            // At 0 %RH the deficit is the whole saturation vapour pressure.
            let deficit_pa = vapour_pressure_deficit_pa(t * 1000, 0).map(|pa| pa * 10);
            assert_near(&format!("{t} C"), deficit_pa, hpa, 0.05 + RELATIVE_TOLERANCE * hpa);
        }
        // Allen et al. 1998, FAO Irrigation and Drainage Paper 56, example 3; in kPa.
        for (t, kpa) in [(15_000, 1.705), (24_500, 3.075)] {
            assert_near(&format!("{t} mC"), vapour_pressure_deficit_pa(t, 0), kpa, RELATIVE_TOLERANCE * kpa);
        }
    }

    #[test]
    fn the_deficit_is_what_is_missing_to_saturation() {
        assert_eq!(vapour_pressure_deficit_pa(24_500, 100_000), Some(0));
        let all = vapour_pressure_deficit_pa(24_500, 0).unwrap();
        assert!(all.abs_diff(4 * vapour_pressure_deficit_pa(24_500, 75_000).unwrap()) <= 2);
    }

    #[test]
    fn the_dew_point_is_that_of_the_tables() {
        // Sensirion, Application Note Dew-point Calculation: worked with the same coefficients.
        assert_near("25 C, 10 %", dew_point_mdegc(25_000, 10_000), -8.77, 0.005);
        assert_near("50 C, 90 %", dew_point_mdegc(50_000, 90_000), 47.90, 0.005);
        // The building trade's dew point table, <https://expydoc.com/doc/12113599/taupunkttabelle>, in steps of 5 %RH.
        const TABLE: [(i32, i32, &[f64]); 3] = [
            (10, 50, &[0.0, 1.3, 2.5, 3.7, 4.8, 5.8, 6.8, 7.7, 8.5, 9.3]),
            (20, 50, &[9.3, 10.7, 12.0, 13.2, 14.4, 15.5, 16.5, 17.4, 18.4, 19.2]),
            (
                25,
                20,
                &[0.5, 3.6, 6.2, 8.5, 10.5, 12.2, 13.8, 15.4, 16.7, 18.0, 19.1, 20.2, 21.4, 22.3, 23.3, 24.2],
            ),
        ];
        for (air, from, dew_points) in TABLE {
            for (rh, dew_point) in (from..).step_by(5).zip(dew_points) {
                assert_near(
                    &format!("{air} C, {rh} %"),
                    dew_point_mdegc(air * 1000, rh * 1000),
                    *dew_point,
                    0.12,
                );
            }
        }
    }

    #[test]
    fn absolute_humidity_is_that_of_the_tables() {
        // Climate/humidity table, <https://www.scribd.com/doc/39380596/Dew-Point-Table>, from 10 %RH in steps of 10.
        const TABLE: [(i32, [f64; 10]); 8] = [
            (50, [8.3, 16.6, 24.9, 33.2, 41.5, 49.8, 58.1, 66.4, 74.7, 83.0]),
            (40, [5.1, 10.2, 15.3, 20.5, 25.6, 30.7, 35.8, 40.9, 46.0, 51.1]),
            (30, [3.0, 6.1, 9.1, 12.1, 15.2, 18.2, 21.3, 24.3, 27.3, 30.4]),
            (20, [1.7, 3.5, 5.2, 6.9, 8.7, 10.4, 12.1, 13.8, 15.6, 17.3]),
            (10, [0.9, 1.9, 2.8, 3.8, 4.7, 5.6, 6.6, 7.5, 8.5, 9.4]),
            (0, [0.5, 1.0, 1.5, 1.9, 2.4, 2.9, 3.4, 3.9, 4.4, 4.8]),
            (-10, [0.2, 0.5, 0.7, 0.9, 1.2, 1.4, 1.6, 1.9, 2.1, 2.3]),
            (-15, [0.2, 0.3, 0.5, 0.6, 0.8, 1.0, 1.1, 1.3, 1.5, 1.6]),
        ];
        for (air, row) in TABLE {
            for (rh, g_per_m3) in (10..).step_by(10).zip(row) {
                let ours = absolute_humidity_mg_per_m3(air * 1000, rh * 1000);
                assert_near(
                    &format!("{air} C, {rh} %"),
                    ours,
                    g_per_m3,
                    0.06 + RELATIVE_TOLERANCE * g_per_m3,
                );
            }
        }
        assert_eq!(absolute_humidity_mg_per_m3(20_000, 0), Some(0));
    }

    /// The chart of the NWS, in °F: rows by air temperature, from 40 %RH in steps of 5.
    const NWS_CHART: [(i32, &[i32]); 16] = [
        (80, &[80, 80, 81, 81, 82, 82, 83, 84, 84, 85, 86, 86, 87]),
        (82, &[81, 82, 83, 84, 84, 85, 86, 88, 89, 90, 91, 93, 95]),
        (84, &[83, 84, 85, 86, 88, 89, 90, 92, 94, 96, 98, 100, 103]),
        (86, &[85, 87, 88, 89, 91, 93, 95, 97, 100, 102, 105, 108, 112]),
        (88, &[88, 89, 91, 93, 95, 98, 100, 103, 106, 110, 113, 117, 121]),
        (90, &[91, 93, 95, 97, 100, 103, 106, 109, 113, 117, 122, 127, 132]),
        (92, &[94, 96, 99, 101, 105, 108, 112, 116, 121, 126, 131]),
        (94, &[97, 100, 102, 106, 110, 114, 119, 124, 129, 136]),
        (96, &[101, 104, 108, 112, 116, 121, 126, 132]),
        (98, &[105, 109, 113, 117, 123, 128, 134]),
        (100, &[109, 114, 118, 124, 129, 136]),
        (102, &[114, 119, 124, 130, 137]),
        (104, &[119, 124, 131, 137]),
        (106, &[124, 130, 137]),
        (108, &[130, 137]),
        (110, &[136]),
    ];

    /// What the NWS adds in humid air of less than 87 °F, (RH − 85) ∕ 10 × (87 − T) ∕ 5, in °F. The chart does not
    /// include it.
    const HUMID: [(i32, i32, f64); 12] = [
        (80, 90, 0.7),
        (80, 95, 1.4),
        (80, 100, 2.1),
        (82, 90, 0.5),
        (82, 95, 1.0),
        (82, 100, 1.5),
        (84, 90, 0.3),
        (84, 95, 0.6),
        (84, 100, 0.9),
        (86, 90, 0.1),
        (86, 95, 0.2),
        (86, 100, 0.3),
    ];

    #[test]
    fn the_heat_index_is_that_of_the_chart() {
        for (air, row) in NWS_CHART {
            for (rh, charted) in (40..).step_by(5).zip(row) {
                let humid =
                    HUMID.iter().find(|(t, h, _)| (*t, *h) == (air, rh)).map_or(0.0, |(.., added)| *added);
                let ours =
                    heat_index_mdegc(mdegc(air), rh * 1000).map(|index| rounded(f64::from(index) * 1.8));
                // Some values of the chart differ from the formula by up to 1 °F.
                assert_near(&format!("{air} F, {rh} %"), ours, f64::from(*charted) + humid - 32.0, 1.0);
            }
        }
    }

    #[test]
    fn the_heat_index_ends_where_the_chart_does() {
        // The rows up to 90 °F are complete. The row of 92 °F ends before 95 %RH, although the index there, 136.9, is
        // below the limit.
        for (air, row) in &NWS_CHART[7..] {
            let beyond = 40 + 5 * i32::try_from(row.len()).unwrap();
            assert_eq!(heat_index_mdegc(mdegc(*air), beyond * 1000), None, "{air} F, {beyond} %");
        }
        for (t, h) in
            [(26_666, 70_000), (43_334, 40_000), (30_000, 39_999), (30_000, 100_001), (80_000, 50_000)]
        {
            assert_eq!(heat_index_mdegc(t, h), None, "{t} {h}");
        }
        for (t, h) in [(26_667, 40_000), (43_333, 40_000), (30_000, 100_000)] {
            assert!(heat_index_mdegc(t, h).is_some(), "{t} {h}");
        }
    }

    #[test]
    fn outside_the_range_of_the_magnus_formula_there_is_nothing() {
        for f in [dew_point_mdegc, absolute_humidity_mg_per_m3, vapour_pressure_deficit_pa] {
            for (t, h) in [
                (-45_001, 50_000),
                (60_001, 50_000),
                (20_000, -1),
                (20_000, 100_001),
                (i32::MIN, i32::MIN),
                (i32::MAX, i32::MAX),
            ] {
                assert_eq!(f(t, h), None, "{t} {h}");
            }
            for (t, h) in [(-45_000, 100_000), (60_000, 100_000), (60_000, 1_000)] {
                assert!(f(t, h).is_some(), "{t} {h}");
            }
        }
        assert_eq!(dew_point_mdegc(20_000, 0), None, "dry air has no dew point");
        assert_eq!(dew_point_mdegc(-40_000, 50_000), None, "it would be below -45 C");
    }

    proptest! {
        #[test]
        fn the_dew_point_is_below_the_air_and_at_100_percent_is_the_air(
            t in -45_000..=60_000, h in 1..=100_000
        ) {
            if let Some(dew_point) = dew_point_mdegc(t, h) {
                prop_assert!((-45_000..=t).contains(&dew_point));
            }
            prop_assert_eq!(dew_point_mdegc(t, 100_000), Some(t));
        }

        #[test]
        fn vapour_is_conserved_down_to_the_dew_point(t in -20_000..=60_000, h in 20_000..=100_000) {
            // Cooled to its dew point, the air is saturated by the vapour it has.
            let dew_point = dew_point_mdegc(t, h).unwrap();
            let has = vapour_pressure_deficit_pa(t, 0).unwrap() - vapour_pressure_deficit_pa(t, h).unwrap();
            let saturated = vapour_pressure_deficit_pa(dew_point, 0).unwrap();
            prop_assert!(has.abs_diff(saturated) <= 3, "{has} {saturated}");
        }

        #[test]
        fn any_pair_has_quantities_or_none(t in any::<i32>(), h in any::<i32>()) {
            for f in [dew_point_mdegc, absolute_humidity_mg_per_m3, heat_index_mdegc, vapour_pressure_deficit_pa] {
                if let Some(value) = f(t, h) {
                    prop_assert!((-45_000..=200_000).contains(&value));
                }
            }
        }
    }
}
