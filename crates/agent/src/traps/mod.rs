//! The trap door: devices tell alerts by themselves, and what they tell is on its way to the server at once.
//! `door` (a thread of its own, nothing else may hold it up) → `storm` (sheds repetitions) → `keeper` (outbox,
//! acknowledgements, a reading of the device that called). Whoever is no known device is listed (`senders`), not trusted.

mod calls;
mod door;
mod judge;
mod keeper;
mod senders;
mod storm;
mod users;

use std::{net::SocketAddr, sync::Arc};

use parking_lot::Mutex;
use snmp::trap::{Listener, Receipt};
use tokio::sync::mpsc;
use wire::{Alert, SnmpVersion, Subject};

use crate::{
    error::{Error, Result},
    polling::fleet::Fleet,
    stats::AgentStats,
};
pub(crate) use keeper::Keeper;

/// What the door hands to the keeper.
#[derive(Debug)]
pub(crate) struct Told {
    /// Who called.
    subject: Subject,
    /// What it said, if it was an alert of a printer; anything else only has the device read.
    alert: Option<Alert>,
    snmp: SnmpVersion,
    /// When it came, milliseconds since 1970.
    at_ms: i64,
    /// Repetitions shed before this one.
    shed: u64,
    /// To be sent once the alert is kept.
    receipt: Option<Receipt>,
}

/// What door and keeper share.
#[derive(Debug)]
struct Shared {
    fleet: Arc<Fleet>,
    storm: Mutex<storm::Storm>,
    senders: Mutex<senders::Senders>,
    stats: Arc<AgentStats>,
}

/// An open door that nobody stands at yet.
#[derive(Debug)]
pub(crate) struct TrapDoor {
    listener: Arc<Listener>,
    shared: Arc<Shared>,
    send: mpsc::UnboundedSender<Told>,
    told: mpsc::UnboundedReceiver<Told>,
}

impl TrapDoor {
    /// Opens the socket.
    pub(crate) fn open(address: SocketAddr, fleet: Arc<Fleet>, stats: Arc<AgentStats>) -> Result<Self> {
        let listener = Listener::bind(address).map_err(|source| Error::TrapDoor { address, source })?;
        let (send, told) = mpsc::unbounded_channel();
        let shared = Shared { fleet, storm: Mutex::default(), senders: Mutex::default(), stats };
        Ok(Self { listener: Arc::new(listener), shared: Arc::new(shared), send, told })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr()
    }
}
