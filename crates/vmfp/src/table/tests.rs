//! Tables of every kind: walkable, in order, and adding up.

use super::*;
use crate::clock::Instant;
use crate::config::Mood;
use crate::identity::Identity;
use crate::life::Life;
use crate::profile::embedded;

fn each(mut check: impl FnMut(&Profile, &Tables, &View<'_>)) {
    for profile in embedded().unwrap() {
        let tables = Tables::of(profile).unwrap();
        for place in [2, 5, 22] {
            let mut life = Life::begin_at(profile, 9, place, Mood::Lively);
            let now = Instant::from_hours(0.05);
            life.advance(profile, Mood::Lively, now);
            check(
                profile,
                &tables,
                &View { profile, who: Identity { seed: 9, place, board: 0, unit: 0 }, life: &life, now, faults: &[] },
            );
        }
    }
}

fn walk(table: &Table, view: &View<'_>) -> Vec<(Oid, Value)> {
    let (mut at, mut rows) = (Oid::of("0.0"), Vec::new());
    while let Some((oid, value)) = table.next(&at, view) {
        assert!(oid > at, "{oid} does not follow {at}");
        assert_eq!(table.get(&oid, view), value, "{oid}");
        at = oid.clone();
        rows.push((oid, value));
    }
    rows
}

fn number(table: &Table, view: &View<'_>, oid: &str) -> Option<u64> {
    table.get(&oid.parse().unwrap(), view).as_u64()
}

#[test]
fn every_walk_is_increasing_and_complete() {
    each(|profile, tables, view| {
        let rows = walk(&tables.main, view);
        let shared = tables.main.rows().len();
        let columns = if profile.manners.readable_index { 9 } else { 8 };
        let alerts = if profile.manners.no_alert_table { 0 } else { view.life.alerts.rows.len() * columns };
        assert_eq!(rows.len(), shared + alerts, "{}", profile.name);
        assert!(rows.iter().all(|(_, value)| !value.is_missing()));
        // What lies between rows is answered by what comes after it, too.
        for between in (1..40).map(|table| format!("{PRINTER_MIB}.{table}.1.1.200").parse::<Oid>().unwrap()) {
            let first = rows.iter().find(|(oid, _)| *oid > between);
            assert_eq!(tables.main.next(&between, view).as_ref(), first, "{} {between}", profile.name);
        }
        if let Some((_, context)) = &tables.context {
            assert!(walk(context, view).len() > rows.len(), "{}", profile.name);
        }
    });
}

#[test]
fn markers_tell_the_total() {
    each(|profile, tables, view| {
        let count = |marker: u32| number(&tables.main, view, &format!("{PRINTER_MIB}.10.2.1.4.1.{marker}"));
        let total = count(1).unwrap() + count(2).unwrap_or(0);
        let unit = number(&tables.main, view, &format!("{PRINTER_MIB}.10.2.1.3.1.1"));
        if unit == Some(7) {
            assert_eq!(total, u64::from(view.life.meters.total()), "{}", profile.name);
        }
    });
}

/// (kind, total, parts): each total is the sum of its parts.
const SUMS: [(&str, &str, &[&str]); 7] = [
    (
        "kyocera-colour-a3",
        "1.3.6.1.4.1.1347.43.10.1.1.12.1.1",
        &["1.3.6.1.4.1.1347.42.3.1.1.1.1.1", "1.3.6.1.4.1.1347.42.3.1.1.1.1.2", "1.3.6.1.4.1.1347.42.3.1.1.1.1.4"],
    ),
    (
        "kyocera-colour-a3",
        "1.3.6.1.4.1.1347.42.3.1.1.1.1.2",
        &["1.3.6.1.4.1.1347.42.3.1.2.1.1.2.1", "1.3.6.1.4.1.1347.42.3.1.2.1.1.2.3"],
    ),
    (
        "canon-colour-a3",
        "1.3.6.1.4.1.1602.1.11.1.3.1.4.101",
        &[
            "1.3.6.1.4.1.1602.1.11.1.3.1.4.112",
            "1.3.6.1.4.1.1602.1.11.1.3.1.4.113",
            "1.3.6.1.4.1.1602.1.11.1.3.1.4.122",
            "1.3.6.1.4.1.1602.1.11.1.3.1.4.123",
        ],
    ),
    (
        "konica-minolta-colour-a3",
        "1.3.6.1.4.1.18334.1.1.1.5.7.2.1.1.0",
        &[
            "1.3.6.1.4.1.18334.1.1.1.5.7.2.2.1.5.1.1",
            "1.3.6.1.4.1.18334.1.1.1.5.7.2.2.1.5.1.2",
            "1.3.6.1.4.1.18334.1.1.1.5.7.2.2.1.5.2.1",
            "1.3.6.1.4.1.18334.1.1.1.5.7.2.2.1.5.2.2",
        ],
    ),
    (
        "xerox-colour-a3",
        "1.3.6.1.4.1.253.8.53.13.2.1.6.1.20.1",
        &["1.3.6.1.4.1.253.8.53.13.2.1.6.1.20.33", "1.3.6.1.4.1.253.8.53.13.2.1.6.1.20.34"],
    ),
    (
        "hp-colour-a4",
        "1.3.6.1.4.1.11.2.3.9.4.2.1.4.1.2.5.0",
        &["1.3.6.1.4.1.11.2.3.9.4.2.1.4.1.2.6.0", "1.3.6.1.4.1.11.2.3.9.4.2.1.4.1.2.7.0"],
    ),
    (
        "sharp-colour-a3",
        "1.3.6.1.2.1.43.10.2.1.4.1.1",
        &["1.3.6.1.4.1.2385.1.1.19.2.1.3.5.4.61", "1.3.6.1.4.1.2385.1.1.19.2.1.3.5.4.63"],
    ),
];

#[test]
fn private_counters_add_up() {
    let mut checked = 0;
    each(|profile, tables, view| {
        for (_, total, parts) in SUMS.iter().filter(|(name, ..)| *name == profile.name) {
            let get = |oid: &str| number(&tables.main, view, oid).unwrap_or_else(|| panic!("{}: {oid}", profile.name));
            let sum: u64 = parts.iter().map(|part| get(part)).sum();
            assert_eq!(get(total), sum, "{}", profile.name);
            assert!(sum > 0);
            checked += 1;
        }
    });
    assert_eq!(checked, SUMS.len() * 3);
}

#[test]
fn alert_rows_and_error_bits_speak_of_the_same() {
    let profile = crate::profile::find("kyocera-colour-a3").unwrap();
    let tables = Tables::of(&profile).unwrap();
    let life = Life::begin_at(&profile, 4, 5, Mood::Lively);
    let view = View {
        profile: &profile,
        who: Identity { seed: 4, place: 5, board: 0, unit: 0 },
        life: &life,
        now: Instant::START,
        faults: &[],
    };
    let row = life.alerts.rows.iter().find(|row| row.cause == crate::life::Cause::Jam).unwrap().index;
    let cell = |column: u32| tables.main.get(&alert::TABLE.join(&[column, 1, row]), &view);
    let told = [cell(2), cell(4), cell(7)].map(|value| value.as_i64());
    assert_eq!(told, [Some(3), Some(13), Some(8)]);
    assert_ne!(error_bits(&view) & (0x8000 >> 5), 0);
    assert_eq!(console(&view, 0), "Paper jam");
    let status = number(&tables.main, &view, "1.3.6.1.2.1.25.3.2.1.5.1");
    assert_eq!(status, Some(5));
}

#[test]
fn vendors_keep_their_ways() {
    let level = |name: &str, left: f64, oid: &str| {
        let profile = crate::profile::find(name).unwrap();
        let tables = Tables::of(&profile).unwrap();
        let mut life = Life::begin_at(&profile, 4, 0, Mood::Calm);
        life.supplies[0].left = left;
        let view = View {
            profile: &profile,
            who: Identity { seed: 4, place: 0, board: 0, unit: 0 },
            life: &life,
            now: Instant::START,
            faults: &[],
        };
        tables.main.get(&oid.parse().unwrap(), &view).as_i64().unwrap()
    };
    let first = "1.3.6.1.2.1.43.11.1.1.9.1.1";
    let canon = [0.9, 0.1, 0.01, 0.0].map(|left| level("canon-mono-lbp", left, first));
    assert_eq!(canon, [100, 10, 1, 0]);
    let brother = [0.9, 0.1, 0.01, 0.0].map(|left| level("brother-mono-a4", left, first));
    assert_eq!(brother, [0, 1, 3, 2]);
    assert_eq!([0.9, 0.0].map(|left| level("brother-colour-a4", left, first)), [-3, 0]);
    let ricoh = [0.83, 0.1, 0.0].map(|left| level("ricoh-colour-a3", left, "1.3.6.1.4.1.367.3.2.1.2.24.1.1.5.1"));
    assert_eq!(ricoh, [90, -100, 0]);
    assert_eq!(level("kyocera-colour-a3", 0.5, first), 10_000);
}

#[test]
fn told_levels_stay_in_their_range_for_a_quarter() {
    for profile in embedded().unwrap() {
        let tables = Tables::of(profile).unwrap();
        let mut life = Life::begin_at(profile, 8, 1, Mood::Lively);
        for hour in 0..2_200 {
            let now = Instant::from_hours(f64::from(hour));
            life.advance(profile, Mood::Lively, now);
            let view =
                View { profile, who: Identity { seed: 8, place: 1, board: 0, unit: 0 }, life: &life, now, faults: &[] };
            for (oid, cell) in tables.main.rows() {
                let most = match cell {
                    Cell::InputLevel(input) => i64::from(profile.inputs[usize::from(*input)].sheets),
                    Cell::OutputRoom(output) => i64::from(profile.outputs[usize::from(*output)].sheets),
                    Cell::SupplyLevel(supply) => i64::from(profile.supplies[usize::from(*supply)].max.max(100)),
                    _ => continue,
                };
                let level = cell.value(&view).as_i64().unwrap();
                assert!((-3..=most).contains(&level), "{}: {oid} says {level} of {most}", profile.name);
            }
        }
    }
}
