//! What administrators may ask of retention in their own organisation: see and set rules, agree to a held deletion.

use serde_json::json;
use store::{View, params};

use super::{Class, Hold, Proof, Rule, rules as ranges, sql};
use crate::audit::{self, Change};
use crate::ctx::{Ctx, Role};
use crate::error::{Error, Result};

/// How long each class is kept.
///
/// # Errors
/// `Forbidden` below admin.
pub async fn rules(ctx: &Ctx) -> Result<Vec<Rule>> {
    ctx.require(Role::Admin, "see how long data are kept")?;
    let mut tx = ctx.db().read(&home(ctx)).await?;
    let rows = tx.query(&sql::RULES, &params![ctx.home]).await?;
    let mut set = Vec::new();
    for row in rows {
        set.push((row.get::<String>(0)?, row.get::<i64>(1)?, row.get::<i64>(2)?));
    }
    let rule = |class: Class| {
        let (default_days, min_days, max_days) = ranges::range(class);
        let found = set.iter().find(|(name, ..)| name == class.as_str());
        let (days, version) = found.map_or((default_days, 0), |(_, days, version)| (*days, *version));
        Rule { class, days, default_days, min_days, max_days, version }
    };
    Ok(Class::ALL.into_iter().map(rule).collect())
}

/// Keeps a class for `days` from now on.
///
/// # Errors
/// `Forbidden` below admin, `Invalid` out of range, `Stale` by `if_match`.
pub async fn set_rule(ctx: &Ctx, class: Class, days: i64, if_match: Option<i64>) -> Result<Rule> {
    let old = rules(ctx).await?.into_iter().find(|rule| rule.class == class);
    let old = old.ok_or_else(|| Error::not_found("retention class"))?;
    Error::check_version(if_match, old.version)?;
    if !(old.min_days..=old.max_days).contains(&days) {
        let message = format!("{} is kept {} to {} days", class.as_str(), old.min_days, old.max_days);
        return Err(Error::invalid("days", message));
    }
    let mut tx = ctx.db().write(&home(ctx)).await?;
    tx.execute(&sql::SET_RULE, &params![ctx.home, class.as_str(), days, ctx.now]).await?;
    let change = Change::new(ctx.home, "changed", "retention_rule", class.as_str())
        .before(json!({ "days": old.days }))
        .after(json!({ "days": days }));
    audit::record(&mut tx, ctx, change).await?;
    tx.commit().await?;
    Ok(Rule { days, version: old.version + 1, ..old })
}

/// Deletions that wait.
///
/// # Errors
/// `Forbidden` below admin.
pub async fn holds(ctx: &Ctx) -> Result<Vec<Hold>> {
    ctx.require(Role::Admin, "see held deletions")?;
    let mut tx = ctx.db().read(&home(ctx)).await?;
    let rows = tx.query(&sql::HOLDS, &params![ctx.home]).await?;
    rows.iter()
        .map(|row| {
            Ok(Hold {
                tenant: row.get(0)?,
                class: row.get(1)?,
                table: row.get(2)?,
                due_rows: row.get(3)?,
                all_rows: row.get(4)?,
                found_at: row.get(5)?,
                confirmed_at: row.get(6)?,
            })
        })
        .collect()
}

/// Agrees to a held deletion: the rows go with the next run.
///
/// # Errors
/// `Forbidden` below admin, `NotFound` when nothing of this table waits in the own organisation.
pub async fn confirm(ctx: &Ctx, table: &str) -> Result<()> {
    ctx.require(Role::Admin, "confirm a deletion")?;
    let mut tx = ctx.db().write(&home(ctx)).await?;
    if tx.execute(&sql::CONFIRM, &params![ctx.home, table, ctx.now, ctx.actor.id()]).await? == 0 {
        return Err(Error::not_found("held deletion"));
    }
    audit::record(&mut tx, ctx, Change::new(ctx.home, "confirmed", "deletion", table)).await?;
    Ok(tx.commit().await?)
}

/// The newest proofs of deletion, at most `limit`.
///
/// # Errors
/// `Forbidden` below admin.
pub async fn proofs(ctx: &Ctx, limit: u32) -> Result<Vec<Proof>> {
    ctx.require(Role::Admin, "see proofs of deletion")?;
    let mut tx = ctx.db().read(&home(ctx)).await?;
    let rows = tx.query(&sql::PROOFS, &params![ctx.home, limit.min(crate::page::MAX_LIMIT)]).await?;
    rows.iter()
        .map(|row| {
            Ok(Proof {
                class: row.get(0)?,
                table: row.get(1)?,
                before_at: row.get(2)?,
                rows: row.get(3)?,
                first_at: row.get(4)?,
                last_at: row.get(5)?,
                hash: row.get(6)?,
                made_at: row.get(7)?,
            })
        })
        .collect()
}

fn home(ctx: &Ctx) -> View {
    View::tenant(&ctx.home.to_string())
}
