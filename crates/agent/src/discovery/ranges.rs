//! The addresses of a discovery: ranges of the plan merged, without doubles and exclusions, cut in parts that a killed
//! agent can go on from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use snmp::sweep::Ipv4Range;
use wire::places::{self, Exclusions};

/// UDP port of SNMP when a range names none.
pub(crate) const SNMP_PORT: u16 = 161;
/// Most addresses of a part: at the usual pace two minutes.
const PART: u64 = 16_384;

/// Addresses `first..=last` at one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) port: u16,
    pub(crate) first: u32,
    pub(crate) last: u32,
}

impl Span {
    /// How many addresses it holds.
    pub(crate) fn size(self) -> u64 {
        u64::from(self.last - self.first) + 1
    }

    /// One address.
    pub(crate) fn one(address: Ipv4Addr, port: u16) -> Self {
        Self { port, first: address.to_bits(), last: address.to_bits() }
    }

    pub(crate) fn range(self) -> Ipv4Range {
        Ipv4Range { first: Ipv4Addr::from_bits(self.first), last: Ipv4Addr::from_bits(self.last) }
    }
}

/// The ranges of a plan as they are read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges {
    /// IPv4, merged and in order.
    pub(crate) spans: Vec<Span>,
    /// IPv6 addresses, which are asked one by one.
    pub(crate) singles: Vec<SocketAddr>,
    /// Texts that nobody can read, and IPv6 networks, which nobody can ask.
    pub(crate) unreadable: Vec<String>,
}

/// Reads the ranges of a plan. Networks of /30 and larger leave out their own and the broadcast address.
pub(crate) fn read(texts: &[String]) -> Ranges {
    let mut ranges = Ranges::default();
    for text in texts {
        let Ok(span) = text.parse::<places::Span>().map(places::Span::hosts) else {
            ranges.unreadable.push(text.clone());
            continue;
        };
        let port = span.port.unwrap_or(SNMP_PORT);
        match (span.first, span.last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                ranges.spans.push(Span { port, first: first.to_bits(), last: last.to_bits() });
            }
            (first, _) if span.size() == 1 => ranges.singles.push(SocketAddr::new(first, port)),
            _ => ranges.unreadable.push(text.clone()),
        }
    }
    ranges.spans = merge(ranges.spans);
    ranges
}

/// Spans in parts of one port and bounded size, in a order that depends on nothing but the spans.
pub(crate) fn parts(spans: &[Span]) -> Vec<Vec<Span>> {
    let mut parts: Vec<Vec<Span>> = Vec::new();
    let mut room = 0;
    for span in spans {
        let mut rest = Some(*span);
        while let Some(span) = rest {
            let fits = parts.last().is_some_and(|part| room > 0 && part[0].port == span.port);
            if !fits {
                parts.push(Vec::new());
                room = PART;
            }
            let size = span.size().min(room);
            // A part is far smaller than 2^32.
            let last = span.first + (size - 1) as u32;
            if let Some(part) = parts.last_mut() {
                part.push(Span { last, ..span });
            }
            room -= size;
            rest = (last < span.last).then(|| Span { first: last + 1, ..span });
        }
    }
    parts
}

/// What is left of spans without what is excluded, without single places that were asked already, and without addresses
/// of excluded cards.
pub(crate) fn without(spans: &[Span], excluded: &Exclusions, asked: &[SocketAddr], shunned: &[IpAddr]) -> Vec<Span> {
    let v4 = |address: IpAddr| if let IpAddr::V4(v4) = address { Some(v4.to_bits()) } else { None };
    let bans = excluded.spans().iter().filter_map(|ban| Some((v4(ban.first)?, v4(ban.last)?, ban.port)));
    let asked = asked.iter().filter_map(|at| v4(at.ip()).map(|bits| (bits, bits, Some(at.port()))));
    let shunned = shunned.iter().filter_map(|at| v4(*at).map(|bits| (bits, bits, None)));
    let bans: Vec<(u32, u32, Option<u16>)> = bans.chain(asked).chain(shunned).collect();
    let cut = |span: &Span| {
        let hits = |(first, last, port): &&(u32, u32, Option<u16>)| {
            port.is_none_or(|port| port == span.port) && *first <= span.last && *last >= span.first
        };
        let mut cuts: Vec<(u32, u32)> = bans.iter().filter(hits).map(|(first, last, _)| (*first, *last)).collect();
        cuts.sort_unstable();
        holes(*span, &cuts)
    };
    spans.iter().flat_map(cut).collect()
}

