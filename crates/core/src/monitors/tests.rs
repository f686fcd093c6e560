//! From a registered serial number to executed orders, on both engines.

use std::time::Duration;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use wire::Subject;
use wire::command::{Ack, Acks, Command, Order, Taken, What};
use wire::hello::{Hello, HelloReply, Road};
use wire::monitor::Kind as Told;

use super::*;
use crate::orders::{CommandState, acknowledge, expire, pending};
use crate::page::PageQuery;
use crate::testing::TestPlatform;
use crate::{Ctx, Kind, Role};

const DAY: i64 = 86_400_000;

fn call(serial: &str, key: u8, claim: Option<&Secret>) -> Hello {
    Hello {
        version: 1,
        vendor: "Canon".to_owned(),
        serial: serial.to_owned(),
        model: "iR-ADV C5850\u{7}".to_owned(),
        key: vec![key; 32],
        claim: claim.map(|claim| format!(" {} ", claim.expose())),
        road: Road::Https,
        kinds: Told::ALL.to_vec(),
        clock_ms: 0,
        mono_ms: 0,
        firmware: "12.04".to_owned(),
        mac: None,
        listener: None,
        seal: None,
    }
}

async fn registered(root: &Ctx, serial: &str) -> Registered {
    let new = NewMonitor { vendor: "canon".to_owned(), serial: serial.to_owned(), model: None };
    register(root, root.home, &new).await.unwrap()
}

async fn active(test: &TestPlatform, root: &Ctx, serial: &str, key: u8) -> (HelloReply, Ctx) {
    let claim = registered(root, serial).await.claim;
    let reply = hello(&test.platform, &call(serial, key, Some(&claim)), "192.0.2.1").await.unwrap();
    let ctx = key_of(&test.platform, reply.sender).await.unwrap().unwrap().1;
    (reply, ctx)
}

#[tokio::test]
async fn a_registered_serial_with_its_claim_is_heard_and_known_by_its_key_from_then_on() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let made = registered(&root, "QMA00123").await;
        assert_eq!(made.monitor.state, MonitorState::Registered);
        let reply = hello(&test.platform, &call("qma00123", 1, Some(&made.claim)), "192.0.2.1").await.unwrap();
        assert_eq!((MonitorId::from(reply.sender), reply.epoch_floor), (made.monitor.id, 1));
        assert_eq!(reply.schedule.slots.len(), 8, "every kind that has a period");
        let again = hello(&test.platform, &call("QMA00123", 1, None), "192.0.2.1").await.unwrap();
        assert_eq!((again.epoch_floor, again.schedule), (2, reply.schedule), "a new epoch in the old slots");
        let now = get(&root, made.monitor.id).await.unwrap();
        assert_eq!((now.state, now.model.as_str(), now.claim_until), (MonitorState::Active, "iR-ADV C5850", None));
        let (key, ctx) = key_of(&test.platform, reply.sender).await.unwrap().unwrap();
        assert_eq!((key.0, ctx.home, ctx.role), ([1; 32], root.home, Role::Agent));
    }
}

#[tokio::test]
async fn spoofing_is_refused_alike_and_leaves_a_line_for_people() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let made = registered(&root, "QMA00123").await;
        let wrong = Secret::new("plc_wrong");
        let mut answers = Vec::new();
        for hostile in [call("QMA99999", 1, None), call("QMA00123", 1, None), call("QMA00123", 1, Some(&wrong))] {
            answers.push(hello(&test.platform, &hostile, "192.0.2.66").await.unwrap_err());
        }
        hello(&test.platform, &call("QMA00123", 1, Some(&made.claim)), "192.0.2.1").await.unwrap();
        answers.push(hello(&test.platform, &call("QMA00123", 2, None), "192.0.2.66").await.unwrap_err());
        answers.push(hello(&test.platform, &call("QMA00123", 2, Some(&made.claim)), "192.0.2.66").await.unwrap_err());
        let first = answers[0].message.clone();
        assert!(answers.iter().all(|e| e.kind == Kind::Forbidden && e.message == first), "{answers:?}");
        let seen = strangers(&root, &PageQuery::default()).await.unwrap().items;
        let mut told: Vec<_> = seen.iter().map(|s| (s.serial.as_str(), s.why.as_str(), s.tries)).collect();
        told.sort_unstable();
        assert_eq!(told, [("QMA00123", "wrong claim", 2), ("QMA99999", "not registered", 1)]);
        let user = test.account(&root, root.home, "u@example.org", Role::User).await;
        assert_eq!(strangers(&user, &PageQuery::default()).await.unwrap_err().kind, Kind::Forbidden);
    }
}

#[tokio::test]
async fn a_suspended_device_is_not_heard_until_it_is_resumed_and_a_released_serial_is_free() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let (reply, _) = active(&test, &root, "QMA00123", 1).await;
        let id = MonitorId::from(reply.sender);
        suspend(&root, id).await.unwrap();
        assert!(key_of(&test.platform, reply.sender).await.unwrap().is_none());
        assert!(hello(&test.platform, &call("QMA00123", 1, None), "x").await.is_err());
        assert_eq!(resume(&root, id).await.unwrap().state, MonitorState::Active);
        assert!(key_of(&test.platform, reply.sender).await.unwrap().is_some());
        let new = NewMonitor { vendor: "canon".to_owned(), serial: "qma00123".to_owned(), model: None };
        assert_eq!(register(&root, root.home, &new).await.unwrap_err().kind, Kind::Conflict);
        release(&root, id).await.unwrap();
        assert_eq!(get(&root, id).await.unwrap_err().kind, Kind::NotFound);
        assert!(key_of(&test.platform, reply.sender).await.unwrap().is_none());
        register(&root, root.home, &new).await.unwrap();
    }
}

