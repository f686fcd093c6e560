//! What a rule would have told in the last 30 days, without telling anybody.

use serde::Serialize;
use store::{Sql, Value};

use super::run::{TABLES, also};
use super::service::{self, NewRule};
use crate::alerts::{IncidentId, rules::FLAP};
use crate::error::Result;
use crate::{Ctx, Micros, Role};

/// How far it looks back, days.
const DAYS: i64 = 30;
/// Incidents that are looked at.
const MOST: i64 = 10_000;
/// Of these, shown.
const SHOWN: usize = 20;

/// What a rule would have told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DryRun {
    /// Days that were looked at.
    pub days: i64,
    /// Incidents that it would have told.
    pub incidents: u64,
    /// Whether there were more than were looked at.
    pub more: bool,
    /// The newest of them.
    pub newest: Vec<Fired>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fired {
    /// Which.
    pub incident: IncidentId,
    /// In plain words.
    pub cause: String,
    /// The device, if it is about one.
    pub device: Option<String>,
    /// When it would have been told.
    pub at: Micros,
}

/// Looks at what has happened with the eyes of a rule that may not be saved yet.
///
/// # Errors
/// `Invalid` by field; `Forbidden` below manager.
pub async fn dry_run(ctx: &Ctx, new: &NewRule) -> Result<DryRun> {
    ctx.require(Role::Manager, "see who is told")?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let checked = service::checked(&mut tx, ctx, new).await?;
    let hold = checked.hold_s * 1_000_000;
    let mut params: Vec<Value> = vec![ctx.now.days_ago(DAYS).into(), ctx.now.into(), hold.into()];
    let mut all = vec![
        ctx.scope.condition("i", &mut params),
        "i.opened_at >= $1".to_owned(),
        "coalesce(a.cleared_at, i.resolved_at, $2) - coalesce(a.raised_at, i.opened_at) >= $3".to_owned(),
    ];
    also(checked.filter.as_ref(), &mut all, &mut params)?;
    params.push((MOST + 1).into());
    let text = format!(
        "select i.id, i.cause, min(d.label), min(coalesce(a.raised_at, i.opened_at)), \
         max(coalesce(a.cleared_at, i.resolved_at, $2)) \
         from {TABLES} where {} group by i.tenant, i.id, i.cause order by 4 desc, 1 desc limit ${}",
        all.join(" and "),
        params.len()
    );
    let rows = tx.query(&Sql::built_as("alerting::dry_run", text), &params).await?;
    let mut found = DryRun { days: DAYS, incidents: 0, more: rows.len() as i64 > MOST, newest: Vec::new() };
    for row in rows.iter().take(usize::try_from(MOST).unwrap_or(usize::MAX)) {
        let (raised, ended): (i64, i64) = (row.get(3)?, row.get(4)?);
        // Outside its hours a rule waits, and tells what still stands when they begin.
        let told = (0..)
            .map(|step| raised + hold + step * FLAP)
            .take_while(|at| *at <= ended.max(raised + hold))
            .find(|at| checked.window.holds(Micros(*at)));
        let Some(at) = told else { continue };
        found.incidents += 1;
        if found.newest.len() < SHOWN {
            found.newest.push(Fired { incident: row.get(0)?, cause: row.get(1)?, device: row.get(2)?, at: Micros(at) });
        }
    }
    Ok(found)
}
