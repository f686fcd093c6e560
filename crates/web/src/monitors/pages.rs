//! `/registrations` and `/registrations/{id}`.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use platen_core::{
    Error, MonitorId, OrgId, PageQuery, Role,
    monitors::{self, KindState, Monitor, MonitorQuery, MonitorState, NewMonitor},
    orders::CommandId,
};
use wire::{hello::Road, monitor::Kind};

use super::api::CommandPost;
use crate::{
    app::App,
    draw::{self, SlotLine},
    fields::{Fields, Posted},
    orders::{OrderLine, order_line},
    shell::{Section, Shell, Shown, again, go, show, show_as},
    trouble::Trouble,
    viewer::Viewer,
    words::{self, Mark, Zone, age, count, grouped, vendor_name},
};

struct Line {
    id: String,
    mark: Mark,
    name: String,
    serial: String,
    org: String,
    road: &'static str,
    said: String,
}

struct Refused {
    serial: String,
    vendor: String,
    why: String,
    peer: String,
    tries: String,
    last: String,
}

#[derive(Template)]
#[template(path = "monitors/list.html")]
struct MonitorsPage {
    shell: Shell,
    summary: String,
    rows: Vec<Line>,
    refused: Vec<Refused>,
    may_change: bool,
    made: Option<(String, String, String)>,
    next: Option<String>,
}

fn mark(state: MonitorState) -> Mark {
    match state {
        MonitorState::Registered => words::mark("sleep", "s-sleep", "Waits"),
        MonitorState::Active => words::mark("", "s-ready", "Reports"),
        MonitorState::Suspended => words::mark("off", "s-off", "Suspended"),
    }
}

fn road_words(road: Option<Road>) -> &'static str {
    match road {
        Some(Road::Https) => "HTTPS",
        Some(Road::HttpsBothWays) => "HTTPS, both ways",
        Some(Road::Mail) => "Mail",
        Some(Road::MailBothWays) => "Mail, both ways",
        None => "",
    }
}

fn name_in(shell: &Shell, org: OrgId) -> String {
    let org = org.to_string();
    shell.orgs.iter().find(|known| known.id == org).map(|known| known.name.clone()).unwrap_or_default()
}

fn name_of(monitor: &Monitor) -> String {
    let vendor = vendor_name(&monitor.vendor);
    if monitor.model.is_empty() { vendor } else { format!("{vendor} {}", monitor.model) }
}

async fn page(app: &App, viewer: &Viewer, fields: &Fields, error: Option<String>) -> Result<MonitorsPage, Trouble> {
    let shell = Shell::of(app, viewer, "Registered devices", Section::Registrations).await?.with_error(error);
    let (now, may_change) = (viewer.ctx.now, viewer.ctx.role >= Role::Manager);
    let query = PageQuery { limit: Some(100), after: fields.get("after").map(str::to_owned), count: true };
    let page = monitors::list(&viewer.ctx, &MonitorQuery { filter: None, page: query }).await?;
    let rows = page.items.iter().map(|monitor| Line {
        id: monitor.id.to_string(),
        mark: mark(monitor.state),
        name: name_of(monitor),
        serial: monitor.serial.clone(),
        org: name_in(&shell, monitor.org),
        road: road_words(monitor.road.or(monitor.said_road)),
        said: monitor.said_at.map_or_else(|| "never".to_owned(), |at| format!("{} ago", age(now, at))),
    });
    let refused = if may_change {
        let first = PageQuery { limit: Some(20), ..PageQuery::default() };
        monitors::strangers(&viewer.ctx, &first).await?.items
    } else {
        Vec::new()
    };
    let refused = refused.into_iter().map(|s| Refused {
        serial: s.serial,
        vendor: vendor_name(&s.vendor),
        why: s.why,
        peer: s.peer,
        tries: grouped(u64::try_from(s.tries).unwrap_or(0)),
        last: format!("{} ago", age(now, s.last_at)),
    });
    Ok(MonitorsPage {
        rows: rows.collect(),
        refused: refused.collect(),
        summary: match page.count.unwrap_or(0) {
            0 => String::new(),
            n => format!(
                "{} by {} own monitor.",
                count(n, "device reports", "devices report"),
                if n == 1 { "its" } else { "their" }
            ),
        },
        may_change,
        made: None,
        next: page.next.map(|next| format!("/registrations{}", fields.query_with("after", &next, &[]))),
        shell,
    })
}

