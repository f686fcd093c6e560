//! Draws the effect of devices' reports from the raw log, in the order in which they came: many in a transaction, each
//! exactly once, for what is drawn leaves the list of the open in that transaction. What fails three times is set aside.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use store::{Row, Tx, Value, View, params};
use wire::hello::Road;
use wire::{Message, Outcome, Subject};

use super::projection::Intake;
use super::{rules, sql};
use crate::devices::intake::{Fleet, Source};
use crate::diagnostics::intake::Said;
use crate::error::{Error, Result};
use crate::monitors::{self, Heard, MonitorId};
use crate::scope::Scope;
use crate::{Actor, AgentId, Ctx, Kind, Micros, OrgId, Platform, Role, events};

const REASON: &str = "reports of devices whose effect is still to come";
/// Reports of a transaction, most.
const MOST: i64 = 64;
/// A report is tried so often before it is set aside …
const TRIES: i64 = 3;
/// … and again after this time, µs.
const PAUSE: i64 = 100_000;
/// Beyond this lag whoever delivers waits for the effects, not the effects for them.
const LAG: i64 = 60 * 1_000_000;
/// How long the drawing rests after work, as a multiple of that work, while reports keep coming.
const YIELD: u32 = 4;
/// Other servers may have taken reports and stopped.
const LOOK: Duration = Duration::from_secs(1);

/// What waits in the raw log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Reports whose effect is still to come.
    pub reports: u64,
    /// How long the oldest of them waits, µs; 0 when nothing does.
    pub oldest_us: i64,
}

/// A report drawn from the log.
struct Open {
    tenant: OrgId,
    id: String,
    tries: i64,
    sender: AgentId,
    epoch: u64,
    at: Micros,
    offset_ms: i64,
    road: Road,
    body: Vec<u8>,
}

impl Open {
    fn read(row: &Row) -> Result<Self> {
        let road: Option<String> = row.get(7)?;
        Ok(Self {
            tenant: row.get(0)?,
            id: row.get(1)?,
            tries: row.get(2)?,
            sender: row.get(3)?,
            epoch: row.get(4)?,
            at: row.get(5)?,
            offset_ms: row.get(6)?,
            road: road.as_deref().and_then(monitors::road_of).unwrap_or(Road::Https),
            body: row.get(8)?,
        })
    }

    fn messages(&self) -> Result<Vec<Message>> {
        let unread = |error| Error::internal(format!("what the log holds does not read: {error}"));
        wire::cbor::decode(&rules::unpacked(&self.body)?).map_err(unread)
    }
}

/// Draws effects as reports come, until `stop`.
pub async fn keep(platform: Platform, stop: impl Future<Output = ()>) {
    let mut stop = std::pin::pin!(stop);
    let ingest = platform.ingest();
    ingest.kept.store(true, Ordering::Release);
    loop {
        let (began, taken) = (platform.now(), ingest.taken.load(Ordering::Relaxed));
        let outcome = round(&platform).await;
        let pause = match outcome {
            Ok(0) => None,
            Ok(_) if ingest.taken.load(Ordering::Relaxed) == taken => Some(Duration::ZERO),
            // Reports come in meanwhile: they go first, as long as they do not leave the effects far behind.
            Ok(_) if lag(&platform).await.is_ok_and(|lag| lag < LAG) => Some(since(&platform, began) * YIELD),
            Ok(_) => Some(Duration::ZERO),
            Err(error) => {
                tracing::warn!(%error, source = ?error.source, "what follows from reports waits in the log; tried again in a second");
                Some(LOOK)
            }
        };
        tokio::select! {
            () = stop.as_mut() => break,
            () = tokio::time::sleep(pause.unwrap_or(LOOK)) => {}
            () = ingest.news.notified(), if pause.is_none() => {}
        }
    }
    ingest.kept.store(false, Ordering::Release);
}

fn since(platform: &Platform, began: Micros) -> Duration {
    Duration::from_micros(u64::try_from(platform.now().0 - began.0).unwrap_or(0))
}

