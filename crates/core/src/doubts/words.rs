//! Doubts in plain words: what is doubted, what is assumed, what one may decide and what follows.

use serde_json::Value as Json;

use super::{Choice, DoubtMeter, Kind};
use crate::devices::rules::grouped;

/// What is doubted.
pub(super) fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Reset => "Counter began again near zero",
        Kind::SetBack => "Counter fell a little",
        Kind::BoardSwap => "Counter fell to another value",
        Kind::Jump => "Counter rose by more than can be printed",
        Kind::Wrap => "Counter ran over its end",
        Kind::PassingFault => "Wrong counts for a while",
        Kind::DeviceSwap => "Another device answers in its place",
        Kind::DoubledSerial => "Two devices with one serial number, or one with two network cards",
        Kind::TwoAgents => "Two agents read the same device",
        Kind::ConflictingTotals => "Two totals of the device grow apart",
    }
}

/// What is assumed until a person decides.
pub(super) fn assumed(kind: Kind, data: &Json) -> &'static str {
    match kind {
        Kind::Reset => "The counter was reset. Counting goes on from its new value; nothing is billed over the gap.",
        Kind::SetBack => {
            "The device restored an older count. Counting goes on from there; nothing is billed over the gap."
        }
        Kind::BoardSwap => {
            "The board was exchanged. Counting goes on from the new board’s value; nothing is billed over the gap."
        }
        Kind::Jump => "The count is of another board. Counting goes on from there; the jump is not billed.",
        Kind::Wrap => "The counter has run over its largest number. The pages up to there and since zero are billed.",
        Kind::PassingFault => {
            "The low values were wrong. Counting goes on where the counter was before; they are not billed."
        }
        Kind::DeviceSwap => "They are two devices. Each keeps its own counters.",
        Kind::DoubledSerial if data["assumed"] == "two" => {
            "They are two devices: network card and model differ. Only the first holds the serial number."
        }
        Kind::DoubledSerial => "It is one device with two network cards. It is billed once.",
        Kind::TwoAgents => "The device belongs to the agent that found it last. Readings of both are counted once.",
        Kind::ConflictingTotals => "The standard total is billed, as long as nobody chooses the other.",
    }
}

/// The question to a person.
pub(super) fn question(kind: Kind) -> &'static str {
    match kind {
        Kind::Reset => "Was the counter reset, and were pages printed that it no longer shows?",
        Kind::SetBack => "Was the count restored from a copy, or were readings wrong?",
        Kind::BoardSwap => "Was the board exchanged? How many pages were printed between the two readings?",
        Kind::Jump => "Were so many pages really printed, or does the count come from another board?",
        Kind::Wrap => "Did the counter run over its end, or was it reset?",
        Kind::PassingFault => "Were the readings in between wrong, or was the counter really reset?",
        Kind::DeviceSwap => "Was the device exchanged, or did the same device change its number?",
        Kind::DoubledSerial => "Is this one device, or are these two?",
        Kind::TwoAgents => "Which agent should read the device?",
        Kind::ConflictingTotals => "Which of the two does the contract count by?",
    }
}

const WORDS: &[(&str, &str, &str)] = &[
    ("new_start", "New start", "Counting begins anew here; nothing is billed over the gap."),
    ("from_zero", "Count from zero", "The counter began at zero, and what it showed first had been printed since."),
    ("wrap", "It ran over its end", "The pages up to the largest number and since zero are billed."),
    ("count", "Bill the difference", "The pages were really printed: the whole difference is billed."),
    (
        "ignore",
        "Leave the readings out",
        "The readings in between were wrong; counting goes on from the last one before.",
    ),
    (
        "amount",
        "Give the amount",
        "You know from a status page or the service report how many pages were printed in the gap.",
    ),
    ("two", "Two devices", "They stay apart, each with its own counters and history."),
    (
        "same",
        "The same device",
        "The newer entry is joined to the older: one history, readings counted once. This cannot be undone.",
    ),
    ("one", "One device with two network cards", "Nothing changes; it is billed once, and you are not asked again."),
    (
        "split",
        "Two devices",
        "The second becomes a device of its own, without the serial number. This cannot be undone, only joined again.",
    ),
    ("stay", "Leave it with this agent", "Nothing changes, and you are not asked again."),
    ("switch", "Give it to the other agent", "The other agent’s address and name for it count from now on."),
    (
        "standard",
        "Bill the standard total",
        "The total of the standard MIB is billed; the maker’s own is shown beside it.",
    ),
    ("private", "Bill the maker’s own total", "The maker’s own total is billed; the standard one is shown beside it."),
];

