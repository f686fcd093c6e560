//! The digest: what stands and waits in all that an organisation sees, in one mail a day or a week.

use store::{Sql, Value, View, params};

use super::recipients::find;
use super::{NewNotification, Recipient, RecipientId, To, rules, sql};
use crate::alerts::{self, IncidentQuery};
use crate::billing::{self, CloseQuery};
use crate::ctx::Actor;
use crate::error::Result;
use crate::filter::{Filter, Operand};
use crate::meters::calendar;
use crate::page::PageQuery;
use crate::supplies::{self, SupplyQuery};
use crate::{Ctx, OrgId, Platform, Role};

/// Incidents that a digest names.
const NAMED: u32 = 25;
/// Supplies that are empty by then are named.
const SOON_DAYS: i64 = 14;

/// Posts the digests that are due; how many.
///
/// # Errors
/// When the database refuses.
pub async fn run(platform: &Platform) -> Result<u64> {
    let all = platform.system("digests of all organisations");
    let mut tx = all.db().read(&View::All("digests of all organisations")).await?;
    let due = tx.query(&sql::DIGESTS_DUE, &params![all.now]).await?;
    drop(tx);
    let mut posted = 0;
    for row in due {
        let (tenant, id): (OrgId, RecipientId) = (row.get(0)?, row.get(1)?);
        let ctx = crate::scope::request(platform, tenant, Actor::System, Role::Admin).await?;
        let text = digest(&ctx).await?;
        let mut tx = ctx.db().write(&ctx.scope.view()).await?;
        let recipient = find(&mut tx, platform, tenant, id).await?;
        let Some(at) = recipient.digest_at else { continue };
        let next = next(&ctx, &recipient)?;
        if tx.execute(&sql::SET_DIGEST_AT, &params![tenant, id, next, at]).await? == 0 {
            continue;
        }
        let new = NewNotification {
            tenant,
            to: To::Recipient(id),
            kind: "digest",
            subject: ("recipient", id.to_string()),
            critical: false,
            title: format!("Your {} digest", recipient.digest),
            text,
            attachment: None,
            key: format!("digest/{id}/{}", at.0),
        };
        posted += u64::from(super::post(&mut tx, &ctx, new).await?.is_some());
        tx.commit().await?;
    }
    Ok(posted)
}

fn next(ctx: &Ctx, recipient: &Recipient) -> Result<Option<crate::Micros>> {
    let minute = rules::minutes("digest_time", &recipient.digest_time)?;
    let day = (recipient.digest == "weekly").then_some(recipient.digest_weekday);
    Ok(rules::next_digest(ctx.now, &calendar::zone(&recipient.zone), minute, day))
}

/// What a digest says now to somebody who sees what the request sees.
///
/// # Errors
/// When the database refuses.
pub async fn digest(ctx: &Ctx) -> Result<String> {
    let counts = alerts::counts(ctx).await?;
    let standing = counts.open + counts.acknowledged + counts.snoozed;
    let mut text = format!(
        "Incidents that stand: {standing}. Nobody has taken {}, {} are taken, {} snoozed. {} critical, {} warnings.\n",
        counts.open, counts.acknowledged, counts.snoozed, counts.critical, counts.warning
    );
    let page = PageQuery { limit: Some(NAMED), ..PageQuery::default() };
    let filter = Some(Filter::Ne("state".to_owned(), Operand::Text("snoozed".to_owned())));
    let mut rows = alerts::list_incidents(ctx, &IncidentQuery { filter, open: Some(true), page }).await?;
    rows.items.sort_by_key(|row| (rank(&row.severity), std::cmp::Reverse(row.opened_at)));
    for row in &rows.items {
        let what = row.device_name.as_deref().or(row.agent_name.as_deref()).unwrap_or_default();
        let owner = row.owner.as_deref().map(|owner| format!(", {owner} takes care")).unwrap_or_default();
        text.push_str(&format!("\n- {} ({}): {what}{owner}\n  {{base}}/incidents/{}", row.title, row.severity, row.id));
    }
    if rows.next.is_some() {
        text.push_str("\n- and more: {base}/incidents");
    }
    text.push_str(&silent(ctx).await?);
    text.push_str(&meters_due(ctx).await?);
    text.push_str(&supplies_due(ctx).await?);
    Ok(text)
}

/// Periods that are about to be closed, or wait for readings.
async fn meters_due(ctx: &Ctx) -> Result<String> {
    let filter = Some(Filter::parse(r#"state in ("gathering", "review")"#)?);
    let page = PageQuery { limit: Some(NAMED), ..PageQuery::default() };
    let found = billing::closes(ctx, &CloseQuery { filter, soonest: true, page }).await?;
    let mut text = String::new();
    for close in &found.items {
        text.push_str(if text.is_empty() { "\n\nMeters due:" } else { "" });
        let (number, missing) = (&close.number, close.open_gaps);
        text.push_str(&format!(
            "\n- {} {number}, {}: {missing} of {} devices miss a reading",
            close.contract_name, close.period, close.devices
        ));
        text.push_str(&format!("\n  {{base}}/closes/{}", close.id));
    }
    Ok(text)
}

/// Supplies that run empty soon, the first one first.
async fn supplies_due(ctx: &Ctx) -> Result<String> {
    let until = ctx.now.days_ago(-SOON_DAYS);
    let filter = Some(Filter::Lt("empty".to_owned(), Operand::Text(until.to_string())));
    let page = PageQuery { limit: Some(NAMED), ..PageQuery::default() };
    let found = supplies::list(ctx, &SupplyQuery { filter, without_forecast: false, page }).await?;
    let mut text = String::new();
    for supply in &found.items {
        let Some(forecast) = &supply.forecast else { continue };
        text.push_str(if text.is_empty() { "\n\nSupplies due within two weeks:" } else { "" });
        let ordered = supply.shipment.as_deref().map(|state| format!(", shipment {state}")).unwrap_or_default();
        text.push_str(&format!("\n- {}, {}: {:.0} days left{ordered}", supply.device_name, supply.name, forecast.days));
    }
    if found.next.is_some() {
        text.push_str("\n- and more");
    }
    Ok(text)
}

fn rank(severity: &str) -> u8 {
    match severity {
        "critical" => 0,
        "warning" => 1,
        _ => 2,
    }
}

/// Devices that nobody has heard: their meters will be missing when the month is billed.
async fn silent(ctx: &Ctx) -> Result<String> {
    let mut params: Vec<Value> = Vec::new();
    let scope = ctx.scope.condition("d", &mut params);
    let text = format!(
        "select d.comm, count(*) from devices d where {scope} and d.lifecycle <> 'retired' \
         and d.comm in ('late', 'silent', 'unreachable', 'unknown_path') group by d.comm order by 1"
    );
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let mut out = String::new();
    for row in tx.query(&Sql::built_as("notifications::silent", text), &params).await? {
        let (comm, count): (String, i64) = (row.get(0)?, row.get(1)?);
        let words = match comm.as_str() {
            "late" => "late",
            "unreachable" => "do not answer their agent",
            "unknown_path" => "behind an agent that is off line",
            _ => "silent",
        };
        out.push_str(if out.is_empty() { "\n\nDevices that are not heard: " } else { ", " });
        out.push_str(&format!("{count} {words}"));
    }
    Ok(out)
}
