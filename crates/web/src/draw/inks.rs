//! Supply levels as bars: letter, pattern, level and figure, so that colour is never alone.
//! A level that the device does not state is a broken frame, never a fill and never 0.

use std::fmt::Write as _;

use platen_core::devices::SupplyBrief;
use wire::Level;

/// One supply as a bar shows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ink {
    /// What stands before the bar: C M Y K W …
    pub(crate) letter: char,
    /// Pattern and class stem: `c m y k w`.
    pub(crate) hue: char,
    /// Name for those who hear the page.
    pub(crate) name: String,
    /// How much is left, or in a waste box whose direction is known, how full it is.
    pub(crate) level: Level,
    /// The same in words.
    pub(crate) words: String,
}

impl Ink {
    /// The look of a supply of a list or sheet.
    pub(crate) fn of(supply: &SupplyBrief) -> Self {
        let (letter, hue) = look(supply.letter);
        let name = supply.color.as_deref().unwrap_or(&supply.kind);
        let (level, words) = match supply.filled {
            Some(value) => (Level::Percent { value }, format!("{value:.0} % full")),
            None => (supply.level, level_words(supply.level)),
        };
        Self { letter, hue, name: crate::words::capital(&name.replace('-', " ")), level, words }
    }

    /// The column of the list that a colour keeps, so that K stands below K.
    fn column(&self) -> Option<usize> {
        "CMYK".find(self.letter)
    }
}

/// Letter and pattern of a supply in lists: those of colours and of waste. What wears has no letter, whatever its name
/// begins with: a cleaner unit is no cyan.
pub(crate) fn look(letter: char) -> (char, char) {
    match letter {
        'C' | 'M' | 'Y' | 'K' | 'W' => (letter, letter.to_ascii_lowercase()),
        _ => (' ', 'w'),
    }
}

/// The words for a level: `64 %`, `some left`, `unknown`, `no limit`, `step 2 of 3`.
pub(crate) fn level_words(level: Level) -> String {
    match level {
        Level::Percent { value } => format!("{value:.0} %"),
        Level::SomeRemaining => "some left".to_owned(),
        Level::Unknown => "unknown".to_owned(),
        Level::Unrestricted => "no limit".to_owned(),
        Level::Staged { value, steps } => format!("step {value} of {steps}"),
    }
}

/// The four small bars of a row: one SVG, 200 × 14.
pub(crate) fn mini(inks: &[Ink]) -> String {
    let shown: Vec<(usize, &Ink)> = columns(inks);
    if shown.is_empty() {
        return String::new();
    }
    // A waste box has no room beside four colours; its words are heard, and seen when one rests on the bars.
    let others = inks.iter().filter(|ink| ink.letter == 'W' && !shown.iter().any(|(_, other)| other.letter == 'W'));
    let all = shown.iter().map(|(_, ink)| *ink).chain(others);
    let label: Vec<String> = all.map(|ink| format!("{} {}", ink.name, ink.words)).collect();
    let mut svg = format!(
        r#"<svg class="inks" viewBox="0 0 200 14" role="img" aria-label="{0}"><title>{0}</title>"#,
        escape(&label.join(", "))
    );
    for (column, ink) in shown {
        small_bar(&mut svg, column * 51, ink);
    }
    svg.push_str("</svg>");
    svg
}

/// Colorants in their own columns; where there is none, up to four others from the right.
fn columns(inks: &[Ink]) -> Vec<(usize, &Ink)> {
    let mut taken = [false; 4];
    let mut shown = Vec::new();
    for ink in inks {
        if let Some(c) = ink.column().filter(|c| !taken[*c]) {
            taken[c] = true;
            shown.push((c, ink));
        }
    }
    if shown.is_empty() {
        shown.extend(inks.iter().take(4).enumerate().map(|(i, ink)| (3 - i, ink)));
    }
    shown.sort_by_key(|(c, _)| *c);
    shown
}