/// What was decided, in a few words.
pub(super) fn decision(key: &str) -> &'static str {
    WORDS.iter().find(|(word, ..)| *word == key).map_or("Settled", |(_, title, _)| title)
}

/// Keys of what may be decided; the first is what is assumed.
pub(super) fn keys(kind: Kind, data: &Json) -> &'static [&'static str] {
    match kind {
        Kind::Reset => &["new_start", "from_zero", "ignore", "amount"],
        Kind::SetBack | Kind::BoardSwap => &["new_start", "ignore", "amount"],
        Kind::Jump => &["new_start", "count", "ignore", "amount"],
        Kind::Wrap => &["wrap", "new_start", "amount"],
        Kind::PassingFault => &["ignore", "new_start", "amount"],
        Kind::DeviceSwap => &["two", "same"],
        Kind::DoubledSerial if data["assumed"] == "two" => &["two", "same"],
        Kind::DoubledSerial => &["one", "split"],
        Kind::TwoAgents => &["stay", "switch"],
        Kind::ConflictingTotals => &["standard", "private"],
    }
}

/// Pages that a counter adds over the border if `key` is chosen; `None`: it hangs on amounts.
pub(super) fn pages(key: &str, meter: &DoubtMeter) -> Option<i64> {
    match key {
        "new_start" => Some(0),
        "from_zero" => Some(meter.after),
        "count" => Some((meter.after - meter.before).max(0)),
        "wrap" => Some(meter.assumed),
        // Left out in between, the count grows from the last value before.
        "ignore" if meter.cause == "resumed" => Some((meter.until - meter.before).max(0)),
        _ => None,
    }
}

/// The choices of a doubt, with what each would bill.
pub(super) fn choices(kind: Kind, data: &Json, meters: &[DoubtMeter]) -> Vec<Choice> {
    let counted: Vec<&DoubtMeter> = leading(meters);
    let keys = keys(kind, data);
    keys.iter()
        .filter(|key| offered(kind, key, meters))
        .filter_map(|key| {
            let (key, title, explained) = WORDS.iter().find(|(word, ..)| word == key)?;
            let sum = counted.iter().map(|meter| pages(key, meter)).sum::<Option<i64>>();
            let pages = sum.filter(|_| !counted.is_empty());
            let billed = match pages {
                Some(pages) => format!(" {} pages across the gap.", grouped(pages)),
                None => String::new(),
            };
            Some(Choice {
                key,
                title,
                explained: format!("{explained}{billed}"),
                pages,
                takes_amounts: *key == "amount",
                is_assumed: keys.first() == Some(key),
                undoable: !matches!(*key, "same" | "split"),
            })
        })
        .collect()
}

/// Readings can be left out only where the count came back.
fn offered(kind: Kind, key: &str, meters: &[DoubtMeter]) -> bool {
    key != "ignore" || kind == Kind::PassingFault || meters.iter().any(came_back)
}

/// Whether the readings at hand show the count where it had been before the border.
fn came_back(meter: &DoubtMeter) -> bool {
    if meter.after > meter.before {
        return meter.readings.iter().any(|r| r.at > meter.border_at && (meter.before..meter.after).contains(&r.value));
    }
    meter.readings.iter().any(|r| r.at > meter.border_at && r.value >= meter.before && r.believed)
}

/// The counters that make up the pages of the device: totals, else black and colour.
pub(super) fn leading(meters: &[DoubtMeter]) -> Vec<&DoubtMeter> {
    let totals: Vec<&DoubtMeter> = meters.iter().filter(|meter| meter.role.as_deref() == Some("total")).collect();
    if totals.is_empty() { meters.iter().filter(|meter| meter.role.is_some()).collect() } else { totals }
}

/// The effect on usage as a sentence.
pub(super) fn effect(kind: Kind, data: &Json, meters: &[DoubtMeter]) -> String {
    match kind {
        Kind::ConflictingTotals => {
            let apart = data["apart"].as_i64().unwrap_or(0);
            let more = if apart < 0 { "fewer" } else { "more" };
            format!("The maker’s own total has counted {} pages {more}.", grouped(apart.abs()))
        }
        Kind::DeviceSwap | Kind::DoubledSerial | Kind::TwoAgents => {
            "Pages are counted once, whatever you decide.".to_owned()
        }
        _ => {
            let counted: i64 = leading(meters).iter().map(|meter| meter.counted).sum();
            format!("{} pages are counted across it now.", grouped(counted))
        }
    }
}
