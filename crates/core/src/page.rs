//! Pages by key: a cursor holds the sort key of the last row, so that a page costs the same wherever it stands.
//! Sort keys must not be NULL; the last column of a sort is unique.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use store::{Row, Value};

use crate::error::{Error, Result};

/// Most rows of a page.
pub const MAX_LIMIT: u32 = 500;
/// Rows of a page when nobody says.
pub const DEFAULT_LIMIT: u32 = 50;

/// Which page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageQuery {
    /// Rows wanted, 1..=500; `None`: 50.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<String>,
    /// Count all matching rows too.
    pub count: bool,
}

impl PageQuery {
    /// Rows of this page.
    ///
    /// # Errors
    /// `Invalid` outside 1..=500.
    pub fn limit(&self) -> Result<usize> {
        match self.limit.unwrap_or(DEFAULT_LIMIT) {
            limit @ 1..=MAX_LIMIT => Ok(limit as usize),
            other => Err(Error::invalid("limit", format!("limit {other} is outside 1..={MAX_LIMIT}"))),
        }
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Cursor of the page that follows; `None` on the last.
    pub next: Option<String>,
    /// All matching rows, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

impl<T> Page<T> {
    /// The same page of other items.
    pub fn map<U>(self, turn: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(turn).collect(), next: self.next, count: self.count }
    }
}

/// One column of a sort, as SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Expression, never NULL.
    pub column: &'static str,
    /// Largest first.
    pub descending: bool,
}

impl Key {
    /// Smallest first.
    #[must_use]
    pub const fn up(column: &'static str) -> Self {
        Self { column, descending: false }
    }

    /// Largest first.
    #[must_use]
    pub const fn down(column: &'static str) -> Self {
        Self { column, descending: true }
    }
}

/// A sort of a list, with a name that a cursor must repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// `devices.name`, `audit.at` …: a cursor of another list or sort is refused.
    pub name: &'static str,
    /// Columns; the last one makes rows unique.
    pub keys: &'static [Key],
}

#[derive(Serialize, Deserialize)]
struct Cursor(String, Vec<CursorValue>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum CursorValue {
    Int(i64),
    Real(f64),
    Text(String),
}

impl Sort {
    /// `order by` without the words.
    #[must_use]
    pub fn order(&self) -> String {
        let columns: Vec<_> = self
            .keys
            .iter()
            .map(|key| format!("{}{}", key.column, if key.descending { " desc" } else { "" }))
            .collect();
        columns.join(", ")
    }

    /// The condition "after this cursor", with what it binds; `1 = 1` on the first page.
    ///
    /// # Errors
    /// `Invalid` for a cursor that is not of this list and sort.
    pub fn after(&self, cursor: Option<&str>, params: &mut Vec<Value>) -> Result<String> {
        let Some(cursor) = cursor else { return Ok("1 = 1".to_owned()) };
        let values = self.read(cursor).ok_or_else(|| {
            Error::invalid("after", "the cursor is not of this list and sort; start again without `after`")
        })?;
        let first = params.len() + 1;
        params.extend(values);
        let mark = |n: usize| format!("${}", first + n);
        if self.keys.iter().all(|key| key.descending == self.keys[0].descending) {
            let sign = if self.keys[0].descending { "<" } else { ">" };
            let columns: Vec<_> = self.keys.iter().map(|key| key.column).collect();
            let marks: Vec<_> = (0..self.keys.len()).map(mark).collect();
            return Ok(format!("({}) {sign} ({})", columns.join(", "), marks.join(", ")));
        }
        let mut ways = Vec::new();
        for (n, key) in self.keys.iter().enumerate() {
            let mut all: Vec<_> = (0..n).map(|m| format!("{} = {}", self.keys[m].column, mark(m))).collect();
            all.push(format!("{} {} {}", key.column, if key.descending { "<" } else { ">" }, mark(n)));
            ways.push(format!("({})", all.join(" and ")));
        }
        Ok(format!("({})", ways.join(" or ")))
    }

    fn read(&self, cursor: &str) -> Option<Vec<Value>> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let Cursor(name, values) = serde_json::from_slice(&bytes).ok()?;
        (name == self.name && values.len() == self.keys.len()).then(|| {
            let turn = |value| match value {
                CursorValue::Int(number) => Value::Int(number),
                CursorValue::Real(number) => Value::Real(number),
                CursorValue::Text(text) => Value::Text(text),
            };
            values.into_iter().map(turn).collect()
        })
    }

    /// The cursor after a row with these key values.
    #[must_use]
    pub fn cursor(&self, values: &[Value]) -> String {
        let values = values
            .iter()
            .map(|value| match value {
                Value::Int(number) => CursorValue::Int(*number),
                Value::Bool(yes) => CursorValue::Int(i64::from(*yes)),
                Value::Real(number) => CursorValue::Real(*number),
                Value::Text(text) => CursorValue::Text(text.clone()),
                Value::Null | Value::Bytes(_) => CursorValue::Text(String::new()),
            })
            .collect();
        let json = serde_json::to_vec(&Cursor(self.name.to_owned(), values)).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(json)
    }

    /// Makes a page of rows that were asked for with `limit + 1`; their last columns are the sort keys, in order.
    ///
    /// # Errors
    /// Whatever `read` says of a row.
    pub fn page<T>(&self, mut rows: Vec<Row>, limit: usize, read: impl Fn(&Row) -> Result<T>) -> Result<Page<T>> {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|row| {
            let values = row.values();
            self.cursor(&values[values.len() - self.keys.len()..])
        });
        let items = rows.iter().map(read).collect::<Result<_>>()?;
        Ok(Page { items, next, count: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SORT: Sort = Sort { name: "test.name", keys: &[Key::up("d.name"), Key::up("d.id")] };
    const MIXED: Sort = Sort { name: "test.at", keys: &[Key::down("d.at"), Key::up("d.id")] };

    #[test]
    fn a_cursor_comes_back_as_a_condition() {
        let cursor = SORT.cursor(&["Ward 7".into(), "x".into()]);
        let mut params = vec![Value::Int(1)];
        assert_eq!(SORT.after(Some(&cursor), &mut params).unwrap(), "(d.name, d.id) > ($2, $3)");
        assert_eq!(params[1..], ["Ward 7".into(), "x".into()]);
    }

    #[test]
    fn mixed_directions_are_spelt_out() {
        let cursor = MIXED.cursor(&[5.into(), "x".into()]);
        let text = MIXED.after(Some(&cursor), &mut Vec::new()).unwrap();
        assert_eq!(text, "((d.at < $1) or (d.at = $1 and d.id > $2))");
    }

    #[test]
    fn a_cursor_of_another_sort_is_refused() {
        let cursor = SORT.cursor(&["a".into(), "b".into()]);
        assert_eq!(MIXED.after(Some(&cursor), &mut Vec::new()).unwrap_err().kind, crate::Kind::Invalid);
        assert_eq!(SORT.after(Some("§"), &mut Vec::new()).unwrap_err().field.as_deref(), Some("after"));
    }
}
