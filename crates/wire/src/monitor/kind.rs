//! The sixteen kinds by number: what starts each, how often, and how large it may be (gateway.md §1.1).

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

const HOUR: u32 = 3_600;
const DAY: u32 = 24 * HOUR;
const KB: u32 = 1_024;

/// A kind of message that a device or its collector tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "kebab-case")]
#[cbor(index_only)]
#[repr(u8)]
pub enum Kind {
    /// A fault that wants a technician.
    #[n(1)]
    Error = 1,
    /// Paper that is stuck.
    #[n(2)]
    Jam = 2,
    /// A sign of trouble to come, of level 1 to 3.
    #[n(3)]
    Alarm = 3,
    /// Identity and present condition.
    #[n(4)]
    Status = 4,
    /// Counters that bills are made from.
    #[n(5)]
    Billing = 5,
    /// Counters by size and colour.
    #[n(6)]
    Detailed = 6,
    /// Use of each part.
    #[n(7)]
    Parts = 7,
    /// Use of each mode of operation.
    #[n(8)]
    Modes = 8,
    /// Versions of the firmware's parts.
    #[n(9)]
    Rom = 9,
    /// Log for the analysis of faults.
    #[n(10)]
    DebugLog = 10,
    /// Temperature, humidity.
    #[n(11)]
    Environment = 11,
    /// All values of the service menu.
    #[n(12)]
    ServiceAll = 12,
    /// Measured values of the service menu.
    #[n(13)]
    ServiceDisplay = 13,
    /// Whether the service browser is on.
    #[n(14)]
    Browser = 14,
    /// The question whether something waits for the device.
    #[n(15)]
    Inquiry = 15,
    /// Self-diagnosis of the disk.
    #[n(16)]
    Smart = 16,
}

/// What makes a sender tell a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// As soon as it happens.
    Event,
    /// When the condition differs from the one told last.
    Change,
    /// Once in so many seconds, in the slot that the server gave.
    Every(u32),
    /// When the log has grown by so many bytes.
    LogBytes(u32),
    /// When the log has grown by so many lines.
    LogLines(u32),
    /// Once, with the first communication test or registration.
    First,
    /// When a person asks for it at the device.
    Click,
}

impl Kind {
    /// All kinds by number.
    pub const ALL: [Self; 16] = [
        Self::Error,
        Self::Jam,
        Self::Alarm,
        Self::Status,
        Self::Billing,
        Self::Detailed,
        Self::Parts,
        Self::Modes,
        Self::Rom,
        Self::DebugLog,
        Self::Environment,
        Self::ServiceAll,
        Self::ServiceDisplay,
        Self::Browser,
        Self::Inquiry,
        Self::Smart,
    ];

    /// Number on the wire, 1 to 16.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind of a number.
    pub fn of_number(number: u64) -> Option<Self> {
        usize::try_from(number).ok().and_then(|n| n.checked_sub(1)).and_then(|n| Self::ALL.get(n).copied())
    }

    /// What makes a device tell it, if the server has not said otherwise.
    pub const fn of_device(self) -> Trigger {
        match self {
            Self::Error | Self::Jam | Self::Alarm | Self::ServiceDisplay => Trigger::Event,
            Self::Status => Trigger::Change,
            Self::Billing | Self::Detailed | Self::Parts => Trigger::Every(16 * HOUR),
            Self::Modes => Trigger::Every(25 * DAY),
            Self::Rom => Trigger::Every(7 * DAY),
            Self::DebugLog => Trigger::LogBytes(512 * KB),
            Self::Environment | Self::Inquiry => Trigger::Every(12 * HOUR),
            Self::ServiceAll => Trigger::First,
            Self::Browser => Trigger::Click,
            Self::Smart => Trigger::Every(30 * DAY),
        }
    }

    /// What makes a collector tell it of a device that it reads.
    pub const fn of_collector(self) -> Trigger {
        match self {
            Self::Billing | Self::Detailed => Trigger::Every(12 * HOUR),
            Self::Modes => Trigger::Every(7 * DAY),
            Self::DebugLog => Trigger::LogLines(512),
            other => other.of_device(),
        }
    }

    /// Largest body that the server takes, bytes before compression: twice the larger figure of the seed.
    pub const fn budget_bytes(self) -> u32 {
        KB * match self {
            Self::Error | Self::Jam | Self::Alarm | Self::Status | Self::Smart => 10,
            Self::Billing => 1_946,
            Self::Detailed => 144,
            Self::Parts => 210,
            Self::Modes => 338,
            Self::Rom => 16,
            Self::DebugLog => 490,
            Self::Environment => 40,
            Self::ServiceAll => 870,
            Self::ServiceDisplay => 254,
            Self::Browser => 6,
            Self::Inquiry => 4,
        }
    }

    /// Kinds that are told at once and get one early retry.
    pub const fn is_urgent(self) -> bool {
        matches!(self, Self::Error | Self::Jam | Self::Alarm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_name_kinds_and_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of_number(u64::from(kind.number())), Some(kind));
        }
        assert_eq!((Kind::of_number(0), Kind::of_number(17), Kind::of_number(u64::MAX)), (None, None, None));
    }

    #[test]
    fn timings_are_those_of_the_table() {
        assert_eq!(Kind::Billing.of_device(), Trigger::Every(57_600));
        assert_eq!(Kind::Billing.of_collector(), Trigger::Every(43_200));
        assert_eq!(Kind::Modes.of_device(), Trigger::Every(2_160_000));
        assert_eq!(Kind::DebugLog.of_device(), Trigger::LogBytes(524_288));
        assert_eq!(Kind::Billing.budget_bytes(), 1_992_704);
    }
}
