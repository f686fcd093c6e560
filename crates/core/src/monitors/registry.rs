//! What people do with registrations: make, look at, suspend, release; and who was refused.

use serde::Serialize;
use serde_json::json;
use store::{Row, Sql, Tx, params};
use wire::hello::Road;
use wire::monitor::Kind;
use wire::{Message, Subject};

use super::{Monitor, MonitorId, MonitorState, Registered, rules, sql};
use crate::agents;
use crate::audit::{self, Change};
use crate::ctx::{Ctx, Role};
use crate::error::{Error, Result};
use crate::events;
use crate::filter::{Field, FieldKind, Filter};
use crate::ids::OrgId;
use crate::page::{Key, Page, PageQuery, Sort};
use crate::secrets::Secret;
use crate::time::Micros;

/// A claim code is good for so long: the time between sale and installation, 90 days.
const CLAIM: std::time::Duration = std::time::Duration::from_secs(90 * 86_400);
const BY_SERIAL: Sort = Sort { name: "monitors.serial", keys: &[Key::up("m.serial_fold"), Key::up("m.id")] };
const NEWEST: Sort =
    Sort { name: "strangers.newest", keys: &[Key::down("s.last_at"), Key::up("s.vendor"), Key::up("s.serial_fold")] };

/// Fields of the filter of [`list`].
pub const FIELDS: &[Field] = &[
    Field::new("vendor", "m.vendor", FieldKind::Text),
    Field::new("serial", "m.serial_fold", FieldKind::Text),
    Field::new("model", "m.model", FieldKind::Text),
    Field::new("state", "m.state", FieldKind::Word(&["registered", "active", "suspended"])),
    Field::new("road", "m.road", FieldKind::Word(&["https", "https-both-ways", "mail", "mail-both-ways"])),
    Field::new("org", "m.tenant", FieldKind::Org),
    Field::new("device", "m.device", FieldKind::Text),
    Field::new(
        "name",
        "(select d.label from devices d where d.tenant = m.tenant and d.id = m.device)",
        FieldKind::Text,
    ),
    Field::new(
        "place",
        "(select d.place from devices d where d.tenant = m.tenant and d.id = m.device)",
        FieldKind::Text,
    ),
    Field::new("said_at", "m.said_at", FieldKind::Time),
];

/// What a provider knows of a device before it calls.
#[derive(Clone, Debug)]
pub struct NewMonitor {
    /// Vendor slug.
    pub vendor: String,
    /// Serial number as on the rating plate.
    pub serial: String,
    /// Model, if known.
    pub model: Option<String>,
}

/// Which registrations.
#[derive(Clone, Debug, Default)]
pub struct MonitorQuery {
    /// Condition over [`FIELDS`].
    pub filter: Option<Filter>,
    /// Which page; by serial number.
    pub page: PageQuery,
}

/// Somebody who asked to be heard and was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stranger {
    /// Vendor slug that it gave.
    pub vendor: String,
    /// Serial number that it gave.
    pub serial: String,
    /// Model that it gave.
    pub model: String,
    /// `not registered`, `wrong claim`, `wrong key`, `suspended`, or a sentence about the mail that was refused.
    pub why: String,
    /// Address that it called from.
    pub peer: String,
    /// How often.
    pub tries: i64,
    /// First time.
    pub first_at: Micros,
    /// Last time.
    pub last_at: Micros,
}

/// Registers a serial number; the claim code is told once.
///
/// # Errors
/// `Forbidden` below manager, `Invalid` for a serial that is none, `Conflict` for one that is registered already.
pub async fn register(ctx: &Ctx, org: OrgId, new: &NewMonitor) -> Result<Registered> {
    ctx.require(Role::Manager, "register devices")?;
    ctx.scope.require(org, OrgId::NOUN)?;
    let vendor = rules::vendor(&new.vendor)?;
    let (serial, fold) = rules::serial(&new.serial)?;
    let model = agents::told(new.model.as_deref().unwrap_or_default(), 120);
    let (id, claim) = (MonitorId::new(ctx.ids()), Secret::random(ctx.ids(), "plc_"));
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let until = ctx.now + CLAIM;
    let values = params![org, id, &vendor, &serial, &fold, &model, claim.hash(), until, ctx.now, ctx.actor.id()];
    if tx.execute(&sql::INSERT, &values).await? == 0 {
        return Err(Error::conflict(
            "this serial number is registered already; whoever had the device before must release it first",
        ));
    }
    tx.execute(&sql::STRANGER_GONE, &params![&vendor, &fold]).await?;
    let told = json!({ "vendor": vendor, "serial": serial });
    events::emit(&mut tx, ctx, org, "monitor.registered", ("monitor", id.to_string()), told.clone()).await?;
    audit::record(&mut tx, ctx, Change::new(org, "registered", "monitor", id).after(told)).await?;
    let monitor = find(&mut tx, org, id).await?;
    tx.commit().await?;
    Ok(Registered { monitor, claim })
}

