//! How discovery goes at an agent: now, next, and last; and a wish for one at once.

use axum::{
    Json,
    extract::{Path, State},
    http::HeaderMap,
    response::IntoResponse,
};
use platen_core::{
    AgentId, Ctx, Micros,
    agents::{self, Agent, AgentState, Discovery},
};
use serde::Serialize;
use utoipa::ToSchema;
use wire::AgentPlan;

use super::pages::after;
use crate::{
    api::{Answered, tagged},
    app::App,
    caller::Caller,
    draw,
    fields::Posted,
    problem::Problem,
    shell::Shown,
    words::{Zone, count, grouped},
};

/// Announced devices that the page shows; the API gives all.
const SHOWN: usize = 50;

/// Discovery as the page shows it.
pub(super) struct DiscoveryView {
    /// A bar while one runs.
    pub(super) bar: Option<String>,
    /// What it does now, in a sentence.
    pub(super) now: String,
    /// How the last one went.
    pub(super) last: Option<String>,
    /// Announced, but silent by SNMP.
    pub(super) silent: Vec<SilentLine>,
    pub(super) more: Option<String>,
    pub(super) unresolved: Option<String>,
}

/// A device that announced itself and gave no answer.
pub(super) struct SilentLine {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) model: String,
    pub(super) services: String,
}

/// Discovery of an agent for its page.
pub(super) async fn view(
    ctx: &Ctx,
    agent: &Agent,
    plan: &AgentPlan,
    zone: &Zone,
) -> platen_core::Result<DiscoveryView> {
    let last = agents::discovery(ctx, agent.id).await?;
    let runs = agent.discovery_total > 0 && agent.state == AgentState::Online;
    let silent = last.as_ref().map(|last| last.silent.as_slice()).unwrap_or_default();
    let unresolved = last.as_ref().map(|last| last.unresolved.as_slice()).unwrap_or_default();
    Ok(DiscoveryView {
        bar: runs.then(|| draw::progress(agent.discovery_probed, agent.discovery_total)),
        now: now_words(ctx, agent, plan, zone, runs),
        last: last.as_ref().map(|last| last_words(last, zone)),
        silent: silent.iter().take(SHOWN).map(line).collect(),
        more: (silent.len() > SHOWN).then(|| format!("{SHOWN} of {} are shown; the API has all.", silent.len())),
        unresolved: (!unresolved.is_empty()).then(|| unresolved.join(", ")),
    })
}

fn line(one: &wire::report::Sighting) -> SilentLine {
    SilentLine {
        name: one.name.clone(),
        address: one.address.clone(),
        model: one.model.clone().unwrap_or_default(),
        services: one.services.join(", "),
    }
}

fn now_words(ctx: &Ctx, agent: &Agent, plan: &AgentPlan, zone: &Zone, runs: bool) -> String {
    let met = || format!("{} met so far", count(agent.discovery_found, "printer", "printers"));
    let has_places = !(plan.ranges.is_empty() && plan.targets.is_empty() && plan.dns_sd.is_empty());
    match (agent.state, agent.discovery_next_at) {
        (AgentState::Revoked, _) => "It looks for nothing any more.".to_owned(),
        (AgentState::Offline, _) => "Whether it looks now is unknown: the agent does not call.".to_owned(),
        _ if runs => {
            let (probed, total) = (grouped(agent.discovery_probed), grouped(agent.discovery_total));
            format!("{probed} of {total} addresses asked, {}.", met())
        }
        _ if !has_places => "It has nowhere to look. Name places below, or import a list.".to_owned(),
        (_, Some(next)) if next > ctx.now => format!("It rests; the next one may begin {}.", zone.moment(next)),
        _ => "It begins with the agent’s next call.".to_owned(),
    }
}

fn last_words(last: &Discovery, zone: &Zone) -> String {
    let seconds = last.ended_at.since(last.began_at).as_secs();
    let took = if seconds < 120 { format!("{seconds} s") } else { format!("{} min", seconds / 60) };
    let fresh = if last.fresh > 0 { format!(", {} of them new", grouped(last.fresh)) } else { String::new() };
    let forbidden = if last.forbidden > 0 {
        format!(" {} left alone, as the plan wants.", count(last.forbidden, "named place was", "named places were"))
    } else {
        String::new()
    };
    format!(
        "Last ended {}: {} asked with {}, {} found{fresh}, in {took}.{forbidden}",
        zone.moment(last.ended_at),
        count(last.addresses, "address", "addresses"),
        count(last.packets, "packet", "packets"),
        count(last.printers, "printer", "printers"),
    )
}

