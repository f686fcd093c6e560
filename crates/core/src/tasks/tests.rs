//! From a filter that is looked at to the last answer, on both engines.

use std::time::Duration;

use wire::command::{Ack, Acks, Order, Taken, What};
use wire::monitor::Kind as Told;

use super::*;
use crate::monitors::{self, MonitorId, NewMonitor};
use crate::orders;
use crate::reports::testing::monitor;
use crate::testing::TestPlatform;
use crate::{Ctx, Filter, Kind, Role};

const DAY: i64 = 86_400_000;

/// A device of `by`'s organisation that passed its communication test, as it asks.
async fn device(test: &TestPlatform, by: &Ctx, serial: &str, model: &str) -> Ctx {
    let sender = monitor(test, by, ("canon", serial, model), |_| {}).await;
    monitors::key_of(&test.platform, sender).await.unwrap().unwrap().1
}

/// What a device fetches and answers.
async fn answers(device: &Ctx, taken: Taken) -> Vec<What> {
    let orders = orders::pending(device).await.unwrap();
    let orders: Vec<Order> = orders.iter().map(|command| wire::cbor::decode(&command.order).unwrap()).collect();
    let acks = orders.iter().map(|order| Ack { id: order.id, taken, detail: Some("so".into()) }).collect();
    orders::acknowledge(device, &Acks { acks }).await.unwrap();
    orders.into_iter().map(|order| order.what).collect()
}

async fn wished(by: &Ctx, wish: Wish, filter: Option<&str>) -> Task {
    let filter = filter.map(|text| Filter::parse(text).unwrap());
    let seen = preview(by, &wish, filter.as_ref()).await.unwrap();
    let new = NewTask { wish, filter, life_ms: DAY, preview_hash: seen.hash };
    create(by, &new).await.unwrap()
}

fn now() -> Wish {
    Wish::ReportNow { kinds: vec![Told::Billing] }
}

#[tokio::test]
async fn one_wish_becomes_one_signed_order_a_device_of_the_filter() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let (one, two) = (device(&test, &root, "AAA1", "iR 1").await, device(&test, &root, "AAA2", "iR 2").await);
        let other = device(&test, &root, "BBB1", "LBP").await;
        let asleep = NewMonitor { vendor: "canon".into(), serial: "AAA3".into(), model: None };
        monitors::register(&root, root.home, &asleep).await.unwrap();
        let filter = Filter::parse(r#"serial like "aaa*""#).unwrap();
        let seen = preview(&root, &now(), Some(&filter)).await.unwrap();
        assert_eq!((seen.devices, seen.left_out(), seen.sample.len()), (2, 1, 2));
        let task = wished(&root, now(), Some(r#"serial like "aaa*""#)).await;
        assert_eq!((task.state, task.devices, task.counts.assigned), (TaskState::Running, 2, 2));
        assert_eq!(answers(&one, Taken::Done).await, [What::ReportNow(vec![Told::Billing])]);
        assert_eq!(orders::pending(&two).await.unwrap().len(), 1);
        assert!(orders::pending(&other).await.unwrap().is_empty());
        let seen = get(&root, task.id).await.unwrap();
        assert_eq!((seen.counts.succeeded, seen.counts.running), (1, 1), "seen before the job notes it");
        answers(&two, Taken::Done).await;
        assert_eq!(get(&root, task.id).await.unwrap().state, TaskState::Done);
        let done = run(&test.platform).await.unwrap();
        assert_eq!((done.moved, done.ended), (2, 1));
        assert_eq!(run(&test.platform).await.unwrap(), Advanced::default(), "once");
        let seen = get(&root, task.id).await.unwrap();
        assert_eq!((seen.state, seen.counts.succeeded, seen.ended_at.is_some()), (TaskState::Done, 2, true));
    }
}

#[tokio::test]
async fn a_wish_is_refused_when_the_devices_are_no_longer_those_looked_at() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        device(&test, &root, "AAA1", "iR").await;
        let seen = preview(&root, &now(), None).await.unwrap();
        device(&test, &root, "AAA2", "iR").await;
        let new = NewTask { wish: now(), filter: None, life_ms: DAY, preview_hash: seen.hash };
        assert_eq!(create(&root, &new).await.unwrap_err().kind, Kind::Conflict);
        let seen = preview(&root, &Wish::SendLog, None).await.unwrap();
        let other = NewTask { preview_hash: seen.hash, ..new };
        assert_eq!(create(&root, &other).await.unwrap_err().kind, Kind::Conflict, "another wish");
        assert!(list(&root, &PageQuery::default()).await.unwrap().items.is_empty());
        let nobody = Filter::parse(r#"serial eq "zzz""#).unwrap();
        let seen = preview(&root, &now(), Some(&nobody)).await.unwrap();
        let new = NewTask { wish: now(), filter: Some(nobody), life_ms: DAY, preview_hash: seen.hash };
        assert_eq!(create(&root, &new).await.unwrap_err().kind, Kind::Invalid);
    }
}

