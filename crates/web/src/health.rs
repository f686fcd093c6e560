//! `/health`, `/metrics`, `/.well-known/platen`: doors for machines that ask how we are.

use std::net::SocketAddr;

use axum::{
    Json,
    extract::{ConnectInfo, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{app::App, metrics};

/// `GET /health/live`: the process answers.
pub(crate) async fn live() -> Json<serde_json::Value> {
    Json(json!({ "status": "live" }))
}

/// `GET /health/ready`: the database takes writes, blobs can be kept, migrations are in.
pub(crate) async fn ready(State(app): State<App>) -> Response {
    if app.shutdown.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "stopping" }))).into_response();
    }
    match app.platform.ready().await {
        Ok(()) => Json(json!({ "status": "ready" })).into_response(),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "not ready", "reason": error.message })))
                .into_response()
        }
    }
}

/// `GET /.well-known/platen`: where agents deliver.
pub(crate) async fn well_known(State(app): State<App>) -> Json<serde_json::Value> {
    Json(json!({ "gateway": app.gateway_url }))
}

/// `GET /metrics` on the web listener: for this machine only, and only without an admin listener.
pub(crate) async fn metrics_here(State(app): State<App>, ConnectInfo(peer): ConnectInfo<SocketAddr>) -> Response {
    if app.admin_apart || !peer.ip().to_canonical().is_loopback() {
        return StatusCode::NOT_FOUND.into_response();
    }
    metrics_text(State(app)).await
}

/// `GET /metrics` on the admin listener.
pub(crate) async fn metrics_text(State(app): State<App>) -> Response {
    let mut text = app.metrics.text();
    match metrics::fleet(&app).await {
        Ok(fleet) => text.push_str(&fleet),
        Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "fleet metrics failed"),
    }
    for source in &app.extra_metrics {
        text.push_str(&source());
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
