//! Which conditions stand: the device's own alert rows, and its reasons where no row speaks of them.

use wire::report::StatusBody;
use wire::{Alert, AlertSeverity};

use crate::devices::fold::clean;
use crate::devices::rules::split;

/// Cleared and raised again within this time it is the same alert. 10 minutes in µs.
pub const FLAP: i64 = 600 * 1_000_000;

/// From this many returns within [`FLAP`] of each other on, an alert goes on standing until it has been away for [`FLAP`]:
/// nobody is called for each of them.
pub const DAMPED: i64 = 3;

/// Rows that a table has at least before a critical one can be held to have pushed others out.
const FULL: i64 = 2;

/// What makes a condition one and the same (model.md invariant 11).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// prtAlertGroup in kebab-case, or empty.
    pub group: String,
    /// Row of the group, or empty.
    pub part: String,
    /// Bare keyword.
    pub reason: String,
}

/// One condition that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What makes it one.
    pub key: Key,
    /// How much it matters.
    pub severity: AlertSeverity,
    /// The device's code.
    pub code: Option<i64>,
    /// The device's words.
    pub text: Option<String>,
    /// Since when, µs.
    pub since: Option<i64>,
}

impl Condition {
    /// Whether both are the same row of the device by its place and code, though in other words: a trap does not tell
    /// which supply it speaks of, the table does.
    pub fn is_same_row(&self, other: &Self) -> bool {
        let place = |condition: &Self| !condition.key.group.is_empty() && condition.code.is_some();
        place(self) && self.code == other.code && self.key.group == other.key.group && self.key.part == other.key.part
    }

    /// Whether both are about one row of the group's table: a tray, a supply.
    pub fn speaks_of_the_part_of(&self, other: &Self) -> bool {
        let (this, that) = (&self.key, &other.key);
        !this.part.is_empty() && (&this.group, &this.part) == (&that.group, &that.part)
    }
}

/// Which of the conditions that stand is this one: the same key, else the same row.
pub fn find<'a>(standing: impl Iterator<Item = (usize, &'a Condition)>, told: &Condition) -> Option<usize> {
    let mut same_row = None;
    for (place, condition) in standing {
        if condition.key == told.key {
            return Some(place);
        }
        if same_row.is_none() && condition.is_same_row(told) {
            same_row = Some(place);
        }
    }
    same_row
}

/// Whether an alert that is gone from the table may have been pushed out by a critical one rather than be over
/// (RFC 3805: a full table makes room for critical alerts). `rows` are in the table now, `stood` stood there before.
pub fn may_be_evicted(gone: &Condition, critical_came: bool, rows: i64, stood: i64) -> bool {
    gone.severity != AlertSeverity::Critical && !gone.key.group.is_empty() && critical_came && rows >= FULL.max(stood)
}

/// What incomplete readings do not tell stands so much longer. A day in µs: a device may be busy, slow or asleep for
/// hours, and one whose tables can never be read tells its conditions by other objects.
pub const UNSURE: i64 = 24 * 3_600 * 1_000_000;

/// How much of what stands a reading tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Rows of the table of alerts: what is not told is over.
    pub rows: bool,
    /// Reasons that the device tells beside its table.
    pub reasons: bool,
}

impl Reach {
    /// Of one reading.
    pub fn of(body: &StatusBody) -> Self {
        let (rows, reasons) = (wire::report::tells_alerts(&body.quirks), wire::report::is_whole(&body.quirks));
        Self { rows, reasons }
    }

    /// Whether it would tell this condition if it stood.
    pub fn covers(self, condition: &Condition) -> bool {
        if condition.key.group.is_empty() { self.reasons } else { self.rows }
    }

    /// Whether a condition of such a reading may be one that a row has told before, in the words of its reason alone: the
    /// rows that would say so were not read.
    pub fn repeats(self, told: &Condition, standing: &Condition) -> bool {
        !self.rows
            && told.key.group.is_empty()
            && !standing.key.group.is_empty()
            && told.key.reason == standing.key.reason
    }
}

