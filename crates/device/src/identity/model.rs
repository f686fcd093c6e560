//! The model, from the first source that holds one, without the brand, legal marks, versions and serial numbers.

use snmp::Oid;

use super::{DeviceId, Makers};
use crate::profile::{Catalogue, ModelRules, ModelSource, Profile};
use crate::snapshot::Snapshot;
use crate::standard::oid;
use crate::text::{self, Charset};

/// Texts of the standard objects that may hold a model.
pub(super) struct Texts<'a> {
    /// sysDescr.
    pub system: Option<&'a str>,
    /// hrDeviceDescr of the printer.
    pub device: Option<String>,
    /// prtGeneralPrinterName.
    pub name: Option<String>,
    /// The serial number, which some descriptions repeat.
    pub serial: Option<&'a str>,
}

pub(super) fn find(
    said: &Snapshot,
    charset: Charset,
    makers: &Makers,
    id: &DeviceId,
    texts: &Texts<'_>,
) -> Option<String> {
    let unknown = Profile::default();
    let profiles: Vec<&Profile> = makers.iter().collect();
    let first = profiles.first().copied().unwrap_or(&unknown);
    // A brand without rules of its own writes as its maker does.
    let ruling = if first.model.oids.is_empty() && first.made_by.is_some() {
        profiles.last().copied().unwrap_or(first)
    } else {
        first
    };
    let rules = &ruling.model;
    let mut names: Vec<String> =
        profiles.iter().flat_map(|profile| &profile.names).map(|name| name.to_lowercase()).collect();
    names.extend(id.maker.iter().map(|maker| maker.to_lowercase()));
    names.extend(rules.drop_beginnings.iter().map(|text| text.to_lowercase()));
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    // A board of another brand's device may be fitted: its name is believed when nothing else is told.
    let ours = |text: &str| !begins_with_another(text, makers);
    let find = |fits: &dyn Fn(&str) -> bool| {
        let clean = |text: String| fits(&text).then(|| clean(&text, rules, &names))?;
        rules.from.iter().find_map(|source| match source {
            ModelSource::Own => profiles
                .iter()
                .flat_map(|profile| &profile.model.oids)
                .find_map(|object| clean(said.text(&object.0, charset)?)),
            ModelSource::Device => clean(without_tail(texts.device.clone()?, rules, texts.serial)),
            ModelSource::System => clean(of_system(texts.system?, rules, &names)?),
            ModelSource::DeviceId => clean(id.model.clone()?),
            ModelSource::Name => clean(texts.name.clone()?),
            ModelSource::ObjectId => known_object(said, rules),
            ModelSource::ObjectText => clean(spelled_object(said, rules)?),
        })
    };
    find(&ours).or_else(|| find(&|_| true))
}

/// Whether a text begins with the name of a brand that is neither on the device nor behind it.
fn begins_with_another(text: &str, makers: &Makers) -> bool {
    let lower = text.to_lowercase();
    let at_start = |name: &String| text::find_words(&lower, &name.to_lowercase()) == Some(0);
    let own = |profile: &Profile| makers.iter().any(|ours| ours.vendor == profile.vendor);
    let named = || makers.iter().flat_map(|profile| &profile.names).any(at_start);
    let others = Catalogue::current().iter().filter(|profile| !own(profile));
    !named() && others.flat_map(|profile| &profile.names).any(at_start)
}

fn known_object(said: &Snapshot, rules: &ModelRules) -> Option<String> {
    let object: &Oid = said.get(&oid::SYS_OBJECT_ID)?.as_oid()?;
    rules.object_ids.iter().find(|known| known.oid.0 == *object).map(|known| known.model.clone())
}

/// Letters in the arcs of sysObjectID: a length, then as many letters.
fn spelled_object(said: &Snapshot, rules: &ModelRules) -> Option<String> {
    let object: &Oid = said.get(&oid::SYS_OBJECT_ID)?.as_oid()?;
    let arcs = rules.object_text.iter().find_map(|root| object.suffix_of(&root.0))?;
    let (length, letters) = arcs.split_first()?;
    let text: Option<String> = letters.iter().map(|arc| char::from_u32(*arc).filter(char::is_ascii_graphic)).collect();
    text.filter(|text| text.len() == *length as usize && !text.is_empty())
}

/// Operating systems whose agents put their own name where that of the device belongs.
const SYSTEMS: [&str; 9] =
    ["linux ", "freebsd ", "netbsd ", "openbsd ", "darwin ", "sunos ", "vxworks", "windows ", "hardware: "];

/// The part of sysDescr that may be a model.
fn of_system(descr: &str, rules: &ModelRules, names: &[String]) -> Option<String> {
    let lower = descr.to_ascii_lowercase();
    if SYSTEMS.iter().any(|system| lower.trim_start().starts_with(system)) {
        return None;
    }
    let start = rules.after.iter().find_map(|mark| Some(lower.find(&mark.to_ascii_lowercase())? + mark.len()));
    if start.is_none() && rules.only_after {
        return None;
    }
    let plain = without_names(descr.get(start.unwrap_or(0)..)?, names);
    let mut text = cut(&plain, &rules.before);
    if rules.drop_version
        && let Some((head, last)) = text.trim_end().rsplit_once(' ')
        && is_version(last)
    {
        text = head;
    }
    Some(text.to_owned())
}

