//! Meters: what devices have done. Counters are tracked in segments, readings kept, usage summed by hour, day and month
//! of the organisation; a bucket without a reading is a gap and never a zero.

mod billing;
pub(crate) mod calendar;
pub(crate) mod intake;
mod late;
mod rules;
mod series;
mod service;
mod sql;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use billing::{BillingQuery, BillingRow, billing_rows};
pub use calendar::Grain;
pub use late::{Sums, rebuild_usage};
pub use rules::{Reason, Role, Step, Track, Words, roles, step};
pub use series::{Point, Range, Series, Spark, series, spark};
pub use service::{Segment, current, segments};
pub(crate) use service::{begin_month, current_in};

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
        let color = match self.color.as_str() {
            "all" => "",
            "mono" => ", black",
            "full" => ", full colour",
            "single" => ", single colour",
            "two" => ", two colours",
            _ => ", colour not known",
        };
        let size = match self.size.as_str() {
            "small" => ", small",
            "large" => ", large",
            _ => "",
        };
        let sides = if self.sides == "two" { ", two-sided" } else { "" };
        let unit = if self.unit == "impressions" { String::new() } else { format!(" ({})", self.unit) };
        format!("{}{color}{size}{sides}{unit}", self.function)
    }
}
