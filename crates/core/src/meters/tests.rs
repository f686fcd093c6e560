//! Meters through reports, on both engines: resets, swaps, wraps, late readings, gaps, sums made again.

use proptest::prelude::*;
use wire::report::CountersBody;
use wire::{Body, ColorMode};

use super::*;
use crate::devices::{DeviceId, DeviceQuery};
use crate::reports::testing::{Site, meter, status, subject, total};
use crate::testing::{START, TestPlatform};

async fn device(site: &mut Site) -> DeviceId {
    site.status(1, status("SERIAL1", |_| {})).await;
    crate::devices::list(&site.person().await, &DeviceQuery::default()).await.unwrap().items[0].id
}

/// Sum of usage by day equals the sum over segments, and the sums made again are the same.
async fn check(site: &Site, device: DeviceId) -> i64 {
    let ctx = site.person().await;
    let (before, after) = rebuild_usage(&ctx, device).await.unwrap();
    let kept = |sums: &Sums| -> Sums {
        sums.iter().filter(|(_, sum)| sum.1 != 0 || sum.0 != 0).map(|(k, v)| (*k, *v)).collect()
    };
    assert_eq!(kept(&before), kept(&after), "the sums made again differ");
    assert!(after.values().all(|sum| sum.0 >= 0), "usage is never negative");
    let segments: i64 = segments(&ctx, device).await.unwrap().iter().map(|s| s.last_value - s.first_value).sum();
    for grain in [1, 2, 3] {
        let sum: i64 = after.iter().filter(|((g, _, _), _)| *g == grain).map(|(_, sum)| sum.0).sum();
        assert_eq!(sum, segments, "grain {grain}");
    }
    segments
}

#[tokio::test]
async fn counter_regression_bills_neither_less_than_nothing_nor_billions() {
    for mut site in Site::each().await {
        let device = device(&mut site).await;
        let wrap = u64::from(u32::MAX);
        let values = [118_000, 118_200, 3, 10, 80_000, 80_050, wrap, 80_060, wrap - 5, wrap - 3, 4, 9, 0, 12];
        for value in values {
            site.wait(3_600);
            site.counters(1, vec![total(value)]).await;
        }
        // Jumps count from their first value, the passing billions and zero not at all; then 8 over the wrap, and 5 and 3.
        assert_eq!(check(&site, device).await, 200 + 7 + 50 + 10 + 2 + 8 + 5 + 3);
        let reasons: Vec<_> =
            segments(&site.person().await, device).await.unwrap().into_iter().map(|s| s.reason).collect();
        assert_eq!(reasons, ["start", "reset", "jump", "jump", "rollover"]);
        let told = crate::events::after(&site.person().await, 0, 500).await.unwrap();
        let count = |kind: &str| told.iter().filter(|event| event.kind == kind).count();
        assert_eq!((count("meter.segment.started"), count("doubt.opened")), (4, 4));
        assert!(told.iter().any(|event| event.kind == "meter.reading.suspected"));
    }
}

#[tokio::test]
async fn counter_regression_readings_out_of_order_give_the_same_sums() {
    for mut site in Site::each().await {
        let device = device(&mut site).await;
        let mut messages = Vec::new();
        for value in [1_000, 1_010, 1_030, 1_060, 1_100] {
            site.wait(86_400);
            let body = Body::Counters(CountersBody { meters: vec![total(value)] });
            messages.extend(site.messages(vec![(Some(subject(1)), body)]));
        }
        messages.swap(1, 3);
        messages.swap(0, 4);
        for message in messages {
            site.deliver_as(site.agent, 1, vec![message]).await.unwrap();
        }
        assert_eq!(check(&site, device).await, 100);
        let ctx = site.person().await;
        let range = Range { from: START, to: ctx.now };
        let days = series(&ctx, device, range, Grain::Day).await.unwrap();
        let totals: Vec<_> = days.points.iter().map(|point| point.total).collect();
        assert_eq!(totals, [None, Some(0), Some(10), Some(20), Some(30), Some(40)]);
    }
}

#[tokio::test]
async fn a_gap_is_no_zero_and_what_spans_it_says_so() {
    for mut site in Site::each().await {
        let device = device(&mut site).await;
        let read = |value, mono| vec![total(value), meter(ColorMode::Mono, mono, "1.3.6.1.4.1.367.1")];
        site.wait(3_600);
        site.counters(1, read(1_000, 600)).await;
        site.wait(3_600);
        site.counters(1, read(1_000, 600)).await;
        site.wait(3 * 3_600);
        site.counters(1, read(1_050, 620)).await;
        let ctx = site.person().await;
        let range = Range { from: START, to: ctx.now };
        let hours = series(&ctx, device, range, Grain::Hour).await.unwrap();
        let totals: Vec<_> = hours.points.iter().map(|point| point.total).collect();
        assert_eq!(totals, [Some(0), Some(0), None, None, Some(50)]);
        assert!(hours.derived_color && hours.points[4].spans_gap && !hours.points[1].spans_gap);
        assert_eq!((hours.points[4].mono, hours.points[4].color), (Some(20), Some(30)));
        let each = series(&ctx, device, range, Grain::Readings).await.unwrap();
        assert!(each.points.iter().filter_map(|point| point.total).sum::<i64>() <= 50);
        let spark = spark(&ctx, &[device]).await.unwrap();
        let bars = &spark[&device].values;
        assert_eq!((bars.len(), bars.iter().flatten().sum::<i64>()), (21, 50));
        let now = current(&ctx, device).await.unwrap();
        assert_eq!((now[0].value, now[0].month, now[0].role.as_deref()), (1_050, 50, Some("total")));
    }
}

