//! Orders of a wish for many: written in its transaction, in the name of whoever wished it.

use serde_json::json;
use store::{Tx, params};
use wire::Subject;
use wire::command::{Order, What};
use wire::monitor::Kind;
use wire::schedule::Schedule;

use super::{CommandId, MonitorId, kinds, sql};
use crate::audit::{self, Change};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::events;
use crate::ids::OrgId;
use crate::time::Micros;

/// Who gives an order, where a job writes it.
pub(crate) struct GivenBy<'a> {
    /// Id of the user or token; empty for the system.
    pub(crate) id: &'a str,
    /// For people.
    pub(crate) name: &'a str,
    /// The wish that it is a share of.
    pub(crate) task: Option<String>,
}

/// What is ordered, as stored.
pub(super) fn word(what: &What) -> &'static str {
    match what {
        What::ReportNow(_) => "report_now",
        What::Schedule(_) => "schedule",
        What::SendLog => "send_log",
        What::Keys(_) => "keys",
    }
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
    let word = word(&what);
    let id = CommandId::new(ctx.ids());
    let issued_ms = ctx.now.as_millis();
    let expires_ms = issued_ms + life_ms;
    let name = Subject(id.0.into_bytes());
    let order = Order { id: name, target: monitor.into(), issued_ms, expires_ms, subject: None, what };
    let bytes = wire::cbor::encode(&order);
    let expires = Micros(expires_ms * 1_000);
    tx.execute(&sql::ORDER, &params![org, id, monitor, word, bytes, ctx.now, by.id, expires]).await?;
    let mut data = json!({ "command": id, "what": word });
    if let Some(task) = &by.task {
        data["task"] = json!(task);
        data["by"] = json!(by.name);
    }
    events::emit(tx, ctx, org, "command.queued", ("monitor", monitor.to_string()), data.clone()).await?;
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

/// Sets how often a kind is told, in the transaction of the caller.
pub(crate) async fn set_period_in(
    tx: &mut Tx,
    ctx: &Ctx,
    (org, id): (OrgId, MonitorId),
    kind: Kind,
    period_s: Option<u32>,
) -> Result<()> {
    tx.execute(&sql::PERIOD, &params![org, id, i64::from(kind.number()), period_s.map(i64::from)]).await?;
    tx.execute(&sql::BUMP_REVISION, &params![org, id]).await?;
    let change = Change::new(org, "set the schedule", "monitor", id);
    audit::record(tx, ctx, change.after(json!({ "kind": kind, "period_s": period_s }))).await?;
    Ok(())
}

/// The schedule that a device should follow.
pub(crate) async fn schedule_of(tx: &mut Tx, org: OrgId, id: MonitorId) -> Result<Schedule> {
    kinds::schedule(tx, org, id).await
}
