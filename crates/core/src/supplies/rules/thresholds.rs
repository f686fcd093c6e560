//! Limits of supplies: when a level or a forecast calls for a person, and under which reason (model.md §5).

use serde::{Deserialize, Serialize};
use wire::{AlertSeverity, Class};

/// A level must rise by so many per cent above its limit before a call is over.
const BACK: f64 = 3.0;
/// A forecast with more doubt than this calls nobody.
pub const CALLING: f64 = 0.8;

/// Limits of one scope; `None`: what the wider scope says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// At and below this per cent a supply is almost empty.
    #[serde(default)]
    pub almost_empty: Option<f64>,
    /// At and below this per cent it is empty.
    #[serde(default)]
    pub empty: Option<f64>,
    /// At and above this per cent a waste box is almost full.
    #[serde(default)]
    pub almost_full: Option<f64>,
    /// At and above this per cent it is full.
    #[serde(default)]
    pub full: Option<f64>,
    /// Within so many days of its end a supply ends soon.
    #[serde(default)]
    pub soon_days: Option<f64>,
}

/// What holds where nobody says.
pub const USUAL: Limits = Limits {
    almost_empty: Some(10.0),
    empty: Some(1.0),
    almost_full: Some(85.0),
    full: Some(98.0),
    soon_days: Some(7.0),
};

impl Limits {
    /// These, and where they are silent the wider ones.
    #[must_use]
    pub fn or(self, wider: Self) -> Self {
        Self {
            almost_empty: self.almost_empty.or(wider.almost_empty),
            empty: self.empty.or(wider.empty),
            almost_full: self.almost_full.or(wider.almost_full),
            full: self.full.or(wider.full),
            soon_days: self.soon_days.or(wider.soon_days),
        }
    }

    /// Why these limits cannot be; `None`: they can.
    #[must_use]
    pub fn fault(&self) -> Option<(&'static str, &'static str)> {
        let percent = |limit: Option<f64>| limit.is_none_or(|value| (0.0..=100.0).contains(&value));
        let fields = [
            ("almost_empty", self.almost_empty),
            ("empty", self.empty),
            ("almost_full", self.almost_full),
            ("full", self.full),
        ];
        if let Some((field, _)) = fields.into_iter().find(|(_, limit)| !percent(*limit)) {
            return Some((field, "a limit is 0 to 100 per cent"));
        }
        if self.soon_days.is_some_and(|days| !(0.0..=365.0).contains(&days)) {
            return Some(("soon_days", "a supply ends soon within 0 to 365 days"));
        }
        if self.empty.zip(self.almost_empty).is_some_and(|(empty, almost)| empty > almost) {
            return Some(("empty", "empty lies at or below almost empty"));
        }
        if self.almost_full.zip(self.full).is_some_and(|(almost, full)| almost > full) {
            return Some(("full", "full lies at or above almost full"));
        }
        None
    }
}

/// What is known of a supply.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Facts<'a> {
    /// `toner`, `waste-toner`, `opc` …
    pub kind: &'a str,
    /// Used up or filled.
    pub class: Class,
    /// Per cent that are left; `None`: not told as a figure.
    pub left: Option<f64>,
    /// Per cent that a waste box is full; `None`: not told, or nobody knows yet which way it runs.
    pub filled: Option<f64>,
    /// Days until it is empty, and the doubt of that.
    pub days: Option<(f64, f64)>,
}

/// A call for a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Keyword.
    pub reason: &'static str,
    /// How much it matters.
    pub severity: AlertSeverity,
}

/// Low and empty, or almost full and full, in the words of its kind.
fn reasons(kind: &str, class: Class) -> (&'static str, &'static str) {
    match kind {
        _ if class == Class::Receptacle || kind.contains("waste") => ("marker-waste-almost-full", "marker-waste-full"),
        "toner" | "toner-cartridge" => ("toner-low", "toner-empty"),
        "opc" => ("opc-near-eol", "opc-life-over"),
        "developer" => ("developer-low", "developer-empty"),
        "staples" => ("stapler-low", "stapler-empty"),
        kind if is_part(kind) => ("subunit-life-almost-over", "subunit-life-over"),
        _ => ("marker-supply-low", "marker-supply-empty"),
    }
}

/// Whether a supply is a part that wears, not something that is filled up.
#[must_use]
pub fn is_part(kind: &str) -> bool {
    let parts = ["opc", "fuser", "transfer", "cleaner", "developer", "corona", "belt", "roller", "drum", "maintenance"];
    parts.iter().any(|part| kind.starts_with(part))
}

/// Whether a reason that a device tells is about the end of a supply.
#[must_use]
pub fn is_end(reason: &str) -> bool {
    let starts =
        ["toner-", "marker-supply-", "marker-waste-", "marker-ink-", "opc-", "developer-", "stapler-", "subunit-life-"];
    let ends = ["-low", "-empty", "-full", "-near-eol", "-life-over", "-life-almost-over", "-almost-over", "-over"];
    reason == "platen-supply-soon-empty"
        || (starts.iter().any(|start| reason.starts_with(start)) && ends.iter().any(|end| reason.ends_with(end)))
}

