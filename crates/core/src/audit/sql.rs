//! Statements of the audit log. Rows are only inserted here; retention deletes whole months.

store::sql! {
    /// Takes the next place of a month. The row stays locked until the end of the transaction, so the chain has one writer.
    pub(super) NEXT = "insert into audit_checkpoints (tenant, month, size, root_hash, mac)
        values ($1, $2, 1, $3, $3)
        on conflict (tenant, month) do update
        set size = audit_checkpoints.size + 1
        returning size, root_hash";
    pub(super) HEAD = "update audit_checkpoints
        set root_hash = $3, mac = $4
        where tenant = $1 and month = $2";
    pub(super) INSERT = "insert into audit_records
        (tenant, month, no, at, actor_kind, actor_id, verb, object_kind, object_id, request, payload_hash, leaf_hash)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    pub(super) INSERT_PAYLOAD = "insert into audit_payloads (tenant, month, no, salt, content)
        values ($1, $2, $3, $4, $5)";
    pub(super) MONTHS = "select c.month, c.size, c.root_hash, c.mac
        from audit_checkpoints c
        where c.tenant = $1
        order by c.month";
    pub(super) STRAY = "select r.month, min(r.no)
        from audit_records r
        where r.tenant = $1
          and not exists (select 1 from audit_checkpoints c where c.tenant = r.tenant and c.month = r.month)
        group by r.month
        order by r.month";
    pub(super) CHAIN = "select r.no, r.at, r.actor_kind, r.actor_id, r.verb, r.object_kind, r.object_id, r.request,
          r.payload_hash, r.leaf_hash, p.salt, p.content
        from audit_records r
        left join audit_payloads p on p.tenant = r.tenant and p.month = r.month and p.no = r.no
        where r.tenant = $1 and r.month = $2 and r.no > $3
        order by r.no
        limit $4";
}

/// Columns of the list; the sort keys follow.
pub(super) const LIST: &str = "select r.tenant, r.month, r.no, r.at, r.actor_kind, r.actor_id, r.verb, r.object_kind, \
     r.object_id, r.request, r.leaf_hash, p.content, r.at, r.no, r.tenant
     from audit_records r
     left join audit_payloads p on p.tenant = r.tenant and p.month = r.month and p.no = r.no";
