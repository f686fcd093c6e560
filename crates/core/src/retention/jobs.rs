//! The run: for each organisation and table, what is too old goes month by month, each with its proof in one transaction.
//! It takes no input, may run twice and may be killed anywhere.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::json;
use store::{Sql, Tx, Value, View, params};

use super::{Class, Target, rules, sql};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::events;
use crate::ids::OrgId;
use crate::platform::Platform;
use crate::time::Micros;

/// Rows of a batch.
const BATCH: u64 = 500;

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RunReport {
    /// Rows that went.
    pub deleted: u64,
    /// Tables (of one organisation each) that wait for a person.
    pub held: u64,
}

/// Deletes what is too old.
///
/// # Errors
/// When the database refuses; what went until then is gone and proved.
pub async fn run(platform: &Platform) -> Result<RunReport> {
    let ctx = platform.system("data that are kept long enough");
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let tenants = tx.query(&sql::TENANTS, &[]).await?;
    let tenants = tenants.iter().map(|row| row.get(0)).collect::<store::Result<Vec<OrgId>>>()?;
    let mut days = HashMap::new();
    for row in tx.query(&sql::ALL_RULES, &[]).await? {
        days.insert((row.get::<OrgId>(0)?, row.get::<String>(1)?), row.get::<i64>(2)?);
    }
    drop(tx);
    let mut report = RunReport { deleted: super::days::keep(&ctx, &days).await?, held: 0 };
    for target in inventory::iter::<Target> {
        if !target.tenant {
            sweep(&ctx, target, None, rules::range(target.class).0, &mut report).await?;
            continue;
        }
        for tenant in &tenants {
            let set = days.get(&(*tenant, target.class.as_str().to_owned())).copied();
            let days = set.unwrap_or_else(|| rules::range(target.class).0);
            sweep(&ctx, target, Some(*tenant), days, &mut report).await?;
        }
    }
    Ok(report)
}

/// One table of one organisation.
struct Sweep<'a> {
    target: &'a Target,
    tenant: Option<OrgId>,
    /// Everything before this goes.
    cut: Micros,
    /// Condition on the rows that are due, without a month, and what it binds.
    due: String,
    values: Vec<Value>,
    /// The rows of this organisation.
    all: String,
}

impl<'a> Sweep<'a> {
    fn new(target: &'a Target, tenant: Option<OrgId>, cut: Micros) -> Self {
        let mut values = Vec::new();
        let all = match tenant {
            Some(tenant) => {
                values.push(tenant.into());
                "tenant = $1".to_owned()
            }
            None => "1 = 1".to_owned(),
        };
        let bound = values.len() + 1;
        let mut due = match target.at {
            Some(at) => format!("{all} and {at} < ${bound}"),
            None => format!("{all} and month < ${bound}"),
        };
        values.push(if target.at.is_some() { cut.into() } else { cut.month().into() });
        if let Some(only) = target.only {
            due.push_str(&format!(" and ({only})"));
        }
        Self { target, tenant, cut, due, values, all }
    }

    /// Due rows, all rows, and the months (or `None` for one go) that hold the due ones.
    async fn measure(&self, tx: &mut Tx) -> Result<(u64, u64, Vec<Option<i64>>)> {
        let table = self.target.table;
        let count = |condition: &str| format!("select count(*) from {table} where {condition}");
        let due: u64 = tx.query_one(&built(count(&self.due)), &self.values).await?.get(0)?;
        if due == 0 {
            return Ok((0, 0, Vec::new()));
        }
        let all: u64 = tx.query_one(&built(count(&self.all)), &self.values[..self.values.len() - 1]).await?.get(0)?;
        let mut months = vec![None];
        if self.target.monthly {
            let text = format!("select distinct month from {table} where {} order by month", self.due);
            let rows = tx.query(&built(text), &self.values).await?;
            months = rows.iter().map(|row| row.get(0).map(Some)).collect::<store::Result<_>>()?;
        }
        Ok((due, all, months))
    }
}

