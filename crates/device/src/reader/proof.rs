//! Some devices give wrong values in GETBULK alone. Each full reading holds a few numbers of the tables against a plain
//! GET, others in each; lesser ones hold against it what their first GET brought anyway. Where they differ, the tables
//! are read again one by one, now and ever after.

use serde::{Deserialize, Serialize};
use snmp::{Oid, VarBind, Version};

use super::access::Known;
use super::poll::vital_objects;
use super::questions::{self, Tables};
use super::session::Session;
use crate::snapshot::Snapshot;
use crate::standard::oid;

/// Whether values of GETBULK may be believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BulkTrust {
    /// Not compared yet.
    #[default]
    Untried,
    /// A plain GET gave the same numbers.
    Right,
    /// A plain GET gave other numbers: GETBULK is not used any more.
    Wrong,
}

/// Numbers compared, at most.
const COMPARED: usize = 8;
/// How far a counter of a device may run on between two questions of one visit.
const MOVES: i64 = 100;
const QUIRK: &str = "snmp-wrong-values-in-bulk";

/// Objects that a later look asks for in its first GET already, so that what GETBULK says of them can be held against it
/// without a question of its own.
pub(super) fn witnesses(known: &Known) -> impl Iterator<Item = Oid> {
    let trusted = known.bulk != BulkTrust::Wrong;
    let objects = vital_objects(known).into_iter().enumerate();
    // What stands in hundredths of a second, and what is no number, is left out.
    objects
        .filter(move |(place, _)| trusted && known.vitals >> place & 1 == 1 && matches!(place, 0 | 1 | 3))
        .map(|(_, o)| o)
}

/// Parts the answer to the first GET: what it opens the reading with, and what bears witness.
pub(super) fn apart(rows: Vec<VarBind>) -> (Snapshot, Snapshot) {
    let opening = questions::opening();
    let (opening, witnesses): (Vec<VarBind>, Vec<VarBind>) =
        rows.into_iter().partition(|row| opening.contains(&row.oid));
    (opening.into_iter().collect(), witnesses.into_iter().collect())
}

impl Session<'_> {
    /// In a full reading: compares some numbers, at first those that never move, later others in turn; and reads the
    /// tables again where GETBULK lies.
    pub(super) async fn prove_bulk(&mut self, tables: &[Tables]) {
        if !self.may_compare() {
            return;
        }
        let first = self.known.bulk == BulkTrust::Untried || self.is_contradicted();
        let hours = self.said.number(&oid::SYS_UP_TIME).unwrap_or(0) / 360_000;
        let sample = if first { settled(&self.said) } else { turn(&self.said, hours.unsigned_abs()) };
        self.compare(&sample, tables).await;
    }

    /// In a lesser reading: compares only where the first GET said otherwise than GETBULK.
    pub(super) async fn doubt_bulk(&mut self, tables: &[Tables]) {
        if self.may_compare() && self.is_contradicted() {
            let sample = settled(&self.said);
            self.compare(&sample, tables).await;
        }
    }

    /// Whether GETBULK was used; a lie that is known is noted.
    fn may_compare(&mut self) -> bool {
        let learnt = self.engine().learnt(self.address());
        if self.known.bulk == BulkTrust::Wrong {
            self.quirks.push(QUIRK.to_owned());
            return false;
        }
        self.version() != Version::V1 && !learnt.no_bulk && !learnt.v1_only
    }

    /// Whether a witness said what no page and no alert in between explains.
    fn is_contradicted(&self) -> bool {
        let told = |object: &Oid| self.said.number(object).zip(self.witnesses.number(object));
        let differs = |object: &Oid| told(object).is_some_and(|(bulk, plain)| bulk < plain || bulk > plain + MOVES);
        self.witnesses.iter().any(|(object, _)| differs(object))
    }

    async fn compare(&mut self, sample: &[Oid], tables: &[Tables]) {
        let mut verdict = self.ask_plainly(sample).await;
        if verdict == Some(BulkTrust::Wrong) && self.known.bulk == BulkTrust::Right {
            // It told the truth until now: what moves may have moved.
            verdict = self.ask_plainly(sample).await;
        }
        match verdict {
            Some(BulkTrust::Wrong) => {
                self.known.bulk = BulkTrust::Wrong;
                self.quirks.push(QUIRK.to_owned());
                // Only what a GET brought stays.
                let opening = questions::opening();
                let kept: Vec<Oid> = opening.into_iter().filter(|object| self.said.get(object).is_some()).collect();
                let rows = kept.iter().filter_map(|oid| Some(VarBind::new(oid.clone(), self.said.get(oid)?.clone())));
                self.said = rows.collect();
                self.ask_tables(tables).await;
            }
            Some(trust) => self.known.bulk = trust,
            None => {}
        }
    }

    async fn ask_plainly(&self, sample: &[Oid]) -> Option<BulkTrust> {
        let plain: Snapshot = self.get_all(sample).await.into_rows().into_iter().collect();
        verdict(&self.said, &plain, sample)
    }
}

