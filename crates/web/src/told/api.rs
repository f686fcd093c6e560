//! `/api/v1/devices/{id}/counters` and `/api/v1/devices/{id}/diagnostics`.

use axum::{
    Json,
    extract::{Path, Query},
    http::header,
    response::{IntoResponse, Response},
};
use platen_core::{
    DeviceId, Micros,
    diagnostics::{self, Comparison, CounterLine, Entry, SetRow},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wire::monitor::Kind;

use crate::{
    api::Answered,
    caller::Caller,
    listing::{Listed, whole},
    problem::Problem,
};

/// A kind by its name or number.
pub(super) fn kind_of(text: &str) -> Option<Kind> {
    let by_name = serde_json::from_value(serde_json::Value::String(text.to_owned())).ok();
    by_name.or_else(|| text.parse().ok().and_then(Kind::of_number))
}

fn set_kind(text: &str) -> Result<Kind, Problem> {
    let kind = kind_of(text).filter(|kind| (5..=8).contains(&kind.number()));
    kind.ok_or_else(|| Problem::invalid("/kind", "sets of counters are billing, detailed, parts and modes"))
}

/// A set of counters that is kept.
#[derive(Serialize, ToSchema)]
#[schema(as = CounterSet)]
pub(crate) struct SetView {
    /// `billing`, `detailed`, `parts` or `modes`.
    #[schema(value_type = String)]
    kind: Kind,
    /// Of when it is, by our clock.
    #[schema(value_type = String, format = DateTime)]
    at: Micros,
    /// Of when it is, by the device's clock; milliseconds since 1970. Its name.
    taken_ms: i64,
    counters: i64,
    size_bytes: i64,
}

impl From<SetRow> for SetView {
    fn from(row: SetRow) -> Self {
        let SetRow { kind, at, taken_ms, counters, size_bytes } = row;
        Self { kind, at, taken_ms, counters, size_bytes }
    }
}

/// One counter of a set, and of the earlier one.
#[derive(Serialize, ToSchema)]
#[schema(as = CounterLine)]
pub(crate) struct LineView {
    /// Its name in the dictionary; its id where that has none.
    name: String,
    value: Option<i64>,
    before: Option<i64>,
    /// What was added; negative after a reset.
    difference: Option<i64>,
}

impl From<CounterLine> for LineView {
    fn from(line: CounterLine) -> Self {
        let CounterLine { name, value, before, difference } = line;
        Self { name, value, before, difference }
    }
}

/// A set of counters beside an earlier one.
#[derive(Serialize, ToSchema)]
#[schema(as = CounterComparison)]
pub(crate) struct ComparisonView {
    #[schema(value_type = String, format = DateTime)]
    at: Micros,
    taken_ms: i64,
    /// The earlier one; `null`: there is none.
    #[schema(value_type = Option<String>, format = DateTime)]
    before_at: Option<Micros>,
    before_ms: Option<i64>,
    /// Model that its dictionary names.
    model: String,
    counters: Vec<LineView>,
}

impl From<Comparison> for ComparisonView {
    fn from(both: Comparison) -> Self {
        let Comparison { at, taken_ms, before_at, before_ms, model, lines } = both;
        Self { at, taken_ms, before_at, before_ms, model, counters: lines.into_iter().map(Into::into).collect() }
    }
}

/// A message of the kinds 9 to 14 and 16 as it came.
#[derive(Serialize, ToSchema)]
#[schema(as = Diagnostic)]
pub(crate) struct EntryView {
    #[schema(value_type = String, format = DateTime)]
    at: Micros,
    taken_ms: i64,
    size_bytes: i64,
    /// `rom`, `debug_log`, `environment`, `service_all`, `service_display`, `browser` or `smart`, with its content in `body`.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    body: wire::Body,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        Self { at: entry.at, taken_ms: entry.taken_ms, size_bytes: entry.size_bytes, body: entry.body }
    }
}

/// Which sets.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SetsQuery {
    /// `billing`, `detailed`, `parts` or `modes`; all when not given.
    kind: Option<String>,
    /// 1 to 500; 50 when not given.
    limit: Option<usize>,
}

