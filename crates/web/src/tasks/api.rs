//! `/api/v1/tasks`.

use axum::{
    Json,
    extract::{Path, Query},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use platen_core::{
    Filter, Micros,
    tasks::{self, Counts, NewTask, Preview, Reached, Share, ShareQuery, ShareState, Task, TaskId, TaskState, Wish},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::{Answered, Body, Posting},
    caller::Caller,
    listing::{ListQuery, Listed, Row, answer},
    problem::Problem,
};

/// Longest life of an order, seconds.
const WEEK_S: u32 = 7 * 86_400;

/// What shall be done by which devices.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TaskWish)]
pub(crate) struct WishPost {
    /// `{"what": "report_now", "kinds": ["billing"]}`, `{"what": "send_log"}` or
    /// `{"what": "set_period", "kind": "rom", "period_s": 86400}` (`period_s` null: as usual).
    #[schema(value_type = Object)]
    wish: Wish,
    /// Condition on devices, whether they report by themselves or an agent reads them, as
    /// `vendor eq "canon" and place like "Ward*"`; all when not given. Fields: vendor, serial, model, name, place, status, comm,
    /// road, agent, address, mac, asset_no, firmware, org, device, seen.
    filter: Option<String>,
}

impl WishPost {
    fn filter(&self) -> Result<Option<Filter>, Problem> {
        let text = self.filter.as_deref().map(str::trim).filter(|text| !text.is_empty());
        Ok(text.map(Filter::parse).transpose()?)
    }
}

/// A wish, after its devices were looked at.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaskPost {
    /// As in a preview.
    #[schema(value_type = Object)]
    wish: Wish,
    /// As in a preview.
    filter: Option<String>,
    /// `hash` of the preview: the devices are exactly those that were looked at.
    preview_hash: String,
    /// How long its orders live: a minute to seven days; a day when not given.
    life_s: Option<u32>,
}

/// A device that would be reached.
#[derive(Serialize, ToSchema)]
#[schema(as = TaskDevice)]
pub(crate) struct ReachedView {
    /// Its registration, or the device itself where an agent reads it.
    unit: String,
    device: Option<String>,
    organisation: String,
    vendor: String,
    serial: String,
    model: String,
    /// `https`, `https-both-ways`, `mail-both-ways` or `agent`.
    road: &'static str,
}

impl From<Reached> for ReachedView {
    fn from(one: Reached) -> Self {
        Self {
            unit: one.unit.to_string(),
            device: one.device.map(|device| device.to_string()),
            organisation: one.org.to_string(),
            vendor: one.vendor,
            serial: one.serial,
            model: one.model,
            road: one.road,
        }
    }
}

/// How many devices orders reach by a road.
#[derive(Serialize, ToSchema)]
#[schema(as = TaskRoad)]
pub(crate) struct RoadView {
    road: &'static str,
    devices: u64,
}

/// Devices that would get no order, and why.
#[derive(Serialize, ToSchema)]
#[schema(as = TaskRefusal)]
pub(crate) struct RefusalView {
    why: &'static str,
    devices: u64,
}

/// Whom a wish would reach.
#[derive(Serialize, ToSchema)]
#[schema(as = TaskPreview)]
pub(crate) struct PreviewView {
    devices: usize,
    /// By which roads.
    roads: Vec<RoadView>,
    /// Of these, devices whose agent is away: their orders wait.
    away: u64,
    /// Devices of the filter that would get no order.
    left_out: u64,
    /// Why they would not.
    refused: Vec<RefusalView>,
    /// Names exactly these devices and this wish.
    hash: String,
    /// The first of them, at most 20.
    sample: Vec<ReachedView>,
}

impl From<Preview> for PreviewView {
    fn from(seen: Preview) -> Self {
        Self {
            devices: seen.devices,
            left_out: seen.left_out(),
            roads: seen.roads.into_iter().map(|(road, devices)| RoadView { road, devices }).collect(),
            away: seen.away,
            refused: seen.refused.into_iter().map(|(why, devices)| RefusalView { why, devices }).collect(),
            hash: seen.hash,
            sample: seen.sample.into_iter().map(Into::into).collect(),
        }
    }
}

