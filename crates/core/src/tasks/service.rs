//! What people do with wishes for many: look first, wish, watch, take back, try again.

use std::collections::BTreeMap;

use serde_json::json;
use store::{Row, Sql, Tx, Value, params};

use super::{
    Counts, MOST_DEVICES, NewTask, Preview, Reached, Share, ShareQuery, ShareState, Task, TaskId, TaskState, Wish,
    jobs, rules, sql,
};
use crate::audit::{self, Change};
use crate::ctx::{Ctx, Role};
use crate::error::{Error, Result};
use crate::events;
use crate::filter::Filter;
use crate::ids::OrgId;
use crate::orders::{self, Found, UnitId};
use crate::page::{Key, Page, PageQuery, Sort};
use crate::time::Micros;

const NEWEST: Sort = Sort { name: "tasks.newest", keys: &[Key::down("t.made_at"), Key::down("t.id")] };
const BY_SERIAL: Sort = Sort { name: "shares.serial", keys: &[Key::up("s.serial_no"), Key::up("s.unit")] };
/// Devices that are ordered before the answer; the others follow by the job.
const AT_ONCE: usize = 200;

/// Devices of a filter, parted by whether an order reaches them.
#[derive(Default)]
struct Reach {
    /// By their unit, with the word of their road.
    reached: Vec<(Found, &'static str)>,
    refused: BTreeMap<&'static str, u64>,
}

/// Whom a wish would reach, by which road, and who could not do it.
///
/// # Errors
/// `Forbidden` below manager; `Invalid` for a filter or a wish that does not fit, or for more devices than [`MOST_DEVICES`].
pub async fn preview(ctx: &Ctx, wish: &Wish, filter: Option<&Filter>) -> Result<Preview> {
    ctx.require(Role::Manager, "give orders to devices")?;
    orders::check(wish, 60_000)?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let Reach { reached, refused } = reach(ctx, &mut tx, wish, filter).await?;
    drop(tx);
    let mut roads = BTreeMap::new();
    for (_, road) in &reached {
        *roads.entry(*road).or_insert(0) += 1;
    }
    let mut first: Vec<_> = reached.iter().collect();
    first.sort_by(|(a, _), (b, _)| (&a.serial, a.unit).cmp(&(&b.serial, b.unit)));
    let sample = first.into_iter().take(20).map(|(found, road)| Reached {
        unit: found.unit,
        device: found.device,
        org: found.org,
        vendor: found.vendor.clone(),
        serial: found.serial.clone(),
        model: found.model.clone(),
        road,
    });
    Ok(Preview {
        devices: reached.len(),
        roads: roads.into_iter().collect(),
        away: reached.iter().filter(|(found, _)| found.away).count() as u64,
        refused: refused.into_iter().collect(),
        hash: hash(wish, &reached),
        sample: sample.collect(),
    })
}

fn hash(wish: &Wish, reached: &[(Found, &'static str)]) -> String {
    rules::hash(wish, &reached.iter().map(|(found, _)| found.unit).collect::<Vec<_>>())
}

/// The devices of a filter, by unit.
async fn reach(ctx: &Ctx, tx: &mut Tx, wish: &Wish, filter: Option<&Filter>) -> Result<Reach> {
    let mut values = Vec::new();
    let mut conditions = vec![ctx.scope.condition("u", &mut values)];
    if let Some(filter) = filter {
        conditions.push(filter.to_sql(orders::FIELDS, &mut values)?);
    }
    let (columns, units, conditions) = (orders::COLUMNS, orders::units(), conditions.join(" and "));
    let most = MOST_DEVICES + 1;
    let text = format!("select {columns} from ({units}) u where {conditions} order by u.unit limit {most}");
    let rows = tx.query(&Sql::built_as("tasks reach", text), &values).await?;
    if rows.len() > MOST_DEVICES {
        return Err(Error::invalid("filter", format!("more than {MOST_DEVICES} devices; narrow the filter")));
    }
    let mut reach = Reach::default();
    for row in &rows {
        let found = Found::read(row)?;
        match found.way_of(wish) {
            Ok(way) => reach.reached.push((found, way.word())),
            Err(why) => *reach.refused.entry(why).or_insert(0) += 1,
        }
    }
    Ok(reach)
}

/// Wishes something of all devices of a filter. The first of them are ordered before this returns.
///
/// # Errors
/// `Forbidden` below manager; `Invalid` for what does not fit, or when nobody would be reached; `Conflict` when the devices
/// are no longer those that were looked at.
pub async fn create(ctx: &Ctx, new: &NewTask) -> Result<Task> {
    ctx.require(Role::Manager, "give orders to devices")?;
    orders::check(&new.wish, new.life_ms)?;
    let id = TaskId::new(ctx.ids());
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let Reach { reached, refused } = reach(ctx, &mut tx, &new.wish, new.filter.as_ref()).await?;
    if reached.is_empty() {
        let why = refused.keys().next().map_or_else(String::new, |why| format!(": {why}"));
        return Err(Error::invalid("filter", format!("no device would be reached{why}")));
    }
    if hash(&new.wish, &reached) != new.preview_hash {
        return Err(Error::conflict("the devices are no longer those that were looked at; look again"));
    }
    let devices = i64::try_from(reached.len()).unwrap_or(i64::MAX);
    let filter = new.filter.as_ref().map(ToString::to_string).unwrap_or_default();
    let wish = serde_json::to_value(&new.wish).map_err(|error| Error::internal(error.to_string()))?;
    let expires = Micros(ctx.now.0 + new.life_ms * 1_000);
    let values = params![
        ctx.home,
        id,
        new.wish.word(),
        wish.to_string(),
        &filter,
        &new.preview_hash,
        devices,
        new.life_ms,
        ctx.now,
        ctx.actor.id(),
        ctx.actor.name(),
        expires
    ];
    tx.execute(&sql::INSERT, &values).await?;
    let shares = reached.iter().map(|(found, road)| {
        let mut values = Vec::from(params![ctx.home, id]);
        values.extend(found.share());
        values.extend(params![*road, ctx.now]);
        values
    });
    tx.many(&sql::SHARE, shares.collect()).await?;
    let told = json!({ "task": id, "wish": wish, "filter": filter, "devices": devices });
    events::emit(&mut tx, ctx, ctx.home, "task.started", ("task", id.to_string()), told.clone()).await?;
    audit::record(&mut tx, ctx, Change::new(ctx.home, "wished", "task", id).after(told)).await?;
    tx.commit().await?;
    jobs::begin(&ctx.platform, ctx.home, id, AT_ONCE).await?;
    get(ctx, id).await
}

/// Wishes of the own organisation and those below, newest first.
///
/// # Errors
/// `Invalid` for a cursor or limit that does not fit.
pub async fn list(ctx: &Ctx, page: &PageQuery) -> Result<Page<Task>> {
    ctx.require(Role::User, "see tasks")?;
    let limit = page.limit()?;
    let mut values = Vec::new();
    let mut conditions = vec![ctx.scope.condition("t", &mut values)];
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let mut count = None;
    if page.count {
        let text = format!("select count(*) from tasks t where {}", conditions.join(" and "));
        count = Some(tx.query_one(&Sql::built_as("tasks count", text), &values).await?.get(0)?);
    }
    conditions.push(NEWEST.after(page.after.as_deref(), &mut values)?);
    let (whole, order) = (conditions.join(" and "), NEWEST.order());
    let text = format!("{} where {whole} order by {order} limit {}", sql::LIST, limit + 1);
    let rows = tx.query(&Sql::built_as("tasks list", text), &values).await?;
    let mut found = NEWEST.page(rows, limit, read)?;
    for task in &mut found.items {
        count_shares(&mut tx, task).await?;
    }
    found.count = count;
    Ok(found)
}

/// One wish.
///
/// # Errors
/// `NotFound` outside the scope.
pub async fn get(ctx: &Ctx, id: TaskId) -> Result<Task> {
    ctx.require(Role::User, "see tasks")?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let org = tenant(ctx, &mut tx, id).await?;
    find(&mut tx, org, id).await
}

/// The shares of a wish, by serial number. Devices that are no longer in sight are left out.
///
/// # Errors
/// `NotFound` outside the scope; `Invalid` for a cursor or limit that does not fit.
pub async fn shares(ctx: &Ctx, id: TaskId, query: &ShareQuery) -> Result<Page<Share>> {
    ctx.require(Role::User, "see tasks")?;
    let limit = query.page.limit()?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let org = tenant(ctx, &mut tx, id).await?;
    let mut values: Vec<Value> = params![org, id].into();
    let mut conditions = vec!["s.tenant = $1 and s.task = $2".to_owned()];
    conditions.push(ctx.scope.condition("c", &mut values).replace("c.tenant", "s.org"));
    if let Some(state) = query.state {
        conditions.push(stands(state));
    }
    conditions.push(BY_SERIAL.after(query.page.after.as_deref(), &mut values)?);
    let (whole, order) = (conditions.join(" and "), BY_SERIAL.order());
    let text = format!("{} where {whole} order by {order} limit {}", sql::SHARES, limit + 1);
    let rows = tx.query(&Sql::built_as("tasks shares", text), &values).await?;
    BY_SERIAL.page(rows, limit, |row| {
        Ok(Share {
            unit: row.get(0)?,
            road: row.get(12)?,
            org: row.get(1)?,
            serial: row.get(2)?,
            vendor: row.get(3)?,
            model: row.get(4)?,
            device: row.get(5)?,
            command: row.get(6)?,
            state: now(&row.get::<String>(7)?, row.get::<Option<String>>(11)?.as_deref())?,
            tries: row.get(8)?,
            detail: row.get(9)?,
            at: row.get(10)?,
        })
    })
}

/// The condition "stands there", by the order where one is open.
fn stands(state: ShareState) -> String {
    let all = ["queued", "taken", "done", "failed", "refused", "expired", "cancelled"];
    let words: Vec<_> = all.into_iter().filter(|word| rules::of_command(word) == Some(state)).collect();
    let own = format!("s.state = '{}'", state.as_str());
    let by_order = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ");
    if by_order.is_empty() {
        return own;
    }
    format!(
        "((s.state not in ('assigned', 'running') and {own}) or (s.state in ('assigned', 'running') and c.state in ({by_order})))"
    )
}

/// Where a share stands now: what its order says goes before what was noted of it.
fn now(noted: &str, command: Option<&str>) -> Result<ShareState> {
    let noted = ShareState::parse(noted)?;
    let open = matches!(noted, ShareState::Assigned | ShareState::Running);
    Ok(command.filter(|_| open).and_then(rules::of_command).unwrap_or(noted))
}

/// Takes a wish back: what was not fetched is not done; what was, may be.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope, `Conflict` when it has ended.
pub async fn cancel(ctx: &Ctx, id: TaskId) -> Result<Task> {
    ctx.require(Role::Manager, "take orders back")?;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let org = tenant(ctx, &mut tx, id).await?;
    if tx.execute(&sql::CANCEL, &params![org, id, ctx.now]).await? == 0 {
        return Err(Error::conflict("this task has ended already"));
    }
    // What has ended already keeps its end.
    jobs::settle(&mut tx, org, id, ctx.now).await?;
    tx.execute(&sql::CANCEL_WAITING, &params![org, id, ctx.now]).await?;
    for row in tx.query(&sql::OPEN_ORDERS, &params![org, id]).await? {
        let (of, command, unit): (OrgId, _, UnitId) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if ctx.scope.contains(of) {
            orders::take_back(&mut tx, ctx, of, unit, command).await?;
            jobs::note(&mut tx, org, id, unit, command, (ShareState::Cancelled, None), ctx.now).await?;
        }
    }
    events::emit(&mut tx, ctx, org, "task.finished", ("task", id.to_string()), json!({ "state": "cancelled" })).await?;
    audit::record(&mut tx, ctx, Change::new(org, "took back", "task", id)).await?;
    let task = find(&mut tx, org, id).await?;
    tx.commit().await?;
    Ok(task)
}

/// Orders again what failed, came too late or was taken back; each such device gets a new order.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope, `Conflict` while it runs or when nothing failed.
pub async fn retry(ctx: &Ctx, id: TaskId) -> Result<Task> {
    ctx.require(Role::Manager, "give orders to devices")?;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let org = tenant(ctx, &mut tx, id).await?;
    let task = find(&mut tx, org, id).await?;
    jobs::settle(&mut tx, org, id, ctx.now).await?;
    if task.state == TaskState::Running {
        return Err(Error::conflict("this task is still running"));
    }
    if tx.execute(&sql::RETRY, &params![org, id, ctx.now]).await? == 0 {
        return Err(Error::conflict("nothing of this task failed"));
    }
    let life = task.expires_at.0 - task.made_at.0;
    tx.execute(&sql::RESUME, &params![org, id, Micros(ctx.now.0 + life)]).await?;
    events::emit(&mut tx, ctx, org, "task.started", ("task", id.to_string()), json!({ "again": true })).await?;
    audit::record(&mut tx, ctx, Change::new(org, "tried again", "task", id)).await?;
    tx.commit().await?;
    jobs::begin(&ctx.platform, org, id, AT_ONCE).await?;
    get(ctx, id).await
}

async fn tenant(ctx: &Ctx, tx: &mut Tx, id: TaskId) -> Result<OrgId> {
    let row = tx.query_opt(&sql::TENANT, &params![id]).await?.ok_or_else(TaskId::missing)?;
    let org = row.get(0)?;
    ctx.scope.require(org, TaskId::NOUN)?;
    Ok(org)
}

async fn find(tx: &mut Tx, org: OrgId, id: TaskId) -> Result<Task> {
    let row = tx.query_opt(&sql::GET, &params![org, id]).await?.ok_or_else(TaskId::missing)?;
    let mut task = read(&row)?;
    count_shares(tx, &mut task).await?;
    Ok(task)
}

/// Counts the shares as their orders stand now, which the job may not have noted yet.
async fn count_shares(tx: &mut Tx, task: &mut Task) -> Result<()> {
    let mut counts = Counts::default();
    for row in tx.query(&sql::COUNTS, &params![task.org, task.id]).await? {
        let state = now(&row.get::<String>(0)?, row.get::<Option<String>>(1)?.as_deref())?;
        *counts.slot(state) += row.get::<u64>(2)?;
    }
    task.counts = counts;
    if task.state == TaskState::Running {
        task.state = rules::state(&counts);
    }
    Ok(())
}

fn read(row: &Row) -> Result<Task> {
    let wish: String = row.get(2)?;
    let state = match row.get::<String>(5)?.as_str() {
        "running" => TaskState::Running,
        "done" => TaskState::Done,
        "partly_done" => TaskState::PartlyDone,
        "failed" => TaskState::Failed,
        _ => TaskState::Cancelled,
    };
    Ok(Task {
        org: row.get(0)?,
        id: row.get(1)?,
        wish: serde_json::from_str(&wish).map_err(|error| Error::internal(format!("a wish does not read: {error}")))?,
        filter: row.get(3)?,
        devices: row.get(4)?,
        state,
        counts: Counts::default(),
        made_at: row.get(6)?,
        made_by: row.get(7)?,
        expires_at: row.get(8)?,
        ended_at: row.get(9)?,
        version: row.get(10)?,
    })
}
