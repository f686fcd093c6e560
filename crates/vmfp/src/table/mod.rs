//! The objects of one kind of device: a sorted table that all devices of that kind share. What is the same for all
//! stands in it as a value, what differs is computed when asked. Alert rows, which come and go, are merged in.

mod alert;
mod cell;
mod printer;
mod private;
mod system;

pub(crate) use alert::{error_bits, place, text};
pub(crate) use cell::{Cell, View, console};

use snmp::{Oid, Value};

use crate::profile::{Profile, ProfileError};

/// Sorted objects of one kind of device.
pub(crate) struct Table {
    rows: Vec<(Oid, Cell)>,
    /// Columns of prtAlertTable are merged in before this row.
    alerts_at: usize,
}

/// Both views of a device: the usual one, and that of a further SNMP context where it has one.
pub(crate) struct Tables {
    pub main: Table,
    pub context: Option<(String, Table)>,
}

impl Tables {
    pub(crate) fn of(profile: &Profile) -> Result<Self, ProfileError> {
        let all = Draft::of(profile)?;
        let Some(context) = &profile.manners.supplies_context else {
            return Ok(Self { main: all.finish(|_| true), context: None });
        };
        let hidden = |oid: &Oid| {
            [SUPPLIES, COLORANTS, DEVICE_ID]
                .iter()
                .any(|tree| tree.parse::<Oid>().is_ok_and(|tree| oid.starts_with(&tree)))
        };
        let main = Draft::of(profile)?.finish(|oid| !hidden(oid));
        Ok(Self { main, context: Some((context.clone(), all.finish(|_| true))) })
    }
}

/// Printer-MIB.
pub(crate) const PRINTER_MIB: &str = "1.3.6.1.2.1.43";
const SUPPLIES: &str = "1.3.6.1.2.1.43.11";
const COLORANTS: &str = "1.3.6.1.2.1.43.12";
/// Where several vendors keep their IEEE 1284 device id.
const DEVICE_ID: &str = "1.3.6.1.4.1.11.2.3.9.1.1.7";

/// Rows in the order in which they were thought of.
#[derive(Default)]
struct Draft {
    rows: Vec<(Oid, Cell)>,
    wrong: Option<String>,
}

impl Draft {
    fn of(profile: &Profile) -> Result<Self, ProfileError> {
        let mut draft = Self::default();
        system::add(&mut draft, profile);
        printer::add(&mut draft, profile);
        private::add(&mut draft, profile);
        match draft.wrong.take() {
            Some(text) => Err(ProfileError::Sense(profile.name.clone(), text)),
            None => Ok(draft),
        }
    }

    fn put(&mut self, oid: &str, cell: Cell) {
        match oid.parse() {
            Ok(oid) => self.rows.push((oid, cell)),
            Err(_) => self.wrong = Some(format!("{oid} is no object identifier")),
        }
    }

    /// A column of a Printer-MIB table: `P.table.1.column.1.index` (hrDeviceIndex 1).
    fn column(&mut self, table: &str, column: u32, index: u32, cell: Cell) {
        self.put(&format!("{PRINTER_MIB}.{table}.{column}.1.{index}"), cell);
    }

    fn finish(mut self, keep: impl Fn(&Oid) -> bool) -> Table {
        self.rows.retain(|(oid, _)| keep(oid));
        // Stable: where two rows claim one object the first stays.
        self.rows.sort_by(|a, b| a.0.cmp(&b.0));
        self.rows.dedup_by(|later, first| later.0 == first.0);
        self.rows.shrink_to_fit();
        let alerts_at = self.rows.partition_point(|(oid, _)| *oid < alert::TABLE);
        Table { rows: self.rows, alerts_at }
    }
}

impl Table {
    /// The value of exactly this object.
    pub(crate) fn get(&self, oid: &Oid, view: &View<'_>) -> Value {
        if oid.starts_with(&alert::TABLE) {
            return alert::get(oid, view);
        }
        match self.rows.binary_search_by(|(row, _)| row.cmp(oid)) {
            Ok(place) => self.rows[place].1.value(view),
            Err(place) => {
                let parent = oid.parent();
                let known = |row: Option<&(Oid, Cell)>| {
                    row.is_some_and(|(row, _)| parent.as_ref().is_some_and(|parent| row.starts_with(parent)))
                };
                let near = known(self.rows.get(place)) || (place > 0 && known(self.rows.get(place - 1)));
                if near { Value::NoSuchInstance } else { Value::NoSuchObject }
            }
        }
    }

    /// The first object after this one.
    pub(crate) fn next(&self, oid: &Oid, view: &View<'_>) -> Option<(Oid, Value)> {
        let place = self.rows.partition_point(|(row, _)| row <= oid);
        if place == self.alerts_at
            && let Some(found) = alert::next(oid, view)
        {
            return Some(found);
        }
        let (oid, cell) = self.rows.get(place)?;
        Some((oid.clone(), cell.value(view)))
    }

    /// Objects without alert rows.
    #[cfg(test)]
    pub(crate) fn rows(&self) -> &[(Oid, Cell)] {
        &self.rows
    }
}

#[cfg(test)]
mod tests;
