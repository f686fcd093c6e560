//! Reports of devices about themselves: whoever comes while a transaction is written waits for the next, which takes all of
//! them. Window and raw log alone stand in it; what is answered of each message is judged from the head of its stream.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use wire::hello::Road;
use wire::{Body, Message, Outcome, Received, Reply, packing};

use super::heads::Dictionaries;
use super::rules::{clock_offset, fault};
use super::{drain, group};
use crate::diagnostics::rules::{oversize, told as kind_of};
use crate::error::{Error, Result};
use crate::monitors::{self, MonitorId, Standing};
use crate::{AgentId, Ctx, Micros, OrgId, Platform, apart};

/// Most reports of a transaction …
const MOST: usize = 512;
/// … and most bytes of their messages.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Messages that are larger are kept compressed.
const PACKED_FROM: usize = 512;

/// The queue in front of the raw log.
#[derive(Default)]
pub(crate) struct Ingest {
    queue: Mutex<Vec<Waiting>>,
    /// Whoever holds it writes.
    turn: Arc<tokio::sync::Mutex<()>>,
    pub(super) dictionaries: Dictionaries,
    /// Somebody draws the effects from the log; otherwise each report does that before it is answered.
    pub(super) kept: AtomicBool,
    /// Who draws in this process.
    pub(super) drawing: tokio::sync::Mutex<()>,
    /// There is something to be drawn.
    pub(super) news: Notify,
    /// Reports that were taken so far.
    pub(super) taken: AtomicU64,
}

/// A message, weighed before anybody waits for it.
pub(super) struct Weighed {
    pub(super) message: Message,
    /// As it was told.
    pub(super) cbor: Bytes,
    /// Why it can never be taken.
    pub(super) fault: Option<(Outcome, String)>,
}

/// A report on its way into the log.
pub(super) struct Waiting {
    pub(super) tenant: OrgId,
    pub(super) sender: AgentId,
    pub(super) standing: Standing,
    pub(super) epoch: u64,
    pub(super) offset_ms: i64,
    pub(super) road: Road,
    pub(super) now: Micros,
    pub(super) messages: Vec<Weighed>,
    /// The report as the log keeps it; good if all of its messages are new.
    pub(super) whole: Vec<u8>,
    pub(super) answer: oneshot::Sender<Result<Vec<wire::MessageResult>>>,
}

/// Takes a report of a device about itself.
pub(super) async fn take(ctx: &Ctx, id: MonitorId, received: Received, road: Road) -> Result<Reply> {
    let standing = monitors::standing(&ctx.platform, id).await?;
    let standing = standing.ok_or_else(|| Error::new(crate::Kind::Forbidden, "this device is not heard"))?;
    let report = received.report();
    monitors::speaks_for_itself(report, &standing.serial_fold)?;
    if i64::try_from(report.epoch).is_err() {
        return Err(Error::invalid("epoch", "the epoch is too large"));
    }
    let (follows, revision, orders) = (report.plan_revision, standing.revision, standing.orders);
    let results = submit(ctx, weigh(ctx, standing, received, road)).await?;
    let mut reply = super::service::answer(ctx, results);
    if matches!(road, Road::Mail | Road::MailBothWays) {
        // Nobody reads the answer to a mail: orders stay where they wait.
        return Ok(reply);
    }
    if i64::try_from(follows).unwrap_or(i64::MAX) != revision {
        reply.schedule = monitors::inquire(ctx, follows).await?;
    }
    if orders > 0 {
        reply.commands = crate::orders::pending(ctx).await?;
    }
    Ok(reply)
}

/// All that can be done with a report before its turn.
fn weigh(
    ctx: &Ctx,
    standing: Standing,
    received: Received,
    road: Road,
) -> (Waiting, oneshot::Receiver<Result<Vec<wire::MessageResult>>>) {
    let (report, messages, frame) = received.into_parts();
    let weighed = messages.into_iter().map(|(mut message, cbor)| {
        // A device that speaks of itself need not name itself in each message.
        message.subject = message.subject.or(Some(report.sender));
        let large = oversize(&message, Some(cbor.len())).map(|why| (Outcome::TooLarge, why));
        let fault = large.or_else(|| fault(&message).or_else(|| foreign(&message)).map(|why| (Outcome::Invalid, why)));
        Weighed { message, cbor, fault }
    });
    let messages: Vec<Weighed> = weighed.collect();
    let whole = frame.map_or_else(|| logged(messages.iter()), Vec::from);
    let (answer, told) = oneshot::channel();
    let waiting = Waiting {
        tenant: ctx.home,
        sender: report.sender.into(),
        standing,
        epoch: report.epoch,
        offset_ms: clock_offset(report.clock_ms, ctx.now.as_millis()),
        road,
        now: ctx.now,
        messages,
        whole,
        answer,
    };
    (waiting, told)
}

