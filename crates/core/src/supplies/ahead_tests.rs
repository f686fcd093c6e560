//! Alerts, shipments, parts and the scores of forecasts, through reports and the reconciler, on both engines.

use wire::monitor::{CounterSet, Dictionary};
use wire::{Body, Class, Level};

use super::rules::shipments::{Act, State, Terms};
use super::rules::thresholds::Limits;
use super::shipments::ShipmentQuery;
use super::*;
use crate::alerts::{self, AlertQuery, AlertRow};
use crate::devices::{DeviceId, DeviceQuery};
use crate::reports::testing::{Site, status, subject, toner, total};

const DAY: u64 = 86_400;

fn percent(value: f64) -> Level {
    Level::Percent { value }
}

async fn device(site: &Site) -> DeviceId {
    crate::devices::list(&site.person().await, &DeviceQuery::default()).await.unwrap().items[0].id
}

async fn look(site: &Site) {
    run(&site.test.platform).await.unwrap();
}

/// Levels of black and cyan, told and looked at.
async fn say(site: &mut Site, black: f64, cyan: f64) {
    let body = status("SERIAL1", |body| {
        body.supplies = vec![toner(1, "black", percent(black)), toner(2, "cyan", percent(cyan))];
    });
    site.status(1, body).await;
    look(site).await;
}

async fn open(site: &Site) -> Vec<AlertRow> {
    let query = AlertQuery { open: Some(true), ..AlertQuery::default() };
    alerts::list(&site.person().await, &query).await.unwrap().items
}

async fn all(site: &Site) -> Vec<shipments::Shipment> {
    shipments::list(&site.person().await, &ShipmentQuery::default()).await.unwrap().items
}

#[tokio::test]
async fn thresholds_raise_one_alert_a_part_that_ends_with_its_replacement() {
    for mut site in Site::each().await {
        say(&mut site, 60.0, 60.0).await;
        assert!(open(&site).await.is_empty());
        site.wait(1_000);
        say(&mut site, 9.0, 60.0).await;
        let alert = &open(&site).await[0];
        assert_eq!((alert.reason.as_str(), alert.part.as_str(), alert.source.as_str()), ("toner-low", "1.1", "platen"));
        assert_eq!((alert.group.as_str(), alert.audience.as_str()), ("marker-supplies", "supplies"));
        site.wait(1_000);
        say(&mut site, 11.0, 60.0).await;
        say(&mut site, 8.0, 60.0).await;
        assert_eq!(open(&site).await.len(), 1, "a level that wavers is no second alert");
        assert_eq!(open(&site).await[0].flaps, 0);
        site.wait(1_000);
        say(&mut site, 0.0, 60.0).await;
        let alerts = open(&site).await;
        assert_eq!(
            (alerts.len(), alerts[0].reason.as_str(), alerts[0].severity.as_str()),
            (1, "toner-empty", "critical")
        );
        site.wait(1_000);
        say(&mut site, 100.0, 60.0).await;
        assert!(open(&site).await.is_empty(), "a new cartridge ends it");
    }
}

#[tokio::test]
async fn the_devices_own_word_comes_first() {
    for mut site in Site::each().await {
        say(&mut site, 60.0, 60.0).await;
        site.wait(1_000);
        let body = status("SERIAL1", |body| {
            body.supplies = vec![toner(1, "black", percent(5.0)), toner(2, "cyan", percent(60.0))];
            body.status.reasons = vec!["toner-low-warning".into()];
        });
        site.status(1, body).await;
        look(&site).await;
        let alerts = open(&site).await;
        assert_eq!((alerts.len(), alerts[0].source.as_str()), (1, "device"));
        site.wait(1_000);
        say(&mut site, 5.0, 60.0).await;
        let alerts = open(&site).await;
        assert_eq!(
            (alerts.len(), alerts[0].source.as_str()),
            (1, "platen"),
            "it says so no more, the level still does"
        );
    }
}

