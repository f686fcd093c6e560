//! `/devices`: the fleet.

use std::collections::HashMap;

use askama::Template;
use axum::{
    body::Body,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use platen_core::{
    Filter, Kind, Page, agents,
    devices::{self, DeviceId, DeviceQuery, DeviceRow, FacetCount, Facets},
    meters::{self, Spark},
    users::{self, SavedFilter},
};

use super::{
    api::DeviceView,
    query::{self, TABS},
    row::RowView,
};
use crate::{
    app::App,
    fields::Fields,
    listing,
    shell::{Section, Shell, Shown, show, show_as},
    viewer::Viewer,
    words::{grouped, sentence, vendor_name},
};

/// Words that lead back to the first page when something else changes.
const PAGE: &[&str] = &["after", "note"];

pub(super) struct Tab {
    href: String,
    label: String,
    n: Option<String>,
    current: bool,
}

struct FacetView {
    legend: &'static str,
    name: &'static str,
    options: Vec<OptionView>,
}

struct OptionView {
    value: String,
    label: String,
    n: String,
    checked: bool,
}

struct Column {
    class: &'static str,
    label: &'static str,
    href: Option<String>,
    sort: Option<&'static str>,
    arrow: &'static str,
}

#[derive(Template)]
#[template(path = "devices/list.html")]
struct ListPage {
    shell: Shell,
    summary: String,
    facets: Vec<FacetView>,
    facets_set: String,
    facets_clear: String,
    filter: String,
    whole_filter: String,
    kept: Vec<(String, String)>,
    tabs: Vec<Tab>,
    saved: Option<(String, String)>,
    wrong: Option<String>,
    columns: Vec<Column>,
    sorted_words: &'static str,
    rows: Vec<RowView>,
    list_query: String,
    csv: String,
    shown: String,
    limit: u32,
    first: Option<String>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "devices/empty.html")]
struct EmptyPage {
    shell: Shell,
    server: String,
    waiting: Vec<(String, String)>,
}

/// `GET /devices`.
pub(crate) async fn list(
    State(app): State<App>,
    viewer: Viewer,
    headers: axum::http::HeaderMap,
    fields: Fields,
) -> Shown {
    let saved = users::list_filters(&viewer.whole).await?;
    let fields = with_saved(fields, &saved);
    let shell = Shell::of(&app, &viewer, "Fleet", Section::Fleet).await?;
    let (page, wrong) = match read(&viewer, &fields).await {
        Ok(page) => (page, None),
        Err(error) if error.kind == Kind::Invalid => {
            (Page { items: Vec::new(), next: None, count: Some(0) }, Some(sentence(&error.message)))
        }
        Err(error) => return Err(error.into()),
    };
    let all = devices::facets(&viewer.ctx, &DeviceQuery::default()).await?;
    if all.total == 0 && wrong.is_none() {
        return empty(&app, &viewer, shell, &headers).await;
    }
    let ids: Vec<_> = page.items.iter().map(|row| row.id).collect();
    let sparks = meters::spark(&viewer.ctx, &ids).await?;
    let filter = if wrong.is_some() { None } else { query::condition(&fields, None)? };
    let facets = facets(&viewer, &fields, wrong.is_some()).await?;
    let set: usize = query::FACETS.iter().map(|name| fields.all(name).len()).sum();
    let now = viewer.ctx.now;
    let count = page.count.unwrap_or(page.items.len() as u64);
    let page_view = ListPage {
        summary: summary(&all, count, filter.is_some() || fields.get("q").is_some()),
        facets_set: if set == 0 { "none set".to_owned() } else { format!("{set} set") },
        facets_clear: if set > 0 || fields.get("filter").is_some() { "/devices".to_owned() } else { String::new() },
        facets,
        filter: fields.text("filter").to_owned(),
        whole_filter: filter.as_ref().map(Filter::to_string).unwrap_or_default(),
        kept: kept(&fields),
        tabs: tabs(&fields, &all, &saved),
        saved: current_saved(&fields, &saved, &viewer),
        wrong,
        columns: columns(&fields, spark_words(&sparks)),
        sorted_words: sorted_words(fields.text("sort")),
        shown: shown(page.items.len(), count, sorted_words(fields.text("sort"))),
        rows: page
            .items
            .into_iter()
            .map(|row| {
                let spark = sparks.get(&row.id);
                RowView::of(row, spark, now)
            })
            .collect(),
        list_query: fields.query_without(PAGE),
        csv: format!("/devices.csv{}", fields.query_without(PAGE)),
        limit: query::LIMIT,
        first: fields.get("after").map(|_| format!("/devices{}", fields.query_without(PAGE))),
        next: page.next.map(|next| format!("/devices{}", fields.query_with("after", &next, PAGE))),
        shell: shell.with_query(fields.text("q")),
    };
    let status = if page_view.wrong.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    show_as(status, &page_view)
}

