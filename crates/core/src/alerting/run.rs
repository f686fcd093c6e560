//! What stands is compared with what was told: new incidents, steps whose time has come, ends.
//! One message of a run tells one recipient all that a rule found: a storm is one mail, not thousands.

use serde_json::json;
use store::{Row, Sql, Tx, Value, params};

use super::rules::{FIELDS, LISTED, Line, Manner, message};
use super::service::{self, Working};
use super::{AlertRule, Step, sql};
use crate::alerts::IncidentId;
use crate::alerts::rules::FLAP;
use crate::ctx::Actor;
use crate::devices::rules::phrase;
use crate::error::Result;
use crate::filter::Filter;
use crate::notifications::{self, NewNotification, To};
use crate::{Ctx, Micros, OrgId, Platform, Role};

/// Incidents that one message tells of at most.
const BATCH: i64 = 500;

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Incidents that a rule told first.
    pub fired: u64,
    /// Incidents whose next step was told.
    pub escalated: u64,
    /// Incidents whose end was noted.
    pub ended: u64,
}

/// Runs once over the rules of all organisations.
///
/// # Errors
/// When the database refuses.
pub async fn run(platform: &Platform) -> Result<Told> {
    let all = platform.system("rules of all organisations");
    let mut tx = all.db().read(&all.scope.view()).await?;
    let tenants = tx.query(&sql::WITH_RULES, &[]).await?;
    drop(tx);
    let mut told = Told::default();
    for row in tenants {
        let tenant: OrgId = row.get(0)?;
        // With the eyes of the organisation whose rules they are: grants that ended show nothing any more.
        let ctx = crate::scope::request(platform, tenant, Actor::System, Role::Admin).await?;
        let mut tx = ctx.db().read(&ctx.scope.view()).await?;
        let rules = service::all(&mut tx, tenant).await?;
        drop(tx);
        for working in rules.iter().filter(|working| working.rule.active) {
            told.fired += fire(&ctx, working).await?;
            told.escalated += escalate(&ctx, working).await?;
            told.ended += end(&ctx, working).await?;
        }
    }
    Ok(told)
}

/// Incidents, their alerts and devices, as the fields of rules name them.
pub(super) const TABLES: &str = "incidents i left join alerts a on a.tenant = i.tenant and a.incident = i.id
    left join devices d on d.tenant = i.tenant and d.id = coalesce(a.device, i.device)";

/// Adds what a filter asks.
pub(super) fn also(filter: Option<&Filter>, all: &mut Vec<String>, params: &mut Vec<Value>) -> Result<()> {
    if let Some(filter) = filter {
        all.push(filter.to_sql(FIELDS, params)?);
    }
    Ok(())
}

async fn fire(ctx: &Ctx, working: &Working) -> Result<u64> {
    let rule = &working.rule;
    if !working.window.holds(ctx.now) {
        return Ok(0);
    }
    let filter = if rule.filter.is_empty() { None } else { Some(Filter::parse(&rule.filter)?) };
    let mut params: Vec<Value> =
        params![ctx.home, rule.id, working.since, ctx.now.0 - rule.hold_minutes * 60_000_000].into();
    let mut all = vec![
        ctx.scope.condition("i", &mut params),
        "i.resolved_at is null".to_owned(),
        "i.state = 'open'".to_owned(),
        "i.opened_at >= $3".to_owned(),
        "coalesce(a.raised_at, i.opened_at) <= $4".to_owned(),
        "a.cleared_at is null".to_owned(),
        "(a.id is not null or not exists (select 1 from alerts x where x.tenant = i.tenant and x.incident = i.id))"
            .to_owned(),
        "not exists (select 1 from alert_firings f where f.tenant = $1 and f.rule = $2 and f.incident = i.id)"
            .to_owned(),
    ];
    also(filter.as_ref(), &mut all, &mut params)?;
    params.push(BATCH.into());
    let text = format!(
        "select i.tenant, i.id, min(case coalesce(a.severity, i.severity) when 'critical' then 0 when 'warning' then 1 else 2 end) \
         from {TABLES} where {} group by i.tenant, i.id order by 3, 2 limit ${}",
        all.join(" and "),
        params.len()
    );
    let statement = Sql::built_as("alerting::fire", text);
    if is_idle(ctx, &statement, &params).await? {
        return Ok(0);
    }
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let rows = tx.query(&statement, &params).await?;
    let mut told = Vec::new();
    for row in &rows {
        let (org, incident): (OrgId, IncidentId) = (row.get(0)?, row.get(1)?);
        let severity = rule.severity.clone().unwrap_or_else(|| word(row.get(2).unwrap_or(2)).to_owned());
        let next = next_at(rule, 0, ctx.now);
        let values = params![ctx.home, rule.id, incident, org, &severity, ctx.now, next];
        if tx.query_opt(&sql::FIRE, &values).await?.is_some() {
            told.push((incident, severity));
        }
    }
    if !told.is_empty() {
        tell(&mut tx, ctx, rule, (Manner::First, &rule.steps[..1]), &told).await?;
    }
    tx.commit().await?;
    Ok(told.len() as u64)
}

