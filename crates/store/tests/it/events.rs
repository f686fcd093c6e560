//! A reader of the outbox that goes on from its last id misses no event, however writers interleave.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use store::testing::{TestDb, for_each_engine};
use store::{Db, NewEvent, STORE_MIGRATION, View, events};

use crate::ALL;

async fn emit(tx: &mut store::Tx, tenant: &str) -> i64 {
    let data = serde_json::json!({"n": 1});
    let event = NewEvent {
        tenant,
        event_type: "device.registered",
        subject_kind: "device",
        subject_id: "d1",
        actor: Some(("user", "u1")),
        request: "r1",
        data: &data,
        at: 1_767_225_600_000_000,
    };
    tx.emit(event).await.unwrap()
}

#[tokio::test]
async fn an_event_comes_with_its_transaction_or_not_at_all() {
    for_each_engine(&[STORE_MIGRATION], async |db| {
        let mut woken = db.committed();
        let mut tx = db.write(&ALL).await.unwrap();
        emit(&mut tx, "a").await;
        drop(tx);
        assert!(events::after(db, &ALL, 0, 10).await.unwrap().is_empty());
        let mut tx = db.write(&ALL).await.unwrap();
        let id = emit(&mut tx, "a").await;
        emit(&mut tx, "b").await;
        assert!(events::after(db, &ALL, 0, 10).await.unwrap().is_empty());
        tx.commit().await.unwrap();
        woken.changed().await.unwrap();
        assert!(*woken.borrow() > id);
        let all = events::after(db, &ALL, 0, 10).await.unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].id, all[0].actor.clone()), (id, Some(("user".into(), "u1".into()))));
        assert_eq!(all[0].data, serde_json::json!({"n": 1}));
        let mine = events::after(db, &View::tenant("b"), 0, 10).await.unwrap();
        assert_eq!(mine.len(), 1);
        assert!(events::after(db, &ALL, all[1].id, 10).await.unwrap().is_empty());
        assert_eq!(events::newest(db).await.unwrap(), all[1].id);
    })
    .await;
}

#[tokio::test]
async fn many_events_at_once_are_as_good_as_one_after_the_other() {
    for_each_engine(&[STORE_MIGRATION], async |db| {
        let mut woken = db.committed();
        let data: Vec<_> = (0..300).map(|n| serde_json::json!({ "n": n })).collect();
        let event = |data| NewEvent {
            tenant: "a",
            event_type: "device.registered",
            subject_kind: "device",
            subject_id: "d1",
            actor: None,
            request: "r1",
            data,
            at: 1_767_225_600_000_000,
        };
        let mut tx = db.write(&ALL).await.unwrap();
        tx.emit_all(&[]).await.unwrap();
        tx.emit_all(&data.iter().map(event).collect::<Vec<_>>()).await.unwrap();
        let last = emit(&mut tx, "a").await;
        tx.emit_all(&[event(&data[0])]).await.unwrap();
        tx.commit().await.unwrap();
        woken.changed().await.unwrap();
        assert!(*woken.borrow() > last);
        let all = events::after(db, &ALL, 0, 1_000).await.unwrap();
        let told: Vec<_> = all[..300].iter().map(|event| event.data.clone()).collect();
        assert_eq!((told, all[300].id, all.len()), (data, last, 302), "in their order");
        assert_eq!(*woken.borrow(), all[301].id);
    })
    .await;
}

#[tokio::test]
async fn an_id_that_commits_late_is_not_skipped() {
    let Some(db) = TestDb::postgres().await else { return };
    db.migrate(&[STORE_MIGRATION]).await.unwrap();
    let mut slow = db.write(&ALL).await.unwrap();
    let low = emit(&mut slow, "a").await;
    let mut fast = db.write(&ALL).await.unwrap();
    let high = emit(&mut fast, "a").await;
    fast.commit().await.unwrap();
    assert!(low < high);
    assert!(events::after(&db, &ALL, 0, 10).await.unwrap().is_empty(), "the lower one may still come");
    let mut woken = db.committed();
    woken.mark_unchanged();
    slow.commit().await.unwrap();
    woken.changed().await.unwrap();
    let ids: Vec<i64> = events::after(&db, &ALL, 0, 10).await.unwrap().iter().map(|event| event.id).collect();
    assert_eq!(ids, [low, high]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_misses_nothing_among_many_writers() {
    for_each_engine(&[STORE_MIGRATION], async |db| {
        const EACH: usize = 60;
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let db = Db::clone(db);
                tokio::spawn(async move {
                    let mut kept = BTreeSet::new();
                    for round in 0..EACH {
                        let mut tx = db.write(&ALL).await.unwrap();
                        let ids: Vec<_> = [emit(&mut tx, "a").await, emit(&mut tx, "b").await].into();
                        for _ in 0..(writer + round) % 4 {
                            tokio::task::yield_now().await;
                        }
                        if (writer + round) % 5 > 0 {
                            tx.commit().await.unwrap();
                            kept.extend(ids);
                        }
                    }
                    kept
                })
            })
            .collect();
        let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let reader = {
            let (db, done) = (Db::clone(db), Arc::clone(&done));
            tokio::spawn(async move {
                let (mut last, mut seen) = (0, BTreeSet::new());
                loop {
                    let ending = done.load(std::sync::atomic::Ordering::SeqCst);
                    let found = events::after(&db, &ALL, last, 50).await.unwrap();
                    if found.is_empty() && ending {
                        return seen;
                    }
                    for event in found {
                        assert!(event.id > last);
                        last = event.id;
                        seen.insert(event.id);
                    }
                    tokio::task::yield_now().await;
                }
            })
        };
        let mut kept = BTreeSet::new();
        for writer in writers {
            kept.extend(writer.await.unwrap());
        }
        done.store(true, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(reader.await.unwrap(), kept);
    })
    .await;
}

#[tokio::test]
async fn events_of_another_process_wake_the_listener() {
    let Some(db) = TestDb::postgres().await else { return };
    db.migrate(&[STORE_MIGRATION]).await.unwrap();
    let other = Db::open(db.url()).await.unwrap();
    let mut woken = db.committed();
    let writing = tokio::spawn(async move {
        loop {
            let mut tx = other.write(&ALL).await.unwrap();
            emit(&mut tx, "a").await;
            tx.commit().await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    tokio::time::timeout(Duration::from_secs(120), woken.changed()).await.unwrap().unwrap();
    writing.abort();
}

#[tokio::test]
async fn old_events_are_deleted_in_portions() {
    for_each_engine(&[STORE_MIGRATION], async |db| {
        let mut tx = db.write(&ALL).await.unwrap();
        for _ in 0..5 {
            emit(&mut tx, "a").await;
        }
        assert_eq!(events::delete_before(&mut tx, i64::MAX, 3).await.unwrap(), 3);
        assert_eq!(events::delete_before(&mut tx, 5, 3).await.unwrap(), 0);
        tx.commit().await.unwrap();
        assert_eq!(events::after(db, &ALL, 0, 10).await.unwrap().len(), 2);
    })
    .await;
}
