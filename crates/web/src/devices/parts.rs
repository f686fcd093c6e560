//! The parts of a sheet: supplies, trays, meters over time.

use platen_core::{
    Micros,
    meters::{Grain, Range, Series},
    supplies::SupplyNow,
};
use wire::{Class, Cover, Input, Level, Output};

use crate::{
    draw::{self, Bar},
    fields::Fields,
    words::{Zone, capital, grouped},
};

/// A supply within so many days of its end is marked.
const SOON_DAYS: f64 = 7.0;

pub(super) struct SupplyLine {
    pub(super) index: String,
    pub(super) letter: char,
    pub(super) name: String,
    pub(super) bar: String,
    pub(super) stated: bool,
    pub(super) left: String,
    pub(super) lasts: String,
    pub(super) soon: bool,
    pub(super) range: String,
    pub(super) part: String,
    pub(super) fitted: String,
}

pub(super) fn supply(supply: &SupplyNow, zone: &Zone) -> SupplyLine {
    let (letter, hue) = draw::look(supply.letter);
    let plain = match (&supply.color, supply.kind.as_str()) {
        (Some(color), "toner" | "toner-cartridge" | "ink" | "ink-cartridge") => color.clone(),
        (Some(color), "opc") => format!("{color} drum"),
        (None, "opc") => "drum".to_owned(),
        (Some(color), kind) => format!("{color} {kind}"),
        (None, kind) => kind.to_owned(),
    };
    let forecast = supply.forecast;
    let left = draw::level_words(supply.level);
    SupplyLine {
        index: crate::fields::encode(&supply.index),
        letter,
        name: match (&supply.color, supply.kind.as_str(), &supply.description) {
            // Only where our own words say nothing do the device's stand in their place, in whatever script.
            (None, "other" | "unknown" | "", Some(told)) => {
                of_letter(letter).map_or_else(|| told.clone(), str::to_owned)
            }
            _ => capital(&plain.replace('-', " ")),
        },
        bar: draw::bar(supply.filled.map_or(supply.level, |value| Level::Percent { value }), hue),
        stated: matches!(supply.level, Level::Percent { .. } | Level::Staged { .. }),
        // Without a learnt direction the figure stands as the device says it, and no word says what it means.
        left: match supply.filled {
            Some(filled) => format!("{filled:.0} % full"),
            None if supply.class == Class::Receptacle && supply.level.percent().is_some() => format!("{left} as told"),
            None => left,
        },
        lasts: forecast.map(|f| crate::supplies::days(f.days)).unwrap_or_default(),
        soon: forecast.is_some_and(|f| f.days <= SOON_DAYS),
        range: forecast
            .map(|f| format!("{}–{}", crate::supplies::days(f.least_days), crate::supplies::days(f.most_days)))
            .unwrap_or_default(),
        part: supply.part_number.clone().unwrap_or_default(),
        fitted: zone.day(supply.fitted_at),
    }
}

/// What a letter of the list says by itself.
fn of_letter(letter: char) -> Option<&'static str> {
    Some(match letter {
        'C' => "Cyan",
        'M' => "Magenta",
        'Y' => "Yellow",
        'K' => "Black",
        'W' => "Waste",
        _ => return None,
    })
}

/// Colorants in the order of the list, then waste, then the rest as the device orders them.
pub(super) fn in_order(supplies: &[SupplyNow]) -> Vec<&SupplyNow> {
    let mut sorted: Vec<&SupplyNow> = supplies.iter().collect();
    sorted.sort_by_key(|supply| "CMYKW".find(supply.letter).unwrap_or(9));
    sorted
}

/// What must be said where levels are vague.
pub(super) fn supplies_note(supplies: &[SupplyNow]) -> Option<String> {
    let vague: Vec<&str> =
        supplies.iter().filter(|s| matches!(s.level, Level::SomeRemaining)).map(|s| s.kind.as_str()).collect();
    match vague.as_slice() {
        [] => None,
        [one] => Some(format!(
            "The device states {} only as “some left”; Platen does not guess a figure.",
            one.replace('-', " ")
        )),
        many => Some(format!(
            "The device states {} supplies only as “some left”; Platen does not guess figures.",
            many.len()
        )),
    }
}

pub(super) struct TrayLine {
    pub(super) name: String,
    pub(super) media: String,
    pub(super) bar: String,
    pub(super) stated: bool,
    pub(super) left: String,
}

pub(super) fn tray(input: &Input) -> TrayLine {
    TrayLine {
        name: input.name.clone().unwrap_or_else(|| format!("Tray {}", input.index)),
        media: input.media.as_deref().map(media).unwrap_or_default(),
        bar: draw::bar(input.level, 'w'),
        stated: matches!(input.level, Level::Percent { .. } | Level::Staged { .. }),
        left: draw::level_words(input.level),
    }
}

/// `iso_a4_210x297mm` → `A4`; anything else as the device says it.
fn media(name: &str) -> String {
    let mut pieces = name.split('_');
    match (pieces.next(), pieces.next(), pieces.next()) {
        (Some("iso" | "jis" | "na" | "jpn" | "prc" | "om"), Some(size), Some(_)) => match size.len() {
            0..=3 => size.to_uppercase(),
            _ => capital(&size.replace('-', " ")),
        },
        _ => name.to_owned(),
    }
}

pub(super) fn outputs(outputs: &[Output]) -> String {
    let words = outputs.iter().map(|o| {
        let name = o.name.clone().unwrap_or_else(|| format!("output {}", o.index));
        match o.level {
            Level::Percent { value } => format!("{name} {value:.0} % free"),
            _ => name,
        }
    });
    words.collect::<Vec<_>>().join(", ")
}