#[tokio::test]
async fn limits_are_set_by_model_and_colour_with_audit_and_hold_below() {
    for mut site in Site::each().await {
        say(&mut site, 60.0, 22.0).await;
        let person = site.person().await;
        let limits = Limits { almost_empty: Some(25.0), ..Limits::default() };
        assert_eq!(set_limits(&person, person.home, ("Ricoh IM C3000", "cyan"), limits, None).await.unwrap(), 1);
        look(&site).await;
        assert_eq!(open(&site).await.len(), 1, "all devices are looked at again");
        let stale = set_limits(&person, person.home, ("ricoh im c3000", "cyan"), limits, Some(0)).await.unwrap_err();
        assert_eq!(stale.kind, crate::Kind::Stale);
        let wrong = Limits { empty: Some(50.0), ..limits };
        let refused = set_limits(&person, person.home, ("", ""), wrong, None).await.unwrap_err();
        assert_eq!(refused.field.as_deref(), Some("empty"));
        set_limits(&person, person.home, ("ricoh im c3000", "cyan"), Limits::default(), Some(1)).await.unwrap();
        look(&site).await;
        assert!(open(&site).await.is_empty() && super::limits(&person).await.unwrap().0.is_empty());
        let (customer, _) = site.test.customer(&person, "Customer").await;
        let person = site.person().await;
        set_limits(&person, person.home, ("", ""), limits, None).await.unwrap();
        let mut tx = person.db().read(&person.scope.view()).await.unwrap();
        let rules = thresholds::rules_of(&mut tx, customer).await.unwrap();
        let held = thresholds::limits_of(&rules, "any model", "toner", Some("black"));
        assert_eq!(held.almost_empty, Some(25.0), "what the provider says holds for its customers");
    }
}

#[tokio::test]
async fn a_supply_that_ends_soon_calls_before_its_level_does() {
    for mut site in Site::each().await {
        for day in 0..12 {
            say(&mut site, 90.0 - 6.0 * f64::from(day), 90.0).await;
            site.wait(DAY);
        }
        let alerts = open(&site).await;
        assert_eq!((alerts.len(), alerts[0].reason.as_str()), (1, "platen-supply-soon-empty"), "24 % at 6 % a day");
        assert!(alerts[0].text.as_deref().unwrap().contains("days left"), "{:?}", alerts[0].text);
    }
}

#[tokio::test]
async fn shipment_is_one_a_device_and_stays_open_until_it_is_fitted() {
    for mut site in Site::each().await {
        for day in 0..12 {
            say(&mut site, 95.0 - 7.0 * f64::from(day), 92.0 - 5.0 * f64::from(day)).await;
            site.wait(DAY);
        }
        let proposed = all(&site).await;
        assert_eq!(proposed.len(), 1);
        let items: Vec<_> = proposed[0].items.iter().map(|item| item.name.as_str()).collect();
        assert_eq!(items, ["black toner", "cyan toner"], "one shipment for the device");
        let person = site.person().await;
        let ids = [proposed[0].id.to_string(), "nothing".to_owned()];
        let rehearsed = shipments::act(&person, &ids, Act::Order, None, true).await.unwrap();
        assert_eq!((rehearsed[0].to, rehearsed[1].to), (Some(State::Ordered), None));
        assert_eq!(all(&site).await[0].state, State::Proposed, "a rehearsal changes nothing");
        shipments::act(&person, &ids, Act::Order, Some("4711"), false).await.unwrap();
        let ordered = &all(&site).await[0];
        assert_eq!((ordered.state, ordered.note.as_deref()), (State::Ordered, Some("4711")));
        let again = shipments::act(&person, &ids[..1], Act::Order, None, false).await.unwrap();
        assert!(again[0].why.is_some(), "it is ordered already");
        site.wait(DAY);
        say(&mut site, 2.0, 30.0).await;
        assert_eq!(all(&site).await.len(), 1, "no second order while one is on its way");
        site.wait(DAY);
        say(&mut site, 100.0, 28.0).await;
        assert!(all(&site).await[0].items.iter().any(|item| item.ended.as_deref() == Some("fitted")));
        assert_eq!(all(&site).await[0].state, State::Ordered, "the cyan one is still to come");
        site.wait(DAY);
        say(&mut site, 98.0, 100.0).await;
        assert_eq!(all(&site).await[0].state, State::Done);
        let person = site.person().await;
        assert_eq!(shipments::waiting(&person).await.unwrap(), 0);
        let terms = Terms { proposes: false, ..Terms::default() };
        assert_eq!(shipments::set_terms(&person, person.home, terms, Some(0)).await.unwrap(), 1);
        assert_eq!(shipments::terms(&person, person.home).await.unwrap(), (terms, 1));
    }
}

