//! From the outbox to deliveries: each active webhook goes on from the last event that it has seen.
//! May run twice or be killed half-way: the place is moved in the transaction that queues, and only from where it was.

use serde_json::json;
use store::{Value, params};

use super::{WebhookId, rules, sql};
use crate::ctx::Actor;
use crate::error::Result;
use crate::events::{self, Event};
use crate::{OrgId, Platform, Role};

/// Events that one step looks at.
const STEP: u32 = 500;

/// Queues what happened since the last run for every webhook that wants it; how many deliveries.
///
/// # Errors
/// When the database refuses.
pub async fn run(platform: &Platform) -> Result<u64> {
    let newest = events::newest(platform).await?;
    let ctx = platform.system("webhooks of all organisations are told what happened");
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let rows = tx.query(&sql::ACTIVE, &params![newest]).await?;
    drop(tx);
    let mut queued = 0;
    for row in rows {
        let types: Vec<String> = row.get::<String>(2)?.split_whitespace().map(str::to_owned).collect();
        queued += one(platform, row.get(0)?, row.get(1)?, &types, (row.get(3)?, newest)).await?;
    }
    Ok(queued)
}

async fn one(
    platform: &Platform,
    tenant: OrgId,
    id: WebhookId,
    types: &[String],
    (mut seen, newest): (i64, i64),
) -> Result<u64> {
    // With the eyes of an administrator of its organisation: grants that ended show nothing any more.
    let ctx = crate::scope::request(platform, tenant, Actor::System, Role::Admin).await?;
    let mut queued = 0;
    loop {
        let batch = events::after(&ctx, seen, STEP).await?;
        let more = batch.len() == STEP as usize;
        let last = batch.last().map_or(newest, |event| if more { event.id } else { event.id.max(newest) });
        let rows: Vec<Vec<Value>> = batch
            .iter()
            .filter(|event| rules::wants(types, &event.kind))
            .map(|event| {
                let id_of = format!("evt_{}", event.id);
                params![tenant, id, id_of, event.id, &event.kind, body(event), ctx.now].into()
            })
            .collect();
        let mut tx = ctx.db().write(&ctx.scope.view()).await?;
        if tx.execute(&sql::SEEN, &params![tenant, id, last, seen]).await? == 0 {
            // Another was here, or a person disabled it.
            return Ok(queued);
        }
        queued += rows.len() as u64;
        if !rows.is_empty() {
            tx.many(&sql::QUEUE, rows).await?;
        }
        tx.commit().await?;
        seen = last;
        if !more {
            return Ok(queued);
        }
    }
}

/// The envelope of an event, as SSE gives it.
fn body(event: &Event) -> String {
    json!({
        "id": event.id, "type": event.kind, "time": event.time, "tenant": event.tenant,
        "subject": { "kind": event.subject_kind, "id": event.subject_id }, "actor": event.actor, "data": event.data,
    })
    .to_string()
}