async fn sweep(ctx: &Ctx, target: &Target, tenant: Option<OrgId>, days: i64, report: &mut RunReport) -> Result<()> {
    let sweep = Sweep::new(target, tenant, ctx.now.days_ago(days));
    let view = tenant.map_or_else(|| ctx.scope.view(), |tenant| View::tenant(&tenant.to_string()));
    let mut tx = ctx.db().read(&view).await?;
    let (due, all, months) = sweep.measure(&mut tx).await?;
    if due == 0 {
        return Ok(());
    }
    if rules::is_too_much(target, days, due, all) {
        let confirmed = tx.query_opt(&sql::CONFIRMED, &params![tenant, target.table]).await?;
        let agreed: Option<u64> = confirmed.map(|row| row.get(0)).transpose()?;
        // Agreement is to what was shown; if much more has come since, it is asked for again.
        if agreed.is_none_or(|agreed| due > agreed + agreed / 20 + 20) {
            drop(tx);
            let mut tx = ctx.db().write(&view).await?;
            let values = params![tenant, target.class.as_str(), target.table, count(due), count(all), ctx.now];
            if agreed.is_some() {
                tx.execute(&sql::END_HOLD, &params![tenant, target.table]).await?;
            }
            tx.execute(&sql::HOLD, &values).await?;
            tx.commit().await?;
            report.held += 1;
            tracing::warn!(table = target.table, due, all, "a deletion waits for confirmation");
            return Ok(());
        }
    }
    drop(tx);
    let mut gone = 0;
    for month in months {
        loop {
            let (went, full) = delete(ctx, &view, &sweep, month).await?;
            gone += went;
            if !full {
                break;
            }
            // Whoever waits to write goes first.
            tokio::task::yield_now().await;
        }
    }
    report.deleted += gone;
    finish(ctx, &view, &sweep, gone).await
}

/// One month (or all, or a batch) of a table, with its proof. Says how many rows went, and whether there may be more.
async fn delete(ctx: &Ctx, view: &View, sweep: &Sweep<'_>, month: Option<i64>) -> Result<(u64, bool)> {
    let target = sweep.target;
    let mut values = sweep.values.clone();
    let mut condition = sweep.due.clone();
    if let Some(month) = month {
        values.push(month.into());
        condition.push_str(&format!(" and month = ${}", values.len()));
    }
    if let Some(key) = target.batch {
        condition =
            format!("tenant = $1 and ({key}) in (select {key} from {} where {condition} limit {BATCH})", target.table);
    }
    let at = target.at.unwrap_or("month");
    let mut tx = ctx.db().write(view).await?;
    let span = format!("select coalesce(min({at}), 0), coalesce(max({at}), 0) from {} where {condition}", target.table);
    let row = tx.query_one(&built(span), &values).await?;
    let (first, last): (i64, i64) = (row.get(0)?, row.get(1)?);
    let gone = tx.execute(&built(format!("delete from {} where {condition}", target.table)), &values).await?;
    if let Some(tenant) = sweep.tenant.filter(|_| target.class != Class::Short && gone > 0) {
        let hash = rules::proof(Some(tenant), target.table, sweep.cut, gone, first, last);
        let id = ctx.ids().uuid7().to_string();
        let class = target.class.as_str();
        let values = params![tenant, id, class, target.table, sweep.cut, count(gone), first, last, hash, ctx.now];
        tx.execute(&sql::PROVE, &values).await?;
    }
    tx.commit().await?;
    Ok((gone, target.batch.is_some() && gone >= BATCH))
}

/// Ends the hold that was agreed to, and tells.
async fn finish(ctx: &Ctx, view: &View, sweep: &Sweep<'_>, gone: u64) -> Result<()> {
    let Some(tenant) = sweep.tenant.filter(|_| sweep.target.class != Class::Short) else { return Ok(()) };
    let mut tx = ctx.db().write(view).await?;
    tx.execute(&sql::END_HOLD, &params![tenant, sweep.target.table]).await?;
    let class = sweep.target.class.as_str();
    let data = json!({ "class": class, "rows": gone, "table": sweep.target.table });
    events::emit(&mut tx, ctx, tenant, "retention.run.finished", ("retention", class.to_owned()), data).await?;
    Ok(tx.commit().await?)
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn built(text: String) -> Sql {
    Sql::built_as("retention", text)
}
