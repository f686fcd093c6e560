//! What people see of what devices told.

use std::collections::BTreeMap;

use store::{Row, Sql, params};
use wire::Message;
use wire::monitor::{Dictionary, EventBody, Kind};

use super::intake::unpack;
use super::{Counters, Entry, EventRow, Trouble, TroubleQuery, snapshots, sql};
use crate::codes;
use crate::ctx::{Ctx, Role};
use crate::devices::{DeviceId, tenant_of};
use crate::error::{Error, Result};

/// Most rows of a list.
const MOST: usize = 500;

/// Errors, jams and alarms of a device, newest first; at most 500.
///
/// # Errors
/// `NotFound` when the device is not visible.
pub async fn events(ctx: &Ctx, device: DeviceId, limit: usize) -> Result<Vec<EventRow>> {
    let tenant = tenant_of(ctx, device).await?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let rows = tx.query(&sql::EVENTS, &params![tenant, device, at_most(limit)]).await?;
    rows.iter()
        .map(|row| {
            let (total, standing): (i64, i64) = (row.get(3)?, row.get(4)?);
            let level: Option<i64> = row.get(6)?;
            Ok(EventRow {
                kind: kind(row, 0)?,
                taken_ms: row.get(2)?,
                at: row.get(9)?,
                event: EventBody {
                    code: row.get(1)?,
                    sub_code: row.get(5)?,
                    level: level.and_then(|level| u8::try_from(level).ok()),
                    total: u64::try_from(total).ok(),
                    tray: row.get(7)?,
                    media: row.get(8)?,
                    standing: (standing >= 0).then_some(standing == 1),
                },
            })
        })
        .collect()
}

/// Trouble counters: how often each model told each code, the most frequent first; at most 500. That a standing one is
/// over is no trouble and not counted.
///
/// # Errors
/// When the database refuses.
pub async fn troubles(ctx: &Ctx, query: &TroubleQuery) -> Result<Vec<Trouble>> {
    ctx.require(Role::User, "see troubles")?;
    let mut values = Vec::new();
    let mut conditions = vec![ctx.scope.condition("e", &mut values)];
    values.push(query.since.into());
    conditions.push(format!("e.at >= ${} and e.standing <> 0", values.len()));
    for (column, wanted) in [("d.vendor", &query.vendor), ("d.model", &query.model), ("e.code", &query.code)] {
        if let Some(wanted) = wanted {
            values.push(wanted.into());
            conditions.push(format!("{column} = ${}", values.len()));
        }
    }
    if let Some(filter) = &query.filter {
        conditions.push(filter.to_sql(super::fleet::FIELDS, &mut values)?);
    }
    let text = format!(
        "select d.vendor, coalesce(d.model, ''), e.kind, e.code, count(*), count(distinct e.device), max(e.at)
         from device_events e
         join devices d on d.tenant = e.tenant and d.id = e.device
         where {}
         group by d.vendor, coalesce(d.model, ''), e.kind, e.code
         order by count(*) desc, d.vendor, coalesce(d.model, ''), e.kind, e.code
         limit {MOST}",
        conditions.join(" and ")
    );
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let rows = tx.query(&Sql::built_as("troubles", text), &values).await?;
    let all = rows.iter().map(|row| {
        let (vendor, model): (String, String) = (row.get(0)?, row.get(1)?);
        let (kind, code): (Kind, String) = (kind(row, 2)?, row.get(3)?);
        Ok(Trouble {
            meaning: codes::of(&vendor, &model, kind, &code, None),
            vendor,
            model,
            kind,
            code,
            events: row.get(4)?,
            devices: row.get(5)?,
            last_at: row.get(6)?,
        })
    });
    let unknown = |trouble: &Result<Trouble>| trouble.as_ref().is_ok_and(|trouble| trouble.meaning.is_some());
    all.filter(|trouble| !(query.unknown && unknown(trouble))).collect()
}

/// What a device told last of each of the kinds 9 to 14 and 16.
///
/// # Errors
/// `NotFound` when the device is not visible.
pub async fn latest(ctx: &Ctx, device: DeviceId) -> Result<Vec<Entry>> {
    let tenant = tenant_of(ctx, device).await?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let rows = tx.query(&sql::LATEST, &params![tenant, device]).await?;
    rows.iter().map(entry).collect()
}

/// What a device told of one of these kinds, newest first; at most 500.
///
/// # Errors
/// `NotFound` when the device is not visible.
pub async fn history(ctx: &Ctx, device: DeviceId, kind: Kind, limit: usize) -> Result<Vec<Entry>> {
    let tenant = tenant_of(ctx, device).await?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let values = params![tenant, device, i64::from(kind.number()), at_most(limit)];
    let rows = tx.query(&sql::ENTRIES, &values).await?;
    rows.iter().map(entry).collect()
}

/// The last set of counters of a kind (5 to 8) by the names of its dictionary; `None` before the first.
///
/// # Errors
/// `NotFound` when the device is not visible.
pub async fn counters(ctx: &Ctx, device: DeviceId, kind: Kind) -> Result<Option<Counters>> {
    let tenant = tenant_of(ctx, device).await?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let Some(row) = tx.query_opt(&sql::SNAPSHOT_LAST, &params![tenant, device, i64::from(kind.number())]).await? else {
        return Ok(None);
    };
    let hash: String = row.get(1)?;
    let Some(set) = snapshots::whole(&mut tx, tenant, device, i64::from(kind.number()), row.get(2)?).await? else {
        return Ok(None);
    };
    let mut dictionary = Dictionary::default();
    if let Some(row) = tx.query_opt(&sql::DICTIONARY_BODY, &params![tenant, hash]).await? {
        let blob: Vec<u8> = row.get(1)?;
        dictionary = wire::cbor::decode(&unpack(&blob)?).map_err(|error| unread(&error))?;
    }
    let name = |id: &u32| dictionary.names.get(id).cloned().unwrap_or_else(|| id.to_string());
    let values: BTreeMap<String, i64> = set.values.iter().map(|(id, value)| (name(id), *value)).collect();
    Ok(Some(Counters { at: row.get(0)?, model: dictionary.model, values }))
}

pub(super) fn at_most(limit: usize) -> i64 {
    i64::try_from(limit.min(MOST)).unwrap_or(0)
}

pub(super) fn kind(row: &Row, at: usize) -> Result<Kind> {
    let number: i64 = row.get(at)?;
    let kind = u64::try_from(number).ok().and_then(Kind::of_number);
    kind.ok_or_else(|| Error::internal(format!("kind {number} is none")))
}

fn entry(row: &Row) -> Result<Entry> {
    let blob: Vec<u8> = row.get(0)?;
    let message: Message = wire::cbor::decode(&unpack(&blob)?).map_err(|error| unread(&error))?;
    Ok(Entry { at: row.get(1)?, size_bytes: row.get(2)?, taken_ms: message.taken_ms, body: message.body })
}

pub(super) fn unread(error: &wire::cbor::Error) -> Error {
    Error::internal(format!("what is kept does not read: {error}"))
}
