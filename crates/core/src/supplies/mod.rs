//! Supplies: what a device uses up and fills, and parts that wear. `intake` takes levels from reports; `jobs` foretells
//! (`past`, `forecast`), calls people (`thresholds`), proposes `shipments` and keeps the life of `parts`; `rules` are pure.

#[cfg(test)]
mod ahead_tests;
mod fleet;
mod forecast;
pub(crate) mod intake;
mod jobs;
pub mod parts;
mod past;
mod receptacles;
pub mod rules;
mod service;
pub mod shipments;
mod sql;
#[cfg(test)]
mod tests;
mod thresholds;

use serde::Serialize;
use wire::{Class, Level, RawLevel, Supply};

pub use fleet::{FIELDS, Outline, SupplyQuery, SupplyRow, SupplySheet, Yield, list, supply};
pub use forecast::{Band, Calibration, calibration};
pub use jobs::{Looked, begin, run};
pub use receptacles::{Direction, Steps, filled};
pub use rules::{Evidence, Slot, replaced};
pub(crate) use service::current_in;
pub use service::{current, history};
pub use thresholds::{LimitRule, limits, set_limits};

use crate::Micros;

/// When a supply will be empty, in days from now.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// Nineteen times of twenty it lasts longer.
    pub least_days: f64,
    /// The middle.
    pub days: f64,
    /// Nineteen times of twenty it is empty by then.
    pub most_days: f64,
    /// When this was reckoned.
    pub made_at: Micros,
}

impl Forecast {
    /// From moments, seen from now; what is over is no days.
    pub(crate) fn seen(now: Micros, (p5, p50, p95): (i64, i64, i64), made_at: Micros) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "µs of ten years are exact in 53 bits")]
        let days = |at: i64| (at.saturating_sub(now.0).max(0)) as f64 / crate::time::DAY as f64;
        Self { least_days: days(p5), days: days(p50), most_days: days(p95), made_at }
    }
}

/// A supply as it stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SupplyNow {
    /// Slot, as `1.3`.
    pub index: String,
    /// As the device calls it.
    pub description: Option<String>,
    /// C, M, Y, K, W or the first letter of what it is.
    pub letter: char,
    /// `toner`, `opc`, `waste-toner` …
    pub kind: String,
    /// Colorant.
    pub color: Option<String>,
    /// Used up or filled.
    pub class: Class,
    /// The maker's part number.
    pub part_number: Option<String>,
    /// Serial of the cartridge.
    pub serial: Option<String>,
    /// What the device states.
    pub level: Level,
    /// The numbers behind it.
    pub raw: RawLevel,
    /// How full a receptacle is, per cent, once its model has shown what its level means.
    pub filled: Option<f64>,
    /// Since when the level is this.
    pub level_at: Micros,
    /// When it was told last.
    pub read_at: Micros,
    /// When it was fitted, or first seen.
    pub fitted_at: Micros,
    /// Pages of the device when it was fitted, where known.
    pub fitted_pages: Option<i64>,
    /// When it will be empty; `None` where the past does not allow to say so.
    pub forecast: Option<Forecast>,
}

/// One level of the past.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LevelPoint {
    /// Slot.
    pub index: String,
    /// Since when.
    pub at: Micros,
    /// What the device stated.
    pub level: Level,
    /// Pages of the device then, where known.
    pub pages_life: Option<i64>,
}

/// One change of a cartridge.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replacement {
    /// Slot.
    pub index: String,
    /// When it was seen.
    pub at: Micros,
    /// Serial of the one taken out.
    pub old_serial: Option<String>,
    /// Serial of the one put in.
    pub new_serial: Option<String>,
    /// Per cent left in the one taken out, where stated.
    pub before: Option<f64>,
    /// Per cent in the one put in, where stated.
    pub after: Option<f64>,
    /// Pages made while it was in, where known.
    pub lived_pages: Option<i64>,
    /// When the one taken out was fitted, or first seen.
    pub fitted_at: Micros,
    /// serial or jump.
    pub evidence: String,
    /// It was taken out though much was left in it.
    pub premature: bool,
}

/// Levels and changes of cartridges of one device.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SupplyHistory {
    /// Levels on change, by slot, oldest first.
    pub levels: Vec<LevelPoint>,
    /// Changes of cartridges, newest first.
    pub replacements: Vec<Replacement>,
}

/// `yellow toner`, `waste toner`, or the device's own words where ours say nothing.
pub(crate) fn name_of(supply: &Supply) -> String {
    let kind = match supply.kind.as_str() {
        "toner-cartridge" => "toner".to_owned(),
        "ink-cartridge" => "ink".to_owned(),
        "other" | "unknown" | "" => supply.description.clone().unwrap_or_else(|| "supply".to_owned()),
        "opc" => "drum".to_owned(),
        kind => kind.replace('-', " "),
    };
    match &supply.color {
        Some(color) if supply.class != Class::Receptacle => format!("{color} {kind}"),
        _ => kind,
    }
}
