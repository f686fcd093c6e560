//! Statements of accounts, proofs, sessions, tokens and saved filters.

store::sql! {
    pub(super) INSTALLATION = "select i.setup_hash, i.setup_done_at from installation i where i.id = 1";
    pub(super) SETUP_HASH = "insert into installation (id, setup_hash) values (1, $1)
        on conflict (id) do update set setup_hash = $1
        where installation.setup_done_at is null";
    pub(super) SETUP_DONE = "insert into installation (id, setup_hash, setup_done_at) values (1, null, $1)
        on conflict (id) do update set setup_hash = null, setup_done_at = $1
        where installation.setup_done_at is null";

    pub(super) INSERT = "insert into users
        (tenant, id, email, email_fold, name, name_fold, state, role, locale, version, created_at)
        values ($1, $2, $3, $4, $5, $6, 'active', $7, $8, 1, $9)
        on conflict (tenant, email_fold) do nothing";
    pub(super) GET = "select u.tenant, u.id, u.email, u.name, u.role, u.state, u.locale, u.version, u.created_at,
          u.last_sign_in_at
        from users u
        where u.tenant = $1 and u.id = $2";
    pub(super) BY_EMAIL = "select u.tenant, u.id, u.email, u.name, u.role, u.state, u.locale, u.version, u.created_at,
          u.last_sign_in_at
        from users u
        where u.email_fold = $1
        order by u.created_at, u.id
        limit 4";
    pub(super) UPDATE = "update users set name = $3, name_fold = $4, locale = $5, version = version + 1
        where tenant = $1 and id = $2";
    pub(super) SET_ROLE = "update users set role = $3, version = version + 1 where tenant = $1 and id = $2";
    pub(super) SET_STATE = "update users set state = $3, version = version + 1 where tenant = $1 and id = $2";
    pub(super) SIGNED_IN = "update users set last_sign_in_at = $3 where tenant = $1 and id = $2";
    pub(super) COUNT = "select count(*) from users u where u.tenant = $1";
    pub(super) OTHER_ADMINS = "select count(*) from users u
        where u.tenant = $1 and u.role = 'admin' and u.state = 'active' and u.id <> $2";
    /// Locks an organisation's row, so that two administrators cannot demote each other at once.
    pub(super) LOCK_ORG = "update organisations set version = version where tenant = $1 and id = $1";
    pub(super) MAKER = "select o.created_by_org from organisations o where o.tenant = $1 and o.id = $1";

    pub(super) PASSWORD = "select i.verifier, i.temporary, i.issued_at from identities i
        where i.tenant = $1 and i.user_id = $2 and i.kind = 'password' and i.revoked_at is null";
    pub(super) REVOKE_PASSWORD = "delete from identities
        where tenant = $1 and user_id = $2 and kind = 'password'";
    pub(super) ISSUE_PASSWORD = "insert into identities (tenant, id, user_id, kind, verifier, temporary, issued_at)
        values ($1, $2, $3, 'password', $4, $5, $6)";

    pub(super) START_SESSION = "insert into sessions
        (tenant, token_hash, user_id, client, address, created_at, seen_at, idle_until, absolute_until)
        values ($1, $2, $3, $4, $5, $6, $6, $7, $8)";
    pub(super) SESSION = "select u.tenant, u.id, u.email, u.name, u.role, u.state, u.locale, u.version, u.created_at,
          u.last_sign_in_at, s.seen_at, s.idle_until, s.absolute_until,
          (select i.temporary from identities i
            where i.tenant = u.tenant and i.user_id = u.id and i.kind = 'password' and i.revoked_at is null)
        from sessions s
        join users u on u.tenant = s.tenant and u.id = s.user_id
        where s.token_hash = $1";
    pub(super) TOUCH_SESSION = "update sessions set seen_at = $3, idle_until = $4
        where tenant = $1 and token_hash = $2";
    pub(super) ROTATE_SESSION = "update sessions set token_hash = $3 where tenant = $1 and token_hash = $2";
    pub(super) END_SESSION = "delete from sessions where tenant = $1 and token_hash = $2";
    pub(super) END_SESSIONS = "delete from sessions where tenant = $1 and user_id = $2 and token_hash <> $3";
    pub(super) END_OWN_SESSION = "delete from sessions where tenant = $1 and user_id = $2 and substr(token_hash, 1, 16) = $3";
    pub(super) SESSIONS = "select substr(s.token_hash, 1, 16), s.client, s.address, s.created_at, s.seen_at, s.idle_until,
          s.absolute_until
        from sessions s
        where s.tenant = $1 and s.user_id = $2 and s.idle_until > $3 and s.absolute_until > $3
        order by s.created_at desc, s.token_hash";

    pub(super) CHARGE = "insert into login_budgets (kind, subject, failures, last_at, locked_until)
        values ($1, $2, 1, $3, 0)
        on conflict (kind, subject) do update
        set failures = case when login_budgets.last_at < $4 then 1 else login_budgets.failures + 1 end,
          last_at = $3
        returning failures, locked_until";
    pub(super) LOCK = "update login_budgets set locked_until = $3 where kind = $1 and subject = $2";
    pub(super) FORGIVE = "delete from login_budgets where kind = $1 and subject = $2";
    pub(super) REFUND = "update login_budgets set failures = failures - 1, locked_until = 0
        where kind = $1 and subject = $2";

    pub(super) INSERT_TOKEN = "insert into tokens (tenant, id, user_id, name, token_hash, scope, created_at, expires_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)";
    pub(super) TOKENS = "select t.id, t.user_id, t.name, t.scope, t.created_at, t.expires_at, t.last_used_at
        from tokens t
        where t.tenant = $1 and t.user_id = $2 and t.revoked_at is null
        order by t.created_at desc, t.id";
    pub(super) TOKEN_OWNER = "select t.user_id, t.name from tokens t
        where t.tenant = $1 and t.id = $2 and t.revoked_at is null";
    pub(super) REVOKE_TOKEN = "update tokens set revoked_at = $3 where tenant = $1 and id = $2";
    pub(super) REVOKE_TOKENS = "update tokens set revoked_at = $3
        where tenant = $1 and user_id = $2 and revoked_at is null";
    pub(super) BEARER = "select t.tenant, t.id, t.user_id, t.name, t.scope, t.last_used_at, u.role
        from tokens t
        join users u on u.tenant = t.tenant and u.id = t.user_id
        where t.token_hash = $1
          and t.revoked_at is null
          and (t.expires_at is null or t.expires_at > $2)
          and u.state = 'active'";
    pub(super) TOUCH_TOKEN = "update tokens set last_used_at = $3 where tenant = $1 and id = $2";

    pub(super) INSERT_FILTER = "insert into saved_filters
        (tenant, id, owner, list, name, filter, shared_role, version, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, 1, $8)";
    pub(super) FILTERS = "select f.id, f.owner, f.list, f.name, f.filter, f.shared_role, f.version
        from saved_filters f
        where f.tenant = $1 and (f.owner = $2 or f.shared_role is not null)
        order by f.list, f.name, f.id";
    pub(super) FILTER = "select f.id, f.owner, f.list, f.name, f.filter, f.shared_role, f.version
        from saved_filters f
        where f.tenant = $1 and f.id = $2";
    pub(super) FILTER_COUNT = "select count(*) from saved_filters f where f.tenant = $1 and f.owner = $2";
    pub(super) UPDATE_FILTER = "update saved_filters
        set name = $3, filter = $4, shared_role = $5, version = version + 1
        where tenant = $1 and id = $2";
    pub(super) DELETE_FILTER = "delete from saved_filters where tenant = $1 and id = $2";
}

/// Columns of the list; the sort keys follow.
pub(super) const LIST: &str = "select u.tenant, u.id, u.email, u.name, u.role, u.state, u.locale, u.version, u.created_at, \
     u.last_sign_in_at, u.name_fold, u.id from users u";
