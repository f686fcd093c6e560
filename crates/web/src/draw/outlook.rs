//! A supply's past and its future: what was left as steps, the middle of the forecast as a broken line, and the band
//! that holds nine times of ten. Days along the foot, per cent at the side.

use std::fmt::Write as _;

use super::inks::escape;

/// A level that was told, and since when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Told {
    /// µs.
    pub(crate) at: i64,
    /// Per cent that is left; `None`: not told as a figure.
    pub(crate) left: Option<f64>,
}

/// What is foretold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ahead {
    /// Where it begins, µs.
    pub(crate) from: i64,
    /// Per cent that are left there.
    pub(crate) left: f64,
    /// Early end, middle and late end, µs.
    pub(crate) ends: [i64; 3],
}

const LEFT: f64 = 40.0;
const WIDTH: f64 = 640.0;
const BASE: f64 = 170.0;
const TOP: f64 = 14.0;

/// Draws it. `label` says what is seen; `day` names a moment at the foot.
pub(crate) fn outlook(told: &[Told], ahead: Option<Ahead>, label: &str, day: impl Fn(i64) -> String) -> String {
    let mut svg = format!(r#"<svg class="chart" viewBox="0 0 640 196" role="img" aria-label="{}">"#, escape(label));
    let y = |left: f64| BASE - (BASE - TOP) * left.clamp(0.0, 100.0) / 100.0;
    for (left, class) in [(0.0, "axis"), (50.0, "grid"), (100.0, "grid")] {
        let at = y(left).round() + 0.5;
        let _ = write!(svg, r#"<path class="{class}" d="M{LEFT} {at}H{WIDTH}"/>"#);
        let _ = write!(svg, r#"<text x="32" y="{}" text-anchor="end">{left:.0} %</text>"#, at + 3.5);
    }
    let Some((from, to)) = span(told, ahead) else {
        svg.push_str("</svg>");
        return svg;
    };
    let x = |at: i64| LEFT + (WIDTH - LEFT) * (at - from) as f64 / (to - from) as f64;
    if let Some(ahead) = ahead {
        future(&mut svg, ahead, to, &x, &y);
    }
    past(&mut svg, told, ahead.map_or(to, |ahead| ahead.from), &x, &y);
    for step in 0..=4 {
        let at = from + (to - from) / 4 * step;
        let anchor = ["start", "middle", "middle", "middle", "end"][usize::try_from(step).unwrap_or(0)];
        let _ = write!(svg, r#"<text x="{:.1}" y="188" text-anchor="{anchor}">{}</text>"#, x(at), escape(&day(at)));
    }
    svg.push_str("</svg>");
    svg
}

/// A picture spans an hour at least, µs.
const LEAST: i64 = 3_600_000_000;

/// From the first level to the late end; what lies far beyond the middle is cut.
fn span(told: &[Told], ahead: Option<Ahead>) -> Option<(i64, i64)> {
    let last = ahead.map(|ahead| ahead.from).or(told.last().map(|told| told.at))?;
    let from = told.first().map_or(last, |told| told.at).min(last);
    let to = ahead.map_or(last, |ahead| {
        let [_, middle, late] = ahead.ends;
        late.min(middle + (middle - ahead.from).max(last - from) + 1)
    });
    Some((from.min(to - LEAST), to))
}

fn future(svg: &mut String, ahead: Ahead, to: i64, x: &impl Fn(i64) -> f64, y: &impl Fn(f64) -> f64) {
    let [early, middle, late] = ahead.ends;
    // Where the late line leaves the picture it is cut, not bent.
    let left_at = |end: i64| {
        if end <= to { 0.0 } else { ahead.left * (1.0 - (to - ahead.from) as f64 / (end - ahead.from) as f64) }
    };
    let (x0, y0) = (x(ahead.from), y(ahead.left));
    let mut band = format!("M{x0:.1} {y0:.1}L{:.1} {:.1}", x(early.min(to)), y(left_at(early)));
    if late > to {
        let _ = write!(band, "H{WIDTH}");
    }
    let _ = write!(band, "L{:.1} {:.1}Z", x(late.min(to)), y(left_at(late)));
    let _ = write!(svg, r##"<path class="band" d="{band}" fill="url(#p-a)"/>"##);
    let _ =
        write!(svg, r#"<path class="proj" d="M{x0:.1} {y0:.1}L{:.1} {:.1}"/>"#, x(middle.min(to)), y(left_at(middle)));
}

fn past(svg: &mut String, told: &[Told], until: i64, x: &impl Fn(i64) -> f64, y: &impl Fn(f64) -> f64) {
    let (mut line, mut open) = (String::new(), false);
    for (at, level) in told.iter().enumerate() {
        let end = told.get(at + 1).map_or(until, |next| next.at);
        match level.left {
            Some(left) if open => {
                let _ = write!(line, "V{:.1}H{:.1}", y(left), x(end));
            }
            Some(left) => {
                let _ = write!(line, "M{:.1} {:.1}H{:.1}", x(level.at), y(left), x(end));
                open = true;
            }
            // What is not told as a figure is a gap, no line to 0.
            None => open = false,
        }
    }
    let _ = write!(svg, r#"<path class="trace" d="{line}"/>"#);
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    fn told(day: i64, left: Option<f64>) -> Told {
        Told { at: day * DAY, left }
    }

    #[test]
    fn forecast_is_a_broken_line_within_a_band() {
        let ahead = Ahead { from: 10 * DAY, left: 50.0, ends: [15 * DAY, 20 * DAY, 30 * DAY] };
        let svg = outlook(&[told(0, Some(100.0)), told(5, Some(75.0))], Some(ahead), "Black", |at| {
            format!("day {}", at / DAY)
        });
        assert_eq!((svg.matches("class=\"band\"").count(), svg.matches("class=\"proj\"").count()), (1, 1));
        assert!(svg.contains("day 0") && svg.contains("day 30"), "{svg}");
    }

    #[test]
    fn a_late_end_beyond_the_picture_is_cut_and_levels_without_figure_are_gaps() {
        let ahead = Ahead { from: 10 * DAY, left: 50.0, ends: [15 * DAY, 20 * DAY, 3_650 * DAY] };
        let levels = [told(0, Some(100.0)), told(4, None), told(8, Some(50.0))];
        let svg = outlook(&levels, Some(ahead), "Black", |at| format!("day {}", at / DAY));
        assert!(svg.contains("H640") && !svg.contains("day 3650"), "{svg}");
        let line = svg.split("class=\"trace\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(line.matches('M').count(), 2, "{line}");
    }

    #[test]
    fn nothing_known_still_draws_an_axis() {
        assert!(outlook(&[], None, "Black", |_| String::new()).contains("class=\"axis\""));
    }
}
