//! Many rows of one `insert` as one statement of PostgreSQL: `values ($1, $2)` becomes a selection from arrays.
//! A row costs the server a fifth of a statement of its own. What does not fit this shape goes row by row.

use std::borrow::Cow;
use std::collections::HashSet;

use tokio_postgres::types::Type;

use crate::Value;

/// An `insert` taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Insert<'s> {
    head: &'s str,
    values: &'s str,
    tail: &'s str,
    /// Places of the parameters by which rows collide, if a collision updates what is there.
    collides: Option<Vec<usize>>,
}

/// Takes a statement apart; `None`: it is no `insert` of one row of parameters, or more than that.
pub(crate) fn insert(text: &str) -> Option<Insert<'_>> {
    let at = text.find("values (").filter(|_| text.starts_with("insert into "))?;
    let (head, rest) = (&text[..at], &text[at + "values (".len()..]);
    let end = closing(rest)?;
    let (values, tail) = (&rest[..end], rest[end + 1..].trim());
    if tail.contains('$') || tail.contains("returning") {
        return None;
    }
    let collides = match tail.find("do update") {
        None => None,
        Some(_) => Some(keys(head, values, tail)?),
    };
    Some(Insert { head, values, tail, collides })
}

/// Place of the bracket that closes what is open at the beginning.
fn closing(text: &str) -> Option<usize> {
    let (mut open, mut literal) = (1, false);
    for (at, c) in text.char_indices() {
        match (c, literal) {
            ('\'', _) => literal = !literal,
            ('(', false) => open += 1,
            (')', false) => open -= 1,
            // No parameter, though it looks like one.
            ('$', true) => return None,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
    }
    None
}

/// Which parameters fill the columns of `on conflict (…)`.
fn keys(head: &str, values: &str, tail: &str) -> Option<Vec<usize>> {
    let inside = |text: &str| Some(text.split_once('(')?.1.split_once(')')?.0.to_owned());
    let (columns, target) = (inside(head)?, inside(tail)?);
    let columns: Vec<&str> = columns.split(',').map(str::trim).collect();
    let values: Vec<&str> = values.split(',').map(str::trim).collect();
    if columns.len() != values.len() {
        return None;
    }
    let place = |key: &str| {
        let value = values[columns.iter().position(|column| *column == key)?];
        value.strip_prefix('$')?.parse::<usize>().ok()?.checked_sub(1)
    };
    target.split(',').map(|key| place(key.trim())).collect()
}

impl Insert<'_> {
    /// Whether all these rows may go in one statement: none of them meets another of them.
    pub(crate) fn takes(&self, rows: &[Vec<Value>]) -> bool {
        let Some(places) = &self.collides else { return true };
        let mut seen = HashSet::with_capacity(rows.len());
        rows.iter().all(|row| seen.insert(places.iter().map(|place| bytes(&row[*place])).collect::<Vec<_>>()))
    }

    /// The statement that takes an array for each parameter.
    pub(crate) fn text(&self, types: &[Type]) -> String {
        let mut values = self.values.to_owned();
        // From the last on: `$1` also begins `$10`.
        for number in (1..=types.len()).rev() {
            values = values.replace(&format!("${number}"), &format!("each.p{number}"));
        }
        let arrays: Vec<String> = (1..).zip(types).map(|(number, ty)| format!("${number}::{}[]", ty.name())).collect();
        let names: Vec<String> = (1..=types.len()).map(|number| format!("p{number}")).collect();
        let (head, tail, arrays, names) = (self.head, self.tail, arrays.join(", "), names.join(", "));
        format!("{head}select {values} from unnest({arrays}) as each ({names}) {tail}")
    }
}

/// What makes a key the same one.
fn bytes(value: &Value) -> Cow<'_, [u8]> {
    match value {
        Value::Null => [].as_slice().into(),
        Value::Int(number) => number.to_be_bytes().to_vec().into(),
        Value::Real(number) => number.to_be_bytes().to_vec().into(),
        Value::Text(text) => text.as_bytes().into(),
        Value::Bytes(bytes) => bytes.into(),
        Value::Bool(yes) => vec![u8::from(*yes)].into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_insert_of_one_row_becomes_one_of_many() {
        let text = "insert into t (a, b, c) values ($1, ')', $2) on conflict (a, c) do update set b = excluded.b";
        assert_eq!(insert(text).unwrap().values, "$1, ')', $2");
        assert_eq!(insert("insert into t (a, b) values ($1, '$2')"), None, "no parameter, though it looks like one");
        let text = "insert into t as known (a, b) values ($1, coalesce($2, 0)) on conflict (a) do nothing";
        assert_eq!(
            insert(text).unwrap().text(&[Type::TEXT, Type::INT8]),
            "insert into t as known (a, b) select each.p1, coalesce(each.p2, 0) from unnest($1::text[], $2::int8[]) \
             as each (p1, p2) on conflict (a) do nothing"
        );
        let many = (1..=12).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
        let text = format!("insert into t (x) values ({many})");
        assert!(insert(&text).unwrap().text(&vec![Type::TEXT; 12]).contains("each.p10, each.p11, each.p12"));
        for other in [
            "update t set a = $1 where b = $2",
            "insert into t (a) values ($1) on conflict (a) do update set b = $2",
            "insert into t (a) values ($1) returning a",
            "insert into t (a) select b from u where c = $1",
        ] {
            assert_eq!(insert(other), None, "{other}");
        }
    }

    #[test]
    fn rows_that_would_update_one_another_go_one_by_one() {
        let text = "insert into t (a, b, c) values ($1, $2, $3) on conflict (a, c) do update set b = excluded.b";
        let insert = insert(text).unwrap();
        assert_eq!(insert.collides, Some(vec![0, 2]));
        let row = |a: i64, c: &str| vec![Value::Int(a), Value::Int(9), Value::from(c)];
        assert!(insert.takes(&[row(1, "x"), row(1, "y"), row(2, "x")]));
        assert!(!insert.takes(&[row(1, "x"), row(1, "y"), row(1, "x")]));
    }
}
