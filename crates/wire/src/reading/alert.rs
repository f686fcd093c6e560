//! Conditions that stand on a device now (prtAlertTable and what else tells them).

use serde::{Deserialize, Serialize};

super::meter::words! {
    /// How much it matters.
    AlertSeverity {
        /// The device cannot go on without a person.
        Critical = 0 "critical",
        /// It goes on, but will want a person.
        Warning = 1 "warning",
        /// For information.
        Other = 2 "other",
    }
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Alert {
    /// How much it matters.
    #[n(0)]
    pub severity: AlertSeverity,
    /// Bare IPP keyword: `media-jam`, `toner-low`; `other` when the code is not in the catalogue.
    #[n(1)]
    pub reason: String,
    /// prtAlertGroup in kebab-case (`media-path`, `marker-supplies`).
    #[n(2)]
    pub group: Option<String>,
    /// Row of the group's table that the alert speaks of (prtAlertGroupIndex), as `1.2`; the alert's part.
    #[n(3)]
    #[serde(default)]
    pub part: Option<String>,
    /// The device's own words.
    #[n(4)]
    pub text: Option<String>,
    /// prtAlertCode or the vendor's code.
    #[n(5)]
    pub code: Option<i64>,
    /// RFC 3339 time since when it stands, where it is known.
    #[n(6)]
    pub since: Option<String>,
}
