//! Alerts and incidents of one device, held against the conditions that it really had.

use std::collections::{BTreeMap, BTreeSet};

use platen_core::alerts::{self, AlertQuery, AlertRow};
use platen_core::{Ctx, DeviceId, PageQuery};

use super::ledger::{Place, Unit};

/// Power on, and the trace of an alert that went.
const TRACES: [i64; 2] = [503, 1801];

/// Groups of the alert table (PrtAlertGroupTC) of which one must have had a row for a reason that bits alone tell; none
/// where any may.
fn groups_of(reason: &str) -> &'static [i32] {
    let begins = |words: &[&str]| words.iter().any(|word| reason.starts_with(word));
    match () {
        () if begins(&["media-jam"]) => &[8, 9, 10, 13, 30],
        () if begins(&["media", "input"]) => &[8, 13],
        () if begins(&["output"]) => &[9, 30],
        () if begins(&["toner", "marker"]) => &[10, 11, 12],
        () if begins(&["door", "cover", "interlock"]) => &[6],
        () => &[],
    }
}

/// What is told of this device and is not so.
pub(super) async fn judge(ctx: &Ctx, id: DeviceId, serial: &str, unit: &Unit, is_here: bool) -> Vec<String> {
    let rows: Vec<AlertRow> = of(ctx, id).await.into_iter().filter(|row| row.source == "device").collect();
    let mut faults = overlaps(serial, &rows);
    let codes = |places: &BTreeSet<Place>| places.iter().map(|place| i64::from(place.2)).collect::<BTreeSet<i64>>();
    let (stood, standing) = (codes(&unit.stood), codes(&unit.standing));
    let mut open = BTreeSet::new();
    let mut times: BTreeMap<i64, BTreeSet<_>> = BTreeMap::new();
    // Reasons without a row come from error bits and panels; they have no code.
    let bare = rows.iter().filter(|row| row.code.is_none() && row.group.is_empty() && unit.has_rows);
    for row in bare {
        let groups = groups_of(&row.reason);
        if !groups.is_empty() && !unit.stood.iter().any(|place| groups.contains(&place.0)) {
            faults.push(format!("{serial}: {} never was, by any row", row.reason));
        }
    }
    // Traces of others are no conditions.
    let coded = rows.iter().filter_map(|row| Some((row, row.code?))).filter(|(_, code)| !TRACES.contains(code));
    for (row, code) in coded {
        times.entry(code).or_default().insert(row.incident.0);
        if !stood.contains(&code) {
            faults.push(format!("{serial}: {} (code {code}, {:?}) never was", row.reason, row.text));
        }
        if row.cleared_at.is_none() {
            open.insert(code);
        }
    }
    for (code, times) in times {
        let episodes: u32 =
            unit.episodes.iter().filter(|(place, _)| i64::from(place.2) == code).map(|(_, count)| count).sum();
        if times.len() > episodes as usize {
            faults.push(format!("{serial}: code {code} is {} incidents and came {episodes} times", times.len()));
        }
    }
    if is_here && unit.has_rows {
        faults.extend(standing.difference(&open).map(|code| format!("{serial}: code {code} stands and is not told")));
        faults.extend(open.difference(&standing).map(|code| format!("{serial}: code {code} is over and still told")));
    }
    if !faults.is_empty() {
        let line = |row: &AlertRow| {
            let (from, to) = (row.raised_at, row.cleared_at.map(|at| at.to_string()).unwrap_or_default());
            format!("{} {} {} {:?} {from} to {to}, {} flaps", row.group, row.part, row.reason, row.code, row.flaps)
        };
        faults.push(format!("    told: {}", rows.iter().map(line).collect::<Vec<_>>().join(" | ")));
        faults.push(format!("    true: {:?}; put: {:?}; read otherwise: {:?}", unit.past, unit.put, unit.odd));
    }
    faults
}

/// The same condition twice at one time.
fn overlaps(serial: &str, rows: &[AlertRow]) -> Vec<String> {
    let mut faults = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let same =
            |other: &&AlertRow| (&other.group, &other.part, &other.reason) == (&row.group, &row.part, &row.reason);
        for other in rows[number + 1..].iter().filter(same) {
            let end = |row: &AlertRow| row.cleared_at.map_or(i64::MAX, |at| at.0);
            if row.raised_at.0 < end(other) && other.raised_at.0 < end(row) {
                faults.push(format!("{serial}: {} stands twice at one time", row.reason));
            }
        }
    }
    faults
}

async fn of(ctx: &Ctx, id: DeviceId) -> Vec<AlertRow> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = PageQuery { after, limit: Some(200), ..PageQuery::default() };
        let page = alerts::list(ctx, &AlertQuery { device: Some(id), page, ..AlertQuery::default() }).await.unwrap();
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}
