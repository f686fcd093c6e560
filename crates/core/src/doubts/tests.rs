//! Doubts through reports, on both engines: how they open, what settling them does to usage, what takes them back.

use wire::report::CountersBody;
use wire::{Body, ColorMode, Identity};

use super::*;
use crate::devices::DeviceQuery;
use crate::meters::{BillingQuery, billing_rows};
use crate::reports::testing::{Site, meter, status, subject, total};
use crate::{Ctx, Kind as ErrorKind, Role};

const PRIVATE: &str = "1.3.6.1.4.1.367.3.2.1.2.19.5.1.9.1";

async fn fleet(site: &Site) -> Vec<crate::devices::DeviceRow> {
    crate::devices::list(&site.person().await, &DeviceQuery::default()).await.unwrap().items
}

async fn device(site: &mut Site) -> DeviceId {
    site.status(1, status("SERIAL1", |_| {})).await;
    fleet(site).await[0].id
}

/// Values of the total, one an hour.
async fn hourly(site: &mut Site, values: &[u64]) {
    for value in values {
        site.wait(3_600);
        site.counters(1, vec![total(*value)]).await;
    }
}

async fn open(site: &Site) -> Vec<DoubtRow> {
    list(&site.person().await, &DoubtQuery { open: Some(true), ..DoubtQuery::default() }).await.unwrap().items
}

async fn used(site: &Site, device: DeviceId) -> i64 {
    let ctx = site.person().await;
    let (before, after) = crate::meters::rebuild_usage(&ctx, device).await.unwrap();
    let nonzero = |sums: &crate::meters::Sums| -> crate::meters::Sums {
        sums.iter().filter(|(_, sum)| **sum != (0, 0)).map(|(key, sum)| (*key, *sum)).collect()
    };
    assert_eq!(nonzero(&before), nonzero(&after), "the sums made again differ");
    let rows = billing_rows(&ctx, &BillingQuery::default()).await.unwrap().items;
    rows.iter().filter(|row| row.device == device && row.function == "total").filter_map(|row| row.usage).sum()
}

fn choose(decision: &str) -> Settlement {
    Settlement { decision: decision.to_owned(), ..Settlement::default() }
}

#[tokio::test]
async fn counter_regression_of_all_counters_is_one_doubt_and_settling_it_changes_usage() {
    for mut site in Site::each().await {
        let id = device(&mut site).await;
        let read = |all: u64, mono: u64| vec![total(all), meter(ColorMode::Mono, mono, PRIVATE)];
        for (all, mono) in [(118_000, 60_000), (118_200, 60_100), (12, 7), (20, 9)] {
            site.wait(3_600);
            site.counters(1, read(all, mono)).await;
        }
        let doubts = open(&site).await;
        assert_eq!((doubts.len(), doubts[0].kind, doubts[0].device, doubts[0].pages), (1, Kind::Reset, id, Some(0)));
        assert_eq!(counts(&site.person().await).await.unwrap().counters, 1);
        let ctx = site.person().await;
        let sheet = get(&ctx, doubts[0].id).await.unwrap();
        assert_eq!((sheet.meters.len(), sheet.meters[0].before, sheet.meters[0].after), (2, 118_200, 12));
        let keys: Vec<_> = sheet.choices.iter().map(|choice| (choice.key, choice.pages)).collect();
        assert_eq!(keys, [("new_start", Some(0)), ("from_zero", Some(12)), ("amount", None)]);
        assert!(sheet.meters[0].readings.len() >= 4 && sheet.question.ends_with('?'));
        assert_eq!(used(&site, id).await, 208 + 102);
        let bills = billing_rows(&ctx, &BillingQuery::default()).await.unwrap().items;
        assert!(bills.iter().all(|bill| bill.doubt.as_deref() == Some("reset")));
        // The dealer knows from the service report that 300 pages, 150 of them black, were printed meanwhile.
        let amounts = Amounts::from([(sheet.meters[0].meter, 300), (sheet.meters[1].meter, 150)]);
        let wanted = Settlement { decision: "amount".into(), amounts, note: Some("board 7731 changed".into()) };
        let reader = site.test.account(&site.root, site.root.home, "u@example.org", Role::User).await;
        assert_eq!(settle(&reader, doubts[0].id, &wanted, None).await.unwrap_err().kind, ErrorKind::Forbidden);
        assert_eq!(settle(&ctx, doubts[0].id, &choose("count"), None).await.unwrap_err().kind, ErrorKind::Invalid);
        let version = settle(&ctx, doubts[0].id, &wanted, Some(1)).await.unwrap();
        assert_eq!((version, used(&site, id).await), (2, 208 + 300 + 102 + 150));
        let settled = get(&site.person().await, doubts[0].id).await.unwrap();
        assert_eq!((settled.row.pages, settled.row.settled_by.as_deref()), (Some(300), Some("Ada Admin")));
        assert_eq!(settle(&ctx, doubts[0].id, &choose("new_start"), None).await.unwrap_err().kind, ErrorKind::Conflict);
        assert!(open(&site).await.is_empty() && settled.reopenable);
        let bills = billing_rows(&site.person().await, &BillingQuery::default()).await.unwrap().items;
        assert!(bills.iter().all(|bill| bill.doubt.is_none()));
        // It goes on from there, and taking the decision back restores what was.
        site.wait(3_600);
        site.counters(1, read(30, 14)).await;
        assert_eq!(used(&site, id).await, 208 + 300 + 10 + 102 + 150 + 5);
        reopen(&site.person().await, doubts[0].id, Some(2)).await.unwrap();
        assert_eq!((used(&site, id).await, open(&site).await.len()), (208 + 10 + 102 + 5, 1));
        let records = crate::audit::list(&ctx, &crate::audit::AuditQuery::default()).await.unwrap().items;
        let verbs: Vec<_> = records.iter().filter(|r| r.object_kind == "doubt").map(|r| r.verb.as_str()).collect();
        assert_eq!(verbs, ["reopened", "settled"]);
    }
}

