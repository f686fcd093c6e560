//! What messages of the seed's kinds do: events, sets of counters, measurements. First what must be known of each before
//! it may be taken (its dictionary, its base), then its effect, once for each natural key.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::json;
use store::{Row, Tx, Value, params};
use wire::monitor::{CounterSet, Dictionary, EventBody, Kind, RomBody};
use wire::report::CountersBody;
use wire::{Body, Message, Subject, packing};

use super::snapshots::{self, Chain};
use super::{rules, sql};
use crate::alerts::Board;
use crate::codes;
use crate::devices::DeviceId;
use crate::devices::fold::clean;
use crate::devices::intake::{Fleet, chunks};
use crate::error::{Error, Result};
use crate::{AgentId, Micros, OrgId};

/// Most dictionaries of an organisation.
pub(crate) const MOST_DICTIONARIES: i64 = 500;
/// Most messages of one kind that are kept of a device.
const MOST_ENTRIES: i64 = 1_000;
/// Most firmware parts of a device.
const MOST_PARTS: usize = 512;
/// Larger than any set within its budget becomes.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// What a message that was taken is about to do.
#[derive(Default)]
struct Plan {
    /// Its natural key was taken before.
    known: bool,
    /// Something later was told of the same.
    outdated: bool,
    /// Firmware parts as they are known.
    parts: HashMap<String, String>,
}

/// What tells a message from all others of one transaction.
type Key = (Option<Subject>, u64);

/// What is asked of the database about messages, all of one statement at once.
#[derive(Default)]
struct Asked {
    keys: Vec<Key>,
    known: Vec<Vec<Value>>,
    further: Vec<Vec<Value>>,
}

impl Asked {
    fn ask(&mut self, key: Key, known: Vec<Value>, further: Vec<Value>) {
        self.keys.push(key);
        self.known.push(known);
        self.further.push(further);
    }
}

/// Messages of the seed's kinds in one report.
pub(crate) struct Said {
    tenant: OrgId,
    sender: AgentId,
    epoch: u64,
    now: Micros,
    /// Known dictionaries, with their part that bills are made from.
    dictionaries: HashMap<u64, BTreeMap<u32, String>>,
    room: i64,
    bases: HashMap<(Subject, u64, u64), CounterSet>,
    /// Some of the sets change others.
    changes: bool,
    /// Whole sets of the messages that tell a change; all others are whole as they are.
    wholes: HashMap<Key, CounterSet>,
    /// Full sets that are kept as they were told, and by which device.
    pub(crate) kept: HashMap<Key, DeviceId>,
    plans: HashMap<Key, Plan>,
    chains: HashMap<(DeviceId, i64), Option<Chain>>,
    taken: HashSet<String>,
    standing: HashMap<String, i64>,
    events: Vec<Vec<Value>>,
    told: Vec<Vec<Value>>,
    snapshots: Vec<Vec<Value>>,
    heads: Vec<Vec<Value>>,
    entries: Vec<Vec<Value>>,
    trims: Vec<Vec<Value>>,
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Compressed, as it is kept.
pub(super) fn pack(cbor: &[u8]) -> Result<Vec<u8>> {
    packing::pack(cbor, packing::USUAL).ok_or_else(|| Error::internal("zstd has no memory"))
}

/// What [`pack`] was given.
pub(super) fn unpack(blob: &[u8]) -> Result<Vec<u8>> {
    packing::unpack(blob, MOST_BYTES).map_err(|error| Error::internal(format!("zstd: {error}")))
}

impl Said {
    /// Loads what the messages are held against: the dictionaries that they name and the sets that they change.
    pub(crate) async fn load(tx: &mut Tx, fleet: &Fleet, epoch: u64, messages: &[&Message]) -> Result<Self> {
        let mut said = Self {
            tenant: fleet.tenant,
            sender: fleet.agent,
            epoch,
            now: fleet.now,
            dictionaries: HashMap::new(),
            room: 0,
            bases: HashMap::new(),
            changes: false,
            wholes: HashMap::new(),
            kept: HashMap::new(),
            plans: HashMap::new(),
            chains: HashMap::new(),
            taken: HashSet::new(),
            standing: HashMap::new(),
            events: Vec::new(),
            told: Vec::new(),
            snapshots: Vec::new(),
            heads: Vec::new(),
            entries: Vec::new(),
            trims: Vec::new(),
        };
        let sets = || messages.iter().filter_map(|message| Some((*message, rules::set(&message.body)?)));
        let mut hashes: Vec<String> = sets().map(|(_, set)| rules::key(set.dictionary)).collect();
        hashes.extend(messages.iter().filter_map(|message| match &message.body {
            Body::Dictionary(dictionary) => Some(rules::key(rules::hash(dictionary))),
            _ => None,
        }));
        hashes.sort_unstable();
        hashes.dedup();
        for row in chunks(said.tenant, &hashes) {
            for row in tx.query(&sql::DICTIONARIES, &row).await? {
                let (hash, meters): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
                let meters = wire::cbor::decode(&meters).unwrap_or_default();
                said.dictionaries.insert(u64::from_str_radix(&hash, 16).unwrap_or(0), meters);
            }
        }
        said.changes = sets().any(|(_, set)| set.base_seq.is_some());
        said.load_bases(tx, fleet, messages).await?;
        if messages.iter().any(|message| matches!(message.body, Body::Dictionary(_))) {
            let count: i64 = tx.query_one(&sql::DICTIONARY_COUNT, &params![said.tenant]).await?.get(0)?;
            said.room = MOST_DICTIONARIES - count;
        }
        Ok(said)
    }

