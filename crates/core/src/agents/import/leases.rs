//! Lease files that are no tables: ISC dhcpd and dnsmasq. The last word about an address counts.

use wire::places::Mac;

use super::{Facts, Sink};

/// A lease or a reservation of ISC that is being read.
struct Block<'t> {
    line: usize,
    address: Option<&'t str>,
    label: Option<&'t str>,
    mac: Option<Mac>,
    ended: bool,
}

/// `dhcpd.leases`: `lease ADDRESS { … }`; `dhcpd6.leases`: `ia-na "CLIENT" { iaaddr ADDRESS { … } }`; and reservations
/// (`host NAME { … fixed-address ADDRESS; }`) of `dhcpd.conf`.
pub(super) fn isc(text: &str, sink: &mut Sink) {
    let mut open: Option<Block<'_>> = None;
    // The card of the client whose addresses follow (IPv6).
    let mut card = None;
    for (line, words) in (1..).zip(text.lines().map(str::trim)) {
        if words.is_empty() || words.starts_with('#') {
            continue;
        }
        if let Some(client) = words.strip_prefix("ia-na ").and_then(|client| client.strip_suffix('{')) {
            card = card_of(client.trim());
        } else if let Some(mut block) = begin(line, words) {
            if words.starts_with("iaaddr ") {
                block.mac = card;
            }
            if let Some(before) = open.replace(block) {
                sink.fault(before.line, "", "this lease has no end; the file may be cut short");
            }
        } else if words == "}" {
            if let Some(block) = open.take() {
                close(&block, sink);
            }
        } else if let Some(block) = &mut open {
            statement(block, words.trim_end_matches(';'));
        }
    }
    if let Some(block) = open {
        sink.fault(block.line, "", "the file ends inside this lease; copy it whole");
    }
}

fn begin(line: usize, words: &str) -> Option<Block<'_>> {
    let head = words.strip_suffix('{')?.trim();
    let (kind, name) = head.split_once(' ')?;
    let name = name.trim();
    let block = Block { line, address: None, label: None, mac: None, ended: false };
    match kind {
        "lease" | "iaaddr" => Some(Block { address: Some(name), ..block }),
        "host" => Some(Block { label: Some(name), ..block }),
        _ => None,
    }
}

/// The card in a client's identifier: four octets of its own, then a DUID of a link-layer address (RFC 8415, 11.2 and
/// 11.4). It stands in quotes, with octal numbers for what is no letter.
fn card_of(client: &str) -> Option<Mac> {
    let mut letters = client.strip_prefix('"')?.strip_suffix('"')?.bytes().peekable();
    let mut octets = Vec::new();
    while let Some(letter) = letters.next() {
        if letter != b'\\' {
            octets.push(letter);
            continue;
        }
        let digits: Vec<u8> =
            std::iter::from_fn(|| letters.next_if(|digit| (b'0'..=b'7').contains(digit))).take(3).collect();
        match digits[..] {
            [] => octets.push(letters.next()?),
            _ => octets.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 8).ok()?),
        }
    }
    let card = match octets.get(4..)? {
        [0, 1, 0, 1, _, _, _, _, card @ ..] | [0, 3, 0, 1, card @ ..] => card,
        _ => return None,
    };
    let [a, b, c, d, e, f] = card else { return None };
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}").parse().ok()
}

fn statement<'t>(block: &mut Block<'t>, words: &'t str) {
    if let Some(mac) = words.strip_prefix("hardware ethernet ") {
        block.mac = mac.parse().ok();
    } else if let Some(name) = words.strip_prefix("client-hostname ") {
        block.label = Some(name.trim_matches('"'));
    } else if let Some(address) = words.strip_prefix("fixed-address ").or_else(|| words.strip_prefix("fixed-address6 "))
    {
        block.address = Some(address);
    } else if let Some(state) = words.strip_prefix("binding state ") {
        block.ended = state != "active";
    }
}

fn close(block: &Block<'_>, sink: &mut Sink) {
    match block.address {
        Some(address) if block.ended => {
            sink.forget(address);
            sink.pass_over();
        }
        Some(address) => {
            let facts = Facts { mac: block.mac, label: block.label, ..Facts::default() };
            sink.take(block.line, address, &facts);
        }
        None => sink.pass_over(),
    }
}

/// `dnsmasq.leases`: time, card, address, name, client. The part behind a line `duid` is IPv6, without cards.
pub(super) fn dnsmasq(text: &str, sink: &mut Sink) {
    let mut is_v6 = false;
    for (line, words) in (1..).zip(text.lines().map(str::trim)) {
        if words.is_empty() {
            continue;
        }
        if words.starts_with("duid ") {
            is_v6 = true;
            continue;
        }
        let fields: Vec<&str> = words.split_whitespace().collect();
        let [_, card, address, name, ..] = fields[..] else {
            sink.fault(line, words, "a lease has five parts: time, MAC address, address, name, client");
            continue;
        };
        // A kind of network other than Ethernet stands before the address of the card.
        let card = card.rsplit_once('-').map_or(card, |(_, card)| card);
        let mac = if is_v6 { None } else { card.parse().ok() };
        let label = Some(name).filter(|name| *name != "*");
        sink.take(line, address, &Facts { mac, label, ..Facts::default() });
    }
}
