//! Statements of monitors, their kinds, strangers and orders.

store::sql! {
    pub(super) INSERT = "insert into monitors (tenant, id, vendor, serial_no, serial_fold, model, state, claim_hash, claim_until, epoch,
          schedule_revision, clock_offset_ms, registered_at, registered_by, version)
        values ($1, $2, $3, $4, $5, $6, 'registered', $7, $8, 0, 1, 0, $9, $10, 1)
        on conflict (vendor, serial_fold) do nothing";
    pub(super) TENANT = "select m.tenant from monitors m where m.id = $1";
    pub(super) GET = "select m.tenant, m.id, m.vendor, m.serial_no, m.model, m.state, m.road, m.firmware, m.mac, m.listener,
          m.schedule_revision, m.clock_offset_ms, m.registered_at, m.hello_at, m.said_at, m.said_road, m.device, m.claim_until,
          m.version
        from monitors m
        where m.tenant = $1 and m.id = $2";
    pub(super) CLAIM = "update monitors set claim_hash = $3, claim_until = $4, version = version + 1 where tenant = $1 and id = $2";
    pub(super) SET_STATE = "update monitors set state = $3, version = version + 1 where tenant = $1 and id = $2";
    pub(super) RELEASE = "delete from monitors where tenant = $1 and id = $2";
    pub(super) RELEASE_KINDS = "delete from monitor_kinds where tenant = $1 and monitor = $2";
    pub(super) RELEASE_COMMANDS = "update commands set state = 'cancelled', ended_at = $3
        where tenant = $1 and target = $2 and state in ('queued', 'taken')";
    pub(super) UNIT = "select m.tenant, m.id, m.state, m.public_key, m.claim_hash, m.claim_until, m.epoch,
          (select b.document from monitor_mailboxes b where b.tenant = m.tenant and b.monitor = m.id)
        from monitors m
        where m.vendor = $1 and m.serial_fold = $2";
    pub(super) HELLO = "update monitors
        set state = 'active', public_key = $3, claim_hash = null, claim_until = null, model = $4, road = $5, firmware = $6, mac = $7,
          listener = $8, clock_offset_ms = $9, hello_at = $10, seal_key = $11, key_told = $12, version = version + 1,
          epoch = case when $13 > epoch then $13 when $13 > 0 then epoch else epoch + 1 end
        where tenant = $1 and id = $2
        returning epoch";
    pub(super) EPOCH = "select m.epoch from monitors m where m.tenant = $1 and m.id = $2";
    pub(super) TESTED_BY = "update monitor_mailboxes set document = $3 where tenant = $1 and monitor = $2";
    pub(super) KNOWN = "select m.id, m.tenant, m.public_key, m.serial_fold, m.schedule_revision, m.device,
          (select d.lifecycle from devices d where d.tenant = m.tenant and d.id = m.device),
          (select count(*) from commands c where c.tenant = m.tenant and c.target = m.id and c.state in ('queued', 'taken')),
          b.device_address, b.server_address, b.document
        from monitors m
        left join monitor_mailboxes b on b.tenant = m.tenant and b.monitor = m.id
        where m.id = $1 and m.state = 'active'";
    pub(super) KNOWN_BY_ADDRESS = "select m.id, m.tenant, m.public_key, m.serial_fold, m.schedule_revision, m.device,
          (select d.lifecycle from devices d where d.tenant = m.tenant and d.id = m.device),
          (select count(*) from commands c where c.tenant = m.tenant and c.target = m.id and c.state in ('queued', 'taken')),
          b.device_address, b.server_address, b.document
        from monitor_mailboxes b
        join monitors m on m.tenant = b.tenant and m.id = b.monitor
        where b.device_address = $1 and m.state = 'active'";
    pub(super) HEARD = "update monitors
        set said_at = $3, said_road = $4, clock_offset_ms = $5,
          device = coalesce(device, (select e.device from device_evidence e where e.tenant = $1 and e.kind = 'subject' and e.value = $6
            and e.ended_at is null)),
          epoch = case when epoch < $7 then $7 else epoch end
        where tenant = $1 and id = $2";
    pub(super) REVISION = "select m.schedule_revision, m.serial_fold from monitors m where m.tenant = $1 and m.id = $2";
    pub(super) ROAD = "select m.road from monitors m where m.tenant = $1 and m.id = $2";
    pub(super) OLDER_SCHEDULES = "update commands set state = 'cancelled', ended_at = $3
        where tenant = $1 and target = $2 and what = 'schedule' and state = 'queued'";
    pub(super) BUMP_REVISION = "update monitors set schedule_revision = schedule_revision + 1, version = version + 1
        where tenant = $1 and id = $2";
    pub(super) STRANGER = "insert into strangers as known (tenant, vendor, serial_fold, serial_no, model, why, peer, tries, first_at, last_at)
        values ($1, $2, $3, $4, $5, $6, $7, 1, $8, $8)
        on conflict (tenant, vendor, serial_fold) do update
        set tries = known.tries + 1, last_at = excluded.last_at, why = excluded.why, peer = excluded.peer, model = excluded.model";
    pub(super) STRANGER_GONE = "delete from strangers where vendor = $1 and serial_fold = $2";
    pub(super) ROOT = "select o.id from organisations o where o.parent is null order by o.id limit 1";

    pub(super) KINDS = "select k.kind, k.period_s, k.said_at, k.taken_at, k.size_bytes, k.messages
        from monitor_kinds k
        where k.tenant = $1 and k.monitor = $2
        order by k.kind";
    pub(super) SAID = "insert into monitor_kinds as known (tenant, monitor, kind, said_at, taken_at, size_bytes, messages)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (tenant, monitor, kind) do update
        set said_at = excluded.said_at, taken_at = excluded.taken_at, size_bytes = excluded.size_bytes,
          messages = known.messages + excluded.messages";
    pub(super) PERIOD = "insert into monitor_kinds (tenant, monitor, kind, period_s, size_bytes, messages)
        values ($1, $2, $3, $4, 0, 0)
        on conflict (tenant, monitor, kind) do update
        set period_s = excluded.period_s";

    pub(super) TAUGHT = "update monitors set key_told = $3 where tenant = $1 and id = $2 and key_told < $3";
    pub(super) UNTAUGHT = "select k.tenant, k.id, k.whom
        from (
          select m.tenant, m.id, 'monitor' as whom from monitors m where m.state = 'active' and m.key_told < $1 and m.road <> 'mail'
          union all
          select a.tenant, a.id, 'agent' from agents a where a.state <> 'revoked' and a.key_told > 0 and a.key_told < $1
        ) k
        where not exists (select 1 from commands c where c.tenant = k.tenant and c.target = k.id and c.what = 'keys'
          and c.state in ('queued', 'taken') and c.expires_at > $2)
        order by k.id
        limit $3";
    pub(super) GATEWAY_KEYS = "select k.id, k.ends_at from gateway_keys k where k.ends_at is null or k.ends_at > $1 order by k.id desc";
    pub(super) GATEWAY_KEY = "insert into gateway_keys (id, made_at) values ($1, $2) on conflict (id) do nothing";
    pub(super) GATEWAY_KEY_ENDS = "update gateway_keys set ends_at = $2 where id = $1 and ends_at is null";

    pub(super) RECEIVES = "select b.monitor from monitor_mailboxes b where b.server_address = $1 limit 1";
    pub(super) PAIR = "select b.monitor, b.server_address, m.vendor, m.serial_fold
        from monitor_mailboxes b
        join monitors m on m.tenant = b.tenant and m.id = b.monitor
        where b.device_address = $1";
    pub(super) AWAITED = "select b.server_address
        from monitor_mailboxes b
        join monitors m on m.tenant = b.tenant and m.id = b.monitor
        where b.device_address = $1 and m.state <> 'suspended' and m.claim_hash is not null and m.claim_until > $2";
    pub(super) OWN_MAIL = "select b.device_address, b.server_address, m.seal_key, m.key_told
        from monitor_mailboxes b
        join monitors m on m.tenant = b.tenant and m.id = b.monitor
        where b.tenant = $1 and b.monitor = $2";
    pub(super) NEW_MAILBOX = "insert into monitor_mailboxes (tenant, monitor, device_address, server_address, made_at)
        values ($1, $2, $3, $4, $5)
        on conflict (tenant, monitor) do nothing";
    pub(super) RELEASE_MAILBOX = "delete from monitor_mailboxes where tenant = $1 and monitor = $2";
    pub(super) QUEUED = "select c.id, c.order_bytes, c.expires_at
        from commands c
        where c.tenant = $1 and c.target = $2 and c.state = 'queued' and c.expires_at > $3
        order by c.issued_at, c.id
        limit 64";
    pub(super) TAKE_OWN = "update commands set state = 'taken', taken_at = $3
        where tenant = $1 and id = $2 and target = $4 and state = 'queued'";
}

/// Columns of the list; the sort keys follow.
pub(super) const LIST: &str = "select m.tenant, m.id, m.vendor, m.serial_no, m.model, m.state, m.road, m.firmware, m.mac, \
     m.listener, m.schedule_revision, m.clock_offset_ms, m.registered_at, m.hello_at, m.said_at, m.said_road, m.device, \
     m.claim_until, m.version, m.serial_fold, m.id from monitors m";
/// Columns of the strangers; the sort keys follow.
pub(super) const STRANGERS: &str = "select s.vendor, s.serial_no, s.model, s.why, s.peer, s.tries, s.first_at, s.last_at, \
     s.last_at, s.vendor, s.serial_fold from strangers s";
