//! Devices through reports and services, on both engines: identity, status, lists, history, edits, silence.

use wire::{Body, Level, Outcome, State};

use super::*;
use crate::filter::Filter;
use crate::page::PageQuery;
use crate::reports::testing::{Site, status, subject, toner, total};
use crate::{Kind, Role};

fn standing() -> crate::alerts::IncidentQuery {
    crate::alerts::IncidentQuery { open: Some(true), ..crate::alerts::IncidentQuery::default() }
}

async fn rows(site: &Site) -> Vec<DeviceRow> {
    list(&site.person().await, &DeviceQuery { sort: SortBy::Serial, ..DeviceQuery::default() }).await.unwrap().items
}

async fn kinds(site: &Site, device: DeviceId) -> Vec<String> {
    let lines = history(&site.person().await, device, &PageQuery::default()).await.unwrap().items;
    lines.into_iter().map(|line| line.kind).collect()
}

#[tokio::test]
async fn a_device_moves_with_its_serial_and_keeps_its_history() {
    for mut site in Site::each().await {
        site.status(1, status("SERIAL1", |_| {})).await;
        let first = rows(&site).await;
        site.wait(60);
        // Another address, another subject, even another agent.
        let other = Site::enrol(&site.test, &site.root, site.root.home, 2).await;
        let moved = status("SERIAL1", |body| body.address = "10.4.9.9".into());
        let messages = site.messages(vec![(Some(subject(8)), Body::Status(Box::new(moved)))]);
        site.deliver_as(other, 1, messages).await.unwrap();
        let second = rows(&site).await;
        assert_eq!((second.len(), second[0].id), (1, first[0].id));
        assert_eq!(second[0].address.as_deref(), Some("10.4.9.9"));
        assert_eq!(second[0].agent, Some(other.into()));
        let kinds = kinds(&site, first[0].id).await;
        for kind in ["address", "moved", "discovered", "state"] {
            assert!(kinds.iter().any(|k| k == kind), "{kind} in {kinds:?}");
        }
    }
}

#[tokio::test]
async fn another_serial_at_the_same_place_is_another_unit() {
    for mut site in Site::each().await {
        site.status(1, status("SERIAL1", |_| {})).await;
        site.counters(1, vec![total(500_000)]).await;
        site.wait(3_600);
        site.status(1, status("SERIAL2", |_| {})).await;
        site.counters(1, vec![total(12)]).await;
        let rows = rows(&site).await;
        assert_eq!(rows.iter().map(|row| row.pages_life).collect::<Vec<_>>(), [Some(500_000), Some(12)]);
        let person = site.person().await;
        for row in &rows {
            assert_eq!(crate::meters::segments(&person, row.id).await.unwrap().len(), 1, "no meter was merged");
        }
        let told = crate::events::after(&person, 0, 500).await.unwrap();
        assert_eq!(told.iter().filter(|event| event.kind == "device.identity.mismatched").count(), 1);
        assert!(kinds(&site, rows[0].id).await.contains(&"identity".to_owned()));
    }
}

#[tokio::test]
async fn a_report_that_comes_late_changes_no_present_state() {
    for mut site in Site::each().await {
        let mut late = site.messages(vec![(
            Some(subject(1)),
            Body::Status(Box::new(status("SERIAL1", |body| body.status.state = State::Stopped))),
        )]);
        site.status(1, status("SERIAL1", |_| {})).await;
        site.wait(600);
        site.status(1, status("SERIAL1", |body| body.status.state = State::Processing)).await;
        late[0].taken_ms += 1_000;
        site.seq += 1;
        late[0].seq = site.seq;
        let reply = site.deliver_as(site.agent, 1, late).await.unwrap();
        assert_eq!(reply.results[0].outcome, Outcome::Stored);
        assert_eq!(rows(&site).await[0].word, Word::Printing);
    }
}

