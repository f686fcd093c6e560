//! The ready file of `platen vmfp`: which devices listen where.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// `{"devices":[{"address","serial","model","ports":{…}}]}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadyFile {
    /// In order of their addresses.
    pub devices: Vec<DeviceInfo>,
}

/// One device that listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// Loopback address.
    pub address: Ipv4Addr,
    /// Serial number; empty where a walk has none.
    pub serial: String,
    /// Model.
    pub model: String,
    /// Vendor slug; empty for walks.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub vendor: String,
    /// Open ports by protocol: `snmp`, `http`.
    pub ports: BTreeMap<String, u16>,
}
