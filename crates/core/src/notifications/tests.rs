//! Hard behaviour 15 (gateway.md §9): bounces; order, hours, repeats and the digest. On both engines.

use super::*;
use crate::reports::testing::Site;
use crate::{Ctx, Kind};

async fn make(ctx: &Ctx, name: &str, fallback: Option<RecipientId>) -> Recipient {
    let new = NewRecipient { fallback, ..NewRecipient::mail(name, &format!("{name}@example.net")) };
    create_recipient(ctx, &new).await.unwrap()
}

async fn tell(ctx: &Ctx, to: To, key: &str) -> Option<NotificationId> {
    let mut tx = ctx.db().write(&ctx.scope.view()).await.unwrap();
    let new = NewNotification {
        tenant: ctx.home,
        to,
        kind: "incident",
        subject: ("incident", "x".to_owned()),
        critical: false,
        title: format!("About {key}"),
        text: "Words.".to_owned(),
        attachment: None,
        key: key.to_owned(),
    };
    let posted = post(&mut tx, ctx, new).await.unwrap();
    tx.commit().await.unwrap();
    posted
}

async fn next(site: &Site) -> Option<Due> {
    claim(&site.test.platform, "a test", true).await.unwrap()
}

async fn settled(site: &Site, due: &Due, outcome: Outcome) {
    assert!(settle(&site.test.platform, due, &outcome).await.unwrap());
}

async fn events(site: &Site) -> Vec<String> {
    let all = crate::events::after(&site.person().await, 0, 500).await.unwrap();
    all.into_iter().map(|event| event.kind).filter(|kind| !kind.starts_with("agent.")).collect()
}

#[tokio::test]
async fn bounces_a_refused_address_is_suspended_and_its_fallback_is_told_15() {
    for site in Site::each().await {
        let ctx = site.person().await;
        let boss = make(&ctx, "boss", None).await;
        let desk = make(&ctx, "desk", Some(boss.id)).await;
        tell(&ctx, To::Recipient(desk.id), "one").await.unwrap();
        tell(&ctx, To::Recipient(desk.id), "two").await.unwrap();
        let before = events(&site).await.len();
        let due = next(&site).await.unwrap();
        assert_eq!(due.channel, Channel::Mail("desk@example.net".into()));
        let gone = Outcome::Gone { status: Some(550), why: "5.1.1 no such user".into() };
        settled(&site, &due, gone).await;
        let known = recipient(&site.person().await, desk.id).await.unwrap();
        assert_eq!((known.suspended, known.bounces, known.why.as_deref()), (true, 1, Some("5.1.1 no such user")));
        for title in ["About one", "About two"] {
            let due = next(&site).await.unwrap();
            assert_eq!((due.recipient, due.title.as_str()), (boss.id, title));
            settled(&site, &due, Outcome::Sent { status: Some(250) }).await;
        }
        // What comes later goes there at once.
        tell(&site.person().await, To::Recipient(desk.id), "three").await.unwrap();
        assert_eq!(next(&site).await.unwrap().recipient, boss.id);
        assert_eq!(events(&site).await[before..], ["recipient.suspended"]);
        resume_recipient(&site.person().await, desk.id).await.unwrap();
        assert!(!recipient(&site.person().await, desk.id).await.unwrap().suspended);
    }
}

