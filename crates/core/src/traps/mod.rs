//! Trap doors: what the door of an agent heard, and which senders are no known devices. Such senders are listed and not
//! trusted: nothing that they say changes anything. What known devices say by traps is a matter of `alerts`.

mod intake;
mod service;
mod sql;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub(crate) use intake::take;
pub use service::{door, senders};

use crate::Micros;

/// Unknown senders that are kept of one agent; the ones not heard for longest give way.
pub const MOST_SENDERS: i64 = 1_000;

/// The door of an agent, since it reported it first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Door {
    /// Address and port it listens at.
    pub listen: String,
    /// Notifications received.
    pub received: u64,
    /// Of these, from known devices.
    pub known: u64,
    /// Of these, shed: the same device had told the same alert a moment before.
    pub shed: u64,
    /// Datagrams that were no notification, or none that can be believed.
    pub refused: u64,
    /// When it was first reported.
    pub since_at: Micros,
    /// When it was last reported.
    pub said_at: Micros,
}

/// A sender that is no known device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sender {
    /// Address that the datagrams came from.
    pub address: String,
    /// Datagrams.
    pub total: u64,
    /// First of these.
    pub first_at: Micros,
    /// Last of these.
    pub last_at: Micros,
    /// Identity of the last notification, as numbers with dots.
    pub trap: Option<String>,
    /// v1, v2c, v3; of the last notification.
    pub snmp: Option<String>,
    /// Address that it says to speak for, if another one.
    pub speaks_for: Option<String>,
}