/// hrDeviceDescr of some vendors goes on with the serial number and the firmware: `T640 991AB12 LS.ST.P240`.
fn without_tail(text: String, rules: &ModelRules, serial: Option<&str>) -> String {
    if !rules.first_words {
        return text;
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let foreign = |word: &str| {
        let dotted = word.split('.').count() >= 3;
        dotted || serial.is_some_and(|serial| word.len() >= 5 && (serial.starts_with(word) || word.starts_with(serial)))
    };
    let end = words.iter().skip(1).position(|word| foreign(word)).map_or(words.len(), |at| at + 1);
    // The serial stands right before the firmware, also where no other object tells it.
    let end = if end < words.len() && end > 2 && is_serial(words[end - 1]) { end - 1 } else { end };
    words[..end].join(" ")
}

fn is_serial(word: &str) -> bool {
    word.len() >= 7 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-')
}

pub(super) fn is_version(word: &str) -> bool {
    let word = word.trim_start_matches(['v', 'V']).trim_start_matches('.');
    let digits = word.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let mut parts = digits.split('.').peekable();
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    digits.contains('.') && parts.all(number)
}

fn cut<'a>(text: &'a str, marks: &[String]) -> &'a str {
    // ASCII folding keeps byte places, so that a place in the folded text is one in the text.
    let lower = text.to_ascii_lowercase();
    let end = marks.iter().filter_map(|mark| lower.find(&mark.to_ascii_lowercase())).min();
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

fn clean(text: &str, rules: &ModelRules, names: &[String]) -> Option<String> {
    let mut plain = text.to_owned();
    for mark in ["(R)", "(r)", "(TM)", "(tm)", "®", "™", "\u{ae}"] {
        plain = plain.replace(mark, "");
    }
    let plain = without_names(&plain, names);
    let plain = cut(&plain, &rules.before);
    let mut model = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    if is_no_model(&model, rules) {
        return None;
    }
    model = without_names(&model, names);
    for ending in &rules.drop_endings {
        let lower = model.to_ascii_lowercase();
        if lower.ends_with(&ending.to_ascii_lowercase()) {
            model.truncate(model.len() - ending.len());
            model = model.trim_end().to_owned();
        }
    }
    let speaks = model.chars().any(char::is_alphanumeric) && !is_no_model(&model, rules);
    speaks.then_some(model)
}

fn is_no_model(text: &str, rules: &ModelRules) -> bool {
    const NETWORK_CARDS: [&str; 6] =
        ["print server", "printserver", "ethernet", "base-t", "network printer", "network interface"];
    let lower = text.to_lowercase();
    let card = NETWORK_CARDS.iter().any(|word| lower.contains(word));
    card || rules.not.iter().any(|start| lower.starts_with(&start.to_lowercase()))
}

/// The text behind all names at its beginning: `Brand, Inc., Model 7, more` is cut behind the model only then.
fn without_names(text: &str, names: &[String]) -> String {
    let mut text = text.trim().to_owned();
    while let Some(rest) = names.iter().find_map(|name| without_name(&text, name)) {
        text = rest;
    }
    text
}

/// The text behind a name that stands apart at its beginning.
fn without_name(text: &str, name: &str) -> Option<String> {
    let lower = text.to_lowercase();
    if name.is_empty() || text::find_words(&lower, name) != Some(0) {
        return None;
    }
    let rest = text
        .get(name.len()..)?
        .trim_start_matches(|letter: char| letter.is_whitespace() || matches!(letter, ',' | ':' | '_'));
    // `HP-1234` and `Epson/X` are names of their own.
    (!rest.starts_with(['-', '/', '&'])).then(|| rest.to_owned()).filter(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_from_models() {
        for version in ["1.09", "2.04", "1.18", "v3.1.2", "1.2a", "V.2.13"] {
            assert!(is_version(version), "{version}");
        }
        for model in ["3053", "C2503", "4.x", "v", "5.", "C.5"] {
            assert!(!is_version(model), "{model}");
        }
    }

    #[test]
    fn an_operating_system_is_no_model() {
        let rules = ModelRules::default();
        let model = |text: &str| of_system(text, &rules, &[]);
        assert_eq!(model("Linux PRN1 4.9.88 #1 SMP PREEMPT Thu Jan 1 00:00:00 UTC 2026 armv7l"), None);
        assert_eq!(model("NetBSD 6.1_STABLE"), None);
        assert_eq!(model("MX722ade").as_deref(), Some("MX722ade"));
    }

    #[test]
    fn serial_and_firmware_behind_the_model_are_cut() {
        let rules = ModelRules { first_words: true, ..ModelRules::default() };
        let cut = |text: &str, serial| without_tail(text.to_owned(), &rules, serial);
        assert_eq!(cut("Dell S5830dn 7XQ1R92 LW62.DN4.P636", Some("7XQ1R92-132-13")), "Dell S5830dn");
        assert_eq!(cut("Lexmark T640 991AB12 LS.ST.P240", None), "Lexmark T640");
        assert_eq!(cut("Lexmark MX722ade", None), "Lexmark MX722ade");
        assert_eq!(cut("Lexmark Forms Printer 2580", None), "Lexmark Forms Printer 2580");
    }

    #[test]
    fn names_go_only_where_they_stand_apart() {
        assert_eq!(without_name("Samsung ML-371x", "samsung").as_deref(), Some("ML-371x"));
        assert_eq!(without_name("EPSON", "epson"), None);
        assert_eq!(without_name("OKI-MC873", "oki"), None);
        assert_eq!(without_name("Canonical 5", "canon"), None);
    }
}
