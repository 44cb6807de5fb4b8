use proptest::prelude::*;

use super::*;
use crate::reading::Field;

const MINUTE: i64 = 60_000;
const RUN: i64 = 50_000;
/// A time that is no whole second.
const START: i64 = 1_793_520_000_400;

fn values(reading: Reading) -> SentValues {
    SentValues::of(reading, &Field::DEFAULT)
}

/// The reading of this minute: its temperature is its number, in tenths.
fn taken(id: i64, sent: impl Fn(i64) -> Sent) -> Expected {
    let tenths = i32::try_from(id).unwrap();
    let reading = Reading { temperature_mdegc: tenths * 100, humidity_mpercent: 40_000 };
    let taken_ms = START + id * MINUTE;
    Expected {
        id,
        taken_ms,
        sent: sent(taken_ms),
        reading,
        values: values(reading),
        requeued: 0,
        judged: true,
    }
}

fn at_once(id: i64) -> Expected {
    taken(id, |taken_ms| Sent::AtOnce { delivered_ms: taken_ms + 900 })
}

/// Delivered two hours later.
fn from_backlog(id: i64) -> Expected {
    taken(id, |taken_ms| Sent::FromBacklog { delivered_ms: taken_ms + 120 * MINUTE, own_run_too: false })
}

/// Its sample, so many ms after the second in which it was taken.
fn sample(reading: &Expected, after_ms: i64) -> Sample {
    Sample { time_ms: reading.second_ms() + after_ms, values: reading.values }
}

fn one(reading: &Expected) -> &[Expected] {
    std::slice::from_ref(reading)
}

fn found(readings: &[Expected], samples: &[Sample]) -> Findings {
    let mut matcher = Matcher::new(START - MINUTE..START + 10_000 * MINUTE, RUN);
    matcher.window(readings.to_vec(), samples.to_vec(), i64::MAX);
    matcher.finish()
}

fn diagnosis(readings: &[Expected], samples: &[Sample]) -> Diagnosis {
    diagnose(&found(readings, samples), &Others::default())
}

fn counts(found: &Findings) -> [u32; 6] {
    [found.taken, found.arrived, found.waiting, found.missing, found.twice, found.not_ours]
}

#[test]
fn a_reading_delivered_at_once_has_focus_s_clock_within_2_s() {
    let reading = at_once(0);
    // It was taken at 400 ms and marked at 1300 ms of the second.
    for (after_ms, arrives) in [
        (-2_000, false),
        (-1_600, true),
        (0, true),
        (3_000, true),
        (3_300, true),
        (3_301, false),
        (-1_601, false),
    ] {
        let found = found(one(&reading), &[sample(&reading, after_ms)]);
        let wanted = if arrives { [1, 1, 0, 0, 0, 0] } else { [1, 0, 0, 1, 0, 1] };
        // One that is late can still be a second one, but of nothing that arrived.
        assert_eq!(counts(&found), wanted, "{after_ms}");
    }
}

#[test]
fn a_reading_from_the_backlog_has_exactly_its_second() {
    let reading = from_backlog(3);
    for (after_ms, arrives) in [(-1_000, 0), (0, 1), (1_000, 0)] {
        assert_eq!(found(one(&reading), &[sample(&reading, after_ms)]).arrived, arrives, "{after_ms}");
    }
    // One whose own run was killed may have been sent by that, too.
    let killed = taken(3, |at| Sent::FromBacklog { delivered_ms: at + 120 * MINUTE, own_run_too: true });
    assert_eq!(counts(&found(one(&killed), &[sample(&killed, 1_000)])), [1, 1, 0, 0, 0, 0]);
    assert_eq!(
        counts(&found(one(&killed), &[sample(&killed, 1_000), sample(&killed, 0)])),
        [1, 1, 0, 0, 1, 0]
    );
}

#[test]
fn values_count_as_they_were_sent() {
    let reading = at_once(5);
    let mut other = sample(&reading, 0);
    other.values = values(Reading { temperature_mdegc: 600, ..reading.reading });
    assert_eq!(counts(&found(one(&reading), &[other])), [1, 0, 0, 1, 0, 1]);
    let rounded = Reading { temperature_mdegc: 540, ..reading.reading };
    assert_eq!(values(rounded), values(Reading { temperature_mdegc: 500, ..rounded }));
}

