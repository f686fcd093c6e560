//! Statements of what devices tell.

use crate::devices::in64;

store::sql! {
    pub(crate) DICTIONARIES = concat!("select d.hash, d.meters
        from counter_dictionaries d
        where d.tenant = $1
          and d.hash in (", in64!(), ")");
    pub(crate) DICTIONARY_COUNT = "select count(*) from counter_dictionaries where tenant = $1";
    pub(crate) DICTIONARY = "insert into counter_dictionaries (tenant, hash, model, names, meters, body, first_at)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (tenant, hash) do nothing";
    pub(super) DICTIONARY_BODY = "select d.model, d.body from counter_dictionaries d where d.tenant = $1 and d.hash = $2";
    /// The base of a change, if it is the set that was told in full last.
    pub(super) HEAD = "select h.taken_ms
        from counter_heads h
        where h.tenant = $1
          and h.device = $2
          and h.kind = $3
          and h.sender = $4
          and h.epoch = $5
          and h.seq = $6";
    pub(super) HEAD_SET = "insert into counter_heads (tenant, device, kind, sender, epoch, seq, taken_ms)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (tenant, device, kind) do update
        set sender = excluded.sender,
          epoch = excluded.epoch,
          seq = excluded.seq,
          taken_ms = excluded.taken_ms";
    pub(super) SNAPSHOT_KNOWN = "select 1 from counter_snapshots
        where tenant = $1 and device = $2 and kind = $3 and taken_ms = $4";
    pub(super) SNAPSHOT = "insert into counter_snapshots (tenant, device, kind, taken_ms, at, dictionary, counters, size_bytes, body,
          form, full_ms)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        on conflict (tenant, device, kind, taken_ms) do nothing";
    pub(super) SNAPSHOT_BODY = "select s.dictionary, s.form, s.full_ms, s.body
        from counter_snapshots s
        where s.tenant = $1 and s.device = $2 and s.kind = $3 and s.taken_ms = $4";
    pub(super) CHAIN = "select c.full_ms, c.length, s.dictionary, s.form, s.full_ms, s.body
        from counter_chains c
        join counter_snapshots s on s.tenant = c.tenant and s.device = c.device and s.kind = c.kind and s.taken_ms = c.full_ms
        where c.tenant = $1 and c.device = $2 and c.kind = $3";
    pub(super) CHAIN_SET = "insert into counter_chains (tenant, device, kind, full_ms, length)
        values ($1, $2, $3, $4, $5)
        on conflict (tenant, device, kind) do update
        set full_ms = excluded.full_ms, length = excluded.length";
    pub(super) SNAPSHOT_LAST = "select s.at, s.dictionary, s.taken_ms
        from counter_snapshots s
        where s.tenant = $1 and s.device = $2 and s.kind = $3
        order by s.at desc, s.taken_ms desc
        limit 1";

    pub(super) SETS = "select s.kind, s.at, s.taken_ms, s.counters, s.size_bytes
        from counter_snapshots s
        where s.tenant = $1
          and s.device = $2
          and (cast($3 as bigint) is null or s.kind = $3)
        order by s.taken_ms desc, s.kind
        limit $4";
    /// The last set until a moment.
    pub(super) SET_UNTIL = "select s.taken_ms
        from counter_snapshots s
        where s.tenant = $1 and s.device = $2 and s.kind = $3 and s.taken_ms <= $4
        order by s.taken_ms desc
        limit 1";
    pub(super) SET = "select s.at, s.dictionary
        from counter_snapshots s
        where s.tenant = $1 and s.device = $2 and s.kind = $3 and s.taken_ms = $4";

    pub(super) EVENT_KNOWN = "select 1 from device_events
        where tenant = $1 and device = $2 and kind = $3 and code = $4 and taken_ms = $5 and total = $6 and standing = $7";
    /// A later word on whether it stands.
    pub(super) EVENT_NEWER = "select 1 from device_events
        where tenant = $1 and device = $2 and kind = $3 and code = $4 and taken_ms > $5 and standing >= 0
          and coalesce(sub_code, '') = $6
        limit 1";
    pub(super) EVENT = "insert into device_events (tenant, device, kind, code, taken_ms, total, standing, sub_code, level, tray, media,
          at, recv_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        on conflict (tenant, device, kind, code, taken_ms, total, standing) do nothing";
    pub(super) EVENTS = "select e.kind, e.code, e.taken_ms, e.total, e.standing, e.sub_code, e.level, e.tray, e.media, e.at
        from device_events e
        where e.tenant = $1 and e.device = $2
        order by e.at desc, e.kind, e.code
        limit $3";

    pub(super) ENTRY_KNOWN = "select 1 from diagnostics
        where tenant = $1 and device = $2 and kind = $3 and taken_ms = $4";
    pub(super) ENTRY_NEWER = "select 1 from diagnostics
        where tenant = $1 and device = $2 and kind = $3 and taken_ms > $4
        limit 1";
    pub(super) ENTRY = "insert into diagnostics (tenant, device, kind, taken_ms, at, size_bytes, body)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (tenant, device, kind, taken_ms) do nothing";
    /// Leaves so many of a device and kind.
    pub(super) ENTRY_TRIM = "delete from diagnostics
        where tenant = $1
          and device = $2
          and kind = $3
          and taken_ms < (select d.taken_ms from diagnostics d where d.tenant = $1 and d.device = $2 and d.kind = $3
            order by d.taken_ms desc limit 1 offset $4)";
    pub(super) LATEST = "select d.body, d.at, d.size_bytes
        from diagnostics d
        where d.tenant = $1
          and d.device = $2
          and d.taken_ms = (select max(x.taken_ms) from diagnostics x where x.tenant = $1 and x.device = $2 and x.kind = d.kind)
        order by d.kind";
    pub(super) ENTRIES = "select d.body, d.at, d.size_bytes
        from diagnostics d
        where d.tenant = $1 and d.device = $2 and d.kind = $3
        order by d.taken_ms desc
        limit $4";
    pub(super) COMPONENTS = "select c.name, c.version
        from device_components c
        where c.tenant = $1 and c.device = $2 and c.kind = 'firmware'";
}
