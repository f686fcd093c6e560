//! What every page has: header, sections, organisation switcher, running tasks; and how a page becomes an answer.

pub(crate) mod facets;
mod frame;
mod help;

use askama::Template;
use axum::{
    http::{HeaderMap, StatusCode},
    response::{Html, IntoResponse, Redirect, Response},
};
use platen_core::Error;

pub(crate) use frame::{OrgChoice, Section, Shell};
pub(crate) use help::help;

use crate::{
    app::App,
    problem,
    session::{NOTE, add_cookie, local, set_cookie},
    trouble::Trouble,
};

/// What a page handler gives.
pub(crate) type Shown = Result<Response, Trouble>;

/// Draws a page.
pub(crate) fn show(page: &impl Template) -> Shown {
    show_as(StatusCode::OK, page)
}

/// Draws a page with a status.
pub(crate) fn show_as(status: StatusCode, page: &impl Template) -> Shown {
    let html = page.render().map_err(|e| Error::internal("a page could not be drawn").with_source(e))?;
    Ok((status, Html(html)).into_response())
}

/// Shows the page of a form again, with what was wrong and a person can mend; a fault of the server is not theirs.
pub(crate) async fn again<P, F>(error: Error, page: impl FnOnce(String) -> F) -> Shown
where
    P: Template,
    F: Future<Output = Result<P, Trouble>>,
{
    let status = problem::status(&error);
    if status.is_server_error() {
        return Err(error.into());
    }
    show_as(status, &page(error.message).await?)
}

/// Goes on after a form, with a note on the next page.
pub(crate) fn go(app: &App, request: &HeaderMap, next: &str, note: &str) -> Response {
    let mut response = Redirect::to(local(next)).into_response();
    add_cookie(response.headers_mut(), set_cookie(app, request, NOTE, Some(note), Some(20)));
    response
}