/// `GET /registrations`.
pub(crate) async fn list(State(app): State<App>, viewer: Viewer, fields: Fields) -> Shown {
    show(&page(&app, &viewer, &fields, None).await?)
}

/// `POST /registrations`.
pub(crate) async fn register(State(app): State<App>, posted: Posted) -> Shown {
    let (viewer, f) = (&posted.viewer, &posted.fields);
    let new = NewMonitor {
        vendor: f.text("vendor").to_owned(),
        serial: f.text("serial").to_owned(),
        model: f.get("model").map(str::to_owned),
    };
    // In the organisation that is looked at; without a choice, in the own one.
    let org = viewer.ctx.scope.focus().unwrap_or(viewer.ctx.home);
    match monitors::register(&viewer.ctx, org, &new).await {
        Ok(made) => {
            let mut page = page(&app, viewer, Fields::NONE, None).await?;
            let claim = made.claim.expose().to_owned();
            page.made = Some((made.monitor.id.to_string(), made.monitor.serial, claim));
            show_as(StatusCode::CREATED, &page)
        }
        Err(error) => again(error, |why| page(&app, viewer, Fields::NONE, Some(why))).await,
    }
}

struct KindLine {
    number: u8,
    name: &'static str,
    when: String,
    next: String,
    said: String,
    messages: String,
    size: String,
    set: bool,
    budget: String,
    full: bool,
}

