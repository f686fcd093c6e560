//! Fleets on the loopback device, asked by net-snmp and by a small client of our own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod ask;
mod faults;
mod fleets;
mod net_snmp;
mod objects;
mod traps;
mod v3;
mod walks;
