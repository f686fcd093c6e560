//! What people may ask of agents: list, look at, rename, revoke.

use serde::Serialize;
use serde_json::json;
use store::{Row, Sql, Tx, params};

use super::{Agent, AgentState, sql};
use crate::audit::{self, Change};
use crate::ctx::{Ctx, Role};
use crate::error::{Error, Result};
use crate::events;
use crate::filter::{Field, FieldKind, Filter};
use crate::ids::{AgentId, OrgId};
use crate::orgs;
use crate::page::{Key, Page, PageQuery, Sort};
use crate::time::Micros;

const BY_NAME: Sort = Sort { name: "agents.name", keys: &[Key::up("a.name"), Key::up("a.id")] };

/// Fields of the filter of [`list`].
pub const FIELDS: &[Field] = &[
    Field::new("name", "a.name", FieldKind::Text),
    Field::new("host", "a.host", FieldKind::Text),
    Field::new("state", "a.state", FieldKind::Word(&["online", "offline", "revoked"])),
    Field::new("program", "a.version_text", FieldKind::Text),
    Field::new("org", "a.tenant", FieldKind::Org),
    Field::new("last_seen_at", "a.last_seen_at", FieldKind::Time),
];

/// Which agents.
#[derive(Clone, Debug, Default)]
pub struct AgentQuery {
    /// Condition over `name host state program org last_seen_at`.
    pub filter: Option<Filter>,
    /// Which page; by name.
    pub page: PageQuery,
}

/// How many agents there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AgentCounts {
    /// Heard of within three minutes.
    pub online: u64,
    /// Silent.
    pub offline: u64,
    /// Revoked.
    pub revoked: u64,
}

/// Agents of the visible organisations.
///
/// # Errors
/// `Invalid` for a filter or cursor that does not fit.
pub async fn list(ctx: &Ctx, query: &AgentQuery) -> Result<Page<Agent>> {
    ctx.require(Role::User, "see agents")?;
    let limit = query.page.limit()?;
    let mut values = Vec::new();
    let mut conditions = vec![ctx.scope.condition("a", &mut values)];
    if let Some(filter) = &query.filter {
        conditions.push(filter.to_sql(FIELDS, &mut values)?);
    }
    let counted = (conditions.join(" and "), values.clone());
    conditions.push(BY_NAME.after(query.page.after.as_deref(), &mut values)?);
    let text =
        format!("{} where {} order by {} limit {}", sql::LIST, conditions.join(" and "), BY_NAME.order(), limit + 1);
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let rows = tx.query(&Sql::built_as("agents list", text), &values).await?;
    let mut page = BY_NAME.page(rows, limit, read)?;
    if query.page.count {
        let text = format!("select count(*) from agents a where {}", counted.0);
        page.count = Some(tx.query_one(&Sql::built_as("agents count", text), &counted.1).await?.get(0)?);
    }
    Ok(page)
}

/// How many agents of the visible organisations are there.
///
/// # Errors
/// When the database refuses.
pub async fn counts(ctx: &Ctx) -> Result<AgentCounts> {
    ctx.require(Role::User, "see agents")?;
    let mut values = Vec::new();
    let condition = ctx.scope.condition("a", &mut values);
    let text = format!("select a.state, count(*) from agents a where {condition} group by a.state");
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let mut counts = AgentCounts::default();
    for row in tx.query(&Sql::built_as("agents counts", text), &values).await? {
        match row.get::<String>(0)?.as_str() {
            "online" => counts.online = row.get(1)?,
            "offline" => counts.offline = row.get(1)?,
            _ => counts.revoked = row.get(1)?,
        }
    }
    Ok(counts)
}

/// One agent.
///
/// # Errors
/// `NotFound` outside the scope.
pub async fn get(ctx: &Ctx, agent: AgentId) -> Result<Agent> {
    ctx.require(Role::User, "see agents")?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let org = tenant(ctx, &mut tx, agent).await?;
    find(&mut tx, org, agent).await
}

/// Gives an agent another name.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope, `PreconditionRequired` and `Stale` by `if_match`.
pub async fn rename(ctx: &Ctx, agent: AgentId, name: &str, if_match: Option<i64>) -> Result<Agent> {
    ctx.require(Role::Manager, "rename agents")?;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let org = tenant(ctx, &mut tx, agent).await?;
    let old = find(&mut tx, org, agent).await?;
    Error::check_version(if_match, old.version)?;
    let name = orgs::rules::name("name", name)?;
    tx.execute(&sql::RENAME, &params![org, agent, &name]).await?;
    let change =
        Change::new(org, "renamed", "agent", agent).before(json!({ "name": old.name })).after(json!({ "name": name }));
    audit::record(&mut tx, ctx, change).await?;
    let new = find(&mut tx, org, agent).await?;
    tx.commit().await?;
    Ok(new)
}

/// Makes an agent's key worthless, from the next request on. Revoking twice is no error.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope.
pub async fn revoke(ctx: &Ctx, agent: AgentId) -> Result<()> {
    ctx.require(Role::Manager, "revoke agents")?;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let org = tenant(ctx, &mut tx, agent).await?;
    let old = find(&mut tx, org, agent).await?;
    if old.state == AgentState::Revoked {
        return Ok(tx.commit().await?);
    }
    tx.execute(&sql::REVOKE, &params![org, agent]).await?;
    let data = json!({ "agent": agent });
    events::emit(&mut tx, ctx, org, "agent.revoked", ("agent", agent.to_string()), data).await?;
    let change = Change::new(org, "revoked", "agent", agent).before(json!({ "state": old.state, "name": old.name }));
    audit::record(&mut tx, ctx, change).await?;
    tx.commit().await?;
    ctx.platform.agent_keys().lock().remove(&agent.into());
    Ok(())
}

/// Whose agent it is, if that organisation is visible.
pub(crate) async fn tenant(ctx: &Ctx, tx: &mut Tx, agent: AgentId) -> Result<OrgId> {
    let row = tx.query_opt(&sql::TENANT, &params![agent]).await?.ok_or_else(AgentId::missing)?;
    let org = row.get(0)?;
    ctx.scope.require(org, AgentId::NOUN)?;
    Ok(org)
}

async fn find(tx: &mut Tx, org: OrgId, agent: AgentId) -> Result<Agent> {
    let row = tx.query_opt(&sql::GET, &params![org, agent]).await?;
    row.as_ref().map(read).transpose()?.ok_or_else(AgentId::missing)
}

fn read(row: &Row) -> Result<Agent> {
    let state = match row.get::<String>(5)?.as_str() {
        "online" => AgentState::Online,
        "offline" => AgentState::Offline,
        _ => AgentState::Revoked,
    };
    let mut key: String = row.get(6)?;
    key.truncate(16);
    Ok(Agent {
        org: row.get(0)?,
        id: row.get(1)?,
        name: row.get(2)?,
        host: row.get(3)?,
        program: row.get(4)?,
        state,
        key,
        plan_revision: row.get(7)?,
        plan_followed: row.get(8)?,
        enrolled_at: row.get(9)?,
        last_seen_at: row.get(10)?,
        devices: row.get(11)?,
        unreachable: row.get(12)?,
        outbox_depth: row.get(13)?,
        discovery_probed: row.get(14)?,
        discovery_total: row.get(15)?,
        version: row.get(16)?,
        discovery_found: row.get(17)?,
        discovery_next_at: Some(row.get(18)?).filter(|at: &Micros| at.0 > 0),
    })
}
