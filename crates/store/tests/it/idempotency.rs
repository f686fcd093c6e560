//! A repeated POST gets the reply of the first, also when both come at once.

use store::idempotency::{Repeat, forget, keep, take};
use store::testing::for_each_engine;
use store::{Db, STORE_MIGRATION, View};

#[tokio::test]
async fn a_repeat_gets_the_first_reply() {
    for_each_engine(&[STORE_MIGRATION], async |db| {
        let view = View::tenant("t");
        let mut tx = db.write(&view).await.unwrap();
        assert_eq!(take(&mut tx, "t", "k", b"hash", 0, 100).await.unwrap(), Repeat::First);
        keep(&mut tx, "t", "k", b"reply").await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = db.write(&view).await.unwrap();
        assert_eq!(take(&mut tx, "t", "k", b"hash", 50, 100).await.unwrap(), Repeat::Again(b"reply".to_vec()));
        assert_eq!(take(&mut tx, "t", "k", b"other", 50, 100).await.unwrap(), Repeat::Mismatch);
        assert_eq!(take(&mut tx, "t", "k", b"other", 100, 200).await.unwrap(), Repeat::First);
        assert_eq!(forget(&mut tx, 200).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_do_the_work_once() {
    for_each_engine(&[STORE_MIGRATION], async |db| {
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let db = Db::clone(db);
                tokio::spawn(async move {
                    let mut tx = db.write(&View::tenant("t")).await.unwrap();
                    let outcome = take(&mut tx, "t", "k", b"hash", 0, 100).await.unwrap();
                    if outcome == Repeat::First {
                        tokio::task::yield_now().await;
                        keep(&mut tx, "t", "k", b"reply").await.unwrap();
                    }
                    tx.commit().await.unwrap();
                    outcome
                })
            })
            .collect();
        let mut first = 0;
        for task in tasks {
            match task.await.unwrap() {
                Repeat::First => first += 1,
                other => assert_eq!(other, Repeat::Again(b"reply".to_vec())),
            }
        }
        assert_eq!(first, 1);
    })
    .await;
}
