//! Who changed what: one record for each change, in the same transaction, chained by hashes per organisation and month.
//! Texts lie apart with a salt: erasing them leaves the chain whole; a changed, missing or cut-off record is found.

use serde::Serialize;
use serde_json::Value as Json;

use crate::ids::OrgId;
use crate::time::Micros;

mod rules;
mod service;
mod sql;
#[cfg(test)]
mod tests;

pub use service::{AuditQuery, FIELDS, Fault, Verdict, list, record, verify};

/// What is to be recorded.
#[derive(Clone, Debug)]
pub struct Change {
    /// Organisation of the object.
    pub tenant: OrgId,
    /// Past participle: `created`, `renamed`, `revoked` …
    pub verb: &'static str,
    /// Noun: `user`, `agent`, `device` …
    pub kind: &'static str,
    /// Id of the object.
    pub id: String,
    /// What changed, as it was; `Null`: nothing. Never secrets.
    pub before: Json,
    /// What changed, as it is; `Null`: nothing. Never secrets.
    pub after: Json,
}

impl Change {
    /// A change without details.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "ids are small, and calls read better without `&`")]
    pub fn new(tenant: OrgId, verb: &'static str, kind: &'static str, id: impl ToString) -> Self {
        Self { tenant, verb, kind, id: id.to_string(), before: Json::Null, after: Json::Null }
    }

    /// With what it was.
    #[must_use]
    pub fn before(mut self, before: Json) -> Self {
        self.before = before;
        self
    }

    /// With what it is.
    #[must_use]
    pub fn after(mut self, after: Json) -> Self {
        self.after = after;
        self
    }
}

/// One record, as people read it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditRecord {
    /// Organisation of the object.
    pub tenant: OrgId,
    /// yyyymm: which chain.
    pub month: i64,
    /// Place in the chain, from 1.
    pub no: i64,
    /// When.
    pub at: Micros,
    /// `user`, `token`, `agent` or `system`.
    pub actor_kind: String,
    /// Id of who did it; empty for the system.
    pub actor_id: String,
    /// Name of who did it; `None` after erasure.
    pub actor_name: Option<String>,
    /// What was done.
    pub verb: String,
    /// To what kind of thing.
    pub object_kind: String,
    /// To which.
    pub object_id: String,
    /// Id of the request.
    pub request: String,
    /// As it was.
    pub before: Json,
    /// As it is.
    pub after: Json,
    /// SHA-256 over this record and the one before it, hex.
    pub leaf_hash: String,
}