    /// Loads the sets that messages of this transaction change.
    async fn load_bases(&mut self, tx: &mut Tx, fleet: &Fleet, messages: &[&Message]) -> Result<()> {
        let (mut wanted, mut asked) = (BTreeSet::new(), Vec::new());
        for message in messages {
            let Some(base) = rules::set(&message.body).and_then(|set| set.base_seq) else { continue };
            let Some((subject, at)) = message.subject.and_then(|subject| Some((subject, fleet.of(subject)?))) else {
                continue;
            };
            if wanted.insert((subject, message.body.kind(), base)) {
                let (device, sender) = (fleet.get(at).id, fleet.agent_of(subject).to_string());
                let epoch = fleet.source(Some(subject)).map_or(self.epoch, |source| source.epoch);
                let kind = number(message.body.kind());
                let values = params![self.tenant, device, kind, sender, number(epoch), number(base)];
                asked.push(((subject, message.body.kind(), base), (device, kind), values.into()));
            }
        }
        let values: Vec<Vec<Value>> = asked.iter().map(|(_, _, values): &(_, _, Vec<Value>)| values.clone()).collect();
        let (mut bases, mut places) = (Vec::new(), Vec::new());
        for ((base, of, _), rows) in asked.into_iter().zip(tx.queries(&sql::HEAD, &values).await?) {
            if let Some(row) = rows.first() {
                bases.push(base);
                places.push((of.0, of.1, row.get(0)?));
            }
        }
        let wholes = snapshots::wholes(tx, self.tenant, &places).await?;
        self.bases.extend(bases.into_iter().zip(wholes).filter_map(|(base, whole)| Some((base, whole?))));
        Ok(())
    }

    /// Why a message waits for what it builds on; `None`: all is there. Called once for each in their order.
    pub(crate) fn lacks(&mut self, message: &Message) -> Option<String> {
        let set = rules::set(&message.body)?;
        let (subject, kind) = (message.subject?, message.body.kind());
        if !self.dictionaries.contains_key(&set.dictionary) {
            return Some(format!("tell the dictionary {}", rules::key(set.dictionary)));
        }
        match set.base_seq {
            None if self.changes => {
                self.bases.insert((subject, kind, message.seq), set.clone());
            }
            None => {}
            Some(base) => match self.bases.get(&(subject, kind, base)) {
                Some(base) if base.dictionary == set.dictionary => {
                    self.wholes.insert(key(message), set.onto(base));
                }
                _ => return Some(format!("its base {base} is not the last full set; tell a full one")),
            },
        }
        None
    }

