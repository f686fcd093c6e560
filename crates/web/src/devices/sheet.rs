//! `/devices/{id}`: the sheet of one device.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::HeaderMap,
};
use platen_core::{
    PageQuery,
    devices::{self, DeviceId, DevicePatch, DeviceSheet, HistoryLine},
    meters,
};

use super::{
    parts::{self, SPANS, Span, SupplyLine, TrayLine},
    query,
};
use crate::{
    alerts::{AlertBrief, brief},
    app::App,
    fields::{Fields, Posted},
    orders::{DeviceOrdersPart, device_part},
    shell::{Section, Shell, Shown, again, go, show},
    trouble::Trouble,
    viewer::Viewer,
    words::{Mark, Zone, age, capital, grouped, history_source, history_words, mark_of, model_name},
};

/// Raw values shown before one asks for all.
const RAW_FIRST: usize = 12;
/// Lines of history on the sheet.
const HISTORY: u32 = 20;

struct Link {
    href: String,
    label: &'static str,
    current: bool,
}

struct MeterLine {
    name: String,
    own: Option<String>,
    month: String,
    life: String,
}

struct DoubtBrief {
    href: String,
    title: String,
    when: String,
    assumed: String,
}

struct HistoryView {
    iso: String,
    when: String,
    what: String,
    source: String,
}

struct RawView {
    name: String,
    value: String,
    source: String,
    age: String,
}

