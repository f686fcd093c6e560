//! The activation document: what a communication test by HTTPS would have answered, carried to a device that reaches mail
//! alone. It holds a claim code and a password, so whoever carries it keeps it like a key; `Debug` shows neither.

use std::fmt;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{
    Subject,
    hello::{GatewayKey, MailPair, Road},
    schedule::Schedule,
};

/// Media type of the document in CBOR, the form that devices read.
pub const CBOR: &str = "application/vnd.platen.activation+cbor";

/// What lets one device on a mail road make its communication test by mail.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct Activation {
    /// Version of the format: 1.
    #[n(1)]
    pub version: u8,
    /// Vendor slug of the registration.
    #[n(2)]
    pub vendor: String,
    /// Serial number as it was registered; compared without regard to case.
    #[n(3)]
    pub serial: String,
    /// [`Road::Mail`] or [`Road::MailBothWays`]; it must be the one that the device is set to.
    #[n(4)]
    pub road: Road,
    /// One-time claim code, which the device's test by mail gives back.
    #[n(5)]
    pub claim: String,
    /// Server's wall clock when the document was made, milliseconds since 1970; a later document replaces an earlier one.
    #[n(6)]
    pub server_ms: i64,
    /// The name that the device reports under.
    #[n(7)]
    pub sender: Subject,
    /// Least epoch of its messages from here on.
    #[n(8)]
    pub epoch_floor: u64,
    /// When to tell what.
    #[n(9)]
    pub schedule: Schedule,
    /// Keys of the gateway, newest first; two during a change.
    #[n(10)]
    pub keys: Vec<GatewayKey>,
    /// The registered pair of addresses.
    #[n(11)]
    pub mail: MailPair,
}

impl Activation {
    /// Whether it was made for the device of this vendor and serial number; both sides compare them alike.
    #[must_use]
    pub fn is_for(&self, vendor: &str, serial: &str) -> bool {
        let same = |one: &str, other: &str| one.trim().eq_ignore_ascii_case(other.trim());
        same(&self.vendor, vendor) && same(&self.serial, serial)
    }
}

impl fmt::Debug for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Activation")
            .field("vendor", &self.vendor)
            .field("serial", &self.serial)
            .field("road", &self.road)
            .field("server_ms", &self.server_ms)
            .field("sender", &self.sender)
            .field("epoch_floor", &self.epoch_floor)
            .field("schedule", &self.schedule.revision)
            .field("mail", &self.mail)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Activation {
        let secret = Some("open sesame".to_owned());
        Activation {
            version: 1,
            vendor: "canon".to_owned(),
            serial: "QMA00123".to_owned(),
            road: Road::Mail,
            claim: "plc_once".to_owned(),
            server_ms: 1,
            sender: Subject([1; 16]),
            epoch_floor: 1,
            schedule: Schedule::default(),
            keys: Vec::new(),
            mail: MailPair { device: "d@m".to_owned(), server: "r@m".to_owned(), secret, smtp: None, pop3: None },
        }
    }

    #[test]
    fn an_activation_document_shows_no_secret_when_debugged() {
        let shown = format!("{:?}", document());
        assert!(shown.contains("QMA00123") && !shown.contains("plc_") && !shown.contains("sesame"), "{shown}");
    }

    #[test]
    fn an_activation_document_is_for_one_serial_number_in_whatever_case() {
        let document = document();
        assert!(document.is_for("Canon", " qma00123 "));
        assert!(!document.is_for("canon", "QMA00124") && !document.is_for("ricoh", "QMA00123"));
    }
}
