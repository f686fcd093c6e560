//! Hard behaviour 14 (gateway.md §9): storms, flaps, escalation, caps; and rules as people make them. On both engines.

use wire::{Alert, AlertSeverity, Body, Subject};

use super::*;
use crate::alerts::{self, IncidentQuery, IncidentRow};
use crate::notifications::{self, NewRecipient, NotificationQuery, Outcome, Recipient};
use crate::reports::testing::{Site, status};
use crate::{Kind, Role};

fn subject(number: u16) -> Subject {
    let mut bytes = [9; 16];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    Subject(bytes)
}

fn jam(severity: AlertSeverity) -> Alert {
    Alert {
        severity,
        reason: "media-jam".into(),
        group: Some("media-path".into()),
        part: Some("1.1".into()),
        text: Some("Jam".into()),
        code: Some(8),
        since: None,
    }
}

fn body(number: u16, alerts: Vec<Alert>) -> Body {
    Body::Status(Box::new(status(&format!("SERIAL{number:05}"), |body| {
        body.address = format!("10.4.{}.{}", number / 250, number % 250 + 1);
        body.alerts = alerts;
    })))
}

async fn say(site: &mut Site, number: u16, alerts: Vec<Alert>) {
    site.deliver(vec![(Some(subject(number)), body(number, alerts))]).await;
}

async fn recipient(site: &Site, name: &str) -> Recipient {
    let new = NewRecipient { cap_per_hour: Some(3), ..NewRecipient::mail(name, &format!("{name}@example.net")) };
    notifications::create_recipient(&site.person().await, &new).await.unwrap()
}

fn rule_to(steps: &[(i64, &Recipient)]) -> NewRule {
    let step = |(after, to): &(i64, &Recipient)| Step { after_minutes: *after, recipients: vec![to.id] };
    NewRule {
        name: "Everything".into(),
        active: None,
        filter: String::new(),
        hold_minutes: 0,
        severity: None,
        from: None,
        until: None,
        weekdays: Vec::new(),
        zone: None,
        tell_end: false,
        steps: steps.iter().map(step).collect(),
    }
}

/// Sends all that may go now; to whom with which title.
async fn send(site: &Site) -> Vec<(String, String)> {
    let mut sent = Vec::new();
    while let Some(due) = notifications::claim(&site.test.platform, "a test", true).await.unwrap() {
        sent.push((due.recipient_name.clone(), due.title.clone()));
        assert!(notifications::settle(&site.test.platform, &due, &Outcome::Sent { status: Some(250) }).await.unwrap());
    }
    sent
}

async fn standing(site: &Site) -> Vec<IncidentRow> {
    let query = IncidentQuery { open: Some(true), ..IncidentQuery::default() };
    alerts::list_incidents(&site.person().await, &query).await.unwrap().items
}

async fn count(site: &Site, kind: &str) -> usize {
    let (mut all, mut last) = (0, 0);
    loop {
        let batch = crate::events::after(&site.person().await, last, 500).await.unwrap();
        let Some(newest) = batch.last() else { return all };
        last = newest.id;
        all += batch.iter().filter(|event| event.kind == kind).count();
    }
}

async fn told(site: &Site) -> Told {
    run(&site.test.platform).await.unwrap()
}

/// Minutes go by in which the agent hears these devices, and the reconcilers run.
async fn minutes(site: &mut Site, minutes: u64, heard: &[Subject]) {
    for _ in 0..minutes.div_ceil(4) {
        site.wait(240);
        site.seen(heard.to_vec(), Vec::new()).await;
    }
    crate::devices::reconcile(&site.test.platform).await.unwrap();
}

#[tokio::test]
async fn alert_storm_a_switch_that_hides_3000_devices_is_one_incident_14() {
    for mut site in Site::each().await {
        let (desk, boss) = (recipient(&site, "desk").await, recipient(&site, "boss").await);
        create_rule(&site.person().await, &rule_to(&[(0, &desk), (15, &boss)])).await.unwrap();
        for first in (0..3_020).step_by(500) {
            let all = (first..(first + 500).min(3_020)).map(|n| (Some(subject(n)), body(n, Vec::new()))).collect();
            site.deliver(all).await;
        }
        let near: Vec<Subject> = (3_000..3_020).map(subject).collect();
        minutes(&mut site, 20, &near).await;
        let open = standing(&site).await;
        assert_eq!((open.len(), open[0].alerts), (1, 3_000), "one cause");
        assert_eq!((open[0].reason.as_str(), open[0].severity.as_str()), ("platen-devices-hidden", "critical"));
        assert_eq!(count(&site, "incident.opened").await, 1);
        assert_eq!(told(&site).await.fired, 1);
        let sent = send(&site).await;
        assert_eq!(sent.len(), 1, "one mail, not 3,000: {sent:?}");
        assert!(sent[0].0 == "desk" && sent[0].1.contains("fell silent within minutes"), "{sent:?}");
        // Nobody takes care: the next step, once.
        assert_eq!(told(&site).await, Told::default());
        minutes(&mut site, 16, &near).await;
        assert_eq!((told(&site).await.escalated, count(&site, "incident.escalated").await), (1, 1));
        assert_eq!(send(&site).await[0].0, "boss");
        // All are heard again: it is over.
        let all: Vec<Subject> = (0..3_020).map(subject).collect();
        minutes(&mut site, 4, &all).await;
        assert!(standing(&site).await.is_empty());
        assert_eq!(count(&site, "incident.resolved").await, 1);
    }
}

