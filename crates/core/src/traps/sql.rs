//! Statements of trap doors.

store::sql! {
    pub(super) DOOR = "insert into trap_doors (tenant, agent, door, received, known, shed, refused, since_at, said_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $8)
        on conflict (tenant, agent) do update
        set door = excluded.door,
          received = trap_doors.received + excluded.received,
          known = trap_doors.known + excluded.known,
          shed = trap_doors.shed + excluded.shed,
          refused = trap_doors.refused + excluded.refused,
          said_at = excluded.said_at";
    pub(super) SENDER = "insert into trap_senders (tenant, agent, address, total, first_at, last_at, trap, snmp, speaks_for)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        on conflict (tenant, agent, address) do update
        set total = trap_senders.total + excluded.total,
          first_at = case when excluded.first_at < trap_senders.first_at then excluded.first_at else trap_senders.first_at end,
          last_at = case when excluded.last_at > trap_senders.last_at then excluded.last_at else trap_senders.last_at end,
          trap = coalesce(excluded.trap, trap_senders.trap),
          snmp = coalesce(excluded.snmp, trap_senders.snmp),
          speaks_for = coalesce(excluded.speaks_for, trap_senders.speaks_for)";
    pub(super) FORGET = "delete from trap_senders
        where tenant = $1
          and agent = $2
          and address in (select s.address
            from trap_senders s
            where s.tenant = $1
              and s.agent = $2
            order by s.last_at desc, s.address
            limit 1000000 offset $3)";
    pub(super) GET_DOOR = "select d.door, d.received, d.known, d.shed, d.refused, d.since_at, d.said_at
        from trap_doors d
        where d.tenant = $1
          and d.agent = $2";
    pub(super) TENANT = "select a.tenant from agents a where a.id = $1";
}
