//! What status messages do to alerts: raise, clear, recognise a flap, and keep one incident for each cause.

use std::collections::HashMap;

use serde_json::json;
use store::{Tx, Value, params};
use wire::AlertSeverity;
use wire::report::StatusBody;
use wire::traps::TrapBody;

use super::held::{Held, Incident, find};
use super::rules::{self, Condition, DAMPED, FLAP, Key, Reach, UNSURE, audience, is_flap, may_be_evicted, rank};
use super::storm::Shared;
use super::{AlertId, IncidentId, sql};
use crate::devices::intake::{Fleet, chunks};
use crate::devices::known::hash;
use crate::devices::{DeviceId, rules::phrase};
use crate::error::Result;
use crate::platform::Platform;
use crate::{Micros, OrgId};

/// Group of the alerts that a device tells as errors, jams and alarms.
const TOLD: &str = "told";

/// What a reading does not tell.
#[derive(Default)]
struct Missing {
    /// Places of those that are over.
    over: Vec<usize>,
    /// Something stands that the reading could not know of.
    unsettled: bool,
}

/// Alerts of the devices of one transaction.
pub(crate) struct Board {
    platform: Platform,
    tenant: OrgId,
    alerts: HashMap<DeviceId, Vec<Held>>,
    incidents: HashMap<IncidentId, Incident>,
    /// The cause that what is raised now belongs to, if it is one of many devices.
    cause: Option<IncidentId>,
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

fn severity(word: &str) -> AlertSeverity {
    AlertSeverity::from_word(word).unwrap_or(AlertSeverity::Other)
}

impl Board {
    /// Loads what stands, or stood a moment before `oldest`, on these devices.
    pub(crate) async fn load(
        tx: &mut Tx,
        platform: &Platform,
        tenant: OrgId,
        devices: &[DeviceId],
        oldest: i64,
    ) -> Result<Self> {
        let mut board =
            Self { platform: platform.clone(), tenant, alerts: HashMap::new(), incidents: HashMap::new(), cause: None };
        let ids: Vec<String> = devices.iter().map(ToString::to_string).collect();
        for mut values in chunks(tenant, &ids) {
            values.push(oldest.saturating_sub(FLAP).into());
            for row in tx.query(&sql::LOAD, &values).await? {
                board.hold(&row)?;
            }
        }
        Ok(board)
    }

    fn hold(&mut self, row: &store::Row) -> Result<()> {
        let device: DeviceId = row.get(1)?;
        let key = Key { group: row.get(2)?, part: row.get(3)?, reason: row.get(4)? };
        let incident = row.get(13)?;
        let source = match row.get::<String>(8)?.as_str() {
            "platen" => "platen",
            "trap" => "trap",
            "event" => "event",
            _ => "device",
        };
        let condition = Condition {
            key,
            severity: severity(&row.get::<String>(5)?),
            code: row.get(6)?,
            text: row.get(7)?,
            since: row.get(9)?,
        };
        self.incidents.entry(incident).or_insert(Incident {
            id: incident,
            device,
            reason: row.get(21)?,
            shared: row.get::<Option<DeviceId>>(22)?.is_none(),
            state: row.get(14)?,
            severity: severity(&row.get::<String>(17)?),
            cause: row.get(20)?,
            version: row.get(16)?,
            opened_at: row.get(10)?,
            resolved_at: row.get(15)?,
            dirty: false,
        });
        self.alerts.entry(device).or_default().push(Held {
            id: row.get(0)?,
            condition,
            source,
            raised_at: row.get(10)?,
            cleared_at: row.get(11)?,
            flaps: row.get(12)?,
            incident,
            quiet_at: row.get(18)?,
            evicted: row.get(19)?,
            dirty: false,
        });
        Ok(())
    }

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

    /// Raises an alert that Platen makes itself.
    pub(crate) fn raise_made(
        &mut self,
        fleet: &mut Fleet,
        at: usize,
        reason: &str,
        severity: AlertSeverity,
        text: String,
        when: i64,
    ) {
        let key = Key { group: "platen".into(), part: String::new(), reason: reason.to_owned() };
        self.raise(fleet, at, &Condition { key, severity, code: None, text: Some(text), since: None }, "platen", when);
    }

    /// Raises an alert that Platen makes of one part, a supply by its slot; one that stands goes on.
    pub(crate) fn raise_made_of(
        &mut self,
        fleet: &mut Fleet,
        at: usize,
        (group, part, reason): (&str, &str, &str),
        severity: AlertSeverity,
        text: String,
        when: i64,
    ) {
        let key = Key { group: group.to_owned(), part: part.to_owned(), reason: reason.to_owned() };
        self.raise(fleet, at, &Condition { key, severity, code: None, text: Some(text), since: None }, "platen", when);
    }

    /// Clears what Platen made of one part, but for the reason `keep`.
    pub(crate) fn clear_made_of(&mut self, fleet: &mut Fleet, at: usize, part: &str, keep: Option<&str>, when: i64) {
        let id = fleet.get(at).id;
        let places = self.alerts.get(&id).map(Vec::as_slice).unwrap_or_default().iter().enumerate();
        let due: Vec<usize> = places
            .filter(|(_, held)| held.source == "platen" && held.stands() && held.condition.key.part == part)
            .filter(|(_, held)| keep != Some(held.condition.key.reason.as_str()))
            .map(|(place, _)| place)
            .collect();
        for place in due {
            self.clear(fleet, at, place, when);
        }
    }

