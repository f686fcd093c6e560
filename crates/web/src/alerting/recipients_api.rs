//! `/api/v1/recipients`.

use axum::{Json, extract::Path, http::StatusCode, response::IntoResponse};
use platen_core::{
    Micros, UserId,
    notifications::{self, ChannelKind, NewRecipient, Recipient, RecipientId},
    webhooks::WebhookId,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::{Answered, Body, IfMatch, Posting, tagged},
    caller::Caller,
    listing::{Listed, whole},
    problem::Problem,
};

/// Somebody, or something, that is told.
#[derive(Serialize, ToSchema)]
#[schema(as = Recipient)]
pub(crate) struct RecipientView {
    id: String,
    name: String,
    /// `user`, `mail`, `webhook` or `syslog`.
    kind: &'static str,
    /// Mail address, log host, or name of the webhook.
    target: String,
    user: Option<String>,
    webhook: Option<String>,
    /// Who is told instead while it is suspended.
    fallback: Option<String>,
    suspended: bool,
    /// Why it is suspended.
    why: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    state_at: Micros,
    bounces: i64,
    zone: String,
    quiet_from: Option<String>,
    quiet_until: Option<String>,
    critical_passes: bool,
    cap_per_hour: i64,
    /// `none`, `daily` or `weekly`.
    digest: String,
    digest_time: String,
    /// 1 Monday to 7 Sunday.
    digest_weekday: i64,
    #[schema(value_type = Option<String>, format = DateTime)]
    digest_at: Option<Micros>,
    version: i64,
}

impl From<Recipient> for RecipientView {
    fn from(r: Recipient) -> Self {
        let (quiet_from, quiet_until) = r.quiet.unzip();
        Self {
            id: r.id.to_string(),
            name: r.name,
            kind: r.kind.as_str(),
            target: r.target,
            user: r.user.map(|id| id.to_string()),
            webhook: r.webhook.map(|id| id.to_string()),
            fallback: r.fallback.map(|id| id.to_string()),
            suspended: r.suspended,
            why: r.why,
            state_at: r.state_at,
            bounces: r.bounces,
            zone: r.zone,
            quiet_from,
            quiet_until,
            critical_passes: r.critical_passes,
            cap_per_hour: r.cap_per_hour,
            digest: r.digest,
            digest_time: r.digest_time,
            digest_weekday: r.digest_weekday,
            digest_at: r.digest_at,
            version: r.version,
        }
    }
}

/// A recipient to be, or as it shall be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RecipientPut)]
pub(crate) struct RecipientPut {
    pub(crate) name: String,
    /// `user`, `mail`, `webhook` or `syslog`.
    #[schema(value_type = String)]
    pub(crate) kind: ChannelKind,
    /// Mail address, or `udp://`, `tcp://`, `tls://` with host and port.
    #[serde(default)]
    pub(crate) address: Option<String>,
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    pub(crate) user: Option<UserId>,
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    pub(crate) webhook: Option<WebhookId>,
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    pub(crate) fallback: Option<RecipientId>,
    /// IANA name; the zone of the organisation when not given.
    #[serde(default)]
    pub(crate) zone: Option<String>,
    /// `22:00`.
    #[serde(default)]
    pub(crate) quiet_from: Option<String>,
    #[serde(default)]
    pub(crate) quiet_until: Option<String>,
    /// Critical messages pass in quiet hours when not given.
    #[serde(default)]
    pub(crate) critical_passes: Option<bool>,
    /// Mails within an hour, 1 to 1,000; 20 when not given.
    #[serde(default)]
    pub(crate) cap_per_hour: Option<i64>,
    /// `none`, `daily` or `weekly`.
    #[serde(default)]
    pub(crate) digest: Option<String>,
    /// `07:00` when not given.
    #[serde(default)]
    pub(crate) digest_time: Option<String>,
    /// 1 Monday to 7 Sunday.
    #[serde(default)]
    pub(crate) digest_weekday: Option<i64>,
}

impl From<RecipientPut> for NewRecipient {
    fn from(put: RecipientPut) -> Self {
        Self {
            address: put.address,
            user: put.user,
            webhook: put.webhook,
            fallback: put.fallback,
            zone: put.zone,
            quiet_from: put.quiet_from,
            quiet_until: put.quiet_until,
            critical_passes: put.critical_passes,
            cap_per_hour: put.cap_per_hour,
            digest: put.digest,
            digest_time: put.digest_time,
            digest_weekday: put.digest_weekday,
            ..Self::named(&put.name, put.kind)
        }
    }
}

