//! How long to wait before the server is asked again: exponential with full jitter, and never before it allows.
//! An agent stands for thousands of devices, so its steps are seconds, not the quarter hours of a single device.

use std::time::Duration;

const BASE: Duration = Duration::from_secs(1);
const CAP: Duration = Duration::from_secs(300);

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The server answered as it should.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Failures since the last success.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// One more failure. Waits a random part of a span that doubles each time, at least a tenth of it,
    /// and no less than the server asked for. `chance` is drawn evenly from 0.0..1.0.
    pub(crate) fn failed(&mut self, chance: f64, server_wants: Option<Duration>) -> Duration {
        let span = BASE.saturating_mul(1 << self.failures.min(16)).min(CAP);
        self.failures = self.failures.saturating_add(1);
        let own = span.mul_f64(0.1 + 0.9 * chance.clamp(0.0, 1.0));
        match server_wants {
            Some(least) if least > own => least + BASE.mul_f64(chance.clamp(0.0, 1.0)),
            _ => own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_start_anew_after_success() {
        let mut backoff = Backoff::default();
        let waits: Vec<f64> = (0..12).map(|_| backoff.failed(1.0, None).as_secs_f64()).collect();
        assert_eq!(&waits[..4], [1.0, 2.0, 4.0, 8.0]);
        assert_eq!(waits[11], 300.0);
        backoff.succeeded();
        assert!(backoff.failed(0.5, None) < Duration::from_secs(1));
    }

    #[test]
    fn the_servers_wish_is_a_minimum() {
        let mut backoff = Backoff::default();
        assert!(backoff.failed(0.0, Some(Duration::from_secs(40))) >= Duration::from_secs(40));
        assert!(backoff.failed(0.0, None) >= Duration::from_millis(200));
    }

    #[test]
    fn a_thousand_agents_do_not_return_together() {
        let mut tenths = [0; 10];
        for n in 0..1_000_u32 {
            let mut backoff = Backoff { failures: 8 };
            let wait = backoff.failed(f64::from(n) / 1_000.0, None);
            tenths[(wait.as_secs_f64() / 25.61) as usize] += 1;
        }
        assert!(tenths.iter().max() < Some(&150), "{tenths:?}");
    }
}
