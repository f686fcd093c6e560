//! Who is told: people with and without account, webhooks, log hosts. They belong to one organisation and stay in it.

use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Row, Tx, Value, params};

use super::service::home;
use super::{ChannelKind, NewNotification, Recipient, RecipientId, To, rules, sql};
use crate::audit::{self, Change};
use crate::error::{Error, Result};
use crate::ids::Hex;
use crate::meters::calendar;
use crate::orgs::rules::name;
use crate::secrets::Place;
use crate::users::rules::email;
use crate::webhooks::WebhookId;
use crate::{Ctx, OrgId, Platform, Role, UserId, fold};

/// Most recipients of one organisation.
const MOST: i64 = 2_000;
/// Steps that are looked at from a suspended recipient to the next.
const STEPS: usize = 4;

/// A recipient to be, or as it shall be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRecipient {
    /// Name for people.
    pub name: String,
    /// How it is reached.
    pub kind: ChannelKind,
    /// Mail address, or `udp://`, `tcp://`, `tls://` with host and port.
    #[serde(default)]
    pub address: Option<String>,
    /// The account.
    #[serde(default)]
    pub user: Option<UserId>,
    /// The webhook.
    #[serde(default)]
    pub webhook: Option<WebhookId>,
    /// Who is told instead while it is suspended.
    #[serde(default)]
    pub fallback: Option<RecipientId>,
    /// IANA name; the zone of the organisation when not given.
    #[serde(default)]
    pub zone: Option<String>,
    /// Beginning of the quiet hours, `22:00`.
    #[serde(default)]
    pub quiet_from: Option<String>,
    /// Their end.
    #[serde(default)]
    pub quiet_until: Option<String>,
    /// Whether critical messages pass in quiet hours; they do when not given.
    #[serde(default)]
    pub critical_passes: Option<bool>,
    /// Most mails within an hour, 1 to 1,000; 20 when not given.
    #[serde(default)]
    pub cap_per_hour: Option<i64>,
    /// `none`, `daily` or `weekly`.
    #[serde(default)]
    pub digest: Option<String>,
    /// Time of day, `07:00` when not given.
    #[serde(default)]
    pub digest_time: Option<String>,
    /// Day of a weekly one, 1 Monday to 7 Sunday.
    #[serde(default)]
    pub digest_weekday: Option<i64>,
}

impl NewRecipient {
    /// One with this name and kind, and all else as usual.
    #[must_use]
    pub fn named(name: &str, kind: ChannelKind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            address: None,
            user: None,
            webhook: None,
            fallback: None,
            zone: None,
            quiet_from: None,
            quiet_until: None,
            critical_passes: None,
            cap_per_hour: None,
            digest: None,
            digest_time: None,
            digest_weekday: None,
        }
    }

    /// A mail address without account.
    #[must_use]
    pub fn mail(name: &str, address: &str) -> Self {
        Self { address: Some(address.to_owned()), ..Self::named(name, ChannelKind::Mail) }
    }
}

/// Where a message goes after all.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) recipient: RecipientId,
    pub(super) kind: ChannelKind,
    pub(super) webhook: Option<WebhookId>,
}

fn place(tenant: OrgId, row: &str) -> Place<'_> {
    Place { table: "recipients", column: "address_sealed", tenant, row }
}

fn open(platform: &Platform, tenant: OrgId, id: RecipientId, sealed: &[u8]) -> Result<String> {
    let plain = platform.sealer().open(place(tenant, &id.to_string()), sealed)?;
    String::from_utf8(plain.to_vec()).map_err(|_| Error::internal("an address is no text"))
}

fn seal(platform: &Platform, tenant: OrgId, id: RecipientId, address: &str) -> Result<Vec<u8>> {
    platform.sealer().seal(platform.ids(), place(tenant, &id.to_string()), address.as_bytes())
}

fn hash(platform: &Platform, address: &str) -> String {
    Hex(&platform.sealer().mac("address of a recipient", fold(address).as_bytes())).to_string()
}

