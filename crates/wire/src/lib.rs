//! What devices, agents, desktops and server say to each other.
//! One set of Rust types gives both twins: CBOR with integer keys ([`cbor`]) and JSON with names (serde).
//! Start at [`Reading`] (one device, as read once) and [`Report`] (one delivery of many messages).

pub mod activation;
mod base64url;
pub mod cbor;
pub mod command;
pub mod enrol;
pub mod hello;
pub mod hours;
pub mod monitor;
mod numbered;
pub mod packing;
pub mod places;
pub mod plan;
pub mod reading;
mod received;
pub mod report;
pub mod schedule;
pub mod sealed;
pub mod signature;
pub mod subject;
pub mod traps;

pub use activation::Activation;
pub use plan::AgentPlan;
pub use reading::{
    Alert, AlertSeverity, Class, ColorMode, Component, Cover, Function, Identity, Input, Level, Meter, Output,
    PaperSize, RawLevel, Reading, Sides, SnmpVersion, State, Status, Supply, Unit,
};
pub use received::{Received, messages_in};
pub use report::{Body, Message, MessageResult, Outcome, Reply, Report};
pub use subject::Subject;
