//! `/devices/{id}/told`.

use askama::Template;
use axum::extract::{Path, State};
use platen_core::{
    DeviceId, Filter, MonitorId, PageQuery,
    devices::{self, DeviceSheet},
    diagnostics::{self, Entry, ToldQuery},
    filter::Operand,
    monitors::{self, MonitorQuery},
};
use wire::{Body, monitor::Kind};

use super::{
    api::kind_of,
    parts::{self, CounterRow, DiskRow, Surroundings},
};
use crate::{
    app::App,
    fields::Fields,
    monitors::kind_words,
    shell::{Section, Shell, Shown, show},
    troubles::{EventLine, line},
    viewer::Viewer,
    words::{Zone, age, count, grouped},
};

/// Events on the page.
const EVENTS: u32 = 20;
/// Messages of surroundings that are drawn: two weeks at two a day.
const SURROUNDINGS: usize = 28;
/// Service values shown before one asks for all.
const VALUES: usize = 24;

struct Link {
    href: String,
    label: String,
    current: bool,
}

struct SetOption {
    value: i64,
    label: String,
    chosen: bool,
}

struct ValueRow {
    path: String,
    value: String,
    before: String,
}

struct LogRow {
    at: String,
    size: String,
    span: String,
    hash: String,
}

#[derive(Template)]
#[template(path = "told/sheet.html")]
struct ToldPage {
    shell: Shell,
    id: String,
    name: String,
    sentence: String,
    registration: Option<String>,
    events: Vec<EventLine>,
    kinds: Vec<Link>,
    kind: String,
    sets: Vec<SetOption>,
    since: Vec<SetOption>,
    counters: Vec<CounterRow>,
    counters_words: String,
    all_counters: Option<Link>,
    versions: Vec<(String, String, String)>,
    surroundings: Option<Surroundings>,
    disk: Option<(String, String, Vec<DiskRow>)>,
    values: Vec<ValueRow>,
    values_words: String,
    all_values: Option<String>,
    browser: Option<String>,
    logs: Vec<LogRow>,
    empty: bool,
}

/// The registration of a device that reports by itself.
async fn registration(viewer: &Viewer, id: DeviceId) -> platen_core::Result<Option<MonitorId>> {
    let filter = Filter::Eq("device".to_owned(), Operand::Text(id.to_string()));
    let page = PageQuery { limit: Some(1), ..PageQuery::default() };
    let found = monitors::list(&viewer.whole, &MonitorQuery { filter: Some(filter), page }).await?;
    Ok(found.items.first().map(|monitor| monitor.id))
}

/// `GET /devices/{id}/told`.
pub(crate) async fn sheet(State(app): State<App>, viewer: Viewer, Path(id): Path<String>, fields: Fields) -> Shown {
    let (id, ctx) = (DeviceId::parse(&id)?, &viewer.whole);
    let device = devices::get(ctx, id).await?;
    let shell = Shell::of(&app, &viewer, &device.row.name, Section::Fleet).await?;
    let zone = shell.zone();
    let page = PageQuery { limit: Some(EVENTS), ..PageQuery::default() };
    let told = diagnostics::told(ctx, &ToldQuery { filter: None, device: Some(id), page }).await?;
    let latest = diagnostics::latest(ctx, id).await?;
    let sets = Sets::of(&viewer, id, &fields, &zone).await?;
    let air = diagnostics::history(ctx, id, Kind::Environment, SURROUNDINGS).await?;
    let values = values(&viewer, id, &latest, &fields, &zone).await?;
    let registration = registration(&viewer, id).await?;
    let logs = diagnostics::history(ctx, id, Kind::DebugLog, 20).await?;
    let of = |kind: Kind| latest.iter().find(|entry| entry.body.kind() == u64::from(kind.number()));
    show(&ToldPage {
        id: id.to_string(),
        name: device.row.name.clone(),
        sentence: sentence(&device, &latest, registration, &zone),
        registration: registration.map(|id| id.to_string()),
        events: told.items.iter().map(|row| line(row, &zone)).collect(),
        versions: versions(&device, &zone),
        surroundings: parts::surroundings(&air, &zone),
        disk: of(Kind::Smart).and_then(|entry| match &entry.body {
            Body::Smart(body) => {
                let (sentence, rows) = parts::disk(body);
                Some((zone.full(entry.at), sentence, rows))
            }
            _ => None,
        }),
        browser: of(Kind::Browser).and_then(|entry| match &entry.body {
            Body::Browser(state) => {
                let word = |on| if on { "on" } else { "off" };
                let at = zone.full(entry.at);
                Some(format!(
                    "Service browser {}, optional browser {}, since {at}.",
                    word(state.service),
                    word(state.option)
                ))
            }
            _ => None,
        }),
        logs: logs.iter().filter_map(|entry| log_row(entry, &zone)).collect(),
        empty: told.items.is_empty() && latest.is_empty() && sets.all.is_empty(),
        kinds: sets.kinds,
        kind: sets.kind,
        sets: sets.all,
        since: sets.since,
        counters: sets.rows,
        counters_words: sets.words,
        all_counters: sets.other,
        values: values.0,
        values_words: values.1,
        all_values: values.2,
        shell,
    })
}

