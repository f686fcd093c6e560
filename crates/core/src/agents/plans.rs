//! What an agent shall do: sealed in the database, shown to people without secrets, handed to the agent as a whole.

use serde_json::json;
use store::{Tx, params};
use wire::AgentPlan;
use wire::report::AgentBody;

use super::import::{self, Fate, Format, Preview};
use super::{rules, service, sql};
use crate::audit::{self, Change};
use crate::ctx::{Actor, Ctx, Role};
use crate::error::{Error, Kind, Result};
use crate::events;
use crate::ids::{AgentId, OrgId};
use crate::platform::Platform;
use crate::secrets::Place;
use crate::time::Micros;

/// The plan of an agent: whole for the agent itself, with [`rules::MASK`] in place of secrets for people.
///
/// # Errors
/// `NotFound` outside the scope, and for an agent that asks for another's.
pub async fn plan(ctx: &Ctx, agent: AgentId) -> Result<AgentPlan> {
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let org = service::tenant(ctx, &mut tx, agent).await?;
    let own = matches!(ctx.actor, Actor::Agent { id } if id == agent);
    if !own {
        ctx.require(Role::User, "see the plan of another agent").map_err(|_| AgentId::missing())?;
    }
    let plan = load(&mut tx, &ctx.platform, org, agent).await?.0;
    Ok(if own { plan } else { rules::masked(plan) })
}

/// Changes the plan; secrets that come back as [`rules::MASK`] stay. The revision is counted here; the one in `plan` must
/// be the one that was seen. Without a time zone it gets that of the organisation.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope, `Stale` for an older revision, `Invalid` for what does not
/// fit.
pub async fn set_plan(ctx: &Ctx, agent: AgentId, plan: AgentPlan) -> Result<AgentPlan> {
    ctx.require(Role::Manager, "change plans of agents")?;
    let edit = Edit::begin(ctx, agent).await?;
    Error::check_version(Some(seen(plan.revision)), seen(edit.old.revision))?;
    let new = rules::unmasked(plan, &edit.old)?;
    edit.replace(ctx, new).await
}

/// What a list would change in the plan of an agent; nothing is changed.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope, `Invalid` for a list that cannot be read.
pub async fn preview_list(ctx: &Ctx, agent: AgentId, list: &[u8], format: Option<Format>) -> Result<Preview> {
    ctx.require(Role::Manager, "change plans of agents")?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let org = service::tenant(ctx, &mut tx, agent).await?;
    let plan = load(&mut tx, &ctx.platform, org, agent).await?.0;
    Ok(import::merge(import::read(list, format)?, &plan).0)
}

/// Adds the places of a list to the plan of an agent. Doing so twice changes nothing the second time. A list with lines
/// that cannot be used is taken without them: the preview told of them.
///
/// # Errors
/// As [`preview_list`]; `Invalid` when the plan would name too many places.
pub async fn import_list(ctx: &Ctx, agent: AgentId, list: &[u8], format: Option<Format>) -> Result<Preview> {
    ctx.require(Role::Manager, "change plans of agents")?;
    let list = import::read(list, format)?;
    let edit = Edit::begin(ctx, agent).await?;
    let (preview, targets) = import::merge(list, &edit.old);
    if preview.lines.iter().all(|line| matches!(line.fate, Fate::Known | Fate::Forbidden)) {
        edit.tx.commit().await?;
        return Ok(preview);
    }
    let plan = AgentPlan { targets, ..edit.old.clone() };
    edit.replace(ctx, plan).await?;
    Ok(preview)
}

/// Asks an agent to discover now, whatever its hours.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope.
pub async fn discover_now(ctx: &Ctx, agent: AgentId) -> Result<AgentPlan> {
    ctx.require(Role::Manager, "change plans of agents")?;
    let edit = Edit::begin(ctx, agent).await?;
    let plan = AgentPlan { asked: edit.old.asked.wrapping_add(1), ..edit.old.clone() };
    edit.replace(ctx, plan).await
}

fn seen(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}

/// A change of a plan that is under way.
struct Edit {
    tx: Tx,
    org: OrgId,
    agent: AgentId,
    old: AgentPlan,
}

impl Edit {
    async fn begin(ctx: &Ctx, agent: AgentId) -> Result<Self> {
        let mut tx = ctx.db().write(&ctx.scope.view()).await?;
        let org = service::tenant(ctx, &mut tx, agent).await?;
        let (old, state) = load(&mut tx, &ctx.platform, org, agent).await?;
        if state == "revoked" {
            return Err(Error::conflict("the agent was revoked"));
        }
        Ok(Self { tx, org, agent, old })
    }

    async fn replace(mut self, ctx: &Ctx, plan: AgentPlan) -> Result<AgentPlan> {
        let (org, agent) = (self.org, self.agent);
        let mut new = AgentPlan { revision: self.old.revision + 1, ..plan };
        if new.zone.is_empty() {
            new.zone =
                self.tx.query_opt(&sql::ORG_ZONE, &params![org]).await?.map_or(Ok(String::new()), |row| row.get(0))?;
        }
        rules::check(&new)?;
        let sealed = seal(&ctx.platform, org, agent, &new)?;
        self.tx.execute(&sql::SET_PLAN, &params![org, agent, sealed, seen(new.revision)]).await?;
        let data = json!({ "agent": agent, "revision": new.revision });
        events::emit(&mut self.tx, ctx, org, "agent.plan.changed", ("agent", agent.to_string()), data).await?;
        let change = Change::new(org, "planned", "agent", agent).before(audited(self.old)).after(audited(new.clone()));
        audit::record(&mut self.tx, ctx, change).await?;
        self.tx.commit().await?;
        Ok(rules::masked(new))
    }
}

