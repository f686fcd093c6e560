//! `/doubts` and `/doubts/{id}`.

use std::collections::HashMap;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::HeaderMap,
};
use platen_core::{
    Filter, PageQuery, agents,
    doubts::{self, Choice, DoubtId, DoubtMeter, DoubtQuery, DoubtRow, DoubtSheet, Family, Kind, Settlement},
    filter::Operand,
};
use serde_json::Value;

use super::api::DoubtView;
use crate::{
    app::App,
    draw::{self, Dot},
    fields::{Fields, Posted},
    listing,
    shell::{
        Section, Shell, Shown, again,
        facets::{Facet, Facets, Tab},
        go, show,
    },
    trouble::Trouble,
    viewer::Viewer,
    words::{Zone, capital, grouped, model_name},
};

/// Doubts of a page.
const LIMIT: u32 = 50;
/// Readings drawn before and after the border.
const BEFORE: usize = 14;
const AFTER: usize = 22;

struct DoubtLine {
    href: String,
    title: String,
    device: String,
    device_name: String,
    model: String,
    at: String,
    pages: String,
    state: String,
}

#[derive(Template)]
#[template(path = "doubts/list.html")]
struct DoubtsPage {
    shell: Shell,
    summary: String,
    facets: Facets,
    tabs: Vec<Tab>,
    rows: Vec<DoubtLine>,
    last_head: &'static str,
    none: &'static str,
    shown: String,
    limit: u32,
    first: Option<String>,
    next: Option<String>,
    csv: String,
}

const FAMILIES: [(&str, &str); 3] = [("counter", "Counters"), ("identity", "Identities"), ("totals", "Two totals")];

fn query(fields: &Fields, limit: u32, after: Option<String>) -> DoubtQuery {
    let eq = |value: &str| Filter::Eq("family".to_owned(), Operand::Text(value.to_owned()));
    let mut any: Vec<Filter> = fields
        .all("about")
        .into_iter()
        .filter(|word| FAMILIES.iter().any(|(family, _)| family == word))
        .map(eq)
        .collect();
    let filter = if any.len() > 1 { Some(Filter::Or(any)) } else { any.pop() };
    let open = Some(fields.get("state") != Some("settled"));
    DoubtQuery { filter, open, device: None, page: PageQuery { limit: Some(limit), after, count: true } }
}

/// `GET /doubts`.
pub(crate) async fn list(State(app): State<App>, viewer: Viewer, fields: Fields) -> Shown {
    let shell = Shell::of(&app, &viewer, "Doubts", Section::Doubts).await?;
    let page = doubts::list(&viewer.ctx, &query(&fields, LIMIT, fields.get("after").map(str::to_owned))).await?;
    let counts = doubts::counts(&viewer.ctx).await?;
    let zone = shell.zone();
    let settled = fields.get("state") == Some("settled");
    let numbers = [counts.counters, counts.identities, counts.totals];
    let number = |n: u64| (!settled).then_some(n);
    let options: Vec<_> = FAMILIES.iter().zip(numbers).map(|((value, label), n)| (*value, *label, number(n))).collect();
    let facets = Facets::of(&fields, "/doubts", vec![Facet::of(&fields, ("About", "about"), &options)]);
    let n = page.count.unwrap_or(0);
    let tab = |value: &str, label, n: Option<u64>| Tab {
        href: format!("/doubts{}", fields.query_with("state", value, &["after"])),
        label,
        n: n.map(grouped),
        current: settled == (value == "settled"),
    };
    show(&DoubtsPage {
        summary: match counts.open {
            0 => "Nothing waits for you.".to_owned(),
            1 => "<b>1 doubt</b> waits for a decision.".to_owned(),
            open => format!("<b>{} doubts</b> wait for a decision.", grouped(open)),
        },
        tabs: vec![tab("", "Open", Some(counts.open)), tab("settled", "Settled", None)],
        rows: page.items.iter().map(|doubt| line(doubt, &zone)).collect(),
        last_head: if settled { "Decided" } else { "Counted across it" },
        none: match (settled, facets.any()) {
            (_, true) => "Nothing fits these facets.",
            (true, _) => "Nothing has been decided yet.",
            _ => "No counter and no identity is in doubt. Good.",
        },
        shown: if page.items.len() as u64 == n {
            format!("All {} shown, newest first", grouped(n))
        } else {
            format!("{} of {}", page.items.len(), grouped(n))
        },
        limit: LIMIT,
        first: fields.get("after").map(|_| format!("/doubts{}", fields.query_without(&["after"]))),
        next: page.next.map(|next| format!("/doubts{}", fields.query_with("after", &next, &[]))),
        facets,
        csv: format!("/doubts.csv{}", fields.query_without(&["after"])),
        shell,
    })
}

