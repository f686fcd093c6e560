//! Statements of rules and of what they have told; what they look for is built in `run.rs`.

store::sql! {
    pub(super) RULE = "select r.id, r.version, r.name, r.active, r.filter, r.hold_s, r.severity, r.from_minute, r.until_minute,
          r.weekdays, r.zone, r.tell_end, r.since
        from alert_rules r
        where r.tenant = $1
          and r.id = $2";
    pub(super) RULES = "select r.id, r.version, r.name, r.active, r.filter, r.hold_s, r.severity, r.from_minute, r.until_minute,
          r.weekdays, r.zone, r.tell_end, r.since
        from alert_rules r
        where r.tenant = $1
        order by r.name, r.id
        limit $2";
    pub(super) STEPS = "select rule, step, after_s, recipient
        from alert_rule_steps
        where tenant = $1
        order by rule, step, recipient";
    pub(super) COUNT = "select count(*) from alert_rules where tenant = $1";
    pub(super) INSERT = "insert into alert_rules (tenant, id, version, name, active, filter, hold_s, severity, from_minute, until_minute,
          weekdays, zone, tell_end, since, created_at)
        values ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)";
    pub(super) UPDATE = "update alert_rules
        set version = version + 1,
          since = case when active then since else $13 end,
          name = $3,
          active = $4,
          filter = $5,
          hold_s = $6,
          severity = $7,
          from_minute = $8,
          until_minute = $9,
          weekdays = $10,
          zone = $11,
          tell_end = $12
        where tenant = $1
          and id = $2";
    pub(super) DELETE = "delete from alert_rules where tenant = $1 and id = $2";
    pub(super) DELETE_STEPS = "delete from alert_rule_steps where tenant = $1 and rule = $2";
    pub(super) DELETE_FIRINGS = "delete from alert_firings where tenant = $1 and rule = $2";
    pub(super) INSERT_STEP = "insert into alert_rule_steps (tenant, rule, step, after_s, recipient) values ($1, $2, $3, $4, $5)";
    pub(super) FORGET_RECIPIENT = "delete from alert_rule_steps where tenant = $1 and recipient = $2";
    pub(super) ZONE = "select zone from organisations where tenant = $1 and id = $1";
    pub(super) WITH_RULES = "select distinct r.tenant
        from alert_rules r
        where r.active
        order by r.tenant";
    pub(super) FIRE = "insert into alert_firings (tenant, rule, incident, owner_org, step, severity, fired_at, next_at)
        values ($1, $2, $3, $4, 0, $5, $6, $7)
        on conflict (tenant, rule, incident) do nothing
        returning incident";
    pub(super) DUE = "select f.incident, f.step, f.severity
        from alert_firings f
        join incidents i on i.tenant = f.owner_org and i.id = f.incident
        where f.tenant = $1
          and f.rule = $2
          and f.ended_at is null
          and f.next_at <= $3
          and i.state = 'open'
          and i.resolved_at is null
        order by f.next_at, f.incident
        limit $4";
    pub(super) ESCALATE = "update alert_firings
        set step = $4,
          next_at = $5
        where tenant = $1
          and rule = $2
          and incident = $3
          and step = $6
          and ended_at is null";
    pub(super) OVER = "select f.incident, f.step, f.severity
        from alert_firings f
        join incidents i on i.tenant = f.owner_org and i.id = f.incident
        where f.tenant = $1
          and f.rule = $2
          and f.ended_at is null
          and i.resolved_at <= $3
        order by f.fired_at, f.incident
        limit $4";
    pub(super) END = "update alert_firings
        set ended_at = $4,
          next_at = null
        where tenant = $1
          and rule = $2
          and incident = $3
          and ended_at is null";
    pub(super) FIRINGS = "select f.rule, r.name, f.step, f.severity, f.fired_at, f.next_at
        from alert_firings f
        join alert_rules r on r.tenant = f.tenant and r.id = f.rule
        where f.tenant = $1
          and f.incident = $2
        order by f.fired_at, f.rule";
}
