//! Address ranges of a plan: `10.0.0.0/24`, `10.0.0.1-10.0.0.99`, one address; each optionally with `:port`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// UDP port of SNMP when a range names none.
pub(crate) const SNMP_PORT: u16 = 161;

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
}

/// Reads one range of a plan. Networks of /30 and larger leave out their own and the broadcast address.
/// The flag tells whether a port was named.
fn parse(text: &str) -> Option<(Span, bool)> {
    let text = text.trim();
    let (addresses, port) = match text.rsplit_once(':') {
        Some((addresses, port)) => (addresses, Some(port.parse().ok().filter(|p| *p != 0)?)),
        None => (text, None),
    };
    let (first, last) = if let Some((network, bits)) = addresses.split_once('/') {
        network_of(network.trim().parse().ok()?, bits.trim().parse().ok()?)?
    } else if let Some((a, b)) = addresses.split_once('-') {
        (a.trim().parse::<Ipv4Addr>().ok()?.to_bits(), b.trim().parse::<Ipv4Addr>().ok()?.to_bits())
    } else {
        let one = addresses.parse::<Ipv4Addr>().ok()?.to_bits();
        (one, one)
    };
    (first <= last).then_some((Span { port: port.unwrap_or(SNMP_PORT), first, last }, port.is_some()))
}

fn network_of(address: Ipv4Addr, bits: u32) -> Option<(u32, u32)> {
    let mask = match bits {
        0 => 0,
        1..=32 => u32::MAX << (32 - bits),
        _ => return None,
    };
    let (first, last) = (address.to_bits() & mask, address.to_bits() | !mask);
    Some(if bits <= 30 { (first + 1, last - 1) } else { (first, last) })
}

/// The spans that a plan asks for, without doubles and without what it excludes; and the texts nobody can read.
/// An exclusion without a port holds for every port.
pub(crate) fn spans(ranges: &[String], exclude: &[String]) -> (Vec<Span>, Vec<String>) {
    let mut unreadable = Vec::new();
    let mut read = |texts: &[String]| {
        texts
            .iter()
            .filter_map(|text| {
                parse(text).or_else(|| {
                    unreadable.push(text.clone());
                    None
                })
            })
            .collect::<Vec<_>>()
    };
    let wanted = merge(read(ranges).into_iter().map(|(span, _)| span).collect());
    let unwanted = read(exclude);
    let spans = wanted.into_iter().flat_map(|span| {
        let mut cuts: Vec<(u32, u32)> = unwanted
            .iter()
            .filter(|(cut, named)| !named || cut.port == span.port)
            .map(|(cut, _)| (cut.first, cut.last))
            .collect();
        cuts.sort_unstable();
        without(span, &cuts)
    });
    (spans.collect(), unreadable)
}

/// Judges whether a plan forbids to ask an address. What nobody can read forbids nothing; discovery tells of it.
pub(crate) fn forbids(exclude: &[String]) -> impl Fn(SocketAddr) -> bool + use<> {
    let spans: Vec<(Span, bool)> = exclude.iter().filter_map(|text| parse(text)).collect();
    move |address| {
        let IpAddr::V4(ip) = address.ip() else { return false };
        let hits = |(span, named): &(Span, bool)| {
            (span.first..=span.last).contains(&ip.to_bits()) && (!named || span.port == address.port())
        };
        spans.iter().any(hits)
    }
}

fn merge(mut spans: Vec<Span>) -> Vec<Span> {
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

fn without(span: Span, cuts: &[(u32, u32)]) -> Vec<Span> {
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

    fn of(ranges: &[&str], exclude: &[&str]) -> Vec<(String, String, u16)> {
        let own = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        let (spans, unreadable) = spans(&own(ranges), &own(exclude));
        assert_eq!(unreadable, Vec::<String>::new());
        let text = |bits| Ipv4Addr::from_bits(bits).to_string();
        spans.into_iter().map(|s| (text(s.first), text(s.last), s.port)).collect()
    }

    fn span(first: &str, last: &str, port: u16) -> (String, String, u16) {
        (first.to_owned(), last.to_owned(), port)
    }

    #[test]
    fn networks_leave_out_their_two_special_addresses() {
        assert_eq!(of(&["10.0.0.7/24"], &[]), [span("10.0.0.1", "10.0.0.254", 161)]);
        assert_eq!(of(&["10.0.0.4/31"], &[]), [span("10.0.0.4", "10.0.0.5", 161)]);
        assert_eq!(of(&["10.0.0.4/32:1161"], &[]), [span("10.0.0.4", "10.0.0.4", 1161)]);
        assert_eq!(of(&["0.0.0.0/0"], &[]), [span("0.0.0.1", "255.255.255.254", 161)]);
    }

    #[test]
    fn overlapping_ranges_are_asked_once() {
        assert_eq!(
            of(&["10.0.0.1-10.0.0.9", "10.0.0.5-10.0.0.20", "10.0.0.21"], &[]),
            [span("10.0.0.1", "10.0.0.21", 161)]
        );
        assert_eq!(of(&["10.0.0.1", "10.0.0.1:162"], &[]).len(), 2);
    }

    #[test]
    fn exclusions_cut_holes_at_their_port_or_at_all() {
        assert_eq!(
            of(&["10.0.0.0/24"], &["10.0.0.1", "10.0.0.10-10.0.0.19", "10.0.0.254"]),
            [span("10.0.0.2", "10.0.0.9", 161), span("10.0.0.20", "10.0.0.253", 161)]
        );
        assert_eq!(of(&["10.0.0.1-10.0.0.3:1161"], &["10.0.0.2:161"]).len(), 1);
        assert_eq!(of(&["10.0.0.1-10.0.0.3:1161"], &["10.0.0.0/8"]).len(), 0);
        assert_eq!(of(&["255.255.255.255"], &["255.255.255.255"]).len(), 0);
    }

    #[test]
    fn unreadable_ranges_are_told_and_the_rest_goes_on() {
        let texts = ["10.0.0.9-10.0.0.1", "printer.local", "10.0.0.1:0", "10.0.0.0/33", "10.0.0.1"].map(str::to_owned);
        let (spans, unreadable) = spans(&texts, &[]);
        assert_eq!((spans.len(), unreadable.len()), (1, 4));
    }
    #[test]
    fn a_plan_forbids_what_it_excludes() {
        let forbidden = forbids(&["10.0.0.0/24".to_owned(), "10.0.1.1:1161".to_owned(), "?".to_owned()]);
        let asked = ["10.0.0.7:161", "10.0.1.1:1161", "10.0.1.1:161", "10.0.2.1:161", "[::1]:161"];
        assert_eq!(asked.map(|address| forbidden(address.parse().unwrap())), [true, true, false, false, false]);
    }
}
