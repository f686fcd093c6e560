//! Alerts and incidents through reports, on both engines.

use std::time::Duration;

use wire::traps::TrapBody;
use wire::{Alert, AlertSeverity, Body, Outcome, SnmpVersion};

use super::*;
use crate::filter::Filter;
use crate::reports::testing::{Site, status, subject};
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

fn standing() -> IncidentQuery {
    IncidentQuery { open: Some(true), ..IncidentQuery::default() }
}

async fn say(site: &mut Site, alerts: Vec<Alert>) {
    site.status(1, status("SERIAL1", |body| body.alerts = alerts)).await;
}

async fn all(site: &Site, open: Option<bool>) -> Vec<AlertRow> {
    list(&site.person().await, &AlertQuery { open, ..AlertQuery::default() }).await.unwrap().items
}

#[tokio::test]
async fn alert_lifecycle_an_alert_that_flaps_is_one_alert_and_after_ten_minutes_another() {
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
        assert_eq!(list_incidents(&site.person().await, &standing()).await.unwrap().items.len(), 1);
        site.wait(60);
        say(&mut site, Vec::new()).await;
        assert!(list_incidents(&site.person().await, &standing()).await.unwrap().items.is_empty());
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
        let id = all(&site, Some(true)).await[0].incident;
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

fn low(part: &str, reason: &str, code: i64) -> Alert {
    Alert {
        severity: AlertSeverity::Warning,
        reason: reason.into(),
        group: Some("marker-supplies".into()),
        part: Some(part.into()),
        text: None,
        code: Some(code),
        since: None,
    }
}

/// As a trap tells an alert: without words.
fn bare(alert: Alert) -> Alert {
    Alert { text: None, since: None, ..alert }
}

async fn call(site: &mut Site, alerts: Vec<Alert>) {
    let body = Body::Trap(TrapBody { snmp: SnmpVersion::V2c, alerts, shed: 0 });
    assert_eq!(site.deliver(vec![(Some(subject(1)), body)]).await, [Outcome::Stored]);
}

async fn told(site: &Site, kinds: &[&str]) -> Vec<usize> {
    let told = crate::events::after(&site.person().await, 0, 500).await.unwrap();
    kinds.iter().map(|kind| told.iter().filter(|event| event.kind == *kind).count()).collect()
}

const RAISED: &[&str] = &["device.alert.raised", "incident.opened"];
const ENDED: &[&str] = &["device.alert.cleared", "incident.resolved"];

#[tokio::test]
async fn alert_lifecycle_trap_and_poll_make_one_incident() {
    for mut site in Site::each().await {
        say(&mut site, Vec::new()).await;
        site.wait(60);
        call(&mut site, vec![bare(jam("1.1", AlertSeverity::Critical))]).await;
        let open = all(&site, Some(true)).await;
        assert_eq!((open.len(), open[0].source.as_str(), open[0].text.as_deref()), (1, "trap", None));
        assert_eq!(open[0].audience, "operator");
        site.wait(1);
        say(&mut site, vec![jam("1.1", AlertSeverity::Critical)]).await;
        let same = all(&site, Some(true)).await;
        assert_eq!((same.len(), same[0].id, same[0].incident), (1, open[0].id, open[0].incident));
        assert_eq!(
            (same[0].source.as_str(), same[0].text.as_deref()),
            ("device", Some("Jam")),
            "the reading has words"
        );
        site.wait(1);
        call(&mut site, vec![bare(jam("1.1", AlertSeverity::Critical))]).await;
        assert_eq!(all(&site, Some(true)).await[0].text.as_deref(), Some("Jam"), "a trap takes no words away");
        assert_eq!(told(&site, RAISED).await, [1, 1]);
        site.wait(60);
        say(&mut site, Vec::new()).await;
        assert_eq!(told(&site, ENDED).await, [1, 1]);
        assert!(all(&site, Some(true)).await.is_empty());
    }
}

#[tokio::test]
async fn alert_lifecycle_the_poll_may_know_better_words_than_the_trap() {
    for mut site in Site::each().await {
        say(&mut site, Vec::new()).await;
        site.wait(60);
        call(&mut site, vec![low("1.2", "marker-supply-low", 12)]).await;
        let open = all(&site, Some(true)).await;
        site.wait(1);
        say(&mut site, vec![low("1.2", "toner-low", 12)]).await;
        let same = all(&site, Some(true)).await;
        assert_eq!((same.len(), same[0].id, same[0].reason.as_str()), (1, open[0].id, "toner-low"));
        let found = list_incidents(&site.person().await, &standing()).await.unwrap().items;
        assert_eq!((found.len(), found[0].reason.as_str()), (1, "toner-low"));
        assert_eq!((told(&site, RAISED).await, told(&site, ENDED).await), (vec![1, 1], vec![0, 0]));
        // Another supply in the words of the trap joins the incident of its words once the poll has found them.
        site.wait(60);
        call(&mut site, vec![low("1.3", "marker-supply-low", 12)]).await;
        site.wait(1);
        say(&mut site, vec![low("1.2", "toner-low", 12), low("1.3", "toner-low", 12)]).await;
        let both = all(&site, Some(true)).await;
        assert_eq!((both.len(), both[0].incident), (2, both[1].incident));
        assert_eq!(list_incidents(&site.person().await, &standing()).await.unwrap().items.len(), 1);
    }
}

#[tokio::test]
async fn alert_lifecycle_a_trap_that_no_reading_confirms_is_over() {
    for mut site in Site::each().await {
        say(&mut site, Vec::new()).await;
        site.wait(60);
        call(&mut site, vec![jam("1.1", AlertSeverity::Critical)]).await;
        // A reading that had begun before the trap came in does not know.
        let late = site.messages(vec![(Some(subject(1)), Body::Status(Box::new(status("SERIAL1", |_| {}))))]);
        let late = late.into_iter().map(|message| wire::Message { taken_ms: message.taken_ms - 2_000, ..message });
        site.deliver_as(site.agent, 1, late.collect()).await.unwrap();
        assert_eq!(all(&site, Some(true)).await.len(), 1);
        // The next one does, though it says the same as the last.
        site.wait(1);
        say(&mut site, Vec::new()).await;
        assert!(all(&site, Some(true)).await.is_empty());
        // And a trap that was held up tells nothing new.
        let body = TrapBody { snmp: SnmpVersion::V1, alerts: vec![jam("1.1", AlertSeverity::Critical)], shed: 0 };
        let old = site.messages(vec![(Some(subject(1)), Body::Trap(body))]);
        let old = old.into_iter().map(|message| wire::Message { taken_ms: message.taken_ms - 5_000, ..message });
        site.deliver_as(site.agent, 1, old.collect()).await.unwrap();
        assert!(all(&site, Some(true)).await.is_empty());
    }
}

#[tokio::test]
async fn alert_lifecycle_missed_traps_are_survived() {
    for mut site in Site::each().await {
        say(&mut site, Vec::new()).await;
        // Neither the trap that raised it nor the one that ended it arrived.
        site.wait(60);
        say(&mut site, vec![jam("1.1", AlertSeverity::Critical)]).await;
        assert_eq!(all(&site, Some(true)).await[0].source, "device");
        site.wait(60);
        say(&mut site, Vec::new()).await;
        assert_eq!((told(&site, RAISED).await, told(&site, ENDED).await), (vec![1, 1], vec![1, 1]));
    }
}

#[tokio::test]
async fn alert_lifecycle_a_reboot_opens_no_second_alert() {
    for mut site in Site::each().await {
        // prtAlertIndex is no part of what makes an alert one: the same condition under another row number.
        let restarted = Some("2026-01-02T03:04:05Z".to_owned());
        say(&mut site, vec![jam("1.1", AlertSeverity::Critical), low("1.1", "toner-low", 1_104)]).await;
        site.wait(60);
        let anew = |alert: Alert| Alert { since: restarted.clone(), ..alert };
        let rows = vec![anew(low("1.1", "toner-low", 1_104)), anew(jam("1.1", AlertSeverity::Critical))];
        say(&mut site, rows).await;
        assert_eq!(all(&site, None).await.len(), 2);
        assert_eq!((told(&site, RAISED).await, told(&site, ENDED).await), (vec![2, 2], vec![0, 0]));
    }
}

#[tokio::test]
async fn alert_lifecycle_flaps_are_damped() {
    for mut site in Site::each().await {
        for _ in 0..20 {
            say(&mut site, vec![jam("1.1", AlertSeverity::Critical)]).await;
            site.wait(30);
            say(&mut site, Vec::new()).await;
            site.wait(30);
        }
        let one = all(&site, None).await;
        assert_eq!((one.len(), one[0].flaps, one[0].state.as_str()), (1, 19, "open"), "it stands while it flaps");
        assert_eq!(one[0].cleared_at, None);
        let (raised, ended) = (told(&site, RAISED).await, told(&site, ENDED).await);
        assert!(raised[0] <= 4 && raised[1] <= 4 && ended[0] <= 3, "20 rounds: {raised:?} {ended:?}");
        let ctx = site.test.platform.system("a test");
        assert_eq!(settle(&ctx).await.unwrap(), 0, "it was there a moment ago");
        site.wait(600);
        assert_eq!(settle(&site.test.platform.system("a test")).await.unwrap(), 1);
        assert_eq!(settle(&site.test.platform.system("a test")).await.unwrap(), 0);
        let over = &all(&site, None).await[0];
        assert_eq!((over.state.as_str(), over.cleared_at.is_some()), ("resolved", true));
        assert!(over.cleared_at.unwrap() < site.test.platform.now().days_ago(0), "over since it went, not since now");
    }
}

#[tokio::test]
async fn alert_lifecycle_critical_evicts_others_and_they_still_stand() {
    for mut site in Site::each().await {
        let (first, second) = (low("1.1", "toner-low", 1_104), low("1.2", "toner-low", 1_104));
        say(&mut site, vec![first.clone(), second.clone()]).await;
        site.wait(60);
        // The table has room for two: the critical one takes the place of a warning.
        say(&mut site, vec![jam("1.1", AlertSeverity::Critical), second.clone()]).await;
        assert_eq!(all(&site, Some(true)).await.len(), 3, "low toner is not over because paper jams");
        site.wait(60);
        // The jam is over and the warning did not come back: now it is over too.
        say(&mut site, vec![second]).await;
        let left = all(&site, Some(true)).await;
        assert_eq!((left.len(), left[0].part.as_str()), (1, "1.2"));
    }
}

#[tokio::test]
async fn alert_lifecycle_low_that_became_empty_is_over_and_not_pushed_out() {
    for mut site in Site::each().await {
        let (first, second) = (low("1.1", "toner-low", 1_104), low("1.2", "toner-low", 1_104));
        say(&mut site, vec![first.clone(), second.clone()]).await;
        site.wait(60);
        let empty = Alert { severity: AlertSeverity::Critical, ..low("1.1", "toner-empty", 1_101) };
        say(&mut site, vec![empty, second]).await;
        let left: Vec<_> = all(&site, Some(true)).await.into_iter().map(|row| (row.part, row.reason)).collect();
        let part = |part: &str, reason: &str| (part.to_owned(), reason.to_owned());
        assert_eq!(left.len(), 2, "{left:?}");
        assert!(left.contains(&part("1.1", "toner-empty")) && left.contains(&part("1.2", "toner-low")), "{left:?}");
    }
}

#[tokio::test]
async fn alert_lifecycle_a_reading_that_lost_a_table_ends_nothing() {
    for mut site in Site::each().await {
        let low = low("1.1", "toner-low", 1_104);
        say(&mut site, vec![low.clone()]).await;
        let lost = status("S1", |body| body.quirks = vec!["tables-not-answered".into()]);
        site.wait(60);
        site.status(1, lost.clone()).await;
        assert_eq!(all(&site, Some(true)).await.len(), 1, "nobody said that it is over");
        site.wait(60);
        say(&mut site, vec![low.clone()]).await;
        assert_eq!((all(&site, None).await.len(), all(&site, Some(true)).await.len()), (1, 1));
        // A device that is slow for hours, and then tells all again: it is the same alert.
        for _ in 0..12 {
            site.wait(1_800);
            site.status(1, lost.clone()).await;
        }
        say(&mut site, vec![low.clone()]).await;
        assert_eq!((all(&site, None).await.len(), all(&site, Some(true)).await.len()), (1, 1));
        // Not told and told again many times over: that is no flap, and ends at once when it is over.
        for _ in 0..5 {
            for body in [lost.clone(), status("S1", |body| body.alerts = vec![low.clone()])] {
                site.wait(300);
                site.status(1, body).await;
            }
        }
        assert_eq!(all(&site, Some(true)).await[0].flaps, 0);
        site.wait(300);
        say(&mut site, vec![]).await;
        assert!(all(&site, Some(true)).await.is_empty());
        site.wait(3_600);
        say(&mut site, vec![low]).await;
        // A device that never answers its table: after a day what it does not tell is over.
        for hours in [1, 25] {
            site.wait(hours * 3_600);
            site.status(1, lost.clone()).await;
        }
        assert!(all(&site, Some(true)).await.is_empty());
    }
}

#[tokio::test]
async fn alert_lifecycle_a_table_that_runs_in_circles_ends_nothing_and_tells_nothing_twice() {
    for mut site in Site::each().await {
        let low = low("1.1", "toner-low", 1_104);
        say(&mut site, vec![low.clone()]).await;
        // The bit of the same condition is read, its row is not.
        let circle = status("S1", |body| {
            body.status.reasons = vec!["toner-low-warning".into()];
            body.quirks = vec![wire::report::ALERTS_NOT_TOLD.into()];
        });
        for _ in 0..4 {
            site.wait(1_800);
            site.status(1, circle.clone()).await;
            assert_eq!((all(&site, None).await.len(), all(&site, Some(true)).await.len()), (1, 1));
        }
        // Reasons that are told beside the table come and go as ever.
        let offline = status("S1", |body| {
            body.status.reasons = vec!["offline-error".into()];
            body.quirks = vec![wire::report::ALERTS_NOT_TOLD.into()];
        });
        for (body, standing) in [(offline, 2), (circle, 1)] {
            site.wait(1_800);
            site.status(1, body).await;
            assert_eq!(all(&site, Some(true)).await.len(), standing);
        }
        site.wait(60);
        say(&mut site, vec![low]).await;
        assert_eq!(all(&site, Some(true)).await.len(), 1);
        site.wait(60);
        say(&mut site, vec![]).await;
        assert!(all(&site, Some(true)).await.is_empty(), "a table that was read has the last word");
    }
}

#[tokio::test]
async fn alert_lifecycle_service_and_paper_are_incidents_of_different_people() {
    for mut site in Site::each().await {
        let service = Alert { reason: "service-needed".into(), code: Some(30), ..jam("1.1", AlertSeverity::Critical) };
        let paper = Alert { reason: "media-empty".into(), code: Some(808), ..jam("1.2", AlertSeverity::Warning) };
        say(&mut site, vec![service, paper]).await;
        let ctx = site.person().await;
        let whom = |text: &str| AlertQuery { filter: Some(Filter::parse(text).unwrap()), ..AlertQuery::default() };
        let service = list(&ctx, &whom(r#"audience eq "service""#)).await.unwrap().items;
        let paper = list(&ctx, &whom(r#"audience eq "operator""#)).await.unwrap().items;
        assert_eq!((service.len(), paper.len()), (1, 1));
        assert_ne!(service[0].incident, paper[0].incident);
        let mut audiences: Vec<_> = list_incidents(&ctx, &standing()).await.unwrap().items;
        audiences.sort_by(|a, b| a.audience.cmp(&b.audience));
        assert_eq!(audiences.iter().map(|i| i.audience.as_str()).collect::<Vec<_>>(), ["operator", "service"]);
    }
}

#[tokio::test]
async fn a_trap_of_a_device_that_was_never_read_is_not_believed() {
    for mut site in Site::each().await {
        let body = TrapBody { snmp: SnmpVersion::V1, alerts: vec![jam("1.1", AlertSeverity::Critical)], shed: 0 };
        assert_eq!(site.deliver(vec![(Some(subject(9)), Body::Trap(body))]).await, [Outcome::Invalid]);
        let empty = TrapBody { snmp: SnmpVersion::V1, alerts: Vec::new(), shed: 0 };
        assert_eq!(site.deliver(vec![(Some(subject(9)), Body::Trap(empty))]).await, [Outcome::Invalid]);
    }
}
