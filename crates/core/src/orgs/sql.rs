//! Statements of the tree and its grants.

store::sql! {
    pub(crate) GET = "select o.id, o.parent, o.slug, o.path, o.kind, o.name, o.created_by_org, o.zone, o.locale, o.currency,
          o.version, o.created_at
        from organisations o
        where o.tenant = $1 and o.id = $1";
    /// The organisations at and below a path; a small table, read whole.
    pub(super) TREE = "select o.id, o.parent, o.slug, o.path, o.kind, o.name, o.created_by_org, o.zone, o.locale, o.currency,
          o.version, o.created_at
        from organisations o
        where substr(o.path, 1, length($1)) = $1
        order by o.path";
    pub(super) PATH = "select o.path from organisations o where o.tenant = $1 and o.id = $1";
    pub(super) LAST_CHILD = "select max(o.path) from organisations o where o.parent = $1";
    pub(super) ANY = "select o.id from organisations o where o.parent is null limit 1";
    pub(super) SIBLING = "select o.id from organisations o where o.parent = $1 and o.slug = $2";
    pub(super) INSERT = "insert into organisations
        (tenant, id, parent, slug, path, kind, name, name_fold, created_by_org, zone, locale, currency, k_floor, version,
          created_at)
        values ($1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 2, 1, $12)";
    pub(super) UPDATE = "update organisations
        set name = $2, name_fold = $3, zone = $4, locale = $5, currency = $6, version = version + 1
        where tenant = $1 and id = $1 and version = $7";
    pub(super) GRANT = "insert into service_grants (tenant, id, grantee, class, from_at, until_at, granted_by)
        values ($1, $2, $3, 'fleet', $4, null, $5)";
    pub(super) GRANTS = "select g.tenant, g.grantee, g.class, g.from_at, g.until_at
        from service_grants g
        where g.tenant = $1
        order by g.from_at, g.id";
}