#[tokio::test]
async fn a_new_claim_lets_a_new_board_in() {
    let test = TestPlatform::sqlite().await;
    let root = test.root().await;
    let (reply, _) = active(&test, &root, "QMA00123", 1).await;
    let claim = new_claim(&root, reply.sender.into()).await.unwrap().claim;
    let new = hello(&test.platform, &call("QMA00123", 2, Some(&claim)), "x").await.unwrap();
    assert_eq!((new.sender, new.epoch_floor), (reply.sender, 2));
    assert!(hello(&test.platform, &call("QMA00123", 1, None), "x").await.is_err(), "the old board is out");
}

#[tokio::test]
async fn a_claim_ends() {
    let test = TestPlatform::sqlite().await;
    let root = test.root().await;
    let made = registered(&root, "QMA00123").await;
    test.clock.advance(Duration::from_secs(91 * 86_400));
    assert!(hello(&test.platform, &call("QMA00123", 1, Some(&made.claim)), "x").await.is_err());
}

#[tokio::test]
async fn orders_are_signed_fetched_until_answered_and_end_once() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let (reply, device) = active(&test, &root, "QMA00123", 1).await;
        let (_, other) = active(&test, &root, "QMA00124", 2).await;
        let id = MonitorId::from(reply.sender);
        order(&root, id, What::ReportNow(vec![Told::Billing]), DAY).await.unwrap();
        assert!(pending(&other).await.unwrap().is_empty(), "an order has one target");
        let first = pending(&device).await.unwrap();
        assert_eq!(pending(&device).await.unwrap(), first, "until it is answered, for answers get lost");
        let [Command { order: bytes, signature, .. }] = first.as_slice() else { panic!("{first:?}") };
        let key = UnparsedPublicKey::new(&ED25519, &reply.keys[0].verify);
        key.verify(&Command::signing_input(bytes), signature).unwrap();
        let told: Order = wire::cbor::decode(bytes).unwrap();
        assert_eq!((told.target, &told.what), (reply.sender, &What::ReportNow(vec![Told::Billing])));
        let answer = |taken| Acks { acks: vec![Ack { id: told.id, taken, detail: Some("busy".to_owned()) }] };
        acknowledge(&other, &answer(Taken::Done)).await.unwrap();
        assert_eq!(
            commands(&root, id).await.unwrap()[0].state,
            CommandState::Taken,
            "another's answer changes nothing"
        );
        acknowledge(&device, &answer(Taken::NotNow)).await.unwrap();
        assert_eq!(commands(&root, id).await.unwrap()[0].state, CommandState::Queued);
        pending(&device).await.unwrap();
        acknowledge(&device, &answer(Taken::Done)).await.unwrap();
        acknowledge(&device, &answer(Taken::Failed)).await.unwrap();
        let row = commands(&root, id).await.unwrap().remove(0);
        assert_eq!((row.state, row.detail.as_deref()), (CommandState::Done, Some("busy")));
        assert!(pending(&device).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn orders_expire_and_can_be_taken_back() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let (reply, device) = active(&test, &root, "QMA00123", 1).await;
        let id = MonitorId::from(reply.sender);
        let taken_back = order(&root, id, What::SendLog, DAY).await.unwrap();
        cancel(&root, id, taken_back).await.unwrap();
        assert_eq!(cancel(&root, id, taken_back).await.unwrap_err().kind, Kind::Conflict);
        order(&root, id, What::SendLog, 3_600_000).await.unwrap();
        test.clock.advance(Duration::from_secs(3_601));
        let device = Ctx { now: test.platform.now(), ..device };
        assert!(pending(&device).await.unwrap().is_empty());
        assert_eq!(expire(&test.platform).await.unwrap(), 1);
        let states: Vec<_> = commands(&root, id).await.unwrap().iter().map(|row| row.state).collect();
        assert_eq!(states, [CommandState::Expired, CommandState::Cancelled]);
        assert!(order(&root, id, What::SendLog, 8 * DAY).await.is_err(), "seven days at most");
    }
}

#[tokio::test]
async fn a_period_that_a_person_set_makes_a_new_revision() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let (reply, _) = active(&test, &root, "QMA00123", 1).await;
        let id = MonitorId::from(reply.sender);
        set_period(&root, id, Told::Environment, Some(3_600)).await.unwrap();
        let all = kinds(&root, id).await.unwrap();
        let of = |kind| all.iter().find(|state| state.kind == kind).unwrap();
        assert_eq!((of(Told::Environment).period_s, of(Told::Environment).set), (Some(3_600), true));
        assert_eq!((of(Told::Billing).period_s, of(Told::Billing).set), (Some(57_600), false));
        assert_eq!(get(&root, id).await.unwrap().schedule_revision, 2);
        assert!(set_period(&root, id, Told::Rom, Some(1)).await.is_err());
    }
}

#[tokio::test]
async fn monitors_of_another_organisation_do_not_exist() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let (reply, _) = active(&test, &root, "QMA00123", 1).await;
        let id = MonitorId::from(reply.sender);
        let (_, stranger) = test.customer(&root, "customer").await;
        let missing = |kind| assert_eq!(kind, Kind::NotFound);
        missing(get(&stranger, id).await.unwrap_err().kind);
        missing(commands(&stranger, id).await.unwrap_err().kind);
        missing(order(&stranger, id, What::SendLog, DAY).await.unwrap_err().kind);
        missing(release(&stranger, id).await.unwrap_err().kind);
        assert!(list(&stranger, &MonitorQuery::default()).await.unwrap().items.is_empty());
        assert!(key_of(&test.platform, Subject([9; 16])).await.unwrap().is_none());
    }
}
