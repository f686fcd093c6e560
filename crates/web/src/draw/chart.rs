//! Pages over time as stacked bars: black solid, colour striped, a missing reading a broken frame.

use std::fmt::Write as _;

use super::inks::escape;
use crate::words::{grouped, short};

/// One bucket of the axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Bar {
    /// Below the bar; empty where labels would touch.
    pub(crate) label: String,
    /// Spoken by the browser when one rests on the bar.
    pub(crate) title: String,
    /// Black pages, or all where colours are not told apart; `None`: no reading.
    pub(crate) mono: Option<u64>,
    /// Colour pages.
    pub(crate) color: Option<u64>,
}

impl Bar {
    fn total(&self) -> Option<u64> {
        (self.mono.is_some() || self.color.is_some()).then(|| self.mono.unwrap_or(0) + self.color.unwrap_or(0))
    }
}

const LEFT: f64 = 40.0;
const WIDTH: f64 = 640.0;
const BASE: f64 = 170.0;
const HEIGHT: f64 = 148.0;

/// Draws the bars with a zero-based axis of three or four hairlines. `label` says what is seen.
pub(crate) fn chart(bars: &[Bar], label: &str) -> String {
    let (step, steps) = scale(bars.iter().filter_map(Bar::total).max().unwrap_or(0));
    let top = (step * steps) as f64;
    let mut svg = format!(r#"<svg class="chart" viewBox="0 0 640 196" role="img" aria-label="{}">"#, escape(label));
    for i in 0..=steps {
        let y = (BASE - HEIGHT * i as f64 / steps as f64).round() + 0.5;
        let class = if i == 0 { "axis" } else { "grid" };
        let _ = write!(svg, r#"<path class="{class}" d="M{LEFT} {y}H{WIDTH}"/>"#);
        let _ = write!(svg, r#"<text x="32" y="{}" text-anchor="end">{}</text>"#, y + 3.5, short(step * i));
    }
    let slot = (WIDTH - LEFT) / bars.len().max(1) as f64;
    let width = (slot * 0.62).clamp(1.0, 30.0);
    for (i, bar) in bars.iter().enumerate() {
        let x = LEFT + slot * i as f64 + (slot - width) / 2.0;
        one(&mut svg, bar, x, width, top, i + 1 == bars.len());
    }
    svg.push_str("</svg>");
    svg
}

fn one(svg: &mut String, bar: &Bar, x: f64, width: f64, top: f64, newest: bool) {
    let middle = x + width / 2.0;
    if !bar.label.is_empty() {
        let class = if newest { r#" class="lab""# } else { "" };
        let _ =
            write!(svg, r#"<text{class} x="{middle:.1}" y="188" text-anchor="middle">{}</text>"#, escape(&bar.label));
    }
    let Some(total) = bar.total() else {
        let _ = write!(
            svg,
            r#"<rect class="none" x="{:.1}" y="{:.1}" width="{:.1}" height="36"><title>{}</title></rect>"#,
            x + 0.5,
            BASE - 36.0,
            (width - 1.0).max(1.0),
            escape(&format!("{}: no reading", bar.title))
        );
        if width >= 12.0 {
            let _ = write!(svg, r#"<text x="{middle:.1}" y="{}" text-anchor="middle">?</text>"#, BASE - 14.0);
        }
        return;
    };
    let height = |pages: u64| HEIGHT * pages as f64 / top;
    let (mono, color) = (height(bar.mono.unwrap_or(0)), height(bar.color.unwrap_or(0)));
    let _ = write!(svg, "<g><title>{}</title>", escape(&format!("{}: {}", bar.title, grouped(total))));
    if mono > 0.0 {
        let _ = write!(
            svg,
            r#"<rect class="mono" x="{x:.1}" y="{:.1}" width="{width:.1}" height="{mono:.1}"/>"#,
            BASE - mono
        );
    }
    if color > 0.0 {
        let y = BASE - mono - color;
        let _ =
            write!(svg, r##"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{color:.1}" fill="url(#p-a)"/>"##);
        if color > 1.5 && width > 3.0 {
            let _ = write!(
                svg,
                r#"<rect class="ring" x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}"/>"#,
                x + 0.5,
                y + 0.5,
                width - 1.0,
                color - 1.0
            );
        }
    }
    svg.push_str("</g>");
    if newest && width > 18.0 {
        let y = (BASE - mono - color - 6.0).max(10.0);
        let _ = write!(
            svg,
            r#"<text class="lab" x="{:.1}" y="{y:.1}" text-anchor="middle">{}</text>"#,
            middle.min(622.0),
            short(total)
        );
    }
}

/// A round step and how many of them (3 or 4) reach the highest value.
pub(super) fn scale(highest: u64) -> (u64, u64) {
    let mut size = 1;
    loop {
        for factor in [1, 2, 4, 5] {
            let step = size * factor;
            if step * 4 >= highest {
                let steps = if step * 3 >= highest { 3 } else { 4 };
                return (step, steps);
            }
        }
        size *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(mono: Option<u64>, color: Option<u64>) -> Bar {
        Bar { label: "Nov".into(), title: "November".into(), mono, color }
    }

    #[test]
    fn the_axis_begins_at_zero_and_reaches_the_highest_bar() {
        for highest in [0, 1, 7, 12, 99, 1_001, 11_870, 4_000_000_000] {
            let (step, steps) = scale(highest);
            assert!(step * steps >= highest && (3..=4).contains(&steps), "{highest}");
        }
    }

    #[test]
    fn a_missing_reading_is_a_broken_frame() {
        let svg = chart(&[bar(Some(4), Some(2)), bar(None, None)], "Pages a month");
        assert_eq!(svg.matches("class=\"none\"").count(), 1);
        assert!(svg.contains("November: no reading"));
    }

    #[test]
    fn no_bar_at_all_still_draws_an_axis() {
        assert!(chart(&[], "Pages").contains("class=\"axis\""));
    }
}
