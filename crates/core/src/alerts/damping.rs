//! Flapping alerts that have stayed away are over. Takes no input, may run twice or be killed half-way.

use serde_json::json;
use store::params;

use super::rules::FLAP;
use super::{AlertId, IncidentId, sql};
use crate::devices::DeviceId;
use crate::error::Result;
use crate::{Ctx, Micros, OrgId};

/// Alerts that one transaction looks at.
const BATCH: i64 = 200;

/// Clears flapping alerts that have been away for ten minutes; how many. Call it each minute.
pub(crate) async fn settle(ctx: &Ctx) -> Result<u64> {
    let mut settled = 0;
    loop {
        let mut tx = ctx.db().write(&ctx.scope.view()).await?;
        let due = tx.query(&sql::STAYED_AWAY, &params![ctx.now.0 - FLAP, BATCH]).await?;
        if due.is_empty() {
            return Ok(settled);
        }
        for row in &due {
            let (tenant, id, device): (OrgId, AlertId, DeviceId) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let (incident, raised_at, since): (IncidentId, i64, i64) = (row.get(7)?, row.get(8)?, row.get(9)?);
            let reason: String = row.get(3)?;
            tx.execute(&sql::CLEAR_QUIET, &params![tenant, id, since]).await?;
            let data = json!({
                "alert": id, "device": device, "reason": reason, "severity": row.get::<String>(4)?,
                "group": row.get::<String>(5)?, "part": row.get::<String>(6)?, "incident": incident,
                "since": Micros(raised_at),
            });
            let subject = ("device", device.to_string());
            crate::events::emit(&mut tx, ctx, tenant, "device.alert.cleared", subject, data).await?;
            if tx.execute(&sql::RESOLVE_EMPTY, &params![tenant, incident, since]).await? > 0 {
                let data = json!({ "incident": incident, "cause": reason, "devices": [device] });
                let subject = ("incident", incident.to_string());
                crate::events::emit(&mut tx, ctx, tenant, "incident.resolved", subject, data).await?;
            }
        }
        settled += due.len() as u64;
        tx.commit().await?;
    }
}
