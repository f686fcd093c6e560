//! Discovery: which addresses of a range speak SNMP, and with which credential. Probes are stateless (ids follow from
//! the address). `strategy` orders the passes, `plan` judges what is worth a packet, `scan` sends and receives,
//! `verify` tries credentials on those that answered without telling one.

mod addresses;
mod plan;
mod probe;
mod scan;
mod strategy;
mod verify;
mod waits;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

pub use self::addresses::{Ipv4Range, ParseRangeError};
use crate::engine::Subnets;
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
    /// Credentials in the order of trial. With more than one, all addresses are first asked for their SNMPv3 engine,
    /// which needs no credential, and those that answer are tried one credential after another. The silent ones of up
    /// to 512 addresses are asked with all communities; of more, with those that a sample of them answers.
    pub securities: Vec<Arc<Security>>,
    /// Packets a second over all, obeyed within 1 % in any second.
    pub rate_pps: u32,
    /// The budget of each subnet, shared with whoever else has this handle.
    pub subnets: Subnets,
    /// Further tries at an address that is silent. In large ranges they are spent only where the answers show that
    /// packets get lost, and then up to two more.
    pub retries: u8,
    /// Wait for an answer. Once enough round trips were seen, the waits between passes are shorter.
    pub timeout: Duration,
    /// Most packets to an address that stays silent. More are sent only where the packets lost show that most of the
    /// silent addresses are alive.
    pub packets_per_address: u8,
    /// Number of the sweep: where `packets_per_address` does not go for all communities, each has its turn.
    pub turn: u32,
    /// Counts packets sent, for a progress display.
    pub progress: Arc<AtomicU64>,
}

impl SweepConfig {
    /// Port 161, community `public`, 150 packets a second however few the subnets, 2 retries, 1 s, 3 packets an address.
    pub fn new(targets: Vec<Ipv4Range>) -> Self {
        Self {
            targets,
            exclude: Vec::new(),
            port: 161,
            securities: vec![Arc::new(Security::v2c("public"))],
            rate_pps: 150,
            subnets: Subnets::default(),
            retries: 2,
            timeout: Duration::from_secs(1),
            packets_per_address: 3,
            turn: 0,
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