#[tokio::test]
async fn counter_regression_is_settled_by_every_choice_it_offers() {
    // Values, kind, assumed usage, and usage for each choice.
    type Case = (&'static [u64], Kind, i64, &'static [(&'static str, i64)]);
    const WRAP: u64 = 1 << 32;
    let cases: [Case; 6] = [
        (&[118_200, 12, 20], Kind::Reset, 8, &[("new_start", 8), ("from_zero", 20)]),
        (&[118_200, 117_900, 117_950], Kind::SetBack, 50, &[("new_start", 50)]),
        (&[118_200, 40_000, 40_050], Kind::BoardSwap, 50, &[("new_start", 50)]),
        (&[1_000, 90_000, 90_010], Kind::Jump, 10, &[("new_start", 10), ("count", 89_010)]),
        (&[WRAP - 10, 5, 9], Kind::Wrap, 19, &[("wrap", 19), ("new_start", 4)]),
        (&[1_000, 0, 3_000], Kind::PassingFault, 2_000, &[("ignore", 2_000), ("new_start", 3_000)]),
    ];
    for mut site in Site::each().await {
        for (place, (values, kind, assumed, choices)) in (1_u8..).zip(cases) {
            let address = format!("10.0.1.{place}");
            site.status(place, status(&format!("SERIAL{place}"), |body| body.address = address)).await;
            for value in values {
                site.wait(3_600);
                site.counters(place, vec![total(*value)]).await;
            }
            let doubt = open(&site).await.remove(0);
            assert_eq!((doubt.kind, used(&site, doubt.device).await), (kind, assumed));
            let sheet = get(&site.person().await, doubt.id).await.unwrap();
            let keys: Vec<_> = sheet.choices.iter().map(|choice| choice.key).filter(|key| *key != "amount").collect();
            assert_eq!(keys, choices.iter().map(|(key, _)| *key).collect::<Vec<_>>(), "{kind:?}");
            for (key, usage) in choices {
                let ctx = site.person().await;
                settle(&ctx, doubt.id, &choose(key), None).await.unwrap();
                assert_eq!(used(&site, doubt.device).await, *usage, "{kind:?} {key}");
                reopen(&ctx, doubt.id, None).await.unwrap();
                assert_eq!(used(&site, doubt.device).await, assumed, "{kind:?} {key} taken back");
                assert!(open(&site).await.iter().any(|open| open.id == doubt.id), "{kind:?} {key}");
            }
            settle(&site.person().await, doubt.id, &choose(choices[0].0), None).await.unwrap();
            assert!(open(&site).await.is_empty());
        }
    }
}

#[tokio::test]
async fn counter_regression_that_came_back_may_be_left_out() {
    for mut site in Site::each().await {
        let id = device(&mut site).await;
        hourly(&mut site, &[118_200, 0, 40, 118_290]).await;
        let kinds: Vec<_> = open(&site).await.iter().map(|doubt| doubt.kind).collect();
        assert_eq!(kinds, [Kind::PassingFault, Kind::Reset]);
        assert_eq!(used(&site, id).await, 40 + 50);
        let reset = open(&site).await.remove(1);
        settle(&site.person().await, reset.id, &choose("ignore"), None).await.unwrap();
        // The second doubt is explained by the decision about the first.
        assert_eq!((used(&site, id).await, open(&site).await.len()), (90, 0));
        reopen(&site.person().await, reset.id, None).await.unwrap();
        assert_eq!((used(&site, id).await, open(&site).await.len()), (90, 2));
    }
}

#[tokio::test]
async fn counter_regression_is_withdrawn_when_a_late_reading_explains_it() {
    for mut site in Site::each().await {
        let id = device(&mut site).await;
        hourly(&mut site, &[100_000]).await;
        site.wait(3_600);
        let body = Body::Counters(CountersBody { meters: vec![total(130_000)] });
        let late = site.messages(vec![(Some(subject(1)), body)]);
        // Too much for two hours, while the reading of the first of them is still on its way.
        hourly(&mut site, &[160_000, 160_010]).await;
        assert_eq!((open(&site).await.len(), used(&site, id).await), (1, 10));
        site.deliver_as(site.agent, 1, late).await.unwrap();
        assert_eq!((open(&site).await.len(), used(&site, id).await), (0, 60_010));
        let told = crate::events::after(&site.person().await, 0, 500).await.unwrap();
        assert!(told.iter().any(|event| event.kind == "doubt.withdrawn"));
    }
}

#[tokio::test]
async fn counter_regression_with_a_new_network_card_is_told_as_a_new_board() {
    for mut site in Site::each().await {
        let card = |mac: &'static str| status("SERIAL1", move |body| body.identity.mac = Some(mac.into()));
        site.status(1, card("00:26:73:00:00:01")).await;
        hourly(&mut site, &[118_200]).await;
        site.status(1, card("00:26:73:00:00:02")).await;
        hourly(&mut site, &[0, 4]).await;
        let doubt = open(&site).await.remove(0);
        assert_eq!(doubt.kind, Kind::BoardSwap);
        let sheet = get(&site.person().await, doubt.id).await.unwrap();
        assert_eq!(sheet.evidence["changes"][0]["field"], "mac");
    }
}

#[tokio::test]
async fn identity_device_swap_keeps_two_until_a_person_says_that_they_are_one() {
    for mut site in Site::each().await {
        let old = device(&mut site).await;
        hourly(&mut site, &[500_000, 500_100]).await;
        site.wait(3_600);
        site.status(1, status("SERIAL2", |_| {})).await;
        hourly(&mut site, &[500_130, 500_150]).await;
        let doubt = open(&site).await.remove(0);
        assert_eq!((doubt.kind, doubt.other), (Kind::DeviceSwap, Some(old)));
        assert_eq!((used(&site, old).await, used(&site, doubt.device).await), (100, 20));
        // The board was exchanged and programmed with another number, the count was carried over.
        settle(&site.person().await, doubt.id, &choose("same"), None).await.unwrap();
        let rows = fleet(&site).await;
        assert_eq!((rows.len(), rows[0].id, rows[0].serial.as_deref()), (1, old, Some("SERIAL2")));
        assert_eq!(used(&site, old).await, 150, "the pages between the two are counted once");
        assert_eq!(reopen(&site.person().await, doubt.id, None).await.unwrap_err().kind, ErrorKind::Conflict);
        site.status(1, status("SERIAL2", |_| {})).await;
        hourly(&mut site, &[500_160]).await;
        assert_eq!((fleet(&site).await.len(), used(&site, old).await), (1, 160));
        assert!(open(&site).await.is_empty());
        let lines = crate::devices::history(&site.person().await, old, &crate::PageQuery::default()).await.unwrap();
        assert!(lines.items.iter().any(|line| line.kind == "merged"));
    }
}

#[tokio::test]
async fn identity_of_a_new_device_at_a_known_address_is_asked_for_until_the_old_one_is_heard_elsewhere() {
    for mut site in Site::each().await {
        let at = |serial: &str, address: &'static str| status(serial, move |body| body.address = address.into());
        site.status(1, at("SERIAL1", "10.0.0.1")).await;
        site.wait(60);
        // The agent has given the new unit a name of its own.
        site.status(2, at("SERIAL2", "10.0.0.1")).await;
        let doubt = open(&site).await.remove(0);
        assert_eq!((doubt.kind, fleet(&site).await.len()), (Kind::DeviceSwap, 2));
        assert_eq!(get(&site.person().await, doubt.id).await.unwrap().evidence["evidence"], "address");
        site.status(1, at("SERIAL1", "10.0.0.9")).await;
        assert!(open(&site).await.is_empty(), "it had moved, that is all");
        // Three printers of one print server have one address, and each a port.
        for port in 1..=3 {
            let body =
                status(&format!("PORT{port}"), |body| (body.address, body.port) = ("10.0.0.5".into(), 160 + port));
            site.status(10 + u8::try_from(port).unwrap(), body).await;
        }
        assert!(open(&site).await.is_empty());
    }
}

#[tokio::test]
async fn identity_moves_between_agents_keep_the_newest_and_bill_once() {
    for mut site in Site::each().await {
        let id = device(&mut site).await;
        hourly(&mut site, &[1_000, 1_010]).await;
        site.status(1, status("SERIAL1", |_| {})).await;
        let other = Site::enrol(&site.test, &site.root, site.root.home, 2).await;
        let mut there = Site { test: site.test, root: site.root, agent: other, seq: 0 };
        let moved = || status("SERIAL1", |body| body.address = "10.9.0.5".into());
        there.status(8, moved()).await;
        there.counters(8, vec![total(1_015)]).await;
        assert_eq!((fleet(&there).await[0].agent, open(&there).await.len()), (Some(other.into()), 0), "a move");
        // The first one still reads it: nobody may bill twice, and the address does not go to and fro.
        for round in 0..3 {
            there.wait(60);
            let first = there.test.platform.clone();
            let agents =
                crate::agents::list(&there.person().await, &crate::agents::AgentQuery::default()).await.unwrap();
            let home = agents.items.iter().find(|agent| agent.name == "agent 1").unwrap().id;
            let mut here = Site { test: there.test, root: there.root, agent: home.into(), seq: 100 + round * 10 };
            drop(first);
            here.status(1, status("SERIAL1", |_| {})).await;
            here.counters(1, vec![total(1_020 + round)]).await;
            there = Site { test: here.test, root: here.root, agent: other, seq: 100 + round * 10 };
            there.wait(60);
            there.status(8, moved()).await;
            there.counters(8, vec![total(1_020 + round)]).await;
        }
        let doubts = open(&there).await;
        assert_eq!((doubts.len(), doubts[0].kind, doubts[0].device), (1, Kind::TwoAgents, id));
        let row = fleet(&there).await.remove(0);
        assert_eq!((row.agent, row.address.as_deref()), (Some(other.into()), Some("10.9.0.5")));
        assert_eq!(used(&there, id).await, 22);
        let lines = crate::devices::history(&there.person().await, id, &crate::PageQuery::default()).await.unwrap();
        assert_eq!(lines.items.iter().filter(|line| line.kind == "moved").count(), 1);
        settle(&there.person().await, doubts[0].id, &choose("switch"), None).await.unwrap();
        assert_ne!(fleet(&there).await[0].agent, Some(other.into()));
        there.wait(60);
        there.status(8, moved()).await;
        assert_ne!(fleet(&there).await[0].agent, Some(other.into()), "the decision holds while both are heard");
        assert!(open(&there).await.is_empty());
        // The first one falls silent: the device is not lost.
        there.wait(1_200);
        there.status(8, moved()).await;
        there.wait(60);
        there.status(8, moved()).await;
        assert_eq!(fleet(&there).await[0].agent, Some(other.into()));
    }
}

#[tokio::test]
async fn identity_of_a_doubled_serial_may_be_split_and_stays_so() {
    for mut site in Site::each().await {
        let card = |n: u8| status("SERIAL1", move |body| body.identity.mac = Some(format!("00:26:73:00:00:{n:02x}")));
        site.status(1, card(1)).await;
        hourly(&mut site, &[100_000]).await;
        site.status(1, card(1)).await;
        site.status(2, card(2)).await;
        let doubt = open(&site).await.remove(0);
        assert_eq!((doubt.kind, fleet(&site).await.len()), (Kind::DoubledSerial, 1), "assumed to be two network cards");
        // It has counters of its own: none of them is billed to the first.
        for (place, value) in [(2, 5_000), (1, 100_010), (2, 5_003), (1, 100_020)] {
            site.wait(600);
            site.counters(place, vec![total(value)]).await;
        }
        assert_eq!(used(&site, doubt.device).await, 20);
        settle(&site.person().await, doubt.id, &choose("split"), None).await.unwrap();
        for round in 0..3 {
            site.wait(60);
            site.status(1, card(1)).await;
            site.status(2, card(2)).await;
            site.counters(2, vec![total(5_010 + round)]).await;
            site.counters(1, vec![total(100_030)]).await;
        }
        let rows = fleet(&site).await;
        assert_eq!((rows.len(), open(&site).await.len()), (2, 0));
        let second = rows.iter().find(|row| row.id != doubt.device).unwrap().id;
        assert_eq!((used(&site, doubt.device).await, used(&site, second).await), (30, 2));
    }
}

#[tokio::test]
async fn identity_of_docking_stations_and_print_servers_is_not_their_mac() {
    for mut site in Site::each().await {
        let at = |serial: Option<&str>, port: u16| {
            let serial = serial.map(str::to_owned);
            status("x", move |body| {
                (body.identity.serial, body.port) = (serial, port);
                body.identity.mac = Some("00:50:b6:11:22:33".into());
            })
        };
        // Three printers behind one print server, none with a serial number.
        for port in 1..=3 {
            site.status(port, at(None, 160 + u16::from(port))).await;
            site.counters(port, vec![total(1_000 * u64::from(port))]).await;
        }
        assert_eq!(fleet(&site).await.len(), 3);
        // All are silent for a day; one that comes under a new name is not taken for any of them.
        site.wait(86_400);
        site.status(9, at(None, 164)).await;
        assert_eq!(fleet(&site).await.len(), 4);
        // A device that borrows the docking station's card brings its own serial number.
        site.status(10, at(Some("SERIAL7"), 1_007)).await;
        site.status(11, at(Some("SERIAL8"), 1_008)).await;
        assert_eq!((fleet(&site).await.len(), open(&site).await.len()), (6, 0));
    }
}

#[tokio::test]
async fn identity_is_kept_through_new_addresses_two_cards_and_hollow_serials() {
    for mut site in Site::each().await {
        let told = |serial: &'static str, address: &'static str, mac: &'static str, engine: &'static str| {
            status(serial, move |body| {
                body.address = address.into();
                body.identity = Identity {
                    mac: (!mac.is_empty()).then(|| mac.into()),
                    engine_id: (!engine.is_empty()).then(|| engine.into()),
                    ..body.identity.clone()
                };
            })
        };
        // DHCP: each takes the other's address, and keeps its own counters.
        site.status(1, told("SERIAL1", "10.0.0.1", "00:26:73:00:00:01", "")).await;
        site.status(2, told("SERIAL2", "10.0.0.2", "00:26:73:00:00:02", "")).await;
        site.status(1, told("SERIAL1", "10.0.0.2", "00:26:73:00:00:01", "")).await;
        site.status(2, told("SERIAL2", "10.0.0.1", "00:26:73:00:00:02", "")).await;
        assert_eq!((fleet(&site).await.len(), open(&site).await.len()), (2, 0));
        // A second network card, after the first has fallen silent.
        site.wait(3_600);
        site.status(3, told("SERIAL1", "10.0.0.3", "00:26:73:00:00:0a", "")).await;
        assert_eq!((fleet(&site).await.len(), open(&site).await.len()), (2, 0));
        // Serial numbers of nothing but zeros do not join devices; a card does, and an engine ID where there is no card.
        site.status(4, told("0000000000", "10.0.0.4", "00:26:73:00:00:04", "80001f8880aa01")).await;
        site.status(5, told("0000000000", "10.0.0.5", "00:26:73:00:00:05", "80001f8880aa02")).await;
        site.wait(3_600);
        site.status(6, told("0000000000", "10.0.0.6", "00:26:73:00:00:04", "")).await;
        site.status(7, told("0000000000", "10.0.0.7", "", "80001f8880aa02")).await;
        assert_eq!((fleet(&site).await.len(), open(&site).await.len()), (4, 0));
    }
}

#[tokio::test]
async fn conflicting_truth_is_stored_twice_shown_and_billed_as_a_person_chose() {
    for mut site in Site::each().await {
        let id = device(&mut site).await;
        let read = |standard: u64, private: u64| vec![total(standard), meter(ColorMode::All, private, PRIVATE)];
        site.counters(1, read(10_000, 9_996)).await;
        site.wait(86_400);
        site.counters(1, read(12_000, 11_996)).await;
        assert!(open(&site).await.is_empty(), "four pages that were always there are no doubt");
        let sheet = crate::devices::get(&site.person().await, id).await.unwrap();
        let apart = sheet.apart.unwrap();
        assert_eq!((apart.standard, apart.private, apart.apart, apart.private_is_billed), (12_000, 11_996, -4, false));
        for hours in 1..4 {
            site.wait(3_600);
            site.counters(1, read(12_000 + hours * 500, 11_996 + hours * 600)).await;
        }
        let doubts = open(&site).await;
        assert_eq!((doubts.len(), doubts[0].kind, doubts[0].pages), (1, Kind::ConflictingTotals, Some(300)));
        let pages = async |ctx: &Ctx| crate::devices::get(ctx, id).await.unwrap().row.pages_month;
        let ctx = site.person().await;
        assert_eq!(pages(&ctx).await, 3_500);
        settle(&ctx, doubts[0].id, &choose("private"), None).await.unwrap();
        assert_eq!(pages(&ctx).await, 3_800);
        site.wait(3_600);
        site.counters(1, read(14_000, 14_400)).await;
        assert_eq!((pages(&site.person().await).await, open(&site).await.len()), (4_404, 0));
        let sheet = crate::devices::get(&site.person().await, id).await.unwrap();
        assert!(sheet.apart.unwrap().private_is_billed && sheet.doubts.is_empty());
        reopen(&site.person().await, doubts[0].id, None).await.unwrap();
        assert_eq!(pages(&site.person().await).await, 4_000);
    }
}

#[tokio::test]
async fn a_doubt_of_another_organisation_reads_as_one_that_never_was() {
    for mut site in Site::each().await {
        device(&mut site).await;
        hourly(&mut site, &[118_200, 12, 20]).await;
        let doubt = open(&site).await.remove(0).id;
        let (_, stranger) = site.test.customer(&site.root, "Other").await;
        let nobody = DoubtId(uuid::Uuid::from_u128(7));
        for id in [doubt, nobody] {
            let errors = [
                get(&stranger, id).await.unwrap_err(),
                settle(&stranger, id, &choose("new_start"), None).await.unwrap_err(),
                reopen(&stranger, id, None).await.unwrap_err(),
            ];
            assert!(
                errors.iter().all(|e| (e.kind, e.message.as_str()) == (ErrorKind::NotFound, "there is no such doubt"))
            );
        }
        assert!(list(&stranger, &DoubtQuery::default()).await.unwrap().items.is_empty());
    }
}
