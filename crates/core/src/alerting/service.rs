//! Rules for people: making, changing, deleting; which of them told an incident.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use store::{Row, Tx, Value, params};

use super::rules::{FIELDS, Window};
use super::{AlertRule, Firing, RuleId, Step, sql};
use crate::alerts::IncidentId;
use crate::audit::{self, Change};
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::meters::calendar;
use crate::notifications::{RecipientId, home, recipient_exists, rules as hours};
use crate::orgs::rules::name;
use crate::{Ctx, OrgId, Role};

/// Most rules of one organisation.
const MOST: i64 = 200;
/// Most steps of a rule, and recipients of a step.
const MOST_STEPS: usize = 8;
const MOST_RECIPIENTS: usize = 50;
const WEEK_MINUTES: i64 = 7 * 24 * 60;
const ALL_DAYS: i64 = 0b111_1111;

/// A rule to be, or as it shall be.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRule {
    /// Name for people.
    pub name: String,
    /// Whether it works; it does when not given.
    #[serde(default)]
    pub active: Option<bool>,
    /// Condition over the fields of rules; all incidents when not given.
    #[serde(default)]
    pub filter: String,
    /// Told only when it has stood for so many minutes, 0 to 10,080.
    #[serde(default)]
    pub hold_minutes: i64,
    /// `critical`, `warning` or `other`: how much it matters to those who are told.
    #[serde(default)]
    pub severity: Option<String>,
    /// Beginning of the hours in which it works, `08:00`.
    #[serde(default)]
    pub from: Option<String>,
    /// Their end.
    #[serde(default)]
    pub until: Option<String>,
    /// Days on which it works, 1 Monday to 7 Sunday; all when not given.
    #[serde(default)]
    pub weekdays: Vec<i64>,
    /// IANA name; the zone of the organisation when not given.
    #[serde(default)]
    pub zone: Option<String>,
    /// Whether those who were told are told the end, too.
    #[serde(default)]
    pub tell_end: bool,
    /// Who is told, first and later.
    pub steps: Vec<Step>,
}

/// A rule as a run needs it.
pub(super) struct Working {
    pub(super) rule: AlertRule,
    pub(super) window: Window,
    /// Only what began then or later is told.
    pub(super) since: i64,
}

fn read(row: &Row, steps: &mut BTreeMap<RuleId, Vec<Step>>) -> Result<Working> {
    let id: RuleId = row.get(0)?;
    let hours: (Option<i64>, Option<i64>) = (row.get(7)?, row.get(8)?);
    let hours = hours.0.zip(hours.1);
    let (days, zone): (i64, String) = (row.get(9)?, row.get(10)?);
    Ok(Working {
        window: Window { hours, weekdays: days, zone: calendar::zone(&zone) },
        since: row.get(12)?,
        rule: AlertRule {
            version: row.get(1)?,
            name: row.get(2)?,
            active: row.get(3)?,
            filter: row.get(4)?,
            hold_minutes: row.get::<i64>(5)? / 60,
            severity: row.get(6)?,
            hours: hours.map(|(from, until)| (hours::clock(from), hours::clock(until))),
            weekdays: (1..=7).filter(|day| days & (1 << (day - 1)) != 0).collect(),
            zone,
            tell_end: row.get(11)?,
            steps: steps.remove(&id).unwrap_or_default(),
            id,
        },
    })
}

async fn steps(tx: &mut Tx, tenant: OrgId) -> Result<BTreeMap<RuleId, Vec<Step>>> {
    let mut all: BTreeMap<RuleId, Vec<Step>> = BTreeMap::new();
    let mut last = None;
    for row in tx.query(&sql::STEPS, &params![tenant]).await? {
        let (rule, step): (RuleId, i64) = (row.get(0)?, row.get(1)?);
        let of_rule = all.entry(rule).or_default();
        if last != Some((rule, step)) {
            of_rule.push(Step { after_minutes: row.get::<i64>(2)? / 60, recipients: Vec::new() });
            last = Some((rule, step));
        }
        if let Some(step) = of_rule.last_mut() {
            step.recipients.push(row.get(3)?);
        }
    }
    Ok(all)
}

/// All rules of an organisation.
pub(super) async fn all(tx: &mut Tx, tenant: OrgId) -> Result<Vec<Working>> {
    let mut steps = steps(tx, tenant).await?;
    let rows = tx.query(&sql::RULES, &params![tenant, MOST]).await?;
    rows.iter().map(|row| read(row, &mut steps)).collect()
}

async fn find(tx: &mut Tx, tenant: OrgId, id: RuleId) -> Result<AlertRule> {
    let mut steps = steps(tx, tenant).await?;
    let row = tx.query_opt(&sql::RULE, &params![tenant, id]).await?.ok_or_else(RuleId::missing)?;
    Ok(read(&row, &mut steps)?.rule)
}

