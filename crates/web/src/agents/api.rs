//! `/api/v1/agents`.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use platen_core::{AgentId, Micros, OrgId, agents};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wire::AgentPlan;

use crate::{
    api::{Answered, Body, IfMatch, Posting, tagged},
    app::App,
    caller::Caller,
    listing::{ListQuery, Listed, Row, answer},
    problem::Problem,
};

/// A program on a customer's network that reads devices.
#[derive(Serialize, ToSchema)]
#[schema(as = Agent)]
pub(crate) struct AgentView {
    id: String,
    organisation: String,
    name: String,
    host: String,
    program: String,
    /// `online`, `offline` or `revoked`.
    state: &'static str,
    /// First 16 hex digits of the SHA-256 of its key.
    key: String,
    plan_revision: u64,
    /// Lower than `plan_revision` while it has not fetched the newest.
    plan_followed: u64,
    #[schema(value_type = String, format = DateTime)]
    enrolled_at: Micros,
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Micros,
    devices: u64,
    unreachable: u64,
    outbox_depth: u64,
    discovery_probed: u64,
    /// 0 when no discovery runs.
    discovery_total: u64,
    /// Printers that the present discovery has met.
    discovery_found: u64,
    /// When the next discovery may begin; `null` while one runs or when none will.
    #[schema(value_type = Option<String>, format = DateTime)]
    discovery_next_at: Option<Micros>,
    /// The `ETag`.
    version: i64,
}

impl Row for AgentView {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "organisation",
        "name",
        "host",
        "program",
        "state",
        "key",
        "plan_revision",
        "plan_followed",
        "enrolled_at",
        "last_seen_at",
        "devices",
        "unreachable",
        "outbox_depth",
        "discovery_probed",
        "discovery_total",
        "discovery_found",
        "discovery_next_at",
        "version",
    ];
}

impl From<agents::Agent> for AgentView {
    fn from(agent: agents::Agent) -> Self {
        Self {
            id: agent.id.to_string(),
            organisation: agent.org.to_string(),
            name: agent.name,
            host: agent.host,
            program: agent.program,
            state: agent.state.as_str(),
            key: agent.key,
            plan_revision: agent.plan_revision,
            plan_followed: agent.plan_followed,
            enrolled_at: agent.enrolled_at,
            last_seen_at: agent.last_seen_at,
            devices: agent.devices,
            unreachable: agent.unreachable,
            outbox_depth: agent.outbox_depth,
            discovery_probed: agent.discovery_probed,
            discovery_total: agent.discovery_total,
            discovery_found: agent.discovery_found,
            discovery_next_at: agent.discovery_next_at,
            version: agent.version,
        }
    }
}

/// Whom to invite an agent for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewInvitation {
    /// Organisation; the own one when not given.
    organisation: Option<String>,
}

/// What one agent enrols with, shown only here.
#[derive(Serialize, ToSchema)]
#[schema(as = Invitation)]
pub(crate) struct InvitationView {
    organisation: String,
    /// The value of `--enrol`.
    token: String,
    /// The whole command.
    command: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Micros,
}

/// What to change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentPatch {
    name: String,
}

/// What an agent shall do. Secrets are given as `********` and stay as they are when sent back so.
#[derive(Serialize, ToSchema)]
#[schema(as = AgentPlan)]
pub(crate) struct PlanDocument {
    /// Rises with each edit; send the one that you saw.
    revision: u64,
    /// `192.0.2.0/24`, `192.0.2.1-192.0.2.99` or one address, each optionally with `:port`; IPv6 singly.
    ranges: Vec<String>,
    /// Never asked, by whatever road they are found: the forms of `ranges`, IPv6 networks, MAC addresses or their first
    /// three parts.
    exclude: Vec<String>,
    /// `{"kind":"community","community":…}` or `{"kind":"usm","user":…,"auth":…,"auth_pass":…,"privacy":…,"privacy_pass":…}`.
    #[schema(value_type = Vec<Object>)]
    credentials: Vec<serde_json::Value>,
    /// Seconds between two looks at the status of a device.
    status_s: u32,
    meters_s: u32,
    full_s: u32,
    discovery_s: u32,
    /// Packets a second.
    discovery_pps: u32,
    /// Places that are named singly; asked first. At most 4,096. Not sent: as they are.
    targets: Vec<PlanTarget>,
    /// When discovery may run: `mon-fri 18:00-06:00`, `sat,sun`; empty: at any time. Not sent: as they are.
    hours: Vec<String>,
    /// IANA time zone of the site; the organisation's when empty. Not sent: as it is.
    zone: String,
    /// `local` asks the links of the agent by multicast DNS who prints; an address asks a reflector. Not sent: as it is.
    dns_sd: Vec<String>,
    /// Rises with each wish for a discovery at once.
    asked: u32,
    /// Packets a second to each /24, discovery and polling together; 0: no budget of its own. Not sent: as it is.
    subnet_pps: u32,
}

/// A place that is asked. What a list says of it is kept for a device that is met there for the first time.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlanTarget {
    /// Address of either family or host name, optionally with a port.
    host: String,
    name: Option<String>,
    site: Option<String>,
    asset: Option<String>,
    mac: Option<String>,
}

/// The command that enrols an agent, and the token in it.
pub(super) fn command(app: &App, headers: &HeaderMap, invitation: &agents::Invitation) -> (String, String) {
    let token = wire::enrol::EnrolToken { secret: invitation.secret.expose().to_owned(), ca_pin: app.ca_pin }.to_text();
    (format!("platen agent --server {} --enrol {token}", app.base_url(headers)), token)
}