async fn read(viewer: &Viewer, fields: &Fields) -> platen_core::Result<Page<DeviceRow>> {
    devices::list(&viewer.ctx, &query::query(fields)?).await
}

/// Turns `?saved=ID` into the filter that was saved.
fn with_saved(mut fields: Fields, saved: &[SavedFilter]) -> Fields {
    let chosen = fields.get("saved").and_then(|id| saved.iter().find(|s| s.id.to_string() == id));
    if let Some(chosen) = chosen
        && fields.get("filter").is_none()
    {
        fields.0.push(("filter".to_owned(), chosen.filter.clone()));
    }
    fields
}

fn summary(all: &Facets, count: u64, filtered: bool) -> String {
    let of = |key: &str| count_of(all, key);
    let mut parts = Vec::new();
    for (key, words) in [("stopped", "stopped"), ("attention", "want attention"), ("not-seen", "not seen")] {
        if of(key) > 0 {
            parts.push(format!("{} {words}", grouped(of(key))));
        }
    }
    let noun = if all.total == 1 { "device" } else { "devices" };
    if filtered {
        return format!("<b>{}</b> of {} {noun}.", grouped(count), grouped(all.total));
    }
    match parts.is_empty() {
        true => format!("<b>{}</b> {noun}. Nothing wants a person.", grouped(all.total)),
        false => format!("<b>{}</b> {noun}. {}.", grouped(all.total), crate::words::capital(&parts.join(", "))),
    }
}

fn shown(rows: usize, count: u64, sorted: &str) -> String {
    if rows as u64 == count {
        format!("All {} shown, {sorted}", grouped(count))
    } else {
        format!("{} of {}, {sorted}", rows, grouped(count))
    }
}

/// What the facets' form must not forget.
fn kept(fields: &Fields) -> Vec<(String, String)> {
    ["view", "sort", "q"]
        .iter()
        .filter_map(|name| fields.get(name).map(|value| ((*name).to_owned(), value.to_owned())))
        .collect()
}

/// Counts beside the list; a facet that is set counts as if it were not, so that its other words can be chosen.
async fn facets(viewer: &Viewer, fields: &Fields, broken: bool) -> platen_core::Result<Vec<FacetView>> {
    let asked = if broken { DeviceQuery::default() } else { query::query(fields)? };
    let base = devices::facets(&viewer.ctx, &asked).await?;
    let mut views = Vec::new();
    for (name, legend) in query::FACETS.into_iter().zip(["Status", "Vendor", "Place", "Agent"]) {
        let chosen = fields.all(name);
        let counted = match chosen.is_empty() || broken {
            true => of(&base, name).to_vec(),
            false => {
                let without = DeviceQuery { filter: query::condition(fields, Some(name))?, ..asked.clone() };
                of(&devices::facets(&viewer.ctx, &without).await?, name).to_vec()
            }
        };
        let mut options: Vec<OptionView> = counted.into_iter().map(|facet| option(name, facet, &chosen)).collect();
        for missing in chosen.iter().filter(|c| !options.iter().any(|o| o.value == **c)).copied().collect::<Vec<_>>() {
            let label = if name == "status" { query::status_label(missing) } else { missing };
            options.push(OptionView {
                value: missing.to_owned(),
                label: label.to_owned(),
                n: "0".to_owned(),
                checked: true,
            });
        }
        let idle = options.is_empty() || (name == "agent" && options.len() < 2 && chosen.is_empty());
        if !idle {
            views.push(FacetView { legend, name, options });
        }
    }
    Ok(views)
}

fn of<'f>(facets: &'f Facets, name: &str) -> &'f [FacetCount] {
    match name {
        "status" => &facets.status,
        "vendor" => &facets.vendors,
        "place" => &facets.places,
        _ => &facets.agents,
    }
}

fn option(name: &str, facet: FacetCount, chosen: &[&str]) -> OptionView {
    let label = match name {
        "vendor" if facet.key.is_empty() => "(not told)".to_owned(),
        "vendor" => vendor_name(&facet.key),
        _ if facet.label.is_empty() => "(not told)".to_owned(),
        _ => facet.label,
    };
    OptionView { checked: chosen.contains(&facet.key.as_str()), label, n: grouped(facet.count), value: facet.key }
}

fn count_of(facets: &Facets, status: &str) -> u64 {
    facets.status.iter().find(|facet| facet.key == status).map_or(0, |facet| facet.count)
}

