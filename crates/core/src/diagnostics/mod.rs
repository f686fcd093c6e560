//! What devices tell of themselves beside their condition: errors, jams and alarms, whole sets of counters, versions,
//! measurements and service values (kinds 1 to 3 and 5 to 16). `intake` takes it from reports, `service` shows it.

mod fleet;
pub(crate) mod intake;
pub(crate) mod rules;
mod service;
mod sets;
mod snapshots;
mod sql;
#[cfg(test)]
mod tests;
mod uploads;

use std::collections::BTreeMap;

use serde::Serialize;
use wire::monitor::{EventBody, Kind};

pub use fleet::{FIELDS, Step, ToldQuery, ToldRow, told, told_steps};
pub use service::{counters, events, history, latest, troubles};
pub use sets::{Comparison, CounterLine, SetRow, compare, sets};

pub(crate) use snapshots::whole;
pub(crate) use uploads::logs_of;
pub use uploads::{AgentLog, MOST_BYTES, Uploaded, expire_uploads, log, upload, upload_state};

pub(crate) use sql::{DICTIONARIES, DICTIONARY, DICTIONARY_COUNT};

use crate::Micros;

/// An error, jam or alarm as the device told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventRow {
    /// Error, jam or alarm.
    pub kind: Kind,
    /// When it happened, by our clock.
    pub at: Micros,
    /// When it happened, by the device's clock; milliseconds since 1970.
    pub taken_ms: i64,
    /// What was told.
    #[serde(flatten)]
    pub event: EventBody,
}

/// How often a model told a code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// Vendor slug.
    pub vendor: String,
    /// Model; empty when no device of it told one.
    pub model: String,
    /// Error, jam or alarm.
    pub kind: Kind,
    /// The vendor's number.
    pub code: String,
    /// How often it was told.
    pub events: i64,
    /// By how many devices.
    pub devices: i64,
    /// When last.
    pub last_at: Micros,
    /// What it means; `None`: the catalogue lacks it.
    pub meaning: Option<&'static crate::codes::Meaning>,
}

/// Which troubles.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TroubleQuery {
    /// Only of this vendor.
    pub vendor: Option<String>,
    /// Only of this model.
    pub model: Option<String>,
    /// Only this code.
    pub code: Option<String>,
    /// Since when.
    pub since: Micros,
    /// Condition over [`FIELDS`].
    pub filter: Option<crate::Filter>,
    /// Only codes that the catalogue lacks.
    pub unknown: bool,
}

/// A message of kinds 9 to 14 and 16 as it came.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// Of when it is, by our clock.
    pub at: Micros,
    /// Of when it is, by the device's clock; milliseconds since 1970.
    pub taken_ms: i64,
    /// Its size as it came, bytes.
    pub size_bytes: i64,
    /// What it says.
    #[serde(flatten)]
    pub body: wire::Body,
}

/// A whole set of counters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Of when it is, by our clock.
    pub at: Micros,
    /// Model that the dictionary names.
    pub model: String,
    /// Name (its id where the dictionary has none) and value.
    pub values: BTreeMap<String, i64>,
}
