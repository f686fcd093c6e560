//! Which conditions stand: the device's own alert rows, and its reasons where no row speaks of them.

use wire::report::StatusBody;
use wire::{Alert, AlertSeverity};

use crate::devices::fold::clean;
use crate::devices::rules::split;

/// Cleared and raised again within this time it is the same alert. 10 minutes in µs.
pub const FLAP: i64 = 600 * 1_000_000;

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

fn condition(alert: &Alert) -> Condition {
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

    #[test]
    fn ten_minutes_part_a_flap_from_a_new_alert() {
        assert!(is_flap(0, FLAP) && !is_flap(0, FLAP + 1) && !is_flap(10, 5));
    }
}
