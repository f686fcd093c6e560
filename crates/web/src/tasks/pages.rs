//! `/tasks`, `/tasks/new` and `/tasks/{id}`.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::HeaderMap,
};
use platen_core::{
    Error, Filter, PageQuery,
    tasks::{self, Counts, NewTask, Preview, ShareQuery, ShareState, Task, TaskId, TaskState, Wish},
};
use wire::monitor::Kind;

use crate::{
    app::App,
    draw,
    fields::{Fields, Posted},
    monitors::kind_words,
    shell::{Section, Shell, Shown, again, facets::Tab, go, show},
    trouble::Trouble,
    viewer::Viewer,
    words::{self, Mark, Zone, count, grouped, mark, model_name},
};

/// Wishes and shares of a page.
const LIMIT: u32 = 50;

struct TaskLine {
    id: String,
    mark: Mark,
    what: String,
    devices: String,
    bar: String,
    done: String,
    by: String,
    at: String,
}

#[derive(Template)]
#[template(path = "tasks/list.html")]
struct TasksPage {
    shell: Shell,
    summary: String,
    rows: Vec<TaskLine>,
    next: Option<String>,
}

fn task_mark(state: TaskState) -> Mark {
    match state {
        TaskState::Running => mark("busy", "s-busy", "Running"),
        TaskState::Done => mark("", "s-ready", "Done"),
        TaskState::PartlyDone => mark("warn", "s-warn", "Partly done"),
        TaskState::Failed => mark("stop", "s-stop", "Failed"),
        TaskState::Cancelled => mark("off", "s-off", "Taken back"),
    }
}

fn share_mark(state: ShareState) -> Mark {
    match state {
        ShareState::Waiting => mark("sleep", "s-sleep", "Waits for its order"),
        ShareState::Assigned => mark("sleep", "s-sleep", "Not fetched yet"),
        ShareState::Running => mark("busy", "s-busy", "Fetched"),
        ShareState::Succeeded => mark("", "s-ready", "Done"),
        ShareState::Failed => mark("stop", "s-stop", "Failed"),
        ShareState::Skipped => mark("off", "s-off", "Left before"),
        ShareState::Cancelled => mark("off", "s-off", "Taken back"),
        ShareState::TimedOut => mark("warn", "s-warn", "Too late"),
    }
}

fn wish_words(wish: &Wish) -> String {
    match wish {
        Wish::ReportNow { kinds } if kinds.is_empty() => "Report everything now".to_owned(),
        Wish::ReportNow { kinds } => {
            let words: Vec<_> = kinds.iter().map(|kind| kind_words(*kind).to_lowercase()).collect();
            format!("Report now: {}", words.join(", "))
        }
        Wish::SendLog => "Send the debug log".to_owned(),
        Wish::SetPeriod { kind, period_s: Some(period) } => {
            format!("{} every {}", kind_words(*kind), count(u64::from(*period).div_ceil(3_600), "hour", "hours"))
        }
        Wish::SetPeriod { kind, period_s: None } => format!("{} as usual", kind_words(*kind)),
    }
}

fn ended(counts: &Counts) -> u64 {
    ShareState::ALL.into_iter().filter(|state| !state.is_open()).map(|state| counts.of(state)).sum()
}

fn task_line(task: &Task, zone: &Zone) -> TaskLine {
    let all = u64::try_from(task.devices).unwrap_or(0);
    TaskLine {
        id: task.id.to_string(),
        mark: task_mark(task.state),
        what: wish_words(&task.wish),
        devices: count(all, "device", "devices"),
        bar: draw::progress(ended(&task.counts), all),
        done: format!("{} of {} done", grouped(task.counts.succeeded), grouped(all)),
        by: task.made_by.clone(),
        at: zone.moment(task.made_at),
    }
}

