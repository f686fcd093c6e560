//! Two measurements over time, one above the other: their own scale each, the same time.

use std::fmt::Write as _;

use super::inks::escape;

/// One measurement.
pub(crate) struct Curve {
    /// What it is, with its unit.
    pub(crate) name: &'static str,
    /// After each figure.
    pub(crate) unit: &'static str,
    /// Time (milliseconds since 1970, rising) and value.
    pub(crate) points: Vec<(i64, f64)>,
    /// Told from the other by more than colour.
    pub(crate) dashed: bool,
}

const LEFT: f64 = 52.0;
const WIDTH: f64 = 640.0;
const BAND: f64 = 92.0;
/// A hole in the time that is this much longer than usual breaks the line.
const HOLE: i64 = 4;

/// Draws the curves; `moment` writes a time, `label` says what is seen.
pub(crate) fn curves(all: &[Curve], label: &str, moment: &dyn Fn(i64) -> String) -> String {
    let height = BAND * all.len() as f64 + 22.0;
    let mut svg =
        format!(r#"<svg class="chart" viewBox="0 0 640 {height:.0}" role="img" aria-label="{}">"#, escape(label));
    let times = || all.iter().flat_map(|curve| curve.points.iter().map(|(at, _)| *at));
    let (first, last) = (times().min().unwrap_or(0), times().max().unwrap_or(1));
    let span = (last - first).max(1) as f64;
    let x = |at: i64| LEFT + (WIDTH - LEFT - 6.0) * (at - first) as f64 / span;
    for (place, curve) in all.iter().enumerate() {
        band(&mut svg, curve, BAND * place as f64, &x, moment);
    }
    let y = height - 4.0;
    let _ = write!(svg, r#"<text x="{LEFT}" y="{y}">{}</text>"#, escape(&moment(first)));
    if last > first {
        let _ = write!(svg, r#"<text x="{WIDTH}" y="{y}" text-anchor="end">{}</text>"#, escape(&moment(last)));
    }
    svg.push_str("</svg>");
    svg
}

fn band(svg: &mut String, curve: &Curve, top: f64, x: &dyn Fn(i64) -> f64, moment: &dyn Fn(i64) -> String) {
    let values = || curve.points.iter().map(|(_, value)| *value);
    let (low, high) =
        (values().fold(f64::INFINITY, f64::min).floor(), values().fold(f64::NEG_INFINITY, f64::max).ceil());
    if !low.is_finite() || !high.is_finite() {
        return;
    }
    let high = high.max(low + 1.0);
    let (ceiling, floor) = (top + 20.0, top + BAND - 8.0);
    let y = |value: f64| floor - (floor - ceiling) * (value - low) / (high - low);
    let _ = write!(svg, r#"<text class="lab" x="{LEFT}" y="{:.1}">{}</text>"#, top + 12.0, escape(curve.name));
    for value in [low, high] {
        let at = y(value).round() + 0.5;
        let _ = write!(svg, r#"<path class="grid" d="M{LEFT} {at}H{WIDTH}"/>"#);
        let _ = write!(svg, r#"<text x="44" y="{}" text-anchor="end">{value:.0}</text>"#, at + 3.5);
    }
    let mut gaps: Vec<i64> = curve.points.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    gaps.sort_unstable();
    let usual = gaps.get(gaps.len() / 2).copied().unwrap_or(0).max(1);
    let (mut line, mut before) = (String::new(), None);
    for (at, value) in &curve.points {
        let joined = before.is_some_and(|before| at - before <= usual * HOLE);
        let _ = write!(line, "{}{:.1} {:.1}", if joined { 'L' } else { 'M' }, x(*at), y(*value));
        before = Some(*at);
    }
    let class = if curve.dashed { "trace dashed" } else { "trace" };
    let _ = write!(svg, r#"<path class="{class}" d="{line}"/>"#);
    for (at, value) in curve.points.iter().rev().take(120) {
        let title = escape(&format!("{}: {value:.1}{}", moment(*at), curve.unit));
        let _ = write!(
            svg,
            r#"<circle class="dot" cx="{:.1}" cy="{:.1}" r="2"><title>{title}</title></circle>"#,
            x(*at),
            y(*value)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_in_the_time_breaks_the_line() {
        let points = vec![(0, 20.0), (10, 21.0), (20, 22.0), (900, 19.0), (910, 18.0)];
        let svg = curves(&[Curve { name: "t", unit: " °C", points, dashed: false }], "T", &|at| at.to_string());
        let line = svg.split("class=\"trace\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(line.matches('M').count(), 2, "{line}");
    }

    #[test]
    fn no_measurement_draws_no_line() {
        let svg = curves(&[Curve { name: "t", unit: "", points: Vec::new(), dashed: true }], "T", &|at| at.to_string());
        assert!(!svg.contains("trace"));
    }
}
