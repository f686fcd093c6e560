//! Alerts for people: lists, counts, acknowledging and snoozing; and what agents' silence means.

use serde_json::json;
use store::{Row, Sql, Tx, Value, params};

use super::rules::audience;
use super::{AlertCounts, AlertId, AlertRow, IncidentId, IncidentRow, sql};
use crate::audit::{self, Change};
use crate::devices::DeviceId;
use crate::devices::rules::phrase;
use crate::error::{Error, Result};
use crate::filter::{Field, FieldKind, Filter};
use crate::page::{Key, Page, PageQuery, Sort};
use crate::{AgentId, Ctx, Micros, OrgId, Role};

/// Fields of the filter of [`list`].
pub const FIELDS: &[Field] = &[
    Field::new("severity", "a.severity", FieldKind::Word(&["critical", "warning", "other"])),
    Field::new("reason", "a.reason", FieldKind::Text),
    Field::new("group", "a.grp", FieldKind::Text),
    Field::new("device", "a.device", FieldKind::Text),
    Field::new("org", "a.tenant", FieldKind::Org),
    Field::new("source", "a.source", FieldKind::Word(&["device", "trap", "platen"])),
    Field::new("audience", "a.audience", FieldKind::Word(&["operator", "supplies", "service", "fleet"])),
    Field::new("state", "i.state", FieldKind::Word(&["open", "acknowledged", "snoozed", "resolved"])),
    Field::new("owner", "i.owner", FieldKind::Text),
    Field::new("raised", "a.raised_at", FieldKind::Time),
    Field::new("cleared", "a.cleared_at", FieldKind::Time),
    Field::new("name", "d.label", FieldKind::Text),
    Field::new("vendor", "d.vendor", FieldKind::Text),
    Field::new("place", "d.place", FieldKind::Text),
    Field::new("flaps", "a.flaps", FieldKind::Int),
];

const WORST: Sort =
    Sort { name: "alerts.worst", keys: &[Key::up("a.rank"), Key::down("a.raised_at"), Key::up("a.id")] };
const NEWEST: Sort = Sort { name: "alerts.newest", keys: &[Key::down("a.raised_at"), Key::down("a.id")] };
const LATEST: Sort = Sort { name: "incidents.opened", keys: &[Key::down("i.opened_at"), Key::down("i.id")] };

/// Which alerts.
#[derive(Clone, Debug, Default)]
pub struct AlertQuery {
    /// Condition over [`FIELDS`].
    pub filter: Option<Filter>,
    /// `Some(true)`: those that stand, worst first; `Some(false)`: those that are over; `None`: all. Newest first.
    pub open: Option<bool>,
    /// Only of this device.
    pub device: Option<DeviceId>,
    /// Which page.
    pub page: PageQuery,
}

const COLUMNS: &str = "a.id, a.tenant, a.device, d.label, d.vendor, d.model, d.place, a.severity, a.reason, a.grp, a.part, a.code,
    a.text, a.source, a.since_at, a.raised_at, a.cleared_at, a.flaps, a.incident, i.state, i.owner, i.snoozed_until, i.note, i.version,
    a.audience";
const TABLES: &str = "alerts a join incidents i on i.tenant = a.tenant and i.id = a.incident
    join devices d on d.tenant = a.tenant and d.id = a.device";

fn read(row: &Row) -> Result<AlertRow> {
    let (vendor, model): (String, Option<String>) = (row.get(4)?, row.get(5)?);
    let reason: String = row.get(8)?;
    Ok(AlertRow {
        id: row.get(0)?,
        org: row.get(1)?,
        device: row.get(2)?,
        device_name: row.get(3)?,
        device_model: format!("{vendor} {}", model.unwrap_or_default()).trim().to_owned(),
        place: row.get(6)?,
        severity: row.get(7)?,
        title: title(&reason),
        reason,
        group: row.get(9)?,
        part: row.get(10)?,
        code: row.get(11)?,
        text: row.get(12)?,
        source: row.get(13)?,
        since_at: row.get(14)?,
        raised_at: row.get(15)?,
        cleared_at: row.get(16)?,
        flaps: row.get(17)?,
        incident: row.get(18)?,
        state: row.get(19)?,
        owner: row.get(20)?,
        snoozed_until: row.get(21)?,
        note: row.get(22)?,
        version: row.get(23)?,
        audience: row.get(24)?,
    })
}

fn title(reason: &str) -> String {
    match reason {
        "platen-silent" => "not heard".to_owned(),
        "platen-agent-offline" => "agent off line".to_owned(),
        other => phrase(other, &[]),
    }
}

