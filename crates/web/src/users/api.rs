//! `/api/v1/users`.

use axum::{
    extract::{Path, Query},
    http::{HeaderMap, StatusCode},
};
use platen_core::{Micros, OrgId, Role, UserId, users};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::{Answered, Body, IfMatch, Posting, tagged},
    caller::Caller,
    listing::{ListQuery, Listed, Row, answer},
    problem::Problem,
};

/// An account.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserView {
    pub(crate) id: String,
    pub(crate) organisation: String,
    pub(crate) email: String,
    pub(crate) name: String,
    /// `admin`, `manager` or `user`.
    pub(crate) role: &'static str,
    /// `active` or `disabled`.
    #[schema(value_type = String)]
    pub(crate) state: users::UserState,
    pub(crate) locale: String,
    /// The `ETag`.
    pub(crate) version: i64,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Micros,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) last_sign_in_at: Option<Micros>,
}

impl Row for UserView {
    const COLUMNS: &'static [&'static str] =
        &["id", "organisation", "email", "name", "role", "state", "locale", "version", "created_at", "last_sign_in_at"];
}

impl From<users::User> for UserView {
    fn from(user: users::User) -> Self {
        Self {
            id: user.id.to_string(),
            organisation: user.org.to_string(),
            email: user.email,
            name: user.name,
            role: user.role.as_str(),
            state: user.state,
            locale: user.locale,
            version: user.version,
            created_at: user.created_at,
            last_sign_in_at: user.last_sign_in_at,
        }
    }
}

/// A new account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    email: String,
    name: String,
    /// `admin`, `manager` or `user`.
    role: String,
    /// Another organisation than the own one: only for its first administrator.
    organisation: Option<String>,
    locale: Option<String>,
}

/// A new account with the password that was made for it.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeUser {
    #[serde(flatten)]
    user: UserView,
    /// Shown once; must be changed at the first sign-in.
    first_password: Option<String>,
}

/// What to change; fields that are not sent stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserPatch {
    name: Option<String>,
    locale: Option<String>,
    /// `admin`, `manager` or `user`.
    role: Option<String>,
    /// `active` or `disabled`; disabling ends sessions and tokens at once.
    state: Option<String>,
}

/// A password that was made for an account.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadePassword {
    /// Shown once; must be changed at the next sign-in.
    password: String,
}

/// Accounts of the own organisation, by name.
#[utoipa::path(get, path = "/api/v1/users", tag = "users", params(ListQuery),
    responses((status = 200, body = Listed<UserView>), (status = "default", body = Problem)))]
pub(crate) async fn list_users(caller: Caller, Query(query): Query<ListQuery>, headers: HeaderMap) -> Answered {
    query.one_order()?;
    let page = users::list(&caller.ctx, &users::UserQuery { filter: query.filter()?, page: query.page() }).await?;
    answer(page.map(UserView::from), &query, &headers)
}

/// One account.
#[utoipa::path(get, path = "/api/v1/users/{id}", tag = "users", params(("id" = String, Path)),
    responses((status = 200, body = UserView), (status = "default", body = Problem)))]
pub(crate) async fn get_user(caller: Caller, Path(id): Path<String>) -> Answered {
    let user = users::get(&caller.ctx, UserId::parse(&id)?).await?;
    let version = user.version;
    Ok(tagged(StatusCode::OK, &UserView::from(user), version))
}

/// Makes an account. The password in the answer is shown only here.
#[utoipa::path(post, path = "/api/v1/users", tag = "users", request_body = NewUser,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = MadeUser), (status = "default", body = Problem)))]
pub(crate) async fn create_user(caller: Caller, Posting(new, once): Posting<NewUser>) -> Answered {
    let org = new.organisation.as_deref().map(OrgId::parse).transpose()?;
    let new =
        users::NewUser { email: new.email, name: new.name, role: new.role, password: None, org, locale: new.locale };
    let ctx = &caller.ctx;
    once.run_but(ctx, &["first_password"], async {
        let (user, secret) = users::create_user(ctx, &new).await?;
        let version = user.version;
        let made = MadeUser { user: user.into(), first_password: secret.map(|s| s.expose().to_owned()) };
        Ok(tagged(StatusCode::CREATED, &made, version))
    })
    .await
}

/// Changes name, language, role or state, one step after the other; `If-Match` names the version before the first.
#[utoipa::path(patch, path = "/api/v1/users/{id}", tag = "users", request_body = UserPatch,
    params(("id" = String, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = UserView), (status = "default", body = Problem)))]
pub(crate) async fn update_user(
    caller: Caller,
    Path(id): Path<String>,
    IfMatch(version): IfMatch,
    Body(patch): Body<UserPatch>,
) -> Answered {
    let (ctx, id) = (&caller.ctx, UserId::parse(&id)?);
    let role = patch.role.as_deref().map(Role::parse).transpose()?;
    let state = patch.state.as_deref().map(state_of).transpose()?;
    let words = users::UserPatch { name: patch.name, locale: patch.locale };
    let mut user = None;
    let mut seen = version;
    if words.name.is_some() || words.locale.is_some() || (role.is_none() && state.is_none()) {
        let changed = users::update(ctx, id, &words, seen).await?;
        (seen, user) = (Some(changed.version), Some(changed));
    }
    if let Some(role) = role {
        let changed = users::set_role(ctx, id, role, seen).await?;
        (seen, user) = (Some(changed.version), Some(changed));
    }
    if let Some(state) = state {
        user = Some(users::set_state(ctx, id, state, seen).await?);
    }
    let user = match user {
        Some(user) => user,
        None => users::get(ctx, id).await?,
    };
    let version = user.version;
    Ok(tagged(StatusCode::OK, &UserView::from(user), version))
}

pub(super) fn state_of(text: &str) -> platen_core::Result<users::UserState> {
    match text {
        "active" => Ok(users::UserState::Active),
        "disabled" => Ok(users::UserState::Disabled),
        _ => Err(platen_core::Error::invalid("state", "a state is active or disabled")),
    }
}

/// Makes a new password for an account; the answer shows it once.
#[utoipa::path(post, path = "/api/v1/users/{id}/password", tag = "users", params(("id" = String, Path)),
    responses((status = 200, body = MadePassword), (status = "default", body = Problem)))]
pub(crate) async fn reset_user_password(caller: Caller, Path(id): Path<String>) -> Answered {
    let secret = users::reset_password(&caller.ctx, UserId::parse(&id)?).await?;
    Ok(axum::response::IntoResponse::into_response(axum::Json(MadePassword { password: secret.expose().to_owned() })))
}
