//! How doubts come and go: opened by reports, joined when several counters of a device fault at once, withdrawn when
//! later readings explain them.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use store::{Tx, params};

use super::{DoubtId, Kind, sql};
use crate::devices::DeviceId;
use crate::error::Result;
use crate::meters::intake::{Flushed, Found};
use crate::meters::refit::Refitted;
use crate::meters::track::{Decided, Verdict};
use crate::{Ctx, Micros, OrgId};

/// A doubt about an identity or about two totals.
#[derive(Clone, Debug)]
pub(crate) struct NewDoubt {
    pub(crate) kind: Kind,
    pub(crate) device: DeviceId,
    pub(crate) other: Option<DeviceId>,
    pub(crate) at: i64,
    pub(crate) pages: Option<i64>,
    pub(crate) data: Json,
}

/// What people have decided about a counter.
pub(crate) async fn decided(tx: &mut Tx, tenant: OrgId, device: DeviceId, meter: i64) -> Result<Vec<Decided>> {
    let rows = tx.query(&sql::DECIDED, &params![tenant, device, meter]).await?;
    rows.iter()
        .map(|row| {
            let verdict: String = row.get(2)?;
            let verdict = match verdict.as_str() {
                "ignore" => Verdict::Ignore,
                _ => Verdict::Bridge(row.get::<Option<i64>>(3)?.unwrap_or(0)),
            };
            Ok(Decided { at: row.get(0)?, until: row.get(1)?, verdict })
        })
        .collect()
}

/// Takes what a report found.
pub(crate) async fn take(
    ctx: &Ctx,
    tx: &mut Tx,
    tenant: OrgId,
    identity: Vec<NewDoubt>,
    flushed: Flushed,
) -> Result<()> {
    for doubt in identity {
        open(ctx, tx, tenant, doubt).await?;
    }
    open_faults(ctx, tx, tenant, flushed.faults).await?;
    for refitted in flushed.refitted {
        reconcile(ctx, tx, tenant, refitted).await?;
    }
    for conflict in flushed.conflicts {
        let (kind, device, at) = (Kind::ConflictingTotals, conflict.device, conflict.at);
        let doubt = NewDoubt { kind, device, other: None, at, pages: Some(conflict.apart), data: conflict.data };
        open(ctx, tx, tenant, doubt).await?;
    }
    Ok(())
}