fn line(doubt: &DoubtRow, zone: &Zone) -> DoubtLine {
    let unsigned = |n: i64| grouped(n.unsigned_abs());
    DoubtLine {
        href: format!("/doubts/{}", doubt.id),
        title: doubt.title.clone(),
        device: doubt.device.to_string(),
        device_name: doubt.device_name.clone(),
        model: model(&doubt.device_model),
        at: zone.moment(doubt.at),
        pages: match (doubt.kind, doubt.pages) {
            (Kind::ConflictingTotals, Some(apart)) => format!("{} apart", unsigned(apart)),
            (_, Some(pages)) => format!("{} pages", unsigned(pages)),
            (_, None) => String::new(),
        },
        state: match (&doubt.decision_title, &doubt.settled_by) {
            (Some(title), Some(by)) => format!("{title}, {by}"),
            _ => String::new(),
        },
    }
}

/// `kyocera ECOSYS P3155dn` as people write it.
fn model(slug_and_model: &str) -> String {
    match slug_and_model.split_once(' ') {
        Some((vendor, model)) => model_name(Some(vendor), Some(model)),
        None => slug_and_model.to_owned(),
    }
}

struct MeterLine {
    meter: i64,
    title: String,
    before: String,
    before_at: String,
    after: String,
    after_at: String,
    counted: String,
    amount: i64,
}

struct FactLine {
    name: &'static str,
    one: String,
    two: String,
}

struct ReadingLine {
    when: String,
    value: String,
    what: &'static str,
}

