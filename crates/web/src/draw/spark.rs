//! Twenty-one days of pages in 63 × 18: a bar a day, a low mark where a day has no reading.

use std::fmt::Write as _;

/// Days shown.
const DAYS: usize = 21;

/// Draws the last [`DAYS`] values, oldest first; `None` is a day without a reading.
pub(crate) fn spark(days: &[Option<i64>]) -> String {
    let days = &days[days.len().saturating_sub(DAYS)..];
    let Some(top) = days.iter().flatten().max().copied() else { return String::new() };
    let mut svg = String::from(r#"<svg class="spark" viewBox="0 0 63 18" aria-hidden="true"><path d="M0 17.5h63"/>"#);
    let first = DAYS - days.len();
    for (i, day) in days.iter().enumerate() {
        let x = (first + i) * 3;
        let class = if first + i == DAYS - 1 { r#" class="now""# } else { "" };
        match day {
            Some(pages) => {
                let height = if *pages <= 0 { 1 } else { (16 * pages / top.max(1)).max(1) };
                let _ = write!(svg, r#"<rect{class} x="{x}" y="{}" width="2" height="{height}"/>"#, 17 - height);
            }
            None => {
                let _ = write!(svg, r#"<rect class="none" x="{x}.4" y="14.4" width="1.2" height="2.2"/>"#);
            }
        }
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_without_reading_is_a_frame_and_no_zero() {
        let svg = spark(&[Some(10), None, Some(0)]);
        assert_eq!(svg.matches("class=\"none\"").count(), 1);
        assert!(svg.contains(r#"class="now" x="60""#));
    }

    #[test]
    fn nothing_known_draws_nothing() {
        assert_eq!(spark(&[None, None]), "");
        assert_eq!(spark(&[]), "");
    }
}
