//! Statements of alerts and incidents that reports and reconcilers run; lists are built in `service.rs`.

use crate::devices::in64;

store::sql! {
    /// Standing alerts, and those cleared a moment ago that may come back; the newest of a kind last.
    pub(super) LOAD = concat!("select a.id, a.device, a.grp, a.part, a.reason, a.severity, a.code, a.text, a.source, a.since_at,
          a.raised_at, a.cleared_at, a.flaps, a.incident, i.state, i.resolved_at, i.version, i.severity,
          a.quiet_at, a.evicted, i.cause, i.reason, i.device
        from alerts a
        join incidents i on i.tenant = a.tenant and i.id = a.incident
        where a.tenant = $1
          and a.device in (", in64!(), ")
          and (a.cleared_at is null or a.cleared_at > $66)
        order by a.cleared_at");
    pub(super) INSERT = "insert into alerts (tenant, id, device, grp, part, reason, severity, rank, code, text, source, since_at,
          raised_at, cleared_at, flaps, incident, quiet_at, evicted, audience)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
        on conflict (tenant, id) do update
        set grp = excluded.grp,
          part = excluded.part,
          reason = excluded.reason,
          severity = excluded.severity,
          rank = excluded.rank,
          code = excluded.code,
          text = excluded.text,
          source = excluded.source,
          since_at = excluded.since_at,
          cleared_at = excluded.cleared_at,
          flaps = excluded.flaps,
          incident = excluded.incident,
          quiet_at = excluded.quiet_at,
          evicted = excluded.evicted,
          audience = excluded.audience";
    pub(super) INCIDENT = "insert into incidents (tenant, id, version, state, device, agent, reason, severity, cause, opened_at,
          resolved_at, audience)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        on conflict (tenant, id) do update
        set version = excluded.version,
          state = excluded.state,
          reason = excluded.reason,
          severity = excluded.severity,
          cause = excluded.cause,
          resolved_at = excluded.resolved_at,
          audience = excluded.audience";
    pub(super) INCIDENT_OF_AGENT = "select id, version
        from incidents
        where tenant = $1
          and agent = $2
          and reason = 'platen-agent-offline'
          and resolved_at is null";
    pub(super) RESOLVE_AGENT = "update incidents
        set state = 'resolved',
          resolved_at = $3,
          version = version + 1
        where tenant = $1
          and agent = $2
          and reason = 'platen-agent-offline'
          and resolved_at is null
        returning id";
    pub(super) GRACE = "update devices
        set comm_at = $3
        where tenant = $1
          and agent = $2
          and comm = 'unknown_path'
          and lifecycle <> 'retired'";
    pub(super) CLOSE_ALERTS = "update alerts
        set cleared_at = case when raised_at > $3 then raised_at else $3 end
        where tenant = $1
          and device = $2
          and cleared_at is null";
    pub(super) CLOSE_INCIDENTS = "update incidents
        set state = 'resolved',
          resolved_at = $3,
          version = version + 1
        where tenant = $1
          and device = $2
          and resolved_at is null";
    pub(super) STAYED_AWAY = "select a.tenant, a.id, a.device, a.reason, a.severity, a.grp, a.part, a.incident, a.raised_at,
          a.quiet_at
        from alerts a
        where a.quiet_at <= $1
          and a.cleared_at is null
        order by a.tenant, a.id
        limit $2";
    pub(super) CLEAR_QUIET = "update alerts
        set cleared_at = quiet_at,
          quiet_at = null,
          evicted = 0
        where tenant = $1
          and id = $2
          and cleared_at is null
          and quiet_at = $3";
    pub(super) RESOLVE_EMPTY = "update incidents
        set state = 'resolved',
          resolved_at = $3,
          version = version + 1
        where tenant = $1
          and id = $2
          and resolved_at is null
          and not exists (select 1 from alerts a where a.tenant = $1 and a.incident = $2 and a.cleared_at is null)";
    pub(super) SNOOZE_OVER = "select distinct tenant
        from incidents
        where state = 'snoozed'
          and snoozed_until <= $1";
    pub(super) ALERT_INCIDENT = "select a.incident
        from alerts a
        where a.id = $1";
    pub(super) INCIDENT_TENANT = "select i.tenant, i.version, i.state, i.device, i.reason, i.agent
        from incidents i
        where i.id = $1";
    pub(super) RESOLVE_BY_HAND = "update incidents
        set state = 'resolved',
          resolved_at = $3,
          owner = $4,
          why = $5,
          snoozed_until = null,
          version = version + 1
        where tenant = $1
          and id = $2
          and resolved_at is null";
    pub(super) BURST = "select count(*)
        from devices d
        join device_presence p on p.tenant = d.tenant and p.device = d.id
        where d.tenant = $1
          and d.agent = $2
          and d.lifecycle <> 'retired'
          and p.seen_at < $3
          and p.seen_at > $4";
    pub(super) HIDDEN_INCIDENT = "select i.id, i.state, i.severity, i.cause, i.version, i.opened_at, i.resolved_at
        from incidents i
        where i.tenant = $1
          and i.agent = $2
          and i.reason = 'platen-devices-hidden'
          and i.resolved_at is null";
    // All of them are heard again: nothing stands on a cause that had many.
    pub(super) SHARED_OVER = "select i.tenant, i.id, i.reason, i.agent
        from incidents i
        where i.resolved_at is null
          and i.reason = 'platen-devices-hidden'
          and not exists (select 1 from alerts a where a.tenant = i.tenant and a.incident = i.id and a.cleared_at is null)
        order by i.tenant, i.id
        limit $1";
    pub(super) ACKNOWLEDGE = "update incidents
        set state = $3,
          owner = $4,
          acked_at = $5,
          snoozed_until = $6,
          note = coalesce($7, note),
          version = version + 1
        where tenant = $1
          and id = $2";
    pub(super) WAKE = "update incidents
        set state = 'open',
          snoozed_until = null,
          version = version + 1
        where tenant = $1
          and state = 'snoozed'
          and snoozed_until <= $2
        returning id, reason";
}
