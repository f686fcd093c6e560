//! The raw log in days on PostgreSQL: partitions are made ahead, and one that nobody keeps any more is dropped whole, with a
//! proof for each organisation that had rows in it. What a clock that runs away would drop is left to the run by rows, which asks.

use std::collections::HashMap;

use jiff::tz::TimeZone;
use store::{EngineKind, View, params};

use super::{Class, rules, sql};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::ids::OrgId;
use crate::time::Micros;

const TABLE: &str = "inbox";
const REASON: &str = "days of the raw log that nobody keeps";
/// Days that are made ahead.
const AHEAD: i64 = 3;
/// More due days than after a long weekend are no matter of course.
const MOST: usize = 7;

/// Makes the days to come and drops those that are over; returns the rows that went.
pub(super) async fn keep(ctx: &Ctx, set: &HashMap<(OrgId, String), i64>) -> Result<u64> {
    if ctx.db().engine() != EngineKind::Postgres {
        return Ok(0);
    }
    // Today's rows may lie in the partition for all others, which then cannot give them up.
    for ahead in 1..=AHEAD {
        ctx.db().make_day(TABLE, day(ctx.now.days_ago(-ahead)), day(ctx.now.days_ago(-ahead - 1))).await?;
    }
    let usual = rules::range(Class::Inbox).0;
    let kept = set.iter().filter(|((_, class), _)| class == Class::Inbox.as_str()).map(|(_, days)| *days);
    let cut = ctx.now.days_ago(kept.chain([usual]).max().unwrap_or(usual));
    let due: Vec<i64> = ctx.db().days(TABLE).await?.into_iter().filter(|of| *of < day(cut)).collect();
    if due.len() > MOST {
        tracing::warn!(
            days = due.len(),
            "more days of the raw log are over than a clock that tells the truth explains"
        );
        return Ok(0);
    }
    let mut gone = 0;
    for day in due {
        gone += drop_day(ctx, day, cut).await?;
    }
    Ok(gone)
}

fn day(at: Micros) -> i64 {
    at.day(&TimeZone::UTC)
}

/// One day; it stays while the effect of a report in it is still to come.
async fn drop_day(ctx: &Ctx, day: i64, cut: Micros) -> Result<u64> {
    let mut tx = ctx.db().read(&View::All(REASON)).await?;
    let open: i64 = tx.query_one(&sql::OPEN_OF_DAY, &params![day]).await?.get(0)?;
    if open > 0 {
        return Ok(0);
    }
    let rows = tx.query(&sql::OF_DAY, &params![day]).await?;
    drop(tx);
    ctx.db().drop_day(TABLE, day).await?;
    let mut gone = 0;
    let mut tx = ctx.db().write(&View::All(REASON)).await?;
    for row in rows {
        let (tenant, count, first, last): (OrgId, i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        gone += u64::try_from(count).unwrap_or(0);
        let hash = rules::proof(Some(tenant), TABLE, cut, u64::try_from(count).unwrap_or(0), first, last);
        let (id, class) = (ctx.ids().uuid7().to_string(), Class::Inbox.as_str());
        tx.execute(&sql::PROVE, &params![tenant, id, class, TABLE, cut, count, first, last, hash, ctx.now]).await?;
    }
    tx.commit().await?;
    Ok(gone)
}
