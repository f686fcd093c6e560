//! Coming and going: sign-in, first run, sign-out, and the cookies that pages keep.

mod pages;

use axum::http::{HeaderMap, HeaderValue, header};
use platen_core::users::{self, Session};

use crate::app::{App, is_https};

pub(crate) use pages::{focus, raw, setup, setup_form, sign_in, sign_in_form, sign_out};

/// Cookie of the session.
pub(crate) const SESSION: &str = "platen_session";
/// Cookie of the theme.
pub(crate) const THEME: &str = "platen_theme";
/// Cookie of the organisation looked at.
pub(crate) const FOCUS: &str = "platen_org";
/// Cookie with the key of a note, for one page.
pub(crate) const NOTE: &str = "platen_note";

/// Header of requests that a page makes by itself, with nobody at work.
pub(crate) const LIVE: &str = "platen-live";

/// The session of a token; what a page does by itself does not prolong it.
pub(crate) async fn of_token(app: &App, headers: &HeaderMap, token: &str) -> platen_core::Result<Session> {
    let streams = headers.get(header::ACCEPT).is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
    if streams || headers.contains_key(LIVE) {
        users::glance(&app.platform, token).await
    } else {
        users::resume(&app.platform, token).await
    }
}

/// A theme that exists; anything else follows the system.
pub(crate) fn theme_of(cookie: Option<&str>) -> &'static str {
    match cookie {
        Some("light") => "light",
        Some("dark") => "dark",
        _ => "",
    }
}

/// A `Set-Cookie` line. `None` removes the cookie.
pub(crate) fn set_cookie(
    app: &App,
    request: &HeaderMap,
    name: &str,
    value: Option<&str>,
    seconds: Option<u64>,
) -> HeaderValue {
    let secure = if is_https(app, request) { "; Secure" } else { "" };
    let age = match (value, seconds) {
        (None, _) => "; Max-Age=0".to_owned(),
        (Some(_), Some(seconds)) => format!("; Max-Age={seconds}"),
        (Some(_), None) => String::new(),
    };
    let line = format!("{name}={}; Path=/; HttpOnly; SameSite=Lax{secure}{age}", value.unwrap_or_default());
    HeaderValue::from_str(&line).unwrap_or(HeaderValue::from_static(""))
}

/// Adds a `Set-Cookie` line to an answer.
pub(crate) fn add_cookie(headers: &mut HeaderMap, line: HeaderValue) {
    headers.append(header::SET_COOKIE, line);
}

/// Where to go after a form: a path of ours, never another site.
pub(crate) fn local(next: &str) -> &str {
    let fine = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n']);
    if fine { next } else { "/devices" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_never_sent_to_another_site() {
        for bad in ["//evil.example", "https://evil.example", "/\\evil.example", "", "/x\r\nSet-Cookie: y"] {
            assert_eq!(local(bad), "/devices", "{bad:?}");
        }
        assert_eq!(local("/alerts?state=open"), "/alerts?state=open");
    }
}