/// Whom an alert concerns, so that paper and service go to different people: `operator` whoever stands nearby (paper,
/// jams, covers), `supplies` whoever orders and brings them, `service` a technician, `fleet` whoever runs the fleet.
pub fn audience(reason: &str) -> &'static str {
    let starts = |words: &[&str]| words.iter().any(|word| reason.starts_with(word));
    match reason {
        _ if reason.contains("failure") || starts(&["fuser", "subunit", "service", "interlock"]) => "service",
        "opc-life-over" | "opc-near-eol" | "developer-empty" | "developer-low" => "service",
        _ if starts(&["toner", "marker", "opc", "developer", "stapler", "puncher", "cleaner", "platen-supply"]) => {
            "supplies"
        }
        _ if starts(&["media", "input", "output", "cover", "door"]) => "operator",
        _ => "fleet",
    }
}

/// 0 critical, 1 warning, 2 other.
pub fn rank(severity: AlertSeverity) -> i64 {
    severity as i64
}

/// The conditions of a status message, one of each key, sorted.
pub fn conditions(body: &StatusBody) -> Vec<Condition> {
    let mut all: Vec<Condition> = body.alerts.iter().map(condition).collect();
    for full in &body.status.reasons {
        let (reason, weight) = split(full);
        let severity = match weight {
            0 if full.ends_with("-error") => AlertSeverity::Critical,
            1 => AlertSeverity::Warning,
            _ => continue,
        };
        let Some(reason) = clean(Some(reason)).filter(|reason| !all.iter().any(|c| c.key.reason == *reason)) else {
            continue;
        };
        let key = Key { group: String::new(), part: String::new(), reason };
        all.push(Condition { key, severity, code: None, text: None, since: None });
    }
    all.sort_by(|a, b| a.key.cmp(&b.key).then(rank(a.severity).cmp(&rank(b.severity))));
    all.dedup_by(|later, first| later.key == first.key);
    all
}

/// The condition that an alert on the wire tells.
pub fn condition(alert: &Alert) -> Condition {
    Condition {
        key: Key {
            group: clean(alert.group.as_deref()).unwrap_or_default(),
            part: clean(alert.part.as_deref()).unwrap_or_default(),
            reason: clean(Some(&alert.reason)).unwrap_or_else(|| "other".into()),
        },
        severity: alert.severity,
        code: alert.code,
        text: clean(alert.text.as_deref()),
        since: alert.since.as_deref().and_then(crate::Micros::parse).map(|at| at.0),
    }
}

