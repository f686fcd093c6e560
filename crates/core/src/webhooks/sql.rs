//! Statements of webhooks and their deliveries.

store::sql! {
    pub(super) WEBHOOK = "select w.id, w.version, w.name, w.url, w.types, w.secrets, w.rotated_at, w.state, w.state_why, w.state_at,
          w.failing_since, w.delivered_at
        from webhooks w
        where w.tenant = $1
          and w.id = $2";
    pub(super) WEBHOOKS = "select w.id, w.version, w.name, w.url, w.types, w.secrets, w.rotated_at, w.state, w.state_why, w.state_at,
          w.failing_since, w.delivered_at
        from webhooks w
        where w.tenant = $1
        order by w.name, w.id
        limit $2";
    pub(super) COUNT = "select count(*) from webhooks where tenant = $1";
    pub(super) INSERT = "insert into webhooks (tenant, id, version, name, url, types, secrets_sealed, secrets, state, state_at, seen,
          created_at)
        values ($1, $2, 1, $3, $4, $5, $6, 1, 'active', $7, $8, $7)";
    pub(super) UPDATE = "update webhooks
        set version = version + 1,
          name = $3,
          url = $4,
          types = $5
        where tenant = $1
          and id = $2";
    pub(super) DELETE = "delete from webhooks where tenant = $1 and id = $2";
    pub(super) DELETE_DELIVERIES = "delete from webhook_deliveries where tenant = $1 and webhook = $2";
    pub(super) SECRETS = "select secrets_sealed from webhooks where tenant = $1 and id = $2";
    pub(super) SET_SECRETS = "update webhooks
        set version = version + 1,
          secrets_sealed = $3,
          secrets = $4,
          rotated_at = $5
        where tenant = $1
          and id = $2";
    pub(super) ENABLE = "update webhooks
        set version = version + 1,
          state = 'active',
          state_why = null,
          state_at = $3,
          failing_since = null,
          seen = $4
        where tenant = $1
          and id = $2
          and state = 'disabled'";
    pub(super) DISABLE = "update webhooks
        set version = version + 1,
          state = 'disabled',
          state_why = $3,
          state_at = $4
        where tenant = $1
          and id = $2
          and state = 'active'";
    pub(super) ACTIVE = "select w.tenant, w.id, w.types, w.seen
        from webhooks w
        where w.state = 'active'
          and w.seen < $1
        order by w.tenant, w.id";
    pub(super) SEEN = "update webhooks
        set seen = $3
        where tenant = $1
          and id = $2
          and seen = $4
          and state = 'active'";
    pub(super) QUEUE = "insert into webhook_deliveries (tenant, webhook, id, seq, type, body, state, tries, next_at, created_at)
        values ($1, $2, $3, $4, $5, $6, 'queued', 0, $7, $7)
        on conflict (tenant, webhook, id) do nothing";
    pub(super) LAST_SEQ = "select coalesce(max(seq), 0)
        from webhook_deliveries
        where tenant = $1
          and webhook = $2";
    pub(super) DUE = "select d.id
            from webhook_deliveries d
            join webhooks w on w.tenant = d.tenant and w.id = d.webhook
            where d.state = 'queued'
              and d.next_at <= $1
              and (d.locked_until is null or d.locked_until < $1)
              and w.state = 'active'
              and (d.tries > 0 or not exists (select 1 from webhook_deliveries b where b.tenant = d.tenant and b.webhook = d.webhook
                and b.state = 'queued' and (b.tries = 0 or (b.tries = 1 and b.locked_until >= $1))
                and (b.seq < d.seq or (b.seq = d.seq and b.id < d.id))))
            limit 1";
    // A first try waits for the first tries before it; a repeat waits for nobody.
    pub(super) CLAIM = "update webhook_deliveries
        set locked_until = $1,
          worker = $2,
          tries = tries + 1
        where (tenant, webhook, id) in (select d.tenant, d.webhook, d.id
            from webhook_deliveries d
            join webhooks w on w.tenant = d.tenant and w.id = d.webhook
            where d.state = 'queued'
              and d.next_at <= $3
              and (d.locked_until is null or d.locked_until < $3)
              and w.state = 'active'
              and (d.tries > 0 or not exists (select 1 from webhook_deliveries b where b.tenant = d.tenant and b.webhook = d.webhook
                and b.state = 'queued' and (b.tries = 0 or (b.tries = 1 and b.locked_until >= $3))
                and (b.seq < d.seq or (b.seq = d.seq and b.id < d.id))))
            order by d.next_at, d.seq, d.id
            limit 1)
          and state = 'queued'
          and next_at <= $3
          and (locked_until is null or locked_until < $3)
        returning tenant, webhook, id, type, body, tries";
    pub(super) TARGET = "select w.url, w.secrets_sealed, w.failing_since
        from webhooks w
        where w.tenant = $1
          and w.id = $2";
    pub(super) SETTLE = "update webhook_deliveries
        set state = $6,
          status = $7,
          error = $8,
          took_ms = $9,
          ended_at = $10,
          next_at = $11,
          locked_until = null,
          worker = null
        where tenant = $1
          and webhook = $2
          and id = $3
          and state = 'queued'
          and worker = $4
          and tries = $5";
    pub(super) ARRIVED = "update webhooks
        set failing_since = null,
          delivered_at = $3
        where tenant = $1
          and id = $2";
    pub(super) FAILING = "update webhooks
        set failing_since = coalesce(failing_since, $3)
        where tenant = $1
          and id = $2
        returning failing_since";
    pub(super) RESEND = "update webhook_deliveries
        set state = 'queued',
          tries = 0,
          next_at = $4,
          ended_at = null,
          error = null
        where tenant = $1
          and webhook = $2
          and id = $3
          and state <> 'queued'";
    pub(super) DELIVERY = "select state
        from webhook_deliveries
        where tenant = $1
          and webhook = $2
          and id = $3";
}
