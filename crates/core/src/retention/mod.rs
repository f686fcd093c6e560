//! How long what is kept. Each capability registers its growing tables as [`Target`]s of a class; a run deletes what is
//! too old, leaves a proof, and stops for a person's word where more would go than a clock that tells the truth explains.

use serde::Serialize;

use crate::error::{Error, Result};
use crate::ids::OrgId;
use crate::time::Micros;

mod days;
mod jobs;
mod rules;
mod service;
mod sql;
mod targets;
#[cfg(test)]
mod tests;

pub use jobs::{RunReport, run};
pub use service::{confirm, holds, proofs, rules, set_rule};

/// What is kept equally long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// To its end and a day more: sessions, invitations, repeats. Never held.
    Short,
    /// Raw reports.
    Inbox,
    /// States, levels and reasons over time.
    Status,
    /// Tasks.
    Task,
    /// Who did what.
    Audit,
    /// Errors, jams, diagnostics, alerts.
    Service,
    /// The outbox.
    Event,
    /// Deliveries of webhooks and mail.
    Delivery,
    /// Readings.
    Meter,
    /// Closed periods, their lines and documents.
    Close,
}

impl Class {
    /// Those that a rule can be set for.
    pub const ALL: [Self; 9] = [
        Self::Inbox,
        Self::Status,
        Self::Task,
        Self::Audit,
        Self::Service,
        Self::Event,
        Self::Delivery,
        Self::Meter,
        Self::Close,
    ];

    /// As stored and as the API says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Inbox => "inbox",
            Self::Status => "status",
            Self::Task => "task",
            Self::Audit => "audit",
            Self::Service => "service",
            Self::Event => "event",
            Self::Delivery => "delivery",
            Self::Meter => "meter",
            Self::Close => "close",
        }
    }

    /// Reads the name of a class.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn parse(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == text).ok_or_else(|| Error::not_found("retention class"))
    }
}

/// A table that grows. Register it with `inventory::submit! { Target::at(Class::Status, "status_changes", "at") }`.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub(crate) class: Class,
    pub(crate) table: &'static str,
    /// Column of the time, µs; `None`: whole months by the column `month`.
    pub(crate) at: Option<&'static str>,
    /// The table has the column `month`, too.
    pub(crate) monthly: bool,
    /// The table has the column `tenant`.
    pub(crate) tenant: bool,
    /// Rows that may go at all, as an SQL condition on the table.
    pub(crate) only: Option<&'static str>,
    /// Columns of the key, where the table is so large that rows go in batches.
    pub(crate) batch: Option<&'static str>,
}

inventory::collect!(Target);

impl Target {
    /// Rows whose time `at` is too old.
    #[must_use]
    pub const fn at(class: Class, table: &'static str, at: &'static str) -> Self {
        Self { class, table, at: Some(at), monthly: false, tenant: true, only: None, batch: None }
    }

    /// Whole months, by the column `month` (yyyymm), once all of a month is too old.
    #[must_use]
    pub const fn months(class: Class, table: &'static str) -> Self {
        Self { class, table, at: None, monthly: true, tenant: true, only: None, batch: None }
    }

    /// The table has the column `month` (yyyymm) of the same time: deleted month by month.
    #[must_use]
    pub const fn monthly(self) -> Self {
        Self { monthly: true, ..self }
    }

    /// The table has no tenant.
    #[must_use]
    pub const fn shared(self) -> Self {
        Self { tenant: false, ..self }
    }

    /// Rows go in batches, so that nobody who writes waits long; these are the columns of the key beside the tenant.
    #[must_use]
    pub const fn batched(self, key: &'static str) -> Self {
        Self { batch: Some(key), ..self }
    }

    /// Only rows of this condition may go, as `cleared_at is not null`.
    #[must_use]
    pub const fn only(self, condition: &'static str) -> Self {
        Self { only: Some(condition), ..self }
    }
}

/// How long a class is kept in the own organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// What.
    pub class: Class,
    /// Days.
    pub days: i64,
    /// Days when nobody says.
    pub default_days: i64,
    /// Least.
    pub min_days: i64,
    /// Most.
    pub max_days: i64,
    /// For `If-Match`; 0 while nobody has set it.
    pub version: i64,
}

/// A deletion that waits for a person's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// Whose rows.
    pub tenant: OrgId,
    /// Class of the table.
    pub class: String,
    /// Table.
    pub table: String,
    /// Rows that would go.
    pub due_rows: u64,
    /// Rows that are there.
    pub all_rows: u64,
    /// Since when it waits.
    pub found_at: Micros,
    /// When a person agreed; they go with the next run.
    pub confirmed_at: Option<Micros>,
}

/// What went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Class of the table.
    pub class: String,
    /// Table.
    pub table: String,
    /// Everything before this.
    pub before_at: Micros,
    /// Rows.
    pub rows: u64,
    /// Time of the oldest row that went.
    pub first_at: Micros,
    /// Time of the youngest row that went.
    pub last_at: Micros,
    /// SHA-256 over all of the above and the organisation, hex.
    pub hash: String,
    /// When it went.
    pub made_at: Micros,
}
