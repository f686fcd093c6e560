//! Deliveries: lent one by one to be sent, with the signatures; what became of each; the log, and sending one again.

use serde_json::json;
use store::{Row, Sql, Tx, Value, View, params};

use super::{Delivery, WebhookId, rules, service, sql};
use crate::audit::{self, Change};
use crate::error::{Error, Result};
use crate::notifications::home;
use crate::page::{Key, Page, PageQuery, Sort};
use crate::{Ctx, Micros, OrgId, Platform, Role};

/// How long a delivery is lent, µs.
const LEASE: i64 = 60 * 1_000_000;
/// Longest answer or error that is kept, characters.
const WORDS: usize = 300;

const NEWEST: Sort = Sort { name: "deliveries.newest", keys: &[Key::down("d.created_at"), Key::down("d.id")] };

/// A delivery that is lent to be sent by POST.
#[derive(Clone, Debug)]
pub struct Due {
    /// Whose.
    pub tenant: OrgId,
    /// To which.
    pub webhook: WebhookId,
    /// `webhook-id`.
    pub id: String,
    /// Where it goes.
    pub url: String,
    /// `webhook-timestamp`, seconds.
    pub timestamp: i64,
    /// `webhook-signature`.
    pub signature: String,
    /// JSON.
    pub body: String,
    /// This try, from 1.
    pub tries: i64,
    worker: String,
}

/// What the other side answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status; `None`: none came.
    pub status: Option<u16>,
    /// What went wrong.
    pub error: Option<String>,
    /// How long it took.
    pub took_ms: i64,
}

/// Queues a message for one webhook with this transaction: its id and type, and its content.
pub(crate) async fn hand(
    tx: &mut Tx,
    ctx: &Ctx,
    tenant: OrgId,
    webhook: WebhookId,
    (id, kind): (&str, &str),
    data: serde_json::Value,
) -> Result<()> {
    let seq: i64 = tx.query_one(&sql::LAST_SEQ, &params![tenant, webhook]).await?.get(0)?;
    let body = json!({ "id": id, "type": kind, "time": ctx.now, "tenant": tenant, "data": data }).to_string();
    tx.execute(&sql::QUEUE, &params![tenant, webhook, id, seq, kind, body, ctx.now]).await?;
    Ok(())
}

fn across() -> View {
    View::All("deliveries of all organisations are sent")
}

