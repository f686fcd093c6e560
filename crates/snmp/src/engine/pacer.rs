//! A budget of packets a second that holds in any second, wherever it begins: a small token bucket spreads packets
//! evenly and lets late timers catch up, a log of the last second is the hard bound.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Milliseconds in the log; one more than a second has, because the oldest is counted whole.
const SLOTS: u64 = 1_001;

/// Shared by all that send under one budget.
#[derive(Debug)]
pub(crate) struct Pacer {
    rate: f64,
    burst: f64,
    epoch: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tokens: f64,
    at: Instant,
    /// Packets in each of the last milliseconds, and in all of them.
    log: Vec<u32>,
    sum: u64,
    /// The millisecond the log stands at.
    now: u64,
    total: u64,
}

impl Pacer {
    /// A budget of `rate` packets a second (at least 1).
    pub(crate) fn new(rate: u32, now: Instant) -> Self {
        let rate = f64::from(rate.max(1));
        let log = vec![0; SLOTS as usize];
        let state = State { tokens: 1.0, at: now, log, sum: 0, now: 0, total: 0 };
        Self { rate, burst: (rate * 0.03).max(1.5), epoch: now, state: Mutex::new(state) }
    }

    /// Takes up to `wanted` tokens; returns how many.
    pub(crate) fn take(&self, now: Instant, wanted: usize) -> usize {
        let mut state = self.state.lock();
        let passed = now.saturating_duration_since(state.at);
        state.tokens = (state.tokens + passed.as_secs_f64() * self.rate).min(self.burst);
        state.at = state.at.max(now);
        state.forget(now.saturating_duration_since(self.epoch).as_millis() as u64);
        let left = (self.rate as u64).saturating_sub(state.sum) as usize;
        let taken = (state.tokens as usize).min(wanted).min(left);
        state.tokens -= taken as f64;
        let slot = (state.now % SLOTS) as usize;
        state.log[slot] += taken as u32;
        state.sum += taken as u64;
        state.total += taken as u64;
        taken
    }

    /// Gives back tokens of the last [`Pacer::take`] that were not used.
    pub(crate) fn put_back(&self, count: usize) {
        let mut state = self.state.lock();
        let slot = (state.now % SLOTS) as usize;
        let count = (count as u32).min(state.log[slot]);
        state.log[slot] -= count;
        state.sum -= u64::from(count);
        state.total -= u64::from(count);
        state.tokens = (state.tokens + f64::from(count)).min(self.burst);
    }

    /// Packets sent under this budget.
    pub(crate) fn total(&self) -> u64 {
        self.state.lock().total
    }

    /// Time until the next token, from `now`.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        let state = self.state.lock();
        let passed = now.saturating_duration_since(state.at).as_secs_f64();
        let token = Duration::from_secs_f64(((1.0 - state.tokens) / self.rate - passed).max(0.0));
        if state.sum < self.rate as u64 {
            return token;
        }
        // The oldest millisecond that holds a packet must leave the log.
        let oldest = (1..SLOTS).find(|age| state.log[((state.now + age) % SLOTS) as usize] > 0).unwrap_or(SLOTS);
        let free_at = self.epoch + Duration::from_millis(state.now + oldest);
        token.max(free_at.saturating_duration_since(now))
    }
}

impl State {
    /// Lets the log move on to this millisecond.
    fn forget(&mut self, now: u64) {
        let steps = now.saturating_sub(self.now).min(SLOTS);
        self.now = self.now.max(now);
        for age in 0..steps {
            let slot = ((self.now - age) % SLOTS) as usize;
            self.sum -= u64::from(std::mem::take(&mut self.log[slot]));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_second_exceeds_the_rate(
            rate in 1u32..30_000,
            naps in prop::collection::vec(1u64..60_000, 20..400),
        ) {
            let start = Instant::now();
            let pacer = Pacer::new(rate, start);
            let (mut now, mut sent) = (start, Vec::new());
            for nap in naps {
                now += Duration::from_micros(nap);
                let count = pacer.take(now, usize::MAX);
                sent.push((now, count));
                if count == 0 {
                    prop_assert!(pacer.wait(now) > Duration::ZERO);
                    prop_assert!(pacer.wait(now) <= Duration::from_millis(1_002));
                }
            }
            for (place, (from, _)) in sent.iter().enumerate() {
                let until = *from + Duration::from_secs(1);
                let total: usize = sent[place..].iter().take_while(|(at, _)| *at < until).map(|(_, count)| count).sum();
                prop_assert!(total <= rate as usize, "{} in a second of {}", total, rate);
            }
        }
    }

    #[test]
    fn a_caller_that_comes_late_now_and_then_still_gets_the_whole_rate() {
        let start = Instant::now();
        let pacer = Pacer::new(150, start);
        let late = |ms: u64| Duration::from_millis(ms * 4 + if ms.is_multiple_of(7) { 13 } else { 0 });
        let total: usize = (1..=2_500).map(|ms| pacer.take(start + late(ms), usize::MAX)).sum();
        assert!((1_490..=1_502).contains(&total), "{total}");
    }

    #[test]
    fn tokens_given_back_can_be_taken_again() {
        let start = Instant::now();
        let pacer = Pacer::new(10, start);
        for _ in 0..50 {
            assert_eq!(pacer.take(start, 5), 1);
            pacer.put_back(1);
        }
        assert_eq!((pacer.take(start, 5), pacer.take(start, 5), pacer.total()), (1, 0, 1));
    }
}
