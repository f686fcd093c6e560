//! `ETag` is the version of a row; a change names the version that it saw.

use axum::{
    Json,
    extract::FromRequestParts,
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::problem::Problem;

/// The version in `If-Match`; `None` when the header is missing (the core answers 428 where one is needed).
#[derive(Clone, Copy, Debug)]
pub(crate) struct IfMatch(pub(crate) Option<i64>);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else { return Ok(Self(None)) };
        let text = value.to_str().unwrap_or_default().trim();
        let version = text.trim_start_matches("W/").trim_matches('"').parse().ok();
        match version {
            Some(version) => Ok(Self(Some(version))),
            // A tag that we never gave fits no row.
            None => Err(Problem::new(
                StatusCode::PRECONDITION_FAILED,
                "/docs/problems/stale",
                "changed meanwhile",
                format!("no version is called {text}"),
            )),
        }
    }
}

/// One thing with its version as `ETag`.
pub(crate) fn tagged(status: StatusCode, value: &impl Serialize, version: i64) -> Response {
    let mut response = (status, Json(value)).into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
