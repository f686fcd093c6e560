//! The queue: the first message of a recipient goes first; hours and caps of the recipient are kept when it is lent.
//! A claim repeats its whole condition; what became of a message is taken only from whom it was lent to.

use serde_json::json;
use store::{Row, Tx, View, params};

use super::recipients::{self, Route};
use super::{Attachment, ChannelKind, NotificationId, Recipient, RecipientId, rules, sql};
use crate::error::Result;
use crate::meters::calendar;
use crate::{Ctx, Micros, OrgId, Platform, webhooks};

/// How long a message is lent.
const LEASE: i64 = 120 * 1_000_000;
/// Held messages that one claim steps over.
const HELD: usize = 200;

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A mail address.
    Mail(String),
    /// `udp://`, `tcp://` or `tls://` with host and port.
    Syslog(String),
}

/// A message that is lent to be sent.
#[derive(Clone, Debug)]
pub struct Due {
    /// Its id; the sender makes the Message-ID of it, so that a repeat can be known.
    pub id: NotificationId,
    /// Whose it is.
    pub tenant: OrgId,
    /// Name of that organisation.
    pub organisation: String,
    /// Whom it goes to.
    pub recipient: RecipientId,
    /// What people call the recipient.
    pub recipient_name: String,
    /// Where it goes.
    pub channel: Channel,
    /// `incident`, `test` …
    pub kind: String,
    /// What it is about.
    pub subject: (String, String),
    /// Whether it is critical.
    pub critical: bool,
    /// One line.
    pub title: String,
    /// Plain text; `{base}` stands for the public address of the pages.
    pub text: String,
    /// A file that goes along.
    pub attachment: Option<Attachment>,
    /// When it was queued.
    pub created_at: Micros,
    /// This try, from 1.
    pub tries: i64,
    /// The name to which a failure report shall come, before the `@`.
    pub bounce_name: String,
    /// Other messages that it tells too.
    with: Vec<NotificationId>,
    worker: String,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The other side took it.
    Sent {
        /// Its reply code.
        status: Option<i64>,
    },
    /// Not now: tried again later, for two days.
    Later {
        /// Its reply code.
        status: Option<i64>,
        /// Why.
        why: String,
    },
    /// This message will never be taken.
    Refused {
        /// Its reply code.
        status: Option<i64>,
        /// Why.
        why: String,
    },
    /// The address does not exist: it is suspended, and who stands in for it is told.
    Gone {
        /// Its reply code.
        status: Option<i64>,
        /// Why.
        why: String,
    },
}

fn across() -> View {
    View::All("messages of all organisations are sent")
}

/// Lends the next message that may go now; `None`: nothing is due. Without `mail` only what goes to log hosts.
///
/// # Errors
/// When the database refuses.
pub async fn claim(platform: &Platform, worker: &str, mail: bool) -> Result<Option<Due>> {
    let ctx = platform.system("messages to be sent");
    // Looking costs less than locking.
    if ctx.db().read(&across()).await?.query_opt(&sql::DUE, &params![ctx.now, mail]).await?.is_none() {
        return Ok(None);
    }
    for _ in 0..HELD {
        let mut tx = ctx.db().write(&across()).await?;
        let values = params![ctx.now.0 + LEASE, worker, ctx.now, mail];
        let row = match tx.query_opt(&sql::CLAIM, &values).await {
            Ok(row) => row,
            // Another has it: the next round finds the next one.
            Err(error) if error.is_transient() => continue,
            Err(error) => return Err(error.into()),
        };
        let Some(row) = row else { return Ok(None) };
        let due = lend(&mut tx, &ctx, &row, worker).await?;
        tx.commit().await?;
        if due.is_some() {
            return Ok(due);
        }
    }
    Ok(None)
}

