//! Taking a report: one transaction; the answer is given only after its commit.

use jiff::tz::TimeZone;
use store::{Tx, Value, params};
use wire::hello::Road;
use wire::{Body, Message, MessageResult, Outcome, Received, Reply, Report};

use super::projection::Intake;
use super::rules::{Place, Window, clock_offset, fault};
use super::{ingest, sql};
use crate::devices::intake::Fleet;
use crate::diagnostics::intake::Said;
use crate::diagnostics::rules::{oversize, told as kind_of};
use crate::error::{Error, Result};
use crate::orders::{self, Ridden};
use crate::{Actor, AgentId, Ctx, Kind};

/// Tries of a transaction that another one stood in the way of.
const TRIES: usize = 5;

/// Takes a report of the agent that asks. Each message is answered: stored, duplicate, stale, or why not.
///
/// # Errors
/// `Forbidden` unless the sender is the agent itself, `Invalid` for a report without or with too many messages,
/// `Unavailable` when the database cannot take it now; nothing is stored then.
pub async fn accept(ctx: &Ctx, report: impl Into<Received>) -> Result<Reply> {
    accept_by(ctx, report, Road::Https).await
}

/// As [`accept`], for a report that came by another road.
///
/// # Errors
/// As there.
pub async fn accept_by(ctx: &Ctx, report: impl Into<Received>, road: Road) -> Result<Reply> {
    let agent = ctx.require_sender()?;
    let received = report.into();
    let report = received.report();
    if AgentId::from(report.sender) != agent {
        return Err(Error::new(Kind::Forbidden, "the report names another sender than the one that signed it"));
    }
    if report.version != 1 || report.messages.is_empty() || report.messages.len() > wire::report::MAX_MESSAGES {
        let count = report.messages.len();
        return Err(Error::invalid(
            "messages",
            format!("version {} with {count} messages; 1 with 1 to 512 is taken", report.version),
        ));
    }
    if let Actor::Monitor { id } = ctx.actor {
        return ingest::take(ctx, id, received, road).await;
    }
    match persistent(ctx, agent, report, None).await {
        Err(error) if is_refusal(&error) => one_by_one(ctx, agent, report, &error).await,
        other => other,
    }
}

/// Runs the transaction again while others stand in its way.
async fn persistent(ctx: &Ctx, agent: AgentId, report: &Report, poison: Option<&str>) -> Result<Reply> {
    let mut tries = 1;
    loop {
        match attempt(ctx, agent, report, poison).await {
            Err(error) if tries < TRIES && matches!(error.kind, Kind::Unavailable | Kind::Conflict) => tries += 1,
            other => return other,
        }
    }
}

/// The database refused what a message holds, and would do so again.
fn is_refusal(error: &Error) -> bool {
    matches!(error.kind, Kind::Internal | Kind::Conflict)
}

/// A message that the database refuses must not hold up the others: each goes alone, the refused one as invalid.
async fn one_by_one(ctx: &Ctx, agent: AgentId, report: &Report, why: &Error) -> Result<Reply> {
    tracing::warn!(agent.id = %agent, error = %why, source = ?why.source, "a report is taken message by message");
    let mut whole: Option<Reply> = None;
    for message in &report.messages {
        let alone = Report { messages: vec![message.clone()], ..report.clone() };
        let reply = match persistent(ctx, agent, &alone, None).await {
            Err(error) if is_refusal(&error) => {
                let detail = format!("it cannot be stored: {error}");
                tracing::error!(agent.id = %agent, seq = message.seq, source = ?error.source, "a message cannot be stored");
                persistent(ctx, agent, &alone, Some(&detail)).await?
            }
            other => other?,
        };
        match &mut whole {
            None => whole = Some(reply),
            Some(whole) => {
                whole.results.extend(reply.results);
                whole.plan = reply.plan.or(whole.plan.take());
                (whole.commands, whole.keys) = (reply.commands, reply.keys);
            }
        }
    }
    whole.ok_or_else(|| Error::internal("a report without messages"))
}

