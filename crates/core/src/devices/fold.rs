//! Text as it is compared: cleaned on the way in, folded for search and uniqueness, padded for sorting.

use unicode_normalization::UnicodeNormalization as _;

/// Longest text that is kept of what a device says, in characters.
const LONGEST: usize = 400;

/// What a device says, without control characters (NUL is refused by databases) and not endless. Empty reads as absent.
pub fn clean(text: Option<&str>) -> Option<String> {
    let text: String = text?.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Lower case, without marks, compatibility forms joined.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfkd().filter(|c| !unicode_normalization::char::is_combining_mark(*c)).flat_map(char::to_lowercase).collect()
}

/// A serial number that can carry an identity, folded to its letters and digits; `None` for fillers such as
/// `00000000`, `XXXXXXXXXX`, `unknown` or two characters.
pub fn fold_serial(serial: Option<&str>) -> Option<String> {
    let folded: String = fold(serial?).chars().filter(|c| c.is_alphanumeric()).collect();
    let mut letters = folded.chars();
    let first = letters.next()?;
    let all_alike = letters.all(|c| c == first);
    let filler =
        "unknown none null notset notavailable notapplicable na serial serialnumber default 12345678 123456789 1234567890
         0123456789 tobefilledbyoem"
            .split_whitespace();
    (folded.chars().count() >= 4 && !all_alike && !filler.into_iter().any(|word| word == folded)).then_some(folded)
}

/// `aa:bb:cc:dd:ee:ff` from any common form; `None` for other lengths, all zeros, all ones and group addresses.
pub fn fold_mac(mac: Option<&str>) -> Option<String> {
    let hex: String = mac?.chars().filter(char::is_ascii_hexdigit).map(|c| c.to_ascii_lowercase()).collect();
    let bytes = hex::decode(&hex).ok().filter(|bytes| bytes.len() == 6)?;
    if bytes.iter().all(|b| *b == 0) || bytes[0] & 1 == 1 {
        return None;
    }
    Some(bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":"))
}

/// An snmpEngineID in lower-case hex, 5 to 32 octets (RFC 3411); `None` for other lengths and for fillers.
pub fn fold_engine(engine: Option<&str>) -> Option<String> {
    let hex: String = engine?.chars().filter(char::is_ascii_hexdigit).map(|c| c.to_ascii_lowercase()).collect();
    let hollow = hex.bytes().skip(8).all(|c| c == b'0' || c == b'f');
    ((10..=64).contains(&hex.len()) && hex.len().is_multiple_of(2) && !hollow).then_some(hex)
}

/// A key that sorts as people count: numbers by value, absent last.
pub fn sort_key(text: Option<&str>) -> String {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return "\u{10FFFD}".to_owned() };
    let folded = fold(text);
    let mut key = String::with_capacity(folded.len() + 8);
    let mut digits = String::new();
    for c in folded.chars().chain(std::iter::once('\0')) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if !digits.is_empty() {
            let number = digits.trim_start_matches('0');
            key.extend(std::iter::repeat_n('0', 10usize.saturating_sub(number.len())));
            key.push_str(number);
            digits.clear();
        }
        if c != '\0' {
            key.push(c);
        }
    }
    key
}

/// The words of what a person types into the search field, folded; at most six.
pub fn terms(text: &str) -> Vec<String> {
    fold(text)
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '"'))
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
        .map(|word| {
            if fold_mac(Some(word)).is_some() && word.contains([':', '-']) {
                word.replace([':', '-'], "")
            } else {
                word.to_owned()
            }
        })
        .take(6)
        .collect()
}

/// What a device can be found by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Findable<'a> {
    /// Names, places, models: split into words.
    pub texts: [Option<&'a str>; 8],
    /// Numbers of the device: whole, and by each ending of 4 to 7 characters.
    pub numbers: [Option<&'a str>; 2],
    /// Address as written.
    pub address: Option<&'a str>,
    /// Hardware address in any form.
    pub mac: Option<&'a str>,
}

/// Tokens of a device: sorted, no duplicates.
pub fn tokens(of: &Findable<'_>) -> Vec<String> {
    let mut all = Vec::with_capacity(24);
    for text in of.texts.iter().flatten() {
        let folded = fold(text);
        for word in folded.split_whitespace() {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric());
            let pieces = word.split(|c: char| !c.is_alphanumeric());
            all.extend(pieces.filter(|piece| !piece.is_empty()).map(str::to_owned));
            all.push(word.to_owned());
        }
    }
    for number in of.numbers.iter().flatten() {
        let folded: Vec<char> = fold(number).chars().filter(|c| c.is_alphanumeric()).collect();
        all.push(folded.iter().collect());
        all.push(fold(number));
        all.extend(
            (4..8)
                .filter(|length| *length < folded.len())
                .map(|length| folded[folded.len() - length..].iter().collect()),
        );
    }
    all.extend(of.address.map(str::to_owned));
    all.extend(of.mac.map(|mac| mac.replace([':', '-'], "")));
    all.retain(|token| !token.is_empty());
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_is_not_carried_by_fillers() {
        for filler in
            ["", "0000000000", "1234567890", "Not Available", "XXXXXXXX", "N/A", "unknown", "12", "---", "0123456789"]
        {
            assert_eq!(fold_serial(Some(filler)), None, "{filler}");
        }
        assert_eq!(fold_serial(Some(" CNB-VL9K0qt ")), Some("cnbvl9k0qt".into()));
    }

    #[test]
    fn macs_fold_to_one_form_and_group_addresses_are_none() {
        assert_eq!(fold_mac(Some("00-26-73-AA-BB-CC")), Some("00:26:73:aa:bb:cc".into()));
        assert_eq!(fold_mac(Some("002673aabbcc")), Some("00:26:73:aa:bb:cc".into()));
        assert_eq!(fold_mac(Some("ff:ff:ff:ff:ff:ff")), None);
        assert_eq!(fold_mac(Some("00:00:00:00:00:00")), None);
    }

    #[test]
    fn keys_sort_numbers_by_value_and_absent_last() {
        let mut names =
            [None, Some("Printer 10"), Some("printer 2"), Some("Ärztezimmer"), Some("10.0.0.9"), Some("10.0.0.10")];
        names.sort_by_key(|name| sort_key(*name));
        let expected =
            [Some("10.0.0.9"), Some("10.0.0.10"), Some("Ärztezimmer"), Some("printer 2"), Some("Printer 10"), None];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_serial_is_found_by_its_end_and_a_mac_in_any_form() {
        let found = tokens(&Findable {
            texts: [Some("Ward 3-North"), None, None, None, None, None, None, None],
            numbers: [Some("3129R220044"), None],
            address: Some("10.4.0.21"),
            mac: Some("00:26:73:aa:bb:cc"),
        });
        for token in ["ward", "3", "north", "3-north", "3129r220044", "0044", "220044", "10.4.0.21", "002673aabbcc"] {
            assert!(found.iter().any(|t| t == token), "{token} in {found:?}");
        }
        assert_eq!(terms("  00:26:73:AA:BB:CC  ward,"), ["002673aabbcc", "ward"]);
    }

    #[test]
    fn clean_text_holds_no_control_characters() {
        assert_eq!(clean(Some("A\0B\n")), Some("A B".into()));
        assert_eq!(clean(Some(" \0 ")), None);
    }
}
