//! `/api/v1/devices`.

use axum::{
    Json,
    extract::{Path, Query},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use platen_core::{
    Error, Micros, PageQuery,
    devices::{self, DeviceId, DevicePatch, DeviceQuery, DeviceRow, HistoryLine, SortBy},
    meters::{self, Grain, Range},
    supplies,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    api::{Answered, Body, IfMatch, tagged},
    caller::Caller,
    listing::{ListQuery, Listed, Row, answer},
    problem::Problem,
};

/// A device as a list shows it.
#[derive(Serialize, ToSchema)]
#[schema(as = Device)]
pub(crate) struct DeviceView {
    id: String,
    organisation: String,
    /// `stopped`, `not-seen`, `attention`, `printing`, `warming-up`, `ready`, `asleep` or `unknown`.
    status: &'static str,
    /// The reason that follows the word.
    why: Option<String>,
    name: String,
    /// Brand slug, empty when unknown.
    vendor: String,
    model: Option<String>,
    serial: Option<String>,
    address: Option<String>,
    mac: Option<String>,
    place: String,
    /// Letter, kind, colour and stated level of each colorant and waste.
    #[schema(value_type = Vec<Object>)]
    supplies: Vec<devices::SupplyBrief>,
    /// Pages since the month began at the organisation.
    pages_month: i64,
    pages_life: Option<i64>,
    #[schema(value_type = String, format = DateTime)]
    seen_at: Micros,
    agent: Option<String>,
    /// Whether we hear it: `reporting`, `late`, `silent`, `unreachable` or `unknown_path`.
    comm: &'static str,
    /// The device's own state.
    state: &'static str,
    reasons: Vec<String>,
    /// The `ETag`.
    version: i64,
}

impl Row for DeviceView {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "organisation",
        "status",
        "why",
        "name",
        "vendor",
        "model",
        "serial",
        "address",
        "mac",
        "place",
        "supplies",
        "pages_month",
        "pages_life",
        "seen_at",
        "agent",
        "comm",
        "state",
        "reasons",
        "version",
    ];
}

impl From<DeviceRow> for DeviceView {
    fn from(row: DeviceRow) -> Self {
        Self {
            id: row.id.to_string(),
            organisation: row.org.to_string(),
            status: row.word.key(),
            why: row.why,
            name: row.name,
            vendor: row.vendor,
            model: row.model,
            serial: row.serial,
            address: row.address,
            mac: row.mac,
            place: row.place,
            supplies: row.supplies,
            pages_month: row.pages_month,
            pages_life: row.pages_life,
            seen_at: row.seen_at,
            agent: row.agent.map(|id| id.to_string()),
            comm: row.comm.as_str(),
            state: row.state.as_str(),
            reasons: row.reasons,
            version: row.version,
        }
    }
}

/// The sort that `?sort=` names.
pub(crate) fn sort_of(sort: Option<&str>) -> Result<(SortBy, bool), Error> {
    let Some(text) = sort else { return Ok((SortBy::default(), false)) };
    let (word, descending) = text.strip_prefix('-').map_or((text, false), |word| (word, true));
    let known: Vec<&str> = SortBy::ALL.iter().map(|by| by.word()).collect();
    let by = SortBy::from_word(word)
        .ok_or_else(|| Error::invalid("sort", format!("devices are sorted by {}", known.join(", "))))?;
    Ok((by, descending))
}

/// Query of the list of devices.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeviceListQuery {
    /// Searched in serial, address, name, model, place, MAC and asset number; each word must be found.
    q: Option<String>,
    /// `true`: retired devices instead of the others.
    retired: Option<bool>,
    /// Rows wanted, 1 to 500; 50 when not given.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
    /// Condition on the rows, as `status eq "stopped" and vendor eq "hp"`.
    filter: Option<String>,
    /// Field to sort by; `-` before it reverses.
    sort: Option<String>,
    /// Names of the fields to give, with commas between; all when not given.
    fields: Option<String>,
    /// `true` counts all matching rows too.
    count: Option<bool>,
    /// Look only at this organisation and those below it.
    org: Option<String>,
}

impl DeviceListQuery {
    fn split(self) -> Result<(ListQuery, DeviceQuery), Problem> {
        let list = ListQuery {
            limit: self.limit,
            after: self.after,
            filter: self.filter,
            sort: self.sort,
            fields: self.fields,
            count: self.count,
            org: self.org,
        };
        let (sort, descending) = sort_of(list.sort.as_deref())?;
        let retired = self.retired.unwrap_or(false);
        let query = DeviceQuery { filter: list.filter()?, text: self.q, sort, descending, retired, page: list.page() };
        Ok((list, query))
    }
}

