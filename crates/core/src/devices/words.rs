//! The words of a device: how it stands (status vocabulary), whether we hear it, and its id.
//! `Word` is what people read; `Comm` is about the line between us and never mixed into the device's own state.

use serde::{Deserialize, Serialize};

crate::id!(
    /// A device of an organisation.
    DeviceId,
    "device"
);

/// The status vocabulary, in the order in which lists show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// Cannot go on without a person.
    Stopped,
    /// Not heard for long, or its agent cannot reach it.
    NotSeen,
    /// Goes on, but will want a person.
    Attention,
    /// Prints, copies or scans.
    Printing,
    /// On its way to ready.
    WarmingUp,
    /// Ready.
    Ready,
    /// Saves power.
    Asleep,
    /// Nothing usable is known now.
    Unknown,
}

impl Word {
    /// All words in order of rank.
    pub const ALL: [Self; 8] = [
        Self::Stopped,
        Self::NotSeen,
        Self::Attention,
        Self::Printing,
        Self::WarmingUp,
        Self::Ready,
        Self::Asleep,
        Self::Unknown,
    ];

    /// Sort rank, 0 (stopped) to 7 (unknown).
    pub fn rank(self) -> i64 {
        self as i64
    }

    /// Key in filters and addresses: `not-seen`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::NotSeen => "not-seen",
            Self::Attention => "attention",
            Self::Printing => "printing",
            Self::WarmingUp => "warming-up",
            Self::Ready => "ready",
            Self::Asleep => "asleep",
            Self::Unknown => "unknown",
        }
    }

    /// As people read it: `Not seen`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Stopped => "Stopped",
            Self::NotSeen => "Not seen",
            Self::Attention => "Attention",
            Self::Printing => "Printing",
            Self::WarmingUp => "Warming up",
            Self::Ready => "Ready",
            Self::Asleep => "Asleep",
            Self::Unknown => "Unknown",
        }
    }

    /// The word for a key; unknown keys read as [`Word::Unknown`].
    pub fn from_key(key: &str) -> Self {
        Self::ALL.into_iter().find(|word| word.key() == key).unwrap_or(Self::Unknown)
    }
}

/// Whether we hear a device (model.md §3, communication).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comm {
    /// Heard within its period.
    Reporting,
    /// A message is due and did not come.
    Late,
    /// Not heard for long, though its agent lives.
    Silent,
    /// Its agent says that it does not answer.
    Unreachable,
    /// Its agent is off line: nothing can be said about the device.
    UnknownPath,
}

impl Comm {
    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reporting => "reporting",
            Self::Late => "late",
            Self::Silent => "silent",
            Self::Unreachable => "unreachable",
            Self::UnknownPath => "unknown_path",
        }
    }

    /// The value for a word; anything else reads as [`Comm::UnknownPath`].
    pub fn from_word(word: &str) -> Self {
        match word {
            "reporting" => Self::Reporting,
            "late" => Self::Late,
            "silent" => Self::Silent,
            "unreachable" => Self::Unreachable,
            _ => Self::UnknownPath,
        }
    }
}

/// One supply as a list shows it: a letter and a level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SupplyBrief {
    /// Slot, as `1.3`.
    pub index: String,
    /// C, M, Y, K, W (waste) or the first letter of what it is.
    pub letter: char,
    /// `toner`, `ink-cartridge`, `waste-toner`, `opc`, …
    pub kind: String,
    /// Colorant, where there is one.
    pub color: Option<String>,
    /// consumed, receptacle or other.
    pub class: wire::Class,
    /// What the device states; never a number that it did not give.
    pub level: wire::Level,
    /// How full a waste box is, per cent, once its model has shown which way its level runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filled: Option<f64>,
}
