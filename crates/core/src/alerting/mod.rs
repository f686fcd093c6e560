//! Rules: which incidents are told, to whom, when, and who is told next while nobody takes care.
//! A run compares what stands with what was told; it takes no input, and may run twice or be killed half-way.

mod dry;
mod rules;
mod run;
mod service;
mod sql;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use dry::{DryRun, Fired, dry_run};
pub use rules::FIELDS;
pub use run::{Told, run};
pub(crate) use service::forget_recipient;
pub use service::{NewRule, create_rule, delete_rule, firings, list_rules, rule, update_rule};

use crate::Micros;
use crate::notifications::RecipientId;

crate::id!(
    /// A rule.
    RuleId,
    "alert rule"
);

/// Who is told together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Told when nobody has taken care for so many minutes since the step before; 0 in the first.
    pub after_minutes: i64,
    /// Who.
    pub recipients: Vec<RecipientId>,
}

/// A rule as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlertRule {
    /// Its id.
    pub id: RuleId,
    /// For `If-Match`.
    pub version: i64,
    /// Name for people.
    pub name: String,
    /// Whether it works.
    pub active: bool,
    /// Condition over [`FIELDS`]; empty: all.
    pub filter: String,
    /// Told only when it has stood for so many minutes.
    pub hold_minutes: i64,
    /// How much it matters to those who are told, whatever the device says.
    pub severity: Option<String>,
    /// Hours of the day in which it works, `08:00`; outside it waits.
    pub hours: Option<(String, String)>,
    /// Days on which it works, 1 Monday to 7 Sunday.
    pub weekdays: Vec<i64>,
    /// IANA name of the zone of its hours.
    pub zone: String,
    /// Whether those who were told are told the end, too.
    pub tell_end: bool,
    /// Who is told, first and later.
    pub steps: Vec<Step>,
}

/// What a rule did for an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Firing {
    /// Which rule.
    pub rule: RuleId,
    /// What people call it.
    pub rule_name: String,
    /// The last step that was told, from 0.
    pub step: i64,
    /// How much it mattered.
    pub severity: String,
    /// When it was told first.
    pub fired_at: Micros,
    /// When the next step is told, if nobody takes care.
    pub next_at: Option<Micros>,
}
