//! What decisions of people do to meters: counters are reckoned anew, one total is billed and not the other, the
//! counters of two devices that are one become one.

use std::collections::HashMap;

use serde::Serialize;
use store::{Tx, Value, params};

use super::calendar::Grain;
use super::intake::{Flushed, zone_of};
use super::refit::{Refitted, refit};
use super::rules::{Role, Words, roles};
use super::{MeterNow, sql};
use crate::devices::DeviceId;
use crate::error::{Error, Result};
use crate::{Ctx, Micros, OrgId};

/// A reading near a doubt, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReadingAt {
    /// When it was taken.
    pub at: Micros,
    /// Its value.
    pub value: i64,
    /// Whether it counts; `false`: it was kept aside.
    pub believed: bool,
}

/// Two totals of one device side by side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Apart {
    /// What the standard MIB's total says.
    pub standard: i64,
    /// What the maker's own total says.
    pub private: i64,
    /// The object of the maker's own.
    pub private_source: String,
    /// By how much the maker's own is higher; negative: lower.
    pub apart: i64,
    /// Whether the maker's own is the one that is billed.
    pub private_is_billed: bool,
}

/// The standard total beside the maker's own, where a device gives both and they differ.
pub fn apart(meters: &[MeterNow]) -> Option<Apart> {
    let total = |m: &&MeterNow| (m.function.as_str(), m.color.as_str(), m.size.as_str()) == ("total", "all", "all");
    let standard = meters.iter().filter(total).find(|m| m.source.starts_with("1.3.6.1.2.1."))?;
    let others = meters.iter().filter(total).filter(|m| !m.source.starts_with("1.3.6.1.2.1."));
    let private = others
        .filter(|m| m.unit == standard.unit && m.sides == standard.sides && m.value != standard.value)
        .max_by_key(|m| (m.role.is_some(), (m.value - standard.value).abs()))?;
    Some(Apart {
        standard: standard.value,
        private: private.value,
        private_source: private.source.clone(),
        apart: private.value - standard.value,
        private_is_billed: private.role.as_deref() == Some("total"),
    })
}

/// The readings of a counter between two moments, at most 400.
pub(crate) async fn around(tx: &mut Tx, tenant: OrgId, meter: i64, from: i64, to: i64) -> Result<Vec<ReadingAt>> {
    let rows = tx.query(&sql::READINGS_AROUND, &params![tenant, meter, from, to]).await?;
    rows.iter()
        .map(|row| {
            let quality: String = row.get(3)?;
            Ok(ReadingAt { at: row.get(0)?, value: row.get(1)?, believed: quality != "suspect" })
        })
        .collect()
}

/// When the present false segment of a counter ended because the count went on where it had been.
pub(crate) async fn came_back(
    tx: &mut Tx,
    tenant: OrgId,
    device: DeviceId,
    meter: i64,
    border: i64,
) -> Result<Option<i64>> {
    for row in tx.query(&sql::SEGMENTS, &params![tenant, device]).await? {
        let (found, reason, at): (i64, String, i64) = (row.get(0)?, row.get(2)?, row.get(3)?);
        if found == meter && at > border {
            return Ok((reason == "resumed").then_some(at));
        }
    }
    Ok(None)
}

/// Reckons counters of a device anew, each from a moment on; its pages follow.
pub(crate) async fn reckon(
    tx: &mut Tx,
    tenant: OrgId,
    device: DeviceId,
    now: Micros,
    from: &[(i64, i64)],
) -> Result<Vec<Refitted>> {
    let zone = zone_of(tx, tenant).await?;
    let mut all = Vec::new();
    for (meter, at) in from {
        all.push(refit(tx, tenant, &zone, (device, *meter), *at).await?);
    }
    let month = Grain::Month.bucket(now.0, &zone);
    tx.execute(&sql::PAGES, &params![tenant, device, month]).await?;
    Ok(all)
}