/// A row of [`sql::RECIPIENT`].
pub(super) fn read(platform: &Platform, tenant: OrgId, row: &Row) -> Result<Recipient> {
    let id: RecipientId = row.get(0)?;
    let kind = ChannelKind::parse(&row.get::<String>(3)?);
    let sealed: Option<Vec<u8>> = row.get(4)?;
    let target = match kind {
        ChannelKind::User => row.get::<Option<String>>(21)?.unwrap_or_default(),
        ChannelKind::Webhook => row.get::<Option<String>>(22)?.unwrap_or_default(),
        _ => sealed.map(|sealed| open(platform, tenant, id, &sealed)).transpose()?.unwrap_or_default(),
    };
    let quiet: (Option<i64>, Option<i64>) = (row.get(13)?, row.get(14)?);
    let gone = kind == ChannelKind::User && row.get::<Option<String>>(23)?.as_deref() != Some("active");
    let suspended = row.get::<String>(8)? != "ok";
    Ok(Recipient {
        id,
        version: row.get(1)?,
        name: row.get(2)?,
        kind,
        target,
        user: row.get(5)?,
        webhook: row.get(6)?,
        fallback: row.get(7)?,
        suspended: suspended || gone,
        why: match (suspended, gone) {
            (false, true) => Some("the account is disabled".to_owned()),
            _ => row.get(9)?,
        },
        state_at: row.get(10)?,
        bounces: row.get(11)?,
        zone: row.get(12)?,
        quiet: quiet.0.zip(quiet.1).map(|(from, until)| (rules::clock(from), rules::clock(until))),
        critical_passes: row.get(15)?,
        cap_per_hour: row.get(16)?,
        digest: row.get(17)?,
        digest_time: rules::clock(row.get(18)?),
        digest_weekday: row.get(19)?,
        digest_at: row.get(20)?,
    })
}

pub(super) async fn find(tx: &mut Tx, platform: &Platform, tenant: OrgId, id: RecipientId) -> Result<Recipient> {
    let row = tx.query_opt(&sql::RECIPIENT, &params![tenant, id]).await?.ok_or_else(RecipientId::missing)?;
    read(platform, tenant, &row)
}

/// The recipient itself, or the next after it that is not suspended; `None`: there is no way.
pub(super) async fn route(tx: &mut Tx, tenant: OrgId, asked: RecipientId) -> Result<Option<Route>> {
    let mut next = Some(asked);
    for step in 0..STEPS {
        let Some(id) = next else { return Ok(None) };
        let Some(row) = tx.query_opt(&sql::RECIPIENT, &params![tenant, id]).await? else {
            return if step == 0 { Err(RecipientId::missing()) } else { Ok(None) };
        };
        let kind = ChannelKind::parse(&row.get::<String>(3)?);
        let gone = kind == ChannelKind::User && row.get::<Option<String>>(23)?.as_deref() != Some("active");
        if row.get::<String>(8)? == "ok" && !gone {
            return Ok(Some(Route { recipient: id, kind, webhook: row.get(6)? }));
        }
        next = row.get(7)?;
    }
    Ok(None)
}

/// The recipient of an address; made when it is not known.
pub(super) async fn of_address(tx: &mut Tx, ctx: &Ctx, tenant: OrgId, address: &str) -> Result<RecipientId> {
    let address = email(address)?;
    let hash = hash(&ctx.platform, &address);
    if let Some(row) = tx.query_opt(&sql::BY_HASH, &params![tenant, &hash]).await? {
        return Ok(row.get(0)?);
    }
    let id = RecipientId::new(ctx.ids());
    let new = NewRecipient::mail(&address, &address);
    let values = Checked::of(tx, ctx, tenant, id, &new).await?;
    values.insert(tx, ctx, tenant, id).await?;
    Ok(id)
}

/// The recipient of an account; made when there is none.
pub(super) async fn of_user(tx: &mut Tx, ctx: &Ctx, tenant: OrgId, user: UserId) -> Result<RecipientId> {
    if let Some(row) = tx.query_opt(&sql::BY_USER, &params![tenant, user]).await? {
        return Ok(row.get(0)?);
    }
    let row = tx.query_opt(&sql::USER_NAME, &params![tenant, user]).await?.ok_or_else(UserId::missing)?;
    let id = RecipientId::new(ctx.ids());
    let new = NewRecipient { user: Some(user), ..NewRecipient::named(&row.get::<String>(0)?, ChannelKind::User) };
    let values = Checked::of(tx, ctx, tenant, id, &new).await?;
    values.insert(tx, ctx, tenant, id).await?;
    Ok(id)
}

/// What a person entered, as it is stored.
struct Checked {
    name: String,
    kind: ChannelKind,
    sealed: Option<Vec<u8>>,
    hash: Option<String>,
    user: Option<UserId>,
    webhook: Option<WebhookId>,
    fallback: Option<RecipientId>,
    zone: String,
    quiet: Option<(i64, i64)>,
    critical_passes: bool,
    cap: i64,
    digest: &'static str,
    digest_minute: i64,
    weekday: i64,
    digest_at: Option<crate::Micros>,
}