/// How discovery goes at an agent.
#[derive(Serialize, ToSchema)]
#[schema(as = AgentDiscovery)]
pub(crate) struct DiscoveryDocument {
    /// Addresses asked in the present discovery.
    probed: u64,
    /// Addresses that the present discovery asks; 0 when none runs.
    total: u64,
    /// Printers that the present discovery has met.
    found: u64,
    /// When the next one may begin; `null` while one runs or when none will.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Micros>,
    /// The last one that ended; `null` before the first.
    last: Option<DiscoveryReport>,
}

/// A discovery that has ended.
#[derive(Serialize, ToSchema)]
pub(crate) struct DiscoveryReport {
    #[schema(value_type = String, format = DateTime)]
    began_at: Micros,
    #[schema(value_type = String, format = DateTime)]
    ended_at: Micros,
    addresses: u64,
    /// Addresses that spoke SNMP.
    answered: u64,
    printers: u64,
    /// Printers that were not known before.
    fresh: u64,
    packets: u64,
    /// Named places that the plan forbids to ask.
    forbidden: u64,
    /// Announced by DNS-SD, without an answer by SNMP.
    silent: Vec<AnnouncedPrinter>,
    /// Host names of the plan that have no address.
    unresolved: Vec<String>,
}

/// A printer as it announced itself.
#[derive(Serialize, ToSchema)]
pub(crate) struct AnnouncedPrinter {
    address: String,
    name: String,
    model: Option<String>,
    /// `ipp`, `ipps`, `printer`, `pdl-datastream`.
    services: Vec<String>,
}

impl From<Discovery> for DiscoveryReport {
    fn from(last: Discovery) -> Self {
        let announced = |one: wire::report::Sighting| AnnouncedPrinter {
            address: one.address,
            name: one.name,
            model: one.model,
            services: one.services,
        };
        Self {
            began_at: last.began_at,
            ended_at: last.ended_at,
            addresses: last.addresses,
            answered: last.answered,
            printers: last.printers,
            fresh: last.fresh,
            packets: last.packets,
            forbidden: last.forbidden,
            silent: last.silent.into_iter().map(announced).collect(),
            unresolved: last.unresolved,
        }
    }
}

/// How discovery goes at an agent: now, next and last.
#[utoipa::path(get, path = "/api/v1/agents/{id}/discovery", tag = "agents", params(("id" = String, Path)),
    responses((status = 200, body = DiscoveryDocument), (status = "default", body = Problem)))]
pub(crate) async fn get_agent_discovery(caller: Caller, Path(id): Path<String>) -> Answered {
    let id = AgentId::parse(&id)?;
    let agent = agents::get(&caller.ctx, id).await?;
    let document = DiscoveryDocument {
        probed: agent.discovery_probed,
        total: agent.discovery_total,
        found: agent.discovery_found,
        next_at: agent.discovery_next_at,
        last: agents::discovery(&caller.ctx, id).await?.map(DiscoveryReport::from),
    };
    Ok(Json(document).into_response())
}

/// Asks an agent to discover at once, whatever its hours. The answer is its plan, whose `asked` has risen.
#[utoipa::path(post, path = "/api/v1/agents/{id}/discovery", tag = "agents", params(("id" = String, Path)),
    responses((status = 202, body = super::PlanDocument), (status = "default", body = Problem)))]
pub(crate) async fn discover_at_agent(caller: Caller, Path(id): Path<String>) -> Answered {
    let plan = agents::discover_now(&caller.ctx, AgentId::parse(&id)?).await?;
    let version = i64::try_from(plan.revision).unwrap_or(i64::MAX);
    Ok(tagged(axum::http::StatusCode::ACCEPTED, &plan, version))
}

/// `POST /agents/{id}/discovery`.
pub(crate) async fn discover_now(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    posted: Posted,
) -> Shown {
    let id = AgentId::parse(&id)?;
    let done = agents::discover_now(&posted.viewer.whole, id).await.map(drop);
    after(&app, &headers, &posted, id, done, "discover").await
}
