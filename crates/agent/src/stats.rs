//! What the agent counts about itself: for the log, for tests, and for whoever asks "is it keeping up?".

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {
        /// Counters that only rise, and a few gauges. Shared by all tasks.
        #[derive(Debug, Default)]
        pub struct AgentStats {
            $($(#[$meta])* pub(crate) $name: AtomicU64,)+
        }

        /// [`AgentStats`] at one moment.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct StatsView {
            $($(#[$meta])* pub $name: u64,)+
        }

        impl AgentStats {
            /// All figures as they are now.
            pub fn view(&self) -> StatsView {
                StatsView { $($name: self.$name.load(Relaxed)),+ }
            }
        }
    };
}

counters! {
    /// Cheap looks at a device that were begun.
    polls,
    /// Looks that began more than a second after they were due.
    late_polls,
    /// Longest delay of a look so far, milliseconds.
    worst_delay_ms,
    /// Full readings.
    full_reads,
    /// Readings of the meters alone.
    meter_reads,
    /// Looks that no answer came to.
    failed_polls,
    /// Devices that are kept read (gauge).
    devices,
    /// Devices that do not answer now (gauge).
    unreachable,
    /// Devices that were found at a new address.
    moved,
    /// Addresses that turned out to be a second address of a known device.
    aliases,
    /// Responders that are no printers.
    not_printers,
    /// Discoveries that ended.
    discoveries,
    /// Addresses asked since the present discovery began (gauge).
    probed,
    /// Addresses that the present discovery will ask (gauge; 0 when none runs).
    to_probe,
    /// Printers that the present discovery has met (gauge).
    found,
    /// When the next discovery may begin, milliseconds since 1970 (gauge; 0 while one runs or none will).
    next_discovery_ms,
    /// Messages that wait (gauge).
    outbox_depth,
    /// Messages committed to the outbox.
    recorded,
    /// Messages that the server gave a final outcome for.
    delivered,
    /// Messages that the server will never take (invalid, refused, too large, stale twice).
    rejected,
    /// Superseded status messages that were dropped because the outbox was full or they were too old.
    shed,
    /// Notifications (traps and informs) received, of whomever.
    traps,
    /// Of these, from known devices.
    traps_known,
    /// Of these, shed: repetitions between the first and the last within a window.
    traps_shed,
    /// Datagrams at the trap door that were no notification, or none that can be believed.
    traps_refused,
    /// Readings of devices because they called.
    trap_reads,
    /// Connections of devices that the relay passed on to the gateway.
    relayed,
    /// Connections that it refused, or could not pass on.
    relay_refused,
    /// Connections that it carries now (gauge).
    relay_open,
    /// Requests to the server.
    requests,
    /// Requests that failed.
    failed_requests,
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

pub(crate) fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Relaxed);
}

pub(crate) fn set(gauge: &AtomicU64, n: usize) {
    gauge.store(n as u64, Relaxed);
}