impl Checked {
    async fn of(tx: &mut Tx, ctx: &Ctx, tenant: OrgId, id: RecipientId, new: &NewRecipient) -> Result<Self> {
        let mut checked = Self::plain(new)?;
        let given = new.address.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let exists = async |tx: &mut Tx, sql: &store::Sql, id: Value| tx.query_opt(sql, &[tenant.into(), id]).await;
        match new.kind {
            ChannelKind::Mail => {
                let address = email(given.unwrap_or_default()).map_err(|e| Error::invalid("address", e.message))?;
                checked.sealed = Some(seal(&ctx.platform, tenant, id, &address)?);
                checked.hash = Some(hash(&ctx.platform, &address));
                let known = tx.query_opt(&sql::BY_HASH, &params![tenant, checked.hash.as_ref()]).await?;
                if known.is_some_and(|row| row.get::<RecipientId>(0).is_ok_and(|other| other != id)) {
                    return Err(Error::invalid("address", "there is a recipient with this address"));
                }
            }
            ChannelKind::Syslog => {
                let address = log_host(given.unwrap_or_default())?;
                checked.sealed = Some(seal(&ctx.platform, tenant, id, &address)?);
            }
            ChannelKind::User => {
                let user = new.user.ok_or_else(|| Error::invalid("user", "choose the account"))?;
                if exists(tx, &sql::USER_NAME, user.into()).await?.is_none() {
                    return Err(Error::invalid("user", "there is no such account in your organisation"));
                }
                checked.user = Some(user);
            }
            ChannelKind::Webhook => {
                let webhook = new.webhook.ok_or_else(|| Error::invalid("webhook", "choose the webhook"))?;
                if exists(tx, &sql::WEBHOOK_NAME, webhook.into()).await?.is_none() {
                    return Err(Error::invalid("webhook", "there is no such webhook in your organisation"));
                }
                checked.webhook = Some(webhook);
            }
        }
        if let Some(fallback) = new.fallback {
            let known = tx.query_opt(&sql::RECIPIENT, &params![tenant, fallback]).await?;
            if fallback == id || known.is_none() {
                return Err(Error::invalid("fallback", "choose another recipient of your organisation"));
            }
        }
        if checked.zone.is_empty() {
            let row = tx.query_opt(&sql::ZONE, &params![tenant]).await?;
            checked.zone = row.map(|row| row.get(0)).transpose()?.unwrap_or_else(|| "UTC".to_owned());
        }
        let zone = calendar::zone(&checked.zone);
        let day = (checked.digest == "weekly").then_some(checked.weekday);
        checked.digest_at = match checked.digest {
            "none" => None,
            _ => rules::next_digest(ctx.now, &zone, checked.digest_minute, day),
        };
        Ok(checked)
    }

    /// What needs no look into the database.
    fn plain(new: &NewRecipient) -> Result<Self> {
        let text = |text: &Option<String>| text.as_deref().map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned);
        let zone = text(&new.zone).unwrap_or_default();
        if !zone.is_empty() && jiff::tz::TimeZone::get(&zone).is_err() {
            return Err(Error::invalid("zone", "a zone is named as in Europe/Berlin"));
        }
        let quiet = match (text(&new.quiet_from), text(&new.quiet_until)) {
            (None, None) => None,
            (Some(from), Some(until)) => {
                Some((rules::minutes("quiet_from", &from)?, rules::minutes("quiet_until", &until)?))
            }
            _ => return Err(Error::invalid("quiet_until", "quiet hours have a beginning and an end")),
        };
        let cap = new.cap_per_hour.unwrap_or(rules::CAP);
        if !(1..=1_000).contains(&cap) {
            return Err(Error::invalid("cap_per_hour", "1 to 1,000 mails within an hour"));
        }
        let weekday = new.digest_weekday.unwrap_or(1);
        if !(1..=7).contains(&weekday) {
            return Err(Error::invalid("digest_weekday", "1 is Monday, 7 is Sunday"));
        }
        Ok(Self {
            name: name("name", &new.name)?,
            kind: new.kind,
            sealed: None,
            hash: None,
            user: None,
            webhook: None,
            fallback: new.fallback,
            zone,
            quiet,
            critical_passes: new.critical_passes.unwrap_or(true),
            cap,
            digest: match text(&new.digest).as_deref() {
                None | Some("none") => "none",
                Some("daily") => "daily",
                Some("weekly") => "weekly",
                Some(_) => return Err(Error::invalid("digest", "a digest is none, daily or weekly")),
            },
            digest_minute: rules::minutes("digest_time", text(&new.digest_time).as_deref().unwrap_or("07:00"))?,
            weekday,
            digest_at: None,
        })
    }

    /// What both statements write, in their order.
    fn values(&self, tenant: OrgId, id: RecipientId) -> Vec<Value> {
        let (from, until) = self.quiet.unzip();
        params![
            tenant,
            id,
            &self.name,
            self.kind.as_str(),
            self.sealed.clone(),
            self.hash.as_ref(),
            self.user,
            self.webhook,
            self.fallback,
            &self.zone,
            from,
            until,
            self.critical_passes,
            self.cap,
            self.digest,
            self.digest_minute,
            self.weekday,
            self.digest_at
        ]
        .into()
    }

    async fn insert(&self, tx: &mut Tx, ctx: &Ctx, tenant: OrgId, id: RecipientId) -> Result<()> {
        let mut values = self.values(tenant, id);
        values.push(ctx.now.into());
        tx.execute(&sql::INSERT, &values).await?;
        Ok(())
    }

    async fn update(&self, tx: &mut Tx, tenant: OrgId, id: RecipientId) -> Result<()> {
        tx.execute(&sql::UPDATE, &self.values(tenant, id)).await?;
        Ok(())
    }
}