/// Draws everything that is open now.
///
/// # Errors
/// When the database refuses; what was drawn until then stands.
pub async fn project(platform: &Platform) -> Result<u64> {
    let mut drawn = 0;
    loop {
        match round(platform).await? {
            0 => return Ok(drawn),
            count => drawn += count,
        }
    }
}

/// How long the oldest report that is open waits, µs.
async fn lag(platform: &Platform) -> Result<i64> {
    let mut tx = platform.db().read(&View::All(REASON)).await?;
    let oldest: Option<i64> = tx.query_one(&sql::OPEN_OLDEST, &[]).await?.get(0)?;
    Ok(oldest.map_or(0, |oldest| platform.now().0 - oldest))
}

/// What waits.
///
/// # Errors
/// When the database refuses.
pub async fn backlog(platform: &Platform) -> Result<Backlog> {
    let mut tx = platform.db().read(&View::All(REASON)).await?;
    let row = tx.query_one(&sql::OPEN_COUNT, &[]).await?;
    let (reports, oldest): (u64, i64) = (row.get(0)?, row.get(1)?);
    let oldest_us = if reports == 0 { 0 } else { platform.now().0 - oldest };
    Ok(Backlog { reports, oldest_us })
}

/// One turn: the oldest reports that are open, a transaction an organisation. Returns how many left the list.
async fn round(platform: &Platform) -> Result<u64> {
    let _alone = platform.ingest().drawing.lock().await;
    let mut tx = platform.db().read(&View::All(REASON)).await?;
    let rows = tx.query(&sql::OPEN_NEXT, &params![platform.now(), MOST]).await?;
    drop(tx);
    let all = rows.iter().map(Open::read).collect::<Result<Vec<_>>>()?;
    let mut senders = HashSet::new();
    let mut parts: Vec<(OrgId, Vec<Open>)> = Vec::new();
    for open in all {
        // A device's second report finds what its first one did.
        if !senders.insert(open.sender) {
            continue;
        }
        match parts.iter_mut().find(|(tenant, _)| *tenant == open.tenant) {
            Some((_, part)) => part.push(open),
            None => parts.push((open.tenant, vec![open])),
        }
    }
    let mut gone = 0;
    for (tenant, part) in parts {
        gone += draw(platform, tenant, &part).await?;
    }
    Ok(gone)
}

/// The reports of one organisation; one by one where they do not go together.
async fn draw(platform: &Platform, tenant: OrgId, part: &[Open]) -> Result<u64> {
    let all: Vec<&Open> = part.iter().collect();
    match attempt(platform, tenant, &all).await {
        Err(error) if !is_passing(&error) && part.len() > 1 => {
            let mut gone = 0;
            for open in all {
                gone += match attempt(platform, tenant, &[open]).await {
                    Err(error) if !is_passing(&error) => set_back(platform, open, &error).await?,
                    other => other?,
                };
            }
            Ok(gone)
        }
        Err(error) if !is_passing(&error) => match part {
            [open] => set_back(platform, open, &error).await,
            _ => Err(error),
        },
        other => other,
    }
}

/// It may go another time.
fn is_passing(error: &Error) -> bool {
    matches!(error.kind, Kind::Unavailable)
}

async fn attempt(platform: &Platform, tenant: OrgId, part: &[&Open]) -> Result<u64> {
    let mut told = Vec::with_capacity(part.len());
    for open in part {
        told.push((*open, open.messages()?));
    }
    let now = part.iter().map(|open| open.at).max().unwrap_or_else(|| platform.now());
    let ctx = Ctx {
        platform: platform.clone(),
        actor: Actor::System,
        home: tenant,
        role: Role::Agent,
        scope: Scope::only(tenant, now),
        now,
        request: String::new(),
    };
    let mut tx = platform.db().write(&ctx.scope.view()).await?;
    tx.execute(&sql::TURN, &[]).await?;
    let done: Vec<Vec<Value>> = part.iter().map(|open| params![tenant, &open.id].into()).collect();
    let count = part.len() as u64;
    if tx.many(&sql::OPEN_DONE, done).await? != count {
        // Another server drew some of them meanwhile.
        return Err(Error::new(Kind::Unavailable, "reports were drawn by another server"));
    }
    effect(&ctx, &mut tx, &told).await?;
    tx.commit().await?;
    Ok(count)
}

