//! Ranges of addresses as people write them.

use std::net::Ipv4Addr;
use std::str::FromStr;

/// Addresses from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4Range {
    /// First address.
    pub first: Ipv4Addr,
    /// Last address.
    pub last: Ipv4Addr,
}

/// A text that is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no range; give 10.4.0.21, 10.4.0.0/20 or 10.4.0.1-10.4.0.99")]
pub struct ParseRangeError(String);

impl FromStr for Ipv4Range {
    type Err = ParseRangeError;

    /// One address, a network (of /30 and larger without its own and its broadcast address), or first-last.
    fn from_str(text: &str) -> Result<Self, ParseRangeError> {
        let wrong = || ParseRangeError(text.to_owned());
        let address = |text: &str| text.trim().parse::<Ipv4Addr>().map_err(|_| wrong());
        let range = if let Some((network, bits)) = text.split_once('/') {
            Self::network(address(network)?, bits.trim().parse().map_err(|_| wrong())?).ok_or_else(wrong)?
        } else if let Some((first, last)) = text.split_once('-') {
            Self { first: address(first)?, last: address(last)? }
        } else {
            let one = address(text)?;
            Self { first: one, last: one }
        };
        if range.first <= range.last { Ok(range) } else { Err(wrong()) }
    }
}

impl Ipv4Range {
    fn network(address: Ipv4Addr, bits: u32) -> Option<Self> {
        let mask = match bits {
            0 => 0,
            1..=32 => u32::MAX << (32 - bits),
            _ => return None,
        };
        let (first, last) = (address.to_bits() & mask, address.to_bits() | !mask);
        let (first, last) = if bits <= 30 { (first + 1, last - 1) } else { (first, last) };
        Some(Self { first: Ipv4Addr::from_bits(first), last: Ipv4Addr::from_bits(last) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_people_write_it() {
        let read =
            |text: &str| text.parse::<Ipv4Range>().map(|range| (range.first.to_string(), range.last.to_string()));
        let pair = |first: &str, last: &str| Ok((first.to_owned(), last.to_owned()));
        assert_eq!(read("10.4.0.21"), pair("10.4.0.21", "10.4.0.21"));
        assert_eq!(read("10.4.0.0/30"), pair("10.4.0.1", "10.4.0.2"));
        assert_eq!(read("10.4.0.7/31"), pair("10.4.0.6", "10.4.0.7"));
        assert_eq!(read("10.4.0.1 - 10.4.0.9"), pair("10.4.0.1", "10.4.0.9"));
        for wrong in ["10.0.0.0/33", "10.0.0.9-10.0.0.1", "printers", "10.0.0", ""] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
