//! Meters of a device as they stand, and their segments.

use std::collections::HashMap;

use serde::Serialize;
use store::{Tx, params};

use super::calendar::Grain;
use super::intake::zone_of;
use super::{MeterNow, sql};
use crate::devices::{DeviceId, tenant_of};
use crate::error::Result;
use crate::{Ctx, Micros, OrgId};

/// The meters of a device with source, age and quality.
///
/// # Errors
/// `NotFound` when the device is not visible.
pub async fn current(ctx: &Ctx, device: DeviceId) -> Result<Vec<MeterNow>> {
    let tenant = tenant_of(ctx, device).await?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    current_in(&mut tx, tenant, device, ctx.now).await
}

pub(crate) async fn current_in(tx: &mut Tx, tenant: OrgId, device: DeviceId, now: Micros) -> Result<Vec<MeterNow>> {
    let zone = zone_of(tx, tenant).await?;
    let month = Grain::Month.bucket(now.0, &zone);
    let mut usage: [HashMap<i64, i64>; 2] = Default::default();
    for (map, month) in usage.iter_mut().zip([month, Grain::Month.previous(month)]) {
        for row in tx.query(&sql::MONTH_USAGE, &params![tenant, device, month]).await? {
            map.insert(row.get(0)?, row.get(1)?);
        }
    }
    let rows = tx.query(&sql::CURRENT, &params![tenant, device]).await?;
    rows.iter()
        .map(|row| {
            let id: i64 = row.get(0)?;
            Ok(MeterNow {
                id,
                function: row.get(1)?,
                color: row.get(2)?,
                size: row.get(3)?,
                sides: row.get(4)?,
                unit: row.get(5)?,
                source: row.get(6)?,
                name: row.get(7)?,
                role: row.get(8)?,
                value: row.get(13)?,
                read_at: row.get(15)?,
                quality: row.get(16)?,
                month: usage[0].get(&id).copied().unwrap_or(0),
                last_month: usage[1].get(&id).copied(),
            })
        })
        .collect()
}

/// A stretch of a counter without reset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Segment {
    /// Which meter.
    pub meter: i64,
    /// From 1.
    pub no: i64,
    /// start, rollover, reset, set_back, board_swap, jump, resumed, manual.
    pub reason: String,
    /// Since when.
    pub from_at: Micros,
    /// First value; negative after a rollover, counted on the new scale.
    pub first_value: i64,
    /// Newest reading of it.
    pub last_at: Micros,
    /// Its value.
    pub last_value: i64,
}

/// All segments of all meters of a device, the present ones last of each meter.
///
/// # Errors
/// `NotFound` when the device is not visible.
pub async fn segments(ctx: &Ctx, device: DeviceId) -> Result<Vec<Segment>> {
    let tenant = tenant_of(ctx, device).await?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let rows = tx.query(&sql::SEGMENTS, &params![tenant, device]).await?;
    rows.iter()
        .map(|row| {
            Ok(Segment {
                meter: row.get(0)?,
                no: row.get(1)?,
                reason: row.get(2)?,
                from_at: row.get(3)?,
                first_value: row.get(4)?,
                last_at: row.get(5)?,
                last_value: row.get(6)?,
            })
        })
        .collect()
}

/// The pages of the month begin at none for devices whose month is over; how many.
pub(crate) async fn begin_month(ctx: &Ctx, org: OrgId, month: i64) -> Result<u64> {
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let due: i64 = tx.query_one(&sql::OLD_MONTH, &params![org, month]).await?.get(0)?;
    drop(tx);
    if due == 0 {
        return Ok(0);
    }
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let begun = tx.execute(&sql::NEW_MONTH, &params![org, month]).await?;
    tx.commit().await?;
    Ok(begun)
}