/// What only an agent has to tell.
fn foreign(message: &Message) -> Option<String> {
    let known = matches!(message.body, Body::Status(_) | Body::Counters(_) | Body::Dictionary(_) | Body::Unknown(..));
    (!known && kind_of(&message.body).is_none()).then(|| "only an agent tells this".to_owned())
}

/// Messages as the log keeps them: a CBOR array, compressed where that saves something.
pub(super) fn logged<'w>(messages: impl ExactSizeIterator<Item = &'w Weighed> + Clone) -> Vec<u8> {
    let count = messages.len();
    let mut cbor = Vec::with_capacity(3 + messages.clone().map(|one| one.cbor.len()).sum::<usize>());
    match u8::try_from(count) {
        Ok(few @ 0..=23) => cbor.push(0x80 | few),
        Ok(some) => cbor.extend([0x98, some]),
        Err(_) => {
            cbor.push(0x99);
            cbor.extend(u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    for one in messages {
        cbor.extend_from_slice(&one.cbor);
    }
    if cbor.len() < PACKED_FROM {
        return cbor;
    }
    packing::pack(&cbor, packing::FAST).filter(|packed| packed.len() < cbor.len()).unwrap_or(cbor)
}

/// Waits until the report is in the log, or writes what waits if nobody does.
async fn submit(
    ctx: &Ctx,
    (waiting, told): (Waiting, oneshot::Receiver<Result<Vec<wire::MessageResult>>>),
) -> Result<Vec<wire::MessageResult>> {
    let ingest = ctx.platform.ingest();
    ingest.queue.lock().push(waiting);
    if let Ok(turn) = Arc::clone(&ingest.turn).try_lock_owned() {
        // By itself: whoever asked may hang up, the others in the queue have not.
        apart::spawn(lead(ctx.platform.clone(), turn));
    }
    let gone =
        |_| Error::new(crate::Kind::Unavailable, "the server stopped before it could tell the outcome; try again");
    let results = told.await.map_err(gone)??;
    ingest.taken.fetch_add(1, Ordering::Relaxed);
    if ingest.kept.load(Ordering::Acquire) {
        ingest.news.notify_one();
    } else if let Err(error) = drain::project(&ctx.platform).await {
        tracing::error!(%error, source = ?error.source, "what follows from a report waits in the log");
    }
    Ok(results)
}

/// Writes until nobody waits any more.
async fn lead(platform: Platform, mut turn: tokio::sync::OwnedMutexGuard<()>) {
    let ingest = platform.ingest();
    loop {
        let batch = next(&mut ingest.queue.lock());
        if !batch.is_empty() {
            group::write(&platform, batch).await;
            continue;
        }
        drop(turn);
        // Whoever came between the look and the drop found the turn taken.
        if ingest.queue.lock().is_empty() {
            return;
        }
        match Arc::clone(&ingest.turn).try_lock_owned() {
            Ok(again) => turn = again,
            Err(_) => return,
        }
    }
}

/// The next transaction; a device's second report waits for the one after, its head has changed by then.
fn next(queue: &mut Vec<Waiting>) -> Vec<Waiting> {
    let (mut bytes, mut senders) = (0, HashSet::new());
    let mut batch = Vec::with_capacity(queue.len().min(MOST));
    let mut rest = Vec::new();
    for waiting in queue.drain(..) {
        let full = batch.len() >= MOST || bytes >= MOST_BYTES;
        if full || !senders.insert(waiting.sender) {
            rest.push(waiting);
        } else {
            bytes += waiting.whole.len();
            batch.push(waiting);
        }
    }
    *queue = rest;
    batch
}

/// Parts a transaction by organisation.
pub(super) fn by_tenant(batch: &[Waiting]) -> HashMap<OrgId, Vec<usize>> {
    let mut parts: HashMap<OrgId, Vec<usize>> = HashMap::new();
    for (place, waiting) in batch.iter().enumerate() {
        parts.entry(waiting.tenant).or_default().push(place);
    }
    parts
}
