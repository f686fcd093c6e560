//! Group commit: concurrent writers share an fsync, a rolled-back one harms no neighbour. Prints commits per second.

use std::time::{Duration, Instant};

use store::testing::TestDb;
use store::{Db, params};

use crate::{ALL, COUNT_SAMPLES, INSERT_SAMPLE, migrations};

async fn count(db: &Db) -> i64 {
    db.read(&ALL).await.unwrap().query_one(&COUNT_SAMPLES, &[]).await.unwrap().get(0).unwrap()
}

async fn commits(db: &Db, tasks: i64, base: i64, time: Duration) -> f64 {
    let end = Instant::now() + time;
    let writers: Vec<_> = (0..tasks)
        .map(|task| {
            let db = db.clone();
            tokio::spawn(async move {
                let mut done = 0;
                while Instant::now() < end {
                    let mut tx = db.write(&ALL).await.unwrap();
                    tx.execute(&INSERT_SAMPLE, &params![base + done * tasks + task, "a short label"]).await.unwrap();
                    tx.commit().await.unwrap();
                    done += 1;
                }
                done
            })
        })
        .collect();
    let mut sum = 0;
    for writer in writers {
        sum += i32::try_from(writer.await.unwrap()).unwrap();
    }
    f64::from(sum) / time.as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_at_the_same_time_share_one_sync() {
    let db = TestDb::sqlite().await;
    db.migrate(&migrations()).await.unwrap();
    // A machine that stalls in one of the two makes it slow: measured again then.
    for place in 0..10 {
        let base = place * 3_000_000_000;
        let one = commits(&db, 1, base, Duration::from_millis(700)).await;
        let many = commits(&db, 64, base + 1_000_000_000, Duration::from_millis(700)).await;
        println!("durable single-row commits per second: {one:.0} from 1 task, {many:.0} from 64 tasks");
        if many > one {
            return;
        }
    }
    panic!("64 writers commit no more than one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolled_back_neighbour_takes_nothing_with_it() {
    let db = TestDb::sqlite().await;
    db.migrate(&migrations()).await.unwrap();
    let writers: Vec<_> = (0..64_i64)
        .map(|task| {
            let db = Db::clone(&db);
            tokio::spawn(async move {
                for round in 0..20 {
                    let mut tx = db.write(&ALL).await.unwrap();
                    tx.execute(&INSERT_SAMPLE, &params![task * 20 + round, "x"]).await.unwrap();
                    match (task + round) % 3 {
                        0 => drop(tx),
                        1 => {
                            tx.execute(&INSERT_SAMPLE, &params![task * 20 + round, "again"]).await.unwrap_err();
                            tx.commit().await.unwrap_err();
                        }
                        _ => tx.commit().await.unwrap(),
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let kept = (0..64).flat_map(|task| (0..20).map(move |round| (task + round) % 3)).filter(|way| *way == 2).count();
    assert_eq!(count(&db).await, i64::try_from(kept).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_is_cancelled_in_the_queue_stops_no_commit() {
    let db = TestDb::sqlite().await;
    db.migrate(&migrations()).await.unwrap();
    for id in 0..30 {
        let mut tx = db.write(&ALL).await.unwrap();
        tx.execute(&INSERT_SAMPLE, &params![id, "x"]).await.unwrap();
        let queued = tokio::spawn({
            let db = Db::clone(&db);
            async move { db.write(&ALL).await.map(drop) }
        });
        tokio::task::yield_now().await;
        let commit = tokio::spawn(tx.commit());
        queued.abort();
        tokio::time::timeout(Duration::from_secs(60), commit).await.unwrap().unwrap().unwrap();
    }
    assert_eq!(count(&db).await, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_writer_delays_the_commit_before_it_but_does_not_lose_it() {
    let db = TestDb::sqlite().await;
    db.migrate(&migrations()).await.unwrap();
    let mut first = db.write(&ALL).await.unwrap();
    first.execute(&INSERT_SAMPLE, &params![1, "x"]).await.unwrap();
    let second = tokio::spawn({
        let db = Db::clone(&db);
        async move {
            let tx = db.write(&ALL).await.unwrap();
            tokio::time::sleep(Duration::from_millis(60)).await;
            drop(tx);
        }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    first.commit().await.unwrap();
    assert_eq!(count(&db).await, 1);
    second.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_may_write_to_one_file() {
    let db = TestDb::sqlite().await;
    db.migrate(&migrations()).await.unwrap();
    // A second `Db` shares nothing but the file with the first, as another process would.
    let other = Db::open(db.url()).await.unwrap();
    let time = Duration::from_millis(300);
    let (one, two) = tokio::join!(commits(&db, 4, 0, time), commits(&other, 4, 1_000_000_000, time));
    println!("commits per second of two that share a file: {one:.0} and {two:.0}");
    assert!(one > 0.0 && two > 0.0);
}
