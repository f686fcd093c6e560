//! Orders to a registered device: given, seen and taken back by its registration.

use store::params;
use wire::command::{MAX_LIFE_MS, What};

use super::{Monitor, MonitorId, registry, rules, sql};
use crate::ctx::{Ctx, Role};
use crate::error::{Error, Result};
use crate::ids::{AgentId, OrgId};
use crate::orders::{self, CommandId, CommandRow, GivenBy, Whom};

/// Gives an order to a registered device; it lives for `life_ms` (a minute to seven days).
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope, `Invalid` for a life outside its bounds, `Conflict` for a device
/// that only sends mail and would never fetch it.
pub async fn order(ctx: &Ctx, monitor: MonitorId, what: What, life_ms: i64) -> Result<CommandId> {
    ctx.require(Role::Manager, "give orders to devices")?;
    if !(60_000..=MAX_LIFE_MS).contains(&life_ms) {
        return Err(Error::invalid("life", "an order lives for a minute to seven days"));
    }
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let org = registry::tenant(ctx, &mut tx, monitor).await?;
    let road: Option<String> = tx.query_one(&sql::ROAD, &params![org, monitor]).await?.get(0)?;
    if let Some(road) = road.as_deref().and_then(rules::road_of) {
        rules::fetches(road).map_err(Error::conflict)?;
    }
    let by = GivenBy { id: &ctx.actor.id(), name: ctx.actor.name(), task: None };
    let id = orders::give(&mut tx, ctx, (org, Whom::Monitor(monitor)), what, life_ms, &by).await?;
    tx.commit().await?;
    // So that the next report is answered with it.
    ctx.platform.known().forget(monitor);
    Ok(id)
}

/// Why a device gets no orders by its road; `None`: it fetches them.
#[must_use]
pub fn hindered(monitor: &Monitor) -> Option<&'static str> {
    monitor.road.and_then(|road| rules::fetches(road).err())
}

/// The last 100 orders to a device, newest first.
///
/// # Errors
/// `NotFound` outside the scope.
pub async fn commands(ctx: &Ctx, monitor: MonitorId) -> Result<Vec<CommandRow>> {
    ctx.require(Role::User, "see orders")?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let org: OrgId = registry::tenant(ctx, &mut tx, monitor).await?;
    orders::of_target(&mut tx, org, AgentId(monitor.0)).await
}

/// Takes an order back; one that was fetched may have been executed already.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope, `Conflict` when it has ended.
pub async fn cancel(ctx: &Ctx, monitor: MonitorId, command: CommandId) -> Result<()> {
    ctx.require(Role::Manager, "cancel orders")?;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let org = registry::tenant(ctx, &mut tx, monitor).await?;
    orders::cancel_one(&mut tx, ctx, org, Whom::Monitor(monitor), command).await?;
    Ok(tx.commit().await?)
}
