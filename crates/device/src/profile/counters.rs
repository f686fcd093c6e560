//! The part of a profile that says what a private counter means.

use serde::Deserialize;
use snmp::Oid;
use wire::{ColorMode, Function, PaperSize, Sides, Unit};

use super::{Arcs, Dotted};

/// What a counter counts. Left out: not told apart.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Meaning {
    /// What the device did.
    pub function: Function,
    /// In which colours.
    pub color: ColorMode,
    /// On which paper.
    pub size: PaperSize,
    /// One side or two.
    pub sides: Sides,
    /// What one count means.
    pub unit: Unit,
    /// What the vendor calls it, where the device does not say.
    pub name: Option<String>,
}

impl Default for Meaning {
    fn default() -> Self {
        Self {
            function: Function::Total,
            color: ColorMode::All,
            size: PaperSize::All,
            sides: Sides::All,
            unit: Unit::Impressions,
            name: None,
        }
    }
}

/// A counter with an object of its own.
#[derive(Clone, Debug, Deserialize)]
pub struct Count {
    /// The object.
    pub oid: Dotted,
    /// What it counts.
    #[serde(flatten)]
    pub meaning: Meaning,
}

/// A table whose rows are told apart by a code, a text or the arcs behind the column, never by their place in an
/// answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CounterTable {
    /// Column of values; for `key = "suffix"` what all rows have in common.
    pub value: Dotted,
    /// What tells the rows apart.
    pub key: RowKey,
    /// Column of codes, for `key = "code"`; rows have the same index as their values.
    #[serde(default)]
    pub code: Option<Dotted>,
    /// Column of texts: the key for `key = "label"`, else only the counter's name.
    #[serde(default)]
    pub label: Option<Dotted>,
    /// Rows with a known meaning.
    pub rows: Vec<Labelled>,
    /// Rows without a known meaning are kept as `other` under their text, if they have one.
    #[serde(default)]
    pub keep_unknown: bool,
}

/// What tells the rows of a [`CounterTable`] apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowKey {
    /// The last arc of the row's index.
    Index,
    /// The number in the `code` column.
    Code,
    /// The text in the `label` column.
    Label,
    /// All arcs behind `value`, which the row writes as `at`. Only the rows that the profile names are asked.
    Suffix,
}

/// One row of a [`CounterTable`].
#[derive(Clone, Debug, Deserialize)]
pub struct Labelled {
    /// The code, or the last arc.
    #[serde(default)]
    pub code: Option<i64>,
    /// The arcs behind `value`, for `key = "suffix"`.
    #[serde(default)]
    pub at: Option<Arcs>,
    /// The text, compared without regard to case.
    #[serde(default)]
    pub label: Option<String>,
    /// What it counts.
    #[serde(flatten)]
    pub meaning: Meaning,
}

impl CounterTable {
    /// The objects of the rows that are named by their arcs.
    pub fn objects(&self) -> impl Iterator<Item = (Oid, &Labelled)> {
        self.rows.iter().filter_map(|row| Some((self.value.0.join(&row.at.as_ref()?.0), row)))
    }
}

/// One object whose octets hold several counters: a code, 01, the length 04, then the value, again and again, until an
/// octet FF or the end.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CounterRecords {
    /// The object.
    pub oid: Dotted,
    /// Codes with a known meaning; `code` is needed.
    pub rows: Vec<Labelled>,
}
