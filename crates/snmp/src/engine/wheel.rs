//! A hierarchical timer wheel: four levels of 64 slots, one timer a key, nothing allocated to set or cancel one.

const LEVELS: usize = 4;
const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
const NONE: u32 = u32::MAX;
/// Most ticks ahead a timer may be set.
const SPAN: u64 = 1 << (BITS * LEVELS as u32);

/// Timers of a dense range of keys, in ticks of whatever length the caller likes.
#[derive(Debug)]
pub(crate) struct Wheel {
    now: u64,
    heads: [u32; LEVELS * SLOTS],
    occupied: [u64; LEVELS],
    links: Vec<Link>,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    next: u32,
    prev: u32,
    deadline: u64,
    /// Slot it hangs in, `NONE` if it is not set.
    place: u32,
}

impl Wheel {
    pub(crate) fn new(now: u64) -> Self {
        Self { now, heads: [NONE; LEVELS * SLOTS], occupied: [0; LEVELS], links: Vec::new() }
    }

    /// Sets the timer of `key`, replacing an earlier one. A deadline that has passed fires at the next tick.
    pub(crate) fn set(&mut self, key: u32, deadline: u64) {
        let none = Link { next: NONE, prev: NONE, deadline: 0, place: NONE };
        if self.links.len() <= key as usize {
            self.links.resize(key as usize + 1, none);
        }
        self.cancel(key);
        let deadline = deadline.clamp(self.now + 1, self.now + SPAN - SLOTS.pow(3) as u64 - 1);
        let mut level = 0;
        while (deadline >> (BITS * level)) - (self.now >> (BITS * level)) >= SLOTS as u64 {
            level += 1;
        }
        let slot = (deadline >> (BITS * level)) as usize % SLOTS;
        let place = level as usize * SLOTS + slot;
        let next = std::mem::replace(&mut self.heads[place], key);
        if next != NONE {
            self.links[next as usize].prev = key;
        }
        self.links[key as usize] = Link { next, prev: NONE, deadline, place: place as u32 };
        self.occupied[level as usize] |= 1 << slot;
    }

    /// Removes the timer of `key`, if it is set.
    pub(crate) fn cancel(&mut self, key: u32) {
        let Some(link) = self.links.get(key as usize).copied().filter(|link| link.place != NONE) else { return };
        if link.next != NONE {
            self.links[link.next as usize].prev = link.prev;
        }
        if link.prev != NONE {
            self.links[link.prev as usize].next = link.next;
        } else {
            let place = link.place as usize;
            self.heads[place] = link.next;
            if link.next == NONE {
                self.occupied[place / SLOTS] &= !(1 << (place % SLOTS));
            }
        }
        self.links[key as usize].place = NONE;
    }

    /// Moves the time to `to` and appends the keys whose timers fired.
    pub(crate) fn advance(&mut self, to: u64, fired: &mut Vec<u32>) {
        while self.now < to {
            if self.occupied == [0; LEVELS] {
                self.now = to;
                return;
            }
            let boundary = (self.now | (SLOTS as u64 - 1)) + 1;
            let next = self.next_in_level(0).unwrap_or(u64::MAX).min(boundary);
            if next > to {
                self.now = to;
                return;
            }
            self.now = next;
            if next.is_multiple_of(SLOTS as u64) {
                self.cascade(fired);
            }
            self.empty(next as usize % SLOTS, |_, key, _| fired.push(key));
        }
    }

    /// A tick at which [`Wheel::advance`] is due: that of the next timer, or earlier.
    pub(crate) fn next(&self) -> Option<u64> {
        (0..LEVELS).filter_map(|level| self.next_in_level(level)).min()
    }

    /// First tick of the next occupied slot of a level.
    fn next_in_level(&self, level: usize) -> Option<u64> {
        let occupied = self.occupied[level];
        if occupied == 0 {
            return None;
        }
        let shift = BITS * level as u32;
        let here = self.now >> shift;
        let turned = occupied.rotate_right((here as u32 + 1) % SLOTS as u32);
        Some((here + 1 + u64::from(turned.trailing_zeros())) << shift)
    }

    /// Spreads the slots that begin now over the levels below.
    fn cascade(&mut self, fired: &mut Vec<u32>) {
        for level in 1..LEVELS {
            let here = self.now >> (BITS * level as u32);
            self.empty(level * SLOTS + here as usize % SLOTS, |wheel, key, deadline| {
                if deadline <= wheel.now { fired.push(key) } else { wheel.set(key, deadline) }
            });
            if !here.is_multiple_of(SLOTS as u64) {
                break;
            }
        }
    }

    fn empty(&mut self, place: usize, mut each: impl FnMut(&mut Self, u32, u64)) {
        self.occupied[place / SLOTS] &= !(1 << (place % SLOTS));
        let mut key = std::mem::replace(&mut self.heads[place], NONE);
        while key != NONE {
            let link = self.links[key as usize];
            self.links[key as usize].place = NONE;
            each(self, key, link.deadline);
            key = link.next;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn timers_fire_at_their_tick_like_a_sorted_list(
            start in 0u64..100_000,
            steps in prop::collection::vec((0u32..40, prop_oneof![0u64..200, 0u64..300_000], 0u64..9_000, 0u8..4), 1..200),
        ) {
            let (mut wheel, mut model, mut now) = (Wheel::new(start), BTreeMap::new(), start);
            for (key, delay, step, kind) in steps {
                match kind {
                    0 => { wheel.cancel(key); model.remove(&key); }
                    _ => { wheel.set(key, now + delay); model.insert(key, (now + delay).max(now + 1)); }
                }
                let to = now + step;
                let first = model.values().min().copied();
                prop_assert_eq!(wheel.next().is_some(), first.is_some());
                if let (Some(next), Some(first)) = (wheel.next(), first) {
                    prop_assert!(next <= first && next > now);
                }
                let mut fired = Vec::new();
                wheel.advance(to, &mut fired);
                now = to;
                let mut expected: Vec<u32> = model.iter().filter(|(_, at)| **at <= now).map(|(key, _)| *key).collect();
                model.retain(|_, at| *at > now);
                fired.sort_unstable();
                expected.sort_unstable();
                prop_assert_eq!(fired, expected);
            }
        }
    }
}