#[derive(Template)]
#[template(path = "monitors/sheet.html")]
pub(super) struct MonitorPage {
    shell: Shell,
    id: String,
    name: String,
    mark: Mark,
    identity: Vec<(&'static str, String)>,
    sentence: String,
    device: Option<String>,
    kinds: Vec<KindLine>,
    slots: String,
    revision: i64,
    orders: Vec<OrderLine>,
    hindered: Option<String>,
    may_change: bool,
    suspended: bool,
    claim: Option<String>,
    /// Roads that a document can be made for here: value, words, whether it is the device's own.
    carried: Vec<Carried>,
    /// It learns by a document alone.
    one_way: bool,
}

pub(super) async fn sheet_of(
    app: &App,
    viewer: &Viewer,
    id: MonitorId,
    error: Option<String>,
) -> Result<MonitorPage, Trouble> {
    let monitor = monitors::get(&viewer.ctx, id).await?;
    let (now, name) = (viewer.ctx.now, name_of(&monitor));
    let shell = Shell::of(app, viewer, &name, Section::Registrations).await?.with_error(error);
    let zone = shell.zone();
    let ago = |at: platen_core::Micros| format!("{} ago", age(now, at));
    let mut identity = vec![("Serial", monitor.serial.clone())];
    identity.extend(monitor.firmware.clone().map(|firmware| ("Firmware", firmware)));
    identity.extend(monitor.mac.clone().map(|mac| ("MAC", mac)));
    if monitor.road.is_some() {
        identity.push(("Road", road_words(monitor.road).to_owned()));
    }
    identity.push(("Registered", zone.day(monitor.registered_at)));
    identity.extend(monitor.hello_at.map(|at| ("Tested", ago(at))));
    if monitor.clock_offset_ms.abs() > 300_000 {
        let way = if monitor.clock_offset_ms > 0 { "fast" } else { "slow" };
        identity.push(("Its clock", format!("{} min {way}", monitor.clock_offset_ms.abs() / 60_000)));
    }
    let carried = carried(viewer, monitor.road);
    let kinds = monitors::kinds(&viewer.ctx, id).await?;
    let orders = monitors::commands(&viewer.ctx, id).await?;
    Ok(MonitorPage {
        id: id.to_string(),
        mark: mark(monitor.state),
        sentence: sentence(&monitor, &carried, &ago),
        device: monitor.device.map(|device| device.to_string()),
        kinds: kinds.iter().map(|state| kind_line(state, &zone, &ago)).collect(),
        slots: slots(&kinds, now, &zone),
        revision: monitor.schedule_revision,
        hindered: monitors::hindered(&monitor).map(words::sentence),
        orders: orders.into_iter().map(|row| order_line(row, &zone)).collect(),
        may_change: viewer.ctx.role >= Role::Manager,
        suspended: monitor.state == MonitorState::Suspended,
        claim: None,
        carried,
        one_way: monitor.road == Some(Road::Mail),
        identity,
        name,
        shell,
    })
}

/// A choice of the form that makes documents.
type Carried = (&'static str, &'static str, bool);

/// None where there is nothing to choose.
fn carried(viewer: &Viewer, own: Option<Road>) -> Vec<Carried> {
    let roads = monitors::activation_roads(&viewer.ctx);
    let value = |road| if road == Road::MailBothWays { "mail-both-ways" } else { "mail" };
    roads.into_iter().map(|road| (value(road), road_words(Some(road)), own == Some(road))).collect()
}

/// The schedule as a picture: a line for each kind that has a slot.
fn slots(kinds: &[KindState], now: platen_core::Micros, zone: &Zone) -> String {
    let lines: Vec<SlotLine> = kinds
        .iter()
        .filter_map(|state| {
            Some(SlotLine {
                name: kind_words(state.kind).to_owned(),
                heard_s: state.said_at.map(|at| at.0 / 1_000_000),
                next_s: state.next_at?.0 / 1_000_000,
                period_s: i64::from(state.period_s?),
            })
        })
        .collect();
    let moment = |at_s: i64| zone.moment(platen_core::Micros(at_s.saturating_mul(1_000_000)));
    draw::slots(&lines, now.0 / 1_000_000, "What was heard in the last day and is told in the next three", &moment)
}

fn sentence(monitor: &Monitor, carried: &[Carried], ago: &impl Fn(platen_core::Micros) -> String) -> String {
    match (monitor.state, monitor.said_at) {
        (MonitorState::Registered, _) => {
            let called =
                "It has not called yet. Type its claim code at the device and run the communication test there";
            let mailed = "; to a device that reaches nothing but mail, carry an activation document.";
            format!("{called}{}", if carried.is_empty() { "." } else { mailed })
        }
        (MonitorState::Suspended, _) => "It is not heard: a person suspended it.".to_owned(),
        (MonitorState::Active, None) => "It passed its communication test and has told nothing yet.".to_owned(),
        (MonitorState::Active, Some(at)) => {
            let road = road_words(monitor.said_road.or(monitor.road));
            format!(
                "It last told something {}, by {}.",
                ago(at),
                if road.is_empty() { "HTTPS".into() } else { road.replace("Mail", "mail") }
            )
        }
    }
}

fn kind_line(state: &KindState, zone: &Zone, ago: &impl Fn(platen_core::Micros) -> String) -> KindLine {
    KindLine {
        number: state.kind.number(),
        name: kind_words(state.kind),
        when: state.period_s.map_or_else(|| as_it_happens(state.kind).to_owned(), every),
        next: state.next_at.map_or_else(String::new, |at| zone.moment(at)),
        said: state.said_at.map_or_else(|| "–".to_owned(), ago),
        messages: grouped(u64::try_from(state.messages).unwrap_or(0)),
        size: if state.size_bytes > 0 { bytes(state.size_bytes) } else { String::new() },
        set: state.set,
        budget: bytes(i64::from(state.kind.budget_bytes())),
        full: state.size_bytes > i64::from(state.kind.budget_bytes()) * 4 / 5,
    }
}

/// A kind as people read it.
pub(crate) fn kind_words(kind: Kind) -> &'static str {
    match kind {
        Kind::Error => "Errors",
        Kind::Jam => "Jams",
        Kind::Alarm => "Alarms",
        Kind::Status => "Status",
        Kind::Billing => "Billing counters",
        Kind::Detailed => "Detailed counters",
        Kind::Parts => "Parts counters",
        Kind::Modes => "Mode counters",
        Kind::Rom => "Firmware versions",
        Kind::DebugLog => "Debug log",
        Kind::Environment => "Temperature, humidity",
        Kind::ServiceAll => "Service menu, all",
        Kind::ServiceDisplay => "Service menu, measured",
        Kind::Browser => "Service browser",
        Kind::Inquiry => "Asks what waits",
        Kind::Smart => "Disk self-test",
    }
}

fn as_it_happens(kind: Kind) -> &'static str {
    match kind {
        Kind::Status => "on change",
        Kind::DebugLog => "when it is full",
        Kind::ServiceAll => "once",
        Kind::Browser => "when switched",
        _ => "at once",
    }
}

