//! The head of a stream: what the next message of a device is held against, kept beside its replay window so that no
//! effect need be drawn before an answer can be given. And which dictionaries are known.

use std::collections::{BTreeMap, HashSet};

use parking_lot::Mutex;

use crate::OrgId;

/// Most dictionaries in memory; beyond, the memory begins anew.
const MOST: usize = 50_000;

/// What is known of a device's stream apart from its numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heads {
    /// A status was taken: who it is is known.
    pub(super) known: bool,
    /// The last full set of each kind: number of its message, its dictionary.
    pub(super) full: BTreeMap<u64, (u64, u64)>,
}

/// As it is stored: whether it is known; kind, number and dictionary of each full set.
type Told = (bool, Vec<(u64, u64, u64)>);

impl Heads {
    /// As stored; what does not read knows nothing, and the device tells its sets in full again.
    pub(super) fn read(bytes: Option<&[u8]>) -> Self {
        let told: Option<Told> = bytes.and_then(|bytes| wire::cbor::decode(bytes).ok());
        let (known, full) = told.unwrap_or_default();
        Self { known, full: full.into_iter().map(|(kind, seq, dictionary)| (kind, (seq, dictionary))).collect() }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let full: Vec<_> = self.full.iter().map(|(kind, (seq, dictionary))| (*kind, *seq, *dictionary)).collect();
        wire::cbor::encode(&(self.known, full))
    }
}

/// Dictionaries that are known to be in the database.
#[derive(Default)]
pub(super) struct Dictionaries(Mutex<HashSet<(OrgId, u64)>>);

impl Dictionaries {
    pub(super) fn has(&self, tenant: OrgId, hash: u64) -> bool {
        self.0.lock().contains(&(tenant, hash))
    }

    pub(super) fn learn(&self, found: impl IntoIterator<Item = (OrgId, u64)>) {
        let mut known = self.0.lock();
        if known.len() > MOST {
            known.clear();
        }
        known.extend(found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_read_back_and_rubbish_knows_nothing() {
        let heads = Heads { known: true, full: [(5, (9, u64::MAX)), (7, (12, 3))].into() };
        assert_eq!(Heads::read(Some(&heads.bytes())), heads);
        assert_eq!(Heads::read(Some(b"\xff")), Heads::default());
        assert_eq!(Heads::read(None), Heads::default());
    }
}
