//! `/supplies`: what is empty first, over all devices.

use askama::Template;
use axum::{body::Body, extract::State};
use platen_core::{
    Filter, Page, PageQuery,
    filter::Operand,
    supplies::{self, SupplyQuery, SupplyRow, shipments},
};
use wire::{Class, Level};

use super::api::SupplyView;
use crate::{
    app::App,
    devices::download,
    draw,
    fields::Fields,
    listing,
    shell::{Section, Shell, Shown, show},
    viewer::Viewer,
    words::{capital, count, grouped, model_name},
};

/// Supplies of a page.
const LIMIT: u32 = 50;
/// Within so many days a supply is marked.
const SOON: f64 = 7.0;

pub(super) struct SupplyLine {
    device: String,
    name: String,
    model: String,
    place: String,
    letter: char,
    supply: String,
    href: String,
    bar: String,
    left: String,
    stated: bool,
    lasts: String,
    soon: bool,
    range: String,
    shipment: String,
}

/// A choice of the facets.
pub(super) struct Choice {
    pub(super) href: String,
    pub(super) label: &'static str,
    pub(super) current: bool,
}

#[derive(Template)]
#[template(path = "supplies/list.html")]
struct SuppliesPage {
    shell: Shell,
    place: &'static str,
    summary: String,
    tabs: Vec<Choice>,
    kinds: Vec<Choice>,
    rows: Vec<SupplyLine>,
    foretold: bool,
    narrowed: bool,
    early: bool,
    waiting: u64,
    shown: String,
    first: Option<String>,
    next: Option<String>,
    csv: String,
}

/// Words of the address and what they mean as kinds.
const KINDS: [(&str, &str, &[&str]); 5] = [
    ("", "All", &[]),
    ("toner", "Toner and ink", &["toner", "toner-cartridge", "ink", "ink-cartridge", "ink-ribbon"]),
    ("waste", "Waste boxes", &["waste-toner", "waste-ink"]),
    ("staples", "Staples", &["staples"]),
    ("parts", "Parts", &["opc", "fuser", "transfer-unit", "cleaner-unit", "developer", "other"]),
];

fn query(fields: &Fields) -> SupplyQuery {
    let kinds = KINDS.iter().find(|(key, ..)| Some(*key) == fields.get("kind")).map(|(.., kinds)| *kinds);
    let operands = |kinds: &[&str]| kinds.iter().map(|kind| Operand::Text((*kind).to_owned())).collect();
    SupplyQuery {
        filter: kinds.filter(|kinds| !kinds.is_empty()).map(|kinds| Filter::In("kind".to_owned(), operands(kinds))),
        without_forecast: fields.get("show") == Some("unforetold"),
        page: PageQuery { limit: Some(LIMIT), after: fields.get("after").map(str::to_owned), count: true },
    }
}

/// `GET /supplies`.
pub(crate) async fn list(State(app): State<App>, viewer: Viewer, fields: Fields) -> Shown {
    let shell = Shell::of(&app, &viewer, "Supplies", Section::Supplies).await?;
    let mut asked = query(&fields);
    let mut page = supplies::list(&viewer.ctx, &asked).await?;
    // As long as nothing is foretold, what devices tell today is worth more than an empty table.
    let early = page.count == Some(0) && asked.filter.is_none() && !asked.without_forecast;
    if early {
        asked.without_forecast = true;
        page = supplies::list(&viewer.ctx, &asked).await?;
    }
    let waiting = shipments::waiting(&viewer.ctx).await?;
    let n = page.count.unwrap_or(0);
    let choice = |name: &str, key: &str, label| Choice {
        href: format!("/supplies{}", fields.query_with(name, key, &["after"])),
        label,
        current: fields.get(name).unwrap_or_default() == key,
    };
    let rows: Vec<SupplyLine> = page.items.iter().map(line).collect();
    let summary = match (asked.without_forecast, n) {
        _ if early => "Nothing is foretold yet.".to_owned(),
        (false, 0) => "Nothing is foretold yet.".to_owned(),
        (false, n) => {
            format!("<b>{}</b> with a forecast, those that end first at the top.", count(n, "supply", "supplies"))
        }
        (true, n) => {
            format!("<b>{}</b> of which nothing can be foretold, the lowest first.", count(n, "supply", "supplies"))
        }
    };
    show(&SuppliesPage {
        summary,
        tabs: vec![choice("show", "", "By days left"), choice("show", "unforetold", "Without a forecast")],
        kinds: KINDS.iter().map(|(key, label, _)| choice("kind", key, label)).collect(),
        shown: format!("{} of {}", rows.len(), grouped(n)),
        foretold: !asked.without_forecast,
        narrowed: asked.filter.is_some(),
        early,
        rows,
        waiting,
        place: "/supplies",
        first: fields.get("after").map(|_| format!("/supplies{}", fields.query_without(&["after"]))),
        next: page.next.map(|next| match early {
            true => format!("/supplies?show=unforetold&after={}", crate::fields::encode(&next)),
            false => format!("/supplies{}", fields.query_with("after", &next, &[])),
        }),
        csv: format!("/supplies.csv{}", fields.query_without(&["after"])),
        shell,
    })
}

