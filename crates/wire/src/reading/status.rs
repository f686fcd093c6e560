//! How a device is: one state, the IPP reasons why, and what its panel shows.

use serde::{Deserialize, Serialize};

super::meter::words! {
    /// State of the device, from its own words; "we do not hear it" is never a state.
    State {
        /// Ready and waiting.
        Idle = 0 "idle",
        /// Printing, copying or scanning.
        Processing = 1 "processing",
        /// Wants a person before it goes on.
        Stopped = 2 "stopped",
        /// On its way to ready.
        WarmingUp = 3 "warming-up",
        /// In a power-saving state.
        Asleep = 4 "asleep",
        /// Says of itself that it is off line.
        Offline = 5 "offline",
        /// Nothing usable was said.
        Unknown = 6 "unknown",
    }
}

/// State with reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Status {
    /// What the device does now.
    #[n(0)]
    pub state: State,
    /// IPP `printer-state-reasons` keywords with `-error`, `-warning` or `-report`, sorted, no duplicates.
    #[n(1)]
    pub reasons: Vec<String>,
    /// What the panel shows, lines joined by a blank.
    #[n(2)]
    pub console: Option<String>,
}

impl Default for Status {
    fn default() -> Self {
        Self { state: State::Unknown, reasons: Vec::new(), console: None }
    }
}
