//! Errors of the API as RFC 9457 documents.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use platen_core::{Error, Kind};
use serde::Serialize;
use utoipa::ToSchema;

/// What went wrong, for programs (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Problem {
    /// A page of the documentation that explains this kind of error.
    #[serde(rename = "type")]
    #[schema(rename = "type", example = "/docs/problems/invalid")]
    pub(crate) kind: &'static str,
    /// Short and the same for every error of this kind.
    pub(crate) title: &'static str,
    /// HTTP status.
    pub(crate) status: u16,
    /// What failed, with which input.
    pub(crate) detail: String,
    /// Id of the request, as in the server's log.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) instance: String,
    /// The fields at fault, if some are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<FieldProblem>,
}

/// One field at fault.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = FieldProblem)]
pub(crate) struct FieldProblem {
    /// JSON pointer into the request.
    pub(crate) pointer: String,
    /// What is wrong with it.
    pub(crate) detail: String,
}

impl Problem {
    /// An error of the given status; `kind` is the page that explains it.
    pub(crate) fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind,
            title,
            status: status.as_u16(),
            detail: detail.into(),
            instance: String::new(),
            errors: Vec::new(),
        }
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "/docs/problems/not-found", "not found", detail)
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "/docs/problems/forbidden", "not allowed", detail)
    }

    pub(crate) fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "/docs/problems/unauthenticated", "sign-in needed", detail)
    }

    /// A request whose field `pointer` is wrong.
    pub(crate) fn invalid(pointer: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let mut problem =
            Self::new(StatusCode::BAD_REQUEST, "/docs/problems/invalid", "the request does not fit", detail.clone());
        if !pointer.is_empty() {
            problem.errors.push(FieldProblem { pointer: pointer.to_owned(), detail });
        }
        problem
    }

    /// Names the request.
    pub(crate) fn with_instance(mut self, request: &str) -> Self {
        request.clone_into(&mut self.instance);
        self
    }
}

/// Status, slug and title of each kind of error of the core.
fn class(kind: Kind) -> (StatusCode, &'static str, &'static str) {
    match kind {
        Kind::NotFound => (StatusCode::NOT_FOUND, "/docs/problems/not-found", "not found"),
        Kind::Forbidden => (StatusCode::FORBIDDEN, "/docs/problems/forbidden", "not allowed"),
        Kind::Invalid => (StatusCode::BAD_REQUEST, "/docs/problems/invalid", "the request does not fit"),
        Kind::Conflict => (StatusCode::CONFLICT, "/docs/problems/conflict", "conflict"),
        Kind::Stale => (StatusCode::PRECONDITION_FAILED, "/docs/problems/stale", "changed meanwhile"),
        Kind::PreconditionRequired => {
            (StatusCode::PRECONDITION_REQUIRED, "precondition-required", "If-Match is needed")
        }
        Kind::Unauthenticated => (StatusCode::UNAUTHORIZED, "/docs/problems/unauthenticated", "sign-in needed"),
        Kind::TooMany => (StatusCode::TOO_MANY_REQUESTS, "/docs/problems/too-many", "too many tries"),
        Kind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "/docs/problems/unavailable", "not available now"),
        Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "/docs/problems/internal", "a fault of the server"),
    }
}

/// The HTTP status of an error of the core.
pub(crate) fn status(error: &Error) -> StatusCode {
    class(error.kind).0
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let (status, kind, title) = class(error.kind);
        if status.is_server_error() {
            tracing::error!(error = &error as &dyn std::error::Error, "request failed");
        }
        let detail = match error.kind {
            Kind::Internal => "the server's log has the reason, under this request id".to_owned(),
            _ => error.message.clone(),
        };
        let mut problem = Self::new(status, kind, title, detail.clone());
        if let Some(field) = &error.field {
            problem.errors.push(FieldProblem { pointer: format!("/{}", field.replace('.', "/")), detail });
        }
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static(r#"Bearer realm="Platen", Basic realm="Platen""#),
            );
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        }
        response
    }
}
