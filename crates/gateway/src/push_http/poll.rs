//! `GET /d/v1/poll`: everything that waits for the device that asks, in one contact; 304 when nothing does.

use axum::{
    body::Body,
    extract::{Request, State},
    http::{Response, StatusCode},
};
use platen_core::{monitors, orders};
use wire::hello::PollReply;

use crate::{
    agent_rpc::refusal,
    door::Door,
    metrics::Call,
    reply::{Refusal, Twin, document},
    signature::authenticate,
};

/// Handles one inquiry.
pub(crate) async fn poll(State(door): State<Door>, request: Request) -> Response<Body> {
    door.answer(Call::Poll, look_up(&door, request)).await
}

async fn look_up(door: &Door, request: Request) -> Result<Response<Body>, Refusal> {
    let (head, _) = request.into_parts();
    let (sender, ctx) = authenticate(&door.platform, &head, b"").await?;
    let _turn = door.admission.enter(Some(sender)).await?;
    let follows = head.uri.query().and_then(|query| query.strip_prefix("revision=")?.parse().ok()).unwrap_or(0);
    let schedule = monitors::inquire(&ctx, follows).await.map_err(|e| refusal(&e))?;
    let commands = orders::pending(&ctx).await.map_err(|e| refusal(&e))?;
    if schedule.is_none() && commands.is_empty() {
        let mut nothing = Response::new(Body::empty());
        *nothing.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(nothing);
    }
    let reply = PollReply { server_ms: crate::server_ms(&door.platform), commands, schedule };
    Ok(document(Twin::accepted(&head.headers, Twin::Cbor), &reply))
}
