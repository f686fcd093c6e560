//! What reports do to devices: load those that are spoken of, meet new ones, take their words, write what changed.
//! One working set a report; a handful of statements, however many messages.

use std::collections::{HashMap, HashSet};

use serde_json::{Value as Json, json};
use store::{Tx, Value, params};
use wire::Subject;
use wire::report::StatusBody;

use super::fold::{clean, fold_serial};
use super::known::{self, Known, Told};
use super::sql::{self, CHUNK};
use super::words::{Comm, DeviceId};
use crate::doubts::NewDoubt;
use crate::error::Result;
use crate::{AgentId, Micros, OrgId};

/// An event that is told when the report is written.
pub(crate) type Notice = (&'static str, &'static str, String, Json);

/// The report in which a device spoke of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    pub(crate) epoch: u64,
    /// What its clock lacks, ms.
    pub(crate) offset_ms: i64,
    /// When it came.
    pub(crate) at: Micros,
}

/// Devices of one report, and what will be written about them; or of one report each of many devices.
pub(crate) struct Fleet {
    pub(crate) tenant: OrgId,
    pub(crate) agent: AgentId,
    pub(crate) now: Micros,
    /// Devices that speak of themselves, each in its own report; all others are spoken of by `agent`.
    sources: HashMap<Subject, Source>,
    pub(super) devices: Vec<Known>,
    pub(super) by_id: HashMap<DeviceId, usize>,
    pub(super) by_subject: HashMap<Subject, usize>,
    pub(super) by_serial: HashMap<String, Vec<usize>>,
    pub(super) by_mac: HashMap<String, Vec<usize>>,
    pub(super) by_engine: HashMap<String, Vec<usize>>,
    pub(super) by_address: HashMap<String, Vec<usize>>,
    pub(super) worthless: HashSet<String>,
    /// Heard at another address: what stands in their old place is another device.
    pub(crate) away: Vec<DeviceId>,
    /// When each was heard last: by anybody, and by its source.
    pub(super) heard: HashMap<usize, (i64, Option<i64>)>,
    pub(super) seen: Vec<(Subject, i64)>,
    pub(super) history_no: i64,
    pub(crate) history: Vec<Vec<Value>>,
    pub(crate) events: Vec<Notice>,
    pub(crate) doubts: Vec<NewDoubt>,
    pub(super) evidence: Vec<Vec<Value>>,
    pub(super) ended: Vec<Vec<Value>>,
    pub(super) ended_of: Vec<Vec<Value>>,
    pub(super) retoken: Vec<usize>,
    pub(super) parts: HashMap<usize, Vec<Value>>,
    pub(super) components: Vec<Vec<Value>>,
}

/// Parameters of an `in64` statement: tenant, then the values, the last repeated.
pub(crate) fn chunks(tenant: OrgId, values: &[String]) -> impl Iterator<Item = Vec<Value>> {
    values.chunks(CHUNK).map(move |chunk| {
        let mut row = Vec::with_capacity(CHUNK + 1);
        row.push(tenant.into());
        row.extend(
            chunk.iter().chain(std::iter::repeat_n(&chunk[chunk.len() - 1], CHUNK - chunk.len())).map(Value::from),
        );
        row
    })
}

impl Fleet {
    /// An empty set; `seed` makes the numbers of history rows differ between transactions.
    pub(crate) fn new(tenant: OrgId, agent: AgentId, now: Micros, seed: i64) -> Self {
        Self {
            tenant,
            agent,
            now,
            sources: HashMap::new(),
            devices: Vec::new(),
            by_id: HashMap::new(),
            by_subject: HashMap::new(),
            by_serial: HashMap::new(),
            by_mac: HashMap::new(),
            by_engine: HashMap::new(),
            by_address: HashMap::new(),
            worthless: HashSet::new(),
            away: Vec::new(),
            heard: HashMap::new(),
            seen: Vec::new(),
            history_no: seed,
            history: Vec::new(),
            events: Vec::new(),
            doubts: Vec::new(),
            evidence: Vec::new(),
            ended: Vec::new(),
            ended_of: Vec::new(),
            retoken: Vec::new(),
            parts: HashMap::new(),
            components: Vec::new(),
        }
    }

    pub(super) fn subject_key(&self, subject: Subject) -> String {
        format!("{}/{}", self.agent_of(subject), subject.to_text())
    }

