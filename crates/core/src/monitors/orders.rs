//! Orders to one device or agent: signed here, fetched by whichever road, executed at most once, their life visible.

use serde::Serialize;
use serde_json::json;
use store::{Tx, View, params};
use wire::Subject;
use wire::command::{Acks, Command, MAX_LIFE_MS, Order, Taken, What};

use super::group::{GivenBy, give};
use super::{MonitorId, keys, registry, sql};
use crate::audit::{self, Change};
use crate::ctx::{Ctx, Role};
use crate::error::{Error, Result};
use crate::events;
use crate::ids::OrgId;
use crate::platform::Platform;
use crate::time::Micros;

crate::id!(
    /// An order.
    CommandId,
    "order"
);

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// Waits to be fetched.
    Queued,
    /// Fetched; no answer yet.
    Taken,
    /// Done.
    Done,
    /// Tried in vain.
    Failed,
    /// Not tried.
    Refused,
    /// Nobody fetched or answered it in time.
    Expired,
    /// A person took it back.
    Cancelled,
}

impl CommandState {
    fn parse(text: &str) -> Self {
        match text {
            "queued" => Self::Queued,
            "taken" => Self::Taken,
            "done" => Self::Done,
            "failed" => Self::Failed,
            "refused" => Self::Refused,
            "expired" => Self::Expired,
            _ => Self::Cancelled,
        }
    }
}

/// An order, as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CommandRow {
    /// Its name.
    pub id: CommandId,
    /// `report_now`, `schedule`, `send_log`.
    pub what: String,
    /// Where it stands.
    pub state: CommandState,
    /// When it was given.
    pub issued_at: Micros,
    /// By whom: id of a user, or empty for the system.
    pub issued_by: String,
    /// Worthless from then on.
    pub expires_at: Micros,
    /// When it was fetched.
    pub taken_at: Option<Micros>,
    /// When it ended.
    pub ended_at: Option<Micros>,
    /// What the device said.
    pub detail: Option<String>,
}

/// Gives an order to a registered device; it lives for `life_ms` (a minute to seven days).
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope, `Invalid` for a life outside its bounds.
pub async fn order(ctx: &Ctx, monitor: MonitorId, what: What, life_ms: i64) -> Result<CommandId> {
    ctx.require(Role::Manager, "give orders to devices")?;
    if !(60_000..=MAX_LIFE_MS).contains(&life_ms) {
        return Err(Error::invalid("life", "an order lives for a minute to seven days"));
    }
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let org = registry::tenant(ctx, &mut tx, monitor).await?;
    let by = GivenBy { id: &ctx.actor.id(), name: ctx.actor.name(), task: None };
    let id = give(&mut tx, ctx, (org, monitor), what, life_ms, &by).await?;
    tx.commit().await?;
    // So that the next report is answered with it.
    ctx.platform.monitor_keys().lock().remove(&monitor.into());
    Ok(id)
}

/// The name of an order, as stored.
pub(super) fn word(what: &What) -> &'static str {
    match what {
        What::ReportNow(_) => "report_now",
        What::Schedule(_) => "schedule",
        What::SendLog => "send_log",
        What::Keys(_) => "keys",
    }
}

/// Queues an order in the transaction of what it follows from.
pub(super) async fn queue(
    tx: &mut Tx,
    ctx: &Ctx,
    (org, monitor): (OrgId, MonitorId),
    what: What,
    life_ms: i64,
    by: &str,
) -> Result<CommandId> {
    let word = word(&what);
    let id = CommandId::new(ctx.ids());
    let issued_ms = ctx.now.as_millis();
    let expires_ms = issued_ms + life_ms;
    let name = Subject(id.0.into_bytes());
    let order = Order { id: name, target: monitor.into(), issued_ms, expires_ms, subject: None, what };
    let (bytes, expires) = (wire::cbor::encode(&order), Micros(expires_ms * 1_000));
    tx.execute(&sql::ORDER, &params![org, id, monitor, word, bytes, ctx.now, by, expires]).await?;
    let data = json!({ "command": id, "what": word });
    events::emit(tx, ctx, org, "command.queued", ("monitor", monitor.to_string()), data).await?;
    Ok(id)
}

