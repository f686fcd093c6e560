//! Messages that wait for the server: committed before they count as taken, forgotten only after a final outcome.
//! Numbers rise by one and are never given twice within an epoch.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};

use store::{Row, Sql, Tx, params};
use tokio::sync::Notify;
use wire::{Body, Message, MessageResult, Outcome, Subject, cbor};

use super::{DELIVER_FIRST, State, fact_number, pressure::Pressure, set_fact, statement, to_db};
use crate::{
    clock::wall_ms,
    error::Result,
    stats::{AgentStats, add, count, set},
};

static PUT: Sql = statement(
    "agent::outbox::put",
    "insert into outbox (seq, kind, taken_at, subject, message, due_at, resent) values ($1, $2, $3, $4, $5, 0, 0)",
);
static NEXT: Sql = statement(
    "agent::outbox::next",
    "select seq, message from outbox where due_at <= $1 and seq <= $3 order by seq limit $2",
);
/// What devices call about. Not before a status of the same device: the server must know it. Not too far ahead: the
/// server remembers the last 2,048 numbers and takes none before these.
static URGENT: Sql = statement(
    "agent::outbox::urgent",
    "select seq, message from outbox
     where due_at <= $1 and seq <= $3 and kind = 66 and seq < (select min(seq) from outbox) + 1024
       and not exists (
           select 1 from outbox earlier
           where earlier.subject = outbox.subject and earlier.kind = 4 and earlier.seq < outbox.seq)
     order by seq limit $2",
);
static DUE: Sql = statement("agent::outbox::due", "select min(due_at) from outbox where seq <= $1");
static OLD: Sql = statement("agent::outbox::old", "select count(*) from outbox where seq <= $1");
static GONE: Sql = statement("agent::outbox::gone", "delete from outbox where seq = $1");
static POSTPONE: Sql = statement("agent::outbox::postpone", "update outbox set due_at = $2 where seq = $1");
static RENUMBER: Sql = statement("agent::outbox::renumber", "update outbox set seq = $2, resent = 1 where seq = $1");
static RESENT: Sql = statement("agent::outbox::resent", "select seq from outbox where resent = 1");
static SIZE: Sql = statement(
    "agent::outbox::size",
    "select count(*), coalesce(sum(length(message)), 0), coalesce(max(seq), 0) from outbox",
);

/// Bytes of messages in one report before compression: below the gateway's budget however badly they compress.
const REPORT_BYTES: usize = 1 << 20;
/// How long a message rests that the server has put off.
const LATER_MS: i64 = 30_000;

/// One message that is to be taken.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) taken_ms: i64,
    pub(crate) subject: Option<Subject>,
    pub(crate) body: Body,
}

/// The queue; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    pub(crate) state: State,
    pub(crate) stats: Arc<AgentStats>,
    pub(crate) pressure: Arc<Pressure>,
    /// Told when something was committed.
    pub(crate) filled: Arc<Notify>,
    /// Told when it must not wait for company.
    pub(crate) hurry: Arc<Notify>,
    /// Only messages up to this number are delivered: those of a restored outbox come before a new epoch.
    until: Arc<AtomicI64>,
}

/// What a reply did to the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Messages that are done with.
    pub(crate) gone: usize,
    /// Messages that got a new number.
    pub(crate) renumbered: usize,
    /// The server holds a later epoch than ours: nothing of this one will be taken.
    pub(crate) epoch_is_over: bool,
}

