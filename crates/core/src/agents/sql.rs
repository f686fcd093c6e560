//! Statements of agents and their invitations.

store::sql! {
    pub(super) INVITE = "insert into enrolment_tokens (tenant, token_hash, made_by, created_at, expires_at)
        values ($1, $2, $3, $4, $5)";
    pub(super) TOKEN = "select t.tenant, t.expires_at, t.used_by, t.made_by from enrolment_tokens t where t.token_hash = $1";
    pub(super) USE_TOKEN = "update enrolment_tokens set used_at = $3, used_by = $4
        where tenant = $1 and token_hash = $2 and used_at is null and expires_at > $3";
    pub(super) ORG_EXISTS = "select o.id from organisations o where o.tenant = $1 and o.id = $1";

    pub(super) INSERT = "insert into agents
        (tenant, id, name, host, version_text, state, public_key, key_thumbprint, plan_sealed, plan_revision, plan_followed,
          made_by, enrolled_at, last_seen_at, devices, unreachable, outbox_depth, discovery_probed, discovery_total, version)
        values ($1, $2, $3, $4, $5, 'online', $6, $7, $8, $9, 0, $10, $11, $11, 0, 0, 0, 0, 0, 1)
        on conflict (key_thumbprint) do nothing";
    pub(super) KEY = "select a.tenant, a.public_key from agents a where a.id = $1 and a.state <> 'revoked'";
    pub(super) TENANT = "select a.tenant from agents a where a.id = $1";
    pub(super) GET = "select a.tenant, a.id, a.name, a.host, a.version_text, a.state, a.key_thumbprint, a.plan_revision,
          a.plan_followed, a.enrolled_at, a.last_seen_at, a.devices, a.unreachable, a.outbox_depth, a.discovery_probed,
          a.discovery_total, a.version, a.discovery_found, a.discovery_next_at
        from agents a
        where a.tenant = $1 and a.id = $2";
    pub(super) PLAN = "select a.plan_sealed, a.plan_revision, a.state, a.discovery_probed, a.discovery_total, a.key_told,
          (select count(*) from commands c where c.tenant = a.tenant and c.target = a.id and c.state in ('queued', 'taken'))
        from agents a where a.tenant = $1 and a.id = $2";
    pub(super) SET_PLAN = "update agents set plan_sealed = $3, plan_revision = $4, version = version + 1
        where tenant = $1 and id = $2";
    pub(super) RENAME = "update agents set name = $3, version = version + 1 where tenant = $1 and id = $2";
    pub(super) REVOKE = "update agents set state = 'revoked', version = version + 1 where tenant = $1 and id = $2";
    pub(super) SEEN = "update agents
        set last_seen_at = $3, plan_followed = $4, state = 'online'
        where tenant = $1 and id = $2 and state <> 'revoked'";
    pub(super) SAID = "update agents
        set version_text = $3, devices = $4, unreachable = $5, outbox_depth = $6, discovery_probed = $7, discovery_total = $8,
          discovery_found = $9, discovery_next_at = $10, key_told = $11
        where tenant = $1 and id = $2";
    pub(super) DISCOVERY = "select d.began_at, d.ended_at, d.addresses, d.answered, d.printers, d.fresh, d.packets,
          d.forbidden, d.silent, d.unresolved
        from agent_discoveries d
        where d.tenant = $1 and d.agent = $2";
    pub(super) KEEP_DISCOVERY = "insert into agent_discoveries as known
        (tenant, agent, began_at, ended_at, addresses, answered, printers, fresh, packets, forbidden, silent, unresolved)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        on conflict (tenant, agent) do update
        set began_at = excluded.began_at, ended_at = excluded.ended_at, addresses = excluded.addresses,
          answered = excluded.answered, printers = excluded.printers, fresh = excluded.fresh,
          packets = excluded.packets, forbidden = excluded.forbidden, silent = excluded.silent,
          unresolved = excluded.unresolved
        where excluded.ended_at >= known.ended_at";
    pub(super) ORG_ZONE = "select o.zone from organisations o where o.tenant = $1 and o.id = $1";
    pub(super) SILENT = "update agents set state = 'offline'
        where state = 'online' and last_seen_at < $1
        returning tenant, id, last_seen_at";
}

/// Columns of the list; the sort keys follow.
pub(super) const LIST: &str = "select a.tenant, a.id, a.name, a.host, a.version_text, a.state, a.key_thumbprint, \
     a.plan_revision, a.plan_followed, a.enrolled_at, a.last_seen_at, a.devices, a.unreachable, a.outbox_depth, \
     a.discovery_probed, a.discovery_total, a.version, a.discovery_found, a.discovery_next_at, a.name, a.id from agents a";
