//! Some devices give wrong values in GETBULK alone. The first full reading of a device holds a few numbers of its tables
//! against a plain GET, once; where they differ, the tables are read again one by one, now and ever after.

use serde::{Deserialize, Serialize};
use snmp::{Oid, Version};

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
const QUIRK: &str = "snmp-wrong-values-in-bulk";

impl Session<'_> {
    /// Compares, unless it was done before, and reads the tables again where GETBULK lies.
    pub(super) async fn prove_bulk(&mut self, tables: &[Tables]) {
        let learnt = self.engine().learnt(self.address());
        let unused = self.version() == Version::V1 || learnt.no_bulk || learnt.v1_only;
        if self.known.bulk == BulkTrust::Wrong {
            self.quirks.push(QUIRK.to_owned());
        }
        if self.known.bulk != BulkTrust::Untried || unused {
            return;
        }
        let asked = numbers(&self.said);
        let plain: Snapshot = self.get_all(&asked).await.into_rows().into_iter().collect();
        match verdict(&self.said, &plain, &asked) {
            Some(BulkTrust::Wrong) => {
                self.known.bulk = BulkTrust::Wrong;
                self.quirks.push(QUIRK.to_owned());
                // Only what a GET brought stays.
                let opening = questions::opening();
                let kept: Vec<Oid> = opening.into_iter().filter(|object| self.said.get(object).is_some()).collect();
                let rows =
                    kept.iter().filter_map(|oid| Some(snmp::VarBind::new(oid.clone(), self.said.get(oid)?.clone())));
                self.said = rows.collect();
                self.ask_tables(tables).await;
            }
            Some(trust) => self.known.bulk = trust,
            None => {}
        }
    }
}

/// Numbers of the tables that seldom move: capacities first, then levels and counts.
fn numbers(said: &Snapshot) -> Vec<Oid> {
    let columns = [oid::SUPPLY.child(8), oid::INPUT.child(9), oid::SUPPLY.child(9), oid::MARKER.child(4)];
    let cells = columns.iter().flat_map(|column| said.below(column).take(COMPARED / 2).map(|(oid, _)| oid.clone()));
    cells.filter(|oid| said.number(oid).is_some()).take(COMPARED).collect()
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
        rows.map(|(oid, value)| snmp::VarBind::new(oid, value)).collect()
    }

    #[test]
    fn bulk_bugs_one_number_that_moved_is_no_lie_and_most_are() {
        let asked = numbers(&said(&[100, 100, 50, 7]));
        assert_eq!(asked.len(), 4);
        let judge = |plain: &[i32]| verdict(&said(&[100, 100, 50, 7]), &said(plain), &asked);
        assert_eq!(judge(&[100, 100, 50, 7]), Some(BulkTrust::Right));
        assert_eq!(judge(&[100, 100, 49, 7]), Some(BulkTrust::Right));
        assert_eq!(judge(&[713, 713, 363, 62]), Some(BulkTrust::Wrong));
        assert_eq!(verdict(&said(&[100]), &said(&[713]), &asked), Some(BulkTrust::Right), "one alone proves nothing");
        assert_eq!(verdict(&said(&[]), &said(&[]), &[]), None);
    }
}
