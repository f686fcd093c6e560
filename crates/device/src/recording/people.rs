//! Where a device speaks of its owner: facts of the standard MIBs, and patterns that give a person or a place away in
//! any text.

use std::ops::Range;
use std::sync::LazyLock;

use snmp::Oid;

/// Objects whose whole text is about the owner, with the word that the summary uses.
pub(super) static OWN: LazyLock<Vec<(Oid, &'static str)>> = LazyLock::new(|| {
    [
        ("1.3.6.1.2.1.1.4", "contact"),
        ("1.3.6.1.2.1.1.5", "name"),
        ("1.3.6.1.2.1.1.6", "location"),
        ("1.3.6.1.2.1.43.5.1.1.4", "person"),
        ("1.3.6.1.2.1.43.5.1.1.5", "person"),
        ("1.3.6.1.4.1.2699.1.2.1.2.1.1.2", "name"),
    ]
    .map(|(oid, word)| (Oid::of(oid), word))
    .to_vec()
});

/// Tables of the network around the device, of who may ask it, and of its jobs. A reader of printers needs none of
/// them, and their indexes hold addresses: they are left out as a whole.
pub(super) static LEFT_OUT: LazyLock<Vec<Oid>> = LazyLock::new(|| {
    [
        "1.3.6.1.2.1.3",
        "1.3.6.1.2.1.4",
        "1.3.6.1.2.1.5",
        "1.3.6.1.2.1.6",
        "1.3.6.1.2.1.7",
        "1.3.6.1.2.1.11",
        "1.3.6.1.2.1.17",
        "1.3.6.1.2.1.55",
        "1.3.6.1.2.1.88",
        "1.3.6.1.4.1.2699.1.1",
        "1.3.6.1.6.3",
        "1.0.8802",
    ]
    .map(Oid::of)
    .to_vec()
});

/// Columns with hardware addresses of the device.
pub(super) static HARDWARE: LazyLock<Vec<Oid>> = LazyLock::new(|| vec![Oid::of("1.3.6.1.2.1.2.2.1.6")]);

/// Fewer letters than these are too common in other texts to be replaced there.
pub(super) const SHORTEST: usize = 5;

/// Places of mail addresses.
pub(super) fn mail_addresses(text: &str) -> Vec<Range<usize>> {
    let part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | '+');
    let found = text.match_indices('@').filter_map(|(at, _)| {
        let before: usize = text[..at].chars().rev().take_while(|each| part(*each)).map(char::len_utf8).sum();
        let after: usize = text[at + 1..].chars().take_while(|each| part(*each)).map(char::len_utf8).sum();
        (before > 0 && text[at + 1..at + 1 + after].contains('.')).then_some(at - before..at + 1 + after)
    });
    found.collect()
}

/// Places of telephone numbers: ten digits or more in groups, or behind a plus sign.
pub(super) fn telephone_numbers(text: &str) -> Vec<Range<usize>> {
    let part = |letter: char| letter.is_ascii_digit() || matches!(letter, ' ' | '+' | '-' | '(' | ')');
    runs(text, part)
        .filter_map(|mut run| {
            // A bracket that closes what was opened before the run ends something else: `(CLX-3170) 02-05-2010`.
            let close = text[run.clone()].find(')').filter(|close| !text[run.start..run.start + close].contains('('));
            run.start += close.map_or(0, |close| close + 1);
            let words = &text[run.clone()];
            let trimmed = words.trim_start_matches([' ', '-']).trim_end_matches([' ', '-', '(']);
            let digits = trimmed.bytes().filter(u8::is_ascii_digit).count();
            let groups =
                trimmed.split(|letter: char| !letter.is_ascii_digit()).filter(|group| !group.is_empty()).count();
            let number = digits >= 10 && groups >= 3 || digits >= 8 && trimmed.starts_with('+');
            let start = run.start + (words.len() - words.trim_start_matches([' ', '-']).len());
            (number && digits <= 15 && !holds_a_date(trimmed)).then(|| start..start + trimmed.len())
        })
        .collect()
}

