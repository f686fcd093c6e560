//! A herd of devices (hard behaviour 1) by what the door promises and holds, not by how fast it is: whoever is refused is
//! promised a moment of its own, and who comes in the order of these moments is never refused again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use gateway::{CallPolicy, Limits};
use platen_core::reports::{self, project};
use platen_core::store::{EngineKind, Sql, View};
use platen_core::testing::TestPlatform;
use reqwest::StatusCode;
use wire::Outcome;
use wire::monitor::Kind;
use wire::schedule::Schedule;

use crate::door::{Door, Sender, reply_of};
use crate::storms::{count, jam, met, told_to_wait};

/// Requests that may wait for their turn; one is worked on.
const WAITING: usize = 8;
/// Memory for bodies: room for two bodies of each of these.
const MEMORY: usize = 2 * (WAITING + 1) * BODY;
/// What the door reserves for a small body.
const BODY: usize = 64 << 10;
/// Devices that call at the same moment: as many as the door lets one connection carry.
const AT_ONCE: usize = 32;
/// Turns a second that the door promises before it has measured any.
const PACE: usize = 50;

/// A moment that somebody was promised, as far as one can know it from outside.
struct Promise {
    sender: Sender,
    earliest: Instant,
    latest: Instant,
}

/// One report; `Err` with what was promised where it was refused.
async fn tell(door: &Door, sender: Sender) -> Result<(), Promise> {
    let sent = Instant::now();
    let answer = door.report(&sender, vec![jam(door, 2)]).await;
    if answer.status() == StatusCode::OK {
        assert_eq!(reply_of(answer).await.results[0].outcome, Outcome::Stored);
        return Ok(());
    }
    let retry_after = told_to_wait(&answer);
    let problem: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    let wait_ms = u64::try_from(problem["not_before_ms"].as_i64().unwrap() - door.now_ms()).unwrap();
    assert!((wait_ms.div_ceil(1_000)..=wait_ms / 1_000 + 1).contains(&retry_after), "{retry_after} s and {wait_ms} ms");
    let wait = Duration::from_millis(wait_ms);
    Err(Promise { sender, earliest: sent + wait, latest: Instant::now() + wait + Duration::from_millis(1) })
}

/// Holds the store of a door still until the returned transaction is dropped.
async fn stand_still(door: &Door) -> platen_core::store::Tx {
    let db = door.test.platform.db();
    let mut tx = db.write(&View::All("a test holds the store still")).await.unwrap();
    if db.engine() == EngineKind::Postgres {
        tx.execute(&Sql::built("lock table inbox in access exclusive mode".to_owned()), &[]).await.unwrap();
    }
    tx
}

/// A gauge of the door, in bytes.
fn gauge(door: &Door, name: &str) -> usize {
    let text = door.gateway.metrics()();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("platen_gateway_{name} "))).unwrap();
    line.parse().unwrap()
}

/// The most that any kind has in a half of its period, to what it has on the average: so few devices show no finer parts.
fn peak_to_mean(schedules: &[Schedule]) -> f64 {
    let mut halves: BTreeMap<Kind, [usize; 2]> = BTreeMap::new();
    for slot in schedules.iter().flat_map(|schedule| &schedule.slots) {
        let half = u64::from(slot.start_s) * 2 / u64::from(slot.period_s);
        halves.entry(slot.kind).or_default()[usize::try_from(half).unwrap()] += 1;
    }
    assert!(!halves.is_empty(), "no device was given a slot");
    let worst = halves.values().map(|of| *of.iter().max().unwrap() as f64 * 2.0 / of.iter().sum::<usize>() as f64);
    worst.fold(0.0, f64::max)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn herd_is_promised_moments_apart_in_bounded_memory_and_stored_once_when_they_come_1() {
    for test in TestPlatform::each().await {
        let herd = if test.platform.db().engine() == EngineKind::Sqlite { 300 } else { 80 };
        let limits = Limits { working: 1, waiting: WAITING, memory: MEMORY, ..Limits::default() };
        let door = Door::on(test, limits, None, CallPolicy::default()).await;
        let (mut devices, mut schedules) = (Vec::new(), Vec::new());
        for place in 0..herd {
            let (device, schedule) = met(&door, place).await;
            devices.push(device);
            schedules.push(schedule);
        }
        // All come, and nobody can be served: those who have a place wait, all others are refused.
        let mut still = Some(stand_still(&door).await);
        let mut calls = stream::iter(devices.into_iter().map(|device| tell(&door, device))).buffer_unordered(AT_ONCE);
        let (mut promises, mut stored) = (Vec::new(), 0);
        while let Some(told) = calls.next().await {
            match told {
                Ok(()) => stored += 1,
                Err(promise) => promises.push(promise),
            }
            still = still.filter(|_| promises.len() < herd - WAITING - 1);
        }
        drop(calls);
        assert_eq!((promises.len(), stored), (herd - WAITING - 1, WAITING + 1), "each is heard or refused");
        // No second holds more promises than turns, whatever the road of an answer takes.
        for from in promises.iter().map(|promise| promise.earliest) {
            let within =
                |promise: &&Promise| promise.earliest >= from && promise.latest <= from + Duration::from_secs(1);
            let crowd = promises.iter().filter(within).count();
            assert!(crowd <= PACE + 1, "{crowd} of {} were promised one second", promises.len());
        }
        let (held, peak) = (gauge(&door, "body_bytes"), gauge(&door, "body_bytes_peak"));
        assert!(held == 0 && ((WAITING + 1) * BODY..=MEMORY).contains(&peak), "{held} held, {peak} at most");
        // They come back in the order of their moments, as many at once as there are places: nobody is refused.
        promises.sort_by_key(|promise| promise.earliest);
        let back = stream::iter(promises.into_iter().map(|promise| tell(&door, promise.sender)));
        assert!(back.buffer_unordered(WAITING).all(async |told| told.is_ok()).await, "a promise is kept");
        project(&door.test.platform).await.unwrap();
        assert_eq!(count(&door, "select count(*) from device_events").await, i64::try_from(herd).unwrap());
        assert_eq!(
            count(&door, "select count(distinct device) from device_events").await,
            i64::try_from(herd).unwrap()
        );
        let counted = reports::verify(&door.test.platform).await.unwrap();
        assert_eq!((counted.missing, counted.twice), (0, 0));
        let peak = peak_to_mean(&schedules);
        assert!(herd < 300 || peak < 1.3, "a half of a period has {peak:.2} times its share");
    }
}
