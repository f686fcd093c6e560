//! How long to wait for the last answers of a pass: the time-out at first, less once the round trips seen allow it.

use std::time::{Duration, Instant};

/// Largest range whose round trips are measured, in addresses: in larger ones the waits do not count.
const MOST: u64 = 1 << 17;
/// Answers needed before they are believed.
const ENOUGH: u32 = 8;
/// Least wait: a busy device now and then takes its time.
const FLOOR: Duration = Duration::from_millis(100);

/// Round trips of a sweep.
#[derive(Debug)]
pub(super) struct Waits {
    timeout: Duration,
    epoch: Instant,
    /// When each address was asked last, in microseconds; empty in a large range.
    sent: Vec<u32>,
    answers: u32,
    longest: Duration,
    /// End of the first pass that asked all.
    first_pass: Option<Instant>,
}

impl Waits {
    pub(super) fn new(addresses: u64, timeout: Duration) -> Self {
        let sent = if addresses <= MOST { vec![0; addresses as usize] } else { Vec::new() };
        Self { timeout, epoch: Instant::now(), sent, answers: 0, longest: Duration::ZERO, first_pass: None }
    }

    fn micros(&self, now: Instant) -> u32 {
        now.saturating_duration_since(self.epoch).as_micros() as u32
    }

    pub(super) fn asked(&mut self, index: u64, now: Instant) {
        let micros = self.micros(now);
        if let Some(place) = self.sent.get_mut(index as usize) {
            *place = micros;
        }
    }

    /// An address has answered that was asked once only.
    pub(super) fn answered(&mut self, index: u64, now: Instant) {
        let micros = self.micros(now);
        if let Some(sent) = self.sent.get(index as usize) {
            let trip = Duration::from_micros(u64::from(micros.wrapping_sub(*sent)));
            self.longest = self.longest.max(trip);
            self.answers += 1;
        }
    }

    /// Wait after the last packet of a pass. A late answer is understood in later passes, too.
    pub(super) fn after_a_pass(&self) -> Duration {
        if self.answers < ENOUGH {
            return self.timeout;
        }
        (self.longest * 3).max(FLOOR).min(self.timeout)
    }

    pub(super) fn pass_ended(&mut self, now: Instant) {
        self.first_pass.get_or_insert(now);
    }

    /// Until when answers are taken in at the least: who has been asked once has the time-out to answer.
    pub(super) fn end(&self) -> Option<Instant> {
        self.first_pass.map(|end| end + self.timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_shrink_with_the_round_trips_and_never_below_the_floor() {
        let timeout = Duration::from_millis(2_000);
        let mut waits = Waits::new(1_024, timeout);
        let start = waits.epoch;
        for index in 0..7 {
            waits.asked(index, start);
            waits.answered(index, start + Duration::from_millis(1));
        }
        assert_eq!(waits.after_a_pass(), timeout, "seven answers prove little");
        waits.answered(7, start + Duration::from_millis(2));
        assert_eq!(waits.after_a_pass(), FLOOR);
        waits.answered(8, start + Duration::from_millis(200));
        assert_eq!(waits.after_a_pass(), Duration::from_millis(600));
        waits.answered(9, start + Duration::from_millis(1_900));
        assert_eq!(waits.after_a_pass(), timeout);
        waits.pass_ended(start);
        waits.pass_ended(start + timeout);
        assert_eq!(waits.end(), Some(start + timeout));
        assert!(Waits::new(MOST + 1, timeout).sent.is_empty());
    }
}