    /// The devices of these reports speak of themselves.
    pub(crate) fn hear_from(&mut self, sources: HashMap<Subject, Source>) {
        self.sources = sources;
    }

    /// Whether these are reports of devices about themselves.
    pub(crate) fn speaks_of_itself(&self) -> bool {
        !self.sources.is_empty()
    }

    /// Who speaks of a subject: an agent, or the device under its own name.
    pub(crate) fn agent_of(&self, subject: Subject) -> AgentId {
        if self.sources.contains_key(&subject) { AgentId::from(subject) } else { self.agent }
    }

    /// The report in which a device speaks of itself.
    pub(crate) fn source(&self, subject: Option<Subject>) -> Option<Source> {
        self.sources.get(&subject?).copied()
    }

    /// What follows is told by whoever speaks of this subject, at the time of that report.
    pub(crate) fn listen_to(&mut self, subject: Option<Subject>) {
        if let (Some(subject), Some(source)) = (subject, self.source(subject)) {
            (self.agent, self.now) = (AgentId::from(subject), source.at);
        }
    }

    /// Puts a loaded device into the set.
    pub(super) fn hold(&mut self, device: Known) -> usize {
        if let Some(at) = self.by_id.get(&device.id) {
            return *at;
        }
        let at = self.devices.len();
        self.by_id.insert(device.id, at);
        self.index(at, &device);
        self.devices.push(device);
        at
    }

    pub(super) fn index(&mut self, at: usize, device: &Known) {
        if let Some(serial) = &device.serial_fold {
            self.by_serial.entry(serial.clone()).or_default().push(at);
        }
        if let Some(mac) = &device.mac {
            self.by_mac.entry(mac.clone()).or_default().push(at);
        }
        if let Some(address) = &device.address {
            self.by_address.entry(address.clone()).or_default().push(at);
        }
        if let Some(engine) = &device.engine_id {
            self.by_engine.entry(engine.clone()).or_default().push(at);
        }
    }

    /// Loads the devices that these subjects are bound to.
    pub(crate) async fn load_subjects(&mut self, tx: &mut Tx, subjects: &[Subject]) -> Result<()> {
        let mut wanted: Vec<Subject> = subjects.iter().filter(|s| !self.by_subject.contains_key(s)).copied().collect();
        wanted.sort_unstable();
        wanted.dedup();
        let keys: Vec<String> = wanted.iter().map(|subject| self.subject_key(*subject)).collect();
        let by_key: HashMap<&str, Subject> = keys.iter().map(String::as_str).zip(wanted.iter().copied()).collect();
        let mut bound: Vec<(DeviceId, Subject)> = Vec::new();
        for row in chunks(self.tenant, &keys) {
            for row in tx.query(&sql::SUBJECTS, &row).await? {
                if let Some(subject) = by_key.get(row.get::<String>(1)?.as_str()) {
                    bound.push((row.get(0)?, *subject));
                }
            }
        }
        let mut ids: Vec<String> = bound.iter().map(|(id, _)| id.to_string()).collect();
        ids.sort_unstable();
        ids.dedup();
        for row in chunks(self.tenant, &ids) {
            for row in tx.query(&sql::BY_ID, &row).await? {
                self.hold(Known::read(&row)?);
            }
        }
        for (id, subject) in bound {
            if let Some(at) = self.by_id.get(&id) {
                self.by_subject.insert(subject, *at);
            }
        }
        Ok(())
    }

    /// Loads devices by their ids; those that are not there, or belong to others, are left out.
    pub(crate) async fn load_ids(&mut self, tx: &mut Tx, ids: &[DeviceId]) -> Result<()> {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        for row in chunks(self.tenant, &ids) {
            for row in tx.query(&sql::BY_ID, &row).await? {
                self.hold(Known::read(&row)?);
            }
        }
        Ok(())
    }

    /// Where in the set a device stands.
    pub(crate) fn place(&self, id: DeviceId) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    /// The device that a subject is bound to.
    pub(crate) fn of(&self, subject: Subject) -> Option<usize> {
        self.by_subject.get(&subject).copied()
    }

    /// One device of the set.
    pub(crate) fn get(&self, at: usize) -> &Known {
        &self.devices[at]
    }

    /// One device of the set, to be changed.
    pub(crate) fn get_mut(&mut self, at: usize) -> &mut Known {
        &mut self.devices[at]
    }

