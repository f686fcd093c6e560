//! The slots of a schedule on one line of time each: what was heard last, and when it is told next.

use std::fmt::Write as _;

use super::inks::escape;

/// One kind of message.
pub(crate) struct SlotLine {
    /// What it is called.
    pub(crate) name: String,
    /// When it was heard, seconds since 1970.
    pub(crate) heard_s: Option<i64>,
    /// When it is told next, seconds since 1970.
    pub(crate) next_s: i64,
    /// Told once in so many seconds.
    pub(crate) period_s: i64,
}

const LEFT: f64 = 150.0;
const WIDTH: f64 = 640.0;
const ROW: f64 = 20.0;
const TOP: f64 = 20.0;
const HOUR: i64 = 3_600;
/// Seen before now and after it.
const BEFORE: i64 = 24 * HOUR;
const AFTER: i64 = 72 * HOUR;
/// What is told more often than this is a line, not slots.
const OFTEN: i64 = 2 * HOUR;

/// Draws them around `now_s`; `label` says what is seen, `moment` writes a time.
pub(crate) fn slots(all: &[SlotLine], now_s: i64, label: &str, moment: &dyn Fn(i64) -> String) -> String {
    let height = TOP + ROW * all.len() as f64 + 8.0;
    let x = |at: i64| LEFT + (WIDTH - LEFT - 40.0) * (at - now_s + BEFORE) as f64 / (BEFORE + AFTER) as f64;
    let mut svg =
        format!(r#"<svg class="chart" viewBox="0 0 640 {height:.0}" role="img" aria-label="{}">"#, escape(label));
    for (hours, name) in [(-24, "a day ago"), (0, "now"), (24, "in a day"), (48, "2 days"), (72, "3 days")] {
        let at = x(now_s + hours * HOUR).round() + 0.5;
        let class = if hours == 0 { "proj" } else { "grid" };
        let _ = write!(svg, r#"<text x="{at}" y="11" text-anchor="middle">{name}</text>"#);
        let _ = write!(svg, r#"<path class="{class}" d="M{at} {TOP}V{:.0}"/>"#, height - 4.0);
    }
    for (place, line) in all.iter().enumerate() {
        one(&mut svg, line, TOP + ROW * (place as f64 + 0.5), now_s, &x, moment);
    }
    svg.push_str("</svg>");
    svg
}

fn one(svg: &mut String, line: &SlotLine, y: f64, now_s: i64, x: &dyn Fn(i64) -> f64, moment: &dyn Fn(i64) -> String) {
    let (first, last) = (now_s - BEFORE, now_s + AFTER);
    let _ = write!(svg, r#"<text class="lab" x="0" y="{:.1}">{}</text>"#, y + 3.5, escape(&line.name));
    if let Some(heard) = line.heard_s.filter(|heard| *heard >= first) {
        let title = escape(&format!("heard {}", moment(heard)));
        let at = x(heard.min(now_s));
        let _ = write!(svg, r#"<circle class="dot" cx="{at:.1}" cy="{y:.1}" r="3.5"><title>{title}</title></circle>"#);
    }
    let mut next = line.next_s;
    if line.period_s < OFTEN {
        let (from, width) = (x(next), (x(last) - x(next)).max(0.0));
        let title = escape(&format!("again and again from {}", moment(next)));
        let _ = write!(
            svg,
            r#"<rect class="slot" x="{from:.1}" y="{:.1}" width="{width:.1}" height="2"><title>{title}</title></rect>"#,
            y - 1.0
        );
        return;
    }
    if next > last {
        let days = (next - now_s).div_euclid(24 * HOUR);
        let _ = write!(svg, r#"<text x="{WIDTH}" y="{:.1}" text-anchor="end">in {days} d</text>"#, y + 3.5);
    }
    while next <= last {
        let title = escape(&format!("told {}", moment(next)));
        let at = x(next);
        let _ = write!(
            svg,
            r#"<rect class="slot" x="{:.1}" y="{:.1}" width="5" height="9"><title>{title}</title></rect>"#,
            at - 2.5,
            y - 4.5
        );
        next += line.period_s;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_stand_where_they_fall_and_far_ones_are_said() {
        let line = |next_s, period_s| SlotLine { name: "Billing".into(), heard_s: Some(90_000), next_s, period_s };
        let svg =
            slots(&[line(101_000, 57_600), line(100_000 + 864_000, 2_160_000)], 100_000, "S", &|at| at.to_string());
        assert_eq!(svg.matches("class=\"slot\"").count(), 5, "three days hold five periods of sixteen hours");
        assert!(svg.contains("in 10 d") && svg.matches("<circle").count() == 2);
    }
}
