//! Supplies through reports, on both engines.

use wire::Level;

use super::*;
use crate::Micros;
use crate::devices::{DeviceId, DeviceQuery};
use crate::reports::testing::{Site, status, toner, total};

async fn say(site: &mut Site, level: Level, serial: Option<&str>) -> DeviceId {
    let body = status("SERIAL1", |body| {
        body.supplies = vec![toner(1, "yellow", level), toner(2, "black", Level::Unknown)];
        body.supplies[0].serial = serial.map(str::to_owned);
    });
    site.status(1, body).await;
    crate::devices::list(&site.person().await, &DeviceQuery::default()).await.unwrap().items[0].id
}

async fn all(site: &Site, device: DeviceId) -> SupplyHistory {
    history(&site.person().await, device, Micros(0), Micros(i64::MAX)).await.unwrap()
}

#[tokio::test]
async fn levels_are_kept_on_change_and_a_new_cartridge_is_recognised() {
    for mut site in Site::each().await {
        let mut device = say(&mut site, Level::Percent { value: 40.0 }, None).await;
        site.counters(1, vec![total(10_000)]).await;
        for value in [30.0, 30.0, 5.0, 100.0, 90.0] {
            site.wait(3_600);
            device = say(&mut site, Level::Percent { value }, None).await;
        }
        let past = all(&site, device).await;
        let yellow: Vec<_> = past.levels.iter().filter(|level| level.index == "1.1").collect();
        assert_eq!(
            yellow.iter().filter_map(|point| point.level.percent()).collect::<Vec<_>>(),
            [40.0, 30.0, 5.0, 100.0, 90.0]
        );
        assert_eq!((past.replacements.len(), past.replacements[0].evidence.as_str()), (1, "jump"));
        assert_eq!((past.replacements[0].before, past.replacements[0].after), (Some(5.0), Some(100.0)));
        site.wait(60);
        say(&mut site, Level::Percent { value: 88.0 }, Some("c1")).await;
        site.wait(60);
        say(&mut site, Level::Percent { value: 88.0 }, Some("c2")).await;
        let past = all(&site, device).await;
        assert_eq!((past.replacements.len(), past.replacements[0].evidence.as_str()), (2, "serial"));
        assert_eq!(past.replacements[0].old_serial.as_deref(), Some("c1"));
    }
}

#[tokio::test]
async fn walk_safety_half_a_table_of_supplies_takes_none_away() {
    for mut site in Site::each().await {
        let device = say(&mut site, Level::Percent { value: 40.0 }, Some("c1")).await;
        for quirk in [wire::report::SUPPLIES_NOT_TOLD, "tables-not-answered"] {
            site.wait(60);
            let half = status("SERIAL1", |body| {
                let row = Supply { raw: RawLevel::default(), ..toner(1, "yellow", Level::Unknown) };
                (body.supplies, body.quirks) = (vec![row], vec![quirk.to_owned()]);
            });
            site.status(1, half).await;
            let ctx = site.person().await;
            let now = current(&ctx, device).await.unwrap();
            assert_eq!((now.len(), now[0].level), (2, Level::Percent { value: 40.0 }), "{quirk}");
            let row = &crate::devices::list(&ctx, &DeviceQuery::default()).await.unwrap().items[0];
            assert_eq!(row.supplies.len(), 2, "{quirk}");
        }
        site.wait(60);
        say(&mut site, Level::Percent { value: 39.0 }, Some("c1")).await;
        let past = all(&site, device).await;
        assert_eq!((past.replacements.len(), current(&site.person().await, device).await.unwrap().len()), (0, 2));
    }
}

#[tokio::test]
async fn days_left_are_told_only_where_the_past_allows() {
    for mut site in Site::each().await {
        let mut device = say(&mut site, Level::Percent { value: 100.0 }, None).await;
        for day in 1..=10 {
            site.wait(86_400);
            device = say(&mut site, Level::Percent { value: 100.0 - 5.0 * f64::from(day) }, None).await;
            let before = current(&site.person().await, device).await.unwrap();
            assert_eq!(before[0].forecast.is_some(), day > 2, "nothing is told before it was reckoned, day {day}");
            assert_eq!(run(&site.test.platform).await.unwrap().forecasts, u64::from(day > 1));
            let now = current(&site.person().await, device).await.unwrap();
            assert_eq!(now[0].forecast.is_some(), day > 1, "one step of five tells no slope, day {day}");
            assert_eq!((now[1].forecast, now[1].level), (None, Level::Unknown));
        }
        let yellow = &current(&site.person().await, device).await.unwrap()[0];
        let forecast = yellow.forecast.unwrap();
        assert!((forecast.days - 10.0).abs() < 1.5, "{forecast:?}");
        assert!(forecast.least_days < 8.5 && forecast.most_days > 11.5, "{forecast:?}");
        let row = &crate::devices::list(&site.person().await, &DeviceQuery::default()).await.unwrap().items[0];
        assert_eq!(row.supplies.iter().map(|supply| supply.letter).collect::<String>(), "YK");
        assert_eq!(run(&site.test.platform).await.unwrap(), Looked::default(), "nothing is due");
        site.wait(86_400);
        assert_eq!(run(&site.test.platform).await.unwrap().devices, 1, "days pass without a report too");
        let list = list(&site.person().await, &SupplyQuery::default()).await.unwrap();
        assert_eq!(list.items.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["yellow toner"]);
        let rest = SupplyQuery { without_forecast: true, ..SupplyQuery::default() };
        assert_eq!(super::list(&site.person().await, &rest).await.unwrap().items[0].name, "black toner");
        let sheet = supply(&site.person().await, device, "1.1").await.unwrap();
        assert_eq!((sheet.levels.len(), sheet.left.len()), (11, 11));
        assert!(sheet.outlook.unwrap().p50_at > sheet.outlook.unwrap().from);
    }
}

