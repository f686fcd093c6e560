//! `/troubles` and `/troubles/codes`.

use askama::Template;
use axum::extract::State;
use platen_core::{
    DeviceId, Filter, Micros, PageQuery,
    codes::{self, Meaning},
    diagnostics::{self, ToldQuery, ToldRow, Trouble, TroubleQuery},
};
use wire::monitor::{EventBody, Kind};

use super::api::EventView;
use crate::{
    app::App,
    draw::{self, Column},
    fields::{Fields, encode},
    listing,
    shell::{
        Section, Shell, Shown,
        facets::{self, Facet, Tab},
        show,
    },
    viewer::Viewer,
    words::{Mark, Zone, capital, count, grouped, mark, model_name, vendor_name},
};

/// Events of a page.
const LIMIT: u32 = 50;
/// Days of the picture and of the counters.
const DAYS: i64 = 30;
const DAY: i64 = 86_400_000_000;

/// One event, as a table shows it.
pub(crate) struct Line {
    pub(crate) mark: Mark,
    pub(crate) code: String,
    /// The place that a collector tells in the stead of a detail number.
    pub(crate) sub: String,
    pub(crate) text: String,
    pub(crate) known: bool,
    pub(crate) who: &'static str,
    pub(crate) device: String,
    pub(crate) name: String,
    pub(crate) model: String,
    pub(crate) place: String,
    pub(crate) total: String,
    pub(crate) at: String,
}

/// The shape and word of a kind of event.
fn kind_mark(kind: Kind, level: Option<u8>) -> Mark {
    match (kind, level) {
        (Kind::Jam, _) => mark("warn", "s-warn", "Jam"),
        (Kind::Alarm, Some(3)) => mark("stop", "s-stop", "Alarm 3"),
        (Kind::Alarm, Some(2)) => mark("warn", "s-warn", "Alarm 2"),
        (Kind::Alarm, _) => mark("", "s-info", "Alarm"),
        _ => mark("stop", "s-stop", "Error"),
    }
}

/// What a code means, for people, and whether anybody wrote it down.
fn meaning_words(meaning: Option<&'static Meaning>) -> (String, bool) {
    match meaning {
        Some(meaning) if meaning.sure => (meaning.text.clone(), true),
        Some(meaning) => (format!("{} (to be verified)", meaning.text), true),
        None => ("Not in the catalogue".to_owned(), false),
    }
}

fn place_words(event: &EventBody) -> String {
    let tray = event.tray.as_ref().map(|tray| format!("tray {tray}"));
    let media = event.media.as_deref().map(|media| media.rsplit_once('_').map_or(media, |(name, _)| name));
    let media = media.map(|name| capital(name.trim_start_matches("iso_").trim_start_matches("na_")));
    tray.into_iter().chain(media).collect::<Vec<_>>().join(", ")
}

/// An event as a table shows it.
pub(crate) fn line(row: &ToldRow, zone: &Zone) -> Line {
    let event = &row.event;
    let (text, known) = meaning_words(row.meaning);
    let in_words = event.sub_code.as_deref().is_some_and(|sub| sub.contains([' ', ':']));
    let over = if event.standing == Some(false) { "Over: " } else { "" };
    Line {
        mark: kind_mark(row.kind, event.level),
        code: match (&event.sub_code, in_words) {
            (Some(sub), false) => format!("{}-{sub}", event.code),
            _ => event.code.clone(),
        },
        sub: event.sub_code.clone().filter(|_| in_words).unwrap_or_default(),
        text: format!("{over}{text}"),
        known,
        who: row.meaning.filter(|_| event.standing != Some(false)).map_or("", |meaning| meaning.who.label()),
        device: row.device.to_string(),
        name: row.name.clone(),
        model: model_name(Some(&row.vendor), Some(row.model.as_str()).filter(|model| !model.is_empty())),
        place: place_words(event),
        total: event.total.map(grouped).unwrap_or_default(),
        at: zone.moment(row.at),
    }
}

struct Counter {
    mark: Mark,
    vendor: String,
    model: String,
    code: String,
    href: String,
    text: String,
    known: bool,
    who: &'static str,
    events: String,
    devices: String,
    last: String,
}

fn counter(row: &Trouble, zone: &Zone) -> Counter {
    let (text, known) = meaning_words(row.meaning);
    let filter = format!(
        "vendor eq \"{}\" and model eq \"{}\" and code eq \"{}\"",
        row.vendor,
        row.model.replace(['"', '\\'], "*"),
        row.code.replace(['"', '\\'], "*")
    );
    Counter {
        mark: kind_mark(row.kind, None),
        vendor: vendor_name(&row.vendor),
        model: model_name(Some(&row.vendor), Some(row.model.as_str()).filter(|model| !model.is_empty())),
        code: row.code.clone(),
        href: format!("/troubles?filter={}", encode(&filter)),
        text,
        known,
        who: row.meaning.map_or("", |meaning| meaning.who.label()),
        events: grouped(u64::try_from(row.events).unwrap_or(0)),
        devices: grouped(u64::try_from(row.devices).unwrap_or(0)),
        last: zone.moment(row.last_at),
    }
}

