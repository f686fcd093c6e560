//! Statements of tasks and their shares.

store::sql! {
    pub(super) INSERT = "insert into tasks (tenant, id, what, wish, filter, preview_hash, devices, life_ms, state, made_at, made_by, made_by_name,
          expires_at, version)
        values ($1, $2, $3, $4, $5, $6, $7, $8, 'running', $9, $10, $11, $12, 1)";
    pub(super) SHARE = "insert into subtasks (tenant, task, unit, org, serial_no, vendor, model, device, road, state, tries, at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'waiting', 0, $10)";
    pub(super) TENANT = "select t.tenant from tasks t where t.id = $1";
    pub(super) GET = "select t.tenant, t.id, t.wish, t.filter, t.devices, t.state, t.made_at, t.made_by_name, t.expires_at, t.ended_at,
          t.version
        from tasks t
        where t.tenant = $1 and t.id = $2";
    /// How many stand where, by their orders as they are now.
    pub(super) COUNTS = "select s.state, c.state, count(*)
        from subtasks s
        left join commands c on c.tenant = s.org and c.id = s.command
        where s.tenant = $1 and s.task = $2
        group by s.state, c.state";
    pub(super) CANCEL = "update tasks set state = 'cancelled', ended_at = $3, version = version + 1
        where tenant = $1 and id = $2 and state = 'running'";
    pub(super) CANCEL_WAITING = "update subtasks set state = 'cancelled', at = $3 where tenant = $1 and task = $2 and state = 'waiting'";
    /// Orders that nobody has answered, with whose they are.
    pub(super) OPEN_ORDERS = "select s.org, s.command, s.unit
        from subtasks s
        where s.tenant = $1 and s.task = $2 and s.command is not null and s.state in ('assigned', 'running')
        order by s.unit";
    pub(super) RETRY = "update subtasks set state = 'waiting', command = null, detail = null, at = $3
        where tenant = $1 and task = $2 and state in ('failed', 'timed_out', 'cancelled')";
    pub(super) RESUME = "update tasks set state = 'running', ended_at = null, expires_at = $3, version = version + 1
        where tenant = $1 and id = $2";

    pub(super) RUNNING = "select t.tenant, t.id, t.wish, t.life_ms, t.made_by, t.made_by_name
        from tasks t
        where t.state = 'running'
        order by t.tenant, t.id";
    pub(super) WAITING = "select s.unit, s.org
        from subtasks s
        where s.tenant = $1 and s.task = $2 and s.state = 'waiting'
        order by s.unit
        limit $3";
    pub(super) ASSIGN = "update subtasks set state = 'assigned', command = $4, tries = tries + 1, detail = null, at = $5, road = $6
        where tenant = $1 and task = $2 and unit = $3 and state = 'waiting'";
    pub(super) SKIP = "update subtasks set state = 'skipped', detail = $4, at = $5
        where tenant = $1 and task = $2 and unit = $3 and state = 'waiting'";
    /// Shares whose order stands elsewhere than they do.
    pub(super) MOVED = "select s.unit, c.state, c.detail, s.command
        from subtasks s
        left join commands c on c.tenant = s.org and c.id = s.command
        where s.tenant = $1
          and s.task = $2
          and s.state in ('assigned', 'running')
          and (c.id is null
            or not ((s.state = 'assigned' and c.state = 'queued') or (s.state = 'running' and c.state = 'taken')))
        order by s.unit
        limit $3";
    pub(super) MOVE = "update subtasks set state = $5, detail = $6, at = $7
        where tenant = $1 and task = $2 and unit = $3 and command = $4";
    pub(super) END = "update tasks set state = $3, ended_at = $4, version = version + 1
        where tenant = $1 and id = $2 and state = 'running'";
}

/// Columns of the list; the sort keys follow.
pub(super) const LIST: &str = "select t.tenant, t.id, t.wish, t.filter, t.devices, t.state, t.made_at, t.made_by_name, \
     t.expires_at, t.ended_at, t.version, t.made_at, t.id from tasks t";
/// Columns of the shares; the sort keys follow.
pub(super) const SHARES: &str = "select s.unit, s.org, s.serial_no, s.vendor, s.model, s.device, s.command, s.state, s.tries, \
     coalesce(c.detail, s.detail), coalesce(c.ended_at, c.taken_at, s.at), c.state, s.road, s.serial_no, s.unit from subtasks s \
     left join commands c on c.tenant = s.org and c.id = s.command";
