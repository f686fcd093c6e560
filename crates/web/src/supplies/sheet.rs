//! `/devices/{id}/supplies/{index}`: one slot, drawn with its future.

use askama::Template;
use axum::extract::{Path, State};
use platen_core::{
    DeviceId, Micros, devices,
    supplies::{self, SupplySheet, shipments},
};

use super::list::{days, left_words};
use crate::{
    app::App,
    draw::{self, Ahead, Told},
    fields::Fields,
    shell::{Section, Shell, Shown, show},
    viewer::Viewer,
    words::{Zone, capital, grouped, model_name},
};

/// Levels drawn, and rows of the table.
const POINTS: usize = 400;
const ROWS: usize = 30;
/// Days drawn when nobody says: the cartridge fitted now, at least these.
const LEAST: i64 = 14;

struct Gone {
    when: String,
    lived: String,
    before: String,
    how: &'static str,
    premature: bool,
}

#[derive(Template)]
#[template(path = "supplies/sheet.html")]
struct SupplyPage {
    shell: Shell,
    place: &'static str,
    waiting: u64,
    device: String,
    device_name: String,
    name: String,
    sentence: String,
    chart: String,
    foretold: bool,
    facts: Vec<(&'static str, String)>,
    figures: Vec<(&'static str, String, String)>,
    levels: Vec<(String, String)>,
    gone: Vec<Gone>,
    whole: Option<String>,
}

/// `GET /devices/{id}/supplies/{index}`.
pub(crate) async fn sheet(
    State(app): State<App>,
    viewer: Viewer,
    Path((id, index)): Path<(String, String)>,
    fields: Fields,
) -> Shown {
    let id = DeviceId::parse(&id)?;
    let found = supplies::supply(&viewer.whole, id, &index).await?;
    let device = devices::get(&viewer.whole, id).await?;
    let title = capital(&found.name);
    let shell = Shell::of(&app, &viewer, &title, Section::Supplies).await?;
    let (zone, now) = (shell.zone(), viewer.ctx.now);
    let all = fields.get("range") == Some("year");
    let since = if all { 0 } else { found.supply.fitted_at.0.min(now.days_ago(LEAST).0) };
    let chart = chart(&found, since, &zone);
    let waiting = shipments::waiting(&viewer.ctx).await?;
    show(&SupplyPage {
        sentence: sentence(&found, &zone),
        facts: facts(&found, &device, &zone),
        figures: figures(&found, &zone),
        levels: levels(&found, &zone),
        gone: found.replacements.iter().map(|one| gone(one, &zone)).collect(),
        foretold: found.outlook.is_some(),
        whole: (!all).then(|| format!("/devices/{id}/supplies/{}?range=year", crate::fields::encode(&index))),
        device: id.to_string(),
        device_name: device.row.name,
        name: title,
        place: "",
        chart,
        waiting,
        shell,
    })
}

fn chart(found: &SupplySheet, since: i64, zone: &Zone) -> String {
    let told: Vec<Told> =
        found.levels.iter().zip(&found.left).map(|(point, left)| Told { at: point.at.0, left: *left }).collect();
    // What stood when the picture begins is its first level.
    let first = told.partition_point(|told| told.at <= since).saturating_sub(1);
    let first = first.max(told.len().saturating_sub(POINTS));
    let mut told = told[first..].to_vec();
    if let Some(begins) = told.first_mut() {
        begins.at = begins.at.max(since);
    }
    let ahead = found.outlook.map(|outlook| Ahead {
        from: outlook.from.0,
        left: outlook.left,
        ends: [outlook.p5_at.0, outlook.p50_at.0, outlook.p95_at.0],
    });
    let span = ahead.map_or(0, |ahead| ahead.ends[2]).max(told.last().map_or(0, |told| told.at))
        - told.first().map_or(0, |told| told.at);
    let how = if span < 4 * 86_400_000_000 { "%-d %b %H:%M" } else { "%-d %b" };
    let label = format!("What is left of {} and when it will be empty; the tables below hold the figures", found.name);
    draw::outlook(&told, ahead, &label, |at| zone.label(Micros(at), how))
}

fn sentence(found: &SupplySheet, zone: &Zone) -> String {
    let left = left_words(found.supply.level, found.supply.class, found.supply.filled);
    let ends = if found.supply.class == wire::Class::Receptacle { "full" } else { "empty" };
    match (found.supply.forecast, found.outlook) {
        (Some(forecast), Some(outlook)) if forecast.days > 0.0 => format!(
            "{}, {ends} in about {}, on {}; nine times of ten between {} and {}.",
            capital(&left),
            days(forecast.days),
            zone.day(outlook.p50_at),
            zone.day(outlook.p5_at),
            zone.day(outlook.p95_at)
        ),
        (Some(_), _) => format!("{}; by its past it should be {ends} now.", capital(&left)),
        _ => format!("{}. Its past does not say yet when it will be {ends}.", capital(&left)),
    }
}

fn facts(found: &SupplySheet, device: &devices::DeviceSheet, zone: &Zone) -> Vec<(&'static str, String)> {
    let supply = &found.supply;
    let row = &device.row;
    let all = [
        ("Device", Some(model_name(Some(row.vendor.as_str()).filter(|v| !v.is_empty()), row.model.as_deref()))),
        ("Place", Some(row.place.clone()).filter(|place| !place.is_empty())),
        ("Slot", Some(supply.index.clone())),
        ("Part", supply.part_number.clone()),
        ("Serial", supply.serial.clone()),
        ("Fitted", Some(zone.full(supply.fitted_at))),
    ];
    all.into_iter().filter_map(|(word, value)| Some((word, value?))).collect()
}

fn figures(found: &SupplySheet, zone: &Zone) -> Vec<(&'static str, String, String)> {
    let Some(outlook) = found.outlook else { return Vec::new() };
    let lasts = |at: Micros| days((at.0 - outlook.from.0).max(0) as f64 / 86_400_000_000.0);
    vec![
        ("Early: one time of twenty it ends before", zone.full(outlook.p5_at), lasts(outlook.p5_at)),
        ("Middle", zone.full(outlook.p50_at), lasts(outlook.p50_at)),
        ("Late: one time of twenty it lasts longer than", zone.full(outlook.p95_at), lasts(outlook.p95_at)),
        ("Left, between the steps that the device tells", format!("{:.1} %", outlook.left), String::new()),
        ("Used on an average day", format!("{:.1} %", outlook.daily), String::new()),
    ]
}

fn levels(found: &SupplySheet, zone: &Zone) -> Vec<(String, String)> {
    let both = found.levels.iter().zip(&found.left).rev().take(ROWS);
    both.map(|(point, _)| (zone.full(point.at), draw::level_words(point.level))).collect()
}

fn gone(one: &supplies::Replacement, zone: &Zone) -> Gone {
    Gone {
        when: zone.full(one.at),
        lived: one.lived_pages.map_or_else(String::new, |pages| grouped(u64::try_from(pages).unwrap_or(0))),
        before: one.before.map_or_else(|| "not told".to_owned(), |left| format!("{left:.0} %")),
        how: if one.evidence == "serial" { "another serial number" } else { "its level rose" },
        premature: one.premature,
    }
}
