//! What the meters of a device count towards, and where two of them tell different truths.

/// The tree of the standard MIBs.
const STANDARD: &str = "1.3.6.1.2.1.";
/// Two totals may differ by so many pages before anybody is asked.
const APART: i64 = 50;

/// What a meter counts towards on pages and charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// All pages of the device.
    Total,
    /// Black pages.
    Mono,
    /// Colour pages.
    Color,
}

impl Role {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Mono => "mono",
            Self::Color => "color",
        }
    }
}

/// The words of a meter that decide its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words<'a> {
    /// total, print, copy, fax, scan, other.
    pub function: &'a str,
    /// all, mono, full, …
    pub color: &'a str,
    /// all, small, large, unknown.
    pub size: &'a str,
    /// all, two.
    pub sides: &'a str,
    /// impressions, sheets, other.
    pub unit: &'a str,
    /// Dotted OID.
    pub source: &'a str,
}

/// Chooses which meters of a device add up to its pages, black and colour: totals where the device gives them,
/// sums over functions where it does not, and of two counters with the same words only one: the one that a person
/// chose (`billed`, the object that it is read from), else the standard MIB's.
pub fn roles(meters: &[Words<'_>], billed: Option<&str>) -> Vec<Option<Role>> {
    let mut roles = vec![None; meters.len()];
    let unit = ["impressions", "sheets"].into_iter().find(|unit| meters.iter().any(|m| m.unit == *unit && is_pages(m)));
    let Some(unit) = unit else { return roles };
    let best = |function: &str, color: &str| {
        let fitting = meters
            .iter()
            .enumerate()
            .filter(|(_, m)| m.unit == unit && whole(m) && m.function == function && m.color == color);
        fitting
            .min_by_key(|(_, m)| (billed != Some(m.source), !m.source.starts_with(STANDARD), m.source))
            .map(|(at, _)| at)
    };
    let mut take = |role: Role, color: &str| {
        let total = best("total", color);
        let each = ["print", "copy", "fax"].into_iter().filter_map(|function| best(function, color));
        let chosen: Vec<usize> = total.map_or_else(|| each.collect(), |at| vec![at]);
        for at in &chosen {
            roles[*at] = Some(role);
        }
        !chosen.is_empty()
    };
    let mono = take(Role::Mono, "mono");
    let color = take(Role::Color, "full");
    // Functions without colour are a total only where nothing better adds up.
    if best("total", "all").is_some() || !(mono || color) {
        take(Role::Total, "all");
    }
    roles
}

fn whole(meter: &Words<'_>) -> bool {
    meter.size == "all" && meter.sides == "all"
}

fn is_pages(meter: &Words<'_>) -> bool {
    whole(meter) && matches!(meter.function, "total" | "print" | "copy" | "fax")
}

/// Two counters with the same words that did not count the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Place of the standard MIB's counter among those given.
    pub standard: usize,
    /// Place of the maker's own.
    pub private: usize,
    /// By how much the maker's own counted more since both were met; negative: less.
    pub apart: i64,
}

/// Finds where the standard total and a maker's own total grew apart: by more than 50 pages and 2 %. `grown`: how much
/// each counted since both were met, `None` where that is not the same stretch of time.
pub fn conflict(meters: &[Words<'_>], grown: &[Option<i64>]) -> Option<Conflict> {
    let totals = || meters.iter().enumerate().filter(|(_, m)| m.function == "total" && m.color == "all" && whole(m));
    let standard = totals().find(|(_, m)| m.source.starts_with(STANDARD))?.0;
    let unit = meters[standard].unit;
    let private = totals().filter(|(_, m)| !m.source.starts_with(STANDARD) && m.unit == unit);
    let worst = private
        .filter_map(|(at, _)| Some(Conflict { standard, private: at, apart: grown[at]? - grown[standard]? }))
        .max_by_key(|conflict| conflict.apart.abs())?;
    let most = grown[standard]?.max(grown[worst.private]?);
    (worst.apart.abs() > APART.max(most / 50)).then_some(worst)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words<'a>(function: &'a str, color: &'a str, source: &'a str) -> Words<'a> {
        Words { function, color, size: "all", sides: "all", unit: "impressions", source }
    }

    #[test]
    fn roles_take_totals_and_of_two_truths_one() {
        let meters = [
            words("total", "all", "1.3.6.1.4.1.253.8"),
            words("total", "all", "1.3.6.1.2.1.43.10.2.1.4.1.1"),
            words("total", "mono", "1.3.6.1.4.1.1"),
            words("print", "full", "1.3.6.1.4.1.2"),
            words("copy", "full", "1.3.6.1.4.1.3"),
            words("print", "mono", "1.3.6.1.4.1.4"),
            words("scan", "all", "1.3.6.1.4.1.5"),
        ];
        let expected = [None, Some(Role::Total), Some(Role::Mono), Some(Role::Color), Some(Role::Color), None, None];
        assert_eq!(roles(&meters, None), expected);
        let chosen = roles(&meters, Some("1.3.6.1.4.1.253.8"));
        assert_eq!(chosen[..2], [Some(Role::Total), None], "the contract's rule wins");
        assert_eq!(
            roles(&[words("print", "all", "a"), words("copy", "all", "b")], None),
            [Some(Role::Total), Some(Role::Total)]
        );
        assert_eq!(roles(&[words("print", "mono", "a"), words("print", "all", "b")], None), [Some(Role::Mono), None]);
    }

    #[test]
    fn conflicting_truth_is_a_difference_that_grows_and_not_one_that_was_always_there() {
        let meters = [words("total", "all", "1.3.6.1.2.1.43.10.2.1.4.1.1"), words("total", "all", "1.3.6.1.4.1.253.8")];
        assert_eq!(conflict(&meters, &[Some(10_000), Some(9_996)]), None);
        assert_eq!(conflict(&meters, &[Some(10_000), None]), None);
        let expected = Conflict { standard: 0, private: 1, apart: 900 };
        assert_eq!(conflict(&meters, &[Some(10_000), Some(10_900)]), Some(expected));
    }
}