/// `udp://`, `tcp://` or `tls://` with host and port.
fn log_host(text: &str) -> Result<String> {
    let fail =
        || Error::invalid("address", "a log host is written as in tls://log.example.com:6514; udp and tcp go too");
    let (scheme, rest) = text.split_once("://").ok_or_else(fail)?;
    let (host, port) = rest.trim_end_matches('/').rsplit_once(':').ok_or_else(fail)?;
    let fits = |host: &str| {
        !host.is_empty()
            && host.len() <= 253
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b))
    };
    let known = ["udp", "tcp", "tls"].contains(&scheme);
    match port.parse::<u16>() {
        Ok(port @ 1..) if known && fits(host) => Ok(format!("{scheme}://{}:{port}", host.to_ascii_lowercase())),
        _ => Err(fail()),
    }
}

/// What an audit may say of a recipient: who is reached, never the address.
fn audited(recipient: &Recipient) -> serde_json::Value {
    json!({
        "name": recipient.name, "kind": recipient.kind, "user": recipient.user, "webhook": recipient.webhook,
        "fallback": recipient.fallback, "zone": recipient.zone, "quiet": recipient.quiet,
        "critical_passes": recipient.critical_passes, "cap_per_hour": recipient.cap_per_hour, "digest": recipient.digest,
        "suspended": recipient.suspended,
    })
}

/// The recipients of the own organisation, by name.
///
/// # Errors
/// `Forbidden` below manager.
pub async fn list_recipients(ctx: &Ctx) -> Result<Vec<Recipient>> {
    ctx.require(Role::Manager, "see who is told")?;
    let mut tx = ctx.db().read(&home(ctx)).await?;
    let rows = tx.query(&sql::RECIPIENTS, &params![ctx.home, MOST]).await?;
    rows.iter().map(|row| read(&ctx.platform, ctx.home, row)).collect()
}

/// One of them.
///
/// # Errors
/// `NotFound`; `Forbidden` below manager.
pub async fn recipient(ctx: &Ctx, id: RecipientId) -> Result<Recipient> {
    ctx.require(Role::Manager, "see who is told")?;
    find(&mut ctx.db().read(&home(ctx)).await?, &ctx.platform, ctx.home, id).await
}

/// Makes a recipient.
///
/// # Errors
/// `Invalid` by field; `Forbidden` below manager; `Conflict` when there are too many.
pub async fn create_recipient(ctx: &Ctx, new: &NewRecipient) -> Result<Recipient> {
    ctx.require(Role::Manager, "say who is told")?;
    let id = RecipientId::new(ctx.ids());
    let mut tx = ctx.db().write(&home(ctx)).await?;
    if tx.query_one(&sql::COUNT, &params![ctx.home]).await?.get::<i64>(0)? >= MOST {
        return Err(Error::conflict(format!("an organisation has at most {MOST} recipients; delete one first")));
    }
    let checked = Checked::of(&mut tx, ctx, ctx.home, id, new).await?;
    checked.insert(&mut tx, ctx, ctx.home, id).await?;
    let made = find(&mut tx, &ctx.platform, ctx.home, id).await?;
    audit::record(&mut tx, ctx, Change::new(ctx.home, "created", "recipient", id).after(audited(&made))).await?;
    tx.commit().await?;
    Ok(made)
}

