//! `/api/v1/reports`.

use axum::{
    Json,
    extract::{Path, Query},
    http::HeaderMap,
    response::IntoResponse,
};
use platen_core::{
    AgentId, Micros,
    reports::{self, RawMessage, RawReport},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::Answered,
    caller::Caller,
    listing::{ListQuery, Listed, Row, answer},
    problem::Problem,
};

/// A report in the raw log.
#[derive(Serialize, ToSchema)]
#[schema(as = Report)]
pub(crate) struct ReportView {
    /// Its name in `/api/v1/reports/{name}`.
    name: String,
    organisation: String,
    /// A registered device or an agent.
    sender: String,
    #[schema(value_type = String, format = DateTime)]
    received_at: Micros,
    /// `https`, `https-both-ways`, `mail` or `mail-both-ways`; `null`: an agent's HTTPS.
    road: Option<String>,
    epoch: i64,
    first_seq: i64,
    last_seq: i64,
    messages: i64,
    invalid: i64,
    unknown_kinds: i64,
    /// How far the sender's clock was ahead of ours.
    clock_offset_ms: i64,
    size_bytes: i64,
    /// `taken`, `waiting` or `quarantined`.
    outcome: String,
    /// Why it is quarantined.
    why: Option<String>,
}

impl Row for ReportView {
    const COLUMNS: &'static [&'static str] = &[
        "name",
        "organisation",
        "sender",
        "received_at",
        "road",
        "epoch",
        "first_seq",
        "last_seq",
        "messages",
        "invalid",
        "unknown_kinds",
        "clock_offset_ms",
        "size_bytes",
        "outcome",
        "why",
    ];
}

impl From<RawReport> for ReportView {
    fn from(r: RawReport) -> Self {
        Self {
            name: r.name,
            organisation: r.org.to_string(),
            sender: r.sender.to_string(),
            received_at: r.received_at,
            road: r.road,
            epoch: r.epoch,
            first_seq: r.first_seq,
            last_seq: r.last_seq,
            messages: r.messages,
            invalid: r.invalid,
            unknown_kinds: r.unknown_kinds,
            clock_offset_ms: r.clock_offset_ms,
            size_bytes: r.size_bytes,
            outcome: r.outcome,
            why: r.why,
        }
    }
}

/// One message, decoded.
#[derive(Serialize, ToSchema)]
#[schema(as = ReportMessage)]
pub(crate) struct MessageView {
    seq: u64,
    /// Number of its kind.
    kind: u64,
    /// Whom it speaks of; `null`: the sender itself.
    subject: Option<String>,
    /// By the sender's clock; milliseconds since 1970.
    taken_ms: i64,
    #[schema(value_type = String, format = DateTime)]
    taken_at: Micros,
    /// The JSON twin.
    #[schema(value_type = Object)]
    message: serde_json::Value,
    /// Its CBOR, hexadecimal.
    cbor: String,
}

impl From<RawMessage> for MessageView {
    fn from(message: RawMessage) -> Self {
        Self {
            seq: message.seq,
            kind: message.kind,
            subject: message.subject.map(|subject| subject.to_text()),
            taken_ms: message.taken_ms,
            taken_at: message.taken_at,
            message: message.json,
            cbor: message.cbor.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

/// A report with its messages.
#[derive(Serialize, ToSchema)]
#[schema(as = ReportSheet)]
pub(crate) struct SheetView {
    #[serde(flatten)]
    report: ReportView,
    content: Vec<MessageView>,
}

/// Which reports.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReportsQuery {
    /// Id of a registered device or of an agent.
    sender: String,
    /// Rows wanted, 1 to 500; 50 when not given.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
    /// Condition on the rows, as `road eq "mail"`.
    filter: Option<String>,
    /// `true` counts all matching rows too.
    count: Option<bool>,
}

/// What a sender delivered, newest first; for managers.
#[utoipa::path(get, path = "/api/v1/reports", tag = "reports", params(ReportsQuery),
    responses((status = 200, body = Listed<ReportView>), (status = "default", body = Problem)))]
pub(crate) async fn list_reports(caller: Caller, Query(query): Query<ReportsQuery>, headers: HeaderMap) -> Answered {
    let ReportsQuery { sender, limit, after, filter, count } = query;
    let list = ListQuery { limit, after, filter, count, ..ListQuery::default() };
    let sender = AgentId::parse(&sender)?;
    let page = reports::raw(&caller.ctx, sender, list.filter()?.as_ref(), &list.page()).await?;
    answer(page.map(ReportView::from), &list, &headers)
}

/// One report with its messages, decoded and as bytes; for managers.
#[utoipa::path(get, path = "/api/v1/reports/{name}", tag = "reports", params(("name" = String, Path)),
    responses((status = 200, body = SheetView), (status = "default", body = Problem)))]
pub(crate) async fn get_report(caller: Caller, Path(name): Path<String>) -> Answered {
    let (report, messages) = reports::raw_report(&caller.ctx, &name).await?;
    let content = messages.into_iter().map(Into::into).collect();
    Ok(Json(SheetView { report: report.into(), content }).into_response())
}
