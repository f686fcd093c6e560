//! From an invitation to an identity, and from an identity on the wire to a request.

use std::time::Duration;

use serde_json::json;
use store::{Tx, View, params};
use wire::enrol::{EnrolReply, EnrolRequest};
use wire::{AgentPlan, Subject};

use super::{INVITATION, Invitation, PublicKey, plans, rules, sql};
use crate::audit::{self, Change};
use crate::ctx::{Actor, Ctx, Role};
use crate::error::{Error, Kind, Result};
use crate::events;
use crate::ids::{AgentId, OrgId};
use crate::platform::Platform;
use crate::scope::Scope;
use crate::secrets::{Secret, hash_of};
use crate::time::Micros;

const REASON: &str = "an agent, before it is known whose";
/// A revocation elsewhere is felt after this long, µs.
const CACHED: i64 = 1_000_000;
/// Most keys in memory.
const MAX_CACHED: usize = 50_000;

/// A key that was looked up a moment ago.
#[derive(Clone, Copy)]
pub(crate) struct CachedKey {
    key: PublicKey,
    org: OrgId,
    at: Micros,
}

/// Invites one agent into an organisation, for 24 h.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope.
pub async fn invite(ctx: &Ctx, org: OrgId) -> Result<Invitation> {
    invite_for(ctx, org, INVITATION).await
}

/// Invites one agent into an organisation, for a minute to a week.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope, `Invalid` for another time.
pub async fn invite_for(ctx: &Ctx, org: OrgId, valid: Duration) -> Result<Invitation> {
    ctx.require(Role::Manager, "invite agents")?;
    ctx.scope.require(org, OrgId::NOUN)?;
    if !(60..=7 * 86_400).contains(&valid.as_secs()) {
        return Err(Error::invalid("valid_s", "an invitation is good for a minute to a week"));
    }
    // The prefix keeps a token from looking like a flag, and tells people and scanners what it is.
    let secret = Secret::random(ctx.ids(), "ple_");
    let expires_at = ctx.now + valid;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    tx.query_opt(&sql::ORG_EXISTS, &params![org]).await?.ok_or_else(OrgId::missing)?;
    let hash = secret.hash();
    tx.execute(&sql::INVITE, &params![org, &hash, ctx.actor.id(), ctx.now, expires_at]).await?;
    let change = Change::new(org, "invited", "agent", &hash[..16]).after(json!({ "expires_at": expires_at }));
    audit::record(&mut tx, ctx, change).await?;
    tx.commit().await?;
    Ok(Invitation { secret, org, expires_at })
}

/// First contact: turns an invitation into an agent. Repeated with the same key it answers the same, since a reply may
/// be lost on the way.
///
/// # Errors
/// `Forbidden` for an invitation that is wrong, used or too old; `Invalid` for a key that is none.
pub async fn enrol(platform: &Platform, request: &EnrolRequest) -> Result<EnrolReply> {
    let key: [u8; 32] = request
        .public_key
        .as_slice()
        .try_into()
        .map_err(|_| Error::invalid("public_key", "the key is an Ed25519 public key of 32 bytes"))?;
    let worthless = || Error::new(Kind::Forbidden, "the invitation is wrong, was used or has ended; make a new one");
    let now = platform.now();
    let hash = hash_of(request.token.trim());
    let mut tx = platform.db().write(&View::All(REASON)).await?;
    let row = tx.query_opt(&sql::TOKEN, &params![&hash]).await?.ok_or_else(worthless)?;
    let (org, expires_at, used_by): (OrgId, Micros, Option<AgentId>) = (row.get(0)?, row.get(1)?, row.get(2)?);
    if let Some(agent) = used_by {
        let reply = repeat(platform, &mut tx, org, agent, key, expires_at > now).await?.ok_or_else(worthless)?;
        // The first answer may not be on the disk yet.
        tx.commit().await?;
        return Ok(reply);
    }
    let id = AgentId::new(platform.ids());
    if tx.execute(&sql::USE_TOKEN, &params![org, &hash, now, id]).await? == 0 {
        return Err(worthless());
    }
    let ctx = agent_ctx(platform, org, id);
    let plan = AgentPlan { revision: 1, ..AgentPlan::default() };
    let made_by: String = row.get(3)?;
    insert(&mut tx, &ctx, request, key, &plan, &made_by).await?;
    tx.commit().await?;
    Ok(EnrolReply { agent: id.into(), organisation: org.to_string(), plan })
}

