//! Replacements and forecasts. A level without a figure never becomes one, and a forecast needs enough of a past.

use wire::{Class, Level};

use super::receptacles::Direction;

/// What of a slot decides whether its cartridge was changed.
#[derive(Clone, Copy, Debug)]
pub struct Slot<'a> {
    /// Used up or filled.
    pub class: Class,
    /// Serial of the cartridge.
    pub serial: Option<&'a str>,
    /// Its level.
    pub level: Level,
    /// What a receptacle's level means, where that is known.
    pub direction: Option<Direction>,
}

/// What tells a replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Another serial.
    Serial,
    /// The level rose as no cartridge does by itself.
    Jump,
}

impl Evidence {
    /// The word in the database and in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Serial => "serial",
            Self::Jump => "jump",
        }
    }
}

/// Whether what is fitted now is another one than before.
pub fn replaced(before: &Slot<'_>, now: &Slot<'_>) -> Option<Evidence> {
    if let (Some(old), Some(new)) = (before.serial, now.serial) {
        return (old != new).then_some(Evidence::Serial);
    }
    if now.class == Class::Other {
        return None;
    }
    let jump = match (before.level, now.level) {
        (Level::Percent { value: old }, Level::Percent { value: new }) if now.direction == Some(Direction::Fill) => {
            old - new >= 25.0 && new <= 40.0
        }
        (Level::Percent { value: old }, Level::Percent { value: new }) => new - old >= 25.0 && new >= 60.0,
        (Level::Staged { value: old, steps: a }, Level::Staged { value: new, steps: b }) => {
            a == b && a > 0 && old * 3 <= a && new == b
        }
        _ => false,
    };
    jump.then_some(Evidence::Jump)
}

/// When a supply will be empty, in days from the newest level.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Forecast {
    /// Nine times out of ten it lasts at least so long.
    pub least_days: f64,
    /// The middle.
    pub days: f64,
    /// Nine times out of ten it lasts at most so long.
    pub most_days: f64,
}

/// Levels further back than this many changes say little about today.
const POINTS: usize = 48;
const DAY: f64 = 86_400_000_000.0;

/// Days left by the median of the slopes between all pairs (Theil–Sen) of `(µs, per cent)`, oldest first, all of the
/// cartridge fitted now. `None` unless four levels over a day or more fell by three points or more.
pub fn forecast(levels: &[(i64, f64)]) -> Option<Forecast> {
    let recent = &levels[levels.len().saturating_sub(POINTS)..];
    let (first, last) = (recent.first()?, recent.last()?);
    #[expect(clippy::cast_precision_loss, reason = "µs of some days are exact in 53 bits")]
    let days = |from: i64, to: i64| (to - from) as f64 / DAY;
    if recent.len() < 4 || days(first.0, last.0) < 1.0 || first.1 - last.1 < 3.0 {
        return None;
    }
    let mut slopes: Vec<f64> = Vec::with_capacity(recent.len() * recent.len() / 2);
    for (at, a) in recent.iter().enumerate() {
        for b in &recent[at + 1..] {
            let apart = days(a.0, b.0);
            if apart >= days(first.0, last.0) / 8.0 && apart > 0.0 {
                slopes.push((a.1 - b.1) / apart);
            }
        }
    }
    slopes.sort_by(f64::total_cmp);
    let quantile = |share: usize| slopes[(slopes.len() - 1) * share / 100];
    let middle = quantile(50);
    if middle <= 0.01 {
        return None;
    }
    let left = |slope: f64| (last.1 / slope.max(0.01)).min(3_650.0);
    Some(Forecast { least_days: left(quantile(95)), days: left(middle), most_days: left(quantile(5)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slot(serial: Option<&'static str>, level: Level) -> Slot<'static> {
        Slot { class: Class::Consumed, serial, level, direction: None }
    }

    fn percent(value: f64) -> Level {
        Level::Percent { value }
    }

    #[test]
    fn a_replacement_needs_another_serial_or_a_jump() {
        assert_eq!(replaced(&slot(Some("a"), percent(4.0)), &slot(Some("b"), percent(4.0))), Some(Evidence::Serial));
        assert_eq!(replaced(&slot(Some("a"), percent(4.0)), &slot(Some("a"), percent(100.0))), None);
        assert_eq!(replaced(&slot(None, percent(4.0)), &slot(None, percent(100.0))), Some(Evidence::Jump));
        assert_eq!(replaced(&slot(None, percent(50.0)), &slot(None, percent(55.0))), None);
        assert_eq!(replaced(&slot(None, Level::Unknown), &slot(None, percent(100.0))), None);
        let staged = |value| Level::Staged { value, steps: 3 };
        assert_eq!(replaced(&slot(None, staged(0)), &slot(None, staged(3))), Some(Evidence::Jump));
        assert_eq!(replaced(&slot(None, staged(2)), &slot(None, staged(3))), None);
    }

    fn falling(days: usize, by: f64) -> Vec<(i64, f64)> {
        (0..days).map(|day| (day as i64 * 86_400_000_000, 100.0 - by * day as f64)).collect()
    }

    #[test]
    fn a_steady_fall_gives_its_days_and_one_outlier_does_not_matter() {
        let mut levels = falling(11, 5.0);
        let steady = forecast(&levels).unwrap();
        assert!((steady.days - 10.0).abs() < 0.01, "{steady:?}");
        levels[5].1 = 20.0;
        let disturbed = forecast(&levels).unwrap();
        assert!((disturbed.days - 10.0).abs() < 1.0, "{disturbed:?}");
    }

    #[test]
    fn too_little_past_gives_no_forecast() {
        assert_eq!(forecast(&[]), None);
        assert_eq!(forecast(&falling(3, 5.0)), None);
        assert_eq!(forecast(&falling(10, 0.0)), None);
        let hour: Vec<(i64, f64)> = (0..8).map(|at| (at * 1_000_000, 100.0 - at as f64)).collect();
        assert_eq!(forecast(&hour), None);
    }

    proptest! {
        #[test]
        fn the_interval_is_ordered(levels in prop::collection::vec((0_i64..60 * 86_400_000_000, 0.0_f64..100.0), 0..80)) {
            let mut levels = levels;
            levels.sort_by_key(|level| level.0);
            if let Some(found) = forecast(&levels) {
                prop_assert!(found.least_days <= found.days && found.days <= found.most_days);
                prop_assert!(found.least_days >= 0.0 && found.most_days <= 3_650.0);
            }
        }
    }
}
