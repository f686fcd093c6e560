//! Sessions driven as real shells drive them: cut anywhere, mutated, over sockets, by other people's programs.

mod chunks;
mod clients;
mod drive;
mod pop3_server;
mod smtp_server;
