//! What an agent's trap door hears: alerts that devices tell by themselves (kind 66), and who else calls (kind 67).
//! Neither carries a community or a user's name.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{Alert, SnmpVersion};

/// Most alerts in one [`TrapBody`].
pub const MAX_TRAP_ALERTS: usize = 64;
/// Most senders in one [`SendersBody`].
pub const MAX_SENDERS: usize = 256;

/// Alerts that a device told by a trap or an inform. They stand until the next status says otherwise; the ones that it
/// does not name are not touched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct TrapBody {
    /// Version it was sent in.
    #[n(0)]
    pub snmp: SnmpVersion,
    /// Conditions, in the words in which a status tells them; 1 to [`MAX_TRAP_ALERTS`].
    #[n(1)]
    pub alerts: Vec<Alert>,
    /// Traps of the same (device, alert) that were shed between the last one told and this one.
    #[n(2)]
    pub shed: u64,
}

/// The trap door since the last message of this kind. Numbers are what was added.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct SendersBody {
    /// Address and port it listens at.
    #[n(0)]
    pub listen: String,
    /// Notifications received, of whomever.
    #[n(1)]
    pub received: u64,
    /// Of these, from known devices.
    #[n(2)]
    pub known: u64,
    /// Of these, shed, because the same device told the same alert a moment before.
    #[n(3)]
    pub shed: u64,
    /// Datagrams that were no notification, or none that can be believed.
    #[n(4)]
    pub refused: u64,
    /// Who sent and is no known device; at most [`MAX_SENDERS`], the others in the next message.
    #[n(5)]
    pub senders: Vec<TrapSender>,
}

/// A sender that is no known device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct TrapSender {
    /// Address that the datagrams came from.
    #[n(0)]
    pub address: String,
    /// Datagrams since the last message that named it.
    #[n(1)]
    pub count: u64,
    /// First of these, milliseconds since 1970.
    #[n(2)]
    pub first_ms: i64,
    /// Last of these, milliseconds since 1970.
    #[n(3)]
    pub last_ms: i64,
    /// Identity of the last notification as numbers with dots; `None` if nothing could be read.
    #[n(4)]
    pub trap: Option<String>,
    /// Version of the last notification.
    #[n(5)]
    pub snmp: Option<SnmpVersion>,
    /// Address that it says to speak for (agent-addr of v1, snmpTrapAddress), if another one.
    #[n(6)]
    pub speaks_for: Option<String>,
}
