//! The four traps of the portable dialect, and what a transaction promises on both engines.

use std::time::Instant;

use store::testing::{TestDb, for_each_engine};
use store::{ErrorKind, Sql, Tx, Value, params};

use crate::{ALL, COUNT_SAMPLES, INSERT_SAMPLE, migrations};

store::sql! {
    SWAPPED = "update samples set label = $2 where id = $1";
    LABEL = "select label from samples where id = $1";
    FULL = "insert into samples (id, label, active, share, document, raw, seen) values ($1, $2, $3, $4, $5, $6, $7)";
    READ_FULL = "select label, active, share, document, raw, seen from samples where id = $1";
    SUMS = "select sum(id) as total, avg(id) as mean, count(*) as number, sum(share) as share from samples";
    COUNTER = "insert into counters (id, value) values ($1, $2) on conflict (id) do update set value = excluded.value";
    COUNT_ON = "insert into counters (id, value) values ($1, $2) on conflict (id) do update set value = counters.value + excluded.value";
    COUNTED = "select value from counters where id = $1";
    ORDERED = "select label from samples order by label";
    MATCHING = "select id from samples where label like $1 order by id";
}

async fn samples(tx: &mut Tx) -> i64 {
    tx.query_one(&COUNT_SAMPLES, &[]).await.unwrap().get(0).unwrap()
}

#[tokio::test]
async fn parameters_are_bound_by_the_number_in_their_name() {
    for_each_engine(&migrations(), async |db| {
        let mut tx = db.write(&ALL).await.unwrap();
        tx.execute(&INSERT_SAMPLE, &params![7, "before"]).await.unwrap();
        assert_eq!(tx.execute(&SWAPPED, &params![7, "after"]).await.unwrap(), 1);
        let label: String = tx.query_one(&LABEL, &params![7]).await.unwrap().get(0).unwrap();
        assert_eq!(label, "after");
    })
    .await;
}

#[tokio::test]
async fn a_missing_parameter_is_an_error_and_no_null() {
    for_each_engine(&migrations(), async |db| {
        for values in [&params![7][..], &[], &params![7, "x", 3]] {
            let mut tx = db.write(&ALL).await.unwrap();
            let error = tx.execute(&SWAPPED, values).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
            assert!(error.to_string().contains("facade::SWAPPED"), "{error}");
        }
    })
    .await;
}