/// The rules of the own organisation, by name.
///
/// # Errors
/// `Forbidden` below manager.
pub async fn list_rules(ctx: &Ctx) -> Result<Vec<AlertRule>> {
    ctx.require(Role::Manager, "see who is told")?;
    let mut tx = ctx.db().read(&home(ctx)).await?;
    Ok(all(&mut tx, ctx.home).await?.into_iter().map(|working| working.rule).collect())
}

/// One of them.
///
/// # Errors
/// `NotFound`; `Forbidden` below manager.
pub async fn rule(ctx: &Ctx, id: RuleId) -> Result<AlertRule> {
    ctx.require(Role::Manager, "see who is told")?;
    find(&mut ctx.db().read(&home(ctx)).await?, ctx.home, id).await
}

/// What a person entered, as it is stored.
pub(super) struct Checked {
    values: Vec<Value>,
    pub(super) filter: Option<Filter>,
    pub(super) window: Window,
    pub(super) hold_s: i64,
    steps: Vec<Step>,
}

/// Checks a rule; what it looks at is asked of the fields, so that no rule fails later.
pub(super) async fn checked(tx: &mut Tx, ctx: &Ctx, new: &NewRule) -> Result<Checked> {
    let filter = match new.filter.trim() {
        "" => None,
        text => Some(Filter::parse(text)?),
    };
    if let Some(filter) = &filter {
        filter.to_sql(FIELDS, &mut Vec::new())?;
    }
    if !(0..=WEEK_MINUTES).contains(&new.hold_minutes) {
        return Err(Error::invalid("hold_minutes", "a rule waits for a week at most"));
    }
    let text = |text: &Option<String>| text.as_deref().map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned);
    let severity = text(&new.severity);
    if severity.as_deref().is_some_and(|word| !["critical", "warning", "other"].contains(&word)) {
        return Err(Error::invalid("severity", "a severity is critical, warning or other"));
    }
    let hours = match (text(&new.from), text(&new.until)) {
        (None, None) => None,
        (Some(from), Some(until)) => Some((hours::minutes("from", &from)?, hours::minutes("until", &until)?)),
        _ => return Err(Error::invalid("until", "hours have a beginning and an end")),
    };
    if new.weekdays.iter().any(|day| !(1..=7).contains(day)) {
        return Err(Error::invalid("weekdays", "1 is Monday, 7 is Sunday"));
    }
    let days = new.weekdays.iter().fold(0, |days, day| days | 1 << (day - 1));
    let days = if days == 0 { ALL_DAYS } else { days };
    let zone = match text(&new.zone) {
        Some(zone) if jiff::tz::TimeZone::get(&zone).is_err() => {
            return Err(Error::invalid("zone", "a zone is named as in Europe/Berlin"));
        }
        Some(zone) => zone,
        None => {
            let row = tx.query_opt(&sql::ZONE, &params![ctx.home]).await?;
            row.map(|row| row.get(0)).transpose()?.unwrap_or_else(|| "UTC".to_owned())
        }
    };
    let (from, until) = hours.unzip();
    let values = params![
        name("name", &new.name)?,
        new.active.unwrap_or(true),
        filter.as_ref().map(ToString::to_string).unwrap_or_default(),
        new.hold_minutes * 60,
        severity,
        from,
        until,
        days,
        &zone,
        new.tell_end
    ];
    Ok(Checked {
        values: values.into(),
        steps: checked_steps(tx, ctx, &new.steps).await?,
        window: Window { hours, weekdays: days, zone: calendar::zone(&zone) },
        hold_s: new.hold_minutes * 60,
        filter,
    })
}

async fn checked_steps(tx: &mut Tx, ctx: &Ctx, given: &[Step]) -> Result<Vec<Step>> {
    let mut steps: Vec<Step> = given.iter().filter(|step| !step.recipients.is_empty()).cloned().collect();
    if steps.is_empty() || steps.len() > MOST_STEPS {
        return Err(Error::invalid("steps", "a rule tells somebody, in at most 8 steps"));
    }
    for (no, step) in steps.iter_mut().enumerate() {
        step.recipients.sort_unstable();
        step.recipients.dedup();
        if no == 0 {
            step.after_minutes = 0;
        } else if !(1..=WEEK_MINUTES).contains(&step.after_minutes) {
            return Err(Error::invalid("steps", "a further step comes 1 minute to 7 days after the one before"));
        }
        if step.recipients.len() > MOST_RECIPIENTS {
            return Err(Error::invalid("steps", format!("a step tells at most {MOST_RECIPIENTS} recipients")));
        }
        for recipient in &step.recipients {
            if !recipient_exists(tx, ctx.home, *recipient).await? {
                return Err(Error::invalid("steps", "there is no such recipient in your organisation"));
            }
        }
    }
    Ok(steps)
}

