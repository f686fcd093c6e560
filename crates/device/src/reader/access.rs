//! How to reach a device, and what is remembered of it between readings.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use snmp::Oid;
use wire::plan::SnmpCredential;
use wire::{Reading, SnmpVersion};

use super::poll::vital_objects;
use super::proof::BulkTrust;
use crate::identity::{Makers, two_serials};
use crate::snapshot::Snapshot;
use crate::standard::{host, oid};

/// How to reach one device.
#[derive(Clone, Debug)]
pub struct Access {
    /// Address and UDP port.
    pub address: SocketAddr,
    /// Tried in this order, one after the other.
    pub credentials: Vec<SnmpCredential>,
    /// Only this version; `None`: communities in v2c, then in v1.
    pub version: Option<SnmpVersion>,
    /// Only this SNMP context (v1 and v2c: community `NAME@CONTEXT`).
    pub context: Option<String>,
    /// Longest time for the device as a whole.
    pub timeout: Duration,
}

impl Access {
    /// The usual way in: community `public`, 5 s.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            credentials: vec![SnmpCredential::community("public")],
            version: None,
            context: None,
            timeout: Duration::from_secs(5),
        }
    }
}

/// What an earlier reading learnt, so that the next one asks less. Holds no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Known {
    /// The version that worked; `None`: nothing is known yet.
    pub version: Option<SnmpVersion>,
    /// Place of the credential that worked.
    pub credential: usize,
    /// What became of asking in a second context.
    pub context: Context,
    /// Whether values of GETBULK may be believed.
    pub bulk: BulkTrust,
    /// Brand, which chooses the profile.
    pub vendor: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// Its standard object tells one serial number, and its maker's own another one.
    pub two_serials: bool,
    /// hrDeviceIndex of the printer; 0: not known.
    pub printer: u32,
    /// Index of the first marker behind the printer's.
    pub marker: u32,
    /// Which of the five objects of the cheap poll the device has, first one lowest bit.
    pub vitals: u8,
    /// When the device started, milliseconds since 1970, by our clock.
    pub boot_ms: Option<i64>,
}

/// What became of asking an HP device in its second context.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Context {
    /// Not asked yet, or not needed.
    #[default]
    Untried,
    /// Asked once, no answer.
    Silent,
    /// It says more in this one.
    Answers(String),
}

impl Known {
    /// Of a device that tells two serial numbers, one of which goes unanswered for once: it is called by the other one
    /// never, but by none.
    pub(super) fn settle_serial(&mut self, said: &Snapshot, makers: &Makers, reading: &mut Reading) {
        let is_same = (&self.vendor, &self.model) == (&reading.identity.vendor, &reading.identity.model);
        match two_serials(said, makers) {
            [Some(first), Some(second)] => self.two_serials = first != second,
            [None, _] if self.two_serials && is_same => {
                reading.identity.serial = None;
                reading.quirks.push("serial-number-not-told".to_owned());
                reading.quirks.sort();
            }
            // The number that counts was told, and nobody knows of the other one.
            [Some(_), None] => {}
            _ => self.two_serials = false,
        }
    }

    /// Takes over what a full reading showed.
    pub(super) fn learn(&mut self, said: &Snapshot, reading: &Reading) {
        self.vendor.clone_from(&reading.identity.vendor);
        self.model.clone_from(&reading.identity.model);
        self.printer = host::printer_index(said);
        let first_marker = said.column(&oid::MARKER).find_map(|(index, _)| match index[..] {
            [_, printer, marker] if printer == self.printer => Some(marker),
            _ => None,
        });
        self.marker = first_marker.unwrap_or(1);
        self.vitals = 0;
        for (place, object) in vital_objects(self).iter().enumerate() {
            self.vitals |= u8::from(said.get(object as &Oid).is_some()) << place;
        }
    }
}
