//! What a device is: brand, model, serial, and the attributes that people and networks know it by.

use serde::{Deserialize, Serialize};

/// Identity is (vendor, serial); everything else is an attribute that may change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Identity {
    /// Lower-case slug of the brand on the device (`ricoh`, `konica-minolta`); `None` when nothing tells it.
    #[n(0)]
    pub vendor: Option<String>,
    /// Model as the maker writes it, without the vendor's name where that stands apart.
    #[n(1)]
    pub model: Option<String>,
    /// Serial number as the device says it, trimmed.
    #[n(2)]
    pub serial: Option<String>,
    /// sysName.
    #[n(3)]
    pub name: Option<String>,
    /// Host name, where another source than sysName gives one.
    #[n(4)]
    pub hostname: Option<String>,
    /// sysLocation.
    #[n(5)]
    pub location: Option<String>,
    /// sysContact.
    #[n(6)]
    pub contact: Option<String>,
    /// First hardware address, `aa:bb:cc:dd:ee:ff`.
    #[n(7)]
    pub mac: Option<String>,
    /// sysObjectID in dotted form, no leading dot.
    #[n(8)]
    pub sys_object_id: Option<String>,
    /// sysDescr.
    #[n(9)]
    pub description: Option<String>,
    /// Firmware parts with their versions.
    #[n(10)]
    pub firmware: Vec<Component>,
    /// snmpEngineID in lower-case hex, where the device tells one.
    #[n(11)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_id: Option<String>,
}

/// One firmware part of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Component {
    /// Part name, `system` for the whole.
    #[n(0)]
    pub name: String,
    /// Version as the device says it.
    #[n(1)]
    pub version: String,
}