fn small_bar(svg: &mut String, x: usize, ink: &Ink) {
    let (left, hue) = (x + 11, ink.hue);
    let _ = write!(svg, r#"<text x="{x}" y="10.5">{}</text>"#, ink.letter);
    let frame = |class: &str| format!(r#"<rect class="{class}" x="{left}.5" y="1.5" width="31" height="11"/>"#);
    let word = |class: &str, text: &str| {
        format!(r#"<text{class} x="{}" y="10.5" text-anchor="middle">{text}</text>"#, left + 16)
    };
    match ink.level {
        Level::Percent { value } => {
            svg.push_str(&frame("track"));
            fill(svg, left + 1, (value.clamp(0.0, 100.0) * 0.3).round() as usize, hue);
            if value <= 20.0 {
                let _ =
                    write!(svg, r#"<text class="lo" x="{}" y="10.5" text-anchor="end">{value:.0}</text>"#, left + 29);
            }
        }
        Level::Staged { value, steps } => {
            svg.push_str(&frame("track"));
            let steps = steps.max(1);
            fill(svg, left + 1, (30 * value.min(steps) / steps) as usize, hue);
            for step in 1..steps.min(6) {
                let _ = write!(svg, r#"<path class="step" d="M{}.5 2v10"/>"#, left + 1 + (30 * step / steps) as usize);
            }
        }
        Level::SomeRemaining => svg.push_str(&(frame("gap") + &word("", "some"))),
        Level::Unrestricted => svg.push_str(&(frame("gap") + &word("", "any"))),
        Level::Unknown => svg.push_str(&(frame("gap") + &word("", "?"))),
    }
}

fn fill(svg: &mut String, x: usize, width: usize, hue: char) {
    if width > 0 {
        let _ = write!(svg, r#"<rect x="{x}" y="2" width="{width}" height="10" fill="url(#p-{hue})"/>"#);
    }
    let end = if hue == 'k' { "kb".to_owned() } else { format!("{}s", if hue == 'w' { 'g' } else { hue }) };
    let _ = write!(svg, r#"<rect class="{end}" x="{}" y="2" width="1" height="10"/>"#, x + width.saturating_sub(1));
}

/// The long bar of a sheet; the figure stands beside it, so it says nothing itself.
pub(crate) fn bar(level: Level, hue: char) -> String {
    let mut svg =
        String::from(r#"<svg class="ink" viewBox="0 0 220 14" preserveAspectRatio="none" aria-hidden="true">"#);
    let frame = |class: &str| format!(r#"<rect class="{class}" x=".5" y="1.5" width="219" height="11"/>"#);
    match level {
        Level::Percent { value } => {
            svg.push_str(&frame("track"));
            fill(&mut svg, 1, (value.clamp(0.0, 100.0) * 2.18).round() as usize, hue);
        }
        Level::Staged { value, steps } => {
            svg.push_str(&frame("track"));
            let steps = steps.max(1);
            fill(&mut svg, 1, (218 * value.min(steps) / steps) as usize, hue);
            for step in 1..steps.min(12) {
                let _ = write!(svg, r#"<path class="step" d="M{}.5 2v10"/>"#, 218 * step / steps);
            }
        }
        _ => svg.push_str(&frame("gap")),
    }
    svg.push_str("</svg>");
    svg
}

/// How far a task is: 72 × 6.
pub(crate) fn progress(done: u64, total: u64) -> String {
    let width = (72 * done.min(total)).checked_div(total).map_or(0, |width| width.max(1));
    format!(
        r#"<svg class="bar" viewBox="0 0 72 6" aria-hidden="true"><rect class="f" width="{width}" height="6"/><rect class="t" x=".5" y=".5" width="71" height="5"/></svg>"#
    )
}

/// Text that stands in an attribute or between tags.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ink(color: &str, level: Level) -> Ink {
        let letter = if color == "black" { 'K' } else { 'P' };
        Ink { letter, hue: 'k', name: color.to_owned(), level, words: level_words(level) }
    }

    #[test]
    fn a_level_that_is_not_stated_is_a_broken_frame_without_figure_or_fill() {
        for level in [Level::SomeRemaining, Level::Unknown, Level::Unrestricted] {
            let svg = mini(&[ink("black", level)]) + &bar(level, 'k');
            assert!(svg.contains("gap") && !svg.contains("url(#p-") && !svg.contains('%'), "{svg}");
        }
    }

    #[test]
    fn black_keeps_its_column_when_it_stands_alone() {
        let svg = mini(&[ink("black", Level::Percent { value: 9.0 })]);
        assert!(svg.contains(r#"<text x="153" y="10.5">K</text>"#), "{svg}");
        assert!(svg.contains(">9</text>"), "low levels are written: {svg}");
    }

    #[test]
    fn what_wears_takes_no_colour_from_the_first_letter_of_its_name() {
        assert_eq!(['C', 'K', 'W', 'c', 'm', 'd'].map(look).map(|(_, hue)| hue), ['c', 'k', 'w', 'w', 'w', 'w']);
        assert_eq!(look('c').0, ' ');
    }

    #[test]
    fn names_from_devices_are_escaped() {
        let svg = mini(&[Ink { name: "\"><script>".into(), ..ink("black", Level::Unknown) }]);
        assert!(!svg.contains("<script>"));
    }

    #[test]
    fn a_staged_level_shows_steps_and_no_per_cent() {
        let level = Level::Staged { value: 2, steps: 3 };
        assert_eq!(level_words(level), "step 2 of 3");
        assert_eq!(bar(level, 'k').matches("class=\"step\"").count(), 2);
    }
}