/// Numbers of the tables that seldom move: capacities first, then levels, units and counts.
fn settled(said: &Snapshot) -> Vec<Oid> {
    let columns = [
        oid::SUPPLY.child(8),
        oid::INPUT.child(9),
        oid::SUPPLY.child(9),
        oid::MARKER.child(4),
        oid::MARKER.child(3),
        oid::MARKER.child(6),
        oid::MARKER.child(7),
    ];
    let cells = columns.iter().flat_map(|column| said.below(column).take(COMPARED / 2).map(|(oid, _)| oid.clone()));
    cells.filter(|oid| said.number(oid).is_some()).take(COMPARED).collect()
}

/// As many numbers of all tables, others in each turn.
fn turn(said: &Snapshot, turn: u64) -> Vec<Oid> {
    let cells = said.below(&oid::PRINTER_MIB).filter(|(oid, _)| said.number(oid).is_some());
    let all: Vec<&Oid> = cells.map(|(oid, _)| oid).collect();
    let start = turn.wrapping_mul(COMPARED as u64).checked_rem(all.len() as u64).unwrap_or(0);
    all.iter().cycle().skip(start as usize).take(COMPARED.min(all.len())).map(|oid| (*oid).clone()).collect()
}

/// One number may have moved between the two questions; two of few have not.
fn verdict(bulk: &Snapshot, plain: &Snapshot, asked: &[Oid]) -> Option<BulkTrust> {
    let pairs: Vec<_> = asked.iter().filter_map(|oid| Some((bulk.number(oid)?, plain.number(oid)?))).collect();
    let differ = pairs.iter().filter(|(bulk, plain)| bulk != plain).count();
    match pairs.len() {
        0 => None,
        all if differ >= 2 && differ * 2 > all => Some(BulkTrust::Wrong),
        _ => Some(BulkTrust::Right),
    }
}

#[cfg(test)]
mod tests {
    use snmp::Value;

    use super::*;

    fn said(numbers: &[i32]) -> Snapshot {
        let rows = (1..).zip(numbers).map(|(row, number)| (oid::SUPPLY.join(&[8, 1, row]), Value::Integer(*number)));
        rows.map(|(oid, value)| VarBind::new(oid, value)).collect()
    }

    #[test]
    fn bulk_bugs_one_number_that_moved_is_no_lie_and_most_are() {
        let asked = settled(&said(&[100, 100, 50, 7]));
        assert_eq!(asked.len(), 4);
        let judge = |plain: &[i32]| verdict(&said(&[100, 100, 50, 7]), &said(plain), &asked);
        assert_eq!(judge(&[100, 100, 50, 7]), Some(BulkTrust::Right));
        assert_eq!(judge(&[100, 100, 49, 7]), Some(BulkTrust::Right));
        assert_eq!(judge(&[713, 713, 363, 62]), Some(BulkTrust::Wrong));
        assert_eq!(verdict(&said(&[100]), &said(&[713]), &asked), Some(BulkTrust::Right), "one alone proves nothing");
        assert_eq!(verdict(&said(&[]), &said(&[]), &[]), None);
    }

    #[test]
    fn bulk_bugs_every_number_has_its_turn() {
        let all = said(&(0..27).collect::<Vec<_>>());
        let mut met = std::collections::BTreeSet::new();
        for hours in 0..4 {
            let sample = turn(&all, hours);
            assert_eq!(sample.len(), COMPARED);
            met.extend(sample);
        }
        assert_eq!(met.len(), 27);
        assert!(turn(&said(&[]), 3).is_empty());
        assert_eq!(turn(&said(&[1, 2]), u64::MAX).len(), 2);
    }
}
