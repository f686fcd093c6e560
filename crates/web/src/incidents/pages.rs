//! `/incidents` and `/incidents/{id}`.

use std::time::Duration;

use askama::Template;
use axum::{
    body::Body,
    extract::{Path, State},
    http::HeaderMap,
};
use platen_core::{
    Error, Filter, Micros, PageQuery, Role,
    alerting::{self, Firing},
    alerts::{self, IncidentId, IncidentQuery, IncidentRow},
    filter::Operand,
    notifications::{self, Notification},
};

use super::api::IncidentView;
use crate::{
    alerting::message_state,
    alerts::{AlertBrief, audience_facet, brief, model, owner_facet, severity_facet},
    app::App,
    devices::download,
    fields::{Fields, Posted},
    listing,
    shell::{
        Section, Shell, Shown, again,
        facets::{self, Facets, Tab, one_of, owners},
        go, show,
    },
    trouble::Trouble,
    viewer::Viewer,
    words::{Mark, Zone, age_long, alert_mark, capital, clears_when, count, grouped, mark, next_step},
};

/// Incidents of a page.
const LIMIT: u32 = 50;

struct Line {
    href: String,
    mark: Mark,
    title: String,
    what: String,
    age: String,
    owner: String,
    alerts: String,
}

#[derive(Template)]
#[template(path = "incidents/list.html")]
struct IncidentsPage {
    shell: Shell,
    summary: String,
    facets: Facets,
    tabs: Vec<Tab>,
    rows: Vec<Line>,
    age_head: &'static str,
    none: &'static str,
    teach: bool,
    shown: String,
    limit: u32,
    first: Option<String>,
    next: Option<String>,
    csv: String,
}

fn query(fields: &Fields, me: &str, limit: u32, after: Option<String>) -> IncidentQuery {
    let tab = fields.get("state").unwrap_or("open");
    let mut all = Vec::new();
    match tab {
        "snoozed" => all.push(facets::eq("state", "snoozed")),
        "closed" => {}
        _ => all.push(Filter::Ne("state".to_owned(), Operand::Text("snoozed".to_owned()))),
    }
    all.extend(one_of(fields, "severity", "severity"));
    all.extend(owners(fields, me));
    all.extend(one_of(fields, "for", "audience"));
    let page = PageQuery { limit: Some(limit), after, count: true };
    IncidentQuery { filter: facets::all(all), open: Some(tab != "closed"), page }
}

/// What it is about, in a few words.
fn what(i: &IncidentRow) -> String {
    let device = i.device_name.as_ref().map(|name| {
        let model = i.device_model.as_deref().map(model).unwrap_or_default();
        if model.is_empty() { name.clone() } else { format!("{name}, {model}") }
    });
    let agent = i.agent_name.as_ref().map(|name| format!("agent {name}"));
    device.or(agent).unwrap_or_default()
}

fn line(i: &IncidentRow, now: Micros) -> Line {
    Line {
        href: format!("/incidents/{}", i.id),
        mark: state_mark(i),
        title: capital(&i.title),
        what: what(i),
        age: age_long(i.resolved_at.unwrap_or(now), i.opened_at),
        owner: i.owner.clone().unwrap_or_else(|| "nobody".to_owned()),
        alerts: if i.alerts > 1 { grouped(u64::try_from(i.alerts).unwrap_or(0)) } else { String::new() },
    }
}

fn state_mark(i: &IncidentRow) -> Mark {
    if i.resolved_at.is_some() { mark("", "s-ready", "Over") } else { alert_mark(&i.severity, &i.reason) }
}

