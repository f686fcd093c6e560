//! `/api/v1/devices/{id}/commands`, `/api/v1/agents/{id}/commands` and the logs of agents.

use axum::{
    Json,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use platen_core::{
    AgentId, Micros,
    devices::DeviceId,
    diagnostics::AgentLog,
    orders::{self, AgentWish, CommandId, CommandRow, CommandState, DeviceOrders, Way, Wish},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::{Answered, Posting},
    caller::Caller,
    listing::{Listed, whole},
    problem::Problem,
    told::log_file,
};

/// An order to a device.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceCommandPost {
    /// As in a task: `{"what": "report_now"}`, `{"what": "send_log"}` or
    /// `{"what": "set_period", "kind": "status", "period_s": 300}`.
    #[schema(value_type = Object)]
    wish: Wish,
    /// A minute to seven days; a day when not given.
    life_s: Option<u32>,
}

/// An order to an agent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentCommandPost {
    /// `report_now` (read all devices), `discover` or `send_log`.
    #[schema(value_type = String)]
    what: AgentWish,
    /// A minute to seven days; a day when not given.
    life_s: Option<u32>,
}

/// The name of a new order.
#[derive(Serialize, ToSchema)]
#[schema(as = CommandQueued)]
pub(crate) struct CommandQueued {
    id: String,
}

/// Answers that an order is queued.
pub(crate) fn queued(id: CommandId) -> Response {
    (StatusCode::ACCEPTED, Json(CommandQueued { id: id.to_string() })).into_response()
}

/// A life as programs give it.
pub(crate) fn life_ms(life_s: Option<u32>) -> i64 {
    i64::from(life_s.unwrap_or(86_400)) * 1_000
}

/// An order and how it went.
#[derive(Serialize, ToSchema)]
#[schema(as = Command)]
pub(crate) struct CommandView {
    id: String,
    what: String,
    /// `queued`, `taken`, `done`, `failed`, `refused`, `expired` or `cancelled`.
    #[schema(value_type = String)]
    state: CommandState,
    #[schema(value_type = String, format = DateTime)]
    issued_at: Micros,
    /// Who gave it, for people; empty where it was not noted.
    given_by: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Micros,
    #[schema(value_type = Option<String>, format = DateTime)]
    taken_at: Option<Micros>,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Micros>,
    detail: Option<String>,
}

impl From<CommandRow> for CommandView {
    fn from(row: CommandRow) -> Self {
        Self {
            id: row.id.to_string(),
            what: row.what,
            state: row.state,
            issued_at: row.issued_at,
            given_by: row.given_by,
            expires_at: row.expires_at,
            taken_at: row.taken_at,
            ended_at: row.ended_at,
            detail: row.detail,
        }
    }
}

/// The orders of a device, and how they reach it.
#[derive(Serialize, ToSchema)]
#[schema(as = DeviceCommands)]
pub(crate) struct DeviceCommandsView {
    /// `https`, `https-both-ways`, `mail`, `mail-both-ways` or `agent`; `null`: no way leads there.
    road: Option<&'static str>,
    /// Why it cannot report now; `null`: it can.
    hindered: Option<&'static str>,
    /// Its agent was not heard of for minutes: orders wait.
    away: bool,
    /// Seconds between two looks of its agent at its condition; `null`: as in the plan.
    status_s: Option<u32>,
    /// Seconds between two readings of its counters; `null`: as in the plan.
    meters_s: Option<u32>,
    /// The last 100, newest first.
    items: Vec<CommandView>,
}

impl From<DeviceOrders> for DeviceCommandsView {
    fn from(all: DeviceOrders) -> Self {
        Self {
            road: all.way.map(Way::word),
            hindered: all.hindered,
            away: all.away,
            status_s: all.periods.status_s,
            meters_s: all.periods.meters_s,
            items: all.orders.into_iter().map(Into::into).collect(),
        }
    }
}

/// A log that an agent sent.
#[derive(Serialize, ToSchema)]
#[schema(as = AgentLog)]
pub(crate) struct AgentLogView {
    sha256: String,
    size_bytes: i64,
    #[schema(value_type = String, format = DateTime)]
    at: Micros,
}

impl From<AgentLog> for AgentLogView {
    fn from(log: AgentLog) -> Self {
        Self { sha256: log.sha256, size_bytes: log.size_bytes, at: log.at }
    }
}

