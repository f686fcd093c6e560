//! A POST that may be repeated: with an `Idempotency-Key` the first answer is given again, and nothing is done twice.

use std::future::Future;

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use platen_core::{Ctx, idempotency};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Answered, body};
use crate::problem::Problem;

const KEY: &str = "idempotency-key";
/// Says that an answer is a repetition.
const REPEATED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Largest answer that is read back to be kept.
const MOST: usize = 1 << 20;

/// The body of a POST, and how to do its work once.
pub(crate) struct Posting<T>(pub(crate) T, pub(crate) Once);

/// The key of a request with all that must be equal in a repetition.
pub(crate) struct Once {
    key: Option<String>,
    request: Vec<u8>,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Posting<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let key = request.headers().get(KEY).map(|v| v.to_str().unwrap_or_default().to_owned());
        let mut same = format!("{} {}\n", request.method(), request.uri()).into_bytes();
        let bytes: Bytes = body::read(request, state).await?;
        same.extend_from_slice(&bytes);
        Ok(Self(body::parse(&bytes)?, Once { key, request: same }))
    }
}

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    status: u16,
    etag: Option<String>,
    body: Value,
}

impl Once {
    /// Does the work unless it was done under this key; then gives the first answer again.
    pub(crate) async fn run(self, ctx: &Ctx, work: impl Future<Output = Answered>) -> Answered {
        self.run_but(ctx, &[], work).await
    }

    /// The same; fields named in `secrets` are given once and not kept: a repetition has `null` there.
    pub(crate) async fn run_but(self, ctx: &Ctx, secrets: &[&str], work: impl Future<Output = Answered>) -> Answered {
        let Some(key) = self.key else { return work.await };
        let key = match idempotency::begin(ctx, &key, &self.request).await? {
            idempotency::Begin::Again(reply) => return again(&reply),
            idempotency::Begin::Work(key) => key,
        };
        match work.await {
            Ok(response) => {
                let (kept, response) = keep(response, secrets).await;
                idempotency::finish(ctx, &key, &kept).await?;
                Ok(response)
            }
            Err(problem) => {
                idempotency::abandon(ctx, &key).await?;
                Err(problem)
            }
        }
    }
}

fn again(reply: &[u8]) -> Answered {
    let Ok(kept) = serde_json::from_slice::<Kept>(reply) else {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "/docs/problems/conflict",
            "conflict",
            "this was done; its answer was too large to be kept",
        ));
    };
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let mut response =
        if kept.body.is_null() { status.into_response() } else { (status, axum::Json(kept.body)).into_response() };
    response.headers_mut().insert(REPEATED, HeaderValue::from_static("true"));
    if let Some(etag) = kept.etag.and_then(|text| HeaderValue::from_str(&text).ok()) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    Ok(response)
}

/// Reads the answer back, so that it can be kept as well as sent.
async fn keep(response: Response, secrets: &[&str]) -> (Vec<u8>, Response) {
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, MOST).await.unwrap_or_default();
    let mut value: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    for secret in secrets {
        if let Some(field) = value.get_mut(*secret) {
            *field = Value::Null;
        }
    }
    let etag = parts.headers.get(header::ETAG).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let kept = Kept { status: parts.status.as_u16(), etag, body: value };
    (serde_json::to_vec(&kept).unwrap_or_default(), Response::from_parts(parts, bytes.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_kept_answer_holds_no_secret() {
        let response =
            (StatusCode::CREATED, axum::Json(serde_json::json!({"id": "1", "secret": "plt_x"}))).into_response();
        let (kept, response) = keep(response, &["secret"]).await;
        assert!(!String::from_utf8_lossy(&kept).contains("plt_x"));
        let sent = axum::body::to_bytes(response.into_body(), MOST).await.unwrap();
        assert!(String::from_utf8_lossy(&sent).contains("plt_x"));
        let repeated = again(&kept).unwrap();
        assert_eq!(
            (repeated.status(), repeated.headers()[&REPEATED].as_bytes()),
            (StatusCode::CREATED, b"true".as_slice())
        );
    }
}
