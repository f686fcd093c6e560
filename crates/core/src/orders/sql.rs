//! Statements of orders and of the periods that were set for devices which agents read.

store::sql! {
    pub(super) ORDER = "insert into commands (tenant, id, target, what, order_bytes, state, issued_at, issued_by, expires_at, device, given_by,
          whom)
        values ($1, $2, $3, $4, $5, 'queued', $6, $7, $8, $9, $10, $11)";
    pub(super) PENDING = "select c.id, c.order_bytes, c.state,
          coalesce((select m.key_told from monitors m where m.tenant = c.tenant and m.id = c.target),
            (select a.key_told from agents a where a.tenant = c.tenant and a.id = c.target), 1)
        from commands c
        where c.tenant = $1 and c.target = $2 and c.state in ('queued', 'taken') and c.expires_at > $3
        order by c.issued_at, c.id
        limit 64";
    pub(super) TAKE = "update commands set state = 'taken', taken_at = $3
        where tenant = $1 and id = $2 and state = 'queued'
        returning whom, target, device";
    pub(super) END = "update commands set state = $4, ended_at = $5, detail = $6
        where tenant = $1 and id = $2 and target = $3 and state in ('queued', 'taken')
        returning order_bytes, whom, target, device";
    pub(super) NOT_NOW = "update commands set state = 'queued', detail = $4
        where tenant = $1 and id = $2 and target = $3 and state = 'taken'";
    pub(super) OF_TARGET = "select c.id, c.what, c.state, c.issued_at, c.issued_by, c.given_by, c.expires_at, c.taken_at, c.ended_at, c.detail
        from commands c
        where c.tenant = $1 and c.target = $2
        order by c.issued_at desc, c.id desc
        limit $3";
    /// Those that an agent got about a device, and those that the device got itself.
    pub(super) OF_DEVICE = "select c.id, c.what, c.state, c.issued_at, c.issued_by, c.given_by, c.expires_at, c.taken_at, c.ended_at, c.detail
        from commands c
        where c.tenant = $1
          and (c.device = $2 or c.target in (select m.id from monitors m where m.tenant = $1 and m.device = $2))
        order by c.issued_at desc, c.id desc
        limit $3";
    /// What an agent got for itself.
    pub(super) OF_AGENT = "select c.id, c.what, c.state, c.issued_at, c.issued_by, c.given_by, c.expires_at, c.taken_at, c.ended_at, c.detail
        from commands c
        where c.tenant = $1 and c.target = $2 and c.device is null
        order by c.issued_at desc, c.id desc
        limit $3";
    pub(super) CANCEL = "update commands set state = 'cancelled', ended_at = $4
        where tenant = $1 and id = $2 and target = $3 and state in ('queued', 'taken')
        returning device";
    /// Of a device that reports by itself, or of one that an agent reads.
    pub(super) CANCEL_OF_UNIT = "update commands set state = 'cancelled', ended_at = $4
        where tenant = $1 and id = $2 and state in ('queued', 'taken')
          and (device = $3 or target = $3 or target in (select m.id from monitors m where m.tenant = $1 and m.device = $3))
        returning whom, target, device";
    pub(super) EXPIRE = "update commands set state = 'expired', ended_at = $1
        where state in ('queued', 'taken') and expires_at <= $1
        returning tenant, id, whom, target, device";
    pub(super) OLDER_PERIODS = "update commands set state = 'cancelled', ended_at = $3
        where tenant = $1 and device = $2 and what = 'schedule' and state = 'queued'";
    pub(super) SET_PERIODS = "insert into device_periods as known (tenant, device, status_s, meters_s, revision, set_at, set_by)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (tenant, device) do update
        set status_s = excluded.status_s, meters_s = excluded.meters_s, revision = excluded.revision, set_at = excluded.set_at,
          set_by = excluded.set_by";
    pub(super) PERIODS = "select k.status_s, k.meters_s, k.revision from device_periods k where k.tenant = $1 and k.device = $2";
}
