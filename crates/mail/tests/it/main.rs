//! Sessions driven as real shells drive them: cut anywhere, mutated, over sockets, by other people's programs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

mod chunks;
mod clients;
mod drive;
mod mutants;
mod mutator;
mod peers;
mod pop3_server;
mod program;
mod shell;
mod smtp_server;
mod sockets;
