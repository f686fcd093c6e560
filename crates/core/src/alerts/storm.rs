//! Storms: devices of one agent that fall silent within minutes have one cause, and are one incident.
//! It is known at the first that is silent: by then all the others are late. It ends when all are heard again.

use serde_json::json;
use store::{Tx, params};

use super::service::open_of_agent;
use super::{IncidentId, sql};
use crate::devices::{LATE, SILENT};
use crate::error::Result;
use crate::{AgentId, Ctx, OrgId};

/// Reason of an incident that hides many devices.
pub(crate) const REASON: &str = "platen-devices-hidden";
/// From so many devices on they have one cause.
const FEW: i64 = 10;
/// Within so long of each other, µs: ten minutes.
const TOGETHER: i64 = 600 * 1_000_000;
/// Incidents that one transaction ends.
const BATCH: i64 = 200;

/// The one cause of many silences.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(super) id: IncidentId,
    pub(super) state: String,
    pub(super) words: String,
    pub(super) version: i64,
    pub(super) opened_at: i64,
}

/// The cause that hides the devices of an agent; `None`: too few of them fell silent together.
pub(crate) async fn cause_of(tx: &mut Tx, ctx: &Ctx, tenant: OrgId, agent: AgentId) -> Result<Option<Shared>> {
    let now = ctx.now.0;
    let values = params![tenant, agent, now - LATE, now - SILENT - TOGETHER];
    let hidden: i64 = tx.query_one(&sql::BURST, &values).await?.get(0)?;
    if hidden < FEW {
        return Ok(None);
    }
    if let Some(row) = tx.query_opt(&sql::HIDDEN_INCIDENT, &params![tenant, agent]).await? {
        return Ok(Some(Shared {
            id: row.get(0)?,
            state: row.get(1)?,
            words: row.get(3)?,
            version: row.get(4)?,
            opened_at: row.get(5)?,
        }));
    }
    let words = format!("{hidden} devices of one agent fell silent within minutes; look at the network to them");
    let id = open_of_agent(tx, ctx, (tenant, agent), REASON, &words, hidden.unsigned_abs()).await?;
    Ok(Some(Shared { id, state: "open".to_owned(), words, version: 1, opened_at: now }))
}

/// Ends causes of which nothing stands any more; how many.
pub(crate) async fn settle(ctx: &Ctx) -> Result<u64> {
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let mut settled = 0;
    for row in tx.query(&sql::SHARED_OVER, &params![BATCH]).await? {
        let (tenant, id, reason): (OrgId, IncidentId, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if tx.execute(&sql::RESOLVE_EMPTY, &params![tenant, id, ctx.now]).await? > 0 {
            let data = json!({ "incident": id, "cause": reason, "agent": row.get::<Option<AgentId>>(3)? });
            crate::events::emit(&mut tx, ctx, tenant, "incident.resolved", ("incident", id.to_string()), data).await?;
            settled += 1;
        }
    }
    tx.commit().await?;
    Ok(settled)
}
