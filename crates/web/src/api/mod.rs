//! What all handlers of the API share: bodies, versions, repeats, the answer type.

mod body;
mod once;
mod version;

use axum::response::Response;

pub(crate) use body::Body;
pub(crate) use once::Posting;
pub(crate) use version::{IfMatch, tagged};

use crate::problem::Problem;

/// What a handler of the API gives.
pub(crate) type Answered = Result<Response, Problem>;

/// `404` below `/api`, as a problem.
pub(crate) async fn missing() -> Problem {
    Problem::not_found("there is no such address in the API; see /api/openapi.json")
}

/// `405` below `/api`, as a problem.
pub(crate) async fn method() -> Problem {
    Problem::new(
        axum::http::StatusCode::METHOD_NOT_ALLOWED,
        "/docs/problems/method",
        "method not allowed",
        "this address does not take this method",
    )
}