#[tokio::test]
async fn bills_have_openings_and_closings() {
    for mut site in Site::each().await {
        let device = device(&mut site).await;
        site.counters(1, vec![total(1_000)]).await;
        for value in [1_400, 1_500, 20, 50, 60] {
            site.wait(10 * 86_400);
            site.counters(1, vec![total(value)]).await;
        }
        let ctx = site.person().await;
        let query = |month| BillingQuery { month, ..BillingQuery::default() };
        // 1, 11, 21 and 31 March, 10 and 20 April; the platform begins on 1 March at noon.
        let march = billing_rows(&ctx, &query(Some(202_603))).await.unwrap().items;
        assert_eq!(
            (march[0].opening, march[0].closing, march[0].usage, march[0].breaks),
            (None, Some(20), Some(500), 1)
        );
        let april = billing_rows(&ctx, &query(None)).await.unwrap().items;
        assert_eq!(
            (april[0].month, april[0].opening, april[0].closing, april[0].usage),
            (202_604, Some(20), Some(60), Some(40))
        );
        // The border lies in March, and so does the flag.
        assert_eq!((march[0].doubt.as_deref(), april[0].doubt.as_deref()), (Some("reset"), None));
        assert_eq!((april[0].device, april[0].customer.as_str(), april[0].breaks), (device, "Root", 0));
        assert!(april[0].closing_at.is_some() && april[0].opening_quality.as_deref() == Some("actual"));
        assert!(billing_rows(&ctx, &query(Some(202_613))).await.is_err());
    }
}

#[tokio::test]
async fn a_new_month_begins_at_none() {
    let mut site = Site::on(TestPlatform::sqlite().await).await;
    device(&mut site).await;
    site.counters(1, vec![total(1_000)]).await;
    site.wait(3_600);
    site.counters(1, vec![total(1_100)]).await;
    let pages = async |site: &Site| {
        let rows = crate::devices::list(&site.person().await, &DeviceQuery::default()).await.unwrap().items;
        (rows[0].pages_month, rows[0].pages_life)
    };
    assert_eq!(pages(&site).await, (100, Some(1_100)));
    site.wait(31 * 86_400);
    crate::devices::reconcile(&site.test.platform).await.unwrap();
    assert_eq!(pages(&site).await, (0, Some(1_100)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn counter_regression_whatever_comes_in_whatever_order_the_sums_hold(
        values in prop::collection::vec((prop_oneof![0_u64..200, 0_u64..200_000, 4_294_967_000_u64..4_294_967_296], 1_u64..9_000), 2..14),
        order in any::<u64>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut site = Site::on(TestPlatform::sqlite().await).await;
            let device = device(&mut site).await;
            let mut messages = Vec::new();
            for (value, pause) in values {
                site.wait(pause);
                let body = Body::Counters(CountersBody { meters: vec![total(value)] });
                messages.extend(site.messages(vec![(Some(subject(1)), body)]));
            }
            let mut state = order;
            for at in (1..messages.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                if order % 3 != 0 {
                    messages.swap(at, (state >> 33) as usize % (at + 1));
                }
            }
            let half = messages.len() / 2;
            let rest = messages.split_off(half);
            for delivery in [messages, rest] {
                if !delivery.is_empty() {
                    site.deliver_as(site.agent, 1, delivery).await.unwrap();
                }
            }
            check(&site, device).await;
        });
    }

    #[test]
    fn counter_regression_late_arrivals_and_repeats_give_what_the_same_readings_give_in_order(
        values in prop::collection::vec((prop_oneof![0_u64..200, 100_000_u64..140_000, 4_294_960_000_u64..4_294_967_296], 3_600_u64..40_000), 2..12),
        order in any::<u64>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut told = Vec::new();
            for shuffled in [false, true] {
                let mut site = Site::on(TestPlatform::sqlite().await).await;
                let device = device(&mut site).await;
                let mut messages = Vec::new();
                for (value, pause) in &values {
                    site.wait(*pause);
                    let body = Body::Counters(CountersBody { meters: vec![total(*value)] });
                    messages.extend(site.messages(vec![(Some(subject(1)), body)]));
                }
                let mut state = order;
                for at in (1..messages.len()).rev().filter(|_| shuffled) {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    messages.swap(at, (state >> 33) as usize % (at + 1));
                }
                for message in messages {
                    site.deliver_as(site.agent, 1, vec![message.clone()]).await.unwrap();
                    // The same reading once more, under another number.
                    site.seq += 1;
                    let again = wire::Message { seq: site.seq, ..message };
                    site.deliver_as(site.agent, 1, vec![again]).await.unwrap();
                }
                let used = check(&site, device).await;
                let ctx = site.person().await;
                let segments: Vec<_> = segments(&ctx, device).await.unwrap().into_iter()
                    .map(|s| (s.no, s.reason, s.first_value, s.last_value, s.from_at, s.last_at)).collect();
                let query = crate::doubts::DoubtQuery { open: Some(true), ..Default::default() };
                let doubts: Vec<_> = crate::doubts::list(&ctx, &query).await.unwrap().items.into_iter()
                    .map(|doubt| (doubt.kind, doubt.at, doubt.pages)).collect();
                told.push((used, segments, doubts));
            }
            assert_eq!(told[0], told[1]);
        });
    }
}
