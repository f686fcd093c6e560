//! What a counter's next value means. Usage is never negative, and no difference crosses the border of a segment.
//! A wrap is counted over its end; a value that cannot be true is kept aside until a second one agrees.

/// Pages a minute that no device exceeds.
const FASTEST: i64 = 400;
/// Growth that is believed however short the time.
const BURST: i64 = 50_000;
/// Growth from zero that still looks like a reset, beside what the time allows.
const FRESH: i64 = 500;
const MINUTE: i64 = 60 * 1_000_000;

/// A counter as it stands: its present segment and what came before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// Number of the present segment, from 1.
    pub segment: i64,
    /// Why it began.
    pub reason: Reason,
    /// When it began.
    pub segment_at: i64,
    /// Value at its beginning; negative after a wrap, counted on the new scale.
    pub first: i64,
    /// Newest believed value.
    pub last: i64,
    /// When that was.
    pub last_at: i64,
    /// Last value of the segment before.
    pub before: Option<i64>,
    /// A value that could not be true, and when it was read.
    pub suspect: Option<(i64, i64)>,
}

/// Why a segment began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// First reading.
    Start,
    /// The counter wrapped at 31 or 32 bits.
    Rollover,
    /// It began again near zero.
    Reset,
    /// It went on from a value of another counter.
    BoardSwap,
    /// After a passing zero it went on where it had been.
    Resumed,
}

impl Reason {
    /// The word in the database and in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Rollover => "rollover",
            Self::Reset => "reset",
            Self::BoardSwap => "board_swap",
            Self::Resumed => "resumed",
        }
    }

    /// The value for a word.
    pub fn from_word(word: &str) -> Self {
        match word {
            "rollover" => Self::Rollover,
            "reset" => Self::Reset,
            "board_swap" => Self::BoardSwap,
            "resumed" => Self::Resumed,
            _ => Self::Start,
        }
    }
}

/// What a value means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The counter went on by so much.
    Grown(i64),
    /// A new segment begins at `opening`; usage so far in it is `delta`.
    Segment {
        /// Why.
        reason: Reason,
        /// Its first value.
        opening: i64,
        /// Usage that this reading adds.
        delta: i64,
    },
    /// Cannot be true; kept aside.
    Suspect,
    /// Older than what is known; it is fitted in between.
    Late,
}

/// Growth that `elapsed` µs allow.
fn plausible(elapsed: i64) -> i64 {
    BURST.saturating_add(FASTEST.saturating_mul(elapsed.max(0) / MINUTE + 1))
}

/// Judges the next value of a counter.
pub fn step(track: &Track, at: i64, value: i64) -> Step {
    if at <= track.last_at {
        return Step::Late;
    }
    let elapsed = at - track.last_at;
    if value < track.last {
        return went_back(track, elapsed, value);
    }
    let delta = value - track.last;
    if let Some(before) = resumed(track, elapsed, value) {
        return Step::Segment { reason: Reason::Resumed, opening: before, delta: value - before };
    }
    // Time passing makes a jump no likelier: what agrees with a value that could not be true is another counter.
    let agrees = |(other, then): (i64, i64)| at > then && value >= other && value - other <= plausible(at - then);
    if track.suspect.is_some_and(agrees) {
        return Step::Segment { reason: Reason::BoardSwap, opening: value, delta: 0 };
    }
    if delta <= plausible(elapsed) { Step::Grown(delta) } else { Step::Suspect }
}

/// Nothing was counted since a reset, and now the old count goes on.
fn resumed(track: &Track, elapsed: i64, value: i64) -> Option<i64> {
    let before = track.before.filter(|_| track.reason == Reason::Reset && track.first == track.last)?;
    (value >= before && before > track.last && value - before <= plausible(elapsed)).then_some(before)
}

