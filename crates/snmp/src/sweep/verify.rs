//! Credentials tried, one after another, on a device that has answered without telling which one it accepts.

use std::net::SocketAddr;
use std::sync::Arc;
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

/// Tries what may fit; the device with its credential, or `None`.
pub(super) async fn verify(
    engine: Engine,
    address: SocketAddr,
    securities: Arc<[Arc<Security>]>,
    clue: Clue,
    timeout: Duration,
) -> Option<Found> {
    let ask = async |security: &Arc<Security>, credential: usize| {
        let target = Target { address, security: Arc::clone(security), timeout, retries: 0 };
        match engine.get(&target, &[SYS_OBJECT_ID, SYS_DESCR]).await {
            Ok(values) => Some(found(address, security.version(), credential, &values)),
            // Refused values, but the credential was right.
            Err(Error::ErrorStatus { .. }) => Some(found(address, security.version(), credential, &[])),
            Err(_) => None,
        }
    };
    match clue {
        Clue::V1(known) => {
            let Security::Community { community, .. } = &**securities.get(known.credential)? else {
                return Some(known);
            };
            let v2c = Arc::new(Security::Community { version: Version::V2c, community: community.clone() });
            Some(ask(&v2c, known.credential).await.unwrap_or(known))
        }
        Clue::Engine => {
            for (credential, security) in securities.iter().enumerate() {
                if let Some(found) = ask(security, credential).await {
                    return Some(found);
                }
            }
            None
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
