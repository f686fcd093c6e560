//! A reading that comes late is fitted between its neighbours: usage moves to an earlier bucket, the sum stays.
//! What does not fit is kept as suspect and counts for nothing. Sums can be made again from readings at will.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use store::{Row, Tx, Value, params};

use super::calendar::Grain;
use super::intake::{Late, zone_of};
use super::sql;
use crate::devices::DeviceId;
use crate::error::Result;
use crate::{Ctx, Micros, OrgId};

struct Neighbour {
    at: i64,
    value: i64,
    segment: i64,
}

fn neighbour(row: Option<Row>) -> Result<Option<Neighbour>> {
    row.map(|row| Ok(Neighbour { at: row.get(0)?, value: row.get(1)?, segment: row.get(2)? })).transpose()
}

/// How a late reading fits.
enum Fit {
    /// Between two readings of one segment, or at the end of a closed one: usage since the reading before.
    Within { segment: i64, delta: i64, take_back: bool, extends: bool },
    /// Before the first reading of all: the first segment opens earlier.
    Opens { delta: i64 },
    /// Not at all.
    Not { segment: i64 },
}

fn judge(late: &Late, before: Option<&Neighbour>, after: Option<&Neighbour>, after_is_fresh: bool) -> Fit {
    match (before, after) {
        (Some(b), Some(a)) if b.segment == a.segment && b.value <= late.value && late.value <= a.value => {
            Fit::Within { segment: b.segment, delta: late.value - b.value, take_back: true, extends: false }
        }
        (Some(b), Some(a))
            if b.segment != a.segment && after_is_fresh && late.value >= b.value && late.value - b.value < 50_000 =>
        {
            Fit::Within { segment: b.segment, delta: late.value - b.value, take_back: false, extends: true }
        }
        (None, Some(a)) if a.segment == 1 && late.value <= a.value => Fit::Opens { delta: a.value - late.value },
        (Some(n), _) | (None, Some(n)) => Fit::Not { segment: n.segment },
        (None, None) => Fit::Not { segment: 1 },
    }
}

/// Fits one late reading in.
pub(super) async fn fit(tx: &mut Tx, tenant: OrgId, zone: &TimeZone, now: Micros, late: &Late) -> Result<()> {
    let before = neighbour(tx.query_opt(&sql::BEFORE, &params![tenant, late.meter, late.at]).await?)?;
    let after = neighbour(tx.query_opt(&sql::AFTER, &params![tenant, late.meter, late.at]).await?)?;
    let segments = tx.query(&sql::SEGMENTS, &params![tenant, late.device]).await?;
    let is = |row: &Row, index: usize, number: i64| row.get::<i64>(index).is_ok_and(|found| found == number);
    let reason_of = |no: i64| {
        let row = segments.iter().find(|row| is(row, 0, late.meter) && is(row, 1, no));
        row.and_then(|row| row.get::<String>(2).ok()).unwrap_or_default()
    };
    // A wrap and a resumed count begin where the segment before ended, so that end cannot move.
    let after_is_fresh =
        after.as_ref().is_some_and(|a| matches!(reason_of(a.segment).as_str(), "reset" | "board_swap"));
    let fit = judge(late, before.as_ref(), after.as_ref(), after_is_fresh);
    let (segment, quality) = match fit {
        Fit::Within { segment, .. } => (segment, "actual"),
        Fit::Opens { .. } => (1, "actual"),
        Fit::Not { segment } => (segment, "suspect"),
    };
    let month = Micros(late.at).month();
    let row = params![tenant, month, late.meter, late.at, late.value, quality, segment, now, late.offset_ms];
    if tx.execute(&sql::READING, &row).await? == 0 {
        return Ok(());
    }
    let mut sums: Vec<(i64, i64, i64)> = Vec::new();
    match fit {
        Fit::Within { segment, delta, take_back, extends } => {
            sums.push((late.at, delta, 1));
            sums.extend(after.filter(|_| take_back).map(|after| (after.at, -delta, 0)));
            if extends {
                let values = params![tenant, late.device, late.meter, segment, late.value, late.at];
                tx.execute(&sql::EXTEND_SEGMENT, &values).await?;
            }
        }
        Fit::Opens { delta } => {
            sums.push((late.at, 0, 1));
            sums.extend(after.map(|after| (after.at, delta, 0)));
            let values = params![tenant, late.device, late.meter, late.value, late.at];
            tx.execute(&sql::OPEN_EARLIER, &values).await?;
            tx.execute(&sql::OPEN_EARLIER_CLOSED, &values).await?;
        }
        Fit::Not { .. } => {}
    }
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for (at, delta, count) in sums {
        for grain in Grain::STORED {
            let bucket = grain.bucket(at, zone);
            rows.push(params![tenant, late.device, grain.number(), bucket, late.meter, delta, count].into());
        }
    }
    if !rows.is_empty() {
        tx.many(&sql::USAGE, rows).await?;
    }
    Ok(())
}

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