#[derive(Template)]
#[template(path = "troubles/list.html")]
struct TroublesPage {
    shell: Shell,
    summary: String,
    kept: Vec<(String, String)>,
    kinds: Facet,
    code: String,
    vendors: Vec<(String, String, bool)>,
    filter: String,
    of_device: Option<(String, String)>,
    facets_set: String,
    tabs: Vec<Tab>,
    by_code: bool,
    unknown: bool,
    rows: Vec<Line>,
    counters: Vec<Counter>,
    chart: String,
    steps: Vec<(String, String, String, String)>,
    none: &'static str,
    shown: String,
    first: Option<String>,
    next: Option<String>,
    csv: String,
}

const KINDS: [(&str, &str, Option<u64>); 3] =
    [("error", "Errors", None), ("jam", "Jams", None), ("alarm", "Alarms", None)];

/// The one condition that the address makes.
fn condition(fields: &Fields) -> platen_core::Result<Option<Filter>> {
    let mut all: Vec<Filter> = facets::one_of(fields, "kind", "kind").into_iter().collect();
    all.extend(fields.get("vendor").map(|vendor| facets::eq("vendor", vendor)));
    all.extend(fields.get("code").map(|code| Filter::Like("code".to_owned(), code.to_owned())));
    all.extend(fields.get("filter").map(Filter::parse).transpose()?);
    Ok(facets::all(all))
}

fn query(fields: &Fields, limit: u32, after: Option<String>) -> platen_core::Result<ToldQuery> {
    let device = fields.get("device").map(DeviceId::parse).transpose()?;
    let page = PageQuery { limit: Some(limit), after, count: true };
    Ok(ToldQuery { filter: condition(fields)?, device, page })
}

/// `GET /troubles`.
pub(crate) async fn list(State(app): State<App>, viewer: Viewer, fields: Fields) -> Shown {
    let told = query(&fields, LIMIT, fields.get("after").map(str::to_owned))?;
    let shell = Shell::of(&app, &viewer, "Troubles", Section::Troubles).await?;
    let zone = shell.zone();
    let by = fields.get("by").unwrap_or_default().to_owned();
    let (by_code, unknown) = (by == "code" || by == "unknown", by == "unknown");
    let steps = diagnostics::told_steps(&viewer.ctx, &told, DAY, DAYS as usize).await?;
    let total: i64 = steps.iter().flat_map(|step| step.counts).sum();
    let (mut rows, mut counters, mut n, mut next) = (Vec::new(), Vec::new(), 0, None);
    if by_code {
        let since = Micros(viewer.ctx.now.0 - DAYS * DAY);
        let wanted = TroubleQuery { since, filter: told.filter.clone(), unknown, ..TroubleQuery::default() };
        counters = diagnostics::troubles(&viewer.ctx, &wanted).await?.iter().map(|row| counter(row, &zone)).collect();
    } else {
        let page = diagnostics::told(&viewer.ctx, &told).await?;
        rows = page.items.iter().map(|row| line(row, &zone)).collect();
        n = page.count.unwrap_or(0);
        next = page.next.map(|next| format!("/troubles{}", fields.query_with("after", &next, &[])));
    }
    let of_device = match told.device {
        Some(device) => Some((device.to_string(), platen_core::devices::get(&viewer.whole, device).await?.row.name)),
        None => None,
    };
    let tab = |key: &str, label| Tab {
        href: format!("/troubles{}", fields.query_with("by", key, &["after"])),
        label,
        n: None,
        current: by == key,
    };
    let set = fields.all("kind").len()
        + ["vendor", "code", "filter", "device"].iter().filter(|name| fields.get(name).is_some()).count();
    show(&TroublesPage {
        summary: match total {
            0 => format!("Nothing was told in the last {DAYS} days."),
            n => format!("{} in the last {DAYS} days.", count(u64::try_from(n).unwrap_or(0), "event", "events")),
        },
        kept: ["by", "filter", "device"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), fields.get(name)?.to_owned())))
            .collect(),
        kinds: Facet::of(&fields, ("Kind", "kind"), &KINDS),
        code: fields.text("code").to_owned(),
        vendors: vendors(&viewer, &fields).await?,
        filter: fields.text("filter").to_owned(),
        of_device,
        facets_set: if set == 0 { "none set".to_owned() } else { format!("{set} set") },
        tabs: vec![tab("", "Events"), tab("code", "By model and code"), tab("unknown", "Not in the catalogue")],
        by_code,
        unknown,
        chart: chart(&steps, &zone),
        steps: figures(&steps, &zone),
        none: match (unknown, set) {
            (true, _) => "Every code that was told is in the catalogue.",
            (_, 1..) => "Nothing fits these facets.",
            _ => {
                "No device has told an error, a jam or an alarm. Devices tell them by their own monitor, agents for those that they read."
            }
        },
        shown: if by_code {
            format!("{} of the last {DAYS} days", count(counters.len() as u64, "code", "codes"))
        } else if rows.len() as u64 == n {
            format!("All {} shown, newest first", grouped(n))
        } else {
            format!("{} of {}", rows.len(), grouped(n))
        },
        rows,
        counters,
        first: fields.get("after").map(|_| format!("/troubles{}", fields.query_without(&["after"]))),
        next,
        csv: format!("/troubles.csv{}", fields.query_without(&["after", "by"])),
        shell,
    })
}

