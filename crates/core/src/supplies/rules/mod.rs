//! Rules of supplies, pure: replacements here; what a device prints (`activity`), when a supply is empty (`forecast`),
//! limits (`thresholds`), what is sent (`shipments`), how parts wear (`parts`). A level without a figure never becomes one.

pub mod activity;
pub mod forecast;
pub mod parts;
pub mod shipments;
pub mod thresholds;

use wire::{Class, Level};

use super::receptacles::Direction;

/// A cartridge taken out with more than this left, per cent, was taken out too early.
pub const PREMATURE: f64 = 15.0;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
