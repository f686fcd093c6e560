//! The agent's two clocks, and what it learnt of the server's.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// Wall clock, monotonic clock, and the offset of the server's wall clock.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    offset_ms: AtomicI64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), offset_ms: AtomicI64::new(0) }
    }

    /// Milliseconds since this program started.
    pub(crate) fn mono_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Server's time as far as it is known: what requests are signed with.
    pub(crate) fn server_ms(&self) -> i64 {
        wall_ms() + self.offset_ms()
    }

    /// Server's wall clock minus ours, milliseconds.
    pub(crate) fn offset_ms(&self) -> i64 {
        self.offset_ms.load(Ordering::Relaxed)
    }

    /// Takes the server's time from a reply; returns how far it moved from what was believed.
    pub(crate) fn learn(&self, server_ms: i64) -> i64 {
        let offset = server_ms.saturating_sub(wall_ms());
        offset.saturating_sub(self.offset_ms.swap(offset, Ordering::Relaxed))
    }
}

/// Wall clock, milliseconds since 1970.
pub(crate) fn wall_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}
