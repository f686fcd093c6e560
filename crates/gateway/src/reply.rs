//! What goes back: documents in the twin that the caller reads, and refusals that tell no more than they should.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
};
use serde::Serialize;
use wire::cbor;

/// Which of the two twins a document is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twin {
    Cbor,
    Json,
}

impl Twin {
    /// By media type; `None` when it is neither.
    pub(crate) fn of_media_type(value: &str) -> Option<Self> {
        let essence = value.split(';').next().unwrap_or_default().trim();
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        if is(cbor::CBOR) || is("application/cbor") {
            Some(Self::Cbor)
        } else if is(cbor::JSON) || is("application/json") {
            Some(Self::Json)
        } else {
            None
        }
    }

    /// The first twin that `Accept` names; without one, `otherwise`.
    pub(crate) fn accepted(headers: &HeaderMap, otherwise: Self) -> Self {
        let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
        accept.split(',').find_map(Self::of_media_type).unwrap_or(otherwise)
    }
}

/// A document in one of its twins.
pub(crate) fn document<T: Serialize + minicbor::Encode<()>>(twin: Twin, value: &T) -> Response<Body> {
    let (media_type, bytes) = match twin {
        Twin::Cbor => (cbor::CBOR, cbor::encode(value)),
        Twin::Json => (cbor::JSON, serde_json::to_vec(value).unwrap_or_default()),
    };
    let mut response = Response::new(Body::from(bytes));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// Why a request is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 400: the bytes are not what they should be; where, counted after decompression.
    Malformed { offset: Option<usize>, detail: String },
    /// 403, for every cause alike.
    Forbidden,
    /// 408: the sender took too long.
    TooSlow,
    /// 413: with the budget in bytes.
    TooLarge { budget: usize },
    /// 415: neither of the two twins, or an unknown encoding.
    UnknownFormat,
    /// 429: this sender already has as many requests under way as it may.
    TooMany { wait: Duration },
    /// 503: not now; come back at the promised time.
    Busy { wait: Duration },
    /// 503: not before so long; the door names the moment ([`crate::admission::Admission::dated`]).
    Later { least: Duration },
}

#[derive(Serialize)]
struct Problem<'a> {
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before_ms: Option<i64>,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Malformed { .. } => StatusCode::BAD_REQUEST,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnknownFormat => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy { .. } | Self::Later { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The answer, as RFC 9457. `now_ms` is the server's time.
    pub(crate) fn into_response(self, now_ms: i64) -> Response<Body> {
        let status = self.status();
        let (mut offset, mut budget_bytes, mut wait) = (None, None, None);
        let detail = match &self {
            Self::Malformed { offset: at, detail } => {
                offset = *at;
                detail.as_str()
            }
            Self::Forbidden => "this request is not accepted from this sender",
            Self::TooSlow => "the body did not arrive in time",
            Self::TooLarge { budget } => {
                budget_bytes = Some(*budget);
                "the body is larger than its budget"
            }
            Self::UnknownFormat => "send CBOR or its JSON twin, plain or as zstd",
            Self::TooMany { wait: span } => {
                wait = Some(*span);
                "this sender has other requests under way"
            }
            Self::Busy { wait: span } | Self::Later { least: span } => {
                wait = Some(*span);
                "the server has no room now"
            }
        };
        let not_before_ms = wait.map(|span| now_ms + i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 2));
        let title = status.canonical_reason().unwrap_or("refused");
        let problem = Problem { title, status: status.as_u16(), detail, offset, budget_bytes, not_before_ms };
        let mut response = Response::new(Body::from(serde_json::to_vec(&problem).unwrap_or_default()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(span) = wait {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(span.as_secs() + u64::from(span.subsec_nanos() > 0)));
        }
        response
    }
}
