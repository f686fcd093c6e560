//! What is too old goes, with a proof; what is too much waits; a second run finds nothing to do.

use std::time::Duration;

use store::{View, params};

use super::*;
use crate::page::PageQuery;
use crate::testing::TestPlatform;
use crate::{Ctx, Kind, Micros, Role, agents, audit, events, users};

const DAY: Duration = Duration::from_secs(86_400);

store::sql! {
    COUNT_EVENTS = "select count(*) from events where tenant = $1 and type = 'test.happened'";
    COUNT_SESSIONS = "select count(*) from sessions";
}

async fn happen(test: &TestPlatform, ctx: &Ctx, count: usize) {
    let ctx = test.again(ctx).await;
    let mut tx = ctx.db().write(&ctx.scope.view()).await.unwrap();
    for n in 0..count {
        let subject = ("test", n.to_string());
        events::emit(&mut tx, &ctx, ctx.home, "test.happened", subject, serde_json::Value::Null).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn left(ctx: &Ctx) -> i64 {
    let mut tx = ctx.db().read(&View::All("a test counts")).await.unwrap();
    tx.query_one(&COUNT_EVENTS, &params![ctx.home]).await.unwrap().get(0).unwrap()
}

#[tokio::test]
async fn a_daily_run_deletes_a_days_share_and_proves_it() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        for _ in 0..40 {
            happen(&test, &root, 10).await;
            test.clock.advance(DAY);
            assert_eq!(run(&test.platform).await.unwrap().held, 0);
        }
        let root = test.again(&root).await;
        assert_eq!(left(&root).await, 300);
        let proofs = proofs(&root, 500).await.unwrap();
        assert!(!proofs.is_empty() && proofs.iter().all(|proof| proof.table == "events" && proof.hash.len() == 64));
        assert!(proofs.iter().all(|proof| proof.last_at < proof.before_at && proof.first_at <= proof.last_at));
        assert_eq!(run(&test.platform).await.unwrap(), RunReport::default(), "a second run has nothing to do");
    }
}

#[tokio::test]
async fn a_clock_that_runs_away_deletes_nothing_until_a_person_agrees() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let (_, stranger) = test.provider(&root, "Other").await;
        happen(&test, &root, 200).await;
        test.clock.advance(730 * DAY);
        let report = run(&test.platform).await.unwrap();
        assert!(report.held >= 1);
        assert_eq!(left(&root).await, 200);
        let root = test.again(&root).await;
        let waiting = holds(&root).await.unwrap();
        let hold = waiting.iter().find(|hold| hold.table == "events").unwrap();
        assert!(hold.due_rows >= 200 && hold.confirmed_at.is_none());
        assert_eq!(run(&test.platform).await.unwrap().held, report.held, "waiting is no new hold");
        assert_eq!(confirm(&stranger, "events").await.unwrap_err().kind, Kind::NotFound);
        confirm(&root, "events").await.unwrap();
        run(&test.platform).await.unwrap();
        assert_eq!(left(&root).await, 0);
        assert!(holds(&root).await.unwrap().iter().all(|hold| hold.table != "events"));
    }
}

#[tokio::test]
async fn ended_sessions_go_without_asking() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let sign_in = users::SignIn {
            email: "admin@example.org".to_owned(),
            password: crate::Secret::new(crate::testing::PASSWORD),
            address: None,
            client: String::new(),
            request: String::new(),
        };
        users::sign_in(&test.platform, &sign_in).await.unwrap();
        agents::invite(&root, root.home).await.unwrap();
        let sessions = async || -> i64 {
            let mut tx = test.platform.db().read(&View::All("a test counts")).await.unwrap();
            tx.query_one(&COUNT_SESSIONS, &[]).await.unwrap().get(0).unwrap()
        };
        run(&test.platform).await.unwrap();
        assert_eq!(sessions().await, 1);
        test.clock.advance(3 * DAY);
        run(&test.platform).await.unwrap();
        assert_eq!(sessions().await, 0);
        assert!(proofs(&root, 10).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn whole_months_of_audit_go_and_the_rest_still_verifies() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        set_rule(&root, Class::Audit, 60, Some(0)).await.unwrap();
        test.clock.advance(130 * DAY);
        let root = test.again(&root).await;
        set_rule(&root, Class::Audit, 61, Some(1)).await.unwrap();
        run(&test.platform).await.unwrap();
        let verdict = audit::verify(&root, root.home).await.unwrap();
        assert_eq!((verdict.records, verdict.fault), (1, None));
        let query = audit::AuditQuery { filter: None, page: PageQuery::default() };
        assert!(audit::list(&root, &query).await.unwrap().items.iter().all(|record| record.at > Micros(0)));
    }
}

#[tokio::test]
async fn rules_stay_in_their_range_and_belong_to_administrators() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let error = set_rule(&root, Class::Meter, 30, Some(0)).await.unwrap_err();
        assert_eq!((error.kind, error.field.as_deref()), (Kind::Invalid, Some("days")));
        let rule = set_rule(&root, Class::Event, 90, Some(0)).await.unwrap();
        assert_eq!((rule.days, rule.version), (90, 1));
        assert_eq!(set_rule(&root, Class::Event, 91, Some(0)).await.unwrap_err().kind, Kind::Stale);
        assert_eq!(rules(&root).await.unwrap().iter().find(|rule| rule.class == Class::Event).unwrap().days, 90);
        let manager = test.account(&root, root.home, "m@example.org", Role::Manager).await;
        assert_eq!(rules(&manager).await.unwrap_err().kind, Kind::Forbidden);
        let (_, other) = test.provider(&root, "Other").await;
        assert!(rules(&other).await.unwrap().iter().all(|rule| rule.version == 0));
    }
}

#[test]
fn every_table_that_grows_by_months_has_a_class() {
    for migration in crate::migrations() {
        for part in migration.sql.split("create table ").skip(1) {
            let Some((table, rest)) = part.split_once('(') else { continue };
            let grows = rest.split(");").next().unwrap().contains(" month bigint");
            let known = inventory::iter::<Target>.into_iter().any(|target| target.table == table.trim());
            assert!(known || !grows, "{table} grows and has no retention class; add it to retention/targets.rs");
        }
    }
}
