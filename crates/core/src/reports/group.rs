//! One transaction for many reports of devices: their windows and heads, the raw log, what is open. Each is judged in the
//! order in which they came; nothing is answered before the commit.

use std::collections::{HashMap, HashSet};

use jiff::tz::TimeZone;
use store::{EngineKind, Tx, Value, View, params};
use wire::{Body, MessageResult, Outcome};

use super::heads::Heads;
use super::ingest::{Waiting, Weighed, by_tenant, logged};
use super::rules::{Place, Window};
use super::service::waits;
use super::sql;
use crate::devices::intake::chunks;
use crate::diagnostics::intake as told;
use crate::diagnostics::rules::{hash, key, set, told as kind_of};
use crate::diagnostics::{DICTIONARIES, DICTIONARY, DICTIONARY_COUNT};
use crate::error::{Error, Result};
use crate::{AgentId, Kind, OrgId, Platform, monitors};

const REASON: &str = "reports of devices of many organisations in one transaction";
const TRIES: usize = 5;

/// A stream as it stands in this transaction.
struct Stream {
    window: Window,
    heads: Heads,
}

/// What a report came to.
struct Judged {
    results: Vec<MessageResult>,
    /// Places of the new messages.
    fresh: Vec<usize>,
    invalid: i64,
}

/// What one transaction knows and writes.
struct Group<'p> {
    platform: &'p Platform,
    streams: HashMap<AgentId, Stream>,
    dictionaries: HashSet<(OrgId, u64)>,
    room: HashMap<OrgId, i64>,
    told: Vec<Vec<Value>>,
}

/// Writes the reports and answers them.
pub(super) async fn write(platform: &Platform, mut batch: Vec<Waiting>) {
    let mut tries = 1;
    let outcome = loop {
        match attempt(platform, &batch).await {
            Err(error) if tries < TRIES && error.kind == Kind::Conflict => tries += 1,
            other => break other,
        }
    };
    match outcome {
        Ok(all) => {
            for (waiting, results) in batch.into_iter().zip(all) {
                // Who hung up sends it again and hears `duplicate`.
                drop(waiting.answer.send(Ok(results)));
            }
        }
        Err(error) if batch.len() == 1 || error.kind == Kind::Unavailable => {
            for waiting in batch {
                drop(waiting.answer.send(Err(error.again())));
            }
        }
        Err(error) => {
            tracing::warn!(%error, source = ?error.source, "reports of devices are taken one by one");
            for waiting in batch.drain(..) {
                let alone = [waiting];
                let outcome = attempt(platform, &alone).await;
                let [waiting] = alone;
                drop(waiting.answer.send(outcome.map(|mut all| all.pop().unwrap_or_default())));
            }
        }
    }
}

async fn attempt(platform: &Platform, batch: &[Waiting]) -> Result<Vec<Vec<MessageResult>>> {
    let mut tx = platform.db().write(&View::All(REASON)).await?;
    let mut group = Group {
        platform,
        streams: HashMap::with_capacity(batch.len()),
        dictionaries: HashSet::new(),
        room: HashMap::new(),
        told: Vec::new(),
    };
    for (tenant, places) in by_tenant(batch) {
        let reports: Vec<&Waiting> = places.iter().map(|place| &batch[*place]).collect();
        group.load_streams(&mut tx, tenant, &reports).await?;
        group.load_dictionaries(&mut tx, tenant, &reports).await?;
    }
    let (mut all, mut streams, mut inbox, mut open) = (Vec::with_capacity(batch.len()), vec![], vec![], vec![]);
    for waiting in batch {
        let judged = group.judge(waiting);
        if let Some(stream) = group.streams.get(&waiting.sender) {
            streams.push(stream_row(waiting, stream));
        }
        if !judged.fresh.is_empty() {
            let id = platform.ids().uuid7().to_string();
            let day = waiting.now.day(&TimeZone::UTC);
            open.push(params![waiting.tenant, &id, day, waiting.sender, waiting.now].into());
            inbox.push(inbox_row(waiting, &judged, id, day));
        }
        all.push(judged.results);
    }
    for (statement, rows) in
        [(&DICTIONARY, group.told), (&sql::STREAM_PUT, streams), (&sql::INBOX, inbox), (&sql::OPEN, open)]
    {
        if !rows.is_empty() {
            tx.many(statement, rows).await?;
        }
    }
    tx.commit_at_once().await?;
    platform.ingest().dictionaries.learn(group.dictionaries);
    Ok(all)
}

