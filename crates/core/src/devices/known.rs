//! A device as a report finds it in the database, and the rows that its changes make.

use store::{Row, Value, params};
use wire::State;
use wire::report::StatusBody;

use super::fold::{Findable, clean, fold_engine, fold_mac, fold_serial, sort_key, tokens};
use super::identity::{Candidate, Claim};
use super::rules::{Facts, judge};
use super::words::{Comm, DeviceId, SupplyBrief, Word};
use crate::error::{Error, Result};
use crate::{AgentId, Micros, OrgId};

/// Heard within this time under another subject: the device is alive elsewhere. 10 minutes.
const ALIVE: i64 = 600 * 1_000_000;

/// What is loaded of a device for a report.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) id: DeviceId,
    pub(crate) version: i64,
    pub(crate) lifecycle: String,
    pub(crate) agent: Option<AgentId>,
    pub(crate) vendor: String,
    pub(crate) model: Option<String>,
    pub(crate) serial: Option<String>,
    pub(crate) serial_fold: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) hostname: Option<String>,
    pub(crate) own_name: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) mac: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) own_location: Option<String>,
    pub(crate) asset_no: Option<String>,
    pub(crate) contact: Option<String>,
    pub(crate) label: String,
    pub(crate) place: String,
    pub(crate) firmware: Option<String>,
    pub(crate) comm: Comm,
    pub(crate) comm_at: i64,
    pub(crate) state: State,
    pub(crate) reasons: Vec<String>,
    pub(crate) console: Option<String>,
    pub(crate) state_at: i64,
    pub(crate) status_at: i64,
    pub(crate) word: Word,
    pub(crate) why: Option<String>,
    pub(crate) supplies: Vec<SupplyBrief>,
    pub(crate) pages_life: Option<i64>,
    pub(crate) identity_hash: i64,
    pub(crate) supplies_hash: i64,
    pub(crate) parts_hash: i64,
    pub(crate) alerts_hash: i64,
    pub(crate) seen_at: i64,
    /// The total that a person chose to bill by: the object it is read from.
    pub(crate) bill_source: Option<String>,
    pub(crate) engine_id: Option<String>,
    /// The source that it is read from, as "agent/subject".
    pub(crate) heard_by: Option<String>,
    /// When that source was heard last.
    pub(crate) source_at: Option<i64>,
    pub(crate) port: Option<i64>,
    /// When it was first read, by what was told of it; only of one that is fresh.
    pub(crate) first_at: i64,
    /// Attributes that only travel to the database.
    pub(crate) extra: Extra,
    /// Not in the database yet.
    pub(crate) fresh: bool,
    pub(crate) identity_dirty: bool,
    pub(crate) status_dirty: bool,
}

/// What is written from a status message and never read back by a report.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extra {
    pub(crate) port: i64,
    pub(crate) snmp: &'static str,
    pub(crate) sys_object_id: Option<String>,
    pub(crate) description: Option<String>,
}

/// The identity of a status message, cleaned and folded.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) vendor: String,
    pub(crate) model: Option<String>,
    pub(crate) serial: Option<String>,
    pub(crate) serial_fold: Option<String>,
    pub(crate) mac: Option<String>,
    pub(crate) engine: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) port: i64,
    pub(crate) hash: i64,
}

impl Told {
    pub(crate) fn of(body: &StatusBody, agent: AgentId) -> Self {
        let identity = &body.identity;
        let serial = clean(identity.serial.as_deref());
        let mut bytes = wire::cbor::encode(identity);
        bytes.extend_from_slice(body.address.as_bytes());
        bytes.extend_from_slice(&body.port.to_be_bytes());
        bytes.extend_from_slice(body.snmp.as_str().as_bytes());
        bytes.extend_from_slice(agent.0.as_bytes());
        Self {
            vendor: clean(identity.vendor.as_deref()).unwrap_or_default().to_lowercase(),
            model: clean(identity.model.as_deref()),
            serial_fold: fold_serial(serial.as_deref()),
            serial,
            mac: fold_mac(identity.mac.as_deref()),
            engine: fold_engine(identity.engine_id.as_deref()),
            address: clean(Some(&body.address)),
            port: body.port.into(),
            hash: hash(&bytes),
        }
    }

    /// The claim, without what `worthless` says that many devices have shown.
    pub(crate) fn claim(&self, worthless: impl Fn(&str) -> bool) -> Claim<'_> {
        let worth = |value: &'_ &str| !worthless(value);
        Claim {
            vendor: &self.vendor,
            serial: self.serial_fold.as_deref(),
            mac: self.mac.as_deref().filter(worth),
            engine: self.engine.as_deref().filter(worth),
            model: self.model.as_deref(),
        }
    }
}

