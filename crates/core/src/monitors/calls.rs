//! The road on which the server calls: whom it shall call now, from where that device last called itself, and how calls went.

use std::net::IpAddr;

use store::{View, params};
use wire::Subject;
use wire::command::{Command, Order};

use super::MonitorId;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::ids::OrgId;
use crate::orders::{self, CommandId};
use crate::platform::Platform;

store::sql! {
    TOLD = "insert into monitor_calls as known (tenant, monitor, peer, told_at, failures, next_at)
        values ($1, $2, $3, $4, 0, 0)
        on conflict (tenant, monitor) do update
        set peer = excluded.peer, told_at = excluded.told_at, failures = 0, next_at = 0, fault = null";
    WAITING = "select distinct m.tenant, m.id, m.listener, k.peer
        from commands c
        join monitors m on m.tenant = c.tenant and m.id = c.target
        join monitor_calls k on k.tenant = m.tenant and k.monitor = m.id
        where c.state = 'queued' and c.expires_at > $1 and m.state = 'active' and m.road = 'https-both-ways'
          and m.listener is not null and k.next_at <= $1
        order by m.id
        limit $2";
    WENT = "update monitor_calls set failures = 0, next_at = 0, called_at = $3, fault = null where tenant = $1 and monitor = $2";
    FAILED = "update monitor_calls set failures = failures + 1, next_at = $4, called_at = $3, fault = $5
        where tenant = $1 and monitor = $2";
    FAILURES = "select k.failures from monitor_calls k where k.tenant = $1 and k.monitor = $2";
    BACK = "update commands set state = 'queued' where tenant = $1 and id = $2 and target = $3 and state = 'taken'";
}

/// First pause after a call that failed, and the longest, seconds.
const PAUSES: (i64, i64) = (15, 3_600);

/// A device with orders that shall be called.
#[derive(Clone, Debug)]
pub struct Callable {
    /// A request of that device, as if it had called.
    pub ctx: Ctx,
    /// Who it is.
    pub monitor: MonitorId,
    /// Its Ed25519 key; its listener must hold the other half.
    pub key: [u8; 32],
    /// Its listener, as it told: an https URL, not yet looked at.
    pub listener: String,
    /// The address that it called from when it told.
    pub peer: Option<IpAddr>,
}

/// Notes where a device called from that says it has a listener.
///
/// # Errors
/// When the database refuses.
pub async fn called_from(platform: &Platform, monitor: Subject, peer: IpAddr) -> Result<()> {
    let Some((_, ctx)) = super::key_of(platform, monitor).await? else { return Ok(()) };
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let values = params![ctx.home, MonitorId::from(monitor), peer.to_canonical().to_string(), ctx.now];
    tx.execute(&TOLD, &values).await?;
    Ok(tx.commit().await?)
}

/// At most `limit` devices that have a listener, orders, and no pause after a failure.
///
/// # Errors
/// When the database refuses.
pub async fn callable(platform: &Platform, limit: i64) -> Result<Vec<Callable>> {
    let now = platform.now();
    let mut tx = platform.db().read(&View::All("devices of all organisations are called")).await?;
    let rows = tx.query(&WAITING, &params![now, limit]).await?;
    drop(tx);
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let (_, monitor): (OrgId, MonitorId) = (row.get(0)?, row.get(1)?);
        if let Some((key, ctx)) = super::key_of(platform, monitor.into()).await? {
            let peer: String = row.get(3)?;
            found.push(Callable { ctx, monitor, key: key.0, listener: row.get(2)?, peer: peer.parse().ok() });
        }
    }
    Ok(found)
}

/// The orders for a device that is called. They count as fetched until [`failed`] says otherwise.
///
/// # Errors
/// When the database refuses.
pub async fn orders_for(called: &Callable) -> Result<Vec<Command>> {
    orders::pending(&called.ctx).await
}

/// The device has the orders.
///
/// # Errors
/// When the database refuses.
pub async fn went(called: &Callable) -> Result<()> {
    let (ctx, now) = (&called.ctx, called.ctx.platform.now());
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    tx.execute(&WENT, &params![ctx.home, called.monitor, now]).await?;
    Ok(tx.commit().await?)
}

/// The call failed: the orders wait again, the device is left alone for a while that doubles each time.
///
/// # Errors
/// When the database refuses.
pub async fn failed(called: &Callable, commands: &[Command], fault: &str) -> Result<()> {
    let (ctx, now) = (&called.ctx, called.ctx.platform.now());
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let row = tx.query_opt(&FAILURES, &params![ctx.home, called.monitor]).await?;
    let failures: i64 = row.map_or(Ok(0), |row| row.get(0))?;
    let fault = crate::agents::told(fault, 200);
    tx.execute(&FAILED, &params![ctx.home, called.monitor, now, now + pause(failures), fault]).await?;
    for command in commands {
        let Ok(order) = wire::cbor::decode::<Order>(&command.order) else { continue };
        let id = CommandId(uuid::Uuid::from_bytes(order.id.0));
        tx.execute(&BACK, &params![ctx.home, id, called.monitor]).await?;
    }
    Ok(tx.commit().await?)
}

fn pause(failures: i64) -> std::time::Duration {
    let doubled = PAUSES.0 << failures.clamp(0, 16);
    std::time::Duration::from_secs(u64::try_from(doubled.min(PAUSES.1)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let seconds: Vec<u64> = (0..10).map(|failures| pause(failures).as_secs()).collect();
        assert_eq!(seconds, [15, 30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]);
        assert_eq!(pause(i64::MAX).as_secs(), 3_600);
    }
}
