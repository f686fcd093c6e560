//! Alerts: one standing condition each on one device, whatever source tells of it; incidents: one cause, which people
//! acknowledge and snooze. An agent off line is one incident for all of its devices.

mod board;
mod course;
mod damping;
mod held;
mod incidents;
pub(crate) mod intake;
mod made;
pub(crate) mod rules;
mod service;
mod sql;
pub(crate) mod storm;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub(crate) use board::Board;
pub(crate) use damping::settle;
pub(crate) use incidents::wake;
pub use incidents::{
    INCIDENT_FIELDS, IncidentQuery, acknowledge, counts, incident, incident_of, list_incidents, resolve, snooze,
};
pub use service::{AlertQuery, FIELDS, list};
pub(crate) use service::{agent_is_back, agent_is_gone, close_all_of, open_of};

use crate::devices::DeviceId;
use crate::{AgentId, Micros, OrgId};

crate::id!(
    /// An alert.
    AlertId,
    "alert"
);
crate::id!(
    /// An incident.
    IncidentId,
    "incident"
);

/// An alert as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlertRow {
    /// Its id.
    pub id: AlertId,
    /// Organisation.
    pub org: OrgId,
    /// Device.
    pub device: DeviceId,
    /// What people call the device.
    pub device_name: String,
    /// Vendor slug and model of the device.
    pub device_model: String,
    /// Where the device stands.
    pub place: String,
    /// critical, warning, other.
    pub severity: String,
    /// Bare keyword.
    pub reason: String,
    /// The reason in plain words.
    pub title: String,
    /// prtAlertGroup in kebab-case; empty when not told.
    pub group: String,
    /// Row of the group; empty when not told.
    pub part: String,
    /// The device's code.
    pub code: Option<i64>,
    /// The device's words.
    pub text: Option<String>,
    /// device, trap while only a trap told it, or platen when it is made here.
    pub source: String,
    /// Whom it concerns: operator, supplies, service or fleet.
    pub audience: String,
    /// Since when it stands, by the device's word.
    pub since_at: Option<Micros>,
    /// When it was raised here.
    pub raised_at: Micros,
    /// When it was cleared; `None`: it stands.
    pub cleared_at: Option<Micros>,
    /// How often it went and came back within ten minutes.
    pub flaps: i64,
    /// What it belongs to.
    pub incident: IncidentId,
    /// open, acknowledged, snoozed, resolved.
    pub state: String,
    /// Who takes care.
    pub owner: Option<String>,
    /// Quiet until then.
    pub snoozed_until: Option<Micros>,
    /// What the owner said.
    pub note: Option<String>,
    /// Rises with each change of the incident: the ETag.
    pub version: i64,
}

/// One cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IncidentRow {
    /// Its id.
    pub id: IncidentId,
    /// Organisation.
    pub org: OrgId,
    /// open, acknowledged, snoozed, resolved.
    pub state: String,
    /// The device, when it is about one.
    pub device: Option<DeviceId>,
    /// What people call the device.
    pub device_name: Option<String>,
    /// Vendor slug and model of the device.
    pub device_model: Option<String>,
    /// Where the device stands.
    pub place: Option<String>,
    /// The agent, when it is about one.
    pub agent: Option<AgentId>,
    /// What people call the agent.
    pub agent_name: Option<String>,
    /// Keyword.
    pub reason: String,
    /// The keyword in plain words.
    pub title: String,
    /// critical, warning, other.
    pub severity: String,
    /// Whom it concerns: operator, supplies, service or fleet.
    pub audience: String,
    /// In plain words.
    pub cause: String,
    /// Alerts of it that stand.
    pub alerts: i64,
    /// Who takes care.
    pub owner: Option<String>,
    /// Since when somebody takes care.
    pub acked_at: Option<Micros>,
    /// Quiet until then.
    pub snoozed_until: Option<Micros>,
    /// What the owner said.
    pub note: Option<String>,
    /// Why a person ended it.
    pub why: Option<String>,
    /// When it began.
    pub opened_at: Micros,
    /// When it ended.
    pub resolved_at: Option<Micros>,
    /// Rises with each change: the ETag.
    pub version: i64,
}

/// One cause with what stands on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IncidentSheet {
    /// The cause.
    pub incident: IncidentRow,
    /// Its alerts, those that stand first; at most 100.
    pub alerts: Vec<AlertRow>,
}

/// Incidents that stand, for the header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AlertCounts {
    /// Nobody has taken them yet.
    pub open: u64,
    /// Somebody takes care.
    pub acknowledged: u64,
    /// Quiet for a while.
    pub snoozed: u64,
    /// Of the open and acknowledged ones: critical.
    pub critical: u64,
    /// Of the open and acknowledged ones: warnings.
    pub warning: u64,
}