/// Whether a condition raised at `at` is the one that was cleared at `cleared_at`.
pub fn is_flap(cleared_at: i64, at: i64) -> bool {
    at >= cleared_at && at - cleared_at <= FLAP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_speak_only_where_no_row_does() {
        let alert = |part: &str, severity| Alert {
            severity,
            reason: "media-jam".into(),
            group: Some("media-path".into()),
            part: Some(part.into()),
            text: None,
            code: Some(8),
            since: None,
        };
        let body = crate::reports::testing::status("S1", |body| {
            body.alerts = vec![
                alert("1.1", AlertSeverity::Warning),
                alert("1.1", AlertSeverity::Critical),
                alert("1.2", AlertSeverity::Critical),
            ];
            body.status.reasons = vec!["media-jam-error".into(), "toner-low-warning".into(), "sleep-report".into()];
        });
        let found: Vec<_> = conditions(&body).into_iter().map(|c| (c.key.reason, c.key.part, c.severity)).collect();
        let expected = [
            ("toner-low".to_owned(), String::new(), AlertSeverity::Warning),
            ("media-jam".to_owned(), "1.1".to_owned(), AlertSeverity::Critical),
            ("media-jam".to_owned(), "1.2".to_owned(), AlertSeverity::Critical),
        ];
        assert_eq!(found, expected);
    }

    fn condition(group: &str, part: &str, reason: &str, code: Option<i64>, severity: AlertSeverity) -> Condition {
        let key = Key { group: group.into(), part: part.into(), reason: reason.into() };
        Condition { key, severity, code, text: None, since: None }
    }

    #[test]
    fn alert_lifecycle_a_table_that_was_not_read_ends_no_row_of_it() {
        let row = condition("media-path", "1.1", "media-jam", Some(8), AlertSeverity::Critical);
        let bit = condition("", "", "media-jam", None, AlertSeverity::Critical);
        let reach = |quirk: &str| {
            Reach::of(&crate::reports::testing::status("S1", |body| body.quirks = vec![quirk.to_owned()]))
        };
        let circle = reach(wire::report::ALERTS_NOT_TOLD);
        assert!(!circle.covers(&row) && circle.covers(&bit));
        assert!(circle.repeats(&bit, &row) && !circle.repeats(&row, &row));
        let silent = reach("tables-not-answered");
        assert!(!silent.covers(&row) && !silent.covers(&bit));
        let whole = reach("snmp-gen-err");
        assert!(whole.covers(&row) && whole.covers(&bit) && !whole.repeats(&bit, &row));
    }

    #[test]
    fn alert_lifecycle_trap_and_poll_find_the_same_alert() {
        let warning = AlertSeverity::Warning;
        let all = [
            condition("marker-supplies", "1.1", "toner-low", Some(1104), warning),
            condition("marker-supplies", "1.2", "marker-supply-low", Some(12), warning),
            condition("", "", "media-low", None, warning),
        ];
        let found = |told: &Condition| find(all.iter().enumerate(), told);
        assert_eq!(found(&condition("marker-supplies", "1.2", "toner-low", Some(12), warning)), Some(1), "same row");
        assert_eq!(found(&condition("marker-supplies", "1.1", "toner-low", Some(12), warning)), Some(0), "same key");
        assert_eq!(found(&condition("marker-supplies", "1.3", "marker-supply-low", Some(12), warning)), None);
        assert_eq!(found(&condition("", "", "other", None, warning)), None, "no row, no code");
    }

    #[test]
    fn alert_lifecycle_critical_evicts_others_only_from_a_full_table() {
        let low = condition("marker-supplies", "1.1", "toner-low", Some(1104), AlertSeverity::Warning);
        assert!(may_be_evicted(&low, true, 2, 2));
        assert!(!may_be_evicted(&low, true, 1, 2), "the table shrank");
        assert!(!may_be_evicted(&low, false, 2, 2), "nothing critical came");
        let jam = Condition { severity: AlertSeverity::Critical, ..low };
        assert!(!may_be_evicted(&jam, true, 2, 2), "critical ones stay");
    }

    #[test]
    fn alert_lifecycle_service_and_paper_go_to_different_people() {
        for (reason, whom) in [
            ("media-empty", "operator"),
            ("media-jam", "operator"),
            ("input-tray-missing", "operator"),
            ("output-area-full", "operator"),
            ("cover-open", "operator"),
            ("toner-low", "supplies"),
            ("marker-waste-full", "supplies"),
            ("stapler-empty", "supplies"),
            ("platen-supply-soon-empty", "supplies"),
            ("marker-fuser-thermistor-failure", "service"),
            ("fuser-over-temp", "service"),
            ("service-needed", "service"),
            ("opc-life-over", "service"),
            ("platen-silent", "fleet"),
            ("configuration-change", "fleet"),
        ] {
            assert_eq!(audience(reason), whom, "{reason}");
        }
    }

    #[test]
    fn ten_minutes_part_a_flap_from_a_new_alert() {
        assert!(is_flap(0, FLAP) && !is_flap(0, FLAP + 1) && !is_flap(10, 5));
    }
}