fn sentence(device: &DeviceSheet, latest: &[Entry], registration: Option<MonitorId>, zone: &Zone) -> String {
    let by = if registration.is_some() { "It tells these by itself" } else { "Its agent reads these from it" };
    match latest.iter().map(|entry| entry.at).max() {
        Some(at) => format!("{by}, last at {}.", zone.moment(at)),
        None => format!("{by}; it was last heard {} ago.", age(device.now, device.row.seen_at)),
    }
}

fn versions(device: &DeviceSheet, zone: &Zone) -> Vec<(String, String, String)> {
    let firmware = device.components.iter().filter(|part| part.kind == "firmware");
    firmware.map(|part| (part.name.clone(), part.version.clone(), zone.full(part.first_at))).collect()
}

/// A debug log as a file.
pub(crate) async fn log(viewer: Viewer, Path((id, sha256)): Path<(String, String)>) -> Shown {
    let bytes = diagnostics::log(&viewer.whole, DeviceId::parse(&id)?, &sha256).await?;
    Ok(super::api::log_file(&sha256, bytes))
}

fn log_row(entry: &Entry, zone: &Zone) -> Option<LogRow> {
    let Body::DebugLog(log) = &entry.body else { return None };
    let moment = |ms: i64| zone.moment(platen_core::Micros(ms.saturating_mul(1_000)));
    Some(LogRow {
        at: zone.full(entry.at),
        size: format!("{} B", grouped(log.size_bytes)),
        span: format!("{} to {}", moment(log.from_ms), moment(log.to_ms)),
        hash: log.sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
    })
}

/// The sets of counters that the address asks for.
struct Sets {
    kinds: Vec<Link>,
    kind: String,
    all: Vec<SetOption>,
    since: Vec<SetOption>,
    rows: Vec<CounterRow>,
    words: String,
    other: Option<Link>,
}

