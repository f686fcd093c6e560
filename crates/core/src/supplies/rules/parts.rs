//! The life of parts: what is used of what a part is rated for, from parts counters and from the standard table.

/// A counter of a part by its name in the dictionary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    /// What tells parts of a device apart: the name without its last word where that says `rated`.
    pub part: &'a str,
    /// `fuser`, `opc` …, lower case.
    pub kind: String,
    /// Colorant, where the name holds one.
    pub color: Option<&'static str>,
    /// It is the life that the part is rated for.
    pub rated: bool,
}

const COLORS: [&str; 4] = ["black", "cyan", "magenta", "yellow"];
/// Things that are filled up, not worn; supplies tell of them.
const FILLED: [&str; 8] =
    ["toner", "toner-cartridge", "ink", "ink-cartridge", "ink-ribbon", "waste-toner", "waste-ink", "staples"];

/// Reads names as `parts.fuser.all.12` and `parts.opc.black.3.rated`; `None` for what is no part that wears.
#[must_use]
pub fn named(name: &str) -> Option<Named<'_>> {
    let (part, rated) = match name.strip_suffix(".rated") {
        Some(part) => (part, true),
        None => (name, false),
    };
    let rest = part.strip_prefix("parts.")?;
    let mut words = rest.split('.');
    let kind = words.next()?.to_ascii_lowercase();
    if kind.is_empty() || FILLED.contains(&kind.as_str()) {
        return None;
    }
    let color = words.find_map(|word| COLORS.into_iter().find(|color| color.eq_ignore_ascii_case(word)));
    Some(Named { part, kind, color, rated })
}

/// A part that counts less than half of what it did was exchanged; `before` must be worth speaking of.
#[must_use]
pub fn exchanged(before: f64, now: f64) -> bool {
    before >= 100.0 && now < before * 0.5
}

/// The middle of what parts of a model lived, where at least three were seen to be exchanged.
#[must_use]
pub fn learnt(lives: &mut [f64]) -> Option<f64> {
    (lives.len() >= 3).then(|| super::activity::median(lives))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_counters_are_known_by_their_names() {
        let fuser = named("parts.fuser.all.12").unwrap();
        assert_eq!(
            (fuser.part, fuser.kind.as_str(), fuser.color, fuser.rated),
            ("parts.fuser.all.12", "fuser", None, false)
        );
        let drum = named("parts.opc.black.3.rated").unwrap();
        assert_eq!((drum.part, drum.color, drum.rated), ("parts.opc.black.3", Some("black"), true));
        assert_eq!(named("parts.toner.cyan.1"), None, "toner is filled up, not worn");
        assert_eq!(named("mode.duplex"), None);
    }

    #[test]
    fn part_exchange_is_a_counter_that_begins_anew() {
        assert!(exchanged(200_000.0, 12.0));
        assert!(!exchanged(200_000.0, 199_000.0), "a small step back is no exchange");
        assert!(!exchanged(40.0, 0.0));
        assert_eq!(learnt(&mut [100.0, 90.0]), None);
        assert_eq!(learnt(&mut [100.0, 90.0, 300.0]), Some(100.0));
    }
}
