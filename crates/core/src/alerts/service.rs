//! Alerts for people: lists; and what the silence of agents and the end of devices mean for them.

use serde_json::json;
use store::{Row, Sql, Tx, Value, params};

use super::rules::audience;
use super::{AlertRow, IncidentId, sql};
use crate::devices::DeviceId;
use crate::devices::rules::phrase;
use crate::error::Result;
use crate::filter::{Field, FieldKind, Filter};
use crate::page::{Key, Page, PageQuery, Sort};
use crate::{AgentId, Ctx, OrgId};

/// Fields of the filter of [`list`].
pub const FIELDS: &[Field] = &[
    Field::new("severity", "a.severity", FieldKind::Word(&["critical", "warning", "other"])),
    Field::new("reason", "a.reason", FieldKind::Text),
    Field::new("group", "a.grp", FieldKind::Text),
    Field::new("device", "a.device", FieldKind::Text),
    Field::new("org", "a.tenant", FieldKind::Org),
    Field::new("source", "a.source", FieldKind::Word(&["device", "trap", "event", "platen"])),
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

pub(super) fn title(reason: &str) -> String {
    match reason {
        "platen-silent" => "not heard".to_owned(),
        "platen-agent-offline" => "agent off line".to_owned(),
        super::storm::REASON => "devices not heard together".to_owned(),
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

/// The alerts of an incident, those that stand first, then the worst; at most `most`.
pub(super) async fn of_incident(ctx: &Ctx, tx: &mut Tx, incident: IncidentId, most: i64) -> Result<Vec<AlertRow>> {
    let mut params = Vec::new();
    let scope = ctx.scope.condition("a", &mut params);
    params.push(incident.into());
    let incident = params.len();
    params.push(most.into());
    let text = format!(
        "select {COLUMNS} from {TABLES} where {scope} and a.incident = ${incident} \
         order by case when a.cleared_at is null then 0 else 1 end, {} limit ${}",
        WORST.order(),
        params.len()
    );
    tx.query(&Sql::built_as("alerts::of_incident", text), &params).await?.iter().map(read).collect()
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

/// An agent is not heard: one incident for all of its devices.
pub(crate) async fn agent_is_gone(tx: &mut Tx, ctx: &Ctx, tenant: OrgId, agent: AgentId, devices: u64) -> Result<()> {
    if tx.query_opt(&sql::INCIDENT_OF_AGENT, &params![tenant, agent]).await?.is_some() {
        return Ok(());
    }
    let words = "an agent is off line; nothing can be said of its devices";
    open_of_agent(tx, ctx, (tenant, agent), "platen-agent-offline", words, devices).await?;
    Ok(())
}

/// Opens an incident without alerts of its own: what befell so many devices of an agent at once, from one cause.
pub(super) async fn open_of_agent(
    tx: &mut Tx,
    ctx: &Ctx,
    (tenant, agent): (OrgId, AgentId),
    reason: &str,
    words: &str,
    devices: u64,
) -> Result<IncidentId> {
    let id = IncidentId::new(ctx.ids());
    let values = params![
        tenant,
        id,
        1_i64,
        "open",
        Value::Null,
        agent,
        reason,
        "critical",
        words,
        ctx.now,
        Value::Null,
        audience(reason)
    ];
    tx.execute(&sql::INCIDENT, &values).await?;
    let data = json!({ "incident": id, "cause": reason, "agent": agent, "devices": devices });
    crate::events::emit(tx, ctx, tenant, "incident.opened", ("incident", id.to_string()), data).await?;
    Ok(id)
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
