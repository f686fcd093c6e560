//! What rules look at, when they work, and the words that people are told.

use crate::Micros;
use crate::filter::{Field, FieldKind};
use crate::notifications::rules::{minute_and_weekday, within};

/// Incidents that one message lists.
pub(super) const LISTED: usize = 20;

/// Fields of the filter of a rule. `a` is an alert, which an incident of an agent has none of; `d` the device.
pub const FIELDS: &[Field] = &[
    Field::new("severity", "coalesce(a.severity, i.severity)", FieldKind::Word(&["critical", "warning", "other"])),
    Field::new(
        "level",
        "case coalesce(a.severity, i.severity) when 'critical' then 3 when 'warning' then 2 else 1 end",
        FieldKind::Int,
    ),
    Field::new("reason", "coalesce(a.reason, i.reason)", FieldKind::Text),
    Field::new(
        "kind",
        "case when a.grp = 'told' and a.part like 'error:%' then 'error' when a.grp = 'told' and a.part like 'jam:%' then 'jam' \
         when a.grp = 'told' and a.part like 'alarm:%' then 'alarm' when coalesce(a.source, 'platen') = 'platen' then 'platen' \
         else 'status' end",
        FieldKind::Word(&["error", "jam", "alarm", "status", "platen"]),
    ),
    Field::new("code", "a.code", FieldKind::Int),
    Field::new(
        "trouble",
        "case when a.grp <> 'told' then null when a.part like 'jam:%' then substr(a.part, 5) else substr(a.part, 7) end",
        FieldKind::Text,
    ),
    Field::new("text", "a.text", FieldKind::Text),
    Field::new("group", "a.grp", FieldKind::Text),
    Field::new("part", "a.part", FieldKind::Text),
    Field::new("source", "coalesce(a.source, 'platen')", FieldKind::Word(&["device", "trap", "event", "platen"])),
    Field::new("audience", "i.audience", FieldKind::Word(&["operator", "supplies", "service", "fleet"])),
    Field::new("org", "i.tenant", FieldKind::Org),
    Field::new("device", "d.id", FieldKind::Text),
    Field::new("name", "d.label", FieldKind::Text),
    Field::new("vendor", "d.vendor", FieldKind::Text),
    Field::new("model", "d.model", FieldKind::Text),
    Field::new("serial", "d.serial_no", FieldKind::Text),
    Field::new("place", "d.place", FieldKind::Text),
    Field::new("asset_no", "d.asset_no", FieldKind::Text),
    Field::new("agent", "coalesce(d.agent, i.agent)", FieldKind::Text),
];

/// Hours and days in which a rule works.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) hours: Option<(i64, i64)>,
    /// Bit 0 is Monday.
    pub(super) weekdays: i64,
    pub(super) zone: jiff::tz::TimeZone,
}

impl Window {
    pub(super) fn holds(&self, at: Micros) -> bool {
        let (minute, weekday) = minute_and_weekday(at, &self.zone);
        let in_hours = self.hours.is_none_or(|(from, until)| from == until || within(minute, from, until));
        in_hours && self.weekdays & (1 << (weekday - 1)) != 0
    }
}

/// One incident, as a message tells it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) incident: String,
    pub(super) severity: String,
    pub(super) title: String,
    pub(super) what: String,
    pub(super) detail: String,
}

/// How a message begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    First,
    Escalation(i64),
    End,
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Title and text of one message about incidents; at least one.
pub(super) fn message(rule: &str, manner: Manner, lines: &[Line]) -> (String, String) {
    let head = match manner {
        Manner::First => String::new(),
        Manner::Escalation(step) => format!("Nobody has taken care (step {}): ", step + 1),
        Manner::End => "Over: ".to_owned(),
    };
    let title = match lines {
        [one] => format!("{head}{}, {}", capital(&one.title), one.what),
        many => {
            let worst = many.iter().filter(|line| line.severity == "critical").count();
            let worst = if worst > 0 { format!(", {worst} critical") } else { String::new() };
            format!("{head}{} incidents{worst}", many.len())
        }
    };
    let mut text = String::new();
    for line in lines.iter().take(LISTED) {
        let (title, severity) = (capital(&line.title), &line.severity);
        text.push_str(&format!("{title} ({severity})\n{}\n", line.what));
        if !line.detail.is_empty() {
            text.push_str(&format!("{}\n", line.detail));
        }
        text.push_str(&format!("{{base}}/incidents/{}\n\n", line.incident));
    }
    if lines.len() > LISTED {
        text.push_str(&format!("and {} more: {{base}}/incidents\n\n", lines.len() - LISTED));
    }
    text.push_str(&format!("You are told by the rule “{rule}”."));
    (title, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(severity: &str) -> Line {
        Line {
            incident: "x".into(),
            severity: severity.into(),
            title: "paper jam".into(),
            what: "Ward 7".into(),
            detail: "It says “Jam”.".into(),
        }
    }

    #[test]
    fn one_incident_is_named_and_many_are_counted() {
        let (title, text) = message("Night", Manner::Escalation(1), &[line("critical")]);
        assert_eq!(title, "Nobody has taken care (step 2): Paper jam, Ward 7");
        assert!(text.starts_with("Paper jam (critical)\nWard 7\nIt says “Jam”.\n{base}/incidents/x\n"), "{text}");
        let many = vec![line("warning"); 24];
        let (title, text) = message("Night", Manner::First, &many);
        assert_eq!(title, "24 incidents");
        assert!(text.contains("and 4 more"), "{text}");
    }

    #[test]
    fn a_rule_works_in_its_hours_on_its_days() {
        let zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
        let window = Window { hours: Some((480, 1_020)), weekdays: 0b1_1111, zone };
        let at = |text: &str| window.holds(Micros::parse(text).unwrap());
        assert!(at("2026-03-02T07:00:00Z"), "Monday, 8:00 there");
        assert!(!at("2026-03-02T06:59:00Z"));
        assert!(!at("2026-03-01T12:00:00Z"), "Sunday");
    }
}
