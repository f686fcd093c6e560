//! Billing through reports, on both engines: periods on days when clocks change, late readings, kills, estimates taken back.

use std::time::Duration;

use wire::report::CountersBody;
use wire::{Body, ColorMode, Message, Outcome, Report};

use super::*;
use crate::devices::{DeviceId, DeviceQuery};
use crate::reports::testing::{Site, meter, status, subject, total};
use crate::testing::TestPlatform;
use crate::time::DAY;
use crate::{Ctx, Micros, PageQuery};

mod kills;
mod together;

const BERLIN: &str = "Europe/Berlin";

fn at(text: &str) -> Micros {
    Micros::parse(text).unwrap()
}

fn words(text: &str) -> MeterWords {
    MeterWords::parse(text).unwrap()
}

fn line(meter: &str, price_micro: i64) -> Line {
    Line {
        no: 0,
        name: String::new(),
        words: words(meter),
        erp_code: Some("PAGES".into()),
        price_micro,
        included: 0,
        factor_milli: 1_000,
    }
}

/// A contract over all devices that begins now.
fn all_devices() -> NewContract {
    NewContract {
        number: "K-1".into(),
        device_filter: Some("*".into()),
        zone: Some(BERLIN.into()),
        currency: Some("EUR".into()),
        lines: vec![line("total", 8_500)],
        ..NewContract::default()
    }
}

async fn make(site: &Site, new: NewContract) -> Contract {
    let ctx = site.person().await;
    create(&ctx, ctx.home, &new).await.unwrap()
}

async fn meet(site: &mut Site, number: u8) -> DeviceId {
    let serial = format!("SERIAL{number}");
    site.status(number, status(&serial, |body| body.address = format!("10.4.0.{number}"))).await;
    let devices = crate::devices::list(&site.person().await, &DeviceQuery::default()).await.unwrap().items;
    devices.iter().find(|device| device.serial.as_deref() == Some(&serial)).unwrap().id
}

/// Moves the clock to a moment.
fn set(site: &Site, moment: Micros) {
    assert!(moment >= site.test.platform.now());
    site.test.clock.set(moment);
}

async fn read(site: &mut Site, number: u8, moment: &str, value: u64) {
    set(site, at(moment));
    site.counters(number, vec![total(value)]).await;
}

async fn every_close(ctx: &Ctx) -> Vec<CloseRow> {
    let page = PageQuery { limit: Some(100), ..PageQuery::default() };
    closes(ctx, &CloseQuery { soonest: true, page, ..CloseQuery::default() }).await.unwrap().items
}

async fn closed(ctx: &Ctx, period: &str) -> CloseRow {
    let all = every_close(ctx).await;
    let found = all.into_iter().find(|close| close.period == period).expect("the period is there");
    assert_eq!(found.state, CloseState::Closed, "{found:?}");
    found
}

async fn all_lines(ctx: &Ctx, close: CloseId) -> Vec<LineRow> {
    lines(ctx, close, &PageQuery { limit: Some(500), ..PageQuery::default() }).await.unwrap().items
}

async fn all_gaps(ctx: &Ctx, close: CloseId) -> Vec<Gap> {
    gaps(ctx, close, &PageQuery::default()).await.unwrap().items
}

#[tokio::test]
async fn a_period_that_runs_shows_the_lines_that_it_will_bill_and_no_others() {
    for mut site in Site::each().await {
        meet(&mut site, 1).await;
        read(&mut site, 1, "2026-03-01T13:00:00Z", 1_000).await;
        let new = NewContract { first_at: Some(at("2026-03-01T14:00:00Z")), ..all_devices() };
        make(&site, NewContract { lines: vec![line("total", 8_500), line("total full", 52_000)], ..new }).await;
        read(&mut site, 1, "2026-03-31T08:00:00Z", 1_400).await;
        set(&site, at("2026-03-31T12:00:00Z"));
        run(&site.test.platform).await.unwrap();
        let ctx = site.person().await;
        let before = all_lines(&ctx, every_close(&ctx).await[0].id).await;
        set(&site, at("2026-03-31T22:00:00Z"));
        run(&site.test.platform).await.unwrap();
        let ctx = site.person().await;
        let billed = all_lines(&ctx, closed(&ctx, "2026-03").await.id).await;
        let told = |lines: &[LineRow]| lines.iter().map(|line| (line.no, line.billed)).collect::<Vec<_>>();
        assert_eq!((told(&before), told(&billed)), (vec![(1, 400)], vec![(1, 400)]), "it has no counter of colour");
    }
}

