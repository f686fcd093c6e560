//! `POST /d/v1/enrol`: a one-time token and a public key against a name and a plan.

use axum::{
    body::Body,
    extract::{Request, State},
    http::Response,
};
use wire::enrol::EnrolRequest;

use crate::{
    body::receive,
    door::Door,
    envelope::{decode, open, twin_of},
    metrics::Call,
    reply::{Refusal, Twin, document},
};

/// Handles one enrolment.
pub(crate) async fn enrol(State(door): State<Door>, request: Request) -> Response<Body> {
    door.answer(Call::Enrol, accept(&door, request)).await
}

async fn accept(door: &Door, request: Request) -> Result<Response<Body>, Refusal> {
    let (head, body) = request.into_parts();
    let twin = twin_of(&head.headers)?;
    let received = receive(body, door.limits.enrol_bytes, &door.limits, &door.memory).await?;
    let content = open(&head.headers, &received.bytes, &door.limits)?;
    let wanted: EnrolRequest = decode(twin, &content)?;
    if wanted.public_key.len() != 32 {
        return Err(Refusal::Malformed { offset: None, detail: "an Ed25519 key is 32 bytes".into() });
    }
    let _turn = door.admission.enter(None).await?;
    // A token that is malformed, unknown, used or expired is refused in one way.
    let reply = platen_core::agents::enrol(&door.platform, &wanted).await.map_err(|e| match super::refusal(&e) {
        Refusal::Malformed { .. } => Refusal::Forbidden,
        other => other,
    })?;
    tracing::info!(agent.id = %reply.agent.to_text(), "an agent has enrolled");
    Ok(document(Twin::accepted(&head.headers, twin), &reply))
}
