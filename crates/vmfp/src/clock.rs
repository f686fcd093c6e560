//! Simulated time: the wall clock times the speed. Nothing else in this crate reads a clock.

use std::time::Duration;

/// A simulated moment in milliseconds since the fleet began; what lies before (a boot) is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i64);

impl Instant {
    /// When the fleet began.
    pub const START: Self = Self(0);
    /// Later than everything that happens.
    pub const NEVER: Self = Self(i64::MAX);

    /// From milliseconds since the beginning.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the beginning.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// From simulated hours since the beginning.
    pub fn from_hours(hours: f64) -> Self {
        Self((hours * 3_600_000.0) as i64)
    }

    pub(crate) const fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this moment; never negative.
    pub(crate) const fn since(self, earlier: Self) -> i64 {
        let gone = self.0.saturating_sub(earlier.0);
        if gone < 0 { 0 } else { gone }
    }
}

/// Turns real time into simulated time.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    began: std::time::Instant,
    speed: f64,
    ahead: std::sync::Arc<std::sync::atomic::AtomicI64>,
}

impl Clock {
    /// A clock that says `at` now and runs `speed` times as fast as the wall clock (0 stands still).
    pub(crate) fn start(at: Instant, speed: f64) -> Self {
        Self { began: std::time::Instant::now(), speed: speed.max(0.0), ahead: std::sync::Arc::new(at.millis().into()) }
    }

    pub(crate) fn now(&self) -> Instant {
        let real = self.began.elapsed().as_secs_f64() * 1000.0 * self.speed;
        Instant(real as i64 + self.ahead.load(std::sync::atomic::Ordering::Relaxed))
    }

    /// Second of real time since the start.
    pub(crate) fn second(&self) -> u64 {
        self.began.elapsed().as_secs()
    }

    /// Real time as a device's monitor has it: reports are due in real seconds, however fast the life goes.
    pub(crate) fn moment(&self) -> embedded::Moment {
        let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        embedded::Moment { wall_ms: wall.as_millis() as i64, mono_ms: self.began.elapsed().as_millis() as u64 }
    }

    /// Real time until this simulated moment; a day where the clock stands still.
    pub(crate) fn until(&self, at: Instant) -> Duration {
        let millis = at.since(self.now()) as f64 / self.speed;
        Duration::from_millis(if millis.is_finite() { millis.min(86_400_000.0) as u64 } else { 86_400_000 })
    }

    /// Skips simulated time at once; time never goes back.
    pub(crate) fn skip(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 4);
        self.ahead.fetch_add(millis, std::sync::atomic::Ordering::Relaxed);
    }
}
