//! Webhooks: who is told what, in which order, until when. On both engines.

use super::*;
use crate::notifications::{self, ChannelKind, NewRecipient};
use crate::page::PageQuery;
use crate::reports::testing::Site;
use crate::{Ctx, Kind, orgs};

fn hook(types: &[&str]) -> NewWebhook {
    NewWebhook {
        name: "Tickets".into(),
        url: "https://hooks.example.net/platen".into(),
        types: types.iter().map(|t| (*t).to_owned()).collect(),
    }
}

fn answer(status: u16) -> Answer {
    Answer { status: Some(status), error: None, took_ms: 5 }
}

async fn next(site: &Site) -> Option<Due> {
    claim(&site.test.platform, "a test").await.unwrap()
}

async fn log(ctx: &Ctx, id: WebhookId) -> Vec<Delivery> {
    list_deliveries(ctx, id, &PageQuery::default()).await.unwrap().items
}

#[tokio::test]
async fn events_are_delivered_once_signed_and_in_order() {
    for site in Site::each().await {
        let ctx = site.person().await;
        let (made, secret) = create_webhook(&ctx, &hook(&["organisation.*"])).await.unwrap();
        assert!(secret.expose().starts_with("whsec_"));
        let customers = ["Harbour Clinic", "Old Mill"];
        for name in customers {
            site.test.customer(&ctx, name).await;
        }
        assert_eq!(fan_out(&site.test.platform).await.unwrap(), 2);
        assert_eq!(fan_out(&site.test.platform).await.unwrap(), 0, "once");
        let first = next(&site).await.unwrap();
        assert!(next(&site).await.is_none(), "the second waits for the first try of the first");
        assert!(first.id.starts_with("evt_") && first.signature.starts_with("v1,"));
        assert!(first.body.contains("organisation.created"), "{}", first.body);
        assert!(settle(&site.test.platform, &first, &answer(500)).await.unwrap());
        let second = next(&site).await.unwrap();
        assert_ne!(second.id, first.id, "what failed does not hold up the rest");
        assert!(settle(&site.test.platform, &second, &answer(204)).await.unwrap());
        site.wait(10);
        let again = next(&site).await.unwrap();
        assert_eq!((again.id.as_str(), again.tries), (first.id.as_str(), 2));
        assert!(settle(&site.test.platform, &again, &answer(200)).await.unwrap());
        let log = log(&site.person().await, made.id).await;
        assert!(log.len() == 2 && log.iter().all(|delivery| delivery.state == "sent"));
        resend(&site.person().await, made.id, &first.id).await.unwrap();
        assert_eq!(next(&site).await.unwrap().id, first.id);
    }
}

#[tokio::test]
async fn secrets_turn_without_a_gap() {
    for site in Site::each().await {
        let ctx = site.person().await;
        let (made, _) = create_webhook(&ctx, &hook(&[])).await.unwrap();
        rotate_secret(&ctx, made.id).await.unwrap();
        assert_eq!(rotate_secret(&ctx, made.id).await.unwrap_err().kind, Kind::Conflict);
        test(&ctx, made.id).await.unwrap();
        let due = next(&site).await.unwrap();
        assert_eq!(due.signature.split(' ').count(), 2, "the old and the new one sign");
        assert_eq!(retire_secret(&ctx, made.id).await.unwrap().secrets, 1);
        assert_eq!(retire_secret(&ctx, made.id).await.unwrap_err().kind, Kind::Conflict);
    }
}

#[tokio::test]
async fn a_webhook_that_fails_for_days_is_disabled_and_one_that_is_gone_at_once() {
    for site in Site::each().await {
        let ctx = site.person().await;
        let (made, _) = create_webhook(&ctx, &hook(&["webhook.tested"])).await.unwrap();
        for days in [0, 2, 4, 6] {
            let _ = days;
            test(&site.person().await, made.id).await.unwrap();
            while let Some(due) = next(&site).await {
                settle(&site.test.platform, &due, &answer(503)).await.unwrap();
            }
            site.wait(2 * 86_400);
        }
        let known = webhook(&site.person().await, made.id).await.unwrap();
        assert!(!known.active && known.why.unwrap().contains("five days"));
        assert_eq!(test(&site.person().await, made.id).await.unwrap_err().kind, Kind::Conflict);
        assert!(next(&site).await.is_none(), "nothing goes to a disabled one");
        let told = crate::events::after(&site.person().await, 0, 500).await.unwrap();
        assert_eq!(told.iter().filter(|event| event.kind == "webhook.disabled").count(), 1);
        assert!(enable_webhook(&site.person().await, made.id).await.unwrap().active);
        let due = next(&site).await.unwrap();
        settle(&site.test.platform, &due, &answer(410)).await.unwrap();
        assert!(!webhook(&site.person().await, made.id).await.unwrap().active);
    }
}

#[tokio::test]
async fn a_webhook_sees_what_its_organisation_sees() {
    for site in Site::each().await {
        let (_, customer) = site.test.customer(&site.person().await, "Harbour Clinic").await;
        create_webhook(&site.person().await, &hook(&["organisation.*", "user.*"])).await.unwrap();
        create_webhook(&customer, &hook(&[])).await.unwrap();
        let provider = site.person().await;
        let new = orgs::NewOrg { name: "Old Mill".into(), kind: "customer".into(), ..orgs::NewOrg::default() };
        orgs::create(&provider, &new).await.unwrap();
        fan_out(&site.test.platform).await.unwrap();
        let mut told = Vec::new();
        while let Some(due) = next(&site).await {
            told.push((
                due.tenant == customer.home,
                due.body.contains("Old Mill") || due.body.contains("organisation."),
            ));
            settle(&site.test.platform, &due, &answer(204)).await.unwrap();
        }
        assert_eq!(told, [(false, true)], "the customer learns nothing of the other");
    }
}

#[tokio::test]
async fn a_recipient_can_be_a_webhook() {
    for site in Site::each().await {
        let ctx = site.person().await;
        let (made, _) = create_webhook(&ctx, &hook(&["nothing.else"])).await.unwrap();
        let new = NewRecipient { webhook: Some(made.id), ..NewRecipient::named("Tickets", ChannelKind::Webhook) };
        let recipient = notifications::create_recipient(&ctx, &new).await.unwrap();
        notifications::test_recipient(&ctx, recipient.id).await.unwrap();
        assert!(
            notifications::claim(&site.test.platform, "a test", true).await.unwrap().is_none(),
            "it went to the webhook"
        );
        let due = next(&site).await.unwrap();
        assert!(due.id.starts_with("msg_") && due.body.contains("A test from Platen"), "{}", due.body);
        assert_eq!(delete_webhook(&ctx, made.id).await.unwrap_err().kind, Kind::Conflict);
        notifications::delete_recipient(&ctx, recipient.id).await.unwrap();
        delete_webhook(&ctx, made.id).await.unwrap();
        assert_eq!(webhook(&ctx, made.id).await.unwrap_err().kind, Kind::NotFound);
    }
}
