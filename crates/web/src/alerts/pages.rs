//! `/alerts`.

use std::time::Duration;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::HeaderMap,
};
use platen_core::{
    Filter, Micros, PageQuery,
    alerts::{self, AlertId, AlertQuery, AlertRow},
    filter::Operand,
};

use super::api::AlertView;
use crate::{
    app::App,
    fields::{Fields, Posted},
    listing,
    shell::{
        Section, Shell, Shown,
        facets::{self, Facet, Facets, Tab, eq, one_of, owners},
        go, show,
    },
    viewer::Viewer,
    words::{Mark, age_long, alert_mark, capital, clears_when, group_words, grouped, model_name, next_step},
};

/// Alerts of a page.
const LIMIT: u32 = 50;

/// An alert as the sheet of its device shows it.
pub(crate) struct AlertBrief {
    pub(crate) id: String,
    pub(crate) mark: Mark,
    pub(crate) title: String,
    /// Its own words; empty: it has none.
    pub(crate) text: String,
    pub(crate) said: String,
    pub(crate) acknowledged: bool,
    pub(crate) owner: String,
}

/// What an alert is called: its plain words, large first letter.
fn title(alert: &AlertRow) -> String {
    capital(&alert.title)
}

/// What is said of it in so many words, which tells two alerts of one condition apart: the device’s in quotes, our own plain.
fn text(alert: &AlertRow) -> String {
    match alert.text.as_deref() {
        Some(text) if alert.source == "platen" => text.to_owned(),
        Some(text) => format!("“{text}”"),
        None => String::new(),
    }
}

/// The brief form of an alert.
pub(crate) fn brief(alert: &AlertRow, now: Micros) -> AlertBrief {
    let mut said = format!("Open for {}.", age_long(now, alert.raised_at));
    match &alert.text {
        Some(text) if alert.source == "platen" => said.push_str(&format!(" {}.", capital(text))),
        Some(text) => said.push_str(&format!(" The device says “{text}”.")),
        None => {}
    }
    if let Some(owner) = &alert.owner {
        said.push_str(&format!(" Owner: {owner}."));
    }
    said.push_str(&format!(" {} Clears when: {}", next_step(&alert.reason), clears_when(&alert.reason)));
    AlertBrief {
        id: alert.id.to_string(),
        mark: Mark { word: "", ..alert_mark(&alert.severity, &alert.reason) },
        title: title(alert),
        text: text(alert),
        said,
        acknowledged: alert.state != "open",
        owner: alert.owner.clone().unwrap_or_else(|| alert.state.clone()),
    }
}

struct AlertLine {
    id: String,
    href: String,
    open: bool,
    mark: Mark,
    title: String,
    text: String,
    device: String,
    device_name: String,
    model: String,
    age: String,
    owner: String,
    can_take: bool,
    can_snooze: bool,
    next: &'static str,
    last: String,
    why: String,
    said: String,
    clears: &'static str,
}

#[derive(Template)]
#[template(path = "alerts/list.html")]
struct AlertsPage {
    shell: Shell,
    summary: String,
    facets: Facets,
    tabs: Vec<Tab>,
    rows: Vec<AlertLine>,
    age_head: &'static str,
    last_head: &'static str,
    none: &'static str,
    shown: String,
    limit: u32,
    first: Option<String>,
    next: Option<String>,
    csv: String,
}

/// What the address asks for.
fn query(fields: &Fields, me: &str) -> AlertQuery {
    let tab = fields.get("state").unwrap_or("open");
    let mut all = Vec::new();
    match tab {
        "snoozed" => all.push(eq("state", "snoozed")),
        "closed" => {}
        _ => all.push(Filter::Ne("state".to_owned(), Operand::Text("snoozed".to_owned()))),
    }
    all.extend(one_of(fields, "severity", "severity"));
    all.extend(owners(fields, me));
    all.extend(one_of(fields, "for", "audience"));
    let filter = facets::all(all);
    let page = PageQuery { limit: Some(LIMIT), after: fields.get("after").map(str::to_owned), count: true };
    AlertQuery { filter, open: Some(tab != "closed"), device: None, page }
}

