//! Reports as a whole: replays, repeats, bad messages among good ones, walls between organisations, broken deliveries.

use store::{Sql, View};
use wire::report::{CountersBody, SeenBody};
use wire::{Body, Level, Outcome};

use super::testing::{Site, status, subject, toner, total};
use crate::devices::{self, DeviceQuery};
use crate::{Kind, meters};

async fn count(site: &Site, table: &str) -> i64 {
    let mut tx = site.test.platform.db().read(&View::All("a test counts rows")).await.unwrap();
    tx.query_one(&Sql::built(format!("select count(*) from {table}")), &[]).await.unwrap().get(0).unwrap()
}

fn status_of(number: u8, serial: &str) -> (Option<wire::Subject>, Body) {
    let body = status(serial, |body| {
        body.address = format!("10.4.0.{number}");
        body.supplies = vec![toner(1, "black", Level::Percent { value: 70.0 })];
    });
    (Some(subject(number)), Body::Status(Box::new(body)))
}

#[tokio::test]
async fn a_report_takes_effect_once_however_often_it_comes() {
    for mut site in Site::each().await {
        let counters = Body::Counters(CountersBody { meters: vec![total(1_000)] });
        let messages = site.messages(vec![status_of(1, "SERIAL1"), (Some(subject(1)), counters)]);
        for _ in 0..3 {
            site.deliver_as(site.agent, 1, messages.clone()).await.unwrap();
        }
        let again = site.deliver_as(site.agent, 1, messages.clone()).await.unwrap();
        assert!(again.results.iter().all(|result| result.outcome == Outcome::Duplicate), "{again:?}");
        assert_eq!(
            (count(&site, "devices").await, count(&site, "readings").await, count(&site, "inbox").await),
            (1, 1, 1)
        );
        let newer = site.messages(vec![status_of(1, "SERIAL1")]);
        assert_eq!(site.deliver_as(site.agent, 2, newer).await.unwrap().results[0].outcome, Outcome::Stored);
        let old = site.messages(vec![status_of(1, "SERIAL1")]);
        assert_eq!(site.deliver_as(site.agent, 1, old).await.unwrap().results[0].outcome, Outcome::Stale);
    }
}

#[tokio::test]
async fn a_newcomer_gets_the_name_place_and_asset_number_that_a_list_had_for_its_address() {
    for mut site in Site::each().await {
        let list = b"address,name,site,asset\n10.4.0.1,Reception,Ground floor,A-17\n10.4.0.2:1161,Elsewhere,,\n";
        crate::agents::import_list(&site.root, site.agent.into(), list, None).await.unwrap();
        let messages = site.messages(vec![status_of(1, "SERIAL1"), status_of(2, "SERIAL2")]);
        site.deliver_as(site.agent, 1, messages).await.unwrap();
        let rows = devices::list(&site.root, &DeviceQuery::default()).await.unwrap().items;
        let named = |serial: &str| rows.iter().find(|row| row.serial.as_deref() == Some(serial)).unwrap().clone();
        assert_eq!((named("SERIAL1").name.as_str(), named("SERIAL1").place.as_str()), ("Reception", "Ground floor"));
        assert_ne!(named("SERIAL2").name, "Elsewhere", "another port is another device");
        let sheet = devices::get(&site.root, named("SERIAL1").id).await.unwrap();
        assert_eq!(sheet.asset_no.as_deref(), Some("A-17"));
    }
}

#[tokio::test]
async fn a_bad_message_holds_up_no_other() {
    for mut site in Site::each().await {
        let mut bad =
            status("SERIAL2", |body| body.supplies = vec![toner(1, "black", Level::Percent { value: 170.0 })]);
        bad.identity.name = Some("a\0b".into());
        let unknown_device = Body::Counters(CountersBody { meters: vec![total(5)] });
        let nul = status("SERIAL3", |body| {
            body.identity.name = Some("Ward\0 3".into());
            body.status.console = Some("\0".into());
            body.quirks = vec!["nul\0".into()];
        });
        let outcomes = site
            .deliver(vec![
                status_of(1, "SERIAL1"),
                (Some(subject(2)), Body::Status(Box::new(bad))),
                (None, status_of(2, "x").1),
                (Some(subject(9)), unknown_device),
                (Some(subject(3)), Body::Status(Box::new(nul))),
                (Some(subject(1)), Body::Unknown(11, vec![0xf6])),
            ])
            .await;
        use Outcome::{Invalid, Stored};
        assert_eq!(outcomes, [Stored, Invalid, Invalid, Invalid, Stored, Stored]);
        let list = devices::list(&site.person().await, &DeviceQuery::default()).await.unwrap();
        let names: Vec<_> = list.items.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["printer SERIAL1", "Ward  3"]);
    }
}

