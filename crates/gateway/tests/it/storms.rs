//! Hard behaviours of the door under load and in need: a herd (1), a full disk and a store that stands still (9), poison (10),
//! lines that break anywhere (11). Numbers as in docs/behaviours.md.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway::Limits;
use platen_core::monitors;
use platen_core::reports::{self, project};
use platen_core::store::{Sql, View};
use reqwest::{Response, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use wire::monitor::EventBody;
use wire::schedule::Schedule;
use wire::{Body, Message, Outcome, Subject, cbor};

use crate::door::{Door, Sender, reply_of, status};

/// A registered device that told its first status.
async fn device(door: &Door, place: usize) -> Sender {
    met(door, place).await.0
}

/// The same, with the schedule that it was given.
pub async fn met(door: &Door, place: usize) -> (Sender, Schedule) {
    let serial = format!("QMA{place:05}");
    let mut sender = Sender::nobody();
    let hello = sender.hello(door, &serial, Some(door.claim(&serial).await));
    let reply = monitors::hello(&door.test.platform, &hello, "192.0.2.1").await.unwrap();
    (sender.id, sender.epoch) = (reply.sender, reply.epoch_floor);
    let mut first = status(1, &serial);
    first.subject = Some(sender.id);
    let ctx = monitors::key_of(&door.test.platform, sender.id).await.unwrap().unwrap().1;
    reports::accept(&ctx, sender.report(vec![first])).await.unwrap();
    (sender, reply.schedule)
}

pub fn jam(door: &Door, seq: u64) -> Message {
    let event = EventBody { code: format!("J{seq}"), total: Some(seq), ..EventBody::default() };
    Message { seq, taken_ms: door.now_ms(), subject: None, body: Body::Jam(event) }
}

/// How long a refused one was told to wait; it is always told.
pub fn told_to_wait(answer: &Response) -> u64 {
    assert!(matches!(answer.status(), StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS), "{answer:?}");
    answer.headers()["retry-after"].to_str().unwrap().parse().unwrap()
}

pub async fn count(door: &Door, text: &str) -> i64 {
    let mut tx = door.test.platform.db().read(&View::All("a test counts rows")).await.unwrap();
    tx.query_one(&Sql::built(text.to_owned()), &[]).await.unwrap().get(0).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn herd_of_devices_is_told_when_to_come_and_every_report_is_stored_1() {
    const HERD: usize = 240;
    let door = Arc::new(Door::with(Limits { working: 1, waiting: 6, ..Limits::default() }).await);
    let mut devices = Vec::new();
    for place in 0..HERD {
        devices.push(device(&door, place).await);
    }
    let began = Instant::now();
    let mut herd = JoinSet::new();
    for sender in devices {
        let door = door.clone();
        herd.spawn(async move {
            let mut waits = Vec::new();
            for _ in 0..40 {
                let answer = door.report(&sender, vec![jam(&door, 2)]).await;
                if answer.status() == StatusCode::OK {
                    assert_eq!(reply_of(answer).await.results[0].outcome, Outcome::Stored);
                    return waits;
                }
                let wait = told_to_wait(&answer);
                let body: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
                let at_ms = body["not_before_ms"].as_i64().unwrap() - door.now_ms();
                waits.push(at_ms);
                assert!(wait * 1_000 + 1_000 >= u64::try_from(at_ms).unwrap(), "{wait} s for {at_ms} ms");
                tokio::time::sleep(Duration::from_millis(u64::try_from(at_ms).unwrap())).await;
            }
            panic!("a device gave up");
        });
    }
    let mut promised = Vec::new();
    while let Some(waits) = herd.join_next().await {
        promised.extend(waits.unwrap());
    }
    println!("{HERD} devices in {:?}, {} refusals", began.elapsed(), promised.len());
    assert!(promised.len() > HERD / 4, "hardly anybody was refused");
    let apart: BTreeSet<i64> = promised.iter().copied().collect();
    assert!(apart.len() * 2 > promised.len(), "{} promises, {} different ones", promised.len(), apart.len());
    project(&door.test.platform).await.unwrap();
    assert_eq!(count(&door, "select count(*) from device_events").await, i64::try_from(HERD).unwrap());
    let counted = reports::verify(&door.test.platform).await.unwrap();
    assert_eq!((counted.missing, counted.twice), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disk_full_or_stalled_store_refuses_with_a_time_and_loses_nothing_that_was_acknowledged_9() {
    let door = Arc::new(Door::with(Limits { working: 4, waiting: 8, ..Limits::default() }).await);
    let sender = device(&door, 0).await;
    let mut others = Vec::new();
    for place in 1..30 {
        others.push(device(&door, place).await);
    }
    let pages = |most: i64| Sql::built(format!("pragma max_page_count = {most}"));
    let all = View::All("a test fills the disk");
    let mut tx = door.test.platform.db().write(&all).await.unwrap();
    let used: i64 = tx.query_one(&Sql::built("pragma page_count".to_owned()), &[]).await.unwrap().get(0).unwrap();
    tx.query(&pages(used), &[]).await.unwrap();
    tx.commit().await.unwrap();
    // Large ones, so that the pages that are left do not hold them for long.
    let (mut stored, mut refused) = (Vec::new(), Vec::new());
    for seq in 2..60 {
        let noise: Vec<u8> = (0..6_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> (seq % 24)) as u8).collect();
        let cbor = [vec![0x59, 0x17, 0x70], noise].concat();
        let message = Message { seq, taken_ms: door.now_ms(), subject: None, body: Body::Unknown(200, cbor) };
        let answer = door.report(&sender, vec![message.clone()]).await;
        if answer.status() == StatusCode::OK {
            assert_eq!(reply_of(answer).await.results[0].outcome, Outcome::Stored);
            stored.push(seq);
        } else {
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            told_to_wait(&answer);
            refused.push(message);
        }
    }
    assert!(refused.len() > 5, "the disk was never full: {stored:?}");
    let mut tx = door.test.platform.db().write(&all).await.unwrap();
    tx.query(&pages(1_000_000), &[]).await.unwrap();
    tx.commit().await.unwrap();
    for message in refused {
        let reply = reply_of(door.report(&sender, vec![message]).await).await;
        assert_eq!(reply.results[0].outcome, Outcome::Stored, "once there is room it is taken");
    }
    for seq in stored {
        let reply = reply_of(door.report(&sender, vec![jam(&door, seq)]).await).await;
        assert_eq!(reply.results[0].outcome, Outcome::Duplicate, "acknowledged and so there: {seq}");
    }
    // The store stands still for a while: whoever has a place waits, the others are told when to come.
    let still = door.test.platform.db().write(&all).await.unwrap();
    let mut waiting = JoinSet::new();
    for sender in others {
        let door = door.clone();
        waiting.spawn(async move {
            let answer = door.report(&sender, vec![jam(&door, 2)]).await;
            match answer.status() {
                StatusCode::OK => Ok(reply_of(answer).await.results[0].outcome),
                _ => Err((told_to_wait(&answer), sender)),
            }
        });
    }
    // It stands still until somebody was refused: those who have a place wait on.
    let (mut still, mut taken, mut later) = (Some(still), 0, Vec::new());
    while let Some(outcome) = waiting.join_next().await {
        still = still.filter(|_| matches!(outcome, Ok(Ok(_))));
        match outcome.unwrap() {
            Ok(outcome) => {
                assert_eq!(outcome, Outcome::Stored);
                taken += 1;
            }
            Err((_, sender)) => later.push(sender),
        }
    }
    assert!(taken > 0 && !later.is_empty(), "{taken} waited, {} were refused", later.len());
    for sender in later {
        assert_eq!(reply_of(door.report(&sender, vec![jam(&door, 2)]).await).await.results[0].outcome, Outcome::Stored);
    }
    let counted = reports::verify(&door.test.platform).await.unwrap();
    assert_eq!((counted.missing, counted.twice), (0, 0));
}

async fn post(door: &Door, sender: &Sender, body: Vec<u8>, kind: &str, packed: bool) -> StatusCode {
    let mut request = door.request(sender, "POST", "/d/v1/report", body).header("content-type", kind);
    if packed {
        request = request.header("content-encoding", "zstd");
    }
    request.timeout(Duration::from_secs(60)).send().await.expect("an answer within a minute").status()
}

#[tokio::test]
async fn poison_at_the_door_is_refused_at_once_and_what_is_behind_it_moves_10() {
    let door = Door::open().await;
    let (hostile, honest) = (device(&door, 0).await, device(&door, 1).await);
    let nested = [vec![0xa1, 0x18, 0x63], vec![0x81; 1 << 20]].concat();
    let deep_json = format!("{{\"x\":{}", "[".repeat(1 << 20)).into_bytes();
    let bomb = {
        // 1 GB of zeros, without ever holding them.
        let mut out = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
        let zeros = vec![0; 1 << 20];
        for _ in 0..1_024 {
            std::io::Write::write_all(&mut out, &zeros).unwrap();
        }
        out.finish().unwrap()
    };
    let mut keys = vec![0xba, 0x00, 0x0f, 0x42, 0x40];
    (0..1_000_000_u32).for_each(|n| keys.extend([[0x1a].as_slice(), &n.to_be_bytes(), &[0xf6]].concat()));
    let keys = zstd::encode_all(&keys[..], 3).unwrap();
    let utf8 = cbor::encode(&hostile.report(vec![jam(&door, 2)]));
    let at = utf8.windows(2).position(|two| two == b"J2").unwrap();
    let utf8 = [&utf8[..at], b"\xff\xfe", &utf8[at + 2..]].concat();
    let cases = [
        ("deep CBOR", nested, cbor::CBOR, false),
        ("deep JSON", deep_json, cbor::JSON, false),
        ("a bomb of 1 GB", bomb, cbor::CBOR, true),
        ("10^6 keys", keys, cbor::CBOR, true),
        ("bad UTF-8", utf8, cbor::CBOR, false),
    ];
    for (seq, (name, body, kind, packed)) in (2..).zip(cases) {
        let began = Instant::now();
        let refused = post(&door, &hostile, body, kind, packed).await;
        assert!(matches!(refused, StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE), "{name}: {refused}");
        let reply = reply_of(door.report(&honest, vec![jam(&door, seq)]).await).await;
        assert_eq!(reply.results[0].outcome, Outcome::Stored, "behind {name}");
        assert!(began.elapsed() < Duration::from_secs(60), "{name} took {:?}", began.elapsed());
    }
    assert_eq!(reply_of(door.report(&hostile, vec![jam(&door, 9)]).await).await.results[0].outcome, Outcome::Stored);
}

#[tokio::test]
async fn cut_chunked_body_leaves_nothing_half_visible_11() {
    let door = Door::with(Limits::default()).await;
    let sender = device(&door, 0).await;
    let body = cbor::encode(&sender.report(vec![jam(&door, 2), jam(&door, 3)]));
    let mut head = format!("POST /d/v1/report HTTP/1.1\r\nhost: x\r\ncontent-type: {}\r\n", cbor::CBOR);
    for (name, value) in sender.headers("POST", "/d/v1/report", door.now_ms(), &body) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("transfer-encoding: chunked\r\nconnection: close\r\n\r\n");
    let mut whole = head.clone().into_bytes();
    for chunk in body.chunks(20) {
        whole.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        whole.extend([chunk, b"\r\n"].concat());
    }
    whole.extend(b"0\r\n\r\n");
    // Every byte of the body, and some of the head.
    let cuts = (0..head.len()).step_by(31).chain(head.len()..whole.len());
    for cut in cuts {
        let mut line = door.connect().await;
        line.write_all(&whole[..cut]).await.unwrap();
        drop(line.shutdown().await);
        let mut said = Vec::new();
        drop(line.read_to_end(&mut said).await);
        assert!(!said.starts_with(b"HTTP/1.1 2"), "cut at {cut}: {}", String::from_utf8_lossy(&said));
    }
    assert_eq!(count(&door, "select count(*) from device_events").await, 0, "nothing half");
    let mut line = door.connect().await;
    line.write_all(&whole).await.unwrap();
    let mut said = Vec::new();
    drop(line.read_to_end(&mut said).await);
    assert!(said.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&said));
    assert_eq!(count(&door, "select count(*) from device_events").await, 2);
    assert_ne!(sender.id, Subject([0; 16]));
}
