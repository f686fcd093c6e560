//! Closes that are killed at any statement, and months of whatever is read, late or never.

use std::future::Future;
use std::task::Poll;

use proptest::prelude::*;

use super::*;

/// Polls work so many times, then drops it as a crash would.
async fn killed_after<F: Future>(work: F, polls: usize) -> Option<F::Output> {
    let mut work = std::pin::pin!(work);
    let mut left = polls;
    std::future::poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(cx).map(Some)
    })
    .await
}

/// Some devices with a month behind them, one of them reset, one silent; the period is over.
async fn ready_to_close(test: TestPlatform) -> Site {
    let mut site = Site::on(test).await;
    for number in 1..=5 {
        meet(&mut site, number).await;
        site.counters(number, vec![total(1_000 * u64::from(number))]).await;
        site.wait(60);
    }
    make(&site, NewContract { review_d: Some(0), ..all_devices() }).await;
    for day in [5, 10] {
        for number in 1..=5_u8 {
            let value = if day == 10 && number == 2 { 7 } else { 1_000 * u64::from(number) + day * u64::from(number) };
            site.wait(1_000);
            site.counters(number, vec![total(value)]).await;
        }
        site.wait(5 * 86_400);
    }
    for number in 1..=4_u8 {
        let value = if number == 2 { 12 } else { 1_000 * u64::from(number) + 99 };
        set(&site, Micros(at("2026-03-30T00:00:00Z").0 + i64::from(number)));
        site.counters(number, vec![total(value)]).await;
    }
    set(&site, at("2026-04-01T00:00:00Z"));
    run(&site.test.platform).await.unwrap();
    let ctx = site.person().await;
    let close = every_close(&ctx).await.remove(0);
    assert_eq!(close.state, CloseState::Review);
    for gap in all_gaps(&ctx, close.id).await.into_iter().filter(Gap::is_open) {
        waive(&ctx, close.id, (gap.device, gap.no, gap.kind), "seen").await.unwrap();
    }
    site
}

#[tokio::test]
async fn close_killed_at_any_statement_and_run_again_gives_the_same_bytes() {
    let engines = [false, true];
    for postgres in engines {
        let open = || async move {
            let db = if postgres {
                store::testing::TestDb::postgres().await
            } else {
                Some(store::testing::TestDb::sqlite().await)
            };
            match db {
                Some(db) => Some(TestPlatform::on(db).await),
                None => None,
            }
        };
        let mut expected = None;
        for polls in [usize::MAX, 1, 2, 3, 5, 8, 13] {
            let Some(test) = open().await else { break };
            let site = ready_to_close(test).await;
            site.wait(60);
            let mut kills = 0;
            while killed_after(stages::run_here(&site.test.platform), polls + kills).await.is_none() {
                kills += 1;
                assert!(kills < 400, "it never comes to an end");
            }
            let ctx = site.person().await;
            let close = closed(&ctx, "2026-03").await;
            let documents = documents(&ctx, close.id).await.unwrap();
            assert_eq!(documents.len(), 1);
            let billed: i64 = all_lines(&ctx, close.id).await.iter().map(|line| line.billed).sum();
            let told = crate::events::after(&ctx, 0, 500).await.unwrap();
            let count = |kind: &str| told.iter().filter(|event| event.kind == kind).count();
            assert_eq!((count("close.closed"), count("close.document.issued")), (1, 1), "killed each {polls} steps");
            let found = (documents[0].id, documents[0].sha256.clone(), close.input_hash.clone(), billed);
            assert_eq!(
                *expected.get_or_insert_with(|| found.clone()),
                found,
                "killed {kills} times, each {polls} steps"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn close_bills_exactly_what_was_used_whatever_is_read_late_or_never(
        months in prop::collection::vec((prop::collection::vec((0_u64..3_000, 0_u8..10), 2..5), any::<bool>()), 3..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut site = Site::on(TestPlatform::sqlite().await).await;
            let device = meet(&mut site, 1).await;
            site.counters(1, vec![total(10_000)]).await;
            let new = NewContract { zone: Some("UTC".into()), review_d: Some(0), max_age_d: Some(3), ..all_devices() };
            make(&site, new).await;
            let mut value = 10_000_u64;
            let mut held = Vec::new();
            for (steps, silent) in &months {
                let start = site.test.platform.now();
                for (grown, what) in steps {
                    site.wait(4 * 86_400);
                    // Now and then the counter begins anew.
                    value = if *what == 0 { *grown % 50 } else { value + grown };
                    let body = Body::Counters(CountersBody { meters: vec![total(value)] });
                    let message = site.messages(vec![(Some(subject(1)), body)]);
                    if *silent || *what == 1 { held.extend(message) } else { site.deliver_as(site.agent, 1, message).await.unwrap(); }
                }
                let end = start.0 + 31 * DAY + DAY / 2;
                set_at(&site, end.max(site.test.platform.now().0));
                settle_all(&site).await;
                // What was held comes after the close.
                for message in held.drain(..) {
                    site.deliver_as(site.agent, 1, vec![message]).await.unwrap();
                }
            }
            for _ in 0..2 {
                site.wait(32 * 86_400);
                value += 10;
                site.counters(1, vec![total(value)]).await;
                site.wait(3_600);
                settle_all(&site).await;
            }
            let ctx = site.person().await;
            let (mut billed, mut before, mut closing) = (0, None::<LineRow>, 0);
            for close in every_close(&ctx).await.into_iter().filter(|close| close.state == CloseState::Closed) {
                let line = all_lines(&ctx, close.id).await.remove(0);
                assert!(line.usage >= 0 && line.billed >= 0 && line.carry_out >= 0);
                if let Some(before) = &before {
                    assert_eq!((line.carry_in, line.estimate_in), (before.carry_out, before.estimate));
                }
                billed += line.billed;
                closing = line.closing_at.unwrap().0;
                assert_eq!(document::again(&ctx, close.id).await.unwrap(), documents(&ctx, close.id).await.unwrap()[0].sha256);
                before = Some(line);
            }
            let last = before.unwrap();
            // Used: the sum over the segments until the last reading that was closed with.
            let (_, sums) = crate::meters::rebuild_usage(&ctx, device).await.unwrap();
            let late: i64 = sums.iter().filter(|((grain, hour, _), _)| *grain == 1 && hour * 3_600_000_000 >= closing)
                .map(|(_, sum)| sum.0).sum();
            let used: i64 = sums.iter().filter(|((grain, ..), _)| *grain == 1).map(|(_, sum)| sum.0).sum();
            assert_eq!(billed - last.carry_out - last.estimate, used - late);
        });
    }
}

/// Closes all that is due; a person waives what is in the way.
async fn settle_all(site: &Site) {
    for _ in 0..4 {
        run(&site.test.platform).await.unwrap();
        let ctx = site.person().await;
        for close in every_close(&ctx).await.into_iter().filter(|close| close.state == CloseState::Review) {
            for gap in all_gaps(&ctx, close.id).await.into_iter().filter(Gap::is_open) {
                waive(&ctx, close.id, (gap.device, gap.no, gap.kind), "seen").await.unwrap();
            }
        }
    }
}
