//! The course of an alert: raised, told again, flapping, over; and of its incident, which opens, worsens and ends with it.

use serde_json::json;

use super::board::Board;
use super::held::{Held, Incident, find};
use super::rules::{Condition, DAMPED, is_flap, rank};
use super::{AlertId, IncidentId};
use crate::Micros;
use crate::devices::intake::Fleet;
use crate::devices::{DeviceId, rules::phrase};

impl Board {
    pub(super) fn raise(
        &mut self,
        fleet: &mut Fleet,
        at: usize,
        condition: &Condition,
        source: &'static str,
        when: i64,
    ) {
        let device = fleet.get(at).id;
        let all = self.alerts.entry(device).or_default();
        if let Some(place) = find(all, condition) {
            self.go_on(fleet, at, place, condition, source, when);
            return self.worsen(device, condition, fleet);
        }
        let same = |held: &&mut Held| held.condition.key == condition.key || held.condition.is_same_row(condition);
        let flap =
            all.iter_mut().filter(same).rfind(|held| held.cleared_at.is_some_and(|cleared| is_flap(cleared, when)));
        let (id, flaps, incident) = if let Some(held) = flap {
            (held.cleared_at, held.dirty, held.flaps) = (None, true, held.flaps + 1);
            held.source = source;
            if source != "trap" {
                held.condition = condition.clone();
            }
            (held.id, held.flaps, held.incident)
        } else {
            let incident = self.incident_for(fleet, at, condition, when);
            let id = AlertId::new(self.platform.ids());
            self.alerts.entry(device).or_default().push(Held {
                id,
                condition: condition.clone(),
                source,
                raised_at: when,
                cleared_at: None,
                flaps: 0,
                incident,
                quiet_at: None,
                evicted: 0,
                dirty: true,
            });
            (id, 0, incident)
        };
        self.open(fleet, incident, condition);
        let data = json!({
            "alert": id, "device": device, "reason": condition.key.reason, "severity": condition.severity.as_str(),
            "group": condition.key.group, "part": condition.key.part, "code": condition.code, "since": Micros(when),
            "incident": incident, "flaps": flaps, "text": condition.text,
        });
        fleet.note(at, when, "alert_raised", &data, None);
        fleet.events.push(("device.alert.raised", "device", device.to_string(), data));
    }

    /// An alert that stands is told again.
    fn go_on(
        &mut self,
        fleet: &mut Fleet,
        at: usize,
        place: usize,
        condition: &Condition,
        source: &'static str,
        when: i64,
    ) {
        let device = fleet.get(at).id;
        let Some(held) = self.alerts.get_mut(&device).and_then(|all| all.get_mut(place)) else { return };
        if let Some(since) = held.quiet_at.take() {
            // What incomplete readings did not tell for a while has not been away.
            held.flaps += i64::from(since <= when);
            held.dirty = true;
        }
        if held.evicted > 0 {
            (held.evicted, held.dirty) = (0, true);
        }
        if source == "trap" {
            // The words of a reading are better than those of a trap; only a worse turn is news.
            if rank(condition.severity) < rank(held.condition.severity) {
                (held.condition.severity, held.dirty) = (condition.severity, true);
            }
            return;
        }
        if held.source == "trap" {
            (held.source, held.dirty) = (source, true);
        }
        let renamed = held.condition.key.reason != condition.key.reason;
        if held.condition != *condition {
            (held.condition, held.dirty) = (condition.clone(), true);
        }
        if renamed {
            self.rename(fleet, at, place, when);
        }
    }

    /// The table has better words for an alert than the trap had: its incident goes on under these.
    fn rename(&mut self, fleet: &mut Fleet, at: usize, place: usize, when: i64) {
        let device = fleet.get(at).id;
        let Some(held) = self.alerts.get(&device).and_then(|all| all.get(place)).cloned() else { return };
        let reason = &held.condition.key.reason;
        let mates = self.alerts.get(&device).into_iter().flatten();
        let shared = mates.filter(|mate| mate.stands() && mate.incident == held.incident).count() > 1;
        let taken =
            self.incidents.values().any(|i| i.device == device && i.reason == *reason && i.resolved_at.is_none());
        if !shared && !taken {
            if let Some(incident) = self.incidents.get_mut(&held.incident) {
                incident.reason.clone_from(reason);
                incident.cause = phrase(reason, &fleet.get(at).supplies);
                (incident.dirty, incident.version) = (true, incident.version + 1);
            }
            return;
        }
        let target = self.incident_for(fleet, at, &held.condition, when);
        if let Some(held) = self.alerts.get_mut(&device).and_then(|all| all.get_mut(place)) {
            (held.incident, held.dirty) = (target, true);
        }
        self.open(fleet, target, &held.condition);
        self.resolve_if_over(fleet, device, held.incident, when);
    }