/// `GET /incidents`.
pub(crate) async fn list(State(app): State<App>, viewer: Viewer, fields: Fields) -> Shown {
    let shell = Shell::of(&app, &viewer, "Incidents", Section::Alerts).await?;
    let asked = query(&fields, &shell.user, LIMIT, fields.get("after").map(str::to_owned));
    let page = alerts::list_incidents(&viewer.ctx, &asked).await?;
    let counts = alerts::counts(&viewer.ctx).await?;
    let (now, closed) = (viewer.ctx.now, fields.get("state") == Some("closed"));
    let n = page.count.unwrap_or(0);
    let groups = vec![severity_facet(&fields, &counts), owner_facet(&fields, &counts), audience_facet(&fields)];
    let facets = Facets::of(&fields, "/incidents", groups);
    let tab = |key: &'static str, label, n: Option<u64>| {
        let value = if key == "open" { "" } else { key };
        Tab {
            href: format!("/incidents{}", fields.query_with("state", value, &["after"])),
            label,
            n: n.map(grouped),
            current: fields.get("state").unwrap_or("open") == key,
        }
    };
    show(&IncidentsPage {
        summary: match counts.open + counts.acknowledged {
            0 => "Nothing stands open.".to_owned(),
            1 => "<b>1 cause</b> stands open.".to_owned(),
            causes => {
                format!("<b>{} causes</b> stand open, {} without an owner.", grouped(causes), grouped(counts.open))
            }
        },
        tabs: vec![
            tab("open", "Open", Some(counts.open + counts.acknowledged)),
            tab("snoozed", "Snoozed", Some(counts.snoozed)),
            tab("closed", "Over", None),
        ],
        rows: page.items.iter().map(|incident| line(incident, now)).collect(),
        age_head: if closed { "Was" } else { "Age" },
        none: match (closed, facets.any()) {
            (_, true) => "Nothing fits these facets.",
            (true, _) => "Nothing is over yet.",
            _ => "Nothing stands here. Good.",
        },
        teach: n == 0 && !closed && !facets.any(),
        shown: if page.items.len() as u64 == n {
            format!("All {} shown, newest first", grouped(n))
        } else {
            format!("{} of {}", page.items.len(), grouped(n))
        },
        limit: LIMIT,
        first: fields.get("after").map(|_| format!("/incidents{}", fields.query_without(&["after"]))),
        next: page.next.map(|next| format!("/incidents{}", fields.query_with("after", &next, &[]))),
        csv: format!("/incidents.csv{}", fields.query_without(&["after"])),
        facets,
        shell,
    })
}

/// `GET /incidents.csv`: the same list as a file.
pub(crate) async fn csv(viewer: Viewer, fields: Fields) -> Shown {
    let me = viewer.ctx.actor.name().to_owned();
    let (mut bytes, mut after, mut head) = (Vec::new(), None, true);
    loop {
        let page = alerts::list_incidents(&viewer.ctx, &query(&fields, &me, 500, after.take())).await?;
        let rows: Vec<IncidentView> = page.items.into_iter().map(Into::into).collect();
        let chunk = listing::csv_of(&rows, head).map_err(|_| Error::internal("a CSV line could not be written"))?;
        bytes.extend_from_slice(&chunk);
        (head, after) = (false, page.next);
        if after.is_none() {
            return Ok(download("incidents.csv", Body::from(bytes)));
        }
    }
}

struct ToldLine {
    when: String,
    who: String,
    what: String,
    state: String,
}

struct FiredLine {
    href: String,
    name: String,
    words: String,
}