#[tokio::test]
async fn no_double_order_whatever_reports_and_people_do() {
    for mut site in Site::each().await {
        let mut dice = 7_u64;
        let mut throw = |sides: u64| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33) % sides
        };
        let mut level = [100.0_f64, 100.0];
        for _ in 0..50 {
            for slot in &mut level {
                *slot = if *slot < 12.0 && throw(3) == 0 { 100.0 } else { (*slot - throw(14) as f64).max(0.0) };
            }
            say(&mut site, level[0], level[1]).await;
            let person = site.person().await;
            if throw(3) == 0 {
                let open = ShipmentQuery { open: Some(true), ..ShipmentQuery::default() };
                let ids: Vec<String> =
                    shipments::list(&person, &open).await.unwrap().items.iter().map(|one| one.id.to_string()).collect();
                shipments::act(&person, &ids, Act::ALL[throw(4) as usize], None, false).await.unwrap();
            }
            let shipments = all(&site).await;
            for index in ["1.1", "1.2"] {
                let of = shipments.iter().flat_map(|one| one.items.iter().filter(move |item| item.index == index));
                assert!(of.filter(|item| item.open).count() <= 1, "{shipments:#?}");
            }
            let proposed = shipments.iter().filter(|one| one.state == State::Proposed).count();
            assert!(proposed <= 1, "{shipments:#?}");
            site.wait(throw(3) * DAY + 3_600);
        }
        assert!(all(&site).await.len() > 1, "something was ordered at all");
    }
}

#[tokio::test]
async fn forecasts_are_kept_and_held_against_what_happened() {
    for mut site in Site::each().await {
        let mut level = 100.0;
        say(&mut site, level, 90.0).await;
        for day in 0..60 {
            site.counters(1, vec![total(10_000 + day * 250)]).await;
            say(&mut site, level, 90.0).await;
            site.wait(DAY);
            level = if level <= 0.0 { 100.0 } else { (level - 6.25_f64).max(0.0) };
        }
        let found = calibration(&site.person().await).await.unwrap();
        assert!(found.scored >= 10, "{found:?}");
        assert!(found.held * 10 >= found.scored * 8, "a steady device is easy: {found:?}");
        assert!(found.median_error_days.unwrap() < 2.0, "{found:?}");
        let sheet = supply(&site.person().await, device(&site).await, "1.1").await.unwrap();
        assert!(sheet.yields.cartridges >= 2 && sheet.yields.pages.unwrap() > 3_000.0, "{:?}", sheet.yields);
    }
}

#[tokio::test]
async fn a_cartridge_that_is_taken_out_too_early_is_flagged() {
    for mut site in Site::each().await {
        say(&mut site, 40.0, 10.0).await;
        site.wait(DAY);
        say(&mut site, 100.0, 100.0).await;
        let past = history(&site.person().await, device(&site).await, Micros(0), Micros(i64::MAX)).await.unwrap();
        let early: Vec<_> = past.replacements.iter().map(|one| (one.index.as_str(), one.premature)).collect();
        assert_eq!(early, [("1.1", true), ("1.2", false)]);
    }
}

