//! The reconciler of communication: compares when devices were last heard with the clock and with their agents.
//! Takes no input, may run twice or be killed half-way. An agent that is off line is one incident, not one a device.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use store::{Row, params};
use wire::AlertSeverity;

use super::intake::Fleet;
use super::known::Known;
use super::words::Comm;
use super::{LATE, SILENT, sql};
use crate::alerts::Board;
use crate::alerts::storm::{self, Shared};
use crate::error::Result;
use crate::meters::calendar::Grain;
use crate::platform::Platform;
use crate::{AgentId, Ctx, OrgId};

/// Devices that one transaction looks at.
const BATCH: i64 = 200;

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Devices whose communication state changed.
    pub devices: u64,
    /// Snoozed incidents whose time is over.
    pub woken: u64,
    /// Flapping alerts that have stayed away.
    pub settled: u64,
    /// Devices whose count of this month began anew.
    pub months: u64,
}

/// Runs once; call it each minute, after [`crate::agents::run`].
///
/// # Errors
/// When the database refuses.
pub async fn reconcile(platform: &Platform) -> Result<Reconciled> {
    let ctx = platform.system("devices that are not heard");
    let mut done = Reconciled::default();
    loop {
        let mut tx = ctx.db().write(&ctx.scope.view()).await?;
        let rows = tx.query(&sql::UNHEARD, &params![ctx.now.0 - LATE, ctx.now.0 - SILENT, BATCH]).await?;
        let mut tenants: BTreeMap<OrgId, Vec<Row>> = BTreeMap::new();
        for row in rows {
            tenants.entry(row.get(41)?).or_default().push(row);
        }
        let Some((tenant, rows)) = tenants.into_iter().next() else { break };
        done.devices += unheard(&ctx, &mut tx, tenant, rows).await?;
        tx.commit().await?;
    }
    done.woken = crate::alerts::wake(&ctx).await?;
    done.settled = crate::alerts::settle(&ctx).await?;
    storm::settle(&ctx).await?;
    done.months = begin_months(&ctx).await?;
    Ok(done)
}

async fn unheard(ctx: &Ctx, tx: &mut store::Tx, tenant: OrgId, rows: Vec<Row>) -> Result<u64> {
    let mut seed = [0; 8];
    ctx.ids().random(&mut seed);
    let nobody = AgentId(uuid::Uuid::nil());
    let mut fleet = Fleet::new(tenant, nobody, ctx.now, i64::from_be_bytes(seed) & (i64::MAX >> 2));
    let mut agents: BTreeMap<AgentId, u64> = BTreeMap::new();
    let mut found = Vec::new();
    for row in rows {
        let device = Known::read(&row)?;
        let agent = device.agent;
        found.push((fleet.hold(device), agent, row.get::<String>(42)? == "online"));
    }
    let ids: Vec<_> = found.iter().map(|(at, _, _)| fleet.get(*at).id).collect();
    let mut board = Board::load(tx, &ctx.platform, tenant, &ids, ctx.now.0).await?;
    let mut causes: BTreeMap<AgentId, Option<Shared>> = BTreeMap::new();
    for (at, agent, online) in &found {
        let (comm, seen_at) = (fleet.get(*at).comm, fleet.get(*at).seen_at);
        let silent = ctx.now.0 - seen_at > SILENT;
        let next = match comm {
            _ if !online => Comm::UnknownPath,
            Comm::Unreachable => Comm::Unreachable,
            _ if silent => Comm::Silent,
            _ => Comm::Late,
        };
        fleet.set_comm(*at, next, ctx.now.0);
        if !online {
            *agents.entry(agent.unwrap_or(nobody)).or_default() += 1;
            board.clear_made(&mut fleet, *at, "platen-silent", ctx.now.0);
        } else if silent {
            let text = format!("not heard for {}", super::rules::span(ctx.now.0 - seen_at));
            if let Some(agent) = agent
                && !causes.contains_key(agent)
            {
                causes.insert(*agent, storm::cause_of(tx, ctx, tenant, *agent).await?);
            }
            match agent.and_then(|agent| causes.get(&agent)?.as_ref()) {
                Some(cause) => board.raise_hidden(&mut fleet, *at, cause, text, ctx.now.0),
                None => board.raise_made(&mut fleet, *at, "platen-silent", AlertSeverity::Warning, text, ctx.now.0),
            }
        }
    }
    let events = std::mem::take(&mut fleet.events);
    fleet.flush(tx).await?;
    board.flush(tx).await?;
    crate::events::emit_all(tx, ctx, tenant, &events).await?;
    for (agent, devices) in agents {
        crate::alerts::agent_is_gone(tx, ctx, tenant, agent, devices).await?;
    }
    Ok(u64::try_from(found.len()).unwrap_or(u64::MAX))
}

/// Where a month has begun, the pages of the month begin at none.
async fn begin_months(ctx: &Ctx) -> Result<u64> {
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let orgs = tx.query(&sql::MONTHS, &[]).await?;
    drop(tx);
    let mut begun = 0;
    let mut zones: BTreeMap<String, TimeZone> = BTreeMap::new();
    let mut due = Vec::new();
    for row in orgs {
        let (org, name): (OrgId, String) = (row.get(0)?, row.get(1)?);
        let zone = zones.entry(name).or_insert_with_key(|name| crate::meters::calendar::zone(name));
        due.push((org, Grain::Month.bucket(ctx.now.0, zone)));
    }
    for (org, month) in due {
        begun += crate::meters::begin_month(ctx, org, month).await?;
    }
    if begun > 0 {
        tracing::info!(devices = begun, "a month has begun");
    }
    Ok(begun)
}