impl Group<'_> {
    async fn load_streams(&mut self, tx: &mut Tx, tenant: OrgId, reports: &[&Waiting]) -> Result<()> {
        let mut senders: Vec<String> = reports.iter().map(|waiting| waiting.sender.to_string()).collect();
        senders.sort_unstable();
        let others = tx.engine() == EngineKind::Postgres;
        let statement = if others { &sql::STREAMS_LOCKED } else { &sql::STREAMS };
        self.read_streams(tx, statement, tenant, &senders).await?;
        let missing: Vec<&&Waiting> = reports.iter().filter(|one| !self.streams.contains_key(&one.sender)).collect();
        if others && !missing.is_empty() {
            let new = |one: &&&Waiting| {
                let taken = Window::new(one.epoch).taken.to_vec();
                params![tenant, one.sender, number(one.epoch), taken, one.now].into()
            };
            tx.many(&sql::STREAM_NEW, missing.iter().map(new).collect()).await?;
            let senders: Vec<String> = missing.iter().map(|one| one.sender.to_string()).collect();
            self.read_streams(tx, statement, tenant, &senders).await?;
        }
        for waiting in reports {
            let new = || Stream { window: Window::new(waiting.epoch), heads: Heads::default() };
            self.streams.entry(waiting.sender).or_insert_with(new);
        }
        Ok(())
    }

    async fn read_streams(
        &mut self,
        tx: &mut Tx,
        statement: &store::Sql,
        tenant: OrgId,
        senders: &[String],
    ) -> Result<()> {
        for values in chunks(tenant, senders) {
            for row in tx.query(statement, &values).await? {
                let (taken, heads): (Vec<u8>, Option<Vec<u8>>) = (row.get(3)?, row.get(4)?);
                let window = Window::stored(row.get(1)?, row.get(2)?, &taken);
                self.streams.insert(row.get(0)?, Stream { window, heads: Heads::read(heads.as_deref()) });
            }
        }
        Ok(())
    }

    /// Which of the dictionaries that are named are known, and how many more there is room for.
    async fn load_dictionaries(&mut self, tx: &mut Tx, tenant: OrgId, reports: &[&Waiting]) -> Result<()> {
        let known = &self.platform.ingest().dictionaries;
        let (mut unsure, mut brings) = (HashSet::new(), false);
        for one in reports.iter().flat_map(|waiting| &waiting.messages) {
            let hash = match &one.message.body {
                Body::Dictionary(dictionary) => {
                    brings = true;
                    hash(dictionary)
                }
                body => match set(body) {
                    Some(set) => set.dictionary,
                    None => continue,
                },
            };
            if known.has(tenant, hash) {
                self.dictionaries.insert((tenant, hash));
            } else {
                unsure.insert(hash);
            }
        }
        let unsure: Vec<String> = unsure.into_iter().map(key).collect();
        for values in chunks(tenant, &unsure) {
            for row in tx.query(&DICTIONARIES, &values).await? {
                let hash: String = row.get(0)?;
                self.dictionaries.insert((tenant, u64::from_str_radix(&hash, 16).unwrap_or(0)));
            }
        }
        if brings {
            let count: i64 = tx.query_one(&DICTIONARY_COUNT, &params![tenant]).await?.get(0)?;
            self.room.insert(tenant, told::MOST_DICTIONARIES - count);
        }
        Ok(())
    }

    /// Parts the messages of a report by its window and by what they hold. One that waits for something keeps its number free.
    fn judge(&mut self, waiting: &Waiting) -> Judged {
        let new = || Stream { window: Window::new(waiting.epoch), heads: Heads::default() };
        let mut stream = self.streams.remove(&waiting.sender).unwrap_or_else(new);
        if waiting.epoch > stream.window.epoch {
            // Numbers of the old epoch name nothing any more.
            stream.heads.full.clear();
        }
        let status =
            waiting.messages.iter().any(|one| one.fault.is_none() && matches!(one.message.body, Body::Status(_)));
        stream.heads.known |= waiting.standing.known;
        let known = stream.heads.known || status;
        let mut judged = Judged { results: Vec::with_capacity(waiting.messages.len()), fresh: Vec::new(), invalid: 0 };
        for (place, one) in waiting.messages.iter().enumerate() {
            let message = &one.message;
            let before = (one.fault.is_none() && waits(message)).then(|| stream.window.clone());
            let numbered = i64::try_from(message.seq).is_ok();
            let taken = if numbered { stream.window.take(waiting.epoch, message.seq) } else { Place::Fresh };
            let (outcome, detail) = match taken {
                Place::Taken => (Outcome::Duplicate, None),
                Place::Stale => (Outcome::Stale, Some("its epoch has ended, or its number is far behind".to_owned())),
                Place::Fresh => match self.fresh(waiting, one, &mut stream.heads, known) {
                    (Outcome::Stored, detail) => {
                        judged.fresh.push(place);
                        (Outcome::Stored, detail)
                    }
                    (outcome @ (Outcome::Later | Outcome::NeedFull), detail) if before.is_some() => {
                        if let Some(before) = before {
                            stream.window = before;
                        }
                        (outcome, detail)
                    }
                    (outcome, detail) => {
                        judged.invalid += 1;
                        (outcome, detail)
                    }
                },
            };
            let (subject, seq) = (message.subject, message.seq);
            judged.results.push(MessageResult { subject, epoch: waiting.epoch, seq, outcome, detail });
        }
        self.streams.insert(waiting.sender, stream);
        judged
    }

    /// Whether a new message can be taken.
    fn fresh(&mut self, waiting: &Waiting, one: &Weighed, heads: &mut Heads, known: bool) -> (Outcome, Option<String>) {
        if let Some((outcome, why)) = &one.fault {
            return (*outcome, Some(why.clone()));
        }
        let (body, of_kind) = (&one.message.body, kind_of(&one.message.body).is_some());
        if let Body::Dictionary(dictionary) = body {
            return match self.learn(waiting, dictionary) {
                true => (Outcome::Stored, None),
                false => (Outcome::Refused, Some("there are too many dictionaries already".to_owned())),
            };
        }
        if waiting.standing.retired && !matches!(body, Body::Unknown(..)) {
            return (Outcome::Refused, Some("the device was retired".to_owned()));
        }
        if of_kind && !known {
            return (Outcome::Later, Some("tell a status first".to_owned()));
        }
        match body {
            Body::Status(_) => heads.known = true,
            Body::Counters(_) if !known => {
                return (Outcome::Invalid, Some("no status of this device came before its counters".to_owned()));
            }
            _ => {}
        }
        let Some(set) = set(body) else { return (Outcome::Stored, None) };
        if !self.dictionaries.contains(&(waiting.tenant, set.dictionary)) {
            let name = key(set.dictionary);
            return (Outcome::NeedFull, Some(format!("tell the dictionary {name}")));
        }
        match set.base_seq {
            None => {
                heads.full.insert(body.kind(), (one.message.seq, set.dictionary));
                (Outcome::Stored, None)
            }
            Some(base) if heads.full.get(&body.kind()) == Some(&(base, set.dictionary)) => (Outcome::Stored, None),
            Some(base) => {
                (Outcome::NeedFull, Some(format!("its base {base} is not the last full set; tell a full one")))
            }
        }
    }

    /// Keeps a dictionary; false when there is no room for it.
    fn learn(&mut self, waiting: &Waiting, dictionary: &wire::monitor::Dictionary) -> bool {
        let hash = hash(dictionary);
        if self.dictionaries.contains(&(waiting.tenant, hash)) {
            return true;
        }
        let room = self.room.entry(waiting.tenant).or_insert(0);
        if *room <= 0 {
            return false;
        }
        let Ok(row) = told::dictionary_row(waiting.tenant, waiting.now, dictionary) else { return false };
        *room -= 1;
        self.told.push(row);
        self.dictionaries.insert((waiting.tenant, hash));
        true
    }
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn stream_row(waiting: &Waiting, stream: &Stream) -> Vec<Value> {
    let (window, heads) = (&stream.window, stream.heads.bytes());
    let (epoch, high, taken) = (number(window.epoch), number(window.high), window.taken.to_vec());
    params![waiting.tenant, waiting.sender, epoch, high, taken, waiting.now, heads].into()
}

fn inbox_row(waiting: &Waiting, judged: &Judged, id: String, day: i64) -> Vec<Value> {
    let fresh: Vec<&Weighed> = judged.fresh.iter().map(|place| &waiting.messages[*place]).collect();
    let seqs = || fresh.iter().map(|one| number(one.message.seq));
    let unknown = fresh.iter().filter(|one| matches!(one.message.body, Body::Unknown(..))).count();
    let size: usize = fresh.iter().map(|one| one.cbor.len()).sum();
    let body =
        if fresh.len() == waiting.messages.len() { waiting.whole.clone() } else { logged(fresh.iter().copied()) };
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    params![
        waiting.tenant,
        day,
        id,
        waiting.now,
        waiting.sender,
        number(waiting.epoch),
        seqs().min().unwrap_or(0),
        seqs().max().unwrap_or(0),
        count(fresh.len()),
        judged.invalid,
        count(unknown),
        waiting.offset_ms,
        count(size),
        body,
        monitors::road_text(waiting.road)
    ]
    .into()
}

/// The same failure for each of many.
trait Again {
    fn again(&self) -> Error;
}

impl Again for Error {
    fn again(&self) -> Error {
        Error::new(self.kind, self.message.clone())
    }
}
