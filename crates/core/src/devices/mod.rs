//! Devices: the central noun. Who it is (`identity`), how it stands (`rules`), what lists and sheets show (`list`,
//! `sheet`), what reports do to it (`intake`).

pub(crate) mod fold;
pub(crate) mod identity;
pub(crate) mod intake;
mod jobs;
pub(crate) mod known;
mod lede;
mod list;
pub(crate) mod meeting;
mod overdue;
pub mod rules;
mod service;
mod settle;
mod sheet;
mod sql;
#[cfg(test)]
mod tests;
mod words;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub use jobs::{Reconciled, reconcile};
pub use lede::lede;
pub use list::{DeviceQuery, FIELDS, FacetCount, Facets, SortBy, facets, list, neighbours, search};
pub use overdue::reconcile_monitors;
pub use rules::{Facts, Standing, judge};
pub use service::{DevicePatch, retire, update};
pub(crate) use service::{note, tenant_in, tenant_of};
pub(crate) use settle::{bill_by, changes_near, give_to, join, split};
pub use sheet::{get, history};
pub(crate) use sql::in64;
pub use words::{Comm, DeviceId, SupplyBrief, Word};

use crate::{AgentId, Micros, OrgId};

/// Not heard for this long a device is silent, though its agent lives. 15 minutes in µs.
pub const SILENT: i64 = 900 * 1_000_000;
/// Not heard for this long a device is late. 5 minutes in µs.
pub const LATE: i64 = 300 * 1_000_000;

/// A device as a list shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeviceRow {
    /// Its id.
    pub id: DeviceId,
    /// Its organisation.
    pub org: OrgId,
    /// Word of the status vocabulary.
    pub word: Word,
    /// The reason that follows the word.
    pub why: Option<String>,
    /// What people call it: their own name first, then sysName, then the model.
    pub name: String,
    /// Brand slug, empty when unknown.
    pub vendor: String,
    /// Model.
    pub model: Option<String>,
    /// Serial number as the device says it.
    pub serial: Option<String>,
    /// Where it was last read.
    pub address: Option<String>,
    /// Hardware address.
    pub mac: Option<String>,
    /// Where it stands: people's own words first, then sysLocation; empty when unknown.
    pub place: String,
    /// Colorants and waste, in the order C M Y K W.
    pub supplies: Vec<SupplyBrief>,
    /// Pages since the month began at the organisation.
    pub pages_month: i64,
    /// Pages since it was made; `None` when it does not tell.
    pub pages_life: Option<i64>,
    /// When it was last heard.
    pub seen_at: Micros,
    /// The agent that reads it.
    pub agent: Option<AgentId>,
    /// Whether we hear it.
    pub comm: Comm,
    /// The device's own state.
    pub state: wire::State,
    /// Its reasons with severity suffix.
    pub reasons: Vec<String>,
    /// Rises with each edit by a person: the ETag.
    pub version: i64,
}

/// One part of a device that has a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ComponentRow {
    /// firmware, …
    pub kind: String,
    /// `system` for the whole.
    pub name: String,
    /// As the device says it.
    pub version: String,
    /// Since when it has this version.
    pub first_at: Micros,
}

/// Everything that is known of one device now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeviceSheet {
    /// As in lists.
    #[serde(flatten)]
    pub row: DeviceRow,
    /// active or retired.
    pub lifecycle: String,
    /// The name that a person gave.
    pub own_name: Option<String>,
    /// The place that a person gave.
    pub own_location: Option<String>,
    /// Asset number that a person gave.
    pub asset_no: Option<String>,
    /// sysName.
    pub told_name: Option<String>,
    /// sysLocation.
    pub told_location: Option<String>,
    /// Host name.
    pub hostname: Option<String>,
    /// sysContact.
    pub contact: Option<String>,
    /// sysDescr.
    pub description: Option<String>,
    /// sysObjectID.
    pub sys_object_id: Option<String>,
    /// v1, v2c or v3.
    pub snmp: Option<String>,
    /// UDP port.
    pub port: Option<i64>,
    /// What its panel shows.
    pub console: Option<String>,
    /// Since when state and reasons stand.
    pub state_at: Micros,
    /// When all of this was told.
    pub status_at: Micros,
    /// Since when we hear it, or do not.
    pub comm_at: Micros,
    /// When it was met.
    pub first_at: Micros,
    /// Name of its agent.
    pub agent_name: Option<String>,
    /// Versions of its parts.
    pub components: Vec<ComponentRow>,
    /// Trays.
    pub inputs: Vec<wire::Input>,
    /// Bins.
    pub outputs: Vec<wire::Output>,
    /// Covers.
    pub covers: Vec<wire::Cover>,
    /// Faults of the device that were worked around.
    pub quirks: Vec<String>,
    /// What it uses up and fills, with forecasts where the past allows.
    pub supplies: Vec<crate::supplies::SupplyNow>,
    /// What it has done.
    pub meters: Vec<crate::meters::MeterNow>,
    /// Conditions that stand, worst first.
    pub alerts: Vec<crate::alerts::AlertRow>,
    /// What waits for a person's decision.
    pub doubts: Vec<crate::doubts::DoubtRow>,
    /// The standard total beside the maker's own, where they differ.
    pub apart: Option<crate::meters::Apart>,
    /// Every value as the device said it.
    pub raw: Vec<RawValue>,
    /// The moment of this sheet.
    pub now: Micros,
}

/// One value as the device said it, where it came from and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RawValue {
    /// What it is.
    pub name: String,
    /// As the device says it.
    pub value: String,
    /// Object or table row.
    pub source: String,
    /// When it was read.
    pub at: Micros,
}

/// One line of the history of a device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HistoryLine {
    /// When.
    pub at: Micros,
    /// discovered, state, comm, address, identity, moved, firmware, alert_raised, alert_cleared, supply_replaced,
    /// meter_segment, meter_suspected, doubt_settled, doubt_reopened, merged, split, edited, retired.
    pub kind: String,
    /// Details by kind.
    pub data: Json,
    /// Name of the person who did it.
    pub actor: Option<String>,
}

/// The device before and the device after one in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbours {
    /// The one before.
    pub previous: Option<DeviceId>,
    /// The one after.
    pub next: Option<DeviceId>,
}
