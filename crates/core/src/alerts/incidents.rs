//! Incidents for people: lists, one with its alerts, taking care, snoozing, ending by hand; waking those whose time is over.

use serde_json::json;
use store::{Row, Sql, Value, params};

use super::{AlertCounts, AlertId, IncidentId, IncidentRow, IncidentSheet, service, sql};
use crate::audit::{self, Change};
use crate::devices::DeviceId;
use crate::error::{Error, Result};
use crate::filter::{Field, FieldKind, Filter};
use crate::page::{Key, Page, PageQuery, Sort};
use crate::{AgentId, Ctx, Micros, OrgId, Role};

/// Fields of the filter of [`list_incidents`].
pub const INCIDENT_FIELDS: &[Field] = &[
    Field::new("state", "i.state", FieldKind::Word(&["open", "acknowledged", "snoozed", "resolved"])),
    Field::new("severity", "i.severity", FieldKind::Word(&["critical", "warning", "other"])),
    Field::new("reason", "i.reason", FieldKind::Text),
    Field::new("audience", "i.audience", FieldKind::Word(&["operator", "supplies", "service", "fleet"])),
    Field::new("owner", "i.owner", FieldKind::Text),
    Field::new("org", "i.tenant", FieldKind::Org),
    Field::new("device", "i.device", FieldKind::Text),
    Field::new("agent", "i.agent", FieldKind::Text),
    Field::new("name", "d.label", FieldKind::Text),
    Field::new("vendor", "d.vendor", FieldKind::Text),
    Field::new("place", "d.place", FieldKind::Text),
    Field::new("opened", "i.opened_at", FieldKind::Time),
    Field::new("resolved", "i.resolved_at", FieldKind::Time),
];

const LATEST: Sort = Sort { name: "incidents.opened", keys: &[Key::down("i.opened_at"), Key::down("i.id")] };
/// Alerts that a sheet shows.
const SHOWN: i64 = 100;

const COLUMNS: &str = "i.tenant, i.state, i.device, d.label, d.vendor, d.model, d.place, i.agent, g.name, i.reason, i.severity, i.audience,
    i.cause, (select count(*) from alerts a where a.tenant = i.tenant and a.incident = i.id and a.cleared_at is null),
    i.owner, i.acked_at, i.snoozed_until, i.note, i.why, i.resolved_at, i.version, i.opened_at, i.id";
const TABLES: &str = "incidents i left join devices d on d.tenant = i.tenant and d.id = i.device
    left join agents g on g.tenant = i.tenant and g.id = i.agent";

/// Which incidents.
#[derive(Clone, Debug, Default)]
pub struct IncidentQuery {
    /// Condition over [`INCIDENT_FIELDS`].
    pub filter: Option<Filter>,
    /// `Some(true)`: those that stand; `Some(false)`: those that are over; `None`: all. Newest first.
    pub open: Option<bool>,
    /// Which page.
    pub page: PageQuery,
}

fn read(row: &Row) -> Result<IncidentRow> {
    let (vendor, model): (Option<String>, Option<String>) = (row.get(4)?, row.get(5)?);
    let reason: String = row.get(9)?;
    Ok(IncidentRow {
        org: row.get(0)?,
        state: row.get(1)?,
        device: row.get(2)?,
        device_name: row.get(3)?,
        device_model: vendor.map(|vendor| format!("{vendor} {}", model.unwrap_or_default()).trim().to_owned()),
        place: row.get(6)?,
        agent: row.get(7)?,
        agent_name: row.get(8)?,
        title: service::title(&reason),
        reason,
        severity: row.get(10)?,
        audience: row.get(11)?,
        cause: row.get(12)?,
        alerts: row.get(13)?,
        owner: row.get(14)?,
        acked_at: row.get(15)?,
        snoozed_until: row.get(16)?,
        note: row.get(17)?,
        why: row.get(18)?,
        resolved_at: row.get(19)?,
        version: row.get(20)?,
        opened_at: row.get(21)?,
        id: row.get(22)?,
    })
}

