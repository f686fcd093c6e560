//! `/api/v1/events-of-devices`, `/api/v1/troubles`, `/api/v1/codes`.

use axum::{
    extract::{Path, Query},
    http::HeaderMap,
};
use platen_core::{
    DeviceId, Micros,
    codes::{self, Meaning},
    diagnostics::{self, ToldQuery, ToldRow, Trouble, TroubleQuery},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wire::monitor::Kind;

use crate::{
    api::Answered,
    caller::Caller,
    listing::{ListQuery, Listed, Row, answer, whole},
    problem::Problem,
};

/// Error, jam or alarm in one word.
pub(crate) fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Jam => "jam",
        Kind::Alarm => "alarm",
        _ => "error",
    }
}

/// An error, jam or alarm as a device told it, with what the code means.
#[derive(Serialize, ToSchema)]
#[schema(as = DeviceEvent)]
pub(crate) struct EventView {
    organisation: String,
    device: String,
    device_name: String,
    vendor: String,
    model: String,
    serial: Option<String>,
    /// `error`, `jam` or `alarm`.
    kind: &'static str,
    /// The maker's number.
    code: String,
    /// Its detail number.
    sub_code: Option<String>,
    /// Level of an alarm, 1 to 3.
    level: Option<u8>,
    /// Where the paper came from.
    tray: Option<String>,
    /// Size of the paper, PWG 5101.1.
    media: Option<String>,
    /// Total counter when it happened.
    total: Option<u64>,
    /// `true`: it stands from then on; `false`: it is over; `null`: it happened.
    standing: Option<bool>,
    /// When, by our clock.
    #[schema(value_type = String, format = DateTime)]
    at: Micros,
    /// When, by the device's clock; milliseconds since 1970.
    taken_ms: i64,
    /// What the code means; `null`: the catalogue lacks it.
    text: Option<&'static str>,
    /// Word of RFC 8011.
    reason: Option<&'static str>,
    /// `untrained`, `trained`, `field-service` or `management`.
    #[schema(value_type = Option<String>)]
    who: Option<codes::Who>,
}

impl Row for EventView {
    const COLUMNS: &'static [&'static str] = &[
        "organisation",
        "device",
        "device_name",
        "vendor",
        "model",
        "serial",
        "kind",
        "code",
        "sub_code",
        "level",
        "tray",
        "media",
        "total",
        "standing",
        "at",
        "taken_ms",
        "text",
        "reason",
        "who",
    ];
}

impl From<ToldRow> for EventView {
    fn from(row: ToldRow) -> Self {
        Self {
            organisation: row.org.to_string(),
            device: row.device.to_string(),
            device_name: row.name,
            vendor: row.vendor,
            model: row.model,
            serial: row.serial,
            kind: kind_word(row.kind),
            code: row.event.code,
            sub_code: row.event.sub_code,
            level: row.event.level,
            tray: row.event.tray,
            media: row.event.media,
            total: row.event.total,
            standing: row.event.standing,
            at: row.at,
            taken_ms: row.taken_ms,
            text: row.meaning.map(|meaning| meaning.text.as_str()),
            reason: row.meaning.map(|meaning| meaning.reason.as_str()),
            who: row.meaning.map(|meaning| meaning.who),
        }
    }
}

/// How often a model told a code.
#[derive(Serialize, ToSchema)]
#[schema(as = TroubleCounter)]
pub(crate) struct TroubleView {
    vendor: String,
    model: String,
    /// `error`, `jam` or `alarm`.
    kind: &'static str,
    code: String,
    /// How often.
    events: i64,
    /// By how many devices.
    devices: i64,
    #[schema(value_type = String, format = DateTime)]
    last_at: Micros,
    /// What the code means; `null`: the catalogue lacks it.
    text: Option<&'static str>,
    reason: Option<&'static str>,
    #[schema(value_type = Option<String>)]
    who: Option<codes::Who>,
    /// Known from the maker or a standard; `false`: from hearsay.
    sure: bool,
}

impl Row for TroubleView {
    const COLUMNS: &'static [&'static str] =
        &["vendor", "model", "kind", "code", "events", "devices", "last_at", "text", "reason", "who", "sure"];
}

impl From<Trouble> for TroubleView {
    fn from(row: Trouble) -> Self {
        Self {
            vendor: row.vendor,
            model: row.model,
            kind: kind_word(row.kind),
            code: row.code,
            events: row.events,
            devices: row.devices,
            last_at: row.last_at,
            text: row.meaning.map(|meaning| meaning.text.as_str()),
            reason: row.meaning.map(|meaning| meaning.reason.as_str()),
            who: row.meaning.map(|meaning| meaning.who),
            sure: row.meaning.is_some_and(|meaning| meaning.sure),
        }
    }
}

