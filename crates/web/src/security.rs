//! What every response carries and every request must satisfy: policy headers, same-origin writes, request ids.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{app::App, problem::Problem};

/// No inline script or style, nothing from elsewhere, no frames.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const FIXED: [(&str, &str); 7] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
];

/// Id of this request, in logs, errors, audit records and the answer.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) String);

/// Header that repeats the [`RequestId`].
pub(crate) const REQUEST_HEADER: HeaderName = HeaderName::from_static("platen-request");

/// Gives each request an id and each response the headers above.
pub(crate) async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = app.request_id();
    let private = !request.uri().path().starts_with("/assets/");
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = match foreign_write(&request) {
        true => Problem::forbidden("this request comes from another site").with_instance(&id).into_response(),
        false => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in FIXED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if private {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        headers.entry(header::VARY).or_insert(HeaderValue::from_static("cookie, accept"));
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_HEADER, value);
    }
    response
}

/// A write that a browser sent on behalf of another site. Programs send neither header and carry a token instead.
fn foreign_write(request: &Request) -> bool {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return false;
    }
    let text = |name: &str| request.headers().get(name).and_then(|v| v.to_str().ok());
    match (text("sec-fetch-site"), text("origin")) {
        (Some("same-origin" | "none"), _) => false,
        (Some(_), _) => true,
        (None, Some(origin)) => origin_host(origin) != host(request.headers()),
        (None, None) => false,
    }
}

fn origin_host(origin: &str) -> Option<&str> {
    origin.split_once("://").map(|(_, host)| host)
}

/// Host and port that the browser asked for.
pub(crate) fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST).and_then(|v| v.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(headers: &[(&str, &str)]) -> Request {
        let mut request = Request::builder().method("POST").uri("/x").header("host", "print.example:8080");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(axum::body::Body::empty()).unwrap()
    }

    #[test]
    fn writes_from_another_site_are_refused() {
        assert!(foreign_write(&post(&[("origin", "https://evil.example")])));
        assert!(foreign_write(&post(&[("origin", "null")])));
        assert!(foreign_write(&post(&[("sec-fetch-site", "cross-site"), ("origin", "http://print.example:8080")])));
        assert!(foreign_write(&post(&[("sec-fetch-site", "same-site")])));
    }

    #[test]
    fn writes_from_our_pages_and_from_programs_pass() {
        assert!(!foreign_write(&post(&[("origin", "http://print.example:8080")])));
        assert!(!foreign_write(&post(&[("sec-fetch-site", "same-origin")])));
        assert!(!foreign_write(&post(&[])));
    }
}
