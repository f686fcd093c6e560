//! A JSON body: bounded, of known fields only.

use axum::{
    extract::{FromRequest, Request},
    http::{StatusCode, header},
};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// A body that was read.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        parse(&read(request, state).await?).map(Self)
    }
}

/// The bytes of a JSON body.
pub(super) async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let json = kind.starts_with("application/json") || kind.starts_with("application/merge-patch+json");
    let bytes = Bytes::from_request(request, state).await.map_err(|e| {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "/docs/problems/too-large", "too large", e.body_text())
    })?;
    if !json && !bytes.is_empty() {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "/docs/problems/media-type",
            "media type",
            "send application/json",
        ));
    }
    Ok(bytes)
}

/// Reads a body of known fields; none at all counts as an empty object.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(text).map_err(|e| refusal(&e.to_string()))
}

/// Says which field is at fault where the parser knows.
fn refusal(message: &str) -> Problem {
    let field = message
        .split('`')
        .nth(1)
        .filter(|_| message.starts_with("unknown field") || message.starts_with("missing field"));
    match field {
        Some(field) => {
            let mut problem = Problem::invalid(&format!("/{field}"), message);
            message.clone_into(&mut problem.detail);
            problem
        }
        None => Problem::invalid("", format!("the body is not what this address takes: {message}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_field_is_named_by_pointer() {
        let problem = refusal("unknown field `nme`, expected `name` at line 1 column 6");
        assert_eq!((problem.status, problem.errors[0].pointer.as_str()), (400, "/nme"));
    }
}
