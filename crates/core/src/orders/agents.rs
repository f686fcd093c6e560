//! Orders to an agent for itself: read everything now, look for devices now, send its log.

use serde::{Deserialize, Serialize};
use store::{Sha256, params};
use wire::command::{MAX_LIFE_MS, What};

use super::{CommandId, CommandRow, GivenBy, Whom, book, sql};
use crate::agents;
use crate::ctx::{Ctx, Role};
use crate::diagnostics::{self, AgentLog};
use crate::error::{Error, Result};
use crate::ids::AgentId;

/// What an agent shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentWish {
    /// Read all its devices in full and tell what they say.
    ReportNow,
    /// Look for devices where its plan says, whatever the hours.
    Discover,
    /// Upload the end of its log.
    SendLog,
}

/// Gives an order to an agent.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope, `Invalid` for a life outside a minute to seven days, `Conflict` for
/// an agent that is revoked or takes no orders, and for a discovery where its plan names no place.
pub async fn order_agent(ctx: &Ctx, agent: AgentId, wish: AgentWish, life_ms: i64) -> Result<CommandId> {
    ctx.require(Role::Manager, "give orders to agents")?;
    if !(60_000..=MAX_LIFE_MS).contains(&life_ms) {
        return Err(Error::invalid("life_s", "an order lives for a minute to seven days"));
    }
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let (org, plan) = agents::for_orders(ctx, &mut tx, agent).await?;
    let what = match wish {
        AgentWish::ReportNow => What::ReportNow(Vec::new()),
        AgentWish::SendLog => What::SendLog,
        AgentWish::Discover if plan.ranges.is_empty() && plan.targets.is_empty() && plan.dns_sd.is_empty() => {
            return Err(Error::conflict("its plan names no place to look at"));
        }
        AgentWish::Discover => What::Discover,
    };
    let by = GivenBy { id: &ctx.actor.id(), name: ctx.actor.name(), task: None };
    let id = book::give(&mut tx, ctx, (org, Whom::Agent(agent)), what, life_ms, &by).await?;
    tx.commit().await?;
    Ok(id)
}

/// The last 100 orders to an agent for itself, newest first.
///
/// # Errors
/// `NotFound` outside the scope.
pub async fn of_agent(ctx: &Ctx, agent: AgentId) -> Result<Vec<CommandRow>> {
    ctx.require(Role::User, "see orders")?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let org = agents::tenant(ctx, &mut tx, agent).await?;
    tx.query(&sql::OF_AGENT, &params![org, agent, 100]).await?.iter().map(book::read).collect()
}

/// Takes an order back; one that was fetched may have been executed already.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope, `Conflict` when it has ended.
pub async fn cancel_of_agent(ctx: &Ctx, agent: AgentId, command: CommandId) -> Result<()> {
    ctx.require(Role::Manager, "cancel orders")?;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let org = agents::tenant(ctx, &mut tx, agent).await?;
    book::cancel_one(&mut tx, ctx, org, Whom::Agent(agent), command).await?;
    Ok(tx.commit().await?)
}

/// The logs that an agent uploaded and that are kept, newest first.
///
/// # Errors
/// `Forbidden` below manager: a log may name addresses of all its devices. `NotFound` outside the scope.
pub async fn logs_of_agent(ctx: &Ctx, agent: AgentId) -> Result<Vec<AgentLog>> {
    ctx.require(Role::Manager, "read logs of agents")?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let org = agents::tenant(ctx, &mut tx, agent).await?;
    diagnostics::logs_of(&mut tx, org, agent).await
}

/// The bytes of one of them.
///
/// # Errors
/// As [`logs_of_agent`]; `NotFound` when it uploaded no such log.
pub async fn log_of_agent(ctx: &Ctx, agent: AgentId, name: &str) -> Result<Vec<u8>> {
    let name: Sha256 = name.parse().map_err(|_| Error::not_found("log"))?;
    let known = logs_of_agent(ctx, agent).await?;
    if !known.iter().any(|log| log.sha256 == name.to_string()) {
        return Err(Error::not_found("log"));
    }
    Ok(ctx.platform.blobs().get(name).await?)
}
