//! The effect of reports of many devices in one transaction, each exactly once: what is drawn leaves the list of the open
//! in it. Reports that do not go together are halved until the one that fails stands alone.

use std::collections::HashMap;

use serde_json::json;
use store::{Tx, Value, View, params};
use wire::{Message, Outcome, Subject};

use super::open::{Batch, Open, REASON, Told};
use super::projection::Intake;
use super::sql;
use crate::devices::DeviceId;
use crate::devices::intake::{Fleet, Source, chunks};
use crate::diagnostics::intake::Said;
use crate::error::{Error, Result};
use crate::monitors::{self, Heard, MonitorId};
use crate::scope::Scope;
use crate::{Actor, AgentId, Ctx, Kind, OrgId, Platform, Role, events};

/// A report is tried so often before it is set aside …
const TRIES: i64 = 3;
/// … and again after this time, µs.
const PAUSE: i64 = 100_000;

/// Draws the effect of a batch; how many reports left the list of the open.
pub(super) async fn draw(platform: &Platform, mut batch: Batch) -> Result<u64> {
    let mut gone = 0;
    for (open, error) in &batch.unread {
        gone += set_back(platform, open, error).await?;
    }
    by_tenant(&mut batch.told);
    // What is left to draw, the first on top.
    let mut parts = vec![batch.told.as_slice()];
    while let Some(part) = parts.pop() {
        match attempt(platform, part).await {
            Err(error) if is_passing(&error) => return Err(error),
            Err(error) => match part {
                [alone] => gone += set_back(platform, &alone.open, &error).await?,
                _ => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
            },
            Ok(count) => gone += count,
        }
    }
    Ok(gone)
}

/// Reports of one organisation side by side. There is one of a sender at most, so that the order of a device stays.
fn by_tenant(told: &mut [Told]) {
    told.sort_by_key(|told| told.open.tenant);
}

/// It may go another time.
fn is_passing(error: &Error) -> bool {
    matches!(error.kind, Kind::Unavailable)
}

async fn attempt(platform: &Platform, part: &[Told]) -> Result<u64> {
    if part.is_empty() {
        return Ok(0);
    }
    let mut tx = platform.db().write(&View::All(REASON)).await?;
    tx.execute(&sql::TURN, &[]).await?;
    for of_one in part.chunk_by(|one, next| one.open.tenant == next.open.tenant) {
        let tenant = of_one[0].open.tenant;
        let ids: Vec<String> = of_one.iter().map(|told| told.open.id.clone()).collect();
        let mut left = of_one.len() as u64;
        for values in chunks(tenant, &ids) {
            left -= tx.execute(&sql::OPEN_DRAWN, &values).await?;
        }
        if left > 0 {
            // Another server drew some of them meanwhile.
            return Err(Error::new(Kind::Unavailable, "reports were drawn by another server"));
        }
        effect(&context(platform, tenant, of_one), &mut tx, of_one).await?;
    }
    tx.commit_at_once().await?;
    Ok(part.len() as u64)
}

fn context(platform: &Platform, tenant: OrgId, part: &[Told]) -> Ctx {
    let now = part.iter().map(|told| told.open.at).max().unwrap_or_else(|| platform.now());
    Ctx {
        platform: platform.clone(),
        actor: Actor::System,
        home: tenant,
        role: Role::Agent,
        scope: Scope::only(tenant, now),
        now,
        request: String::new(),
    }
}

/// What the messages of one organisation's devices do.
async fn effect(ctx: &Ctx, tx: &mut Tx, part: &[Told]) -> Result<()> {
    let Some(first) = part.first() else { return Ok(()) };
    let mut fleet = Fleet::new(ctx.home, first.open.sender, ctx.now, super::service::seed(ctx));
    let source = |open: &Open| Source { epoch: open.epoch, offset_ms: open.offset_ms, at: open.at };
    let sources: HashMap<Subject, Source> =
        part.iter().map(|told| (told.open.sender.into(), source(&told.open))).collect();
    let subjects: Vec<Subject> = sources.keys().copied().collect();
    fleet.hear_from(sources);
    fleet.load_subjects(tx, &subjects).await?;
    let messages: Vec<&Message> = part.iter().flat_map(|told| &told.messages).collect();
    let mut said = Said::load(tx, &fleet, first.open.epoch, &messages).await?;
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
    let kept = intake.kept();
    intake.flush(ctx, tx).await?;
    part_from_sets(tx, part, &kept).await?;
    if !forgotten.is_empty() {
        tx.many(&sql::STREAM_FORGET, forgotten).await?;
    }
    let heard: Vec<Heard<'_>> = part
        .iter()
        .map(|Told { open, messages, .. }| Heard {
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

/// Sets that lie in their chain now need not lie in the raw log, too.
async fn part_from_sets(tx: &mut Tx, part: &[Told], kept: &HashMap<(Option<Subject>, u64), DeviceId>) -> Result<()> {
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for told in part {
        let (Some(parting), sender) = (&told.parting, Subject::from(told.open.sender)) else { continue };
        let own = kept.iter().filter(|((subject, _), _)| *subject == Some(sender));
        if let Some(body) = parting.row(&own.map(|((_, seq), device)| (*seq, *device)).collect()) {
            rows.push(params![told.open.tenant, told.open.day, &told.open.id, body].into());
        }
    }
    if !rows.is_empty() {
        tx.many(&sql::PARTED, rows).await?;
    }
    Ok(())
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