/// Devices, those that want a person first. Sort by `status name model place pages seen serial address`.
#[utoipa::path(get, path = "/api/v1/devices", tag = "devices", params(DeviceListQuery),
    responses((status = 200, body = Listed<DeviceView>), (status = "default", body = Problem)))]
pub(crate) async fn list_devices(caller: Caller, Query(query): Query<DeviceListQuery>, headers: HeaderMap) -> Answered {
    let (list, query) = query.split()?;
    let page = devices::list(&caller.ctx, &query).await?;
    answer(page.map(DeviceView::from), &list, &headers)
}

/// Counts by status, place, vendor and agent.
#[derive(Serialize, ToSchema)]
#[schema(as = Facets)]
pub(crate) struct FacetsView {
    total: u64,
    #[schema(value_type = Vec<Object>)]
    status: Vec<devices::FacetCount>,
    #[schema(value_type = Vec<Object>)]
    places: Vec<devices::FacetCount>,
    #[schema(value_type = Vec<Object>)]
    vendors: Vec<devices::FacetCount>,
    #[schema(value_type = Vec<Object>)]
    agents: Vec<devices::FacetCount>,
}

/// How many of the matching devices have which status, place, vendor and agent.
#[utoipa::path(get, path = "/api/v1/devices/facets", tag = "devices", params(DeviceListQuery),
    responses((status = 200, body = FacetsView), (status = "default", body = Problem)))]
pub(crate) async fn get_device_facets(caller: Caller, Query(query): Query<DeviceListQuery>) -> Answered {
    let (_, query) = query.split()?;
    let facets = devices::facets(&caller.ctx, &query).await?;
    let view = FacetsView {
        total: facets.total,
        status: facets.status,
        places: facets.places,
        vendors: facets.vendors,
        agents: facets.agents,
    };
    Ok(Json(view).into_response())
}

/// Everything that is known of a device now: what the list shows, and more.
#[derive(Serialize, ToSchema)]
#[schema(as = DeviceSheet)]
pub(crate) struct SheetView {
    #[serde(flatten)]
    device: DeviceView,
    /// The state in one sentence.
    sentence: String,
    /// `active` or `retired`.
    lifecycle: String,
    own_name: Option<String>,
    own_location: Option<String>,
    asset_no: Option<String>,
    told_name: Option<String>,
    told_location: Option<String>,
    hostname: Option<String>,
    contact: Option<String>,
    description: Option<String>,
    sys_object_id: Option<String>,
    /// `v1`, `v2c` or `v3`.
    snmp: Option<String>,
    port: Option<i64>,
    console: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    state_at: Micros,
    #[schema(value_type = String, format = DateTime)]
    status_at: Micros,
    #[schema(value_type = String, format = DateTime)]
    first_at: Micros,
    agent_name: Option<String>,
    #[schema(value_type = Vec<Object>)]
    components: Value,
    #[schema(value_type = Vec<Object>)]
    inputs: Value,
    #[schema(value_type = Vec<Object>)]
    outputs: Value,
    #[schema(value_type = Vec<Object>)]
    covers: Value,
    quirks: Vec<String>,
    /// Every supply with its level, its raw numbers and, where the past allows, a forecast.
    #[schema(value_type = Vec<Object>)]
    supply_sheet: Value,
    #[schema(value_type = Vec<Object>)]
    meters: Value,
    #[schema(value_type = Vec<Object>)]
    alerts: Value,
    /// Every value as the device said it, with source and time.
    #[schema(value_type = Vec<Object>)]
    raw: Value,
}

/// One device.
#[utoipa::path(get, path = "/api/v1/devices/{id}", tag = "devices", params(("id" = String, Path)),
    responses((status = 200, body = SheetView), (status = "default", body = Problem)))]
