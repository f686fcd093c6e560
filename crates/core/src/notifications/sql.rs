//! Statements of recipients and of the queue of messages; lists are built in `service.rs`.

store::sql! {
    pub(super) RECIPIENT = "select r.id, r.version, r.name, r.kind, r.address_sealed, r.user_id, r.webhook, r.fallback, r.state,
          r.state_why, r.state_at, r.bounces, r.zone, r.quiet_from, r.quiet_until, r.critical_passes, r.cap_per_hour, r.digest,
          r.digest_minute, r.digest_weekday, r.digest_at, u.email, w.name, u.state
        from recipients r
        left join users u on u.tenant = r.tenant and u.id = r.user_id
        left join webhooks w on w.tenant = r.tenant and w.id = r.webhook
        where r.tenant = $1
          and r.id = $2";
    pub(super) RECIPIENTS = "select r.id, r.version, r.name, r.kind, r.address_sealed, r.user_id, r.webhook, r.fallback, r.state,
          r.state_why, r.state_at, r.bounces, r.zone, r.quiet_from, r.quiet_until, r.critical_passes, r.cap_per_hour, r.digest,
          r.digest_minute, r.digest_weekday, r.digest_at, u.email, w.name, u.state
        from recipients r
        left join users u on u.tenant = r.tenant and u.id = r.user_id
        left join webhooks w on w.tenant = r.tenant and w.id = r.webhook
        where r.tenant = $1
        order by r.name, r.id
        limit $2";
    pub(super) COUNT = "select count(*) from recipients where tenant = $1";
    pub(super) INSERT = "insert into recipients (tenant, id, version, name, kind, address_sealed, address_hash, user_id, webhook,
          fallback, state, state_at, bounces, zone, quiet_from, quiet_until, critical_passes, cap_per_hour, digest, digest_minute,
          digest_weekday, digest_at, created_at)
        values ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, 'ok', $19, 0, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)";
    pub(super) UPDATE = "update recipients
        set version = version + 1,
          name = $3,
          kind = $4,
          address_sealed = $5,
          address_hash = $6,
          user_id = $7,
          webhook = $8,
          fallback = $9,
          zone = $10,
          quiet_from = $11,
          quiet_until = $12,
          critical_passes = $13,
          cap_per_hour = $14,
          digest = $15,
          digest_minute = $16,
          digest_weekday = $17,
          digest_at = $18
        where tenant = $1
          and id = $2";
    pub(super) DELETE = "delete from recipients
        where tenant = $1
          and id = $2";
    pub(super) NO_FALLBACK = "update recipients
        set fallback = null
        where tenant = $1
          and fallback = $2";
    pub(super) BY_HASH = "select id
        from recipients
        where tenant = $1
          and address_hash = $2";
    pub(super) BY_USER = "select id
        from recipients
        where tenant = $1
          and user_id = $2
        order by created_at, id
        limit 1";
    pub(super) USER_NAME = "select name
        from users
        where tenant = $1
          and id = $2";
    pub(super) WEBHOOK_NAME = "select name
        from webhooks
        where tenant = $1
          and id = $2";
    pub(super) OF_WEBHOOK = "select id
        from recipients
        where tenant = $1
          and webhook = $2
        limit 1";
    pub(super) ZONE = "select zone, name
        from organisations
        where tenant = $1
          and id = $1";
    pub(super) SUSPEND = "update recipients
        set state = 'suspended',
          state_why = $3,
          state_at = $4,
          bounces = bounces + 1,
          version = version + 1
        where tenant = $1
          and id = $2
          and state = 'ok'";
    pub(super) RESUME = "update recipients
        set state = 'ok',
          state_why = null,
          state_at = $3,
          version = version + 1
        where tenant = $1
          and id = $2";
    pub(super) DIGESTS_DUE = "select tenant, id
        from recipients
        where digest_at <= $1
        order by digest_at
        limit 100";
    pub(super) SET_DIGEST_AT = "update recipients
        set digest_at = $3
        where tenant = $1
          and id = $2
          and digest_at = $4";

    pub(super) POST = "insert into notifications (tenant, id, month, recipient, channel, lane, kind, subject_kind, subject_id, unique_key,
          title, text, state, tries, next_at, first_recipient, created_at, ended_at, error)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, $14, $15, $16, $17, $18)
        on conflict (tenant, unique_key) do nothing
        returning id";
    pub(super) ATTACH = "insert into notification_files (tenant, notification, name, media_type, body, created_at)
        values ($1, $2, $3, $4, $5, $6)";
    pub(super) ATTACHED = "select name, media_type, body
        from notification_files
        where tenant = $1
          and notification = $2";
    pub(super) DUE = "select n.id
        from notifications n
        where n.state = 'queued'
          and n.next_at <= $1
          and (n.locked_until is null or n.locked_until < $1)
          and (n.channel = 'syslog' or $2)
          and not exists (select 1 from notifications b where b.tenant = n.tenant and b.recipient = n.recipient
            and b.state = 'queued' and b.lane = n.lane and b.id < n.id)
        limit 1";
    // Of a recipient's lane only the first that is queued may go, and only while nobody else has it.
    pub(super) CLAIM = "update notifications
        set locked_until = $1,
          worker = $2,
          tries = tries + 1
        where id = (select n.id from notifications n
            where n.state = 'queued'
              and n.next_at <= $3
              and (n.locked_until is null or n.locked_until < $3)
              and (n.channel = 'syslog' or $4)
              and not exists (select 1 from notifications b where b.tenant = n.tenant and b.recipient = n.recipient
                and b.state = 'queued' and b.lane = n.lane and b.id < n.id)
            order by n.lane, n.next_at, n.id
            limit 1)
          and state = 'queued'
          and next_at <= $3
          and (locked_until is null or locked_until < $3)
        returning tenant, id, recipient, lane, kind, subject_kind, subject_id, title, text, held, tries, created_at";
    pub(super) EXPIRE = "update notifications
        set state = 'dead',
          error = coalesce(error, 'nobody could send it within three days'),
          ended_at = $1
        where state = 'queued'
          and created_at < $2
          and next_at <= $1
          and (locked_until is null or locked_until < $1)";
    pub(super) HOLD = "update notifications
        set locked_until = null,
          worker = null,
          tries = tries - 1,
          next_at = $3,
          held = $4
        where tenant = $1
          and id = $2";
    pub(super) SENT_OF_LATE = "select count(*), min(ended_at)
        from notifications
        where tenant = $1
          and recipient = $2
          and state = 'sent'
          and ended_at > $3";
    // What goes along with the first of a recipient that was held: no files, nothing that a person asked for.
    pub(super) MATES = "select n.id, n.title, n.text
        from notifications n
        where n.tenant = $1
          and n.recipient = $2
          and n.state = 'queued'
          and n.lane = $3
          and n.id > $4
          and n.kind in ('incident', 'escalation', 'end')
          and n.locked_until is null
        order by n.id
        limit $5";
    pub(super) SETTLE = "update notifications
        set state = $5,
          status = $6,
          error = $7,
          ended_at = $8,
          next_at = $9,
          locked_until = null,
          worker = null
        where tenant = $1
          and id = $2
          and state = 'queued'
          and worker = $3
          and tries = $4";
    pub(super) FOLD = "update notifications
        set state = 'folded',
          went_into = $3,
          ended_at = $4
        where tenant = $1
          and id = $2
          and state = 'queued'";
    pub(super) WAITING = "select id, lane, kind, subject_kind, subject_id, title, text
        from notifications
        where tenant = $1
          and recipient = $2
          and state = 'queued'
        order by id
        limit 5000";
    pub(super) REROUTE = "update notifications
        set recipient = $3,
          channel = $4,
          state = $5,
          error = $6,
          first_recipient = coalesce(first_recipient, $7),
          tries = 0,
          next_at = $8,
          ended_at = $9,
          locked_until = null,
          worker = null
        where tenant = $1
          and id = $2
          and state = 'queued'";
    pub(super) RESEND = "update notifications
        set state = 'queued',
          tries = 0,
          next_at = $3,
          held = null,
          ended_at = null,
          error = null
        where tenant = $1
          and id = $2
          and state in ('sent', 'dead')";
    pub(super) BOUNCED = "select tenant, recipient, state, channel
        from notifications
        where id = $1";
    pub(super) NOT_ARRIVED = "update notifications
        set state = 'queued',
          status = $3,
          error = $4,
          ended_at = null,
          went_into = null
        where tenant = $1
          and (id = $2 or went_into = $2)
          and state in ('sent', 'folded')";
    pub(super) STATES = "select state, count(*)
        from notifications
        where tenant = $1
          and (state in ('queued', 'dead') or created_at > $2)
        group by state";
}