#[tokio::test]
async fn close_of_a_month_is_made_once_and_a_rerun_gives_the_same_bytes() {
    for mut site in Site::each().await {
        let (one, two) = (meet(&mut site, 1).await, meet(&mut site, 2).await);
        read(&mut site, 1, "2026-03-01T13:00:00Z", 1_000).await;
        read(&mut site, 2, "2026-03-01T13:01:00Z", 500).await;
        let new = NewContract { first_at: Some(at("2026-03-01T14:00:00Z")), ..all_devices() };
        let contract =
            make(&site, NewContract { lines: vec![Line { included: 100, ..line("total", 8_500) }], ..new }).await;
        read(&mut site, 1, "2026-03-30T08:00:00Z", 1_400).await;
        read(&mut site, 2, "2026-03-31T21:59:00Z", 530).await;
        set(&site, at("2026-03-31T21:59:59Z"));
        assert_eq!(run(&site.test.platform).await.unwrap(), Moved { gathering: 1, ..Moved::default() });
        set(&site, at("2026-03-31T22:00:00Z"));
        assert_eq!(run(&site.test.platform).await.unwrap(), Moved { review: 1, closed: 1, ..Moved::default() });
        let ctx = site.person().await;
        let close = closed(&ctx, "2026-03").await;
        assert_eq!((close.contract, close.to_at, close.devices), (contract.id, at("2026-03-31T22:00:00Z"), 2));
        let lines = all_lines(&ctx, close.id).await;
        let billed: Vec<_> = lines.iter().map(|line| (line.device, line.usage, line.billed)).collect();
        assert_eq!(billed, [(one, 400, 400), (two, 30, 30)]);
        let total = &totals(&ctx, close.id).await.unwrap()[0];
        assert_eq!((total.units, total.gross_micro, total.credit_micro), (430, 3_655_000, 850_000));
        assert_eq!(total.amount_micro, 330 * 8_500);
        let (document, bytes) = document(&ctx, close.id, 1).await.unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!((text.lines().count(), document.line_count), (4, 3), "{text}");
        assert!(text.contains("SERIAL1") && text.contains("2.805") && !text.contains('\r'));
        // Again, an hour and a day later: nothing new, the same id and hash.
        for wait in [3_600, 86_400] {
            site.wait(wait);
            run(&site.test.platform).await.unwrap();
            let ctx = site.person().await;
            assert_eq!(documents(&ctx, close.id).await.unwrap(), std::slice::from_ref(&document));
            let again = document::again(&ctx, close.id).await.unwrap();
            assert_eq!((again.as_str(), all_lines(&ctx, close.id).await), (document.sha256.as_str(), lines.clone()));
        }
        let next = every_close(&ctx).await;
        assert_eq!(next.len(), 2);
        assert_eq!((next[1].state, next[1].from_at), (CloseState::Scheduled, close.to_at));
        let told = crate::events::after(&ctx, 0, 500).await.unwrap();
        let count = |kind: &str| told.iter().filter(|event| event.kind == kind).count();
        assert_eq!((count("close.closed"), count("close.document.issued"), count("close.review.started")), (1, 1, 1));
    }
}

