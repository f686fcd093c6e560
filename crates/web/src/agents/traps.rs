//! The trap door of an agent: what it heard, and senders that are no known devices.

use axum::{
    Json,
    extract::{Path, Query},
    http::HeaderMap,
    response::IntoResponse,
};
use platen_core::{AgentId, Ctx, Micros, PageQuery, traps};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::Answered,
    caller::Caller,
    listing::{ListQuery, Listed, Row, answer},
    problem::Problem,
    words::{age, grouped},
};

/// Senders that the page shows; the list of the API has all.
const SHOWN: u32 = 20;

/// The door as the page shows it.
pub(super) struct DoorView {
    pub(super) listen: String,
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) senders: Vec<SenderLine>,
    pub(super) more: Option<String>,
}

/// An unknown sender as the page shows it.
pub(super) struct SenderLine {
    pub(super) address: String,
    pub(super) total: String,
    pub(super) first: String,
    pub(super) last: String,
    pub(super) said: String,
}

/// The door of an agent for its page; `None` when it has none.
pub(super) async fn view(ctx: &Ctx, agent: AgentId) -> platen_core::Result<Option<DoorView>> {
    let Some(door) = traps::door(ctx, agent).await? else { return Ok(None) };
    let page = PageQuery { limit: Some(SHOWN), after: None, count: true };
    let page = traps::senders(ctx, agent, &page).await?;
    let all = page.count.unwrap_or(0);
    Ok(Some(DoorView {
        facts: vec![
            ("Received", grouped(door.received)),
            ("From known devices", grouped(door.known)),
            ("Shed as repetitions", grouped(door.shed)),
            ("Not readable", grouped(door.refused)),
            ("Last told", format!("{} ago", age(ctx.now, door.said_at))),
        ],
        listen: door.listen,
        more: (all > u64::from(SHOWN)).then(|| format!("{} of {} are shown; the API has all.", SHOWN, grouped(all))),
        senders: page.items.into_iter().map(|sender| line(sender, ctx.now)).collect(),
    }))
}

fn line(sender: traps::Sender, now: Micros) -> SenderLine {
    let trap = sender.trap.unwrap_or_else(|| "nothing readable".to_owned());
    let snmp = sender.snmp.map(|snmp| format!(" by {snmp}")).unwrap_or_default();
    let whom = sender.speaks_for.map(|address| format!(", for {address}")).unwrap_or_default();
    SenderLine {
        address: sender.address,
        total: grouped(sender.total),
        first: format!("{} ago", age(now, sender.first_at)),
        last: format!("{} ago", age(now, sender.last_at)),
        said: format!("{trap}{snmp}{whom}"),
    }
}

/// The trap door of an agent.
#[derive(Serialize, ToSchema)]
#[schema(as = TrapDoor)]
pub(crate) struct TrapDoorView {
    /// Address and UDP port that it listens at; `null`: this agent takes no traps, or has not told of any.
    listen: Option<String>,
    /// Notifications received, of whomever.
    received: u64,
    /// Of these, from known devices.
    known: u64,
    /// Of these, shed: the same device had told the same alert a moment before. First and last are never shed.
    shed: u64,
    /// Datagrams that were no notification, or none that can be believed.
    refused: u64,
    #[schema(value_type = Option<String>, format = DateTime)]
    since_at: Option<Micros>,
    #[schema(value_type = Option<String>, format = DateTime)]
    said_at: Option<Micros>,
}

/// A sender of traps that is no known device. What it says is not taken.
#[derive(Serialize, ToSchema)]
#[schema(as = TrapSender)]
pub(crate) struct TrapSenderView {
    address: String,
    /// Datagrams.
    total: u64,
    #[schema(value_type = String, format = DateTime)]
    first_at: Micros,
    #[schema(value_type = String, format = DateTime)]
    last_at: Micros,
    /// Identity of the last notification, as numbers with dots.
    trap: Option<String>,
    /// `v1`, `v2c` or `v3`.
    snmp: Option<String>,
    /// Address that it says to speak for, if another one.
    speaks_for: Option<String>,
}

impl Row for TrapSenderView {
    const COLUMNS: &'static [&'static str] = &["address", "total", "first_at", "last_at", "trap", "snmp", "speaks_for"];
}

impl From<traps::Sender> for TrapSenderView {
    fn from(sender: traps::Sender) -> Self {
        Self {
            address: sender.address,
            total: sender.total,
            first_at: sender.first_at,
            last_at: sender.last_at,
            trap: sender.trap,
            snmp: sender.snmp,
            speaks_for: sender.speaks_for,
        }
    }
}

/// What the trap door of an agent heard.
#[utoipa::path(get, path = "/api/v1/agents/{id}/traps", tag = "agents", params(("id" = String, Path)),
    responses((status = 200, body = TrapDoorView), (status = "default", body = Problem)))]
pub(crate) async fn get_agent_traps(caller: Caller, Path(id): Path<String>) -> Answered {
    let door = traps::door(&caller.ctx, AgentId::parse(&id)?).await?;
    let view = TrapDoorView {
        received: door.as_ref().map_or(0, |door| door.received),
        known: door.as_ref().map_or(0, |door| door.known),
        shed: door.as_ref().map_or(0, |door| door.shed),
        refused: door.as_ref().map_or(0, |door| door.refused),
        since_at: door.as_ref().map(|door| door.since_at),
        said_at: door.as_ref().map(|door| door.said_at),
        listen: door.map(|door| door.listen),
    };
    Ok(Json(view).into_response())
}

/// Senders of traps that are no known devices, the latest first.
#[utoipa::path(get, path = "/api/v1/agents/{id}/traps/senders", tag = "agents",
    params(("id" = String, Path), ListQuery),
    responses((status = 200, body = Listed<TrapSenderView>), (status = "default", body = Problem)))]
pub(crate) async fn list_agent_trap_senders(
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<ListQuery>,
    headers: HeaderMap,
) -> Answered {
    query.plain()?;
    let page = traps::senders(&caller.ctx, AgentId::parse(&id)?, &query.page()).await?;
    answer(page.map(TrapSenderView::from), &query, &headers)
}
