//! The communication test: a device names itself, proves its claim, and learns when to tell what (gateway.md §4.3).

use std::fmt;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{Subject, command::Command, monitor::Kind, schedule::Schedule};

/// Roads between a device and the server (seed 000).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "kebab-case")]
#[cbor(index_only)]
pub enum Road {
    /// The device posts; answers ride on the same connection.
    #[n(1)]
    Https,
    /// The server also calls the device's own listener.
    #[n(2)]
    HttpsBothWays,
    /// The device sends mail.
    #[n(3)]
    Mail,
    /// The device also fetches mail by POP3.
    #[n(4)]
    MailBothWays,
}

impl Road {
    /// Whether a device on this road reports by mail.
    #[must_use]
    pub const fn is_mail(self) -> bool {
        matches!(self, Self::Mail | Self::MailBothWays)
    }
}

/// `POST /d/v1/hello`, signed with the key that it carries; by mail the same in an envelope ([`crate::Activation`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct Hello {
    /// Version of the format: 1.
    #[n(1)]
    pub version: u8,
    /// Vendor slug (`canon`).
    #[n(2)]
    pub vendor: String,
    /// Serial number as on the rating plate.
    #[n(3)]
    pub serial: String,
    /// Model.
    #[n(4)]
    pub model: String,
    /// Ed25519 public key of the device, 32 bytes.
    #[n(5)]
    #[cbor(with = "minicbor::bytes")]
    #[serde(with = "crate::base64url")]
    pub key: Vec<u8>,
    /// One-time claim code that the provider got when the serial was registered; needed for a key the server does not know.
    #[n(6)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// The road that the device is set to.
    #[n(7)]
    pub road: Road,
    /// Kinds that it can tell.
    #[n(8)]
    pub kinds: Vec<Kind>,
    /// Its wall clock, milliseconds since 1970.
    #[n(9)]
    pub clock_ms: i64,
    /// Its monotonic clock, milliseconds.
    #[n(10)]
    pub mono_ms: u64,
    /// Version of its firmware.
    #[n(11)]
    pub firmware: String,
    /// Hardware address of its network card.
    #[n(12)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// Where its own listener is, for [`Road::HttpsBothWays`]: an https URL without path.
    #[n(13)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<String>,
    /// P-256 public key that mail to the device is sealed for, 65 bytes (SEC 1, uncompressed); devices that fetch mail have one.
    #[n(14)]
    #[cbor(default, with = "minicbor::bytes")]
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::base64url::optional")]
    pub seal: Option<Vec<u8>>,
}

/// The answer to an accepted [`Hello`]; all others get the same 403.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct HelloReply {
    /// Version of the format: 1.
    #[n(1)]
    pub version: u8,
    /// Server's wall clock, milliseconds since 1970.
    #[n(2)]
    pub server_ms: i64,
    /// The name that the device reports under.
    #[n(3)]
    pub sender: Subject,
    /// Least epoch of its messages: higher than all that the server has seen of it.
    #[n(4)]
    pub epoch_floor: u64,
    /// When to tell what.
    #[n(5)]
    pub schedule: Schedule,
    /// Keys that sign orders, newest first; two during a change.
    #[n(6)]
    pub keys: Vec<GatewayKey>,
    /// Addresses for the mail roads; `None` where the server has no mail door.
    #[n(7)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<MailPair>,
}

/// A public key of the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct GatewayKey {
    /// Its number.
    #[n(1)]
    pub id: u32,
    /// Ed25519 public key that checks orders, 32 bytes.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    #[serde(with = "crate::base64url")]
    pub verify: Vec<u8>,
    /// P-256 public key that mail is sealed for, 65 bytes (SEC 1, uncompressed).
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    #[serde(with = "crate::base64url")]
    pub seal: Vec<u8>,
}

/// The registered pair of addresses of one device; mail with any other is refused. `Debug` shows no password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct MailPair {
    /// What the device sends from and fetches as.
    #[n(1)]
    pub device: String,
    /// What it sends to.
    #[n(2)]
    pub server: String,
    /// Password of the mailbox that it fetches from, and of the server that it sends by if that wants one.
    #[n(3)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Where it sends: `smtp://host:port` (STARTTLS is required) or `smtps://host:port`; `None`: its own setting.
    #[n(4)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smtp: Option<String>,
    /// Where it fetches: `pop3://host:port` (STLS is required) or `pop3s://host:port`; `None`: its own setting.
    #[n(5)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pop3: Option<String>,
}

impl fmt::Debug for MailPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailPair")
            .field("device", &self.device)
            .field("server", &self.server)
            .field("smtp", &self.smtp)
            .field("pop3", &self.pop3)
            .finish_non_exhaustive()
    }
}

/// `GET /d/v1/poll`: everything that waits for the device; 304 when nothing does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct PollReply {
    /// Server's wall clock, milliseconds since 1970.
    #[n(1)]
    pub server_ms: i64,
    /// Orders, oldest first.
    #[n(2)]
    pub commands: Vec<Command>,
    /// A newer schedule than the one that the device follows.
    #[n(3)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
}