    /// Reasons that stand on a device with their part and whether Platen made them.
    pub(crate) fn standing(&self, device: DeviceId) -> impl Iterator<Item = (&str, &str, bool)> {
        let all = self.alerts.get(&device).map(Vec::as_slice).unwrap_or_default();
        all.iter()
            .filter(|held| held.stands())
            .map(|held| (held.condition.key.reason.as_str(), held.condition.key.part.as_str(), held.source == "platen"))
    }

    /// Raises the silence of a device that has one cause with that of others.
    pub(crate) fn raise_hidden(&mut self, fleet: &mut Fleet, at: usize, cause: &Shared, text: String, when: i64) {
        let device = fleet.get(at).id;
        self.incidents.entry(cause.id).or_insert_with(|| Incident {
            id: cause.id,
            device,
            reason: super::storm::REASON.to_owned(),
            state: cause.state.clone(),
            severity: AlertSeverity::Critical,
            cause: cause.words.clone(),
            version: cause.version,
            opened_at: cause.opened_at,
            resolved_at: None,
            shared: true,
            dirty: false,
        });
        self.cause = Some(cause.id);
        self.raise_made(fleet, at, "platen-silent", AlertSeverity::Warning, text, when);
        self.cause = None;
    }

    /// Raises an alert for an error, jam or alarm that stands until the device takes it back: its reason and place,
    /// its number and words.
    pub(crate) fn raise_told(
        &mut self,
        fleet: &mut Fleet,
        at: usize,
        (reason, part): (&str, String),
        severity: AlertSeverity,
        (code, text): (Option<i64>, String),
        when: i64,
    ) {
        let key = Key { group: TOLD.into(), part, reason: reason.to_owned() };
        self.raise(fleet, at, &Condition { key, severity, code, text: Some(text), since: Some(when) }, "event", when);
    }

    /// Clears what [`Self::raise_told`] raised in this place, under whatever reason.
    pub(crate) fn clear_told(&mut self, fleet: &mut Fleet, at: usize, part: &str, when: i64) {
        let id = fleet.get(at).id;
        let told = |held: &Held| held.stands() && held.condition.key.group == TOLD && held.condition.key.part == part;
        while let Some(place) = self.alerts.get(&id).and_then(|all| all.iter().position(told)) {
            self.clear(fleet, at, place, when);
            if self.alerts.get(&id).is_some_and(|all| all[place].stands()) {
                // It flaps, and is held to stand until it has been away for long.
                break;
            }
        }
    }

    /// Clears an alert that Platen made itself.
    pub(crate) fn clear_made(&mut self, fleet: &mut Fleet, at: usize, reason: &str, when: i64) {
        let id = fleet.get(at).id;
        let made =
            |held: &Held| held.source == "platen" && held.cleared_at.is_none() && held.condition.key.reason == reason;
        if let Some(place) = self.alerts.get(&id).and_then(|all| all.iter().position(made)) {
            self.clear(fleet, at, place, when);
        }
    }

    fn raise(&mut self, fleet: &mut Fleet, at: usize, condition: &Condition, source: &'static str, when: i64) {
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

    fn clear(&mut self, fleet: &mut Fleet, at: usize, place: usize, when: i64) {
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

    /// Writes everything.
    pub(crate) async fn flush(self, tx: &mut Tx) -> Result<()> {
        let mut incidents: Vec<Vec<Value>> = Vec::new();
        for incident in self.incidents.values().filter(|incident| incident.dirty) {
            incidents.push(
                params![
                    self.tenant,
                    incident.id,
                    incident.version,
                    &incident.state,
                    (!incident.shared).then_some(incident.device),
                    Value::Null,
                    &incident.reason,
                    incident.severity.as_str(),
                    &incident.cause,
                    incident.opened_at,
                    incident.resolved_at,
                    audience(&incident.reason)
                ]
                .into(),
            );
        }
        let mut alerts: Vec<Vec<Value>> = Vec::new();
        for (device, held) in self.alerts.iter().flat_map(|(device, all)| all.iter().map(move |held| (device, held))) {
            if !held.dirty {
                continue;
            }
            let (condition, key) = (&held.condition, &held.condition.key);
            alerts.push(
                params![
                    self.tenant,
                    held.id,
                    *device,
                    &key.group,
                    &key.part,
                    &key.reason,
                    condition.severity.as_str(),
                    rank(condition.severity),
                    condition.code,
                    condition.text.as_ref(),
                    held.source,
                    condition.since,
                    held.raised_at,
                    held.cleared_at,
                    held.flaps,
                    held.incident,
                    held.quiet_at,
                    held.evicted,
                    audience(&key.reason)
                ]
                .into(),
            );
        }
        for (statement, rows) in [(&sql::INCIDENT, incidents), (&sql::INSERT, alerts)] {
            if !rows.is_empty() {
                tx.many(statement, rows).await?;
            }
        }
        Ok(())
    }
}