#[tokio::test]
async fn alert_storm_few_silent_devices_are_incidents_of_their_own_14() {
    for mut site in Site::each().await {
        for number in 0..4 {
            say(&mut site, number, Vec::new()).await;
        }
        minutes(&mut site, 20, &[subject(0)]).await;
        let open = standing(&site).await;
        assert_eq!(open.len(), 3);
        assert!(open.iter().all(|incident| incident.reason == "platen-silent" && incident.device.is_some()));
    }
}

#[tokio::test]
async fn alert_storm_a_flapping_device_is_told_once_14() {
    for mut site in Site::each().await {
        let desk = recipient(&site, "desk").await;
        let new = NewRule { tell_end: true, ..rule_to(&[(0, &desk)]) };
        create_rule(&site.person().await, &new).await.unwrap();
        for _ in 0..20 {
            say(&mut site, 1, vec![jam(AlertSeverity::Critical)]).await;
            told(&site).await;
            site.wait(30);
            say(&mut site, 1, Vec::new()).await;
            told(&site).await;
            site.wait(30);
        }
        assert_eq!(send(&site).await.len(), 1);
        // It stays away: one word that it is over.
        minutes(&mut site, 30, &[subject(1)]).await;
        assert_eq!(told(&site).await.ended, 1);
        let sent = send(&site).await;
        assert!(sent.len() == 1 && sent[0].1.starts_with("Over: "), "{sent:?}");
    }
}

#[tokio::test]
async fn alert_storm_escalation_ends_when_somebody_takes_care_14() {
    for mut site in Site::each().await {
        let (desk, boss) = (recipient(&site, "desk").await, recipient(&site, "boss").await);
        create_rule(&site.person().await, &rule_to(&[(0, &desk), (15, &boss)])).await.unwrap();
        for number in [1, 2] {
            say(&mut site, number, vec![jam(AlertSeverity::Critical)]).await;
        }
        assert_eq!(told(&site).await.fired, 2);
        let sent = send(&site).await;
        assert_eq!(sent, [("desk".to_owned(), "2 incidents, 2 critical".to_owned())], "one message of a run");
        let open = standing(&site).await;
        alerts::acknowledge(&site.person().await, open[0].id, None, None).await.unwrap();
        site.wait(901);
        assert_eq!(told(&site).await.escalated, 1, "only the one that nobody has taken");
        let sent = send(&site).await;
        assert!(sent.len() == 1 && sent[0].1.starts_with("Nobody has taken care (step 2)"), "{sent:?}");
        let firings = firings(&site.person().await, open[1].id).await.unwrap();
        assert_eq!((firings[0].step, firings[0].next_at), (1, None));
    }
}

#[tokio::test]
async fn alert_storm_the_cap_of_mails_an_hour_is_kept_and_nothing_is_lost_14() {
    for mut site in Site::each().await {
        let desk = recipient(&site, "desk").await;
        create_rule(&site.person().await, &rule_to(&[(0, &desk)])).await.unwrap();
        let mut sent = Vec::new();
        for number in 0..30 {
            say(&mut site, number, vec![jam(AlertSeverity::Critical)]).await;
            told(&site).await;
            sent.extend(send(&site).await);
            site.wait(60);
        }
        assert_eq!(sent.len(), 3, "{sent:?}");
        site.wait(1_860);
        let rest = send(&site).await;
        assert_eq!(rest, [("desk".to_owned(), "27 messages".to_owned())], "what waited is one mail");
        let all = notifications::list(&site.person().await, &NotificationQuery::default()).await.unwrap().items;
        let state = |state: &str| all.iter().filter(|n| n.state == state).count();
        assert_eq!((all.len(), state("sent"), state("folded")), (30, 4, 26));
    }
}

