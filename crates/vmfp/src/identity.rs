//! Names, places, serial numbers and hardware addresses: plausible, and the same for the same seed and place.

use crate::life::Life;
use crate::profile::Profile;
use crate::random::mix;

/// Who a device is: everything follows from these three numbers and the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub seed: u64,
    /// Number of the device in its fleet.
    pub place: u32,
    /// Times the main board was exchanged.
    pub board: u16,
    /// Which unit stands in this place; 0 is the first.
    pub unit: u16,
}

/// Places that are far apart belong to different units.
const UNITS: u32 = 100_003;

/// Coprime to 2, 3 and 5, so that stepping by it visits every serial before one repeats.
const STRIDE: u64 = 7_368_787;

const OFFICES: [&str; 16] = [
    "Reception",
    "Accounts",
    "Human Resources",
    "Sales",
    "Purchasing",
    "Legal",
    "Workshop",
    "Library",
    "Registry",
    "Planning",
    "Marketing",
    "Board Room",
    "Service Desk",
    "Payroll",
    "Archive",
    "Training",
];
const SIDES: [&str; 5] = ["", " North", " South", " East", " West"];
const BUILDINGS: [&str; 8] =
    ["Main building", "Annex", "Town hall", "North campus", "Clinic", "Warehouse", "Riverside house", "Institute"];

impl Identity {
    /// As this life has it.
    pub(crate) fn of(self, life: &Life) -> Self {
        Self { board: life.board, unit: life.unit, ..self }
    }

    /// Number of the unit, wherever it stands.
    pub(crate) fn stream(self) -> u32 {
        self.place.wrapping_add(u32::from(self.unit).wrapping_mul(UNITS))
    }

    fn word(self, salt: u64) -> u64 {
        mix(mix(self.seed ^ salt) ^ (u64::from(self.stream()) << 20))
    }

    /// Serial number by the profile's pattern.
    pub(crate) fn serial(self, profile: &Profile) -> String {
        let number = u64::from(self.stream()).wrapping_mul(STRIDE) + mix(self.seed) % (1 << 44);
        fill(&profile.identity.serial, number + u64::from(self.board) * 333_667)
    }

    /// Serial of the cartridge that sits in this slot now.
    pub(crate) fn cartridge_serial(self, slot: usize, generation: u16) -> String {
        let number = self.word(77 + slot as u64).wrapping_add(u64::from(generation) * 7_919);
        fill("?#########", number)
    }

    /// Hardware address, the vendor's prefix in front.
    pub(crate) fn mac(self, profile: &Profile) -> [u8; 6] {
        let mut mac = [0; 6];
        for (octet, text) in mac.iter_mut().zip(profile.identity.mac.split(':')) {
            *octet = u8::from_str_radix(text, 16).unwrap_or(0);
        }
        let number =
            u64::from(self.stream()).wrapping_mul(STRIDE) + mix(self.seed ^ 1) + u64::from(self.board) * 65_537;
        mac[3..].copy_from_slice(&(number as u32).to_be_bytes()[1..]);
        mac
    }

    /// sysName: what people call it.
    pub(crate) fn name(self, profile: &Profile) -> String {
        let word = self.word(2);
        let side = SIDES[(word >> 8) as usize % SIDES.len()];
        let number = 1 + (word >> 16) % 9;
        let places = &profile.life.places;
        if let Some(place) = (!places.is_empty()).then(|| &places[word as usize % places.len()]) {
            return format!("{place} {number}{side}");
        }
        match word % 5 {
            0 => format!("Ward {number}{side}"),
            1 => format!("Office {}{:02}", number, (word >> 24) % 40),
            _ => format!("{}{side}", OFFICES[(word >> 32) as usize % OFFICES.len()]),
        }
    }

    /// sysLocation: building and floor.
    pub(crate) fn location(self) -> String {
        let word = self.word(3);
        format!("{}, {}", BUILDINGS[word as usize % BUILDINGS.len()], (word >> 8) % 6)
    }

    /// Replaces the fields of a text.
    pub(crate) fn fill_in(self, profile: &Profile, text: &str) -> String {
        if !text.contains('{') {
            return text.to_owned();
        }
        let mac = self.mac(profile).map(|octet| format!("{octet:02X}"));
        text.replace("{serial}", &self.serial(profile))
            .replace("{model}", &profile.model)
            .replace("{firmware}", &profile.identity.firmware)
            .replace("{name}", &self.name(profile))
            .replace("{location}", &self.location())
            .replace("{mac}", &mac.join(""))
            .replace("{mac:}", &mac.join(":"))
    }
}

/// Writes a number into a pattern: `#` digits, `?` letters, `*` hexadecimal digits, lowest place last.
fn fill(pattern: &str, mut number: u64) -> String {
    let mut out: Vec<char> = pattern.chars().collect();
    for place in out.iter_mut().rev() {
        let alphabet: &[u8] = match *place {
            '#' => b"0123456789",
            '?' => b"ABCDEFGHJKLMNPQRSTUVWXYZ",
            '*' => b"0123456789ABCDEF",
            _ => continue,
        };
        let radix = alphabet.len() as u64;
        *place = char::from(alphabet[(number % radix) as usize]);
        number /= radix;
    }
    out.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn serials_and_hardware_addresses_are_unique() {
        for profile in crate::profile::embedded().unwrap() {
            let identities = (0..10_000).map(|place| Identity { seed: 3, place, board: 0, unit: 0 });
            let serials: HashSet<_> = identities.clone().map(|who| who.serial(profile)).collect();
            assert_eq!(serials.len(), 10_000, "{}", profile.name);
            let macs: HashSet<_> = identities.map(|who| who.mac(profile)).collect();
            assert_eq!(macs.len(), 10_000, "{}", profile.name);
        }
    }
}
