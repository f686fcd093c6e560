//! Orders to one device of the fleet, by whichever way it has.

use serde::Serialize;
use store::params;

use super::{CommandId, CommandRow, GivenBy, Periods, UnitId, Way, Wish, book, periods, roads, rules, sql};
use crate::audit::{self, Change};
use crate::ctx::{Ctx, Role};
use crate::devices::{DeviceId, tenant_in};
use crate::error::{Error, Result};

/// What people see of the orders of a device.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceOrders {
    /// How orders reach it; `None`: not at all.
    pub way: Option<Way>,
    /// Why it can report now not at all; `None`: it can.
    pub hindered: Option<&'static str>,
    /// Its agent was not heard of for minutes, so that orders wait.
    pub away: bool,
    /// How often its agent looks at it, where a person set it.
    pub periods: Periods,
    /// The last 100, newest first.
    pub orders: Vec<CommandRow>,
}

/// Gives an order to a device.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope, `Invalid` for what no device can do, `Conflict` for what this one
/// cannot, or when no way leads there; the message says why.
pub async fn order_device(ctx: &Ctx, device: DeviceId, wish: &Wish, life_ms: i64) -> Result<CommandId> {
    ctx.require(Role::Manager, "give orders to devices")?;
    rules::check(wish, life_ms)?;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let org = tenant_in(ctx, &mut tx, device).await?;
    let gone = || Error::conflict("this device was retired");
    let found = roads::find(&mut tx, org, UnitId(device.0)).await?.ok_or_else(gone)?;
    let by = GivenBy { id: &ctx.actor.id(), name: ctx.actor.name(), task: None };
    let id = rules::give_by(&mut tx, ctx, &found, wish, life_ms, &by).await?;
    tx.commit().await?;
    if let Ok(Way::Own(monitor, _)) = found.way {
        // So that its next report is answered with it.
        ctx.platform.known().forget(monitor);
    }
    Ok(id)
}

/// The orders of a device, and how they reach it.
///
/// # Errors
/// `NotFound` outside the scope.
pub async fn of_device(ctx: &Ctx, device: DeviceId) -> Result<DeviceOrders> {
    ctx.require(Role::User, "see orders")?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let org = tenant_in(ctx, &mut tx, device).await?;
    let rows = tx.query(&sql::OF_DEVICE, &params![org, device, 100]).await?;
    let found = roads::find(&mut tx, org, UnitId(device.0)).await?;
    let now = Wish::ReportNow { kinds: Vec::new() };
    Ok(DeviceOrders {
        way: found.as_ref().and_then(|found| found.way.ok()),
        hindered: found.as_ref().map_or(Some("it was retired"), |found| found.way_of(&now).err()),
        away: found.is_some_and(|found| found.away),
        periods: periods::get(&mut tx, org, device).await?,
        orders: rows.iter().map(book::read).collect::<Result<_>>()?,
    })
}

/// Takes an order back; one that was fetched may have been executed already.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope, `Conflict` when it has ended.
pub async fn cancel_of_device(ctx: &Ctx, device: DeviceId, command: CommandId) -> Result<()> {
    ctx.require(Role::Manager, "cancel orders")?;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let org = tenant_in(ctx, &mut tx, device).await?;
    if !book::take_back(&mut tx, ctx, org, UnitId(device.0), command).await? {
        return Err(Error::conflict("this order has ended already, or is none of this device"));
    }
    audit::record(&mut tx, ctx, Change::new(org, "cancelled", "command", command)).await?;
    Ok(tx.commit().await?)
}