fn went_back(track: &Track, elapsed: i64, value: i64) -> Step {
    for bits in [31, 32] {
        let modulus = 1_i64 << bits;
        let wrapped = value + modulus - track.last;
        if track.last < modulus && wrapped <= plausible(elapsed) {
            return Step::Segment { reason: Reason::Rollover, opening: track.last - modulus, delta: wrapped };
        }
    }
    let near_zero = FRESH + FASTEST * (elapsed / MINUTE + 1);
    let reason = if value <= near_zero { Reason::Reset } else { Reason::BoardSwap };
    Step::Segment { reason, opening: value, delta: 0 }
}

/// What a meter counts towards on pages and charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// All pages of the device.
    Total,
    /// Black pages.
    Mono,
    /// Colour pages.
    Color,
}

impl Role {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Mono => "mono",
            Self::Color => "color",
        }
    }
}

/// The words of a meter that decide its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words<'a> {
    /// total, print, copy, fax, scan, other.
    pub function: &'a str,
    /// all, mono, full, …
    pub color: &'a str,
    /// all, small, large, unknown.
    pub size: &'a str,
    /// all, two.
    pub sides: &'a str,
    /// impressions, sheets, other.
    pub unit: &'a str,
    /// Dotted OID.
    pub source: &'a str,
}

