//! Registered devices tell their kinds; every repeat has one effect. On both engines.

use std::collections::BTreeMap;
use std::time::Duration;

use store::{Sql, View};
use wire::monitor::{
    CounterSet, Dictionary, EnvironmentBody, EnvironmentSample, EventBody, Kind as Told, LogBody, RomBody, RomVersion,
    ServiceBody, ServiceValue,
};
use wire::{Body, Message, Outcome, Reply, Report, Subject};

use super::{
    ToldQuery, TroubleQuery, compare, counters, events, history, latest, rules, sets, told, told_steps, troubles,
};
use crate::alerts::{self, AlertQuery};
use crate::devices::{self, Comm, DeviceQuery};
use crate::monitors;
use crate::reports::testing::{monitor, status};
use crate::testing::TestPlatform;
use crate::{Ctx, DeviceId, Micros, meters};

/// A registered device that passed its communication test.
struct Unit {
    test: TestPlatform,
    root: Ctx,
    sender: Subject,
    seq: u64,
}

impl Unit {
    async fn each() -> Vec<Self> {
        let mut all = Vec::new();
        for test in TestPlatform::each().await {
            let root = test.root().await;
            let sender = monitor(&test, &root, ("ricoh", "QMA00123", "IM C3000"), |_| {}).await;
            all.push(Self { test, root, sender, seq: 0 });
        }
        all
    }

    /// With its first status told.
    async fn known() -> Vec<Self> {
        let mut all = Self::each().await;
        for unit in &mut all {
            let first = Body::Status(Box::new(status("QMA00123", |_| {})));
            assert_eq!(unit.tell(vec![first]).await, [Outcome::Stored]);
        }
        all
    }

    fn now_ms(&self) -> i64 {
        self.test.platform.now().as_millis()
    }

    async fn send(&self, messages: Vec<Message>) -> Reply {
        let ctx = monitors::key_of(&self.test.platform, self.sender).await.unwrap().unwrap().1;
        let clock_ms = ctx.now.as_millis();
        let sender = self.sender;
        let report = Report { version: 1, sender, epoch: 1, clock_ms, mono_ms: 0, messages, plan_revision: 1 };
        crate::reports::accept(&ctx, report).await.unwrap()
    }

    fn message(&mut self, taken_ms: i64, body: Body) -> Message {
        self.seq += 1;
        Message { seq: self.seq, taken_ms, subject: None, body }
    }

    async fn outcomes(&self, messages: Vec<Message>) -> Vec<Outcome> {
        self.send(messages).await.results.iter().map(|result| result.outcome).collect()
    }

    async fn tell_at(&mut self, taken_ms: i64, bodies: Vec<Body>) -> Vec<Outcome> {
        let messages = bodies.into_iter().map(|body| self.message(taken_ms, body)).collect();
        self.outcomes(messages).await
    }

    async fn tell(&mut self, bodies: Vec<Body>) -> Vec<Outcome> {
        self.tell_at(self.now_ms(), bodies).await
    }

    async fn person(&self) -> Ctx {
        self.test.again(&self.root).await
    }

    async fn device(&self) -> DeviceId {
        devices::list(&self.person().await, &DeviceQuery::default()).await.unwrap().items[0].id
    }

    async fn count(&self, table: &str) -> i64 {
        let mut tx = self.test.platform.db().read(&View::All("a test counts rows")).await.unwrap();
        tx.query_one(&Sql::built(format!("select count(*) from {table}")), &[]).await.unwrap().get(0).unwrap()
    }

    async fn alerts(&self) -> Vec<(String, Option<i64>)> {
        let page = alerts::list(&self.person().await, &AlertQuery { open: Some(true), ..AlertQuery::default() })
            .await
            .unwrap();
        page.items.into_iter().map(|row| (row.reason, row.code)).collect()
    }
}

fn event(code: &str, standing: Option<bool>) -> EventBody {
    EventBody { code: code.into(), total: Some(1_000), standing, ..EventBody::default() }
}

fn dictionary() -> Dictionary {
    let names = [(1, "total/all/all/all/impressions"), (2, "print/mono/all/all/impressions"), (3, "parts.fuser")];
    Dictionary { model: "IM C3000".into(), names: names.map(|(id, name)| (id, name.to_owned())).into() }
}

fn set(base_seq: Option<u64>, values: &[(u32, i64)]) -> CounterSet {
    CounterSet { base_seq, values: values.iter().copied().collect(), dictionary: rules::hash(&dictionary()) }
}

