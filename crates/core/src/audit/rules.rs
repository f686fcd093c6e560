//! The arithmetic of the chain: what is hashed, in which order.

use aws_lc_rs::digest::{Context, SHA256};

use crate::ids::OrgId;

/// A SHA-256.
pub(super) type Hash = [u8; 32];

/// The chained part of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) tenant: OrgId,
    pub(super) month: i64,
    pub(super) no: i64,
    pub(super) at: i64,
    pub(super) actor_kind: String,
    pub(super) actor_id: String,
    pub(super) verb: String,
    pub(super) object_kind: String,
    pub(super) object_id: String,
    pub(super) request: String,
    pub(super) payload_hash: Hash,
}

impl Leaf {
    /// Hash of this record on top of the one before it; the first of a month stands on zeros.
    pub(super) fn hash(&self, before: &Hash) -> Hash {
        let mut context = Context::new(&SHA256);
        context.update(&[0]);
        context.update(before);
        for number in [self.month, self.no, self.at] {
            context.update(&number.to_be_bytes());
        }
        let tenant = self.tenant.to_string();
        let texts =
            [&tenant, &self.actor_kind, &self.actor_id, &self.verb, &self.object_kind, &self.object_id, &self.request];
        for text in texts {
            context.update(&(text.len() as u64).to_be_bytes());
            context.update(text.as_bytes());
        }
        context.update(&self.payload_hash);
        finish(context)
    }
}

/// Commitment to a text: without the salt it says nothing about it.
pub(super) fn payload_hash(salt: &[u8], content: &str) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(&[2]);
    context.update(&(salt.len() as u64).to_be_bytes());
    context.update(salt);
    context.update(content.as_bytes());
    finish(context)
}

/// What the key outside the database signs: nobody with the database alone can shorten or rewrite a month.
pub(super) fn checkpoint(tenant: OrgId, month: i64, size: i64, root: &Hash) -> Vec<u8> {
    let mut bytes = format!("platen-audit\n{tenant}\n{month}\n{size}\n").into_bytes();
    bytes.extend_from_slice(root);
    bytes
}

fn finish(context: Context) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}
