//! Meters: what devices have done. Counters are tracked in segments, readings kept, usage summed by hour, day and month
//! of the organisation; a bucket without a reading is a gap and never a zero.

mod billing;
pub(crate) mod calendar;
pub(crate) mod intake;
pub(crate) mod refit;
mod rules;
mod series;
mod service;
mod settle;
mod sql;
mod sums;
#[cfg(test)]
mod tests;
pub(crate) mod track;

use serde::Serialize;

pub use billing::{BillingQuery, BillingRow, billing_rows};
pub use calendar::Grain;
pub use rules::{Conflict, Role, Words, conflict, roles};
pub use series::{Point, Range, Series, Spark, series, spark};
pub use service::{Segment, current, segments};
pub(crate) use service::{begin_month, current_in};
pub use settle::{Apart, ReadingAt, apart};
pub(crate) use settle::{adopt, around, bill_by, came_back, reckon, take_manual};
pub use sums::{Sums, rebuild_usage};
pub use track::{Reason, Track};

use crate::Micros;

/// A meter as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MeterNow {
    /// Number of the meter within its organisation.
    pub id: i64,
    /// total, print, copy, fax, scan, other.
    pub function: String,
    /// all, mono, full, single, two, unknown.
    pub color: String,
    /// all, small, large, unknown.
    pub size: String,
    /// all, two.
    pub sides: String,
    /// impressions, sheets, other.
    pub unit: String,
    /// As the device calls it.
    pub name: Option<String>,
    /// The object it is read from.
    pub source: String,
    /// total, mono or color where it counts towards the pages of the device.
    pub role: Option<String>,
    /// Newest believed value.
    pub value: i64,
    /// When it was read last.
    pub read_at: Micros,
    /// actual, or suspect when the newest reading could not be believed.
    pub quality: String,
    /// Usage since the month began.
    pub month: i64,
    /// Usage of the month before; `None` without a reading in it.
    pub last_month: Option<i64>,
}

impl MeterNow {
    /// `print, full colour`: the words as people read them.
    pub fn title(&self) -> String {
        title(&self.function, &self.color, &self.size, &self.sides, &self.unit)
    }
}

/// The words of a meter as people read them.
pub fn title(function: &str, color: &str, size: &str, sides: &str, unit: &str) -> String {
    let color = match color {
        "all" => "",
        "mono" => ", black",
        "full" => ", full colour",
        "single" => ", single colour",
        "two" => ", two colours",
        _ => ", colour not known",
    };
    let size = match size {
        "small" => ", small",
        "large" => ", large",
        _ => "",
    };
    let sides = if sides == "two" { ", two-sided" } else { "" };
    let unit = if unit == "impressions" { String::new() } else { format!(" ({unit})") };
    format!("{function}{color}{size}{sides}{unit}")
}
