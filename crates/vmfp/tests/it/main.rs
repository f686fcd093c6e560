//! Fleets on the loopback device, asked by net-snmp and by a small client of our own.

mod ask;
mod faults;
mod fleets;
mod net_snmp;
mod walks;
