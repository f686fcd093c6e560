//! Counts over time in three parts, stacked: solid, striped, hollow.

use std::fmt::Write as _;

use super::chart::scale;
use super::inks::escape;
use crate::words::{grouped, short};

/// One step of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Column {
    /// Below it; empty where labels would touch.
    pub(crate) label: String,
    /// Spoken by the browser when one rests on it.
    pub(crate) title: String,
    /// How many of each part.
    pub(crate) parts: [u64; 3],
}

const LEFT: f64 = 40.0;
const WIDTH: f64 = 640.0;
const BASE: f64 = 110.0;
const HEIGHT: f64 = 92.0;

/// Draws them with a zero-based axis; `names` of the parts, `label` says what is seen.
pub(crate) fn columns(all: &[Column], names: [&str; 3], label: &str) -> String {
    let (step, steps) = scale(all.iter().map(|column| column.parts.iter().sum()).max().unwrap_or(0));
    let top = (step * steps) as f64;
    let mut svg = format!(r#"<svg class="chart" viewBox="0 0 640 134" role="img" aria-label="{}">"#, escape(label));
    for i in 0..=steps {
        let y = (BASE - HEIGHT * i as f64 / steps as f64).round() + 0.5;
        let class = if i == 0 { "axis" } else { "grid" };
        let _ = write!(svg, r#"<path class="{class}" d="M{LEFT} {y}H{WIDTH}"/>"#);
        let _ = write!(svg, r#"<text x="32" y="{}" text-anchor="end">{}</text>"#, y + 3.5, short(step * i));
    }
    let slot = (WIDTH - LEFT) / all.len().max(1) as f64;
    let width = (slot * 0.62).clamp(1.0, 30.0);
    for (place, column) in all.iter().enumerate() {
        let x = LEFT + slot * place as f64 + (slot - width) / 2.0;
        one(&mut svg, column, names, (x, width), top);
    }
    svg.push_str("</svg>");
    svg
}

fn one(svg: &mut String, column: &Column, names: [&str; 3], (x, width): (f64, f64), top: f64) {
    if !column.label.is_empty() {
        let middle = x + width / 2.0;
        let label = escape(&column.label);
        let _ = write!(svg, r#"<text x="{middle:.1}" y="128" text-anchor="middle">{label}</text>"#);
    }
    let said: Vec<_> = names
        .iter()
        .zip(column.parts)
        .filter(|(_, n)| *n > 0)
        .map(|(name, n)| format!("{} {name}", grouped(n)))
        .collect();
    if said.is_empty() {
        return;
    }
    let _ = write!(svg, "<g><title>{}</title>", escape(&format!("{}: {}", column.title, said.join(", "))));
    let mut y = BASE;
    for (part, n) in column.parts.into_iter().enumerate().filter(|(_, n)| *n > 0) {
        let height = HEIGHT * n as f64 / top;
        y -= height;
        let paint = [r#"class="mono""#, r##"fill="url(#p-a)""##, r#"class="hollow""#][part];
        let _ = write!(svg, r#"<rect {paint} x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"/>"#);
    }
    svg.push_str("</g>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_told_by_more_than_colour() {
        let column = Column { label: "1 Nov".into(), title: "Sun 1 Nov".into(), parts: [1, 2, 3] };
        let svg = columns(&[column, Column::default()], ["errors", "jams", "alarms"], "Events a day");
        assert!(svg.contains("Sun 1 Nov: 1 errors, 2 jams, 3 alarms"));
        assert_eq!(svg.matches("<rect").count(), 3, "nothing is drawn where nothing was told");
        assert!(svg.contains("class=\"mono\"") && svg.contains("url(#p-a)") && svg.contains("class=\"hollow\""));
    }
}
