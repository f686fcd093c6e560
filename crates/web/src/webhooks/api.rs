//! `/api/v1/webhooks`.

use axum::{
    Json,
    extract::{Path, Query},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use platen_core::{
    Micros, Secret,
    webhooks::{self, Delivery, NewWebhook, Webhook, WebhookId},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::{Answered, Body, IfMatch, Posting, tagged},
    caller::Caller,
    listing::{ListQuery, Listed, Row, answer, whole},
    problem::Problem,
};

/// Where events go, signed.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(crate) struct WebhookView {
    id: String,
    name: String,
    url: String,
    /// As `incident.opened` or `device.*`; none: all.
    types: Vec<String>,
    /// Secrets that sign: one, or two while one replaces the other.
    secrets: i64,
    #[schema(value_type = Option<String>, format = DateTime)]
    rotated_at: Option<Micros>,
    active: bool,
    /// Why it is disabled.
    why: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    state_at: Micros,
    #[schema(value_type = Option<String>, format = DateTime)]
    failing_since: Option<Micros>,
    #[schema(value_type = Option<String>, format = DateTime)]
    delivered_at: Option<Micros>,
    version: i64,
}

impl From<Webhook> for WebhookView {
    fn from(w: Webhook) -> Self {
        Self {
            id: w.id.to_string(),
            name: w.name,
            url: w.url,
            types: w.types,
            secrets: w.secrets,
            rotated_at: w.rotated_at,
            active: w.active,
            why: w.why,
            state_at: w.state_at,
            failing_since: w.failing_since,
            delivered_at: w.delivered_at,
            version: w.version,
        }
    }
}

/// A webhook to be, or as it shall be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookPut)]
pub(crate) struct WebhookPut {
    name: String,
    /// `https://…`; `http` only in networks that the operator names.
    url: String,
    /// As `incident.opened` or `device.*`; none: all.
    #[serde(default)]
    types: Vec<String>,
}

impl From<WebhookPut> for NewWebhook {
    fn from(put: WebhookPut) -> Self {
        Self { name: put.name, url: put.url, types: put.types }
    }
}

/// A webhook with a secret that was made now, shown only here.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookSecret)]
pub(crate) struct SecretView {
    webhook: WebhookView,
    /// `whsec_…`
    secret: Option<String>,
}

impl From<(Webhook, Secret)> for SecretView {
    fn from((webhook, secret): (Webhook, Secret)) -> Self {
        Self { webhook: webhook.into(), secret: Some(secret.expose().to_owned()) }
    }
}

/// One event to one webhook.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookDelivery)]
pub(crate) struct DeliveryView {
    /// `webhook-id`: the same in each try.
    id: String,
    /// Type of the event.
    #[serde(rename = "type")]
    kind: String,
    /// `queued`, `sent` or `dead`.
    state: String,
    tries: i64,
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Micros>,
    /// HTTP status of the last try.
    status: Option<i64>,
    error: Option<String>,
    took_ms: Option<i64>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Micros,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Micros>,
    /// What is sent.
    body: String,
}

impl Row for DeliveryView {
    const COLUMNS: &'static [&'static str] =
        &["id", "type", "state", "tries", "next_at", "status", "error", "took_ms", "created_at", "ended_at", "body"];
}

impl From<Delivery> for DeliveryView {
    fn from(d: Delivery) -> Self {
        Self {
            id: d.id,
            kind: d.kind,
            state: d.state,
            tries: d.tries,
            next_at: d.next_at,
            status: d.status,
            error: d.error,
            took_ms: d.took_ms,
            created_at: d.created_at,
            ended_at: d.ended_at,
            body: d.body,
        }
    }
}

/// The name of a new delivery.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookDeliveryQueued)]
pub(crate) struct DeliveryQueued {
    id: String,
}

/// The webhooks of the own organisation, by name.
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "webhooks",
    responses((status = 200, body = Listed<WebhookView>), (status = "default", body = Problem)))]
pub(crate) async fn list_webhooks(caller: Caller) -> Answered {
    let items: Vec<WebhookView> = webhooks::list_webhooks(&caller.ctx).await?.into_iter().map(Into::into).collect();
    Ok(whole(items))
}

/// Makes a webhook. Its secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/webhooks", tag = "webhooks", request_body = WebhookPut,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = SecretView), (status = "default", body = Problem)))]
pub(crate) async fn create_webhook(caller: Caller, Posting(new, once): Posting<WebhookPut>) -> Answered {
    let ctx = &caller.ctx;
    once.run_but(ctx, &["secret"], async {
        let made = webhooks::create_webhook(ctx, &new.into()).await?;
        Ok((StatusCode::CREATED, Json(SecretView::from(made))).into_response())
    })
    .await
}

