//! Whole sets of counters as people compare them: which there are, one of them by its names, the difference of two.

use std::collections::BTreeMap;

use serde::Serialize;
use store::{Tx, params};
use wire::monitor::{CounterSet, Dictionary, Kind};

use super::intake::unpack;
use super::service::{at_most, kind, unread};
use super::{snapshots, sql};
use crate::ctx::Ctx;
use crate::devices::{DeviceId, tenant_of};
use crate::error::{Error, Result};
use crate::ids::OrgId;
use crate::time::Micros;

/// One set in the list of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SetRow {
    /// Billing, detailed, parts or modes.
    pub kind: Kind,
    /// Of when it is, by our clock.
    pub at: Micros,
    /// Of when it is, by the device's clock; milliseconds since 1970. Its name in [`compare`].
    pub taken_ms: i64,
    /// How many counters it holds.
    pub counters: i64,
    /// What it takes on the disk, bytes.
    pub size_bytes: i64,
}

/// One counter in two sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CounterLine {
    /// Its name in the dictionary, or its id where that has none.
    pub name: String,
    /// Value in the set looked at; `None`: it is no longer told.
    pub value: Option<i64>,
    /// Value in the earlier one; `None`: it was not told then, or there is no earlier one.
    pub before: Option<i64>,
    /// What was added since then; negative after a reset.
    pub difference: Option<i64>,
}

/// A set beside an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The set looked at.
    pub at: Micros,
    /// Its name in the list.
    pub taken_ms: i64,
    /// The earlier one; `None`: it is the first.
    pub before_at: Option<Micros>,
    /// The earlier one's name in the list.
    pub before_ms: Option<i64>,
    /// Model that the dictionary names.
    pub model: String,
    /// Counters by name.
    pub lines: Vec<CounterLine>,
}

/// The sets of a kind (5 to 8) that are kept of a device, newest first; at most 500.
///
/// # Errors
/// `NotFound` when the device is not visible.
pub async fn sets(ctx: &Ctx, device: DeviceId, of: Option<Kind>, limit: usize) -> Result<Vec<SetRow>> {
    let tenant = tenant_of(ctx, device).await?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let wanted = of.map(|kind| i64::from(kind.number()));
    let rows = tx.query(&sql::SETS, &params![tenant, device, wanted, at_most(limit)]).await?;
    rows.iter()
        .map(|row| {
            Ok(SetRow {
                kind: kind(row, 0)?,
                at: row.get(1)?,
                taken_ms: row.get(2)?,
                counters: row.get(3)?,
                size_bytes: row.get(4)?,
            })
        })
        .collect()
}

/// A set (the last one without `taken_ms`) beside the one that `before_ms` names (the one before it without).
///
/// # Errors
/// `NotFound` when the device is not visible, or told no such set.
pub async fn compare(
    ctx: &Ctx,
    device: DeviceId,
    kind: Kind,
    taken_ms: Option<i64>,
    before_ms: Option<i64>,
) -> Result<Comparison> {
    let tenant = tenant_of(ctx, device).await?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let missing = || Error::not_found("set of counters");
    let number = i64::from(kind.number());
    let find = params![tenant, device, number, taken_ms.unwrap_or(i64::MAX)];
    let taken_ms: i64 = tx.query_opt(&sql::SET_UNTIL, &find).await?.ok_or_else(missing)?.get(0)?;
    let (at, hash, now) = whole(&mut tx, tenant, device, kind, taken_ms).await?.ok_or_else(missing)?;
    let find = params![tenant, device, number, before_ms.unwrap_or(taken_ms - 1).min(taken_ms - 1)];
    let mut before = None;
    if let Some(row) = tx.query_opt(&sql::SET_UNTIL, &find).await? {
        let before_ms: i64 = row.get(0)?;
        before = whole(&mut tx, tenant, device, kind, before_ms).await?.map(|set| (before_ms, set));
    }
    let dictionary = dictionary(&mut tx, tenant, &hash).await?;
    let now = named(&now, &dictionary);
    let (before_at, before_ms, old) = match before {
        Some((before_ms, (at, hash, set))) => {
            (Some(at), Some(before_ms), named(&set, &self::dictionary(&mut tx, tenant, &hash).await?))
        }
        None => (None, None, BTreeMap::new()),
    };
    let mut names: Vec<_> = now.keys().chain(old.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let lines = names.into_iter().map(|name| {
        let (value, before) = (now.get(name).copied(), old.get(name).copied());
        let difference = value.zip(before).and_then(|(value, before)| value.checked_sub(before));
        CounterLine { name: name.clone(), value, before, difference }
    });
    Ok(Comparison { at, taken_ms, before_at, before_ms, model: dictionary.model, lines: lines.collect() })
}

/// One set as a whole, however it is kept, with its time and the name of its dictionary.
pub(super) async fn whole(
    tx: &mut Tx,
    tenant: OrgId,
    device: DeviceId,
    kind: Kind,
    taken_ms: i64,
) -> Result<Option<(Micros, String, CounterSet)>> {
    let values = params![tenant, device, i64::from(kind.number()), taken_ms];
    let Some(row) = tx.query_opt(&sql::SET, &values).await? else { return Ok(None) };
    let set = snapshots::whole(tx, tenant, device, i64::from(kind.number()), taken_ms).await?;
    set.map(|set| Ok((row.get(0)?, row.get(1)?, set))).transpose()
}

/// The words of a dictionary; empty when it is not here.
async fn dictionary(tx: &mut Tx, tenant: OrgId, hash: &str) -> Result<Dictionary> {
    let Some(row) = tx.query_opt(&sql::DICTIONARY_BODY, &params![tenant, hash]).await? else {
        return Ok(Dictionary::default());
    };
    let blob: Vec<u8> = row.get(1)?;
    wire::cbor::decode(&unpack(&blob)?).map_err(|error| unread(&error))
}

fn named(set: &CounterSet, dictionary: &Dictionary) -> BTreeMap<String, i64> {
    let name = |id: &u32| dictionary.names.get(id).cloned().unwrap_or_else(|| id.to_string());
    set.values.iter().map(|(id, value)| (name(id), *value)).collect()
}
