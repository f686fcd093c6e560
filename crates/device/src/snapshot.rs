//! What a device said, object by object: the one input of every pure function of this crate.
//! A network reading, a recording and a test build the same thing.

use std::collections::BTreeMap;

use snmp::{Oid, Value, VarBind};

use crate::text::Charset;

/// Index of a table row: the arcs behind the column.
pub type Index = Vec<u32>;

/// Objects of one device with their values. Exceptions (noSuchInstance, …) and Null are never kept.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    rows: BTreeMap<Oid, Value>,
}

impl Snapshot {
    /// Nothing said yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps a value; the first one said stays.
    pub fn insert(&mut self, oid: Oid, value: Value) {
        if !value.is_missing() {
            self.rows.entry(oid).or_insert(value);
        }
    }

    /// Keeps all rows of an answer.
    pub fn extend(&mut self, rows: impl IntoIterator<Item = VarBind>) {
        for row in rows {
            self.insert(row.oid, row.value);
        }
    }

    /// The value of one object.
    pub fn get(&self, oid: &Oid) -> Option<&Value> {
        self.rows.get(oid)
    }

    /// Whether anything at or below `root` was said.
    pub fn has(&self, root: &Oid) -> bool {
        self.below(root).next().is_some()
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether the device said nothing.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All objects in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Oid, &Value)> {
        self.rows.iter()
    }

    /// Objects at or below `root`, in order.
    pub fn below<'a>(&'a self, root: &'a Oid) -> impl Iterator<Item = (&'a Oid, &'a Value)> + 'a {
        self.rows.range(root.clone()..).take_while(move |(oid, _)| oid.starts_with(root))
    }

    /// Cells of one column with their row index.
    pub fn column<'a>(&'a self, column: &'a Oid) -> impl Iterator<Item = (Index, &'a Value)> + 'a {
        self.below(column).filter_map(move |(oid, value)| {
            let index = oid.suffix_of(column)?;
            (!index.is_empty()).then_some((index, value))
        })
    }

    /// Rows of a table by its entry object. A row exists as soon as one of its cells does: recordings and devices
    /// leave out columns at will.
    pub fn table<'a>(&'a self, entry: &'a Oid) -> BTreeMap<Index, Row<'a>> {
        let mut rows: BTreeMap<Index, Row<'a>> = BTreeMap::new();
        for (oid, value) in self.below(entry) {
            let Some(suffix) = oid.suffix_of(entry) else { continue };
            if let [column, index @ ..] = suffix.as_slice()
                && !index.is_empty()
            {
                rows.entry(index.to_vec()).or_default().cells.push((*column, value));
            }
        }
        rows
    }

    /// An integer object, whatever type the device gave it.
    pub fn number(&self, oid: &Oid) -> Option<i64> {
        self.get(oid).and_then(number)
    }

    /// A text object, decoded to one line; blank texts are no texts.
    pub fn text(&self, oid: &Oid, charset: Charset) -> Option<String> {
        self.get(oid).and_then(|value| text(value, charset))
    }
}

impl FromIterator<VarBind> for Snapshot {
    fn from_iter<T: IntoIterator<Item = VarBind>>(rows: T) -> Self {
        let mut snapshot = Self::new();
        snapshot.extend(rows);
        snapshot
    }
}

/// Cells of one table row.
#[derive(Clone, Debug, Default)]
pub struct Row<'a> {
    cells: Vec<(u32, &'a Value)>,
}

impl<'a> Row<'a> {
    /// The value in a column.
    pub fn get(&self, column: u32) -> Option<&'a Value> {
        self.cells.iter().find(|(at, _)| *at == column).map(|(_, value)| *value)
    }

    /// The integer in a column, whatever type the device gave it.
    pub fn number(&self, column: u32) -> Option<i64> {
        self.get(column).and_then(number)
    }

    /// The integer in a column where negative numbers are sentinels: unsigned types that wrapped are read back.
    pub fn signed(&self, column: u32) -> Option<i64> {
        self.number(column).map(|value| if value > i64::from(i32::MAX) { wrapped(value) } else { value })
    }

    /// The text in a column, decoded to one line; blank texts are no texts.
    pub fn text(&self, column: u32, charset: Charset) -> Option<String> {
        self.get(column).and_then(|value| text(value, charset))
    }
}

/// `4294967293` in a Gauge32 is -3: only the small sentinels are read back, other large numbers stay.
fn wrapped(value: i64) -> i64 {
    let signed = value - (1 << 32);
    if (-100..0).contains(&signed) { signed } else { value }
}

/// An integer, also from the devices that send counters as text.
pub fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| std::str::from_utf8(value.as_bytes()?).ok()?.trim().trim_end_matches('\0').parse().ok())
}

/// Decoded text, also from the devices that send a number where a text belongs.
pub fn text(value: &Value, charset: Charset) -> Option<String> {
    let text = match value.as_bytes() {
        Some(bytes) => crate::text::line(bytes, charset),
        None => value.as_i64()?.to_string(),
    };
    (!text.is_empty()).then_some(text)
}

/// A row index as contracts write it: `1.2`.
pub fn dotted(index: &[u32]) -> String {
    index.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(rows: &[(&str, Value)]) -> Snapshot {
        rows.iter().map(|(oid, value)| VarBind { oid: oid.parse().unwrap(), value: value.clone() }).collect()
    }

    #[test]
    fn rows_exist_as_soon_as_one_cell_does() {
        let entry = Oid::of("1.3.6.1.2.1.43.11.1.1");
        let said = snapshot(&[
            ("1.3.6.1.2.1.43.11.1.1.6.1.2", Value::text("Drum")),
            ("1.3.6.1.2.1.43.11.1.1.9.1.1", Value::Integer(7)),
            ("1.3.6.1.2.1.43.11.1.2.9.1.9", Value::Integer(7)),
        ]);
        let table = said.table(&entry);
        assert_eq!(table.keys().map(|index| dotted(index)).collect::<Vec<_>>(), ["1.1", "1.2"]);
        assert_eq!(table[&vec![1, 1]].number(9), Some(7));
        assert_eq!(table[&vec![1, 2]].number(9), None);
    }

    #[test]
    fn partial_replies() {
        let oid = "1.3.6.1.2.1.43.10.2.1.4.1.1";
        let said = snapshot(&[(oid, Value::NoSuchInstance)]);
        assert!(said.is_empty(), "an exception is not a value");
        assert_eq!(number(&Value::Integer(12)), Some(12), "INTEGER where Counter32 belongs");
        assert_eq!(number(&Value::text(" 1234 ")), Some(1234), "text where a number belongs");
        assert_eq!(number(&Value::text("many")), None);
        assert_eq!(text(&Value::Integer(5), Charset::default()).as_deref(), Some("5"));
    }

    #[test]
    fn sentinels_survive_unsigned_types() {
        let said = snapshot(&[
            ("1.3.6.1.2.1.43.11.1.1.9.1.1", Value::Gauge32(u32::MAX - 2)),
            ("1.3.6.1.2.1.43.11.1.1.9.1.2", Value::Gauge32(3_000_000_000)),
        ]);
        let entry = Oid::of("1.3.6.1.2.1.43.11.1.1");
        let table = said.table(&entry);
        assert_eq!(table[&vec![1, 1]].signed(9), Some(-3));
        assert_eq!(table[&vec![1, 2]].signed(9), Some(3_000_000_000));
    }
}