    /// Adds a line to the history of a device.
    pub(crate) fn note(&mut self, at: usize, when: i64, kind: &str, data: &Json, actor: Option<String>) {
        self.history_no += 1;
        let row =
            params![self.tenant, Micros(when).month(), self.devices[at].id, when, self.history_no, kind, data, actor];
        self.history.push(row.into());
    }

    /// Takes over what a status message says of identity and address.
    pub(crate) fn take_identity(&mut self, at: usize, body: &StatusBody, told: &Told, when: i64) {
        if self.devices[at].identity_hash == told.hash {
            return;
        }
        let (agent, tenant, now) = (self.agent, self.tenant, self.now);
        let before = self.devices[at].clone();
        let (text, identity) = (clean, &body.identity);
        if before.address.is_some() && told.address.is_some() && before.address != told.address {
            self.away.push(before.id);
        }
        let device = &mut self.devices[at];
        // An agent that was cut off tells of it weeks later.
        device.first_at = device.first_at.min(when);
        // What a device withholds once is not forgotten.
        device.port = Some(told.port);
        device.agent = Some(agent);
        device.address = text(Some(&body.address)).or(device.address.take());
        device.extra = known::Extra {
            port: body.port.into(),
            snmp: body.snmp.as_str(),
            sys_object_id: text(identity.sys_object_id.as_deref()),
            description: text(identity.description.as_deref()),
        };
        if !told.vendor.is_empty() {
            device.vendor.clone_from(&told.vendor);
        }
        // A serial that another living unit holds is shown, but carries no identity here.
        let doubled =
            before.serial_fold.is_none() && (before.fresh || fold_serial(before.serial.as_deref()) == told.serial_fold);
        device.serial_fold = if doubled { None } else { told.serial_fold.clone().or(device.serial_fold.take()) };
        device.serial = told.serial.clone().or(device.serial.take());
        device.model = told.model.clone().or(device.model.take());
        device.mac = told.mac.clone().or(device.mac.take());
        device.engine_id = told.engine.clone().or(device.engine_id.take());
        device.name = text(identity.name.as_deref());
        device.hostname = text(identity.hostname.as_deref()).or(device.hostname.take());
        device.location = text(identity.location.as_deref());
        device.contact = text(identity.contact.as_deref());
        let main = identity.firmware.iter().find(|part| part.name == "system").or(identity.firmware.first());
        device.firmware = main.and_then(|part| text(Some(&part.version))).or(device.firmware.take());
        device.identity_hash = told.hash;
        device.identity_dirty = true;
        device.relabel();
        let (id, after) = (device.id, device.clone());
        if before.fresh || before.tokens() != after.tokens() {
            self.retoken.push(at);
        }
        for part in &identity.firmware {
            let (name, version) =
                (text(Some(&part.name)).unwrap_or_default(), text(Some(&part.version)).unwrap_or_default());
            self.components.push(params![tenant, id, "firmware", name, version, now].into());
        }
        self.evidence_of(&before, &after);
        if !before.fresh {
            self.note_changes(at, &before, &after, when);
        }
        self.index(at, &after);
    }

    fn evidence_of(&mut self, before: &Known, after: &Known) {
        let kinds = [
            ("serial", before.serial_fold.as_ref(), after.serial_fold.as_ref()),
            ("mac", before.mac.as_ref(), after.mac.as_ref()),
            ("engine_id", before.engine_id.as_ref(), after.engine_id.as_ref()),
            ("address", before.address.as_ref(), after.address.as_ref()),
        ];
        for (kind, old, new) in kinds {
            let Some(new) = new.filter(|new| Some(*new) != old || before.fresh) else { continue };
            if old.is_some() && !before.fresh {
                self.ended_of.push(params![self.tenant, after.id, kind, self.now, new].into());
            }
            self.evidence.push(params![self.tenant, kind, new, after.id, "status", self.now].into());
        }
    }