impl Checked {
    /// Tenant and id first, the present moment last.
    fn row(&self, ctx: &Ctx, id: RuleId) -> Vec<Value> {
        let mut row: Vec<Value> = vec![ctx.home.into(), id.into()];
        row.extend(self.values.iter().cloned());
        row.push(ctx.now.into());
        row
    }

    async fn write_steps(&self, tx: &mut Tx, ctx: &Ctx, id: RuleId) -> Result<()> {
        tx.execute(&sql::DELETE_STEPS, &params![ctx.home, id]).await?;
        let mut rows: Vec<Vec<Value>> = Vec::new();
        for (no, step) in self.steps.iter().enumerate() {
            for recipient in &step.recipients {
                let no = i64::try_from(no).unwrap_or(0);
                rows.push(params![ctx.home, id, no, step.after_minutes * 60, *recipient].into());
            }
        }
        tx.many(&sql::INSERT_STEP, rows).await?;
        Ok(())
    }
}

/// Makes a rule. It tells what begins from now on.
///
/// # Errors
/// `Invalid` by field; `Forbidden` below manager; `Conflict` when there are too many.
pub async fn create_rule(ctx: &Ctx, new: &NewRule) -> Result<AlertRule> {
    ctx.require(Role::Manager, "say who is told")?;
    let id = RuleId::new(ctx.ids());
    let mut tx = ctx.db().write(&home(ctx)).await?;
    if tx.query_one(&sql::COUNT, &params![ctx.home]).await?.get::<i64>(0)? >= MOST {
        return Err(Error::conflict(format!("an organisation has at most {MOST} rules; delete one first")));
    }
    let checked = checked(&mut tx, ctx, new).await?;
    tx.execute(&sql::INSERT, &checked.row(ctx, id)).await?;
    checked.write_steps(&mut tx, ctx, id).await?;
    let made = find(&mut tx, ctx.home, id).await?;
    audit::record(&mut tx, ctx, Change::new(ctx.home, "created", "alert_rule", id).after(json!(made))).await?;
    tx.commit().await?;
    Ok(made)
}

/// Changes a rule.
///
/// # Errors
/// As [`create_rule`]; `NotFound`; `PreconditionRequired` and `Stale` by `if_match`.
pub async fn update_rule(ctx: &Ctx, id: RuleId, new: &NewRule, if_match: Option<i64>) -> Result<AlertRule> {
    ctx.require(Role::Manager, "say who is told")?;
    let mut tx = ctx.db().write(&home(ctx)).await?;
    let old = find(&mut tx, ctx.home, id).await?;
    Error::check_version(if_match, old.version)?;
    let checked = checked(&mut tx, ctx, new).await?;
    tx.execute(&sql::UPDATE, &checked.row(ctx, id)).await?;
    checked.write_steps(&mut tx, ctx, id).await?;
    let made = find(&mut tx, ctx.home, id).await?;
    let change = Change::new(ctx.home, "changed", "alert_rule", id).before(json!(old)).after(json!(made));
    audit::record(&mut tx, ctx, change).await?;
    tx.commit().await?;
    Ok(made)
}

/// Deletes a rule; what it has told stays told.
///
/// # Errors
/// `NotFound`; `Forbidden` below manager.
pub async fn delete_rule(ctx: &Ctx, id: RuleId) -> Result<()> {
    ctx.require(Role::Manager, "say who is told")?;
    let mut tx = ctx.db().write(&home(ctx)).await?;
    let old = find(&mut tx, ctx.home, id).await?;
    for statement in [&sql::DELETE_STEPS, &sql::DELETE_FIRINGS, &sql::DELETE] {
        tx.execute(statement, &params![ctx.home, id]).await?;
    }
    audit::record(&mut tx, ctx, Change::new(ctx.home, "deleted", "alert_rule", id).before(json!(old))).await?;
    Ok(tx.commit().await?)
}

/// Rules go on without a recipient that was deleted.
pub(crate) async fn forget_recipient(tx: &mut Tx, tenant: OrgId, recipient: RecipientId) -> Result<()> {
    tx.execute(&sql::FORGET_RECIPIENT, &params![tenant, recipient]).await?;
    Ok(())
}

/// Which rules of the own organisation have told an incident.
///
/// # Errors
/// When the database refuses.
pub async fn firings(ctx: &Ctx, incident: IncidentId) -> Result<Vec<Firing>> {
    let mut tx = ctx.db().read(&home(ctx)).await?;
    let rows = tx.query(&sql::FIRINGS, &params![ctx.home, incident]).await?;
    rows.iter()
        .map(|row| {
            Ok(Firing {
                rule: row.get(0)?,
                rule_name: row.get(1)?,
                step: row.get(2)?,
                severity: row.get(3)?,
                fired_at: row.get(4)?,
                next_at: row.get(5)?,
            })
        })
        .collect()
}
