//! Discovery: which addresses of a range speak SNMP, and with which credential. Probes are stateless (their ids are
//! derived from the address); a bit an address remembers who has answered. `plan` decides what is worth a packet,
//! `scan` sends and receives, `verify` tries credentials on those that answered without telling one.

mod addresses;
mod plan;
mod probe;
mod scan;
mod verify;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

pub use self::addresses::{Ipv4Range, ParseRangeError};
use crate::oid::Oid;
use crate::target::{Security, Version};

/// What to look for and how politely.
#[derive(Clone, Debug)]
pub struct SweepConfig {
    /// Where to look; overlaps are asked once. At most 2^24 addresses.
    pub targets: Vec<Ipv4Range>,
    /// Never ask these.
    pub exclude: Vec<Ipv4Range>,
    /// UDP port of the agents.
    pub port: u16,
    /// Credentials in the order of trial. Up to 512 addresses get all communities; of more, only those that
    /// answered something, unless a sample of the silent shows that more communities are in use.
    pub securities: Vec<Arc<Security>>,
    /// Packets a second over all, obeyed within 1 % in any second.
    pub rate_pps: u32,
    /// Further tries at an address that is silent. In large ranges they are spent only where the answers show that
    /// packets get lost, and then up to two more.
    pub retries: u8,
    /// Wait for an answer.
    pub timeout: Duration,
    /// Counts packets sent, for a progress display.
    pub progress: Arc<AtomicU64>,
}

impl SweepConfig {
    /// Port 161, community `public`, 150 packets a second, 2 retries, 1 s.
    pub fn new(targets: Vec<Ipv4Range>) -> Self {
        Self {
            targets,
            exclude: Vec::new(),
            port: 161,
            securities: vec![Arc::new(Security::v2c("public"))],
            rate_pps: 150,
            retries: 2,
            timeout: Duration::from_secs(1),
            progress: Arc::default(),
        }
    }
}

/// A device that answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its address and port.
    pub address: SocketAddr,
    /// Best version it speaks.
    pub version: Version,
    /// Place of the credential in the list.
    pub credential: usize,
    /// sysObjectID.0
    pub sys_object_id: Option<Oid>,
    /// sysDescr.0
    pub sys_descr: Option<Bytes>,
}

/// The end of a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SweepSummary {
    /// Addresses asked.
    pub probed: u64,
    /// Devices found.
    pub answered: u64,
    /// Devices that speak SNMPv3 but accept none of the credentials.
    pub locked: u64,
    /// Packets sent.
    pub packets_sent: u64,
    /// Duration.
    pub seconds: f64,
}

/// Looks at every address and streams what it finds; ends early when the receiver is dropped.
///
/// # Errors
/// Sockets that cannot be opened, no credentials, or too many addresses.
pub async fn sweep(config: SweepConfig, on_found: mpsc::Sender<Found>) -> std::io::Result<SweepSummary> {
    scan::Scan::open(config, on_found)?.run().await
}