    /// Takes the words of a dictionary; false when there is no room for more.
    pub(crate) fn learn(&mut self, dictionary: &Dictionary) -> bool {
        let hash = rules::hash(dictionary);
        if self.dictionaries.contains_key(&hash) {
            return true;
        }
        if self.room <= 0 {
            return false;
        }
        let Ok(row) = dictionary_row(self.tenant, self.now, dictionary) else { return false };
        self.room -= 1;
        self.told.push(row);
        self.dictionaries.insert(hash, rules::billed(dictionary));
        true
    }

    /// Looks up which natural keys were taken before, where that matters before the row itself is written.
    pub(crate) async fn recall(&mut self, tx: &mut Tx, fleet: &Fleet, fresh: &[&Message]) -> Result<()> {
        let (mut events, mut sets, mut entries) = (Asked::default(), Asked::default(), Asked::default());
        for message in fresh {
            let Some(kind) = rules::told(&message.body) else { continue };
            let Some(at) = message.subject.and_then(|subject| fleet.of(subject)) else { continue };
            let (device, kind) = (fleet.get(at).id, i64::from(kind.number()));
            if fleet.get(at).fresh {
                continue;
            }
            let (tenant, taken) = (self.tenant, message.taken_ms);
            match &message.body {
                // One that neither begins nor ends anything is a row and nothing more: a repeat meets its key.
                Body::Error(event) | Body::Jam(event) | Body::Alarm(event) if event.standing.is_some() => {
                    let (total, standing) = key_of(event);
                    let known = params![tenant, device, kind, &event.code, taken, total, standing];
                    let sub = event.sub_code.as_deref().unwrap_or_default();
                    events.ask(
                        key(message),
                        known.into(),
                        params![tenant, device, kind, &event.code, taken, sub].into(),
                    );
                }
                body if rules::set(body).is_some() => {
                    let known = params![tenant, device, kind, taken];
                    sets.ask(key(message), known.into(), Vec::new());
                    self.chains.entry((device, kind)).or_insert(None);
                }
                Body::Rom(_) => {
                    let known: Vec<Value> = params![tenant, device, kind, taken].into();
                    entries.ask(key(message), known.clone(), known);
                    for row in tx.query(&sql::COMPONENTS, &params![tenant, device]).await? {
                        self.plan(key(message)).parts.insert(row.get(0)?, row.get(1)?);
                    }
                }
                _ => {}
            }
        }
        self.mark(&events, tx.queries(&sql::EVENT_KNOWN, &events.known).await?, |plan| &mut plan.known);
        self.mark(&events, tx.queries(&sql::EVENT_NEWER, &events.further).await?, |plan| &mut plan.outdated);
        self.mark(&entries, tx.queries(&sql::ENTRY_KNOWN, &entries.known).await?, |plan| &mut plan.known);
        self.mark(&entries, tx.queries(&sql::ENTRY_NEWER, &entries.further).await?, |plan| &mut plan.outdated);
        self.mark(&sets, tx.queries(&sql::SNAPSHOT_KNOWN, &sets.known).await?, |plan| &mut plan.known);
        self.load_chains(tx).await
    }

    fn plan(&mut self, key: Key) -> &mut Plan {
        self.plans.entry(key).or_default()
    }

    /// Marks those of which something was found.
    fn mark(&mut self, asked: &Asked, found: Vec<Vec<Row>>, which: impl Fn(&mut Plan) -> &mut bool) {
        for (key, _) in asked.keys.iter().zip(found).filter(|(_, rows)| !rows.is_empty()) {
            *which(self.plan(*key)) = true;
        }
    }

    /// The chains that the sets of this transaction go on.
    async fn load_chains(&mut self, tx: &mut Tx) -> Result<()> {
        let of: Vec<(DeviceId, i64)> = self.chains.keys().copied().collect();
        let tenant = self.tenant;
        let values: Vec<Vec<Value>> = of.iter().map(|(device, kind)| params![tenant, *device, *kind].into()).collect();
        for (of, rows) in of.into_iter().zip(tx.queries(&sql::CHAIN, &values).await?) {
            if let Some(row) = rows.first() {
                self.chains.insert(of, Chain::read(row)?);
            }
        }
        Ok(())
    }

