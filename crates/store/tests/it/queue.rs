//! The claim law: 8 workers take 100 jobs once each; what fails waits, and at last is buried.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use store::queue::{self, Failed};
use store::testing::for_each_engine;
use store::{Db, NewJob, STORE_MIGRATION};

use crate::ALL;

const LOCK: Duration = Duration::from_secs(60);

async fn enqueue(db: &Db, count: usize) {
    let mut tx = db.write(&ALL).await.unwrap();
    for number in 0..count {
        let body = serde_json::json!({"number": number});
        let job = NewJob { kind: "test", unique_key: None, body: &body, run_at: 10, now: 5 };
        tx.enqueue(job).await.unwrap().unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_workers_take_a_hundred_jobs_once_each() {
    for_each_engine(&[STORE_MIGRATION], async |db| {
        enqueue(db, 100).await;
        let start = Arc::new(tokio::sync::Barrier::new(8));
        let workers: Vec<_> = (0..8)
            .map(|worker| {
                let (db, start) = (Db::clone(db), Arc::clone(&start));
                tokio::spawn(async move {
                    let name = format!("worker-{worker}");
                    let mut taken = Vec::new();
                    start.wait().await;
                    while let Some(job) = queue::claim(&db, &name, Some("test"), 20, LOCK).await.unwrap() {
                        taken.push(job.id);
                        tokio::task::yield_now().await;
                    }
                    taken
                })
            })
            .collect();
        let mut times = BTreeMap::new();
        for worker in workers {
            for id in worker.await.unwrap() {
                *times.entry(id).or_insert(0) += 1;
            }
        }
        assert_eq!(times.len(), 100);
        assert!(times.values().all(|count| *count == 1), "{times:?}");
    })
    .await;
}

#[tokio::test]
async fn a_failed_job_waits_longer_each_time_and_is_buried_at_last() {
    for_each_engine(&[STORE_MIGRATION], async |db| {
        enqueue(db, 1).await;
        let mut now = 20;
        for tries in 1..3 {
            let job = queue::claim(db, "w", None, now, LOCK).await.unwrap().unwrap();
            assert_eq!(job.tries, tries);
            let Failed::Again(at) = queue::fail(db, &job, "no answer", now, 3).await.unwrap() else { panic!() };
            assert!(at >= now + tries * 2_000_000);
            assert!(queue::claim(db, "w", None, at - 1, LOCK).await.unwrap().is_none());
            assert_eq!(queue::next_due(db).await.unwrap(), Some(at));
            now = at;
        }
        let job = queue::claim(db, "w", None, now, LOCK).await.unwrap().unwrap();
        assert_eq!(queue::fail(db, &job, "no answer", now, 3).await.unwrap(), Failed::Dead);
        let depth = queue::depth(db).await.unwrap();
        assert_eq!((depth.waiting, depth.dead), (0, 1));
        assert!(queue::revive(db, job.id, now).await.unwrap());
        assert_eq!(queue::claim(db, "w", None, now, LOCK).await.unwrap().unwrap().tries, 1);
    })
    .await;
}

#[tokio::test]
async fn a_lost_lock_cannot_finish_the_job_of_another() {
    for_each_engine(&[STORE_MIGRATION], async |db| {
        enqueue(db, 1).await;
        let first = queue::claim(db, "one", None, 20, Duration::from_micros(10)).await.unwrap().unwrap();
        assert!(queue::claim(db, "two", None, 25, LOCK).await.unwrap().is_none());
        let second = queue::claim(db, "two", None, 31, LOCK).await.unwrap().unwrap();
        assert_eq!(second.id, first.id);
        assert!(!queue::extend(db, &first, 1_000).await.unwrap());
        assert_eq!(queue::fail(db, &first, "late", 40, 3).await.unwrap(), Failed::Lost);
        let mut tx = db.write(&ALL).await.unwrap();
        assert!(!tx.finish(&first).await.unwrap());
        assert!(tx.finish(&second).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(queue::depth(db).await.unwrap().waiting, 0);
    })
    .await;
}

#[tokio::test]
async fn a_key_queues_one_job_and_a_dropped_transaction_none() {
    for_each_engine(&[STORE_MIGRATION], async |db| {
        let body = serde_json::json!(null);
        let job = NewJob { kind: "roll-up", unique_key: Some("2026-11"), body: &body, run_at: 0, now: 0 };
        let mut tx = db.write(&ALL).await.unwrap();
        assert!(tx.enqueue(job.clone()).await.unwrap().is_some());
        drop(tx);
        let mut tx = db.write(&ALL).await.unwrap();
        assert!(tx.enqueue(job.clone()).await.unwrap().is_some());
        assert!(tx.enqueue(job).await.unwrap().is_none());
        tx.commit().await.unwrap();
        assert_eq!(queue::depth(db).await.unwrap().waiting, 1);
        assert!(queue::claim(db, "w", Some("other"), 1, LOCK).await.unwrap().is_none());
    })
    .await;
}