/// The orders of a device, whether it fetches them itself or an agent does, and how they reach it.
#[utoipa::path(get, path = "/api/v1/devices/{id}/commands", tag = "orders", params(("id" = String, Path)),
    responses((status = 200, body = DeviceCommandsView), (status = "default", body = Problem)))]
pub(crate) async fn list_device_commands(caller: Caller, Path(id): Path<String>) -> Answered {
    let all = orders::of_device(&caller.ctx, DeviceId::parse(&id)?).await?;
    Ok(Json(DeviceCommandsView::from(all)).into_response())
}

/// Gives an order to a device by whichever road it has; what it cannot do is refused at once.
#[utoipa::path(post, path = "/api/v1/devices/{id}/commands", tag = "orders", request_body = DeviceCommandPost,
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 202, body = CommandQueued), (status = "default", body = Problem)))]
pub(crate) async fn order_device(
    caller: Caller,
    Path(id): Path<String>,
    Posting(new, once): Posting<DeviceCommandPost>,
) -> Answered {
    let id = DeviceId::parse(&id)?;
    once.run(&caller.ctx, async {
        Ok(queued(orders::order_device(&caller.ctx, id, &new.wish, life_ms(new.life_s)).await?))
    })
    .await
}

/// Takes an order to a device back.
#[utoipa::path(delete, path = "/api/v1/devices/{id}/commands/{command}", tag = "orders",
    params(("id" = String, Path), ("command" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn cancel_device_command(caller: Caller, Path((id, command)): Path<(String, String)>) -> Answered {
    orders::cancel_of_device(&caller.ctx, DeviceId::parse(&id)?, CommandId::parse(&command)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The last 100 orders to an agent for itself, newest first.
#[utoipa::path(get, path = "/api/v1/agents/{id}/commands", tag = "orders", params(("id" = String, Path)),
    responses((status = 200, body = Listed<CommandView>), (status = "default", body = Problem)))]
pub(crate) async fn list_agent_commands(caller: Caller, Path(id): Path<String>) -> Answered {
    let all = orders::of_agent(&caller.ctx, AgentId::parse(&id)?).await?;
    Ok(whole(all.into_iter().map(CommandView::from).collect()))
}

/// Gives an order to an agent.
#[utoipa::path(post, path = "/api/v1/agents/{id}/commands", tag = "orders", request_body = AgentCommandPost,
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 202, body = CommandQueued), (status = "default", body = Problem)))]
pub(crate) async fn order_agent(
    caller: Caller,
    Path(id): Path<String>,
    Posting(new, once): Posting<AgentCommandPost>,
) -> Answered {
    let id = AgentId::parse(&id)?;
    once.run(&caller.ctx, async {
        Ok(queued(orders::order_agent(&caller.ctx, id, new.what, life_ms(new.life_s)).await?))
    })
    .await
}

/// Takes an order to an agent back.
#[utoipa::path(delete, path = "/api/v1/agents/{id}/commands/{command}", tag = "orders",
    params(("id" = String, Path), ("command" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn cancel_agent_command(caller: Caller, Path((id, command)): Path<(String, String)>) -> Answered {
    orders::cancel_of_agent(&caller.ctx, AgentId::parse(&id)?, CommandId::parse(&command)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The logs that an agent sent and that are kept, newest first; for managers.
#[utoipa::path(get, path = "/api/v1/agents/{id}/logs", tag = "orders", params(("id" = String, Path)),
    responses((status = 200, body = Listed<AgentLogView>), (status = "default", body = Problem)))]
pub(crate) async fn list_agent_logs(caller: Caller, Path(id): Path<String>) -> Answered {
    let all = orders::logs_of_agent(&caller.ctx, AgentId::parse(&id)?).await?;
    Ok(whole(all.into_iter().map(AgentLogView::from).collect()))
}

/// The bytes of a log that an agent sent.
#[utoipa::path(get, path = "/api/v1/agents/{id}/logs/{sha256}", tag = "orders",
    params(("id" = String, Path), ("sha256" = String, Path, description = "in hexadecimal")),
    responses((status = 200, body = Vec<u8>, content_type = "text/plain"), (status = "default", body = Problem)))]
pub(crate) async fn get_agent_log(caller: Caller, Path((id, sha256)): Path<(String, String)>) -> Answered {
    Ok(log_file(&sha256, orders::log_of_agent(&caller.ctx, AgentId::parse(&id)?, &sha256).await?))
}
