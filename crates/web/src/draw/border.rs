//! A counter around the border that is doubted: one dot a reading, hollow where it does not count, the border marked.

use std::fmt::Write as _;

use super::inks::escape;
use crate::words::{grouped, short};

/// One reading.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dot {
    /// Below the axis; empty where labels would touch.
    pub(crate) label: String,
    /// Spoken by the browser when one rests on it.
    pub(crate) title: String,
    /// The counter.
    pub(crate) value: u64,
    /// Whether it counts.
    pub(crate) believed: bool,
}

const LEFT: f64 = 52.0;
const WIDTH: f64 = 640.0;
const BASE: f64 = 170.0;
const TOP: f64 = 14.0;
/// How wide a label is at most.
const LABEL: f64 = 84.0;

/// Draws the readings, oldest first; `border`: place of the first one behind it. `label` says what is seen.
pub(crate) fn border(dots: &[Dot], border: usize, label: &str) -> String {
    let low = dots.iter().map(|dot| dot.value).min().unwrap_or(0);
    let high = dots.iter().map(|dot| dot.value).max().unwrap_or(0).max(low + 1);
    let y = |value: u64| BASE - 8.0 - (BASE - TOP - 16.0) * (value - low) as f64 / (high - low) as f64;
    let slot = (WIDTH - LEFT) / dots.len().max(1) as f64;
    let x = |place: usize| LEFT + slot * (place as f64 + 0.5);
    let mut svg = format!(r#"<svg class="chart" viewBox="0 0 640 196" role="img" aria-label="{}">"#, escape(label));
    for value in [low, low + (high - low) / 2, high] {
        let at = y(value).round() + 0.5;
        let _ = write!(svg, r#"<path class="grid" d="M{LEFT} {at}H{WIDTH}"/>"#);
        let _ = write!(svg, r#"<text x="44" y="{}" text-anchor="end">{}</text>"#, at + 3.5, short(value));
    }
    let _ = write!(svg, r#"<path class="axis" d="M{LEFT} {BASE}.5H{WIDTH}"/>"#);
    if border > 0 && border < dots.len() {
        let at = LEFT + slot * border as f64;
        let _ = write!(svg, r#"<path class="proj" d="M{at:.1} {TOP}V{BASE}"/>"#);
    }
    for (segment, dots) in [(0, &dots[..border.min(dots.len())]), (border, &dots[border.min(dots.len())..])] {
        let mut line = String::new();
        for (place, dot) in dots.iter().enumerate().filter(|(_, dot)| dot.believed) {
            let sign = if line.is_empty() { 'M' } else { 'L' };
            let _ = write!(line, "{sign}{:.1} {:.1}", x(segment + place), y(dot.value));
        }
        let _ = write!(svg, r#"<path class="trace" d="{line}"/>"#);
    }
    for (place, dot) in dots.iter().enumerate() {
        let class = if dot.believed { "dot" } else { "dot aside" };
        let aside = if dot.believed { "" } else { ", kept aside" };
        let title = escape(&format!("{}: {}{aside}", dot.title, grouped(dot.value)));
        let _ = write!(
            svg,
            r#"<circle class="{class}" cx="{:.1}" cy="{:.1}" r="3.5"><title>{title}</title></circle>"#,
            x(place),
            y(dot.value)
        );
        if !dot.label.is_empty() {
            // The last one would stand over the edge.
            let (at, anchor) = if x(place) + LABEL / 2.0 > WIDTH { (WIDTH, "end") } else { (x(place), "middle") };
            let label = escape(&dot.label);
            let _ = write!(svg, r#"<text x="{at:.1}" y="188" text-anchor="{anchor}">{label}</text>"#);
        }
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(value: u64, believed: bool) -> Dot {
        Dot { label: String::new(), title: "Mon".into(), value, believed }
    }

    #[test]
    fn readings_that_do_not_count_are_hollow_and_the_line_breaks_at_the_border() {
        let svg = border(&[dot(118_000, true), dot(0, false), dot(12, true), dot(20, true)], 1, "Counter");
        assert_eq!((svg.matches("class=\"dot aside\"").count(), svg.matches("class=\"trace\"").count()), (1, 2));
        assert!(svg.contains("Mon: 0, kept aside") && svg.contains("class=\"proj\""));
    }

    #[test]
    fn the_last_label_stays_within_the_picture() {
        let labelled = Dot { label: "21 Nov 15:33".into(), ..dot(5, true) };
        let svg = border(&[labelled.clone(), labelled.clone(), labelled.clone(), dot(5, true), labelled], 1, "Counter");
        assert!(!svg.contains(r#"y="188" text-anchor="end""#), "five slots leave room");
        let many: Vec<Dot> = (0..20).map(|_| Dot { label: "21 Nov 15:33".into(), ..dot(5, true) }).collect();
        assert!(border(&many, 1, "Counter").contains(r#"<text x="640.0" y="188" text-anchor="end">"#));
    }

    #[test]
    fn one_reading_or_none_is_no_fault() {
        assert!(border(&[], 0, "Counter").ends_with("</svg>"));
        assert!(border(&[dot(5, true)], 0, "Counter").contains("circle"));
    }
}
