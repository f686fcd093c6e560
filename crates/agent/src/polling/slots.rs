//! When a device is looked at: a stable slot in each period (gateway.md §4.4), so that load is flat and stays so
//! after every restart and outage. A queue of due times hands out the next one.

use std::{cmp::Reverse, collections::BinaryHeap};

use wire::Subject;

/// What is to be done with a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Look {
    /// The cheap look that tells whether anything changed; a full reading when it is time for one.
    Status,
    /// The billing counters.
    Meters,
}

/// Looks of one group begin at the same moment, milliseconds.
const GROUP: u64 = 250;
/// Shortest period whose looks are grouped, milliseconds.
const GROUPED_FROM: u64 = 30_000;

/// First moment after `now_ms` that falls into the slot of this device and kind. `period_ms` must not be 0.
pub(crate) fn next_slot(now_ms: u64, subject: Subject, look: Look, period_ms: u64) -> u64 {
    let slot = hash64(subject, look) % period_ms;
    // A few begin together: one system call for all their packets, and one wake-up for most of their answers.
    let slot = if period_ms < GROUPED_FROM { slot } else { slot - slot % GROUP };
    let start = now_ms - now_ms % period_ms + slot;
    if start > now_ms { start } else { start + period_ms }
}

/// FNV-1a over the device and the kind, with a last mix so that low bits are as good as high ones.
pub(crate) fn hash64(subject: Subject, look: Look) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in subject.0.iter().chain(&[look as u8]) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ hash >> 32
}

/// Due looks, earliest first. An entry whose generation is no longer the device's is void.
#[derive(Debug, Default)]
pub(crate) struct DueQueue(BinaryHeap<Reverse<Due>>);

/// One look that will be due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due {
    /// Milliseconds of the wall clock.
    pub(crate) at_ms: u64,
    /// Whom.
    pub(crate) subject: Subject,
    /// What.
    pub(crate) look: Look,
    /// Schedule of the device that this belongs to.
    pub(crate) generation: u32,
}

impl DueQueue {
    pub(crate) fn push(&mut self, due: Due) {
        self.0.push(Reverse(due));
    }

    /// When the next look is due.
    pub(crate) fn next_at(&self) -> Option<u64> {
        self.0.peek().map(|Reverse(due)| due.at_ms)
    }

    /// The next look, if it is due by now.
    pub(crate) fn pop_due(&mut self, now_ms: u64) -> Option<Due> {
        self.next_at().filter(|at| *at <= now_ms)?;
        self.0.pop().map(|Reverse(due)| due)
    }

    /// Forgets everything, for a new plan.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(n: u32) -> Subject {
        let mut id = [0; 16];
        id[12..].copy_from_slice(&n.to_be_bytes());
        Subject(id)
    }

    #[test]
    fn a_device_keeps_its_slot_whenever_it_is_asked() {
        let first = next_slot(1_000_000_000, subject(7), Look::Status, 60_000);
        for late in [0, 1, 59_999, 60_000, 3_600_000 * 5 + 17] {
            let next = next_slot(first + late, subject(7), Look::Status, 60_000);
            assert_eq!((next - first) % 60_000, 0);
            assert!(next > first + late && next <= first + late + 60_000);
        }
    }

    #[test]
    fn ten_thousand_devices_spread_flat_over_the_minute() {
        let mut seconds = [0_u32; 60];
        for n in 0..10_000 {
            let at = next_slot(1_700_000_000_000, subject(n), Look::Status, 60_000);
            seconds[usize::try_from(at / 1_000 % 60).unwrap()] += 1;
        }
        let peak = f64::from(*seconds.iter().max().unwrap()) / (10_000.0 / 60.0);
        println!("peak/mean over one-second slots: {peak:.2}");
        assert!(peak < 1.35, "{seconds:?}");
    }

    #[test]
    fn the_earliest_look_comes_first_and_none_before_its_time() {
        let mut queue = DueQueue::default();
        for at_ms in [30, 10, 20] {
            queue.push(Due { at_ms, subject: subject(1), look: Look::Status, generation: 0 });
        }
        assert_eq!(queue.pop_due(9), None);
        assert_eq!(queue.pop_due(25).map(|d| d.at_ms), Some(10));
        assert_eq!(queue.pop_due(25).map(|d| d.at_ms), Some(20));
        assert_eq!(queue.pop_due(25), None);
        assert_eq!(queue.next_at(), Some(30));
    }
}