#[tokio::test]
async fn a_slot_that_is_no_longer_told_goes_and_unstated_levels_stay_without_a_number() {
    for mut site in Site::each().await {
        for level in [Level::SomeRemaining, Level::Unrestricted, Level::Staged { value: 1, steps: 3 }, Level::Unknown] {
            site.wait(60);
            let device = say(&mut site, level, None).await;
            assert_eq!(current(&site.person().await, device).await.unwrap()[0].level, level);
        }
        site.wait(60);
        let body = status("SERIAL1", |body| body.supplies = vec![toner(2, "black", Level::Unknown)]);
        site.status(1, body).await;
        let id = crate::devices::list(&site.person().await, &DeviceQuery::default()).await.unwrap().items[0].id;
        assert_eq!(current(&site.person().await, id).await.unwrap().len(), 1);
        assert!(all(&site, id).await.levels.iter().all(|point| point.level.percent().is_none()));
    }
}

#[tokio::test]
async fn receptacles_are_shown_full_once_their_model_has_shown_which_way_its_level_runs() {
    for mut site in Site::each().await {
        let waste = |serial: &str, value: f64| {
            status(serial, |body| {
                let mut tank = toner(1, "black", Level::Percent { value });
                (tank.class, tank.kind, tank.color) = (Class::Receptacle, "waste-toner".to_owned(), None);
                body.supplies = vec![tank];
            })
        };
        let mut filled = Vec::new();
        for value in [60.0, 70.0, 78.0, 90.0, 2.0] {
            site.wait(86_400);
            site.status(1, waste("SERIAL1", value)).await;
            let person = site.person().await;
            let device = crate::devices::list(&person, &DeviceQuery::default()).await.unwrap().items[0].id;
            filled.push(current(&person, device).await.unwrap()[0].filled);
        }
        assert_eq!(filled, [None, None, None, Some(90.0), Some(2.0)], "three steady steps decide");
        let person = site.person().await;
        let first = crate::devices::list(&person, &DeviceQuery::default()).await.unwrap().items[0].id;
        let past = all(&site, first).await;
        assert_eq!(past.replacements.len(), 1, "a full box that reads 2 % was emptied");
        // Another device of the model needs no history of its own.
        site.wait(60);
        site.status(2, waste("SERIAL2", 30.0)).await;
        let person = site.person().await;
        for row in crate::devices::list(&person, &DeviceQuery::default()).await.unwrap().items {
            assert!(current(&person, row.id).await.unwrap()[0].filled.is_some(), "{:?}", row.serial);
        }
    }
}

#[tokio::test]
async fn what_is_not_foretold_stands_by_what_is_left_steps_and_waste_boxes_too() {
    for mut site in Site::each().await {
        for full in [60.0, 70.0, 78.0, 90.0] {
            site.wait(86_400);
            let body = status("SERIAL1", |body| {
                let mut tank = toner(5, "black", Level::Percent { value: full });
                (tank.class, tank.kind, tank.color) = (Class::Receptacle, "waste-toner".to_owned(), None);
                body.supplies = vec![
                    toner(1, "cyan", Level::Percent { value: 40.0 }),
                    toner(2, "magenta", Level::Unknown),
                    toner(3, "yellow", Level::Staged { value: 2, steps: 3 }),
                    toner(4, "black", Level::Staged { value: 1, steps: 3 }),
                    tank,
                ];
            });
            site.status(1, body).await;
        }
        let person = site.person().await;
        let mut asked = SupplyQuery { without_forecast: true, ..SupplyQuery::default() };
        asked.page.limit = Some(1);
        let mut left = Vec::new();
        loop {
            let page = list(&person, &asked).await.unwrap();
            left.extend(page.items.into_iter().map(|row| row.index));
            asked.page.after = page.next;
            if asked.page.after.is_none() {
                break;
            }
        }
        assert_eq!(left, ["1.5", "1.4", "1.1", "1.3", "1.2"], "10 % of the box, a third, 40 %, two thirds, unknown");
    }
}