#[test]
fn pairs_are_one_to_one_and_the_nearest_first() {
    let mut two = [at_once(0), at_once(0)];
    (two[1].id, two[1].taken_ms) = (1, two[1].taken_ms + 3_000);
    two[1].sent = Sent::AtOnce { delivered_ms: two[1].taken_ms + 900 };
    let at = |ms: i64| Sample { time_ms: START - 400 + ms, values: two[0].values };
    // The second one's is nearer, so the first one is missing.
    let one = found(&two, &[at(3_000)]);
    assert_eq!((one.missing, one.first_missing[0].id), (1, 0));
    // Both fit, although the nearest pair alone would leave the first one without.
    assert_eq!(counts(&found(&two, &[at(2_000), at(6_000)])), [2, 2, 0, 0, 0, 0]);
    assert_eq!(counts(&found(&two, &[at(0), at(3_000), at(3_000)])), [2, 2, 0, 0, 1, 0]);
}

#[test]
fn what_waits_is_not_missing_and_may_have_arrived() {
    let waiting = taken(7, |_| Sent::Waiting);
    let none = found(one(&waiting), &[]);
    assert_eq!(
        (counts(&none), diagnose(&none, &Others::default())),
        ([1, 0, 1, 0, 0, 0], Diagnosis::Waiting)
    );
    assert_eq!(counts(&found(one(&waiting), &[sample(&waiting, 15_000)])), [1, 1, 0, 0, 0, 0]);
}

#[test]
fn readings_beside_the_period_explain_samples_and_are_not_counted() {
    let beside = Expected { judged: false, ..at_once(2) };
    assert_eq!(counts(&found(one(&beside), &[sample(&beside, 0)])), [0; 6]);
    assert_eq!(counts(&found(one(&beside), &[])), [0; 6]);
}

#[test]
fn a_reading_is_put_back_at_most_twice() {
    let readings = [0, 1, 2, 3].map(|n| Expected { requeued: u32::try_from(n).unwrap(), ..at_once(n) });
    let found = found(&readings, &[]);
    assert_eq!((found.can_requeue, found.given_up), (vec![0, 1], 2));
}

#[test]
fn nothing_at_all_is_explained_by_what_others_have() {
    let readings: Vec<Expected> = (0..20).map(at_once).collect();
    let nothing = found(&readings, &[]);
    let others = |onames: &[&str], pcode| Others {
        onames: onames.iter().map(|name| (*name).to_owned()).collect(),
        pcode,
    };
    for (others, wanted) in [
        (others(&[], None), Diagnosis::EmptyCategory),
        (others(&["a", "b"], None), Diagnosis::OtherOnames(vec!["a".to_owned(), "b".to_owned()])),
        (others(&["a"], Some(8)), Diagnosis::OtherProject(8)),
    ] {
        let diagnosis = diagnose(&nothing, &others);
        assert!(!diagnosis.can_requeue());
        assert_eq!(diagnosis, wanted);
    }
    let foreign = Sample { values: SentValues::default(), ..sample(&readings[3], 0) };
    assert_eq!(diagnosis(&readings, &[foreign]), Diagnosis::AllDiffer);
}