/// A new claim code for a device that lost its key (a new board); the old code is worthless, the old key is not.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope.
pub async fn new_claim(ctx: &Ctx, id: MonitorId) -> Result<Registered> {
    ctx.require(Role::Manager, "make claim codes")?;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let org = tenant(ctx, &mut tx, id).await?;
    let claim = fresh_claim(&mut tx, ctx, (org, id)).await?;
    audit::record(&mut tx, ctx, Change::new(org, "made a claim code", "monitor", id)).await?;
    let monitor = find(&mut tx, org, id).await?;
    tx.commit().await?;
    Ok(Registered { monitor, claim })
}

/// A claim code in the place of the one before.
pub(super) async fn fresh_claim(tx: &mut Tx, ctx: &Ctx, (org, id): (OrgId, MonitorId)) -> Result<Secret> {
    let claim = Secret::random(ctx.ids(), "plc_");
    tx.execute(&sql::CLAIM, &params![org, id, claim.hash(), ctx.now + CLAIM]).await?;
    Ok(claim)
}

/// Registrations of the visible organisations.
///
/// # Errors
/// `Invalid` for a filter or cursor that does not fit.
pub async fn list(ctx: &Ctx, query: &MonitorQuery) -> Result<Page<Monitor>> {
    ctx.require(Role::User, "see registered devices")?;
    let limit = query.page.limit()?;
    let mut values = Vec::new();
    let mut conditions = vec![ctx.scope.condition("m", &mut values)];
    if let Some(filter) = &query.filter {
        conditions.push(filter.to_sql(FIELDS, &mut values)?);
    }
    let counted = (conditions.join(" and "), values.clone());
    conditions.push(BY_SERIAL.after(query.page.after.as_deref(), &mut values)?);
    let (whole, order) = (conditions.join(" and "), BY_SERIAL.order());
    let text = format!("{} where {whole} order by {order} limit {}", sql::LIST, limit + 1);
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let rows = tx.query(&Sql::built_as("monitors list", text), &values).await?;
    let mut page = BY_SERIAL.page(rows, limit, read)?;
    if query.page.count {
        let text = format!("select count(*) from monitors m where {}", counted.0);
        page.count = Some(tx.query_one(&Sql::built_as("monitors count", text), &counted.1).await?.get(0)?);
    }
    Ok(page)
}

/// One registration.
///
/// # Errors
/// `NotFound` outside the scope.
pub async fn get(ctx: &Ctx, id: MonitorId) -> Result<Monitor> {
    ctx.require(Role::User, "see registered devices")?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let org = tenant(ctx, &mut tx, id).await?;
    find(&mut tx, org, id).await
}

/// Hears a device no more, until [`resume`].
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope.
pub async fn suspend(ctx: &Ctx, id: MonitorId) -> Result<Monitor> {
    set_state(ctx, id, MonitorState::Suspended).await
}

/// Hears a suspended device again; one that never called waits for its communication test.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope.
pub async fn resume(ctx: &Ctx, id: MonitorId) -> Result<Monitor> {
    set_state(ctx, id, MonitorState::Active).await
}

async fn set_state(ctx: &Ctx, id: MonitorId, wanted: MonitorState) -> Result<Monitor> {
    ctx.require(Role::Manager, "suspend registered devices")?;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let org = tenant(ctx, &mut tx, id).await?;
    let old = find(&mut tx, org, id).await?;
    let new = if wanted == MonitorState::Active && old.hello_at.is_none() { MonitorState::Registered } else { wanted };
    if old.state != new {
        tx.execute(&sql::SET_STATE, &params![org, id, new.as_str()]).await?;
        let data = json!({ "state": new });
        events::emit(&mut tx, ctx, org, "monitor.changed", ("monitor", id.to_string()), data.clone()).await?;
        let change = Change::new(org, "set", "monitor", id).before(json!({ "state": old.state })).after(data);
        audit::record(&mut tx, ctx, change).await?;
    }
    let monitor = find(&mut tx, org, id).await?;
    tx.commit().await?;
    ctx.platform.known().forget(id);
    Ok(monitor)
}

/// Gives a serial number back; the device's history stays, its orders are cancelled, another may register it.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope.
pub async fn release(ctx: &Ctx, id: MonitorId) -> Result<()> {
    ctx.require(Role::Manager, "release registered devices")?;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let org = tenant(ctx, &mut tx, id).await?;
    let old = find(&mut tx, org, id).await?;
    tx.execute(&sql::RELEASE_COMMANDS, &params![org, id, ctx.now]).await?;
    tx.execute(&sql::RELEASE_KINDS, &params![org, id]).await?;
    tx.execute(&sql::RELEASE_MAILBOX, &params![org, id]).await?;
    tx.execute(&sql::RELEASE, &params![org, id]).await?;
    let told = json!({ "vendor": old.vendor, "serial": old.serial });
    events::emit(&mut tx, ctx, org, "monitor.released", ("monitor", id.to_string()), told.clone()).await?;
    audit::record(&mut tx, ctx, Change::new(org, "released", "monitor", id).before(told)).await?;
    tx.commit().await?;
    ctx.platform.known().forget(id);
    Ok(())
}

