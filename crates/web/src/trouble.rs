//! Errors of pages as calm pages: what happened, what to do, the number of the request.

use askama::Template;
use axum::{
    extract::Request,
    http::{StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Redirect, Response},
};
use platen_core::{Error, Kind};

use crate::{app::cookie, fields::encode, problem, security::RequestId, session::theme_of};

/// Why a page could not be shown.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Nobody is signed in; go there first and come back.
    SignIn {
        /// Path to come back to.
        next: String,
    },
    /// Something else must be done first, there.
    Elsewhere(&'static str),
    /// An error of the core.
    Core(Error),
    /// A request that no page of ours makes.
    Request(StatusCode, String),
}

impl Trouble {
    pub(crate) fn bad_request(message: &str) -> Self {
        Self::Request(StatusCode::BAD_REQUEST, message.to_owned())
    }

    pub(crate) fn forbidden(message: &str) -> Self {
        Self::Request(StatusCode::FORBIDDEN, message.to_owned())
    }

    pub(crate) fn not_found() -> Self {
        Self::Request(StatusCode::NOT_FOUND, "There is no page at this address.".to_owned())
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

/// What [`dress`] needs to draw the page; the handler knows neither theme nor request.
#[derive(Clone, Debug)]
struct Told {
    status: StatusCode,
    message: String,
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let told = match self {
            Self::SignIn { next } => return Redirect::to(&format!("/sign-in?next={}", encode(&next))).into_response(),
            Self::Elsewhere(path) => return Redirect::to(path).into_response(),
            Self::Core(error) if error.kind == Kind::Unauthenticated => {
                return Redirect::to("/sign-in").into_response();
            }
            Self::Core(error) => {
                let status = problem::status(&error);
                if status.is_server_error() {
                    tracing::error!(error = &error as &dyn std::error::Error, "page failed");
                }
                let message = if status == StatusCode::INTERNAL_SERVER_ERROR { String::new() } else { error.message };
                Told { status, message }
            }
            Self::Request(status, message) => Told { status, message },
        };
        let mut response = told.status.into_response();
        response.extensions_mut().insert(told);
        response
    }
}

#[derive(Template)]
#[template(path = "shell/trouble.html")]
struct TroublePage<'p> {
    theme: &'p str,
    title: &'p str,
    message: String,
    advice: &'p str,
    status: u16,
    request: &'p str,
    back: Option<&'p str>,
}

/// Draws the page for answers that carry only a status.
pub(crate) async fn dress(request: Request, next: Next) -> Response {
    let theme = theme_of(cookie(request.headers(), "platen_theme"));
    let id = request.extensions().get::<RequestId>().cloned();
    let back = request.headers().get(header::REFERER).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let response = next.run(request).await;
    let plain = response.headers().get(header::CONTENT_TYPE).is_none();
    let told = match response.extensions().get::<Told>() {
        Some(told) => told.clone(),
        None if plain && (response.status().is_client_error() || response.status().is_server_error()) => {
            Told { status: response.status(), message: String::new() }
        }
        None => return response,
    };
    let (title, message, advice) = words(told.status);
    let page = TroublePage {
        theme,
        title,
        message: if told.message.is_empty() { message.to_owned() } else { crate::words::sentence(&told.message) },
        advice,
        status: told.status.as_u16(),
        request: id.as_ref().map(|id| id.0.as_str()).unwrap_or_default(),
        back: back.as_deref(),
    };
    match page.render() {
        Ok(html) => (told.status, Html(html)).into_response(),
        Err(_) => told.status.into_response(),
    }
}

fn words(status: StatusCode) -> (&'static str, &'static str, &'static str) {
    match status {
        StatusCode::NOT_FOUND => {
            ("Not here", "There is no page at this address.", "It may have moved, or belong to another organisation.")
        }
        StatusCode::FORBIDDEN => {
            ("Not allowed", "Your role does not allow this.", "An administrator can change roles under Set-up, Users.")
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            ("Not this way", "This address does not take that.", "Go back and use the form of the page.")
        }
        StatusCode::PAYLOAD_TOO_LARGE => ("Too large", "The form is larger than this server takes.", "Send less."),
        StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT => {
            ("Changed meanwhile", "Somebody else changed this.", "Go back, reload, and try again.")
        }
        StatusCode::TOO_MANY_REQUESTS => {
            ("Too many tries", "Too many tries in a short time.", "Wait a minute and try again.")
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            ("Not just now", "The server cannot do this at the moment.", "Nothing is lost; try again in a minute.")
        }
        status if status.is_client_error() => (
            "That did not fit",
            "The server could not use this request.",
            "Go back, look over the form, and try again.",
        ),
        _ => (
            "Our fault",
            "Something failed on the server.",
            "It is in the server’s log under the number below. Nothing you sent was half done.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_ours_does_not_show_its_inside() {
        let response = Trouble::Core(Error::internal("table devices is on fire")).into_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(response.extensions().get::<Told>().is_some_and(|told| told.message.is_empty()));
    }
}
