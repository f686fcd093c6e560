//! Agents: programs on customers' networks. A one-time invitation buys an identity; from then on each request is signed.
//! The server holds what an agent shall do (its plan, sealed) and knows it by its signs of life.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use serde::Serialize;

use crate::ids::{AgentId, OrgId};
use crate::secrets::Secret;
use crate::time::Micros;

mod discoveries;
mod enrol;
pub mod import;
mod jobs;
mod plans;
mod rules;
mod service;
mod sql;
#[cfg(test)]
mod tests;

pub use discoveries::{Discovery, discovery};
pub(crate) use discoveries::{hints, keep as keep_discovery};
pub(crate) use enrol::CachedKey;
pub use enrol::{enrol, invite, invite_for, key_of};
pub use jobs::run;
pub(crate) use plans::for_orders;
pub use plans::{Beat, discover_now, heartbeat, import_list, plan, preview_list, set_plan};
pub use rules::MASK;
pub(crate) use rules::told;
pub(crate) use service::tenant;
pub use service::{AgentCounts, AgentQuery, FIELDS, counts, get, list, rename, revoke};

/// An invitation is good for this long, unless one says otherwise.
pub const INVITATION: Duration = Duration::from_secs(24 * 3_600);
/// An agent that was silent for so long counts as offline.
pub const OFFLINE_AFTER: Duration = Duration::from_secs(180);

/// A one-time secret with which one agent may enrol.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// First half of the token that people copy ([`wire::enrol::EnrolToken`]).
    pub secret: Secret,
    /// Organisation that the agent will belong to.
    pub org: OrgId,
    /// Worthless from then on.
    pub expires_at: Micros,
}

/// Whether an agent is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// Heard of within three minutes.
    Online,
    /// Silent.
    Offline,
    /// Its key is worthless.
    Revoked,
}

impl AgentState {
    /// As stored and as the API says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Revoked => "revoked",
        }
    }
}

/// An agent, as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Agent {
    /// Its id; the same 16 bytes are its subject on the wire.
    pub id: AgentId,
    /// Organisation it belongs to.
    pub org: OrgId,
    /// Name that people gave it.
    pub name: String,
    /// Host it said it runs on.
    pub host: String,
    /// Version of the program.
    pub program: String,
    /// Whether it is there.
    pub state: AgentState,
    /// First 16 hex digits of the SHA-256 of its key.
    pub key: String,
    /// Revision of its plan.
    pub plan_revision: u64,
    /// Revision that it follows; lower while it has not fetched the newest.
    pub plan_followed: u64,
    /// When it enrolled.
    pub enrolled_at: Micros,
    /// When it last spoke.
    pub last_seen_at: Micros,
    /// Devices it keeps reading.
    pub devices: u64,
    /// Of these, silent ones.
    pub unreachable: u64,
    /// Messages that wait on its side.
    pub outbox_depth: u64,
    /// Addresses asked in the present discovery.
    pub discovery_probed: u64,
    /// Addresses that the present discovery will ask; 0 when none runs.
    pub discovery_total: u64,
    /// Printers that the present discovery has met.
    pub discovery_found: u64,
    /// When the next discovery may begin; `None` while one runs, or when none will.
    pub discovery_next_at: Option<Micros>,
    /// For `If-Match`.
    pub version: i64,
}

/// An agent's Ed25519 key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// Whether `signature` is this key's over `message`.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", rules::thumbprint(&self.0))
    }
}