    /// The incident of (device, reason): one that stands or stood a moment ago, else a new one.
    fn incident_for(&mut self, fleet: &Fleet, at: usize, condition: &Condition, when: i64) -> IncidentId {
        if let Some(cause) = self.cause {
            return cause;
        }
        let device = fleet.get(at);
        let reason = &condition.key.reason;
        let known = self.incidents.values().filter(|i| i.device == device.id && i.reason == *reason);
        if let Some(incident) = known.max_by_key(|i| (i.resolved_at.is_none(), i.opened_at)) {
            return incident.id;
        }
        let id = IncidentId::new(self.platform.ids());
        self.incidents.insert(
            id,
            Incident {
                id,
                device: device.id,
                reason: reason.clone(),
                state: "new".into(),
                severity: condition.severity,
                cause: phrase(reason, &device.supplies),
                version: 0,
                opened_at: when,
                resolved_at: None,
                shared: false,
                dirty: true,
            },
        );
        id
    }

    fn open(&mut self, fleet: &mut Fleet, id: IncidentId, condition: &Condition) {
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        if incident.state == "new" || incident.resolved_at.is_some() {
            incident.state = "open".into();
            (incident.resolved_at, incident.dirty, incident.version) = (None, true, incident.version + 1);
            let data = json!({ "incident": id, "cause": incident.reason, "devices": [incident.device] });
            fleet.events.push(("incident.opened", "incident", id.to_string(), data));
        }
        let device = incident.device;
        self.worsen(device, condition, fleet);
    }

    /// A worse severity wakes a snoozed incident.
    fn worsen(&mut self, device: DeviceId, condition: &Condition, fleet: &mut Fleet) {
        let reason = &condition.key.reason;
        let found =
            self.incidents.values_mut().find(|i| i.device == device && i.reason == *reason && i.resolved_at.is_none());
        let Some(incident) = found.filter(|i| rank(condition.severity) < rank(i.severity)) else { return };
        incident.severity = condition.severity;
        (incident.dirty, incident.version) = (true, incident.version + 1);
        if incident.state == "snoozed" {
            incident.state = "open".into();
            let data = json!({ "incident": incident.id, "cause": reason, "devices": [device], "woken_by": "severity" });
            fleet.events.push(("incident.opened", "incident", incident.id.to_string(), data));
        }
    }

    pub(super) fn clear(&mut self, fleet: &mut Fleet, at: usize, place: usize, when: i64) {
        let device = fleet.get(at).id;
        let all = self.alerts.entry(device).or_default();
        let held = &mut all[place];
        let mut when = when.max(held.raised_at);
        if held.source != "platen" && held.flaps >= DAMPED {
            match held.quiet_at.filter(|since| *since <= when) {
                // It has come and gone so often that it is not held to be over until it stays away.
                None => return (held.quiet_at, held.dirty) = (Some(when), true),
                Some(since) if is_flap(since, when) => return,
                Some(since) => when = since,
            }
        }
        (held.cleared_at, held.quiet_at, held.evicted, held.dirty) = (Some(when), None, 0, true);
        let (incident, key) = (held.incident, held.condition.key.clone());
        let data = json!({
            "alert": held.id, "device": device, "reason": key.reason, "severity": held.condition.severity.as_str(),
            "group": key.group, "part": key.part, "incident": incident, "since": Micros(held.raised_at),
        });
        fleet.note(at, when, "alert_cleared", &data, None);
        fleet.events.push(("device.alert.cleared", "device", device.to_string(), data));
        self.resolve_if_over(fleet, device, incident, when);
    }

    /// Ends an incident of which nothing stands any more.
    fn resolve_if_over(&mut self, fleet: &mut Fleet, device: DeviceId, incident: IncidentId, when: i64) {
        let all = self.alerts.get(&device).map(Vec::as_slice).unwrap_or_default();
        if all.iter().any(|held| held.incident == incident && held.stands()) {
            return;
        }
        let ends = |incident: &&mut Incident| incident.resolved_at.is_none() && !incident.shared;
        let Some(incident) = self.incidents.get_mut(&incident).filter(ends) else { return };
        incident.state = "resolved".into();
        (incident.resolved_at, incident.dirty, incident.version) = (Some(when), true, incident.version + 1);
        let data = json!({ "incident": incident.id, "cause": incident.reason, "devices": [device] });
        fleet.events.push(("incident.resolved", "incident", incident.id.to_string(), data));
    }
}
