//! A counter that nobody can be sure of is an alert on its device, so that whoever is told of alerts is told of it: one a
//! device and kind, which ends when the doubt is settled. Compares what stands with what should; takes no input.

use std::collections::{BTreeMap, BTreeSet};

use store::{Tx, params};
use wire::AlertSeverity;

use super::sql;
use crate::alerts::Board;
use crate::devices::DeviceId;
use crate::devices::intake::Fleet;
use crate::error::Result;
use crate::platform::Platform;
use crate::{AgentId, Ctx, OrgId};

/// A counter fell: it was reset, set back, wrapped, or its board was exchanged.
const DECREASE: &str = "platen-meter-decrease";
/// A counter rose by more than can be printed.
const JUMP: &str = "platen-meter-jump";

/// Raises and clears what follows from the doubts about counters; how many devices were looked at. Call it each minute.
///
/// # Errors
/// When the database refuses.
pub async fn alarm(platform: &Platform) -> Result<u64> {
    let ctx = platform.system("counters that nobody can be sure of");
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let mut tenants: BTreeMap<OrgId, BTreeSet<DeviceId>> = BTreeMap::new();
    for row in tx.query(&sql::UNEQUAL, &[]).await? {
        tenants.entry(row.get(0)?).or_default().insert(row.get(1)?);
    }
    drop(tx);
    let mut looked = 0;
    for (tenant, devices) in tenants {
        let devices: Vec<DeviceId> = devices.into_iter().collect();
        let mut tx = ctx.db().write(&ctx.scope.view()).await?;
        equal(&ctx, &mut tx, tenant, &devices).await?;
        tx.commit().await?;
        looked += u64::try_from(devices.len()).unwrap_or(0);
    }
    Ok(looked)
}

async fn equal(ctx: &Ctx, tx: &mut Tx, tenant: OrgId, devices: &[DeviceId]) -> Result<()> {
    let mut seed = [0; 8];
    ctx.ids().random(&mut seed);
    let nobody = AgentId(uuid::Uuid::nil());
    let mut fleet = Fleet::new(tenant, nobody, ctx.now, i64::from_be_bytes(seed) & (i64::MAX >> 2));
    fleet.load_ids(tx, devices).await?;
    let mut board = Board::load(tx, &ctx.platform, tenant, devices, ctx.now.0).await?;
    for device in devices {
        let Some(at) = fleet.place(*device) else { continue };
        let mut wanted: BTreeSet<&str> = BTreeSet::new();
        for row in tx.query(&sql::KINDS_OF, &params![tenant, *device]).await? {
            wanted.insert(if row.get::<String>(0)? == "jump" { JUMP } else { DECREASE });
        }
        for (reason, text) in [
            (DECREASE, "a counter began anew; what it counted meanwhile is assumed"),
            (JUMP, "a counter rose by more than can be printed; the rise is not counted"),
        ] {
            let stands = board.standing(*device).any(|(known, _, ours)| ours && known == reason);
            match (wanted.contains(reason), stands) {
                (true, false) => {
                    board.raise_made(&mut fleet, at, reason, AlertSeverity::Warning, text.to_owned(), ctx.now.0);
                }
                (false, true) => board.clear_made(&mut fleet, at, reason, ctx.now.0),
                _ => {}
            }
        }
    }
    let events = std::mem::take(&mut fleet.events);
    fleet.flush(tx).await?;
    board.flush(tx).await?;
    crate::events::emit_all(tx, ctx, tenant, &events).await
}
