//! The outbox and the device list in a file of their own.

use std::{path::Path, sync::Arc};

use wire::{
    Body, MessageResult, Outcome, SnmpVersion, Status, Subject,
    report::{AgentBody, CountersBody, SeenBody, StatusBody},
    traps::TrapBody,
};

use super::{
    State,
    devices::DeviceRow,
    outbox::{Draft, Outbox},
};
use crate::{clock::wall_ms, stats::AgentStats};

async fn open(folder: &Path, floor: u64) -> (Outbox, u64) {
    let state = State::open(&folder.join("agent.db")).await.unwrap();
    Outbox::open(state, Arc::new(AgentStats::default()), floor).await.unwrap()
}

fn draft(device: u8, body: Body) -> Draft {
    Draft { taken_ms: wall_ms(), subject: Some(Subject([device; 16])), body }
}

fn status(device: u8, console: &str) -> Draft {
    let body = StatusBody {
        address: "10.0.0.1".to_owned(),
        port: 161,
        snmp: SnmpVersion::V2c,
        identity: wire::Identity::default(),
        status: Status { console: Some(console.to_owned()), ..Status::default() },
        supplies: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        covers: Vec::new(),
        alerts: Vec::new(),
        quirks: Vec::new(),
    };
    draft(device, Body::Status(Box::new(body)))
}

fn counters(device: u8) -> Draft {
    draft(device, Body::Counters(CountersBody { meters: Vec::new() }))
}

fn called(device: u8) -> Draft {
    draft(device, Body::Trap(TrapBody { snmp: SnmpVersion::V2c, alerts: Vec::new(), shed: 0 }))
}

#[tokio::test]
async fn what_devices_call_about_overtakes_the_others_but_not_too_far() {
    let folder = tempfile::tempdir().unwrap();
    let (outbox, _) = open(folder.path(), 0).await;
    outbox.record(vec![counters(1), status(2, "new"), called(2), called(3), counters(4)]).await.unwrap();
    let urgent = |outbox: &Outbox| {
        let outbox = outbox.clone();
        async move { outbox.urgent(512).await.unwrap().iter().map(|m| m.seq).collect::<Vec<_>>() }
    };
    assert_eq!(urgent(&outbox).await, [4], "3 waits for the status of its device, which makes it known");
    assert_eq!(numbers(&outbox).await, [1, 2, 3, 4, 5], "the others keep their order");
    outbox.record((0..1_100).map(|_| counters(5)).chain([called(6)]).collect()).await.unwrap();
    assert_eq!(urgent(&outbox).await, [4], "the server remembers only so many numbers");
}

async fn numbers(outbox: &Outbox) -> Vec<u64> {
    outbox.next(512).await.unwrap().iter().map(|m| m.seq).collect()
}

fn results(epoch: u64, outcomes: &[(u64, Outcome)]) -> Vec<MessageResult> {
    let result = |(seq, outcome): &(u64, Outcome)| MessageResult {
        subject: None,
        epoch,
        seq: *seq,
        outcome: *outcome,
        detail: None,
    };
    outcomes.iter().map(result).collect()
}

#[tokio::test]
async fn numbers_and_epoch_go_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (outbox, epoch) = open(folder.path(), 0).await;
    outbox.record(vec![counters(1), counters(2)]).await.unwrap();
    let sent = outbox.next(512).await.unwrap();
    outbox.settle(&sent, epoch, &results(epoch, &[(1, Outcome::Stored), (2, Outcome::Stored)])).await.unwrap();
    drop(outbox);
    let (outbox, again) = open(folder.path(), 0).await;
    assert_eq!(again, epoch);
    outbox.record(vec![counters(3)]).await.unwrap();
    assert_eq!(numbers(&outbox).await, [3], "no number is given twice, even after the outbox was empty");
    assert_eq!(outbox.pressure.depth(), 1);
}

#[tokio::test]
async fn a_new_file_has_a_higher_epoch_than_the_one_before() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_, epoch) = open(first.path(), 0).await;
    let far = epoch + 1_000_000_000;
    assert_eq!(open(second.path(), far).await.1, far + 1);
}

