//! Stand-ins: other values of the same shape. The same value gets the same stand-in everywhere in a recording.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Makes stand-ins by a seed. Who does not know the seed cannot tell what stood there.
#[derive(Debug)]
pub(super) struct StandIns {
    seed: u64,
    addresses: BTreeMap<[u8; 4], [u8; 4]>,
}

impl StandIns {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, addresses: BTreeMap::new() }
    }

    /// Letters for letters and digits for digits; everything else stays.
    pub(super) fn text(&self, text: &str) -> String {
        let mut dice = Dice::of(self.seed, text.as_bytes());
        let letter = |letter: char, dice: &mut Dice| match letter {
            '0'..='9' => char::from(b'0' + dice.below(10)),
            'a'..='z' => char::from(b'a' + dice.below(26)),
            'A'..='Z' => char::from(b'A' + dice.below(26)),
            other if other.is_alphabetic() => char::from(b'a' + dice.below(26)),
            other => other,
        };
        let mut made: String = text.chars().map(|each| letter(each, &mut dice)).collect();
        // Filling is no serial number, and a stand-in is never what it stands for.
        while made == text || made.chars().all(|each| !each.is_alphanumeric() || each == '0') {
            if !text.chars().any(char::is_alphanumeric) {
                break;
            }
            made = text.chars().map(|each| letter(each, &mut dice)).collect();
        }
        made
    }

    /// The maker's half of a hardware address stays, the device's half changes.
    pub(super) fn mac(&self, mac: [u8; 6]) -> [u8; 6] {
        let mut dice = Dice::of(self.seed, &mac);
        let [a, b, c, ..] = mac;
        [a, b, c, dice.byte(), dice.byte(), dice.byte() | 1]
    }

    /// An address of the networks that RFC 5737 keeps for examples; masks, loopback and groups stay.
    pub(super) fn address(&mut self, octets: [u8; 4]) -> [u8; 4] {
        if !tells_a_place(octets) {
            return octets;
        }
        if let Some(known) = self.addresses.get(&octets) {
            return *known;
        }
        const NETWORKS: [[u8; 3]; 3] = [[192, 0, 2], [198, 51, 100], [203, 0, 113]];
        let mut dice = Dice::of(self.seed, &octets);
        let mut made = octets;
        for _ in 0..1_000 {
            let [a, b, c] = NETWORKS[usize::from(dice.below(3))];
            made = [a, b, c, 1 + dice.below(254)];
            if !self.addresses.values().any(|taken| *taken == made) {
                break;
            }
        }
        self.addresses.insert(octets, made);
        made
    }
}

/// Whether an address says where something is.
pub(super) fn tells_a_place(octets: [u8; 4]) -> bool {
    let address = Ipv4Addr::from(octets);
    let number = u32::from_be_bytes(octets);
    let mask = (!number).wrapping_add(1).is_power_of_two() && octets[0] == 255;
    !(address.is_loopback() || address.is_multicast() || address.is_unspecified() || octets[0] == 255 || mask)
}

/// Numbers that follow from a seed and a text (splitmix64 over FNV-1a).
struct Dice(u64);

impl Dice {
    fn of(seed: u64, text: &[u8]) -> Self {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        Self(text.iter().fold(0xcbf2_9ce4_8422_2325 ^ seed.rotate_left(29), step) ^ seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    fn below(&mut self, limit: u8) -> u8 {
        (self.next() % u64::from(limit)).to_be_bytes()[7]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stand_ins_have_the_shape_of_what_they_stand_for() {
        let stand_ins = StandIns::new(7);
        let made = stand_ins.text("W492KB03-7q");
        assert_eq!(made.len(), 11);
        for (was, is) in "W492KB03-7q".chars().zip(made.chars()) {
            assert_eq!(was.is_ascii_digit(), is.is_ascii_digit(), "{made}");
            assert_eq!(was.is_ascii_uppercase(), is.is_ascii_uppercase(), "{made}");
        }
        assert_ne!(made, "W492KB03-7q");
        assert_eq!(made, StandIns::new(7).text("W492KB03-7q"), "one seed, one stand-in");
        assert_ne!(made, StandIns::new(8).text("W492KB03-7q"));
        assert_eq!(stand_ins.text("--"), "--");
        assert_eq!(stand_ins.mac([0, 0x26, 0x73, 1, 2, 3])[..3], [0, 0x26, 0x73]);
    }

    #[test]
    fn addresses_become_examples_and_masks_stay() {
        let mut stand_ins = StandIns::new(7);
        let made = stand_ins.address([10, 4, 0, 21]);
        assert!(matches!(made, [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _]), "{made:?}");
        assert_eq!(stand_ins.address([10, 4, 0, 21]), made);
        assert_ne!(stand_ins.address([10, 4, 0, 22]), made);
        for same in [[255, 255, 255, 0], [127, 0, 0, 1], [0, 0, 0, 0], [224, 0, 0, 251]] {
            assert_eq!(stand_ins.address(same), same);
        }
    }
}
