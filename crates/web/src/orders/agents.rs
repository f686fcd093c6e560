//! The orders on the sheet of an agent, their forms, and the logs that it sent.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::IntoResponse,
};
use platen_core::{
    AgentId, Error,
    orders::{self, AgentWish, CommandId},
};

use super::{OrderLine, devices::LIFE_MS, order_line};
use crate::{
    agents::after,
    app::App,
    fields::Posted,
    shell::{Shell, Shown},
    told::log_file,
    trouble::Trouble,
    viewer::Viewer,
};

/// The part of the sheet.
#[derive(Template)]
#[template(path = "orders/agent.html")]
pub(crate) struct AgentOrders {
    csrf: String,
    base: String,
    live: String,
    orders: Vec<OrderLine>,
    /// Name, its beginning, size and time.
    logs: Vec<(String, String, String, String)>,
    may_change: bool,
}

/// What the sheet of an agent says of its orders.
pub(crate) async fn agent_part(viewer: &Viewer, shell: &Shell, id: AgentId) -> Result<AgentOrders, Trouble> {
    let zone = shell.zone();
    let logs = if shell.manager { orders::logs_of_agent(&viewer.whole, id).await? } else { Vec::new() };
    let logs = logs.into_iter().map(|log| {
        let size = format!("{} KiB", (log.size_bytes + 1_023) / 1_024);
        let short = log.sha256.chars().take(12).collect();
        (log.sha256, short, size, zone.moment(log.at))
    });
    Ok(AgentOrders {
        csrf: shell.csrf.clone(),
        base: format!("/agents/{id}"),
        live: id.to_string(),
        orders: orders::of_agent(&viewer.whole, id).await?.into_iter().map(|row| order_line(row, &zone)).collect(),
        logs: logs.collect(),
        may_change: shell.manager,
    })
}

/// `POST /agents/{id}/orders`.
pub(crate) async fn order_agent_page(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    posted: Posted,
) -> Shown {
    let id = AgentId::parse(&id)?;
    let wish = match posted.fields.text("what") {
        "report_now" => Ok(AgentWish::ReportNow),
        "discover" => Ok(AgentWish::Discover),
        "send_log" => Ok(AgentWish::SendLog),
        _ => Err(Error::invalid("what", "choose an order")),
    };
    let done = match wish {
        Ok(wish) => orders::order_agent(&posted.viewer.whole, id, wish, LIFE_MS).await.map(drop),
        Err(error) => Err(error),
    };
    after(&app, &headers, &posted, id, done, "ordered").await
}

/// `POST /agents/{id}/orders/{command}/cancel`.
pub(crate) async fn cancel_agent(
    State(app): State<App>,
    Path((id, command)): Path<(String, String)>,
    headers: HeaderMap,
    posted: Posted,
) -> Shown {
    let (id, command) = (AgentId::parse(&id)?, CommandId::parse(&command)?);
    let done = orders::cancel_of_agent(&posted.viewer.whole, id, command).await;
    after(&app, &headers, &posted, id, done, "saved").await
}

/// `GET /agents/{id}/logs/{sha256}`.
pub(crate) async fn agent_log(viewer: Viewer, Path((id, sha256)): Path<(String, String)>) -> Shown {
    let bytes = orders::log_of_agent(&viewer.whole, AgentId::parse(&id)?, &sha256).await?;
    Ok(log_file(&sha256, bytes).into_response())
}