/// Changes a recipient. A new address is not suspended.
///
/// # Errors
/// As [`create_recipient`]; `NotFound`; `PreconditionRequired` and `Stale` by `if_match`.
pub async fn update_recipient(
    ctx: &Ctx,
    id: RecipientId,
    new: &NewRecipient,
    if_match: Option<i64>,
) -> Result<Recipient> {
    ctx.require(Role::Manager, "say who is told")?;
    let mut tx = ctx.db().write(&home(ctx)).await?;
    let old = find(&mut tx, &ctx.platform, ctx.home, id).await?;
    Error::check_version(if_match, old.version)?;
    let checked = Checked::of(&mut tx, ctx, ctx.home, id, new).await?;
    checked.update(&mut tx, ctx.home, id).await?;
    let mut made = find(&mut tx, &ctx.platform, ctx.home, id).await?;
    if made.suspended && made.target != old.target {
        tx.execute(&sql::RESUME, &params![ctx.home, id, ctx.now]).await?;
        made = find(&mut tx, &ctx.platform, ctx.home, id).await?;
    }
    let change = Change::new(ctx.home, "changed", "recipient", id).before(audited(&old)).after(audited(&made));
    audit::record(&mut tx, ctx, change).await?;
    tx.commit().await?;
    Ok(made)
}

/// Deletes a recipient: rules, and recipients that it stood in for, do without it.
///
/// # Errors
/// `NotFound`; `Forbidden` below manager.
pub async fn delete_recipient(ctx: &Ctx, id: RecipientId) -> Result<()> {
    ctx.require(Role::Manager, "say who is told")?;
    let mut tx = ctx.db().write(&home(ctx)).await?;
    let old = find(&mut tx, &ctx.platform, ctx.home, id).await?;
    for statement in [&sql::NO_FALLBACK, &sql::DELETE] {
        tx.execute(statement, &params![ctx.home, id]).await?;
    }
    crate::alerting::forget_recipient(&mut tx, ctx.home, id).await?;
    super::queue::bury(&mut tx, ctx, ctx.home, id, "its recipient was deleted").await?;
    audit::record(&mut tx, ctx, Change::new(ctx.home, "deleted", "recipient", id).before(audited(&old))).await?;
    Ok(tx.commit().await?)
}

/// Whether an organisation has a recipient.
pub(crate) async fn exists(tx: &mut Tx, tenant: OrgId, id: RecipientId) -> Result<bool> {
    Ok(tx.query_opt(&sql::RECIPIENT, &params![tenant, id]).await?.is_some())
}

/// Whether a recipient goes to a webhook.
pub(crate) async fn goes_to(tx: &mut Tx, tenant: OrgId, webhook: WebhookId) -> Result<bool> {
    Ok(tx.query_opt(&sql::OF_WEBHOOK, &params![tenant, webhook]).await?.is_some())
}

/// Ends the suspension of a recipient by a person's word.
///
/// # Errors
/// `NotFound`; `Forbidden` below manager.
pub async fn resume_recipient(ctx: &Ctx, id: RecipientId) -> Result<Recipient> {
    ctx.require(Role::Manager, "say who is told")?;
    let mut tx = ctx.db().write(&home(ctx)).await?;
    let old = find(&mut tx, &ctx.platform, ctx.home, id).await?;
    tx.execute(&sql::RESUME, &params![ctx.home, id, ctx.now]).await?;
    let made = find(&mut tx, &ctx.platform, ctx.home, id).await?;
    let change = Change::new(ctx.home, "resumed", "recipient", id).before(audited(&old)).after(audited(&made));
    audit::record(&mut tx, ctx, change).await?;
    tx.commit().await?;
    Ok(made)
}

/// Sends a recipient a message that says nothing but that it arrived.
///
/// # Errors
/// `NotFound`; `Forbidden` below manager; `Conflict` while it is suspended.
pub async fn test_recipient(ctx: &Ctx, id: RecipientId) -> Result<super::NotificationId> {
    ctx.require(Role::Manager, "send tests")?;
    let mut tx = ctx.db().write(&home(ctx)).await?;
    let recipient = find(&mut tx, &ctx.platform, ctx.home, id).await?;
    if recipient.suspended {
        return Err(Error::conflict("it is suspended; resume it first"));
    }
    let new = NewNotification {
        tenant: ctx.home,
        to: To::Recipient(id),
        kind: "test",
        subject: ("recipient", id.to_string()),
        critical: true,
        title: "A test from Platen".to_owned(),
        text: format!("{} asked for this message. Messages to {} arrive here.", ctx.actor.name(), recipient.name),
        attachment: None,
        key: format!("test/{}", super::NotificationId::new(ctx.ids())),
    };
    let posted = super::post(&mut tx, ctx, new).await?;
    audit::record(&mut tx, ctx, Change::new(ctx.home, "tested", "recipient", id)).await?;
    tx.commit().await?;
    posted.ok_or_else(|| Error::internal("a new message was there before"))
}