/// One page of alerts.
///
/// # Errors
/// `Invalid` for a filter, cursor or limit that does not fit.
pub async fn list(ctx: &Ctx, query: &AlertQuery) -> Result<Page<AlertRow>> {
    let limit = query.page.limit()?;
    let sort = if query.open == Some(true) { &WORST } else { &NEWEST };
    let mut params = Vec::new();
    let mut all = vec![ctx.scope.condition("a", &mut params)];
    all.extend(query.open.map(|open| format!("a.cleared_at is {}null", if open { "" } else { "not " })));
    if let Some(filter) = &query.filter {
        all.push(filter.to_sql(FIELDS, &mut params)?);
    }
    if let Some(device) = query.device {
        params.push(device.into());
        all.push(format!("a.device = ${}", params.len()));
    }
    let conditions = all.join(" and ");
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let mut count = None;
    if query.page.count {
        let text = format!("select count(*) from {TABLES} where {conditions}");
        count = Some(tx.query_one(&Sql::built_as("alerts::count", text), &params).await?.get(0)?);
    }
    let after = sort.after(query.page.after.as_deref(), &mut params)?;
    params.push(i64::try_from(limit + 1).unwrap_or(i64::MAX).into());
    let keys: Vec<_> = sort.keys.iter().map(|key| key.column).collect();
    let text = format!(
        "select {COLUMNS}, {} from {TABLES} where {conditions} and {after} order by {} limit ${}",
        keys.join(", "),
        sort.order(),
        params.len()
    );
    let rows = tx.query(&Sql::built_as("alerts::list", text), &params).await?;
    let mut page = sort.page(rows, limit, read)?;
    page.count = count;
    Ok(page)
}

/// The alerts that stand on a device, worst first.
pub(crate) async fn open_of(ctx: &Ctx, tx: &mut Tx, device: DeviceId) -> Result<Vec<AlertRow>> {
    let mut params = Vec::new();
    let scope = ctx.scope.condition("a", &mut params);
    params.push(device.into());
    let text = format!(
        "select {COLUMNS} from {TABLES} where {scope} and a.device = ${} and a.cleared_at is null order by {}",
        params.len(),
        WORST.order()
    );
    tx.query(&Sql::built_as("alerts::open_of", text), &params).await?.iter().map(read).collect()
}

