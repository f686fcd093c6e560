//! What values mean: every kind of fall and jump, and what holds whatever comes.

use proptest::prelude::*;

use super::*;

const HOUR: i64 = 60 * MINUTE;
const WRAP: i64 = 1 << 32;

/// All effects of values read each hour, after a first one.
fn hourly(values: &[i64]) -> (Track, Vec<Effect>) {
    settled(values, &[])
}

fn settled(values: &[i64], decided: &[Decided]) -> (Track, Vec<Effect>) {
    let mut track = Track::start(0, values[0]);
    let mut all = Vec::new();
    for (hour, value) in (1..).zip(&values[1..]) {
        all.extend(track.advance(hour * HOUR, *value, decided));
    }
    (track, all)
}

fn usage(effects: &[Effect]) -> i64 {
    effects
        .iter()
        .map(|effect| match effect {
            Effect::Took { delta, .. } | Effect::Promoted { delta, .. } => *delta,
            _ => 0,
        })
        .sum()
}

fn faults(effects: &[Effect]) -> Vec<Reason> {
    effects
        .iter()
        .filter_map(|effect| if let Effect::Fault(fault) = effect { Some(fault.cause) } else { None })
        .collect()
}

/// Usage and what was doubted.
fn read(values: &[i64]) -> (i64, Vec<Reason>) {
    let (_, effects) = hourly(values);
    (usage(&effects), faults(&effects))
}

#[test]
fn counter_regression_is_told_apart() {
    assert_eq!(read(&[1_000, 1_040]), (40, vec![]));
    assert_eq!(read(&[118_200, 12, 20]), (8, vec![Reason::Reset]));
    assert_eq!(read(&[118_200, 80_000, 80_010]), (10, vec![Reason::BoardSwap]));
    assert_eq!(read(&[118_200, 117_900, 117_905]), (5, vec![Reason::SetBack]));
    for bits in [31, 32] {
        let modulus = 1_i64 << bits;
        assert_eq!(read(&[modulus - 10, 5, 9]), (19, vec![Reason::Rollover]), "{bits} bits");
    }
}

#[test]
fn counter_regression_of_one_reading_is_a_glitch_and_nobody_is_asked() {
    assert_eq!(read(&[118_200, 0, 118_205]), (5, vec![]));
    assert_eq!(read(&[118_200, 118_100, 118_205]), (5, vec![]));
    assert_eq!(read(&[1_000, u32::MAX.into(), 1_050]), (50, vec![]));
    // Values that agree with nothing are kept aside one after the other.
    assert_eq!(read(&[118_200, 0, 70_000, 3_000_000, 118_205]), (5, vec![]));
}

#[test]
fn counter_regression_that_could_be_either_takes_the_lower_and_asks() {
    let (_, effects) = hourly(&[1_000, 0, 3_000]);
    assert_eq!((usage(&effects), faults(&effects)), (2_000, vec![Reason::Resumed]));
}

#[test]
fn counter_regression_that_passes_bills_nothing_twice() {
    assert_eq!(read(&[118_200, 0, 0, 118_207]), (7, vec![Reason::Reset, Reason::Resumed]));
    assert_eq!(read(&[118_200, 0, 4, 118_207]), (4 + 3, vec![Reason::Reset, Reason::Resumed]));
    assert_eq!(read(&[1_000, 900_000, 900_010, 1_050]), (10 + 40, vec![Reason::Jump, Reason::Resumed]));
}

#[test]
fn counter_regression_to_all_ones_is_never_believed() {
    for hollow in HOLLOW {
        let (track, effects) = hourly(&[1_000, hollow, hollow, hollow, 1_004]);
        assert_eq!((usage(&effects), faults(&effects), track.last), (4, vec![], 1_004));
    }
    // A counter that gets there page by page is another matter.
    assert_eq!(read(&[WRAP - 3, WRAP - 1, 2, 4]).0, 2 + 3 + 2);
}

