//! `/api/v1/incidents`.

use axum::{
    Json,
    extract::{Path, Query},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use platen_core::{
    Micros,
    alerting::{self, Firing},
    alerts::{self, IncidentId, IncidentQuery, IncidentRow},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    alerts::{Acknowledged, Acknowledgement, AlertView},
    api::{Answered, IfMatch, Posting, tagged},
    caller::Caller,
    listing::{Listed, OpenListQuery, Row, answer},
    problem::Problem,
};

/// One cause with one alert or many.
#[derive(Serialize, ToSchema)]
#[schema(as = Incident)]
pub(crate) struct IncidentView {
    pub(crate) id: String,
    organisation: String,
    /// `open`, `acknowledged`, `snoozed` or `resolved`.
    state: String,
    /// The device, when it is about one.
    device: Option<String>,
    device_name: Option<String>,
    device_model: Option<String>,
    place: Option<String>,
    /// The agent, when it is about one.
    agent: Option<String>,
    agent_name: Option<String>,
    reason: String,
    /// The reason in plain words.
    title: String,
    /// `critical`, `warning` or `other`.
    severity: String,
    /// Whom it concerns: `operator` (who is nearby), `supplies`, `service` or `fleet`.
    audience: String,
    cause: String,
    /// Alerts of it that stand.
    alerts: i64,
    owner: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    acknowledged_at: Option<Micros>,
    #[schema(value_type = Option<String>, format = DateTime)]
    snoozed_until: Option<Micros>,
    note: Option<String>,
    /// Why a person ended it.
    why: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    opened_at: Micros,
    #[schema(value_type = Option<String>, format = DateTime)]
    resolved_at: Option<Micros>,
    /// For `If-Match`.
    version: i64,
}

impl Row for IncidentView {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "organisation",
        "state",
        "device",
        "device_name",
        "device_model",
        "place",
        "agent",
        "agent_name",
        "reason",
        "title",
        "severity",
        "audience",
        "cause",
        "alerts",
        "owner",
        "acknowledged_at",
        "snoozed_until",
        "note",
        "why",
        "opened_at",
        "resolved_at",
        "version",
    ];
}

impl From<IncidentRow> for IncidentView {
    fn from(i: IncidentRow) -> Self {
        Self {
            id: i.id.to_string(),
            organisation: i.org.to_string(),
            state: i.state,
            device: i.device.map(|id| id.to_string()),
            device_name: i.device_name,
            device_model: i.device_model,
            place: i.place,
            agent: i.agent.map(|id| id.to_string()),
            agent_name: i.agent_name,
            reason: i.reason,
            title: i.title,
            severity: i.severity,
            audience: i.audience,
            cause: i.cause,
            alerts: i.alerts,
            owner: i.owner,
            acknowledged_at: i.acked_at,
            snoozed_until: i.snoozed_until,
            note: i.note,
            why: i.why,
            opened_at: i.opened_at,
            resolved_at: i.resolved_at,
            version: i.version,
        }
    }
}

/// What a rule of the own organisation did for an incident.
#[derive(Serialize, ToSchema)]
#[schema(as = AlertRuleFiring)]
pub(crate) struct FiringView {
    rule: String,
    rule_name: String,
    /// The last step that was told, from 0.
    step: i64,
    severity: String,
    #[schema(value_type = String, format = DateTime)]
    fired_at: Micros,
    /// When the next step is told, if nobody takes care.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Micros>,
}

impl From<Firing> for FiringView {
    fn from(f: Firing) -> Self {
        Self {
            rule: f.rule.to_string(),
            rule_name: f.rule_name,
            step: f.step,
            severity: f.severity,
            fired_at: f.fired_at,
            next_at: f.next_at,
        }
    }
}

/// An incident with its alerts.
#[derive(Serialize, ToSchema)]
#[schema(as = IncidentSheet)]
pub(crate) struct IncidentSheetView {
    #[serde(flatten)]
    incident: IncidentView,
    /// Those that stand first; at most 100.
    alert_list: Vec<AlertView>,
    /// Rules that have told it.
    firings: Vec<FiringView>,
}

/// Why an incident is over.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resolution {
    why: String,
}

/// Incidents, newest first. Filter by `state severity reason audience owner org device agent name vendor place opened resolved`.
#[utoipa::path(get, path = "/api/v1/incidents", tag = "alerts", params(OpenListQuery),
    responses((status = 200, body = Listed<IncidentView>), (status = "default", body = Problem)))]
pub(crate) async fn list_incidents(caller: Caller, Query(q): Query<OpenListQuery>, headers: HeaderMap) -> Answered {
    let (open, query) = q.split();
    query.one_order()?;
    let asked = IncidentQuery { filter: query.filter()?, open, page: query.page() };
    let page = alerts::list_incidents(&caller.ctx, &asked).await?;
    answer(page.map(IncidentView::from), &query, &headers)
}

/// One incident with its alerts.
#[utoipa::path(get, path = "/api/v1/incidents/{id}", tag = "alerts", params(("id" = String, Path)),
    responses((status = 200, body = IncidentSheetView), (status = "default", body = Problem)))]
pub(crate) async fn get_incident(caller: Caller, Path(id): Path<String>) -> Answered {
    let id = IncidentId::parse(&id)?;
    let sheet = alerts::incident(&caller.ctx, id).await?;
    let firings = alerting::firings(&caller.ctx, id).await?;
    let version = sheet.incident.version;
    let view = IncidentSheetView {
        incident: sheet.incident.into(),
        alert_list: sheet.alerts.into_iter().map(Into::into).collect(),
        firings: firings.into_iter().map(Into::into).collect(),
    };
    Ok(tagged(StatusCode::OK, &view, version))
}

/// Takes care of an incident, or keeps it quiet for a while.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/acknowledge", tag = "alerts", request_body = Acknowledgement,
    params(("id" = String, Path), ("If-Match" = Option<String>, Header), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = Acknowledged), (status = "default", body = Problem)))]
pub(crate) async fn acknowledge_incident(
    caller: Caller,
    Path(id): Path<String>,
    IfMatch(version): IfMatch,
    Posting(new, once): Posting<Acknowledgement>,
) -> Answered {
    let (ctx, id) = (&caller.ctx, IncidentId::parse(&id)?);
    once.run(ctx, new.apply(ctx, id, version)).await
}

/// Ends an incident by hand, with the reason.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/resolve", tag = "alerts", request_body = Resolution,
    params(("id" = String, Path), ("If-Match" = Option<String>, Header), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = Acknowledged), (status = "default", body = Problem)))]
pub(crate) async fn resolve_incident(
    caller: Caller,
    Path(id): Path<String>,
    IfMatch(version): IfMatch,
    Posting(new, once): Posting<Resolution>,
) -> Answered {
    let (ctx, id) = (&caller.ctx, IncidentId::parse(&id)?);
    once.run(ctx, async {
        let version = alerts::resolve(ctx, id, &new.why, version).await?;
        Ok(Json(Acknowledged { version }).into_response())
    })
    .await
}