/// Everything that waits for the device that asks, signed; what it was given before and has not answered is among it.
///
/// # Errors
/// When the database refuses.
pub async fn pending(ctx: &Ctx) -> Result<Vec<Command>> {
    let target = ctx.require_monitor()?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let rows = tx.query(&sql::PENDING, &params![ctx.home, target, ctx.now]).await?;
    drop(tx);
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ring = keys::ring(&ctx.platform).await?;
    let mut commands = Vec::with_capacity(rows.len());
    let mut taken = Vec::new();
    for row in rows {
        let (id, order): (CommandId, Vec<u8>) = (row.get(0)?, row.get(1)?);
        if row.get::<String>(2)? == "queued" {
            taken.push(Vec::from(params![ctx.home, id, ctx.now]));
        }
        commands.push(ring.known_to(row.get(3)?)?.sign(order));
    }
    if !taken.is_empty() {
        let mut tx = ctx.db().write(&ctx.scope.view()).await?;
        tx.many(&sql::TAKE, taken).await?;
        tx.commit().await?;
    }
    Ok(commands)
}

/// Takes the answers of the device that asks. Answers to what it was never asked change nothing.
///
/// # Errors
/// `Invalid` for more than 64 answers.
pub async fn acknowledge(ctx: &Ctx, acks: &Acks) -> Result<()> {
    let target = ctx.require_monitor()?;
    if acks.acks.len() > 64 {
        return Err(Error::invalid("acks", "at most 64 answers at once"));
    }
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    for ack in &acks.acks {
        let id = CommandId(uuid::Uuid::from_bytes(ack.id.0));
        let detail = ack.detail.as_deref().map(|text| crate::agents::told(text, 500));
        let state = match ack.taken {
            Taken::Done => "done",
            Taken::Failed => "failed",
            Taken::Refused => "refused",
            Taken::NotNow => {
                tx.execute(&sql::NOT_NOW, &params![ctx.home, id, target, detail]).await?;
                continue;
            }
        };
        if let Some(row) = tx.query_opt(&sql::END, &params![ctx.home, id, target, state, ctx.now, detail]).await? {
            let taught = if ack.taken == Taken::Done { keys::taught(&row.get::<Vec<u8>>(0)?) } else { 0 };
            if taught > 0 {
                tx.execute(&sql::TAUGHT, &params![ctx.home, target, taught]).await?;
            }
            let data = json!({ "command": id, "state": state });
            events::emit(&mut tx, ctx, ctx.home, "command.ended", ("monitor", target.to_string()), data).await?;
        }
    }
    Ok(tx.commit().await?)
}

/// The last 100 orders to a device, newest first.
///
/// # Errors
/// `NotFound` outside the scope.
pub async fn commands(ctx: &Ctx, monitor: MonitorId) -> Result<Vec<CommandRow>> {
    ctx.require(Role::User, "see orders")?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let org = registry::tenant(ctx, &mut tx, monitor).await?;
    let rows = tx.query(&sql::COMMANDS, &params![org, monitor, 100]).await?;
    rows.iter()
        .map(|row| {
            Ok(CommandRow {
                id: row.get(0)?,
                what: row.get(1)?,
                state: CommandState::parse(&row.get::<String>(2)?),
                issued_at: row.get(3)?,
                issued_by: row.get(4)?,
                expires_at: row.get(5)?,
                taken_at: row.get(6)?,
                ended_at: row.get(7)?,
                detail: row.get(8)?,
            })
        })
        .collect()
}

/// Takes an order back; one that was fetched may have been executed already.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope, `Conflict` when it has ended.
pub async fn cancel(ctx: &Ctx, monitor: MonitorId, command: CommandId) -> Result<()> {
    ctx.require(Role::Manager, "cancel orders")?;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let org = registry::tenant(ctx, &mut tx, monitor).await?;
    if tx.execute(&sql::CANCEL, &params![org, command, monitor, ctx.now]).await? == 0 {
        return Err(Error::conflict("this order has ended already, or is none of this device"));
    }
    audit::record(&mut tx, ctx, Change::new(org, "cancelled", "command", command)).await?;
    Ok(tx.commit().await?)
}

/// Ends orders whose time is over; returns how many.
///
/// # Errors
/// When the database refuses.
pub async fn expire(platform: &Platform) -> Result<u64> {
    let ctx = platform.system("orders end");
    let mut tx = ctx.db().write(&View::All("orders of all organisations end")).await?;
    let rows = tx.query(&sql::EXPIRE, &params![ctx.now]).await?;
    for row in &rows {
        let (org, id, target): (OrgId, CommandId, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let data = json!({ "command": id, "state": "expired" });
        events::emit(&mut tx, &ctx, org, "command.ended", ("monitor", target), data).await?;
    }
    tx.commit().await?;
    Ok(rows.len() as u64)
}
