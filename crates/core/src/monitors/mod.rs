//! Monitors: devices that report by themselves. A provider registers the serial number; the device proves it once with a
//! claim code and from then on by its key. The server gives it its slots and its orders, and hears no one else.

mod activation;
#[cfg(test)]
mod activation_tests;
mod calls;
mod hello;
mod keys;
mod kinds;
mod known;
#[cfg(test)]
mod known_tests;
pub mod mail;
#[cfg(test)]
mod mail_tests;
mod orders;
mod posted;
mod refusals;
mod registry;
mod rules;
mod sql;
#[cfg(test)]
mod tests;

use serde::Serialize;
use wire::hello::Road;

use crate::ids::OrgId;
use crate::secrets::Secret;
use crate::time::Micros;

pub use activation::{activation, activation_roads};
pub use calls::{Callable, callable, called_from, failed, orders_for, went};
pub(crate) use hello::standing;
pub use hello::{hello, key_of, key_of_sender};
pub(crate) use keys::{Ring, learnt, public_keys, sign};
pub use keys::{rekey, roll};
pub use kinds::{KindState, inquire, kinds, set_period};
pub(crate) use kinds::{schedule as schedule_of, set_period_in};
pub(crate) use known::{Known, Standing};
pub use mail::MailDoors;
pub use orders::{cancel, commands, hindered, order};
pub use posted::{Posted, awaited, hello_by_mail};
pub use refusals::refused_mail;
pub use registry::{
    FIELDS, MonitorQuery, NewMonitor, Stranger, get, list, new_claim, register, release, resume, strangers, suspend,
};
pub(crate) use registry::{Heard, heard};
pub(crate) use rules::{fetches, road_of, road_text, speaks_for_itself};

crate::id!(
    /// A monitor; on the wire the same 16 bytes are its [`wire::Subject`].
    MonitorId,
    "registered device"
);

impl From<MonitorId> for wire::Subject {
    fn from(id: MonitorId) -> Self {
        Self(id.0.into_bytes())
    }
}

impl From<wire::Subject> for MonitorId {
    fn from(subject: wire::Subject) -> Self {
        Self(uuid::Uuid::from_bytes(subject.0))
    }
}

/// Where a registration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MonitorState {
    /// Its serial number is known; it has not called yet.
    Registered,
    /// It passed the communication test.
    Active,
    /// It is not heard until a person says so.
    Suspended,
}

impl MonitorState {
    /// As stored and as the API says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

/// A registered device, as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Monitor {
    /// Its id; the same 16 bytes are its sender on the wire.
    pub id: MonitorId,
    /// Organisation it belongs to.
    pub org: OrgId,
    /// Vendor slug.
    pub vendor: String,
    /// Serial number as registered.
    pub serial: String,
    /// Model as it told it; empty before the communication test.
    pub model: String,
    /// Where the registration stands.
    pub state: MonitorState,
    /// The road that it is set to.
    pub road: Option<Road>,
    /// Version of its firmware.
    pub firmware: Option<String>,
    /// Hardware address.
    pub mac: Option<String>,
    /// Its own listener, for the road on which the server calls.
    pub listener: Option<String>,
    /// Revision of its schedule.
    pub schedule_revision: i64,
    /// How far its clock is ahead of ours, milliseconds.
    pub clock_offset_ms: i64,
    /// When it was registered.
    pub registered_at: Micros,
    /// Last communication test.
    pub hello_at: Option<Micros>,
    /// When it last said something.
    pub said_at: Option<Micros>,
    /// By which road it said it.
    pub said_road: Option<Road>,
    /// The device of the fleet that it is; `None` before its first status.
    pub device: Option<crate::DeviceId>,
    /// Until when its claim code is good; `None` once it was used.
    pub claim_until: Option<Micros>,
    /// Version for `If-Match`.
    pub version: i64,
}

/// A fresh registration.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The registration.
    pub monitor: Monitor,
    /// What the technician types at the device; shown once.
    pub claim: Secret,
}
