//! Billing: contracts say what is billed, when and at what price; closes end their periods exactly once. What was billed
//! never changes: what comes later goes into the next period, and an estimate that was too high is taken back.

mod assignments;
mod close;
mod contracts;
mod correction;
mod document;
mod gaps;
mod lines;
mod maps;
mod members;
mod reckon;
mod render;
mod rules;
mod sheet;
mod sql;
mod stages;
#[cfg(test)]
mod tests;
mod write;

use serde::Serialize;

pub use assignments::{Assignment, assign, assignments, unassign};
pub use close::{
    CLOSE_FIELDS, CloseQuery, CloseRow, CloseState, Total, UNBILLED_OF, Unbilled, close, close_now, closes, totals,
    unbilled,
};
pub use contracts::{
    CONTRACT_FIELDS, Contract, ContractPatch, ContractQuery, DEVICE_FIELDS, Line, NewContract, contract, contracts,
    create, end, set_lines, update,
};
pub use correction::correct;
pub use document::{Document, document, documents};
pub use gaps::{Gap, GapKind, ManualRead, gaps, look_again, read_by_hand, waive};
pub use lines::{Border, LineRow, lines};
pub use maps::{MeterMap, NewMap, map, maps, unmap};
pub use rules::{Estimate, Period, money, price};
pub use stages::{Moved, run};

use crate::Error;

crate::id!(
    /// A contract.
    ContractId,
    "contract"
);
crate::id!(
    /// The close of one period of a contract: the same id whenever it is made.
    CloseId,
    "close"
);
crate::id!(
    /// A document of a close: the same id whenever it is made.
    DocumentId,
    "document"
);
crate::id!(
    /// A map from counters to a code of the books.
    MapId,
    "meter map"
);

/// The five words that say what a counter counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct MeterWords {
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
}

impl MeterWords {
    const FUNCTIONS: [&str; 6] = ["total", "print", "copy", "fax", "scan", "other"];
    const COLORS: [&str; 6] = ["all", "mono", "full", "single", "two", "unknown"];
    const SIZES: [&str; 4] = ["all", "small", "large", "unknown"];
    const SIDES: [&str; 2] = ["all", "two"];
    const UNITS: [&str; 3] = ["impressions", "sheets", "other"];

    /// Reads the words as `total all`, `print full large` …: what is not said is `all`, and `impressions`.
    ///
    /// # Errors
    /// `Invalid`, naming the word that is not known.
    pub fn parse(text: &str) -> crate::Result<Self> {
        let mut words = Self {
            function: String::new(),
            color: "all".into(),
            size: "all".into(),
            sides: "all".into(),
            unit: "impressions".into(),
        };
        for (at, word) in text.split_whitespace().enumerate() {
            let place = match word {
                word if at == 0 && Self::FUNCTIONS.contains(&word) => &mut words.function,
                "all" | "unknown" => continue,
                "large" | "small" => &mut words.size,
                "two-sided" => {
                    words.sides = "two".into();
                    continue;
                }
                word if Self::COLORS.contains(&word) => &mut words.color,
                word if Self::UNITS.contains(&word) => &mut words.unit,
                _ => return Err(Error::invalid("meter", format!("{word:?} is no word of a counter"))),
            };
            word.clone_into(place);
        }
        words.check()
    }

    /// The words, each of its own list.
    ///
    /// # Errors
    /// `Invalid`, naming the list.
    pub fn check(self) -> crate::Result<Self> {
        let lists: [(&str, &str, &[&str]); 5] = [
            ("function", &self.function, &Self::FUNCTIONS),
            ("color", &self.color, &Self::COLORS),
            ("size", &self.size, &Self::SIZES),
            ("sides", &self.sides, &Self::SIDES),
            ("unit", &self.unit, &Self::UNITS),
        ];
        for (field, word, list) in lists {
            if !list.contains(&word) {
                return Err(Error::invalid(field, format!("{field} is one of {}", list.join(", "))));
            }
        }
        Ok(self)
    }

    /// `print, full colour`: as people read them.
    pub fn title(&self) -> String {
        crate::meters::title(&self.function, &self.color, &self.size, &self.sides, &self.unit)
    }
}

impl std::fmt::Display for MeterWords {
    /// As [`MeterWords::parse`] reads them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.function)?;
        for (word, usual) in [(&self.color, "all"), (&self.size, "all"), (&self.unit, "impressions")] {
            if word != usual {
                write!(f, " {word}")?;
            }
        }
        if self.sides == "two" { f.write_str(" two-sided") } else { Ok(()) }
    }
}
