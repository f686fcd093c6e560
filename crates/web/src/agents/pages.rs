//! `/agents`.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use platen_core::{
    AgentId, OrgId, PageQuery,
    agents::{self, Agent, AgentState},
    orgs,
};

use super::{api::command, discovery, plan, traps};
use crate::{
    app::App,
    draw,
    fields::Posted,
    orders::{AgentOrders, agent_part},
    shell::{Section, Shell, Shown, again, go, show, show_as},
    trouble::Trouble,
    viewer::Viewer,
    words::{Mark, age, count, grouped, mark},
};

struct AgentLine {
    id: String,
    mark: Mark,
    name: String,
    org: String,
    devices: String,
    silent: String,
    silent_some: bool,
    bar: Option<String>,
    discovery: String,
    outbox: String,
    version: String,
    heard: String,
}

#[derive(Template)]
#[template(path = "agents/list.html")]
struct AgentsPage {
    shell: Shell,
    summary: String,
    rows: Vec<AgentLine>,
}

fn mark_of(state: AgentState) -> Mark {
    match state {
        AgentState::Online => mark("", "s-ready", "On line"),
        AgentState::Offline => mark("off", "s-off", "Off line"),
        AgentState::Revoked => mark("unk", "s-unk", "Revoked"),
    }
}

fn line(agent: &Agent, names: &[orgs::Org], now: platen_core::Micros) -> AgentLine {
    let running = agent.discovery_total > 0;
    AgentLine {
        id: agent.id.to_string(),
        mark: mark_of(agent.state),
        name: agent.name.clone(),
        org: names.iter().find(|o| o.id == agent.org).and_then(|o| o.name.clone()).unwrap_or_default(),
        devices: grouped(agent.devices),
        silent: grouped(agent.unreachable),
        silent_some: agent.unreachable > 0,
        bar: running.then(|| draw::progress(agent.discovery_probed, agent.discovery_total)),
        discovery: if running {
            format!("{} of {}", grouped(agent.discovery_probed), grouped(agent.discovery_total))
        } else {
            "rests".to_owned()
        },
        outbox: grouped(agent.outbox_depth),
        version: agent.program.clone(),
        heard: age(now, agent.last_seen_at),
    }
}

/// `GET /agents`.
pub(crate) async fn list(State(app): State<App>, viewer: Viewer) -> Shown {
    let shell = Shell::of(&app, &viewer, "Agents", Section::Agents).await?;
    let page = PageQuery { limit: Some(200), after: None, count: true };
    let page = agents::list(&viewer.ctx, &agents::AgentQuery { filter: None, page }).await?;
    let counts = agents::counts(&viewer.ctx).await?;
    let names = orgs::tree(&viewer.whole).await?;
    let total = counts.online + counts.offline;
    let off = if counts.offline > 0 { format!(", {} off line", grouped(counts.offline)) } else { String::new() };
    show(&AgentsPage {
        summary: format!("{}{off}.", count(total, "agent", "agents")),
        rows: page.items.iter().map(|agent| line(agent, &names, viewer.ctx.now)).collect(),
        shell,
    })
}

#[derive(Template)]
#[template(path = "agents/invite.html")]
struct InvitePage {
    shell: Shell,
    command: Option<String>,
    until: String,
    org: String,
}

/// `GET /agents/invite`.
pub(crate) async fn invite(State(app): State<App>, viewer: Viewer) -> Shown {
    let shell = Shell::of(&app, &viewer, "Add an agent", Section::Agents).await?;
    show(&InvitePage { shell, command: None, until: String::new(), org: String::new() })
}

/// `POST /agents/invitations`: the command is on the page that answers, and nowhere else.
pub(crate) async fn make_invitation(State(app): State<App>, headers: HeaderMap, posted: Posted) -> Shown {
    let viewer = &posted.viewer;
    let org = match posted.fields.get("org") {
        Some(id) => OrgId::parse(id)?,
        None => viewer.ctx.scope.focus().unwrap_or(viewer.ctx.home),
    };
    let invitation = agents::invite(&viewer.whole, org).await?;
    let shell = Shell::of(&app, viewer, "Add an agent", Section::Agents).await?;
    let name = shell.orgs.iter().find(|o| o.id == org.to_string()).map(|o| o.name.clone()).unwrap_or_default();
    let (command, _) = command(&app, &headers, &invitation);
    let until = shell.zone().moment(invitation.expires_at);
    show_as(StatusCode::CREATED, &InvitePage { command: Some(command), until, org: name, shell })
}

#[derive(Template)]
#[template(path = "agents/sheet.html")]
struct AgentPage {
    shell: Shell,
    id: String,
    name: String,
    mark: Mark,
    identity: Vec<(&'static str, String)>,
    sentence: String,
    discovery: discovery::DiscoveryView,
    targets: String,
    hours: String,
    zone: String,
    zones: &'static [&'static str],
    asks_link: bool,
    reflectors: String,
    door: Option<traps::DoorView>,
    revision: u64,
    ranges: String,
    exclude: String,
    credentials: Vec<plan::CredentialView>,
    status_s: u32,
    meters_s: u32,
    full_s: u32,
    discovery_s: u32,
    discovery_pps: u32,
    subnet_pps: u32,
    version: i64,
    orders: AgentOrders,
}

