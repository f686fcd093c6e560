//! Rows of columns by name as CSV text.

use std::borrow::Cow;

use crate::error::{Error, Result};

/// A column and what stands in it.
pub(super) type Cell<'c> = (&'static str, Cow<'c, str>);

/// Text that a spreadsheet would take for a formula gets an apostrophe.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}").into() } else { text.into() }
}

/// Thousandths without needless zeros.
pub(super) fn milli(value: i64) -> String {
    match value % 1_000 {
        0 => (value / 1_000).to_string(),
        part => format!("{}.{part:03}", value / 1_000).trim_end_matches('0').to_owned(),
    }
}

/// The CSV text of rows of columns by name.
pub(super) struct Sheet {
    head: &'static [&'static str],
    writer: csv::Writer<Vec<u8>>,
    pub(super) count: i64,
}

impl Sheet {
    pub(super) fn new(head: &'static [&'static str]) -> Result<Self> {
        let mut sheet = Self { head, writer: csv::Writer::from_writer(Vec::new()), count: 0 };
        sheet.writer.write_record(head).map_err(|error| broken(&error))?;
        Ok(sheet)
    }

    /// A row of cells by name; found fastest in the order of the head.
    pub(super) fn row(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        let mut record = vec![""; self.head.len()];
        let mut next = 0;
        for (name, value) in cells {
            let behind = self.head[next..].iter().position(|head| head == name).map(|place| next + place);
            let place = behind.or_else(|| self.head.iter().position(|head| head == name));
            let place = place.ok_or_else(|| Error::internal(format!("a document has no column {name}")))?;
            record[place] = value;
            next = place;
        }
        self.writer.write_record(record).map_err(|error| broken(&error))?;
        self.count += 1;
        Ok(())
    }

    /// What was written since the last time.
    pub(super) fn take(&mut self) -> Result<Vec<u8>> {
        let writer = std::mem::replace(&mut self.writer, csv::Writer::from_writer(Vec::new()));
        writer.into_inner().map_err(|error| broken(&error))
    }
}

fn broken(error: &dyn std::fmt::Display) -> Error {
    Error::internal(format!("a line of a document could not be written: {error}"))
}

/// A cell that may be empty.
pub(super) fn opt<'v>(value: Option<impl ToString>) -> Cow<'v, str> {
    value.map(|value| value.to_string()).unwrap_or_default().into()
}

/// A cell of text that people wrote, which may be empty.
pub(super) fn text(value: Option<&String>) -> Cow<'_, str> {
    value.map_or(Cow::Borrowed(""), |value| plain(value))
}