#[derive(Template)]
#[template(path = "doubts/sheet.html")]
struct DoubtPage {
    shell: Shell,
    id: String,
    version: i64,
    title: String,
    open: bool,
    identity: Vec<(&'static str, String)>,
    device: String,
    device_name: String,
    other: Option<(String, String)>,
    question: String,
    assumed: String,
    effect: String,
    chart: Option<String>,
    chart_title: String,
    readings: Vec<ReadingLine>,
    meters: Vec<MeterLine>,
    fact_heads: (String, String),
    facts: Vec<FactLine>,
    changes: Vec<String>,
    choices: Vec<Choice>,
    settled: Option<(String, String)>,
    reopenable: bool,
}

async fn page(app: &App, viewer: &Viewer, id: DoubtId, error: Option<String>) -> Result<DoubtPage, Trouble> {
    let sheet = doubts::get(&viewer.whole, id).await?;
    let shell = Shell::of(app, viewer, &sheet.row.title, Section::Doubts).await?.with_error(error);
    let zone = shell.zone();
    let names = match sheet.row.kind.family() {
        Family::Identity => agent_names(viewer).await?,
        _ => HashMap::new(),
    };
    let row = &sheet.row;
    let (fact_heads, facts) = facts(&sheet, &names, &zone);
    let (chart, readings) = match sheet.meters.first() {
        Some(meter) => (Some(chart(meter, &zone)), readings(meter, &zone)),
        None => (None, Vec::new()),
    };
    let identity = [
        ("", Some(model(&row.device_model))),
        ("Serial", row.serial.clone()),
        ("Place", Some(row.place.clone()).filter(|place| !place.is_empty())),
        ("Began", Some(zone.full(row.at))),
        ("Noticed", Some(zone.full(row.opened_at))),
    ];
    Ok(DoubtPage {
        id: id.to_string(),
        version: row.version,
        title: row.title.clone(),
        open: row.state == "open",
        identity: identity.into_iter().filter_map(|(word, value)| Some((word, value?))).collect(),
        device: row.device.to_string(),
        device_name: row.device_name.clone(),
        other: row.other.zip(row.other_name.clone()).map(|(id, name)| (id.to_string(), name)),
        question: sheet.question.clone(),
        assumed: row.assumed.clone(),
        effect: sheet.effect.clone(),
        chart_title: sheet.meters.first().map(|meter| capital(&meter.title)).unwrap_or_default(),
        chart,
        readings,
        meters: sheet.meters.iter().map(|meter| meter_line(meter, &zone)).collect(),
        fact_heads,
        facts,
        changes: changes(&sheet.evidence, &zone),
        settled: row.decision_title.clone().map(|title| (title, settled_words(row, &zone))),
        reopenable: sheet.reopenable && shell.manager,
        choices: if row.state == "open" && shell.manager { sheet.choices } else { Vec::new() },
        shell,
    })
}

fn settled_words(row: &DoubtRow, zone: &Zone) -> String {
    let mut words = format!("Decided by {}", row.settled_by.as_deref().unwrap_or("somebody"));
    if let Some(at) = row.settled_at {
        words.push_str(&format!(", {}", zone.full(at)));
    }
    if let Some(note) = &row.note {
        words.push_str(&format!(": “{note}”"));
    }
    words + "."
}

fn figure(n: i64) -> String {
    grouped(u64::try_from(n).unwrap_or(0))
}

fn meter_line(meter: &DoubtMeter, zone: &Zone) -> MeterLine {
    MeterLine {
        meter: meter.meter,
        title: capital(&meter.title),
        before: figure(meter.before),
        before_at: zone.moment(meter.before_at),
        after: figure(meter.after),
        after_at: zone.moment(meter.border_at),
        counted: figure(meter.counted),
        amount: meter.counted,
    }
}

/// The readings that are drawn, and the place of the border among them.
fn near(meter: &DoubtMeter) -> (&[platen_core::meters::ReadingAt], usize) {
    let border = meter.readings.iter().position(|r| r.at >= meter.border_at).unwrap_or(meter.readings.len());
    let (from, to) = (border.saturating_sub(BEFORE), (border + AFTER).min(meter.readings.len()));
    (&meter.readings[from..to], border - from)
}

fn chart(meter: &DoubtMeter, zone: &Zone) -> String {
    let (readings, border) = near(meter);
    let every = readings.len().div_ceil(6).max(1);
    let length = readings.first().zip(readings.last()).map_or(0, |(first, last)| last.at.0 - first.at.0);
    let how = if length < 3_600_000_000 { "%H:%M:%S" } else { "%-d %b %H:%M" };
    let dots: Vec<Dot> = readings
        .iter()
        .enumerate()
        .map(|(place, r)| Dot {
            label: if place % every == every / 2 { zone.label(r.at, how) } else { String::new() },
            title: zone.moment(r.at),
            value: u64::try_from(r.value).unwrap_or(0),
            believed: r.believed,
        })
        .collect();
    draw::border(&dots, border, "The counter around the doubt; the table below holds the figures")
}

fn readings(meter: &DoubtMeter, zone: &Zone) -> Vec<ReadingLine> {
    let (readings, _) = near(meter);
    let line = |r: &platen_core::meters::ReadingAt| ReadingLine {
        when: zone.moment(r.at),
        value: figure(r.value),
        what: match (r.at == meter.border_at, r.believed) {
            (true, true) => "first behind the border",
            (true, false) => "first behind the border, kept aside",
            (false, true) => "",
            (false, false) => "kept aside",
        },
    };
    readings.iter().map(line).collect()
}

async fn agent_names(viewer: &Viewer) -> platen_core::Result<HashMap<String, String>> {
    let page = PageQuery { limit: Some(500), ..PageQuery::default() };
    let agents = agents::list(&viewer.whole, &agents::AgentQuery { filter: None, page }).await?.items;
    Ok(agents.into_iter().map(|agent| (agent.id.to_string(), agent.name)).collect())
}

/// What was seen of two things, side by side.
fn facts(sheet: &DoubtSheet, agents: &HashMap<String, String>, zone: &Zone) -> ((String, String), Vec<FactLine>) {
    let e = &sheet.evidence;
    let heads = |one: &str, two: &str| (one.to_owned(), two.to_owned());
    let text = |side: &Value, key: &str| match &side[key] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_i64().map(figure).unwrap_or_default(),
        _ => String::new(),
    };
    let lines = |names: &[(&'static str, &str)], one: &Value, two: &Value| -> Vec<FactLine> {
        let line = |(name, key): &(&'static str, &str)| FactLine { name, one: text(one, key), two: text(two, key) };
        names.iter().map(line).filter(|line| !(line.one.is_empty() && line.two.is_empty())).collect()
    };
    match sheet.row.kind {
        Kind::DeviceSwap => {
            let names = [("Maker", "vendor"), ("Serial", "serial")];
            (heads("Was expected", "Answers now"), lines(&names, &e["expected"], &e["seen"]))
        }
        Kind::DoubledSerial | Kind::TwoAgents => {
            let names = [("Serial", "serial"), ("Model", "model"), ("MAC", "mac"), ("Address", "address")];
            let mut all = lines(&names, &e["known"], &e["seen"]);
            let agent = |side: &Value| {
                let id = side["agent"].as_str().unwrap_or_default();
                agents.get(id).cloned().unwrap_or_default()
            };
            all.push(FactLine { name: "Agent", one: agent(&e["known"]), two: agent(&e["seen"]) });
            (heads("Known", "Seen beside it"), all)
        }
        Kind::ConflictingTotals => {
            let names = [("Shows", "value"), ("Has counted", "grown"), ("Object", "source")];
            let mut all = lines(&names, &e["standard"], &e["private"]);
            if let Some(since) = e["since"].as_str().and_then(platen_core::Micros::parse) {
                all.push(FactLine { name: "Since", one: zone.full(since), two: zone.full(since) });
            }
            (heads("Standard total", "Maker’s own total"), all)
        }
        _ => (heads("", ""), Vec::new()),
    }
}

/// What else changed about the device at that time.
fn changes(evidence: &Value, zone: &Zone) -> Vec<String> {
    let all = evidence["changes"].as_array().into_iter().flatten();
    all.map(|change| {
        let at = change["at"].as_str().and_then(platen_core::Micros::parse);
        let field = match change["field"].as_str().unwrap_or("value") {
            "mac" => "MAC".to_owned(),
            other => capital(other),
        };
        let side = |key: &str| change[key].as_str().unwrap_or("nothing").to_owned();
        let when = at.map(|at| zone.moment(at)).unwrap_or_default();
        format!("{when}: {field} {} to {}", side("from"), side("to"))
    })
    .collect()
}

/// `GET /doubts/{id}`.
pub(crate) async fn sheet(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Shown {
    show(&page(&app, &viewer, DoubtId::parse(&id)?, None).await?)
}

/// `POST /doubts/{id}/settle`.
pub(crate) async fn settle(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    posted: Posted,
) -> Shown {
    let (id, f) = (DoubtId::parse(&id)?, &posted.fields);
    let decision = f.text("decision").to_owned();
    let mut amounts = doubts::Amounts::new();
    if decision == "amount" {
        for (name, value) in &f.0 {
            let meter = name.strip_prefix("pages-").and_then(|meter| meter.parse::<i64>().ok());
            let Some(meter) = meter.filter(|_| !value.trim().is_empty()) else { continue };
            let Ok(pages) = value.trim().replace(',', "").parse() else {
                let error = platen_core::Error::invalid("amounts", format!("{value:?} is no number of pages"));
                return again(error, |why| page(&app, &posted.viewer, id, Some(why))).await;
            };
            amounts.insert(meter, pages);
        }
    }
    let note = f.get("note").map(str::to_owned);
    let wanted = Settlement { decision, amounts, note };
    match doubts::settle(&posted.viewer.whole, id, &wanted, f.text("version").parse().ok()).await {
        Ok(_) => Ok(go(&app, &headers, &format!("/doubts/{id}"), "settled")),
        Err(error) => again(error, |why| page(&app, &posted.viewer, id, Some(why))).await,
    }
}

/// `POST /doubts/{id}/reopen`.
pub(crate) async fn reopen(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    posted: Posted,
) -> Shown {
    let id = DoubtId::parse(&id)?;
    match doubts::reopen(&posted.viewer.whole, id, posted.fields.text("version").parse().ok()).await {
        Ok(_) => Ok(go(&app, &headers, &format!("/doubts/{id}"), "reopened")),
        Err(error) => again(error, |why| page(&app, &posted.viewer, id, Some(why))).await,
    }
}

/// `GET /doubts.csv`: the whole list that the address describes.
pub(crate) async fn csv(viewer: Viewer, fields: Fields) -> Shown {
    let ctx = viewer.ctx.clone();
    let first = doubts::list(&ctx, &query(&fields, 500, None)).await?;
    Ok(listing::csv_pages::<_, DoubtView, _, _>("doubts.csv", first, move |after| {
        let (ctx, query) = (ctx.clone(), query(&fields, 500, Some(after)));
        async move { doubts::list(&ctx, &query).await.ok() }
    }))
}