/// `08-27-2016` or `2016-08-27`.
fn holds_a_date(text: &str) -> bool {
    text.split([' ', '(', ')']).any(|word| {
        let lengths: Vec<usize> = word.split('-').map(str::len).collect();
        matches!(lengths[..], [2, 2, 4] | [4, 2, 2])
    })
}

/// Places of IPv4 addresses. Versions look like them, so that only those of private networks count, and those that
/// the device told as addresses elsewhere.
pub(super) fn addresses(text: &str, told: &[[u8; 4]]) -> Vec<(Range<usize>, [u8; 4])> {
    let found = runs(text, |letter| letter.is_ascii_digit() || letter == '.').filter_map(|run| {
        let word = &text[run.clone()];
        let start = run.start + (word.len() - word.trim_start_matches('.').len());
        let word = word.trim_matches('.');
        let octets = word.parse::<std::net::Ipv4Addr>().ok()?.octets();
        let private =
            matches!(octets, [10, ..] | [192, 168, ..] | [169, 254, ..]) || octets[0] == 172 && octets[1] & 0xf0 == 16;
        (private || told.contains(&octets)).then_some((start..start + word.len(), octets))
    });
    found.collect()
}

/// Places of IPv6 addresses, which often hold a hardware address.
pub(super) fn long_addresses(text: &str) -> Vec<Range<usize>> {
    let part = |letter: char| letter.is_ascii_hexdigit() || letter == ':';
    let address = |run: &Range<usize>| {
        let word = &text[run.clone()];
        word.parse::<std::net::Ipv6Addr>().is_ok_and(|address| !address.is_loopback() && !address.is_unspecified())
    };
    runs(text, part).filter(address).collect()
}

fn runs<'t>(text: &'t str, part: impl Fn(char) -> bool + 't) -> impl Iterator<Item = Range<usize>> + 't {
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + text.get(from..)?.find(&part)?;
        let length: usize = text[start..].chars().take_while(|letter| part(*letter)).map(char::len_utf8).sum();
        from = start + length;
        Some(start..from)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str, places: Vec<Range<usize>>) -> Vec<&str> {
        places.into_iter().map(|place| &text[place]).collect()
    }

    #[test]
    fn patterns_that_give_people_away() {
        let text = "ask ann.lee@example.com, +49 30 1234567 or 1-847-634-6700 (built 02-10-2010)";
        assert_eq!(words(text, mail_addresses(text)), ["ann.lee@example.com"]);
        assert_eq!(words(text, telephone_numbers(text)), ["+49 30 1234567", "1-847-634-6700"]);
        assert_eq!(words("", telephone_numbers("Rev.00.69 10/100/1000BASE")), [""; 0]);
        assert_eq!(words("", telephone_numbers("V4.01.20(CLX-3170) 02-05-2010")), [""; 0]);
        assert_eq!(words("", telephone_numbers("Engine V1.00.06 08-27-2016")), [""; 0]);
        assert_eq!(words("5.5.2019 12:30", telephone_numbers("5.5.2019 12:30")), [""; 0]);
        assert_eq!(words("", mail_addresses("a@b")), [""; 0]);
    }

    #[test]
    fn versions_are_no_addresses() {
        let found =
            |text: &str| addresses(text, &[[8, 8, 8, 8]]).into_iter().map(|(_, octets)| octets).collect::<Vec<_>>();
        assert_eq!(found("TCP * 10.180.150.20 * 9100"), [[10, 180, 150, 20]]);
        assert_eq!(found("DNS 8.8.8.8."), [[8, 8, 8, 8]]);
        assert_eq!(found("V1.00.01.64 61.17.17.3 100.002.057.09608"), [[0; 4]; 0]);
        let text = "fe80::226:73ff:feaa:bbcc at 12:30:59";
        assert_eq!(words(text, long_addresses(text)), ["fe80::226:73ff:feaa:bbcc"]);
    }
}
