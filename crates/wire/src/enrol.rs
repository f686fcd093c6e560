//! First contact of an agent: a one-time token buys it a name; from then on it signs with a key of its own.

use serde::{Deserialize, Serialize};

use crate::{Subject, plan::AgentPlan};

/// `POST /d/v1/enrol`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct EnrolRequest {
    /// The secret part of the one-time token.
    #[n(1)]
    pub token: String,
    /// Ed25519 public key, 32 bytes, that the agent will sign each request with.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    #[serde(with = "crate::base64url")]
    pub public_key: Vec<u8>,
    /// Host name of the agent's machine, shown to people.
    #[n(3)]
    pub name: String,
    /// Version of the program.
    #[n(4)]
    pub version: String,
}

/// The answer to [`EnrolRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct EnrolReply {
    /// The name that the agent reports under.
    #[n(1)]
    pub agent: Subject,
    /// Organisation it belongs to, for the log.
    #[n(2)]
    pub organisation: String,
    /// What it shall do.
    #[n(3)]
    pub plan: AgentPlan,
}

/// A one-time token as people copy it: `<secret>.<first 16 bytes of the SHA-256 of the gateway's CA certificate, hex>`.
/// The agent trusts the gateway that the person who made the token trusts, and no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolToken {
    /// What the server checks.
    pub secret: String,
    /// What the agent checks; `None` for a gateway behind a certificate that the system trusts.
    pub ca_pin: Option<[u8; 16]>,
}

impl EnrolToken {
    /// Reads a token as people paste it; blanks around it do not matter.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (secret, pin) = match text.split_once('.') {
            Some((secret, pin)) => (secret, Some(u128::from_str_radix(pin, 16).ok()?.to_be_bytes())),
            None => (text, None),
        };
        (!secret.is_empty()).then(|| Self { secret: secret.to_owned(), ca_pin: pin })
    }

    /// Writes what [`EnrolToken::parse`] reads.
    pub fn to_text(&self) -> String {
        match self.ca_pin {
            Some(pin) => format!("{}.{:032x}", self.secret, u128::from_be_bytes(pin)),
            None => self.secret.clone(),
        }
    }
}