fn every(seconds: u32) -> String {
    match seconds {
        s if s % 86_400 == 0 => format!("every {}", count(u64::from(s / 86_400), "day", "days")),
        s if s % 3_600 == 0 => format!("every {}", count(u64::from(s / 3_600), "hour", "hours")),
        s => format!("every {}", count(u64::from(s.div_ceil(60)), "minute", "minutes")),
    }
}

fn bytes(n: i64) -> String {
    match n {
        0..1_024 => format!("{n} B"),
        1_024..1_048_576 => format!("{} KB", (n + 1_023) / 1_024),
        _ => format!("{:.1} MB", n as f64 / 1_048_576.0),
    }
}

/// `GET /registrations/{id}`.
pub(crate) async fn sheet(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Shown {
    show(&sheet_of(&app, &viewer, MonitorId::parse(&id)?, None).await?)
}

/// After a change: back to the sheet with a note, or the sheet with what was wrong.
async fn after(
    app: &App,
    headers: &HeaderMap,
    viewer: &Viewer,
    id: MonitorId,
    done: Result<(), Error>,
) -> Result<Response, Trouble> {
    match done {
        Ok(()) => Ok(go(app, headers, &format!("/registrations/{id}"), "saved")),
        Err(error) => again(error, |why| sheet_of(app, viewer, id, Some(why))).await,
    }
}

/// `POST /registrations/{id}`: suspend, resume, release, or a new claim code.
pub(crate) async fn act(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap, posted: Posted) -> Shown {
    let (viewer, id) = (&posted.viewer, MonitorId::parse(&id)?);
    let done = match posted.fields.text("act") {
        "suspend" => monitors::suspend(&viewer.ctx, id).await.map(drop),
        "resume" => monitors::resume(&viewer.ctx, id).await.map(drop),
        "release" if posted.fields.get("sure") == Some("yes") => {
            monitors::release(&viewer.ctx, id).await?;
            return Ok(go(&app, &headers, "/registrations", "saved"));
        }
        "claim" => {
            let made = monitors::new_claim(&viewer.ctx, id).await?;
            let mut page = sheet_of(&app, viewer, id, None).await?;
            page.claim = Some(made.claim.expose().to_owned());
            return show(&page);
        }
        _ => Err(Error::invalid("act", "choose what to do, and say that you mean it")),
    };
    after(&app, &headers, viewer, id, done).await
}

/// `POST /registrations/{id}/schedule`.
pub(crate) async fn set_schedule(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    posted: Posted,
) -> Shown {
    let id = MonitorId::parse(&id)?;
    let kind = posted.fields.text("kind").parse().ok().and_then(Kind::of_number);
    let hours = posted.fields.text("hours").trim();
    let period = match hours {
        "" => Ok(None),
        text => text.parse::<u32>().map(|hours| Some(hours.saturating_mul(3_600))),
    };
    let ctx = &posted.viewer.ctx;
    let done = match (kind, period) {
        (Some(kind), Ok(period)) => monitors::set_period(ctx, id, kind, period).await,
        _ => Err(Error::invalid("hours", "a period is a whole number of hours; nothing means as usual")),
    };
    if done.is_ok() && monitors::get(ctx, id).await?.road == Some(Road::Mail) {
        return Ok(go(&app, &headers, &format!("/registrations/{id}"), "carry"));
    }
    after(&app, &headers, &posted.viewer, id, done).await
}

/// `POST /registrations/{id}/orders`.
pub(crate) async fn order(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap, posted: Posted) -> Shown {
    let id = MonitorId::parse(&id)?;
    let done = match CommandPost::named(posted.fields.text("what")).order() {
        Ok((what, life_ms)) => monitors::order(&posted.viewer.ctx, id, what, life_ms).await.map(drop),
        Err(_) => Err(Error::invalid("what", "choose an order")),
    };
    after(&app, &headers, &posted.viewer, id, done).await
}

/// `POST /registrations/{id}/orders/{command}/cancel`.
pub(crate) async fn cancel(
    State(app): State<App>,
    Path((id, command)): Path<(String, String)>,
    headers: HeaderMap,
    posted: Posted,
) -> Shown {
    let (id, command) = (MonitorId::parse(&id)?, CommandId::parse(&command)?);
    let done = monitors::cancel(&posted.viewer.ctx, id, command).await;
    after(&app, &headers, &posted.viewer, id, done).await
}
