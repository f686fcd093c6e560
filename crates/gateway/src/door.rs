//! The table of contents of the door for devices and agents, and what all its calls share.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderValue, Response, StatusCode, header},
    routing::{get, post, put},
};
use platen_core::Platform;
use tokio::time::Instant;
use wire::signature::TIME_HEADER;

use crate::{
    admission::Admission,
    agent_rpc,
    body::Memory,
    limits::Limits,
    metrics::{Call, Metrics},
    push_http,
    reply::Refusal,
};

/// A refusal of a sender is given no sooner than this after the request came, whatever its cause.
const FORBIDDEN_AFTER: Duration = Duration::from_millis(100);

/// Shared by all requests; cheap to clone.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) platform: Platform,
    pub(crate) limits: Arc<Limits>,
    pub(crate) memory: Memory,
    pub(crate) admission: Arc<Admission>,
    pub(crate) metrics: Arc<Metrics>,
    ca_pem: Arc<str>,
}

impl Door {
    pub(crate) fn new(platform: Platform, limits: Limits, ca_pem: &str) -> Self {
        let admission = Arc::new(Admission::new(&limits));
        Self {
            platform,
            memory: Memory::of(limits.memory),
            limits: Arc::new(limits),
            admission,
            metrics: Arc::default(),
            ca_pem: ca_pem.into(),
        }
    }

    /// Runs one call and turns its outcome into an answer that carries the server's time.
    pub(crate) async fn answer(
        &self,
        call: Call,
        work: impl Future<Output = Result<Response<Body>, Refusal>>,
    ) -> Response<Body> {
        let began = Instant::now();
        let outcome = work.await;
        if outcome.as_ref().is_err_and(|refusal| *refusal == Refusal::Forbidden) {
            tokio::time::sleep_until(began + FORBIDDEN_AFTER).await;
        }
        let now_ms = crate::server_ms(&self.platform);
        let mut response = outcome.unwrap_or_else(|refusal| self.admission.dated(refusal).into_response(now_ms));
        let headers = response.headers_mut();
        headers.insert(TIME_HEADER, HeaderValue::from(now_ms));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self.metrics.count(call, response.status(), began.elapsed());
        response
    }

    /// All calls.
    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/d/v1/enrol", post(agent_rpc::enrol::enrol))
            .route("/d/v1/report", post(agent_rpc::reports::report))
            .route("/d/v1/plan", get(agent_rpc::plan::plan))
            .route("/d/v1/hello", post(push_http::hello::hello))
            .route("/d/v1/poll", get(push_http::poll::poll))
            .route("/d/v1/ack", post(push_http::ack::ack))
            .route("/d/v1/blob/{name}", put(push_http::blob::put).head(push_http::blob::look))
            .route("/d/v1/ca", get(ca))
            .fallback(async || StatusCode::NOT_FOUND)
            .with_state(self)
    }
}

/// `GET /d/v1/ca`: the certificate that agents trust; public, as every handshake shows it.
async fn ca(State(door): State<Door>) -> ([(header::HeaderName, &'static str); 1], String) {
    ([(header::CONTENT_TYPE, "application/pem-certificate-chain")], door.ca_pem.to_string())
}
