//! The history of a device as sentences.

use platen_core::devices::HistoryLine;
use serde_json::Value;

use super::{capital, grouped, reason_words};

fn text<'v>(data: &'v Value, key: &str) -> Option<&'v str> {
    data.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn number(data: &Value, key: &str) -> Option<u64> {
    data.get(key).and_then(Value::as_u64)
}

/// One line of the history in words.
pub(crate) fn history_words(line: &HistoryLine) -> String {
    let data = &line.data;
    match line.kind.as_str() {
        "discovered" => match text(data, "serial") {
            Some(serial) => format!("Met for the first time, serial number {serial}"),
            None => "Met for the first time; it tells no serial number".to_owned(),
        },
        "state" => state(data),
        "comm" => comm(data).to_owned(),
        "address" | "identity" | "firmware" => changed(data),
        "moved" => "Read by another agent from now on".to_owned(),
        "alert_raised" => match text(data, "text") {
            Some(words) => format!("{}: “{words}”", reason_words(text(data, "reason").unwrap_or_default(), None)),
            None => reason_words(text(data, "reason").unwrap_or_default(), None),
        },
        "alert_cleared" => format!("Over: {}", lower(&reason_words(text(data, "reason").unwrap_or_default(), None))),
        "supply_replaced" => replaced(data),
        "part_replaced" => replaced(data),
        "meter_segment" => segment(data),
        "meter_suspected" => {
            let fell = text(data, "rule") == Some("fell");
            let why = if fell { "lower than before" } else { "too large a jump" };
            format!("A count of {} was kept aside: {why}", grouped(number(data, "value").unwrap_or(0)))
        }
        "edited" => edited(data),
        "doubt_settled" => "A doubt was settled".to_owned(),
        "doubt_reopened" => "A settled doubt was opened again".to_owned(),
        "merged" => match text(data, "name") {
            Some(name) => format!("Joined with the entry {name}"),
            None => "Joined with another entry".to_owned(),
        },
        "split" => "Parted from another device with the same serial number".to_owned(),
        "retired" => "Retired".to_owned(),
        other => capital(&other.replace('_', " ")),
    }
}

/// Where a line comes from.
pub(crate) fn history_source(line: &HistoryLine) -> String {
    match (&line.actor, line.kind.as_str()) {
        (Some(name), _) => name.clone(),
        (None, "alert_raised" | "alert_cleared") => "alert".to_owned(),
        (None, "meter_segment" | "meter_suspected") => "meter".to_owned(),
        (None, "supply_replaced" | "part_replaced") => "supply".to_owned(),
        (None, "comm" | "moved" | "discovered") => "agent".to_owned(),
        _ => "device".to_owned(),
    }
}

fn lower(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map(|c| c.to_lowercase().collect::<String>() + chars.as_str()).unwrap_or_default()
}

fn state(data: &Value) -> String {
    let word = match text(data, "state").unwrap_or_default() {
        "idle" => "Ready",
        "processing" => "Printing",
        "stopped" => "Stopped",
        "warming-up" => "Warming up",
        "asleep" => "Asleep",
        "offline" => "Off line, by its own word",
        _ => "State not told",
    };
    let reasons: Vec<String> = data
        .get("reasons")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(|reason| !reason.ends_with("-report") && *reason != "none")
        .map(|reason| lower(&reason_words(reason.trim_end_matches("-error").trim_end_matches("-warning"), None)))
        .collect();
    if reasons.is_empty() { word.to_owned() } else { format!("{word}: {}", reasons.join(", ")) }
}

fn comm(data: &Value) -> &'static str {
    match text(data, "comm").unwrap_or_default() {
        "reporting" => "Heard again",
        "late" => "A message is late",
        "silent" => "Not heard any more, though its agent is up",
        "unreachable" => "Does not answer its agent",
        "unknown_path" => "Its agent is off line; nothing is known of it",
        _ => "The line changed",
    }
}

fn changed(data: &Value) -> String {
    let field = capital(&text(data, "field").unwrap_or("value").replace('_', " "));
    match (text(data, "from"), text(data, "to")) {
        (Some(from), Some(to)) => format!("{field} {from} to {to}"),
        (None, Some(to)) => format!("{field} is {to}"),
        (Some(from), None) => format!("{field} {from} is told no more"),
        (None, None) => format!("{field} changed"),
    }
}

fn replaced(data: &Value) -> String {
    let what = match (text(data, "color"), text(data, "kind")) {
        (Some(color), Some(kind)) => format!("{color} {}", kind.replace('-', " ")),
        (None, Some(kind)) => kind.replace('-', " "),
        _ => "supply".to_owned(),
    };
    let pages = number(data, "lived").or_else(|| data.get("lived").and_then(Value::as_f64).map(|pages| pages as u64));
    let lived = pages.map(|pages| format!(", after {} pages", grouped(pages))).unwrap_or_default();
    let early = if data.get("premature").and_then(Value::as_bool) == Some(true) { "; much was left in it" } else { "" };
    capital(&format!("{what} changed{lived}{early}"))
}

fn segment(data: &Value) -> String {
    let (last, first) =
        (grouped(number(data, "last_value").unwrap_or(0)), grouped(number(data, "first_value").unwrap_or(0)));
    let function = text(data, "function").unwrap_or("a");
    let why = match text(data, "reason").unwrap_or_default() {
        "rollover" => "it ran over its end",
        "reset" => "it was reset",
        "set_back" => "it was set back",
        "board_swap" => "the board was exchanged, it seems",
        "jump" => "more than can be printed, so it is another count",
        "resumed" => "it goes on where it had been",
        "manual" => "counted as a person decided",
        _ => "a new count began",
    };
    format!("Meter {function} went from {last} to {first}: {why}")
}

fn edited(data: &Value) -> String {
    let empty = serde_json::Map::new();
    let after = data.get("after").and_then(Value::as_object).unwrap_or(&empty);
    let parts: Vec<String> = after
        .iter()
        .map(|(field, value)| {
            let field = match field.as_str() {
                "asset_no" => "asset number",
                "location" => "place",
                other => other,
            };
            match value.as_str() {
                Some(text) => format!("{field} is now “{text}”"),
                None => format!("{field} is the device’s own again"),
            }
        })
        .collect();
    if parts.is_empty() { "Edited".to_owned() } else { capital(&parts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(kind: &str, data: Value) -> String {
        history_words(&HistoryLine { at: platen_core::Micros(0), kind: kind.to_owned(), data, actor: None })
    }

    #[test]
    fn lines_read_as_sentences() {
        assert_eq!(
            line("firmware", json!({"field": "firmware", "from": "1.06", "to": "1.07"})),
            "Firmware 1.06 to 1.07"
        );
        assert_eq!(line("state", json!({"state": "stopped", "reasons": ["media-jam-error"]})), "Stopped: paper jam");
        assert_eq!(
            line("supply_replaced", json!({"color": "yellow", "kind": "toner", "lived": 4200})),
            "Yellow toner changed, after 4,200 pages"
        );
        assert_eq!(
            line("edited", json!({"after": {"location": null, "name": "Ward 3"}})),
            "Place is the device’s own again, name is now “Ward 3”"
        );
        assert_eq!(line("something_new", json!({})), "Something new");
    }
}