#[tokio::test]
async fn close_at_local_midnight_of_a_dst_day_and_a_late_reading_goes_to_the_next_period() {
    for mut site in Site::each().await {
        meet(&mut site, 1).await;
        // 25 October 2026 has 25 hours in Berlin: its midnight is 22:00 UTC, that of the 26th 23:00 UTC.
        read(&mut site, 1, "2026-10-24T21:00:00Z", 1_000).await;
        let first_at = Some(at("2026-10-24T22:00:00Z"));
        let new = NewContract { due_day: Some(26), first_at, max_age_d: Some(1), ..all_devices() };
        make(&site, new).await;
        read(&mut site, 1, "2026-10-25T22:59:00Z", 1_050).await;
        // Read before the end, but on the way until after it.
        site.wait(30);
        let body = Body::Counters(CountersBody { meters: vec![total(1_060)] });
        let late = site.messages(vec![(Some(subject(1)), body)]);
        set(&site, at("2026-10-25T22:59:59Z"));
        run(&site.test.platform).await.unwrap();
        assert_eq!(every_close(&site.person().await).await[0].state, CloseState::Gathering, "an hour is left");
        set(&site, at("2026-10-25T23:00:00Z"));
        run(&site.test.platform).await.unwrap();
        let ctx = site.person().await;
        let close = closed(&ctx, "2026-10").await;
        let kept = documents(&ctx, close.id).await.unwrap();
        assert_eq!(all_lines(&ctx, close.id).await[0].billed, 50);
        site.wait(3_600);
        let outcomes: Vec<Outcome> =
            site.deliver_as(site.agent, 1, late).await.unwrap().results.into_iter().map(|r| r.outcome).collect();
        assert_eq!(outcomes, [Outcome::Stored]);
        read(&mut site, 1, "2026-11-25T22:00:00Z", 1_200).await;
        set(&site, at("2026-11-26T00:00:00Z"));
        run(&site.test.platform).await.unwrap();
        let ctx = site.person().await;
        let next = closed(&ctx, "2026-11").await;
        let line = &all_lines(&ctx, next.id).await[0];
        assert_eq!((line.opening, line.closing, line.usage, line.billed), (Some(1_050), Some(1_200), 150, 150));
        assert_eq!(documents(&ctx, close.id).await.unwrap(), kept, "what was closed did not change");
        assert_eq!(document::again(&ctx, close.id).await.unwrap(), kept[0].sha256);
    }
}

#[tokio::test]
async fn close_estimates_who_is_silent_and_takes_it_back_to_the_page() {
    for mut site in Site::each().await {
        meet(&mut site, 1).await;
        read(&mut site, 1, "2026-03-01T13:00:00Z", 1_000).await;
        let new = NewContract { zone: Some("UTC".into()), first_at: Some(at("2026-03-01T13:00:00Z")), ..all_devices() };
        make(&site, new).await;
        read(&mut site, 1, "2026-03-31T13:00:00Z", 1_300).await;
        set(&site, at("2026-04-01T00:00:00Z"));
        run(&site.test.platform).await.unwrap();
        // Nobody reads it in April: ten a day are estimated, once the review is over.
        set(&site, at("2026-05-01T00:01:00Z"));
        run(&site.test.platform).await.unwrap();
        let ctx = site.person().await;
        let april = every_close(&ctx).await.into_iter().find(|close| close.period == "2026-04").unwrap();
        assert_eq!((april.state, april.gaps, april.open_gaps), (CloseState::Review, 1, 0));
        let gap = &all_gaps(&ctx, april.id).await[0];
        assert_eq!((gap.value, gap.estimate), (Some(1_300), Some(304)), "30 days and 11 hours at ten a day");
        set(&site, at("2026-05-04T00:00:00Z"));
        run(&site.test.platform).await.unwrap();
        let ctx = site.person().await;
        let line = all_lines(&ctx, closed(&ctx, "2026-04").await.id).await.remove(0);
        assert_eq!((line.usage, line.estimate, line.billed, line.quality.as_str()), (0, 304, 304, "estimated"));
        // It had printed 100 since; then 500 more.
        let mut billed = vec![300, line.billed];
        for (month, value, expected) in [("05", 1_400, (100, 304, 0, 0, 204)), ("06", 1_900, (500, 0, 204, 296, 0))] {
            read(&mut site, 1, &format!("2026-{month}-28T00:00:00Z"), value).await;
            set(&site, at(&format!("2026-0{}-01T00:00:00Z", month.parse::<u8>().unwrap() + 1)));
            run(&site.test.platform).await.unwrap();
            let ctx = site.person().await;
            let line = all_lines(&ctx, closed(&ctx, &format!("2026-{month}")).await.id).await.remove(0);
            let found = (line.usage, line.estimate_in, line.carry_in, line.billed, line.carry_out);
            assert_eq!(found, expected, "{month}");
            billed.push(line.billed);
        }
        assert_eq!(billed.iter().sum::<i64>(), 900, "what was billed is what was used");
    }
}