/// The message of a claimed row, unless its recipient does not want it now.
async fn lend(tx: &mut Tx, ctx: &Ctx, row: &Row, worker: &str) -> Result<Option<Due>> {
    let (tenant, id, recipient): (OrgId, NotificationId, RecipientId) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let (lane, kind): (i64, String) = (row.get(3)?, row.get(4)?);
    let Some(found) = tx.query_opt(&sql::RECIPIENT, &params![tenant, recipient]).await? else {
        bury(tx, ctx, tenant, recipient, "its recipient was deleted").await?;
        return Ok(None);
    };
    let recipient = recipients::read(&ctx.platform, tenant, &found)?;
    if recipient.suspended {
        reroute(tx, ctx, tenant, &recipient).await?;
        return Ok(None);
    }
    if let Some((until, why)) = wants_to_wait(tx, ctx, tenant, &recipient, lane == 0, &kind).await? {
        tx.execute(&sql::HOLD, &params![tenant, id, until, why]).await?;
        return Ok(None);
    }
    let mut told = vec![(row.get::<String>(7)?, row.get::<String>(8)?)];
    let mut with = Vec::new();
    if row.get::<Option<String>>(9)?.is_some() && ["incident", "escalation", "end"].contains(&kind.as_str()) {
        let values = params![tenant, recipient.id, lane, id, i64::try_from(rules::FOLD).unwrap_or(50)];
        for row in tx.query(&sql::MATES, &values).await? {
            with.push(row.get(0)?);
            told.push((row.get(1)?, row.get(2)?));
        }
    }
    let (title, text) = if with.is_empty() { told.swap_remove(0) } else { rules::folded(&told) };
    let file = tx.query_opt(&sql::ATTACHED, &params![tenant, id]).await?;
    let attachment = file
        .map(|row| Ok::<_, crate::Error>(Attachment { name: row.get(0)?, media_type: row.get(1)?, bytes: row.get(2)? }))
        .transpose()?;
    let org = tx.query_opt(&sql::ZONE, &params![tenant]).await?;
    Ok(Some(Due {
        id,
        tenant,
        organisation: org.map(|row| row.get(1)).transpose()?.unwrap_or_default(),
        recipient: recipient.id,
        channel: match recipient.kind {
            ChannelKind::Syslog => Channel::Syslog(recipient.target),
            _ => Channel::Mail(recipient.target),
        },
        recipient_name: recipient.name,
        kind,
        subject: (row.get(5)?, row.get(6)?),
        critical: lane == 0,
        title,
        text,
        attachment,
        created_at: row.get(11)?,
        tries: row.get(10)?,
        bounce_name: super::bounces::name_of(&ctx.platform, id, recipient.id),
        with,
        worker: worker.to_owned(),
    }))
}

/// Until when a recipient wants nothing, and why.
async fn wants_to_wait(
    tx: &mut Tx,
    ctx: &Ctx,
    tenant: OrgId,
    recipient: &Recipient,
    critical: bool,
    kind: &str,
) -> Result<Option<(Micros, &'static str)>> {
    if kind == "test" {
        return Ok(None);
    }
    if let (Some((from, until)), false) = (&recipient.quiet, critical && recipient.critical_passes) {
        let zone = calendar::zone(&recipient.zone);
        let (from, until) = (rules::minutes("quiet_from", from)?, rules::minutes("quiet_until", until)?);
        if let Some(end) = rules::quiet_until(ctx.now, &zone, from, until) {
            return Ok(Some((end, "quiet")));
        }
    }
    if recipient.kind == ChannelKind::Syslog {
        return Ok(None);
    }
    let row = tx.query_one(&sql::SENT_OF_LATE, &params![tenant, recipient.id, ctx.now.0 - rules::HOUR]).await?;
    let (sent, first): (i64, Option<i64>) = (row.get(0)?, row.get(1)?);
    Ok((sent >= recipient.cap_per_hour).then(|| (Micros(first.unwrap_or(ctx.now.0) + rules::HOUR), "cap")))
}

/// Gives up what nobody could send for three days, as when no outgoing mail is configured; how many.
///
/// # Errors
/// When the database refuses.
pub async fn expire(platform: &Platform) -> Result<u64> {
    let ctx = platform.system("messages that nobody could send");
    let mut tx = ctx.db().write(&across()).await?;
    let expired = tx.execute(&sql::EXPIRE, &params![ctx.now, ctx.now.days_ago(3)]).await?;
    tx.commit().await?;
    Ok(expired)
}