pub(crate) fn merge(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::new();
    for span in spans {
        match merged.last_mut() {
            Some(last) if last.port == span.port && u64::from(span.first) <= u64::from(last.last) + 1 => {
                last.last = last.last.max(span.last);
            }
            _ => merged.push(span),
        }
    }
    merged
}

fn holes(span: Span, cuts: &[(u32, u32)]) -> Vec<Span> {
    let mut left = Vec::new();
    let mut next = Some(span.first);
    for (first, last) in cuts {
        let Some(from) = next else { break };
        if *last < from || *first > span.last {
            continue;
        }
        if *first > from {
            left.push(Span { first: from, last: first - 1, ..span });
        }
        next = last.checked_add(1).filter(|n| *n <= span.last);
    }
    if let Some(first) = next {
        left.push(Span { first, ..span });
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn told(spans: &[Span]) -> Vec<String> {
        let text = |bits| Ipv4Addr::from_bits(bits);
        spans.iter().map(|s| format!("{}-{}:{}", text(s.first), text(s.last), s.port)).collect()
    }

    fn of(ranges: &[&str], exclude: &[&str]) -> Vec<String> {
        let excluded = own(exclude);
        told(&without(&read(&own(ranges)).spans, &Exclusions::read(&excluded).0, &[], &[]))
    }

    #[test]
    fn networks_leave_out_their_two_special_addresses() {
        assert_eq!(of(&["10.0.0.7/24"], &[]), ["10.0.0.1-10.0.0.254:161"]);
        assert_eq!(of(&["10.0.0.4/32:1161"], &[]), ["10.0.0.4-10.0.0.4:1161"]);
        assert_eq!(of(&["0.0.0.0/0"], &[]), ["0.0.0.1-255.255.255.254:161"]);
    }

    #[test]
    fn overlapping_ranges_are_asked_once() {
        let ranges = ["10.0.0.1-10.0.0.9", "10.0.0.5-10.0.0.20", "10.0.0.21"];
        assert_eq!(of(&ranges, &[]), ["10.0.0.1-10.0.0.21:161"]);
        assert_eq!(of(&["10.0.0.1", "10.0.0.1:162"], &[]).len(), 2);
    }

    #[test]
    fn exclusions_cut_holes_at_their_port_or_at_all() {
        assert_eq!(
            of(&["10.0.0.0/24"], &["10.0.0.1", "10.0.0.10-10.0.0.19", "10.0.0.254"]),
            ["10.0.0.2-10.0.0.9:161", "10.0.0.20-10.0.0.253:161"]
        );
        assert_eq!(of(&["10.0.0.1-10.0.0.3:1161"], &["10.0.0.2:161"]).len(), 1);
        assert_eq!(of(&["10.0.0.1-10.0.0.3:1161"], &["10.0.0.0/8"]).len(), 0);
        assert_eq!(of(&["255.255.255.255"], &["255.255.255.255"]).len(), 0);
        assert_eq!(of(&["10.0.0.1"], &["2001:db8::/32", "00:26:73"]).len(), 1);
        let asked = ["10.0.0.2:161", "10.0.0.3:1161", "[::1]:161"].map(|at| at.parse().unwrap());
        let left = without(
            &read(&own(&["10.0.0.1-10.0.0.3"])).spans,
            &Exclusions::default(),
            &asked,
            &["10.0.0.9".parse().unwrap()],
        );
        assert_eq!(told(&left), ["10.0.0.1-10.0.0.1:161", "10.0.0.3-10.0.0.3:161"]);
    }

    #[test]
    fn unreadable_ranges_are_told_and_the_rest_goes_on() {
        let texts = [
            "10.0.0.9-10.0.0.1",
            "printer.local",
            "10.0.0.1:0",
            "10.0.0.0/33",
            "10.0.0.1",
            "2001:db8::/64",
            "2001:db8::7",
        ];
        let ranges = read(&own(&texts));
        assert_eq!((ranges.spans.len(), ranges.unreadable.len()), (1, 5));
        assert_eq!(ranges.singles, ["[2001:db8::7]:161".parse().unwrap()]);
    }

    #[test]
    fn parts_are_bounded_and_together_the_whole() {
        let spans = read(&own(&["10.0.0.0-10.0.255.255", "10.2.0.1", "10.3.0.0/24:1161"])).spans;
        let parts = parts(&spans);
        let sizes: Vec<u64> = parts.iter().map(|part| part.iter().map(|span| span.size()).sum()).collect();
        assert_eq!(sizes, [16_384, 16_384, 16_384, 16_384, 1, 254]);
        assert!(parts.iter().all(|part| part.iter().all(|span| span.port == part[0].port)));
        assert_eq!(merge(parts.concat()), spans);
    }
}