/// What of a report is new, and what is answered.
struct Sorted<'r> {
    fresh: Vec<&'r Message>,
    results: Vec<MessageResult>,
    invalid: i64,
}

async fn attempt(ctx: &Ctx, agent: AgentId, report: &Report, poison: Option<&str>) -> Result<Reply> {
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let window = stream(ctx, &mut tx, agent, report).await?;
    let mut fleet = Fleet::new(ctx.home, agent, ctx.now, seed(ctx));
    let known: Vec<&Message> = report.messages.iter().filter(|_| poison.is_none()).collect();
    let subjects: Vec<_> = known.iter().filter_map(|message| message.subject).collect();
    fleet.load_subjects(&mut tx, &subjects).await?;
    let mut said = Said::load(&mut tx, &fleet, report.epoch, &known).await?;
    let mut sorted = sort(ctx, &mut tx, report, poison, window, &mut said).await?;
    let offset_ms = clock_offset(report.clock_ms, ctx.now.as_millis());
    if !sorted.fresh.is_empty() {
        log(ctx, &mut tx, agent, report, &sorted, offset_ms).await?;
        if poison.is_none() {
            let mut intake = Intake::load(ctx, &mut tx, (fleet, said), &sorted.fresh, offset_ms).await?;
            let mut refused = intake.take(&sorted.fresh)?;
            intake.flush(ctx, &mut tx).await?;
            for message in &sorted.fresh {
                if let Body::Senders(body) = &message.body {
                    crate::traps::take(&mut tx, ctx, body, offset_ms).await?;
                }
            }
            for result in &mut sorted.results {
                if let Some((outcome, detail)) = refused.remove(&(result.subject, result.seq)) {
                    (result.outcome, result.detail) = (outcome, Some(detail));
                }
            }
        }
    }
    let said = sorted.fresh.iter().rev().find_map(|message| match &message.body {
        Body::Agent(body) => Some(body),
        _ => None,
    });
    if let (Some(body), None) = (discovered(&sorted.fresh), poison) {
        crate::agents::keep_discovery(&mut tx, ctx, body, offset_ms).await?;
    }
    let beat = crate::agents::heartbeat(&mut tx, ctx, said, report.plan_revision).await?;
    crate::alerts::agent_is_back(&mut tx, ctx, agent).await?;
    tx.commit().await?;
    let Ridden { commands, keys } = orders::ride(ctx, beat.orders, beat.key).await;
    Ok(Reply { plan: beat.plan, commands, keys, ..answer(ctx, sorted.results) })
}

/// A reply that holds the outcomes and nothing more.
pub(super) fn answer(ctx: &Ctx, results: Vec<MessageResult>) -> Reply {
    Reply {
        version: 1,
        server_ms: ctx.now.as_millis(),
        results,
        commands: Vec::new(),
        schedule: None,
        not_before_ms: None,
        plan: None,
        keys: Vec::new(),
    }
}

/// The last discovery that is told of.
fn discovered<'m>(fresh: &[&'m Message]) -> Option<&'m wire::report::DiscoveryBody> {
    fresh.iter().rev().find_map(|message| match &message.body {
        Body::Discovery(body) => Some(&**body),
        _ => None,
    })
}

/// From where numbers of rows are counted in this transaction.
pub(super) fn seed(ctx: &Ctx) -> i64 {
    let mut seed = [0; 8];
    ctx.ids().random(&mut seed);
    i64::from_be_bytes(seed) >> 2 & (i64::MAX >> 2)
}

/// The replay window of the sender; it is locked from here on.
async fn stream(ctx: &Ctx, tx: &mut Tx, agent: AgentId, report: &Report) -> Result<Window> {
    let epoch = i64::try_from(report.epoch).map_err(|_| Error::invalid("epoch", "the epoch is too large"))?;
    let new = Window::new(report.epoch);
    let values = params![ctx.home, agent, epoch, new.taken.to_vec(), ctx.now];
    let row = tx.query_one(&sql::STREAM, &values).await?;
    let taken: Vec<u8> = row.get(2)?;
    Ok(Window::stored(row.get(0)?, row.get(1)?, &taken))
}

