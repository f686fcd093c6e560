//! Orders to one device or agent: signed by the gateway, of one use, soon over; and the answers to them.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{Subject, hello::GatewayKey, monitor::Kind, schedule::Schedule};

/// Longest life of an order, milliseconds: seven days.
pub const MAX_LIFE_MS: i64 = 7 * 24 * 3_600 * 1_000;

/// A signed order. Whoever it names checks the signature, the name and the time, and executes an id at most once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct Command {
    /// The order itself, as the bytes that were signed: CBOR of [`Order`].
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    #[serde(with = "crate::base64url")]
    pub order: Vec<u8>,
    /// Which key of the gateway signed.
    #[n(2)]
    pub key: u32,
    /// Ed25519 over [`Command::signing_input`], 64 bytes.
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    #[serde(with = "crate::base64url")]
    pub signature: Vec<u8>,
}

impl Command {
    /// What is signed: a word that no other signature of ours begins with, then the order's bytes.
    pub fn signing_input(order: &[u8]) -> Vec<u8> {
        [b"platen-command-v1\n".as_slice(), order].concat()
    }
}

/// What one device or agent shall do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct Order {
    /// Name of this order, for ever.
    #[n(1)]
    pub id: Subject,
    /// The only one who may execute it.
    #[n(2)]
    pub target: Subject,
    /// When it was signed, milliseconds since 1970.
    #[n(3)]
    pub issued_ms: i64,
    /// From then on it is refused; at most [`MAX_LIFE_MS`] after `issued_ms`.
    #[n(4)]
    pub expires_ms: i64,
    /// The device that an agent shall do it for; `None`: the target itself.
    #[n(5)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// What is to be done.
    #[n(6)]
    pub what: What,
}

/// Things that can be ordered. A word that a device does not know is answered with [`Taken::Refused`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Tell these kinds now; an empty list: all that are told regularly.
    #[n(1)]
    ReportNow(#[n(0)] Vec<Kind>),
    /// Follow this schedule.
    #[n(2)]
    Schedule(#[n(0)] Schedule),
    /// Upload the debug log now.
    #[n(3)]
    SendLog,
    /// Know these keys of the gateway from now on, and no others; newest first.
    #[n(4)]
    Keys(#[n(0)] Vec<GatewayKey>),
}

/// `POST /d/v1/ack`: what became of orders.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct Acks {
    /// 1 to 64 answers.
    #[n(1)]
    pub acks: Vec<Ack>,
}

/// The answer to one order; saying it again changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct Ack {
    /// The order's id.
    #[n(1)]
    pub id: Subject,
    /// What became of it.
    #[n(2)]
    pub taken: Taken,
    /// For people, at most 500 bytes.
    #[n(3)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "snake_case")]
#[cbor(index_only)]
pub enum Taken {
    /// Done.
    #[n(1)]
    Done,
    /// Tried, and it did not work.
    #[n(2)]
    Failed,
    /// Not tried: not mine, over, a wrong signature, or nothing I can do.
    #[n(3)]
    Refused,
    /// Not now, ask again: a job is running, a person is at the panel.
    #[n(4)]
    NotNow,
}
