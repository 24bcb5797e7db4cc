use super::*;
use crate::base::time::Timestamp;

fn moment(seconds: f64) -> Moment {
    Moment {
        at: Timestamp::UNIX_EPOCH,
        mono: Duration::from_secs_f64(seconds),
    }
}

fn key() -> SeriesKey {
    SeriesKey::of(Field::Backlog)
}

fn filled(seconds: u32) -> Histories {
    let mut histories = Histories::default();
    for second in 0..seconds {
        histories.record(&key(), moment(f64::from(second) + 0.3), Some(f64::from(second)));
    }
    histories
}

#[test]
fn one_point_a_second_gives_back_what_was_recorded() {
    let histories = filled(100);
    let window = histories.window(&key(), moment(99.4), Duration::from_secs(10), 10);
    let expected: Vec<_> = (90..100_i16).map(|v| Some(f32::from(v))).collect();
    assert_eq!(window, expected);
}

#[test]
fn wider_steps_are_means_and_narrower_ones_repeat() {
    let histories = filled(100);
    let wide = histories.window(&key(), moment(99.4), Duration::from_secs(20), 2);
    assert_eq!(wide, vec![Some(84.5), Some(94.5)]);
    let narrow = histories.window(&key(), moment(99.999), Duration::from_secs(2), 4);
    assert_eq!(narrow, vec![Some(98.0), Some(98.0), Some(99.0), Some(99.0)]);
}