/// These devices are heard at another address: nobody stands in for them, and no one need ask.
pub(crate) async fn away(ctx: &Ctx, tx: &mut Tx, tenant: OrgId, devices: &[DeviceId]) -> Result<()> {
    for device in devices {
        for row in tx.query(&sql::NOT_SWAPPED, &params![tenant, *device]).await? {
            let (id, device, kind): (DoubtId, DeviceId, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let data = json!({ "doubt": id, "kind": kind, "device": device });
            crate::events::emit(tx, ctx, tenant, "doubt.withdrawn", ("doubt", id.to_string()), data).await?;
        }
    }
    Ok(())
}

/// Opens a doubt unless one like it stands or was settled. One that stands learns what is new.
async fn open(ctx: &Ctx, tx: &mut Tx, tenant: OrgId, doubt: NewDoubt) -> Result<()> {
    let other = doubt.other.map(|id| id.to_string()).unwrap_or_default();
    let values = params![tenant, doubt.device, doubt.kind.as_str(), &other];
    if let Some(row) = tx.query_opt(&sql::ALIKE, &values).await? {
        let (id, state): (DoubtId, String) = (row.get(0)?, row.get(1)?);
        if state == "open" {
            tx.execute(&sql::RENEW, &params![tenant, id, &doubt.data, doubt.pages, ctx.now]).await?;
        }
        return Ok(());
    }
    let id = DoubtId::new(ctx.ids());
    insert(ctx, tx, tenant, id, (doubt.kind, doubt.device, &other), (doubt.at, doubt.at), &doubt.data, doubt.pages)
        .await
}

#[expect(clippy::too_many_arguments, reason = "a row")]
async fn insert(
    ctx: &Ctx,
    tx: &mut Tx,
    tenant: OrgId,
    id: DoubtId,
    (kind, device, other): (Kind, DeviceId, &str),
    (at, until): (i64, i64),
    data: &Json,
    pages: Option<i64>,
) -> Result<()> {
    let family = kind.family().as_str();
    let values = params![tenant, id, family, kind.as_str(), device, other, at, until, ctx.now, data, pages];
    tx.execute(&sql::INSERT, &values).await?;
    let data = json!({ "doubt": id, "kind": kind, "device": device, "at": Micros(at), "pages": pages });
    crate::events::emit(tx, ctx, tenant, "doubt.opened", ("doubt", id.to_string()), data).await?;
    Ok(())
}

/// Opens one doubt for each moment at which counters of a device faulted.
async fn open_faults(ctx: &Ctx, tx: &mut Tx, tenant: OrgId, found: Vec<Found>) -> Result<()> {
    let mut groups: BTreeMap<(DeviceId, i64), Vec<Found>> = BTreeMap::new();
    for found in found {
        groups.entry((found.device, found.fault.at)).or_default().push(found);
    }
    for ((device, at), mut group) in groups {
        group.sort_by_key(|found| !found.leads);
        let standing = tx.query_opt(&sql::AT, &params![tenant, device, at]).await?;
        let id = match standing {
            Some(row) => row.get(0)?,
            None => {
                let (kind, data) = told_by_network(tx, tenant, device, &group[0]).await?;
                let id = DoubtId::new(ctx.ids());
                let until = group.iter().map(|found| found.fault.until).max().unwrap_or(at);
                insert(ctx, tx, tenant, id, (kind, device, ""), (at, until), &data, None).await?;
                id
            }
        };
        for found in &group {
            meter(tx, tenant, id, found).await?;
        }
        tx.execute(&sql::PAGES, &params![tenant, id]).await?;
    }
    Ok(())
}

/// The kind of a counter's fault, with what else changed about the device within a day: a new network card speaks for a
/// new board.
async fn told_by_network(tx: &mut Tx, tenant: OrgId, device: DeviceId, found: &Found) -> Result<(Kind, Json)> {
    const DAY: i64 = 86_400_000_000;
    let fault = &found.fault;
    let changes = crate::devices::changes_near(tx, tenant, device, fault.before_at - DAY, fault.until + DAY).await?;
    let board = changes.iter().any(|(_, change)| matches!(change["field"].as_str(), Some("mac" | "serial")));
    let kind = match Kind::of(fault.cause) {
        Kind::Reset | Kind::SetBack | Kind::Jump if board => Kind::BoardSwap,
        kind => kind,
    };
    let changes: Vec<Json> = changes
        .into_iter()
        .map(|(at, change)| json!({ "at": at, "field": change["field"], "from": change["from"], "to": change["to"] }))
        .collect();
    Ok((kind, json!({ "changes": changes })))
}

async fn meter(tx: &mut Tx, tenant: OrgId, id: DoubtId, found: &Found) -> Result<()> {
    let fault = &found.fault;
    let values = params![
        tenant,
        id,
        found.device,
        found.meter,
        fault.at,
        fault.until,
        fault.before_at,
        fault.before,
        fault.after,
        fault.until_value,
        fault.assumed,
        fault.cause.as_str()
    ];
    tx.execute(&sql::METER, &values).await?;
    Ok(())
}

/// Compares the doubts of a counter with the borders that a new reckoning found: new ones open, explained ones go.
pub(super) async fn reconcile(ctx: &Ctx, tx: &mut Tx, tenant: OrgId, refitted: Refitted) -> Result<()> {
    let Refitted { device, meter: number, since, faults } = refitted;
    let rows = tx.query(&sql::OF_COUNTER, &params![tenant, device, number, since]).await?;
    let mut standing: Vec<(DoubtId, i64, bool, bool)> = Vec::new();
    for row in &rows {
        let (state, verdict): (String, Option<String>) = (row.get(2)?, row.get(3)?);
        standing.push((row.get(0)?, row.get(1)?, state == "open", verdict.is_some()));
    }
    let mut fresh = Vec::new();
    let mut kept = Vec::new();
    for found in faults {
        let (at, until) = (found.fault.at, found.fault.until);
        let fits = |border: i64, is_open: bool| if is_open { border == at } else { (at..=until).contains(&border) };
        let known = standing.iter().find(|(_, border, is_open, _)| fits(*border, *is_open));
        match known {
            Some((id, _, is_open, _)) => {
                kept.push(*id);
                if *is_open {
                    meter(tx, tenant, *id, &found).await?;
                    // The counter that makes up the pages of the device gives the doubt its name.
                    if found.leads {
                        let (kind, data) = told_by_network(tx, tenant, device, &found).await?;
                        tx.execute(&sql::REKIND, &params![tenant, *id, kind.as_str(), &data, until]).await?;
                    }
                    tx.execute(&sql::PAGES, &params![tenant, *id]).await?;
                }
            }
            None => fresh.push(found),
        }
    }
    for (id, _, is_open, decided) in standing {
        if !is_open || decided || kept.contains(&id) {
            continue;
        }
        tx.execute(&sql::DROP_METER, &params![tenant, id, number]).await?;
        for row in tx.query(&sql::WITHDRAW, &params![tenant, id]).await? {
            let (device, kind): (DeviceId, String) = (row.get(0)?, row.get(1)?);
            let data = json!({ "doubt": id, "kind": kind, "device": device });
            crate::events::emit(tx, ctx, tenant, "doubt.withdrawn", ("doubt", id.to_string()), data).await?;
        }
    }
    open_faults(ctx, tx, tenant, fresh).await
}