pub(crate) async fn get_device(caller: Caller, Path(id): Path<String>) -> Answered {
    let sheet = devices::get(&caller.ctx, DeviceId::parse(&id)?).await?;
    let version = sheet.row.version;
    let view = SheetView {
        sentence: devices::lede(&sheet),
        lifecycle: sheet.lifecycle,
        own_name: sheet.own_name,
        own_location: sheet.own_location,
        asset_no: sheet.asset_no,
        told_name: sheet.told_name,
        told_location: sheet.told_location,
        hostname: sheet.hostname,
        contact: sheet.contact,
        description: sheet.description,
        sys_object_id: sheet.sys_object_id,
        snmp: sheet.snmp,
        port: sheet.port,
        console: sheet.console,
        state_at: sheet.state_at,
        status_at: sheet.status_at,
        first_at: sheet.first_at,
        agent_name: sheet.agent_name,
        components: json!(sheet.components),
        inputs: json!(sheet.inputs),
        outputs: json!(sheet.outputs),
        covers: json!(sheet.covers),
        quirks: sheet.quirks,
        supply_sheet: json!(sheet.supplies),
        meters: json!(sheet.meters),
        alerts: json!(sheet.alerts),
        raw: json!(sheet.raw),
        device: sheet.row.into(),
    };
    Ok(tagged(StatusCode::OK, &view, version))
}

/// What a person changes. Absent fields stay; `null` lets the device's own words count again.
#[derive(ToSchema)]
#[expect(dead_code, reason = "shape of the core's patch, for the document")]
pub(crate) struct DeviceChange {
    name: Option<String>,
    asset_no: Option<String>,
    location: Option<String>,
}

/// The new version.
#[derive(Serialize, ToSchema)]
pub(crate) struct Changed {
    id: String,
    version: i64,
}

/// Changes name, asset number or place.
#[utoipa::path(patch, path = "/api/v1/devices/{id}", tag = "devices", request_body = DeviceChange,
    params(("id" = String, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = Changed), (status = "default", body = Problem)))]
pub(crate) async fn update_device(
    caller: Caller,
    Path(id): Path<String>,
    IfMatch(version): IfMatch,
    Body(patch): Body<DevicePatch>,
) -> Answered {
    let id = DeviceId::parse(&id)?;
    let version = devices::update(&caller.ctx, id, &patch, version).await?;
    Ok(tagged(StatusCode::OK, &Changed { id: id.to_string(), version }, version))
}

/// Retires a device: it leaves the lists, its history stays.
#[utoipa::path(delete, path = "/api/v1/devices/{id}", tag = "devices", params(("id" = String, Path), ("If-Match" = String, Header)),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn retire_device(caller: Caller, Path(id): Path<String>, IfMatch(version): IfMatch) -> Answered {
    devices::retire(&caller.ctx, DeviceId::parse(&id)?, version).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A span of time and how finely it is summed.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SpanQuery {
    /// RFC 3339; 30 days ago when not given.
    from: Option<String>,
    /// RFC 3339; now when not given.
    to: Option<String>,
    /// `readings`, `hour`, `day` or `month`.
    grain: Option<String>,
    org: Option<String>,
}

impl SpanQuery {
    fn range(&self, now: Micros) -> Result<Range, Error> {
        let moment = |field: &str, text: &Option<String>, default: Micros| match text {
            None => Ok(default),
            Some(text) => Micros::parse(text)
                .ok_or_else(|| Error::invalid(field, format!("{text:?} is no time as 2026-01-31T12:00:00Z is"))),
        };
        let _ = &self.org;
        Ok(Range { from: moment("from", &self.from, now.days_ago(30))?, to: moment("to", &self.to, now)? })
    }

    fn grain(&self) -> Result<Grain, Error> {
        match self.grain.as_deref() {
            None | Some("day") => Ok(Grain::Day),
            Some("readings") => Ok(Grain::Readings),
            Some("hour") => Ok(Grain::Hour),
            Some("month") => Ok(Grain::Month),
            Some(other) => Err(Error::invalid("grain", format!("{other:?} is not readings, hour, day or month"))),
        }
    }
}

/// Counters of a device, and its pages over time.
#[derive(Serialize, ToSchema)]
#[schema(as = DeviceMeters)]
pub(crate) struct MetersView {
    /// Every counter with its value, source, age and usage of this and the last month.
    #[schema(value_type = Vec<Object>)]
    items: Vec<meters::MeterNow>,
    /// Always `null`: all counters of a device fit one page.
    next: Option<String>,
    /// `readings`, `hour`, `day` or `month`.
    #[schema(value_type = String)]
    grain: Grain,
    points: Vec<PointView>,
    /// Colour is reckoned as all less black, because the device does not count it.
    derived_color: bool,
}