/// Days as people say them: `4 d`, `7 h`, `under an hour`.
pub(crate) fn days(days: f64) -> String {
    match days {
        d if d >= 1.5 => format!("{d:.0} d"),
        d if d >= 1.0 / 24.0 => format!("{:.0} h", d * 24.0),
        _ => "under 1 h".to_owned(),
    }
}

/// What is left, or how full a waste box is, in words.
pub(super) fn left_words(level: Level, class: Class, filled: Option<f64>) -> String {
    match filled {
        Some(filled) => format!("{filled:.0} % full"),
        None if class == Class::Receptacle && level.percent().is_some() => {
            format!("{} as told", draw::level_words(level))
        }
        None => draw::level_words(level),
    }
}

fn line(row: &SupplyRow) -> SupplyLine {
    let class = if row.letter == 'W' { Class::Receptacle } else { Class::Consumed };
    let (letter, hue) = draw::look(row.letter);
    SupplyLine {
        device: row.device.to_string(),
        name: row.device_name.clone(),
        model: model_name(Some(row.vendor.as_str()).filter(|v| !v.is_empty()), row.model.as_deref()),
        place: row.place.clone(),
        letter,
        supply: capital(&row.name),
        href: format!("/devices/{}/supplies/{}", row.device, crate::fields::encode(&row.index)),
        bar: draw::bar(row.filled.map_or(row.level, |value| Level::Percent { value }), hue),
        left: left_words(row.level, class, row.filled),
        stated: matches!(row.level, Level::Percent { .. } | Level::Staged { .. }),
        lasts: row.forecast.map(|forecast| days(forecast.days)).unwrap_or_default(),
        soon: row.forecast.is_some_and(|forecast| forecast.days <= SOON),
        range: row
            .forecast
            .map(|forecast| format!("{}–{}", days(forecast.least_days), days(forecast.most_days)))
            .unwrap_or_default(),
        shipment: row.shipment.clone().unwrap_or_default(),
    }
}

/// `GET /supplies.csv`: the whole list that the address describes.
pub(crate) async fn csv(viewer: Viewer, fields: Fields) -> Shown {
    let mut asked = query(&fields);
    asked.page = PageQuery { limit: Some(500), after: None, count: false };
    let first = supplies::list(&viewer.ctx, &asked).await?;
    let ctx = viewer.ctx.clone();
    let pages = futures_util::stream::unfold(Some((first, true)), move |state| {
        let (ctx, mut asked) = (ctx.clone(), asked.clone());
        async move {
            let (page, head): (Page<SupplyRow>, bool) = state?;
            let rows: Vec<SupplyView> = page.items.into_iter().map(SupplyView::from).collect();
            let text = listing::csv_of(&rows, head).map_err(|problem| std::io::Error::other(problem.detail));
            let next = match page.next {
                None => None,
                Some(after) => {
                    asked.page.after = Some(after);
                    supplies::list(&ctx, &asked).await.ok().map(|page| (page, false))
                }
            };
            Some((text, next))
        }
    });
    Ok(download("supplies.csv", Body::from_stream(pages)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waste_boxes_are_told_by_how_full_they_are() {
        let level = Level::Percent { value: 10.0 };
        assert_eq!(left_words(level, Class::Receptacle, Some(90.0)), "90 % full");
        assert_eq!(left_words(level, Class::Receptacle, None), "10 % as told");
        assert_eq!(left_words(Level::SomeRemaining, Class::Consumed, None), "some left");
    }

    #[test]
    fn days_are_hours_where_they_are_few() {
        assert_eq!([12.4, 1.6, 1.0, 0.25, 0.01].map(days).join(", "), "12 d, 2 d, 24 h, 6 h, under 1 h");
    }
}
