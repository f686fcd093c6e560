//! A record for each change, in its transaction; whatever is done to the table afterwards is found.

use std::time::Duration;

use serde_json::json;
use store::{Sql, View, params};

use super::*;
use crate::filter::Filter;
use crate::page::PageQuery;
use crate::testing::TestPlatform;
use crate::{Ctx, Kind, Role};

async fn write(ctx: &Ctx, count: usize) {
    let mut tx = ctx.db().write(&ctx.scope.view()).await.unwrap();
    for n in 0..count {
        let change =
            Change::new(ctx.home, "renamed", "device", n).before(json!({ "name": "a" })).after(json!({ "name": n }));
        record(&mut tx, ctx, change).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn tamper(ctx: &Ctx, statement: &str) {
    let mut tx = ctx.db().write(&View::All("a vandal")).await.unwrap();
    let changed = tx.execute(&Sql::built(statement.to_owned()), &params![ctx.home]).await.unwrap();
    assert!(changed > 0, "{statement}");
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_whole_log_verifies_over_months() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        write(&root, 5).await;
        test.clock.advance(Duration::from_secs(40 * 86_400));
        let root = test.again(&root).await;
        write(&root, 5).await;
        let verdict = verify(&root, root.home).await.unwrap();
        assert_eq!((verdict.records, verdict.erased, verdict.fault), (12, 0, None));
    }
}

#[tokio::test]
async fn every_kind_of_tampering_is_found_and_the_record_named() {
    let cases = [
        ("update audit_records set verb = 'viewed' where tenant = $1 and no = 4", 4),
        ("update audit_records set at = at + 1 where tenant = $1 and no = 4", 4),
        ("update audit_payloads set content = '{}' where tenant = $1 and no = 5", 5),
        ("delete from audit_records where tenant = $1 and no = 3", 3),
        ("delete from audit_records where tenant = $1 and no >= 6", 6),
        ("update audit_records set no = 100 where tenant = $1 and no = 2", 2),
        ("update audit_checkpoints set size = size - 1 where tenant = $1", 8),
        ("delete from audit_checkpoints where tenant = $1", 1),
    ];
    for (statement, no) in cases {
        let test = TestPlatform::sqlite().await;
        let root = test.root().await;
        write(&root, 5).await;
        assert_eq!(verify(&root, root.home).await.unwrap().fault, None);
        tamper(&root, statement).await;
        let fault = verify(&root, root.home).await.unwrap().fault.expect(statement);
        assert_eq!(fault.no, no, "{statement}: {}", fault.why);
    }
}

#[tokio::test]
async fn a_log_written_anew_without_the_key_is_found() {
    let test = TestPlatform::sqlite().await;
    let root = test.root().await;
    write(&root, 3).await;
    // The vandal cuts the end and sets a fitting size and head, but cannot sign them.
    tamper(&root, "delete from audit_records where tenant = $1 and no > 4").await;
    tamper(
        &root,
        "update audit_checkpoints set size = 4, root_hash = (select leaf_hash from audit_records where no = 4) where tenant = $1",
    )
    .await;
    let fault = verify(&root, root.home).await.unwrap().fault.unwrap();
    assert!(fault.why.contains("not signed"), "{}", fault.why);
}

#[tokio::test]
async fn erasing_texts_leaves_the_chain_whole() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        write(&root, 3).await;
        tamper(&root, "delete from audit_payloads where tenant = $1 and no = 3").await;
        let verdict = verify(&root, root.home).await.unwrap();
        assert_eq!((verdict.erased, verdict.fault), (1, None));
        let page = list(&root, &AuditQuery::default()).await.unwrap();
        let erased = page.items.iter().find(|record| record.no == 3).unwrap();
        assert_eq!((&erased.actor_name, &erased.after), (&None, &Json::Null));
    }
}

#[tokio::test]
async fn pages_join_without_gap_or_repeat_and_filters_hold() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        write(&root, 25).await;
        let mut query = AuditQuery {
            filter: Some(Filter::parse(r#"verb eq "renamed" and object_kind eq "device""#).unwrap()),
            page: PageQuery { limit: Some(10), after: None, count: true },
        };
        let (mut seen, mut pages) = (Vec::new(), 0);
        loop {
            let page = list(&root, &query).await.unwrap();
            assert_eq!(page.count, Some(25));
            seen.extend(page.items.iter().map(|record| record.object_id.parse::<u32>().unwrap()));
            pages += 1;
            match page.next {
                Some(next) => query.page.after = Some(next),
                None => break,
            }
        }
        assert_eq!((pages, seen), (3, (0..25).rev().collect()));
    }
}

#[tokio::test]
async fn only_administrators_read_it_and_a_dropped_transaction_leaves_nothing() {
    let test = TestPlatform::sqlite().await;
    let root = test.root().await;
    let manager = test.account(&root, root.home, "m@example.org", Role::Manager).await;
    assert_eq!(list(&manager, &AuditQuery::default()).await.unwrap_err().kind, Kind::Forbidden);
    let before = verify(&root, root.home).await.unwrap().records;
    let mut tx = root.db().write(&root.scope.view()).await.unwrap();
    record(&mut tx, &root, Change::new(root.home, "renamed", "device", "x")).await.unwrap();
    drop(tx);
    let after = verify(&root, root.home).await.unwrap();
    assert_eq!((after.records, after.fault), (before, None));
}

#[tokio::test]
async fn writers_at_the_same_time_make_one_chain() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let writers: Vec<_> = (0..8)
            .map(|_| {
                let root = root.clone();
                tokio::spawn(async move {
                    for _ in 0..5 {
                        write(&root, 1).await;
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        let verdict = verify(&root, root.home).await.unwrap();
        assert_eq!((verdict.records, verdict.fault), (42, None));
    }
}
