//! Sheds repetitions: of each (device, alert) the first is told at once, and of those that follow within a window the
//! last one when the window ends. Nothing else of a storm reaches anybody, and all of it is counted.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    time::{Duration, Instant},
};

use device::AlertRow;
use wire::{SnmpVersion, Subject};

/// Repetitions within this time are one.
pub(super) const WINDOW: Duration = Duration::from_secs(5);
/// Keys that are remembered at once; beyond, a device that tells something new is read and no more.
const MOST: usize = 1 << 16;
/// Of these, keys of one device: nobody has so many troubles at once.
const MOST_OF_ONE: u32 = 64;

/// What makes two notifications repetitions of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum What {
    /// An alert of a printer.
    Alert([Option<i32>; 5]),
    /// Any other notification, by the hash of its identity.
    Other(u64),
}

/// One device and what it tells.
pub(super) type Key = (Subject, What);

/// What is kept of the last repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Last {
    pub(super) row: AlertRow,
    pub(super) snmp: SnmpVersion,
    /// When it came, milliseconds since 1970.
    pub(super) at_ms: i64,
}

/// What becomes of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The first of its kind: tell it.
    First,
    /// A repetition: it is kept as the last one. True if another one was shed for it.
    Kept(bool),
    /// There is no room for another key.
    Full,
    /// This device has told so much at once that its word is worth nothing; it is being read, and polled as ever.
    Babbling,
}

#[derive(Debug, Default)]
struct Slot {
    last: Option<Last>,
    shed: u64,
}

/// All keys that told something within their window.
#[derive(Debug, Default)]
pub(super) struct Storm {
    slots: HashMap<Key, Slot>,
    /// How many of them are of each device.
    of_one: HashMap<Subject, u32>,
    /// Ends of windows, in order: all are equally long.
    ends: VecDeque<(Instant, Key)>,
}

impl Storm {
    /// Takes one notification.
    pub(super) fn admit(&mut self, key: Key, last: Last, now: Instant) -> Verdict {
        if let Some(slot) = self.slots.get_mut(&key) {
            let sheds = slot.last.replace(last).is_some();
            if sheds {
                slot.shed += 1;
            }
            return Verdict::Kept(sheds);
        }
        if self.slots.len() >= MOST {
            return Verdict::Full;
        }
        let of_one = self.of_one.entry(key.0).or_default();
        if *of_one >= MOST_OF_ONE {
            return Verdict::Babbling;
        }
        *of_one += 1;
        self.slots.insert(key, Slot::default());
        self.ends.push_back((now + WINDOW, key));
        Verdict::First
    }

    /// The next key whose window is over and that told something within it, with its last and the number shed before
    /// that. Call it until there is none.
    pub(super) fn due(&mut self, now: Instant) -> Option<(Key, Last, u64)> {
        while let Some((_, key)) = self.ends.pop_front_if(|(end, _)| *end <= now) {
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            let Some(last) = slot.last.take() else {
                self.forget(&key);
                continue;
            };
            let shed = std::mem::take(&mut slot.shed);
            // It goes on: the next window begins.
            self.ends.push_back((now + WINDOW, key));
            return Some((key, last, shed));
        }
        None
    }

    fn forget(&mut self, key: &Key) {
        self.slots.remove(key);
        if let Entry::Occupied(mut of_one) = self.of_one.entry(key.0) {
            *of_one.get_mut() -= 1;
            if *of_one.get() == 0 {
                of_one.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(device: u8, code: i32) -> Key {
        (Subject([device; 16]), What::Alert([None, Some(13), Some(1), None, Some(code)]))
    }

    fn last(at_ms: i64) -> Last {
        Last { row: AlertRow::default(), snmp: SnmpVersion::V2c, at_ms }
    }

    #[test]
    fn alert_lifecycle_a_storm_is_shed_but_for_the_first_and_the_last() {
        let (mut storm, start) = (Storm::default(), Instant::now());
        assert_eq!(storm.admit(key(1, 8), last(0), start), Verdict::First);
        assert_eq!(storm.admit(key(1, 8), last(1), start), Verdict::Kept(false));
        for at in 2..1_000 {
            assert_eq!(storm.admit(key(1, 8), last(at), start), Verdict::Kept(true));
        }
        assert_eq!(storm.due(start + WINDOW - Duration::from_millis(1)), None);
        let (told, latest, shed) = storm.due(start + WINDOW).unwrap();
        assert_eq!((told, latest.at_ms, shed), (key(1, 8), 999, 998), "first, last and 998 shed are all thousand");
        assert_eq!(storm.due(start + WINDOW), None);
    }

    #[test]
    fn each_device_and_each_alert_has_a_window_of_its_own() {
        let (mut storm, start) = (Storm::default(), Instant::now());
        for key in [key(1, 8), key(2, 8), key(1, 1_104)] {
            assert_eq!(storm.admit(key, last(0), start), Verdict::First);
        }
        assert_eq!(storm.due(start + WINDOW), None, "nothing was repeated");
        assert_eq!(storm.admit(key(1, 8), last(9), start + WINDOW), Verdict::First, "the window is over");
    }

    #[test]
    fn a_storm_that_goes_on_is_told_once_a_window() {
        let (mut storm, start) = (Storm::default(), Instant::now());
        let (mut firsts, mut told) = (0, 0);
        for tenth in 0..200_u32 {
            let now = start + Duration::from_millis(100) * tenth;
            firsts += u32::from(storm.admit(key(1, 8), last(0), now) == Verdict::First);
            while storm.due(now).is_some() {
                told += 1;
            }
        }
        assert_eq!((firsts, told), (1, 3), "20 s of repetitions");
    }

    #[test]
    fn memory_is_bounded() {
        let (mut storm, start) = (Storm::default(), Instant::now());
        let device = |number: usize| Subject((number as u128).to_be_bytes());
        let what = |code: u32| What::Other(u64::from(code));
        for number in 0..MOST / MOST_OF_ONE as usize {
            for code in 0..MOST_OF_ONE {
                assert_eq!(storm.admit((device(number), what(code)), last(0), start), Verdict::First);
            }
        }
        assert_eq!(storm.admit(key(2, 8), last(0), start), Verdict::Full);
        assert_eq!(storm.due(start + WINDOW), None);
        assert_eq!((storm.slots.len(), storm.of_one.len(), storm.ends.len()), (0, 0, 0));
    }

    #[test]
    fn a_device_that_babbles_does_not_drown_the_others() {
        let (mut storm, start) = (Storm::default(), Instant::now());
        let verdicts: Vec<_> = (0..1_000).map(|code| storm.admit(key(1, code), last(0), start)).collect();
        assert_eq!(verdicts.iter().filter(|verdict| **verdict == Verdict::First).count(), MOST_OF_ONE as usize);
        assert_eq!(verdicts[999], Verdict::Babbling);
        assert_eq!(storm.admit(key(2, 8), last(0), start), Verdict::First);
        assert_eq!(storm.due(start + WINDOW), None);
        assert_eq!(storm.admit(key(1, 999), last(0), start + WINDOW), Verdict::First, "it may speak again");
    }
}
