//! Sessions driven as real shells drive them: cut anywhere, mutated, over sockets, by other people's programs.

mod chunks;
mod clients;
mod drive;
mod mutants;
mod peers;
mod pop3_server;
mod shell;
mod smtp_server;
mod sockets;
