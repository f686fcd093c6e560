//! A token bucket so small that no second, wherever it begins, sees more than one per cent above the rate.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Shared by all that send under one budget.
#[derive(Debug)]
pub(crate) struct Pacer {
    rate: f64,
    burst: f64,
    state: Mutex<(f64, Instant)>,
    taken: AtomicU64,
}

impl Pacer {
    /// A bucket for `rate` packets a second (at least 1), empty but for one packet.
    pub(crate) fn new(rate: u32, now: Instant) -> Self {
        let rate = f64::from(rate.max(1));
        // Half a packet more than one keeps the rate up when timers come late.
        Self { rate, burst: (rate / 100.0).max(1.5), state: Mutex::new((1.0, now)), taken: AtomicU64::new(0) }
    }

    /// Takes up to `wanted` tokens; returns how many.
    pub(crate) fn take(&self, now: Instant, wanted: usize) -> usize {
        let mut state = self.state.lock();
        let passed = now.saturating_duration_since(state.1);
        state.0 = (state.0 + passed.as_secs_f64() * self.rate).min(self.burst);
        state.1 = state.1.max(now);
        let taken = (state.0 as usize).min(wanted);
        state.0 -= taken as f64;
        self.taken.fetch_add(taken as u64, Ordering::Relaxed);
        taken
    }

    /// Gives back tokens that were not used.
    pub(crate) fn put_back(&self, count: usize) {
        let mut state = self.state.lock();
        state.0 = (state.0 + count as f64).min(self.burst);
        self.taken.fetch_sub(count as u64, Ordering::Relaxed);
    }

    /// Packets sent under this budget.
    pub(crate) fn total(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Time until the next token, from `now`.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        let state = self.state.lock();
        let passed = now.saturating_duration_since(state.1).as_secs_f64();
        Duration::from_secs_f64(((1.0 - state.0) / self.rate - passed).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_second_exceeds_the_rate_by_one_per_cent(
            rate in 100u32..30_000,
            naps in prop::collection::vec(1u64..60_000, 20..400),
        ) {
            let start = Instant::now();
            let pacer = Pacer::new(rate, start);
            let (mut now, mut sent) = (start, Vec::new());
            for nap in naps {
                now += Duration::from_micros(nap);
                let count = pacer.take(now, usize::MAX);
                sent.push((now, count));
            }
            for (place, (from, _)) in sent.iter().enumerate() {
                let until = *from + Duration::from_secs(1);
                let total: usize = sent[place..].iter().take_while(|(at, _)| *at < until).map(|(_, count)| count).sum();
                prop_assert!(total as f64 <= f64::from(rate) * 1.01 + 0.5, "{} in a second of {}", total, rate);
            }
        }
    }

    #[test]
    fn a_steady_caller_gets_the_whole_rate() {
        let start = Instant::now();
        let pacer = Pacer::new(150, start);
        let total: usize = (1..=10_000).map(|ms| pacer.take(start + Duration::from_millis(ms), usize::MAX)).sum();
        assert!((1_495..=1_502).contains(&total), "{total}");
    }
}