#[tokio::test]
async fn close_waits_for_a_person_where_nothing_can_be_estimated() {
    for mut site in Site::each().await {
        let ids = [meet(&mut site, 1).await, meet(&mut site, 2).await, meet(&mut site, 3).await];
        for number in 1..=2 {
            read(&mut site, number, &format!("2026-03-01T13:0{number}:00Z"), 1_000).await;
        }
        let lines = vec![line("total", 8_500), Line { erp_code: None, ..line("total full", 65_000) }];
        let new = NewContract { lines, estimate: Estimate::None, zone: Some("UTC".into()), ..all_devices() };
        make(&site, new).await;
        set(&site, at("2026-03-31T12:00:00Z"));
        let both = vec![total(1_200), meter(ColorMode::Full, 70, "1.3.6.1.4.1.367.2")];
        site.counters(1, both).await;
        set(&site, at("2026-04-10T00:00:00Z"));
        crate::devices::reconcile(&site.test.platform).await.unwrap();
        run(&site.test.platform).await.unwrap();
        let ctx = site.person().await;
        let close = every_close(&ctx).await.remove(0);
        let found: Vec<_> = all_gaps(&ctx, close.id).await.iter().map(|gap| (gap.device, gap.no, gap.kind)).collect();
        let expected = [(ids[0], 2, GapKind::Unmapped), (ids[1], 1, GapKind::Silent), (ids[2], 1, GapKind::Unmapped)];
        assert_eq!((found.as_slice(), close.open_gaps), (expected.as_slice(), 3));
        assert_eq!(close_now(&ctx, close.id).await.unwrap_err().kind, crate::Kind::Conflict);
        // One is mapped, one is read by hand, the others are waived by name.
        let new = NewMap {
            vendor: "ricoh".into(),
            model: "im c3000".into(),
            device: None,
            words: words("total full"),
            erp_code: "COLOUR".into(),
        };
        map(&ctx, ctx.home, &new).await.unwrap();
        let by_hand = |value| ManualRead { device: ids[1], no: 1, value, at: Some(at("2026-03-31T23:00:00Z")) };
        assert_eq!(read_by_hand(&ctx, close.id, &by_hand(900)).await.unwrap_err().field.as_deref(), Some("value"));
        read_by_hand(&ctx, close.id, &by_hand(1_080)).await.unwrap();
        assert!(waive(&ctx, close.id, (ids[2], 1, GapKind::Unmapped), " ").await.is_err(), "a reason is needed");
        waive(&ctx, close.id, (ids[2], 1, GapKind::Unmapped), "has no such counter").await.unwrap();
        let done = close_now(&ctx, close.id).await.unwrap();
        assert_eq!((done.state, done.closed_by.as_deref()), (CloseState::Closed, Some("Ada Admin")));
        let lines = all_lines(&ctx, close.id).await;
        let billed: Vec<_> =
            lines.iter().map(|l| (l.device, l.no, l.billed, l.quality.as_str(), l.erp_code.as_deref())).collect();
        let expected = [
            (ids[0], 1, 200, "actual", Some("PAGES")),
            (ids[0], 2, 0, "actual", Some("COLOUR")),
            (ids[1], 1, 80, "manual", Some("PAGES")),
        ];
        assert_eq!(billed, expected);
        let (_, bytes) = document(&ctx, close.id, 1).await.unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.lines().filter(|line| line.starts_with("missing,")).count(), 1);
        assert!(text.contains("Ada Admin") && text.contains("has no such counter"));
        let late = waive(&ctx, close.id, (ids[1], 1, GapKind::Silent), "x").await.unwrap_err();
        assert_eq!(late.kind, crate::Kind::Conflict, "what is closed does not change");
    }
}

