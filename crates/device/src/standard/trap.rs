//! printerV2Alert (RFC 3805): the row of prtAlertTable that a device tells by itself. It means what the same row means
//! when the table is read, in the same words.

use snmp::{OidRef, Value, ValueRef};
use wire::Alert;

use super::alerts::{self, Around, REMOVAL};
use super::oid;
use crate::snapshot::Snapshot;
use crate::text::Charset;

/// Arcs of prtAlertEntry.
const ENTRY: usize = 10;

/// Numbers of a row of prtAlertTable as a trap carries them; what it leaves out is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AlertRow {
    device: u32,
    index: u32,
    severity: Option<i32>,
    group: Option<i32>,
    group_index: Option<i32>,
    location: Option<i32>,
    code: Option<i32>,
}

impl AlertRow {
    /// Takes over one object of a trap, if it belongs to the row.
    pub fn take(&mut self, object: OidRef<'_>, value: ValueRef<'_>) {
        if !object.starts_with(oid::ALERT.as_ref()) {
            return;
        }
        let mut place = object.arcs().skip(ENTRY);
        let Some(column) = place.next() else { return };
        let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
        match column {
            2 => self.severity = number,
            4 => self.group = number,
            5 => self.group_index = number,
            6 => self.location = number,
            7 => self.code = number,
            _ => {}
        }
        if let (Some(device), Some(index)) = (place.next(), place.next()) {
            (self.device, self.index) = (device, index);
        }
    }

    /// What makes two traps tell the same alert, whatever its row is called this time. A worse turn is another one.
    pub fn same(&self) -> [Option<i32>; 5] {
        [self.severity, self.group, self.group_index, self.location, self.code]
    }

    /// Whether it tells enough of an alert that stands.
    pub fn is_alert(&self) -> bool {
        !self.is_removal() && self.group.is_some() && self.code.is_some()
    }

    /// Whether another row is over: which one, the table says better.
    pub fn is_removal(&self) -> bool {
        self.code.map(i64::from) == Some(REMOVAL)
    }

    /// The alert that stands by the device's word; `None` if the trap tells too little of one.
    pub fn alert(&self) -> Option<Alert> {
        if !self.is_alert() {
            return None;
        }
        let mut said = Snapshot::new();
        let cells = [self.severity, self.group, self.group_index, self.location, self.code];
        for (column, cell) in [2, 4, 5, 6, 7].into_iter().zip(cells) {
            if let Some(cell) = cell {
                said.insert(oid::ALERT.join(&[column, self.device.max(1), self.index]), Value::Integer(cell));
            }
        }
        alerts::read(&said, Charset::default(), Around::default()).pop()
    }
}

#[cfg(test)]
mod tests {
    use snmp::VarBind;

    use super::*;

    fn row(cells: &[(u32, i32)]) -> AlertRow {
        let mut row = AlertRow::default();
        for (column, value) in cells {
            let object = VarBind::new(oid::ALERT.join(&[*column, 1, 7]), Value::Integer(*value));
            row.take(object.oid.as_ref(), object.value.borrowed());
        }
        row
    }

    #[test]
    fn alert_lifecycle_trap_and_table_speak_the_same_words() {
        let cells = [(1, 7), (2, 3), (4, 13), (5, 1), (6, -1), (7, 8)];
        let told = row(&cells).alert().unwrap();
        let mut said = Snapshot::new();
        for (column, value) in cells {
            said.insert(oid::ALERT.join(&[column, 1, 7]), Value::Integer(value));
        }
        let read = alerts::read(&said, Charset::default(), Around::default());
        assert_eq!(read.as_slice(), std::slice::from_ref(&told));
        assert_eq!((told.reason.as_str(), told.part.as_deref(), told.code), ("media-jam", Some("1.1"), Some(8)));
    }

    #[test]
    fn a_trap_that_tells_too_little_or_a_removal_is_no_alert() {
        assert_eq!(row(&[(2, 3), (4, 13)]).alert(), None);
        let removal = row(&[(2, 1), (4, 18), (5, 7), (7, 1801)]);
        assert!(removal.is_removal() && removal.alert().is_none());
        let other = VarBind::new(oid::SUPPLY.join(&[9, 1, 1]), Value::Integer(4));
        let mut untouched = AlertRow::default();
        untouched.take(other.oid.as_ref(), other.value.borrowed());
        assert_eq!(untouched, AlertRow::default());
    }

    #[test]
    fn the_same_alert_under_another_row_number_is_the_same() {
        let mut again = row(&[(4, 13), (5, 1), (7, 8)]);
        again.index = 9;
        assert_eq!(again.same(), row(&[(4, 13), (5, 1), (7, 8)]).same());
    }
}