/// Whether there is nothing to do: looking costs less than locking, and nothing is the usual answer.
async fn is_idle(ctx: &Ctx, statement: &Sql, values: &[Value]) -> Result<bool> {
    Ok(ctx.db().read(&ctx.scope.view()).await?.query(statement, values).await?.is_empty())
}

fn word(rank: i64) -> &'static str {
    match rank {
        0 => "critical",
        1 => "warning",
        _ => "other",
    }
}

/// When the step after `step` is due.
fn next_at(rule: &AlertRule, step: usize, now: Micros) -> Option<i64> {
    rule.steps.get(step + 1).map(|next| now.0 + next.after_minutes * 60_000_000)
}

async fn escalate(ctx: &Ctx, working: &Working) -> Result<u64> {
    let rule = &working.rule;
    if rule.steps.len() < 2 {
        return Ok(0);
    }
    let values = params![ctx.home, rule.id, ctx.now, BATCH];
    if is_idle(ctx, &sql::DUE, &values).await? {
        return Ok(0);
    }
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let due = tx.query(&sql::DUE, &values).await?;
    let mut steps: Vec<Vec<(IncidentId, String)>> = vec![Vec::new(); rule.steps.len()];
    let mut done = 0;
    for row in due {
        let (incident, step, severity): (IncidentId, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let next = usize::try_from(step + 1).unwrap_or(usize::MAX);
        let after = if next < rule.steps.len() { next_at(rule, next, ctx.now) } else { None };
        let values = params![ctx.home, rule.id, incident, step + 1, after, step];
        if tx.execute(&sql::ESCALATE, &values).await? == 0 || next >= rule.steps.len() {
            continue;
        }
        let data = json!({ "incident": incident, "cause": rule.name, "rule": rule.id, "step": step + 1 });
        crate::events::emit(&mut tx, ctx, ctx.home, "incident.escalated", ("incident", incident.to_string()), data)
            .await?;
        steps[next].push((incident, severity));
        done += 1;
    }
    for (step, told) in steps.iter().enumerate().filter(|(_, told)| !told.is_empty()) {
        let manner = Manner::Escalation(i64::try_from(step).unwrap_or(0));
        tell(&mut tx, ctx, rule, (manner, &rule.steps[step..=step]), told).await?;
    }
    tx.commit().await?;
    Ok(done)
}

/// What is over for longer than a flap is over for a rule; until then it may come back and is not told twice.
async fn end(ctx: &Ctx, working: &Working) -> Result<u64> {
    let rule = &working.rule;
    let values = params![ctx.home, rule.id, ctx.now.0 - FLAP, BATCH];
    if is_idle(ctx, &sql::OVER, &values).await? {
        return Ok(0);
    }
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let over = tx.query(&sql::OVER, &values).await?;
    let mut told = Vec::new();
    let mut steps = 0;
    for row in over {
        let (incident, step, severity): (IncidentId, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if tx.execute(&sql::END, &params![ctx.home, rule.id, incident, ctx.now]).await? > 0 {
            steps = steps.max(usize::try_from(step).unwrap_or(0));
            told.push((incident, severity));
        }
    }
    if rule.tell_end && !told.is_empty() {
        let most = (steps + 1).min(rule.steps.len());
        tell(&mut tx, ctx, rule, (Manner::End, &rule.steps[..most]), &told).await?;
    }
    tx.commit().await?;
    Ok(told.len() as u64)
}

/// Posts one message to each recipient of these steps.
async fn tell(
    tx: &mut Tx,
    ctx: &Ctx,
    rule: &AlertRule,
    (manner, steps): (Manner, &[Step]),
    told: &[(IncidentId, String)],
) -> Result<()> {
    let mut lines = Vec::new();
    for (incident, severity) in told.iter().take(LISTED) {
        lines.push(line(tx, ctx, *incident, severity).await?);
    }
    let rest = told.iter().skip(LISTED).map(|(incident, severity)| Line {
        incident: incident.to_string(),
        severity: severity.clone(),
        title: String::new(),
        what: String::new(),
        detail: String::new(),
    });
    lines.extend(rest);
    let (title, text) = message(&rule.name, manner, &lines);
    let (word, kind) = match manner {
        Manner::First => ("first".to_owned(), "incident"),
        Manner::Escalation(step) => (format!("step{step}"), "escalation"),
        Manner::End => ("end".to_owned(), "end"),
    };
    let subject = match told {
        [(one, _)] => ("incident", one.to_string()),
        _ => ("alert_rule", rule.id.to_string()),
    };
    let critical = manner != Manner::End && told.iter().any(|(_, severity)| severity == "critical");
    let mut recipients: Vec<_> = steps.iter().flat_map(|step| step.recipients.iter().copied()).collect();
    recipients.sort_unstable();
    recipients.dedup();
    for recipient in recipients {
        let new = NewNotification {
            tenant: ctx.home,
            to: To::Recipient(recipient),
            kind,
            subject: subject.clone(),
            critical,
            title: title.clone(),
            text: text.clone(),
            attachment: None,
            key: format!("{word}/{}/{}/{recipient}", rule.id, told[0].0),
        };
        notifications::post(tx, ctx, new).await?;
    }
    Ok(())
}

async fn line(tx: &mut Tx, ctx: &Ctx, incident: IncidentId, severity: &str) -> Result<Line> {
    let mut params: Vec<Value> = vec![incident.into()];
    let scope = ctx.scope.condition("i", &mut params);
    let text = format!(
        "select i.reason, i.cause, d.label, d.vendor, d.model, d.place, d.serial_no, a.text, o.name, g.name, \
         (select count(*) from alerts n where n.tenant = i.tenant and n.incident = i.id and n.cleared_at is null) \
         from {TABLES} left join organisations o on o.tenant = i.tenant and o.id = i.tenant \
         left join agents g on g.tenant = i.tenant and g.id = i.agent where i.id = $1 and {scope} \
         order by case when a.cleared_at is null then 0 else 1 end, a.rank, a.raised_at limit 1"
    );
    let row = tx.query_opt(&Sql::built_as("alerting::line", text), &params).await?;
    let mut line = Line {
        incident: incident.to_string(),
        severity: severity.to_owned(),
        title: "incident".to_owned(),
        what: String::new(),
        detail: String::new(),
    };
    if let Some(row) = row {
        fill(&mut line, &row)?;
    }
    Ok(line)
}

fn fill(line: &mut Line, row: &Row) -> Result<()> {
    let text = |at: usize| Ok::<_, crate::Error>(row.get::<Option<String>>(at)?.filter(|text| !text.is_empty()));
    let (reason, cause): (String, String) = (row.get(0)?, row.get(1)?);
    let (org, agent) = (text(8)?, text(9)?);
    let shared = agent.is_some();
    line.title = if shared || reason.starts_with("platen-") { cause } else { phrase(&reason, &[]) };
    let mut what: Vec<String> = Vec::new();
    if let Some(agent) = agent {
        what.push(format!("agent {agent}"));
    } else if let Some(label) = text(2)? {
        what.push(label);
        what.extend(text(5)?);
    }
    what.extend(org);
    line.what = what.join(", ");
    let mut detail: Vec<String> = Vec::new();
    if !shared {
        let model = [text(3)?, text(4)?].into_iter().flatten().collect::<Vec<_>>().join(" ");
        if !model.is_empty() {
            detail.push(model);
        }
        detail.extend(text(6)?.map(|serial| format!("serial {serial}")));
        detail.extend(text(7)?.map(|said| format!("It says “{said}”.")));
    } else if row.get::<i64>(10)? > 0 {
        detail.push(format!("{} devices now", row.get::<i64>(10)?));
    }
    line.detail = detail.join(" · ");
    Ok(())
}
