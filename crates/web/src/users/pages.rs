//! `/users`.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use platen_core::{Error, PageQuery, Role, UserId, users};

use super::api::state_of;
use crate::{
    app::App,
    fields::{Fields, Posted},
    shell::{Section, Shell, Shown, again, go, show, show_as},
    trouble::Trouble,
    viewer::Viewer,
    words::{age, capital, grouped},
};

/// Roles a person may have, with what they may do.
const ROLES: &[(&str, &str)] = &[
    ("user", "User: reads the fleet"),
    ("manager", "Manager: changes the fleet"),
    ("admin", "Admin: users and organisations too"),
];

struct UserRow {
    id: String,
    name: String,
    email: String,
    role: String,
    state: &'static str,
    active: bool,
    seen: String,
}

#[derive(Template)]
#[template(path = "users/list.html")]
struct UsersPage {
    shell: Shell,
    summary: String,
    rows: Vec<UserRow>,
    may_create: bool,
    made: Option<(String, String)>,
    next: Option<String>,
}

async fn users_page(app: &App, viewer: &Viewer, fields: &Fields, error: Option<String>) -> Result<UsersPage, Trouble> {
    let shell = Shell::of(app, viewer, "Users", Section::Users).await?.with_error(error);
    let page = PageQuery { limit: Some(100), after: fields.get("after").map(str::to_owned), count: true };
    let page = users::list(&viewer.ctx, &users::UserQuery { filter: None, page }).await?;
    let now = viewer.ctx.now;
    let rows = page.items.into_iter().map(|user| UserRow {
        id: user.id.to_string(),
        name: user.name,
        email: user.email,
        role: capital(user.role.as_str()),
        state: state_words(user.state),
        active: user.state == users::UserState::Active,
        seen: user.last_sign_in_at.map_or_else(|| "never".to_owned(), |at| format!("{} ago", age(now, at))),
    });
    let count = page.count.unwrap_or(0);
    Ok(UsersPage {
        rows: rows.collect(),
        summary: if count == 1 { "1 account.".to_owned() } else { format!("{} accounts.", grouped(count)) },
        may_create: shell.admin,
        made: None,
        next: page.next.map(|next| format!("/users{}", fields.query_with("after", &next, &[]))),
        shell,
    })
}

fn state_words(state: users::UserState) -> &'static str {
    match state {
        users::UserState::Active => "Active",
        users::UserState::Disabled => "Disabled",
    }
}

/// `GET /users`.
pub(crate) async fn list(State(app): State<App>, viewer: Viewer, fields: Fields) -> Shown {
    show(&users_page(&app, &viewer, &fields, None).await?)
}

/// `POST /users`.
pub(crate) async fn create(State(app): State<App>, posted: Posted) -> Shown {
    let (viewer, f) = (&posted.viewer, &posted.fields);
    let new = users::NewUser {
        email: f.text("email").to_owned(),
        name: f.text("name").to_owned(),
        role: f.text("role").to_owned(),
        password: None,
        org: None,
        locale: None,
    };
    match users::create_user(&viewer.ctx, &new).await {
        Ok((user, secret)) => {
            let mut page = users_page(&app, viewer, Fields::NONE, None).await?;
            page.made = secret.map(|secret| (user.name, secret.expose().to_owned()));
            show_as(StatusCode::CREATED, &page)
        }
        Err(error) => again(error, |why| users_page(&app, viewer, Fields::NONE, Some(why))).await,
    }
}

#[derive(Template)]
#[template(path = "users/sheet.html")]
struct UserPage {
    shell: Shell,
    id: String,
    name: String,
    email: String,
    role: &'static str,
    role_words: String,
    roles: &'static [(&'static str, &'static str)],
    state: &'static str,
    active: bool,
    seen: String,
    version: i64,
    may_change: bool,
    made: Option<String>,
}

async fn user_page(app: &App, viewer: &Viewer, id: UserId, error: Option<String>) -> Result<UserPage, Trouble> {
    let user = users::get(&viewer.ctx, id).await?;
    let shell = Shell::of(app, viewer, &user.name, Section::Users).await?.with_error(error);
    let zone = shell.zone();
    Ok(UserPage {
        id: user.id.to_string(),
        email: user.email,
        role: user.role.as_str(),
        role_words: capital(user.role.as_str()),
        roles: ROLES,
        state: state_words(user.state),
        active: user.state == users::UserState::Active,
        seen: user.last_sign_in_at.map_or_else(|| "never".to_owned(), |at| zone.full(at)),
        version: user.version,
        may_change: shell.admin,
        name: user.name,
        made: None,
        shell,
    })
}

/// `GET /users/{id}`.
pub(crate) async fn sheet(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Shown {
    show(&user_page(&app, &viewer, UserId::parse(&id)?, None).await?)
}

/// After a change: back to the sheet with a note, or the sheet with what was wrong.
async fn after(
    app: &App,
    headers: &HeaderMap,
    viewer: &Viewer,
    id: UserId,
    done: Result<(), Error>,
    note: &str,
) -> Result<Response, Trouble> {
    match done {
        Ok(()) => Ok(go(app, headers, &format!("/users/{id}"), note)),
        Err(error) => again(error, |why| user_page(app, viewer, id, Some(why))).await,
    }
}

fn version(fields: &Fields) -> Option<i64> {
    fields.text("version").parse().ok()
}

/// `POST /users/{id}`.
pub(crate) async fn rename(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    posted: Posted,
) -> Shown {
    let id = UserId::parse(&id)?;
    let patch = users::UserPatch { name: posted.fields.get("name").map(str::to_owned), locale: None };
    let done = users::update(&posted.viewer.ctx, id, &patch, version(&posted.fields)).await.map(drop);
    after(&app, &headers, &posted.viewer, id, done, "saved").await
}

/// `POST /users/{id}/role`.
pub(crate) async fn role(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap, posted: Posted) -> Shown {
    let id = UserId::parse(&id)?;
    let done = match Role::parse(posted.fields.text("role")) {
        Ok(role) => users::set_role(&posted.viewer.ctx, id, role, version(&posted.fields)).await.map(drop),
        Err(error) => Err(error),
    };
    after(&app, &headers, &posted.viewer, id, done, "saved").await
}

/// `POST /users/{id}/state`.
pub(crate) async fn state(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap, posted: Posted) -> Shown {
    let id = UserId::parse(&id)?;
    let wanted = posted.fields.text("state").to_owned();
    let done = match state_of(&wanted) {
        Ok(state) => users::set_state(&posted.viewer.ctx, id, state, version(&posted.fields)).await.map(drop),
        Err(error) => Err(error),
    };
    let note = if wanted == "disabled" { "disabled" } else { "enabled" };
    after(&app, &headers, &posted.viewer, id, done, note).await
}

/// `POST /users/{id}/password`.
pub(crate) async fn reset(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Shown {
    let id = UserId::parse(&id)?;
    let secret = users::reset_password(&posted.viewer.ctx, id).await?;
    let mut page = user_page(&app, &posted.viewer, id, None).await?;
    page.made = Some(secret.expose().to_owned());
    show(&page)
}
