//! The book of orders: written in the transaction of what they follow from, signed when they are fetched, ended by an answer
//! or by time. Whoever asks, device or agent, gets its own.

use serde_json::json;
use store::{Row, Tx, View, params};
use wire::Subject;
use wire::command::{Acks, Command, Order, Taken, What};
use wire::hello::GatewayKey;

use super::{CommandId, CommandRow, CommandState, UnitId, sql};
use crate::audit::{self, Change};
use crate::ctx::{Actor, Ctx};
use crate::devices::DeviceId;
use crate::error::{Error, Result};
use crate::events;
use crate::ids::{AgentId, OrgId};
use crate::monitors::{self, MonitorId};
use crate::platform::Platform;
use crate::time::Micros;

/// Whose order it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    /// A device that reports by itself.
    Monitor(MonitorId),
    /// An agent, for itself.
    Agent(AgentId),
    /// An agent, about a device that it reads under that name.
    Through(AgentId, DeviceId, Subject),
}

impl Whom {
    fn target(self) -> AgentId {
        match self {
            Self::Monitor(id) => AgentId(id.0),
            Self::Agent(id) | Self::Through(id, ..) => id,
        }
    }

    /// What events and the audit tell of.
    pub(crate) fn subject(self) -> (&'static str, String) {
        match self {
            Self::Monitor(id) => ("monitor", id.to_string()),
            Self::Agent(id) => ("agent", id.to_string()),
            Self::Through(_, device, _) => ("device", device.to_string()),
        }
    }
}

/// Who gives an order.
pub(crate) struct GivenBy<'a> {
    /// Id of the user or token; empty for the system.
    pub(crate) id: &'a str,
    /// For people.
    pub(crate) name: &'a str,
    /// The wish that it is a share of.
    pub(crate) task: Option<String>,
}

/// The name of an order, as stored.
fn word(what: &What) -> &'static str {
    match what {
        What::ReportNow(_) => "report_now",
        What::Schedule(_) => "schedule",
        What::SendLog => "send_log",
        What::Keys(_) => "keys",
        What::Discover => "discover",
    }
}

/// Queues an order in the transaction of what it follows from.
pub(crate) async fn queue(
    tx: &mut Tx,
    ctx: &Ctx,
    (org, whom): (OrgId, Whom),
    what: What,
    life_ms: i64,
    by: &GivenBy<'_>,
) -> Result<CommandId> {
    let word = word(&what);
    let id = CommandId::new(ctx.ids());
    let issued_ms = ctx.now.as_millis();
    let expires_ms = issued_ms + life_ms;
    let (device, subject) = match whom {
        Whom::Through(_, device, subject) => (Some(device), Some(subject)),
        Whom::Monitor(_) | Whom::Agent(_) => (None, None),
    };
    let name = Subject(id.0.into_bytes());
    let order = Order { id: name, target: whom.target().into(), issued_ms, expires_ms, subject, what };
    let (bytes, expires) = (wire::cbor::encode(&order), Micros(expires_ms * 1_000));
    let values =
        params![org, id, whom.target(), word, bytes, ctx.now, by.id, expires, device, by.name, whom.subject().0];
    tx.execute(&sql::ORDER, &values).await?;
    events::emit(tx, ctx, org, "command.queued", whom.subject(), json!({ "command": id, "what": word })).await?;
    Ok(id)
}

/// As [`queue`], for what a person wants: also in the audit. Its life was checked.
pub(crate) async fn give(
    tx: &mut Tx,
    ctx: &Ctx,
    (org, whom): (OrgId, Whom),
    what: What,
    life_ms: i64,
    by: &GivenBy<'_>,
) -> Result<CommandId> {
    let mut data = json!({ "what": word(&what) });
    let id = queue(tx, ctx, (org, whom), what, life_ms, by).await?;
    data["command"] = json!(id);
    if let Some(task) = &by.task {
        data["task"] = json!(task);
        data["by"] = json!(by.name);
    }
    let (kind, subject) = whom.subject();
    audit::record(tx, ctx, Change::new(org, "ordered", kind, subject).after(data)).await?;
    Ok(id)
}

/// What events of an order tell of, by its columns `whom`, `target` and `device` from `at` on.
fn told_of(row: &Row, at: usize) -> Result<(&'static str, String)> {
    Ok(match (row.get::<String>(at)?.as_str(), row.get::<Option<String>>(at + 2)?) {
        ("device", Some(device)) => ("device", device),
        ("agent", _) => ("agent", row.get(at + 1)?),
        _ => ("monitor", row.get(at + 1)?),
    })
}

