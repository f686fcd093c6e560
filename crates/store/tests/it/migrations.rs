//! Migrations are applied once, in one transaction each, and never changed.

use store::testing::for_each_engine;
use store::{ErrorKind, Migration, STORE_MIGRATION, Sql};

use crate::{ALL, migrations};

#[tokio::test]
async fn each_is_applied_once() {
    for_each_engine(&[], async |db| {
        let applied = db.migrate(&[STORE_MIGRATION]).await.unwrap();
        assert_eq!(applied.new, ["0001_store"]);
        let applied = db.migrate(&migrations()).await.unwrap();
        assert_eq!((applied.new, applied.before), (vec!["9001_samples"], 1));
        assert_eq!(db.migrate(&migrations()).await.unwrap().before, 2);
    })
    .await;
}

#[tokio::test]
async fn a_changed_one_is_refused_with_its_name() {
    for_each_engine(&migrations(), async |db| {
        let changed = Migration::portable("9001_samples", "create table samples (id bigint);");
        let error = db.migrate(&[STORE_MIGRATION, changed]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Migration);
        assert!(error.to_string().contains("9001_samples") && error.to_string().contains("new migration"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn a_failing_one_leaves_nothing_behind() {
    for_each_engine(&migrations(), async |db| {
        let broken = Migration::portable("9002_broken", "create table half (id bigint primary key); create nonsense;");
        let error = db.migrate(&[broken]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Migration, "{error}");
        let half = Sql::built("select * from half".into());
        assert!(db.read(&ALL).await.unwrap().query(&half, &[]).await.is_err());
        let mended = Migration::portable("9002_broken", "create table half (id bigint primary key);");
        assert_eq!(db.migrate(&[mended]).await.unwrap().new, ["9002_broken"]);
    })
    .await;
}

#[tokio::test]
async fn two_programs_may_start_at_once() {
    for_each_engine(&[], async |db| {
        let other = store::Db::open(db.url()).await.unwrap();
        let all = migrations();
        let (one, two) = tokio::join!(db.migrate(&all), other.migrate(&all));
        assert_eq!(one.unwrap().new.len() + two.unwrap().new.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn sqlite_tables_are_strict() {
    let db = store::testing::TestDb::sqlite().await;
    db.migrate(&migrations()).await.unwrap();
    let loose = Sql::built("select name from pragma_table_list where strict = 0 and name not like 'sqlite%'".into());
    assert!(db.read(&ALL).await.unwrap().query(&loose, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn without_them_a_transaction_says_what_to_do() {
    let Some(db) = store::testing::TestDb::postgres().await else { return };
    match db.write(&ALL).await {
        // The role belongs to the whole server: a test beside this one may have made it.
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::Migration, "{error}"),
    }
}
