//! `HEAD` and `PUT /d/v1/blob/{sha256}`: a log of a device or agent, part by part, with the offsets of the IETF draft on
//! resumable uploads. A part counts once all of it is here and signed; wherever the line breaks, the sender goes on from
//! the offset that it is told.

use axum::{
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, Response, StatusCode},
};
use platen_core::diagnostics::{self, MOST_BYTES, Uploaded};
use platen_core::store::Sha256;
use wire::monitor::UploadState;

use crate::{
    agent_rpc::refusal,
    body::receive,
    door::Door,
    metrics::Call,
    reply::{Refusal, Twin, document},
    signature::authenticate,
};

const OFFSET: &str = "upload-offset";
const COMPLETE: &str = "upload-complete";
/// Largest part.
const PART: usize = 256 * 1024;

/// Handles one question for the offset.
pub(crate) async fn look(State(door): State<Door>, Path(name): Path<String>, request: Request) -> Response<Body> {
    door.answer(Call::Blob, state(&door, &name, request)).await
}

/// Handles one part.
pub(crate) async fn put(State(door): State<Door>, Path(name): Path<String>, request: Request) -> Response<Body> {
    door.answer(Call::Blob, take(&door, &name, request)).await
}

async fn state(door: &Door, name: &str, request: Request) -> Result<Response<Body>, Refusal> {
    let (head, _) = request.into_parts();
    let (sender, ctx) = authenticate(&door.platform, &head, b"").await?;
    let _turn = door.admission.enter(Some(sender)).await?;
    let state = diagnostics::upload_state(&ctx, hash(name)?).await.map_err(|e| refusal(&e))?;
    let (state, status) = match state {
        Some(state) => (state, StatusCode::NO_CONTENT),
        None => (UploadState { offset: 0, whole: false }, StatusCode::NOT_FOUND),
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    told(response.headers_mut(), state);
    Ok(response)
}

async fn take(door: &Door, name: &str, request: Request) -> Result<Response<Body>, Refusal> {
    let (head, body) = request.into_parts();
    let received = receive(body, PART, &door.limits, &door.memory).await?;
    let (sender, ctx) = authenticate(&door.platform, &head, &received.bytes).await?;
    let (name, offset, last) = (hash(name)?, offset(&head.headers)?, last(&head.headers)?);
    let _turn = door.admission.enter(Some(sender)).await?;
    let outcome = diagnostics::upload(&ctx, name, offset, received.bytes.to_vec(), last).await;
    let (state, status) = match outcome.map_err(|e| refusal(&e))? {
        Uploaded::Taken(state) => (state, StatusCode::OK),
        Uploaded::Elsewhere(state) => (state, StatusCode::CONFLICT),
    };
    let mut response = document(Twin::accepted(&head.headers, Twin::Cbor), &state);
    *response.status_mut() = status;
    told(response.headers_mut(), state);
    Ok(response)
}

fn told(headers: &mut HeaderMap, state: UploadState) {
    headers.insert(OFFSET, HeaderValue::from(state.offset));
    headers.insert(COMPLETE, HeaderValue::from_static(if state.whole { "?1" } else { "?0" }));
}

fn malformed(detail: &str) -> Refusal {
    Refusal::Malformed { offset: None, detail: detail.to_owned() }
}

fn hash(name: &str) -> Result<Sha256, Refusal> {
    name.parse().map_err(|_| malformed("a log is named by its SHA-256 as 64 hexadecimal digits"))
}

fn offset(headers: &HeaderMap) -> Result<u64, Refusal> {
    let Some(value) = headers.get(OFFSET) else { return Ok(0) };
    let offset = value.to_str().ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let offset = offset.and_then(|text| text.parse().ok()).filter(|offset| *offset <= MOST_BYTES);
    offset.ok_or_else(|| malformed("upload-offset counts bytes"))
}

/// Without a word the request holds all that is to come, as in the draft.
fn last(headers: &HeaderMap) -> Result<bool, Refusal> {
    match headers.get(COMPLETE).map(HeaderValue::as_bytes) {
        None | Some(b"?1") => Ok(true),
        Some(b"?0") => Ok(false),
        Some(_) => Err(malformed("upload-complete is ?1 or ?0")),
    }
}