#[test]
fn a_focus_that_does_not_heed_now_is_seen_by_the_time_of_delivery() {
    let mut readings: Vec<Expected> = (0..60).map(from_backlog).collect();
    readings.extend((60..300).map(at_once));
    let at_delivery = |reading: &Expected| match reading.sent {
        Sent::FromBacklog { delivered_ms, .. } => {
            Sample { time_ms: delivered_ms / 1000 * 1000, values: reading.values }
        }
        _ => sample(reading, 0),
    };
    let samples: Vec<Sample> = readings.iter().map(at_delivery).collect();
    assert_eq!(diagnosis(&readings, &samples), Diagnosis::NowIgnored);
    assert_eq!(counts(&found(&readings, &samples)), [300, 240, 0, 60, 0, 0]);
    // In windows of an hour the deliveries are two windows later.
    let mut matcher = Matcher::new(START..START + 10_000 * MINUTE, RUN);
    for hour in 0..8 {
        let window = START + hour * 60 * MINUTE..START + (hour + 1) * 60 * MINUTE;
        let readings = readings.iter().filter(|reading| window.contains(&reading.taken_ms)).cloned();
        let samples = samples.iter().filter(|sample| window.contains(&sample.time_ms)).copied();
        matcher.window(readings.collect::<Vec<_>>(), samples.collect::<Vec<_>>(), window.end);
    }
    assert_eq!(diagnose(&matcher.finish(), &Others::default()), Diagnosis::NowIgnored);
    // One with its own second shows that -now is heeded.
    let mut heeded = samples.clone();
    heeded[5] = sample(&readings[5], 0);
    assert_ne!(diagnosis(&readings, &heeded), Diagnosis::NowIgnored);
}

#[test]
fn a_shifted_clock_is_seen_by_its_shift() {
    let readings: Vec<Expected> = (0..100).map(at_once).collect();
    for shift_ms in [5_000, -30_000, 240_000] {
        let samples: Vec<Sample> = readings.iter().map(|reading| sample(reading, shift_ms)).collect();
        assert_eq!(diagnosis(&readings, &samples), Diagnosis::Shifted(shift_ms));
    }
}

#[test]
fn a_block_and_single_readings_are_told_apart() {
    let readings: Vec<Expected> = (0..100).map(at_once).collect();
    let without = |is_missing: &dyn Fn(i64) -> bool| -> Vec<Sample> {
        readings.iter().filter(|reading| !is_missing(reading.id)).map(|reading| sample(reading, 0)).collect()
    };
    let Diagnosis::Block(block) = diagnosis(&readings, &without(&|id| (20..40).contains(&id) || id == 3))
    else {
        panic!("no block");
    };
    assert_eq!((block.readings, block.first_id, block.last_id), (20, 20, 39));
    assert_eq!((block.first_ms, block.last_ms), (readings[20].taken_ms, readings[39].taken_ms));
    assert!(matches!(diagnosis(&readings, &without(&|id| id >= 97)), Diagnosis::Block(_)));
    assert_eq!(diagnosis(&readings, &without(&|id| id % 10 == 0)), Diagnosis::Scattered);
    assert_eq!(diagnosis(&readings, &without(&|_| false)), Diagnosis::Nothing);
}

proptest! {
    /// Whatever the windows are, the same is found.
    #[test]
    fn windows_change_nothing(
        sent in prop::collection::vec((0..3_u8, 0..3_i64, 0..5_u8), 1..120),
        minutes in 1..50_i64,
    ) {
        let mut readings = Vec::new();
        let mut samples = Vec::new();
        for (id, (how, after_s, fate)) in (0..).zip(&sent) {
            let reading = match how {
                0 => from_backlog(id),
                _ => at_once(id),
            };
            let after_ms = if *how == 0 { 0 } else { after_s * 1000 };
            match fate {
                0 => {}
                1 => samples.extend([sample(&reading, after_ms), sample(&reading, after_ms)]),
                _ => samples.push(sample(&reading, after_ms)),
            }
            readings.push(reading);
        }
        let whole = found(&readings, &samples);
        let mut matcher = Matcher::new(START - MINUTE..START + 10_000 * MINUTE, RUN);
        let mut from = START - MINUTE;
        while from < START + 200 * MINUTE {
            let window = from..from + minutes * 61_003;
            let readings = readings.iter().filter(|reading| window.contains(&reading.taken_ms)).cloned();
            let samples = samples.iter().filter(|sample| window.contains(&sample.time_ms)).copied();
            matcher.window(readings.collect::<Vec<_>>(), samples.collect::<Vec<_>>(), window.end);
            from = window.end;
        }
        let parts = matcher.finish();
        prop_assert_eq!(counts(&parts), counts(&whole));
        prop_assert_eq!(parts.can_requeue, whole.can_requeue);
        prop_assert_eq!(parts.first_missing, whole.first_missing);
    }
}
