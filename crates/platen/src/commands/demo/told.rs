//! Who is told in the demo: two recipients, a rule with two steps; and what its own account takes care of. No mail leaves
//! unless it is configured.

use anyhow::Result;
use platen_core::alerting::{self, NewRule, Step};
use platen_core::alerts::{self, IncidentQuery};
use platen_core::notifications::{self, ChannelKind, NewRecipient};
use platen_core::{Filter, PageQuery, Platform, users};

/// Makes them, once.
pub async fn make(platform: &Platform, email: &str) -> Result<()> {
    let ctx = users::ctx_local(platform, email).await?;
    if !alerting::list_rules(&ctx).await?.is_empty() {
        return Ok(());
    }
    let lead = NewRecipient {
        user: ctx.user(),
        digest: Some("daily".to_owned()),
        quiet_from: Some("20:00".to_owned()),
        quiet_until: Some("07:00".to_owned()),
        ..NewRecipient::named("Head of service", ChannelKind::User)
    };
    let lead = notifications::create_recipient(&ctx, &lead).await?;
    let desk = NewRecipient { fallback: Some(lead.id), ..NewRecipient::mail("Service desk", "desk@platen.example") };
    let desk = notifications::create_recipient(&ctx, &desk).await?;
    let rule = NewRule {
        name: "Whatever stops a device".to_owned(),
        active: None,
        filter: r#"severity eq "critical""#.to_owned(),
        hold_minutes: 1,
        severity: None,
        from: None,
        until: None,
        weekdays: Vec::new(),
        zone: None,
        tell_end: true,
        steps: vec![
            Step { after_minutes: 0, recipients: vec![desk.id] },
            Step { after_minutes: 30, recipients: vec![lead.id] },
        ],
    };
    alerting::create_rule(&ctx, &rule).await?;
    Ok(())
}

/// Takes one of the incidents that have stood for days, and snoozes another, once: today and in the demo's own name. What
/// happened before the demo began was seen by nobody.
pub async fn care(platform: &Platform, email: &str) -> Result<()> {
    let ctx = users::ctx_local(platform, email).await?;
    let list = async |condition: &str| {
        let page = PageQuery { limit: Some(2), ..PageQuery::default() };
        let query = IncidentQuery { filter: Some(Filter::parse(condition)?), open: Some(true), page };
        anyhow::Ok(alerts::list_incidents(&ctx, &query).await?.items)
    };
    if !list(r#"state in ("acknowledged", "snoozed")"#).await?.is_empty() {
        return Ok(());
    }
    let days_old =
        format!(r#"state eq "open" and audience eq "supplies" and opened lt "{}""#, ctx.now.days_ago(3).timestamp());
    let mut standing = list(&days_old).await?.into_iter();
    if let Some(incident) = standing.next() {
        alerts::acknowledge(&ctx, incident.id, Some("goes out with the next delivery"), None).await?;
    }
    if let Some(incident) = standing.next() {
        alerts::snooze(&ctx, incident.id, ctx.now.days_ago(-7), Some("a spare lies beside the device"), None).await?;
    }
    Ok(())
}