/// Agents of the visible organisations, by name.
#[utoipa::path(get, path = "/api/v1/agents", tag = "agents", params(ListQuery),
    responses((status = 200, body = Listed<AgentView>), (status = "default", body = Problem)))]
pub(crate) async fn list_agents(caller: Caller, Query(query): Query<ListQuery>, headers: HeaderMap) -> Answered {
    query.one_order()?;
    let page = agents::list(&caller.ctx, &agents::AgentQuery { filter: query.filter()?, page: query.page() }).await?;
    answer(page.map(AgentView::from), &query, &headers)
}

/// One agent.
#[utoipa::path(get, path = "/api/v1/agents/{id}", tag = "agents", params(("id" = String, Path)),
    responses((status = 200, body = AgentView), (status = "default", body = Problem)))]
pub(crate) async fn get_agent(caller: Caller, Path(id): Path<String>) -> Answered {
    let agent = agents::get(&caller.ctx, AgentId::parse(&id)?).await?;
    let version = agent.version;
    Ok(tagged(StatusCode::OK, &AgentView::from(agent), version))
}

/// Gives an agent another name.
#[utoipa::path(patch, path = "/api/v1/agents/{id}", tag = "agents", request_body = AgentPatch,
    params(("id" = String, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = AgentView), (status = "default", body = Problem)))]
pub(crate) async fn update_agent(
    caller: Caller,
    Path(id): Path<String>,
    IfMatch(version): IfMatch,
    Body(patch): Body<AgentPatch>,
) -> Answered {
    let agent = agents::rename(&caller.ctx, AgentId::parse(&id)?, &patch.name, version).await?;
    let version = agent.version;
    Ok(tagged(StatusCode::OK, &AgentView::from(agent), version))
}

/// Revokes an agent: nothing it sends is accepted from the next request on.
#[utoipa::path(post, path = "/api/v1/agents/{id}/revoke", tag = "agents", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn revoke_agent(caller: Caller, Path(id): Path<String>) -> Answered {
    agents::revoke(&caller.ctx, AgentId::parse(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Invites one agent. The token is in this answer and nowhere else; it works once.
#[utoipa::path(post, path = "/api/v1/agents/invitations", tag = "agents", request_body = NewInvitation,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = InvitationView), (status = "default", body = Problem)))]
pub(crate) async fn invite_agent(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Posting(new, once): Posting<NewInvitation>,
) -> Answered {
    let ctx = &caller.ctx;
    let org = new.organisation.as_deref().map(OrgId::parse).transpose()?.unwrap_or(ctx.home);
    once.run_but(ctx, &["token", "command"], async {
        let invitation = agents::invite(ctx, org).await?;
        let (command, token) = command(&app, &headers, &invitation);
        let view = InvitationView {
            organisation: invitation.org.to_string(),
            token,
            command,
            expires_at: invitation.expires_at,
        };
        Ok((StatusCode::CREATED, Json(view)).into_response())
    })
    .await
}

/// The plan of an agent, without secrets.
#[utoipa::path(get, path = "/api/v1/agents/{id}/plan", tag = "agents", params(("id" = String, Path)),
    responses((status = 200, body = PlanDocument), (status = "default", body = Problem)))]
pub(crate) async fn get_agent_plan(caller: Caller, Path(id): Path<String>) -> Answered {
    let plan = agents::plan(&caller.ctx, AgentId::parse(&id)?).await?;
    Ok(tagged(StatusCode::OK, &plan, i64::try_from(plan.revision).unwrap_or(i64::MAX)))
}

/// Replaces the plan of an agent; `revision` (or `If-Match`) names the one that was seen. `targets`, `hours`, `zone` and
/// `dns_sd` stay as they are when they are not sent, so that programs that do not know them take nothing away.
#[utoipa::path(put, path = "/api/v1/agents/{id}/plan", tag = "agents", request_body = PlanDocument,
    params(("id" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = PlanDocument), (status = "default", body = Problem)))]
pub(crate) async fn set_agent_plan(
    caller: Caller,
    Path(id): Path<String>,
    IfMatch(version): IfMatch,
    Body(mut sent): Body<serde_json::Map<String, serde_json::Value>>,
) -> Answered {
    let id = AgentId::parse(&id)?;
    let old = serde_json::to_value(agents::plan(&caller.ctx, id).await?).unwrap_or_default();
    if let Some(unknown) = sent.keys().find(|field| old.get(field.as_str()).is_none()) {
        return Err(Problem::invalid(&format!("/{unknown}"), format!("a plan has no field `{unknown}`")));
    }
    for field in ["targets", "hours", "zone", "dns_sd", "asked", "subnet_pps"] {
        if !sent.contains_key(field) {
            sent.insert(field.to_owned(), old[field].clone());
        }
    }
    let mut plan: AgentPlan = serde_json::from_value(sent.into())
        .map_err(|error| Problem::invalid("", format!("the body is no plan: {error}")))?;
    if let Some(version) = version {
        plan.revision = u64::try_from(version).unwrap_or(0);
    }
    let plan = agents::set_plan(&caller.ctx, id, plan).await?;
    Ok(tagged(StatusCode::OK, &plan, i64::try_from(plan.revision).unwrap_or(i64::MAX)))
}