    /// Takes a message about a device of the fleet. Returns meters, where it holds such.
    pub(crate) fn take(
        &mut self,
        (fleet, board): (&mut Fleet, &mut Board),
        at: usize,
        message: &Message,
        when: i64,
    ) -> Result<Option<CountersBody>> {
        let Some(kind) = rules::told(&message.body) else { return Ok(None) };
        let mut plan = self.plans.remove(&key(message)).unwrap_or_default();
        let device = fleet.get(at).id;
        let natural = match &message.body {
            Body::Error(event) | Body::Jam(event) | Body::Alarm(event) => format!("{}/{:?}", event.code, key_of(event)),
            _ => String::new(),
        };
        let fresh = self.taken.insert(format!("{device}/{}/{}/{natural}", kind.number(), message.taken_ms));
        if plan.known || !fresh {
            return Ok(None);
        }
        match &message.body {
            Body::Error(event) | Body::Jam(event) | Body::Alarm(event) => {
                self.event((fleet, board), at, (kind, event), message.taken_ms, when, plan.outdated);
            }
            Body::Billing(_) | Body::Detailed(_) | Body::Parts(_) | Body::Modes(_) => {
                return self.counters((fleet, device), kind, message, when);
            }
            body => {
                if let (Body::Rom(rom), false) = (body, plan.outdated) {
                    take_rom(fleet, at, rom, &mut plan.parts);
                }
                let cbor = wire::cbor::encode(message);
                let size = i64::try_from(cbor.len()).unwrap_or(i64::MAX);
                let number = i64::from(kind.number());
                let row = params![self.tenant, device, number, message.taken_ms, when, size, pack(&cbor)?];
                self.entries.push(row.into());
                self.trims.push(params![self.tenant, device, number, MOST_ENTRIES - 1].into());
            }
        }
        Ok(None)
    }

    fn event(
        &mut self,
        (fleet, board): (&mut Fleet, &mut Board),
        at: usize,
        (kind, event): (Kind, &EventBody),
        taken_ms: i64,
        when: i64,
        outdated: bool,
    ) {
        let device = fleet.get(at).id;
        let (total, standing) = key_of(event);
        self.events.push(
            params![
                self.tenant,
                device,
                i64::from(kind.number()),
                &event.code,
                taken_ms,
                total,
                standing,
                event.sub_code.as_ref(),
                event.level.map(i64::from),
                event.tray.as_ref(),
                event.media.as_ref(),
                when,
                self.now
            ]
            .into(),
        );
        let Some(stands) = event.standing else { return };
        let code = event.sub_code.as_ref().map_or_else(|| event.code.clone(), |sub| format!("{}-{sub}", event.code));
        // The last word counts, in whatever order they come.
        let last = self.standing.entry(format!("{device}/{}/{code}", kind.number())).or_insert(i64::MIN);
        if outdated || taken_ms < *last {
            return;
        }
        *last = taken_ms;
        let word = match kind {
            Kind::Jam => "jam",
            Kind::Alarm => "alarm",
            _ => "error",
        };
        let (vendor, model) = (fleet.get(at).vendor.clone(), fleet.get(at).model.clone().unwrap_or_default());
        let meaning = codes::of(&vendor, &model, kind, &event.code, event.sub_code.as_deref());
        let (reason, severity) = match meaning {
            Some(meaning) => (meaning.reason.as_str(), meaning.severity()),
            None => rules::alert(kind, event.level),
        };
        let words =
            meaning.map_or_else(|| format!("{word} {code}"), |meaning| format!("{} ({word} {code})", meaning.text));
        let part = format!("{word}:{code}");
        if stands {
            let number = event.code.parse().ok();
            board.raise_told(fleet, at, (reason, part), severity, (number, words), when);
        } else {
            board.clear_told(fleet, at, &part, when);
        }
    }