impl Outbox {
    /// Opens the queue. Returns it with its epoch: the one it was made with, or a new one above `floor`.
    pub(crate) async fn open(state: State, stats: Arc<AgentStats>, floor: u64) -> Result<(Self, u64)> {
        let mut tx = state.write().await?;
        let epoch = match fact_number(&mut tx, "epoch").await? {
            Some(epoch) => epoch,
            None => set_epoch(&mut tx, floor).await?,
        };
        let row = tx.query_one(&SIZE, &[]).await?;
        let (depth, bytes, highest): (u64, u64, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if fact_number(&mut tx, "next_seq").await?.is_none_or(|next| next <= highest) {
            set_fact(&mut tx, "next_seq", &(highest + 1).to_string()).await?;
        }
        let until = fact_number(&mut tx, DELIVER_FIRST).await?.filter(|until| *until > 0).map_or(i64::MAX, to_db);
        tx.commit().await?;
        let pressure = Arc::new(Pressure::new(depth, bytes));
        set(&stats.outbox_depth, pressure.depth());
        let (filled, hurry, until) = (Arc::default(), Arc::default(), Arc::new(AtomicI64::new(until)));
        Ok((Self { state, stats, pressure, filled, hurry, until }, epoch))
    }

    /// Puts messages into the queue within a transaction of the caller. They count once it is committed:
    /// then call [`Outbox::committed`] with what this returns.
    pub(crate) async fn put(&self, tx: &mut Tx, drafts: Vec<Draft>) -> Result<Put> {
        let next = fact_number(tx, "next_seq").await?.unwrap_or(1);
        set_fact(tx, "next_seq", &(next + drafts.len() as u64).to_string()).await?;
        let mut put = Put::default();
        let rows = drafts.into_iter().zip(next..).map(|(draft, seq)| {
            let Draft { taken_ms, subject, body } = draft;
            let kind = body.kind();
            let message = cbor::encode(&Message { seq, taken_ms, subject, body });
            put.messages += 1;
            put.bytes += message.len() as u64;
            params![to_db(seq), to_db(kind), taken_ms, subject.map(|s| s.0.to_vec()), message].to_vec()
        });
        let rows = rows.collect();
        tx.many(&PUT, rows).await?;
        Ok(put)
    }

    /// Counts what was put and wakes the uplink.
    pub(crate) fn committed(&self, put: Put) {
        self.pressure.grew(put.messages, put.bytes);
        add(&self.stats.recorded, put.messages);
        set(&self.stats.outbox_depth, self.pressure.depth());
        self.filled.notify_one();
    }

    /// Puts messages in a transaction of their own.
    pub(crate) async fn record(&self, drafts: Vec<Draft>) -> Result<()> {
        let mut tx = self.state.write().await?;
        let put = self.put(&mut tx, drafts).await?;
        tx.commit().await?;
        self.committed(put);
        Ok(())
    }

    /// The oldest messages that may be sent now, at most `most` and what fits one report. Each with its number of now.
    pub(crate) async fn next(&self, most: usize) -> Result<Vec<Message>> {
        let rows = self.state.read().await?.query(&NEXT, &params![wall_ms(), most as i64, self.until()]).await?;
        self.read(rows).await
    }

    fn until(&self) -> i64 {
        self.until.load(Relaxed)
    }

    /// Begins the new epoch of a restored outbox once all is delivered that waited in it. `None`: not now.
    pub(crate) async fn take_over(&self, floor: u64) -> Result<Option<u64>> {
        let until = self.until();
        if until == i64::MAX {
            return Ok(None);
        }
        let mut tx = self.state.write().await?;
        if tx.query_one(&OLD, &params![until]).await?.get::<i64>(0)? > 0 {
            return Ok(None);
        }
        let epoch = set_epoch(&mut tx, floor).await?;
        set_fact(&mut tx, DELIVER_FIRST, "0").await?;
        tx.commit().await?;
        self.until.store(i64::MAX, Relaxed);
        Ok(Some(epoch))
    }

    /// Messages that overtake the others: what devices call about.
    pub(crate) async fn urgent(&self, most: usize) -> Result<Vec<Message>> {
        let rows = self.state.read().await?.query(&URGENT, &params![wall_ms(), most as i64, self.until()]).await?;
        self.read(rows).await
    }

    /// Reads messages up to what fits one report.
    async fn read(&self, rows: Vec<Row>) -> Result<Vec<Message>> {
        let (mut messages, mut bytes, mut unreadable) = (Vec::new(), 0, Vec::new());
        for row in rows {
            let (seq, raw): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
            bytes += raw.len();
            if bytes > REPORT_BYTES && !messages.is_empty() {
                break;
            }
            match cbor::decode::<Message>(&raw) {
                Ok(message) => messages.push(Message { seq: super::from_db(seq), ..message }),
                Err(e) => {
                    tracing::error!(error = %e, "a message in the outbox is damaged and was dropped");
                    unreadable.push((seq, raw.len()));
                }
            }
        }
        if !unreadable.is_empty() {
            self.drop_all(unreadable).await?;
        }
        Ok(messages)
    }

    async fn drop_all(&self, rows: Vec<(i64, usize)>) -> Result<()> {
        let mut tx = self.state.write().await?;
        tx.many(&GONE, rows.iter().map(|(seq, _)| params![*seq].to_vec()).collect()).await?;
        tx.commit().await?;
        add(&self.stats.rejected, rows.len());
        self.shrank(rows.len(), rows.iter().map(|(_, bytes)| *bytes as u64).sum());
        Ok(())
    }

    fn shrank(&self, messages: usize, bytes: u64) {
        self.pressure.shrank(messages, bytes);
        set(&self.stats.outbox_depth, self.pressure.depth());
    }

    /// When the first message may be sent, milliseconds since 1970; `None` when none waits.
    pub(crate) async fn next_due(&self) -> Result<Option<i64>> {
        Ok(self.state.read().await?.query_one(&DUE, &params![self.until()]).await?.get(0)?)
    }

    /// Gives up one message that the server will not take in any form.
    pub(crate) async fn give_up(&self, message: &Message) -> Result<()> {
        self.drop_all(vec![(to_db(message.seq), cbor::encode(message).len())]).await
    }

    /// Takes the results of a report: final ones are forgotten, others rest, stale ones get a new number once.
    pub(crate) async fn settle(&self, sent: &[Message], epoch: u64, results: &[MessageResult]) -> Result<Settled> {
        let by_seq: HashMap<u64, &Message> = sent.iter().map(|m| (m.seq, m)).collect();
        let results: Vec<_> = results.iter().filter(|r| r.epoch == epoch && by_seq.contains_key(&r.seq)).collect();
        let mut tx = self.state.write().await?;
        let resent: Vec<i64> = numbers(&tx.query(&RESENT, &[]).await?)?;
        let mut plan = Plan::default();
        for result in &results {
            plan.add(result, resent.contains(&to_db(result.seq)));
        }
        let settled = Settled {
            gone: plan.gone.len(),
            renumbered: plan.renumber.len(),
            epoch_is_over: !sent.is_empty() && plan.stale == sent.len(),
        };
        let next = fact_number(&mut tx, "next_seq").await?.unwrap_or(1);
        let renumbered = plan.renumber.iter().zip(next..).map(|(seq, new)| params![to_db(*seq), to_db(new)].to_vec());
        let renumbered: Vec<_> = renumbered.collect();
        set_fact(&mut tx, "next_seq", &(next + renumbered.len() as u64).to_string()).await?;
        tx.many(&RENUMBER, renumbered).await?;
        tx.many(&GONE, plan.gone.iter().map(|seq| params![to_db(*seq)].to_vec()).collect()).await?;
        let due = wall_ms() + LATER_MS;
        tx.many(&POSTPONE, plan.later.iter().map(|seq| params![to_db(*seq), due].to_vec()).collect()).await?;
        tx.commit().await?;
        let bytes = plan.gone.iter().filter_map(|seq| by_seq.get(seq)).map(|m| cbor::encode(*m).len() as u64).sum();
        self.shrank(plan.gone.len(), bytes);
        add(&self.stats.delivered, plan.gone.len());
        for (seq, outcome, detail) in &plan.told {
            count(&self.stats.rejected);
            tracing::warn!(seq, ?outcome, detail, "the server will not take a message; it was dropped");
        }
        Ok(settled)
    }

    /// Begins a new epoch above `floor`, for everything that waits.
    pub(crate) async fn begin_epoch(&self, floor: u64) -> Result<u64> {
        let mut tx = self.state.write().await?;
        let epoch = set_epoch(&mut tx, floor).await?;
        set_fact(&mut tx, DELIVER_FIRST, "0").await?;
        tx.commit().await?;
        self.until.store(i64::MAX, Relaxed);
        Ok(epoch)
    }
}

/// What was put but not yet counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Put {
    messages: usize,
    bytes: u64,
}

