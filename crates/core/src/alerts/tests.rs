//! Alerts and incidents through reports, on both engines.

use std::time::Duration;

use wire::{Alert, AlertSeverity};

use super::*;
use crate::filter::Filter;
use crate::page::PageQuery;
use crate::reports::testing::{Site, status};
use crate::{Kind, Role};

fn jam(part: &str, severity: AlertSeverity) -> Alert {
    Alert {
        severity,
        reason: "media-jam".into(),
        group: Some("media-path".into()),
        part: Some(part.into()),
        text: Some("Jam".into()),
        code: Some(8),
        since: None,
    }
}

async fn say(site: &mut Site, alerts: Vec<Alert>) {
    site.status(1, status("SERIAL1", |body| body.alerts = alerts)).await;
}

async fn all(site: &Site, open: Option<bool>) -> Vec<AlertRow> {
    list(&site.person().await, &AlertQuery { open, ..AlertQuery::default() }).await.unwrap().items
}

#[tokio::test]
async fn an_alert_that_flaps_is_one_alert_and_after_ten_minutes_another() {
    for mut site in Site::each().await {
        for _ in 0..3 {
            say(&mut site, vec![jam("1.1", AlertSeverity::Critical)]).await;
            site.wait(60);
            say(&mut site, Vec::new()).await;
            site.wait(60);
        }
        let past = all(&site, None).await;
        assert_eq!((past.len(), past[0].flaps, past[0].state.as_str()), (1, 2, "resolved"));
        assert!(past[0].cleared_at.unwrap() >= past[0].raised_at);
        site.wait(601);
        say(&mut site, vec![jam("1.1", AlertSeverity::Critical)]).await;
        assert_eq!((all(&site, None).await.len(), all(&site, Some(true)).await.len()), (2, 1));
        assert_eq!(
            counts(&site.person().await).await.unwrap(),
            AlertCounts { open: 1, critical: 1, ..AlertCounts::default() }
        );
    }
}

#[tokio::test]
async fn parts_have_their_own_alerts_and_share_the_cause() {
    for mut site in Site::each().await {
        say(&mut site, vec![jam("1.1", AlertSeverity::Critical), jam("1.2", AlertSeverity::Warning)]).await;
        let open = all(&site, Some(true)).await;
        assert_eq!((open.len(), open[0].severity.as_str()), (2, "critical"));
        assert_eq!(open[0].incident, open[1].incident);
        site.wait(60);
        say(&mut site, vec![jam("1.2", AlertSeverity::Warning)]).await;
        assert_eq!(incidents(&site.person().await, true, &PageQuery::default()).await.unwrap().items.len(), 1);
        site.wait(60);
        say(&mut site, Vec::new()).await;
        assert!(incidents(&site.person().await, true, &PageQuery::default()).await.unwrap().items.is_empty());
        let told = crate::events::after(&site.person().await, 0, 500).await.unwrap();
        let count = |kind: &str| told.iter().filter(|event| event.kind == kind).count();
        let kinds = ["device.alert.raised", "device.alert.cleared", "incident.opened", "incident.resolved"];
        assert_eq!(kinds.map(count), [2, 2, 1, 1]);
    }
}

#[tokio::test]
async fn people_take_care_and_a_worse_turn_wakes_what_was_quiet() {
    for mut site in Site::each().await {
        say(&mut site, vec![jam("1.1", AlertSeverity::Warning)]).await;
        let ctx = site.person().await;
        let id = all(&site, Some(true)).await[0].id;
        let reader = site.test.account(&site.root, site.root.home, "u@example.org", Role::User).await;
        assert_eq!(acknowledge(&reader, id, None, None).await.unwrap_err().kind, Kind::Forbidden);
        let (_, stranger) = site.test.customer(&site.root, "Harbour Clinic").await;
        assert_eq!(acknowledge(&stranger, id, None, None).await.unwrap_err().kind, Kind::NotFound);
        acknowledge(&ctx, id, Some("on my way"), None).await.unwrap();
        let row = &all(&site, Some(true)).await[0];
        assert_eq!(
            (row.state.as_str(), row.owner.as_deref(), row.note.as_deref()),
            ("acknowledged", Some("Ada Admin"), Some("on my way"))
        );
        assert_eq!(snooze(&ctx, id, ctx.now, None, None).await.unwrap_err().kind, Kind::Invalid);
        snooze(&ctx, id, ctx.now + Duration::from_secs(3_600), None, None).await.unwrap();
        assert_eq!(counts(&ctx).await.unwrap(), AlertCounts { snoozed: 1, ..AlertCounts::default() });
        site.wait(60);
        say(&mut site, vec![jam("1.1", AlertSeverity::Critical)]).await;
        assert_eq!(all(&site, Some(true)).await[0].state, "open", "it got worse");
        snooze(&site.person().await, id, site.person().await.now + Duration::from_secs(3_600), None, None)
            .await
            .unwrap();
        site.wait(3_601);
        assert_eq!(wake(&site.test.platform.system("a test")).await.unwrap(), 1);
        assert_eq!(all(&site, Some(true)).await[0].state, "open", "its time is over");
        let filter = |text: &str| AlertQuery { filter: Some(Filter::parse(text).unwrap()), ..AlertQuery::default() };
        let ctx = site.person().await;
        assert_eq!(list(&ctx, &filter(r#"severity eq "critical" and state eq "open""#)).await.unwrap().items.len(), 1);
        assert_eq!(list(&ctx, &filter(r#"severity eq "other""#)).await.unwrap().items.len(), 0);
        let records = crate::audit::list(&ctx, &crate::audit::AuditQuery::default()).await.unwrap().items;
        assert_eq!(records.iter().filter(|record| record.object_kind == "incident").count(), 3);
    }
}
