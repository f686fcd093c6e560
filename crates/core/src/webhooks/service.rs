//! Webhooks for people: making, changing, turning the secret, enabling again.

use serde::Deserialize;
use serde_json::json;
use store::{Row, Tx, params};

use super::{Webhook, WebhookId, rules, sql};
use crate::audit::{self, Change};
use crate::error::{Error, Result};
use crate::notifications::home;
use crate::orgs::rules::name;
use crate::secrets::{Place, Secret};
use crate::{Ctx, OrgId, Platform, Role, events};

/// Most webhooks of one organisation.
const MOST: i64 = 50;

/// A webhook to be, or as it shall be.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// Name for people.
    pub name: String,
    /// Where events go: `https://…`.
    pub url: String,
    /// Types that are sent, as `incident.opened` or `device.*`; none: all.
    #[serde(default)]
    pub types: Vec<String>,
}

fn place(tenant: OrgId, row: &str) -> Place<'_> {
    Place { table: "webhooks", column: "secrets_sealed", tenant, row }
}

/// Seals secrets, the newest first.
fn seal(platform: &Platform, tenant: OrgId, id: WebhookId, secrets: &[Secret]) -> Result<Vec<u8>> {
    let text = secrets.iter().map(Secret::expose).collect::<Vec<_>>().join(" ");
    platform.sealer().seal(platform.ids(), place(tenant, &id.to_string()), text.as_bytes())
}

pub(super) fn open(platform: &Platform, tenant: OrgId, id: WebhookId, sealed: &[u8]) -> Result<Vec<Secret>> {
    let plain = platform.sealer().open(place(tenant, &id.to_string()), sealed)?;
    let text = std::str::from_utf8(&plain).map_err(|_| Error::internal("a webhook's secrets are no text"))?;
    Ok(text.split(' ').map(Secret::new).collect())
}

fn read(row: &Row) -> Result<Webhook> {
    Ok(Webhook {
        id: row.get(0)?,
        version: row.get(1)?,
        name: row.get(2)?,
        url: row.get(3)?,
        types: row.get::<String>(4)?.split_whitespace().map(str::to_owned).collect(),
        secrets: row.get(5)?,
        rotated_at: row.get(6)?,
        active: row.get::<String>(7)? == "active",
        why: row.get(8)?,
        state_at: row.get(9)?,
        failing_since: row.get(10)?,
        delivered_at: row.get(11)?,
    })
}

pub(super) async fn find(tx: &mut Tx, tenant: OrgId, id: WebhookId) -> Result<Webhook> {
    let row = tx.query_opt(&sql::WEBHOOK, &params![tenant, id]).await?.ok_or_else(WebhookId::missing)?;
    read(&row)
}

/// What an audit may say: never secrets, and no address, which may carry one.
fn audited(webhook: &Webhook) -> serde_json::Value {
    let host = webhook.url.split('/').take(3).collect::<Vec<_>>().join("/");
    json!({ "name": webhook.name, "host": host, "types": webhook.types, "active": webhook.active, "secrets": webhook.secrets })
}

/// The webhooks of the own organisation, by name.
///
/// # Errors
/// `Forbidden` below manager.
pub async fn list_webhooks(ctx: &Ctx) -> Result<Vec<Webhook>> {
    ctx.require(Role::Manager, "see webhooks")?;
    let mut tx = ctx.db().read(&home(ctx)).await?;
    tx.query(&sql::WEBHOOKS, &params![ctx.home, MOST]).await?.iter().map(read).collect()
}

/// One of them.
///
/// # Errors
/// `NotFound`; `Forbidden` below manager.
pub async fn webhook(ctx: &Ctx, id: WebhookId) -> Result<Webhook> {
    ctx.require(Role::Manager, "see webhooks")?;
    find(&mut ctx.db().read(&home(ctx)).await?, ctx.home, id).await
}

/// Makes a webhook; its secret is shown only here. It is told what happens from now on.
///
/// # Errors
/// `Invalid` by field; `Forbidden` below administrator; `Conflict` when there are too many.
pub async fn create_webhook(ctx: &Ctx, new: &NewWebhook) -> Result<(Webhook, Secret)> {
    ctx.require(Role::Admin, "make webhooks")?;
    let (name, url, types) = (name("name", &new.name)?, rules::url(&new.url)?, rules::types(&new.types)?);
    let (id, secret) = (WebhookId::new(ctx.ids()), rules::secret(ctx.ids()));
    let seen = events::newest(&ctx.platform).await?;
    let mut tx = ctx.db().write(&home(ctx)).await?;
    if tx.query_one(&sql::COUNT, &params![ctx.home]).await?.get::<i64>(0)? >= MOST {
        return Err(Error::conflict(format!("an organisation has at most {MOST} webhooks; delete one first")));
    }
    let sealed = seal(&ctx.platform, ctx.home, id, std::slice::from_ref(&secret))?;
    tx.execute(&sql::INSERT, &params![ctx.home, id, name, url, types.join(" "), sealed, ctx.now, seen]).await?;
    let made = find(&mut tx, ctx.home, id).await?;
    audit::record(&mut tx, ctx, Change::new(ctx.home, "created", "webhook", id).after(audited(&made))).await?;
    tx.commit().await?;
    Ok((made, secret))
}

