//! The gateway over real TLS, with core on SQLite behind it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod door;
mod hostile;
mod listener;
mod monitors;
mod refusals;
mod reports;
