//! One wish for many: a filter is looked at first, then each device of it gets one signed order of its own, by whichever
//! road it has. What became of each is seen; the wish can be taken back, and tried again where it failed.

mod jobs;
mod rules;
mod service;
mod sql;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use jobs::{Advanced, run};
pub use service::{cancel, create, get, list, preview, retry, shares};

use crate::filter::Filter;
use crate::ids::OrgId;
use crate::orders::CommandId;
pub use crate::orders::{UnitId, Way, Wish};
use crate::page::PageQuery;
use crate::time::Micros;
use crate::{DeviceId, Error};

crate::id!(
    /// A wish for many devices.
    TaskId,
    "task"
);

/// Most devices of one wish.
pub const MOST_DEVICES: usize = 100_000;

/// A wish for all devices of a filter.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// What each shall do.
    pub wish: Wish,
    /// Which devices, over [`FIELDS`]; `None`: all that orders reach.
    pub filter: Option<Filter>,
    /// How long the orders live, ms: a minute to seven days.
    pub life_ms: i64,
    /// [`Preview::hash`] of what was looked at.
    pub preview_hash: String,
}

/// Fields of the filter of a wish.
pub const FIELDS: &[crate::filter::Field] = crate::orders::FIELDS;

/// Whom a wish would reach, before it is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// Devices that would get an order.
    pub devices: usize,
    /// By which roads, with how many devices each: words of [`Way::word`].
    pub roads: Vec<(&'static str, u64)>,
    /// Of these, devices whose agent is away: their orders wait until it is back.
    pub away: u64,
    /// Why other devices of the filter would get none, with how many each.
    pub refused: Vec<(&'static str, u64)>,
    /// Names exactly these devices and this wish; a wish must repeat it.
    pub hash: String,
    /// The first of them by name, at most 20.
    pub sample: Vec<Reached>,
}

impl Preview {
    /// Devices of the filter that would get no order.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.refused.iter().map(|(_, count)| count).sum()
    }
}

/// A device that would get an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reached {
    /// Its name in orders.
    pub unit: UnitId,
    /// The device of the fleet, if it told of itself.
    pub device: Option<DeviceId>,
    /// Whose it is.
    pub org: OrgId,
    /// Its maker.
    pub vendor: String,
    /// Its serial number; empty where it tells none.
    pub serial: String,
    /// Its model; empty where it tells none.
    pub model: String,
    /// By which road.
    pub road: &'static str,
}

/// Where a wish stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Orders wait, or are under way.
    Running,
    /// Every device did it.
    Done,
    /// Some did it.
    PartlyDone,
    /// None did it.
    Failed,
    /// A person took it back.
    Cancelled,
}

impl TaskState {
    /// As stored and as the API says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::PartlyDone => "partly_done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Where the share of one device stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ShareState {
    /// Its order is not written yet.
    Waiting,
    /// Its order waits to be fetched.
    Assigned,
    /// Fetched; no answer yet.
    Running,
    /// Done.
    Succeeded,
    /// The device tried in vain, or would not.
    Failed,
    /// The device left before it could be ordered anything.
    Skipped,
    /// Taken back.
    Cancelled,
    /// Nobody fetched or answered it in time.
    TimedOut,
}

impl ShareState {
    /// All of them, in the order in which people read them.
    pub const ALL: [Self; 8] = [
        Self::Succeeded,
        Self::Running,
        Self::Assigned,
        Self::Waiting,
        Self::Failed,
        Self::TimedOut,
        Self::Skipped,
        Self::Cancelled,
    ];

    /// As stored and as the API says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Assigned => "assigned",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
        }
    }

    /// Reads a stored word.
    ///
    /// # Errors
    /// `Invalid`, naming the states that exist.
    pub fn parse(text: &str) -> crate::Result<Self> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        let words = || Self::ALL.map(Self::as_str).join(", ");
        found.ok_or_else(|| Error::invalid("state", format!("a state is one of {}", words())))
    }

    /// Whether something is still to come.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Assigned | Self::Running)
    }
}

/// How many shares stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Order not written yet.
    pub waiting: u64,
    /// Order waits to be fetched.
    pub assigned: u64,
    /// Fetched.
    pub running: u64,
    /// Done.
    pub succeeded: u64,
    /// In vain.
    pub failed: u64,
    /// Left before.
    pub skipped: u64,
    /// Taken back.
    pub cancelled: u64,
    /// Too late.
    pub timed_out: u64,
}

/// A wish, as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Task {
    /// Its name.
    pub id: TaskId,
    /// Whose people wished it.
    pub org: OrgId,
    /// What each device shall do.
    pub wish: Wish,
    /// Which devices: text of the filter, empty for all.
    pub filter: String,
    /// Devices that it reached.
    pub devices: i64,
    /// Where it stands.
    pub state: TaskState,
    /// How many shares stand where.
    pub counts: Counts,
    /// When it was wished.
    pub made_at: Micros,
    /// By whom, for people.
    pub made_by: String,
    /// Its orders are worthless from then on.
    pub expires_at: Micros,
    /// When the last share ended.
    pub ended_at: Option<Micros>,
    /// Version for `If-Match`.
    pub version: i64,
}

/// The share of one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Its registration, or the device itself where an agent reads it.
    pub unit: UnitId,
    /// By which road its orders go: a word of [`Way::word`].
    pub road: String,
    /// Whose it is.
    pub org: OrgId,
    /// Its serial number.
    pub serial: String,
    /// Its maker.
    pub vendor: String,
    /// Its model; empty when it told none.
    pub model: String,
    /// The device of the fleet.
    pub device: Option<DeviceId>,
    /// Its present order.
    pub command: Option<CommandId>,
    /// Where it stands.
    pub state: ShareState,
    /// How many orders were given for it.
    pub tries: i64,
    /// What the device said.
    pub detail: Option<String>,
    /// Since when it stands there.
    pub at: Micros,
}

/// Which shares of a wish.
#[derive(Clone, Debug, Default)]
pub struct ShareQuery {
    /// Only those that stand there.
    pub state: Option<ShareState>,
    /// Which page; by serial number.
    pub page: PageQuery,
}
