//! Statements of rules, holds and proofs. Those on the targets are built, since tables register themselves.

store::sql! {
    pub(super) OPEN_OF_DAY = "select count(*) from inbox_open o where o.recv_day <= $1";
    pub(super) OF_DAY = "select i.tenant, count(*), min(i.recv_at), max(i.recv_at) from inbox i where i.recv_day = $1 group by i.tenant";
    pub(super) RULES = "select r.class, r.days, r.version from retention_rules r where r.tenant = $1";
    pub(super) SET_RULE = "insert into retention_rules (tenant, class, days, version, changed_at)
        values ($1, $2, $3, 1, $4)
        on conflict (tenant, class) do update
        set days = $3, version = retention_rules.version + 1, changed_at = $4";
    pub(super) TENANTS = "select o.id from organisations o order by o.id";
    pub(super) ALL_RULES = "select r.tenant, r.class, r.days from retention_rules r";
    pub(super) HOLD = "insert into retention_holds (tenant, class, table_name, due_rows, all_rows, found_at)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (tenant, table_name) do update set due_rows = $4, all_rows = $5";
    pub(super) CONFIRMED = "select h.due_rows from retention_holds h
        where h.tenant = $1 and h.table_name = $2 and h.confirmed_at is not null";
    pub(super) END_HOLD = "delete from retention_holds where tenant = $1 and table_name = $2";
    pub(super) HOLDS = "select h.tenant, h.class, h.table_name, h.due_rows, h.all_rows, h.found_at, h.confirmed_at
        from retention_holds h
        where h.tenant = $1
        order by h.table_name";
    pub(super) CONFIRM = "update retention_holds set confirmed_at = $3, confirmed_by = $4
        where tenant = $1 and table_name = $2 and confirmed_at is null";
    pub(super) PROVE = "insert into deletion_proofs
        (tenant, id, class, table_name, before_at, rows_gone, first_at, last_at, hash, made_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    pub(super) PROOFS = "select p.class, p.table_name, p.before_at, p.rows_gone, p.first_at, p.last_at, p.hash, p.made_at
        from deletion_proofs p
        where p.tenant = $1
        order by p.made_at desc, p.id desc
        limit $2";
}
