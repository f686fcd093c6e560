//! `/api/v1/session`, `/tokens`, `/filters`: what belongs to the caller.

use axum::{
    Json,
    extract::{Path, Query},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use platen_core::{FilterId, Micros, Page, Role, Secret, TokenId, UserId, users};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::{Answered, Body, IfMatch, Posting, tagged},
    app::cookie,
    caller::Caller,
    listing::{ListQuery, Listed, Row, answer},
    problem::Problem,
    session::SESSION,
};

/// Who calls, and what they may do.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionView {
    /// `user` or `token`.
    actor_kind: &'static str,
    /// Name of the person, or of the token.
    name: String,
    /// Id of the account behind it.
    user: Option<String>,
    organisation: String,
    /// `admin`, `manager` or `user`.
    role: &'static str,
    /// Organisations that are visible.
    visible: Vec<String>,
    #[schema(value_type = String, format = DateTime)]
    now: Micros,
}

/// Who the caller is.
#[utoipa::path(get, path = "/api/v1/session", tag = "session",
    responses((status = 200, body = SessionView), (status = "default", body = Problem)))]
pub(crate) async fn get_session(caller: Caller) -> Answered {
    let ctx = &caller.ctx;
    let view = SessionView {
        actor_kind: ctx.actor.kind(),
        name: ctx.actor.name().to_owned(),
        user: ctx.user().map(|id| id.to_string()),
        organisation: ctx.home.to_string(),
        role: ctx.role.as_str(),
        visible: ctx.scope.tenants().unwrap_or_default().iter().map(ToString::to_string).collect(),
        now: ctx.now,
    };
    Ok(Json(view).into_response())
}

/// The present and the new password of the caller.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    #[schema(value_type = String)]
    present: Secret,
    /// At least 15 characters.
    #[schema(value_type = String)]
    new: Secret,
}

/// Changes the caller's password; all other sessions end. Only with a session: a token cannot change a password.
#[utoipa::path(post, path = "/api/v1/session/password", tag = "session", request_body = PasswordChange,
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn change_password(
    caller: Caller,
    headers: HeaderMap,
    Body(change): Body<PasswordChange>,
) -> Answered {
    users::set_password(&caller.ctx, &change.present, &change.new, cookie(&headers, SESSION)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// An API token, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
pub(crate) struct TokenView {
    id: String,
    user: String,
    name: String,
    /// `read`, `write` or `admin`; never more than its owner may.
    scope: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Micros,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Micros>,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Micros>,
}

impl Row for TokenView {
    const COLUMNS: &'static [&'static str] =
        &["id", "user", "name", "scope", "created_at", "expires_at", "last_used_at"];
}

impl From<users::Token> for TokenView {
    fn from(token: users::Token) -> Self {
        Self {
            id: token.id.to_string(),
            user: token.user.to_string(),
            name: token.name,
            scope: token.scope,
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
        }
    }
}

/// A new token of the caller.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    /// What it is for.
    name: String,
    /// `read`, `write` or `admin`.
    scope: String,
    /// 1 to 3650; without it the token has no end.
    expires_days: Option<u64>,
}

/// A token with its secret, which is shown only here.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeToken {
    #[serde(flatten)]
    token: TokenView,
    secret: String,
}

/// The caller's tokens.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", params(ListQuery),
    responses((status = 200, body = Listed<TokenView>), (status = "default", body = Problem)))]
pub(crate) async fn list_tokens(caller: Caller, Query(query): Query<ListQuery>, headers: HeaderMap) -> Answered {
    query.one_order()?;
    let user = caller.ctx.user().ok_or_else(UserId::missing)?;
    let items: Vec<TokenView> = users::list_tokens(&caller.ctx, user).await?.into_iter().map(TokenView::from).collect();
    answer(Page { items, next: None, count: None }, &query, &headers)
}