#[derive(Template)]
#[template(path = "devices/sheet.html")]
struct SheetPage {
    shell: Shell,
    id: String,
    name: String,
    position: String,
    mark: Mark,
    own_page: Option<String>,
    identity: Vec<(&'static str, String)>,
    sentence: String,
    list_query: String,
    list_words: &'static str,
    previous: Option<String>,
    next: Option<String>,
    supplies: Vec<SupplyLine>,
    supplies_age: String,
    supplies_note: Option<String>,
    ranges: Vec<Link>,
    meters_age: String,
    chart: String,
    chart_data: String,
    chart_color: bool,
    chart_gaps: bool,
    chart_grain: &'static str,
    chart_rows: Vec<(String, String, String, String)>,
    month_name: String,
    meters: Vec<MeterLine>,
    apart: Option<String>,
    doubts: Vec<DoubtBrief>,
    orders: DeviceOrdersPart,
    alerts: Vec<AlertBrief>,
    alerts_words: String,
    inputs: Vec<TrayLine>,
    outputs: String,
    covers: String,
    console: String,
    history: Vec<HistoryView>,
    zone_words: String,
    raw: Vec<RawView>,
    raw_count: usize,
    raw_words: String,
    raw_all: Option<String>,
    quirks: String,
    version: i64,
    own_name: String,
    own_place: String,
    asset_no: String,
    device_name: String,
    device_place: String,
}

/// Words of the sheet's own address; the rest of it belongs to the list one came from.
const OWN: &[&str] = &["range", "raw", "after"];

async fn sheet_page(
    app: &App,
    viewer: &Viewer,
    id: DeviceId,
    fields: &Fields,
    error: Option<String>,
) -> Result<SheetPage, Trouble> {
    let sheet = devices::get(&viewer.whole, id).await?;
    let shell = Shell::of(app, viewer, &sheet.row.name, Section::Fleet).await?.with_error(error);
    let (zone, now) = (shell.zone(), sheet.now);
    let neighbours = devices::neighbours(&viewer.ctx, id, &query::query(fields).unwrap_or_default()).await?;
    let list_query = fields.query_without(OWN);
    let beside = |id: Option<DeviceId>| id.map(|id| format!("/devices/{id}{list_query}"));
    let history =
        devices::history(&viewer.whole, id, &PageQuery { limit: Some(HISTORY), ..PageQuery::default() }).await?;
    let span = Span::of(fields, now.0 - sheet.first_at.0);
    let series = meters::series(&viewer.whole, id, span.range(now), span.grain).await?;
    let chart = parts::chart(&series, span, &zone);
    let all_raw = fields.get("raw") == Some("all");
    let raw = &sheet.raw[..if all_raw { sheet.raw.len() } else { sheet.raw.len().min(RAW_FIRST) }];
    let read_at = sheet.supplies.iter().map(|s| s.read_at).max().unwrap_or(sheet.status_at);
    let meters_at = sheet.meters.iter().map(|m| m.read_at).max();
    Ok(SheetPage {
        mark: mark_of(sheet.row.word),
        position: sheet.row.word.label().to_owned(),
        own_page: sheet.row.address.as_ref().map(|address| format!("http://{}/", address.trim())),
        identity: identity(&sheet),
        sentence: devices::lede(&sheet),
        list_words: if list_query.is_empty() { "" } else { " you came from" },
        previous: beside(neighbours.previous),
        next: beside(neighbours.next),
        supplies: parts::in_order(&sheet.supplies).into_iter().map(|s| parts::supply(s, &zone)).collect(),
        supplies_age: format!("heard {} ago", age(now, read_at.max(sheet.row.seen_at))),
        supplies_note: parts::supplies_note(&sheet.supplies),
        ranges: SPANS
            .iter()
            .map(|s| Link {
                href: format!("/devices/{id}{}#meters", fields.query_with("range", s.key, &["raw", "after"])),
                label: s.label,
                current: s.key == span.key,
            })
            .collect(),
        meters_age: meters_at.map_or_else(|| "not read yet".to_owned(), |at| format!("{} ago", age(now, at))),
        chart_data: format!("/api/v1/devices/{id}/meters?grain=day&from={}", now.days_ago(365)),
        chart: chart.svg,
        chart_color: chart.color,
        chart_gaps: chart.gaps,
        chart_grain: span.grain_words(),
        chart_rows: chart.rows,
        month_name: zone.label(now, "%B"),
        meters: meter_lines(&sheet.meters),
        apart: sheet.apart.as_ref().map(apart_words),
        doubts: sheet.doubts.iter().map(|doubt| doubt_brief(doubt, &zone)).collect(),
        orders: device_part(viewer, &shell, id).await?,
        alerts_words: match sheet.alerts.len() {
            0 => "none open".to_owned(),
            1 => "one open".to_owned(),
            n => format!("{n} open"),
        },
        alerts: sheet.alerts.iter().map(|alert| brief(alert, now)).collect(),
        inputs: sheet.inputs.iter().map(parts::tray).collect(),
        outputs: parts::outputs(&sheet.outputs),
        covers: parts::covers(&sheet.covers),
        console: sheet.console.clone().unwrap_or_default(),
        history: history.items.iter().map(|line| history_line(line, &zone)).collect(),
        zone_words: format!("times in {}", shell.zone_name),
        raw: raw
            .iter()
            .map(|r| RawView {
                name: if r.name.starts_with("sys") { r.name.clone() } else { capital(&r.name) },
                value: r.value.clone(),
                source: r.source.clone(),
                age: age(now, r.at),
            })
            .collect(),
        raw_count: sheet.raw.len(),
        raw_words: if raw.len() == sheet.raw.len() {
            format!("all {}", raw.len())
        } else {
            format!("{} of {}", raw.len(), sheet.raw.len())
        },
        raw_all: (raw.len() < sheet.raw.len())
            .then(|| format!("/devices/{id}{}#raw", fields.query_with("raw", "all", &["after"]))),
        quirks: sheet.quirks.join(", "),
        version: sheet.row.version,
        own_name: sheet.own_name.clone().unwrap_or_default(),
        own_place: sheet.own_location.clone().unwrap_or_default(),
        asset_no: sheet.asset_no.clone().unwrap_or_default(),
        device_name: sheet.told_name.clone().unwrap_or_default(),
        device_place: sheet.told_location.clone().unwrap_or_default(),
        id: id.to_string(),
        name: sheet.row.name,
        list_query,
        shell,
    })
}

fn identity(sheet: &DeviceSheet) -> Vec<(&'static str, String)> {
    let row = &sheet.row;
    let firmware = sheet.components.iter().find(|c| c.kind == "firmware").map(|c| c.version.clone());
    let snmp = sheet.snmp.as_ref().map(|version| format!("SNMP {version}"));
    let address = row.address.as_ref().map(|address| match sheet.port {
        Some(port) if port != 161 => format!("{address}, port {port}"),
        _ => address.clone(),
    });
    let all = [
        ("", Some(model_name(Some(row.vendor.as_str()).filter(|v| !v.is_empty()), row.model.as_deref()))),
        ("Serial", row.serial.clone()),
        ("Address", address),
        ("MAC", row.mac.clone()),
        ("Place", Some(row.place.clone()).filter(|place| !place.is_empty())),
        ("Firmware", firmware),
        ("Asset", sheet.asset_no.clone()),
        ("Agent", sheet.agent_name.clone()),
        ("Over", snmp),
        ("Contact", sheet.contact.clone()),
    ];
    all.into_iter().filter_map(|(word, value)| Some((word, value?))).collect()
}

/// The counters; where two have the same words, the device's own name or the object tells them apart.
fn meter_lines(all: &[meters::MeterNow]) -> Vec<MeterLine> {
    let figure = |n: i64| grouped(u64::try_from(n).unwrap_or(0));
    let twice = |title: &str| all.iter().filter(|other| other.title() == title).count() > 1;
    all.iter()
        .map(|meter| {
            let title = meter.title();
            let own = twice(&title).then(|| meter.name.clone().unwrap_or_else(|| meter.source.clone()));
            MeterLine { name: capital(&title), own, month: figure(meter.month), life: figure(meter.value) }
        })
        .collect()
}

fn doubt_brief(doubt: &platen_core::doubts::DoubtRow, zone: &Zone) -> DoubtBrief {
    DoubtBrief {
        href: format!("/doubts/{}", doubt.id),
        title: doubt.title.clone(),
        when: zone.full(doubt.at),
        assumed: doubt.assumed.clone(),
    }
}

/// Two totals that differ, and which of them is billed.
fn apart_words(apart: &meters::Apart) -> String {
    let figure = |n: i64| grouped(n.unsigned_abs());
    format!(
        "Two totals: the standard one says {}, the maker’s own {}; {} pages {}. Billed by {}.",
        figure(apart.standard),
        figure(apart.private),
        figure(apart.apart),
        if apart.apart < 0 { "fewer" } else { "more" },
        if apart.private_is_billed { "the maker’s own" } else { "the standard one" }
    )
}

fn history_line(line: &HistoryLine, zone: &Zone) -> HistoryView {
    HistoryView {
        iso: line.at.to_string(),
        when: zone.moment(line.at),
        what: history_words(line),
        source: history_source(line),
    }
}

/// `GET /devices/{id}`.
pub(crate) async fn sheet(State(app): State<App>, viewer: Viewer, Path(id): Path<String>, fields: Fields) -> Shown {
    show(&sheet_page(&app, &viewer, DeviceId::parse(&id)?, &fields, None).await?)
}

/// The sheet with what was wrong.
pub(crate) async fn sheet_again(
    app: &App,
    viewer: &Viewer,
    id: DeviceId,
    why: String,
) -> Result<impl Template + use<>, Trouble> {
    sheet_page(app, viewer, id, Fields::NONE, Some(why)).await
}

/// `POST /devices/{id}`.
pub(crate) async fn edit(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap, posted: Posted) -> Shown {
    let (id, f) = (DeviceId::parse(&id)?, &posted.fields);
    let given = |name: &str| Some(f.get(name).map(str::to_owned));
    let patch = DevicePatch { name: given("name"), asset_no: given("asset_no"), location: given("place") };
    match devices::update(&posted.viewer.whole, id, &patch, f.text("version").parse().ok()).await {
        Ok(_) => Ok(go(&app, &headers, &format!("/devices/{id}"), "saved")),
        Err(error) => again(error, |why| sheet_page(&app, &posted.viewer, id, Fields::NONE, Some(why))).await,
    }
}

/// `POST /devices/{id}/retire`.
pub(crate) async fn retire(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    posted: Posted,
) -> Shown {
    let id = DeviceId::parse(&id)?;
    devices::retire(&posted.viewer.whole, id, posted.fields.text("version").parse().ok()).await?;
    Ok(go(&app, &headers, "/devices", "retired"))
}