/// Lends the next delivery that may go now, signed for this moment; `None`: nothing is due.
///
/// # Errors
/// When the database refuses.
pub async fn claim(platform: &Platform, worker: &str) -> Result<Option<Due>> {
    let ctx = platform.system("deliveries to be sent");
    if ctx.db().read(&across()).await?.query_opt(&sql::DUE, &params![ctx.now]).await?.is_none() {
        return Ok(None);
    }
    for _ in 0..16 {
        let mut tx = ctx.db().write(&across()).await?;
        let claimed = match tx.query_opt(&sql::CLAIM, &params![ctx.now.0 + LEASE, worker, ctx.now]).await {
            Err(error) if error.is_transient() => continue,
            claimed => claimed?,
        };
        let Some(row) = claimed else { return Ok(None) };
        let (tenant, webhook, id): (OrgId, WebhookId, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let target = tx.query_one(&sql::TARGET, &params![tenant, webhook]).await?;
        let secrets = service::open(platform, tenant, webhook, &target.get::<Vec<u8>>(1)?)?;
        let (body, timestamp): (String, i64) = (row.get(4)?, ctx.now.0.div_euclid(1_000_000));
        let due = Due {
            signature: rules::signature(&secrets, &id, timestamp, &body)?,
            url: target.get(0)?,
            tries: row.get(5)?,
            worker: worker.to_owned(),
            tenant,
            webhook,
            id,
            timestamp,
            body,
        };
        tx.commit().await?;
        return Ok(Some(due));
    }
    Ok(None)
}

/// Notes what became of a delivery; false when it was lent to another meanwhile.
///
/// # Errors
/// When the database refuses.
pub async fn settle(platform: &Platform, due: &Due, answer: &Answer) -> Result<bool> {
    let ctx = platform.system("what became of a delivery");
    let mut chance = [0; 4];
    ctx.ids().random(&mut chance);
    let arrived = answer.status.is_some_and(|status| (200..300).contains(&status));
    let again = if arrived { None } else { rules::pause(due.tries, u32::from_be_bytes(chance)) };
    let state = match (arrived, again) {
        (true, _) => "sent",
        (false, Some(_)) if answer.status != Some(410) => "queued",
        _ => "dead",
    };
    let error = match (&answer.error, answer.status) {
        _ if arrived => None,
        (Some(error), _) => Some(error.chars().take(WORDS).collect::<String>()),
        (None, Some(status)) => Some(format!("answered {status}")),
        (None, None) => Some("no answer".to_owned()),
    };
    let mut tx = ctx.db().write(&across()).await?;
    let values = params![
        due.tenant,
        due.webhook,
        &due.id,
        &due.worker,
        due.tries,
        state,
        answer.status.map(i64::from),
        error.as_ref(),
        answer.took_ms,
        (state != "queued").then_some(ctx.now),
        ctx.now.0 + again.unwrap_or(0)
    ];
    if tx.execute(&sql::SETTLE, &values).await? == 0 {
        return Ok(false);
    }
    let target = params![due.tenant, due.webhook, ctx.now];
    if arrived {
        tx.execute(&sql::ARRIVED, &target).await?;
    } else {
        let since: Micros = tx.query_one(&sql::FAILING, &target).await?.get(0)?;
        if answer.status == Some(410) {
            disable(&mut tx, &ctx, due, "it answered 410: it does not want events any more").await?;
        } else if ctx.now.0 - since.0 > rules::DISABLE_AFTER {
            disable(&mut tx, &ctx, due, "nothing has arrived there for five days").await?;
        }
    }
    tx.commit().await?;
    Ok(true)
}

async fn disable(tx: &mut Tx, ctx: &Ctx, due: &Due, why: &str) -> Result<()> {
    if tx.execute(&sql::DISABLE, &params![due.tenant, due.webhook, why, ctx.now]).await? > 0 {
        let data = json!({ "webhook": due.webhook, "status": "disabled", "reason": why });
        let subject = ("webhook", due.webhook.to_string());
        crate::events::emit(tx, ctx, due.tenant, "webhook.disabled", subject, data).await?;
    }
    Ok(())
}

fn read(row: &Row) -> Result<Delivery> {
    let state: String = row.get(1)?;
    Ok(Delivery {
        kind: row.get(0)?,
        tries: row.get(2)?,
        next_at: if state == "queued" { Some(row.get(3)?) } else { None },
        state,
        status: row.get(4)?,
        error: row.get(5)?,
        took_ms: row.get(6)?,
        ended_at: row.get(7)?,
        body: row.get(8)?,
        created_at: row.get(9)?,
        id: row.get(10)?,
    })
}

/// What was sent to a webhook, newest first.
///
/// # Errors
/// `NotFound`; `Forbidden` below manager; `Invalid` for a cursor or limit that does not fit.
pub async fn list_deliveries(ctx: &Ctx, webhook: WebhookId, page: &PageQuery) -> Result<Page<Delivery>> {
    ctx.require(Role::Manager, "see webhooks")?;
    let limit = page.limit()?;
    let mut tx = ctx.db().read(&home(ctx)).await?;
    service::find(&mut tx, ctx.home, webhook).await?;
    let mut params: Vec<Value> = vec![ctx.home.into(), webhook.into()];
    let after = NEWEST.after(page.after.as_deref(), &mut params)?;
    params.push(i64::try_from(limit + 1).unwrap_or(i64::MAX).into());
    let text = format!(
        "select d.type, d.state, d.tries, d.next_at, d.status, d.error, d.took_ms, d.ended_at, d.body, d.created_at, d.id \
         from webhook_deliveries d where d.tenant = $1 and d.webhook = $2 and {after} order by {} limit ${}",
        NEWEST.order(),
        params.len()
    );
    let rows = tx.query(&Sql::built_as("webhooks::deliveries", text), &params).await?;
    NEWEST.page(rows, limit, read)
}

/// Sends one again, whatever became of it. Its receiver sees the same `webhook-id`.
///
/// # Errors
/// `NotFound`; `Forbidden` below manager; `Conflict` while it waits.
pub async fn resend(ctx: &Ctx, webhook: WebhookId, id: &str) -> Result<()> {
    ctx.require(Role::Manager, "send events again")?;
    let mut tx = ctx.db().write(&home(ctx)).await?;
    let known = tx.query_opt(&sql::DELIVERY, &params![ctx.home, webhook, id]).await?;
    if known.is_none() {
        return Err(Error::not_found("delivery"));
    }
    if tx.execute(&sql::RESEND, &params![ctx.home, webhook, id, ctx.now]).await? == 0 {
        return Err(Error::conflict("it waits still"));
    }
    audit::record(&mut tx, ctx, Change::new(ctx.home, "resent", "webhook", webhook).after(json!({ "delivery": id })))
        .await?;
    Ok(tx.commit().await?)
}

/// Sends a webhook an event that says nothing but that it arrived; its id.
///
/// # Errors
/// `NotFound`; `Forbidden` below manager; `Conflict` while it is disabled.
pub async fn test(ctx: &Ctx, webhook: WebhookId) -> Result<String> {
    ctx.require(Role::Manager, "send tests")?;
    let mut tx = ctx.db().write(&home(ctx)).await?;
    if !service::find(&mut tx, ctx.home, webhook).await?.active {
        return Err(Error::conflict("it is disabled; enable it first"));
    }
    let id = format!("msg_{}", crate::notifications::NotificationId::new(ctx.ids()));
    let data = json!({ "webhook": webhook, "asked_by": ctx.actor.name() });
    hand(&mut tx, ctx, ctx.home, webhook, (&id, "webhook.tested"), data).await?;
    audit::record(&mut tx, ctx, Change::new(ctx.home, "tested", "webhook", webhook)).await?;
    tx.commit().await?;
    Ok(id)
}
