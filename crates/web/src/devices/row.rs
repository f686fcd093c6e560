//! One device as a row of a list.

use platen_core::{Micros, devices::DeviceRow, meters::Spark};

use crate::{
    draw::{self, Ink},
    words::{Mark, age, grouped, mark_of, model_name},
};

/// What `row.html` shows.
pub(crate) struct RowView {
    pub(crate) id: String,
    pub(crate) mark: Mark,
    pub(crate) why: String,
    pub(crate) name: String,
    pub(crate) model: String,
    pub(crate) place: String,
    pub(crate) address: String,
    pub(crate) serial: String,
    pub(crate) inks: String,
    pub(crate) pages: Option<String>,
    pub(crate) spark: String,
    pub(crate) seen: String,
    pub(crate) late: bool,
}

/// Not heard for so long is shown as late. A day in µs.
const LATE: i64 = 86_400_000_000;

impl RowView {
    pub(crate) fn of(row: DeviceRow, spark: Option<&Spark>, now: Micros) -> Self {
        let inks: Vec<Ink> = row.supplies.iter().map(Ink::of).collect();
        Self {
            id: row.id.to_string(),
            mark: mark_of(row.word),
            why: row.why.unwrap_or_default(),
            name: row.name,
            model: model_name(Some(row.vendor.as_str()).filter(|v| !v.is_empty()), row.model.as_deref()),
            place: row.place,
            address: row.address.unwrap_or_default(),
            serial: row.serial.unwrap_or_default(),
            inks: draw::mini(&inks),
            pages: row.pages_life.map(|_| grouped(u64::try_from(row.pages_month).unwrap_or(0))),
            spark: spark.map(|s| draw::spark(&s.values)).unwrap_or_default(),
            seen: age(now, row.seen_at),
            late: now.0 - row.seen_at.0 > LATE,
        }
    }
}
