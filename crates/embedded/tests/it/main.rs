//! The monitor against a server that keeps what it calls stored, with power lost at any moment.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod activation;
mod called;
mod life;
mod mail;
mod orders;
mod server;