/// How many shares stand where.
#[derive(Serialize, ToSchema)]
#[schema(as = TaskCounts)]
pub(crate) struct CountsView {
    waiting: u64,
    assigned: u64,
    running: u64,
    succeeded: u64,
    failed: u64,
    skipped: u64,
    cancelled: u64,
    timed_out: u64,
}

impl From<Counts> for CountsView {
    fn from(c: Counts) -> Self {
        let Counts { waiting, assigned, running, succeeded, failed, skipped, cancelled, timed_out } = c;
        Self { waiting, assigned, running, succeeded, failed, skipped, cancelled, timed_out }
    }
}

/// One wish for many devices, and how it goes.
#[derive(Serialize, ToSchema)]
#[schema(as = Task)]
pub(crate) struct TaskView {
    id: String,
    organisation: String,
    #[schema(value_type = Object)]
    wish: Wish,
    filter: String,
    devices: i64,
    /// `running`, `done`, `partly_done`, `failed` or `cancelled`.
    #[schema(value_type = String)]
    state: TaskState,
    counts: CountsView,
    #[schema(value_type = String, format = DateTime)]
    made_at: Micros,
    made_by: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Micros,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Micros>,
}

impl Row for TaskView {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "organisation",
        "wish",
        "filter",
        "devices",
        "state",
        "counts",
        "made_at",
        "made_by",
        "expires_at",
        "ended_at",
    ];
}

impl From<Task> for TaskView {
    fn from(task: Task) -> Self {
        Self {
            id: task.id.to_string(),
            organisation: task.org.to_string(),
            wish: task.wish,
            filter: task.filter,
            devices: task.devices,
            state: task.state,
            counts: task.counts.into(),
            made_at: task.made_at,
            made_by: task.made_by,
            expires_at: task.expires_at,
            ended_at: task.ended_at,
        }
    }
}

/// The share of one device.
#[derive(Serialize, ToSchema)]
#[schema(as = TaskShare)]
pub(crate) struct ShareView {
    /// Its registration, or the device itself where an agent reads it.
    unit: String,
    /// By which road its order goes.
    road: String,
    organisation: String,
    vendor: String,
    serial: String,
    model: String,
    device: Option<String>,
    /// Its present order.
    command: Option<String>,
    /// `waiting`, `assigned`, `running`, `succeeded`, `failed`, `skipped`, `cancelled` or `timed_out`.
    #[schema(value_type = String)]
    state: ShareState,
    /// How many orders were given for it.
    tries: i64,
    detail: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    at: Micros,
}

impl Row for ShareView {
    const COLUMNS: &'static [&'static str] = &[
        "unit",
        "road",
        "organisation",
        "vendor",
        "serial",
        "model",
        "device",
        "command",
        "state",
        "tries",
        "detail",
        "at",
    ];
}

impl From<Share> for ShareView {
    fn from(share: Share) -> Self {
        Self {
            unit: share.unit.to_string(),
            road: share.road,
            organisation: share.org.to_string(),
            vendor: share.vendor,
            serial: share.serial,
            model: share.model,
            device: share.device.map(|device| device.to_string()),
            command: share.command.map(|command| command.to_string()),
            state: share.state,
            tries: share.tries,
            detail: share.detail,
            at: share.at,
        }
    }
}

/// Query of the shares.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SharesQuery {
    /// Only those that stand there.
    state: Option<String>,
    /// Rows wanted, 1 to 500; 50 when not given.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

fn accepted(task: Task) -> Response {
    let place = format!("/api/v1/tasks/{}", task.id);
    (StatusCode::ACCEPTED, [(header::LOCATION, place)], Json(TaskView::from(task))).into_response()
}

/// Wishes for many, newest first.
#[utoipa::path(get, path = "/api/v1/tasks", tag = "tasks", params(ListQuery),
    responses((status = 200, body = Listed<TaskView>), (status = "default", body = Problem)))]
