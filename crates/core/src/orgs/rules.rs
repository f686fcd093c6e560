//! What a name, short name, zone, locale and currency may be, and how paths grow.

use super::OrgKind;
use crate::error::{Error, Result};
use crate::filter::fold;

/// Digits of one step of a path.
pub(super) const STEP: usize = 6;
/// Most steps: paths stay short enough for an index.
const MAX_DEPTH: usize = 32;

/// The path of the next child, given the greatest path among the children.
pub(super) fn next_path(parent: &str, last: Option<&str>) -> Result<String> {
    if parent.len() / STEP >= MAX_DEPTH {
        return Err(Error::invalid("parent", format!("organisations nest at most {MAX_DEPTH} deep")));
    }
    let used = last.and_then(|last| last.get(parent.len()..)).and_then(|step| u32::from_str_radix(step, 16).ok());
    match used.unwrap_or(0) + 1 {
        next if next < 1 << (4 * STEP) => Ok(format!("{parent}{next:0STEP$x}")),
        _ => Err(Error::conflict("this organisation has no room for another below it")),
    }
}

/// Steps of a path.
pub(super) fn depth(path: &str) -> u32 {
    u32::try_from(path.len() / STEP).unwrap_or(u32::MAX)
}

/// Who may stand below whom.
pub(super) fn child_fits(parent: OrgKind, child: OrgKind) -> Result<()> {
    match (parent, child) {
        (_, OrgKind::Root) => {
            Err(Error::invalid("kind", "there is one root; a new organisation is a provider or a customer"))
        }
        (OrgKind::Customer, _) => Err(Error::invalid("parent", "a customer has no organisations below it")),
        _ => Ok(()),
    }
}

/// A name for people, 1..=120 characters without control characters.
pub(crate) fn name(field: &str, text: &str) -> Result<String> {
    let text = text.trim();
    let length = text.chars().count();
    if length == 0 || length > 120 || text.chars().any(char::is_control) {
        return Err(Error::invalid(field, format!("{field} has 1 to 120 characters, none of them control characters")));
    }
    Ok(text.to_owned())
}

/// A short name made of a name: `Müller & Söhne` -> `müller-söhne`; `org` when nothing is left.
pub(super) fn slug_of(name: &str) -> String {
    let mut slug = String::new();
    for c in fold(name).chars() {
        match c.is_alphanumeric() {
            true => slug.push(c),
            false if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            false => {}
        }
    }
    let slug: String = slug.trim_end_matches('-').chars().take(40).collect();
    if slug.is_empty() { "org".to_owned() } else { slug }
}

/// A short name as people wrote it.
pub(super) fn slug(text: &str) -> Result<String> {
    let fits = (1..=40).contains(&text.chars().count())
        && text.chars().all(|c| (c.is_alphanumeric() && c.to_lowercase().eq([c])) || c == '-');
    if fits {
        Ok(text.to_owned())
    } else {
        Err(Error::invalid("slug", "slug has 1 to 40 lower-case letters, digits and `-`"))
    }
}

/// An IANA zone that this program knows.
pub(crate) fn zone(text: &str) -> Result<String> {
    match jiff::tz::TimeZone::get(text) {
        Ok(zone) => Ok(zone.iana_name().unwrap_or(text).to_owned()),
        Err(_) => Err(Error::invalid("zone", format!("{text:?} is no IANA time zone, as Europe/Berlin is"))),
    }
}

/// A language tag: letters and digits in groups of 1 to 8, the first of 2 or 3 letters.
pub(crate) fn locale(text: &str) -> Result<String> {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    let fits = (2..=3).contains(&first.len())
        && first.bytes().all(|b| b.is_ascii_alphabetic())
        && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
        && text.len() <= 35;
    if fits {
        Ok(text.to_owned())
    } else {
        Err(Error::invalid("locale", format!("{text:?} is no language tag, as de-CH is")))
    }
}

/// Three capital letters.
pub(super) fn currency(text: &str) -> Result<String> {
    let fits = text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase());
    if fits {
        Ok(text.to_owned())
    } else {
        Err(Error::invalid("currency", format!("{text:?} is no ISO currency, as EUR is")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_path_begins_with_its_parents_and_never_repeats() {
        assert_eq!(next_path("", None).unwrap(), "000001");
        assert_eq!(next_path("000001", Some("00000100000f")).unwrap(), "000001000010");
        assert!(next_path("000001", Some("000001ffffff")).is_err());
        assert!(next_path(&"000001".repeat(32), None).is_err());
    }

    #[test]
    fn a_short_name_is_made_of_letters_and_digits() {
        assert_eq!(slug_of("  Müller & Söhne GmbH "), "müller-söhne-gmbh");
        assert_eq!(slug_of("!!!"), "org");
        assert!(slug("de-1").is_ok() && slug("De").is_err() && slug("").is_err());
    }

    #[test]
    fn zone_locale_and_currency_are_checked() {
        assert!(zone("Europe/Berlin").is_ok() && zone("Mars/Base").is_err());
        assert!(locale("de-CH").is_ok() && locale("d").is_err() && locale("de_CH").is_err());
        assert!(currency("EUR").is_ok() && currency("eur").is_err());
    }
}