/// FNV-1a, so that the same content gives the same number in every version of the program.
pub(crate) fn hash(bytes: &[u8]) -> i64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bytes {
        state = (state ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    state.cast_signed()
}

impl Known {
    pub(crate) fn read(row: &Row) -> Result<Self> {
        let supplies: String = row.get(29)?;
        let reasons: String = row.get(23)?;
        Ok(Self {
            id: row.get(0)?,
            version: row.get(1)?,
            lifecycle: row.get(2)?,
            agent: row.get(3)?,
            vendor: row.get(4)?,
            model: row.get(5)?,
            serial: row.get(6)?,
            serial_fold: row.get(7)?,
            name: row.get(8)?,
            hostname: row.get(9)?,
            own_name: row.get(10)?,
            address: row.get(11)?,
            mac: row.get(12)?,
            location: row.get(13)?,
            own_location: row.get(14)?,
            asset_no: row.get(15)?,
            contact: row.get(16)?,
            label: row.get(17)?,
            place: row.get(18)?,
            firmware: row.get(19)?,
            comm: Comm::from_word(&row.get::<String>(20)?),
            comm_at: row.get(21)?,
            state: State::from_word(&row.get::<String>(22)?).unwrap_or(State::Unknown),
            reasons: split_words(&reasons),
            console: row.get(24)?,
            state_at: row.get(25)?,
            status_at: row.get(26)?,
            word: Word::from_key(&row.get::<String>(27)?),
            why: row.get(28)?,
            supplies: read_json(&supplies)?,
            pages_life: row.get(30)?,
            identity_hash: row.get(31)?,
            supplies_hash: row.get(32)?,
            parts_hash: row.get(33)?,
            alerts_hash: row.get(34)?,
            seen_at: row.get(35)?,
            bill_source: row.get(36)?,
            engine_id: row.get(37)?,
            heard_by: row.get(38)?,
            source_at: row.get(39)?,
            port: row.get(40)?,
            first_at: 0,
            extra: Extra::default(),
            fresh: false,
            identity_dirty: false,
            status_dirty: false,
        })
    }

    /// A device met for the first time at `at`.
    pub(crate) fn meet(id: DeviceId, at: i64, now: Micros) -> Self {
        Self {
            id,
            version: 1,
            lifecycle: "active".into(),
            agent: None,
            vendor: String::new(),
            model: None,
            serial: None,
            serial_fold: None,
            name: None,
            hostname: None,
            own_name: None,
            address: None,
            mac: None,
            location: None,
            own_location: None,
            asset_no: None,
            contact: None,
            label: String::new(),
            place: String::new(),
            firmware: None,
            comm: Comm::Reporting,
            comm_at: now.0,
            state: State::Unknown,
            reasons: Vec::new(),
            console: None,
            state_at: at,
            status_at: i64::MIN,
            word: Word::Unknown,
            why: None,
            supplies: Vec::new(),
            pages_life: None,
            identity_hash: 0,
            supplies_hash: 0,
            parts_hash: 0,
            alerts_hash: 0,
            seen_at: now.0,
            bill_source: None,
            engine_id: None,
            heard_by: None,
            source_at: None,
            port: None,
            first_at: now.0,
            extra: Extra::default(),
            fresh: true,
            identity_dirty: false,
            status_dirty: false,
        }
    }

    /// Heard lately under another name than `key`; `own`: the subject of this name is bound to this device.
    pub(crate) fn alive_elsewhere(&self, own: bool, key: &str, now: Micros) -> bool {
        let (other, heard_at) = match (&self.heard_by, self.source_at) {
            (Some(by), Some(at)) => (by != key, at),
            _ => (!own, self.seen_at),
        };
        other && now.0 - heard_at < ALIVE
    }

    /// As the rules of identity see it when the subject named `key` asks.
    pub(crate) fn candidate(&self, own: bool, key: &str, now: Micros) -> Candidate {
        Candidate {
            id: self.id,
            vendor: self.vendor.clone(),
            serial: self.serial_fold.clone(),
            shown: fold_serial(self.serial.as_deref()),
            mac: self.mac.clone(),
            model: self.model.clone(),
            retired: self.lifecycle == "retired",
            alive_elsewhere: self.alive_elsewhere(own, key, now),
        }
    }

    /// Judges the word anew; says whether it changed.
    pub(crate) fn judge(&mut self) -> bool {
        let facts = Facts { state: self.state, reasons: &self.reasons, supplies: &self.supplies, comm: self.comm };
        let standing = judge(&facts);
        let changed = standing.word != self.word || standing.why != self.why;
        (self.word, self.why) = (standing.word, standing.why);
        changed
    }

    /// Name and place as people see them: their own words first.
    pub(crate) fn relabel(&mut self) {
        let named = self.own_name.as_ref().or(self.name.as_ref()).or(self.hostname.as_ref());
        self.label = named.or(self.model.as_ref()).or(self.address.as_ref()).cloned().unwrap_or_default();
        self.place = self.own_location.as_ref().or(self.location.as_ref()).cloned().unwrap_or_default();
    }

    pub(crate) fn tokens(&self) -> Vec<String> {
        let texts = [&self.own_name, &self.name, &self.hostname, &self.model, &self.own_location, &self.location];
        let mut all = [None; 8];
        for (slot, text) in all.iter_mut().zip(texts) {
            *slot = text.as_deref();
        }
        all[6] = Some(self.vendor.as_str());
        all[7] = self.contact.as_deref();
        tokens(&Findable {
            texts: all,
            numbers: [self.serial.as_deref(), self.asset_no.as_deref()],
            address: self.address.as_deref(),
            mac: self.mac.as_deref(),
        })
    }

    pub(super) fn sort_keys(&self) -> [Value; 5] {
        let model = format!("{} {}", self.vendor, self.model.as_deref().unwrap_or_default());
        [
            sort_key(Some(&self.label)).into(),
            sort_key(Some(model.trim())).into(),
            sort_key(Some(&self.place)).into(),
            sort_key(self.serial.as_deref()).into(),
            sort_key(self.address.as_deref()).into(),
        ]
    }

    pub(super) fn identity_row(&self, tenant: OrgId) -> Vec<Value> {
        let mut row: Vec<Value> = params![
            tenant,
            self.id,
            self.agent,
            &self.vendor,
            self.model.as_ref(),
            self.serial.as_ref(),
            self.serial_fold.as_ref(),
            self.name.as_ref(),
            self.hostname.as_ref(),
            self.address.as_ref(),
            self.extra.port,
            self.mac.as_ref(),
            self.extra.snmp,
            self.extra.sys_object_id.as_ref(),
            self.extra.description.as_ref(),
            self.location.as_ref(),
            self.contact.as_ref(),
            &self.label,
            &self.place,
            self.firmware.as_ref(),
        ]
        .into();
        row.extend(self.sort_keys());
        row.push(self.identity_hash.into());
        row.push(self.engine_id.as_ref().into());
        row
    }

    pub(super) fn status_row(&self, tenant: OrgId) -> Result<Vec<Value>> {
        Ok(params![
            tenant,
            self.id,
            self.comm.as_str(),
            self.comm_at,
            self.state.as_str(),
            join_words(&self.reasons),
            self.console.as_ref(),
            self.state_at,
            self.status_at,
            self.word.key(),
            self.word.rank(),
            self.why.as_ref(),
            json(&self.supplies)?,
            self.supplies_hash,
            self.parts_hash,
            self.alerts_hash,
        ]
        .into())
    }

    pub(super) fn insert_row(&self, tenant: OrgId, month: i64) -> Result<Vec<Value>> {
        let mut row: Vec<Value> = params![
            tenant,
            self.id,
            self.version,
            &self.lifecycle,
            self.agent,
            &self.vendor,
            self.model.as_ref(),
            self.serial.as_ref(),
            self.serial_fold.as_ref(),
            self.name.as_ref(),
            self.hostname.as_ref(),
            self.own_name.as_ref(),
            self.address.as_ref(),
            self.extra.port,
            self.mac.as_ref(),
            self.extra.snmp,
            self.extra.sys_object_id.as_ref(),
            self.extra.description.as_ref(),
            self.location.as_ref(),
            self.own_location.as_ref(),
            self.contact.as_ref(),
            self.asset_no.as_ref(),
            &self.label,
            &self.place,
            self.firmware.as_ref(),
            self.comm.as_str(),
            self.comm_at,
            self.state.as_str(),
            join_words(&self.reasons),
            self.console.as_ref(),
            self.state_at,
            self.status_at,
            self.word.key(),
            self.word.rank(),
            self.why.as_ref(),
            json(&self.supplies)?,
            self.pages_life,
            0_i64,
            month,
        ]
        .into();
        row.extend(self.sort_keys());
        row.extend(params![
            self.identity_hash,
            self.supplies_hash,
            self.parts_hash,
            self.alerts_hash,
            self.first_at,
            Value::Null,
            self.engine_id.as_ref()
        ]);
        Ok(row)
    }
}

/// A list of words as one text with a blank before and after each, so that `like` finds one.
pub(crate) fn join_words(words: &[String]) -> String {
    let mut text = String::from(" ");
    for word in words {
        text.push_str(word);
        text.push(' ');
    }
    text
}

pub(crate) fn split_words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// JSON of our own types.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::internal("a value cannot be written as JSON").with_source(error))
}

/// JSON that we wrote.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::internal("stored JSON does not fit").with_source(error))
}