fn tabs(fields: &Fields, all: &Facets, saved: &[SavedFilter]) -> Vec<Tab> {
    let view = fields.get("view");
    let chosen = fields.get("saved");
    let of = |key: &str| count_of(all, key);
    let mut tabs = vec![Tab {
        href: "/devices".to_owned(),
        label: "All".to_owned(),
        n: Some(grouped(all.total)),
        current: view.is_none() && chosen.is_none(),
    }];
    for (key, label, _) in TABS {
        let n = match key {
            "wanted" => Some(of("stopped") + of("not-seen") + of("attention")),
            "not-seen" => Some(of("not-seen")),
            _ => None,
        };
        tabs.push(Tab {
            href: format!("/devices?view={key}"),
            label: label.to_owned(),
            n: n.map(grouped),
            current: view == Some(key),
        });
    }
    for filter in saved.iter().filter(|s| s.list == "devices") {
        let id = filter.id.to_string();
        tabs.push(Tab {
            href: format!("/devices?saved={id}"),
            label: filter.name.clone(),
            n: None,
            current: chosen == Some(id.as_str()),
        });
    }
    tabs
}

/// The saved filter that is shown, if it is the reader's own: it may be deleted.
fn current_saved(fields: &Fields, saved: &[SavedFilter], viewer: &Viewer) -> Option<(String, String)> {
    let id = fields.get("saved")?;
    let found = saved.iter().find(|s| s.id.to_string() == id && viewer.whole.user() == Some(s.owner))?;
    Some((id.to_owned(), found.name.clone()))
}

/// What the small charts of the page span.
fn spark_words(sparks: &HashMap<DeviceId, Spark>) -> &'static str {
    const HOUR: i64 = 3_600_000_000;
    match sparks.values().next().map_or(24 * HOUR, |spark| spark.width) {
        width if width >= 24 * HOUR => "21 days",
        width if width >= HOUR => "21 hours",
        _ => "Just now",
    }
}

fn columns(fields: &Fields, spark: &'static str) -> Vec<Column> {
    let sort = fields.get("sort").unwrap_or("status");
    let (now, down) = (sort.trim_start_matches('-'), sort.starts_with('-'));
    let column = |class, label, key: Option<&'static str>| {
        let current = key == Some(now);
        let href = key.map(|key| {
            let wanted = if current && !down { format!("-{key}") } else { key.to_owned() };
            let wanted = if wanted == "status" { String::new() } else { wanted };
            format!("/devices{}", fields.query_with("sort", &wanted, PAGE))
        });
        let direction = match (current, down) {
            (false, _) => (None, ""),
            (true, false) => (Some("ascending"), " ↑"),
            (true, true) => (Some("descending"), " ↓"),
        };
        Column { class, label, href, sort: direction.0, arrow: direction.1 }
    };
    vec![
        column("c-st", "Status", Some("status")),
        column("c-name", "Device", Some("name")),
        column("c-model", "Model", Some("model")),
        column("c-place", "Place", Some("place")),
        column("c-addr", "Address", Some("address")),
        column("c-ser", "Serial", Some("serial")),
        column("c-ink", "Supplies", None),
        column("c-pg num", "Pages", Some("pages")),
        column("c-sp", spark, None),
        column("c-seen num", "Seen", Some("seen")),
    ]
}

fn sorted_words(sort: &str) -> &'static str {
    match sort {
        "name" => "by name",
        "-name" => "by name, last first",
        "model" | "-model" => "by model",
        "place" | "-place" => "by place",
        "address" | "-address" => "by address",
        "serial" | "-serial" => "by serial number",
        "pages" => "fewest pages this month first",
        "-pages" => "most pages this month first",
        "seen" | "-seen" => "by when they were seen",
        "-status" => "what is quiet first",
        _ => "what wants a person first",
    }
}

async fn empty(app: &App, viewer: &Viewer, shell: Shell, headers: &axum::http::HeaderMap) -> Shown {
    let waiting = agents::list(&viewer.ctx, &agents::AgentQuery::default())
        .await?
        .items
        .into_iter()
        .map(|a| (a.id.to_string(), a.name))
        .collect();
    show(&EmptyPage { shell, server: app.base_url(headers), waiting })
}

/// Rows of the CSV file that are read at once.
const CSV_PAGE: u32 = 500;

/// `GET /devices.csv`: the whole list that the address describes, page by page.
pub(crate) async fn csv(viewer: Viewer, fields: Fields) -> Shown {
    let saved = users::list_filters(&viewer.whole).await?;
    let query = query::query(&with_saved(fields, &saved))?;
    let ctx = viewer.ctx.clone();
    let first = devices::list(&ctx, &at(&query, None)).await?;
    Ok(listing::csv_pages::<_, DeviceView, _, _>("devices.csv", first, move |after| {
        let (ctx, query) = (ctx.clone(), at(&query, Some(after)));
        async move { devices::list(&ctx, &query).await.ok() }
    }))
}

fn at(query: &DeviceQuery, after: Option<String>) -> DeviceQuery {
    let mut query = query.clone();
    query.page = platen_core::PageQuery { limit: Some(CSV_PAGE), after, count: false };
    query
}

/// A file for the reader's disk.
pub(crate) fn download(name: &str, body: Body) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, disposition)], body)
        .into_response()
}
