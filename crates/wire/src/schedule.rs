//! When a device tells what it tells regularly: slots that spread a fleet evenly and are found again after any outage
//! (gateway.md §4.4). All times are seconds since 1970 by the server's clock.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{Subject, monitor::Kind};

/// The slots of one device; a later revision replaces an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct Schedule {
    /// Rises with each change; 0 before the first.
    #[n(1)]
    pub revision: u64,
    /// At most one slot a kind; kinds without one keep to their triggers.
    #[n(2)]
    pub slots: Vec<Slot>,
}

/// One kind's place in its period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct Slot {
    /// What is told.
    #[n(1)]
    pub kind: Kind,
    /// Once in so many seconds, at least 60.
    #[n(2)]
    pub period_s: u32,
    /// Where in the period, 0 to `period_s` - 1, counted from 1970.
    #[n(3)]
    pub start_s: u32,
}

impl Slot {
    /// The slot of a device: even over the fleet, the same whenever it is computed.
    ///
    /// `window_s` (1 to `period_s`) keeps the slots of all devices in the first so many seconds of the period.
    pub fn of(device: Subject, kind: Kind, salt: u64, period_s: u32, window_s: u32) -> Self {
        let period_s = period_s.max(60);
        let width = window_s.clamp(1, period_s);
        let start_s = ((u64::from(width) * (spread(device, kind, salt) >> 32)) >> 32) as u32;
        Self { kind, period_s, start_s }
    }

    /// The first moment of this slot that is later than `now_s`: never "now plus a period", whatever was missed.
    pub fn next_after(&self, now_s: i64) -> i64 {
        let (period, start) = (i64::from(self.period_s.max(1)), i64::from(self.start_s));
        now_s + period - (now_s - start).rem_euclid(period)
    }
}

/// 64 even bits of a device, a kind and a salt: FNV-1a over the bytes, then the finaliser of SplitMix64.
fn spread(device: Subject, kind: Kind, salt: u64) -> u64 {
    let bytes = device.0.into_iter().chain([kind.number()]).chain(salt.to_be_bytes());
    let mut hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(n: u32) -> Subject {
        let mut bytes = [0; 16];
        bytes[12..].copy_from_slice(&n.to_be_bytes());
        Subject(bytes)
    }

    #[test]
    fn slots_of_a_fleet_are_even() {
        let mut hours = [0_u32; 16];
        for n in 0..100_000 {
            let slot = Slot::of(device(n), Kind::Billing, 3, 57_600, 57_600);
            hours[slot.start_s as usize / 3_600] += 1;
        }
        let peak = f64::from(*hours.iter().max().unwrap());
        assert!(peak / (100_000.0 / 16.0) < 1.05, "{hours:?}");
    }

    #[test]
    fn after_an_outage_a_device_returns_to_its_slot() {
        let slot = Slot { kind: Kind::Billing, period_s: 57_600, start_s: 1_234 };
        for now in [0, 1_233, 1_234, 1_235, 1_700_000_000, -5] {
            let next = slot.next_after(now);
            assert!(next > now && next <= now + 57_600);
            assert_eq!(next.rem_euclid(57_600), 1_234);
        }
    }

    #[test]
    fn herd_of_50000_that_returns_in_one_second_is_flat_in_each_of_the_next_three_periods_1() {
        const PERIOD: i64 = 3_600;
        let back = 1_700_000_123;
        let mut now = vec![back; 50_000];
        for period in 0..3 {
            let mut minutes = [0_u32; 60];
            for (n, now) in (0..).zip(&mut now) {
                *now = Slot::of(device(n), Kind::Status, 7, 3_600, 3_600).next_after(*now);
                assert!((1..=PERIOD).contains(&(*now - back - period * PERIOD)), "each tells once a period");
                minutes[usize::try_from((*now - back - 1) % PERIOD / 60).unwrap()] += 1;
            }
            let peak = f64::from(*minutes.iter().max().unwrap()) / (50_000.0 / 60.0);
            assert!(peak < 1.3, "period {period}: {peak} times its share in one minute");
        }
    }

    #[test]
    fn a_window_keeps_the_fleet_in_the_first_part_of_the_period() {
        for n in 0..1_000 {
            assert!(Slot::of(device(n), Kind::Rom, 9, 86_400, 7_200).start_s < 7_200);
        }
    }
}