pub(crate) async fn list_tasks(caller: Caller, Query(query): Query<ListQuery>, headers: HeaderMap) -> Answered {
    query.plain()?;
    let page = tasks::list(&caller.ctx, &query.page()).await?;
    answer(page.map(TaskView::from), &query, &headers)
}

/// Whom a wish would reach. Changes nothing.
#[utoipa::path(post, path = "/api/v1/tasks/preview", tag = "tasks", request_body = WishPost,
    responses((status = 200, body = PreviewView), (status = "default", body = Problem)))]
pub(crate) async fn preview_task(caller: Caller, Body(wish): Body<WishPost>) -> Answered {
    let seen = tasks::preview(&caller.ctx, &wish.wish, wish.filter()?.as_ref()).await?;
    Ok(Json(PreviewView::from(seen)).into_response())
}

/// Wishes something of all devices of a filter; each gets one signed order by its road.
#[utoipa::path(post, path = "/api/v1/tasks", tag = "tasks", request_body = TaskPost,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 202, body = TaskView), (status = "default", body = Problem)))]
pub(crate) async fn create_task(caller: Caller, Posting(new, once): Posting<TaskPost>) -> Answered {
    once.run(&caller.ctx, async {
        let filter = WishPost { wish: new.wish.clone(), filter: new.filter }.filter()?;
        let life_ms = i64::from(new.life_s.unwrap_or(86_400).min(WEEK_S + 1)) * 1_000;
        let new = NewTask { wish: new.wish, filter, life_ms, preview_hash: new.preview_hash };
        Ok(accepted(tasks::create(&caller.ctx, &new).await?))
    })
    .await
}

/// One wish and how it goes.
#[utoipa::path(get, path = "/api/v1/tasks/{id}", tag = "tasks", params(("id" = String, Path)),
    responses((status = 200, body = TaskView), (status = "default", body = Problem)))]
pub(crate) async fn get_task(caller: Caller, Path(id): Path<String>) -> Answered {
    Ok(Json(TaskView::from(tasks::get(&caller.ctx, TaskId::parse(&id)?).await?)).into_response())
}

/// The shares of a wish, by serial number.
#[utoipa::path(get, path = "/api/v1/tasks/{id}/shares", tag = "tasks", params(("id" = String, Path), SharesQuery),
    responses((status = 200, body = Listed<ShareView>), (status = "default", body = Problem)))]
pub(crate) async fn list_task_shares(
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<SharesQuery>,
    headers: HeaderMap,
) -> Answered {
    let state = query.state.as_deref().map(ShareState::parse).transpose()?;
    let list = ListQuery { limit: query.limit, after: query.after, ..ListQuery::default() };
    let wanted = ShareQuery { state, page: list.page() };
    let page = tasks::shares(&caller.ctx, TaskId::parse(&id)?, &wanted).await?;
    answer(page.map(ShareView::from), &list, &headers)
}

/// Takes a wish back; what was fetched already may be done.
#[utoipa::path(post, path = "/api/v1/tasks/{id}/cancel", tag = "tasks", params(("id" = String, Path)),
    responses((status = 200, body = TaskView), (status = "default", body = Problem)))]
pub(crate) async fn cancel_task(caller: Caller, Path(id): Path<String>) -> Answered {
    Ok(Json(TaskView::from(tasks::cancel(&caller.ctx, TaskId::parse(&id)?).await?)).into_response())
}

/// Orders again what failed, came too late or was taken back.
#[utoipa::path(post, path = "/api/v1/tasks/{id}/retry", tag = "tasks", params(("id" = String, Path)),
    responses((status = 202, body = TaskView), (status = "default", body = Problem)))]
pub(crate) async fn retry_task(caller: Caller, Path(id): Path<String>) -> Answered {
    Ok(accepted(tasks::retry(&caller.ctx, TaskId::parse(&id)?).await?))
}