#[tokio::test]
async fn an_event_told_again_under_another_number_has_no_second_effect() {
    for mut unit in Unit::known().await {
        let at = unit.now_ms();
        for _ in 0..3 {
            let told = vec![Body::Jam(event("0107", None)), Body::Error(event("E740-0001", Some(true)))];
            assert_eq!(unit.tell_at(at, told).await, [Outcome::Stored; 2]);
        }
        let again = Message { seq: unit.seq, taken_ms: at, subject: None, body: Body::Jam(event("0107", None)) };
        assert_eq!(unit.outcomes(vec![again]).await, [Outcome::Duplicate]);
        assert_eq!((unit.count("device_events").await, unit.count("alerts").await), (2, 1));
        unit.tell_at(at + 1, vec![Body::Jam(event("0107", None))]).await;
        let root = unit.person().await;
        let rows = events(&root, unit.device().await, 10).await.unwrap();
        assert_eq!(rows.len(), 3, "another moment is another jam: {rows:?}");
        let found =
            troubles(&root, &TroubleQuery { code: Some("0107".into()), ..TroubleQuery::default() }).await.unwrap();
        assert_eq!(
            found.iter().map(|t| (t.vendor.as_str(), t.model.as_str(), t.events, t.devices)).collect::<Vec<_>>(),
            [("ricoh", "IM C3000", 2, 1)]
        );
        let (_, stranger) = unit.test.customer(&root, "customer").await;
        assert!(troubles(&stranger, &TroubleQuery::default()).await.unwrap().is_empty());
        assert!(events(&stranger, unit.device().await, 10).await.is_err());
    }
}

#[tokio::test]
async fn a_standing_error_is_an_alert_until_the_device_takes_it_back_in_whatever_order() {
    for mut unit in Unit::known().await {
        let at = unit.now_ms();
        let told = vec![Body::Jam(event("0107", Some(true))), Body::Error(event("740", Some(true)))];
        unit.tell_at(at, told).await;
        let mut open = unit.alerts().await;
        open.sort();
        assert_eq!(open, [("media-jam".to_owned(), Some(107)), ("service-needed".to_owned(), Some(740))]);
        unit.test.clock.advance(Duration::from_secs(60));
        let calm = Body::Status(Box::new(status("QMA00123", |body| body.quirks = vec!["x".into()])));
        unit.tell(vec![calm]).await;
        assert_eq!(unit.alerts().await.len(), 2, "a condition without it is not its end");
        let late = unit.message(at + 5_000, Body::Jam(event("0107", Some(true))));
        unit.tell_at(at + 9_000, vec![Body::Jam(event("0107", Some(false)))]).await;
        assert_eq!(unit.outcomes(vec![late]).await, [Outcome::Stored]);
        assert_eq!(unit.alerts().await, [("service-needed".to_owned(), Some(740))], "the older word came later");
        unit.tell(vec![Body::Error(event("740", Some(false)))]).await;
        assert!(unit.alerts().await.is_empty());
    }
}

#[tokio::test]
async fn counters_wait_for_their_dictionary_and_become_meters() {
    for mut unit in Unit::known().await {
        let at = unit.now_ms();
        let full = unit.message(at, Body::Billing(set(None, &[(1, 500), (2, 400), (3, 9)])));
        assert_eq!(unit.outcomes(vec![full.clone()]).await, [Outcome::NeedFull]);
        assert_eq!(unit.count("counter_snapshots").await, 0);
        let words = unit.message(at, Body::Dictionary(dictionary()));
        let replies = unit.outcomes(vec![words, full.clone()]).await;
        assert_eq!(replies, [Outcome::Stored; 2], "its number was kept free");
        assert_eq!(unit.outcomes(vec![full.clone()]).await, [Outcome::Duplicate]);
        let again = unit.message(at, full.body.clone());
        assert_eq!(unit.outcomes(vec![again]).await, [Outcome::Stored]);
        assert_eq!((unit.count("counter_snapshots").await, unit.count("readings").await), (1, 2));
        let (root, device) = (unit.person().await, unit.device().await);
        let mut found: Vec<_> =
            meters::current(&root, device).await.unwrap().into_iter().map(|m| (m.function, m.value)).collect();
        found.sort();
        assert_eq!(found, [("print".to_owned(), 400), ("total".to_owned(), 500)]);
        let whole = counters(&root, device, Told::Billing).await.unwrap().unwrap();
        assert_eq!((whole.model.as_str(), whole.values["parts.fuser"]), ("IM C3000", 9));
    }
}