/// `GET /alerts`.
pub(crate) async fn list(State(app): State<App>, viewer: Viewer, fields: Fields) -> Shown {
    let shell = Shell::of(&app, &viewer, "Alerts", Section::Alerts).await?;
    let me = shell.user.clone();
    let page = alerts::list(&viewer.ctx, &query(&fields, &me)).await?;
    let counts = alerts::counts(&viewer.ctx).await?;
    let closed = fields.get("state") == Some("closed");
    let opened = fields.get("open").map(str::to_owned);
    let (now, zone) = (viewer.ctx.now, shell.zone());
    let n = page.count.unwrap_or(0);
    let tab = |key: &'static str, label, n: Option<u64>| {
        let value = if key == "open" { "" } else { key };
        let current = fields.get("state").unwrap_or("open") == key;
        Tab {
            href: format!("/alerts{}", fields.query_with("state", value, &["after", "open"])),
            label,
            n: n.map(grouped),
            current,
        }
    };
    let facets = facets_of(&fields, &counts);
    let set = facets.any();
    let rows: Vec<AlertLine> = page
        .items
        .iter()
        .map(|a| {
            let id = a.id.to_string();
            let unfolded = opened.as_deref() == Some(id.as_str());
            let target = if unfolded { String::new() } else { id };
            let href = format!("/alerts{}#a-{}", fields.query_with("open", &target, &[]), a.id);
            line(a, href, unfolded, now, shell.manager, &zone)
        })
        .collect();
    show(&AlertsPage {
        summary: match counts.open + counts.acknowledged {
            0 => "Nothing stands open.".to_owned(),
            1 => "<b>1 cause</b> stands open.".to_owned(),
            causes => {
                format!("<b>{} causes</b> stand open, {} without an owner.", grouped(causes), grouped(counts.open))
            }
        },
        facets,
        tabs: vec![
            tab("open", "Open", Some(counts.open + counts.acknowledged)),
            tab("snoozed", "Snoozed", Some(counts.snoozed)),
            tab("closed", "Over", None),
        ],
        age_head: if closed { "Was" } else { "Age" },
        last_head: if closed { "Over since" } else { "Quiet for" },
        none: match (closed, set) {
            (_, true) => "Nothing fits these facets.",
            (true, _) => "Nothing is over yet.",
            _ => "Nothing stands here. Good.",
        },
        shown: if rows.len() as u64 == n {
            format!("All {} shown, {}", grouped(n), if closed { "newest first" } else { "worst first" })
        } else {
            format!("{} of {}", rows.len(), grouped(n))
        },
        rows,
        limit: LIMIT,
        first: fields.get("after").map(|_| format!("/alerts{}", fields.query_without(&["after"]))),
        next: page.next.map(|next| format!("/alerts{}", fields.query_with("after", &next, &["open"]))),
        csv: format!("/alerts.csv{}", fields.query_without(&["after", "open"])),
        shell,
    })
}

/// Facets of alerts and of their causes.
pub(crate) fn severity_facet(fields: &Fields, counts: &alerts::AlertCounts) -> Facet {
    let options = [
        ("critical", "Stopped", Some(counts.critical)),
        ("warning", "Attention", Some(counts.warning)),
        ("other", "Notice", Some((counts.open + counts.acknowledged).saturating_sub(counts.critical + counts.warning))),
    ];
    Facet::of(fields, ("Severity", "severity"), &options)
}

/// Who takes care.
pub(crate) fn owner_facet(fields: &Fields, counts: &alerts::AlertCounts) -> Facet {
    let options = [("nobody", "Nobody yet", Some(counts.open)), ("me", "Me", None), ("others", "Others", None)];
    Facet::of(fields, ("Owner", "owner"), &options)
}

/// Whom it concerns.
pub(crate) fn audience_facet(fields: &Fields) -> Facet {
    let options = [
        ("operator", "Who is nearby", None),
        ("supplies", "Supplies", None),
        ("service", "Service", None),
        ("fleet", "The fleet", None),
    ];
    Facet::of(fields, ("Concerns", "for"), &options)
}

fn facets_of(fields: &Fields, counts: &alerts::AlertCounts) -> Facets {
    let groups = vec![severity_facet(fields, counts), owner_facet(fields, counts), audience_facet(fields)];
    Facets::of(fields, "/alerts", groups)
}