    fn note_changes(&mut self, at: usize, before: &Known, after: &Known, when: i64) {
        let fields = [
            ("address", &before.address, &after.address),
            ("serial", &before.serial, &after.serial),
            ("mac", &before.mac, &after.mac),
            ("model", &before.model, &after.model),
            ("name", &before.name, &after.name),
            ("location", &before.location, &after.location),
            ("firmware", &before.firmware, &after.firmware),
        ];
        for (field, from, to) in fields {
            if from != to {
                let kind = if matches!(field, "address" | "firmware") { field } else { "identity" };
                self.note(at, when, kind, &json!({ "field": field, "from": from, "to": to }), None);
                if field == "firmware" {
                    let data = json!({ "kind": "firmware", "name": "system", "from": from, "to": to });
                    self.events.push(("device.component.changed", "device", after.id.to_string(), data));
                }
            }
        }
        if before.agent != after.agent {
            self.note(at, when, "moved", &json!({ "from_agent": before.agent, "to_agent": after.agent }), None);
            let data = json!({ "device": after.id, "from_agent": before.agent, "to_agent": after.agent });
            self.events.push(("device.moved", "device", after.id.to_string(), data));
        }
    }

    /// Takes over state, reasons and console; the change is noted and told.
    pub(crate) fn take_status(&mut self, at: usize, body: &StatusBody, when: i64) {
        let device = &mut self.devices[at];
        let mut reasons: Vec<String> =
            body.status.reasons.iter().filter_map(|r| clean(Some(r))).map(|r| r.replace(' ', "-")).collect();
        reasons.sort_unstable();
        reasons.dedup();
        let console = clean(body.status.console.as_deref());
        let before = (device.state, std::mem::replace(&mut device.reasons, reasons));
        device.status_dirty |= device.console != console;
        device.console = console;
        device.state = body.status.state;
        device.status_at = when;
        let (id, changed) = (device.id, device.fresh || before.0 != device.state || before.1 != device.reasons);
        if changed {
            device.status_dirty = true;
            device.state_at = when;
            let data = json!({
                "state": device.state.as_str(), "reasons": device.reasons,
                "before": { "state": before.0.as_str(), "reasons": before.1 },
            });
            self.note(at, when, "state", &data, None);
            self.events.push(("device.state.changed", "device", id.to_string(), data));
        }
    }

    /// Takes over trays, bins, covers and quirks.
    pub(crate) fn take_parts(&mut self, at: usize, body: &StatusBody, when: i64) -> Result<()> {
        let mut bytes = wire::cbor::encode(&body.inputs);
        bytes.extend(wire::cbor::encode(&body.outputs));
        bytes.extend(wire::cbor::encode(&body.covers));
        bytes.extend(body.quirks.iter().flat_map(|quirk| quirk.bytes()));
        let hash = known::hash(&bytes);
        let device = &mut self.devices[at];
        if device.parts_hash == hash {
            return Ok(());
        }
        device.parts_hash = hash;
        device.status_dirty = true;
        // NUL has no place in a JSON column of PostgreSQL.
        let json = |text: Result<String>| text.map(|text| text.replace("\\u0000", ""));
        let row = params![
            self.tenant,
            device.id,
            json(known::json(&body.inputs))?,
            json(known::json(&body.outputs))?,
            json(known::json(&body.covers))?,
            json(known::json(&body.quirks))?,
            when
        ];
        self.parts.insert(at, row.into());
        Ok(())
    }

    /// Notes a part of a device in its present version.
    pub(crate) fn component(&mut self, at: usize, kind: &str, name: &str, version: &str) {
        let row = params![self.tenant, self.devices[at].id, kind, name, version, self.now];
        self.components.push(row.into());
    }

    /// A sign of life at `when` from a subject; if that is `recent`, a device that was not heard is heard again.
    pub(crate) fn hear(&mut self, at: usize, subject: Option<Subject>, when: i64, recent: bool) {
        let key = subject.map(|subject| self.subject_key(subject));
        let of_source = key.is_some() && key == self.devices[at].heard_by;
        let newest = self.heard.entry(at).or_insert((i64::MIN, None));
        newest.0 = newest.0.max(when);
        if of_source {
            newest.1 = Some(newest.1.unwrap_or(when).max(when));
        }
        if recent {
            self.set_comm(at, Comm::Reporting, when);
        }
    }

    /// Changes the communication state, noted and told.
    pub(crate) fn set_comm(&mut self, at: usize, comm: Comm, when: i64) {
        let device = &mut self.devices[at];
        if device.comm == comm {
            return;
        }
        let (id, before) = (device.id, device.comm);
        (device.comm, device.comm_at, device.status_dirty) = (comm, when, true);
        device.judge();
        let data = json!({ "comm": comm.as_str(), "before": before.as_str(), "since": Micros(when) });
        // Late is a passing doubt; only what people see as another word stands in the history.
        if comm != Comm::Late && before != Comm::Late {
            self.note(at, when, "comm", &data, None);
        }
        self.events.push(("device.comm.changed", "device", id.to_string(), data));
    }

