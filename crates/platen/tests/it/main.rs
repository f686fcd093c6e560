//! The binary as its users run it: real processes, real sockets on loopback, both databases.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]
mod api;
mod bad_days;
mod bench;
mod chaos;
mod command_line;
mod databases;
mod hardened;
mod kill;
mod orders;
mod past;
mod process;
mod record;
mod reporting;
mod roads;
mod site;
mod tenancy;
mod thread;
