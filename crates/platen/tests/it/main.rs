//! The binary as its users run it: real processes, real sockets on loopback, both databases.

mod api;
mod command_line;
mod databases;
mod kill;
mod process;
mod site;
mod tenancy;
mod thread;