#[tokio::test]
async fn bounces_a_failure_report_suspends_and_auto_replies_do_nothing_15() {
    for site in Site::each().await {
        let ctx = site.person().await;
        let (platform, boss) = (&site.test.platform, make(&ctx, "boss", None).await);
        let desk = make(&ctx, "desk", Some(boss.id)).await;
        let id = tell(&ctx, To::Recipient(desk.id), "one").await.unwrap();
        let due = next(&site).await.unwrap();
        settled(&site, &due, Outcome::Sent { status: Some(250) }).await;
        assert!(is_bounce_address(&due.bounce_name) && !is_bounce_address("bounce-x-y") && !is_bounce_address("desk"));
        let before = events(&site).await;
        let failed = Returned::Failed { status: "5.1.1".into(), why: "no such user".into() };
        let forged = format!("bounce-{}-{}", id.0.simple(), "0".repeat(16));
        for (name, said) in [
            (due.bounce_name.as_str(), Returned::Answer),
            (due.bounce_name.as_str(), Returned::Otherwise),
            (forged.as_str(), failed.clone()),
            ("bounce-é", failed.clone()),
        ] {
            assert!(!returned(platform, name, &said).await.unwrap(), "{name} {said:?}");
        }
        assert_eq!(events(&site).await, before, "an answer of a machine is no event");
        assert!(next(&site).await.is_none(), "and nothing is answered");
        assert!(returned(platform, &due.bounce_name.to_uppercase(), &failed).await.unwrap());
        let again = next(&site).await.unwrap();
        assert_eq!((again.id, again.recipient), (id, boss.id), "it did not arrive, so the fallback is told");
        settled(&site, &again, Outcome::Sent { status: Some(250) }).await;
        // The same report once more must not hit the fallback.
        assert!(!returned(platform, &due.bounce_name, &failed).await.unwrap());
        assert!(!recipient(&site.person().await, boss.id).await.unwrap().suspended);
    }
}

#[tokio::test]
async fn bounces_make_no_loop_15() {
    for site in Site::each().await {
        let ctx = site.person().await;
        let boss = make(&ctx, "boss", None).await;
        let desk = make(&ctx, "desk", Some(boss.id)).await;
        let new = NewRecipient { fallback: Some(desk.id), ..NewRecipient::mail("boss", "boss@example.net") };
        update_recipient(&ctx, boss.id, &new, Some(1)).await.unwrap();
        let id = tell(&ctx, To::Recipient(desk.id), "one").await.unwrap();
        let mut tries = 0;
        while let Some(due) = next(&site).await {
            tries += 1;
            settled(&site, &due, Outcome::Gone { status: Some(550), why: "no such user".into() }).await;
        }
        assert_eq!(tries, 2, "each address once");
        let log = list(&site.person().await, &NotificationQuery::default()).await.unwrap().items;
        assert_eq!((log.len(), log[0].id, log[0].state.as_str()), (1, id, "dead"));
        let told = events(&site).await;
        assert_eq!(told.iter().filter(|kind| *kind == "recipient.suspended").count(), 2);
        // Both are suspended: it is a dead letter at once, and visible.
        tell(&site.person().await, To::Recipient(desk.id), "two").await.unwrap();
        assert_eq!(counts(&site.person().await).await.unwrap(), [("dead".to_owned(), 2)]);
        assert!(next(&site).await.is_none());
    }
}

#[tokio::test]
async fn messages_keep_their_order_and_come_once() {
    for site in Site::each().await {
        let ctx = site.person().await;
        let desk = make(&ctx, "desk", None).await;
        assert!(tell(&ctx, To::Recipient(desk.id), "one").await.is_some());
        assert!(tell(&ctx, To::Recipient(desk.id), "one").await.is_none(), "the same key");
        // The same address in other letters is the same recipient.
        tell(&ctx, To::Mail("Desk@example.net".into()), "two").await.unwrap();
        let first = next(&site).await.unwrap();
        assert!(next(&site).await.is_none(), "the second waits for the first");
        settled(&site, &first, Outcome::Later { status: Some(451), why: "busy".into() }).await;
        assert!(
            !settle(&site.test.platform, &first, &Outcome::Sent { status: None }).await.unwrap(),
            "not ours any more"
        );
        assert!(next(&site).await.is_none());
        site.wait(60);
        let again = next(&site).await.unwrap();
        assert_eq!((again.id, again.tries), (first.id, 2));
        // A sender that died holds a message for two minutes only.
        site.wait(121);
        let third = next(&site).await.unwrap();
        assert_eq!((third.id, third.tries), (first.id, 3));
        settled(&site, &third, Outcome::Sent { status: Some(250) }).await;
        assert_eq!(next(&site).await.unwrap().title, "About two");
        site.wait(3 * 86_400);
        let late = next(&site).await.unwrap();
        settled(&site, &late, Outcome::Later { status: Some(451), why: "busy".into() }).await;
        let log = list(&site.person().await, &NotificationQuery::default()).await.unwrap().items;
        assert_eq!(log[0].state, "dead", "given up after two days");
        resend(&site.person().await, log[0].id).await.unwrap();
        assert_eq!(next(&site).await.unwrap().id, log[0].id);
    }
}