/// Who was refused; newest first. Serials that nobody registered are shown to the root organisation alone.
///
/// # Errors
/// `Forbidden` below manager.
pub async fn strangers(ctx: &Ctx, page: &PageQuery) -> Result<Page<Stranger>> {
    ctx.require(Role::Manager, "see who was refused")?;
    let limit = page.limit()?;
    let mut values = Vec::new();
    let mut conditions = vec![ctx.scope.condition("s", &mut values)];
    conditions.push(NEWEST.after(page.after.as_deref(), &mut values)?);
    let (whole, order) = (conditions.join(" and "), NEWEST.order());
    let text = format!("{} where {whole} order by {order} limit {}", sql::STRANGERS, limit + 1);
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let rows = tx.query(&Sql::built_as("strangers list", text), &values).await?;
    NEWEST.page(rows, limit, |row| {
        Ok(Stranger {
            vendor: row.get(0)?,
            serial: row.get(1)?,
            model: row.get(2)?,
            why: row.get(3)?,
            peer: row.get(4)?,
            tries: row.get(5)?,
            first_at: row.get(6)?,
            last_at: row.get(7)?,
        })
    })
}

/// What a monitor said in one report.
pub(crate) struct Heard<'m> {
    pub(crate) id: MonitorId,
    pub(crate) road: Road,
    pub(crate) epoch: u64,
    pub(crate) offset_ms: i64,
    pub(crate) at: Micros,
    /// The messages that were new.
    pub(crate) messages: Vec<&'m Message>,
}

/// Notes what monitors said, in the transaction in which it takes effect.
pub(crate) async fn heard(tx: &mut Tx, org: OrgId, all: &[Heard<'_>]) -> Result<()> {
    let (mut said, mut kinds) = (Vec::with_capacity(all.len()), Vec::with_capacity(all.len()));
    for one in all {
        let epoch = i64::try_from(one.epoch).unwrap_or(i64::MAX);
        let subject = format!("{}/{}", one.id, Subject::from(one.id).to_text());
        let road = rules::road_text(one.road);
        said.push(Vec::from(params![org, one.id, one.at, road, one.offset_ms, subject, epoch]));
        for kind in Kind::ALL {
            let of_kind = || one.messages.iter().filter(|m| m.body.kind() == u64::from(kind.number()));
            let Some(last) = of_kind().max_by_key(|message| message.taken_ms) else { continue };
            let size = i64::try_from(wire::cbor::encode(*last).len()).unwrap_or(i64::MAX);
            let count = i64::try_from(of_kind().count()).unwrap_or(i64::MAX);
            let taken = last.taken_ms.saturating_sub(one.offset_ms).saturating_mul(1_000);
            kinds.push(Vec::from(params![org, one.id, i64::from(kind.number()), one.at, taken, size, count]));
        }
    }
    tx.many(&sql::HEARD, said).await?;
    if !kinds.is_empty() {
        tx.many(&sql::SAID, kinds).await?;
    }
    Ok(())
}

/// Whose registration it is, if that organisation is visible.
pub(super) async fn tenant(ctx: &Ctx, tx: &mut Tx, id: MonitorId) -> Result<OrgId> {
    let row = tx.query_opt(&sql::TENANT, &params![id]).await?.ok_or_else(MonitorId::missing)?;
    let org = row.get(0)?;
    ctx.scope.require(org, MonitorId::NOUN)?;
    Ok(org)
}

pub(super) async fn find(tx: &mut Tx, org: OrgId, id: MonitorId) -> Result<Monitor> {
    let row = tx.query_opt(&sql::GET, &params![org, id]).await?;
    row.as_ref().map(read).transpose()?.ok_or_else(MonitorId::missing)
}

fn read(row: &Row) -> Result<Monitor> {
    let state = match row.get::<String>(5)?.as_str() {
        "registered" => MonitorState::Registered,
        "active" => MonitorState::Active,
        _ => MonitorState::Suspended,
    };
    let road = |at| Ok::<_, Error>(row.get::<Option<String>>(at)?.as_deref().and_then(rules::road_of));
    Ok(Monitor {
        org: row.get(0)?,
        id: row.get(1)?,
        vendor: row.get(2)?,
        serial: row.get(3)?,
        model: row.get(4)?,
        state,
        road: road(6)?,
        firmware: row.get(7)?,
        mac: row.get(8)?,
        listener: row.get(9)?,
        schedule_revision: row.get(10)?,
        clock_offset_ms: row.get(11)?,
        registered_at: row.get(12)?,
        hello_at: row.get(13)?,
        said_at: row.get(14)?,
        said_road: road(15)?,
        device: row.get(16)?,
        claim_until: row.get(17)?,
        version: row.get(18)?,
    })
}
