//! Level, capacity and unit (RFC 3805) to a sum type. Nothing here makes a number that the device did not say.

use wire::{Level, RawLevel};

use crate::profile::StagedLevels;

/// PrtMarkerSuppliesSupplyUnitTC percent.
pub const UNIT_PERCENT: i64 = 19;
/// How far over its stated capacity a supply may be and still count as full: fresh cartridges and trays are filled a
/// little beyond nominal. Beyond this the two numbers do not belong together.
const OVERFILL: f64 = 1.05;

/// What a level was read as, and whether the device contradicted itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// The level.
    pub level: Level,
    /// The device said more than its own capacity, and too much more to be a full one.
    pub above_capacity: bool,
}

/// Judges the three numbers. `staged` holds the vendor's coarse steps that fit this device, if any.
pub fn judge(raw: RawLevel, staged: Option<&StagedLevels>) -> Judged {
    let sure = |level| Judged { level, above_capacity: false };
    let Some(level) = raw.level else { return sure(Level::Unknown) };
    if let Some(step) = staged.and_then(|steps| steps.step(level, raw.max)) {
        return sure(step);
    }
    match level {
        -1 => sure(Level::Unrestricted),
        -3 => sure(Level::SomeRemaining),
        ..0 => sure(Level::Unknown),
        _ => match capacity(raw) {
            Some(capacity) => share(level as f64, capacity as f64),
            None => sure(Level::Unknown),
        },
    }
}

/// The capacity that a level is measured against; unit per cent needs none.
fn capacity(raw: RawLevel) -> Option<i64> {
    match raw.max {
        Some(max) if max > 0 => Some(max),
        _ if raw.unit == Some(UNIT_PERCENT) => Some(100),
        _ => None,
    }
}

fn share(level: f64, capacity: f64) -> Judged {
    let share = level / capacity;
    match share {
        ..=1.0 => Judged { level: Level::Percent { value: round(share * 100.0) }, above_capacity: false },
        ..=OVERFILL => Judged { level: Level::Percent { value: 100.0 }, above_capacity: false },
        _ => Judged { level: Level::Unknown, above_capacity: true },
    }
}

/// Two decimals: more would be noise of the division.
fn round(percent: f64) -> f64 {
    (percent * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(unit: impl Into<Option<i64>>, max: impl Into<Option<i64>>, level: impl Into<Option<i64>>) -> Level {
        judge(RawLevel { unit: unit.into(), max: max.into(), level: level.into() }, None).level
    }

    #[test]
    fn level_sentinels() {
        assert_eq!(level(None, 100, -3), Level::SomeRemaining);
        assert_eq!(level(None, 100, -2), Level::Unknown);
        assert_eq!(level(None, 100, -1), Level::Unrestricted);
        assert_eq!(level(None, 100, -100), Level::Unknown);
        assert_eq!(level(None, 100, None), Level::Unknown);
        assert_eq!(level(19, 100, -3), Level::SomeRemaining, "per cent has sentinels too");
        for max in [None, Some(0), Some(-1), Some(-2)] {
            assert_eq!(level(None, max, 100), Level::Unknown, "capacity {max:?} measures nothing");
            assert_eq!(level(7, max, 0), Level::Unknown);
            assert_eq!(level(None, max, -3), Level::SomeRemaining);
        }
        assert_eq!(level(None, 45_000, 22_050), Level::Percent { value: 49.0 });
        assert_eq!(level(None, 100, 0), Level::Percent { value: 0.0 });
    }

    #[test]
    fn level_sentinels_above_capacity() {
        assert_eq!(level(None, 100, 101), Level::Percent { value: 100.0 });
        assert_eq!(level(8, 500, 510), Level::Percent { value: 100.0 });
        let wrong = judge(RawLevel { unit: Some(19), max: Some(100), level: Some(150) }, None);
        assert_eq!(wrong, Judged { level: Level::Unknown, above_capacity: true });
    }

    #[test]
    fn level_sentinels_of_staged_vendors() {
        let brother = StagedLevels { models: vec![], capacity_unknown: true, steps: vec![2, 3, 1, 0] };
        let read =
            |max, level| judge(RawLevel { unit: None, max: Some(max), level: Some(level) }, Some(&brother)).level;
        assert_eq!(read(-2, 0), Level::Staged { value: 3, steps: 3 });
        assert_eq!(read(-2, 2), Level::Staged { value: 0, steps: 3 });
        assert_eq!(read(-2, 40), Level::Unknown);
        assert_eq!(read(-2, -3), Level::SomeRemaining);
        assert_eq!(read(12_000, 3), Level::Percent { value: 0.03 }, "with a capacity it is a measure");
        let canon = StagedLevels { models: vec![], capacity_unknown: false, steps: vec![1, 10, 100] };
        let read = |level| judge(RawLevel { unit: Some(19), max: Some(100), level: Some(level) }, Some(&canon)).level;
        assert_eq!(read(10), Level::Staged { value: 1, steps: 2 });
        assert_eq!(read(70), Level::Percent { value: 70.0 });
    }

    #[test]
    fn units() {
        for unit in [3, 4, 7, 8, 11, 12, 13, 14, 15, 18] {
            assert_eq!(level(unit, 200, 50), Level::Percent { value: 25.0 }, "unit {unit}");
            assert_eq!(level(unit, -2, 50), Level::Unknown, "unit {unit} without capacity");
        }
        assert_eq!(level(19, -2, 42), Level::Percent { value: 42.0 });
        assert_eq!(level(19, None, 42), Level::Percent { value: 42.0 });
        assert_eq!(level(19, 200, 50), Level::Percent { value: 25.0 }, "a stated capacity wins");
        assert_eq!(level(19, -2, 142), Level::Unknown);
    }
}
