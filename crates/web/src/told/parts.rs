//! Lines of what a device told, ready for the page.

use platen_core::{
    Micros,
    diagnostics::{Comparison, Entry},
};
use wire::{
    Body,
    monitor::{SmartAttribute, SmartBody},
};

use crate::{
    draw::{self, Curve},
    words::{Zone, capital, grouped},
};

/// A counter beside its earlier value.
pub(super) struct CounterRow {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) before: String,
    pub(super) added: String,
    pub(super) odd: bool,
}

fn figure(value: Option<i64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(value) if value < 0 => format!("−{}", grouped(value.unsigned_abs())),
        Some(value) => grouped(value.unsigned_abs()),
    }
}

/// `total/all/all/all/impressions` as people read it; other names are the device's own.
pub(super) fn counter_name(name: &str) -> String {
    let words: Vec<&str> = name.split('/').collect();
    let [function, color, size, sides, unit] = words.as_slice() else { return name.to_owned() };
    let mut out = capital(function);
    for (word, all) in [(color, "all"), (size, "all"), (sides, "all")] {
        if **word != *all && **word != *"unknown" {
            out.push_str(&format!(", {word}"));
        }
    }
    if **sides == *"two" {
        out = out.replace(", two", ", two-sided");
    }
    if **unit != *"impressions" {
        out.push_str(&format!(", {unit}"));
    }
    out
}

/// The counters of a comparison; those that changed first where `changed` is wanted.
pub(super) fn counters(both: &Comparison, changed: bool) -> Vec<CounterRow> {
    let wanted = both.lines.iter().filter(|line| !changed || line.difference != Some(0));
    wanted
        .map(|line| CounterRow {
            name: counter_name(&line.name),
            value: figure(line.value),
            before: figure(line.before),
            added: match line.difference {
                Some(0) => String::new(),
                Some(n) if n > 0 => format!("+{}", figure(Some(n))),
                other => other.map_or_else(String::new, |n| figure(Some(n))),
            },
            odd: line.difference.is_some_and(|n| n < 0),
        })
        .collect()
}

/// Temperature and humidity over time.
pub(super) struct Surroundings {
    pub(super) chart: String,
    pub(super) sentence: String,
    pub(super) rows: Vec<(String, String, String, String)>,
}

/// Draws the measurements of some messages; `None` when they hold none.
pub(super) fn surroundings(entries: &[Entry], zone: &Zone) -> Option<Surroundings> {
    let mut samples = Vec::new();
    for entry in entries {
        if let Body::Environment(body) = &entry.body {
            // The device's clock may be off; the message's own time says by how much.
            let off = entry.at.as_millis() - entry.taken_ms;
            samples.extend(body.samples.iter().map(|sample| (sample.at_ms + off, *sample)));
        }
    }
    samples.sort_by_key(|(at, _)| *at);
    samples.dedup_by_key(|(at, _)| *at);
    let (last_at, last) = *samples.last()?;
    let tenths = |n: i64| format!("{}.{}", n / 10, (n % 10).abs());
    let points = |value: &dyn Fn(&wire::monitor::EnvironmentSample) -> i64| -> Vec<(i64, f64)> {
        samples.iter().map(|(at, sample)| (*at, value(sample) as f64 / 10.0)).collect()
    };
    let curves = [
        Curve {
            name: "temperature, °C", unit: " °C", points: points(&|s| i64::from(s.temperature_dc)), dashed: false
        },
        Curve { name: "humidity, %", unit: " %", points: points(&|s| i64::from(s.humidity_pm)), dashed: true },
    ];
    let moment = |at: i64| zone.moment(Micros(at.saturating_mul(1_000)));
    let chart = draw::curves(&curves, "Temperature and humidity over time", &moment);
    let rows = samples.iter().rev().take(60).map(|(at, s)| {
        let fuser = s.fuser_dc.map_or_else(String::new, |t| tenths(i64::from(t)));
        (moment(*at), tenths(i64::from(s.temperature_dc)), tenths(i64::from(s.humidity_pm)), fuser)
    });
    Some(Surroundings {
        chart,
        sentence: format!(
            "{} °C and {} % humidity at {}.",
            tenths(i64::from(last.temperature_dc)),
            tenths(i64::from(last.humidity_pm)),
            moment(last_at)
        ),
        rows: rows.collect(),
    })
}

/// One attribute of a disk.
pub(super) struct DiskRow {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) worst: String,
    pub(super) threshold: String,
    pub(super) raw: String,
    pub(super) bad: bool,
}

/// The attributes that makers of disks agree on.
fn attribute_name(id: u8) -> &'static str {
    match id {
        1 => "Read errors",
        3 => "Spin-up time",
        4 => "Starts and stops",
        5 => "Reallocated sectors",
        7 => "Seek errors",
        9 => "Hours powered on",
        10 => "Spin-up retries",
        12 => "Power cycles",
        187 => "Errors reported",
        188 => "Commands timed out",
        190 => "Airflow temperature",
        192 => "Heads retracted at power loss",
        193 => "Load cycles",
        194 => "Temperature",
        196 => "Reallocations",
        197 => "Sectors that wait for reallocation",
        198 => "Sectors that cannot be corrected",
        199 => "Errors of the cable",
        _ => "Attribute",
    }
}

/// What a disk says of itself: one sentence and its attributes.
pub(super) fn disk(body: &SmartBody) -> (String, Vec<DiskRow>) {
    let bad = |a: &SmartAttribute| a.threshold > 0 && (a.value <= a.threshold || a.worst <= a.threshold);
    let rows: Vec<DiskRow> = body
        .attributes
        .iter()
        .map(|a| DiskRow {
            name: format!("{} {}", a.id, attribute_name(a.id)),
            value: a.value.to_string(),
            worst: a.worst.to_string(),
            threshold: a.threshold.to_string(),
            raw: grouped(a.raw),
            bad: bad(a),
        })
        .collect();
    let failing = rows.iter().filter(|row| row.bad).count();
    let state = match (body.passed, failing) {
        (true, 0) => "calls itself sound".to_owned(),
        (true, n) => format!("calls itself sound, but {n} of its attributes are at their threshold"),
        (false, _) => "says that it is about to fail".to_owned(),
    };
    (format!("{} {state}, after {} hours.", body.disk, grouped(body.hours)), rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_five_words_are_read_as_people_speak() {
        assert_eq!(counter_name("total/all/all/all/impressions"), "Total");
        assert_eq!(counter_name("print/mono/large/two/sheets"), "Print, mono, large, two-sided, sheets");
        assert_eq!(counter_name("parts.fuser"), "parts.fuser");
    }

    #[test]
    fn a_disk_at_its_threshold_is_not_called_sound() {
        let worn = SmartAttribute { id: 5, value: 9, worst: 9, threshold: 10, raw: 77 };
        let body = SmartBody { disk: "HDD".into(), hours: 1_200, passed: true, attributes: vec![worn] };
        let (sentence, rows) = disk(&body);
        assert!(sentence.contains("1 of its attributes"), "{sentence}");
        assert!(rows[0].bad && rows[0].name.contains("Reallocated"));
    }
}
