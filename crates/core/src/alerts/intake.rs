//! What status messages do to alerts: raise, clear, recognise a flap, and keep one incident for each cause.

use std::collections::{HashMap, HashSet};

use serde_json::json;
use store::{Tx, Value, params};
use wire::AlertSeverity;
use wire::report::StatusBody;

use super::rules::{self, Condition, FLAP, Key, is_flap, rank};
use super::{AlertId, IncidentId, sql};
use crate::devices::intake::{Fleet, chunks};
use crate::devices::known::hash;
use crate::devices::{DeviceId, rules::phrase};
use crate::error::Result;
use crate::platform::Platform;
use crate::{Micros, OrgId};

/// An alert as it stands, or stood a moment ago.
#[derive(Clone, Debug)]
struct Held {
    id: AlertId,
    condition: Condition,
    source: &'static str,
    raised_at: i64,
    cleared_at: Option<i64>,
    flaps: i64,
    incident: IncidentId,
    dirty: bool,
}

#[derive(Clone, Debug)]
struct Incident {
    id: IncidentId,
    device: DeviceId,
    reason: String,
    state: String,
    severity: AlertSeverity,
    cause: String,
    version: i64,
    opened_at: i64,
    resolved_at: Option<i64>,
    dirty: bool,
}

/// Alerts of the devices of one transaction.
pub(crate) struct Board {
    platform: Platform,
    tenant: OrgId,
    alerts: HashMap<DeviceId, Vec<Held>>,
    incidents: HashMap<IncidentId, Incident>,
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
        let mut board = Self { platform: platform.clone(), tenant, alerts: HashMap::new(), incidents: HashMap::new() };
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
        let (reason, incident) = (key.reason.clone(), row.get(13)?);
        let source = if row.get::<String>(8)? == "platen" { "platen" } else { "device" };
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
            reason,
            state: row.get(14)?,
            severity: severity(&row.get::<String>(17)?),
            cause: String::new(),
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
        device.alerts_hash = hash;
        device.status_dirty = true;
        let id = device.id;
        let told = rules::conditions(body);
        let keys: HashSet<&Key> = told.iter().map(|condition| &condition.key).collect();
        let standing = self.alerts.entry(id).or_default().iter().enumerate();
        let gone: Vec<usize> = standing
            .filter(|(_, held)| {
                held.cleared_at.is_none() && held.source == "device" && !keys.contains(&held.condition.key)
            })
            .map(|(place, _)| place)
            .collect();
        // Raising first lets an incident go on whose parts change.
        for condition in &told {
            self.raise(fleet, at, condition, "device", when);
        }
        for place in gone {
            self.clear(fleet, at, place, when);
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
        let same = |held: &&mut Held| held.condition.key == condition.key;
        if let Some(held) = all.iter_mut().filter(same).find(|held| held.cleared_at.is_none()) {
            if held.condition != *condition {
                held.condition = condition.clone();
                held.dirty = true;
            }
            return self.worsen(device, condition, fleet);
        }
        let flap =
            all.iter_mut().filter(same).rfind(|held| held.cleared_at.is_some_and(|cleared| is_flap(cleared, when)));
        let (id, flaps, incident) = if let Some(held) = flap {
            (held.cleared_at, held.dirty, held.flaps) = (None, true, held.flaps + 1);
            held.condition = condition.clone();
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

    /// The incident of (device, reason): one that stands or stood a moment ago, else a new one.
    fn incident_for(&mut self, fleet: &Fleet, at: usize, condition: &Condition, when: i64) -> IncidentId {
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
        let when = when.max(held.raised_at);
        (held.cleared_at, held.dirty) = (Some(when), true);
        let (id, incident, key) = (held.id, held.incident, held.condition.key.clone());
        let data = json!({
            "alert": id, "device": device, "reason": key.reason, "severity": held.condition.severity.as_str(),
            "group": key.group, "part": key.part, "incident": incident, "since": Micros(held.raised_at),
        });
        let over = !all.iter().any(|held| held.incident == incident && held.cleared_at.is_none());
        fleet.note(at, when, "alert_cleared", &data, None);
        fleet.events.push(("device.alert.cleared", "device", device.to_string(), data));
        if let Some(incident) = self.incidents.get_mut(&incident).filter(|_| over) {
            incident.state = "resolved".into();
            (incident.resolved_at, incident.dirty, incident.version) = (Some(when), true, incident.version + 1);
            let data = json!({ "incident": incident.id, "cause": incident.reason, "devices": [device] });
            fleet.events.push(("incident.resolved", "incident", incident.id.to_string(), data));
        }
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
                    incident.device,
                    Value::Null,
                    &incident.reason,
                    incident.severity.as_str(),
                    &incident.cause,
                    incident.opened_at,
                    incident.resolved_at
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
                    held.incident
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
