//! Tables of neighbours, one line each with an address and a network card, in whatever order a program prints them.

use std::net::IpAddr;

use wire::places::Mac;

use super::{Facts, Sink};

/// What a line says.
pub(super) struct Parts<'t> {
    address: IpAddr,
    text: &'t str,
    pub(super) mac: Option<Mac>,
    label: Option<&'t str>,
}

/// Reads a table; lines without a card are headings, or neighbours that were called and did not answer.
pub(super) fn read(text: &str, sink: &mut Sink) {
    for (line, words) in (1..).zip(text.lines()) {
        if words.trim().is_empty() {
            continue;
        }
        match parts(words) {
            Some(parts) => take(line, &parts, sink),
            None if looks_like_address(words) => {
                sink.fault(line, words.trim(), "the line has no whole address; copy the table again");
            }
            None => {}
        }
    }
}

fn take(line: usize, parts: &Parts<'_>, sink: &mut Sink) {
    let is_group = parts.address.is_multicast() || parts.text == "255.255.255.255";
    // On its link alone such a neighbour can be asked, and it has another address beside.
    let is_local = matches!(parts.address, IpAddr::V6(address) if address.is_unicast_link_local());
    match parts.mac.filter(|mac| mac.is_one_card() && !is_group && !is_local) {
        Some(mac) => sink.take(
            line,
            &parts.address.to_string(),
            &Facts { mac: Some(mac), label: parts.label, ..Facts::default() },
        ),
        None => sink.pass_over(),
    }
}

/// Address, card and name of a line; `None` without an address.
pub(super) fn parts(line: &str) -> Option<Parts<'_>> {
    let words: Vec<&str> = line.split_whitespace().map(|word| word.trim_matches(['(', ')', ','])).collect();
    let address_of = |word: &&str| word.split('%').next().and_then(|word| word.parse::<IpAddr>().ok());
    let at = words.iter().position(|word| address_of(word).is_some())?;
    let card = |word: &&str| word.contains([':', '-', '.']).then(|| word.parse().ok()).flatten();
    // `printer.example.org (10.0.0.5) at …`
    let is_number = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit());
    let label = (at == 1).then(|| words[0]).filter(|word| *word != "?" && !is_number(word));
    Some(Parts { address: address_of(&words[at])?, text: words[at], mac: words[at + 1..].iter().find_map(card), label })
}

fn looks_like_address(line: &str) -> bool {
    line.split_whitespace().map(|word| word.trim_matches(['(', ')'])).any(|word| {
        word.bytes().filter(|byte| *byte == b'.').count() >= 2
            && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    })
}