/// `GET /tasks`.
pub(crate) async fn list(State(app): State<App>, viewer: Viewer, fields: Fields) -> Shown {
    let shell = Shell::of(&app, &viewer, "Tasks", Section::Tasks).await?;
    let zone = shell.zone();
    let query = PageQuery { limit: Some(LIMIT), after: fields.get("after").map(str::to_owned), count: true };
    let page = tasks::list(&viewer.ctx, &query).await?;
    show(&TasksPage {
        summary: match page.count.unwrap_or(0) {
            0 => String::new(),
            n => count(n, "wish", "wishes"),
        },
        rows: page.items.iter().map(|task| task_line(task, &zone)).collect(),
        next: page.next.map(|next| format!("/tasks{}", fields.query_with("after", &next, &[]))),
        shell,
    })
}

struct ReachedLine {
    href: String,
    name: String,
    serial: String,
    road: &'static str,
}

/// What was looked at.
struct Seen {
    words: String,
    rows: Vec<ReachedLine>,
    more: String,
    /// Why others would get none, with how many.
    refused: Vec<(String, String)>,
}

/// The road of an order, for people.
fn road_words(road: &str) -> &'static str {
    match road {
        "agent" => "By its agent",
        "https" => "HTTPS",
        "https-both-ways" => "HTTPS, both ways",
        "mail-both-ways" => "Mail, both ways",
        _ => "Mail",
    }
}

/// The road of many orders, within a sentence.
fn by_road(road: &str) -> &'static str {
    match road {
        "agent" => "by their agents",
        "https" => "by HTTPS",
        "https-both-ways" => "by HTTPS both ways",
        "mail-both-ways" => "by mail both ways",
        _ => "by mail",
    }
}

fn href(unit: &str, device: Option<&str>) -> String {
    device.map_or_else(|| format!("/registrations/{unit}"), |device| format!("/devices/{device}#orders"))
}

fn seen_of(seen: &Preview) -> Seen {
    let roads: Vec<_> = seen.roads.iter().map(|(road, n)| format!("{} {}", grouped(*n), by_road(road))).collect();
    let away = match seen.away {
        0 => String::new(),
        n => format!(" The agent of {} is away; their orders wait until it is back.", grouped(n)),
    };
    let words = match seen.devices {
        0 => "No device would get an order.".to_owned(),
        n => format!("{} would get an order each: {}.{away}", count(n as u64, "device", "devices"), roads.join(", ")),
    };
    let rest = seen.devices.saturating_sub(seen.sample.len());
    let refused = seen.refused.iter().map(|(why, n)| (count(*n, "device", "devices"), words::sentence(why)));
    let rows = seen.sample.iter().map(|one| ReachedLine {
        href: href(&one.unit.to_string(), one.device.map(|device| device.to_string()).as_deref()),
        name: model_name(Some(&one.vendor), Some(one.model.as_str()).filter(|model| !model.is_empty())),
        serial: one.serial.clone(),
        road: road_words(one.road),
    });
    Seen {
        words,
        rows: rows.collect(),
        more: if rest > 0 { format!("and {} more", grouped(rest as u64)) } else { String::new() },
        refused: refused.collect(),
    }
}