/// What the results ask for.
#[derive(Default)]
struct Plan {
    gone: Vec<u64>,
    later: Vec<u64>,
    renumber: Vec<u64>,
    stale: usize,
    told: Vec<(u64, Outcome, String)>,
}

impl Plan {
    fn add(&mut self, result: &MessageResult, was_resent: bool) {
        let detail = || result.detail.clone().unwrap_or_default();
        match result.outcome {
            Outcome::Later | Outcome::NeedFull => self.later.push(result.seq),
            // Never told `stored`, so it goes again under a new number (gateway.md §4.5); twice would be for ever.
            Outcome::Stale if !was_resent => {
                self.stale += 1;
                self.renumber.push(result.seq);
            }
            Outcome::Stored | Outcome::Duplicate | Outcome::Quarantined => self.gone.push(result.seq),
            outcome => {
                self.stale += usize::from(outcome == Outcome::Stale);
                self.gone.push(result.seq);
                self.told.push((result.seq, outcome, detail()));
            }
        }
    }
}

/// Wall clock in milliseconds, or more where the last epoch was later than that.
async fn set_epoch(tx: &mut Tx, floor: u64) -> Result<u64> {
    let now = u64::try_from(wall_ms()).unwrap_or(0);
    let epoch = now.max(floor + 1);
    set_fact(tx, "epoch", &epoch.to_string()).await?;
    Ok(epoch)
}

fn numbers(rows: &[Row]) -> Result<Vec<i64>> {
    Ok(rows.iter().map(|row| row.get(0)).collect::<std::result::Result<_, _>>()?)
}
