//! prtAlertTable: its rows come and go, so it is no part of the shared table. Also the bits of
//! hrPrinterDetectedErrorState and the words on the panel, which speak of the same causes.

use snmp::{Oid, Value};

use super::cell::{View, string};
use crate::life::{Cause, Row};
use crate::profile::SupplyType;

/// prtAlertEntry.
pub(super) const TABLE: Oid = Oid::of("1.3.6.1.2.1.43.18.1.1");

/// Readable columns: 1 index (some devices), 2 severity, 3 training, 4 group, 5 group index, 6 location, 7 code,
/// 8 description, 9 time.
const COLUMNS: std::ops::RangeInclusive<u32> = 1..=9;

/// The cell `column.1.index`.
pub(super) fn get(oid: &Oid, view: &View<'_>) -> Value {
    if view.profile.manners.no_alert_table {
        return Value::NoSuchObject;
    }
    match oid.suffix_of(&TABLE).as_deref() {
        Some([column, 1, index]) if readable(*column, view) => match view.life.alerts.row(*index) {
            Some(row) => value(view, row, *column),
            None => Value::NoSuchInstance,
        },
        Some([column, ..]) if readable(*column, view) => Value::NoSuchInstance,
        _ => Value::NoSuchObject,
    }
}

/// The first cell after `oid`, if it lies within the table or before it.
pub(super) fn next(oid: &Oid, view: &View<'_>) -> Option<(Oid, Value)> {
    let rows = &view.life.alerts.rows;
    let behind = *oid > TABLE && !oid.starts_with(&TABLE);
    if rows.is_empty() || behind || view.profile.manners.no_alert_table {
        return None;
    }
    let place = oid.suffix_of(&TABLE).unwrap_or_default();
    let (mut column, mut after) = match (place.first(), place.get(1), place.get(2)) {
        (Some(column), Some(1), Some(index)) => (*column, *index),
        (Some(column), Some(device), _) if *device > 1 => (*column + 1, 0),
        (Some(column), ..) => (*column, 0),
        (None, ..) => (*COLUMNS.start(), 0),
    };
    while column <= *COLUMNS.end() {
        if readable(column, view)
            && let Some(row) = rows.iter().find(|row| row.index > after)
        {
            return Some((TABLE.join(&[column, 1, row.index]), value(view, row, column)));
        }
        (column, after) = (column + 1, 0);
    }
    None
}

fn readable(column: u32, view: &View<'_>) -> bool {
    COLUMNS.contains(&column) && (column > 1 || view.profile.manners.readable_index)
}

fn value(view: &View<'_>, row: &Row, column: u32) -> Value {
    let (group, index, code) = place(view, row.cause);
    Value::Integer(match column {
        1 => row.index as i32,
        2 => row.severity as i32,
        3 => training(row.cause),
        4 => group,
        5 => index,
        6 => -2,
        7 => code,
        8 => return string(view.profile, &text(view, row.cause)),
        _ => return Value::TimeTicks((row.at.since(view.life.booted) / 10) as u32),
    })
}

/// PrtAlertTrainingLevelTC: 3 untrained, 4 trained, 5 field service, 7 none.
const fn training(cause: Cause) -> i32 {
    match cause {
        Cause::Service => 5,
        Cause::SupplyLow(_) | Cause::SupplyEmpty(_) => 4,
        Cause::PowerUp | Cause::Removal(_) => 7,
        _ => 3,
    }
}

