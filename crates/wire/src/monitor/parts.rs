//! Kinds 9, 11 to 14 and 16: versions, surroundings, service values, service browser, disks.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// Kind 9: every part of the firmware.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct RomBody {
    /// Parts in the device's order.
    #[n(0)]
    pub parts: Vec<RomVersion>,
}

/// One part of the firmware.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct RomVersion {
    /// `main`, `scan`, `print`, `feeder`, `finisher`, `fax`, `pdl`, `tray`, or the device's own word.
    #[n(0)]
    pub part: String,
    /// Version as the device writes it.
    #[n(1)]
    pub version: String,
}

/// Kind 11: surroundings since the last message of this kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct EnvironmentBody {
    /// Measurements, oldest first.
    #[n(0)]
    pub samples: Vec<EnvironmentSample>,
}

/// One measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct EnvironmentSample {
    /// When, milliseconds since 1970 by the device's clock.
    #[n(0)]
    pub at_ms: i64,
    /// Temperature, tenths of a degree Celsius.
    #[n(1)]
    pub temperature_dc: i32,
    /// Relative humidity, tenths of a percent.
    #[n(2)]
    pub humidity_pm: u32,
    /// Temperature of the fixing unit, tenths of a degree Celsius.
    #[n(3)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuser_dc: Option<i32>,
}

/// Kinds 12 and 13: values of the service menu.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct ServiceBody {
    /// Values in the menu's order.
    #[n(0)]
    pub values: Vec<ServiceValue>,
}

/// One value of the service menu.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct ServiceValue {
    /// Path in the menu (`COPIER/DISPLAY/FIXING/FIX-E`).
    #[n(0)]
    pub path: String,
    /// Value as the device writes it.
    #[n(1)]
    pub value: String,
    /// `true`: a technician set it; `false`: it was measured.
    #[n(2)]
    pub adjusted: bool,
}

/// Kind 14: the browsers of the service menu.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct BrowserBody {
    /// The service browser is on.
    #[n(0)]
    pub service: bool,
    /// The optional browser is on.
    #[n(1)]
    pub option: bool,
}

/// Kind 16: what a disk says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct SmartBody {
    /// Model of the disk.
    #[n(0)]
    pub disk: String,
    /// Hours it has run.
    #[n(1)]
    pub hours: u64,
    /// Whether the disk calls itself sound.
    #[n(2)]
    pub passed: bool,
    /// Attributes.
    #[n(3)]
    pub attributes: Vec<SmartAttribute>,
}

/// One attribute of a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct SmartAttribute {
    /// Number of the attribute (5: reallocated sectors).
    #[n(0)]
    pub id: u8,
    /// Normalised value, 1 to 253.
    #[n(1)]
    pub value: u8,
    /// Worst value so far.
    #[n(2)]
    pub worst: u8,
    /// Value at and below which the disk is about to fail.
    #[n(3)]
    pub threshold: u8,
    /// Raw value.
    #[n(4)]
    pub raw: u64,
}
