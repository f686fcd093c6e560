//! Sums of usage, made again from readings and segments alone: what tests compare with, and the way back after a fault.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use store::{Tx, params};

use super::calendar::Grain;
use super::intake::zone_of;
use super::sql;
use crate::devices::DeviceId;
use crate::error::Result;
use crate::{Ctx, OrgId};

/// Usage of one device by (grain, bucket, meter): usage and number of readings.
pub type Sums = BTreeMap<(i64, i64, i64), (i64, i64)>;

/// The sums of a device, made from its readings and segments alone.
pub(super) async fn from_readings(tx: &mut Tx, tenant: OrgId, device: DeviceId, zone: &TimeZone) -> Result<Sums> {
    let mut openings: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    for row in tx.query(&sql::SEGMENTS, &params![tenant, device]).await? {
        openings.insert((row.get(0)?, row.get(1)?), row.get(4)?);
    }
    let mut sums = Sums::new();
    let mut last: BTreeMap<(i64, i64), i64> = openings;
    for row in tx.query(&sql::ALL_READINGS, &params![tenant, device]).await? {
        let (meter, at, value, segment): (i64, i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let before = last.insert((meter, segment), value).unwrap_or(value);
        for grain in Grain::STORED {
            let sum = sums.entry((grain.number(), grain.bucket(at, zone), meter)).or_default();
            *sum = (sum.0 + value - before, sum.1 + 1);
        }
    }
    Ok(sums)
}

/// Throws the sums of a device away and makes them again from its readings. Returns what they were and what they are.
///
/// # Errors
/// `NotFound` when the device is not visible.
pub async fn rebuild_usage(ctx: &Ctx, device: DeviceId) -> Result<(Sums, Sums)> {
    let tenant = crate::devices::tenant_of(ctx, device).await?;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let zone = zone_of(&mut tx, tenant).await?;
    let mut before = Sums::new();
    for row in tx.query(&sql::USAGE_OF, &params![tenant, device]).await? {
        before.insert((row.get(0)?, row.get(1)?, row.get(2)?), (row.get(3)?, row.get(4)?));
    }
    let after = from_readings(&mut tx, tenant, device, &zone).await?;
    tx.execute(&sql::DROP_USAGE, &params![tenant, device]).await?;
    let rows = after.iter().map(|((grain, bucket, meter), (delta, count))| {
        Vec::from(params![tenant, device, *grain, *bucket, *meter, *delta, *count])
    });
    tx.many(&sql::USAGE, rows.collect()).await?;
    tx.commit().await?;
    Ok((before, after))
}