#[tokio::test]
async fn only_the_sender_itself_may_speak() {
    let mut site = Site::on(crate::testing::TestPlatform::sqlite().await).await;
    let messages = site.messages(vec![status_of(1, "SERIAL1")]);
    let (_, ctx) = crate::agents::key_of(&site.test.platform, site.agent).await.unwrap().unwrap();
    let report = wire::Report {
        version: 1,
        sender: subject(7),
        epoch: 1,
        clock_ms: 0,
        mono_ms: 0,
        messages: messages.clone(),
        plan_revision: 0,
    };
    assert_eq!(super::accept(&ctx, report.clone()).await.unwrap_err().kind, Kind::Forbidden);
    assert_eq!(super::accept(&site.root, report.clone()).await.unwrap_err().kind, Kind::Forbidden);
    let empty = wire::Report { sender: site.agent, messages: Vec::new(), ..report };
    assert_eq!(super::accept(&ctx, empty).await.unwrap_err().kind, Kind::Invalid);
}

#[tokio::test]
async fn an_older_plan_is_answered_with_the_newest() {
    let mut site = Site::on(crate::testing::TestPlatform::sqlite().await).await;
    let messages = site.messages(vec![status_of(1, "SERIAL1")]);
    let (_, ctx) = crate::agents::key_of(&site.test.platform, site.agent).await.unwrap().unwrap();
    let report =
        wire::Report { version: 1, sender: site.agent, epoch: 1, clock_ms: 0, mono_ms: 0, messages, plan_revision: 0 };
    let plan = super::accept(&ctx, report).await.unwrap().plan.unwrap();
    assert_eq!(plan.revision, 1);
}

#[tokio::test]
async fn the_same_serial_in_two_organisations_is_two_devices_behind_a_wall() {
    for mut site in Site::each().await {
        site.status(1, status("SERIAL1", |_| {})).await;
        site.counters(1, vec![total(1_000)]).await;
        let (org, customer) = site.test.customer(&site.root, "Harbour Clinic").await;
        let other = Site::enrol(&site.test, &site.person().await, org, 2).await;
        let messages = site.messages(vec![status_of(1, "SERIAL1")]);
        site.deliver_as(other, 1, messages).await.unwrap();
        let own = devices::list(&customer, &DeviceQuery::default()).await.unwrap().items;
        assert_eq!((own.len(), own[0].org), (1, org));
        let all = devices::list(&site.person().await, &DeviceQuery::default()).await.unwrap().items;
        assert_eq!(all.len(), 2, "the provider made the customer and so sees it");
        let foreign = all.iter().find(|row| row.org != org).unwrap().id;
        for kind in [
            devices::get(&customer, foreign).await.err().map(|error| error.kind),
            meters::current(&customer, foreign).await.err().map(|error| error.kind),
            crate::supplies::current(&customer, foreign).await.err().map(|error| error.kind),
            devices::retire(&customer, foreign, Some(1)).await.err().map(|error| error.kind),
        ] {
            assert_eq!(kind, Some(Kind::NotFound));
        }
        assert_eq!(meters::spark(&customer, &[foreign]).await.unwrap().len(), 0);
        assert_eq!(devices::search(&customer, "SERIAL1", 10).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn two_agents_and_many_deliveries_at_once_lose_and_double_nothing() {
    for mut site in Site::each().await {
        let second = Site::enrol(&site.test, &site.root, site.root.home, 2).await;
        let mut deliveries = Vec::new();
        for round in 0..12_u8 {
            let serial = format!("SERIAL{}", round % 4);
            deliveries
                .push(site.messages(vec![status_of(round % 4, &serial), (None, Body::Seen(SeenBody::default()))]));
        }
        let site = &site;
        let sent = deliveries.iter().enumerate().flat_map(|(at, messages)| {
            let agent = if at % 2 == 0 { site.agent } else { second };
            // Each delivery goes out twice at the same time.
            [site.deliver_as(agent, 1, messages.clone()), site.deliver_as(agent, 1, messages.clone())]
        });
        let replies = futures(sent.collect()).await;
        let stored = replies.iter().flat_map(|reply| &reply.results).filter(|result| result.outcome == Outcome::Stored);
        assert_eq!(stored.count(), 24);
        assert_eq!(count(site, "devices").await, 4);
    }
}

/// Runs all at once on this thread.
async fn futures<F: Future<Output = crate::Result<wire::Reply>>>(all: Vec<F>) -> Vec<wire::Reply> {
    let mut all: Vec<_> = all.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<wire::Reply>> = all.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, done) in all.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(reply) = future.as_mut().poll(cx)
            {
                *done = Some(reply.unwrap());
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}
