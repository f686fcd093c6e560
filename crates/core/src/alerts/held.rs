//! Alerts and incidents as one transaction holds them: loaded, changed, and written where they changed.

use wire::AlertSeverity;

use super::rules::{self, Condition};
use super::{AlertId, IncidentId};
use crate::devices::DeviceId;

/// An alert as it stands, or stood a moment ago.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) id: AlertId,
    pub(super) condition: Condition,
    /// `device` when a reading told it, `trap` while only a trap did, `event` when it stands until the device takes it
    /// back, `platen` when it is made here.
    pub(super) source: &'static str,
    pub(super) raised_at: i64,
    pub(super) cleared_at: Option<i64>,
    pub(super) flaps: i64,
    pub(super) incident: IncidentId,
    /// A flapping one is away since then, and stands until it has been away for long.
    pub(super) quiet_at: Option<i64>,
    /// Held to be pushed out of a full table of so many rows; 0: it is in the table.
    pub(super) evicted: i64,
    pub(super) dirty: bool,
}

impl Held {
    pub(super) fn stands(&self) -> bool {
        self.cleared_at.is_none()
    }

    /// Stands, and is a matter of what readings say.
    pub(super) fn is_told(&self) -> bool {
        self.stands() && !matches!(self.source, "platen" | "event")
    }
}

#[derive(Clone, Debug)]
pub(super) struct Incident {
    pub(super) id: IncidentId,
    pub(super) device: DeviceId,
    pub(super) reason: String,
    pub(super) state: String,
    pub(super) severity: AlertSeverity,
    pub(super) cause: String,
    pub(super) version: i64,
    pub(super) opened_at: i64,
    pub(super) resolved_at: Option<i64>,
    /// The cause of alerts on many devices: what one of them says does not end it.
    pub(super) shared: bool,
    pub(super) dirty: bool,
}

/// Place of the alert that stands and is this one.
pub(super) fn find(all: &[Held], condition: &Condition) -> Option<usize> {
    let standing = all.iter().enumerate().filter(|(_, held)| held.stands());
    rules::find(standing.map(|(place, held)| (place, &held.condition)), condition)
}