/// The name of a new message.
#[derive(Serialize, ToSchema)]
#[schema(as = NotificationQueued)]
pub(crate) struct QueuedView {
    id: String,
}

/// What a digest says.
#[derive(Serialize, ToSchema)]
#[schema(as = Digest)]
pub(crate) struct DigestView {
    text: String,
}

/// Those who are told, by name.
#[utoipa::path(get, path = "/api/v1/recipients", tag = "alerting",
    responses((status = 200, body = Listed<RecipientView>), (status = "default", body = Problem)))]
pub(crate) async fn list_recipients(caller: Caller) -> Answered {
    let items: Vec<RecipientView> =
        notifications::list_recipients(&caller.ctx).await?.into_iter().map(Into::into).collect();
    Ok(whole(items))
}

/// Makes a recipient.
#[utoipa::path(post, path = "/api/v1/recipients", tag = "alerting", request_body = RecipientPut,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = RecipientView), (status = "default", body = Problem)))]
pub(crate) async fn create_recipient(caller: Caller, Posting(new, once): Posting<RecipientPut>) -> Answered {
    let ctx = &caller.ctx;
    once.run(ctx, async {
        let made = notifications::create_recipient(ctx, &new.into()).await?;
        let version = made.version;
        Ok(tagged(StatusCode::CREATED, &RecipientView::from(made), version))
    })
    .await
}

/// One of them.
#[utoipa::path(get, path = "/api/v1/recipients/{id}", tag = "alerting", params(("id" = String, Path)),
    responses((status = 200, body = RecipientView), (status = "default", body = Problem)))]
pub(crate) async fn get_recipient(caller: Caller, Path(id): Path<String>) -> Answered {
    let found = notifications::recipient(&caller.ctx, RecipientId::parse(&id)?).await?;
    let version = found.version;
    Ok(tagged(StatusCode::OK, &RecipientView::from(found), version))
}

/// Replaces a recipient. A new address is not suspended.
#[utoipa::path(put, path = "/api/v1/recipients/{id}", tag = "alerting", request_body = RecipientPut,
    params(("id" = String, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = RecipientView), (status = "default", body = Problem)))]
pub(crate) async fn update_recipient(
    caller: Caller,
    Path(id): Path<String>,
    IfMatch(version): IfMatch,
    Body(put): Body<RecipientPut>,
) -> Answered {
    let made = notifications::update_recipient(&caller.ctx, RecipientId::parse(&id)?, &put.into(), version).await?;
    let version = made.version;
    Ok(tagged(StatusCode::OK, &RecipientView::from(made), version))
}

/// Deletes a recipient: rules do without it.
#[utoipa::path(delete, path = "/api/v1/recipients/{id}", tag = "alerting", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn delete_recipient(caller: Caller, Path(id): Path<String>) -> Answered {
    notifications::delete_recipient(&caller.ctx, RecipientId::parse(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Sends a recipient a test.
#[utoipa::path(post, path = "/api/v1/recipients/{id}/test", tag = "alerting", params(("id" = String, Path)),
    responses((status = 202, body = QueuedView), (status = "default", body = Problem)))]
pub(crate) async fn test_recipient(caller: Caller, Path(id): Path<String>) -> Answered {
    let sent = notifications::test_recipient(&caller.ctx, RecipientId::parse(&id)?).await?;
    Ok((StatusCode::ACCEPTED, Json(QueuedView { id: sent.to_string() })).into_response())
}

/// Ends the suspension of a recipient.
#[utoipa::path(post, path = "/api/v1/recipients/{id}/resume", tag = "alerting", params(("id" = String, Path)),
    responses((status = 200, body = RecipientView), (status = "default", body = Problem)))]
pub(crate) async fn resume_recipient(caller: Caller, Path(id): Path<String>) -> Answered {
    let made = notifications::resume_recipient(&caller.ctx, RecipientId::parse(&id)?).await?;
    let version = made.version;
    Ok(tagged(StatusCode::OK, &RecipientView::from(made), version))
}

/// What a digest says now to who asks.
#[utoipa::path(get, path = "/api/v1/digest", tag = "alerting",
    responses((status = 200, body = DigestView), (status = "default", body = Problem)))]
pub(crate) async fn get_digest(caller: Caller) -> Answered {
    Ok(Json(DigestView { text: notifications::digest(&caller.ctx).await? }).into_response())
}