    fn counters(
        &mut self,
        (fleet, device): (&Fleet, DeviceId),
        kind: Kind,
        message: &Message,
        when: i64,
    ) -> Result<Option<CountersBody>> {
        let Some(told) = rules::set(&message.body) else { return Ok(None) };
        let laid = self.wholes.remove(&key(message));
        let whole = match (&laid, told.base_seq) {
            (Some(whole), _) => whole,
            (None, None) => told,
            (None, Some(_)) => return Ok(None),
        };
        let (tenant, number_of, taken) = (self.tenant, i64::from(kind.number()), message.taken_ms);
        let kept = snapshots::keep(self.chains.entry((device, number_of)).or_insert(None), whole, taken)?;
        let count = i64::try_from(whole.values.len()).unwrap_or(i64::MAX);
        let size = i64::try_from(kept.body.len()).unwrap_or(i64::MAX);
        let (hash, form, full_ms) = (snapshots::name(whole), kept.form, kept.full_ms);
        let row = params![tenant, device, number_of, taken, when, hash, count, size, kept.body, form, full_ms];
        self.snapshots.push(row.into());
        if told.base_seq.is_none() {
            self.kept.insert(key(message), device);
            let sender = message.subject.map_or(self.sender, |subject| fleet.agent_of(subject)).to_string();
            let epoch = fleet.source(message.subject).map_or(self.epoch, |source| source.epoch);
            let row = params![tenant, device, number_of, sender, number(epoch), number(message.seq), taken];
            self.heads.push(row.into());
        }
        if kind != Kind::Billing {
            return Ok(None);
        }
        let names = self.dictionaries.get(&whole.dictionary);
        let meters = names.into_iter().flatten().filter_map(|(id, name)| {
            let value = u64::try_from(*whole.values.get(id)?).ok()?;
            rules::meter(name, value)
        });
        Ok(Some(CountersBody { meters: meters.collect() }))
    }

    /// Writes everything.
    pub(crate) async fn flush(self, tx: &mut Tx) -> Result<()> {
        let chains = self.chains.iter().filter_map(|((device, kind), chain)| {
            let chain = chain.as_ref()?;
            chain.row(self.tenant, *device, *kind)
        });
        let chains = chains.collect();
        let writes = [
            (&sql::DICTIONARY, self.told),
            (&sql::EVENT, self.events),
            (&sql::SNAPSHOT, self.snapshots),
            (&sql::CHAIN_SET, chains),
            (&sql::HEAD_SET, self.heads),
            (&sql::ENTRY, self.entries),
            (&sql::ENTRY_TRIM, self.trims),
        ];
        for (statement, rows) in writes {
            if !rows.is_empty() {
                tx.many(statement, rows).await?;
            }
        }
        Ok(())
    }
}

/// A dictionary as it is kept.
pub(crate) fn dictionary_row(tenant: OrgId, now: Micros, dictionary: &Dictionary) -> Result<Vec<Value>> {
    let meters = rules::billed(dictionary);
    let names = i64::try_from(dictionary.names.len()).unwrap_or(i64::MAX);
    let body = pack(&wire::cbor::encode(dictionary))?;
    let (cbor, model) = (wire::cbor::encode(&meters), clean(Some(&dictionary.model)).unwrap_or_default());
    Ok(params![tenant, rules::key(rules::hash(dictionary)), model, names, cbor, body, now].into())
}

fn key(message: &Message) -> Key {
    (message.subject, message.seq)
}

/// Total and standing as the natural key has them; -1: not told.
fn key_of(event: &EventBody) -> (i64, i64) {
    (event.total.map_or(-1, number), event.standing.map_or(-1, i64::from))
}

/// Takes over the versions of the firmware's parts; what changed is told.
fn take_rom(fleet: &mut Fleet, at: usize, rom: &RomBody, known: &mut HashMap<String, String>) {
    let device = fleet.get(at).id;
    for part in &rom.parts {
        let (name, version) = (clean(Some(&part.part)), clean(Some(&part.version)).unwrap_or_default());
        let Some(name) = name.filter(|name| known.len() < MOST_PARTS || known.contains_key(name)) else { continue };
        let before = known.insert(name.clone(), version.clone());
        if before.as_ref() == Some(&version) {
            continue;
        }
        fleet.component(at, "firmware", &name, &version);
        if let Some(before) = before {
            let data = json!({ "kind": "firmware", "name": name, "from": before, "to": version });
            fleet.events.push(("device.component.changed", "device", device.to_string(), data));
        }
    }
}
