//! Says which agents fell silent. Compares what is with the clock, and may run twice or be killed half-way.

use serde_json::json;
use store::params;

use super::{OFFLINE_AFTER, sql};
use crate::error::Result;
use crate::events;
use crate::ids::{AgentId, OrgId};
use crate::platform::Platform;
use crate::time::Micros;

/// Marks silent agents as offline, with an event for each; how many.
///
/// # Errors
/// When the database refuses.
pub async fn run(platform: &Platform) -> Result<usize> {
    let ctx = platform.system("agents that fell silent");
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let rows = tx.query(&sql::SILENT, &params![ctx.now - OFFLINE_AFTER]).await?;
    for row in &rows {
        let (org, agent, since): (OrgId, AgentId, Micros) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let data = json!({ "agent": agent, "since": since });
        events::emit(&mut tx, &ctx, org, "agent.offline", ("agent", agent.to_string()), data).await?;
    }
    tx.commit().await?;
    Ok(rows.len())
}
