//! A device that reports by itself: communication test, report, orders; and those who only pretend.

use platen_core::devices::{self, DeviceQuery};
use platen_core::monitors;
use platen_core::orders::CommandState;
use platen_core::page::PageQuery;
use reqwest::{Response, StatusCode};
use wire::command::{Ack, Acks, Order, Taken, What};
use wire::hello::{HelloReply, PollReply};
use wire::{Outcome, cbor};

use crate::door::{Door, Sender, reply_of, status};

async fn test(door: &Door, sender: &Sender, serial: &str, claim: Option<String>) -> Response {
    let body = cbor::encode(&sender.hello(door, serial, claim));
    door.request(sender, "POST", "/d/v1/hello", body).header("content-type", cbor::CBOR).send().await.unwrap()
}

pub async fn active(door: &Door, serial: &str) -> (Sender, HelloReply) {
    let mut device = Sender::nobody();
    let answer = test(door, &device, serial, Some(door.claim(serial).await)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let reply: HelloReply = cbor::decode(&answer.bytes().await.unwrap()).unwrap();
    (device.id, device.epoch) = (reply.sender, reply.epoch_floor);
    (device, reply)
}

async fn poll(door: &Door, device: &Sender, revision: u64) -> Response {
    let path = format!("/d/v1/poll?revision={revision}");
    door.request(device, "GET", &path, Vec::new()).send().await.unwrap()
}

#[tokio::test]
async fn a_registered_device_is_tested_heard_and_ordered() {
    let door = Door::open().await;
    let (device, hello) = active(&door, "E216R220016").await;
    let mut message = status(1, "E216R220016");
    message.subject = Some(device.id);
    let reply = reply_of(door.report(&device, vec![message]).await).await;
    assert_eq!(reply.results[0].outcome, Outcome::Stored);
    assert_eq!(reply.schedule.as_ref(), Some(&hello.schedule), "it had told no revision");
    let fleet = devices::list(&door.root, &DeviceQuery::default()).await.unwrap();
    let known = monitors::get(&door.root, device.id.into()).await.unwrap();
    assert_eq!(known.device, Some(fleet.items[0].id));

    let revision = hello.schedule.revision;
    assert_eq!(poll(&door, &device, revision).await.status(), StatusCode::NOT_MODIFIED);
    monitors::order(&door.root, device.id.into(), What::SendLog, 3_600_000).await.unwrap();
    let waiting: PollReply = cbor::decode(&poll(&door, &device, revision).await.bytes().await.unwrap()).unwrap();
    let order: Order = cbor::decode(&waiting.commands[0].order).unwrap();
    let acks = Acks { acks: vec![Ack { id: order.id, taken: Taken::Done, detail: None }] };
    for _ in 0..2 {
        let request = door.request(&device, "POST", "/d/v1/ack", cbor::encode(&acks));
        let answer = request.header("content-type", cbor::CBOR).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    }
    let rows = monitors::commands(&door.root, device.id.into()).await.unwrap();
    assert_eq!(rows[0].state, CommandState::Done);
    assert_eq!(poll(&door, &device, revision).await.status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn a_registered_device_cannot_speak_of_another() {
    let door = Door::open().await;
    let (device, _) = active(&door, "E216R220016").await;
    let mut other_serial = status(1, "E216R999999");
    other_serial.subject = Some(device.id);
    let other_subject = status(1, "E216R220016");
    for message in [other_serial, other_subject] {
        assert_eq!(door.report(&device, vec![message]).await.status(), StatusCode::FORBIDDEN);
    }
    assert!(devices::list(&door.root, &DeviceQuery::default()).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn spoofing_gets_one_and_the_same_answer() {
    let door = Door::open().await;
    let (device, _) = active(&door, "E216R220016").await;
    let mut bodies = Vec::new();
    for (serial, claim) in [("E216R220016", None), ("E216R220016", Some("plc_x")), ("UNKNOWN1", None), ("0000", None)] {
        let answer = test(&door, &Sender::nobody(), serial, claim.map(str::to_owned)).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        bodies.push(answer.bytes().await.unwrap());
    }
    let unsigned = door.request(&device, "POST", "/d/v1/hello", b"x".to_vec()).header("content-type", cbor::CBOR);
    assert_eq!(unsigned.send().await.unwrap().status(), StatusCode::BAD_REQUEST);
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:?}");
    let seen = monitors::strangers(&door.root, &PageQuery::default()).await.unwrap();
    assert_eq!(seen.items.iter().map(|s| s.tries).sum::<i64>(), 3, "a serial that is none leaves no line");
    assert_eq!(seen.items[0].peer, "127.0.0.1");
    assert_eq!(poll(&door, &Sender::nobody(), 0).await.status(), StatusCode::FORBIDDEN);
}
