//! `/account`.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use platen_core::{Role, Secret, TokenId, orgs, users};

use crate::{
    app::App,
    fields::{Fields, Posted},
    session::{THEME, add_cookie, raw, set_cookie, theme_of},
    shell::{Section, Shell, Shown, again, go, show, show_as},
    trouble::Trouble,
    viewer::Viewer,
    words::{age, capital},
};

const THEMES: &[(&str, &str)] = &[("", "As the system"), ("light", "Light"), ("dark", "Dark")];
const SCOPES: &[(&str, &str)] =
    &[("read", "Read"), ("write", "Read and change the fleet"), ("admin", "All that I may")];
/// A year in seconds: how long the theme is kept.
const YEAR: u64 = 31_536_000;

struct TokenRow {
    id: String,
    name: String,
    scopes: &'static str,
    made: String,
    used: String,
    ends: String,
}

#[derive(Template)]
#[template(path = "account/account.html")]
struct AccountPage {
    shell: Shell,
    email: String,
    role: String,
    home: String,
    must_change: bool,
    new_token: Option<String>,
    tokens: Vec<TokenRow>,
    themes: &'static [(&'static str, &'static str)],
    scopes: Vec<(&'static str, &'static str)>,
}

async fn account_page(app: &App, viewer: &Viewer, error: Option<String>) -> Result<AccountPage, Trouble> {
    let shell = Shell::of(app, viewer, "Account", Section::Account).await?.with_error(error);
    let (zone, now) = (shell.zone(), viewer.whole.now);
    let tokens = match viewer.whole.user() {
        Some(user) => users::list_tokens(&viewer.whole, user).await?,
        None => Vec::new(),
    };
    let home = orgs::get(&viewer.whole, viewer.whole.home).await?;
    let most = match viewer.whole.role {
        Role::Admin => 3,
        Role::Manager => 2,
        _ => 1,
    };
    let row = |token: users::Token| TokenRow {
        id: token.id.to_string(),
        name: token.name,
        scopes: SCOPES.iter().find(|s| s.0 == token.scope).map_or("", |s| s.1),
        made: zone.day(token.created_at),
        used: token.last_used_at.map_or_else(|| "never".to_owned(), |at| format!("{} ago", age(now, at))),
        ends: token.expires_at.map_or_else(|| "never".to_owned(), |at| zone.day(at)),
    };
    Ok(AccountPage {
        email: viewer.email.clone(),
        role: capital(viewer.whole.role.as_str()),
        home: home.name.unwrap_or_default(),
        must_change: viewer.must_change,
        new_token: None,
        tokens: tokens.into_iter().map(row).collect(),
        themes: THEMES,
        scopes: SCOPES[..most].to_vec(),
        shell,
    })
}

/// `GET /account`.
pub(crate) async fn account(State(app): State<App>, viewer: Viewer) -> Shown {
    show(&account_page(&app, &viewer, None).await?)
}

/// `POST /account/theme`.
pub(crate) async fn theme(State(app): State<App>, headers: HeaderMap, posted: Posted) -> Shown {
    let theme = theme_of(Some(posted.fields.text("theme")));
    let mut response = go(&app, &headers, "/account", "saved");
    let value = (!theme.is_empty()).then_some(theme);
    add_cookie(response.headers_mut(), set_cookie(&app, &headers, THEME, value, Some(YEAR)));
    Ok(response)
}

/// `POST /account/password`.
pub(crate) async fn password(State(app): State<App>, headers: HeaderMap, posted: Posted) -> Shown {
    let secret = |name| Secret::new(raw(&posted.fields, name));
    let viewer = &posted.viewer;
    match users::set_password(&viewer.whole, &secret("old"), &secret("new"), Some(&viewer.session)).await {
        Ok(()) => Ok(go(&app, &headers, "/account", "password")),
        Err(error) => again(error, |why| account_page(&app, viewer, Some(why))).await,
    }
}

fn new_token(fields: &Fields) -> users::NewToken {
    users::NewToken {
        name: fields.text("name").to_owned(),
        scope: fields.text("scope").to_owned(),
        expires_days: fields.get("days").and_then(|days| days.parse().ok()),
    }
}

/// `POST /account/tokens`.
pub(crate) async fn make_token(State(app): State<App>, posted: Posted) -> Shown {
    let viewer = &posted.viewer;
    match users::create_token(&viewer.whole, &new_token(&posted.fields)).await {
        Ok((secret, _)) => {
            let mut page = account_page(&app, viewer, None).await?;
            page.new_token = Some(secret.expose().to_owned());
            show_as(StatusCode::CREATED, &page)
        }
        Err(error) => again(error, |why| account_page(&app, viewer, Some(why))).await,
    }
}

/// `POST /account/tokens/{id}/revoke`.
pub(crate) async fn revoke_token(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    posted: Posted,
) -> Shown {
    users::revoke_token(&posted.viewer.whole, TokenId::parse(&id)?).await?;
    Ok(go(&app, &headers, "/account#tokens", "token-revoked"))
}