/// What the messages do.
async fn effect(ctx: &Ctx, tx: &mut Tx, told: &[(&Open, Vec<Message>)]) -> Result<()> {
    let Some((first, _)) = told.first() else { return Ok(()) };
    let mut fleet = Fleet::new(ctx.home, first.sender, ctx.now, super::service::seed(ctx));
    let source = |open: &Open| Source { epoch: open.epoch, offset_ms: open.offset_ms, at: open.at };
    let sources: HashMap<Subject, Source> = told.iter().map(|(open, _)| (open.sender.into(), source(open))).collect();
    let subjects: Vec<Subject> = sources.keys().copied().collect();
    fleet.hear_from(sources);
    fleet.load_subjects(tx, &subjects).await?;
    let messages: Vec<&Message> = told.iter().flat_map(|(_, messages)| messages).collect();
    let mut said = Said::load(tx, &fleet, first.epoch, &messages).await?;
    let mut fresh = Vec::with_capacity(messages.len());
    let mut forgotten = Vec::new();
    for message in messages {
        match said.lacks(message) {
            None => fresh.push(message),
            Some(why) => {
                tracing::warn!(sender = ?message.subject, seq = message.seq, why, "a message in the log lacks what it builds on");
                forgotten.extend(message.subject.map(|subject| Vec::from(params![ctx.home, AgentId::from(subject)])));
            }
        }
    }
    let mut intake = Intake::load(ctx, tx, (fleet, said), &fresh, 0).await?;
    for ((subject, seq), (outcome, why)) in intake.take(&fresh)? {
        if outcome != Outcome::Refused {
            tracing::warn!(sender = ?subject, seq, why, "a message in the log has no effect");
        }
    }
    intake.flush(ctx, tx).await?;
    if !forgotten.is_empty() {
        tx.many(&sql::STREAM_FORGET, forgotten).await?;
    }
    let heard: Vec<Heard<'_>> = told
        .iter()
        .map(|(open, messages)| Heard {
            id: MonitorId(open.sender.0),
            road: open.road,
            epoch: open.epoch,
            offset_ms: open.offset_ms,
            at: open.at,
            messages: messages.iter().collect(),
        })
        .collect();
    monitors::heard(tx, ctx.home, &heard).await
}

/// One that failed comes again a moment later; after the third time it is set aside and told. Returns 1 if it left the list.
async fn set_back(platform: &Platform, open: &Open, error: &Error) -> Result<u64> {
    let mut ctx = platform.system("a report whose effect cannot be drawn");
    ctx.home = open.tenant;
    let tries = open.tries + 1;
    let mut tx = platform.db().write(&View::tenant(&open.tenant.to_string())).await?;
    if tries < TRIES {
        tracing::warn!(report = open.id, tries, %error, source = ?error.source, "a report has no effect yet");
        tx.execute(&sql::OPEN_LATER, &params![open.tenant, &open.id, tries, platform.now().0 + PAUSE]).await?;
        tx.commit().await?;
        return Ok(0);
    }
    tracing::error!(report = open.id, %error, source = ?error.source, "a report is set aside; it stays in the raw log");
    let why = error.to_string();
    tx.execute(&sql::QUARANTINE, &params![open.tenant, &open.id, &why, platform.now()]).await?;
    tx.execute(&sql::OPEN_DONE, &params![open.tenant, &open.id]).await?;
    tx.execute(&sql::STREAM_FORGET, &params![open.tenant, open.sender]).await?;
    let subject = ("monitor", MonitorId(open.sender.0).to_string());
    let data = json!({ "report": open.id, "why": why });
    events::emit(&mut tx, &ctx, open.tenant, "report.quarantined", subject, data).await?;
    tx.commit().await?;
    Ok(1)
}