/// One page of incidents, newest first.
///
/// # Errors
/// `Invalid` for a filter, cursor or limit that does not fit.
pub async fn list_incidents(ctx: &Ctx, query: &IncidentQuery) -> Result<Page<IncidentRow>> {
    let limit = query.page.limit()?;
    let mut params = Vec::new();
    let mut all = vec![ctx.scope.condition("i", &mut params)];
    all.extend(query.open.map(|open| format!("i.resolved_at is {}null", if open { "" } else { "not " })));
    if let Some(filter) = &query.filter {
        all.push(filter.to_sql(INCIDENT_FIELDS, &mut params)?);
    }
    let conditions = all.join(" and ");
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let mut count = None;
    if query.page.count {
        let text = format!("select count(*) from {TABLES} where {conditions}");
        count = Some(tx.query_one(&Sql::built_as("incidents::count", text), &params).await?.get(0)?);
    }
    let after = LATEST.after(query.page.after.as_deref(), &mut params)?;
    params.push(i64::try_from(limit + 1).unwrap_or(i64::MAX).into());
    let text = format!(
        "select {COLUMNS} from {TABLES} where {conditions} and {after} order by {} limit ${}",
        LATEST.order(),
        params.len()
    );
    let rows = tx.query(&Sql::built_as("incidents::list", text), &params).await?;
    let mut page = LATEST.page(rows, limit, read)?;
    page.count = count;
    Ok(page)
}

/// One incident with its alerts.
///
/// # Errors
/// `NotFound`.
pub async fn incident(ctx: &Ctx, id: IncidentId) -> Result<IncidentSheet> {
    let mut params: Vec<Value> = vec![id.into()];
    let scope = ctx.scope.condition("i", &mut params);
    let text = format!("select {COLUMNS} from {TABLES} where i.id = $1 and {scope}");
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let row = tx.query_opt(&Sql::built_as("incidents::get", text), &params).await?.ok_or_else(IncidentId::missing)?;
    let alerts = service::of_incident(ctx, &mut tx, id, SHOWN).await?;
    Ok(IncidentSheet { incident: read(&row)?, alerts })
}

/// Incidents that stand, counted for the header.
///
/// # Errors
/// When the database refuses.
pub async fn counts(ctx: &Ctx) -> Result<AlertCounts> {
    let mut params = Vec::new();
    let scope = ctx.scope.condition("i", &mut params);
    let text = format!(
        "select i.state, i.severity, count(*) from incidents i where {scope} and i.resolved_at is null group by i.state, i.severity"
    );
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let mut counts = AlertCounts::default();
    for row in tx.query(&Sql::built_as("alerts::counts", text), &params).await? {
        let (state, severity, count): (String, String, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        match state.as_str() {
            "snoozed" => {
                counts.snoozed += count;
                continue;
            }
            "acknowledged" => counts.acknowledged += count,
            _ => counts.open += count,
        }
        match severity.as_str() {
            "critical" => counts.critical += count,
            "warning" => counts.warning += count,
            _ => {}
        }
    }
    Ok(counts)
}

/// The incident that an alert belongs to.
///
/// # Errors
/// `NotFound`.
pub async fn incident_of(ctx: &Ctx, alert: AlertId) -> Result<IncidentId> {
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let row = tx.query_opt(&sql::ALERT_INCIDENT, &params![alert]).await?.ok_or_else(AlertId::missing)?;
    let incident: IncidentId = row.get(0)?;
    let row = tx.query_opt(&sql::INCIDENT_TENANT, &params![incident]).await?;
    match row {
        Some(row) if ctx.scope.contains(row.get(0)?) => Ok(incident),
        _ => Err(AlertId::missing()),
    }
}

/// Takes care of an incident: the person who asks is its owner. Returns the new version.
///
/// # Errors
/// `NotFound`, `Forbidden`, `Stale` when `if_match` is given and older, `Conflict` when it is over.
pub async fn acknowledge(ctx: &Ctx, id: IncidentId, note: Option<&str>, if_match: Option<i64>) -> Result<i64> {
    change(ctx, id, Turn::Acknowledged, note, if_match).await
}

/// Keeps an incident quiet until a time, or until it gets worse. Returns the new version.
///
/// # Errors
/// `Invalid` for a time that is over or more than 90 days ahead, else as [`acknowledge`].
pub async fn snooze(
    ctx: &Ctx,
    id: IncidentId,
    until: Micros,
    note: Option<&str>,
    if_match: Option<i64>,
) -> Result<i64> {
    if until <= ctx.now || until > ctx.now.days_ago(-90) {
        return Err(Error::invalid("until", "the time lies within the next 90 days"));
    }
    change(ctx, id, Turn::Snoozed(until), note, if_match).await
}

/// Ends an incident by hand, though alerts of it may stand; they open it no more. Returns the new version.
///
/// # Errors
/// `Invalid` without a reason, else as [`acknowledge`].
pub async fn resolve(ctx: &Ctx, id: IncidentId, why: &str, if_match: Option<i64>) -> Result<i64> {
    if crate::devices::fold::clean(Some(why)).is_none() {
        return Err(Error::invalid("why", "say why it is over"));
    }
    change(ctx, id, Turn::Resolved, Some(why), if_match).await
}

/// What a person makes of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Acknowledged,
    Snoozed(Micros),
    Resolved,
}