/// Changes a webhook.
///
/// # Errors
/// As [`create_webhook`]; `NotFound`; `PreconditionRequired` and `Stale` by `if_match`.
pub async fn update_webhook(ctx: &Ctx, id: WebhookId, new: &NewWebhook, if_match: Option<i64>) -> Result<Webhook> {
    ctx.require(Role::Admin, "change webhooks")?;
    let (name, url, types) = (name("name", &new.name)?, rules::url(&new.url)?, rules::types(&new.types)?);
    let mut tx = ctx.db().write(&home(ctx)).await?;
    let old = find(&mut tx, ctx.home, id).await?;
    Error::check_version(if_match, old.version)?;
    tx.execute(&sql::UPDATE, &params![ctx.home, id, name, url, types.join(" ")]).await?;
    changed(tx, ctx, "changed", &old).await
}

/// Deletes a webhook with its deliveries.
///
/// # Errors
/// `NotFound`; `Forbidden` below administrator; `Conflict` while a recipient goes there.
pub async fn delete_webhook(ctx: &Ctx, id: WebhookId) -> Result<()> {
    ctx.require(Role::Admin, "delete webhooks")?;
    let mut tx = ctx.db().write(&home(ctx)).await?;
    let old = find(&mut tx, ctx.home, id).await?;
    if crate::notifications::goes_to(&mut tx, ctx.home, id).await? {
        return Err(Error::conflict("a recipient goes to this webhook; delete that one first"));
    }
    for statement in [&sql::DELETE_DELIVERIES, &sql::DELETE] {
        tx.execute(statement, &params![ctx.home, id]).await?;
    }
    audit::record(&mut tx, ctx, Change::new(ctx.home, "deleted", "webhook", id).before(audited(&old))).await?;
    Ok(tx.commit().await?)
}

/// Makes a new secret, shown only here. The one before it signs too until it is retired.
///
/// # Errors
/// `NotFound`; `Forbidden` below administrator; `Conflict` while there are two.
pub async fn rotate_secret(ctx: &Ctx, id: WebhookId) -> Result<(Webhook, Secret)> {
    ctx.require(Role::Admin, "change webhooks")?;
    let mut tx = ctx.db().write(&home(ctx)).await?;
    let old = find(&mut tx, ctx.home, id).await?;
    if old.secrets > 1 {
        return Err(Error::conflict("two secrets sign already; retire the older one first"));
    }
    let mut secrets = secrets(&mut tx, ctx, id).await?;
    let secret = rules::secret(ctx.ids());
    secrets.insert(0, secret.clone());
    let sealed = seal(&ctx.platform, ctx.home, id, &secrets)?;
    tx.execute(&sql::SET_SECRETS, &params![ctx.home, id, sealed, 2_i64, ctx.now]).await?;
    Ok((changed(tx, ctx, "rotated", &old).await?, secret))
}

/// The older of two secrets signs no more.
///
/// # Errors
/// `NotFound`; `Forbidden` below administrator; `Conflict` while there is only one.
pub async fn retire_secret(ctx: &Ctx, id: WebhookId) -> Result<Webhook> {
    ctx.require(Role::Admin, "change webhooks")?;
    let mut tx = ctx.db().write(&home(ctx)).await?;
    let old = find(&mut tx, ctx.home, id).await?;
    let secrets = secrets(&mut tx, ctx, id).await?;
    if secrets.len() < 2 {
        return Err(Error::conflict("only one secret signs; make a new one first"));
    }
    let sealed = seal(&ctx.platform, ctx.home, id, &secrets[..1])?;
    tx.execute(&sql::SET_SECRETS, &params![ctx.home, id, sealed, 1_i64, old.rotated_at]).await?;
    changed(tx, ctx, "retired", &old).await
}

async fn secrets(tx: &mut Tx, ctx: &Ctx, id: WebhookId) -> Result<Vec<Secret>> {
    let row = tx.query_one(&sql::SECRETS, &params![ctx.home, id]).await?;
    open(&ctx.platform, ctx.home, id, &row.get::<Vec<u8>>(0)?)
}

/// Delivers to a disabled webhook again. What happened meanwhile is not sent; what waited is.
///
/// # Errors
/// `NotFound`; `Forbidden` below administrator.
pub async fn enable_webhook(ctx: &Ctx, id: WebhookId) -> Result<Webhook> {
    ctx.require(Role::Admin, "change webhooks")?;
    let seen = events::newest(&ctx.platform).await?;
    let mut tx = ctx.db().write(&home(ctx)).await?;
    let old = find(&mut tx, ctx.home, id).await?;
    tx.execute(&sql::ENABLE, &params![ctx.home, id, ctx.now, seen]).await?;
    changed(tx, ctx, "enabled", &old).await
}

async fn changed(mut tx: Tx, ctx: &Ctx, verb: &'static str, old: &Webhook) -> Result<Webhook> {
    let new = find(&mut tx, ctx.home, old.id).await?;
    let change = Change::new(ctx.home, verb, "webhook", old.id).before(audited(old)).after(audited(&new));
    audit::record(&mut tx, ctx, change).await?;
    tx.commit().await?;
    Ok(new)
}