/// What a code means.
#[derive(Serialize, ToSchema)]
#[schema(as = TroubleCode)]
pub(crate) struct CodeView {
    /// `error`, `jam` or `alarm`.
    kind: &'static str,
    /// A `*` at the end stands for the rest.
    code: &'static str,
    sub_code: Option<&'static str>,
    /// Models that it stands for; empty: all of the maker.
    models: &'static [String],
    reason: &'static str,
    /// `critical`, `warning` or `other`.
    severity: &'static str,
    #[schema(value_type = String)]
    who: codes::Who,
    text: &'static str,
    sure: bool,
}

impl From<&'static Meaning> for CodeView {
    fn from(meaning: &'static Meaning) -> Self {
        Self {
            kind: kind_word(meaning.kind()),
            code: &meaning.code,
            sub_code: meaning.sub.as_deref(),
            models: &meaning.models,
            reason: &meaning.reason,
            severity: meaning.severity().as_str(),
            who: meaning.who,
            text: &meaning.text,
            sure: meaning.sure,
        }
    }
}

/// Which trouble counters.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TroublesQuery {
    /// Counted over so many days, 1 to 730; 30 when not given.
    #[param(minimum = 1, maximum = 730)]
    days: Option<i64>,
    /// Condition on the events, as `vendor eq "canon" and kind eq "jam"`.
    filter: Option<String>,
    /// `true`: only codes that the catalogue lacks.
    unknown: Option<bool>,
    /// Look only at this organisation and those below it.
    #[expect(dead_code, reason = "`Caller` has read it")]
    org: Option<String>,
}

/// Which codes.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CodesQuery {
    /// Vendor slug.
    vendor: String,
    /// Only those that stand for this model.
    model: Option<String>,
}

/// Errors, jams and alarms of all devices in sight, newest first.
#[utoipa::path(get, path = "/api/v1/device-events", tag = "troubles", params(ListQuery),
    responses((status = 200, body = Listed<EventView>), (status = "default", body = Problem)))]
pub(crate) async fn list_device_events(caller: Caller, Query(query): Query<ListQuery>, headers: HeaderMap) -> Answered {
    query.one_order()?;
    let told = ToldQuery { filter: query.filter()?, device: None, page: query.page() };
    let page = diagnostics::told(&caller.ctx, &told).await?;
    answer(page.map(EventView::from), &query, &headers)
}

/// Errors, jams and alarms of one device, newest first.
#[utoipa::path(get, path = "/api/v1/devices/{id}/events", tag = "troubles", params(("id" = String, Path), ListQuery),
    responses((status = 200, body = Listed<EventView>), (status = "default", body = Problem)))]
pub(crate) async fn list_events_of_device(
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<ListQuery>,
    headers: HeaderMap,
) -> Answered {
    query.one_order()?;
    let device = DeviceId::parse(&id)?;
    platen_core::devices::get(&caller.ctx, device).await?;
    let told = ToldQuery { filter: query.filter()?, device: Some(device), page: query.page() };
    let page = diagnostics::told(&caller.ctx, &told).await?;
    answer(page.map(EventView::from), &query, &headers)
}

/// Trouble counters: how often each model told each code, the most frequent first; at most 500.
#[utoipa::path(get, path = "/api/v1/troubles", tag = "troubles", params(TroublesQuery),
    responses((status = 200, body = Listed<TroubleView>), (status = "default", body = Problem)))]
pub(crate) async fn list_troubles(caller: Caller, Query(query): Query<TroublesQuery>, headers: HeaderMap) -> Answered {
    let list = ListQuery { filter: query.filter, ..ListQuery::default() };
    let days = query.days.unwrap_or(30);
    if !(1..=730).contains(&days) {
        return Err(Problem::invalid("/days", "counters are over 1 to 730 days"));
    }
    let wanted = TroubleQuery {
        since: Micros(caller.ctx.now.0 - days * 86_400_000_000),
        filter: list.filter()?,
        unknown: query.unknown.unwrap_or(false),
        ..TroubleQuery::default()
    };
    let items = diagnostics::troubles(&caller.ctx, &wanted).await?;
    let page = platen_core::Page { items, next: None, count: None };
    answer(page.map(TroubleView::from), &list, &headers)
}

/// What is known of a maker's codes.
#[utoipa::path(get, path = "/api/v1/codes", tag = "troubles", params(CodesQuery),
    responses((status = 200, body = Listed<CodeView>), (status = "default", body = Problem)))]
pub(crate) async fn list_codes(_: Caller, Query(query): Query<CodesQuery>) -> Answered {
    let items: Vec<CodeView> =
        codes::all(&query.vendor, query.model.as_deref()).into_iter().map(CodeView::from).collect();
    Ok(whole(items))
}
