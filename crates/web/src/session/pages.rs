//! `/sign-in`, `/setup`, `/sign-out`, `/focus`.

use std::net::SocketAddr;

use askama::Template;
use axum::{
    extract::{ConnectInfo, Extension, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use platen_core::{Kind, OrgId, Secret, orgs, users};

use super::{FOCUS, SESSION, THEME, add_cookie, local, set_cookie, theme_of};
use crate::{
    app::{App, cookie},
    fields::{Fields, OpenForm, Posted},
    orgs::ZONES,
    security::RequestId,
    shell::{Shown, again, go, show, show_as},
    trouble::Trouble,
    words::sentence,
};

#[derive(Template)]
#[template(path = "session/sign_in.html")]
struct SignInPage {
    theme: &'static str,
    error: Option<String>,
    email: String,
    next: String,
    demo: bool,
}

fn theme(headers: &HeaderMap) -> &'static str {
    theme_of(cookie(headers, THEME))
}

/// `GET /sign-in`.
pub(crate) async fn sign_in_form(State(app): State<App>, headers: HeaderMap, fields: Fields) -> Shown {
    if users::setup_needed(&app.platform).await? {
        return Ok(Redirect::to("/setup").into_response());
    }
    let next = local(fields.text("next")).to_owned();
    show(&SignInPage { theme: theme(&headers), error: None, email: String::new(), next, demo: app.demo })
}

/// `POST /sign-in`.
pub(crate) async fn sign_in(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Extension(RequestId(request)): Extension<RequestId>,
    headers: HeaderMap,
    OpenForm(fields): OpenForm,
) -> Shown {
    let wanted = users::SignIn {
        email: fields.text("email").to_owned(),
        password: Secret::new(raw(&fields, "password")),
        address: Some(peer.ip()),
        client: headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned(),
        request,
    };
    match users::sign_in(&app.platform, &wanted).await {
        Ok((token, _)) => Ok(welcome(&app, &headers, &token, local(fields.text("next")))),
        Err(error) => {
            let form = |why: String| {
                std::future::ready(Ok(SignInPage {
                    theme: theme(&headers),
                    error: Some(sentence(&why)),
                    email: fields.text("email").to_owned(),
                    next: local(fields.text("next")).to_owned(),
                    demo: app.demo,
                }))
            };
            again(error, form).await
        }
    }
}

/// A password as typed: blanks at its ends count.
pub(crate) fn raw(fields: &Fields, name: &str) -> String {
    fields.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

/// Hands the session over and goes on.
fn welcome(app: &App, headers: &HeaderMap, token: &Secret, next: &str) -> Response {
    let mut response = Redirect::to(next).into_response();
    add_cookie(response.headers_mut(), set_cookie(app, headers, SESSION, Some(token.expose()), None));
    response
}

/// `POST /sign-out`.
pub(crate) async fn sign_out(State(app): State<App>, headers: HeaderMap, posted: Posted) -> Shown {
    users::sign_out(&posted.viewer.whole, &posted.viewer.session).await?;
    let mut response = Redirect::to("/sign-in").into_response();
    for name in [SESSION, FOCUS] {
        add_cookie(response.headers_mut(), set_cookie(&app, &headers, name, None, None));
    }
    Ok(response)
}

/// `POST /focus`: looks at one organisation from now on.
pub(crate) async fn focus(State(app): State<App>, headers: HeaderMap, posted: Posted) -> Shown {
    let org = OrgId::parse(posted.fields.text("org"))?;
    posted.viewer.whole.focused(org).await?;
    // A sheet of one device belongs to one organisation; lists fit any.
    let next = local(posted.fields.text("next"));
    let next = if next.starts_with("/devices/") { "/devices" } else { next.split('?').next().unwrap_or(next) };
    let mut response = Redirect::to(next).into_response();
    let id = org.to_string();
    let chosen = (org != posted.viewer.whole.home).then_some(id.as_str());
    add_cookie(response.headers_mut(), set_cookie(&app, &headers, FOCUS, chosen, None));
    Ok(response)
}

#[derive(Template)]
#[template(path = "session/setup.html")]
struct SetupPage {
    theme: &'static str,
    error: Option<String>,
    key: String,
    organisation: String,
    zone: String,
    name: String,
    email: String,
    zones: &'static [&'static str],
}

/// `GET /setup?key=…`.
pub(crate) async fn setup_form(State(app): State<App>, headers: HeaderMap, fields: Fields) -> Shown {
    if !users::setup_needed(&app.platform).await? {
        return Ok(Redirect::to("/sign-in").into_response());
    }
    let Some(key) = fields.get("key") else {
        let words = "This server waits for its first account. Open the set-up address that it printed when it started.";
        return Err(Trouble::Request(StatusCode::FORBIDDEN, words.to_owned()));
    };
    show(&SetupPage {
        theme: theme(&headers),
        error: None,
        key: key.to_owned(),
        organisation: String::new(),
        zone: "UTC".to_owned(),
        name: String::new(),
        email: String::new(),
        zones: ZONES,
    })
}

/// `POST /setup`.
pub(crate) async fn setup(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Extension(RequestId(request)): Extension<RequestId>,
    headers: HeaderMap,
    OpenForm(fields): OpenForm,
) -> Shown {
    let first = users::FirstUser {
        organisation: orgs::NewOrg {
            name: fields.text("organisation").to_owned(),
            zone: fields.get("zone").map(str::to_owned),
            ..orgs::NewOrg::default()
        },
        email: fields.text("email").to_owned(),
        name: fields.text("name").to_owned(),
        password: Secret::new(raw(&fields, "password")),
    };
    if let Err(error) = users::setup_first(&app.platform, fields.text("key"), &first).await {
        if error.kind != Kind::Invalid {
            return Err(error.into());
        }
        let page = SetupPage {
            theme: theme(&headers),
            error: Some(sentence(&error.message)),
            key: fields.text("key").to_owned(),
            organisation: fields.text("organisation").to_owned(),
            zone: fields.text("zone").to_owned(),
            name: fields.text("name").to_owned(),
            email: fields.text("email").to_owned(),
            zones: ZONES,
        };
        return show_as(StatusCode::BAD_REQUEST, &page);
    }
    let wanted = users::SignIn {
        email: first.email,
        password: first.password,
        address: Some(peer.ip()),
        client: "first run".to_owned(),
        request,
    };
    let (token, _) = users::sign_in(&app.platform, &wanted).await?;
    let mut response = go(&app, &headers, "/devices", "welcome");
    add_cookie(response.headers_mut(), set_cookie(&app, &headers, SESSION, Some(token.expose()), None));
    Ok(response)
}
