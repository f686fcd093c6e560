//! The gateway over real TLS, with core behind it: on SQLite, where the engine matters on PostgreSQL too.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod activation;
mod blob;
mod door;
mod failover;
mod hard;
mod herd;
mod hostile;
mod listener;
mod mail_in;
mod mail_limits;
mod maildrop;
mod monitors;
#[path = "../../../mail/tests/it/mutator.rs"]
mod mutator;
mod post;
#[path = "../../../mail/tests/it/program.rs"]
mod program;
mod programs;
mod refusals;
mod reports;
mod storms;
mod two_way;