struct KindOption {
    value: u8,
    label: &'static str,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "tasks/new.html")]
struct NewPage {
    shell: Shell,
    what: String,
    kinds: Vec<KindOption>,
    hours: String,
    filter: String,
    life: String,
    seen: Option<Seen>,
    reaches: bool,
    hash: String,
}

/// What the form asks for.
fn wish_of(fields: &Fields) -> Result<Wish, Error> {
    let kind = fields.get("kind").and_then(|text| text.parse().ok()).and_then(Kind::of_number);
    match fields.text("what") {
        "send_log" => Ok(Wish::SendLog),
        "set_period" => {
            let kind = kind.ok_or_else(|| Error::invalid("kind", "choose the kind whose period changes"))?;
            let hours = fields.get("hours").map(str::parse::<u32>).transpose();
            let hours = hours
                .map_err(|_| Error::invalid("hours", "a period is a whole number of hours; nothing means as usual"))?;
            Ok(Wish::SetPeriod { kind, period_s: hours.map(|hours| hours.saturating_mul(3_600)) })
        }
        "report_now" => Ok(Wish::ReportNow { kinds: kind.into_iter().collect() }),
        _ => Err(Error::invalid("what", "choose what they shall do")),
    }
}

fn filter_of(fields: &Fields) -> Result<Option<Filter>, Error> {
    fields.get("filter").map(Filter::parse).transpose()
}

async fn new_page(
    app: &App,
    viewer: &Viewer,
    fields: &Fields,
    seen: Option<Preview>,
    error: Option<String>,
) -> Result<NewPage, Trouble> {
    let chosen = fields.get("kind").and_then(|text| text.parse::<u8>().ok());
    let or = |name: &str, usual: &str| fields.get(name).unwrap_or(usual).to_owned();
    Ok(NewPage {
        shell: Shell::of(app, viewer, "New task", Section::Tasks).await?.with_error(error),
        what: or("what", "report_now"),
        kinds: Kind::ALL
            .into_iter()
            .map(|kind| KindOption {
                value: kind.number(),
                label: kind_words(kind),
                chosen: chosen == Some(kind.number()),
            })
            .collect(),
        hours: or("hours", ""),
        filter: or("filter", ""),
        life: or("life", "24"),
        reaches: seen.as_ref().is_some_and(|seen| seen.devices > 0),
        hash: seen.as_ref().map(|seen| seen.hash.clone()).unwrap_or_default(),
        seen: seen.as_ref().map(seen_of),
    })
}

/// `GET /tasks/new`: the form, and whom it would reach once it is filled in.
pub(crate) async fn form(State(app): State<App>, viewer: Viewer, fields: Fields) -> Shown {
    if fields.get("what").is_none() {
        return show(&new_page(&app, &viewer, &fields, None, None).await?);
    }
    let seen = match (wish_of(&fields), filter_of(&fields)) {
        (Ok(wish), Ok(filter)) => tasks::preview(&viewer.ctx, &wish, filter.as_ref()).await,
        (Err(error), _) | (_, Err(error)) => Err(error),
    };
    match seen {
        Ok(seen) => show(&new_page(&app, &viewer, &fields, Some(seen), None).await?),
        Err(error) => again(error, |why| new_page(&app, &viewer, &fields, None, Some(why))).await,
    }
}

/// `POST /tasks`.
pub(crate) async fn create(State(app): State<App>, headers: HeaderMap, posted: Posted) -> Shown {
    let (viewer, f) = (&posted.viewer, &posted.fields);
    let made = async {
        let hours: i64 =
            f.get("life").unwrap_or("24").parse().map_err(|_| Error::invalid("life", "hours, 1 to 168"))?;
        let new = NewTask {
            wish: wish_of(f)?,
            filter: filter_of(f)?,
            life_ms: hours.saturating_mul(3_600_000),
            preview_hash: f.text("hash").to_owned(),
        };
        tasks::create(&viewer.ctx, &new).await
    };
    match made.await {
        Ok(task) => Ok(go(&app, &headers, &format!("/tasks/{}", task.id), "ordered")),
        Err(error) => again(error, |why| new_page(&app, viewer, f, None, Some(why))).await,
    }
}

struct ShareLine {
    href: String,
    road: &'static str,
    mark: Mark,
    name: String,
    serial: String,
    detail: String,
    tries: i64,
    at: String,
}

#[derive(Template)]
#[template(path = "tasks/sheet.html")]
struct TaskPage {
    shell: Shell,
    id: String,
    mark: Mark,
    what: String,
    sentence: String,
    identity: Vec<(&'static str, String)>,
    bar: String,
    tabs: Vec<Tab>,
    rows: Vec<ShareLine>,
    next: Option<String>,
    may_cancel: bool,
    may_retry: bool,
}

async fn task_page(
    app: &App,
    viewer: &Viewer,
    id: TaskId,
    fields: &Fields,
    error: Option<String>,
) -> Result<TaskPage, Trouble> {
    let task = tasks::get(&viewer.ctx, id).await?;
    let state = fields.get("state").map(ShareState::parse).transpose()?;
    let page = PageQuery { limit: Some(LIMIT), after: fields.get("after").map(str::to_owned), count: false };
    let shares = tasks::shares(&viewer.ctx, id, &ShareQuery { state, page }).await?;
    let what = wish_words(&task.wish);
    let shell = Shell::of(app, viewer, &what, Section::Tasks).await?.with_error(error);
    let (zone, manager) = (shell.zone(), shell.manager);
    let all = u64::try_from(task.devices).unwrap_or(0);
    let running = task.state == TaskState::Running;
    let mut identity = vec![("Wished by", task.made_by.clone()), ("At", zone.full(task.made_at))];
    identity
        .push(("For", if task.filter.is_empty() { "all that orders reach".to_owned() } else { task.filter.clone() }));
    identity.push(if running {
        ("Until", zone.full(task.expires_at))
    } else {
        ("Ended", task.ended_at.map_or_else(|| "just now".to_owned(), |at| zone.full(at)))
    });
    let base = format!("/tasks/{id}");
    let mut tabs = vec![Tab { href: base.clone(), label: "All", n: Some(grouped(all)), current: state.is_none() }];
    tabs.extend(ShareState::ALL.into_iter().filter(|of| task.counts.of(*of) > 0 || state == Some(*of)).map(|of| Tab {
        href: format!("{base}?state={}", of.as_str()),
        label: share_mark(of).word,
        n: Some(grouped(task.counts.of(of))),
        current: state == Some(of),
    }));
    Ok(TaskPage {
        id: id.to_string(),
        mark: task_mark(task.state),
        sentence: sentence(&task.counts, all),
        bar: draw::progress(ended(&task.counts), all),
        may_cancel: manager && running,
        may_retry: manager && !running && task.counts.failed_all() > 0,
        rows: shares
            .items
            .into_iter()
            .map(|share| ShareLine {
                href: href(&share.unit.to_string(), share.device.map(|device| device.to_string()).as_deref()),
                road: road_words(&share.road),
                mark: share_mark(share.state),
                name: model_name(Some(&share.vendor), Some(share.model.as_str()).filter(|model| !model.is_empty())),
                serial: share.serial,
                detail: share.detail.map(|text| words::sentence(&text)).unwrap_or_default(),
                tries: share.tries,
                at: zone.moment(share.at),
            })
            .collect(),
        next: shares.next.map(|next| format!("{base}{}", fields.query_with("after", &next, &[]))),
        identity,
        tabs,
        what,
        shell,
    })
}

fn sentence(counts: &Counts, all: u64) -> String {
    let mut text = format!("{} of {} did it", grouped(counts.succeeded), count(all, "device", "devices"));
    let open = counts.open();
    if open > 0 {
        text.push_str(&format!("; {} to come, each when it next calls", grouped(open)));
    }
    let lost = counts.failed_all() + counts.skipped;
    if lost > 0 {
        text.push_str(&format!("; {} did not", grouped(lost)));
    }
    text + "."
}

/// `GET /tasks/{id}`.
pub(crate) async fn sheet(State(app): State<App>, viewer: Viewer, Path(id): Path<String>, fields: Fields) -> Shown {
    show(&task_page(&app, &viewer, TaskId::parse(&id)?, &fields, None).await?)
}

async fn after(app: &App, headers: &HeaderMap, viewer: &Viewer, id: TaskId, done: Result<Task, Error>) -> Shown {
    match done {
        Ok(_) => Ok(go(app, headers, &format!("/tasks/{id}"), "saved")),
        Err(error) => again(error, |why| task_page(app, viewer, id, Fields::NONE, Some(why))).await,
    }
}

/// `POST /tasks/{id}/cancel`.
pub(crate) async fn cancel(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    posted: Posted,
) -> Shown {
    let id = TaskId::parse(&id)?;
    let done = tasks::cancel(&posted.viewer.ctx, id).await;
    after(&app, &headers, &posted.viewer, id, done).await
}

/// `POST /tasks/{id}/retry`.
pub(crate) async fn retry(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap, posted: Posted) -> Shown {
    let id = TaskId::parse(&id)?;
    let done = tasks::retry(&posted.viewer.ctx, id).await;
    after(&app, &headers, &posted.viewer, id, done).await
}