#[tokio::test]
async fn usage_is_never_negative_whatever_a_counter_does_and_each_border_is_a_row() {
    let (wrap, mega, ten) = (1_u64 << 32, 1_000_000_u64, 10_000_000_u64);
    // Values at noon of days that follow, what is used over all, and why segments began.
    let cases: [(&str, Vec<u64>, i64, &[&str]); 6] = [
        ("rollover of 2^32", vec![wrap - 100, wrap - 40, 20, 50], 150, &["rollover"]),
        ("wrap at 10^6", vec![mega - 100, mega - 40, 20, 50], 90, &["reset"]),
        ("wrap at 10^7", vec![ten - 100, ten - 40, 20, 50], 90, &["reset"]),
        ("reset", vec![50_000, 50_100, 5, 30], 125, &["reset"]),
        ("decrease", vec![50_000, 50_100, 49_000, 49_020], 120, &["set_back"]),
        ("jump by a thousand", vec![50_000, 50_100, 50_100_000, 50_100_020], 120, &["jump"]),
    ];
    for mut site in Site::each().await {
        let contract =
            make(&site, NewContract { zone: Some("UTC".into()), max_age_d: Some(60), ..all_devices() }).await;
        for (number, (name, values, _, _)) in (1_u8..).zip(&cases) {
            meet(&mut site, number).await;
            for (day, value) in (0..).zip(values) {
                let minute = i64::from(number) * 60_000_000;
                let _ = (name, set_at(&site, at("2026-03-02T00:00:00Z").0 + day * DAY / 24 + minute));
                site.counters(number, vec![total(*value)]).await;
            }
            site.test.clock.set(at("2026-03-02T00:00:00Z"));
        }
        set(&site, at("2026-04-01T00:00:00Z"));
        run(&site.test.platform).await.unwrap();
        let ctx = site.person().await;
        let close = every_close(&ctx).await.remove(0);
        assert_eq!((close.contract, close.state), (contract.id, CloseState::Review), "doubts wait for a person");
        let gaps = all_gaps(&ctx, close.id).await;
        let lines = all_lines(&ctx, close.id).await;
        for (number, (name, values, used, reasons)) in (1_u8..).zip(&cases) {
            let serial = format!("SERIAL{number}");
            let line = lines.iter().find(|line| line.serial.as_deref() == Some(&serial)).unwrap();
            assert_eq!((line.usage, line.billed), (*used, *used), "{name}");
            let found: Vec<_> = line.breaks.iter().map(|border| border.reason.as_str()).collect();
            assert_eq!(&found, reasons, "{name}");
            assert_eq!(line.breaks[0].after, i64::try_from(values[2]).unwrap(), "{name}");
            // One doubt each, told once; the close lists it.
            let of_device: Vec<_> = gaps.iter().filter(|gap| gap.device == line.device).collect();
            assert_eq!(of_device.len(), 1, "{name}: {of_device:?}");
            assert_eq!(of_device[0].kind, GapKind::Suspect, "{name}");
        }
        let told = crate::events::after(&ctx, 0, 500).await.unwrap();
        assert_eq!(told.iter().filter(|event| event.kind == "doubt.opened").count(), cases.len());
        // And one alert each, however often it is looked.
        let looked = [crate::doubts::alarm(&site.test.platform).await, crate::doubts::alarm(&site.test.platform).await];
        assert_eq!(looked.map(Result::unwrap), [cases.len() as u64, 0]);
        let alerts = crate::alerts::list(&ctx, &crate::alerts::AlertQuery::default()).await.unwrap().items;
        let jumps = alerts.iter().filter(|alert| alert.reason == "platen-meter-jump").count();
        let falls = alerts.iter().filter(|alert| alert.reason == "platen-meter-decrease").count();
        assert_eq!((jumps, falls), (1, cases.len() - 1));
        for gap in &gaps {
            waive(&ctx, close.id, (gap.device, gap.no, gap.kind), "seen").await.unwrap();
        }
        close_now(&ctx, close.id).await.unwrap();
        let (_, bytes) = document(&ctx, close.id, 1).await.unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.lines().filter(|line| line.starts_with("adjustment,")).count(), cases.len(), "{text}");
    }
}

fn set_at(site: &Site, moment: i64) {
    site.test.clock.set(Micros(moment));
}