/// One of them.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}", tag = "webhooks", params(("id" = String, Path)),
    responses((status = 200, body = WebhookView), (status = "default", body = Problem)))]
pub(crate) async fn get_webhook(caller: Caller, Path(id): Path<String>) -> Answered {
    let found = webhooks::webhook(&caller.ctx, WebhookId::parse(&id)?).await?;
    let version = found.version;
    Ok(tagged(StatusCode::OK, &WebhookView::from(found), version))
}

/// Replaces a webhook; its secrets stay.
#[utoipa::path(put, path = "/api/v1/webhooks/{id}", tag = "webhooks", request_body = WebhookPut,
    params(("id" = String, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = WebhookView), (status = "default", body = Problem)))]
pub(crate) async fn update_webhook(
    caller: Caller,
    Path(id): Path<String>,
    IfMatch(version): IfMatch,
    Body(put): Body<WebhookPut>,
) -> Answered {
    let made = webhooks::update_webhook(&caller.ctx, WebhookId::parse(&id)?, &put.into(), version).await?;
    let version = made.version;
    Ok(tagged(StatusCode::OK, &WebhookView::from(made), version))
}

/// Deletes a webhook with its deliveries.
#[utoipa::path(delete, path = "/api/v1/webhooks/{id}", tag = "webhooks", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn delete_webhook(caller: Caller, Path(id): Path<String>) -> Answered {
    webhooks::delete_webhook(&caller.ctx, WebhookId::parse(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Makes a new secret. The one before it signs too until it is retired.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/secret", tag = "webhooks", params(("id" = String, Path)),
    responses((status = 200, body = SecretView), (status = "default", body = Problem)))]
pub(crate) async fn rotate_webhook_secret(caller: Caller, Path(id): Path<String>) -> Answered {
    let made = webhooks::rotate_secret(&caller.ctx, WebhookId::parse(&id)?).await?;
    Ok(Json(SecretView::from(made)).into_response())
}

/// The older of two secrets signs no more.
#[utoipa::path(delete, path = "/api/v1/webhooks/{id}/secret", tag = "webhooks", params(("id" = String, Path)),
    responses((status = 200, body = WebhookView), (status = "default", body = Problem)))]
pub(crate) async fn retire_webhook_secret(caller: Caller, Path(id): Path<String>) -> Answered {
    let made = webhooks::retire_secret(&caller.ctx, WebhookId::parse(&id)?).await?;
    Ok(Json(WebhookView::from(made)).into_response())
}

/// Delivers to a disabled webhook again.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/enable", tag = "webhooks", params(("id" = String, Path)),
    responses((status = 200, body = WebhookView), (status = "default", body = Problem)))]
pub(crate) async fn enable_webhook(caller: Caller, Path(id): Path<String>) -> Answered {
    let made = webhooks::enable_webhook(&caller.ctx, WebhookId::parse(&id)?).await?;
    Ok(Json(WebhookView::from(made)).into_response())
}

/// Sends a webhook a test.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/test", tag = "webhooks", params(("id" = String, Path)),
    responses((status = 202, body = DeliveryQueued), (status = "default", body = Problem)))]
pub(crate) async fn test_webhook(caller: Caller, Path(id): Path<String>) -> Answered {
    let id = webhooks::test(&caller.ctx, WebhookId::parse(&id)?).await?;
    Ok((StatusCode::ACCEPTED, Json(DeliveryQueued { id })).into_response())
}

/// What was sent to a webhook, newest first.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}/deliveries", tag = "webhooks", params(("id" = String, Path), ListQuery),
    responses((status = 200, body = Listed<DeliveryView>), (status = "default", body = Problem)))]
pub(crate) async fn list_webhook_deliveries(
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<ListQuery>,
    headers: HeaderMap,
) -> Answered {
    query.plain()?;
    let page = webhooks::list_deliveries(&caller.ctx, WebhookId::parse(&id)?, &query.page()).await?;
    answer(page.map(DeliveryView::from), &query, &headers)
}

/// Sends one again, whatever became of it, under the same `webhook-id`.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/deliveries/{delivery}/resend", tag = "webhooks",
    params(("id" = String, Path), ("delivery" = String, Path)),
    responses((status = 202), (status = "default", body = Problem)))]
pub(crate) async fn resend_webhook_delivery(caller: Caller, Path((id, delivery)): Path<(String, String)>) -> Answered {
    webhooks::resend(&caller.ctx, WebhookId::parse(&id)?, &delivery).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}