#[tokio::test]
async fn a_change_is_laid_onto_its_base_and_needs_a_full_set_without_one() {
    for mut unit in Unit::known().await {
        let at = unit.now_ms();
        let full = unit.message(at, Body::Billing(set(None, &[(1, 500), (2, 400)])));
        let base = full.seq;
        let words = unit.message(at, Body::Dictionary(dictionary()));
        assert_eq!(unit.outcomes(vec![words, full]).await, [Outcome::Stored; 2]);
        unit.test.clock.advance(Duration::from_secs(3_600));
        assert_eq!(unit.tell(vec![Body::Billing(set(Some(base), &[(1, 510)]))]).await, [Outcome::Stored]);
        for missing in [base + 1, 99, 0, 1 << 60] {
            let told = unit.tell(vec![Body::Billing(set(Some(missing), &[(1, 520)]))]).await;
            assert_eq!(told, [Outcome::NeedFull], "{missing}");
        }
        assert_eq!(unit.tell(vec![Body::Parts(set(Some(base), &[(3, 1)]))]).await, [Outcome::NeedFull], "another kind");
        let (root, device) = (unit.person().await, unit.device().await);
        let whole = counters(&root, device, Told::Billing).await.unwrap().unwrap();
        let values: BTreeMap<_, _> = whole.values.into_iter().collect();
        assert_eq!(values["total/all/all/all/impressions"], 510);
        assert_eq!(values["print/mono/all/all/impressions"], 400);
        let total = meters::current(&root, device).await.unwrap();
        assert!(total.iter().any(|m| m.function == "total" && m.value == 510), "{total:?}");
    }
}

#[tokio::test]
async fn versions_become_components_and_measurements_are_kept_once() {
    for mut unit in Unit::known().await {
        let rom = |version: &str| {
            Body::Rom(RomBody { parts: vec![RomVersion { part: "main".into(), version: version.into() }] })
        };
        let at = unit.now_ms();
        let sample = EnvironmentSample { at_ms: at, temperature_dc: 231, humidity_pm: 402, fuser_dc: None };
        let values = vec![ServiceValue { path: "COPIER/DISPLAY".into(), value: "3".into(), adjusted: false }];
        let bodies = || {
            vec![
                rom("12.05"),
                Body::Environment(EnvironmentBody { samples: vec![sample] }),
                Body::ServiceDisplay(ServiceBody { values: values.clone() }),
                Body::DebugLog(LogBody { sha256: vec![7; 32], size_bytes: 9, from_ms: 0, to_ms: 1 }),
            ]
        };
        for _ in 0..2 {
            assert_eq!(unit.tell_at(at, bodies()).await, [Outcome::Stored; 4]);
        }
        assert_eq!(unit.count("diagnostics").await, 4);
        unit.tell_at(at - 1_000, vec![rom("11.00")]).await;
        let (root, device) = (unit.person().await, unit.device().await);
        let sheet = serde_json::to_string(&devices::get(&root, device).await.unwrap()).unwrap();
        assert!(sheet.contains("12.05") && !sheet.contains("11.00"), "an older word changes nothing: {sheet}");
        assert_eq!(latest(&root, device).await.unwrap().len(), 4);
        let roms = history(&root, device, Told::Rom, 10).await.unwrap();
        assert_eq!(roms.iter().map(|entry| entry.taken_ms).collect::<Vec<_>>(), [at, at - 1_000]);
        assert_eq!(roms[0].body, rom("12.05"));
    }
}

#[tokio::test]
async fn hostile_sizes_and_shapes_are_refused_one_by_one() {
    for mut unit in Unit::known().await {
        let long = "x".repeat(20_000);
        let huge = Body::Billing(CounterSet {
            values: (0..400_000).map(|id| (id, i64::from(id))).collect(),
            ..set(None, &[])
        });
        let log = LogBody { sha256: vec![1; 31], ..LogBody::default() };
        let names = [(1, "a\u{0}b".to_owned())].into();
        let outcomes = unit
            .tell(vec![
                Body::Jam(event(&long, None)),
                Body::Jam(event(&"9".repeat(33), None)),
                Body::Error(EventBody { total: Some(u64::MAX), ..event("1", None) }),
                Body::Alarm(EventBody { level: Some(9), ..event("1", None) }),
                huge,
                Body::Billing(set(None, &[(1, -5)])),
                Body::Dictionary(Dictionary { model: String::new(), names }),
                Body::DebugLog(log),
                Body::Jam(event("0107", None)),
            ])
            .await;
        let (large, bad) = (Outcome::TooLarge, Outcome::Invalid);
        assert_eq!(outcomes, [large, bad, bad, bad, large, bad, bad, bad, Outcome::Stored]);
        assert_eq!((unit.count("device_events").await, unit.count("counter_dictionaries").await), (1, 0));
    }
}

