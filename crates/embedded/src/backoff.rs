//! How long to wait after failures (gateway.md §4.5): first contact spread over a minute, then doubling from 15 minutes to
//! a day; urgent news get one early try.

const QUARTER_MS: i64 = 15 * 60 * 1_000;
const DAY_MS: i64 = 24 * 3_600 * 1_000;

/// Failures in a row and what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Wait before the first contact after a start, milliseconds: 0 to 60,000.
    pub fn first(random: u32) -> i64 {
        i64::from(random % 60_001)
    }

    /// One more failure; how long to wait now, milliseconds. `urgent`: what waits must not wait a quarter of an hour,
    /// which is granted once.
    pub fn failed(&mut self, urgent: bool, random: u32) -> i64 {
        self.failures = self.failures.saturating_add(1);
        if urgent && self.failures == 1 {
            return 10_000 + i64::from(random % 50_001);
        }
        let doubled = QUARTER_MS << self.failures.saturating_sub(1).min(7);
        let spread = (i128::from(doubled) * i128::from(random) / i128::from(u32::MAX)) as i64;
        (doubled + spread).min(DAY_MS)
    }

    /// The server answered.
    pub fn worked(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_a_quarter_of_an_hour_to_a_day() {
        let mut backoff = Backoff::default();
        let waits: Vec<i64> = (0..12).map(|_| backoff.failed(false, 0)).collect();
        assert_eq!(&waits[..4], [QUARTER_MS, 2 * QUARTER_MS, 4 * QUARTER_MS, 8 * QUARTER_MS]);
        assert!(waits.iter().all(|wait| *wait <= DAY_MS) && waits[11] == DAY_MS);
        backoff.worked();
        assert_eq!(backoff.failed(false, u32::MAX), 2 * QUARTER_MS, "spread over as much again");
    }

    #[test]
    fn urgent_news_get_one_early_try() {
        let mut backoff = Backoff::default();
        assert!((10_000..=60_000).contains(&backoff.failed(true, 77_777)));
        assert!(backoff.failed(true, 0) >= QUARTER_MS);
    }
}
