//! `/parts`: how much of its life each part has behind it.

use askama::Template;
use axum::{body::Body, extract::State, http::HeaderMap};
use platen_core::{
    Error, Page, PageQuery,
    supplies::{
        parts::{self, PartQuery, PartRow, Rating},
        shipments,
    },
};
use wire::Level;

use super::{list::days, part_api::PartView};
use crate::{
    app::App,
    devices::download,
    draw,
    fields::{Fields, Posted},
    listing,
    shell::{Section, Shell, Shown, again, go, show},
    trouble::Trouble,
    viewer::Viewer,
    words::{Zone, capital, count, grouped, model_name},
};

/// Parts of a page.
const LIMIT: u32 = 50;
/// Within so many days of its end a part is marked.
const SOON: f64 = 30.0;

struct PartLine {
    device: String,
    device_name: String,
    model: String,
    place: String,
    name: String,
    bar: String,
    used: String,
    rated: String,
    lasts: String,
    soon: bool,
    range: String,
    source: &'static str,
    since: String,
}

#[derive(Template)]
#[template(path = "supplies/parts.html")]
struct PartsPage {
    shell: Shell,
    place: &'static str,
    waiting: u64,
    summary: String,
    rows: Vec<PartLine>,
    ratings: Vec<(String, String, String)>,
    shown: String,
    first: Option<String>,
    next: Option<String>,
    csv: String,
}

fn query(fields: &Fields) -> PartQuery {
    let page = PageQuery { limit: Some(LIMIT), after: fields.get("after").map(str::to_owned), count: true };
    PartQuery { filter: None, device: None, page }
}

async fn page(app: &App, viewer: &Viewer, fields: &Fields, error: Option<String>) -> Result<PartsPage, Trouble> {
    let shell = Shell::of(app, viewer, "Parts", Section::Supplies).await?.with_error(error);
    let zone = shell.zone();
    let found = parts::list(&viewer.ctx, &query(fields)).await?;
    let n = found.count.unwrap_or(0);
    let rows: Vec<PartLine> = found.items.iter().map(|row| line(row, &zone)).collect();
    let rating = |r: Rating| (r.model, r.kind, grouped(r.rated as u64));
    Ok(PartsPage {
        summary: match n {
            0 => "No device has told a part that wears.".to_owned(),
            n => format!("<b>{}</b>, those that end first at the top.", count(n, "part", "parts")),
        },
        shown: format!("{} of {}", rows.len(), grouped(n)),
        ratings: parts::ratings(&viewer.ctx).await?.into_iter().map(rating).collect(),
        rows,
        waiting: shipments::waiting(&viewer.ctx).await?,
        place: "/parts",
        first: fields.get("after").map(|_| format!("/parts{}", fields.query_without(&["after"]))),
        next: found.next.map(|next| format!("/parts{}", fields.query_with("after", &next, &[]))),
        csv: format!("/parts.csv{}", fields.query_without(&["after"])),
        shell,
    })
}

fn line(row: &PartRow, zone: &Zone) -> PartLine {
    let kind = match row.kind.as_str() {
        "opc" => "drum".to_owned(),
        kind => kind.replace('-', " "),
    };
    let figure = |value: f64| match row.unit.as_str() {
        "percent" => format!("{value:.0} %"),
        _ => grouped(value.max(0.0) as u64),
    };
    let left = row.rated.filter(|rated| *rated > 0.0).map(|rated| (100.0 * (1.0 - row.used / rated)).clamp(0.0, 100.0));
    PartLine {
        device: row.device.to_string(),
        device_name: row.device_name.clone(),
        model: model_name(Some(row.vendor.as_str()).filter(|v| !v.is_empty()), row.model.as_deref()),
        place: row.place.clone(),
        name: capital(&row.color.as_ref().map_or_else(|| kind.clone(), |color| format!("{color} {kind}"))),
        bar: draw::bar(left.map_or(Level::Unknown, |value| Level::Percent { value }), 'w'),
        used: figure(row.used),
        rated: match (row.rated, row.rated_by.as_deref()) {
            (Some(rated), Some("learnt")) => format!("{}, as others lived", figure(rated)),
            (Some(rated), Some("set")) => format!("{}, set", figure(rated)),
            (Some(rated), _) => figure(rated),
            (None, _) => String::new(),
        },
        lasts: row.forecast.map(|forecast| days(forecast.days)).unwrap_or_default(),
        soon: row.forecast.is_some_and(|forecast| forecast.days <= SOON),
        range: row
            .forecast
            .map(|forecast| format!("{}–{}", days(forecast.least_days), days(forecast.most_days)))
            .unwrap_or_default(),
        source: if row.source == "told" { "parts counter" } else { "standard table" },
        since: zone.day(row.fitted_at),
    }
}

/// `GET /parts`.
pub(crate) async fn parts(State(app): State<App>, viewer: Viewer, fields: Fields) -> Shown {
    show(&page(&app, &viewer, &fields, None).await?)
}

/// `POST /parts/ratings`.
pub(crate) async fn rate(State(app): State<App>, headers: HeaderMap, posted: Posted) -> Shown {
    let (viewer, fields) = (&posted.viewer, &posted.fields);
    let org = viewer.ctx.scope.focus().unwrap_or(viewer.ctx.home);
    let rated = match fields.get("rated") {
        None => Ok(None),
        Some(text) => text
            .replace([',', ' '], "")
            .parse::<f64>()
            .map(Some)
            .map_err(|_| Error::invalid("rated", format!("{text:?} is no number of pages"))),
    };
    let done = match rated {
        Ok(rated) => {
            let scope = (fields.text("model"), fields.text("kind"));
            parts::set_rating(&viewer.ctx, org, scope, rated, None).await.map(drop)
        }
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => Ok(go(&app, &headers, "/parts", "saved")),
        Err(error) => again(error, |why| page(&app, viewer, Fields::NONE, Some(why))).await,
    }
}

/// `GET /parts.csv`.
pub(crate) async fn parts_csv(viewer: Viewer, fields: Fields) -> Shown {
    let mut asked = query(&fields);
    asked.page = PageQuery { limit: Some(500), after: None, count: false };
    let first = parts::list(&viewer.ctx, &asked).await?;
    let ctx = viewer.ctx.clone();
    let pages = futures_util::stream::unfold(Some((first, true)), move |state| {
        let (ctx, mut asked) = (ctx.clone(), asked.clone());
        async move {
            let (page, head): (Page<PartRow>, bool) = state?;
            let rows: Vec<PartView> = page.items.into_iter().map(PartView::from).collect();
            let text = listing::csv_of(&rows, head).map_err(|problem| std::io::Error::other(problem.detail));
            let next = match page.next {
                None => None,
                Some(after) => {
                    asked.page.after = Some(after);
                    parts::list(&ctx, &asked).await.ok().map(|page| (page, false))
                }
            };
            Some((text, next))
        }
    });
    Ok(download("parts.csv", Body::from_stream(pages)))
}