/// Takes what a person read at a device, as a reading of its own quality; what is newer is reckoned anew.
pub(crate) async fn take_manual(
    tx: &mut Tx,
    ctx: &Ctx,
    (tenant, device, meter): (OrgId, DeviceId, i64),
    at: Micros,
    value: i64,
) -> Result<()> {
    let row = params![tenant, at.month(), meter, at, value, "suspect", 0_i64, ctx.now, 0_i64];
    if tx.execute(&sql::READING, &row).await? == 0 {
        return Err(Error::conflict("there is a reading of that very moment"));
    }
    let refitted = reckon(tx, tenant, device, ctx.now, &[(meter, at.0)]).await?;
    if tx.execute(&sql::BY_HAND, &params![tenant, meter, at]).await? == 0 {
        return Err(Error::invalid("value", "the value does not go on from the readings around it; look at it again"));
    }
    let flushed = Flushed { faults: Vec::new(), conflicts: Vec::new(), refitted };
    crate::doubts::take(ctx, tx, tenant, Vec::new(), flushed).await
}

/// Bills a device by the total that is read from `source`; `None`: by the standard MIB's.
pub(crate) async fn bill_by(
    tx: &mut Tx,
    tenant: OrgId,
    device: DeviceId,
    now: Micros,
    source: Option<&str>,
) -> Result<()> {
    let rows = tx.query(&sql::CURRENT, &params![tenant, device]).await?;
    let mut words: Vec<(i64, [String; 6])> = Vec::new();
    for row in &rows {
        let word = |at: usize| row.get::<String>(at);
        words.push((row.get(0)?, [word(1)?, word(2)?, word(3)?, word(4)?, word(5)?, word(6)?]));
    }
    let borrowed: Vec<Words<'_>> = words
        .iter()
        .map(|(_, [function, color, size, sides, unit, source])| Words { function, color, size, sides, unit, source })
        .collect();
    let chosen = roles(&borrowed, source);
    let rows: Vec<Vec<Value>> = words
        .iter()
        .zip(chosen)
        .map(|((id, _), role)| params![tenant, device, *id, role.map(Role::as_str)].into())
        .collect();
    if !rows.is_empty() {
        tx.many(&sql::SET_ROLE, rows).await?;
    }
    reckon(tx, tenant, device, now, &[]).await?;
    Ok(())
}

/// The counters of `from` become those of `to`: the readings of both stand in one line, and are counted once.
pub(crate) async fn adopt(
    tx: &mut Tx,
    tenant: OrgId,
    from: DeviceId,
    to: DeviceId,
    now: Micros,
) -> Result<Vec<Refitted>> {
    let words = |row: &store::Row| -> Result<(i64, Vec<String>)> {
        let words = (1..=6).map(|at| row.get::<String>(at)).collect::<store::Result<_>>()?;
        Ok((row.get(0)?, words))
    };
    let mut own: HashMap<Vec<String>, i64> = HashMap::new();
    for row in tx.query(&sql::CURRENT, &params![tenant, to]).await? {
        let (id, words) = words(&row)?;
        own.insert(words, id);
    }
    let mut again = Vec::new();
    for row in tx.query(&sql::CURRENT, &params![tenant, from]).await? {
        let (id, words) = words(&row)?;
        let Some(same) = own.get(&words).copied() else {
            for statement in [&sql::ADOPT_METER, &sql::ADOPT_SEGMENTS, &sql::ADOPT_USAGE] {
                tx.execute(statement, &params![tenant, from, to, id]).await?;
            }
            continue;
        };
        let first: Option<i64> = tx.query_one(&sql::FIRST_OF, &params![tenant, id]).await?.get(0)?;
        tx.execute(&sql::MOVE_READINGS, &params![tenant, id, same]).await?;
        tx.execute(&sql::DROP_READINGS, &params![tenant, id]).await?;
        for statement in [&sql::DROP_METER_USAGE, &sql::DROP_METER] {
            tx.execute(statement, &params![tenant, from, id]).await?;
        }
        tx.execute(&sql::DROP_SEGMENTS, &params![tenant, from, id, 0_i64]).await?;
        again.extend(first.map(|first| (same, first)));
    }
    reckon(tx, tenant, to, now, &again).await
}
