//! How discovery goes: what an agent told of its last one, and what a list knew about places before a device was met.

use serde::Serialize;
use store::{Row, Tx, params};
use wire::places::part_port;
use wire::plan::Target;
use wire::report::{DiscoveryBody, Sighting};

use super::{plans, service, sql};
use crate::ctx::{Ctx, Role};
use crate::error::{Error, Result};
use crate::events;
use crate::ids::AgentId;
use crate::time::Micros;

/// The last discovery of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Discovery {
    /// When it began, by the server's clock.
    pub began_at: Micros,
    /// When it ended.
    pub ended_at: Micros,
    /// Addresses asked.
    pub addresses: u64,
    /// Addresses that spoke SNMP.
    pub answered: u64,
    /// Printers among them.
    pub printers: u64,
    /// Printers that were not known before.
    pub fresh: u64,
    /// Packets sent by its sweeps.
    pub packets: u64,
    /// Places that were found or named and that the plan forbids to ask.
    pub forbidden: u64,
    /// What announced itself by DNS-SD and gave no answer by SNMP.
    pub silent: Vec<Sighting>,
    /// Host names of the plan that have no address.
    pub unresolved: Vec<String>,
}

/// The last discovery of an agent; `None` before the first has ended.
///
/// # Errors
/// `NotFound` outside the scope.
pub async fn discovery(ctx: &Ctx, agent: AgentId) -> Result<Option<Discovery>> {
    ctx.require(Role::User, "see how discovery goes")?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let org = service::tenant(ctx, &mut tx, agent).await?;
    let row = tx.query_opt(&sql::DISCOVERY, &params![org, agent]).await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Discovery> {
    let list = |error| Error::internal("a stored list of a discovery does not read").with_source(error);
    Ok(Discovery {
        began_at: row.get(0)?,
        ended_at: row.get(1)?,
        addresses: row.get(2)?,
        answered: row.get(3)?,
        printers: row.get(4)?,
        fresh: row.get(5)?,
        packets: row.get(6)?,
        forbidden: row.get(7)?,
        silent: serde_json::from_str(&row.get::<String>(8)?).map_err(list)?,
        unresolved: serde_json::from_str(&row.get::<String>(9)?).map_err(list)?,
    })
}

/// Keeps what an agent tells of a discovery, in the transaction of its report; an older one than is known is left out.
/// `offset_ms` is the server's clock minus the agent's.
pub(crate) async fn keep(tx: &mut Tx, ctx: &Ctx, body: &DiscoveryBody, offset_ms: i64) -> Result<()> {
    let agent = ctx.require_agent()?;
    let when = |ms: i64| Micros::from_millis(ms.saturating_add(offset_ms)).min(ctx.now);
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    // NUL has no place in a text of PostgreSQL.
    let json = |text: serde_json::Result<String>| text.map(|text| text.replace("\\u0000", "")).unwrap_or_default();
    let values = params![
        ctx.home,
        agent,
        when(body.began_ms),
        when(body.ended_ms),
        count(body.addresses),
        count(body.answered),
        count(body.printers),
        count(body.fresh),
        count(body.packets),
        count(body.forbidden),
        json(serde_json::to_string(&body.silent)),
        json(serde_json::to_string(&body.unresolved))
    ];
    if tx.execute(&sql::KEEP_DISCOVERY, &values).await? > 0 {
        let data = serde_json::json!({
            "agent": agent, "addresses": body.addresses, "printers": body.printers, "fresh": body.fresh,
        });
        events::emit(tx, ctx, ctx.home, "agent.discovery.ended", ("agent", agent.to_string()), data).await?;
    }
    Ok(())
}

/// What lists knew about the places of an agent.
pub(crate) struct Hints(Vec<Target>);

/// The hints of the agent that reports.
pub(crate) async fn hints(tx: &mut Tx, ctx: &Ctx) -> Result<Hints> {
    // A device that reports by itself is in no agent's list.
    let Ok(agent) = ctx.require_agent() else { return Ok(Hints(Vec::new())) };
    let plan = plans::load(tx, &ctx.platform, ctx.home, agent).await?.0;
    let says = |target: &Target| target.name.is_some() || target.site.is_some() || target.asset.is_some();
    Ok(Hints(plan.targets.into_iter().filter(says).collect()))
}

impl Hints {
    /// What a list said about a device met at `address` that calls itself by one of `names`.
    pub(crate) fn of(&self, address: &str, port: u16, names: [Option<&str>; 2]) -> Option<&Target> {
        let label = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
        self.0.iter().find(|target| {
            let Some((host, at)) = part_port(&target.host) else { return false };
            let is_name = host.parse::<std::net::IpAddr>().is_err();
            at.unwrap_or(161) == port
                && (host == address || is_name && names.into_iter().flatten().any(|name| label(name) == label(host)))
        })
    }
}
