//! What an agent shall do: sealed in the database, shown to people without secrets, handed to the agent as a whole.

use serde_json::json;
use store::{Tx, params};
use wire::AgentPlan;
use wire::report::AgentBody;

use super::{rules, service, sql};
use crate::audit::{self, Change};
use crate::ctx::{Actor, Ctx, Role};
use crate::error::{Error, Kind, Result};
use crate::events;
use crate::ids::{AgentId, OrgId};
use crate::platform::Platform;
use crate::secrets::Place;

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
/// be the one that was seen.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope, `Stale` for an older revision, `Invalid` for what does not
/// fit.
pub async fn set_plan(ctx: &Ctx, agent: AgentId, plan: AgentPlan) -> Result<AgentPlan> {
    ctx.require(Role::Manager, "change plans of agents")?;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let org = service::tenant(ctx, &mut tx, agent).await?;
    let (old, state) = load(&mut tx, &ctx.platform, org, agent).await?;
    if state == "revoked" {
        return Err(Error::conflict("the agent was revoked"));
    }
    let seen = |revision| i64::try_from(revision).unwrap_or(i64::MAX);
    Error::check_version(Some(seen(plan.revision)), seen(old.revision))?;
    let new = AgentPlan { revision: old.revision + 1, ..rules::unmasked(plan, &old)? };
    rules::check(&new)?;
    let sealed = seal(&ctx.platform, org, agent, &new)?;
    tx.execute(&sql::SET_PLAN, &params![org, agent, sealed, seen(new.revision)]).await?;
    let data = json!({ "agent": agent, "revision": new.revision });
    events::emit(&mut tx, ctx, org, "agent.plan.changed", ("agent", agent.to_string()), data).await?;
    let change = Change::new(org, "planned", "agent", agent)
        .before(json!(rules::masked(old)))
        .after(json!(rules::masked(new.clone())));
    audit::record(&mut tx, ctx, change).await?;
    tx.commit().await?;
    Ok(rules::masked(new))
}

/// A sign of life, in the transaction of the report that brought it; returns the plan if the agent follows an older one.
///
/// # Errors
/// `Forbidden` unless an agent asks that is not revoked.
pub async fn heartbeat(
    tx: &mut Tx,
    ctx: &Ctx,
    body: Option<&AgentBody>,
    plan_revision: u64,
) -> Result<Option<AgentPlan>> {
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
            count(body.discovery_total)
        ];
        tx.execute(&sql::SAID, &values).await?;
    }
    match plan_revision == newest {
        true => Ok(None),
        false => Ok(Some(open(&ctx.platform, ctx.home, id, &row.get::<Vec<u8>>(0)?)?)),
    }
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