#[test]
fn a_gap_stays_a_gap() {
    let mut histories = filled(10);
    histories.record(&key(), moment(10.3), None);
    for second in 15..20_u8 {
        histories.record(&key(), moment(f64::from(second) + 0.3), Some(1.0));
    }
    let window = histories.window(&key(), moment(19.4), Duration::from_secs(12), 12);
    let seen: Vec<bool> = window.iter().map(Option::is_some).collect();
    let expected = [
        true, true, false, false, false, false, false, true, true, true, true, true,
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_second_missed_by_jitter_is_no_gap() {
    let mut histories = Histories::default();
    for t in [0.9, 1.99, 3.01, 4.0] {
        histories.record(&key(), moment(t), Some(5.0));
    }
    let window = histories.window(&key(), moment(4.0), Duration::from_secs(4), 4);
    assert!(window.iter().all(Option::is_some), "{window:?}");
}

#[test]
fn old_seconds_become_means_of_ten_and_then_minutes() {
    let histories = filled(30_000);
    let tiers = &histories.series[&key()].tiers;
    assert!(tiers[0].as_ref().unwrap().slots.len() <= 910);
    assert!(tiers[1].as_ref().unwrap().slots.len() <= 2_166);
    assert!(tiers[2].is_some());
    // Each tier takes over where the finer one ends.
    assert_eq!(tiers[1].as_ref().unwrap().end() * 10, tiers[0].as_ref().unwrap().first);
    let window = histories.window(&key(), moment(29_999.5), Duration::from_secs(29_000), 290);
    for (at, value) in window.iter().enumerate() {
        let middle = 999.5 + 100.0 * at as f64 + 50.0;
        assert!(
            (f64::from(value.unwrap()) - middle).abs() <= 61.0,
            "{at}: {value:?} {middle}"
        );
    }
}

#[test]
fn the_budget_holds_and_the_unseen_lose_their_fine_tiers_first() {
    let mut histories = Histories::with_budget(40_000);
    let keys: Vec<SeriesKey> = (0..20)
        .map(|n| SeriesKey::about(Field::WorkerRate, format!("w-{n}")))
        .collect();
    for second in 0..900_u32 {
        histories.touch(&keys[7]);
        for key in &keys {
            histories.record(key, moment(f64::from(second)), Some(2.0));
        }
        assert!(histories.bytes() <= 40_000);
    }
    assert!(histories.dropped_tiers() > 0);
    assert_eq!(histories.series[&keys[7]].finest, 0);
    assert!(histories.series.values().any(|series| series.finest > 0));
    // What was folded is still there, only coarser.
    for key in &keys {
        let window = histories.window(key, moment(899.5), Duration::from_secs(800), 40);
        assert!(window.iter().all(|value| *value == Some(2.0)), "{key:?} {window:?}");
    }
}

#[test]
fn the_least_recently_viewed_gives_its_fine_tier_first_and_it_is_told() {
    let mut histories = Histories::with_budget(usize::MAX);
    let keys: Vec<SeriesKey> = (0..4)
        .map(|n| SeriesKey::about(Field::WorkerRate, format!("w-{n}")))
        .collect();
    for second in 0..600_u32 {
        for key in &keys {
            histories.record(key, moment(f64::from(second)), Some(2.0));
        }
    }
    for viewed in [2, 0, 3, 1] {
        histories.touch(&keys[viewed]);
    }
    for (thinned, expected) in [2, 0, 3, 1].into_iter().enumerate() {
        assert_eq!(histories.thinned(), thinned);
        histories.budget = histories.bytes - 1;
        assert!(histories.fold_one());
        assert_eq!(histories.series[&keys[expected]].finest, 1, "{thinned}");
    }
    assert_eq!(histories.thinned(), 4);
}

#[test]
fn a_minute_second_by_second_is_the_same_as_slot_by_slot() {
    let histories = filled(100);
    for end in [30.0, 59.4, 99.0, 99.4, 99.999, 130.7] {
        let quick = histories.window(&key(), moment(end), Duration::from_mins(1), 60);
        let tier = histories.series[&key()].tiers[0].as_ref().unwrap();
        for (at, value) in (0_u8..).zip(&quick) {
            let from = end - 60.0 + f64::from(at);
            let reached = from > -1.0 && tier.reaches(1, from + 0.5);
            let expected = reached.then(|| tier.read(1, from, from + 1.0)).flatten();
            assert_eq!(*value, expected, "{end} {at}");
        }
    }
}

#[test]
fn series_beyond_the_budget_are_refused_and_counted() {
    let mut histories = Histories::with_budget(10_000);
    for n in 0..1_000 {
        histories.record(
            &SeriesKey::about(Field::WorkerRate, format!("w-{n}")),
            moment(1.0),
            Some(1.0),
        );
    }
    assert!(histories.refused() > 0);
    assert!(histories.bytes() <= 10_000 + 1_000);
}

#[test]
fn what_was_before_the_start_stands_before_it_and_live_goes_on_behind() {
    // Another session began 2,000 s before this one and ended 100 s before it.
    let mut past = Histories::reaching_back();
    past.append(&filled(1_900), -2_000);
    let mut live = filled(50);
    live.precede(past, Duration::ZERO);
    for second in 50..60_u8 {
        live.record(&key(), moment(f64::from(second) + 0.3), Some(f64::from(second)));
    }
    let window = live.window(&key(), moment(59.4), Duration::from_secs(200), 200);
    for (at, value) in (0_u16..).zip(&window) {
        let expected = match at {
            // 141 s before the start: the other's 1,860th second.
            0..40 => Some(f32::from(at) + 1_860.0),
            40..140 => None,
            _ => Some(f32::from(at) - 140.0),
        };
        assert_eq!(*value, expected, "{at}");
    }
    let far = live.window(&key(), moment(59.4), Duration::from_secs(1_900), 10);
    assert!(far.iter().all(Option::is_some), "{far:?}");
    assert_eq!(live.latest(&key()), Some(59.0));
}

#[test]
fn several_sessions_before_the_start_follow_each_other() {
    let mut past = Histories::reaching_back();
    past.append(&filled(3_000), -10_000);
    past.append(&filled(3_000), -6_000);
    // Too long ago.
    let mut long_ago = Histories::reaching_back();
    long_ago.append(&filled(100), -90_000);
    assert!(long_ago.latest(&key()).is_none());
    let mut live = filled(10);
    live.precede(past, Duration::ZERO);
    let known = |from: i64| {
        // The 100 s from `from` on.
        let back = Duration::from_secs(u64::try_from(10 - from).unwrap());
        live.window(&key(), moment(9.999), back, usize::try_from((10 - from) / 100).unwrap())[0]
    };
    for (from, middle) in [(-9_500, 550.0), (-7_500, 2_550.0), (-5_500, 550.0), (-3_200, 2_850.0)] {
        let value = known(from).unwrap();
        assert!((value - middle).abs() < 40.0, "{from}: {value}");
    }
    assert_eq!((known(-6_500), known(-2_000)), (None, None));
}

#[test]
fn means_of_a_server_are_recalled() {
    let mut past = Histories::reaching_back();
    for second in (-600..0).step_by(10) {
        past.recall(&key(), second, 7.0);
    }
    past.recall(&key(), -100_000, 9.0);
    let mut live = filled(5);
    live.precede(past, Duration::ZERO);
    let window = live.window(&key(), moment(4.4), Duration::from_mins(5), 30);
    assert!(window[..28].iter().all(|value| *value == Some(7.0)), "{window:?}");
}

#[test]
fn equal_records_make_equal_histories() {
    let mut a = filled(50);
    let mut b = filled(50);
    a.record(&key(), moment(60.0), Some(1.0));
    b.record(&key(), moment(60.0), Some(1.0));
    assert_eq!(a, b);
    b.record(&key(), moment(61.0), None);
    assert_ne!(a, b);
}