#[tokio::test]
async fn quiet_hours_hold_what_is_not_critical() {
    for site in Site::each().await {
        let ctx = site.person().await;
        let hours = (Some("11:00".to_owned()), Some("14:00".to_owned()));
        let new = NewRecipient {
            quiet_from: hours.0,
            quiet_until: hours.1,
            zone: Some("UTC".into()),
            ..NewRecipient::mail("desk", "desk@example.net")
        };
        let desk = create_recipient(&ctx, &new).await.unwrap();
        for key in ["one", "two"] {
            tell(&ctx, To::Recipient(desk.id), key).await.unwrap();
        }
        assert!(next(&site).await.is_none());
        let log = list(&ctx, &NotificationQuery::default()).await.unwrap().items;
        assert!(log.iter().any(|n| n.held.as_deref() == Some("quiet")), "{log:?}");
        test_recipient(&ctx, desk.id).await.unwrap();
        let test = next(&site).await.unwrap();
        assert_eq!(test.kind, "test", "a test comes at once");
        settled(&site, &test, Outcome::Sent { status: Some(250) }).await;
        site.wait(2 * 3_600);
        let held = next(&site).await.unwrap();
        assert_eq!(held.title, "2 messages");
    }
}

#[tokio::test]
async fn a_digest_comes_at_its_time_and_once() {
    for site in Site::each().await {
        let ctx = site.person().await;
        let new = NewRecipient {
            digest: Some("daily".into()),
            digest_time: Some("13:00".into()),
            zone: Some("UTC".into()),
            ..NewRecipient::mail("desk", "desk@example.net")
        };
        let desk = create_recipient(&ctx, &new).await.unwrap();
        assert_eq!(desk.digest_at.unwrap().to_string(), "2026-03-01T13:00:00Z");
        assert_eq!(run_digests(&site.test.platform).await.unwrap(), 0);
        site.wait(3_601);
        assert_eq!(run_digests(&site.test.platform).await.unwrap(), 1);
        assert_eq!(run_digests(&site.test.platform).await.unwrap(), 0);
        let due = next(&site).await.unwrap();
        assert!(due.text.starts_with("Incidents that stand: 0."), "{}", due.text);
    }
}

#[tokio::test]
async fn recipients_of_others_do_not_exist() {
    for site in Site::each().await {
        let ctx = site.person().await;
        let desk = make(&ctx, "desk", None).await;
        let (_, stranger) = site.test.customer(&site.root, "Harbour Clinic").await;
        let errors = [
            recipient(&stranger, desk.id).await.unwrap_err(),
            delete_recipient(&stranger, desk.id).await.unwrap_err(),
            test_recipient(&stranger, desk.id).await.unwrap_err(),
            resume_recipient(&stranger, desk.id).await.unwrap_err(),
        ];
        assert!(errors.iter().all(|error| error.kind == Kind::NotFound), "{errors:?}");
        assert!(list_recipients(&stranger).await.unwrap().is_empty());
        for bad in ["log.example.com", "tls://log.example.com", "http://x:1", "udp://:514", "tcp://a b:1", "udp://x:0"]
        {
            let new = NewRecipient { address: Some(bad.into()), ..NewRecipient::named("x", ChannelKind::Syslog) };
            assert_eq!(create_recipient(&ctx, &new).await.unwrap_err().field.as_deref(), Some("address"), "{bad}");
        }
        let again = create_recipient(&ctx, &NewRecipient::mail("other", "DESK@example.net")).await.unwrap_err();
        assert_eq!(again.field.as_deref(), Some("address"));
        delete_recipient(&ctx, desk.id).await.unwrap();
    }
}