#[tokio::test]
async fn an_organisation_has_room_for_so_many_dictionaries() {
    for mut unit in Unit::known().await {
        let words = |n: u32| Body::Dictionary(Dictionary { model: format!("m{n}"), ..dictionary() });
        let told = unit.tell((0..300).map(words).collect()).await;
        assert!(told.iter().all(|outcome| *outcome == Outcome::Stored), "{told:?}");
        let told = unit.tell((200..501).map(words).collect()).await;
        assert_eq!(told.last(), Some(&Outcome::Refused));
        assert!(told[..300].iter().all(|outcome| *outcome == Outcome::Stored), "{told:?}");
        assert_eq!(unit.tell(vec![words(7), words(999)]).await, [Outcome::Stored, Outcome::Refused]);
        assert_eq!(unit.count("counter_dictionaries").await, 500);
    }
}

#[tokio::test]
async fn an_event_before_the_first_status_waits_for_it() {
    for mut unit in Unit::each().await {
        let jam = unit.message(unit.now_ms(), Body::Jam(event("0107", Some(true))));
        assert_eq!(unit.outcomes(vec![jam.clone()]).await, [Outcome::Later]);
        let first = unit.message(unit.now_ms(), Body::Status(Box::new(status("QMA00123", |_| {}))));
        assert_eq!(unit.outcomes(vec![jam, first]).await, [Outcome::Stored; 2]);
        assert_eq!((unit.count("device_events").await, unit.alerts().await.len()), (1, 1));
    }
}

#[tokio::test]
async fn a_device_that_reports_by_itself_is_late_after_a_period_and_silent_after_three_and_a_day() {
    for mut unit in Unit::known().await {
        unit.tell(vec![Body::Environment(EnvironmentBody::default())]).await;
        let device = unit.device().await;
        let comm = async |unit: &Unit| devices::get(&unit.person().await, device).await.unwrap().row.comm;
        let hours = |unit: &Unit, hours: u64| unit.test.clock.advance(Duration::from_secs(hours * 3_600));
        for (wait, expected) in [(13, Comm::Reporting), (12, Comm::Late), (10, Comm::Late), (2, Comm::Silent)] {
            hours(&unit, wait);
            devices::reconcile_monitors(&unit.test.platform).await.unwrap();
            devices::reconcile(&unit.test.platform).await.unwrap();
            assert_eq!(comm(&unit).await, expected);
        }
        assert_eq!(devices::reconcile_monitors(&unit.test.platform).await.unwrap(), 0, "told once");
        assert_eq!(unit.alerts().await, [("platen-silent".to_owned(), None)]);
        // What waited in its outbox through the outage is old, and yet a sign of life.
        let old = unit.now_ms() - 30 * 3_600_000;
        unit.tell_at(old, vec![Body::Jam(event("0107", None))]).await;
        assert_eq!((comm(&unit).await, unit.alerts().await), (Comm::Reporting, Vec::new()));
        assert!(unit.person().await.now > Micros(0));
    }
}