async fn agent_page(app: &App, viewer: &Viewer, id: AgentId, error: Option<String>) -> Result<AgentPage, Trouble> {
    let agent = agents::get(&viewer.whole, id).await?;
    let plan = agents::plan(&viewer.whole, id).await?;
    let shell = Shell::of(app, viewer, &agent.name, Section::Agents).await?.with_error(error);
    let (zone, now) = (shell.zone(), viewer.ctx.now);
    let followed = if agent.plan_followed == agent.plan_revision {
        "the newest".to_owned()
    } else {
        format!("{}, the newest is {}", agent.plan_followed, agent.plan_revision)
    };
    Ok(AgentPage {
        mark: mark_of(agent.state),
        identity: vec![
            ("Host", agent.host.clone()),
            ("Version", agent.program.clone()),
            ("Key", agent.key.clone()),
            ("Enrolled", zone.day(agent.enrolled_at)),
            ("Heard", format!("{} ago", age(now, agent.last_seen_at))),
            ("Follows plan", followed),
        ],
        sentence: sentence(&agent, plan.ranges.is_empty() && plan.targets.is_empty() && plan.dns_sd.is_empty()),
        discovery: discovery::view(&viewer.whole, &agent, &plan, &zone).await?,
        targets: plan::target_lines(&plan.targets),
        hours: plan.hours.join("\n"),
        zone: plan.zone.clone(),
        zones: plan::ZONES,
        asks_link: plan.dns_sd.iter().any(|link| link == "local"),
        reflectors: plan.dns_sd.iter().filter(|link| *link != "local").cloned().collect::<Vec<_>>().join(", "),
        door: traps::view(&viewer.whole, id).await?,
        revision: plan.revision,
        ranges: plan.ranges.join("\n"),
        exclude: plan.exclude.join("\n"),
        credentials: plan::credentials(&plan),
        status_s: plan.status_s,
        meters_s: plan.meters_s,
        full_s: plan.full_s,
        discovery_s: plan.discovery_s,
        discovery_pps: plan.discovery_pps,
        subnet_pps: plan.subnet_pps,
        version: agent.version,
        orders: agent_part(viewer, &shell, id).await?,
        id: agent.id.to_string(),
        name: agent.name,
        shell,
    })
}

/// How the agent is, in one sentence.
fn sentence(agent: &Agent, no_ranges: bool) -> String {
    let waiting = match agent.outbox_depth {
        0 => String::new(),
        1 => " 1 message waits in its outbox.".to_owned(),
        n => format!(" {} wait in its outbox.", count(n, "message", "messages")),
    };
    let reads = match (agent.devices, agent.unreachable) {
        (0, _) => "It reads no device yet.".to_owned(),
        (n, 0) => format!("It reads {}, and all of them answer.", count(n, "device", "devices")),
        (n, silent) => {
            format!("It reads {}; {} of them do not answer.", count(n, "device", "devices"), grouped(silent))
        }
    };
    match agent.state {
        AgentState::Revoked => "Revoked: nothing it sends is accepted.".to_owned(),
        AgentState::Offline => {
            "It does not call. What its devices do now is unknown; nothing is lost, it keeps what it reads.".to_owned()
        }
        AgentState::Online if no_ranges => {
            "It waits to be told where the printers are: give it a range below.".to_owned()
        }
        AgentState::Online => format!("{reads}{waiting}"),
    }
}

/// `GET /agents/{id}`.
pub(crate) async fn sheet(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Shown {
    show(&agent_page(&app, &viewer, AgentId::parse(&id)?, None).await?)
}

/// Back to the sheet with a note, or the sheet with what was wrong.
pub(crate) async fn after(
    app: &App,
    headers: &HeaderMap,
    posted: &Posted,
    id: AgentId,
    done: platen_core::Result<()>,
    note: &str,
) -> Shown {
    match done {
        Ok(()) => Ok(go(app, headers, &format!("/agents/{id}"), note)),
        Err(error) => again(error, |why| as_written(app, posted, id, why)).await,
    }
}

/// The sheet with what a person wrote: it is not lost with its fault.
async fn as_written(app: &App, posted: &Posted, id: AgentId, why: String) -> Result<AgentPage, Trouble> {
    let (mut page, fields) = (agent_page(app, &posted.viewer, id, Some(why)).await?, &posted.fields);
    let texts = [
        ("ranges", &mut page.ranges),
        ("exclude", &mut page.exclude),
        ("targets", &mut page.targets),
        ("hours", &mut page.hours),
        ("zone", &mut page.zone),
    ];
    for (name, text) in texts.into_iter().filter(|(name, _)| fields.0.iter().any(|(key, _)| key == name)) {
        fields.text(name).clone_into(text);
    }
    Ok(page)
}

/// `POST /agents/{id}`.
pub(crate) async fn rename(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    posted: Posted,
) -> Shown {
    let id = AgentId::parse(&id)?;
    let version = posted.fields.text("version").parse().ok();
    let done = agents::rename(&posted.viewer.whole, id, posted.fields.text("name"), version).await.map(drop);
    after(&app, &headers, &posted, id, done, "saved").await
}

/// `POST /agents/{id}/plan`.
pub(crate) async fn set_plan(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    posted: Posted,
) -> Shown {
    let id = AgentId::parse(&id)?;
    let ctx = &posted.viewer.whole;
    let old = agents::plan(ctx, id).await?;
    let done = match plan::from_form(&posted.fields, &old) {
        Ok(plan) => agents::set_plan(ctx, id, plan).await.map(drop),
        Err(error) => Err(error),
    };
    after(&app, &headers, &posted, id, done, "plan").await
}

/// `POST /agents/{id}/revoke`.
pub(crate) async fn revoke(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    posted: Posted,
) -> Shown {
    let id = AgentId::parse(&id)?;
    if posted.fields.get("sure") != Some("yes") {
        return show_as(
            StatusCode::BAD_REQUEST,
            &agent_page(&app, &posted.viewer, id, Some("tick the box to revoke".to_owned())).await?,
        );
    }
    let done = agents::revoke(&posted.viewer.whole, id).await;
    after(&app, &headers, &posted, id, done, "revoked").await
}
