//! One device as it was read at one moment: the document that `platen read --json` prints (contracts.md).
//! Nothing in it is invented: what a device does not say is `None`, or a [`Level`] without a number.

mod alert;
mod identity;
mod level;
mod meter;
mod paper;
mod status;
mod supply;

pub use alert::{Alert, AlertSeverity};
pub use identity::{Component, Identity};
pub use level::{Level, RawLevel};
pub use meter::{ColorMode, Function, Meter, PaperSize, Sides, Unit};
pub use paper::{Cover, Input, Output};
pub use status::{State, Status};
pub use supply::{Class, Supply};

use serde::{Deserialize, Serialize};

/// The SNMP version that a device answered in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[serde(rename_all = "lowercase")]
#[cbor(index_only)]
pub enum SnmpVersion {
    /// RFC 1157.
    #[n(0)]
    V1,
    /// RFC 3416 with communities.
    #[n(1)]
    V2c,
    /// RFC 3414, user-based security.
    #[n(3)]
    V3,
}

impl SnmpVersion {
    /// `v1`, `v2c` or `v3`, as the contract prints it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2c => "v2c",
            Self::V3 => "v3",
        }
    }
}

/// All that one reading of one device gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Reading {
    /// The address that was read, without port.
    #[n(0)]
    pub address: String,
    /// UDP port of the device's SNMP agent.
    #[n(1)]
    pub port: u16,
    /// Version that the device answered in.
    #[n(2)]
    pub snmp: SnmpVersion,
    /// What the device is.
    #[n(3)]
    pub identity: Identity,
    /// How the device is.
    #[n(4)]
    pub status: Status,
    /// What the device has done.
    #[n(5)]
    pub meters: Vec<Meter>,
    /// What it uses up and what it fills.
    #[n(6)]
    pub supplies: Vec<Supply>,
    /// Trays that paper comes from.
    #[n(7)]
    pub inputs: Vec<Input>,
    /// Bins that paper goes to.
    #[n(8)]
    pub outputs: Vec<Output>,
    /// Doors, covers and interlocks.
    #[n(9)]
    pub covers: Vec<Cover>,
    /// Conditions that stand now.
    #[n(10)]
    pub alerts: Vec<Alert>,
    /// Names of device faults that were worked around while reading.
    #[n(11)]
    pub quirks: Vec<String>,
}