/// prtAlertGroup, prtAlertGroupIndex and prtAlertCode.
pub(crate) fn place(view: &View<'_>, cause: Cause) -> (i32, i32, i32) {
    let input = |number: u8| view.profile.inputs[usize::from(number)].index as i32;
    match cause {
        Cause::Jam => (13, 1, 8),
        Cause::Cover(cover) => {
            let code = if view.profile.covers[usize::from(cover)].interlock { 5 } else { 501 };
            (6, i32::from(cover) + 1, code)
        }
        Cause::InputLow(number) => (8, input(number), 807),
        Cause::InputEmpty { input: number, .. } => (8, input(number), 808),
        Cause::OutputNearFull(number) => (9, i32::from(number) + 1, 902),
        Cause::OutputFull(number) => (9, i32::from(number) + 1, 903),
        Cause::SupplyLow(number) | Cause::SupplyEmpty(number) => {
            let plan = &view.profile.supplies[usize::from(number)];
            let empty = matches!(cause, Cause::SupplyEmpty(_));
            if plan.finisher > 0 {
                (30, i32::from(plan.finisher), if empty { 13 } else { 12 })
            } else {
                (11, plan.index as i32, supply_code(plan.kind, empty))
            }
        }
        Cause::Service => (10, 1, 30),
        Cause::PowerUp => (5, 1, 503),
        Cause::Removal(index) => (18, index as i32, 1801),
    }
}

const fn supply_code(kind: SupplyType, empty: bool) -> i32 {
    let (low, out) = match kind {
        SupplyType::Toner | SupplyType::TonerCartridge => (1104, 1101),
        SupplyType::Ink | SupplyType::InkCartridge => (1105, 1102),
        SupplyType::InkRibbon => (1106, 1103),
        SupplyType::WasteToner => (1107, 1109),
        SupplyType::WasteInk => (1108, 1110),
        SupplyType::Opc => (1111, 1112),
        SupplyType::Developer => (1113, 1114),
        _ => (10, 11),
    };
    if empty { out } else { low }
}

/// What the panel and prtAlertDescription say.
pub(crate) fn text(view: &View<'_>, cause: Cause) -> String {
    let profile = view.profile;
    let input = |number: u8| &profile.inputs[usize::from(number)].name;
    let supply = |number: u8| {
        let text = &profile.supplies[usize::from(number)].description;
        text.split(", ").next().unwrap_or(text).to_owned()
    };
    match cause {
        Cause::Jam => "Paper jam".into(),
        Cause::Cover(cover) => format!("{} open", profile.covers[usize::from(cover)].name),
        Cause::InputLow(number) => format!("{} low on paper", input(number)),
        Cause::InputEmpty { input: number, .. } => format!("{} empty", input(number)),
        Cause::OutputNearFull(bin) => format!("{} nearly full", profile.outputs[usize::from(bin)].name),
        Cause::OutputFull(bin) => format!("{} full", profile.outputs[usize::from(bin)].name),
        Cause::SupplyLow(number) if profile.supplies[usize::from(number)].kind.waste() => {
            format!("{} nearly full", supply(number))
        }
        Cause::SupplyEmpty(number) if profile.supplies[usize::from(number)].kind.waste() => {
            format!("{} full", supply(number))
        }
        Cause::SupplyLow(number) => format!("{} low", supply(number)),
        Cause::SupplyEmpty(number) => format!("Replace {}", supply(number)),
        Cause::Service => "Call for service".into(),
        Cause::PowerUp => "Power on".into(),
        Cause::Removal(index) => format!("Alert {index} cleared"),
    }
}

/// hrPrinterDetectedErrorState, bit 0 the most significant.
pub(crate) fn error_bits(view: &View<'_>) -> u16 {
    let bit = |number: u16| 0x8000_u16 >> number;
    view.life.alerts.rows.iter().fold(0, |bits, row| {
        bits | match row.cause {
            Cause::InputLow(_) => bit(0),
            Cause::InputEmpty { last, .. } => bit(13) | if last { bit(1) } else { 0 },
            Cause::SupplyLow(number) | Cause::SupplyEmpty(number) => {
                let kind = view.profile.supplies[usize::from(number)].kind;
                match (row.cause, kind.marks()) {
                    (Cause::SupplyLow(_), true) => bit(2),
                    (_, true) => bit(3),
                    (Cause::SupplyEmpty(_), false) if kind != SupplyType::Staples => bit(14),
                    _ => 0,
                }
            }
            Cause::Cover(_) => bit(4),
            Cause::Jam => bit(5),
            Cause::Service => bit(7),
            Cause::OutputNearFull(_) => bit(11),
            Cause::OutputFull(_) => bit(12),
            Cause::PowerUp | Cause::Removal(_) => 0,
        }
    })
}