/// Delivers counters as a sender whose clock says `clock` while it is `now`: each reading by the sender's clock.
async fn tell(site: &mut Site, now: Micros, clock: Micros, readings: &[(i64, u64)]) {
    set(site, now);
    let (_, ctx) = crate::agents::key_of(&site.test.platform, site.agent).await.unwrap().unwrap();
    let messages = readings
        .iter()
        .map(|(taken_ms, value)| {
            site.seq += 1;
            let body = Body::Counters(CountersBody { meters: vec![total(*value)] });
            Message { seq: site.seq, taken_ms: *taken_ms, subject: Some(subject(1)), body }
        })
        .collect();
    let (version, sender, epoch, plan_revision) = (1, site.agent, 1, 1);
    let report = Report { version, sender, epoch, clock_ms: clock.as_millis(), mono_ms: 0, messages, plan_revision };
    let reply = crate::reports::accept(&ctx, report).await.unwrap();
    assert!(reply.results.iter().all(|result| result.outcome == Outcome::Stored));
}

#[tokio::test]
async fn clocks_that_are_wrong_bill_by_corrected_time_and_are_flagged_and_nothing_is_rewritten() {
    let ten_years = Duration::from_secs(3_652 * 86_400);
    let now = at("2026-03-31T21:00:00Z");
    // What the sender's clock says at `now`; when it says the reading was taken; whether that is told.
    let cases = [
        ("right", now, now, false),
        ("ten years behind", now - ten_years, now - ten_years, true),
        ("a day ahead", now + Duration::from_secs(86_400), now + Duration::from_secs(86_400), true),
        ("1970", Micros(0), Micros(0), true),
        ("a leap second", now - Duration::from_secs(1), now - Duration::from_secs(1), false),
        // Taken, then the clock was set back by a day before the report was sent.
        ("backward mid-batch", now - Duration::from_secs(86_400), now, true),
    ];
    for (name, clock, taken, flagged) in cases {
        for mut site in Site::each().await {
            meet(&mut site, 1).await;
            read(&mut site, 1, "2026-03-01T13:00:00Z", 1_000).await;
            make(&site, all_devices()).await;
            let back = clock.as_millis() - now.as_millis();
            let before_last = taken.as_millis() - 60_000;
            let last = if name == "backward mid-batch" { taken.as_millis() + back } else { taken.as_millis() };
            tell(&mut site, now, clock, &[(before_last, 1_090), (last, 1_100)]).await;
            read(&mut site, 1, "2026-03-31T22:30:00Z", 1_111).await;
            run(&site.test.platform).await.unwrap();
            let ctx = site.person().await;
            let close = closed(&ctx, "2026-03").await;
            let line = all_lines(&ctx, close.id).await.remove(0);
            assert_eq!((line.closing, line.billed), (Some(1_100), 100), "{name}: by the time that it was");
            let (_, bytes) = document(&ctx, close.id, 1).await.unwrap();
            let told = String::from_utf8(bytes).unwrap();
            assert_eq!(
                (line.clock_offset_ms != 0, line.clock_offset_ms),
                (flagged, if flagged { -back } else { 0 }),
                "{name}"
            );
            assert!(!flagged || told.contains(&(-back / 1_000).to_string()), "{name}");
            // The raw report says what the sender said.
            let taken_as_told = crate::reports::testing::told_times(&site.test.platform).await;
            assert!(taken_as_told.contains(&before_last) && taken_as_told.contains(&last), "{name}");
        }
    }
}

#[tokio::test]
async fn a_device_under_a_contract_by_name_is_billed_by_date_and_by_no_other() {
    for mut site in Site::each().await {
        let device = meet(&mut site, 1).await;
        read(&mut site, 1, "2026-03-01T13:00:00Z", 1_000).await;
        let first_at = Some(at("2026-03-01T13:00:00Z"));
        let utc = || NewContract { zone: Some("UTC".into()), first_at, ..all_devices() };
        let named = make(&site, NewContract { device_filter: None, ..utc() }).await;
        let all = make(&site, NewContract { number: "K-2".into(), ..utc() }).await;
        let ctx = site.person().await;
        assign(&ctx, named.id, device, Some(at("2026-03-10T00:00:00Z"))).await.unwrap();
        assert_eq!(assign(&ctx, all.id, device, None).await.unwrap_err().kind, crate::Kind::Conflict);
        for (day, value) in [("05", 1_050), ("09", 1_100), ("31", 1_300)] {
            read(&mut site, 1, &format!("2026-03-{day}T12:00:00Z"), value).await;
        }
        set(&site, at("2026-04-01T00:00:00Z"));
        run(&site.test.platform).await.unwrap();
        let ctx = site.person().await;
        let mut billed = Vec::new();
        for close in every_close(&ctx).await.into_iter().filter(|close| close.state == CloseState::Closed) {
            billed.extend(all_lines(&ctx, close.id).await.into_iter().map(|line| (close.contract, line.billed)));
        }
        assert_eq!(billed, [(named.id, 200)], "from the reading before its first day");
        let page = assignments(&ctx, named.id, &PageQuery::default()).await.unwrap();
        assert_eq!((page.items.len(), page.items[0].device), (1, device));
        unassign(&ctx, named.id, device, None).await.unwrap();
        assign(&ctx, all.id, device, None).await.unwrap();
    }
}