/// What a supply calls for. `standing`: the reason under which it calls already, which ends a little above its limit.
#[must_use]
pub fn call(limits: &Limits, facts: &Facts<'_>, standing: Option<&str>) -> Option<Call> {
    let limits = limits.or(USUAL);
    let (low, end) = reasons(facts.kind, facts.class);
    let warning = |reason| Some(Call { reason, severity: AlertSeverity::Warning });
    let critical = |reason| Some(Call { reason, severity: AlertSeverity::Critical });
    let slack = |reason: &str| if standing == Some(reason) { BACK } else { 0.0 };
    if facts.class == Class::Receptacle {
        let filled = facts.filled?;
        return match () {
            () if limits.full.is_some_and(|limit| filled >= limit - slack(end).min(limit)) => critical(end),
            () if limits.almost_full.is_some_and(|limit| filled >= limit - slack(low).min(limit)) => warning(low),
            () => None,
        };
    }
    if let Some(left) = facts.left {
        if limits.empty.is_some_and(|limit| left <= limit + slack(end)) {
            // A worn part prints on.
            return if is_part(facts.kind) { warning(end) } else { critical(end) };
        }
        if limits.almost_empty.is_some_and(|limit| left <= limit + slack(low)) {
            return warning(low);
        }
    }
    let soon = "platen-supply-soon-empty";
    let (days, doubt) = facts.days?;
    let within = limits.soon_days? * if standing == Some(soon) { 1.3 } else { 1.0 };
    (days <= within && doubt <= CALLING).then_some(Call { reason: soon, severity: AlertSeverity::Warning })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toner(left: Option<f64>, days: Option<(f64, f64)>) -> Facts<'static> {
        Facts { kind: "toner", class: Class::Consumed, left, filled: None, days }
    }

    fn reason(facts: &Facts<'_>, standing: Option<&str>) -> Option<&'static str> {
        call(&Limits::default(), facts, standing).map(|call| call.reason)
    }

    #[test]
    fn thresholds_almost_empty_empty_and_soon_call_under_their_reasons() {
        assert_eq!(reason(&toner(Some(50.0), None), None), None);
        assert_eq!(reason(&toner(Some(10.0), None), None), Some("toner-low"));
        assert_eq!(reason(&toner(Some(0.0), None), None), Some("toner-empty"));
        assert_eq!(reason(&toner(Some(30.0), Some((5.0, 0.3))), None), Some("platen-supply-soon-empty"));
        assert_eq!(reason(&toner(Some(30.0), Some((5.0, 1.2))), None), None, "too doubtful to call anybody");
        assert_eq!(reason(&toner(None, None), None), None, "what is not told is no figure");
        let fuser = Facts { kind: "fuser", ..toner(Some(8.0), None) };
        assert_eq!(reason(&fuser, None), Some("subunit-life-almost-over"));
    }

    #[test]
    fn thresholds_of_waste_boxes_are_almost_full_and_full() {
        let box_ =
            |filled| Facts { kind: "waste-toner", class: Class::Receptacle, left: Some(3.0), filled, days: None };
        assert_eq!(reason(&box_(None), None), None, "nobody knows which way its level runs");
        assert_eq!(reason(&box_(Some(90.0)), None), Some("marker-waste-almost-full"));
        assert_eq!(reason(&box_(Some(99.0)), None), Some("marker-waste-full"));
    }

    #[test]
    fn a_level_that_wavers_around_its_limit_calls_once() {
        assert_eq!(reason(&toner(Some(12.0), None), None), None);
        assert_eq!(reason(&toner(Some(12.0), None), Some("toner-low")), Some("toner-low"));
        assert_eq!(reason(&toner(Some(100.0), None), Some("toner-low")), None, "a new cartridge ends it");
    }

    #[test]
    fn narrower_limits_come_before_wider_ones() {
        let model = Limits { almost_empty: Some(25.0), ..Limits::default() };
        assert_eq!(call(&model, &toner(Some(20.0), None), None).unwrap().reason, "toner-low");
        assert_eq!(model.or(USUAL).soon_days, Some(7.0));
        assert!(Limits { empty: Some(30.0), ..model }.fault().is_some());
        assert!(Limits { full: Some(101.0), ..model }.fault().is_some());
        assert_eq!(model.fault(), None);
    }

    #[test]
    fn ends_of_supplies_are_known_by_their_words() {
        for reason in ["toner-low", "marker-waste-full", "opc-life-over", "platen-supply-soon-empty"] {
            assert!(is_end(reason), "{reason}");
        }
        for reason in ["media-empty", "marker-supply-missing", "output-area-full", "toner-flood"] {
            assert!(!is_end(reason), "{reason}");
        }
    }
}