#[tokio::test]
async fn a_rule_looks_at_what_it_is_told_to_and_waits_for_its_hold() {
    for mut site in Site::each().await {
        let desk = recipient(&site, "desk").await;
        let new = NewRule {
            filter: r#"severity eq "critical" and reason eq "media-jam" and level ge 3 and vendor eq "ricoh""#.into(),
            hold_minutes: 10,
            ..rule_to(&[(0, &desk)])
        };
        let rule = create_rule(&site.person().await, &new).await.unwrap();
        say(&mut site, 1, vec![jam(AlertSeverity::Critical)]).await;
        say(&mut site, 2, vec![jam(AlertSeverity::Warning)]).await;
        assert_eq!(told(&site).await.fired, 0, "it has not stood for long");
        site.wait(601);
        assert_eq!(told(&site).await.fired, 1);
        assert_eq!(send(&site).await[0].1, "Paper jam, printer SERIAL00001, Main building, Root");
        let dry = dry_run(&site.person().await, &new).await.unwrap();
        assert_eq!((dry.incidents, dry.newest.len(), dry.more), (1, 1, false));
        let wrong = NewRule { filter: "colour eq 5".into(), ..new.clone() };
        assert_eq!(create_rule(&site.person().await, &wrong).await.unwrap_err().field.as_deref(), Some("filter"));
        let off = NewRule { active: Some(false), ..new.clone() };
        assert!(!update_rule(&site.person().await, rule.id, &off, Some(1)).await.unwrap().active);
        say(&mut site, 3, vec![jam(AlertSeverity::Critical)]).await;
        site.wait(601);
        assert_eq!(told(&site).await.fired, 0, "it does not work");
        delete_rule(&site.person().await, rule.id).await.unwrap();
        assert!(list_rules(&site.person().await).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_rule_outside_its_hours_tells_when_they_begin() {
    for mut site in Site::each().await {
        let desk = recipient(&site, "desk").await;
        // Test platforms begin at noon UTC.
        let hours = (Some("13:00".to_owned()), Some("14:00".to_owned()), Some("UTC".to_owned()));
        let new = NewRule { from: hours.0, until: hours.1, zone: hours.2, ..rule_to(&[(0, &desk)]) };
        create_rule(&site.person().await, &new).await.unwrap();
        say(&mut site, 1, vec![jam(AlertSeverity::Critical)]).await;
        assert_eq!(told(&site).await.fired, 0);
        site.wait(3_601);
        assert_eq!(told(&site).await.fired, 1);
    }
}

#[tokio::test]
async fn a_provider_is_told_of_its_customers_and_nobody_else() {
    for mut site in Site::each().await {
        let (org, customer) = site.test.customer(&site.root, "Harbour Clinic").await;
        site.agent = Site::enrol(&site.test, &site.person().await, org, 2).await;
        let desk = recipient(&site, "desk").await;
        create_rule(&site.person().await, &rule_to(&[(0, &desk)])).await.unwrap();
        let (_, stranger) = site.test.customer(&site.root, "Other House").await;
        let theirs =
            notifications::create_recipient(&stranger, &NewRecipient::mail("x", "x@example.net")).await.unwrap();
        create_rule(&stranger, &rule_to(&[(0, &theirs)])).await.unwrap();
        let foreign = create_rule(&stranger, &rule_to(&[(0, &desk)])).await.unwrap_err();
        assert_eq!((foreign.kind, foreign.field.as_deref()), (Kind::Invalid, Some("steps")));
        say(&mut site, 1, vec![jam(AlertSeverity::Critical)]).await;
        assert_eq!(told(&site).await.fired, 1);
        let sent = send(&site).await;
        assert!(sent.len() == 1 && sent[0].0 == "desk" && sent[0].1.ends_with("Harbour Clinic"), "{sent:?}");
        let incident = standing(&site).await[0].id;
        assert_eq!(alerts::incident(&stranger, incident).await.unwrap_err().kind, Kind::NotFound);
        assert_eq!(firings(&customer, incident).await.unwrap(), [], "whom the provider tells is its own affair");
    }
}

#[tokio::test]
async fn a_person_ends_an_incident_with_a_reason_and_it_stays_ended() {
    for mut site in Site::each().await {
        say(&mut site, 1, vec![jam(AlertSeverity::Critical)]).await;
        let id = standing(&site).await[0].id;
        let ctx = site.person().await;
        assert_eq!(alerts::resolve(&ctx, id, " ", None).await.unwrap_err().field.as_deref(), Some("why"));
        alerts::resolve(&ctx, id, "the unit is in the workshop", None).await.unwrap();
        site.wait(60);
        say(&mut site, 1, vec![jam(AlertSeverity::Critical)]).await;
        assert!(standing(&site).await.is_empty());
        let sheet = alerts::incident(&site.person().await, id).await.unwrap();
        assert_eq!(sheet.incident.why.as_deref(), Some("the unit is in the workshop"));
        assert_eq!(alerts::acknowledge(&ctx, id, None, None).await.unwrap_err().kind, Kind::Conflict);
        let reader = site.test.account(&site.root, site.root.home, "u@example.org", Role::User).await;
        assert_eq!(list_rules(&reader).await.unwrap_err().kind, Kind::Forbidden);
    }
}
