//! The kinds of doubts.

use serde::{Deserialize, Serialize};

use crate::meters::Reason;

/// What is doubted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A counter began again near zero.
    Reset,
    /// It fell by little and went on from there.
    SetBack,
    /// It fell and went on from another value.
    BoardSwap,
    /// It rose by more than can be printed.
    Jump,
    /// It wrapped at 31 or 32 bits, it is assumed.
    Wrap,
    /// Wrong values for a while, then the old count went on, it is assumed.
    PassingFault,
    /// Another unit answers where one was expected.
    DeviceSwap,
    /// Two sources show one serial number.
    DoubledSerial,
    /// Two agents read one device.
    TwoAgents,
    /// Two totals of one device grow apart.
    ConflictingTotals,
}

/// What a decision about a kind of doubt changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// How a counter is reckoned.
    Counter,
    /// Which device is which.
    Identity,
    /// Which of two counters is billed.
    Totals,
}

impl Family {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Identity => "identity",
            Self::Totals => "totals",
        }
    }
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::Reset,
        Self::SetBack,
        Self::BoardSwap,
        Self::Jump,
        Self::Wrap,
        Self::PassingFault,
        Self::DeviceSwap,
        Self::DoubledSerial,
        Self::TwoAgents,
        Self::ConflictingTotals,
    ];

    /// Their words, in the same order.
    pub const WORDS: [&'static str; 10] = [
        "reset",
        "set_back",
        "board_swap",
        "jump",
        "wrap",
        "passing_fault",
        "device_swap",
        "doubled_serial",
        "two_agents",
        "conflicting_totals",
    ];

    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    /// The kind for a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// What a decision changes.
    pub fn family(self) -> Family {
        match self {
            Self::DeviceSwap | Self::DoubledSerial | Self::TwoAgents => Family::Identity,
            Self::ConflictingTotals => Family::Totals,
            _ => Family::Counter,
        }
    }

    /// The kind for what a counter did.
    pub(crate) fn of(cause: Reason) -> Self {
        match cause {
            Reason::Rollover => Self::Wrap,
            Reason::SetBack => Self::SetBack,
            Reason::BoardSwap => Self::BoardSwap,
            Reason::Jump => Self::Jump,
            Reason::Resumed => Self::PassingFault,
            Reason::Reset | Reason::Start | Reason::Manual => Self::Reset,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_in_the_order_of_the_kinds() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_word(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