#[tokio::test]
async fn events_of_the_fleet_are_filtered_paged_and_named_by_the_catalogue() {
    for mut unit in Unit::known().await {
        let at = unit.now_ms();
        for n in 0..5 {
            unit.tell_at(at + n, vec![Body::Error(event("SC542", None))]).await;
        }
        unit.tell_at(at + 9, vec![Body::Jam(event("Z9", None))]).await;
        unit.test.clock.advance(Duration::from_secs(60));
        let root = unit.person().await;
        let mut query = ToldQuery::default();
        query.page.limit = Some(4);
        query.page.count = true;
        let first = told(&root, &query).await.unwrap();
        assert_eq!((first.items.len(), first.count), (4, Some(6)));
        assert_eq!((first.items[0].event.code.as_str(), first.items[0].meaning), ("Z9", None), "kept, though unknown");
        assert_eq!(first.items[1].meaning.map(|m| m.text.as_str()), Some("Fixing unit does not warm up in time"));
        query.page.after = first.next;
        assert_eq!(told(&root, &query).await.unwrap().items.len(), 2);
        let filter = crate::Filter::parse(r#"kind eq "jam" and vendor eq "ricoh" and code like "z*""#).unwrap();
        let query = ToldQuery { filter: Some(filter), ..ToldQuery::default() };
        assert_eq!(told(&root, &query).await.unwrap().items.len(), 1);
        let steps = told_steps(&root, &ToldQuery::default(), 3_600_000_000, 24).await.unwrap();
        assert_eq!((steps.len(), steps[23].counts), (24, [5, 1, 0]));
        let unknown = TroubleQuery { unknown: true, ..TroubleQuery::default() };
        let found = troubles(&root, &unknown).await.unwrap();
        assert_eq!(found.iter().map(|t| (t.code.as_str(), t.events)).collect::<Vec<_>>(), [("Z9", 1)]);
        let (_, stranger) = unit.test.customer(&root, "Another").await;
        assert!(told(&stranger, &ToldQuery::default()).await.unwrap().items.is_empty());
    }
}

#[tokio::test]
async fn the_catalogue_names_the_alert_that_a_known_code_raises() {
    for mut unit in Unit::known().await {
        unit.tell(vec![Body::Error(event("SC543", Some(true)))]).await;
        assert_eq!(unit.alerts().await, [("fuser-over-temp".to_owned(), None)]);
        unit.tell_at(unit.now_ms() + 1_000, vec![Body::Error(event("SC543", Some(false)))]).await;
        assert!(unit.alerts().await.is_empty());
    }
}

#[tokio::test]
async fn two_sets_of_counters_stand_side_by_side_with_what_was_added() {
    for mut unit in Unit::known().await {
        let at = unit.now_ms();
        let words = unit.message(at, Body::Dictionary(dictionary()));
        let full = unit.message(at, Body::Billing(set(None, &[(1, 500), (2, 400), (3, 9)])));
        assert_eq!(unit.outcomes(vec![words, full]).await, [Outcome::Stored; 2]);
        unit.tell_at(at + 3_600_000, vec![Body::Billing(set(None, &[(1, 512), (2, 400), (9, 1)]))]).await;
        let (root, device) = (unit.person().await, unit.device().await);
        let all = sets(&root, device, None, 10).await.unwrap();
        assert_eq!(all.iter().map(|set| (set.kind, set.counters)).collect::<Vec<_>>(), [(Told::Billing, 3); 2]);
        let both = compare(&root, device, Told::Billing, None, None).await.unwrap();
        let line = |name: &str| {
            let found = both.lines.iter().find(|line| line.name == name).unwrap();
            (found.value, found.before, found.difference)
        };
        assert_eq!((both.taken_ms, both.before_ms), (at + 3_600_000, Some(at)));
        assert_eq!(line("total/all/all/all/impressions"), (Some(512), Some(500), Some(12)));
        assert_eq!(line("parts.fuser"), (None, Some(9), None), "no longer told");
        assert_eq!(line("9"), (Some(1), None, None), "without a word, its id");
        let first = compare(&root, device, Told::Billing, Some(at), None).await.unwrap();
        assert_eq!((first.taken_ms, first.before_ms), (at, None));
        let missing = compare(&root, device, Told::Modes, None, None).await.unwrap_err();
        assert_eq!(missing.kind, crate::Kind::NotFound);
    }
}

#[tokio::test]
async fn a_collector_tells_events_and_versions_of_the_devices_that_it_reads() {
    for mut site in crate::reports::testing::Site::each().await {
        site.status(1, status("S1", |_| {})).await;
        let of = crate::reports::testing::subject(1);
        let alarm = |standing| {
            Body::Alarm(EventBody {
                sub_code: Some("02:00:00:00:00:09".into()),
                level: Some(3),
                ..event("platen-identity-mismatch", Some(standing))
            })
        };
        let rom = RomBody { parts: vec![RomVersion { part: "main".into(), version: "12.05".into() }] };
        let bodies =
            vec![(Some(of), Body::Jam(event("prt:8", None))), (Some(of), Body::Rom(rom)), (Some(of), alarm(true))];
        assert_eq!(site.deliver(bodies).await, [Outcome::Stored; 3]);
        let root = site.person().await;
        let open = AlertQuery { open: Some(true), ..AlertQuery::default() };
        let found = alerts::list(&root, &open).await.unwrap().items;
        let (reason, severity) = (found[0].reason.as_str(), found[0].severity.as_str());
        assert_eq!((found.len(), reason, severity), (1, "platen-identity-mismatch", "critical"));
        let told = told(&root, &ToldQuery::default()).await.unwrap().items;
        let jam = told.iter().find(|row| row.event.code == "prt:8").unwrap();
        assert_eq!(jam.meaning.map(|meaning| meaning.text.as_str()), Some("Paper stuck"));
        site.wait(60);
        assert_eq!(site.deliver(vec![(Some(of), alarm(false))]).await, [Outcome::Stored]);
        assert!(alerts::list(&site.person().await, &open).await.unwrap().items.is_empty(), "it is over");
    }
}
