//! The addresses of a sweep: ranges as people write them, merged, and visited in an order that spreads the packets
//! over all subnets.

use std::fmt;
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

/// A text that names no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no addresses: write 10.0.0.7, 10.0.0.0/24 or 10.0.0.1-10.0.0.99")]
pub struct ParseRangeError(String);

impl FromStr for Ipv4Range {
    type Err = ParseRangeError;

    fn from_str(text: &str) -> Result<Self, ParseRangeError> {
        let wrong = || ParseRangeError(text.chars().take(100).collect());
        let address = |part: &str| part.trim().parse::<Ipv4Addr>().map_err(|_| wrong());
        if let Some((first, last)) = text.split_once('-') {
            let range = Self { first: address(first)?, last: address(last)? };
            return if range.first <= range.last { Ok(range) } else { Err(wrong()) };
        }
        if let Some((network, bits)) = text.split_once('/') {
            let (network, bits) = (u32::from(address(network)?), bits.trim().parse::<u32>().map_err(|_| wrong())?);
            let mask = u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0);
            let first = network & mask;
            return if bits <= 32 {
                Ok(Self { first: first.into(), last: (first | !mask).into() })
            } else {
                Err(wrong())
            };
        }
        address(text).map(|only| Self { first: only, last: only })
    }
}

impl fmt::Display for Ipv4Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

/// Disjoint ranges in order; each address has an index.
#[derive(Debug)]
pub(super) struct Addresses {
    /// First address, last address, index of the first.
    ranges: Vec<(u32, u32, u64)>,
    len: u64,
}

impl Addresses {
    pub(super) fn new(targets: &[Ipv4Range], exclude: &[Ipv4Range]) -> Self {
        let mut wanted: Vec<(u64, u64)> = targets.iter().map(bounds).collect();
        let mut banned: Vec<(u64, u64)> = exclude.iter().map(bounds).collect();
        wanted.sort_unstable();
        banned.sort_unstable();
        let (mut ranges, mut len, mut next) = (Vec::new(), 0, 0);
        for (first, last) in wanted {
            let mut from = first.max(next);
            for (ban_from, ban_to) in banned.iter().copied() {
                if ban_to < from || ban_from > last {
                    continue;
                }
                push(&mut ranges, &mut len, from, ban_from.min(last + 1));
                from = from.max(ban_to + 1);
            }
            push(&mut ranges, &mut len, from, last + 1);
            next = next.max(last + 1);
        }
        Self { ranges, len }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The address with this index.
    pub(super) fn get(&self, index: u64) -> Ipv4Addr {
        let place = self.ranges.partition_point(|range| range.2 <= index).saturating_sub(1);
        let (first, _, start) = self.ranges[place];
        Ipv4Addr::from(first + (index - start) as u32)
    }

    /// The index of an address, if it is one of ours.
    pub(super) fn index(&self, address: Ipv4Addr) -> Option<u64> {
        let address = u32::from(address);
        let place = self.ranges.partition_point(|range| range.0 <= address).checked_sub(1)?;
        let (first, last, start) = self.ranges[place];
        (address <= last).then(|| start + u64::from(address - first))
    }

    /// All indices once, neighbours far apart.
    pub(super) fn shuffled(&self) -> impl Iterator<Item = u64> + use<> {
        let len = self.len;
        // Near the golden section no short cycle brings neighbours together.
        let mut step = (len as f64 * 0.618_033_988_75) as u64 | 1;
        while len > 1 && gcd(step, len) != 1 {
            step += 2;
        }
        (0..len).map(move |place| (u128::from(place) * u128::from(step) % u128::from(len)) as u64)
    }
}

fn bounds(range: &Ipv4Range) -> (u64, u64) {
    (u64::from(u32::from(range.first)), u64::from(u32::from(range.last)))
}

/// Adds addresses from `from` up to, not including, `to`.
fn push(ranges: &mut Vec<(u32, u32, u64)>, len: &mut u64, from: u64, to: u64) {
    if from < to {
        ranges.push((from as u32, (to - 1) as u32, *len));
        *len += to - from;
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// One bit an address.
#[derive(Debug)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    pub(super) fn new(len: u64) -> Self {
        Self(vec![0; len.div_ceil(64) as usize])
    }

    pub(super) fn get(&self, index: u64) -> bool {
        self.0[(index / 64) as usize] & 1 << (index % 64) != 0
    }

    /// Sets a bit; false if it was set before.
    pub(super) fn set(&mut self, index: u64) -> bool {
        let word = &mut self.0[(index / 64) as usize];
        let before = *word;
        *word |= 1 << (index % 64);
        *word != before
    }

    /// Bits set. Counted when asked for: rustc 1.95 with optimisation drops a count kept in [`Bits::set`].
    pub(super) fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn ranges(texts: &[&str]) -> Vec<Ipv4Range> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn ranges_are_read_as_people_write_them() {
        let shown: Vec<String> = ranges(&["10.0.0.7", "10.0.0.9/24", "10.0.0.1 - 10.0.0.3", "0.0.0.0/0", "1.2.3.4/32"])
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            shown,
            ["10.0.0.7", "10.0.0.0-10.0.0.255", "10.0.0.1-10.0.0.3", "0.0.0.0-255.255.255.255", "1.2.3.4"]
        );
        for text in ["", "10.0.0", "10.0.0.0/33", "10.0.0.9-10.0.0.1", "printer", "10.0.0.0/-1"] {
            assert!(text.parse::<Ipv4Range>().is_err(), "{text}");
        }
    }

    #[test]
    fn overlaps_are_visited_once_and_exclusions_never() {
        let targets = ranges(&["10.0.0.0/29", "10.0.0.4-10.0.0.11", "10.0.0.6", "10.1.0.0-10.1.0.2"]);
        let exclude = ranges(&["10.0.0.2-10.0.0.3", "10.0.0.9", "10.1.0.2/31"]);
        let addresses = Addresses::new(&targets, &exclude);
        let visited: Vec<Ipv4Addr> = addresses.shuffled().map(|index| addresses.get(index)).collect();
        let unique: BTreeSet<Ipv4Addr> = visited.iter().copied().collect();
        assert_eq!(visited.len(), unique.len());
        let expected: BTreeSet<Ipv4Addr> = [0, 1, 4, 5, 6, 7, 8, 10, 11]
            .map(|last| Ipv4Addr::new(10, 0, 0, last))
            .into_iter()
            .chain([0, 1].map(|last| Ipv4Addr::new(10, 1, 0, last)))
            .collect();
        assert_eq!(unique, expected);
        assert!(visited.iter().all(|address| addresses.get(addresses.index(*address).unwrap()) == *address));
        assert_eq!(addresses.index(Ipv4Addr::new(10, 0, 0, 9)), None);
        assert_eq!(addresses.index(Ipv4Addr::new(9, 0, 0, 9)), None);
    }

    #[test]
    fn bits_are_counted_once() {
        let mut bits = Bits::new(200);
        let fresh: Vec<bool> = [1, 5, 9, 5, 199, 64, 1].into_iter().map(|index| bits.set(index)).collect();
        assert_eq!(fresh, [true, true, true, false, true, true, false]);
        assert_eq!((bits.count(), bits.get(199), bits.get(198)), (5, true, false));
    }

    #[test]
    fn neighbours_are_not_asked_in_a_row() {
        let addresses = Addresses::new(&ranges(&["10.0.0.0/16"]), &[]);
        let order: Vec<u64> = addresses.shuffled().collect();
        assert!(order.windows(2).all(|pair| pair[0].abs_diff(pair[1]) > 256));
        assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), 65_536);
    }
}
