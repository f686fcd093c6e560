//! How often an agent looks at one device, where a person set it. The agent learns it by order and keeps it.

use serde::Serialize;
use serde_json::json;
use store::{Tx, params};
use wire::Subject;
use wire::monitor::Kind;
use wire::schedule::{Schedule, Slot};

use super::sql;
use crate::audit::{self, Change};
use crate::ctx::Ctx;
use crate::devices::DeviceId;
use crate::error::Result;
use crate::ids::OrgId;

/// Periods of one device, seconds; `None`: as in the plan of its agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Periods {
    /// Between two looks at its condition.
    pub status_s: Option<u32>,
    /// Between two readings of its billing counters.
    pub meters_s: Option<u32>,
    /// Rises with each change; 0: never set.
    pub revision: u64,
}

/// What was set for a device.
pub(super) async fn get(tx: &mut Tx, org: OrgId, device: DeviceId) -> Result<Periods> {
    let Some(row) = tx.query_opt(&sql::PERIODS, &params![org, device]).await? else { return Ok(Periods::default()) };
    Ok(Periods { status_s: row.get(0)?, meters_s: row.get(1)?, revision: row.get(2)? })
}

/// Sets one of them; orders to follow an older schedule are void. Returns what the agent shall follow.
pub(super) async fn set(
    tx: &mut Tx,
    ctx: &Ctx,
    (org, device, subject): (OrgId, DeviceId, Subject),
    kind: Kind,
    period_s: Option<u32>,
) -> Result<Schedule> {
    let old = get(tx, org, device).await?;
    let mut new = Periods { revision: old.revision + 1, ..old };
    match kind {
        Kind::Status => new.status_s = period_s,
        _ => new.meters_s = period_s,
    }
    let revision = i64::try_from(new.revision).unwrap_or(i64::MAX);
    let values = params![org, device, new.status_s, new.meters_s, revision, ctx.now, ctx.actor.id()];
    tx.execute(&sql::SET_PERIODS, &values).await?;
    tx.execute(&sql::OLDER_PERIODS, &params![org, device, ctx.now]).await?;
    let change = Change::new(org, "set the schedule", "device", device);
    audit::record(tx, ctx, change.after(json!({ "kind": kind, "period_s": period_s }))).await?;
    let slot = |kind, period| Slot::of(subject, kind, 0, period, period);
    let status = new.status_s.map(|period| slot(Kind::Status, period));
    let meters = new.meters_s.map(|period| slot(Kind::Billing, period));
    Ok(Schedule { revision: new.revision, slots: status.into_iter().chain(meters).collect() })
}