#[tokio::test]
async fn what_fails_or_comes_too_late_can_be_tried_again_with_a_new_order() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let (one, _two) = (device(&test, &root, "AAA1", "iR").await, device(&test, &root, "AAA2", "iR").await);
        let task = wished(&root, Wish::SendLog, None).await;
        assert_eq!(retry(&root, task.id).await.unwrap_err().kind, Kind::Conflict, "it runs");
        answers(&one, Taken::Refused).await;
        test.clock.advance(Duration::from_secs(2 * 86_400));
        orders::expire(&test.platform).await.unwrap();
        run(&test.platform).await.unwrap();
        let root = test.again(&root).await;
        let seen = get(&root, task.id).await.unwrap();
        assert_eq!((seen.state, seen.counts.failed, seen.counts.timed_out), (TaskState::Failed, 1, 1));
        let all = shares(&root, task.id, &ShareQuery::default()).await.unwrap().items;
        assert_eq!((all[0].state, all[0].detail.as_deref()), (ShareState::Failed, Some("so")));
        let late = ShareQuery { state: Some(ShareState::TimedOut), ..ShareQuery::default() };
        assert_eq!(shares(&root, task.id, &late).await.unwrap().items.len(), 1);
        let seen = retry(&root, task.id).await.unwrap();
        assert_eq!((seen.state, seen.counts.assigned), (TaskState::Running, 2));
        let one = monitors::key_of(&test.platform, wire::Subject(all[0].unit.0.into_bytes())).await.unwrap().unwrap().1;
        assert_eq!(answers(&one, Taken::Done).await, [What::SendLog], "a new order, of its own name");
        let all = shares(&root, task.id, &ShareQuery::default()).await.unwrap().items;
        assert_eq!((all[0].state, all[0].tries), (ShareState::Succeeded, 2));
    }
}

#[tokio::test]
async fn a_wish_taken_back_leaves_no_order_to_fetch() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let one = device(&test, &root, "AAA1", "iR").await;
        let task = wished(&root, now(), None).await;
        let seen = cancel(&root, task.id).await.unwrap();
        assert_eq!((seen.state, seen.counts.cancelled), (TaskState::Cancelled, 1));
        assert!(orders::pending(&one).await.unwrap().is_empty());
        assert_eq!(cancel(&root, task.id).await.unwrap_err().kind, Kind::Conflict);
        assert_eq!(run(&test.platform).await.unwrap(), Advanced::default());
    }
}

#[tokio::test]
async fn a_change_of_schedule_for_many_is_told_each_by_its_own_order() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let one = device(&test, &root, "AAA1", "iR").await;
        let wish = Wish::SetPeriod { kind: Told::Rom, period_s: Some(3_600) };
        wished(&root, wish, None).await;
        let orders = answers(&one, Taken::Done).await;
        let [What::Schedule(schedule)] = orders.as_slice() else { panic!("{orders:?}") };
        let slot = schedule.slots.iter().find(|slot| slot.kind == Told::Rom).unwrap();
        assert_eq!((slot.period_s, schedule.revision), (3_600, 2));
        let later = monitors::inquire(&one, schedule.revision).await.unwrap();
        assert!(later.is_none(), "who follows the order need not be told again");
    }
}

#[tokio::test]
async fn a_wish_reaches_only_what_its_maker_sees_and_only_managers_wish() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let (_, north) = test.customer(&root, "North").await;
        let (_, south) = test.customer(&root, "South").await;
        let root = test.again(&root).await;
        let of_north = device(&test, &north, "AAA1", "iR").await;
        let of_south = device(&test, &south, "AAA2", "iR").await;
        let task = wished(&north, now(), None).await;
        assert_eq!(task.devices, 1);
        assert_eq!(orders::pending(&of_south).await.unwrap().len(), 0);
        assert_eq!(orders::pending(&of_north).await.unwrap().len(), 1);
        for stranger in [&south] {
            assert_eq!(get(stranger, task.id).await.unwrap_err().kind, Kind::NotFound);
            assert_eq!(cancel(stranger, task.id).await.unwrap_err().kind, Kind::NotFound);
        }
        let all = wished(&root, now(), None).await;
        assert_eq!(all.devices, 2, "a provider reaches its customers' devices");
        assert_eq!(get(&north, all.id).await.unwrap_err().kind, Kind::NotFound, "and its wish is its own");
        assert_eq!(shares(&root, all.id, &ShareQuery::default()).await.unwrap().items.len(), 2);
        let reader = test.account(&root, root.home, "reader@example.org", Role::User).await;
        assert_eq!(preview(&reader, &now(), None).await.unwrap_err().kind, Kind::Forbidden);
        assert!(list(&reader, &PageQuery::default()).await.unwrap().items.iter().any(|task| task.id == all.id));
    }
}

#[tokio::test]
async fn a_device_that_left_is_skipped_and_the_wish_goes_on() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        for n in 0..250 {
            device(&test, &root, &format!("AAA{n:03}"), "iR").await;
        }
        let task = wished(&root, now(), None).await;
        assert_eq!((task.counts.assigned, task.counts.waiting), (200, 50), "the others follow by the job");
        let late = ShareQuery { state: Some(ShareState::Waiting), ..ShareQuery::default() };
        let gone = shares(&root, task.id, &late).await.unwrap().items[0].unit;
        monitors::suspend(&root, MonitorId(gone.0)).await.unwrap();
        assert_eq!(run(&test.platform).await.unwrap().ordered, 50);
        let seen = get(&root, task.id).await.unwrap();
        assert_eq!((seen.counts.assigned, seen.counts.skipped), (249, 1));
    }
}
