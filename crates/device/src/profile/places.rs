//! Where in the text of a profile something stands, and which keys nobody reads.

use toml::de::{DeTable, DeValue};

/// One step into a profile.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// A key of a table.
    Key(&'static str),
    /// A place in a list, from 0.
    At(usize),
}

/// What a counter says beside the key that tells it apart.
const MEANING: [&str; 6] = ["function", "color", "size", "sides", "unit", "name"];

/// The text of a profile with the places of its parts.
pub(super) struct Places<'a> {
    text: &'a str,
    table: Option<toml::Spanned<DeTable<'a>>>,
}

impl<'a> Places<'a> {
    /// Reads the text; a text that is no TOML has no places.
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, table: DeTable::parse(text).ok() }
    }

    /// The line, from 1, of a byte.
    pub(super) fn line_of(&self, byte: usize) -> usize {
        1 + self.text.bytes().take(byte).filter(|letter| *letter == b'\n').count()
    }

    /// The line of the deepest part of `path` that is written.
    pub(super) fn line(&self, path: &[Step]) -> usize {
        let Some(table) = &self.table else { return 1 };
        let mut byte = 0;
        let mut tables = Some(table.get_ref());
        let mut list = None;
        for step in path {
            let value = match (step, tables, list) {
                (Step::Key(key), Some(table), _) => {
                    table.get_key_value(*key).map(|(key, value)| (key.span().start, value))
                }
                (Step::At(at), _, Some(list)) => {
                    let list: &toml::de::DeArray<'_> = list;
                    list.get(*at).map(|value| (value.span().start, value))
                }
                _ => None,
            };
            let Some((start, value)) = value else { break };
            byte = start;
            (tables, list) = (value.get_ref().as_table(), value.get_ref().as_array());
        }
        self.line_of(byte)
    }

    /// Keys of counters that mean nothing, with their lines: a misspelt one would otherwise be passed over.
    pub(super) fn strange_keys(&self) -> Vec<(usize, String)> {
        let Some(table) = &self.table else { return Vec::new() };
        let mut strange = Vec::new();
        for counter in tables_in(table.get_ref(), "counters") {
            self.strange_in(counter, &["oid"], &mut strange);
        }
        for list in ["counter_tables", "counter_records"] {
            for table in tables_in(table.get_ref(), list) {
                for row in tables_in(table, "rows") {
                    self.strange_in(row, &["code", "label", "at"], &mut strange);
                }
            }
        }
        strange
    }

    fn strange_in(&self, table: &DeTable<'_>, own: &[&str], strange: &mut Vec<(usize, String)>) {
        let known = |key: &str| own.contains(&key) || MEANING.contains(&key);
        let keys = table.keys().filter(|key| !known(key.get_ref()));
        strange.extend(keys.map(|key| (self.line_of(key.span().start), key.get_ref().to_string())));
    }
}

/// The tables of a list of tables.
fn tables_in<'t, 'a>(table: &'t DeTable<'a>, key: &str) -> impl Iterator<Item = &'t DeTable<'a>> {
    let list = table.get(key).and_then(|value| value.get_ref().as_array());
    list.into_iter().flat_map(|list| list.iter()).filter_map(|value| DeValue::as_table(value.get_ref()))
}