#[test]
fn counter_regression_is_counted_as_a_person_decided() {
    let decided = |at: i64, until: i64, verdict| [Decided { at: at * HOUR, until: until * HOUR, verdict }];
    let values = [118_200, 12, 20];
    let (track, effects) = settled(&values, &decided(1, 2, Verdict::Bridge(300)));
    assert_eq!((usage(&effects), faults(&effects), track.reason), (308, vec![], Reason::Manual));
    let (_, effects) = settled(&[1_000, 0, 3_000, 3_001], &decided(1, 2, Verdict::Bridge(0)));
    assert_eq!(usage(&effects), 3_001);
    let (_, effects) = settled(&[118_200, 0, 4, 118_207], &decided(1, 3, Verdict::Ignore));
    assert_eq!((usage(&effects), faults(&effects)), (7, vec![]));
}

#[test]
fn counter_regression_late_readings_and_repeats_say_so() {
    let mut track = Track::start(HOUR, 100);
    assert_eq!(track.advance(HOUR, 100, &[]), [Effect::Late]);
    assert_eq!(track.advance(0, 90, &[]), [Effect::Late]);
    track.advance(5 * HOUR, 3, &[]);
    assert_eq!(track.advance(4 * HOUR, 110, &[]), [Effect::Late], "older than what is kept aside");
}

/// What a device does between two readings.
#[derive(Clone, Debug)]
enum Act {
    Print(i64),
    Reset,
    Board(i64),
    Glitch(i64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (0_i64..20_000).prop_map(Act::Print),
        1 => Just(Act::Reset),
        1 => (0_i64..3_000_000_000).prop_map(Act::Board),
        1 => prop_oneof![Just(0), Just(i64::from(u32::MAX)), 0_i64..5_000_000_000].prop_map(Act::Glitch),
    ]
}

proptest! {
    #[test]
    fn counter_regression_usage_is_never_negative_nor_beyond_what_can_be_printed(
        values in prop::collection::vec(prop_oneof![0_i64..2_000, 0_i64..5_000_000_000, WRAP - 50..WRAP], 1..60),
        pause in 1_i64..100_000,
    ) {
        let pause = pause * 1_000_000;
        let mut track = Track::start(0, values[0]);
        let (mut used, mut closed, mut asked, mut ended) = (0, 0, 0, 0);
        for (n, value) in (1..).zip(&values[1..]) {
            for effect in track.advance(n * pause, *value, &[]) {
                match effect {
                    Effect::Took { delta, .. } | Effect::Promoted { delta, .. } => {
                        prop_assert!((0..=plausible(n * pause)).contains(&delta));
                        used += delta;
                    }
                    Effect::Closed(stretch) => {
                        closed += stretch.last - stretch.first;
                        ended += 1;
                    }
                    Effect::Fault(_) => asked += 1,
                    Effect::Aside { .. } => {}
                    Effect::Late => prop_assert!(false, "times rise"),
                }
            }
            prop_assert!(track.last >= track.first);
        }
        prop_assert_eq!(used, closed + track.last - track.first);
        prop_assert!(asked >= ended, "no border without a doubt");
    }

    #[test]
    fn counter_regression_usage_is_the_truth_where_the_kind_is_recognised(
        start in 2_000_000_i64..2_000_000_000,
        acts in prop::collection::vec(act(), 1..40),
    ) {
        // What begins near the present count cannot be told from printing, and is left out.
        let mut counter = start;
        let (mut track, mut printed, mut effects, mut hour) = (Track::start(0, start), 0_i64, Vec::new(), 0_i64);
        let mut read = |value: i64, hour: &mut i64, effects: &mut Vec<Effect>| {
            *hour += 1;
            effects.extend(track.advance(*hour * HOUR, value.rem_euclid(WRAP), &[]));
        };
        for act in acts {
            match act {
                Act::Print(pages) => {
                    counter += pages;
                    printed += pages;
                    read(counter, &mut hour, &mut effects);
                }
                Act::Reset | Act::Board(_) => {
                    let next = if let Act::Board(next) = act { next } else { 0 };
                    if (next - counter).abs() < 1_000_000 {
                        continue;
                    }
                    counter = next;
                    read(counter, &mut hour, &mut effects);
                    read(counter, &mut hour, &mut effects);
                }
                Act::Glitch(value) => {
                    if (value.rem_euclid(WRAP) - counter).abs() < 1_000_000 {
                        continue;
                    }
                    read(value, &mut hour, &mut effects);
                    read(counter, &mut hour, &mut effects);
                }
            }
        }
        prop_assert_eq!(usage(&effects), printed);
    }
}
