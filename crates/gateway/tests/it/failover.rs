//! The database dies in the middle of commits and comes back (9): what was acknowledged is there once, what was not is told
//! again, and nobody has to start the server anew. Reports come by HTTPS and as mail at the same time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use gateway::{CallPolicy, Limits};
use platen_core::{
    reports::{self, project},
    store::testing::{MortalPostgres, TestDb},
    testing::TestPlatform,
};
use reqwest::StatusCode;
use tokio::task::JoinSet;
use wire::{Body, Message, Outcome, monitor::EventBody};

use crate::{
    door::{Door, reply_of},
    post::{Postal, device, doors, say},
};

/// Devices, every second of them by mail.
const DEVICES: usize = 8;
const KILLS: usize = 3;
/// Messages that are acknowledged between two kills, at least.
const BETWEEN: usize = 40;
/// Longer than this is a hang.
const PATIENCE: Duration = Duration::from_secs(300);

/// What the devices have heard so far.
#[derive(Default)]
struct Heard {
    acknowledged: AtomicUsize,
    /// Answers that said to come again.
    refused: AtomicUsize,
    /// What was told again although it had been stored.
    again: AtomicUsize,
    done: AtomicBool,
}

fn jam(door: &Door, device: &Postal, seq: u64) -> Message {
    let event = EventBody { code: format!("J{seq}"), total: Some(seq), ..EventBody::default() };
    Message { seq, taken_ms: door.now_ms(), subject: Some(device.sender.id), body: Body::Jam(event) }
}

/// Tells one message, once. `None`: it is to be told again.
async fn tell(door: &Door, device: &Postal, seq: u64, by_mail: bool) -> Option<Outcome> {
    let message = jam(door, device, seq);
    if by_mail {
        let answer = say(door.gateway.mail.smtp, &device.session(&device.letter(door, message))).await;
        let stored = answer.contains("250 2.0.0 stored\r\n");
        assert!(stored || answer.contains("\r\n45") || answer.contains("\r\n42"), "refused for good: {answer}");
        return stored.then_some(Outcome::Stored);
    }
    let answer = door.report(&device.sender, vec![message]).await;
    if answer.status() == StatusCode::OK {
        return Some(reply_of(answer).await.results[0].outcome);
    }
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    assert!(answer.headers().contains_key("retry-after"), "{answer:?}");
    None
}

/// Tells one message after the other until all is done; the number of its last.
async fn live(door: Arc<Door>, device: Postal, by_mail: bool, heard: Arc<Heard>) -> u64 {
    let mut seq = 1;
    while !heard.done.load(SeqCst) {
        seq += 1;
        loop {
            match tell(&door, &device, seq, by_mail).await {
                Some(outcome) => {
                    assert!(matches!(outcome, Outcome::Stored | Outcome::Duplicate), "{outcome:?}");
                    heard.again.fetch_add(usize::from(outcome == Outcome::Duplicate), SeqCst);
                    break;
                }
                None => {
                    heard.refused.fetch_add(1, SeqCst);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
        heard.acknowledged.fetch_add(1, SeqCst);
    }
    seq
}

/// Waits until so many more were acknowledged.
async fn hear_more(heard: &Heard) {
    let (before, began) = (heard.acknowledged.load(SeqCst), Instant::now());
    while heard.acknowledged.load(SeqCst) < before + BETWEEN {
        assert!(began.elapsed() < PATIENCE, "nobody is heard any more");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disk_full_a_database_killed_in_the_middle_of_commits_keeps_what_was_acknowledged_once_9() {
    let Some(server) = MortalPostgres::start().await else { return };
    let test = TestPlatform::on(TestDb::on(&server).await).await;
    let door = Arc::new(Door::on(test, Limits::default(), Some(doors()), CallPolicy::default()).await);
    let mut devices = Vec::new();
    for place in 0..=DEVICES {
        let serial = format!("E216R3{place:05}");
        let device = device(&door, &serial).await;
        let first = door.report(&device.sender, vec![device.status(1, &serial)]).await;
        assert_eq!(reply_of(first).await.results[0].outcome, Outcome::Stored);
        devices.push(device);
    }
    let asking = devices.pop().unwrap();
    let (heard, mut lives) = (Arc::new(Heard::default()), JoinSet::new());
    for (place, device) in devices.into_iter().enumerate() {
        lives.spawn(live(door.clone(), device, place % 2 == 1, heard.clone()));
    }
    for round in 0..KILLS {
        hear_more(&heard).await;
        server.kill().await;
        for by_mail in [false, true] {
            assert_eq!(tell(&door, &asking, 2, by_mail).await, None, "there is nothing to store it in");
        }
        server.revive().await;
        hear_more(&heard).await;
        println!("killed {} times, {} acknowledged", round + 1, heard.acknowledged.load(SeqCst));
    }
    heard.done.store(true, SeqCst);
    let mut told = 0;
    while let Some(last) = lives.join_next().await {
        told += usize::try_from(last.unwrap()).unwrap() - 1;
    }
    assert_eq!(told, heard.acknowledged.load(SeqCst));
    let (refused, again) = (heard.refused.load(SeqCst), heard.again.load(SeqCst));
    println!("{told} told, {refused} answers said to come again, {again} had been stored without an answer");
    project(&door.test.platform).await.unwrap();
    let counted = reports::verify(&door.test.platform).await.unwrap();
    assert_eq!((counted.missing, counted.twice), (0, 0));
    assert_eq!(counted.messages, u64::try_from(told + DEVICES + 1).unwrap(), "each once, and each first status");
    assert_eq!(crate::storms::count(&door, "select count(*) from device_events").await, i64::try_from(told).unwrap());
}