/// Makes a token for the caller. Its secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", request_body = NewToken,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = MadeToken), (status = "default", body = Problem)))]
pub(crate) async fn create_token(caller: Caller, Posting(new, once): Posting<NewToken>) -> Answered {
    let new = users::NewToken { name: new.name, scope: new.scope, expires_days: new.expires_days };
    let ctx = &caller.ctx;
    once.run_but(ctx, &["secret"], async {
        let (secret, token) = users::create_token(ctx, &new).await?;
        let made = MadeToken { token: token.into(), secret: secret.expose().to_owned() };
        Ok((StatusCode::CREATED, Json(made)).into_response())
    })
    .await
}

/// Revokes a token at once.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", operation_id = "revoke_token", tag = "tokens", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn revoke_token_api(caller: Caller, Path(id): Path<String>) -> Answered {
    users::revoke_token(&caller.ctx, TokenId::parse(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A saved filter.
#[derive(Serialize, ToSchema)]
#[schema(as = SavedFilter)]
pub(crate) struct FilterView {
    id: String,
    owner: String,
    /// The list it is for, as `devices`.
    list: String,
    name: String,
    filter: String,
    /// Everybody of at least this role sees it; `null`: only its owner.
    #[schema(value_type = Option<String>)]
    shared_role: Option<Role>,
    /// The `ETag`.
    version: i64,
}

impl Row for FilterView {
    const COLUMNS: &'static [&'static str] = &["id", "owner", "list", "name", "filter", "shared_role", "version"];
}

impl From<users::SavedFilter> for FilterView {
    fn from(saved: users::SavedFilter) -> Self {
        Self {
            id: saved.id.to_string(),
            owner: saved.owner.to_string(),
            list: saved.list,
            name: saved.name,
            filter: saved.filter,
            shared_role: saved.shared_role,
            version: saved.version,
        }
    }
}

/// A filter to save, or to replace a saved one with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewFilter {
    /// The list it is for, as `devices`.
    list: String,
    name: String,
    filter: String,
    /// Everybody of at least this role sees it.
    #[schema(value_type = Option<String>)]
    shared_role: Option<Role>,
}

impl From<NewFilter> for users::NewFilter {
    fn from(new: NewFilter) -> Self {
        Self { list: new.list, name: new.name, filter: new.filter, shared_role: new.shared_role }
    }
}

/// Filters that the caller saved, and those that others share.
#[utoipa::path(get, path = "/api/v1/filters", tag = "filters", params(ListQuery),
    responses((status = 200, body = Listed<FilterView>), (status = "default", body = Problem)))]
pub(crate) async fn list_filters(caller: Caller, Query(query): Query<ListQuery>, headers: HeaderMap) -> Answered {
    query.one_order()?;
    let items: Vec<FilterView> = users::list_filters(&caller.ctx).await?.into_iter().map(FilterView::from).collect();
    answer(Page { items, next: None, count: None }, &query, &headers)
}

/// Saves a filter.
#[utoipa::path(post, path = "/api/v1/filters", tag = "filters", request_body = NewFilter,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = FilterView), (status = "default", body = Problem)))]
pub(crate) async fn create_filter(caller: Caller, Posting(new, once): Posting<NewFilter>) -> Answered {
    let ctx = &caller.ctx;
    once.run(ctx, async {
        let saved = users::save_filter(ctx, &new.into()).await?;
        let version = saved.version;
        Ok(tagged(StatusCode::CREATED, &FilterView::from(saved), version))
    })
    .await
}

/// Replaces a saved filter of the caller.
#[utoipa::path(patch, path = "/api/v1/filters/{id}", tag = "filters", request_body = NewFilter,
    params(("id" = String, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = FilterView), (status = "default", body = Problem)))]
pub(crate) async fn update_filter(
    caller: Caller,
    Path(id): Path<String>,
    IfMatch(version): IfMatch,
    Body(new): Body<NewFilter>,
) -> Answered {
    let saved = users::update_filter(&caller.ctx, FilterId::parse(&id)?, &new.into(), version).await?;
    let version = saved.version;
    Ok(tagged(StatusCode::OK, &FilterView::from(saved), version))
}

/// Deletes a saved filter of the caller.
#[utoipa::path(delete, path = "/api/v1/filters/{id}", tag = "filters", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn delete_filter(caller: Caller, Path(id): Path<String>) -> Answered {
    users::delete_filter(&caller.ctx, FilterId::parse(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
