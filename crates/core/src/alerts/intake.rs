//! What readings and traps do to alerts: what is told stands, what a whole reading does not tell any more is over.

use wire::AlertSeverity;
use wire::report::StatusBody;
use wire::traps::TrapBody;

use super::board::Board;
use super::held::{Held, find};
use super::rules::{self, Condition, Reach, UNSURE, is_flap, may_be_evicted};
use crate::devices::DeviceId;
use crate::devices::intake::Fleet;
use crate::devices::known::hash;

/// What a reading does not tell.
#[derive(Default)]
struct Missing {
    /// Places of those that are over.
    over: Vec<usize>,
    /// Something stands that the reading could not know of.
    unsettled: bool,
}

/// Hash of what a status message says of alerts and reasons.
pub(crate) fn fingerprint(body: &StatusBody) -> i64 {
    let mut bytes = wire::cbor::encode(&body.alerts);
    for reason in &body.status.reasons {
        bytes.extend_from_slice(reason.as_bytes());
        bytes.push(b' ');
    }
    hash(&bytes)
}

impl Board {
    /// Takes over the conditions of a status message: what is missing and stood before is cleared.
    pub(crate) fn take(&mut self, fleet: &mut Fleet, at: usize, body: &StatusBody, when: i64) {
        let hash = fingerprint(body);
        let device = fleet.get_mut(at);
        if device.alerts_hash == hash {
            return;
        }
        (device.alerts_hash, device.status_dirty) = (hash, true);
        let id = device.id;
        let reach = Reach::of(body);
        let mut told = rules::conditions(body);
        let stands = |held: &&Held| held.is_told();
        let standing = || self.alerts.get(&id).into_iter().flatten().filter(stands);
        told.retain(|told| !standing().any(|held| reach.repeats(told, &held.condition)));
        let rows = i64::try_from(body.alerts.len()).unwrap_or(i64::MAX);
        let missing = self.missing(id, &told, rows, when);
        if missing.unsettled || !reach.rows || !reach.reasons {
            // This reading is no last word: whatever the next one says is compared in full.
            fleet.get_mut(at).alerts_hash = 0;
        }
        // Raising first lets an incident go on whose parts change.
        for condition in &told {
            self.raise(fleet, at, condition, "device", when);
        }
        for place in missing.over {
            if self.covers(reach, id, place) || self.has_been_away(id, place, when) {
                self.clear(fleet, at, place, when);
            }
        }
    }

    fn covers(&self, reach: Reach, device: DeviceId, place: usize) -> bool {
        self.alerts.get(&device).and_then(|all| all.get(place)).is_some_and(|held| reach.covers(&held.condition))
    }

    /// Whether an alert that incomplete readings do not tell has been away for a day. It is noted when it is not: from
    /// then on it counts as quiet, should no whole reading come before.
    fn has_been_away(&mut self, device: DeviceId, place: usize, when: i64) -> bool {
        let held = &mut self.alerts.entry(device).or_default()[place];
        if held.quiet_at.is_none() {
            (held.quiet_at, held.dirty) = (Some(when + UNSURE), true);
        }
        held.quiet_at.is_some_and(|since| since <= when && !is_flap(since, when))
    }

    /// Alerts that stand and that a reading does not tell: which of them are over.
    fn missing(&mut self, device: DeviceId, told: &[Condition], rows: i64, when: i64) -> Missing {
        let all = self.alerts.entry(device).or_default();
        let found: Vec<Option<usize>> = told.iter().map(|condition| find(all, condition)).collect();
        let critical_came = told.iter().zip(&found).any(|(condition, found)| {
            condition.severity == AlertSeverity::Critical && found.is_none_or(|place| all[place].source == "trap")
        });
        let in_table = |held: &&Held| held.is_told() && !held.condition.key.group.is_empty() && held.evicted == 0;
        let stood = i64::try_from(all.iter().filter(in_table).count()).unwrap_or(i64::MAX);
        let mut missing = Missing::default();
        for (place, held) in all.iter_mut().enumerate() {
            if !held.is_told() || found.contains(&Some(place)) {
                continue;
            }
            if held.source == "trap" && held.raised_at >= when {
                // The reading began before the trap came: it cannot know.
                missing.unsettled = true;
            } else if told.iter().any(|condition| condition.speaks_of_the_part_of(&held.condition)) {
                // Low became empty: the row was replaced by one about the same part, not pushed out.
                missing.over.push(place);
            } else if held.evicted > 0 && rows >= held.evicted {
                // The table is as full as when it was pushed out.
            } else if held.evicted == 0 && may_be_evicted(&held.condition, critical_came, rows, stood) {
                (held.evicted, held.dirty) = (rows, true);
            } else {
                missing.over.push(place);
            }
        }
        missing
    }

    /// Takes over what a device told by itself. Nothing is cleared by it.
    pub(crate) fn take_trap(&mut self, fleet: &mut Fleet, at: usize, body: &TrapBody, when: i64) {
        let device = fleet.get_mut(at);
        if when < device.status_at {
            // A later reading has said how it is.
            return;
        }
        (device.alerts_hash, device.status_dirty) = (0, true);
        for alert in &body.alerts {
            self.raise(fleet, at, &rules::condition(alert), "trap", when);
        }
    }
}