pub(super) fn covers(covers: &[Cover]) -> String {
    let words = covers.iter().map(|c| {
        let name = c.name.clone().unwrap_or_else(|| format!("cover {}", c.index));
        let state = match c.open {
            Some(true) => "open",
            Some(false) => "closed",
            None => "not told",
        };
        format!("{name} {state}")
    });
    words.collect::<Vec<_>>().join(", ")
}

/// A range of the chart, with its key in the address.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) key: &'static str,
    pub(super) label: &'static str,
    pub(super) grain: Grain,
    days: i64,
}

/// Ranges that a sheet offers.
pub(super) const SPANS: [Span; 5] = [
    Span { key: "readings", label: "Readings", grain: Grain::Readings, days: 1 },
    Span { key: "2d", label: "2 days", grain: Grain::Hour, days: 2 },
    Span { key: "30d", label: "30 days", grain: Grain::Day, days: 30 },
    Span { key: "90d", label: "90 days", grain: Grain::Day, days: 90 },
    Span { key: "12m", label: "12 months", grain: Grain::Month, days: 335 },
];

const DAY: i64 = 86_400_000_000;

impl Span {
    /// The one that the address names, or the one that suits the device's age.
    pub(super) fn of(fields: &Fields, age: i64) -> Self {
        if let Some(span) = fields.get("range").and_then(|key| SPANS.into_iter().find(|span| span.key == key)) {
            return span;
        }
        let at = match age / DAY {
            _ if age < DAY / 4 => 0,
            0..2 => 1,
            2..60 => 2,
            _ => 4,
        };
        SPANS[at]
    }

    pub(super) fn range(self, now: Micros) -> Range {
        Range { from: now.days_ago(self.days), to: now }
    }

    fn formats(self) -> (&'static str, &'static str) {
        match self.grain {
            Grain::Readings => ("%H:%M", "%-d %b %H:%M:%S"),
            Grain::Hour => ("%H h", "%a %-d %b %H:00"),
            Grain::Day => ("%-d %b", "%a %-d %b %Y"),
            Grain::Month => ("%b", "%B %Y"),
        }
    }

    pub(super) fn grain_words(self) -> &'static str {
        match self.grain {
            Grain::Readings => "Reading",
            Grain::Hour => "Hour",
            Grain::Day => "Day",
            Grain::Month => "Month",
        }
    }
}

/// Most readings drawn one by one.
const MOST_READINGS: usize = 60;

/// The drawing, the figures and what the legend needs.
pub(super) struct ChartView {
    pub(super) svg: String,
    pub(super) color: bool,
    pub(super) gaps: bool,
    pub(super) rows: Vec<(String, String, String, String)>,
}

pub(super) fn chart(series: &Series, span: Span, zone: &Zone) -> ChartView {
    let (mut label, title) = span.formats();
    let points = match span.grain {
        Grain::Readings => &series.points[series.points.len().saturating_sub(MOST_READINGS)..],
        _ => {
            // Nothing was known of the device before its first reading: no use in showing that as gaps.
            let first = series.points.iter().position(|p| p.total.is_some()).unwrap_or(0);
            let first = first.min(series.points.len().saturating_sub(7));
            &series.points[first..]
        }
    };
    let length = points.first().zip(points.last()).map_or(0, |(a, b)| b.start.0 - a.start.0);
    if span.grain == Grain::Readings && length < DAY / 24 {
        label = "%H:%M:%S";
    }
    let every = points.len().div_ceil(if span.grain == Grain::Day { 10 } else { 15 }).max(1);
    let color = points.iter().any(|p| p.color.is_some());
    let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
    let bars: Vec<Bar> = points
        .iter()
        .enumerate()
        .map(|(i, p)| Bar {
            label: if (points.len() - 1 - i).is_multiple_of(every) {
                zone.label(p.start, label)
            } else {
                String::new()
            },
            title: zone.label(p.start, title),
            mono: if color { p.mono.or(p.total) } else { p.total }.map(unsigned),
            color: if color { p.color.map(unsigned) } else { None },
        })
        .collect();
    let figure = |n: Option<u64>| n.map_or_else(|| "no reading".to_owned(), grouped);
    let rows = bars
        .iter()
        .rev()
        .map(|b| {
            let total = (b.mono.is_some() || b.color.is_some()).then(|| b.mono.unwrap_or(0) + b.color.unwrap_or(0));
            (b.title.clone(), figure(b.mono), figure(b.color), figure(total))
        })
        .collect();
    let gaps = points.iter().any(|p| p.total.is_none());
    let words = format!("Pages by {}; the table below holds the figures", span.grain_words().to_lowercase());
    ChartView { svg: draw::chart(&bars, &words), color, gaps, rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_names_are_those_of_the_trade() {
        assert_eq!(media("iso_a4_210x297mm"), "A4");
        assert_eq!(media("na_letter_8.5x11in"), "Letter");
        assert_eq!(media("Plain paper"), "Plain paper");
    }

    #[test]
    fn a_young_device_shows_its_readings_and_an_old_one_its_months() {
        let none = Fields::default();
        assert_eq!(Span::of(&none, DAY / 24).key, "readings");
        assert_eq!(Span::of(&none, 30 * DAY).key, "30d");
        assert_eq!(Span::of(&none, 400 * DAY).key, "12m");
        assert_eq!(Span::of(&Fields(vec![("range".into(), "90d".into())]), 0).key, "90d");
    }
}