#[tokio::test]
async fn only_a_final_outcome_ends_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let (outbox, epoch) = open(folder.path(), 0).await;
    outbox.record((1..=6).map(counters).collect()).await.unwrap();
    let sent = outbox.next(512).await.unwrap();
    let outcomes = [
        (1, Outcome::Stored),
        (2, Outcome::Duplicate),
        (3, Outcome::Later),
        (4, Outcome::Stale),
        (5, Outcome::Refused),
    ];
    let settled = outbox.settle(&sent, epoch, &results(epoch, &outcomes)).await.unwrap();
    assert_eq!((settled.gone, settled.renumbered, settled.epoch_is_over), (3, 1, false));
    // 3 rests, 4 became 7, 6 had no result and is due again.
    assert_eq!(numbers(&outbox).await, [6, 7]);
    assert!(outbox.next_due().await.unwrap().is_some_and(|due| due == 0));
    assert_eq!(outbox.pressure.depth(), 3);
    let sent = outbox.next(512).await.unwrap();
    outbox.settle(&sent, epoch, &results(epoch, &[(7, Outcome::Stale), (6, Outcome::Stored)])).await.unwrap();
    assert!(numbers(&outbox).await.is_empty(), "stale twice is for ever");
    assert_eq!(outbox.stats.view().rejected, 2);
}

#[tokio::test]
async fn results_of_another_epoch_or_number_mean_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (outbox, epoch) = open(folder.path(), 0).await;
    outbox.record(vec![counters(1)]).await.unwrap();
    let sent = outbox.next(512).await.unwrap();
    outbox.settle(&sent, epoch, &results(epoch + 1, &[(1, Outcome::Stored)])).await.unwrap();
    outbox.settle(&sent, epoch, &results(epoch, &[(9, Outcome::Stored)])).await.unwrap();
    assert_eq!(numbers(&outbox).await, [1]);
}

#[tokio::test]
async fn a_full_outbox_sheds_overtaken_status_and_never_counters() {
    let folder = tempfile::tempdir().unwrap();
    let (outbox, _) = open(folder.path(), 0).await;
    let seen = Draft { taken_ms: wall_ms(), subject: None, body: Body::Seen(SeenBody::default()) };
    outbox
        .record(vec![status(1, "a"), counters(1), status(2, "a"), seen, status(1, "b"), counters(1), status(1, "c")])
        .await
        .unwrap();
    assert_eq!(outbox.shed(u64::MAX).await.unwrap(), 0, "nothing is shed without need");
    assert_eq!(outbox.shed(0).await.unwrap(), 3);
    assert_eq!(numbers(&outbox).await, [2, 3, 6, 7], "both counters, and the newest status of each device");
    assert_eq!(outbox.stats.view().shed, 3);
    assert_eq!(outbox.shed(0).await.unwrap(), 0);
}

#[tokio::test]
async fn a_report_holds_what_fits_its_budget() {
    let folder = tempfile::tempdir().unwrap();
    let (outbox, _) = open(folder.path(), 0).await;
    let large = "x".repeat(300_000);
    outbox.record((0..8).map(|n| status(n, &large)).collect()).await.unwrap();
    assert_eq!(numbers(&outbox).await, [1, 2, 3]);
    let body = AgentBody { version: "y".repeat(2 << 20), ..AgentBody::default() };
    let folder = tempfile::tempdir().unwrap();
    let (outbox, _) = open(folder.path(), 0).await;
    outbox.record(vec![draft(1, Body::Agent(body)), counters(1)]).await.unwrap();
    assert_eq!(numbers(&outbox).await, [1], "a message larger than the budget goes alone");
}

#[tokio::test]
async fn devices_come_back_as_they_were_kept() {
    let folder = tempfile::tempdir().unwrap();
    let state = State::open(&folder.path().join("agent.db")).await.unwrap();
    let row = DeviceRow {
        subject: Subject([5; 16]),
        key: "serial/hp/ABC".to_owned(),
        vendor: Some("hp".to_owned()),
        model: None,
        serial: Some("ABC".to_owned()),
        mac: None,
        address: Some("10.0.0.9:1161".parse().unwrap()),
        known: Arc::default(),
        vitals_hash: u64::MAX,
        status_hash: 1 << 63,
        meters_hash: 7,
        full_ms: 1_700_000_000_000,
        meters_ms: -1,
    };
    for row in [row.clone(), DeviceRow { address: None, meters_hash: 8, ..row.clone() }] {
        let mut tx = state.write().await.unwrap();
        row.keep(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(state.devices_after(None, 10).await.unwrap(), std::slice::from_ref(&row));
        assert_eq!(state.devices_after(Some(row.subject), 10).await.unwrap(), []);
    }
}
