//! How much of something is left. A level that the device does not state is never turned into a number.

use serde::{Deserialize, Serialize};

/// RFC 3805 levels as a sum type: only [`Level::Percent`] and [`Level::Staged`] carry a figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Level {
    /// 0..=100 per cent of the capacity; for a receptacle: the remaining space, as the device says it.
    #[n(0)]
    Percent {
        /// 0.0..=100.0
        #[n(0)]
        #[cbor(decode_with = "finite")]
        value: f64,
    },
    /// -3: there is some, but how much is not known.
    #[n(1)]
    SomeRemaining,
    /// -2, or nothing usable was said.
    #[n(2)]
    Unknown,
    /// -1: no limit is placed on this.
    #[n(3)]
    Unrestricted,
    /// One of a few coarse steps (Brother 0..3, Canon 100/10/1).
    #[n(4)]
    Staged {
        /// Step reached, counted from 0 (empty).
        #[n(0)]
        value: u32,
        /// Number of the highest step (full).
        #[n(1)]
        steps: u32,
    },
}

/// CBOR can write what is no number; JSON, databases and people cannot read it.
fn finite<C>(d: &mut minicbor::Decoder<'_>, _: &mut C) -> Result<f64, minicbor::decode::Error> {
    let at = d.position();
    let value = d.f64()?;
    let is_number = value.is_finite();
    is_number.then_some(value).ok_or_else(|| minicbor::decode::Error::message("a percentage is a finite number").at(at))
}

impl Level {
    /// The figure, where the device gave one. Staged levels have none.
    pub fn percent(self) -> Option<f64> {
        match self {
            Self::Percent { value } => Some(value),
            _ => None,
        }
    }

    /// `percent`, `some_remaining`, `unknown`, `unrestricted` or `staged`.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Percent { .. } => "percent",
            Self::SomeRemaining => "some_remaining",
            Self::Unknown => "unknown",
            Self::Unrestricted => "unrestricted",
            Self::Staged { .. } => "staged",
        }
    }
}

/// The three numbers behind a level, exactly as the device said them; `None` where it did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct RawLevel {
    /// PrtMarkerSuppliesSupplyUnitTC or PrtCapacityUnitTC (RFC 3805).
    #[n(0)]
    pub unit: Option<i64>,
    /// Capacity; negative values are RFC 3805 sentinels.
    #[n(1)]
    pub max: Option<i64>,
    /// Level; negative values are RFC 3805 sentinels.
    #[n(2)]
    pub level: Option<i64>,
}
