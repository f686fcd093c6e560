//! The reconciler of wishes: writes orders for shares that wait, notes what became of orders, ends what has ended.
//! Takes no input, may run twice or be killed half-way: an order and its share are of one transaction.

use serde_json::json;
use store::{Tx, View, params};

use super::{Counts, ShareState, TaskId, TaskState, Wish, rules, sql};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::events;
use crate::ids::OrgId;
use crate::orders::{self, CommandId, GivenBy, UnitId, Way};
use crate::platform::Platform;
use crate::retention::{Class, Target};
use crate::time::Micros;

inventory::submit! { Target::at(Class::Task, "commands", "ended_at") }
inventory::submit! { Target::at(Class::Task, "tasks", "ended_at") }
inventory::submit! { Target::at(Class::Task, "subtasks", "at").only(
    "not exists (select 1 from tasks t where t.tenant = subtasks.tenant and t.id = subtasks.task)"
) }

/// Shares of one transaction.
const BATCH: i64 = 200;

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Advanced {
    /// Orders that were written.
    pub ordered: u64,
    /// Shares that moved.
    pub moved: u64,
    /// Wishes that ended.
    pub ended: u64,
}

/// A wish that runs.
struct Running {
    org: OrgId,
    id: TaskId,
    wish: Wish,
    life_ms: i64,
    made_by: String,
    made_by_name: String,
}

/// Runs once; call it each minute.
///
/// # Errors
/// When the database refuses.
pub async fn run(platform: &Platform) -> Result<Advanced> {
    let ctx = platform.system("tasks go on");
    let mut done = Advanced::default();
    for task in running(&ctx, None).await? {
        while let n @ 1.. = assign(&ctx, &task, BATCH).await? {
            done.ordered += n;
        }
        let mut tx = ctx.db().write(&View::All("tasks of all organisations go on")).await?;
        done.moved += settle(&mut tx, task.org, task.id, ctx.now).await?;
        done.ended += u64::from(end(&mut tx, &ctx, &task).await?);
        tx.commit().await?;
    }
    Ok(done)
}

/// Writes the first orders of a new wish.
pub(super) async fn begin(platform: &Platform, org: OrgId, id: TaskId, most: usize) -> Result<()> {
    let ctx = platform.system("a task begins");
    for task in running(&ctx, Some((org, id))).await? {
        assign(&ctx, &task, i64::try_from(most).unwrap_or(BATCH)).await?;
    }
    Ok(())
}

async fn running(ctx: &Ctx, only: Option<(OrgId, TaskId)>) -> Result<Vec<Running>> {
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let mut all = Vec::new();
    for row in tx.query(&sql::RUNNING, &[]).await? {
        let (org, id, wish): (OrgId, TaskId, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if only.is_none_or(|only| only == (org, id)) {
            let wish =
                serde_json::from_str(&wish).map_err(|e| Error::internal(format!("a wish does not read: {e}")))?;
            let (made_by, made_by_name) = (row.get(4)?, row.get(5)?);
            all.push(Running { org, id, wish, life_ms: row.get(3)?, made_by, made_by_name });
        }
    }
    Ok(all)
}

/// Writes orders for at most so many shares that wait; returns how many left that state.
async fn assign(ctx: &Ctx, task: &Running, most: i64) -> Result<u64> {
    let mut tx = ctx.db().write(&View::All("orders go to devices of many organisations")).await?;
    let rows = tx.query(&sql::WAITING, &params![task.org, task.id, most]).await?;
    let by = GivenBy { id: &task.made_by, name: &task.made_by_name, task: Some(task.id.to_string()) };
    let mut given = Vec::with_capacity(rows.len());
    for row in &rows {
        let (unit, of): (UnitId, OrgId) = (row.get(0)?, row.get(1)?);
        let found = orders::find(&mut tx, of, unit).await?;
        let way = found.as_ref().map_or(Err("it is no longer there"), |found| found.way_of(&task.wish));
        let (Some(found), Ok(way)) = (found, way) else {
            let why = way.err().unwrap_or_default();
            tx.execute(&sql::SKIP, &params![task.org, task.id, unit, why, ctx.now]).await?;
            continue;
        };
        let command = orders::give_by(&mut tx, ctx, &found, &task.wish, task.life_ms, &by).await?;
        tx.execute(&sql::ASSIGN, &params![task.org, task.id, unit, command, ctx.now, way.word()]).await?;
        given.push(way);
    }
    tx.commit().await?;
    // So that the next report of each is answered with its order.
    for way in given {
        if let Way::Own(monitor, _) = way {
            ctx.platform.known().forget(monitor);
        }
    }
    Ok(rows.len() as u64)
}

/// Notes what became of the orders of a wish; returns how many shares moved.
pub(super) async fn settle(tx: &mut Tx, org: OrgId, id: TaskId, now: Micros) -> Result<u64> {
    let mut moved = 0;
    loop {
        let rows = tx.query(&sql::MOVED, &params![org, id, BATCH]).await?;
        for row in &rows {
            let (unit, state): (UnitId, Option<String>) = (row.get(0)?, row.get(1)?);
            let state = state.as_deref().and_then(rules::of_command).unwrap_or(ShareState::TimedOut);
            let (detail, command): (Option<String>, CommandId) = (row.get(2)?, row.get(3)?);
            note(tx, org, id, unit, command, (state, detail), now).await?;
        }
        moved += rows.len() as u64;
        if rows.len() < usize::try_from(BATCH).unwrap_or(usize::MAX) {
            return Ok(moved);
        }
    }
}

/// Notes where a share stands.
pub(super) async fn note(
    tx: &mut Tx,
    org: OrgId,
    id: TaskId,
    unit: UnitId,
    command: CommandId,
    (state, detail): (ShareState, Option<String>),
    now: Micros,
) -> Result<()> {
    tx.execute(&sql::MOVE, &params![org, id, unit, command, state.as_str(), detail, now]).await?;
    Ok(())
}

/// Ends a wish of which nothing is to come.
async fn end(tx: &mut Tx, ctx: &Ctx, task: &Running) -> Result<bool> {
    let mut counts = Counts::default();
    for row in tx.query(&sql::COUNTS, &params![task.org, task.id]).await? {
        *counts.slot(ShareState::parse(&row.get::<String>(0)?)?) += row.get::<u64>(2)?;
    }
    let state = rules::state(&counts);
    if state == TaskState::Running
        || tx.execute(&sql::END, &params![task.org, task.id, state.as_str(), ctx.now]).await? == 0
    {
        return Ok(false);
    }
    let data = json!({ "state": state, "counts": counts });
    events::emit(tx, ctx, task.org, "task.finished", ("task", task.id.to_string()), data).await?;
    Ok(true)
}