/// Which two sets.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CompareQuery {
    /// `taken_ms` of the set; the last one when not given.
    at: Option<i64>,
    /// `taken_ms` of the earlier one; the one before it when not given.
    since: Option<i64>,
}

/// Which messages.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EntriesQuery {
    /// A kind by name (`environment`) or number (`11`): all that are kept of it. Without it: the last of each kind.
    kind: Option<String>,
    /// 1 to 500; 50 when not given.
    limit: Option<usize>,
}

/// The sets of counters that are kept of a device, newest first.
#[utoipa::path(get, path = "/api/v1/devices/{id}/counters", tag = "told", params(("id" = String, Path), SetsQuery),
    responses((status = 200, body = Listed<SetView>), (status = "default", body = Problem)))]
pub(crate) async fn list_counter_sets(
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<SetsQuery>,
) -> Answered {
    let kind = query.kind.as_deref().map(set_kind).transpose()?;
    let rows = diagnostics::sets(&caller.ctx, DeviceId::parse(&id)?, kind, query.limit.unwrap_or(50)).await?;
    let items: Vec<SetView> = rows.into_iter().map(Into::into).collect();
    Ok(whole(items))
}

/// A set of counters by the names of its dictionary, beside an earlier one.
#[utoipa::path(get, path = "/api/v1/devices/{id}/counters/{kind}", tag = "told",
    params(("id" = String, Path), ("kind" = String, Path), CompareQuery),
    responses((status = 200, body = ComparisonView), (status = "default", body = Problem)))]
pub(crate) async fn compare_counter_sets(
    caller: Caller,
    Path((id, kind)): Path<(String, String)>,
    Query(query): Query<CompareQuery>,
) -> Answered {
    let (id, kind) = (DeviceId::parse(&id)?, set_kind(&kind)?);
    let both = diagnostics::compare(&caller.ctx, id, kind, query.at, query.since).await?;
    Ok(Json(ComparisonView::from(both)).into_response())
}

/// The bytes of a debug log that a device uploaded.
#[utoipa::path(get, path = "/api/v1/devices/{id}/logs/{sha256}", tag = "told",
    params(("id" = String, Path), ("sha256" = String, Path, description = "as its entry among the diagnostics names it, in hexadecimal")),
    responses((status = 200, body = Vec<u8>, content_type = "text/plain"), (status = "default", body = Problem)))]
pub(crate) async fn get_device_log(caller: Caller, Path((id, sha256)): Path<(String, String)>) -> Answered {
    Ok(log_file(&sha256, diagnostics::log(&caller.ctx, DeviceId::parse(&id)?, &sha256).await?))
}

/// A log as a file; whatever a device wrote is text to a browser.
pub(crate) fn log_file(sha256: &str, bytes: Vec<u8>) -> Response {
    let name: String = sha256.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
    let kind = (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned());
    let file = (header::CONTENT_DISPOSITION, format!("attachment; filename=\"log-{name}.txt\""));
    ([kind, file, (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned())], bytes).into_response()
}

/// Versions, measurements, service values, disks and logs that a device told.
#[utoipa::path(get, path = "/api/v1/devices/{id}/diagnostics", tag = "told", params(("id" = String, Path), EntriesQuery),
    responses((status = 200, body = Listed<EntryView>), (status = "default", body = Problem)))]
pub(crate) async fn list_diagnostics(
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<EntriesQuery>,
) -> Answered {
    let id = DeviceId::parse(&id)?;
    let entries = match query.kind.as_deref() {
        None => diagnostics::latest(&caller.ctx, id).await?,
        Some(text) => {
            let kind =
                kind_of(text).ok_or_else(|| Problem::invalid("/kind", "a kind is 9 to 14 or 16, or its name"))?;
            diagnostics::history(&caller.ctx, id, kind, query.limit.unwrap_or(50)).await?
        }
    };
    let items: Vec<EntryView> = entries.into_iter().map(Into::into).collect();
    Ok(whole(items))
}
