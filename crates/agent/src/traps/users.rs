//! SNMPv3 at the door: the users of the plan may call, and informs find an engine of ours to be sent to.

use std::{sync::Arc, time::Instant};

use snmp::{
    Security, UsmUser,
    usm::{Authority, Users},
};
use wire::{Subject, plan::SnmpCredential};

use crate::{
    error::Result,
    state::{State, fact_number, set_fact},
};

/// Format 5 of RFC 3411 §5 (octets of our own), under no enterprise.
const ENGINE_PREFIX: [u8; 5] = [0x80, 0, 0, 0, 5];

/// Our engine: it keeps its name, and starts once more with each start of the agent.
#[derive(Clone, Debug)]
pub(super) struct Engine {
    id: Vec<u8>,
    boots: u32,
    started: Instant,
}

impl Engine {
    /// Counts this start in the agent's file (RFC 3414 §2.2).
    pub(super) async fn start(state: &State, agent: Subject) -> Result<Self> {
        let mut tx = state.write().await?;
        let boots = fact_number(&mut tx, "trap_boots").await?.unwrap_or(0) + 1;
        set_fact(&mut tx, "trap_boots", &boots.to_string()).await?;
        tx.commit().await?;
        let id = [&ENGINE_PREFIX[..], &agent.0[..]].concat();
        Ok(Self { id, boots: u32::try_from(boots).unwrap_or(1), started: Instant::now() })
    }

    /// The engine with the users of these credentials; `None` without any. Stretches pass phrases: some milliseconds
    /// each.
    pub(super) fn with(&self, credentials: &[SnmpCredential]) -> Option<Arc<Authority>> {
        let users: Vec<UsmUser> = credentials.iter().flat_map(user).collect();
        if users.is_empty() {
            return None;
        }
        match Users::new(&users) {
            Ok(users) => {
                let authority = Authority::new(&self.id, self.boots, users);
                let seconds = u32::try_from(self.started.elapsed().as_secs()).unwrap_or(u32::MAX);
                authority.restart(self.boots, seconds);
                Some(Arc::new(authority))
            }
            Err(error) => {
                tracing::warn!(%error, "no SNMPv3 trap can be taken: a user of the plan cannot be used");
                None
            }
        }
    }
}

/// The user of a credential; one that cannot be used is left out and told.
fn user(credential: &SnmpCredential) -> Option<UsmUser> {
    let (ways, wrong) = device::ways_in(std::slice::from_ref(credential));
    for error in wrong {
        tracing::warn!(%error, "a user cannot send traps");
    }
    ways.into_iter().find_map(|(_, security)| match &*security {
        Security::Usm { user, .. } => Some((**user).clone()),
        Security::Community { .. } => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_users_that_can_be_used_make_an_engine() {
        let engine = Engine { id: ENGINE_PREFIX.to_vec(), boots: 3, started: Instant::now() };
        let usm = |pass: &str| SnmpCredential::Usm {
            user: "ann".to_owned(),
            auth: Some("sha256".to_owned()),
            auth_pass: Some(pass.to_owned()),
            privacy: None,
            privacy_pass: None,
        };
        assert!(engine.with(&[SnmpCredential::community("public")]).is_none());
        assert!(engine.with(&[usm("short")]).is_none());
        assert!(engine.with(&[SnmpCredential::community("public"), usm("long enough")]).is_some());
    }
}