#[tokio::test]
async fn part_life_of_the_standard_table_counts_pages_of_its_rated_life() {
    for mut site in Site::each().await {
        site.status(1, status("SERIAL1", |_| {})).await;
        for day in 0..6 {
            site.counters(1, vec![total(100_000 + day * 2_000)]).await;
            let body = status("SERIAL1", |body| {
                let mut fuser = toner(7, "black", percent(20.0 - day as f64));
                (fuser.kind, fuser.color, fuser.class) = ("fuser".into(), None, Class::Other);
                fuser.raw = RawLevel { unit: Some(7), max: Some(200_000), level: Some(40_000 - 2_000 * day as i64) };
                body.supplies = vec![fuser];
            });
            site.status(1, body).await;
            look(&site).await;
            site.wait(DAY);
        }
        let parts = parts::list(&site.person().await, &parts::PartQuery::default()).await.unwrap().items;
        let fuser = &parts[0];
        assert_eq!((fuser.kind.as_str(), fuser.source.as_str(), fuser.unit.as_str()), ("fuser", "supply", "pages"));
        assert_eq!((fuser.used, fuser.rated), (170_000.0, Some(200_000.0)));
        let forecast = fuser.forecast.unwrap();
        assert!((forecast.days - 14.0).abs() < 5.0, "{forecast:?}");
    }
}

#[tokio::test]
async fn part_life_by_counters_is_rated_by_people_and_exchanged_when_it_begins_anew() {
    for mut site in Site::each().await {
        let dictionary = Dictionary {
            model: "m".into(),
            names: [(1, "parts.fuser.all.1".to_owned()), (2, "parts.toner.cyan.2".to_owned())].into(),
        };
        let hash = crate::diagnostics::rules::hash(&dictionary);
        site.status(1, status("SERIAL1", |_| {})).await;
        site.deliver(vec![(None, Body::Dictionary(dictionary))]).await;
        let mut used = 140_000_i64;
        for day in 0..8 {
            site.counters(1, vec![total(500_000 + day * 1_000)]).await;
            let set = CounterSet { base_seq: None, values: [(1, used), (2, 5)].into(), dictionary: hash };
            site.deliver(vec![(Some(subject(1)), Body::Parts(set))]).await;
            let level = percent(90.0 - day as f64);
            site.status(1, status("SERIAL1", |body| body.supplies = vec![toner(1, "black", level)])).await;
            look(&site).await;
            site.wait(DAY);
            used = if day == 5 { 300 } else { used + 1_000 };
            if day == 2 {
                let person = site.person().await;
                let listed = parts::list(&person, &parts::PartQuery::default()).await.unwrap().items;
                assert_eq!((listed.len(), listed[0].rated), (1, None), "nobody has said what it is rated for");
                parts::set_rating(&person, person.home, ("ricoh im c3000", "fuser"), Some(150_000.0), None)
                    .await
                    .unwrap();
            }
            if day == 4 {
                let person = site.person().await;
                let listed = parts::list(&person, &parts::PartQuery::default()).await.unwrap().items;
                assert_eq!((listed[0].used, listed[0].rated_by.as_deref()), (144_000.0, Some("set")));
                assert!((listed[0].forecast.unwrap().days - 5.0).abs() < 2.5, "{:?}", listed[0].forecast);
                let alerts = open(&site).await;
                assert_eq!(alerts[0].reason, "subunit-life-almost-over", "{alerts:?}");
            }
        }
        let person = site.person().await;
        let listed = parts::list(&person, &parts::PartQuery::default()).await.unwrap().items;
        assert_eq!(listed[0].used, 1_300.0);
        assert!(open(&site).await.is_empty(), "the exchange ended it");
        let lines = crate::devices::history(&person, device(&site).await, &crate::PageQuery::default()).await.unwrap();
        assert!(lines.items.iter().any(|line| line.kind == "part_replaced"), "{lines:?}");
    }
}