/// Notes what became of a message; false when it was lent to another meanwhile.
///
/// # Errors
/// When the database refuses.
pub async fn settle(platform: &Platform, due: &Due, outcome: &Outcome) -> Result<bool> {
    let ctx = platform.system("what became of a message");
    let mut chance = [0; 4];
    ctx.ids().random(&mut chance);
    let again = ctx.now.0 + rules::pause(due.tries, u32::from_be_bytes(chance));
    let late = again - due.created_at.0 > rules::GIVE_UP;
    let (state, status, why, gone) = match outcome {
        Outcome::Sent { status } => ("sent", *status, None, false),
        Outcome::Later { status, why } if late => ("dead", *status, Some(why), false),
        Outcome::Later { status, why } => ("queued", *status, Some(why), false),
        Outcome::Refused { status, why } => ("dead", *status, Some(why), false),
        Outcome::Gone { status, why } => ("queued", *status, Some(why), true),
    };
    let ended = (state != "queued").then_some(ctx.now);
    let why = why.and_then(|why| crate::devices::fold::clean(Some(why)));
    let mut tx = ctx.db().write(&across()).await?;
    let values = params![due.tenant, due.id, &due.worker, due.tries, state, status, why.as_ref(), ended, again];
    if tx.execute(&sql::SETTLE, &values).await? == 0 {
        return Ok(false);
    }
    if state == "sent" {
        for mate in &due.with {
            tx.execute(&sql::FOLD, &params![due.tenant, *mate, due.id, ctx.now]).await?;
        }
    }
    if gone {
        suspend(&mut tx, &ctx, due.tenant, due.recipient, why.as_deref().unwrap_or("its address does not exist"))
            .await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// An address does not exist: nothing goes there any more, and what waits goes to who stands in for it.
pub(super) async fn suspend(tx: &mut Tx, ctx: &Ctx, tenant: OrgId, id: RecipientId, why: &str) -> Result<()> {
    if tx.execute(&sql::SUSPEND, &params![tenant, id, why, ctx.now]).await? > 0 {
        let data = json!({ "recipient": id, "reason": why });
        crate::events::emit(tx, ctx, tenant, "recipient.suspended", ("recipient", id.to_string()), data).await?;
    }
    if let Some(row) = tx.query_opt(&sql::RECIPIENT, &params![tenant, id]).await? {
        let recipient = recipients::read(&ctx.platform, tenant, &row)?;
        reroute(tx, ctx, tenant, &recipient).await?;
    }
    Ok(())
}

/// What waits for a suspended recipient goes to who stands in for it, or is dead.
async fn reroute(tx: &mut Tx, ctx: &Ctx, tenant: OrgId, from: &Recipient) -> Result<()> {
    let route = match from.fallback {
        Some(fallback) => recipients::route(tx, tenant, fallback).await?,
        None => None,
    };
    let Some(Route { recipient, kind, webhook }) = route else {
        return bury(tx, ctx, tenant, from.id, "the recipient is suspended and has no other that is not").await;
    };
    let state = if webhook.is_some() { "handed" } else { "queued" };
    let ended = webhook.map(|_| ctx.now);
    let why = format!("{} is suspended", from.name);
    for row in tx.query(&sql::WAITING, &params![tenant, from.id]).await? {
        let id: NotificationId = row.get(0)?;
        let values = params![tenant, id, recipient, kind.as_str(), state, &why, from.id, ctx.now, ended];
        tx.execute(&sql::REROUTE, &values).await?;
        if let Some(webhook) = webhook {
            let data = json!({
                "kind": row.get::<String>(2)?, "critical": row.get::<i64>(1)? == 0,
                "subject": { "kind": row.get::<String>(3)?, "id": row.get::<String>(4)? },
                "title": row.get::<String>(5)?, "text": row.get::<String>(6)?, "recipient": recipient,
            });
            webhooks::hand(tx, ctx, tenant, webhook, (&format!("msg_{id}"), "notification.posted"), data).await?;
        }
    }
    Ok(())
}

/// What waits for a recipient is given up.
pub(super) async fn bury(tx: &mut Tx, ctx: &Ctx, tenant: OrgId, from: RecipientId, why: &str) -> Result<()> {
    for row in tx.query(&sql::WAITING, &params![tenant, from]).await? {
        let id: NotificationId = row.get(0)?;
        let values = params![tenant, id, from, "mail", "dead", why, store::Value::Null, ctx.now, ctx.now];
        tx.execute(&sql::REROUTE, &values).await?;
    }
    Ok(())
}
