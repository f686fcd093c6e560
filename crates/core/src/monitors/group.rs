//! Orders of a wish for many: written in its transaction, in the name of whoever wished it.

use serde_json::json;
use store::{Tx, params};
use wire::command::What;

use super::{CommandId, MonitorId, orders, sql};
use crate::audit::{self, Change};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::events;
use crate::ids::OrgId;

/// Who gives an order, where a job writes it.
pub(crate) struct GivenBy<'a> {
    /// Id of the user or token; empty for the system.
    pub(crate) id: &'a str,
    /// For people.
    pub(crate) name: &'a str,
    /// The wish that it is a share of.
    pub(crate) task: Option<String>,
}

/// Writes an order to a device; its life was checked.
pub(crate) async fn give(
    tx: &mut Tx,
    ctx: &Ctx,
    (org, monitor): (OrgId, MonitorId),
    what: What,
    life_ms: i64,
    by: &GivenBy<'_>,
) -> Result<CommandId> {
    let word = orders::word(&what);
    let id = orders::queue(tx, ctx, (org, monitor), what, life_ms, by.id).await?;
    let mut data = json!({ "command": id, "what": word });
    if let Some(task) = &by.task {
        data["task"] = json!(task);
        data["by"] = json!(by.name);
    }
    audit::record(tx, ctx, Change::new(org, "ordered", "monitor", monitor).after(data)).await?;
    Ok(id)
}

/// Whether a device passed its communication test and is not suspended.
pub(crate) async fn is_heard(tx: &mut Tx, org: OrgId, id: MonitorId) -> Result<bool> {
    let row = tx.query_opt(&sql::GET, &params![org, id]).await?;
    Ok(row.map(|row| row.get::<String>(5)).transpose()?.is_some_and(|state| state == "active"))
}

/// Takes an order back if it has not ended.
pub(crate) async fn take_back(tx: &mut Tx, ctx: &Ctx, org: OrgId, monitor: MonitorId, id: CommandId) -> Result<()> {
    if tx.execute(&sql::CANCEL, &params![org, id, monitor, ctx.now]).await? > 0 {
        let data = json!({ "command": id, "state": "cancelled" });
        events::emit(tx, ctx, org, "command.ended", ("monitor", monitor.to_string()), data).await?;
    }
    Ok(())
}