#[derive(Template)]
#[template(path = "incidents/sheet.html")]
struct IncidentPage {
    shell: Shell,
    id: String,
    title: String,
    mark: Mark,
    identity: Vec<(&'static str, String)>,
    lede: String,
    more_to_do: &'static str,
    clears: &'static str,
    device: Option<(String, String)>,
    agent: Option<(String, String)>,
    alerts: Vec<(String, String, AlertBrief)>,
    more: Option<String>,
    fired: Vec<FiredLine>,
    told: Vec<ToldLine>,
    version: i64,
    can_take: bool,
    can_end: bool,
    manager: bool,
}

async fn sheet_of(app: &App, viewer: &Viewer, id: IncidentId, error: Option<String>) -> Result<IncidentPage, Trouble> {
    let ctx = &viewer.ctx;
    let sheet = alerts::incident(ctx, id).await?;
    let i = &sheet.incident;
    let title = capital(&i.title);
    let shell = Shell::of(app, viewer, &title, Section::Alerts).await?.with_error(error);
    let (zone, now, manager) = (shell.zone(), ctx.now, ctx.role >= Role::Manager);
    let firings = if manager { alerting::firings(ctx, id).await? } else { Vec::new() };
    let told = notifications::about(ctx, ("incident", &id.to_string())).await?;
    let stands = i.resolved_at.is_none();
    let standing = u64::try_from(i.alerts).unwrap_or(0);
    let shown = sheet.alerts.len() as u64;
    let brief_of =
        |alert: &alerts::AlertRow| (format!("/devices/{}", alert.device), alert.device_name.clone(), brief(alert, now));
    // What many devices have in common is worth a sentence; one device's cause is the title, and what to do says more.
    let step = if stands { next_step(&i.reason) } else { "" };
    let (lede, more_to_do) = match capital(&i.cause) {
        cause if cause != title => (format!("{cause}."), step),
        _ if stands => (step.to_owned(), ""),
        _ => ("It is over.".to_owned(), ""),
    };
    Ok(IncidentPage {
        id: id.to_string(),
        mark: state_mark(i),
        identity: identity(i, &zone, now),
        lede,
        more_to_do,
        clears: clears_when(&i.reason),
        device: i.device.zip(i.device_name.clone()).map(|(id, name)| (id.to_string(), name)),
        agent: i.agent.zip(i.agent_name.clone()).map(|(id, name)| (id.to_string(), name)),
        alerts: sheet.alerts.iter().map(brief_of).collect(),
        more: (standing > shown).then(|| format!("{} more stand.", grouped(standing - shown))),
        fired: firings.iter().map(|firing| fired(firing, &zone)).collect(),
        told: told.iter().map(|message| told_line(message, &zone)).collect(),
        version: i.version,
        can_take: stands && manager && i.state != "acknowledged",
        can_end: stands && manager,
        manager,
        title,
        shell,
    })
}

fn identity(i: &IncidentRow, zone: &Zone, now: Micros) -> Vec<(&'static str, String)> {
    let mut all = vec![("Began", zone.moment(i.opened_at))];
    all.push((
        "Stands",
        match i.resolved_at {
            Some(at) => format!("no more, since {}", zone.moment(at)),
            None => format!("for {}", age_long(now, i.opened_at)),
        },
    ));
    if i.alerts > 1 {
        all.push(("Alerts", count(u64::try_from(i.alerts).unwrap_or(0), "stands", "stand")));
    }
    let owner = i.owner.clone().unwrap_or_else(|| "nobody".to_owned());
    all.push(("Owner", owner));
    all.extend(i.snoozed_until.filter(|_| i.state == "snoozed").map(|at| ("Quiet until", zone.moment(at))));
    all.extend(i.note.clone().map(|note| ("Note", note)));
    all.extend(i.why.clone().map(|why| ("Ended because", why)));
    all
}

fn fired(firing: &Firing, zone: &Zone) -> FiredLine {
    let next = match firing.next_at {
        Some(at) => format!("; next step {} unless somebody takes it", zone.moment(at)),
        None => String::new(),
    };
    FiredLine {
        href: format!("/rules/{}", firing.rule),
        name: firing.rule_name.clone(),
        words: format!("told {}, step {}{next}", zone.moment(firing.fired_at), firing.step + 1),
    }
}

fn told_line(message: &Notification, zone: &Zone) -> ToldLine {
    ToldLine {
        when: zone.moment(message.created_at),
        who: message.recipient_name.clone(),
        what: message.title.clone(),
        state: message_state(message, zone),
    }
}

/// `GET /incidents/{id}`.
pub(crate) async fn sheet(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Shown {
    show(&sheet_of(&app, &viewer, IncidentId::parse(&id)?, None).await?)
}

/// `POST /incidents/{id}`: take it, snooze it, end it.
pub(crate) async fn act(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap, posted: Posted) -> Shown {
    let (viewer, f, id) = (&posted.viewer, &posted.fields, IncidentId::parse(&id)?);
    let (ctx, note, seen) = (&viewer.whole, f.get("note"), f.text("version").parse().ok());
    let (done, told) = match f.text("act") {
        "take" => (alerts::acknowledge(ctx, id, note, seen).await, "acknowledged"),
        "snooze" => {
            let hours = match f.text("for") {
                "1h" => 1,
                "8h" => 8,
                "7d" => 168,
                _ => 24,
            };
            let until = ctx.now + Duration::from_secs(hours * 3_600);
            (alerts::snooze(ctx, id, until, note, seen).await, "snoozed")
        }
        "end" => (alerts::resolve(ctx, id, f.text("why"), seen).await, "ended"),
        _ => (Err(Error::invalid("act", "choose what to do")), ""),
    };
    match done {
        Ok(_) => Ok(go(&app, &headers, &format!("/incidents/{id}"), told)),
        Err(error) => again(error, |why| sheet_of(&app, viewer, id, Some(why))).await,
    }
}