/// Everything that waits for whoever asks, signed; what was given before and has not been answered is among it.
///
/// # Errors
/// `Forbidden` for anyone but a registered device or an agent.
pub async fn pending(ctx: &Ctx) -> Result<Vec<Command>> {
    let target = ctx.require_sender()?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let rows = tx.query(&sql::PENDING, &params![ctx.home, target, ctx.now]).await?;
    drop(tx);
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut commands = Vec::with_capacity(rows.len());
    let mut taken = Vec::new();
    for row in rows {
        let (id, order): (CommandId, Vec<u8>) = (row.get(0)?, row.get(1)?);
        if row.get::<String>(2)? == "queued" {
            taken.push(id);
        }
        commands.push(monitors::sign(&ctx.platform, row.get(3)?, order).await?);
    }
    if !taken.is_empty() {
        let mut tx = ctx.db().write(&ctx.scope.view()).await?;
        for id in taken {
            let Some(row) = tx.query_opt(&sql::TAKE, &params![ctx.home, id, ctx.now]).await? else { continue };
            let data = json!({ "command": id });
            events::emit(&mut tx, ctx, ctx.home, "command.taken", told_of(&row, 0)?, data).await?;
        }
        tx.commit().await?;
    }
    Ok(commands)
}

/// What rides on the answer to an agent's report.
#[derive(Default)]
pub(crate) struct Ridden {
    /// Orders for it.
    pub(crate) commands: Vec<Command>,
    /// The gateway's keys, for an agent that knows none.
    pub(crate) keys: Vec<GatewayKey>,
}

/// Orders for an agent that has some waiting and knows a key; keys for one that says it knows none. A fault here costs time
/// alone: what the agent told is safe already, and the next answer carries the same.
pub(crate) async fn ride(ctx: &Ctx, waits: bool, knows: i64) -> Ridden {
    let mut ridden = Ridden::default();
    let outcome = match (knows, waits) {
        (0, _) => monitors::public_keys(&ctx.platform).await.map(|keys| ridden.keys = keys),
        (_, true) => pending(ctx).await.map(|commands| ridden.commands = commands),
        (_, false) => Ok(()),
    };
    if let Err(error) = outcome {
        tracing::error!(%error, source = ?error.source, "orders could not be handed to an agent; it gets them next time");
    }
    ridden
}

/// Takes the answers of whoever asks. Answers to what it was never asked change nothing.
///
/// # Errors
/// `Invalid` for more than 64 answers.
pub async fn acknowledge(ctx: &Ctx, acks: &Acks) -> Result<()> {
    let target = ctx.require_sender()?;
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
            if let (Taken::Done, Actor::Monitor { id: monitor }) = (ack.taken, &ctx.actor) {
                monitors::learnt(&mut tx, ctx.home, *monitor, &row.get::<Vec<u8>>(0)?).await?;
            }
            ended(&mut tx, ctx, ctx.home, told_of(&row, 1)?, id, state).await?;
        }
    }
    Ok(tx.commit().await?)
}

async fn ended(
    tx: &mut Tx,
    ctx: &Ctx,
    org: OrgId,
    subject: (&'static str, String),
    id: CommandId,
    state: &str,
) -> Result<()> {
    let data = json!({ "command": id, "state": state });
    events::emit(tx, ctx, org, "command.ended", subject, data).await?;
    Ok(())
}

/// The last 100 orders to a registered device, newest first.
pub(crate) async fn of_target(tx: &mut Tx, org: OrgId, target: AgentId) -> Result<Vec<CommandRow>> {
    tx.query(&sql::OF_TARGET, &params![org, target, 100]).await?.iter().map(read).collect()
}

pub(super) fn read(row: &Row) -> Result<CommandRow> {
    Ok(CommandRow {
        id: row.get(0)?,
        what: row.get(1)?,
        state: CommandState::parse(&row.get::<String>(2)?),
        issued_at: row.get(3)?,
        issued_by: row.get(4)?,
        given_by: row.get(5)?,
        expires_at: row.get(6)?,
        taken_at: row.get(7)?,
        ended_at: row.get(8)?,
        detail: row.get(9)?,
    })
}

/// Takes an order back because a person wants it.
pub(crate) async fn cancel_one(tx: &mut Tx, ctx: &Ctx, org: OrgId, whom: Whom, id: CommandId) -> Result<()> {
    if tx.query_opt(&sql::CANCEL, &params![org, id, whom.target(), ctx.now]).await?.is_none() {
        return Err(Error::conflict("this order has ended already, or is none of this device"));
    }
    ended(tx, ctx, org, whom.subject(), id, "cancelled").await?;
    audit::record(tx, ctx, Change::new(org, "cancelled", "command", id)).await
}

/// Takes the order of a unit back; false when it has ended.
pub(crate) async fn take_back(tx: &mut Tx, ctx: &Ctx, org: OrgId, unit: UnitId, id: CommandId) -> Result<bool> {
    let row = tx.query_opt(&sql::CANCEL_OF_UNIT, &params![org, id, unit, ctx.now]).await?;
    if let Some(row) = &row {
        ended(tx, ctx, org, told_of(row, 0)?, id, "cancelled").await?;
    }
    Ok(row.is_some())
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
        ended(&mut tx, &ctx, row.get(0)?, told_of(row, 2)?, row.get(1)?, "expired").await?;
    }
    tx.commit().await?;
    Ok(rows.len() as u64)
}