    /// Loads the agent's devices that are not heard, to see which of `answered` are heard again.
    pub(crate) async fn load_not_heard(&mut self, tx: &mut Tx, answered: &[Subject]) -> Result<Vec<usize>> {
        let prefix = format!("{}/", self.agent);
        let answered: HashSet<&Subject> = answered.iter().collect();
        let mut unheard: HashMap<DeviceId, Known> = HashMap::new();
        for row in tx.query(&sql::NOT_HEARD, &params![self.tenant, self.agent]).await? {
            let device = Known::read(&row)?;
            unheard.insert(device.id, device);
        }
        let ids: Vec<String> = unheard.keys().map(ToString::to_string).collect();
        let mut again = Vec::new();
        for row in chunks(self.tenant, &ids) {
            for row in tx.query(&sql::SUBJECTS_OF, &row).await? {
                let key: String = row.get(1)?;
                let subject = key.strip_prefix(&prefix).and_then(Subject::from_text);
                let Some(subject) = subject.filter(|subject| answered.contains(subject)) else { continue };
                if let Some(device) = unheard.remove(&row.get(0)?) {
                    let at = self.hold(device);
                    self.by_subject.insert(subject, at);
                    again.push(at);
                }
            }
        }
        Ok(again)
    }

    /// Signs of life of subjects whose devices need not be loaded.
    pub(crate) fn hear_subjects(&mut self, subjects: &[Subject], when: i64) {
        self.seen.extend(subjects.iter().map(|subject| (*subject, when)));
    }

    /// Writes everything.
    pub(crate) async fn flush(&mut self, tx: &mut Tx) -> Result<()> {
        let (tenant, now) = (self.tenant, self.now);
        let month = now.month();
        let (mut fresh, mut presence, mut identity, mut status, mut heard) = (vec![], vec![], vec![], vec![], vec![]);
        for (at, device) in self.devices.iter().enumerate() {
            let heard_now = self.heard.get(&at);
            if device.fresh {
                fresh.push(device.insert_row(tenant, month)?);
                let when = heard_now.map_or(now.0, |heard| heard.0);
                presence.push(params![tenant, device.id, when, device.heard_by.as_ref()].into());
                continue;
            }
            if device.identity_dirty {
                identity.push(device.identity_row(tenant));
            }
            if device.status_dirty {
                status.push(device.status_row(tenant)?);
            }
            heard.extend(
                heard_now.map(|(when, source)| {
                    Vec::from(params![tenant, device.id, *when, device.heard_by.as_ref(), *source])
                }),
            );
        }
        let seen = self
            .seen
            .iter()
            .map(|(subject, when)| Vec::from(params![tenant, self.subject_key(*subject), *when]))
            .collect();
        let mut dropped: Vec<Vec<Value>> = Vec::new();
        let mut tokens = Vec::new();
        self.retoken.sort_unstable();
        self.retoken.dedup();
        for at in &self.retoken {
            let device = &self.devices[*at];
            if !device.fresh {
                dropped.push(params![tenant, device.id].into());
            }
            tokens.extend(device.tokens().into_iter().map(|token| Vec::from(params![tenant, device.id, token])));
        }
        let parts = std::mem::take(&mut self.parts).into_values().collect();
        let writes: [(&store::Sql, Vec<Vec<Value>>); 14] = [
            (&sql::EVIDENCE_END, std::mem::take(&mut self.ended)),
            (&sql::EVIDENCE_END_OF, std::mem::take(&mut self.ended_of)),
            (&sql::EVIDENCE, std::mem::take(&mut self.evidence)),
            (&sql::INSERT, fresh),
            (&sql::PRESENCE_NEW, presence),
            (&sql::UPDATE_IDENTITY, identity),
            (&sql::UPDATE_STATUS, status),
            (&sql::PRESENCE, heard),
            (&sql::SEEN, seen),
            (&sql::TOKENS_DROP, dropped),
            (&sql::TOKEN, tokens),
            (&sql::PARTS, parts),
            (&sql::COMPONENT, std::mem::take(&mut self.components)),
            (&sql::HISTORY, std::mem::take(&mut self.history)),
        ];
        for (statement, rows) in writes {
            if !rows.is_empty() {
                tx.many(statement, rows).await?;
            }
        }
        Ok(())
    }
}