/// Parts the messages by the replay window and by what they hold. One that waits for something keeps its number free.
async fn sort<'r>(
    ctx: &Ctx,
    tx: &mut Tx,
    report: &'r Report,
    poison: Option<&str>,
    mut window: Window,
    said: &mut Said,
) -> Result<Sorted<'r>> {
    let mut sorted = Sorted { fresh: Vec::new(), results: Vec::with_capacity(report.messages.len()), invalid: 0 };
    for message in &report.messages {
        let large = oversize(message, None);
        let fault = large.clone().or_else(|| fault(message)).or_else(|| poison.map(str::to_owned));
        let before = (fault.is_none() && waits(message)).then(|| window.clone());
        // A number that cannot be remembered is not taken.
        let place =
            if i64::try_from(message.seq).is_ok() { window.take(report.epoch, message.seq) } else { Place::Fresh };
        let (outcome, detail) = match (place, fault) {
            (Place::Taken, _) => (Outcome::Duplicate, None),
            (Place::Stale, _) => (Outcome::Stale, Some("its epoch has ended, or its number is far behind".to_owned())),
            (Place::Fresh, None) => match (put_off(message, said), before) {
                (Some(put_off), Some(before)) => {
                    window = before;
                    put_off
                }
                _ => {
                    sorted.fresh.push(message);
                    (Outcome::Stored, None)
                }
            },
            (Place::Fresh, Some(fault)) => {
                sorted.invalid += 1;
                (if large.is_some() { Outcome::TooLarge } else { Outcome::Invalid }, Some(fault))
            }
        };
        sorted.results.push(MessageResult {
            subject: message.subject,
            epoch: report.epoch,
            seq: message.seq,
            outcome,
            detail,
        });
    }
    let high = i64::try_from(window.high).unwrap_or(i64::MAX);
    let epoch = i64::try_from(window.epoch).unwrap_or(i64::MAX);
    let values = params![ctx.home, AgentId::from(report.sender), epoch, high, window.taken.to_vec()];
    tx.execute(&sql::STREAM_SET, &values).await?;
    Ok(sorted)
}

/// Whether a message may have to wait for another one, or for room.
pub(super) fn waits(message: &Message) -> bool {
    kind_of(&message.body).is_some() || matches!(message.body, Body::Dictionary(_))
}

/// Why a message cannot be taken, or not yet: nobody knows the ids of its counters, or the set that it changes.
fn put_off(message: &Message, said: &mut Said) -> Option<(Outcome, Option<String>)> {
    if let Body::Dictionary(dictionary) = &message.body
        && !said.learn(dictionary)
    {
        return Some((Outcome::Refused, Some("there are too many dictionaries already".to_owned())));
    }
    said.lacks(message).map(|why| (Outcome::NeedFull, Some(why)))
}

/// The raw log: what was new, as CBOR, one row a report.
async fn log(
    ctx: &Ctx,
    tx: &mut Tx,
    agent: AgentId,
    report: &Report,
    sorted: &Sorted<'_>,
    offset_ms: i64,
) -> Result<()> {
    let seqs = || sorted.fresh.iter().filter_map(|message| i64::try_from(message.seq).ok());
    let unknown = sorted.fresh.iter().filter(|message| matches!(message.body, Body::Unknown(..))).count();
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let body = wire::cbor::encode(&sorted.fresh);
    let epoch = i64::try_from(report.epoch).unwrap_or(i64::MAX);
    let values = params![
        ctx.home,
        ctx.now.day(&TimeZone::UTC),
        ctx.ids().uuid7().to_string(),
        ctx.now,
        agent,
        epoch,
        seqs().min().unwrap_or(0),
        seqs().max().unwrap_or(0),
        count(sorted.fresh.len()),
        sorted.invalid,
        count(unknown),
        offset_ms,
        count(body.len()),
        body,
        Value::Null
    ];
    tx.execute(&sql::INBOX, &values).await?;
    Ok(())
}
