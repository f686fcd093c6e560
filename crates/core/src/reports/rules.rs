//! The replay window, the sender's clock, and what a message must hold to be believed.

use wire::{Body, Level, Message};

/// Numbers that one window remembers; a power of two, well above the 512 messages of a report.
pub(crate) const WIDTH: u64 = 2_048;
const BYTES: usize = 256;

/// Clocks that differ by less are taken to agree. 2 minutes in ms.
const AGREES: i64 = 120_000;
/// Older messages are stored, but their time is taken to be this. 400 days in µs.
const OLDEST: i64 = 400 * 86_400 * 1_000_000;

/// Which numbers of an epoch were taken: the highest, and a ring of bits for those below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) epoch: u64,
    pub(crate) high: u64,
    pub(crate) taken: Box<[u8; BYTES]>,
}

/// What a number means to a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Not yet taken; it is now.
    Fresh,
    /// Taken before.
    Taken,
    /// Of an ended epoch, or so far back that nobody remembers.
    Stale,
}

impl Window {
    pub(crate) fn new(epoch: u64) -> Self {
        Self { epoch, high: 0, taken: Box::new([0; BYTES]) }
    }

    /// As stored; a window of another size is taken as all taken, which loses nothing that was acknowledged.
    pub(crate) fn stored(epoch: u64, high: u64, taken: &[u8]) -> Self {
        Self { epoch, high, taken: Box::new(taken.try_into().unwrap_or([0xff; BYTES])) }
    }

    fn bit(&mut self, seq: u64) -> (&mut u8, u8) {
        let at = usize::try_from(seq % WIDTH).unwrap_or(0);
        (&mut self.taken[at / 8], 1 << (at % 8))
    }

    /// Takes a number of an epoch.
    pub(crate) fn take(&mut self, epoch: u64, seq: u64) -> Place {
        if epoch < self.epoch {
            return Place::Stale;
        }
        if epoch > self.epoch {
            *self = Self::new(epoch);
        }
        if seq + WIDTH <= self.high {
            return Place::Stale;
        }
        if seq > self.high {
            let gap = (seq - self.high).min(WIDTH);
            for passed in seq - gap + 1..=seq {
                let (byte, bit) = self.bit(passed);
                *byte &= !bit;
            }
            self.high = seq;
        }
        let (byte, bit) = self.bit(seq);
        if *byte & bit != 0 {
            return Place::Taken;
        }
        *byte |= bit;
        Place::Fresh
    }
}

/// How far the sender's clock is behind ours, ms; 0 when they agree.
pub(crate) fn clock_offset(clock_ms: i64, now_ms: i64) -> i64 {
    let offset = now_ms.saturating_sub(clock_ms);
    if offset.abs() <= AGREES { 0 } else { offset }
}

/// When it was, µs by our clock: never in the future beyond what clocks may differ, never before living memory.
pub(crate) fn corrected(taken_ms: i64, offset_ms: i64, now: i64) -> i64 {
    let at = taken_ms.saturating_add(offset_ms).saturating_mul(1_000);
    at.clamp(now - OLDEST, now + AGREES * 1_000)
}

/// Whether a corrected time lies further ahead than clocks may differ.
pub(crate) fn is_ahead(at: i64, now: i64) -> bool {
    at >= now + AGREES * 1_000
}

/// Most parts of one kind that a message may speak of.
const MOST: usize = 2_000;

