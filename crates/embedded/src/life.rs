//! Time as the firmware tells it, and what the monitor asks of the firmware.

use wire::command::Taken;
use wire::{Subject, monitor::Kind};

/// Now, by the device's clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Wall clock, milliseconds since 1970; may be wrong, and may jump.
    pub wall_ms: i64,
    /// Milliseconds since the device was started; never goes back.
    pub mono_ms: u64,
}

/// What the firmware is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Tell this kind now with [`crate::Monitor::tell`]; counters as a full set, for the server may not have the last one.
    Read(Kind),
    /// Give the debug log to [`crate::Monitor::upload`], or say with [`crate::Monitor::done`] why there is none.
    SendLog(Subject),
    /// Nothing to do; for logs: an order was answered so.
    Answered(Subject, Taken),
}