/// Makers whose devices told something, with a mark for the chosen one.
async fn vendors(viewer: &Viewer, fields: &Fields) -> platen_core::Result<Vec<(String, String, bool)>> {
    let since = Micros(viewer.ctx.now.0 - DAYS * DAY);
    let all = diagnostics::troubles(&viewer.ctx, &TroubleQuery { since, ..TroubleQuery::default() }).await?;
    let mut slugs: Vec<String> = all.into_iter().map(|row| row.vendor).collect();
    slugs.extend(fields.get("vendor").map(str::to_owned));
    slugs.sort_unstable();
    slugs.dedup();
    let chosen = fields.get("vendor").unwrap_or_default().to_owned();
    Ok(slugs
        .into_iter()
        .map(|slug| (vendor_name(&slug), slug.clone(), slug == chosen))
        .map(|(n, s, c)| (s, n, c))
        .collect())
}

fn chart(steps: &[diagnostics::Step], zone: &Zone) -> String {
    let columns: Vec<Column> = steps
        .iter()
        .enumerate()
        .map(|(place, step)| Column {
            label: if place % 5 == 0 { zone.day(step.from) } else { String::new() },
            title: zone.moment(step.from),
            parts: step.counts.map(|n| u64::try_from(n).unwrap_or(0)),
        })
        .collect();
    draw::columns(&columns, ["errors", "jams", "alarms"], "Errors, jams and alarms a day")
}

fn figures(steps: &[diagnostics::Step], zone: &Zone) -> Vec<(String, String, String, String)> {
    let figure = |n: i64| grouped(u64::try_from(n).unwrap_or(0));
    let told = steps.iter().rev().filter(|step| step.counts != [0; 3]);
    told.map(|step| {
        let [errors, jams, alarms] = step.counts.map(figure);
        (zone.moment(step.from), errors, jams, alarms)
    })
    .collect()
}

/// `GET /troubles.csv`: all events that the address describes.
pub(crate) async fn csv(viewer: Viewer, fields: Fields) -> Shown {
    let ctx = viewer.ctx.clone();
    let first = diagnostics::told(&ctx, &query(&fields, 500, None)?).await?;
    Ok(listing::csv_pages::<_, EventView, _, _>("troubles.csv", first, move |after| {
        let (ctx, query) = (ctx.clone(), query(&fields, 500, Some(after)));
        async move { diagnostics::told(&ctx, &query.ok()?).await.ok() }
    }))
}

struct CodeLine {
    mark: Mark,
    code: String,
    models: String,
    text: &'static str,
    who: &'static str,
    sure: bool,
}

#[derive(Template)]
#[template(path = "troubles/codes.html")]
struct CodesPage {
    shell: Shell,
    summary: String,
    makers: Vec<(String, String, bool)>,
    name: String,
    rows: Vec<CodeLine>,
}

/// `GET /troubles/codes`: the catalogue of one maker.
pub(crate) async fn codes(State(app): State<App>, viewer: Viewer, fields: Fields) -> Shown {
    let shell = Shell::of(&app, &viewer, "Codes", Section::Troubles).await?;
    let makers = codes::vendors();
    let vendor = fields.get("vendor").or(makers.first().copied()).unwrap_or_default().to_owned();
    let rows: Vec<CodeLine> = codes::all(&vendor, fields.get("model"))
        .into_iter()
        .map(|meaning| CodeLine {
            mark: kind_mark(meaning.kind(), None),
            code: meaning.sub.as_ref().map_or_else(|| meaning.code.clone(), |sub| format!("{}-{sub}", meaning.code)),
            models: meaning.models.join(", "),
            text: &meaning.text,
            who: meaning.who.label(),
            sure: meaning.sure,
        })
        .collect();
    show(&CodesPage {
        summary: count(rows.len() as u64, "entry", "entries"),
        makers: makers.into_iter().map(|slug| (slug.to_owned(), vendor_name(slug), slug == vendor)).collect(),
        name: vendor_name(&vendor),
        rows,
        shell,
    })
}
