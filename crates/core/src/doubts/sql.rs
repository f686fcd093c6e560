//! Statements of doubts. Lists are built in `service.rs`.

store::sql! {
    pub(super) DECIDED = "select border_at, until_at, verdict, bridge
        from doubt_meters
        where tenant = $1
          and device = $2
          and meter = $3
          and verdict is not null";
    pub(super) OF_COUNTER = "select x.doubt, x.border_at, d.state, x.verdict
        from doubt_meters x
        join doubts d on d.tenant = x.tenant and d.id = x.doubt
        where x.tenant = $1
          and x.device = $2
          and x.meter = $3
          and x.border_at > $4
          and d.state <> 'withdrawn'";
    pub(super) AT = "select id
        from doubts
        where tenant = $1
          and device = $2
          and family = 'counter'
          and at = $3
          and state <> 'withdrawn'
        limit 1";
    pub(super) ALIKE = "select id, state
        from doubts
        where tenant = $1
          and device = $2
          and kind = $3
          and other = $4
          and state <> 'withdrawn'
        order by opened_at desc
        limit 1";
    pub(super) INSERT = "insert into doubts (tenant, id, version, family, kind, state, device, other, at, until_at, opened_at,
          data, pages)
        values ($1, $2, 1, $3, $4, 'open', $5, $6, $7, $8, $9, $10, $11)
        on conflict do nothing";
    pub(super) RENEW = "update doubts
        set data = $3,
          pages = $4,
          until_at = $5
        where tenant = $1
          and id = $2
          and state = 'open'";
    pub(super) REKIND = "update doubts
        set kind = $3,
          data = $4,
          until_at = $5
        where tenant = $1
          and id = $2
          and state = 'open'
          and (kind <> $3 or until_at <> $5)";
    pub(super) METER = "insert into doubt_meters (tenant, doubt, device, meter, border_at, until_at, before_at, before_value,
          after_value, until_value, assumed, cause)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        on conflict (tenant, doubt, meter) do update
        set border_at = excluded.border_at,
          until_at = excluded.until_at,
          before_at = excluded.before_at,
          before_value = excluded.before_value,
          after_value = excluded.after_value,
          until_value = excluded.until_value,
          assumed = excluded.assumed,
          cause = excluded.cause";
    pub(super) DROP_METER = "delete from doubt_meters
        where tenant = $1
          and doubt = $2
          and meter = $3";
    pub(super) WITHDRAW = "update doubts
        set state = 'withdrawn'
        where tenant = $1
          and id = $2
          and state = 'open'
          and not exists (select 1 from doubt_meters x where x.tenant = $1 and x.doubt = $2)
        returning device, kind";
    pub(super) NOT_SWAPPED = "update doubts
        set state = 'withdrawn'
        where tenant = $1
          and other = $2
          and kind = 'device_swap'
          and state = 'open'
        returning id, device, kind";
    pub(super) WITHDRAW_OF = "update doubts
        set state = 'withdrawn'
        where tenant = $1
          and device = $2
          and state = 'open'
          and id <> $3";
    pub(super) METERS = "select x.meter, m.function, m.color, m.size, m.sides, m.unit, m.source, m.role, x.before_at,
          x.before_value, x.border_at, x.after_value, x.until_at, x.until_value, x.cause, x.assumed, x.verdict, x.bridge
        from doubt_meters x
        join meters m on m.tenant = x.tenant and m.device = x.device and m.id = x.meter
        where x.tenant = $1
          and x.doubt = $2
        order by case m.role when 'total' then 0 when 'mono' then 1 when 'color' then 2 else 3 end, m.function, m.color, m.source";
    pub(super) PAGES = "update doubts
        set pages = (select cast(sum(case when x.verdict = 'bridge' then x.bridge when x.verdict = 'ignore' then 0
              else x.assumed end) as bigint)
            from doubt_meters x
            join meters m on m.tenant = x.tenant and m.device = x.device and m.id = x.meter
            where x.tenant = $1
              and x.doubt = $2
              and (m.role = 'total'
                or m.role is not null and not exists (select 1 from meters t
                  where t.tenant = m.tenant and t.device = m.device and t.role = 'total')))
        where tenant = $1
          and id = $2";
    pub(super) VERDICT = "update doubt_meters
        set verdict = $4,
          bridge = $5,
          until_at = $6
        where tenant = $1
          and doubt = $2
          and meter = $3";
    pub(super) NO_VERDICT = "update doubt_meters
        set verdict = null,
          bridge = null
        where tenant = $1
          and doubt = $2";
    pub(super) SETTLE = "update doubts
        set state = $3,
          decision = $4,
          note = $5,
          settled_at = $6,
          settled_by = $7,
          version = version + 1
        where tenant = $1
          and id = $2
          and version = $8";
    /// Devices whose alerts about counters are not what their open doubts ask for.
    pub(super) UNEQUAL = "select d.tenant, d.device
        from doubts d
        join devices p on p.tenant = d.tenant and p.id = d.device and p.lifecycle <> 'retired'
        where d.state = 'open'
          and d.family = 'counter'
          and not exists (select 1 from alerts a
            where a.tenant = d.tenant
              and a.device = d.device
              and a.cleared_at is null
              and a.reason = case when d.kind = 'jump' then 'platen-meter-jump' else 'platen-meter-decrease' end)
        union
        select a.tenant, a.device
        from alerts a
        where a.reason in ('platen-meter-jump', 'platen-meter-decrease')
          and a.cleared_at is null
          and not exists (select 1 from doubts d
            where d.tenant = a.tenant
              and d.device = a.device
              and d.state = 'open'
              and d.family = 'counter'
              and a.reason = case when d.kind = 'jump' then 'platen-meter-jump' else 'platen-meter-decrease' end)
        limit 500";
    pub(super) KINDS_OF = "select distinct kind
        from doubts
        where tenant = $1
          and device = $2
          and state = 'open'
          and family = 'counter'";
    pub(super) FLAGS = "select d.device, d.kind, d.at, d.family, x.meter
        from doubts d
        left join doubt_meters x on x.tenant = d.tenant and x.doubt = d.id
        where d.tenant = $1
          and d.state = 'open'
          and d.device in (select p.id from devices p where p.tenant = $1 and p.lifecycle <> 'retired')";
}