#[tokio::test]
async fn a_correction_is_a_document_of_its_own_and_is_billed_in_the_next_period() {
    for mut site in Site::each().await {
        meet(&mut site, 1).await;
        read(&mut site, 1, "2026-03-01T13:00:00Z", 1_000).await;
        make(&site, NewContract { zone: Some("UTC".into()), ..all_devices() }).await;
        read(&mut site, 1, "2026-03-30T12:00:00Z", 1_300).await;
        set(&site, at("2026-03-31T12:00:00Z"));
        let body = Body::Counters(CountersBody { meters: vec![total(1_340)] });
        let late = site.messages(vec![(Some(subject(1)), body)]);
        set(&site, at("2026-04-01T00:00:00Z"));
        run(&site.test.platform).await.unwrap();
        let ctx = site.person().await;
        let close = closed(&ctx, "2026-03").await;
        assert_eq!(correct(&ctx, close.id, "looked").await.unwrap_err().kind, crate::Kind::Conflict, "nothing differs");
        site.wait(60);
        site.deliver_as(site.agent, 1, late).await.unwrap();
        let ctx = site.person().await;
        let correction = correct(&ctx, close.id, "a late reading").await.unwrap();
        assert_eq!((correction.no, correction.corrects), (2, Some(documents(&ctx, close.id).await.unwrap()[0].id)));
        assert_eq!(correct(&ctx, close.id, "a late reading").await.unwrap(), correction, "once");
        let (_, bytes) = document(&ctx, close.id, 2).await.unwrap();
        assert!(String::from_utf8(bytes).unwrap().contains(",300,340,40,"));
        assert_eq!(all_lines(&ctx, close.id).await[0].billed, 300, "its lines stay");
    }
}

#[tokio::test]
async fn a_document_is_mailed_once_to_whom_the_contract_names() {
    for mut site in Site::each().await {
        meet(&mut site, 1).await;
        read(&mut site, 1, "2026-03-01T13:00:00Z", 1_000).await;
        let mail_to = "billing@example.com, dealer@example.org".to_owned();
        make(&site, NewContract { zone: Some("UTC".into()), mail_to, ..all_devices() }).await;
        read(&mut site, 1, "2026-03-30T12:00:00Z", 1_300).await;
        set(&site, at("2026-04-01T00:00:00Z"));
        for _ in 0..2 {
            run(&site.test.platform).await.unwrap();
        }
        let ctx = site.person().await;
        let close = closed(&ctx, "2026-03").await;
        assert!(documents(&ctx, close.id).await.unwrap()[0].mailed_at.is_some());
        let mut tx = ctx.db().read(&ctx.scope.view()).await.unwrap();
        let text = "select title, text from notifications where kind = 'close'";
        let rows = tx.query(&store::Sql::built(text.into()), &[]).await.unwrap();
        assert_eq!(rows.len(), 2);
        let (title, text): (String, String) = (rows[0].get(0).unwrap(), rows[0].get(1).unwrap());
        assert!(title.contains("K-1 2026-03") && text.contains("2.55 EUR"), "{title}: {text}");
    }
}

#[test]
fn words_of_a_counter_read_as_they_are_written() {
    for text in ["total", "print full large", "copy mono", "total full sheets", "scan two-sided"] {
        assert_eq!(words(text).to_string(), text);
    }
    assert!(
        MeterWords::parse("colour").is_err()
            && MeterWords::parse("").is_err()
            && MeterWords::parse("print blue").is_err()
    );
}
