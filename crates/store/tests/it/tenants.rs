//! PostgreSQL repeats the tenant condition by itself, for every statement that forgets it.

use std::sync::Arc;

use store::testing::TestDb;
use store::{DatabaseUrl, Db, ErrorKind, Migration, Sql, View, params};

use crate::{ALL, migrations};

store::sql! {
    INSERT_NOTE = "insert into notes (tenant, id, body) values ($1, $2, $3)";
    NOTES = "select tenant from notes order by tenant";
    TOUCH = "update notes set body = $1";
    MOVE = "update notes set tenant = $1";
}

async fn with_notes() -> Option<TestDb> {
    let db = TestDb::postgres().await?;
    db.migrate(&migrations()).await.unwrap();
    let mut tx = db.write(&ALL).await.unwrap();
    for tenant in ["a", "b", "c"] {
        tx.execute(&INSERT_NOTE, &params![tenant, 1, "x"]).await.unwrap();
    }
    tx.commit().await.unwrap();
    Some(db)
}

async fn seen(db: &TestDb, view: &View) -> Vec<String> {
    let rows = db.read(view).await.unwrap().query(&NOTES, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

#[tokio::test]
async fn rows_of_other_tenants_are_invisible() {
    let Some(db) = with_notes().await else { return };
    assert_eq!(seen(&db, &View::tenant("b")).await, ["b"]);
    let two = View::Tenants(Arc::from(["a".to_owned(), "c".to_owned()]));
    assert_eq!(seen(&db, &two).await, ["a", "c"]);
    assert_eq!(seen(&db, &ALL).await, ["a", "b", "c"]);
    assert!(seen(&db, &View::Tenants(Arc::from([]))).await.is_empty());
    let mut tx = db.write(&View::tenant("a")).await.unwrap();
    assert_eq!(tx.execute(&TOUCH, &params!["mine"]).await.unwrap(), 1);
    // What a transaction set does not outlive it on the pooled connection.
    tx.commit().await.unwrap();
    assert_eq!(seen(&db, &View::tenant("c")).await, ["c"]);
}

#[tokio::test]
async fn rows_cannot_be_written_for_others() {
    let Some(db) = with_notes().await else { return };
    let view = View::tenant("a");
    let error = db.write(&view).await.unwrap().execute(&INSERT_NOTE, &params!["b", 2, "x"]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Constraint, "{error}");
    let error = db.write(&view).await.unwrap().execute(&MOVE, &params!["b"]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Constraint, "{error}");
}

#[tokio::test]
async fn a_tenant_id_cannot_widen_the_view() {
    let Some(db) = with_notes().await else { return };
    for id in ["*", "a,b", "a'; set local platen.tenants = '*", ""] {
        assert_eq!(db.read(&View::tenant(id)).await.err().map(|error| error.kind()), Some(ErrorKind::Usage), "{id}");
    }
}

#[tokio::test]
async fn every_table_with_a_tenant_has_a_forced_policy() {
    let Some(db) = with_notes().await else { return };
    let later = Migration::portable("9003_later", "create table later (tenant text primary key);");
    db.migrate(&[later]).await.unwrap();
    let naked = Sql::built(
        "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant'
         where c.relkind in ('r', 'p') and c.relnamespace = current_schema()::regnamespace
         and (not c.relrowsecurity or not c.relforcerowsecurity
            or not exists (select from pg_policy p where p.polrelid = c.oid))"
            .into(),
    );
    let mut read = db.read(&ALL).await.unwrap();
    let naked: Vec<String> = read.query(&naked, &[]).await.unwrap().iter().map(|row| row.get(0).unwrap()).collect();
    assert!(naked.is_empty(), "tables without a policy: {naked:?}");
    let count = Sql::built("select count(*) from pg_policy where polname = 'tenant_rows'".into());
    assert_eq!(read.query_one(&count, &[]).await.unwrap().get::<i64>(0).unwrap(), 4);
}

#[tokio::test]
async fn the_program_is_not_the_owner() {
    let Some(db) = with_notes().await else { return };
    for text in ["drop table notes", "alter table notes disable row level security", "delete from schema_migrations"] {
        let error = db.write(&ALL).await.unwrap().execute(&Sql::built(text.into()), &[]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Constraint, "{text}: {error}");
    }
}

#[tokio::test]
async fn an_owner_without_superuser_can_migrate_and_is_bound_too() {
    let Some(db) = TestDb::postgres().await else { return };
    let DatabaseUrl::Postgres(address) = db.url() else { panic!("postgres it is") };
    let (_, place) = address.split_once('@').unwrap();
    let owner = format!("owner_{}", std::process::id());
    db.administer(&format!(
        "create role {owner} login createrole; grant all on schema public to {owner}; grant create on database \"{}\" to {owner}",
        place.rsplit('/').next().unwrap()
    ))
    .await;
    let theirs = Db::open(&DatabaseUrl::Postgres(format!("postgres://{owner}@{place}"))).await.unwrap();
    theirs.migrate(&migrations()).await.unwrap();
    let mut tx = theirs.write(&View::tenant("a")).await.unwrap();
    tx.execute(&INSERT_NOTE, &params!["a", 1, "x"]).await.unwrap();
    tx.commit().await.unwrap();
    assert!(theirs.read(&View::tenant("b")).await.unwrap().query(&NOTES, &[]).await.unwrap().is_empty());
    drop(theirs);
    db.administer(&format!("drop owned by {owner} cascade; drop role {owner}")).await;
}
