//! `POST /d/v1/report`: up to 512 messages; answered only after core has committed them.

use axum::{
    body::Body,
    extract::{Request, State},
    http::Response,
};

use crate::{
    body::receive,
    door::Door,
    envelope::{check, read, twin_of},
    metrics::Call,
    reply::{Refusal, Twin, document},
    signature::authenticate,
};

/// Handles one report.
pub(crate) async fn report(State(door): State<Door>, request: Request) -> Response<Body> {
    door.answer(Call::Report, accept(&door, request)).await
}

async fn accept(door: &Door, request: Request) -> Result<Response<Body>, Refusal> {
    let (head, body) = request.into_parts();
    let received = receive(body, door.limits.body_bytes, &door.limits, &door.memory).await?;
    let (sender, ctx) = authenticate(&door.platform, &head, &received.bytes).await?;
    let twin = twin_of(&head.headers)?;
    let _turn = door.admission.enter(Some(sender)).await?;
    let report = read(twin, &head.headers, &received.bytes, &door.limits)?;
    drop(received);
    check(report.report())?;
    if report.report().sender != sender {
        return Err(Refusal::Forbidden);
    }
    let messages = report.report().messages.len();
    let reply = platen_core::reports::accept(&ctx, report).await.map_err(|e| super::refusal(&e))?;
    tracing::debug!(agent.id = %sender.to_text(), messages, "report accepted");
    Ok(document(Twin::accepted(&head.headers, twin), &reply))
}
