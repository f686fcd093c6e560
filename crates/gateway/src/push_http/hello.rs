//! `POST /d/v1/hello`: the communication test, signed with the key that it brings. Every refusal reads alike.

use std::net::SocketAddr;

use axum::{
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::Response,
};
use wire::hello::{Hello, Road};

use crate::{
    body::receive,
    door::Door,
    envelope::{decode, open, twin_of},
    metrics::Call,
    reply::{Refusal, Twin, document},
    signature::proves,
};

/// Handles one communication test.
pub(crate) async fn hello(State(door): State<Door>, request: Request) -> Response<Body> {
    door.answer(Call::Hello, accept(&door, request)).await
}

async fn accept(door: &Door, request: Request) -> Result<Response<Body>, Refusal> {
    let (head, body) = request.into_parts();
    let twin = twin_of(&head.headers)?;
    let received = receive(body, door.limits.enrol_bytes, &door.limits, &door.memory).await?;
    let hello: Hello = decode(twin, &open(&head.headers, &received.bytes, &door.limits)?)?;
    if hello.version != 1 || hello.key.len() != 32 {
        return Err(Refusal::Malformed { offset: None, detail: "version 1 with an Ed25519 key of 32 bytes".into() });
    }
    if !proves(&door.platform, &head, &received.bytes, &hello.key) {
        return Err(Refusal::Forbidden);
    }
    let from = head.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_canonical());
    let peer = from.map_or_else(String::new, |from| from.to_string());
    let _turn = door.admission.enter(None).await?;
    // A serial that is none reads as one that nobody registered.
    let reply = platen_core::monitors::hello(&door.platform, &hello, &peer).await;
    let reply = reply.map_err(|e| match crate::agent_rpc::refusal(&e) {
        Refusal::Malformed { .. } => Refusal::Forbidden,
        other => other,
    })?;
    if let (Road::HttpsBothWays, Some(from)) = (hello.road, from) {
        platen_core::monitors::called_from(&door.platform, reply.sender, from)
            .await
            .map_err(|e| crate::agent_rpc::refusal(&e))?;
    }
    tracing::info!(monitor.id = %reply.sender.to_text(), "a device passed its communication test");
    Ok(document(Twin::accepted(&head.headers, twin), &reply))
}