/// Chooses which meters of a device add up to its pages, black and colour: totals where the device gives them,
/// sums over functions where it does not, and of two counters with the same words only one (the standard MIB's first).
pub fn roles(meters: &[Words<'_>]) -> Vec<Option<Role>> {
    let mut roles = vec![None; meters.len()];
    let unit = ["impressions", "sheets"].into_iter().find(|unit| meters.iter().any(|m| m.unit == *unit && is_pages(m)));
    let Some(unit) = unit else { return roles };
    let best = |function: &str, color: &str| {
        let fitting = meters
            .iter()
            .enumerate()
            .filter(|(_, m)| m.unit == unit && whole(m) && m.function == function && m.color == color);
        fitting.min_by_key(|(_, m)| (!m.source.starts_with("1.3.6.1.2.1."), m.source)).map(|(at, _)| at)
    };
    let mut take = |role: Role, color: &str| {
        let total = best("total", color);
        let each = ["print", "copy", "fax"].into_iter().filter_map(|function| best(function, color));
        let chosen: Vec<usize> = total.map_or_else(|| each.collect(), |at| vec![at]);
        for at in &chosen {
            roles[*at] = Some(role);
        }
        !chosen.is_empty()
    };
    let mono = take(Role::Mono, "mono");
    let color = take(Role::Color, "full");
    // Functions without colour are a total only where nothing better adds up.
    if best("total", "all").is_some() || !(mono || color) {
        take(Role::Total, "all");
    }
    roles
}

fn whole(meter: &Words<'_>) -> bool {
    meter.size == "all" && meter.sides == "all"
}

fn is_pages(meter: &Words<'_>) -> bool {
    whole(meter) && matches!(meter.function, "total" | "print" | "copy" | "fax")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = 60 * MINUTE;

    fn track(last: i64) -> Track {
        Track {
            segment: 1,
            reason: Reason::Start,
            segment_at: 0,
            first: 0,
            last,
            last_at: 0,
            before: None,
            suspect: None,
        }
    }

    #[test]
    fn counter_regression_is_told_apart() {
        assert_eq!(step(&track(1_000), HOUR, 1_040), Step::Grown(40));
        let reset = Step::Segment { reason: Reason::Reset, opening: 12, delta: 0 };
        assert_eq!(step(&track(118_200), HOUR, 12), reset);
        let swap = Step::Segment { reason: Reason::BoardSwap, opening: 80_000, delta: 0 };
        assert_eq!(step(&track(118_200), HOUR, 80_000), swap);
        for bits in [31, 32] {
            let modulus = 1_i64 << bits;
            let wrap = Step::Segment { reason: Reason::Rollover, opening: -10, delta: 15 };
            assert_eq!(step(&track(modulus - 10), HOUR, 5), wrap, "{bits} bits");
        }
    }

    #[test]
    fn a_jump_waits_for_a_second_reading_that_agrees() {
        let mut meter = track(1_000);
        assert_eq!(step(&meter, HOUR, u32::MAX.into()), Step::Suspect);
        meter.suspect = Some((u32::MAX.into(), HOUR));
        assert_eq!(step(&meter, 2 * HOUR, 1_050), Step::Grown(50));
        meter.suspect = Some((900_000, HOUR));
        let swap = Step::Segment { reason: Reason::BoardSwap, opening: 900_020, delta: 0 };
        assert_eq!(step(&meter, 2 * HOUR, 900_020), swap);
    }

    #[test]
    fn a_passing_zero_costs_nothing_and_bills_nothing_twice() {
        let mut meter = track(0);
        (meter.segment, meter.reason, meter.before) = (2, Reason::Reset, Some(1_000));
        let resumed = Step::Segment { reason: Reason::Resumed, opening: 1_000, delta: 7 };
        assert_eq!(step(&meter, HOUR, 1_007), resumed);
        meter.last = 998;
        assert_eq!(step(&meter, HOUR, 1_002), Step::Grown(4));
    }

    fn words<'a>(function: &'a str, color: &'a str, source: &'a str) -> Words<'a> {
        Words { function, color, size: "all", sides: "all", unit: "impressions", source }
    }

    #[test]
    fn roles_take_totals_and_of_two_truths_one() {
        let meters = [
            words("total", "all", "1.3.6.1.4.1.253.8"),
            words("total", "all", "1.3.6.1.2.1.43.10.2.1.4.1.1"),
            words("total", "mono", "1.3.6.1.4.1.1"),
            words("print", "full", "1.3.6.1.4.1.2"),
            words("copy", "full", "1.3.6.1.4.1.3"),
            words("print", "mono", "1.3.6.1.4.1.4"),
            words("scan", "all", "1.3.6.1.4.1.5"),
        ];
        let expected = [None, Some(Role::Total), Some(Role::Mono), Some(Role::Color), Some(Role::Color), None, None];
        assert_eq!(roles(&meters), expected);
        assert_eq!(
            roles(&[words("print", "all", "a"), words("copy", "all", "b")]),
            [Some(Role::Total), Some(Role::Total)]
        );
        assert_eq!(roles(&[words("print", "mono", "a"), words("print", "all", "b")]), [Some(Role::Mono), None]);
    }

    proptest! {
        #[test]
        fn usage_is_never_negative_and_sums_to_the_segments(
            values in prop::collection::vec(prop_oneof![0_i64..2_000, 0_i64..5_000_000_000, (1_i64 << 32) - 50..1_i64 << 32], 1..60),
            pause in 1_i64..100_000,
        ) {
            let mut meter = track(values[0]);
            meter.first = values[0];
            let (mut usage, mut closed) = (0_i64, 0_i64);
            for (at, value) in (1_i64..).zip(&values[1..]) {
                let at = at * pause * 1_000_000;
                match step(&meter, at, *value) {
                    Step::Grown(delta) => {
                        prop_assert!(delta >= 0);
                        usage += delta;
                        (meter.last, meter.last_at, meter.suspect) = (*value, at, None);
                    }
                    Step::Segment { reason, opening, delta } => {
                        prop_assert!((0..2_000_000_000).contains(&delta));
                        usage += delta;
                        closed += meter.last - meter.first;
                        meter = Track {
                            segment: meter.segment + 1, reason, segment_at: at, first: opening, last: *value,
                            last_at: at, before: Some(meter.last), suspect: None,
                        };
                    }
                    Step::Suspect => meter.suspect = Some((*value, at)),
                    Step::Late => prop_assert!(false, "times rise"),
                }
                prop_assert!(meter.last >= meter.first);
            }
            prop_assert_eq!(usage, closed + meter.last - meter.first);
        }
    }
}