/// Incidents, newest first: those that stand, or all.
///
/// # Errors
/// `Invalid` for a cursor or limit that does not fit.
pub async fn incidents(ctx: &Ctx, only_standing: bool, page: &PageQuery) -> Result<Page<IncidentRow>> {
    let limit = page.limit()?;
    let mut params = Vec::new();
    let scope = ctx.scope.condition("i", &mut params);
    let standing = if only_standing { "i.resolved_at is null" } else { "1 = 1" };
    let after = LATEST.after(page.after.as_deref(), &mut params)?;
    params.push(i64::try_from(limit + 1).unwrap_or(i64::MAX).into());
    let text = format!(
        "select i.tenant, i.state, i.device, i.agent, i.reason, i.severity, i.cause, i.owner, i.snoozed_until, i.resolved_at, \
         i.version, i.audience, i.opened_at, i.id from incidents i where {scope} and {standing} and {after} order by {} limit ${}",
        LATEST.order(),
        params.len()
    );
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let rows = tx.query(&Sql::built_as("alerts::incidents", text), &params).await?;
    LATEST.page(rows, limit, |row| {
        Ok(IncidentRow {
            id: row.get(13)?,
            org: row.get(0)?,
            state: row.get(1)?,
            device: row.get(2)?,
            agent: row.get(3)?,
            reason: row.get(4)?,
            severity: row.get(5)?,
            cause: row.get(6)?,
            owner: row.get(7)?,
            snoozed_until: row.get(8)?,
            audience: row.get(11)?,
            opened_at: row.get(12)?,
            resolved_at: row.get(9)?,
            version: row.get(10)?,
        })
    })
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

/// Takes care of the incident of an alert: the person who asks is its owner. Returns the new version.
///
/// # Errors
/// `NotFound`, `Forbidden`, `Stale` when `if_match` is given and older, `Conflict` when it is over.
pub async fn acknowledge(ctx: &Ctx, alert: AlertId, note: Option<&str>, if_match: Option<i64>) -> Result<i64> {
    change(ctx, alert, "acknowledged", None, note, if_match).await
}

/// Keeps the incident of an alert quiet until a time, or until it gets worse. Returns the new version.
///
/// # Errors
/// `Invalid` for a time that is over or more than 90 days ahead, else as [`acknowledge`].
pub async fn snooze(
    ctx: &Ctx,
    alert: AlertId,
    until: Micros,
    note: Option<&str>,
    if_match: Option<i64>,
) -> Result<i64> {
    if until <= ctx.now || until > ctx.now.days_ago(-90) {
        return Err(Error::invalid("until", "the time lies within the next 90 days"));
    }
    change(ctx, alert, "snoozed", Some(until), note, if_match).await
}

async fn change(
    ctx: &Ctx,
    alert: AlertId,
    state: &'static str,
    until: Option<Micros>,
    note: Option<&str>,
    if_match: Option<i64>,
) -> Result<i64> {
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let found = tx.query_opt(&sql::ALERT_TENANT, &params![alert]).await?;
    let row = found
        .filter(|row| row.get::<OrgId>(0).is_ok_and(|org| ctx.scope.contains(org)))
        .ok_or_else(AlertId::missing)?;
    let (tenant, incident, version, before): (OrgId, IncidentId, i64, String) =
        (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
    ctx.require(Role::Manager, "take care of alerts")?;
    if if_match.is_some() {
        Error::check_version(if_match, version)?;
    }
    if before == "resolved" {
        return Err(Error::conflict("it is over already"));
    }
    let owner = ctx.actor.name().to_owned();
    let note = crate::devices::fold::clean(note);
    tx.execute(&sql::ACKNOWLEDGE, &params![tenant, incident, state, &owner, ctx.now, until, note.as_ref()]).await?;
    let device: DeviceId = row.get(4)?;
    let data = json!({ "incident": incident, "cause": row.get::<String>(5)?, "devices": [device], "owner": owner, "until": until });
    let kind = if state == "snoozed" { "incident.snoozed" } else { "incident.acknowledged" };
    crate::events::emit(&mut tx, ctx, tenant, kind, ("incident", incident.to_string()), data).await?;
    let after = json!({ "state": state, "owner": owner, "until": until, "note": note });
    let change = Change::new(tenant, state, "incident", incident).before(json!({ "state": before })).after(after);
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
            let data = json!({ "incident": id, "woken_by": "time" });
            crate::events::emit(&mut tx, ctx, tenant, "incident.opened", ("incident", id.to_string()), data).await?;
            woken += 1;
        }
    }
    tx.commit().await?;
    Ok(woken)
}

/// An agent is not heard: one incident for all of its devices.
pub(crate) async fn agent_is_gone(tx: &mut Tx, ctx: &Ctx, tenant: OrgId, agent: AgentId, devices: u64) -> Result<()> {
    if tx.query_opt(&sql::INCIDENT_OF_AGENT, &params![tenant, agent]).await?.is_some() {
        return Ok(());
    }
    let id = IncidentId::new(ctx.ids());
    let cause = "an agent is off line; nothing can be said of its devices";
    let values = params![
        tenant,
        id,
        1_i64,
        "open",
        Value::Null,
        agent,
        "platen-agent-offline",
        "critical",
        cause,
        ctx.now,
        Value::Null,
        audience("platen-agent-offline")
    ];
    tx.execute(&sql::INCIDENT, &values).await?;
    let data = json!({ "incident": id, "cause": "platen-agent-offline", "agent": agent, "devices": devices });
    crate::events::emit(tx, ctx, tenant, "incident.opened", ("incident", id.to_string()), data).await?;
    Ok(())
}

/// The agent that asks is heard: its incident is over, and its devices get their time to be heard too.
pub(crate) async fn agent_is_back(tx: &mut Tx, ctx: &Ctx, agent: AgentId) -> Result<()> {
    let rows = tx.query(&sql::RESOLVE_AGENT, &params![ctx.home, agent, ctx.now]).await?;
    for row in rows {
        let id: IncidentId = row.get(0)?;
        tx.execute(&sql::GRACE, &params![ctx.home, agent, ctx.now]).await?;
        let data = json!({ "incident": id, "cause": "platen-agent-offline", "agent": agent });
        crate::events::emit(tx, ctx, ctx.home, "incident.resolved", ("incident", id.to_string()), data).await?;
    }
    Ok(())
}

/// A device is retired: nothing stands on it any more.
pub(crate) async fn close_all_of(tx: &mut Tx, ctx: &Ctx, tenant: OrgId, device: DeviceId) -> Result<()> {
    let values = params![tenant, device, ctx.now];
    tx.execute(&sql::CLOSE_ALERTS, &values).await?;
    tx.execute(&sql::CLOSE_INCIDENTS, &values).await?;
    Ok(())
}