async fn repeat(
    platform: &Platform,
    tx: &mut Tx,
    org: OrgId,
    agent: AgentId,
    key: [u8; 32],
    in_time: bool,
) -> Result<Option<EnrolReply>> {
    let row = tx.query_opt(&sql::KEY, &params![agent]).await?;
    let known: Option<[u8; 32]> = row.map(|row| row.get(1)).transpose()?;
    if !in_time || known != Some(key) {
        return Ok(None);
    }
    let plan = plans::load(tx, platform, org, agent).await?.0;
    Ok(Some(EnrolReply { agent: agent.into(), organisation: org.to_string(), plan }))
}

async fn insert(
    tx: &mut Tx,
    ctx: &Ctx,
    request: &EnrolRequest,
    key: [u8; 32],
    plan: &AgentPlan,
    made_by: &str,
) -> Result<()> {
    let (org, id) = (ctx.home, ctx.require_agent()?);
    let host = rules::told(&request.name, 120);
    let name = if host.is_empty() { format!("agent {}", &id.to_string()[..8]) } else { host.clone() };
    let sealed = plans::seal(&ctx.platform, org, id, plan)?;
    let values = params![
        org,
        id,
        &name,
        host,
        rules::told(&request.version, 40),
        key,
        rules::thumbprint(&key),
        sealed,
        i64::try_from(plan.revision).unwrap_or(i64::MAX),
        made_by,
        ctx.now
    ];
    if tx.execute(&sql::INSERT, &values).await? == 0 {
        return Err(Error::conflict("this key belongs to an agent already; let the agent make a new one"));
    }
    let subject = ("agent", id.to_string());
    events::emit(tx, ctx, org, "agent.enrolled", subject, json!({ "agent": id, "version": request.version })).await?;
    audit::record(tx, ctx, Change::new(org, "enrolled", "agent", id).after(json!({ "name": name }))).await
}

/// The key that must have signed a request of `agent`, and that request; `None` for unknown and revoked ones.
///
/// # Errors
/// When the database refuses.
pub async fn key_of(platform: &Platform, agent: Subject) -> Result<Option<(PublicKey, Ctx)>> {
    let now = platform.now();
    let cached = platform.agent_keys().lock().get(&agent).copied();
    let id = AgentId::from(agent);
    if let Some(CachedKey { key, org, at }) = cached
        && (0..CACHED).contains(&(now.0 - at.0))
    {
        return Ok(Some((key, agent_ctx(platform, org, id))));
    }
    let mut tx = platform.db().read(&View::All(REASON)).await?;
    let Some(row) = tx.query_opt(&sql::KEY, &params![id]).await? else {
        platform.agent_keys().lock().remove(&agent);
        return Ok(None);
    };
    let (org, key) = (row.get(0)?, PublicKey(row.get(1)?));
    let mut keys = platform.agent_keys().lock();
    if keys.len() >= MAX_CACHED {
        keys.clear();
    }
    keys.insert(agent, CachedKey { key, org, at: now });
    Ok(Some((key, agent_ctx(platform, org, id))))
}

fn agent_ctx(platform: &Platform, org: OrgId, id: AgentId) -> Ctx {
    let now = platform.now();
    let scope = Scope::only(org, now);
    Ctx {
        platform: platform.clone(),
        actor: Actor::Agent { id },
        home: org,
        role: Role::Agent,
        scope,
        now,
        request: String::new(),
    }
}
