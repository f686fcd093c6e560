//! Doubts: what Platen could not know about a counter or an identity, what it assumed meanwhile, what a person decided.
//! A counter doubt changes usage when it is settled: the counter is reckoned anew from its readings.

mod alarm;
mod intake;
mod kinds;
mod service;
mod settle;
mod sql;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

pub use alarm::alarm;
pub(crate) use intake::{NewDoubt, away, decided, take};
pub use kinds::{Family, Kind};
pub use service::{DoubtCounts, DoubtFlag, DoubtQuery, FIELDS, counts, get, list};
pub(crate) use service::{flags, open_of};
pub use settle::{Settlement, reopen, settle};

use crate::devices::DeviceId;
use crate::meters::ReadingAt;
use crate::{Micros, OrgId};

crate::id!(
    /// A doubt.
    DoubtId,
    "doubt"
);

/// A doubt as a list shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DoubtRow {
    /// Its id.
    pub id: DoubtId,
    /// Organisation.
    pub org: OrgId,
    /// What is doubted.
    pub kind: Kind,
    /// open or settled.
    pub state: String,
    /// What is doubted, in plain words.
    pub title: String,
    /// What Platen assumes meanwhile.
    pub assumed: String,
    /// The device.
    pub device: DeviceId,
    /// Its name.
    pub device_name: String,
    /// Vendor and model.
    pub device_model: String,
    /// Its serial number.
    pub serial: Option<String>,
    /// Where it stands.
    pub place: String,
    /// The other device, where two are concerned.
    pub other: Option<DeviceId>,
    /// Its name.
    pub other_name: Option<String>,
    /// When it began.
    pub at: Micros,
    /// When it was noticed.
    pub opened_at: Micros,
    /// Pages of the device that are counted across it, as assumed or as decided; `None`: usage does not hang on it.
    pub pages: Option<i64>,
    /// What was decided.
    pub decision: Option<String>,
    /// What was decided, in plain words.
    pub decision_title: Option<String>,
    /// What the person said.
    pub note: Option<String>,
    /// When it was decided.
    pub settled_at: Option<Micros>,
    /// By whom.
    pub settled_by: Option<String>,
    /// Rises with each decision: the ETag.
    pub version: i64,
}

/// One counter at the border that is doubted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DoubtMeter {
    /// Number of the meter.
    pub meter: i64,
    /// Its words.
    pub title: String,
    /// total, mono or color where it counts towards the pages of the device.
    pub role: Option<String>,
    /// The object it is read from.
    pub source: String,
    /// When the last value before was read.
    pub before_at: Micros,
    /// The last value before.
    pub before: i64,
    /// When the first value behind the border was read.
    pub border_at: Micros,
    /// The first value behind the border.
    pub after: i64,
    /// When the reading came that decided what is assumed.
    pub until_at: Micros,
    /// Its value.
    pub until: i64,
    /// rollover, reset, set_back, board_swap, jump or resumed.
    pub cause: String,
    /// Pages counted over the border as assumed.
    pub assumed: i64,
    /// Pages counted over the border now.
    pub counted: i64,
    /// Readings around it, oldest first.
    pub readings: Vec<ReadingAt>,
}

/// What a person may decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// As the API takes it.
    pub key: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// What follows from it.
    pub explained: String,
    /// Pages of the device that are then counted across it; `None`: usage does not hang on it, or on the amounts given.
    pub pages: Option<i64>,
    /// It takes an amount for each counter.
    pub takes_amounts: bool,
    /// It is what is assumed already.
    pub is_assumed: bool,
    /// It can be taken back.
    pub undoable: bool,
}

/// Everything of one doubt.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DoubtSheet {
    /// As in lists.
    #[serde(flatten)]
    pub row: DoubtRow,
    /// The question to a person.
    pub question: String,
    /// What usage would be, in words.
    pub effect: String,
    /// The counters concerned, those that count towards the pages of the device first.
    pub meters: Vec<DoubtMeter>,
    /// What was seen, as it was seen.
    pub evidence: Json,
    /// What may be decided.
    pub choices: Vec<Choice>,
    /// Whether the decision can be taken back.
    pub reopenable: bool,
}

/// Amounts by meter.
pub type Amounts = BTreeMap<i64, i64>;