#[tokio::test]
async fn lists_sort_page_filter_search_and_count() {
    for mut site in Site::each().await {
        for number in 0..25_u8 {
            let body = status(&format!("SER{number:03}X{number}"), |body| {
                body.address = format!("10.4.0.{}", 100 - number);
                body.identity.name = Some(format!("Printer {number}"));
                body.identity.vendor = Some(if number % 2 == 0 { "hp" } else { "ricoh" }.into());
                body.identity.location = Some(format!("Wing {}", number % 3));
                if number == 7 {
                    body.status =
                        wire::Status { state: State::Stopped, reasons: vec!["media-jam-error".into()], console: None };
                }
            });
            site.status(number, body).await;
        }
        let ctx = site.person().await;
        for &sort in SortBy::ALL {
            for descending in [false, true] {
                let mut seen = Vec::new();
                let page = PageQuery { limit: Some(7), after: None, count: true };
                let mut query = DeviceQuery { sort, descending, page, ..DeviceQuery::default() };
                loop {
                    let page = list(&ctx, &query).await.unwrap();
                    assert_eq!(page.count, Some(25));
                    seen.extend(page.items.iter().map(|row| row.id));
                    query.page.after = page.next;
                    if query.page.after.is_none() {
                        break;
                    }
                }
                let unique: std::collections::HashSet<_> = seen.iter().collect();
                assert_eq!((seen.len(), unique.len()), (25, 25), "{sort:?} {descending}");
                query.page = PageQuery::default();
                let beside = neighbours(&ctx, seen[3], &query).await.unwrap();
                assert_eq!(
                    beside,
                    Neighbours { previous: Some(seen[2]), next: Some(seen[4]) },
                    "{sort:?} {descending}"
                );
            }
        }
        let by_name = list(&ctx, &DeviceQuery { sort: SortBy::Name, ..DeviceQuery::default() }).await.unwrap().items;
        assert_eq!((by_name[2].name.as_str(), by_name[10].name.as_str()), ("Printer 2", "Printer 10"));
        let worst = list(&ctx, &DeviceQuery::default()).await.unwrap().items;
        assert_eq!((worst[0].word, worst[0].why.as_deref()), (Word::Stopped, Some("paper jam")));
        let filter = |text: &str| DeviceQuery { filter: Some(Filter::parse(text).unwrap()), ..DeviceQuery::default() };
        let hp = list(&ctx, &filter(r#"vendor eq "hp" and place eq "Wing 0""#)).await.unwrap().items;
        assert_eq!(hp.len(), 5);
        assert_eq!(list(&ctx, &filter(r#"reason eq "media-jam-error""#)).await.unwrap().items.len(), 1);
        assert_eq!(
            list(&ctx, &filter(r#"status eq "stopped" or address eq "10.4.0.99""#)).await.unwrap().items.len(),
            2
        );
        for (text, expected) in [
            ("ser007", 1),
            ("10.4.0.9", 10),
            ("wing PRINTER", 25),
            ("printer 24", 1),
            ("7x7", 0),
            ("007x7", 1),
            ("nothing", 0),
        ] {
            assert_eq!(search(&ctx, text, 100).await.unwrap().len(), expected, "{text}");
        }
        let facets = facets(&ctx, &filter(r#"vendor eq "hp""#)).await.unwrap();
        assert_eq!((facets.total, facets.vendors.len(), facets.vendors[0].count), (13, 1, 13));
        assert_eq!(facets.places.iter().map(|place| place.count).sum::<u64>(), 13);
        assert_eq!((facets.agents[0].label.as_str(), facets.status[0].key.as_str()), ("agent 1", "ready"));
    }
}

#[tokio::test]
async fn a_person_names_a_device_and_others_see_it() {
    for mut site in Site::each().await {
        site.status(1, status("SERIAL1", |_| {})).await;
        let ctx = site.person().await;
        let id = rows(&site).await[0].id;
        let patch =
            DevicePatch { name: Some(Some("Reception 1".into())), asset_no: Some(Some("A-77".into())), location: None };
        assert_eq!(update(&ctx, id, &patch, None).await.unwrap_err().kind, Kind::PreconditionRequired);
        assert_eq!(update(&ctx, id, &patch, Some(9)).await.unwrap_err().kind, Kind::Stale);
        assert_eq!(update(&ctx, id, &patch, Some(1)).await.unwrap(), 2);
        let reader = site.test.account(&site.root, site.root.home, "u@example.org", Role::User).await;
        assert_eq!(update(&reader, id, &patch, Some(2)).await.unwrap_err().kind, Kind::Forbidden);
        // The device's own words do not undo a person's.
        site.wait(60);
        site.status(1, status("SERIAL1", |body| body.identity.name = Some("elsewhere".into()))).await;
        assert_eq!(search(&reader, "reception", 5).await.unwrap().len(), 1);
        assert_eq!(search(&reader, "a-77", 5).await.unwrap()[0].name, "Reception 1");
        assert_eq!(search(&reader, "elsewhere", 5).await.unwrap().len(), 1);
        assert!(kinds(&site, id).await.contains(&"edited".to_owned()));
        let records = crate::audit::list(&ctx, &crate::audit::AuditQuery::default()).await.unwrap().items;
        assert!(records.iter().any(|record| record.verb == "edited" && record.object_id == id.to_string()));
        let back: DevicePatch = serde_json::from_str(r#"{"name":null}"#).unwrap();
        update(&ctx, id, &back, Some(2)).await.unwrap();
        assert_eq!(rows(&site).await[0].name, "elsewhere");
    }
}

#[tokio::test]
async fn a_retired_device_stays_retired_though_it_still_speaks() {
    for mut site in Site::each().await {
        site.status(1, status("SERIAL1", |body| body.status.reasons = vec!["media-jam-error".into()])).await;
        let ctx = site.person().await;
        let id = rows(&site).await[0].id;
        retire(&ctx, id, Some(1)).await.unwrap();
        assert_eq!(retire(&ctx, id, Some(2)).await.unwrap_err().kind, Kind::Conflict);
        assert!(rows(&site).await.is_empty());
        assert_eq!(crate::alerts::counts(&ctx).await.unwrap(), crate::alerts::AlertCounts::default());
        let body = Body::Status(Box::new(status("SERIAL1", |_| {})));
        let counters = Body::Counters(wire::report::CountersBody { meters: vec![total(5)] });
        let told = site.deliver(vec![(Some(subject(1)), body), (Some(subject(1)), counters)]).await;
        assert_eq!(told, [Outcome::Refused, Outcome::Refused]);
        let retired = DeviceQuery { retired: true, ..DeviceQuery::default() };
        assert_eq!(list(&ctx, &retired).await.unwrap().items.len(), 1);
        assert_eq!(get(&ctx, id).await.unwrap().lifecycle, "retired");
    }
}

#[tokio::test]
async fn silence_is_told_once_and_ends_with_a_sign_of_life() {
    for mut site in Site::each().await {
        site.status(1, status("SERIAL1", |_| {})).await;
        site.status(2, status("SERIAL2", |_| {})).await;
        let platform = site.test.platform.clone();
        for _ in 0..20 {
            site.wait(60);
            site.seen(vec![subject(2)], Vec::new()).await;
            reconcile(&platform).await.unwrap();
        }
        let rows_now = rows(&site).await;
        assert_eq!((rows_now[0].word, rows_now[0].comm, rows_now[1].word), (Word::NotSeen, Comm::Silent, Word::Ready));
        let ctx = site.person().await;
        let alerts = crate::alerts::list(&ctx, &crate::alerts::AlertQuery { open: Some(true), ..Default::default() })
            .await
            .unwrap();
        assert_eq!((alerts.items.len(), alerts.items[0].reason.as_str()), (1, "platen-silent"));
        assert_eq!(reconcile(&platform).await.unwrap(), Reconciled::default());
        site.seen(vec![subject(1), subject(2)], Vec::new()).await;
        assert_eq!(rows(&site).await[0].word, Word::Ready);
        assert_eq!(crate::alerts::counts(&site.person().await).await.unwrap().open, 0);
        site.seen(vec![subject(2)], vec![subject(1)]).await;
        assert_eq!(rows(&site).await[0].comm, Comm::Unreachable);
        assert_eq!(reconcile(&platform).await.unwrap().devices, 0, "unreachable for a moment only");
    }
}

#[tokio::test]
async fn an_agent_off_line_is_one_incident_and_not_one_a_device() {
    for mut site in Site::each().await {
        for number in 0..5 {
            site.status(number, status(&format!("SERIAL{number}"), |_| {})).await;
        }
        let platform = site.test.platform.clone();
        site.wait(3_600);
        crate::agents::run(&platform).await.unwrap();
        assert_eq!(reconcile(&platform).await.unwrap().devices, 5);
        assert!(rows(&site).await.iter().all(|row| row.word == Word::Unknown && row.comm == Comm::UnknownPath));
        let ctx = site.person().await;
        let incidents = crate::alerts::list_incidents(&ctx, &standing()).await.unwrap().items;
        assert_eq!((incidents.len(), incidents[0].reason.as_str()), (1, "platen-agent-offline"));
        // The agent comes back: what it has heard is ready at once, the rest gets time.
        site.seen(vec![subject(0), subject(1)], Vec::new()).await;
        reconcile(&platform).await.unwrap();
        let words: Vec<_> = rows(&site).await.iter().map(|row| row.word).collect();
        assert_eq!(words, [Word::Ready, Word::Ready, Word::Unknown, Word::Unknown, Word::Unknown]);
        assert!(crate::alerts::list_incidents(&site.person().await, &standing()).await.unwrap().items.is_empty());
        site.wait(1_000);
        site.seen(vec![subject(0), subject(1)], Vec::new()).await;
        reconcile(&platform).await.unwrap();
        assert_eq!(rows(&site).await[4].comm, Comm::Silent);
    }
}

#[tokio::test]
async fn a_sheet_holds_all_with_source_and_age_and_one_sentence() {
    for mut site in Site::each().await {
        let body = status("SERIAL1", |body| {
            body.supplies =
                vec![toner(1, "yellow", Level::Percent { value: 4.0 }), toner(2, "black", Level::SomeRemaining)];
            body.identity.firmware = vec![wire::Component { name: "system".into(), version: "1.07".into() }];
            body.covers = vec![wire::Cover { index: "1.1".into(), name: Some("front".into()), open: Some(false) }];
            body.quirks = vec!["walk-loop".into()];
        });
        site.status(1, body).await;
        site.counters(1, vec![total(9_000)]).await;
        site.wait(3_600);
        site.counters(1, vec![total(9_914)]).await;
        let ctx = site.person().await;
        let sheet = get(&ctx, rows(&site).await[0].id).await.unwrap();
        assert_eq!((sheet.components.len(), sheet.covers.len(), sheet.quirks.len()), (1, 1, 1));
        assert_eq!(sheet.supplies[1].level, Level::SomeRemaining);
        assert!(sheet.raw.iter().any(|raw| raw.value == "9914" && raw.source.ends_with("43.10.2.1.4.1.1")));
        assert_eq!(lede(&sheet), "Ready, but it wants a person: yellow 4 %. It made 914 pages this month.");
        site.wait(60);
        let stopped = status("SERIAL1", |body| {
            body.status =
                wire::Status { state: State::Stopped, reasons: vec!["cover-open-error".into()], console: None };
        });
        site.status(1, stopped).await;
        site.wait(240);
        let sheet = get(&site.person().await, sheet.row.id).await.unwrap();
        assert_eq!(lede(&sheet), "Stopped for 4 minutes: cover open. It made 914 pages this month.");
    }
}
