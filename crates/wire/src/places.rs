//! Places in a network as people write them: a network, a span, one address of either family, each optionally with a
//! port; a MAC address or the first half of one. Plans hold the texts, everybody reads them here.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// A text that names no place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoPlace(String);

impl NoPlace {
    fn of(text: &str) -> Self {
        Self(text.chars().take(100).collect())
    }
}

impl fmt::Display for NoPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` names no addresses: write 10.0.0.7, 10.0.0.0/24, 10.0.0.1-10.0.0.99 or 2001:db8::7", self.0)?;
        f.write_str(", with :PORT (IPv6: [ADDRESS]:PORT) if it is not 161")
    }
}

impl std::error::Error for NoPlace {}

/// Addresses `first..=last` of one family, at one port or at any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// First address.
    pub first: IpAddr,
    /// Last address; of the same family and not before the first.
    pub last: IpAddr,
    /// UDP port; `None`: none was named.
    pub port: Option<u16>,
    /// Written as a network with its prefix.
    pub is_network: bool,
}

impl Span {
    /// How many addresses it holds.
    pub fn size(&self) -> u128 {
        number(self.last).saturating_sub(number(self.first)).saturating_add(1)
    }

    /// Whether it holds this address, at this port if it names one.
    pub fn contains(&self, address: SocketAddr) -> bool {
        self.port.is_none_or(|port| port == address.port()) && self.holds(address.ip())
    }

    /// Whether it holds this address at some port.
    pub fn holds(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && (number(self.first)..=number(self.last)).contains(&number(address))
    }

    /// The addresses worth asking: IPv4 networks of /30 and larger without their own address and the broadcast address.
    #[must_use]
    pub fn hosts(self) -> Self {
        match (self.first, self.last) {
            (IpAddr::V4(first), IpAddr::V4(last)) if self.is_network && self.size() >= 4 => Self {
                first: Ipv4Addr::from_bits(first.to_bits() + 1).into(),
                last: Ipv4Addr::from_bits(last.to_bits() - 1).into(),
                ..self
            },
            _ => self,
        }
    }
}

impl FromStr for Span {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let (addresses, port) = part_port(text.trim()).ok_or_else(|| NoPlace::of(text))?;
        span(addresses, port).ok_or_else(|| NoPlace::of(text))
    }
}

/// Address part and port of `10.0.0.0/24:161`, `[2001:db8::1]:161`, `2001:db8::1`, `printer.example.org:161`.
pub fn part_port(text: &str) -> Option<(&str, Option<u16>)> {
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port != 0);
    if let Some(rest) = text.strip_prefix('[') {
        let (inside, behind) = rest.split_once(']')?;
        return match behind.strip_prefix(':') {
            Some(number) => Some((inside, Some(port(number)?))),
            None => behind.is_empty().then_some((inside, None)),
        };
    }
    match text.split_once(':') {
        // More than one colon without brackets is IPv6 without a port.
        Some((_, rest)) if rest.contains(':') => Some((text, None)),
        Some((before, number)) => Some((before, Some(port(number.trim())?))),
        None => Some((text, None)),
    }
}

fn span(text: &str, port: Option<u16>) -> Option<Span> {
    if let Some((network, bits)) = text.split_once('/') {
        return network_of(network.trim().parse().ok()?, bits.trim().parse().ok()?, port);
    }
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (first.trim().parse().ok()?, last.trim().parse().ok()?),
        None => {
            let one: IpAddr = text.trim().parse().ok()?;
            (one, one)
        }
    };
    let fits = first.is_ipv4() == last.is_ipv4() && number(first) <= number(last);
    fits.then_some(Span { first, last, port, is_network: false })
}

fn network_of(address: IpAddr, bits: u32, port: Option<u16>) -> Option<Span> {
    let width = if address.is_ipv4() { 32 } else { 128 };
    let host_bits = width - Some(bits).filter(|bits| *bits <= width)?;
    let low = 1_u128.checked_shl(host_bits).map_or(u128::MAX, |size| size - 1);
    let (first, last) = (number(address) & !low, number(address) | low);
    let back = |number: u128| match address {
        // The number came from 32 bits and the mask keeps it there.
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from_bits(number as u32)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(number)),
    };
    Some(Span { first: back(first), last: back(last), port, is_network: true })
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// A MAC address. Reads `00:26:73:aa:bb:cc`, `00-26-73-AA-BB-CC`, `0026.73aa.bbcc`, `0:26:73:a:b:c` and twelve digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Whether one network card can have it: not empty, not broadcast, not a group.
    pub fn is_one_card(self) -> bool {
        self.0 != [0; 6] && self.0[0] & 1 == 0
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let octets = octets(text.trim()).and_then(|octets| octets.try_into().ok());
        octets.map(Self).ok_or_else(|| NoPlace::of(text))
    }
}

/// Three octets or six, with `:` or `-` between them; six also in Cisco's groups of four digits or as bare digits.
fn octets(text: &str) -> Option<Vec<u8>> {
    let is_hex = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parts: Vec<&str> = text.split([':', '-']).collect();
    if parts.len() == 3 || parts.len() == 6 {
        let octet = |part: &&str| u8::from_str_radix(part, 16).ok().filter(|_| part.len() <= 2 && is_hex(part));
        return parts.iter().map(octet).collect();
    }
    let grouped = text.split('.').all(|group| group.len() == 4) && text.len() == 14;
    let digits = if grouped { text.replace('.', "") } else { text.to_owned() };
    if digits.len() != 12 || !is_hex(&digits) {
        return None;
    }
    (0..6).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok()).collect()
}

/// What must never be asked: addresses, and cards by their MAC address or by the maker's half of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exclusions {
    spans: Vec<Span>,
    macs: Vec<Vec<u8>>,
}

impl Exclusions {
    /// Reads the texts of a plan; the second part are those that nobody can read, which forbid nothing.
    pub fn read(texts: &[String]) -> (Self, Vec<&str>) {
        let (mut read, mut unreadable) = (Self::default(), Vec::new());
        for text in texts {
            if let Some(mac) = octets(text.trim()) {
                read.macs.push(mac);
            } else if let Ok(span) = text.parse() {
                read.spans.push(span);
            } else {
                unreadable.push(text.as_str());
            }
        }
        (read, unreadable)
    }

    /// The addresses among them.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Whether a card is named among them: without one, no MAC address needs to be found out.
    pub fn names_cards(&self) -> bool {
        !self.macs.is_empty()
    }

    /// Whether this address must not be asked.
    pub fn forbid(&self, address: SocketAddr) -> bool {
        self.spans.iter().any(|span| span.contains(address))
    }

    /// Whether the device with this network card must not be asked.
    pub fn forbid_card(&self, mac: Mac) -> bool {
        self.macs.iter().any(|start| mac.0.starts_with(start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(text: &str) -> (String, String, Option<u16>) {
        let span: Span = text.parse().unwrap();
        (span.first.to_string(), span.last.to_string(), span.port)
    }

    fn told(first: &str, last: &str, port: Option<u16>) -> (String, String, Option<u16>) {
        (first.to_owned(), last.to_owned(), port)
    }

    #[test]
    fn places_are_read_as_people_write_them() {
        assert_eq!(span("10.0.0.7"), told("10.0.0.7", "10.0.0.7", None));
        assert_eq!(span(" 10.0.0.9/24:1161 "), told("10.0.0.0", "10.0.0.255", Some(1161)));
        assert_eq!(span("10.0.0.1 - 10.0.0.9"), told("10.0.0.1", "10.0.0.9", None));
        assert_eq!(span("0.0.0.0/0"), told("0.0.0.0", "255.255.255.255", None));
        assert_eq!(span("2001:db8::7"), told("2001:db8::7", "2001:db8::7", None));
        assert_eq!(span("[2001:db8::7]:1161"), told("2001:db8::7", "2001:db8::7", Some(1161)));
        assert_eq!(span("2001:db8::/126"), told("2001:db8::", "2001:db8::3", None));
        assert_eq!(span("::/0").1, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
        for wrong in [
            "",
            "10.0.0",
            "10.0.0.9-10.0.0.1",
            "10.0.0.0/33",
            "10.0.0.1:0",
            "10.0.0.1:x",
            "printer",
            "10.0.0.1-::1",
            "[::1",
            "[::1]x",
            "2001:db8::/129",
            "10.0.0.0/-1",
        ] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn networks_are_asked_without_their_two_special_addresses() {
        let hosts = |text: &str| {
            let span = text.parse::<Span>().unwrap().hosts();
            (span.first.to_string(), span.last.to_string(), span.size())
        };
        assert_eq!(hosts("10.0.0.0/24"), ("10.0.0.1".to_owned(), "10.0.0.254".to_owned(), 254));
        assert_eq!(hosts("10.0.0.4/31").2, 2);
        assert_eq!(hosts("10.0.0.4/30").2, 2);
        assert_eq!(hosts("10.0.0.0-10.0.0.255").2, 256);
        assert_eq!(hosts("2001:db8::/120").2, 256);
    }

    #[test]
    fn a_mac_address_is_read_in_every_common_form() {
        for text in ["00:26:73:aa:0b:0c", "00-26-73-AA-0B-0C", "0026.73aa.0b0c", "002673AA0B0C", "0:26:73:aa:b:c"] {
            assert_eq!(text.parse::<Mac>().unwrap().to_string(), "00:26:73:aa:0b:0c", "{text}");
        }
        for text in
            ["", "00:26:73", "00:26:73:aa:bb", "00:26:73:aa:bb:cg", "00:26:73:aa:bb:ccc", "10.0.0.1", "+0:26:73:aa:b:c"]
        {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
        let one_card = |text: &str| text.parse::<Mac>().unwrap().is_one_card();
        assert!(one_card("00:26:73:aa:bb:cc"));
        assert!(!one_card("ff:ff:ff:ff:ff:ff") && !one_card("00:00:00:00:00:00") && !one_card("01:00:5e:00:00:fb"));
    }

    #[test]
    fn exclusions_forbid_addresses_ports_networks_and_cards() {
        let texts = ["10.0.0.0/24", "10.0.1.1:1161", "2001:db8::/64", "00:26:73", "00-17-c8-01-02-03", "?"];
        let texts = texts.map(str::to_owned);
        let (read, unreadable) = Exclusions::read(&texts);
        assert_eq!(unreadable, ["?"]);
        let forbidden = |text: &str| read.forbid(text.parse().unwrap());
        assert!(forbidden("10.0.0.0:161") && forbidden("10.0.0.255:9") && forbidden("10.0.1.1:1161"));
        assert!(forbidden("[2001:db8::99]:161") && !forbidden("[2001:db8:1::99]:161"));
        assert!(!forbidden("10.0.1.1:161") && !forbidden("10.0.2.1:161"));
        let card = |text: &str| read.forbid_card(text.parse().unwrap());
        assert!(card("00:26:73:00:00:01") && card("00:17:c8:01:02:03") && !card("00:17:c8:01:02:04"));
    }
}
