//! The reconciler of devices that report by themselves: late when due and one period over, silent after three periods and
//! a day (model.md §3). Takes no input, may run twice or be killed half-way.

use std::collections::BTreeMap;

use store::{Row, params};
use wire::AlertSeverity;

use super::intake::Fleet;
use super::known::Known;
use super::sql;
use super::words::Comm;
use crate::alerts::Board;
use crate::error::Result;
use crate::platform::Platform;
use crate::{AgentId, Ctx, OrgId};

/// Devices that one transaction looks at.
const BATCH: i64 = 200;
/// No period is shorter. A minute in µs.
const SHORTEST: i64 = 60 * 1_000_000;
/// Nothing that reports by itself is silent before. 24 h in µs.
const DAY: i64 = 86_400 * 1_000_000;

/// Runs once; call it each minute. Returns how many devices changed their communication state.
///
/// # Errors
/// When the database refuses.
pub async fn reconcile_monitors(platform: &Platform) -> Result<u64> {
    let ctx = platform.system("devices that report by themselves and are not heard");
    let mut done = 0;
    loop {
        let now = ctx.now.0;
        let mut tx = ctx.db().write(&ctx.scope.view()).await?;
        let rows = tx.query(&sql::OVERDUE, &params![now - SHORTEST, now, now - DAY, BATCH]).await?;
        let mut tenants: BTreeMap<OrgId, Vec<Row>> = BTreeMap::new();
        for row in rows {
            tenants.entry(row.get(41)?).or_default().push(row);
        }
        let Some((tenant, rows)) = tenants.into_iter().next() else { return Ok(done) };
        done += overdue(&ctx, &mut tx, tenant, rows).await?;
        tx.commit().await?;
    }
}

async fn overdue(ctx: &Ctx, tx: &mut store::Tx, tenant: OrgId, rows: Vec<Row>) -> Result<u64> {
    let (now, mut seed) = (ctx.now.0, [0; 8]);
    ctx.ids().random(&mut seed);
    let nobody = AgentId(uuid::Uuid::nil());
    let mut fleet = Fleet::new(tenant, nobody, ctx.now, i64::from_be_bytes(seed) & (i64::MAX >> 2));
    let mut found = Vec::new();
    for row in rows {
        let period: i64 = row.get(42)?;
        found.push((fleet.hold(Known::read(&row)?), period * 1_000_000));
    }
    let ids: Vec<_> = found.iter().map(|(at, _)| fleet.get(*at).id).collect();
    let mut board = Board::load(tx, &ctx.platform, tenant, &ids, now).await?;
    for (at, period) in &found {
        let seen_at = fleet.get(*at).seen_at;
        if now - seen_at > (3 * period).max(DAY) {
            fleet.set_comm(*at, Comm::Silent, now);
            let text = format!("not heard for {}", super::rules::span(now - seen_at));
            board.raise_made(&mut fleet, *at, "platen-silent", AlertSeverity::Warning, text, now);
        } else {
            fleet.set_comm(*at, Comm::Late, now);
        }
    }
    let events = std::mem::take(&mut fleet.events);
    fleet.flush(tx).await?;
    board.flush(tx).await?;
    crate::events::emit_all(tx, ctx, tenant, &events).await?;
    Ok(u64::try_from(found.len()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use store::EngineKind;
    use wire::monitor::{Kind, Trigger};

    #[test]
    fn the_usual_periods_are_those_of_the_kinds() {
        for engine in [EngineKind::Sqlite, EngineKind::Postgres] {
            let text = super::sql::OVERDUE.text(engine);
            for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Inquiry) {
                let (number, period) = (kind.number(), kind.of_device());
                match period {
                    Trigger::Every(period) => {
                        assert!(text.contains(&format!("when {number} then {period}")), "{kind:?}")
                    }
                    _ => assert!(!text.contains(&format!("when {number} then")), "{kind:?}"),
                }
            }
        }
    }
}
