//! Where paper comes from, where it goes, and the doors on its way.

use serde::{Deserialize, Serialize};

use super::{Level, RawLevel};

/// An input tray (prtInputTable).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Input {
    /// `hrDeviceIndex.prtInputIndex`, as `1.1`.
    #[n(0)]
    pub index: String,
    /// Tray name as the device calls it.
    #[n(1)]
    pub name: Option<String>,
    /// Media as the device names it, a PWG self-describing name where it gives one.
    #[n(2)]
    pub media: Option<String>,
    /// How full the tray is.
    #[n(3)]
    pub level: Level,
    /// The numbers behind the level.
    #[n(4)]
    #[serde(default)]
    pub raw: RawLevel,
}

/// An output bin (prtOutputTable).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Output {
    /// `hrDeviceIndex.prtOutputIndex`, as `1.1`.
    #[n(0)]
    pub index: String,
    /// Bin name as the device calls it.
    #[n(1)]
    pub name: Option<String>,
    /// Remaining space (RFC 3805 counts output levels downwards).
    #[n(2)]
    pub level: Level,
    /// The numbers behind the level.
    #[n(3)]
    #[serde(default)]
    pub raw: RawLevel,
}

/// A cover, door or interlock (prtCoverTable).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Cover {
    /// `hrDeviceIndex.prtCoverIndex`, as `1.1`.
    #[n(0)]
    pub index: String,
    /// Cover name as the device calls it.
    #[n(1)]
    pub name: Option<String>,
    /// `Some(true)` open, `Some(false)` closed, `None` when the device does not tell.
    #[n(2)]
    pub open: Option<bool>,
}