/// One bucket. `null`: there was no reading, which is not the same as no pages.
#[derive(Serialize, ToSchema)]
#[schema(as = MeterPoint)]
pub(crate) struct PointView {
    #[schema(value_type = String, format = DateTime)]
    from: Micros,
    #[schema(value_type = String, format = DateTime)]
    to: Micros,
    total: Option<i64>,
    mono: Option<i64>,
    color: Option<i64>,
    /// The figure holds the pages of the gap before too.
    spans_gap: bool,
}

/// Counters of a device, and its pages over a span of time.
#[utoipa::path(get, path = "/api/v1/devices/{id}/meters", tag = "devices", params(("id" = String, Path), SpanQuery),
    responses((status = 200, body = MetersView), (status = "default", body = Problem)))]
pub(crate) async fn get_device_meters(
    caller: Caller,
    Path(id): Path<String>,
    Query(span): Query<SpanQuery>,
) -> Answered {
    let (ctx, id) = (&caller.ctx, DeviceId::parse(&id)?);
    let series = meters::series(ctx, id, span.range(ctx.now)?, span.grain()?).await?;
    let point = |p: meters::Point| PointView {
        from: p.start,
        to: p.end,
        total: p.total,
        mono: p.mono,
        color: p.color,
        spans_gap: p.spans_gap,
    };
    let view = MetersView {
        items: meters::current(ctx, id).await?,
        next: None,
        grain: series.grain,
        points: series.points.into_iter().map(point).collect(),
        derived_color: series.derived_color,
    };
    Ok(Json(view).into_response())
}

/// Supplies of a device now, their levels over time, and changes of cartridges.
#[derive(Serialize, ToSchema)]
#[schema(as = DeviceSupplies)]
pub(crate) struct SuppliesView {
    /// As on the sheet.
    #[schema(value_type = Vec<Object>)]
    items: Vec<supplies::SupplyNow>,
    /// Always `null`: all supplies of a device fit one page.
    next: Option<String>,
    #[schema(value_type = Vec<Object>)]
    levels: Vec<supplies::LevelPoint>,
    #[schema(value_type = Vec<Object>)]
    replacements: Vec<supplies::Replacement>,
}

/// Supplies of a device, levels on change within a span of time, and all changes of cartridges.
#[utoipa::path(get, path = "/api/v1/devices/{id}/supplies", tag = "devices", params(("id" = String, Path), SpanQuery),
    responses((status = 200, body = SuppliesView), (status = "default", body = Problem)))]
pub(crate) async fn get_device_supplies(
    caller: Caller,
    Path(id): Path<String>,
    Query(span): Query<SpanQuery>,
) -> Answered {
    let (ctx, id) = (&caller.ctx, DeviceId::parse(&id)?);
    let range = span.range(ctx.now)?;
    let history = supplies::history(ctx, id, range.from, range.to).await?;
    let view = SuppliesView {
        items: supplies::current(ctx, id).await?,
        next: None,
        levels: history.levels,
        replacements: history.replacements,
    };
    Ok(Json(view).into_response())
}

/// One thing that happened to a device.
#[derive(Serialize, ToSchema)]
#[schema(as = HistoryLine)]
pub(crate) struct HistoryLineView {
    #[schema(value_type = String, format = DateTime)]
    at: Micros,
    kind: String,
    /// In words.
    text: String,
    #[schema(value_type = Object)]
    data: Value,
    actor: Option<String>,
}

impl Row for HistoryLineView {
    const COLUMNS: &'static [&'static str] = &["at", "kind", "text", "data", "actor"];
}

impl From<HistoryLine> for HistoryLineView {
    fn from(line: HistoryLine) -> Self {
        Self {
            text: crate::words::history_words(&line),
            at: line.at,
            kind: line.kind,
            data: line.data,
            actor: line.actor,
        }
    }
}

/// What happened to a device, newest first.
#[utoipa::path(get, path = "/api/v1/devices/{id}/history", tag = "devices", params(("id" = String, Path), ListQuery),
    responses((status = 200, body = Listed<HistoryLineView>), (status = "default", body = Problem)))]
pub(crate) async fn get_device_history(
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<ListQuery>,
    headers: HeaderMap,
) -> Answered {
    query.one_order()?;
    let page = PageQuery { count: false, ..query.page() };
    let page = devices::history(&caller.ctx, DeviceId::parse(&id)?, &page).await?;
    answer(page.map(HistoryLineView::from), &query, &headers)
}