/// Why a message cannot be believed; `None`: it can.
pub(crate) fn fault(message: &Message) -> Option<String> {
    if i64::try_from(message.seq).is_err() {
        return Some(format!("number {} is too large", message.seq));
    }
    if matches!(message.body, Body::Status(_) | Body::Counters(_) | Body::Trap(_)) && message.subject.is_none() {
        return Some("it speaks of a device, but names none".into());
    }
    match &message.body {
        Body::Status(body) => {
            let counts =
                [body.supplies.len(), body.inputs.len(), body.outputs.len(), body.covers.len(), body.alerts.len()];
            if counts.iter().any(|count| *count > MOST) {
                return Some(format!("more than {MOST} parts of one kind"));
            }
            let levels = body.supplies.iter().map(|s| (&s.index, s.level));
            let levels = levels.chain(body.inputs.iter().map(|i| (&i.index, i.level)));
            levels.chain(body.outputs.iter().map(|o| (&o.index, o.level))).find_map(|(index, level)| match level {
                Level::Percent { value } if !(0.0..=100.0).contains(&value) => {
                    Some(format!("level {value} of {index} is outside 0 to 100 per cent"))
                }
                Level::Staged { value, steps } if value > steps => {
                    Some(format!("step {value} of {index} is above {steps}"))
                }
                _ => None,
            })
        }
        Body::Counters(body) => {
            if body.meters.len() > MOST {
                return Some(format!("more than {MOST} meters"));
            }
            let beyond = body.meters.iter().find(|meter| meter.value > i64::MAX as u64 / 4);
            beyond.map(|meter| format!("value {} of {} cannot be a count", meter.value, meter.source))
        }
        Body::Trap(body) => {
            let (told, most) = (body.alerts.len(), wire::traps::MAX_TRAP_ALERTS);
            (told == 0 || told > most).then(|| format!("a trap with {told} alerts; 1 to {most}"))
        }
        Body::Senders(body) => {
            let (told, most) = (body.senders.len(), wire::traps::MAX_SENDERS);
            (told > most).then(|| format!("{told} senders of traps; at most {most}"))
        }
        Body::Discovery(body) => {
            let most = wire::report::MAX_SIGHTINGS;
            let told = body.silent.len().max(body.unresolved.len());
            (told > most).then(|| format!("a discovery with {told} entries in a list; at most {most}"))
        }
        // All other shapes are bounded by the size of their kind, too.
        body => crate::diagnostics::rules::fault(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn a_number_is_taken_once_and_an_older_epoch_is_stale() {
        let mut window = Window::new(3);
        assert_eq!(window.take(3, 0), Place::Fresh);
        assert_eq!(window.take(3, 5), Place::Fresh);
        assert_eq!(window.take(3, 5), Place::Taken);
        assert_eq!(window.take(3, 2), Place::Fresh);
        assert_eq!(window.take(2, 9), Place::Stale);
        assert_eq!(window.take(4, 5), Place::Fresh);
        assert_eq!(window.take(3, 6), Place::Stale);
    }

    #[test]
    fn far_below_the_window_is_stale() {
        let mut window = Window::new(1);
        window.take(1, 10_000);
        assert_eq!(window.take(1, 10_000 - WIDTH), Place::Stale);
        assert_eq!(window.take(1, 10_001 - WIDTH), Place::Fresh);
    }

    proptest! {
        #[test]
        fn the_window_agrees_with_a_set(seqs in prop::collection::vec(prop_oneof![0_u64..3_000, 0_u64..20_000], 1..400)) {
            let (mut window, mut set, mut high) = (Window::new(1), HashSet::new(), 0);
            for seq in seqs {
                let expected = if seq + WIDTH <= high { Place::Stale } else if set.insert(seq) { Place::Fresh } else { Place::Taken };
                high = high.max(seq);
                let stored = Window::stored(window.epoch, window.high, &*window.taken);
                prop_assert_eq!(&stored, &window);
                prop_assert_eq!(window.take(1, seq), expected);
            }
        }
    }

    #[test]
    fn small_differences_of_clocks_are_none_and_large_ones_are_corrected() {
        assert_eq!(clock_offset(1_000_000, 1_060_000), 0);
        let now = 1_700_000_000_000_000;
        let offset = clock_offset(0, now / 1_000);
        assert_eq!(corrected(-5_000, offset, now), now - 5_000_000);
        assert_eq!(corrected(i64::MAX, 0, now), now + 120_000_000);
        assert_eq!(corrected(i64::MIN, 0, now), now - OLDEST);
    }
}
