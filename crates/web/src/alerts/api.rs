//! `/api/v1/alerts`.

use axum::{
    Json,
    extract::{Path, Query},
    http::HeaderMap,
    response::IntoResponse,
};
use platen_core::{
    Ctx, Micros,
    alerts::{self, AlertId, IncidentId},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::{Answered, IfMatch, Posting},
    caller::Caller,
    listing::{Listed, OpenListQuery, Row, answer},
    problem::Problem,
};

/// One standing condition on one device, or one that is over.
#[derive(Serialize, ToSchema)]
#[schema(as = Alert)]
pub(crate) struct AlertView {
    pub(crate) id: String,
    organisation: String,
    device: String,
    device_name: String,
    device_model: String,
    place: String,
    /// `critical`, `warning` or `other`.
    severity: String,
    /// Bare IPP keyword.
    reason: String,
    /// The reason in plain words.
    title: String,
    /// prtAlertGroup in kebab-case.
    group: String,
    part: String,
    code: Option<i64>,
    /// The device's words.
    text: Option<String>,
    /// `device`, `trap` while only a trap told it, or `platen` when it is made here.
    source: String,
    /// Whom it concerns: `operator` (who is nearby), `supplies`, `service` or `fleet`.
    audience: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Micros>,
    #[schema(value_type = String, format = DateTime)]
    raised_at: Micros,
    /// `null`: it stands.
    #[schema(value_type = Option<String>, format = DateTime)]
    cleared_at: Option<Micros>,
    /// How often it went and came back within ten minutes.
    flaps: i64,
    incident: String,
    /// State of the incident: `open`, `acknowledged`, `snoozed` or `resolved`.
    state: String,
    owner: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    snoozed_until: Option<Micros>,
    note: Option<String>,
    /// For `If-Match`.
    version: i64,
}

impl Row for AlertView {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "organisation",
        "device",
        "device_name",
        "device_model",
        "place",
        "severity",
        "reason",
        "title",
        "group",
        "part",
        "code",
        "text",
        "source",
        "audience",
        "since",
        "raised_at",
        "cleared_at",
        "flaps",
        "incident",
        "state",
        "owner",
        "snoozed_until",
        "note",
        "version",
    ];
}

impl From<alerts::AlertRow> for AlertView {
    fn from(a: alerts::AlertRow) -> Self {
        Self {
            id: a.id.to_string(),
            organisation: a.org.to_string(),
            device: a.device.to_string(),
            device_name: a.device_name,
            device_model: a.device_model,
            place: a.place,
            severity: a.severity,
            reason: a.reason,
            title: a.title,
            group: a.group,
            part: a.part,
            code: a.code,
            text: a.text,
            source: a.source,
            audience: a.audience,
            since: a.since_at,
            raised_at: a.raised_at,
            cleared_at: a.cleared_at,
            flaps: a.flaps,
            incident: a.incident.to_string(),
            state: a.state,
            owner: a.owner,
            snoozed_until: a.snoozed_until,
            note: a.note,
            version: a.version,
        }
    }
}

/// How to take care of an alert.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acknowledgement {
    /// Keeps it quiet until then, or until it gets worse.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default)]
    pub(crate) snooze_until: Option<Micros>,
    /// What the owner says.
    pub(crate) note: Option<String>,
}

impl Acknowledgement {
    /// Acknowledges or snoozes the incident, and answers with its new version.
    pub(crate) async fn apply(&self, ctx: &Ctx, id: IncidentId, version: Option<i64>) -> Answered {
        let note = self.note.as_deref();
        let version = match self.snooze_until {
            Some(until) => alerts::snooze(ctx, id, until, note, version).await?,
            None => alerts::acknowledge(ctx, id, note, version).await?,
        };
        Ok(Json(Acknowledged { version }).into_response())
    }
}

/// The new version of what was acknowledged.
#[derive(Serialize, ToSchema)]
pub(crate) struct Acknowledged {
    pub(crate) version: i64,
}

/// Alerts: those that stand worst first, others newest first. Filter by `severity reason group device state owner raised cleared name vendor place`.
#[utoipa::path(get, path = "/api/v1/alerts", tag = "alerts", params(OpenListQuery),
    responses((status = 200, body = Listed<AlertView>), (status = "default", body = Problem)))]
pub(crate) async fn list_alerts(caller: Caller, Query(q): Query<OpenListQuery>, headers: HeaderMap) -> Answered {
    let (open, query) = q.split();
    query.one_order()?;
    let asked = alerts::AlertQuery { filter: query.filter()?, open, device: None, page: query.page() };
    let page = alerts::list(&caller.ctx, &asked).await?;
    answer(page.map(AlertView::from), &query, &headers)
}

/// Takes care of an alert, or keeps it quiet for a while.
#[utoipa::path(post, path = "/api/v1/alerts/{id}/acknowledge", tag = "alerts", request_body = Acknowledgement,
    params(("id" = String, Path), ("If-Match" = Option<String>, Header), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = Acknowledged), (status = "default", body = Problem)))]
pub(crate) async fn acknowledge_alert(
    caller: Caller,
    Path(id): Path<String>,
    IfMatch(version): IfMatch,
    Posting(new, once): Posting<Acknowledgement>,
) -> Answered {
    let (ctx, id) = (&caller.ctx, AlertId::parse(&id)?);
    once.run(ctx, async {
        let id = alerts::incident_of(ctx, id).await?;
        new.apply(ctx, id, version).await
    })
    .await
}