fn line(a: &AlertRow, href: String, open: bool, now: Micros, manager: bool, zone: &crate::words::Zone) -> AlertLine {
    let stands = a.cleared_at.is_none();
    let where_ = if a.group.is_empty() { String::new() } else { format!(" in {}", group_words(&a.group)) };
    let part = if a.part.is_empty() { String::new() } else { format!(", row {}", a.part) };
    let flaps = if a.flaps > 0 {
        format!(" It went and came back {} times.", grouped(u64::try_from(a.flaps).unwrap_or(0)))
    } else {
        String::new()
    };
    let until = a.snoozed_until.filter(|_| a.state == "snoozed").map(|at| format!("until {}", zone.moment(at)));
    AlertLine {
        id: a.id.to_string(),
        href,
        open,
        mark: alert_mark(&a.severity, &a.reason),
        title: title(a),
        text: text(a),
        device: a.device.to_string(),
        device_name: a.device_name.clone(),
        model: model(&a.device_model),
        age: age_long(a.cleared_at.unwrap_or(now), a.raised_at),
        owner: a.owner.clone().unwrap_or_else(|| "nobody".to_owned()),
        can_take: stands && manager && a.state == "open",
        can_snooze: stands && manager && a.state != "snoozed" && a.state != "resolved",
        next: if stands { next_step(&a.reason) } else { "" },
        last: a.cleared_at.map(|at| zone.moment(at)).or(until).unwrap_or_default(),
        why: format!(
            "Told by {} {}{where_}{part}.{flaps}",
            match a.source.as_str() {
                "platen" => "Platen",
                "trap" => "a trap of the device",
                _ => "the device",
            },
            zone.moment(a.raised_at)
        ),
        said: match (&a.text, a.code) {
            (Some(_), _) if a.source == "platen" => "It says nothing of it: Platen found it out.".to_owned(),
            (Some(text), Some(code)) => format!("“{text}”, code {code}"),
            (Some(text), None) => format!("“{text}”"),
            (None, Some(code)) => format!("code {code}, without words"),
            (None, None) => format!("{} without words", a.reason),
        },
        clears: clears_when(&a.reason),
    }
}

/// `kyocera ECOSYS P3155dn` as people write it.
pub(crate) fn model(slug_and_model: &str) -> String {
    match slug_and_model.split_once(' ') {
        Some((vendor, model)) if vendor.chars().all(|c| c.is_ascii_lowercase() || c == '-') => {
            model_name(Some(vendor), Some(model))
        }
        _ => slug_and_model.to_owned(),
    }
}

/// `POST /alerts/{id}/acknowledge`.
pub(crate) async fn acknowledge(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    posted: Posted,
) -> Shown {
    let ctx = &posted.viewer.whole;
    alerts::acknowledge(ctx, alerts::incident_of(ctx, AlertId::parse(&id)?).await?, None, None).await?;
    Ok(go(&app, &headers, posted.fields.text("next"), "acknowledged"))
}

/// `POST /alerts/{id}/snooze`.
pub(crate) async fn snooze(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    posted: Posted,
) -> Shown {
    let hours = match posted.fields.text("for") {
        "1h" => 1,
        "8h" => 8,
        "7d" => 168,
        _ => 24,
    };
    let ctx = &posted.viewer.whole;
    let until = ctx.now + Duration::from_secs(hours * 3_600);
    alerts::snooze(ctx, alerts::incident_of(ctx, AlertId::parse(&id)?).await?, until, None, None).await?;
    Ok(go(&app, &headers, posted.fields.text("next"), "snoozed"))
}

/// `GET /alerts.csv`: the whole list that the address describes.
pub(crate) async fn csv(viewer: Viewer, fields: Fields) -> Shown {
    let (ctx, query) = (viewer.ctx.clone(), query(&fields, viewer.whole.actor.name()));
    let at = move |after| AlertQuery { page: PageQuery { limit: Some(500), after, count: false }, ..query.clone() };
    let first = alerts::list(&ctx, &at(None)).await?;
    Ok(listing::csv_pages::<_, AlertView, _, _>("alerts.csv", first, move |after| {
        let (ctx, query) = (ctx.clone(), at(Some(after)));
        async move { alerts::list(&ctx, &query).await.ok() }
    }))
}
