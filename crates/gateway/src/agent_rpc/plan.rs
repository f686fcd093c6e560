//! `GET /d/v1/plan?revision=N`: the plan of the agent that asks; 304 when it follows the newest already.

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, Response, StatusCode, header},
};

use crate::{
    door::Door,
    metrics::Call,
    reply::{Refusal, Twin, document},
    signature::authenticate,
};

/// Handles one inquiry.
pub(crate) async fn plan(State(door): State<Door>, request: Request) -> Response<Body> {
    door.answer(Call::Plan, look_up(&door, request)).await
}

async fn look_up(door: &Door, request: Request) -> Result<Response<Body>, Refusal> {
    let (head, _) = request.into_parts();
    let (sender, ctx) = authenticate(&door.platform, &head, b"").await?;
    let _turn = door.admission.enter(Some(sender)).await?;
    let agent = ctx.require_agent().map_err(|e| super::refusal(&e))?;
    let plan = platen_core::agents::plan(&ctx, agent).await.map_err(|e| super::refusal(&e))?;
    let tag = format!("\"{}\"", plan.revision);
    let by_query = head.uri.query().and_then(|q| q.strip_prefix("revision=")) == Some(&plan.revision.to_string());
    let by_tag = head.headers.get(header::IF_NONE_MATCH).is_some_and(|v| v.as_bytes() == tag.as_bytes());
    let mut response = if by_query || by_tag {
        let mut unchanged = Response::new(Body::empty());
        *unchanged.status_mut() = StatusCode::NOT_MODIFIED;
        unchanged
    } else {
        document(Twin::accepted(&head.headers, Twin::Cbor), &plan)
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}
