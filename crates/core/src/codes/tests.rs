//! Every file reads, and the most telling entry wins.

use std::collections::HashSet;

use super::*;

#[test]
fn every_file_of_codes_reads_and_says_each_thing_once() {
    let mut files = 0;
    for file in FILES.files().filter(|file| file.path().extension().is_some_and(|end| end == "toml")) {
        let read: File = toml::from_str(file.contents_utf8().unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", file.path().display()));
        assert_eq!(file.path().file_stem().unwrap().to_str().unwrap(), read.vendor);
        let mut seen = HashSet::new();
        for code in &read.codes {
            assert!(!code.code.is_empty() && code.code.len() <= 32 && !code.text.is_empty(), "{code:?}");
            assert!(code.reason.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{code:?}");
            assert!(code.code.find('*').is_none_or(|at| at + 1 == code.code.len()), "{code:?}");
            let key = (code.kind(), &code.code, &code.sub, &code.models);
            assert!(seen.insert(key), "{}: {code:?} stands twice", file.path().display());
        }
        files += 1;
    }
    assert!(files >= 10);
    assert!(all("canon", Some("iR-ADV C5560")).len() > 100, "over a hundred codes a model");
}

#[test]
fn the_most_telling_code_wins_and_unknown_ones_are_none() {
    let text = |vendor, kind, code| of(vendor, "IM C3000", kind, code, None).map(|m| m.text.as_str());
    assert_eq!(text("ricoh", Kind::Error, "SC542"), Some("Fixing unit does not warm up in time"));
    assert_eq!(text("ricoh", Kind::Error, "SC599"), Some("Paper feed or fixing fault"));
    assert_eq!(text("savin", Kind::Error, "sc542"), Some("Fixing unit does not warm up in time"), "the same device");
    assert_eq!(text("ricoh", Kind::Jam, "SC542"), None, "another kind");
    assert_eq!(text("ricoh", Kind::Error, "E602"), None);
    assert_eq!(text("nobody", Kind::Jam, "prt:8"), Some("Paper stuck"));
    assert_eq!(text("canon", Kind::Jam, "\u{e9}"), None, "no boundary of a letter is crossed");
}

#[test]
fn a_model_and_a_detail_number_count_more_than_a_longer_code() {
    let entry = |code: &str, sub: Option<&str>, models: &[&str]| Meaning {
        kind: Told::Error,
        code: code.into(),
        sub: sub.map(Into::into),
        models: models.iter().map(|m| (*m).to_owned()).collect(),
        reason: "other".into(),
        severity: Weight::Other,
        who: Who::Trained,
        text: String::new(),
        sure: false,
    };
    let fits = |meaning: &Meaning| meaning.fits("iR-ADV C5560", Kind::Error, "E602", "0001");
    let (plain, long) = (fits(&entry("E6*", None, &[])), fits(&entry("E602", None, &[])));
    let (sub, model) = (fits(&entry("E6*", Some("0001"), &[])), fits(&entry("E*", None, &["iR-ADV*"])));
    assert!(plain < long && long < sub && sub < model, "{plain:?} {long:?} {sub:?} {model:?}");
    assert_eq!(fits(&entry("E6*", Some("0002"), &[])), None);
    assert_eq!(fits(&entry("E6*", None, &["LBP*"])), None);
}
