//! What a monitor told of each kind and when it tells it next.

use serde::Serialize;
use serde_json::json;
use store::{Tx, params};
use wire::command::{MAX_LIFE_MS, What};
use wire::hello::Road;
use wire::monitor::Kind;
use wire::schedule::Schedule;

use super::{MonitorId, registry, rules, sql};
use crate::audit::{self, Change};
use crate::ctx::{Ctx, Role};
use crate::error::{Error, Result};
use crate::ids::OrgId;
use crate::orders::{self, GivenBy, Whom};
use crate::time::Micros;

/// One kind of one monitor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KindState {
    /// The kind.
    pub kind: Kind,
    /// Told once in so many seconds; `None`: as it happens.
    pub period_s: Option<u32>,
    /// Whether a person set that period.
    pub set: bool,
    /// When it is due next.
    pub next_at: Option<Micros>,
    /// When it was last told.
    pub said_at: Option<Micros>,
    /// Of when that was, by our clock.
    pub taken_at: Option<Micros>,
    /// Size of that message, bytes.
    pub size_bytes: i64,
    /// Messages of this kind so far.
    pub messages: i64,
}

/// All sixteen kinds of a monitor.
///
/// # Errors
/// `NotFound` outside the scope.
pub async fn kinds(ctx: &Ctx, id: MonitorId) -> Result<Vec<KindState>> {
    ctx.require(Role::User, "see registered devices")?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let org = registry::tenant(ctx, &mut tx, id).await?;
    let schedule = schedule(&mut tx, org, id).await?;
    let rows = tx.query(&sql::KINDS, &params![org, id]).await?;
    Kind::ALL
        .into_iter()
        .map(|kind| {
            let row = rows.iter().find(|row| row.get::<i64>(0).is_ok_and(|n| n == i64::from(kind.number())));
            let slot = schedule.slots.iter().find(|slot| slot.kind == kind);
            Ok(KindState {
                kind,
                period_s: slot.map(|slot| slot.period_s),
                set: row.map(|row| row.get::<Option<i64>>(1)).transpose()?.flatten().is_some(),
                next_at: slot.map(|slot| Micros(slot.next_after(ctx.now.as_millis() / 1_000) * 1_000_000)),
                said_at: row.map(|row| row.get(2)).transpose()?.flatten(),
                taken_at: row.map(|row| row.get(3)).transpose()?.flatten(),
                size_bytes: row.map_or(Ok(0), |row| row.get(4))?,
                messages: row.map_or(Ok(0), |row| row.get(5))?,
            })
        })
        .collect()
}

/// Sets how often a kind is told; `None`: as usual. The device learns it with the next answer that it gets,
/// one that fetches mail by an order, one that only sends mail from its next activation document or test by HTTPS.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope, `Invalid` for a period outside a minute to ninety days.
pub async fn set_period(ctx: &Ctx, id: MonitorId, kind: Kind, period_s: Option<u32>) -> Result<()> {
    ctx.require(Role::Manager, "change schedules")?;
    if period_s.is_some_and(|period| !rules::PERIODS.contains(&period)) {
        return Err(Error::invalid("period_s", "a period is a minute to ninety days"));
    }
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let org = registry::tenant(ctx, &mut tx, id).await?;
    set_period_in(&mut tx, ctx, (org, id), kind, period_s).await?;
    // Answers to mail do not exist, so that a device that fetches orders learns it by one.
    let road: Option<String> = tx.query_one(&sql::ROAD, &params![org, id]).await?.get(0)?;
    if road.as_deref().and_then(rules::road_of) == Some(Road::MailBothWays) {
        let schedule = schedule(&mut tx, org, id).await?;
        let by = GivenBy { id: &ctx.actor.id(), name: ctx.actor.name(), task: None };
        let what = What::Schedule(schedule);
        orders::queue(&mut tx, ctx, (org, Whom::Monitor(id)), what, MAX_LIFE_MS, &by).await?;
    }
    tx.commit().await?;
    ctx.platform.known().forget(id);
    Ok(())
}

/// Sets it in the transaction of the caller; orders to follow an older schedule are void.
pub(crate) async fn set_period_in(
    tx: &mut Tx,
    ctx: &Ctx,
    (org, id): (OrgId, MonitorId),
    kind: Kind,
    period_s: Option<u32>,
) -> Result<()> {
    tx.execute(&sql::PERIOD, &params![org, id, i64::from(kind.number()), period_s.map(i64::from)]).await?;
    tx.execute(&sql::BUMP_REVISION, &params![org, id]).await?;
    tx.execute(&sql::OLDER_SCHEDULES, &params![org, id, ctx.now]).await?;
    let change = Change::new(org, "set the schedule", "monitor", id);
    audit::record(tx, ctx, change.after(json!({ "kind": kind, "period_s": period_s }))).await
}

/// The settings inquiry: the schedule of the device that asks, if it follows another revision.
///
/// # Errors
/// `Forbidden` for anyone but a registered device.
pub async fn inquire(ctx: &Ctx, follows: u64) -> Result<Option<Schedule>> {
    let id = ctx.require_monitor()?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let schedule = schedule(&mut tx, ctx.home, id).await?;
    Ok((schedule.revision != follows).then_some(schedule))
}

/// The schedule that a monitor should follow.
pub(crate) async fn schedule(tx: &mut Tx, org: OrgId, id: MonitorId) -> Result<Schedule> {
    let revision: i64 = tx.query_one(&sql::REVISION, &params![org, id]).await?.get(0)?;
    let mut set = Vec::new();
    for row in tx.query(&sql::KINDS, &params![org, id]).await? {
        let (number, period): (i64, Option<i64>) = (row.get(0)?, row.get(1)?);
        let kind = u64::try_from(number).ok().and_then(Kind::of_number);
        let period = period.and_then(|period| u32::try_from(period).ok());
        set.extend(kind.zip(period));
    }
    // One salt an organisation: its fleet is even, and another's is laid out differently.
    let salt = org.0.as_u64_pair().1;
    Ok(rules::schedule(id.into(), salt, u64::try_from(revision).unwrap_or(0), &set))
}
