//! `POST /d/v1/ack`: what became of orders; 204, however often the same is said.

use axum::{
    body::Body,
    extract::{Request, State},
    http::{Response, StatusCode},
};
use wire::command::Acks;

use crate::{
    agent_rpc::refusal,
    body::receive,
    door::Door,
    envelope::{decode, open, twin_of},
    metrics::Call,
    reply::Refusal,
    signature::authenticate,
};

/// Handles the answers of one device or agent.
pub(crate) async fn ack(State(door): State<Door>, request: Request) -> Response<Body> {
    door.answer(Call::Ack, accept(&door, request)).await
}

async fn accept(door: &Door, request: Request) -> Result<Response<Body>, Refusal> {
    let (head, body) = request.into_parts();
    let received = receive(body, door.limits.enrol_bytes, &door.limits, &door.memory).await?;
    let (sender, ctx) = authenticate(&door.platform, &head, &received.bytes).await?;
    let twin = twin_of(&head.headers)?;
    let acks: Acks = decode(twin, &open(&head.headers, &received.bytes, &door.limits)?)?;
    let _turn = door.admission.enter(Some(sender)).await?;
    platen_core::orders::acknowledge(&ctx, &acks).await.map_err(|e| refusal(&e))?;
    let mut done = Response::new(Body::empty());
    *done.status_mut() = StatusCode::NO_CONTENT;
    Ok(done)
}