#[tokio::test]
async fn null_fits_a_column_of_any_type_and_values_come_back_as_they_went() {
    for_each_engine(&migrations(), async |db| {
        let mut tx = db.write(&ALL).await.unwrap();
        let nulls = [Value::Int(1), Value::Null, Value::Null, Value::Null, Value::Null, Value::Null, Value::Null];
        tx.execute(&FULL, &nulls).await.unwrap();
        let json = serde_json::json!({"a": [1, 2.5, null], "ü": "\""});
        let values = params![2, "label", true, 0.25, &json, vec![0_u8, 255], 1_700_000_000_123_456_i64];
        tx.execute(&FULL, &values).await.unwrap();
        let row = tx.query_one(&READ_FULL, &params![1]).await.unwrap();
        assert!(row.values().iter().all(|value| *value == Value::Null));
        let row = tx.query_one(&READ_FULL, &params![2]).await.unwrap();
        assert_eq!(row.get::<String>(0).unwrap(), "label");
        assert!(row.get::<bool>(1).unwrap());
        assert!((row.get::<f64>(2).unwrap() - 0.25).abs() < f64::EPSILON);
        assert_eq!(row.get_by::<serde_json::Value>("document").unwrap(), json);
        assert_eq!(row.get::<Vec<u8>>(4).unwrap(), [0, 255]);
        assert_eq!(row.get::<i64>(5).unwrap(), 1_700_000_000_123_456);
        assert_eq!(row.get::<i64>(0).unwrap_err().kind(), ErrorKind::Usage);
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn json_that_looks_like_a_number_stays_json() {
    for_each_engine(&migrations(), async |db| {
        let mut tx = db.write(&ALL).await.unwrap();
        for (id, text) in (1_i64..).zip(["123", "1e3", "\"7\"", "null"]) {
            let values = [id.into(), Value::Null, Value::Null, Value::Null, text.into(), Value::Null, Value::Null];
            tx.execute(&FULL, &values).await.unwrap();
            let row = tx.query_one(&READ_FULL, &params![id]).await.unwrap();
            assert!(matches!(&row.values()[3], Value::Text(_)), "{text}: {:?}", row.values()[3]);
            let expected: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(row.get::<serde_json::Value>(3).unwrap().as_f64(), expected.as_f64());
        }
    })
    .await;
}

#[tokio::test]
async fn a_value_of_the_wrong_type_is_refused() {
    for_each_engine(&migrations(), async |db| {
        let mut tx = db.write(&ALL).await.unwrap();
        let error = tx.execute(&INSERT_SAMPLE, &params!["no number", "x"]).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Usage | ErrorKind::Constraint), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn sums_and_means_read_alike() {
    for_each_engine(&migrations(), async |db| {
        let mut tx = db.write(&ALL).await.unwrap();
        for id in [1, 2, 4] {
            tx.execute(&INSERT_SAMPLE, &params![id, "x"]).await.unwrap();
        }
        let row = tx.query_one(&SUMS, &[]).await.unwrap();
        assert_eq!(row.get_by::<i64>("total").unwrap(), 7);
        assert!((row.get_by::<f64>("mean").unwrap() - 7.0 / 3.0).abs() < 1e-9);
        assert_eq!(row.get_by::<u64>("number").unwrap(), 3);
        assert_eq!(row.get_by::<Option<f64>>("share").unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn text_sorts_by_bytes_and_like_minds_the_case() {
    for_each_engine(&migrations(), async |db| {
        let mut tx = db.write(&ALL).await.unwrap();
        for (id, label) in (1_i64..).zip(["b", "B", "a", "ä", "Z", "_"]) {
            tx.execute(&INSERT_SAMPLE, &params![id, label]).await.unwrap();
        }
        let rows = tx.query(&ORDERED, &[]).await.unwrap();
        let labels: Vec<String> = rows.iter().map(|row| row.get(0).unwrap()).collect();
        assert_eq!(labels, ["B", "Z", "_", "a", "b", "ä"]);
        assert_eq!(tx.query(&MATCHING, &params!["b%"]).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn many_does_what_a_loop_does() {
    for_each_engine(&migrations(), async |db| {
        let rows = |add: i64| (0..5_000).map(|id| params![id, id + add].to_vec()).collect::<Vec<_>>();
        let begun = Instant::now();
        let mut tx = db.write(&ALL).await.unwrap();
        for row in rows(1) {
            tx.execute(&COUNTER, &row).await.unwrap();
        }
        tx.commit().await.unwrap();
        let alone = begun.elapsed();
        let begun = Instant::now();
        let mut tx = db.write(&ALL).await.unwrap();
        assert_eq!(tx.many(&COUNTER, rows(2)).await.unwrap(), 5_000);
        tx.commit().await.unwrap();
        let together = begun.elapsed();
        println!("{:?}: 5,000 rows one by one {alone:?}, with many {together:?}", db.engine());
        let sum = Sql::built("select sum(value) from counters".into());
        let sum: i64 = db.read(&ALL).await.unwrap().query_one(&sum, &[]).await.unwrap().get(0).unwrap();
        assert_eq!(sum, 4_999 * 5_000 / 2 + 10_000);
    })
    .await;
}

#[tokio::test]
async fn many_rows_that_meet_each_other_count_one_after_the_other() {
    for_each_engine(&migrations(), async |db| {
        let rows = |ids: &[i64]| ids.iter().map(|id| params![*id, 1].to_vec()).collect::<Vec<_>>();
        let mut tx = db.write(&ALL).await.unwrap();
        assert_eq!(tx.many(&COUNT_ON, rows(&[1, 2, 3, 4, 5, 6])).await.unwrap(), 6);
        assert_eq!(tx.many(&COUNT_ON, rows(&[1, 2, 3, 4, 1, 1])).await.unwrap(), 6);
        let each = tx.queries(&COUNTED, &[params![1].into(), params![6].into(), params![7].into()]).await.unwrap();
        let found: Vec<Vec<i64>> =
            each.iter().map(|rows| rows.iter().map(|row| row.get(0).unwrap()).collect()).collect();
        assert_eq!(found, [vec![4], vec![1], vec![]]);
        assert!(tx.queries(&COUNTED, &[]).await.unwrap().is_empty());
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing() {
    for_each_engine(&migrations(), async |db| {
        for _ in 0..40 {
            let mut tx = db.write(&ALL).await.unwrap();
            tx.execute(&INSERT_SAMPLE, &params![1, "x"]).await.unwrap();
            drop(tx);
        }
        let mut tx = db.write(&ALL).await.unwrap();
        assert_eq!(samples(&mut tx).await, 0);
        tx.execute(&INSERT_SAMPLE, &params![1, "kept"]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(samples(&mut db.read(&ALL).await.unwrap()).await, 1);
    })
    .await;
}

#[tokio::test]
async fn after_a_failed_statement_nothing_is_acknowledged() {
    for_each_engine(&migrations(), async |db| {
        let mut tx = db.write(&ALL).await.unwrap();
        tx.execute(&INSERT_SAMPLE, &params![1, "x"]).await.unwrap();
        let error = tx.execute(&INSERT_SAMPLE, &params![1, "y"]).await.unwrap_err();
        assert!(error.is_unique_violation(), "{error:?}");
        assert!(!error.is_transient());
        let error = tx.execute(&INSERT_SAMPLE, &params![2, "y"]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Aborted);
        assert_eq!(tx.commit().await.unwrap_err().kind(), ErrorKind::Aborted);
        assert_eq!(samples(&mut db.read(&ALL).await.unwrap()).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_read_sees_one_moment_and_cannot_write() {
    for_each_engine(&migrations(), async |db| {
        let mut read = db.read(&ALL).await.unwrap();
        // PostgreSQL takes the snapshot with the first statement, SQLite with `read`.
        assert_eq!(samples(&mut read).await, 0);
        let mut tx = db.write(&ALL).await.unwrap();
        tx.execute(&INSERT_SAMPLE, &params![1, "x"]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(samples(&mut read).await, 0);
        let error = read.execute(&INSERT_SAMPLE, &params![2, "x"]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        assert_eq!(samples(&mut db.read(&ALL).await.unwrap()).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_statement_breaks_its_transaction_and_no_other() {
    let Some(db) = TestDb::postgres().await else { return };
    db.migrate(&migrations()).await.unwrap();
    let sleep = Sql::built("select count(pg_sleep(20))".into());
    for _ in 0..8 {
        let mut tx = db.write(&ALL).await.unwrap();
        let cancelled = tokio::time::timeout(std::time::Duration::from_millis(5), tx.query(&sleep, &[])).await;
        assert!(cancelled.is_err());
        assert_eq!(tx.commit().await.unwrap_err().kind(), ErrorKind::Aborted);
        assert_eq!(samples(&mut db.read(&ALL).await.unwrap()).await, 0);
    }
}

#[tokio::test]
async fn every_registered_statement_is_compiled_by_both_engines() {
    for_each_engine(&migrations(), async |db| {
        let failed = store::prepare_all(db).await;
        assert!(failed.is_empty(), "{failed:#?}");
        assert!(store::registered().len() > 20);
    })
    .await;
}

#[test]
fn transactions_can_be_held_by_tasks_of_any_thread() {
    fn is_send<T: Send>(_: T) {}
    #[expect(clippy::no_effect_underscore_binding, reason = "only its type matters")]
    let _check = |db: store::Db| {
        is_send(async move {
            let mut tx = db.write(&ALL).await?;
            tx.query(&LABEL, &params![1]).await?;
            tx.many(&INSERT_SAMPLE, Vec::new()).await?;
            tx.commit().await
        });
    };
}

#[test]
fn addresses_never_show_a_password() {
    let url: store::DatabaseUrl = "postgres://platen:geheim@127.0.0.1:5432/platen?x=y".parse().unwrap();
    assert_eq!(format!("{url} {url:?}"), "postgres://127.0.0.1:5432/platen postgres://127.0.0.1:5432/platen");
    assert!("mysql://x".parse::<store::DatabaseUrl>().is_err());
    assert!("sqlite:".parse::<store::DatabaseUrl>().is_err());
}
