//! Credentials tried, one after another, on a device that has answered without telling which one it accepts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use super::Found;
use super::probe::{SYS_DESCR, SYS_OBJECT_ID};
use crate::engine::Engine;
use crate::error::Error;
use crate::target::{Security, Target, Version};
use crate::value::{Value, VarBind};

/// What is known of the device.
#[derive(Clone, Debug)]
pub(super) enum Clue {
    /// It has an SNMPv3 engine.
    Engine,
    /// It answered this in v1.
    V1(Found),
}

/// How often each credential was let in. Those that were come first at the next device.
#[derive(Debug)]
pub(super) struct Hits(Vec<AtomicU32>);

impl Hits {
    pub(super) fn new(credentials: usize) -> Self {
        Self((0..credentials).map(|_| AtomicU32::new(0)).collect())
    }

    pub(super) fn of(&self, credential: usize) -> u32 {
        self.0.get(credential).map_or(0, |hits| hits.load(Relaxed))
    }

    pub(super) fn any(&self) -> bool {
        self.0.iter().any(|hits| hits.load(Relaxed) > 0)
    }

    fn add(&self, credential: usize) {
        if let Some(hits) = self.0.get(credential) {
            hits.fetch_add(1, Relaxed);
        }
    }
}

/// A device whose credential is to be found.
pub(super) struct Trial {
    pub(super) engine: Engine,
    pub(super) address: SocketAddr,
    pub(super) securities: Arc<[Arc<Security>]>,
    pub(super) hits: Arc<Hits>,
    pub(super) timeout: Duration,
}

impl Trial {
    /// Tries what may fit, one after another; the device with its credential, or `None`.
    pub(super) async fn run(&self, clue: Clue) -> Option<Found> {
        match clue {
            Clue::V1(known) => {
                let Security::Community { community, .. } = &**self.securities.get(known.credential)? else {
                    return Some(known);
                };
                let v2c = Arc::new(Security::Community { version: Version::V2c, community: community.clone() });
                Some(self.ask(&v2c, known.credential).await.unwrap_or(known))
            }
            Clue::Engine => self.try_all().await,
        }
    }

    async fn try_all(&self) -> Option<Found> {
        let mut left: Vec<usize> = (0..self.securities.len()).collect();
        // What other devices let in meanwhile moves to the front; else the order of the list holds.
        while let Some(place) =
            (0..left.len()).max_by_key(|place| (self.hits.of(left[*place]), std::cmp::Reverse(*place)))
        {
            let credential = left.remove(place);
            if let Some(found) = self.ask(&self.securities[credential], credential).await {
                self.hits.add(credential);
                return Some(found);
            }
        }
        None
    }

    async fn ask(&self, security: &Arc<Security>, credential: usize) -> Option<Found> {
        let (address, security) = (self.address, Arc::clone(security));
        // A credential that is in use deserves more than one packet, a guess does not.
        let retries = if self.hits.of(credential) > 0 { 2 } else { 0 };
        let target = Target { address, security, timeout: self.timeout, retries };
        let version = target.security.version();
        match self.engine.get(&target, &[SYS_OBJECT_ID, SYS_DESCR]).await {
            Ok(values) => Some(found(address, version, credential, &values)),
            // Refused values, but the credential was right.
            Err(Error::ErrorStatus { .. }) => Some(found(address, version, credential, &[])),
            Err(_) => None,
        }
    }
}

fn found(address: SocketAddr, version: Version, credential: usize, values: &[VarBind]) -> Found {
    let mut found = Found { address, version, credential, sys_object_id: None, sys_descr: None };
    for item in values {
        match &item.value {
            Value::ObjectId(oid) => found.sys_object_id = Some(oid.clone()),
            Value::OctetString(text) => found.sys_descr = Some(text.clone()),
            _ => {}
        }
    }
    found
}
