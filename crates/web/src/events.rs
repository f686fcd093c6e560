//! Server-sent events: what happened, as it happens, going on after the last id that a reader saw.

use std::{convert::Infallible, pin::Pin, sync::atomic::Ordering::Relaxed, time::Duration};

use axum::{
    extract::{Query, State},
    http::{HeaderMap, HeaderValue, header},
    response::{
        IntoResponse, Response,
        sse::{Event as SseEvent, KeepAlive, Sse},
    },
};
use futures_util::{Stream, StreamExt as _, stream};
use platen_core::{Ctx, events};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{app::App, caller::Caller, problem::Problem, viewer::Viewer};

/// Events asked for at once.
const BATCH: u32 = 200;
/// The database is asked again after this long even if nobody said that something happened.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// A stream ends after this long, so that rights are checked anew; readers come back by themselves.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// One thing that happened.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventView {
    /// Rising; `Last-Event-ID` to go on after it.
    id: i64,
    /// As `device.alert.raised`.
    #[serde(rename = "type")]
    kind: String,
    #[schema(value_type = String, format = DateTime)]
    time: platen_core::Micros,
    /// Organisation.
    tenant: String,
    subject: SubjectView,
    /// Who did it, if somebody did.
    actor: Option<SubjectView>,
    #[schema(value_type = Object)]
    data: serde_json::Value,
}

/// What it happened to, or who did it.
#[derive(Serialize, ToSchema)]
#[schema(as = EventSubject)]
pub(crate) struct SubjectView {
    kind: String,
    id: String,
}

impl From<events::Event> for EventView {
    fn from(event: events::Event) -> Self {
        Self {
            id: event.id,
            kind: event.kind,
            time: event.time,
            tenant: event.tenant.to_string(),
            subject: SubjectView { kind: event.subject_kind, id: event.subject_id },
            actor: event.actor.map(|actor| SubjectView { kind: actor.kind, id: actor.id }),
            data: event.data,
        }
    }
}

/// Where to begin.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Beginning {
    /// Id to go on after; the header `Last-Event-ID` wins. Without either: from now.
    after: Option<i64>,
}

/// What happens, as server-sent events; `data` is an Event.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(Beginning, ("Last-Event-ID" = Option<i64>, Header)),
    responses((status = 200, content_type = "text/event-stream", body = EventView), (status = "default", body = Problem)))]
pub(crate) async fn stream_events(
    State(app): State<App>,
    caller: Caller,
    Query(from): Query<Beginning>,
    headers: HeaderMap,
) -> Response {
    stream_of(app, caller.ctx, begin(&headers, from.after))
}

/// `GET /events`: the same stream for open pages.
pub(crate) async fn page_events(State(app): State<App>, viewer: Viewer, headers: HeaderMap) -> Response {
    stream_of(app, viewer.ctx, begin(&headers, None))
}

fn begin(headers: &HeaderMap, after: Option<i64>) -> Option<i64> {
    headers.get("last-event-id").and_then(|v| v.to_str().ok()).and_then(|text| text.parse().ok()).or(after)
}

struct Reading {
    app: App,
    ctx: Ctx,
    last: i64,
    newest: tokio::sync::watch::Receiver<i64>,
    until: tokio::time::Instant,
}

/// Counts open streams.
struct Listening(App);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.metrics.listeners.fetch_sub(1, Relaxed);
    }
}

fn stream_of(app: App, ctx: Ctx, after: Option<i64>) -> Response {
    let newest = events::watch(&app.platform);
    let last = after.unwrap_or(*newest.borrow());
    app.metrics.listeners.fetch_add(1, Relaxed);
    let listening = Listening(app.clone());
    let reading = Reading { app, ctx, last, newest, until: tokio::time::Instant::now() + LONGEST };
    let told: Pin<Box<dyn Stream<Item = Result<SseEvent, Infallible>> + Send>> =
        Box::pin(stream::unfold(reading, next).flat_map(stream::iter).map(move |event| {
            let _ = &listening;
            Ok(event)
        }));
    let mut response = Sse::new(told).keep_alive(KeepAlive::new().interval(Duration::from_secs(20))).into_response();
    // A proxy that gathers what it passes on would hold events back.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Waits for the next events; `None` ends the stream.
async fn next(mut reading: Reading) -> Option<(Vec<SseEvent>, Reading)> {
    loop {
        if tokio::time::Instant::now() >= reading.until || reading.app.shutdown.is_cancelled() {
            return None;
        }
        let happened = events::after(&reading.ctx, reading.last, BATCH).await.ok()?;
        if let Some(newest) = happened.last() {
            reading.last = newest.id;
            return Some((happened.into_iter().filter_map(told).collect(), reading));
        }
        let shutdown = reading.app.shutdown.clone();
        tokio::select! {
            () = shutdown.cancelled() => return None,
            changed = reading.newest.changed() => changed.ok()?,
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

fn told(event: events::Event) -> Option<SseEvent> {
    let id = event.id.to_string();
    SseEvent::default().id(id).json_data(EventView::from(event)).ok()
}