impl Turn {
    /// State, audit verb, and type of the event.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Acknowledged => ("acknowledged", "incident.acknowledged"),
            Self::Snoozed(_) => ("snoozed", "incident.snoozed"),
            Self::Resolved => ("resolved", "incident.resolved"),
        }
    }
}

async fn change(ctx: &Ctx, id: IncidentId, turn: Turn, note: Option<&str>, if_match: Option<i64>) -> Result<i64> {
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let found = tx.query_opt(&sql::INCIDENT_TENANT, &params![id]).await?;
    let row = found
        .filter(|row| row.get::<OrgId>(0).is_ok_and(|org| ctx.scope.contains(org)))
        .ok_or_else(IncidentId::missing)?;
    let (tenant, version, before): (OrgId, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    ctx.require(Role::Manager, "take care of alerts")?;
    if if_match.is_some() {
        Error::check_version(if_match, version)?;
    }
    if before == "resolved" {
        return Err(Error::conflict("it is over already"));
    }
    let owner = ctx.actor.name().to_owned();
    let note = crate::devices::fold::clean(note);
    let (state, kind) = turn.words();
    let until = if let Turn::Snoozed(until) = turn { Some(until) } else { None };
    if turn == Turn::Resolved {
        tx.execute(&sql::RESOLVE_BY_HAND, &params![tenant, id, ctx.now, &owner, note.as_ref()]).await?;
    } else {
        tx.execute(&sql::ACKNOWLEDGE, &params![tenant, id, state, &owner, ctx.now, until, note.as_ref()]).await?;
    }
    let devices: Vec<DeviceId> = row.get::<Option<DeviceId>>(3)?.into_iter().collect();
    let data = json!({
        "incident": id, "cause": row.get::<String>(4)?, "devices": devices, "agent": row.get::<Option<AgentId>>(5)?,
        "owner": owner, "until": until,
    });
    crate::events::emit(&mut tx, ctx, tenant, kind, ("incident", id.to_string()), data).await?;
    let after = json!({ "state": state, "owner": owner, "until": until, "note": note });
    let change = Change::new(tenant, state, "incident", id).before(json!({ "state": before })).after(after);
    audit::record(&mut tx, ctx, change).await?;
    tx.commit().await?;
    Ok(version + 1)
}

/// Snoozed incidents whose time is over stand open again; how many.
pub(crate) async fn wake(ctx: &Ctx) -> Result<u64> {
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let due = tx.query(&sql::SNOOZE_OVER, &params![ctx.now]).await?;
    drop(tx);
    if due.is_empty() {
        return Ok(0);
    }
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let mut woken = 0;
    for row in due {
        let tenant: OrgId = row.get(0)?;
        for row in tx.query(&sql::WAKE, &params![tenant, ctx.now]).await? {
            let id: IncidentId = row.get(0)?;
            let data = json!({ "incident": id, "cause": row.get::<String>(1)?, "woken_by": "time" });
            crate::events::emit(&mut tx, ctx, tenant, "incident.opened", ("incident", id.to_string()), data).await?;
            woken += 1;
        }
    }
    tx.commit().await?;
    Ok(woken)
}