/// A plan as the audit keeps it: without secrets, and with the number of its single places in place of thousands of lines.
fn audited(plan: AgentPlan) -> serde_json::Value {
    let many = plan.targets.len() > 64;
    let count = plan.targets.len();
    let mut told = json!(rules::masked(plan));
    if many {
        told["targets"] = json!({ "count": count });
    }
    told
}

/// What the answer to an agent's report shall carry.
#[derive(Clone, Debug, Default)]
pub struct Beat {
    /// The plan, if the agent follows an older one.
    pub plan: Option<AgentPlan>,
    /// Orders wait for it, or for its answer.
    pub orders: bool,
    /// Number of the newest key of the gateway that it knows; 0: none.
    pub key: i64,
}

/// A sign of life, in the transaction of the report that brought it.
///
/// # Errors
/// `Forbidden` unless an agent asks that is not revoked.
pub async fn heartbeat(tx: &mut Tx, ctx: &Ctx, body: Option<&AgentBody>, plan_revision: u64) -> Result<Beat> {
    let id = ctx.require_agent()?;
    let revoked = || Error::new(Kind::Forbidden, "this agent was revoked");
    let row = tx.query_opt(&sql::PLAN, &params![ctx.home, id]).await?.ok_or_else(revoked)?;
    let (newest, state): (u64, String) = (row.get(1)?, row.get(2)?);
    let followed = i64::try_from(plan_revision).unwrap_or(i64::MAX);
    if tx.execute(&sql::SEEN, &params![ctx.home, id, ctx.now, followed]).await? == 0 {
        return Err(revoked());
    }
    if state == "offline" {
        let data = json!({ "agent": id });
        events::emit(tx, ctx, ctx.home, "agent.online", ("agent", id.to_string()), data).await?;
    }
    if let Some(body) = body {
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let values = params![
            ctx.home,
            id,
            rules::told(&body.version, 40),
            count(body.devices),
            count(body.unreachable),
            count(body.outbox_depth),
            count(body.discovery_probed),
            count(body.discovery_total),
            count(body.discovery_found),
            Micros::from_millis(body.discovery_next_ms.max(0)),
            i64::from(body.gateway_key)
        ];
        tx.execute(&sql::SAID, &values).await?;
        let told = twentieths(body.discovery_probed, body.discovery_total);
        if told != twentieths(row.get(3)?, row.get(4)?) {
            let data = json!({ "agent": id, "probed": body.discovery_probed, "total": body.discovery_total });
            events::emit(tx, ctx, ctx.home, "agent.discovery.progressed", ("agent", id.to_string()), data).await?;
        }
    }
    let plan = match plan_revision == newest {
        true => None,
        false => Some(open(&ctx.platform, ctx.home, id, &row.get::<Vec<u8>>(0)?)?),
    };
    let key = body.map_or_else(|| row.get(5), |body| Ok(i64::from(body.gateway_key)))?;
    Ok(Beat { plan, orders: row.get::<i64>(6)? > 0, key })
}

/// Whose agent it is and what it follows, for one that takes orders.
pub(crate) async fn for_orders(ctx: &Ctx, tx: &mut Tx, agent: AgentId) -> Result<(OrgId, AgentPlan)> {
    let org = service::tenant(ctx, tx, agent).await?;
    let row = tx.query_opt(&sql::PLAN, &params![org, agent]).await?.ok_or_else(AgentId::missing)?;
    match (row.get::<String>(2)?.as_str(), row.get::<i64>(5)?) {
        ("revoked", _) => Err(Error::conflict("this agent was revoked")),
        (_, 0) => Err(Error::conflict("this agent takes no orders: it is too old, or began a moment ago")),
        _ => Ok((org, open(&ctx.platform, org, agent, &row.get::<Vec<u8>>(0)?)?)),
    }
}

/// How far a discovery has come: open pages are told when this changes, and not with each sign of life.
fn twentieths(probed: u64, total: u64) -> Option<u64> {
    Some(probed.saturating_mul(20).checked_div(total)?.min(20))
}

/// The whole plan and the state of the agent.
pub(super) async fn load(tx: &mut Tx, platform: &Platform, org: OrgId, agent: AgentId) -> Result<(AgentPlan, String)> {
    let row = tx.query_opt(&sql::PLAN, &params![org, agent]).await?.ok_or_else(AgentId::missing)?;
    Ok((open(platform, org, agent, &row.get::<Vec<u8>>(0)?)?, row.get(2)?))
}

pub(super) fn seal(platform: &Platform, org: OrgId, agent: AgentId, plan: &AgentPlan) -> Result<Vec<u8>> {
    let row = agent.to_string();
    platform.sealer().seal(platform.ids(), place(org, &row), &wire::cbor::encode(plan))
}

fn open(platform: &Platform, org: OrgId, agent: AgentId, sealed: &[u8]) -> Result<AgentPlan> {
    let row = agent.to_string();
    let plain = platform.sealer().open(place(org, &row), sealed)?;
    wire::cbor::decode(&plain).map_err(|error| Error::internal("a stored plan does not read").with_source(error))
}

fn place(org: OrgId, row: &str) -> Place<'_> {
    Place { table: "agents", column: "plan_sealed", tenant: org, row }
}
