//! What a benchmark prints: the JSON of contracts.md, and a short table on a terminal.

use std::io::IsTerminal;

use anyhow::Result;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::printer::Printer;

/// One run of one program.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    /// In the unit of the benchmark.
    pub(super) value: f64,
    /// Processor time of the measured process, user and system.
    pub(super) cpu_s: f64,
    /// Most resident memory of the measured process.
    pub(super) rss_mb: f64,
}

/// A program over all its runs.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Side {
    /// Absent for ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    /// Median of the runs.
    pub(super) cpu_s: f64,
    /// Most of the runs.
    pub(super) rss_mb: f64,
    /// Ours divided by this one, as speed; absent for ours and for the first peer, which has it beside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ratio: Option<f64>,
}

impl Side {
    /// Sums up; `None` without a run.
    pub(super) fn of(name: Option<&str>, samples: &[Sample]) -> Option<Self> {
        let values = sorted(samples.iter().map(|sample| sample.value));
        let cpu = sorted(samples.iter().map(|sample| sample.cpu_s));
        let (min, max) = (values.first()?, values.last()?);
        Some(Self {
            name: name.map(str::to_owned),
            median: round(median(&values)),
            min: round(*min),
            max: round(*max),
            cpu_s: round(median(&cpu)),
            rss_mb: round(samples.iter().map(|sample| sample.rss_mb).fold(0.0, f64::max)),
            ratio: None,
        })
    }
}

/// Whether a larger or a smaller figure is the faster one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Better {
    More,
    Less,
}

/// All that a benchmark found.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) ours: Side,
    pub(super) peer: Option<Side>,
    /// Ours divided by the peer, as speed.
    pub(super) ratio: Option<f64>,
    pub(super) runs: usize,
    pub(super) notes: Vec<String>,
    /// Further peers, each with its ratio.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) others: Vec<Side>,
    /// Further figures.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(super) details: Map<String, Value>,
}

impl Outcome {
    /// Puts ours beside the peers; the first of them is the peer.
    pub(super) fn new(
        name: &'static str,
        unit: &'static str,
        better: Better,
        ours: Side,
        mut peers: Vec<Side>,
    ) -> Self {
        for peer in &mut peers {
            let (fast, slow) =
                if better == Better::More { (ours.median, peer.median) } else { (peer.median, ours.median) };
            peer.ratio = (slow > 0.0).then(|| round(fast / slow));
        }
        let mut peers = peers.into_iter();
        let mut peer = peers.next();
        let ratio = peer.as_mut().and_then(|peer| peer.ratio.take());
        let (notes, details) = (Vec::new(), Map::new());
        Self { name, unit, ours, peer, ratio, runs: 0, notes, others: peers.collect(), details }
    }

    /// Keeps a further figure.
    pub(super) fn detail(&mut self, name: &str, value: impl Into<Value>) {
        self.details.insert(name.to_owned(), value.into());
    }

    pub(super) fn print(&self, printer: Printer) -> Result<()> {
        if printer.is_json() || !std::io::stdout().is_terminal() {
            return printer.document(self);
        }
        let row = |side: &Side, ratio: Option<f64>| {
            let name = side.name.clone().unwrap_or_else(|| "platen".to_owned());
            let mut cells = vec![name];
            cells.extend([side.median, side.min, side.max, side.cpu_s, side.rss_mb].map(plain));
            cells.push(ratio.map_or_else(String::new, |ratio| format!("{} x", plain(ratio))));
            cells
        };
        let mut rows = vec![row(&self.ours, None)];
        rows.extend(self.peer.iter().map(|side| row(side, self.ratio)));
        rows.extend(self.others.iter().map(|side| row(side, side.ratio)));
        printer.text(&format!("{} in {}, {} runs", printer.bold(self.name), self.unit, self.runs));
        printer.table(&["", "median", "min", "max", "CPU s", "RSS MB", "ours is"], &rows, &[1, 2, 3, 4, 5, 6]);
        for (name, value) in &self.details {
            printer.text(&format!("{name}: {value}"));
        }
        for note in &self.notes {
            printer.text(&format!("note: {note}"));
        }
        Ok(())
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Of sorted values; 0 of none.
pub(super) fn median(values: &[f64]) -> f64 {
    match (values.get(values.len().saturating_sub(1) / 2), values.get(values.len() / 2)) {
        (Some(a), Some(b)) => f64::midpoint(*a, *b),
        _ => 0.0,
    }
}

/// Four significant digits: nothing here is measured better than that.
pub(super) fn round(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let digits = (3 - value.abs().log10().floor() as i32).clamp(-9, 9);
    let scale = 10f64.powi(digits.abs());
    if digits >= 0 { (value * scale).round() / scale } else { (value / scale).round() * scale }
}

fn plain(value: f64) -> String {
    let text = format!("{value}");
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut out = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    rest.map_or_else(|| out.clone(), |rest| format!("{out}.{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(name: Option<&str>, values: &[f64]) -> Side {
        let samples: Vec<Sample> = values.iter().map(|value| Sample { value: *value, ..Sample::default() }).collect();
        Side::of(name, &samples).unwrap()
    }

    #[test]
    fn the_ratio_is_a_speed_whichever_way_the_unit_counts() {
        let ours = side(None, &[30.0, 10.0, 20.0]);
        assert_eq!((ours.median, ours.min, ours.max), (20.0, 10.0, 30.0));
        let peer = || vec![side(Some("other"), &[10.0])];
        assert_eq!(Outcome::new("x", "a/s", Better::More, ours.clone(), peer()).ratio, Some(2.0));
        assert_eq!(Outcome::new("x", "ms", Better::Less, ours.clone(), peer()).ratio, Some(0.5));
        let alone = Outcome::new("x", "ms", Better::Less, ours, Vec::new());
        let json = serde_json::to_value(&alone).unwrap();
        assert!(json["peer"].is_null() && json["ratio"].is_null());
    }

    #[test]
    fn figures_have_four_digits_and_thousands_apart() {
        assert_eq!(round(123_456.0), 123_500.0);
        assert_eq!(round(0.012_345_6), 0.012_35);
        assert_eq!(plain(1_234_567.0), "1,234,567");
        assert_eq!(plain(12.5), "12.5");
    }
}
