//! `/api/v1/notifications`.

use axum::{
    extract::{Path, Query},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use platen_core::{
    Micros,
    notifications::{self, Notification, NotificationId, NotificationQuery},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::Answered,
    caller::Caller,
    listing::{ListQuery, Listed, Row, answer},
    problem::Problem,
};

/// One message to one recipient.
#[derive(Serialize, ToSchema)]
#[schema(as = Notification)]
pub(crate) struct NotificationView {
    id: String,
    recipient: String,
    recipient_name: String,
    /// `user`, `mail`, `webhook` or `syslog`.
    channel: String,
    /// `incident`, `escalation`, `end`, `digest`, `test` or what a capability calls its own.
    kind: String,
    subject_kind: String,
    subject: String,
    title: String,
    /// `queued`, `sent`, `handed` (to a webhook), `folded` (into another one) or `dead`.
    state: String,
    /// Why it waits: `quiet` hours or the `cap` of its recipient.
    held: Option<String>,
    tries: i64,
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Micros>,
    /// The last code of the other side.
    status: Option<i64>,
    error: Option<String>,
    /// The message that tells it too.
    went_into: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Micros,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Micros>,
}

impl Row for NotificationView {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "recipient",
        "recipient_name",
        "channel",
        "kind",
        "subject_kind",
        "subject",
        "title",
        "state",
        "held",
        "tries",
        "next_at",
        "status",
        "error",
        "went_into",
        "created_at",
        "ended_at",
    ];
}

impl From<Notification> for NotificationView {
    fn from(n: Notification) -> Self {
        Self {
            id: n.id.to_string(),
            recipient: n.recipient.to_string(),
            recipient_name: n.recipient_name,
            channel: n.channel,
            kind: n.kind,
            subject_kind: n.subject.0,
            subject: n.subject.1,
            title: n.title,
            state: n.state,
            held: n.held,
            tries: n.tries,
            next_at: n.next_at,
            status: n.status,
            error: n.error,
            went_into: n.went_into.map(|id| id.to_string()),
            created_at: n.created_at,
            ended_at: n.ended_at,
        }
    }
}

/// Messages of the own organisation, newest first. Filter by `state channel kind recipient subject_kind subject created`.
#[utoipa::path(get, path = "/api/v1/notifications", tag = "alerting", params(ListQuery),
    responses((status = 200, body = Listed<NotificationView>), (status = "default", body = Problem)))]
pub(crate) async fn list_notifications(caller: Caller, Query(query): Query<ListQuery>, headers: HeaderMap) -> Answered {
    query.one_order()?;
    let asked = NotificationQuery { filter: query.filter()?, page: query.page() };
    let page = notifications::list(&caller.ctx, &asked).await?;
    answer(page.map(NotificationView::from), &query, &headers)
}

/// Sends a message again, one that was sent or given up.
#[utoipa::path(post, path = "/api/v1/notifications/{id}/resend", tag = "alerting", params(("id" = String, Path)),
    responses((status = 202), (status = "default", body = Problem)))]
pub(crate) async fn resend_notification(caller: Caller, Path(id): Path<String>) -> Answered {
    notifications::resend(&caller.ctx, NotificationId::parse(&id)?).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}