impl Sets {
    async fn of(viewer: &Viewer, id: DeviceId, fields: &Fields, zone: &Zone) -> platen_core::Result<Self> {
        let ctx = &viewer.whole;
        let all = diagnostics::sets(ctx, id, None, 500).await?;
        let kinds = [Kind::Billing, Kind::Detailed, Kind::Parts, Kind::Modes];
        let told: Vec<Kind> = kinds.into_iter().filter(|kind| all.iter().any(|set| set.kind == *kind)).collect();
        let wanted = fields.get("kind").and_then(kind_of).filter(|kind| told.contains(kind));
        let Some(kind) = wanted.or(told.first().copied()) else { return Ok(Self::none()) };
        let word = |kind: Kind| format!("{kind:?}").to_lowercase();
        let number = |name: &str| fields.get(name).and_then(|text| text.parse().ok());
        let both = diagnostics::compare(ctx, id, kind, number("at"), number("since")).await?;
        let option = |set: &diagnostics::SetRow, chosen: Option<i64>| SetOption {
            value: set.taken_ms,
            label: zone.full(set.at),
            chosen: chosen == Some(set.taken_ms),
        };
        let of_kind = || all.iter().filter(|set| set.kind == kind).take(100);
        let changed = fields.get("all").is_none() && both.before_ms.is_some();
        let rows = parts::counters(&both, changed);
        let address = |fields: String| format!("/devices/{id}/told{fields}#counters");
        let since = both.before_at.map_or_else(String::new, |at| format!(", beside {}", zone.full(at)));
        Ok(Self {
            kinds: told
                .iter()
                .map(|of| Link {
                    href: address(fields.query_with("kind", &word(*of), &["at", "since", "all"])),
                    label: kind_words(*of).to_owned(),
                    current: *of == kind,
                })
                .collect(),
            kind: word(kind),
            words: format!(
                "{} at {}{since}",
                count(both.lines.len() as u64, "counter", "counters"),
                zone.full(both.at)
            ),
            all: of_kind().map(|set| option(set, Some(both.taken_ms))).collect(),
            since: of_kind()
                .filter(|set| set.taken_ms < both.taken_ms)
                .map(|set| option(set, both.before_ms))
                .collect(),
            other: both.before_ms.map(|_| Link {
                href: address(fields.query_with("all", if changed { "yes" } else { "" }, &[])),
                label: if changed {
                    format!("All {}", grouped(both.lines.len() as u64))
                } else {
                    "Only what changed".to_owned()
                },
                current: false,
            }),
            rows,
        })
    }

    fn none() -> Self {
        let (kinds, all, since, rows) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { kinds, kind: String::new(), all, since, rows, words: String::new(), other: None }
    }
}

/// Service values with what they were before, the words above them, and the address of all.
async fn values(
    viewer: &Viewer,
    id: DeviceId,
    latest: &[Entry],
    fields: &Fields,
    zone: &Zone,
) -> platen_core::Result<(Vec<ValueRow>, String, Option<String>)> {
    let of = |body: &Body| matches!(body, Body::ServiceAll(_) | Body::ServiceDisplay(_));
    let Some(newest) = latest.iter().filter(|entry| of(&entry.body)).max_by_key(|entry| entry.taken_ms) else {
        return Ok((Vec::new(), String::new(), None));
    };
    let kind = Kind::of_number(newest.body.kind()).unwrap_or(Kind::ServiceAll);
    let earlier = diagnostics::history(&viewer.whole, id, kind, 2).await?;
    let of_body = |body: &Body| match body {
        Body::ServiceAll(body) | Body::ServiceDisplay(body) => body.values.clone(),
        _ => Vec::new(),
    };
    let before = earlier.get(1).map(|entry| of_body(&entry.body)).unwrap_or_default();
    let all = of_body(&newest.body);
    let total = all.len();
    let was = |path: &str| before.iter().find(|value| value.path == path).map(|value| value.value.clone());
    let mut rows: Vec<ValueRow> = all
        .into_iter()
        .map(|value| ValueRow {
            before: was(&value.path).filter(|before| *before != value.value).unwrap_or_default(),
            path: value.path,
            value: value.value,
        })
        .collect();
    rows.sort_by_key(|row| row.before.is_empty());
    let whole = fields.get("values") == Some("all");
    if !whole {
        rows.truncate(VALUES);
    }
    let what = if kind == Kind::ServiceAll { "all values" } else { "measured values" };
    let words = format!("{what}, {}", zone.full(newest.at));
    let more = (!whole && total > VALUES)
        .then(|| format!("/devices/{id}/told{}#service", fields.query_with("values", "all", &[])));
    Ok((rows, words, more))
}
