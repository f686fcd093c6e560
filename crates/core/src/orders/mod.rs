//! Orders: signed, addressed to one device or agent, of one use, soon over, their life visible. Who reports by itself fetches
//! them by its own road; for a device that an agent reads the agent does. [`roads`] knows which way a device has.

mod agents;
mod book;
mod devices;
mod periods;
mod roads;
mod rules;
mod sql;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use wire::monitor::Kind;

use crate::time::Micros;

pub use agents::{AgentWish, cancel_of_agent, log_of_agent, logs_of_agent, of_agent, order_agent};
pub(crate) use book::{GivenBy, Ridden, Whom, cancel_one, give, of_target, queue, ride, take_back};
pub use book::{acknowledge, expire, pending};
pub use devices::{DeviceOrders, cancel_of_device, of_device, order_device};
pub use periods::Periods;
pub use roads::Way;
pub(crate) use roads::{COLUMNS, FIELDS, Found, find, units};
pub(crate) use rules::{check, give_by};

crate::id!(
    /// An order.
    CommandId,
    "order"
);

crate::id!(
    /// A device as orders know it: its registration if it reports by itself, else the device of the fleet.
    UnitId,
    "device"
);

/// What a device shall do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what", deny_unknown_fields)]
pub enum Wish {
    /// Tell these kinds now; none named: all that are told regularly.
    ReportNow {
        /// Kinds.
        #[serde(default)]
        kinds: Vec<Kind>,
    },
    /// Upload the debug log.
    SendLog,
    /// Tell a kind once in so many seconds; `None`: as usual.
    SetPeriod {
        /// Kind.
        kind: Kind,
        /// A minute to ninety days.
        period_s: Option<u32>,
    },
}

impl Wish {
    /// As stored and as the API says it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::ReportNow { .. } => "report_now",
            Self::SendLog => "send_log",
            Self::SetPeriod { .. } => "set_period",
        }
    }
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// Waits to be fetched.
    Queued,
    /// Fetched; no answer yet.
    Taken,
    /// Done.
    Done,
    /// Tried in vain.
    Failed,
    /// Not tried.
    Refused,
    /// Nobody fetched or answered it in time.
    Expired,
    /// A person took it back.
    Cancelled,
}

impl CommandState {
    fn parse(text: &str) -> Self {
        match text {
            "queued" => Self::Queued,
            "taken" => Self::Taken,
            "done" => Self::Done,
            "failed" => Self::Failed,
            "refused" => Self::Refused,
            "expired" => Self::Expired,
            _ => Self::Cancelled,
        }
    }

    /// Whether something is still to come.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Taken)
    }
}

/// An order, as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CommandRow {
    /// Its name.
    pub id: CommandId,
    /// `report_now`, `schedule`, `send_log`, `keys`, `discover`.
    pub what: String,
    /// Where it stands.
    pub state: CommandState,
    /// When it was given.
    pub issued_at: Micros,
    /// By whom: id of a user, or empty for the system.
    pub issued_by: String,
    /// By whom, for people; empty where it was not noted.
    pub given_by: String,
    /// Worthless from then on.
    pub expires_at: Micros,
    /// When it was fetched.
    pub taken_at: Option<Micros>,
    /// When it ended.
    pub ended_at: Option<Micros>,
    /// What the device or its agent said.
    pub detail: Option<String>,
}
